"""What charts/spark renders: its parts, and look-ups in them."""

from __future__ import annotations

from typing import Any

from batches import Paths
from cases import Rendered
from rendering import Object, env

WHO = "{{ .Release.Name }}"
BASE: Paths = {"historyServer.enabled": True, "mounts.events.claim": "events"}
WORKLOADS = {
    "master": ("StatefulSet", "airspark-spark-master"),
    "worker": ("StatefulSet", "airspark-spark-worker"),
    "historyServer": ("Deployment", "airspark-spark-history"),
}
MASTER, WORKER, HISTORY = (name for _, name in WORKLOADS.values())


def spec(found: Rendered, part: str) -> Object:
    """Return the spec of a part's pod."""
    return dict(found.pod(*WORKLOADS[part])["spec"])


def main(found: Rendered, part: str) -> Object:
    """Return the first container of a part's pod."""
    return dict(spec(found, part)["containers"][0])


def env_of(found: Rendered, part: str) -> dict[str, Any]:
    """Return the environment of a part's first container."""
    return env(main(found, part))


def specs(found: Rendered) -> list[Object]:
    """Return every pod's spec, the bootstrap Job's too."""
    return [spec(found, part) for part in WORKLOADS] + [dict(found.pods["spark-bootstrap"]["spec"])]


def conf(found: Rendered, file: str = "spark-defaults.conf") -> dict[str, str]:
    """Return the lines of a configuration file by key."""
    text = found.find("ConfigMap", "airspark-spark-config")["data"][file]
    return dict(line.split(" ", 1) if " " in line else (line, "") for line in text.splitlines())


def service_ports(found: Rendered, service: str) -> dict[str, int]:
    """Return a Service's ports by name."""
    return {port["name"]: port["port"] for port in found.find("Service", service)["spec"]["ports"]}


def opened(found: Rendered, part: str) -> dict[str, int]:
    """Return the ports of a part's container by name."""
    return {port["name"]: port["containerPort"] for port in main(found, part)["ports"]}


def mounted(found: Rendered, part: str) -> dict[str, str]:
    """Return where a part mounts claims, by the claims' names."""
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in spec(found, part)["volumes"]
              if "persistentVolumeClaim" in v}  # fmt: skip
    return {claims[m["name"]]: m["mountPath"] for m in main(found, part)["volumeMounts"] if m["name"] in claims}


def work(found: Rendered, name: str = WORKER) -> Object:
    """Return the volume that executors spill to."""
    return named(found.pod("StatefulSet", name)["spec"]["volumes"], "work")


def bootstrap_job(found: Rendered) -> Object:
    """Return the Job that makes the secret."""
    return next(item for item in found.objects if item["kind"] == "Job")


def allowed(found: Rendered) -> set[tuple[str, str]]:
    """Return what the bootstrap Job may do, as (verb, kind)."""
    rules = found.find("Role", "airspark-spark-bootstrap")["rules"]
    return {(verb, kind) for rule in rules for verb in rule["verbs"] for kind in rule["resources"]}


def autoscaler(found: Rendered, name: str = WORKER) -> Object:
    """Return the spec of an autoscaler."""
    return dict(found.find("HorizontalPodAutoscaler", name)["spec"])


def pre_stop(found: Rendered, name: str = WORKER) -> list[str]:
    """Return the command that runs before a worker stops."""
    return list(found.pod("StatefulSet", name)["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"])


def scaled_by(found: Rendered) -> dict[str, int]:
    """Return what the workers' autoscaler follows, in percent by resource."""
    return {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in autoscaler(found)["metrics"]}


def named(items: list[Object] | None, name: str) -> Object:
    """Return the item of a list with this name, or nothing."""
    return next((item for item in items or [] if item.get("name") == name), {})
