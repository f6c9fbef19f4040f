"""What Helm makes of the charts as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from rendering import CHARTS, CUSTOM, Object, _template, nested, pods, render, task_pod, text

HERE = Path(__file__).resolve().parent
SNAPSHOT = HERE / "defaults.snapshot.yaml"
KIND = ("airspark/presets/kind.yaml",)
EVERYTHING = yaml.safe_load((HERE / "everything-on.yaml").read_text())
OLDEST, NEWEST = "1.30", "1.37"


def _cases() -> dict[str, list[Object]]:
    return {
        "the defaults": render(),
        "presets/kind.yaml": render(files=KIND),
        "everything on": render(EVERYTHING),
        "the Airflow chart alone": render(chart="airflow"),
        "the Spark chart alone": render(chart="spark"),
        "the spark-operator chart alone": render(chart="spark-operator"),
    }


@pytest.mark.parametrize("case", ["the defaults", "presets/kind.yaml", "everything on"])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def should_make_objects_that_are_valid_for_the_oldest_and_newest_kubernetes(case: str, version: str) -> None:
    objects = _cases()[case]
    for item in [*(item for item in objects if item["kind"] not in CUSTOM), {**task_pod(objects), "kind": "Pod"}]:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("chart", ["airflow", "spark", "spark-operator"])
def should_make_valid_objects_if_a_chart_is_installed_alone(chart: str) -> None:
    for item in render(chart=chart):
        kubernetes_validate.validate(item, NEWEST, strict=True)


def should_use_no_hook_no_lookup_and_no_random_value() -> None:
    forbidden = re.compile(r"helm\.sh/hook|\blookup\b|\brand[A-Z]\w+|\bgen[A-Z]\w+|\buuidv4\b|\bnow\b|\bhtpasswd\b")
    for path in sorted((CHARTS / "airspark").rglob("*")):
        if path.is_file() and ("templates" in path.parts or path.suffix.endswith("-yaml")):
            code = re.sub(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}|^\s*#.*$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
            if path.name == "_helm_test.tpl":
                # That is how `helm test` finds its pod; nothing is installed or upgraded by it.
                code = code.replace('"helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation"', "")
            assert not forbidden.search(code), path


def should_render_the_same_text_twice() -> None:
    uncached = _template.__wrapped__
    assert uncached("airspark", "airspark", json.dumps(EVERYTHING), ()) == text(EVERYTHING)


def should_render_no_secret() -> None:
    for case, objects in _cases().items():
        assert not [item["metadata"]["name"] for item in objects if item["kind"] == "Secret"], case


def should_leave_out_a_chart_if_its_enabled_is_false() -> None:
    without_spark = render(nested("spark.enabled", False))
    assert not [item for item in without_spark if "-spark-master" in item["metadata"]["name"]]
    without_airflow = render(nested("airflow.enabled", False))
    assert set(pods(without_airflow)) == {"spark-master", "spark-worker", "spark-history", "spark-bootstrap", "spark-operator"}
    without_operator = render(nested("sparkOperator.enabled", False))
    assert not [item for item in without_operator if "-spark-operator" in item["metadata"]["name"]]


@pytest.mark.parametrize(
    "values",
    [
        {},
        nested("spark.enabled", False),
        nested("airflow.enabled", False),
        nested("sparkOperator.enabled", False),
        nested("airflow.backup.enabled", True),
        nested("airflow.dags.persistence.enabled", True),
    ],
    ids=json.dumps,
)
def should_make_the_claims_that_a_pod_mounts_from_its_start_and_no_others(values: Object) -> None:
    # `helm --wait` waits for every claim, and one that binds at its first use waits for a pod.
    objects = render(values)
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "PersistentVolumeClaim"}
    templates = [item for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job")]
    assert made == set().union(*(_claims(item["spec"]["template"]["spec"]) for item in templates))
    if values.get("airflow", {}).get("enabled", True):
        assert _claims(task_pod(objects)["spec"]) <= made


def _claims(pod: Object) -> set[str]:
    """Return the names of the claims that a pod mounts."""
    claims = (volume.get("persistentVolumeClaim") for volume in pod.get("volumes", []))
    return {claim["claimName"] for claim in claims if claim}


def should_mount_a_claim_of_event_logs_that_somebody_brings_where_spark_is_off() -> None:
    values = {"spark": {"enabled": False}, "events": {"create": False}, "global": {"claims": {"events": "mine"}}}
    assert "mine" in _claims(task_pod(render(values))["spec"])
    assert "spark.eventLog.dir" in text(values) and "spark.eventLog.dir" not in text(nested("spark.enabled", False))


def should_keep_one_kind_per_file_and_files_small() -> None:
    for path in sorted((CHARTS / "airspark").rglob("templates/**/*")):
        if path.is_file():
            lines = path.read_text().splitlines()
            kinds = [line for line in lines if line.startswith("kind:")]
            limit = 200 if path.name.startswith("_") else 120
            assert len(lines) <= limit, f"{path} has {len(lines)} lines"
            assert len(kinds) <= 1 or path.suffix == ".tpl", f"{path} has {len(kinds)} kinds"
    for path in CHARTS.glob("*/values.yaml"):
        assert len(path.read_text().splitlines()) < 700, path


def should_put_every_object_into_a_folder_of_its_component() -> None:
    for source in re.findall(r"^# Source: (.+)$", text(), flags=re.MULTILINE):
        assert re.fullmatch(r"airspark(/charts/(airflow|spark|sparkOperator))?/templates/[a-z-]+/[a-z-]+\.yaml", source), source


def _for_snapshot(item: Object) -> Object:
    """Scripts have tests of their own: a digest tells that one changed."""
    data = item.get("data", {})
    for name in [name for name in data if name.endswith(".py") and name != "webserver_config.py"]:
        data[name] = "sha256 " + hashlib.sha256(data[name].encode()).hexdigest()[:16]
    return item


def should_render_the_defaults_as_in_the_snapshot() -> None:
    """After a change that is meant: UPDATE_SNAPSHOTS=1 pytest tests/charts, and read the diff."""
    objects = sorted(render(), key=lambda item: (item["kind"], item["metadata"]["name"]))
    now = yaml.safe_dump_all([_for_snapshot(item) for item in objects], sort_keys=True, width=120)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(now)
    assert now == SNAPSHOT.read_text(), "the defaults render differently: UPDATE_SNAPSHOTS=1 if that is meant"


NAMES = {
    "Deployment": {
        "airspark-api-server",
        "airspark-scheduler",
        "airspark-dag-processor",
        "airspark-triggerer",
        "airspark-spark-history",
        "airspark-spark-operator",
    },
    "StatefulSet": {"airspark-postgresql", "airspark-spark-master", "airspark-spark-worker"},
    "PersistentVolumeClaim": {"airspark-data", "airspark-output", "airspark-events", "airspark-logs"},
    "Service": {
        "airspark-api-server",
        "airspark-triggerer",
        "airspark-postgresql",
        "airspark-spark-master",
        "airspark-spark-worker",
        "airspark-spark-history",
    },
}


@pytest.mark.parametrize("kind", sorted(NAMES))
def should_name_objects_after_release_and_component(kind: str) -> None:
    assert {item["metadata"]["name"] for item in render() if item["kind"] == kind} == NAMES[kind]


def should_prefix_names_with_the_release_name() -> None:
    for item in render(release="other"):
        assert item["metadata"]["name"].startswith("other-"), item["metadata"]["name"]
        assert "airspark-" not in str(item).replace("airspark-bootstrap", ""), item["metadata"]["name"]


def should_prefix_names_with_fullnameoverride_if_it_is_set() -> None:
    names = {item["metadata"]["name"] for item in render({"fullnameOverride": "flow"}, chart="airflow")}
    assert all(name.startswith("flow-") for name in names)


def should_label_every_object_and_pod_with_component_and_release() -> None:
    objects = render()
    everything = [(item["metadata"]["name"], item["metadata"]["labels"]) for item in objects]
    everything += [(component, pod["metadata"]["labels"]) for component, pod in pods(objects).items()]
    for name, labels in everything:
        assert labels["release"] == "airspark", name
        assert labels["app.kubernetes.io/instance"] == "airspark", name
        assert labels["app.kubernetes.io/component"] == labels["component"], name
        assert {"app.kubernetes.io/name", "app.kubernetes.io/part-of"} <= set(labels), name


@pytest.mark.parametrize("tier", ["airflow", "spark"])
def should_select_exactly_its_own_pods_by_each_workload_and_service(tier: str) -> None:
    objects = render()
    labels = {component: pod["metadata"]["labels"] for component, pod in pods(objects).items()}
    for item in objects:
        if item["kind"] not in ("Deployment", "StatefulSet", "Service") or item["metadata"]["labels"]["tier"] != tier:
            continue
        selector = item["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        chosen = [name for name, found in labels.items() if selector.items() <= found.items()]
        assert chosen == [item["metadata"]["labels"]["component"]], item["metadata"]["name"]


def should_mount_the_shared_claims_at_the_same_paths_in_task_pods_and_workers() -> None:
    found = pods(render())
    for component in ("worker", "spark-worker"):
        spec = found[component]["spec"]
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        paths = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        assert (claims["data"], claims["output"]) == ("airspark-data", "airspark-output"), component
        assert (paths["data"], paths["output"]) == ("/opt/airflow/data", "/opt/airflow/output"), component


def should_mount_a_claim_that_somebody_brings_if_create_is_false() -> None:
    objects = render({"output": {"create": False}, "global": {"claims": {"output": "lake"}}})
    assert "airspark-output" not in {item["metadata"]["name"] for item in objects}
    for component in ("worker", "spark-worker"):
        volumes = {volume["name"]: volume for volume in pods(objects)[component]["spec"]["volumes"]}
        assert volumes["output"]["persistentVolumeClaim"]["claimName"] == "lake", component


def should_restart_every_pod_if_global_imagerevision_changes() -> None:
    before, after = pods(render()), pods(render(nested("global.imageRevision", "abc")))
    # Spark's bootstrap Job is made anew, under another name.
    for component, pod in ((component, pod) for component, pod in after.items() if component != "spark-bootstrap"):
        assert pod["metadata"]["annotations"]["airspark.io/image-revision"] == "abc", component
        assert "airspark.io/image-revision" not in before[component]["metadata"].get("annotations", {}), component


def should_restart_airflow_if_its_configuration_changes_and_leave_spark_alone() -> None:
    before, after = pods(render()), pods(render(nested("airflow.config.core.parallelism", "7")))
    changed = {name for name in before if before[name]["metadata"] != after[name]["metadata"]}
    assert changed == {"api-server", "scheduler", "dag-processor", "triggerer"}


def should_restart_spark_if_its_configuration_changes_and_leave_airflow_alone() -> None:
    values = {"spark": {"sparkConf": {"spark.deploy.defaultCores": "1"}}}
    before, after = pods(render()), pods(render(values))
    changed = {name for name in before if before[name]["metadata"] != after[name]["metadata"]}
    assert changed == {"spark-master", "spark-worker", "spark-history"}


def should_tell_in_the_notes_where_password_pages_and_next_command_are() -> None:
    command = [os.environ.get("AIRSPARK_HELM", "helm"), "install", "airspark", str(CHARTS / "airspark")]
    command += ["--namespace", "airspark", "--dry-run=client"]
    without_cluster = {**os.environ, "KUBECONFIG": "/dev/null"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=without_cluster)
    if "cluster unreachable" in done.stderr:
        pytest.skip("Helm 3 asks a cluster even for a client's dry run")
    assert not done.returncode, done.stderr
    notes = done.stdout.split("\nNOTES:\n")[1]
    assert "kubectl -n airspark wait --for=condition=Available deployment -l release=airspark" in notes
    assert "kubectl -n airspark port-forward service/airspark-api-server 8080:8080" in notes
    assert "kubectl -n airspark port-forward service/airspark-spark-master 8083:8080" in notes
    assert "get secret airspark-admin -o jsonpath='{.data.password}' | base64 -d" in notes
    assert "airflow dags trigger etl_daily" in notes
    assert "<no value>" not in notes
