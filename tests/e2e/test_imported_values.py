"""Values files of the official Airflow chart, imported and installed by Helm, each in a namespace and release of its own.

What a file takes for granted on its own cluster stands in: storage and priority classes, and the kinds of KEDA and
the Prometheus operator.
Images of other registries cannot be pulled here, so only READY's installations are followed to the end.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import cluster
from servers import apply

from airspark import images, revisions, tools
from airspark.cluster import node_names
from airspark.platform import CHARTS, VALUES
from airspark.project import ROOT, kubeconfig

# Thirteen installations, two of them to the end.
pytestmark = pytest.mark.long
FILES = sorted(path for path in (ROOT / "tests/charts/official-imports").glob("*.yaml") if ".expected" not in path.name)
READY = {"celery-switched", "airflow2-defaults-written-out"}
SMALL = [
    f"{part}.resources.requests.cpu"
    for part in (
        "spark.worker",
        "spark.master",
        "spark.historyServer",
        "airflow.scheduler",
        "airflow.apiServer",
        "airflow.dagProcessor",
    )
]
KINDS = {"ScaledObject": "keda.sh/v1alpha1", "ServiceMonitor": "monitoring.coreos.com/v1"}


def _kind(kind: str, api: str) -> dict[str, Any]:
    """A kind of another operator, which takes any field."""
    group, _, version = api.partition("/")
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": {"stand-in": "true"}},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                 "versions": [{"name": version, "served": True, "storage": True, "schema": schema}]},
    }  # fmt: skip


def _named(values: Any, wanted: str) -> Iterator[str]:
    """Yield what values name by a key, wherever it stands."""
    for key, value in values.items() if isinstance(values, dict) else enumerate(values if isinstance(values, list) else []):
        if key == wanted and value:
            yield str(value)
        yield from _named(value, wanted)


@pytest.fixture(scope="module")
def standins(up: None) -> Iterator[None]:
    """The kinds of other operators, and the images that the charts' defaults name."""
    images.ensure_loaded(node_names(), [images.STATSD_EXPORTER])
    for kind, api in KINDS.items():
        apply(_kind(kind, api))
    yield
    cluster.kubectl("delete", "customresourcedefinitions,storageclasses,priorityclasses", "--selector", "stand-in=true")


def _helm(*words: str | Path, seconds: int = 420) -> subprocess.CompletedProcess[str]:
    command = [str(tools.ensure("helm")), *map(str, words), "--kubeconfig", str(kubeconfig())]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds)


def _refused(namespace: str) -> list[str]:
    """What Kubernetes says of pods that it does not take."""
    found = json.loads(cluster.kubectl("get", "events", "--namespace", namespace, "--output", "json"))["items"]
    return [item["message"] for item in found if item["reason"] == "FailedCreate"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_should_install_what_import_values_makes_of_a_file(path: Path, standins: None, tmp_path: Path) -> None:
    name = path.stem[:20].strip("-")
    values = tmp_path / "my-values.yaml"
    imported = subprocess.run(
        [sys.executable, "-m", "airspark", "import-values", str(path), "--out", str(values)],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert imported.returncode == 0, imported.stdout + imported.stderr
    written = yaml.safe_load(values.read_text())
    for found in set(_named(written, "priorityClassName")):
        apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1,
               "metadata": {"name": found, "labels": {"stand-in": "true"}}})  # fmt: skip
    for found in set(_named(written, "storageClassName")):
        apply({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "rancher.io/local-path",
               "metadata": {"name": found, "labels": {"stand-in": "true"}},
               "volumeBindingMode": "WaitForFirstConsumer"})  # fmt: skip
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        # The commands that the import prints, for this namespace.
        for line in imported.stdout.splitlines():
            if line.startswith("kubectl create secret"):
                words = shlex.split(line)[1:]
                words[words.index("--namespace") + 1] = name
                cluster.kubectl(*words)
        settings = revisions.helm_settings(revisions.revisions())
        # A small node has little room for a second platform.
        small = {"spark.worker.replicaCount": 1, **dict.fromkeys(SMALL, "10m")}
        parts = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
        wait = [*parts, "--wait", "--timeout", "6m"] if path.stem in READY else []
        done = _helm("install", name, CHARTS / "airspark", "--namespace", name, "--values", VALUES, "--values", values,
                     *settings, *wait)  # fmt: skip
        assert done.returncode == 0, done.stderr
        if path.stem not in READY:
            _all_made(name)
        assert not _refused(name), _refused(name)
    finally:
        _helm("uninstall", name, "--namespace", name, "--no-hooks", "--wait=false")
        cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout", "120s", timeout=150)


def _all_made(namespace: str) -> None:
    """Wait until the API server has taken a pod of every workload."""
    deadline = time.monotonic() + 60
    while True:
        workloads = json.loads(cluster.kubectl("get", "deployments,statefulsets", "--namespace", namespace, "--output", "json"))
        missing = [item["metadata"]["name"] for item in workloads["items"]
                   if item["spec"]["replicas"] and not item.get("status", {}).get("replicas")]  # fmt: skip
        if not missing:
            return
        assert time.monotonic() < deadline, f"{missing} have no pod: {_refused(namespace)}"
        time.sleep(1)
