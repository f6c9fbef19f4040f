"""`make sources` and `make data`: what the pipelines read from and write to, beside the platform.

A namespace of their own holds a warehouse and a shop's database (PostgreSQL), a search index (OpenSearch) and the shop's
HTTP API. They are for trying the pipelines out: their data is as lasting as their pods. Airflow gets a connection to each.
"""

from __future__ import annotations

import base64
import json
import secrets
import shlex
import subprocess
import uuid
from datetime import date, timedelta
from typing import Any

from airspark import demo, images, platform, tools
from airspark.airflow_api import Airflow
from airspark.cluster import kubectl, node_names
from airspark.console import step
from airspark.project import Failure, kubeconfig

SOURCES = "airspark-sources"
SECRET = "sources"
#: Keys of the Secret: each a password that was made at random, once.
PASSWORDS = ("warehouse", "shop", "api-token")
APPLICATIONS = "/opt/airflow/spark-apps"
PART = {"app.kubernetes.io/part-of": SOURCES}


def restricted() -> dict[str, Any]:
    """The security context of a container that passes Pod Security `restricted`, with a read-only root."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def server(name: str, image: str, port: int, user: int, data: str, **container: Any) -> list[dict[str, Any]]:
    """Deployment and Service of a server.

    Args:
        name: of both.
        image: full name.
        port: where it listens, and the Service's.
        user: the uid it runs as.
        data: the folder it may write to, beside /tmp.
        container: further fields of its container.
    """
    labels = {"app.kubernetes.io/name": name, **PART}
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": 0, "fsGroup": 0,
                            "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": name,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            "securityContext": restricted(),
            "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2},
            "volumeMounts": [{"name": "data", "mountPath": data}, {"name": "tmp", "mountPath": "/tmp"}],
            **container,
        }],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }  # fmt: skip
    meta = {"name": name, "namespace": SOURCES, "labels": labels}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
         "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": pod}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"selector": labels, "ports": [{"name": "main", "port": port}]}},
    ]  # fmt: skip


def from_secret(variable: str, key: str) -> dict[str, Any]:
    """An environment variable whose value is a key of the Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}}


def objects(time_zone: str) -> list[dict[str, Any]]:
    """Every object of the namespace but the Secret.

    Args:
        time_zone: the platform's, in which the shop's days begin and end.
    """
    postgres = images.IMAGES["postgres"].tag
    data = "/var/lib/postgresql/data"
    databases = [
        server(
            name,
            postgres,
            5432,
            999,
            data,
            env=[{"name": "POSTGRES_USER", "value": user}, from_secret("POSTGRES_PASSWORD", user)],
        )
        for name, user in (("warehouse", "warehouse"), ("shop-db", "shop"))
    ]
    index = server("search", images.OPENSEARCH.tag, 9200, 1000, "/data",
                   resources={"requests": {"cpu": "10m", "memory": "640Mi"}, "limits": {"memory": "1Gi"}})  # fmt: skip
    api = server(
        "shop-api",
        images.SHOP_API.tag,
        8080,
        1000,
        "/data",
        env=[from_secret("API_TOKEN", "api-token"), {"name": "AIRSPARK_TIME_ZONE", "value": time_zone}],
    )
    return [item for group in (*databases, index, api) for item in group]


def connections(passwords: dict[str, str]) -> list[dict[str, Any]]:
    """The Airflow connections to the servers, as the REST API takes them.

    Args:
        passwords: what the Secret holds.
    """
    return [
        {"connection_id": "warehouse", "conn_type": "postgres", "host": f"warehouse.{SOURCES}", "port": 5432,
         "schema": "warehouse", "login": "warehouse", "password": passwords["warehouse"]},
        {"connection_id": "shop_db", "conn_type": "postgres", "host": f"shop-db.{SOURCES}", "port": 5432,
         "schema": "shop", "login": "shop", "password": passwords["shop"]},
        {"connection_id": "search", "conn_type": "http", "host": f"http://search.{SOURCES}", "port": 9200},
        {"connection_id": "shop_api", "conn_type": "http", "host": f"http://shop-api.{SOURCES}", "port": 8080,
         "password": passwords["api-token"]},
    ]  # fmt: skip


def ensure(airflow: Airflow) -> None:
    """Have the servers run and Airflow know them.

    Raises:
        Failure: if one of them does not become ready.
    """
    images.ensure_loaded(node_names(), [images.OPENSEARCH, images.SHOP_API, images.IMAGES["postgres"]])
    with step("sources", "Start a warehouse, a shop's database and API, and a search index") as current:
        labels = {"pod-security.kubernetes.io/enforce": "restricted", **PART}
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SOURCES, "labels": labels}})
        passwords = ensure_passwords()
        apply(*objects(platform.time_zone()))
        try:
            kubectl("rollout", "status", "deployment", "--namespace", SOURCES, "--selector",
                    f"app.kubernetes.io/part-of={SOURCES}", "--timeout", "180s", timeout=200)  # fmt: skip
        except subprocess.CalledProcessError as problem:
            current.write(kubectl("describe", "pods", "--namespace", SOURCES))
            raise Failure(f"a server in the namespace {SOURCES} is not ready after 180 s",
                          f"kubectl --namespace {SOURCES} get pods") from problem  # fmt: skip
        for connection in connections(passwords):
            ensure_connection(airflow, connection)
        current.note = ", ".join(connection["connection_id"] for connection in connections(passwords))


def ensure_passwords() -> dict[str, str]:
    """The passwords out of the Secret; it is made if it is missing, and never changed."""
    found = kubectl("get", "secret", SECRET, "--namespace", SOURCES, "--ignore-not-found", "--output", "json")
    if found:
        return {key: base64.b64decode(value).decode() for key, value in json.loads(found)["data"].items()}
    made = {key: secrets.token_urlsafe(24) for key in PASSWORDS}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": SOURCES}, "stringData": made})
    return made


def ensure_connection(airflow: Airflow, connection: dict[str, Any]) -> None:
    """Have Airflow know a connection as it is here."""
    name = connection["connection_id"]
    known = airflow.call("GET", "/connections", params={"connection_id_pattern": name, "limit": 100})["connections"]
    if any(one["connection_id"] == name for one in known):
        airflow.call("PATCH", f"/connections/{name}", json=connection)
    else:
        airflow.create("/connections", connection, f"/connections/{name}")


def days(first: str, last: str) -> list[str]:
    """Every day from the first to the last, as YYYY-MM-DD.

    Raises:
        Failure: if the last comes before the first.
    """
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if end < start:
        raise Failure(f"FROM={first} comes after TO={last}", "for example: make data FROM=2026-01-01 TO=2026-01-03")
    return [(start + timedelta(number)).isoformat() for number in range((end - start).days + 1)]


def generators(wanted: list[str], rows: int, seed: int) -> list[list[str]]:
    """The commands that write the input of some days to the data claim.

    Args:
        wanted: the days.
        rows: of each day and kind.
        seed: of the generators.
    """
    options = ["--rows", str(rows), "--seed", str(seed)]
    daily = {"sales": "generate_sales.py", "access_logs": "generate_access_log.py"}
    commands = [
        ["python", f"{APPLICATIONS}/{file}", "--date", day, *options, "--out", f"{demo.DATA}/{folder}"]
        for day in wanted
        for folder, file in daily.items()
    ]
    window = ["--date", wanted[0], "--days", str(len(wanted)), *options]
    return [*commands, ["python", f"{APPLICATIONS}/generate_clicks.py", *window, "--out", f"{demo.DATA}/clicks"]]


def orders_pod(name: str, wanted: list[str], rows: int, seed: int, time_zone: str) -> dict[str, Any]:
    """The pod that fills the shop's database.

    Args:
        name: pod name.
        wanted: the days.
        rows: orders of each day.
        seed: of the generator.
        time_zone: the platform's, in which the days begin; its ConfigMap is of another namespace.
    """
    window = ["--date", wanted[0], "--days", str(len(wanted)), "--rows", str(rows), "--seed", str(seed)]
    pod = demo.generator_pod(name, ["python", f"{APPLICATIONS}/generate_orders.py", *window])
    pod["metadata"]["namespace"] = SOURCES
    container, spec = pod["spec"]["containers"][0], pod["spec"]
    address = {"name": "SOURCE_URL", "value": "postgresql://shop@shop-db/shop"}
    zone = {"name": "AIRSPARK_TIME_ZONE", "value": time_zone}
    container["env"] = [address, from_secret("SOURCE_PASSWORD", "shop"), zone]
    for part in (container["volumeMounts"], spec["volumes"]):
        part[:] = [one for one in part if one["name"] != "data"]
    return pod


def generate(wanted: list[str], rows: int, seed: int) -> None:
    """Write the input of some days, and fill the shop's database if there is one.

    Raises:
        Failure: if a generator fails, with its sentence.
    """
    commands = generators(wanted, rows, seed)
    with step("data", f"Write input of {len(wanted)} days, {rows:,} rows a day and kind") as current:
        script = "set -e\n" + "\n".join(shlex.join(command) for command in commands)
        pod = demo.generator_pod(f"generate-data-{uuid.uuid4().hex[:8]}", ["bash", "-c", script])
        demo.run_pod(pod, 300 + len(commands) * (5 + rows // 20_000), current.write)
        if kubectl("get", "namespace", SOURCES, "--ignore-not-found", "--output", "name"):
            orders = orders_pod(f"generate-orders-{uuid.uuid4().hex[:8]}", wanted, rows, seed, platform.time_zone())
            demo.run_pod(orders, 300 + len(wanted) * (5 + rows // 20_000), current.write)
        current.note = f"{wanted[0]} to {wanted[-1]}"


def apply(*items: dict[str, Any]) -> None:
    """Apply objects.

    Raises:
        Failure: with the API server's words if it refuses one.
    """
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "apply", "--filename", "-"]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    done = subprocess.run(command, input=body, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Failure(f"the cluster refused the sources: {done.stderr.strip().splitlines()[-1]}", "make status")
