"""What the accounts of jobs may not do, tried as each of them on the running platform; what is legitimate still works."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from applications import Application, kubectl, remove, send, spec
from conftest import ROOT
from spark import wait

from airspark import cluster, tools
from airspark.project import kubeconfig

PLATFORM = "airspark"
LAUNCHER, TRIGGERER = "airspark-airflow-launcher", "airspark-airflow-triggerer"
DRIVER = "airspark-spark-operator-driver"
#: By what network policies know the pods that a driver makes.
EXECUTOR = {"sparkoperator.k8s.io/launched-by-spark-operator": "true", "sparkoperator.k8s.io/app-name": "walls"}
#: What Pod Security's level `restricted` asks for, which the namespace enforces.
RESTRICTED = {
    "runAsNonRoot": True, "runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def attempt(account: str, *words: str, manifest: dict[str, Any] | None = None, namespace: str = PLATFORM) -> str:
    """Run kubectl as an account of the platform's namespace, or as `<namespace>:<account>`, and return all that it says."""
    base = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", namespace]
    command = [*base, "--as", f"system:serviceaccount:{account if ':' in account else f'{PLATFORM}:{account}'}", *words]
    text = json.dumps(manifest) if manifest else None
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, timeout=60)
    return done.stdout + done.stderr


def pod(container: dict[str, Any] | None = None, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A pod as a KubernetesPodOperator makes it."""
    base = {"name": "base", "image": "airspark/base:0.1.0", "command": ["true"], "securityContext": RESTRICTED}
    metadata = {"name": "walls-attempt", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [base | (container or {})], **fields}}


def create(account: str, manifest: dict[str, Any], namespace: str = PLATFORM) -> str:
    if account == DRIVER and manifest["kind"] == "Pod":
        labels = {**EXECUTOR, **manifest["metadata"]["labels"]}
        manifest = {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}
    words = ("create", "--dry-run=server", "--filename", "-")
    return attempt(account, *words, manifest=manifest, namespace=namespace)


def claim(**fields: Any) -> dict[str, Any]:
    """The spec of a claim, as a driver makes one on demand."""
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, **fields}


def _copy(**source: Any) -> dict[str, Any]:
    """A pod's volume that is made as a copy."""
    return _volume(ephemeral={"volumeClaimTemplate": {"spec": claim(dataSource=source)}})


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
    (pod(**_copy(kind="PersistentVolumeClaim", name="data-airspark-postgresql-0")), "dataSource: a job copies no snapshot"),
    (
        pod(**_copy(apiGroup="snapshot.storage.k8s.io", kind="VolumeSnapshot", name="nightly")),
        "dataSource: a job copies no snapshot",
    ),
    (pod(serviceAccountName="airspark-airflow-scheduler"), "spec.serviceAccountName: the account is the platform's own or not"),
    (pod(labels={"tier": "airflow", "component": "postgresql", "release": "airspark"}), "metadata.labels.release: it is how the"),
    (pod(labels={"airflow-worker": "1"}), "metadata.labels: airflow-worker and kubernetes_executor are how Airflow knows"),
    (pod() | {"metadata": {"name": "airspark-postgresql-0", "labels": {}}}, "metadata.name: pods of the platform have such"),
    (pod(priorityClassName="system-node-critical"), "spec.priorityClassName: it is the cluster's own or not allowed"),
]  # fmt: skip
ASKED = "host of a probe or a hook: the kubelet asks the container alone"
CONFINED = "securityContext: a job is confined by seccomp, AppArmor and SELinux"
#: What is the node's: what Pod Security says of it where a label asks for that, and what our policy says.
NODE: list[tuple[dict[str, Any], str, str]] = [
    (pod(hostNetwork=True), "host namespaces", "spec.hostNetwork: a job does not share the network of its node"),
    (pod(hostPID=True), "host namespaces", "spec.hostPID: a job does not share the processes of its node"),
    (pod(**_volume(hostPath={"path": "/"})), "hostPath", "spec.volumes: a job mounts nothing of its node"),
    (pod({"securityContext": {"privileged": True}}), "privileged", "a container of a job never runs privileged"),
    (pod(**_volume(nfs={"server": "a", "path": "/"})), "nfs", "spec.volumes: volumes of that kind are not allowed"),
    (pod({"livenessProbe": {"httpGet": {"port": 80, "host": "127.0.0.1"}}}), "host", ASKED),
    (pod({"lifecycle": {"preStop": {"httpGet": {"port": 80, "host": "127.0.0.1"}}}}), "host", ASKED),
    (pod({"securityContext": {**RESTRICTED, "seccompProfile": {"type": "Unconfined"}}}), "seccompProfile", CONFINED),
    (pod({"securityContext": {**RESTRICTED, "seLinuxOptions": {"type": "spc_t"}}}), "seLinuxOptions", CONFINED),
    (
        pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        "sysctls",
        "securityContext.sysctls: a job does not change the kernel of its node",
    ),
]


@pytest.mark.parametrize("account", [LAUNCHER, TRIGGERER, DRIVER])
def test_should_refuse_a_pod_that_takes_what_is_the_platforms_or_the_nodes(up: None, account: str) -> None:
    for manifest, why in [*REFUSED, *((manifest, security) for manifest, security, _ in NODE)]:
        said = create(account, manifest)
        assert "created" not in said and why in said, f"{manifest}: {said}"


@pytest.mark.parametrize("account", [LAUNCHER, TRIGGERER, DRIVER])
def test_should_take_a_pod_with_a_secret_an_account_and_volumes_of_its_own(up: None, account: str) -> None:
    legitimate = [
        pod(),
        pod({"envFrom": [{"secretRef": {"name": "team-login"}}], "resources": {"limits": {"memory": "1Gi"}}}),
        pod(**_volume(secret={"secretName": "team-key"}), labels={"team": "data", "component": "etl"}),
        pod(**_volume(persistentVolumeClaim={"claimName": "airspark-data"})),
        pod(**_copy(kind="PersistentVolumeClaim", name="team-claim")),
    ]
    for manifest in legitimate:
        said = create(account, manifest)
        assert "created (server dry run)" in said, f"{manifest}: {said}"


def standing(kind: str, *words: str) -> list[str]:
    """Names of the platform's objects of a kind that nobody removes already: asked for again, that is not looked at."""
    listed = kubectl(PLATFORM, "get", kind, "--selector", "release=airspark,component!=worker", *words, "--output", "json")
    metadata = [item["metadata"] for item in json.loads(listed)["items"]]
    return [one["name"] for one in metadata if "deletionTimestamp" not in one]


def test_should_keep_the_launcher_out_of_the_pods_of_the_platform(up: None) -> None:
    running = standing("pods", "--field-selector", "status.phase=Running")
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
        names = standing(kind)
        assert names, kind
        for name in names:
            said = attempt(DRIVER, "delete", kind, name, "--dry-run=server")
            assert "is the platform's own" in said, f"delete {name}: {said}"


def test_should_keep_a_driver_to_pods_and_objects_of_an_application(up: None) -> None:
    said = attempt(DRIVER, "create", "--dry-run=server", "--filename", "-", manifest=pod())
    assert "a pod of an application has sparkoperator.k8s.io/launched-by-spark-operator" in said
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "walls-foreign"}}
    made = pod()
    made["metadata"] |= {"name": "walls-executor", "labels": EXECUTOR}
    made["spec"]["containers"][0]["command"] = ["sleep", "300"]
    try:
        for manifest in (foreign, made):
            assert "created" in send({**manifest, "metadata": {**manifest["metadata"], "namespace": PLATFORM}}, "create")
        said = attempt(DRIVER, "delete", "configmap", "walls-foreign", "--dry-run=server")
        assert "a driver removes what Spark or the controller made for an application" in said
        other = json.dumps({"spec": {"containers": [{"name": "base", "image": "airspark/airflow:0.1.0"}]}})
        for account in (DRIVER, LAUNCHER):
            said = attempt(account, "patch", "pod", "walls-executor", "--dry-run=server", "--patch", other)
            assert "spec: a job changes the labels of a pod, never what it runs" in said, said
        moved = json.dumps({"metadata": {"labels": {"sparkoperator.k8s.io/app-name": "other"}}})
        assert "leave it as it is" in attempt(DRIVER, "patch", "pod", "walls-executor", "--dry-run=server", "--patch", moved)
        bare = json.dumps({"metadata": {"labels": {"sparkoperator.k8s.io/launched-by-spark-operator": None}}})
        assert "by which network policies know it" in attempt(
            DRIVER, "patch", "pod", "walls-executor", "--dry-run=server", "--patch", bare
        )
        marked = json.dumps({"metadata": {"labels": {"decommissioned": "yes"}}})
        assert "patched" in attempt(DRIVER, "patch", "pod", "walls-executor", "--dry-run=server", "--patch", marked)
        assert "deleted" in attempt(DRIVER, "delete", "pod", "walls-executor", "--dry-run=server")
    finally:
        kubectl(PLATFORM, "delete", "configmap,pod", "walls-foreign", "walls-executor", "--ignore-not-found", "--grace-period=1")


def test_should_let_a_driver_make_claims_but_no_copies_and_no_services(up: None) -> None:
    def made(kind: str, spec: dict[str, Any]) -> str:
        return create(DRIVER, {"apiVersion": "v1", "kind": kind, "metadata": {"name": "walls-attempt"}, "spec": spec})

    assert "created (server dry run)" in made("PersistentVolumeClaim", claim())
    database = {"kind": "PersistentVolumeClaim", "name": "data-airspark-postgresql-0"}
    for field in ("dataSource", "dataSourceRef"):
        assert "dataSource: a job copies no snapshot, and no claim" in made("PersistentVolumeClaim", claim(**{field: database}))
    # A headless Service of the name of a namespace or a domain would answer in its place.
    assert "cannot create resource" in made("Service", {"ports": [{"port": 7078}], "clusterIP": "None"})


def test_should_keep_a_driver_from_removing_everything_at_once(up: None) -> None:
    chosen = ("--selector", "release=airspark,component!=worker", "--output", "name")
    wait("pods that go are gone", lambda: len(standing("pods")) == len(kubectl(PLATFORM, "get", "pods", *chosen).split()), 120)
    for kind in ("pods", "configmaps", "services", "persistentvolumeclaims"):
        said = attempt(DRIVER, "delete", kind, "--selector", "release=airspark,component!=worker", "--dry-run=server")
        assert "is the platform's own" in said and "deleted" not in said, said
    # What is removed as a collection, in one request, is looked at one by one.
    path = f"/api/v1/namespaces/{PLATFORM}/configmaps?dryRun=All&labelSelector=release%3Dairspark"
    assert "is the platform's own" in attempt(DRIVER, "delete", f"--raw={path}")


@pytest.fixture
def unlabelled(up: None) -> Iterator[str]:
    """A namespace without labels of Pod Security, in which the launcher may make pods."""
    name = "walls-unlabelled"
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", timeout=180)
    cluster.kubectl("create", "namespace", name)
    try:
        # Kubernetes itself looks for the account of a pod first.
        kubectl(name, "create", "serviceaccount", "airspark-airflow-scheduler")
        kubectl(name, "create", "role", "launcher", "--verb=create,get,delete", "--resource=pods")
        kubectl(name, "create", "rolebinding", "launcher", "--role=launcher", f"--serviceaccount={PLATFORM}:{LAUNCHER}")
        kubectl(name, "create", "role", "other", "--verb=create", "--resource=pods")
        kubectl(name, "create", "rolebinding", "other", "--role=other", f"--serviceaccount={name}:default")
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_should_hold_the_launcher_to_the_same_where_no_label_asks_for_pod_security(unlabelled: str) -> None:
    for manifest, why in [*REFUSED, *((manifest, ours) for manifest, _, ours in NODE)]:
        said = create(LAUNCHER, manifest, unlabelled)
        assert "created" not in said and why in said, f"{manifest}: {said}"
    assert "created" in create(LAUNCHER, pod(), unlabelled)
    # Nobody else is held to it: a pod of this namespace's own account shares the network of the node.
    assert "created" in create(f"{unlabelled}:default", pod(hostNetwork=True), unlabelled)


#: Kubernetes' own, and what Spark's bootstrap Job may have published meanwhile.
STAYS = ("configmap/kube-root-ca.crt", "serviceaccount/default", "configmap/walls-spark-cluster")


def install(namespace: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Install the charts under a name of these tests', as the documentation says."""
    command = [str(tools.ensure("helm")), "--kubeconfig", str(kubeconfig()), "--namespace", namespace, "upgrade", "--install"]
    command += ["walls", str(ROOT / "charts/airspark"), "--create-namespace", "--rollback-on-failure", "--timeout", "60s", *words]
    return subprocess.run(command, text=True, capture_output=True, check=False, timeout=300)


def left(namespace: str) -> list[str]:
    """Names of what an installation left in a namespace, but for what stays for good: claims, and what bootstrap Jobs made."""
    kinds = "pods,statefulsets,deployments,jobs,configmaps,serviceaccounts,roles,rolebindings,services,networkpolicies"
    names = kubectl(namespace, "get", kinds, "--output", "name").split()
    return [name for name in names if name not in STAYS]


@pytest.fixture
def empty(up: None) -> Iterator[str]:
    """A namespace for an installation that fails."""
    name = "walls-empty"
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", timeout=180)
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


def test_should_install_nothing_if_an_admission_policy_of_that_name_is_somebody_elses(empty: str) -> None:
    policy = f"walls-launcher.{empty}"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": policy},
        "spec": {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "true"}]},
    }  # fmt: skip
    send(manifest)
    try:
        done = install(empty)
        assert done.returncode and f'ValidatingAdmissionPolicy "{policy}"' in done.stderr, done.stderr
        assert "invalid ownership metadata" in done.stderr and "Traceback" not in done.stderr
        assert left(empty) == []
    finally:
        cluster.kubectl("delete", "validatingadmissionpolicy", policy)


def test_should_install_nothing_if_a_namespace_of_the_launcher_does_not_exist(empty: str) -> None:
    done = install(empty, "--set", "airflow.workers.kubernetes.launcher.namespaces={nowhere}")
    assert done.returncode and 'namespaces "nowhere" not found' in done.stderr, done.stderr
    # Pods that it removes again have their time to end.
    deadline = time.monotonic() + 180
    while found := left(empty):
        assert time.monotonic() < deadline, found
        time.sleep(1)
    releases = subprocess.run(
        [str(tools.ensure("helm")), "--kubeconfig", str(kubeconfig()), "--namespace", empty, "list", "--short"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert releases.stdout.split() == []


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
