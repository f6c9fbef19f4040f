"""What the status says about executors: the state of each, each failure once, and never more than is tracked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import START, Cluster, application

from airspark_operator import executors, lifecycle
from airspark_operator.conditions import condition
from airspark_operator.observe import PodView
from airspark_operator.submission import Submission

Object = dict[str, Any]
DRIVER = PodView("job-driver", "d", "driver", submission="s-1", app_id="spark-1", state="RUNNING")
STATES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "UNKNOWN")


def executor(name: str, state: str = "RUNNING", finished: str = "", app: str = "spark-1") -> PodView:
    """An executor."""
    return PodView(name, f"uid-{name}", "executor", app_id=app, state=state, reason="Error", message="said", finished=finished)


def record(status: Object, *pods: PodView, driver: PodView | None = DRIVER, tracked: int = 100) -> list[str]:
    """Record executors; returns the names of those that have failed since."""
    status.setdefault("submissionID", "s-1")
    return [pod.name for pod in executors.record(status, pods, driver, tracked)]


@pytest.mark.parametrize("tracked", [0, 1, 2, 3, 100])
def should_count_no_failure_twice_however_few_executors_are_tracked(tracked: int) -> None:
    status: Object = {}
    pods = [executor(f"e-{number}", "FAILED") for number in range(3)]
    record(status, *pods, tracked=tracked)
    counted = deepcopy(status)
    for _ in range(3):
        assert record(status, *pods, tracked=tracked) == []
    assert status == counted and status.get("executorFailures", 0) == min(3, tracked)


def should_count_a_failure_that_there_was_no_room_for_when_there_is() -> None:
    status: Object = {}
    assert record(status, executor("a", "FAILED"), executor("b", "FAILED"), tracked=1) == ["a"]
    assert record(status, executor("b", "FAILED"), tracked=1) == ["b"]
    assert status["executorFailures"] == 2


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(STATES)), max_size=6), max_size=8),
    st.integers(0, 4),
)
def should_track_no_more_than_it_may_and_say_the_same_again(looks: list[list[tuple[str, str]]], tracked: int) -> None:
    status: Object = {}
    for look in looks:
        pods = [executor(name, state) for name, state in dict(look).items()]
        record(status, *pods, tracked=tracked)
        assert len(status.get("executorState", {})) <= tracked
        before = deepcopy(status)
        assert record(status, *pods, tracked=tracked) == [] and status == before


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
@pytest.mark.parametrize(
    ("finished", "failures"), [("2026-03-01T12:00:59Z", 1), ("2026-03-01T12:01:00Z", 0), ("2026-03-01T12:01:02Z", 0)]
)
def should_not_blame_executors_that_end_because_their_driver_has(state: str, finished: str, failures: int) -> None:
    status: Object = {}
    record(status, executor("a"))
    driver = replace(DRIVER, state=state, finished="2026-03-01T12:01:00Z")
    assert len(record(status, executor("a", "FAILED", finished), driver=driver)) == failures
    assert (status["executorState"], status.get("executorFailures", 0)) == ({"a": "FAILED"}, failures)


@pytest.mark.parametrize(
    ("driver", "state"),
    [("PENDING", "UNKNOWN"), ("RUNNING", "UNKNOWN"), ("UNKNOWN", "UNKNOWN"), ("FAILED", "UNKNOWN"), ("COMPLETED", "COMPLETED")],
)
@pytest.mark.parametrize("last", ["PENDING", "RUNNING"])
def should_say_what_is_known_of_an_executor_that_is_gone(driver: str, state: str, last: str) -> None:
    status: Object = {}
    record(status, executor("a", last))
    record(status, driver=replace(DRIVER, state=driver))
    assert status["executorState"] == {"a": state}


@pytest.mark.parametrize("last", ["COMPLETED", "FAILED"])
def should_keep_how_an_executor_ended_when_it_is_gone(last: str) -> None:
    status: Object = {}
    record(status, executor("a", last))
    record(status)
    assert status["executorState"] == {"a": last}


@pytest.mark.parametrize("driver", [None, replace(DRIVER, submission="s-2")])
def should_record_nothing_without_the_driver_of_this_submission(driver: PodView | None) -> None:
    status: Object = {"executorState": {"a": "RUNNING"}}
    assert record(status, executor("b", "FAILED"), driver=driver) == []
    assert status["executorState"] == {"a": "RUNNING"}


def should_name_failures_in_the_order_they_happened() -> None:
    failed = (executor("late", "FAILED", "2026-03-01T12:00:09Z"), executor("early", "FAILED", "2026-03-01T12:00:01Z"))
    assert record({}, *failed) == ["early", "late"]


@pytest.mark.parametrize("state", ["COMPLETED", "UNKNOWN"])
def should_settle_nothing_where_there_were_no_executors(state: str) -> None:
    status: Object = {}
    executors.settle(status, state)
    assert status == {}


def running() -> Cluster:
    """An application whose driver runs."""
    cluster = Cluster(application())
    cluster.settle()
    cluster.run()
    cluster.settle()
    return cluster


def should_show_a_failed_executor_as_event_condition_and_number() -> None:
    cluster = running()
    assert cluster.driver
    lost = replace(executor("job-exec-1", "FAILED"), app_id=cluster.driver.app_id)
    step = lifecycle.step(cluster.app, cluster.driver, (lost,), START)
    assert [event.reason for event in step.events] == ["SparkExecutorFailed"] and step.events[0].message == "job-exec-1: said"
    healthy = condition(step.status, "ExecutorsHealthy")
    assert healthy and (healthy["status"], healthy["reason"]) == ("False", "Error")
    assert healthy["message"] == "1 executor has failed so far; job-exec-1: said"
    assert step.status["applicationState"]["state"] == "RUNNING", "Spark replaces executors; the application goes on"


def should_call_executors_healthy_again_in_the_next_attempt() -> None:
    cluster = running()
    status = cluster.status | {"executorState": {"a": "FAILED"}, "terminationTime": "x"}
    wanted = Submission("s-2", "spark-2")
    step = lifecycle.submitted(cluster.app, status, wanted, {"podName": "job-driver"}, [], START)
    healthy = condition(step.status, "ExecutorsHealthy")
    assert healthy and healthy["status"] == "True" and "executorState" not in step.status
