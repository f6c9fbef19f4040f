"""Objects that another controller, or an earlier version of this one, has written, are taken over as they are."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it brings no stubs
import pytest
import yaml
from machine import START, Cluster, application
from test_crds import root, strict

from airspark.project import ROOT
from airspark_operator import lifecycle, observe, schedule, state, times
from airspark_operator.observe import PodView

Object = dict[str, Any]
STATUSES: list[Object] = yaml.safe_load((ROOT / "tests/operator/statuses.yaml").read_text())
ENDED_AT = "2026-03-01T11:59:58Z"
DRIVERS: dict[str, Object | None] = {
    "none": None,
    "pending": {"state": observe.PENDING, "reason": "DriverStarting"},
    "running": {"state": observe.RUNNING, "reason": "Running", "started": "2026-03-01T11:00:10Z"},
    "completed": {"state": observe.COMPLETED, "reason": "Completed", "finished": ENDED_AT},
    "failed": {"state": observe.FAILED, "reason": "Error", "message": "exit code 1", "finished": ENDED_AT},
    "lost": {"state": observe.UNKNOWN, "reason": "NodeLost", "message": "lost", "deleting": True, "gone_by": ENDED_AT},
}
VALIDATOR = jsonschema.Draft202012Validator(strict(root("SparkApplication")["properties"]["status"]))
POLICIES: list[Object] = [
    {},
    {"restartPolicy": {"type": "Never"}},
    {"restartPolicy": {"type": "OnFailure", "onFailureRetries": 2, "onSubmissionFailureRetries": 2}},
    {"restartPolicy": {"type": "Always"}},
    {"restartPolicy": {"type": "OnFailure", "onFailureRetries": None, "onFailureRetryInterval": None}},
    {"suspend": True},
    {"timeToLiveSeconds": 0},
]


def cluster_of(entry: Object, driver: str, **spec: Any) -> Cluster:
    """A cluster with an object of another controller."""
    app = application(**spec)
    app["status"] = deepcopy(entry["status"])
    pod = DRIVERS[driver]
    submission = entry["status"].get("submissionID") or "s-1"
    view = PodView("job-driver", "pod", "driver", "u-1", submission, "spark-1", **pod) if pod else None
    return Cluster(app, driver=view)


def follow(cluster: Cluster, minutes: int = 6) -> list[str]:
    """Look every minute, with a driver that starts after the first, and return the states that are published."""
    states = [cluster.state]
    for minute in range(minutes):
        for _ in range(6):
            cluster.look()
            if states[-1] != cluster.state:
                states.append(cluster.state)
        if minute and cluster.driver and cluster.driver.state == observe.PENDING:
            cluster.run()
        cluster.later(60)
    return states


@pytest.mark.parametrize("entry", STATUSES, ids=lambda entry: f"{entry['writer']}: {entry['name']}")
def should_go_on_from_what_another_controller_has_written(entry: Object) -> None:
    cluster = cluster_of(entry, entry.get("driver", "none"), **entry.get("spec", {}))
    states = [published or "none" for published in follow(cluster)]
    wanted = entry["then"].split()
    begun = (entry["status"].get("applicationState") or {}).get("state") or "none"
    assert states == ([] if wanted[0] == begun else [begun]) + wanted
    assert cluster.gone == entry.get("gone", False)
    assert entry.get("message", "") in str(cluster.status.get("applicationState", {}).get("errorMessage"))
    assert entry.get("attempts") in (None, cluster.status.get("executionAttempts"))
    if cluster.state in state.ENDED:
        assert times.parse(cluster.status["terminationTime"]) <= START, "the end is not put off by who looks at it"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("spec", POLICIES, ids=str)
@pytest.mark.parametrize("entry", STATUSES, ids=lambda entry: f"{entry['writer']}: {entry['name']}")
def should_take_over_every_status_whatever_its_driver_and_policy_are(entry: Object, spec: Object, driver: str) -> None:
    cluster = cluster_of(entry, driver, **spec)
    follow(cluster)
    assert cluster.state in state.STATES
    VALIDATOR.validate(cluster.status)


@pytest.mark.parametrize("published", [name for name in state.STATES if name])
@pytest.mark.parametrize("driver", DRIVERS)
def should_take_over_a_bare_state(published: str, driver: str) -> None:
    cluster = cluster_of({"status": {"applicationState": {"state": published}}}, driver)
    step = lifecycle.step(deepcopy(cluster.app), cluster.driver, (), cluster.now)
    assert step.status["observedGeneration"] == 1
    follow(cluster)
    assert cluster.state in state.STATES


KUBEFLOW_SCHEDULE = {
    "lastRun": "2026-03-10T11:00:00Z",
    "lastRunName": "nightly-1773140400123456789",
    "nextRun": "2026-03-10T12:00:00Z",
    "pastFailedRunNames": [],
    "pastSuccessfulRunNames": ["nightly-1773140400123456789"],
    "scheduleState": "Scheduled",
}


def plan(status: Object, now: str, **spec: Any) -> schedule.Plan:
    """What follows from a schedule of every hour that kubeflow's operator has run."""
    metadata = {"name": "nightly", "namespace": "data", "uid": "u", "generation": 1, "creationTimestamp": "2025-01-01T00:00:00Z"}
    return schedule.plan(
        {"metadata": metadata, "spec": {"schedule": "0 * * * *", "template": {}} | spec, "status": status}, [], times.parse(now)
    )


def should_keep_the_next_run_that_kubeflows_operator_has_planned() -> None:
    found = plan(KUBEFLOW_SCHEDULE, "2026-03-10T11:30:00Z")
    assert found.create == () and found.status["nextRun"] == "2026-03-10T12:00:00Z" and found.missed == 0


def should_run_once_for_what_passed_while_the_controllers_were_changed() -> None:
    found = plan(KUBEFLOW_SCHEDULE, "2026-03-10T14:30:00Z")
    assert [run["metadata"]["name"] for run in found.create] == ["nightly-1773151200"] and found.missed == 2


@pytest.mark.parametrize(
    "status",
    [
        {"scheduleState": "Scheduled", "nextRun": None, "lastRun": None},
        {"scheduleState": "Scheduled", "lastRun": None, "pastSuccessfulRunNames": None},
        {"scheduleState": "FailedValidation", "reason": "Invalid timezone: unknown time zone Mars", "nextRun": None},
    ],
)
def should_owe_nothing_for_years_if_kubeflows_operator_has_planned_nothing(status: Object) -> None:
    found = plan(status, "2026-03-10T14:30:00Z")
    assert found.create == () and found.missed == 0
    assert found.status["nextRun"] == "2026-03-10T15:00:00Z" and found.status["scheduleState"] == "Scheduled"
