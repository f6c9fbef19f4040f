"""Airflow's own example DAGs, run inside the image: each ends as its authors mean it to."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from .test_virtualenv import in_task_pod

pytestmark = pytest.mark.long


class Otherwise(NamedTuple):
    """States in which the run of an example may end, and why it need not succeed."""

    runs: str
    why: str


#: Every other example succeeds.
OTHERWISE = {
    "example_failed_dag": Otherwise("failed", "its task raises an error on purpose, to show how the page renders it"),
    "example_analytics": Otherwise("failed", "reads S3, Google Cloud, Azure and Iceberg, and wants accounts of them"),
    "tutorial_objectstorage": Otherwise("failed", "asks a public API and writes to a bucket in S3"),
    "example_dag_decorator": Otherwise("failed", "asks https://httpbin.org/get"),
    "example_bash_decorator": Otherwise("failed", "makes a folder below AIRFLOW_HOME, which is read-only in a task pod"),
    "example_retry_policy": Otherwise("running", "asks https://api.example.com/data, and is tried again five times"),
    "example_kubernetes_executor": Otherwise("failed", "mounts a hostPath, which Pod Security forbids, and a sidecar's volume"),
    "example_task_state_store_async": Otherwise("failed", "calls `aget`, which Airflow 3.3.2's SDK lacks: apache/airflow#68232"),
    # Airflow keeps one of two assets with the same address active, whichever it stores first; tasks of the other are refused.
    "asset_with_extra_by_yield": Otherwise("success, failed", "its asset has another name in example_inlet_event_extra.py"),
    "asset_with_extra_by_context": Otherwise("success, failed", "the same"),
    "asset_with_extra_from_classic_operator": Otherwise("success, failed", "the same"),
    "read_asset_event": Otherwise("success, failed", "its asset has another name in example_outlet_event_extra.py"),
    "read_asset_event_from_classic": Otherwise("failed", "the same, and an asset that only it and its like know has no event"),
    "example_external_task": Otherwise("running, failed", "waits for a run that a scheduler starts, and there is none here"),
    "example_sensors": Otherwise("running", "has a trigger an hour ahead, and only a scheduler ends it after its timeout of 1 s"),
    "example_external_task_marker_child": Otherwise(
        "failed", "its second sensor names a task group that the parent does not have"
    ),
}


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, str]]:
    """By an example's name, the states of its run and of its tasks."""
    lines = in_task_pod("example_runs.py", seconds=7_200, AIRFLOW__CORE__LOAD_EXAMPLES="True")
    found: dict[str, dict[str, str]] = json.loads(lines[-1])["states"]
    return found


def test_should_end_every_example_as_its_authors_mean_it_to(states: dict[str, dict[str, str]]) -> None:
    assert len(states) > 100
    wrong = {
        name: found
        for name, found in states.items()
        if found["run"] not in (OTHERWISE[name].runs if name in OTHERWISE else "success").split(", ")
        or (name not in OTHERWISE and {"failed", "upstream_failed"} & set(found.values()))
    }
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())


def test_should_list_no_example_that_is_gone(states: dict[str, dict[str, str]]) -> None:
    assert set(OTHERWISE) <= set(states) and all(one.why for one in OTHERWISE.values())


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("example_python_operator", ("virtualenv_python", "external_python")),
        ("example_python_decorator", ("virtualenv_python", "external_python")),
        ("example_branch_operator", ("branching_venv", "branching_ext_python")),
        ("example_branch_python_operator_decorator", ("branching_virtualenv", "branching_ext_python")),
        ("tutorial_taskflow_api_virtualenv", ("extract",)),
    ],
)
def test_should_run_the_examples_tasks_with_a_python_of_their_own(
    states: dict[str, dict[str, str]], name: str, tasks: tuple[str, ...]
) -> None:
    assert {task: states[name][task] for task in tasks} == dict.fromkeys(tasks, "success")
