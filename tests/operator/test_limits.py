"""Drivers on nodes that are gone, drivers that never start, and pauses between attempts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from builders import app
from builders import objects as built
from machine import START, Cluster, application

from airspark_operator import launch, observe, schedule, times
from airspark_operator.controller import Applications
from airspark_operator.settings import Settings
from airspark_operator.state import Action, Limits
from airspark_operator.store import Store

Object = dict[str, Any]
RETRY = {"type": "OnFailure", "onFailureRetries": 1, "onFailureRetryInterval": 10}
SINCE = "2026-03-01T12:00:00Z"
RUNS = {"name": "spark-kubernetes-driver", "state": {"running": {"startedAt": SINCE}}}
ENDS = {"name": "spark-kubernetes-driver", "state": {"terminated": {"exitCode": 143, "finishedAt": SINCE}}}


def disrupted(reason: str, message: str = "why") -> Object:
    """The condition with which Kubernetes says that it ends a pod."""
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}


def driver_pod(*conditions: Object, deleted: bool = True, **status: Any) -> Object:
    """A driver's pod as the API server shows it."""
    labels = {"spark-role": "driver", "sparkoperator.k8s.io/submission-id": "s-1"}
    metadata: Object = {
        "name": "job-driver",
        "uid": "pod",
        "labels": labels,
        "ownerReferences": [{"uid": "u-1", "controller": True}],
    }
    if deleted:
        metadata["deletionTimestamp"] = "2026-03-01T12:10:30Z"
    seen = {"phase": "Running", "containerStatuses": [RUNS], "conditions": list(conditions)} | status
    return {"metadata": metadata, "spec": {"nodeName": "n-1"}, "status": seen}


NOT_READY = {"type": "Ready", "status": "False"}


@pytest.mark.parametrize(
    ("pod", "state", "reason"),
    [
        (driver_pod(disrupted("DeletionByTaintManager")), "UNKNOWN", "NodeLost"),
        (driver_pod(disrupted("DeletionByPodGC")), "UNKNOWN", "NodeLost"),
        (driver_pod(disrupted("DeletionByTaintManager"), NOT_READY), "UNKNOWN", "NodeLost"),
        (driver_pod(disrupted("EvictionByEvictionAPI"), NOT_READY), "UNKNOWN", "NodeLost"),
        (driver_pod(reason="NodeLost", message="Node n-1 is unresponsive"), "UNKNOWN", "NodeLost"),
        (driver_pod(deleted=False, phase="Unknown"), "UNKNOWN", "NodeLost"),
        (driver_pod(disrupted("DeletionByTaintManager"), phase="Pending", containerStatuses=[]), "UNKNOWN", "NodeLost"),
        (driver_pod(disrupted("EvictionByEvictionAPI")), "RUNNING", "Running"),
        (driver_pod(NOT_READY), "RUNNING", "Running"),
        (driver_pod(disrupted("DeletionByTaintManager"), deleted=False), "RUNNING", "Running"),
        (driver_pod(disrupted("DeletionByTaintManager"), containerStatuses=[ENDS]), "FAILED", "Terminated"),
    ],
)
def should_tell_a_driver_on_a_lost_node_from_one_that_runs_or_ends(pod: Object, state: str, reason: str) -> None:
    seen = observe.view(pod)
    assert (seen.state, seen.reason) == (state, reason)
    if state == "UNKNOWN" and pod["metadata"].get("deletionTimestamp"):
        assert "n-1" in seen.message and ("why" in seen.message or "unresponsive" in seen.message)


def should_say_that_the_node_is_lost_and_fail_the_driver_once_it_should_be_gone() -> None:
    cluster = Cluster(application())
    cluster.settle()
    cluster.run()
    cluster.settle()
    cluster.lose_node()
    step = cluster.look()
    assert cluster.state == "UNKNOWN" and "n-1" in cluster.status["applicationState"]["errorMessage"]
    assert step.wait == 60 and "SparkDriverLost" in cluster.events
    cluster.later(61)
    cluster.settle()
    assert cluster.state == "FAILED" and cluster.status["reason"] == "NodeLost"
    assert "does not answer or is gone" in cluster.status["applicationState"]["errorMessage"]


def should_run_a_driver_of_a_lost_node_elsewhere_if_the_policy_grants_another_attempt() -> None:
    cluster = Cluster(application(restartPolicy=RETRY), graceful=True)
    cluster.settle()
    cluster.run()
    cluster.settle()
    cluster.lose_node()
    cluster.settle()
    cluster.later(61)
    cluster.settle()
    assert cluster.state == "FAILING"
    cluster.later(11)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(set(cluster.made)) == 2, "the pod of the lost node has gone without its kubelet"


@pytest.mark.parametrize("policy", [{}, RETRY])
def should_fail_a_driver_that_is_deleted_and_whose_node_says_nothing(policy: Object) -> None:
    cluster = Cluster(application(restartPolicy=policy), graceful=True)
    cluster.settle()
    cluster.run()
    cluster.settle()
    cluster.become(deleting=True, gone_by=times.text(cluster.now + timedelta(seconds=30)), disruption="Eviction API: evicting")
    step = cluster.look()
    assert cluster.state == "RUNNING" and cluster.status["reason"] == "DriverDeleting" and step.wait == 60
    assert "Eviction API: evicting" in cluster.status["applicationState"]["errorMessage"]
    cluster.later(61)
    cluster.settle()
    assert cluster.state == ("FAILING" if policy else "FAILED") and cluster.status["reason"] == "NodeLost"


def should_fail_a_driver_that_is_unknown_for_as_long_as_kubernetes_waits_for_nodes() -> None:
    cluster = Cluster(application())
    cluster.settle()
    cluster.run()
    cluster.settle()
    cluster.become(state=observe.UNKNOWN, reason="NodeLost", message="The node of the driver does not answer")
    assert cluster.look().wait == 300
    cluster.later(299)
    cluster.settle()
    assert cluster.state == "UNKNOWN"
    cluster.later(2)
    cluster.settle()
    assert cluster.state == "FAILED" and cluster.driver is None, "it must not go on when its node is back"


class Recorder:
    """An API server that records what is deleted."""

    def __init__(self, there: Object | None = None) -> None:
        self.deleted: list[tuple[str, bool]] = []
        self.there = there

    async def get(self, *_: str) -> Object | None:
        return self.there

    async def create(self, wanted: Object) -> Object:
        if self.there and wanted["kind"] == "Pod":
            raise launch.Refused(409, "AlreadyExists", "there")
        return wanted

    async def put_status(self, changed: Object) -> Object:
        return changed

    async def delete(self, _version: str, kind: str, _namespace: str, name: str, _uid: str, *, at_once: bool = False) -> bool:
        self.deleted.append((f"{kind} {name}", at_once))
        return True


@pytest.mark.parametrize(("seconds", "deleted"), [(40, []), (61, [("Pod job-driver", True)])])
def should_delete_a_pod_without_its_node_only_if_it_is_overdue(seconds: float, deleted: list[tuple[str, bool]]) -> None:
    api = Recorder()
    cluster = Cluster(application())
    cluster.settle()
    cluster.lose_node()
    controller = Applications(api, Store(), Settings(), now=lambda: START + timedelta(seconds=seconds))  # type: ignore[arg-type]
    asyncio.run(controller._delete_driver({**cluster.app, "status": {}}, cluster.driver))
    assert api.deleted == deleted


@pytest.mark.parametrize(("seconds", "at_once"), [(629, False), (661, True)])
def should_make_room_for_a_new_driver_if_the_last_one_is_on_a_lost_node(seconds: float, at_once: bool) -> None:
    wanted = built(app())
    left = driver_pod(disrupted("DeletionByTaintManager"))
    left["metadata"]["labels"] |= {"sparkoperator.k8s.io/app-name": "job"}
    api = Recorder(left)
    with pytest.raises(launch.Leftover):
        asyncio.run(launch.launch(api, app(), wanted, START + timedelta(seconds=seconds)))  # type: ignore[arg-type]
    assert api.deleted == [("Pod job-driver", at_once)]


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("ErrImagePull", "The driver does not start (ErrImagePull): not found", "not found"),
        ("CreateContainerConfigError", 'The driver does not start: secret "s" not found', 'secret "s" not found'),
        ("Unschedulable", "The driver fits on no node: 0/3 nodes are available", "0/3 nodes"),
        ("DriverStarting", "", "kubectl describe pod job-driver"),
    ],
)
def should_end_an_application_whose_driver_does_not_start_in_time(reason: str, message: str, said: str) -> None:
    cluster = Cluster(application(), limits=Limits(start=600))
    cluster.settle()
    cluster.become(reason=reason, message=message)
    assert cluster.look().wait == 600
    cluster.later(599)
    cluster.settle()
    assert cluster.state == "SUBMITTED"
    cluster.later(2)
    cluster.settle()
    told = cluster.status["applicationState"]["errorMessage"]
    assert cluster.state == "FAILED" and cluster.status["reason"] == "DriverStartTimeout"
    assert "600 s (controller.driverStartTimeoutSeconds)" in told and said in told
    assert cluster.driver is None, "it must not start after the application has failed"


def should_try_again_if_the_driver_does_not_start_in_time_and_the_policy_grants_it() -> None:
    cluster = Cluster(application(restartPolicy=RETRY), limits=Limits(start=60))
    cluster.settle()
    cluster.later(61)
    cluster.settle()
    assert cluster.state == "FAILING"
    cluster.later(11)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(cluster.made) == 2
    cluster.later(59)
    cluster.settle()
    assert cluster.state == "SUBMITTED", "the second attempt has its own time"
    cluster.later(2)
    cluster.settle()
    assert cluster.state == "FAILED"


def should_wait_without_end_for_a_driver_if_there_is_no_limit_or_a_queue_holds_it() -> None:
    endless = Cluster(application(), limits=Limits(start=0))
    endless.settle()
    endless.later(10**7)
    endless.settle()
    assert endless.state == "SUBMITTED" and endless.look().wait is None
    gated = Cluster(application(), limits=Limits(start=60))
    gated.settle()
    gated.become(reason="SchedulingGated", message="The driver waits until its scheduling gates are removed")
    gated.settle()
    gated.later(10**6)
    gated.settle()
    assert gated.state == "SUBMITTED"
    gated.become(reason="DriverStarting", message="")
    assert gated.look().wait == 60, "the time begins when the queue lets it go"


def should_let_a_schedule_go_on_that_forbids_two_runs_if_a_run_never_starts() -> None:
    cluster = Cluster(application(), limits=Limits(start=60))
    cluster.settle()
    cluster.become(reason="ImagePullBackOff", message="not found")
    cluster.later(61)
    cluster.settle()
    run = {"metadata": {"name": "nightly-1", "creationTimestamp": SINCE}, "status": cluster.status}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "template": {}}
    status = {"observedGeneration": 1, "nextRun": "2026-03-01T12:02:00Z", "lastRun": SINCE}
    metadata = {"name": "nightly", "namespace": "data", "uid": "s", "generation": 1, "creationTimestamp": SINCE}
    plan = schedule.plan({"metadata": metadata, "spec": spec, "status": status}, [run], START + timedelta(seconds=130))
    assert len(plan.create) == 1


def paused(cluster: Cluster, seconds: float) -> float:
    """Run a driver for some seconds, have it fail, and return the pause before the next."""
    cluster.settle()
    began = cluster.now
    cluster.become(state=observe.RUNNING, reason="Running", started=times.text(began))
    cluster.look()
    cluster.later(seconds)
    cluster.become(state=observe.FAILED, reason="Error", message="failed", finished=times.text(cluster.now))
    pause = cluster.look().wait
    assert pause is not None
    cluster.later(pause + 1)
    return pause


def should_pause_longer_after_each_failure_up_to_a_limit_and_begin_again_after_a_good_run() -> None:
    cluster = Cluster(application(restartPolicy={"type": "Always"}), limits=Limits(pause=12, good_run=3600))
    assert [paused(cluster, 5) for _ in range(4)] == [5, 10, 12, 12]
    assert paused(cluster, 3600) == 5, "a good run"
    assert paused(cluster, 5) == 10
    assert cluster.status["executionAttempts"] == 6, "attempts are counted all the same"


def should_pause_for_the_interval_of_the_application_if_that_is_longer_than_the_limit() -> None:
    policy = {"type": "OnFailure", "onFailureRetries": 9, "onFailureRetryInterval": 900}
    cluster = Cluster(application(restartPolicy=policy), limits=Limits(pause=600))
    assert [paused(cluster, 5) for _ in range(3)] == [900, 900, 900]


def should_pause_no_longer_after_each_run_that_completes_if_always() -> None:
    cluster = Cluster(application(restartPolicy={"type": "Always", "onFailureRetryInterval": 7}))
    for _ in range(4):
        cluster.settle()
        cluster.complete()
        assert cluster.look().wait == 7
        cluster.later(8)


def should_not_pause_for_hours_if_submissions_are_refused_without_end() -> None:
    cluster = Cluster(application(restartPolicy={"type": "Always"}), refuse="full", limits=Limits(pause=30))
    waits = []
    for _ in range(20):
        cluster.settle()
        waits.append(times.seconds_until(cluster.status["nextAttemptTime"], cluster.now))
        cluster.later(waits[-1] + 1)
    assert waits[:3] == [5, 10, 15] and max(waits) == 30


def should_wait_for_a_driver_that_is_being_deleted_no_longer_than_its_node_has() -> None:
    cluster = Cluster(application(), graceful=True)
    cluster.settle()
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.state == "SUSPENDING" and cluster.look().action is Action.NOTHING
    cluster.later(61)
    cluster.settle()
    assert cluster.state == "SUSPENDED"
