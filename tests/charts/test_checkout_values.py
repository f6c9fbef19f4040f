"""What `make dev` installs: the checkout's folders in place of the images' DAGs and applications."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest
import yaml
from rendering import CUSTOM, ROOT, Object, cfg, find, pods, render, task_pod

KIND, DEV = "airspark/presets/kind.yaml", "airspark/presets/dev.yaml"
CLAIMS = list(yaml.safe_load_all((ROOT / "manifests/dev/checkout.yaml").read_text()))
DAGS, APPLICATIONS = ("checkout-dags", "/opt/airflow/dags"), ("checkout-applications", "/opt/airflow/spark-apps")


def dev() -> list[Object]:
    return render(files=(KIND, DEV))


def mounted(pod: Object) -> set[tuple[str, str]]:
    """Return each claim of the checkout and where the pod's first container mounts it; fail if it may write there."""
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"] if "persistentVolumeClaim" in v}
    mounts = [mount for mount in pod["spec"]["containers"][0]["volumeMounts"] if mount["name"] in claims]
    found = {(claims[mount["name"]], mount["mountPath"]) for mount in mounts if claims[mount["name"]].startswith("checkout")}
    assert all(mount["readOnly"] for mount in mounts if claims[mount["name"]].startswith("checkout"))
    return found


def should_read_dags_and_applications_of_the_checkout_where_the_images_have_them() -> None:
    found = {component: mounted(pod) for component, pod in pods(dev()).items()}
    assert {component: claims for component, claims in found.items() if claims} == {
        "dag-processor": {DAGS},
        "triggerer": {DAGS},
        "worker": {DAGS, APPLICATIONS},
        "spark-worker": {APPLICATIONS},
    }
    assert mounted(task_pod(dev(), "launcher")) == {DAGS, APPLICATIONS}


def should_give_drivers_and_executors_of_spark_applications_the_same_claim() -> None:
    config = find(dev(), "ConfigMap", "airspark-spark-operator")
    conf = json.loads(config["data"]["settings.json"])["defaults"]["sparkConf"]
    for role in ("driver", "executor"):
        prefix = f"spark.kubernetes.{role}.volumes.persistentVolumeClaim.applications"
        assert (conf[f"{prefix}.options.claimName"], conf[f"{prefix}.mount.path"]) == APPLICATIONS
        assert conf[f"{prefix}.mount.readOnly"] == "true"


def should_leave_the_database_and_the_servers_of_spark_alone() -> None:
    before, after = pods(render(files=(KIND,))), pods(dev())
    same = {component for component in before if before[component] == after[component]}
    assert {"postgresql", "spark-master", "spark-history", "spark-bootstrap"} <= same


def should_keep_the_name_of_the_bundle_so_that_dags_keep_their_runs() -> None:
    def names(objects: list[Object]) -> list[str]:
        line = next(line for line in cfg(objects).splitlines() if line.startswith("dag_bundle_config_list"))
        return [bundle["name"] for bundle in json.loads(line.partition(" = ")[2])]

    assert names(dev()) == names(render(files=(KIND,)))


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def should_make_objects_that_kubernetes_takes(version: str) -> None:
    for item in [*(item for item in dev() if item["kind"] not in CUSTOM), {**task_pod(dev()), "kind": "Pod"}, *CLAIMS]:
        kubernetes_validate.validate(item, version, strict=True)


def should_win_over_dags_from_git() -> None:
    values = {"airflow": {"dags": {"gitSync": {"enabled": True, "repo": "https://git.example.com/dags.git"}}}}
    assert cfg(render(values, files=(KIND, DEV))) == cfg(dev())


def should_bind_each_claim_to_the_folder_of_the_node_and_to_nothing_else() -> None:
    volumes = {item["metadata"]["name"]: item["spec"] for item in CLAIMS if item["kind"] == "PersistentVolume"}
    claims = {item["metadata"]["name"]: item["spec"] for item in CLAIMS if item["kind"] == "PersistentVolumeClaim"}
    assert set(claims) == {DAGS[0], APPLICATIONS[0]}
    for name, claim in claims.items():
        volume = volumes[claim["volumeName"]]
        assert volume["claimRef"]["name"] == name
        assert claim["accessModes"] == volume["accessModes"] == ["ReadOnlyMany"]
        # The empty class keeps the cluster's provisioner from making a folder of its own.
        assert claim["storageClassName"] == volume["storageClassName"] == ""


@pytest.mark.parametrize("key", ["global.claims.applications", "mounts.applications.claim"])
@pytest.mark.parametrize("chart", ["airflow", "spark"])
def should_mount_a_claim_with_applications_in_task_pods_and_workers(chart: str, key: str) -> None:
    values: Object = {"global": {"claims": {"applications": "apps"}}}
    if key.startswith("mounts"):
        values = {"mounts": {"applications": {"claim": "apps", "mountPath": "/apps"}}}
    pod = pods(render(values, chart=chart))["worker" if chart == "airflow" else "spark-worker"]
    mount = next(mount for mount in pod["spec"]["containers"][0]["volumeMounts"] if mount["name"] == "applications")
    assert mount == {
        "name": "applications",
        "mountPath": "/apps" if key.startswith("mounts") else "/opt/airflow/spark-apps",
        "readOnly": True,
    }
