"""Which pods are replaced when an image is rebuilt under the same tag."""

from __future__ import annotations

import pytest
from rendering import Object, RenderError, nested, pods, render

ON = {
    "airflow": {"pgbouncer": {"enabled": True}, "statsd": {"enabled": True}},
    "global": {"spark": {"connect": {"enabled": True}}},
}
#: Pods that stay, by the image whose revision replaces them; the jobs' pods are new ones each time.
PODS = {
    "airflow": {"api-server", "dag-processor", "scheduler", "triggerer"},
    "dags": {"dag-processor", "scheduler", "triggerer"},
    "operator": {"spark-operator"},
    "pgbouncer": {"pgbouncer"},
    "postgresql": {"postgresql"},
    "spark": {"spark-connect", "spark-history", "spark-master", "spark-worker"},
    "statsd": {"statsd"},
}


def staying(objects: list[Object]) -> dict[str, Object]:
    """Return the pod of each Deployment and StatefulSet by its component."""
    found = [item["spec"]["template"] for item in objects if item["kind"] in ("Deployment", "StatefulSet")]
    return {pod["metadata"]["labels"]["component"]: pod for pod in found}


def jobs(objects: list[Object]) -> set[str]:
    """Return the names of the bootstrap Jobs."""
    return {item["metadata"]["name"] for item in objects if item["kind"] == "Job"}


def should_know_an_image_of_every_pod_that_stays() -> None:
    assert set().union(*PODS.values()) == set(staying(render(ON)))


@pytest.mark.parametrize("image", PODS)
def should_restart_the_pods_of_an_image_alone_if_its_revision_changes(image: str) -> None:
    before, after = render(ON), render({**ON, "global": {**ON["global"], "imageRevisions": {image: "0012"}}})
    old, new = staying(before), staying(after)
    assert {name for name in old if old[name] != new[name]} == PODS[image]
    name = "dags" if image == "dags" else "image"
    for component in PODS[image]:
        assert new[component]["metadata"]["annotations"][f"airspark.io/{name}-revision"] == "0012", component


@pytest.mark.parametrize(("image", "again"), [("airflow", "airspark-bootstrap"), ("spark", "airspark-spark-bootstrap")])
def should_run_the_bootstrap_again_if_its_own_image_changes(image: str, again: str) -> None:
    changed = jobs(render(nested(f"global.imageRevisions.{image}", "a"))) - jobs(render())
    assert [name.rpartition("-")[0] for name in changed] == [again]


def should_run_no_bootstrap_again_if_a_dag_changes() -> None:
    assert jobs(render(nested("global.imageRevisions.dags", "a"))) == jobs(render())


def should_leave_task_pods_as_they_are_if_a_dag_changes() -> None:
    assert pods(render(nested("global.imageRevisions.dags", "a")))["worker"] == pods(render())["worker"]


def should_take_both_texts_if_the_whole_release_has_a_revision_too() -> None:
    found = staying(render({"global": {"imageRevision": 7, "imageRevisions": {"spark": "abc"}}}))
    marks = {name: pod["metadata"]["annotations"]["airspark.io/image-revision"] for name, pod in found.items()}
    assert {name for name, mark in marks.items() if mark == "7-abc"} == {"spark-history", "spark-master", "spark-worker"}
    assert {mark for name, mark in marks.items() if name not in ("spark-history", "spark-master", "spark-worker")} == {"7"}


@pytest.mark.parametrize("chart", ["airspark", "airflow", "spark", "spark-operator"])
def should_refuse_the_revision_of_an_image_that_does_not_exist(chart: str) -> None:
    with pytest.raises(RenderError, match="sparks"):
        render(nested("global.imageRevisions.sparks", "a"), chart=chart)
