"""The values for kinds of clusters: each installs as it is, and does what docs/presets.md promises."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import kubernetes_validate
import pytest
import yaml
from cases import Rendered
from reachability import application_pods
from rendering import CHARTS, CUSTOM, LOADER, Object, render, task_pod

# What `make dev` adds to the preset for kind is no kind of cluster; test_checkout_values.py has it.
DEV = "dev"
PRESETS = sorted(path.stem for path in (CHARTS / "airspark/presets").glob("*.yaml") if path.stem != DEV)
LOCAL = ("kind", "minikube")
SHARED = ("airspark-data", "airspark-output", "airspark-events", "airspark-logs")
SPOT, WORKER, MASTER = "airspark-spark-worker-spot", "airspark-spark-worker", "airspark-spark-master"


class Node(NamedTuple):
    """A node's labels, and the key of its taint, if any."""

    labels: dict[str, str]
    taint: str


class Cloud(NamedTuple):
    """What a cloud's preset promises."""

    shared: str
    disk: str
    scratch: str
    spot: list[Node]
    warning: int
    identity: str


AMD64 = {"kubernetes.io/arch": "amd64"}
EKS, KARPENTER = {**AMD64, "eks.amazonaws.com/capacityType": "SPOT"}, {**AMD64, "karpenter.sh/capacity-type": "spot"}
GKE = {**AMD64, "cloud.google.com/gke-spot": "true"}
AKS = {**AMD64, "kubernetes.azure.com/scalesetpriority": "spot"}
CLOUDS = {
    "eks": Cloud(
        "efs-sc", "gp3", "gp3", [Node(EKS, ""), Node(EKS, "spot"), Node(KARPENTER, "")], 120, "eks.amazonaws.com/role-arn"
    ),
    "gke": Cloud(
        "standard-rwx",
        "standard-rwo",
        "premium-rwo",
        [Node(GKE, ""), Node(GKE, "cloud.google.com/gke-spot")],
        15,
        "iam.gke.io/gcp-service-account",
    ),
    "aks": Cloud(
        "azurefile-csi-nfs",
        "managed-csi",
        "managed-csi-premium",
        [Node(AKS, "kubernetes.azure.com/scalesetpriority")],
        30,
        "azure.workload.identity/client-id",
    ),
}


@functools.cache
def _preset(name: str) -> Rendered:
    return Rendered(render(files=(f"airspark/presets/{name}.yaml",)))


def _claims(found: Rendered) -> dict[str, Object]:
    """Return the specs of every claim by name, those of StatefulSets too."""
    claims = {item["metadata"]["name"]: item["spec"] for item in found.objects if item["kind"] == "PersistentVolumeClaim"}
    for item in found.objects:
        for template in item["spec"].get("volumeClaimTemplates", []) if item["kind"] == "StatefulSet" else []:
            claims[item["metadata"]["name"]] = template["spec"]
    return claims


def _worker(found: Rendered, name: str = SPOT) -> Object:
    return dict(found.pod("StatefulSet", name)["spec"])


def _text(name: str) -> str:
    return (CHARTS / f"airspark/presets/{name}.yaml").read_text()


def should_have_a_preset_for_each_kind_of_cluster() -> None:
    assert PRESETS == ["aks", "eks", "gke", "kind", "minikube"]


@pytest.mark.parametrize("name", PRESETS)
def should_make_objects_that_kubernetes_takes(name: str) -> None:
    objects = _preset(name).objects
    for item in [*(item for item in objects if item["kind"] not in CUSTOM), {**task_pod(objects), "kind": "Pod"}]:
        kubernetes_validate.validate(item, "1.37", strict=True)


@pytest.mark.parametrize("name", PRESETS)
def should_make_neither_more_nor_fewer_things_than_without_a_preset_but_a_group_of_workers(name: str) -> None:
    def kinds(found: Rendered) -> set[tuple[str, str]]:
        return {
            (item["kind"], re.sub(r"-[0-9a-f]{8}$", "", item["metadata"]["name"]))
            for item in found.objects
            if not item["metadata"]["name"].endswith("-spot")
        }

    assert kinds(_preset(name)) == kinds(Rendered(render()))
    assert (SPOT in _preset(name).names("StatefulSet")) == (name not in LOCAL)


@pytest.mark.parametrize("name", PRESETS)
def should_hold_no_made_up_account(name: str) -> None:
    values = yaml.load(_text(name), Loader=LOADER)
    assert not re.search(r"arn:aws|\d{12}|gserviceaccount|[0-9a-f]{8}-[0-9a-f]{4}-", str(values) + _text(name))
    assert "…" not in str(values)


@pytest.mark.parametrize("name", LOCAL)
def should_ask_a_single_node_for_small_claims_of_its_own(name: str) -> None:
    for claim, spec in _claims(_preset(name)).items():
        assert spec["accessModes"] == ["ReadWriteOnce"], claim
        assert spec["resources"]["requests"]["storage"] in ("256Mi", "1Gi", "2Gi"), claim


def should_name_the_storage_class_of_minikube() -> None:
    assert {spec.get("storageClassName") for spec in _claims(_preset("minikube")).values()} == {"standard"}


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("claim", SHARED)
def should_share_data_output_event_logs_and_task_logs_between_nodes(name: str, claim: str) -> None:
    spec = _claims(_preset(name))[claim]
    assert spec["accessModes"] == ["ReadWriteMany"]
    assert spec["storageClassName"] == CLOUDS[name].shared


@pytest.mark.parametrize("name", CLOUDS)
def should_keep_master_database_and_spills_on_disks(name: str) -> None:
    claims, cloud = _claims(_preset(name)), CLOUDS[name]
    assert claims[MASTER]["storageClassName"] == cloud.disk
    assert claims["airspark-postgresql"]["storageClassName"] in (cloud.disk, cloud.scratch)
    for worker in (WORKER, SPOT):
        volume = next(volume for volume in _worker(_preset(name), worker)["volumes"] if volume["name"] == "work")
        assert volume["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] == cloud.scratch


def _matches(expression: Object, labels: dict[str, str]) -> bool:
    inside = labels.get(expression["key"]) in expression["values"]
    return inside if expression["operator"] == "In" else not inside


def _fits(spec: Object, node: Node) -> bool:
    """Whether the scheduler may put a pod on a node: selector, required affinity, taint."""
    required = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = required["nodeSelectorTerms"] if required else [{"matchExpressions": []}]
    tolerated = [toleration["key"] for toleration in spec.get("tolerations", [])]
    return (
        spec.get("nodeSelector", {}).items() <= node.labels.items()
        and any(all(_matches(expression, node.labels) for expression in term["matchExpressions"]) for term in terms)
        and (not node.taint or node.taint in tolerated)
    )


@pytest.mark.parametrize(("name", "node"), [(name, node) for name, cloud in CLOUDS.items() for node in cloud.spot])
def should_run_spot_workers_on_spot_nodes_and_nothing_else_there(name: str, node: Node) -> None:
    found = _preset(name)
    everything = {**found.pods, "spark-worker": found.pod("StatefulSet", WORKER), "spot": found.pod("StatefulSet", SPOT)}
    assert [component for component, pod in everything.items() if _fits(pod["spec"], node)] == ["spot"]


@pytest.mark.parametrize("name", CLOUDS)
def should_run_everything_else_on_nodes_that_stay(name: str) -> None:
    found = _preset(name)
    everything = {**found.pods, "spark-worker": found.pod("StatefulSet", WORKER), "spot": found.pod("StatefulSet", SPOT)}
    assert [component for component, pod in everything.items() if not _fits(pod["spec"], Node(AMD64, ""))] == ["spot"]


@pytest.mark.parametrize("name", CLOUDS)
def should_put_every_pod_on_nodes_of_the_images_architecture(name: str) -> None:
    pods = [*_preset(name).pods.values(), _preset(name).pod("StatefulSet", SPOT)]
    assert all(pod["spec"]["nodeSelector"]["kubernetes.io/arch"] == "amd64" for pod in pods)


@pytest.mark.parametrize("name", CLOUDS)
def should_decommission_spot_workers_within_the_clouds_warning(name: str) -> None:
    found = _preset(name)
    spec = _worker(found)
    assert spec["terminationGracePeriodSeconds"] <= CLOUDS[name].warning
    command = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command[1].endswith("decommission-worker.sh") and int(command[-1]) == spec["terminationGracePeriodSeconds"] - 5
    assert _worker(found, WORKER)["terminationGracePeriodSeconds"] == 120
    assert SPOT not in found.names("PodDisruptionBudget"), "a budget would refuse the eviction and the node goes anyway"
    assert WORKER in found.names("PodDisruptionBudget")


@pytest.mark.parametrize("name", CLOUDS)
def should_hang_a_clouds_identity_on_the_accounts_of_tasks_and_executors_if_the_commented_lines_are_used(name: str) -> None:
    identity = CLOUDS[name].identity
    lines = [line for line in _text(name).splitlines() if identity in line]
    assert len(lines) == 3 and all(line.strip().startswith("# ") for line in lines)
    given: dict[str, Any] = {
        "airflow": {"workers": {"serviceAccount": {"annotations": {identity: "tasks"}}}},
        "spark": {"serviceAccount": {"annotations": {identity: "executors"}}},
        "sparkOperator": {"spark": {"serviceAccount": {"annotations": {identity: "applications"}}}},
    }
    objects = render(given, files=(f"airspark/presets/{name}.yaml",))
    found = Rendered(objects)
    for spec, who in ((task_pod(objects)["spec"], "tasks"), (_worker(found), "executors")):
        account = found.find("ServiceAccount", spec["serviceAccountName"])
        assert account["metadata"]["annotations"] == {identity: who}
        assert spec["automountServiceAccountToken"] is False
    driver = found.find("ServiceAccount", application_pods(objects)[0]["spec"]["serviceAccountName"])
    assert driver["metadata"]["annotations"] == {identity: "applications"}


def should_label_the_pods_that_workload_identity_of_aks_looks_at() -> None:
    found = _preset("aks")
    for pod in (task_pod(found.objects), found.pod("StatefulSet", SPOT), found.pod("StatefulSet", WORKER)):
        assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    selector = found.find("StatefulSet", WORKER)["spec"]["selector"]["matchLabels"]
    assert "azure.workload.identity/use" not in selector
