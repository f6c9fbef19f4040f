"""SparkApplications for live tests, and a controller of the tests' own that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import kube_api
import yaml
from conftest import ROOT
from spark import wait

from airspark import cluster, tools
from airspark.forward import free_port
from airspark.images import IMAGES
from airspark.project import BUILD, kubeconfig, versions

PLATFORM = "airspark"
#: Namespace of the applications whose controller is a process of the tests.
OWN = "airspark-applications"
ENDED = ("COMPLETED", "FAILED")
SMALL = {"cores": 1, "coreRequest": "100m", "memory": "512m"}
#: Adds up numbers on an executor.
SUM = """
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
print("SUM", session.range(0, 1000, 1, 2).selectExpr("sum(id)").first()[0], flush=True)
session.stop()
"""


def spec(**changes: Any) -> dict[str, Any]:
    """Return a small PySpark application's spec; dictionaries of `driver` and `executor` are merged."""
    base: dict[str, Any] = {
        "type": "Python",
        "mode": "cluster",
        "sparkVersion": versions()["SPARK_VERSION"],
        "image": IMAGES["spark"].tag,
        "imagePullPolicy": "IfNotPresent",
        "mainApplicationFile": "local:///program/main.py",
        "driver": dict(SMALL),
        "executor": {**SMALL, "instances": 1},
    }
    for key, value in changes.items():
        base[key] = base[key] | value if key in ("driver", "executor") else value
    return base


def kubectl(namespace: str, *words: str, timeout: float = 120) -> str:
    """kubectl in a namespace."""
    return cluster.kubectl("--namespace", namespace, *words, timeout=timeout)


def send(manifest: dict[str, Any], verb: str = "apply", *words: str) -> str:
    """Give a manifest to the API server; returns what kubectl says, refusals included."""
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), verb, *words, "-f", "-"]
    done = subprocess.run(command, input=json.dumps(manifest), text=True, capture_output=True, check=False)
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Application:
    """A SparkApplication on the cluster."""

    name: str
    namespace: str = PLATFORM

    @property
    def driver(self) -> str:
        """Name of its driver pod, as Airflow expects it."""
        return f"{self.name}-driver"

    def object(self) -> dict[str, Any]:
        """The whole object; empty if there is none."""
        return kube_api.read(f"{kube_api.APPLICATIONS}/namespaces/{self.namespace}/sparkapplications/{self.name}")

    def status(self) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.object().get("status", {})
        return found

    def state(self) -> str:
        """The published state."""
        return str(self.status().get("applicationState", {}).get("state", ""))

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition of its status."""
        found: dict[str, Any] = next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})
        return found

    def pods(self, role: str = "") -> list[dict[str, Any]]:
        """Its pods, of one role or all."""
        selector = f"sparkoperator.k8s.io/app-name={self.name}" + (f",spark-role={role}" if role else "")
        return kube_api.pods(self.namespace, selector)

    def reach(self, *states: str, seconds: float = 300) -> dict[str, Any]:
        """Wait until it is in one of these states; the end in another fails at once.

        Returns:
            Its status.
        """
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            state = status.get("applicationState", {}).get("state", "")
            if state in states:
                return status
            told = status.get("applicationState", {}).get("errorMessage", "")
            assert state not in ENDED or "PENDING_RERUN" in states, f"{self.name} is {state}: {told}\n{self.log()[-2000:]}"
            assert time.monotonic() < deadline, (
                f"{self.name} is {state or 'NEW'} and not {states} after {seconds} s: {told} {status}"
            )
            time.sleep(0.5)

    def log(self) -> str:
        """What the driver printed so far; nothing without one."""
        return kube_api.log(self.namespace, self.driver, "spark-kubernetes-driver")

    def events(self) -> list[str]:
        """Reasons of the Events on it."""
        chosen = f"involvedObject.kind=SparkApplication,involvedObject.name={self.name}"
        found = kube_api.read(f"/api/v1/namespaces/{self.namespace}/events", fieldSelector=chosen)
        return [item["reason"] for item in found["items"]]

    def patch(self, **changes: Any) -> None:
        """Change its spec."""
        body = json.dumps({"spec": changes})
        kubectl(self.namespace, "patch", "sparkapplication", self.name, "--type", "merge", "--patch", body)

    def left(self) -> list[str]:
        """What of it is still there, itself included."""
        chosen = ("--selector", f"sparkoperator.k8s.io/app-name={self.name}", "--output", "name")
        kinds = "pods,services,configmaps,ingresses,networkpolicies,poddisruptionbudgets"
        found = kubectl(self.namespace, "get", kinds, *chosen).split()
        return found + (["sparkapplication"] if self.object() else [])


@contextmanager
def application(
    name: str, program: str = SUM, namespace: str = PLATFORM, metadata: dict[str, Any] | None = None, **changes: Any
) -> Iterator[Application]:
    """An application that runs a program, until the context is left.

    Args:
        name: of the application, and of the ConfigMap with the program.
        program: Python, mounted as /program/main.py.
        namespace: of both.
        metadata: over its own.
        changes: of its spec, as `spec` takes them; volumes are added to the program's.
    """
    volumes = [{"name": "program", "configMap": {"name": f"{name}-program"}}, *changes.pop("volumes", [])]
    body = spec(**changes)
    body["volumes"] = volumes
    body["driver"] = body["driver"] | {
        "volumeMounts": [{"name": "program", "mountPath": "/program"}, *body["driver"].get("volumeMounts", [])]
    }
    files = {"main.py": program}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-program", "namespace": namespace},
        "data": files,
    }
    wanted = {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        "spec": body,
    }
    remove(name, namespace)
    try:
        assert "created" in send(config, "create")
        said = send(wanted, "create")
        assert "created" in said, said
        yield Application(name, namespace)
    finally:
        if sys.exc_info()[0] is None:
            remove(name, namespace)


def remove(name: str, namespace: str) -> None:
    """Delete an application and its program, and wait until both are gone."""
    for kind, what in (("sparkapplication", name), ("configmap", f"{name}-program")):
        kubectl(namespace, "delete", kind, what, "--ignore-not-found", "--timeout=120s", timeout=150)
    gone = Application(name, namespace)
    wait(f"nothing of {name} is left", lambda: not gone.pods(), 180)


class Controller:
    """A controller as a process of the tests: the same code as in the pod, for applications in a namespace of its own.

    Args:
        namespaces: what it watches.
        settings: over its own, as the chart writes them.
    """

    def __init__(self, *namespaces: str, **settings: Any) -> None:
        self.port = free_port()
        self.settings = {
            "namespaces": list(namespaces),
            "leaderElection": {"enabled": False},
            "port": self.port,
            "resyncSeconds": 5,
            "log": {"level": "info", "format": "plain"},
            "defaults": defaults(),
        } | settings
        self.log_file = BUILD / "logs" / f"controller-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready: bool = True) -> None:
        """Start it; by default wait until its watches are alive."""
        file = self.log_file.with_suffix(".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.settings))
        environment = os.environ | {"KUBECONFIG": str(kubeconfig()), "PYTHONPATH": str(ROOT / "operator"), "POD_NAMESPACE": OWN}
        command = [sys.executable, "-m", "airspark_operator", "--settings", str(file)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
        if ready:
            wait(f"the controller is ready, see {self.log_file}", self.ready, 30, 0.1)

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def metrics(self) -> str:
        """What Prometheus would read."""
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it, without a chance to finish anything by default."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def __enter__(self) -> Controller:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGTERM)


def defaults() -> dict[str, Any]:
    """What the platform's own controller is told about applications."""
    text = kubectl(PLATFORM, "get", "configmap", "airspark-spark-operator", "--output", "jsonpath={.data.settings\\.json}")
    found: dict[str, Any] = json.loads(text)["defaults"]
    return found | {"serviceAccount": "driver"}


def own_namespace() -> None:
    """Make the namespace of the tests' own controllers: restricted, with an account that drivers may use."""
    names = ["pods", "configmaps", "persistentvolumeclaims", "services"]
    role = {"apiGroups": [""], "resources": names, "verbs": ["*"]}
    objects: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": OWN, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "driver", "namespace": OWN}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "driver", "namespace": OWN},
            "rules": [role],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "driver", "namespace": OWN},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "driver"},
            "subjects": [{"kind": "ServiceAccount", "name": "driver", "namespace": OWN}],
        },
    ]
    for wanted in objects:
        send(wanted)


def load(file: Path) -> list[dict[str, Any]]:
    """Return the objects of a manifest."""
    return [thing for thing in yaml.safe_load_all(file.read_text()) if thing]
