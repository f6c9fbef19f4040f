"""What the platform is connected to in the live tests: an object store and a Git server, in a namespace of their own."""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from airspark import cluster, images, tools
from airspark.airflow_api import Airflow
from airspark.project import kubeconfig

NAMESPACE = "airspark-servers"
BUNDLE = Path(__file__).resolve().parent / "bundle"
ACCESS_KEY, SECRET_KEY, BUCKET = "live-tests", "live-tests-secret", "logs"

#: One values file that turns on what production needs.
VALUES: dict[str, Any] = {
    "global": {"spark": {"connect": {"enabled": True}}},
    "airflow": {
        "statsd": {"enabled": True},
        "logs": {"remote": {"enabled": True, "provider": "s3", "folder": f"s3://{BUCKET}/tasks", "connectionId": "log_store"}},
        "dagProcessor": {
            "dagBundleConfigList": [
                {
                    "name": "dags-folder",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {},
                },
                {
                    "name": "live",
                    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
                    "kwargs": {"git_conn_id": "live_git", "tracking_ref": "main", "refresh_interval": 10},
                },
            ]
        },
        "connections": {
            "log_store": {
                "type": "aws",
                "login": {"valueFrom": {"secretKeyRef": {"name": "live-tests", "key": "access-key"}}},
                "password": {"valueFrom": {"secretKeyRef": {"name": "live-tests", "key": "secret-key"}}},
                "extra": {"endpoint_url": f"http://minio.{NAMESPACE}.svc:9000", "region_name": "us-east-1"},
            },
            "live_git": {"type": "git", "host": f"http://git-server.{NAMESPACE}.svc:8080/git/dags.git"},
            "live_api": {
                "type": "http",
                "host": "api.example.com",
                "password": {"valueFrom": {"secretKeyRef": {"name": "live-tests", "key": "password"}}},
            },
        },
        "variables": {"live_variable": {"value": "of-values", "description": "For live tests"}},
        "pools": {"live-pool": {"slots": 3, "description": "For live tests"}},
        "users": {"reader": {"roles": ["Viewer"], "email": "reader@example.com", "firstName": "Rea", "lastName": "Der"}},
    },
}


def merged(values: dict[str, Any], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return VALUES with others over them."""
    found = copy.deepcopy(VALUES if base is None else base)
    for key, value in values.items():
        found[key] = merged(value, found[key]) if isinstance(value, dict) and isinstance(found.get(key), dict) else value
    return found


def apply(*objects: dict[str, Any]) -> None:
    """Apply objects."""
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "apply", "--filename", "-"]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    done = subprocess.run(command, input=items, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def server(name: str, image: str, port: int, **container: Any) -> list[dict[str, Any]]:
    """Pod and Service of a server; its data dies with it."""
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": name,
                    "image": image,
                    "imagePullPolicy": "Never",
                    "securityContext": restricted,
                    "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
                    **container,
                }
            ],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }
    return [pod, service]


def git_commit(path: str, old: str, new: str) -> None:
    """Commit a change to one file of the served repository, on top of what it is by now."""
    file = BUNDLE / path
    text = file.read_text()
    assert old in text, f"{file} does not hold {old}"
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE, "exec", "--stdin",
               "git-server", "--", "git-server-commit", path]  # fmt: skip
    subprocess.run(command, input=text.replace(old, new), text=True, check=True, capture_output=True)


def start() -> None:
    """Make the servers, their content and the Secret with their passwords, and wait until they answer."""
    images.ensure_loaded(cluster.node_names(), [images.MINIO, images.GIT_SERVER, images.STATSD_EXPORTER])
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    dags = {path.name: path.read_text() for path in BUNDLE.glob("*.py")}
    minio = server(
        "minio", images.MINIO.tag, 9000,
        args=["server", "/data"],
        env=[{"name": "MINIO_ROOT_USER", "value": ACCESS_KEY}, {"name": "MINIO_ROOT_PASSWORD", "value": SECRET_KEY},
             {"name": "HOME", "value": "/tmp"}],
    )  # fmt: skip
    git = server("git-server", images.GIT_SERVER.tag, 8080)
    git[0]["spec"]["volumes"].append({"name": "seed", "configMap": {"name": "bundle"}})
    git[0]["spec"]["containers"][0]["volumeMounts"].append({"name": "seed", "mountPath": "/seed"})
    # a bucket is a folder of the store's data
    minio[0]["spec"]["initContainers"] = [
        {
            "name": "bucket",
            "image": images.IMAGES["airflow"].tag,
            "imagePullPolicy": "Never",
            "command": ["mkdir", "-p", f"/data/{BUCKET}"],
            "securityContext": minio[0]["spec"]["containers"][0]["securityContext"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
    ]
    secret = {"access-key": ACCESS_KEY, "secret-key": SECRET_KEY, "password": "from-a-secret"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": restricted}})
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bundle", "namespace": NAMESPACE}, "data": dags},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "live-tests", "namespace": "airspark"}, "stringData": secret},
        *minio,
        *git,
    )
    cluster.kubectl("wait", "--namespace", NAMESPACE, "pod", "--all", "--for=condition=Ready", "--timeout=120s", timeout=150)


def wait_for_dags(client: Airflow, names: Set[str] = frozenset({"live_sleep", "live_uses"}), seconds: float = 180) -> None:
    """Wait until DAGs of the bundle are known."""
    deadline = time.monotonic() + seconds
    while not names <= {dag["dag_id"] for dag in client.call("GET", "/dags", params={"limit": 100})["dags"]}:
        assert time.monotonic() < deadline, f"the DAGs of the Git bundle are not known after {seconds:.0f} s"
        time.sleep(1)
