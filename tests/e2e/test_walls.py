"""What the accounts of jobs may not do, tried as each of them on the running platform; what is legitimate still works."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from applications import Application, kubectl, remove, spec

from airspark import tools
from airspark.project import kubeconfig

PLATFORM = "airspark"
LAUNCHER, TRIGGERER = "airspark-airflow-launcher", "airspark-airflow-triggerer"
DRIVER = "airspark-spark-operator-driver"
#: What Pod Security's level `restricted` asks for, which the namespace enforces.
RESTRICTED = {
    "runAsNonRoot": True, "runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def attempt(account: str, *words: str, manifest: dict[str, Any] | None = None) -> str:
    """Run kubectl as an account of the platform's namespace, and return all that it says."""
    base = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", PLATFORM]
    command = [*base, "--as", f"system:serviceaccount:{PLATFORM}:{account}", *words]
    text = json.dumps(manifest) if manifest else None
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, timeout=60)
    return done.stdout + done.stderr


def pod(container: dict[str, Any] | None = None, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A pod as a KubernetesPodOperator makes it."""
    base = {"name": "base", "image": "airspark/base:0.1.0", "command": ["true"], "securityContext": RESTRICTED}
    metadata = {"name": "walls-attempt", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [base | (container or {})], **fields}}


def create(account: str, manifest: dict[str, Any]) -> str:
    return attempt(account, "create", "--dry-run=server", "--filename", "-", manifest=manifest)


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (pod({"envFrom": [{"secretRef": {"name": "airspark-fernet-key"}}]}), "env: a Secret is the platform's own or not allowed"),
    (
        pod({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "airspark-metadata", "key": "connection"}}}]}),
        "env: a Secret is the platform's own or not allowed",
    ),
    (pod(**_volume(secret={"secretName": "airspark-jwt-secret"})), "spec.volumes: a Secret is the platform's own or not allowed"),
    (
        pod(**_volume(projected={"sources": [{"secret": {"name": "sh.helm.release.v1.airspark.v1"}}]})),
        "spec.volumes: a Secret is the platform's own or not allowed",
    ),
    (
        pod(**_volume(persistentVolumeClaim={"claimName": "data-airspark-postgresql-0"})),
        "spec.volumes: a claim is the platform's own or not allowed",
    ),
    (pod(serviceAccountName="airspark-airflow-scheduler"), "spec.serviceAccountName: the account is the platform's own or not"),
    (pod(labels={"tier": "airflow", "component": "postgresql", "release": "airspark"}), "metadata.labels.release: it is how the"),
    (pod(priorityClassName="system-node-critical"), "spec.priorityClassName: it is the cluster's own or not allowed"),
    (pod(hostNetwork=True), "host"),
    (pod(hostPID=True), "host"),
    (pod(**_volume(hostPath={"path": "/"})), "hostPath"),
    (pod({"securityContext": {"privileged": True}}), "privileged"),
]  # fmt: skip


@pytest.mark.parametrize("account", [LAUNCHER, TRIGGERER, DRIVER])
def test_should_refuse_a_pod_that_takes_what_is_the_platforms_or_the_nodes(up: None, account: str) -> None:
    for manifest, why in REFUSED:
        said = create(account, manifest)
        assert "created" not in said and why in said, f"{manifest}: {said}"


@pytest.mark.parametrize("account", [LAUNCHER, TRIGGERER, DRIVER])
def test_should_take_a_pod_with_a_secret_an_account_and_volumes_of_its_own(up: None, account: str) -> None:
    legitimate = [
        pod(),
        pod({"envFrom": [{"secretRef": {"name": "team-login"}}], "resources": {"limits": {"memory": "1Gi"}}}),
        pod(**_volume(secret={"secretName": "team-key"}), labels={"team": "data", "component": "etl"}),
        pod(**_volume(persistentVolumeClaim={"claimName": "airspark-data"})),
    ]
    for manifest in legitimate:
        said = create(account, manifest)
        assert "created (server dry run)" in said, f"{manifest}: {said}"


def test_should_keep_the_launcher_out_of_the_pods_of_the_platform(up: None) -> None:
    chosen = ("--selector", "release=airspark,component!=worker", "--field-selector", "status.phase=Running")
    names = kubectl(PLATFORM, "get", "pods", *chosen, "--output", "name").split()
    running = [name.removeprefix("pod/") for name in names]
    assert any("scheduler" in name for name in running) and any("postgresql" in name for name in running)
    for name in running:
        for account in (LAUNCHER, TRIGGERER):
            said = attempt(account, "exec", name, "--", "true")
            assert "the pod is the platform's own" in said, f"{account} in {name}: {said}"
        said = attempt(LAUNCHER, "delete", "pod", name, "--dry-run=server")
        assert "is the platform's own" in said, f"delete {name}: {said}"
        patch = json.dumps({"metadata": {"labels": {"release": "other"}}})
        said = attempt(LAUNCHER, "patch", "pod", name, "--dry-run=server", "--patch", patch)
        assert "is the platform's own" in said, f"patch {name}: {said}"


def test_should_keep_a_driver_from_removing_what_is_the_platforms(up: None) -> None:
    for kind in ("pods", "configmaps", "services", "persistentvolumeclaims"):
        names = kubectl(PLATFORM, "get", kind, "--selector", "release=airspark,component!=worker", "--output", "name").split()
        assert names, kind
        for name in names:
            said = attempt(DRIVER, "delete", name, "--dry-run=server")
            assert "is the platform's own" in said, f"delete {name}: {said}"


def test_should_fail_an_application_that_takes_what_is_the_platforms_and_run_its_neighbour(up: None) -> None:
    greedy, honest = Application("walls-greedy"), Application("walls-honest")
    for app in (greedy, honest):
        remove(app.name, PLATFORM)
    wanted = {"mainApplicationFile": "local:///opt/airflow/spark-apps/pi.py"}
    reads = {"envFrom": [{"secretRef": {"name": "airspark-fernet-key"}}]}
    for app, driver in ((greedy, reads), (honest, {"labels": {"team": "data"}})):
        manifest = {
            "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
            "metadata": {"name": app.name, "namespace": PLATFORM}, "spec": spec(driver=driver, **wanted),
        }  # fmt: skip
        assert "created" in attempt(LAUNCHER, "create", "--filename", "-", manifest=manifest)
    status = greedy.reach("FAILED", seconds=60)
    sentence = "driver.envFrom[0].secretRef.name: the Secret airspark-fernet-key is the platform's own; use a Secret of the job's"
    assert sentence in json.dumps(status)
    assert "NotFound" in attempt(DRIVER, "get", "pod", greedy.driver), "nothing of it was built"
    honest.reach("COMPLETED", seconds=420)
    for app in (greedy, honest):
        remove(app.name, PLATFORM)
