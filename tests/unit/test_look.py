"""`make status` and `make logs`: which pods and warnings are shown, and what is said of a task that has no log."""

from __future__ import annotations

from typing import Any

import pytest

from airspark import look
from airspark.project import Failure

SETS = [
    {
        "metadata": {
            "uid": f"set-{n}",
            "ownerReferences": [{"uid": owner}],
            "annotations": {"deployment.kubernetes.io/revision": n},
        }
    }
    for owner, n in (("scheduler", "9"), ("scheduler", "10"), ("triggerer", "3"))
]


def pod(name: str, owner: str = "", ready: str = "", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    """A pod; `ready` is since when."""
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ready or "2026-01-01T00:00:00Z"}
    ]
    return {
        "metadata": {"name": name, "uid": name, "labels": {"component": "scheduler"}, "creationTimestamp": "2026-01-01T00:00:00Z",
                     "ownerReferences": [{"uid": owner}] if owner else [], **metadata},
        "status": {"phase": phase, "conditions": conditions,
                   "containerStatuses": [{"ready": bool(ready), "restartCount": 0}]},
    }  # fmt: skip


def warning(name: str, time: str, message: str = "it fails") -> dict[str, Any]:
    """A warning about a pod."""
    return {"involvedObject": {"uid": name}, "lastTimestamp": time, "reason": "Unhealthy", "message": message, "metadata": {}}


def rows(monkeypatch: pytest.MonkeyPatch, pods: list[Any], events: list[Any]) -> tuple[dict[str, str], int]:
    """The last warning of each pod that is shown, and how many are not."""
    listed = {"pods": pods, "replicasets": SETS, "events": events}
    monkeypatch.setattr(look, "_listed", lambda *words: listed[words[0]])
    found, left_out = look.status_rows()
    return {row[1]: row[6] for row in found}, left_out


def test_should_leave_out_pods_that_are_being_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = [
        pod("new", "set-10"),
        pod("old", "set-9", ready="2026-01-01T00:01:00Z"),
        pod("going", "set-10", deletionTimestamp="2026-01-01T00:02:00Z"),
        pod("only", "set-3"),
        pod("of-a-statefulset", "postgresql"),
        pod("bare"),
    ]
    found, left_out = rows(monkeypatch, pods, [])
    assert list(found) == ["new", "only", "of-a-statefulset", "bare"] and left_out == 2


def test_should_show_a_warning_only_if_it_is_newer_than_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = "2026-01-01T00:01:00Z"
    pods = [pod("a", ready=ready), pod("b", ready=ready), pod("c"), pod("d", phase="Succeeded")]
    events = [
        warning("a", "2026-01-01T00:00:30Z"),
        warning("b", "2026-01-01T00:01:30Z"),
        warning("c", "2026-01-01T00:00:30Z"),
        warning("d", "2026-01-01T00:05:00Z"),
    ]
    found, _ = rows(monkeypatch, pods, events)
    assert found["a"] == "" and found["d"] == ""
    assert found["b"].startswith("Unhealthy: it fails (") and found["c"].startswith("Unhealthy: it fails (")


def test_should_not_blame_a_pod_for_another_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    again = pod("postgresql-0", uid="second")
    found, _ = rows(monkeypatch, [again], [warning("first", "2026-01-01T00:00:30Z")])
    assert found == {"postgresql-0": ""}


class Airflow:
    """An API with a DAG of dots and groups; `runs` are those of `etl.v2`."""

    def __init__(self, *runs: str, paused: bool = False, backfillable: bool = True) -> None:
        self.runs, self.paused, self.backfillable = runs, paused, backfillable

    def call(self, method: str, path: str, params: Any = None) -> Any:
        if path == "/dags":
            names = ("etl", "etl.v2", "etl_daily")
            return {"dags": [{"dag_id": n, "is_paused": self.paused, "is_backfillable": self.backfillable} for n in names]}
        if path == "/importErrors":
            return {"import_errors": []}
        if path.endswith("/tasks"):
            return {"tasks": [{"task_id": name} for name in ("load.rows", "check")]}
        return {"dag_runs": [{"dag_run_id": f"run {state}", "state": state} for state in self.runs[:1]]}


def test_should_find_a_task_whose_dag_and_group_have_dots() -> None:
    dag, task = look.find_task(Airflow(), "etl.v2.load.rows")  # type: ignore[arg-type]
    assert (dag["dag_id"], task) == ("etl.v2", "load.rows")


@pytest.mark.parametrize(
    ("name", "sentence", "hint"),
    [
        ("nope.nope", "there is no DAG nope", "DAGs: etl, etl.v2, etl_daily"),
        ("etl_dayli.check", "there is no DAG etl_dayli; did you mean etl_daily?", "DAGs: etl, etl.v2, etl_daily"),
        ("etl_daily.chek", "the DAG etl_daily has no task chek; did you mean check?", "its tasks: load.rows, check"),
    ],
)
def test_should_say_what_exists_if_a_dag_or_task_does_not(name: str, sentence: str, hint: str) -> None:
    with pytest.raises(Failure) as caught:
        look.find_task(Airflow(), name)  # type: ignore[arg-type]
    assert (str(caught.value), caught.value.hint) == (sentence, hint)


@pytest.mark.parametrize(
    ("airflow", "dag_id", "sentence", "hint"),
    [
        (Airflow(), "etl_daily", "etl_daily.check has not run yet: there is no run of etl_daily", "make demo"),
        (Airflow(), "etl", "there is no run of etl", "make backfill DAG=etl FROM=2026-01-01 TO=2026-01-30"),
        (Airflow(backfillable=False), "etl", "there is no run of etl", "make ui, then Trigger on the page of etl"),
        (Airflow(backfillable=False, paused=True), "etl", "there is no run of etl", "which is paused: switch it on there too"),
        (
            Airflow("queued", paused=True),
            "etl",
            "in the run run queued, which is queued: it waits because etl is paused",
            "switch",
        ),
        (Airflow("running"), "etl", "etl.check has not begun in the run run running, which is running", "make ui"),
        (Airflow("failed"), "etl", "etl.check has not run in any run of etl; the last one is failed", "make ui"),
    ],
)
def test_should_say_why_a_task_has_no_log_and_what_runs_it(airflow: Any, dag_id: str, sentence: str, hint: str) -> None:
    dag = next(dag for dag in airflow.call("GET", "/dags")["dags"] if dag["dag_id"] == dag_id)
    found = look.not_run(airflow, dag, "check")
    assert sentence in str(found) and hint in found.hint
