"""What a pod says about itself, and what is recorded of executors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airspark_operator import executors, observe
from airspark_operator.observe import PodView

Object = dict[str, Any]


def pod(role: str = "driver", metadata: Object | None = None, **status: Any) -> Object:
    """A pod with a status."""
    labels = {"spark-role": role, "spark-app-selector": "spark-1", "sparkoperator.k8s.io/submission-id": "s-1"}
    return {"metadata": {"name": "p", "uid": "u", "labels": labels, **(metadata or {})}, "status": status}


def ended(code: int, role: str = "driver", **more: Any) -> Object:
    """The status of Spark's container when it has ended."""
    state = {"terminated": {"exitCode": code, "finishedAt": "2026-03-01T12:01:00Z", "startedAt": "2026-03-01T12:00:00Z", **more}}
    return {"name": f"spark-kubernetes-{role}", "state": state}


def waiting(reason: str, message: str = "") -> Object:
    """The status of Spark's container while it waits."""
    return {"name": "spark-kubernetes-driver", "state": {"waiting": {"reason": reason, "message": message}}}


RUNNING = {"name": "spark-kubernetes-driver", "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}
SIDECAR = {"name": "a-sidecar", "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ({}, "PENDING", "DriverStarting"),
        ({"phase": "Pending"}, "PENDING", "DriverStarting"),
        ({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}, "PENDING", "DriverStarting"),
        ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull", "not found")]}, "PENDING", "ErrImagePull"),
        ({"phase": "Running", "containerStatuses": [RUNNING]}, "RUNNING", "Running"),
        ({"phase": "Running", "containerStatuses": [SIDECAR, RUNNING]}, "RUNNING", "Running"),
        ({"phase": "Running", "containerStatuses": [SIDECAR, ended(0)]}, "COMPLETED", "Completed"),
        ({"phase": "Running", "containerStatuses": [SIDECAR, ended(1)]}, "FAILED", "Error"),
        ({"phase": "Running", "containerStatuses": [SIDECAR, waiting("CrashLoopBackOff")]}, "PENDING", "CrashLoopBackOff"),
        ({"phase": "Succeeded"}, "COMPLETED", "Completed"),
        ({"phase": "Succeeded", "containerStatuses": [ended(0)]}, "COMPLETED", "Completed"),
        ({"phase": "Failed", "containerStatuses": [ended(1)]}, "FAILED", "Error"),
        ({"phase": "Failed", "containerStatuses": [ended(137, reason="OOMKilled")]}, "FAILED", "OOMKilled"),
        ({"phase": "Failed", "containerStatuses": [ended(137, reason="Error")]}, "FAILED", "Killed"),
        ({"phase": "Failed", "containerStatuses": [ended(143)]}, "FAILED", "Terminated"),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "FAILED", "Evicted"),
        ({"phase": "Failed", "reason": "Evicted", "containerStatuses": [ended(137)]}, "FAILED", "Evicted"),
        ({"phase": "Failed"}, "FAILED", "PodFailed"),
        ({"phase": "Unknown"}, "UNKNOWN", "NodeLost"),
        ({"phase": "Unknown", "reason": "NodeUnreachable"}, "UNKNOWN", "NodeUnreachable"),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
            "PENDING",
            "Unschedulable",
        ),
        (
            {
                "phase": "Failed",
                "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 2, "message": "no file"}}}],
            },
            "FAILED",
            "InitContainerFailed",
        ),
    ],
)
def should_tell_state_and_reason_of_a_driver(status: Object, state: str, reason: str) -> None:
    found = observe.view(pod(**status))
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            {"phase": "Failed", "containerStatuses": [ended(137, reason="OOMKilled")]},
            "The driver was killed because it used more memory than its limit (OOMKilled); "
            "give it more by spec.driver.memory or spec.driver.memoryOverhead",
        ),
        (
            {"phase": "Failed", "containerStatuses": [ended(1, message="a\nTraceback\nValueError: no such day\n")]},
            "The driver failed with exit code 1: ValueError: no such day",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [ended(1, message='Exception in thread "main" java.io.IOException: full\n\tat x')],
            },
            "The driver failed with exit code 1: java.io.IOException: full",
        ),
        (
            {"phase": "Failed", "containerStatuses": [ended(2, message="usage: x\nx: error: wrong day\n")]},
            "The driver failed with exit code 2: x: error: wrong day",
        ),
        ({"phase": "Failed", "containerStatuses": [ended(3)]}, "The driver failed with exit code 3"),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}, "The driver's pod was ended (Evicted): low on disk"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}],
            },
            "The driver fits on no node: 0/1 nodes",
        ),
        (
            {"phase": "Pending", "containerStatuses": [waiting("ErrImagePull", "no such image")]},
            "The driver does not start (ErrImagePull): no such image",
        ),
        (
            {
                "phase": "Failed",
                "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 2, "message": "no file"}}}],
            },
            "The init container i of the driver failed with exit code 2: no file",
        ),
    ],
)
def should_say_in_a_sentence_what_happened(status: Object, sentence: str) -> None:
    assert observe.view(pod(**status)).message == sentence


def should_name_the_executor_where_it_is_one() -> None:
    found = observe.view(pod("executor", phase="Failed", containerStatuses=[ended(137, "executor", reason="OOMKilled")]))
    assert "The executor was killed" in found.message and "spec.executor.memory" in found.message


def should_not_take_an_executor_for_failed_that_spark_removes() -> None:
    found = observe.view(
        pod(
            "executor", {"deletionTimestamp": "2026-03-01T12:02:00Z"}, phase="Running", containerStatuses=[ended(143, "executor")]
        )
    )
    assert (found.state, found.reason, found.deleting) == ("COMPLETED", "Removed", True)


@pytest.mark.parametrize("code", [143, 137])
@pytest.mark.parametrize(("deleted", "state"), [(True, "COMPLETED"), (False, "FAILED")])
def should_tell_an_executor_that_spark_removes_from_one_that_was_killed(code: int, deleted: bool, state: str) -> None:
    metadata = {"deletionTimestamp": "2026-03-01T12:02:00Z"} if deleted else {}
    found = observe.view(pod("executor", metadata, phase="Failed", containerStatuses=[ended(code, "executor", reason="Error")]))
    assert found.state == state and (found.message == "") == deleted


@pytest.mark.parametrize(
    "status",
    [
        {"containerStatuses": [ended(137, "executor", reason="OOMKilled")]},
        {"containerStatuses": [ended(1, "executor")]},
        {"reason": "Evicted", "containerStatuses": [ended(143, "executor")]},
    ],
)
def should_take_an_executor_for_failed_whose_pod_is_deleted_after_it_failed(status: Object) -> None:
    found = observe.view(pod("executor", {"deletionTimestamp": "2026-03-01T12:02:00Z"}, phase="Failed", **status))
    assert found.state == "FAILED"


def should_not_take_a_driver_that_was_told_to_stop_for_removed() -> None:
    found = observe.view(pod("driver", {"deletionTimestamp": "x"}, phase="Failed", containerStatuses=[ended(143)]))
    assert (found.state, found.reason, found.deleting) == ("FAILED", "Terminated", True)


def should_name_an_eviction_although_a_sidecar_among_the_init_containers_ended_with_it() -> None:
    sidecar = {"name": "mesh", "state": {"terminated": {"exitCode": 143}}}
    found = observe.view(pod(phase="Failed", reason="Evicted", message="disk", initContainerStatuses=[sidecar]))
    assert (found.reason, found.message) == ("Evicted", "The driver's pod was ended (Evicted): disk")


def should_not_blame_nodes_if_a_queue_holds_the_driver_back() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked"}
    found = observe.view(pod(phase="Pending", conditions=[condition]))
    assert (found.state, found.reason) == ("PENDING", "SchedulingGated") and "fits on no node" not in found.message


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff"])
def should_say_what_an_init_container_waits_for(reason: str) -> None:
    waits = {"name": "i", "state": {"waiting": {"reason": reason, "message": "because"}}}
    found = observe.view(pod(phase="Pending", initContainerStatuses=[waits], containerStatuses=[waiting("PodInitializing")]))
    assert (found.reason, found.message) == (reason, f"The driver does not start ({reason}): because")


def should_see_a_sidecar_that_hinders_the_start_although_sparks_container_is_listed_first() -> None:
    sidecar = {"name": "s", "state": {"waiting": {"reason": "ErrImagePull"}}}
    found = observe.view(pod(phase="Pending", containerStatuses=[waiting("ContainerCreating"), sidecar]))
    assert found.message == "The driver does not start (ErrImagePull): no further reason is given"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("SystemExit: 3", "SystemExit: 3"),
        ("Traceback\nSyntaxError: invalid\nINFO ShutdownHookManager: deleted\n", "SyntaxError: invalid"),
        (
            "Py4JJavaError: calling o1\nCaused by: java.lang.OutOfMemoryError: heap\n\t... 1 more",
            "java.lang.OutOfMemoryError: heap",
        ),
        (
            "a.b.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] no table",
            "a.b.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] no table",
        ),
        ("ErrorHandler started\nall good", "all good"),
        ("E: " + "x" * 900, "E: " + "x" * 497),
        ("  \n\n", ""),
        ("", ""),
    ],
)
def should_repeat_the_line_of_the_log_that_says_most(log: str, said: str) -> None:
    found = observe.view(pod(phase="Failed", containerStatuses=[ended(1, message=log)]))
    assert found.message == "The driver failed with exit code 1" + (f": {said}" if said else "")


def should_take_the_only_container_for_sparks_and_none_of_several() -> None:
    other = {"name": "main", "state": {"terminated": {"exitCode": 0}}}
    assert observe.view(pod(phase="Running", containerStatuses=[other])).state == "COMPLETED"
    assert observe.view(pod(phase="Running", containerStatuses=[other, SIDECAR])).state == "PENDING"


def should_read_who_a_pod_belongs_to() -> None:
    owners = [{"uid": "no", "kind": "X"}, {"uid": "yes", "kind": "SparkApplication", "controller": True}]
    found = observe.view(pod(metadata={"ownerReferences": owners, "resourceVersion": "7"}, phase="Running"))
    assert (found.owner, found.version, found.submission, found.app_id) == ("yes", 7, "s-1", "spark-1")


@pytest.mark.parametrize("status", [{"containerStatuses": [RUNNING]}, {"containerStatuses": [ended(0)]}])
def should_know_since_when_sparks_container_ran(status: Object) -> None:
    assert observe.view(pod(phase="Running", **status)).started == "2026-03-01T12:00:00Z"


TIMELESS = st.fixed_dictionaries(
    {"phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"])},
    optional={
        "reason": st.sampled_from(["", "Evicted", "NodeShutdown"]),
        "message": st.none() | st.text(max_size=5),
        "containerStatuses": st.none()
        | st.lists(st.sampled_from([RUNNING, SIDECAR, ended(0), ended(1), ended(137), waiting("ErrImagePull"), waiting("")])),
        "initContainerStatuses": st.none() | st.lists(st.sampled_from([SIDECAR, ended(2), waiting("PodInitializing")])),
        "conditions": st.none() | st.lists(st.sampled_from([{"type": "PodScheduled", "status": "False"}, {"type": "Ready"}])),
    },
)


@given(st.sampled_from(["driver", "executor"]), st.booleans(), TIMELESS)
def should_have_an_answer_for_every_pod_and_a_sentence_for_every_failure(role: str, deleting: bool, status: Object) -> None:
    found = observe.view(pod(role, {"deletionTimestamp": "x"} if deleting else {}, **status))
    assert found.state in ("PENDING", "RUNNING", "COMPLETED", "FAILED", "UNKNOWN") and found.reason
    assert found.state not in ("FAILED", "UNKNOWN") or found.message
    assert status["phase"] not in ("Succeeded", "Failed") or found.state in observe.ENDED, "waits for what never comes"


def should_keep_a_long_message_short() -> None:
    found = observe.view(pod(phase="Failed", reason="Evicted", message="x" * 5000))
    assert len(found.message) == observe.MESSAGE_LENGTH


def executor(name: str, state: str = "RUNNING", app: str = "spark-1", **more: Any) -> PodView:
    """An executor."""
    return PodView(name, f"uid-{name}", "executor", app_id=app, submission="s-1", state=state, **more)


DRIVER = PodView("job-driver", "d", "driver", submission="s-1", app_id="spark-1", state="RUNNING")


def record(status: Object, *pods: PodView, driver: PodView | None = DRIVER, tracked: int = 100) -> list[PodView]:
    status.setdefault("submissionID", "s-1")
    return executors.record(status, pods, driver, tracked)


def should_record_the_state_of_each_executor() -> None:
    status: Object = {}
    assert record(status, executor("a"), executor("b", "PENDING")) == []
    assert status["executorState"] == {"a": "RUNNING", "b": "PENDING"}


def should_count_each_failure_once() -> None:
    status: Object = {}
    record(status, executor("a"))
    assert [pod.name for pod in record(status, executor("a", "FAILED", reason="OOMKilled"))] == ["a"]
    assert record(status, executor("a", "FAILED", reason="OOMKilled")) == []
    assert status["executorFailures"] == 1


def should_not_count_an_executor_of_another_submission() -> None:
    status: Object = {}
    assert record(status, executor("a", "FAILED", app="spark-other")) == []
    assert "executorState" not in status


def should_take_an_executor_that_is_gone_for_removed_if_the_driver_has_completed() -> None:
    status: Object = {}
    record(status, executor("a"))
    record(status, driver=PodView("job-driver", "d", "driver", submission="s-1", app_id="spark-1", state="COMPLETED"))
    assert status["executorState"] == {"a": "COMPLETED"}


def should_keep_no_more_executors_than_are_tracked_and_let_ended_ones_go_first() -> None:
    status: Object = {}
    record(status, *(executor(f"old-{n}", "COMPLETED") for n in range(5)))
    record(status, executor("new"), tracked=3)
    assert len(status["executorState"]) <= 3 and status["executorState"]["new"] == "RUNNING"


def should_give_executors_a_last_state_if_their_driver_has_ended() -> None:
    status: Object = {"executorState": {"a": "RUNNING", "b": "COMPLETED", "c": "FAILED"}}
    executors.settle(status, "UNKNOWN")
    assert status["executorState"] == {"a": "UNKNOWN", "b": "COMPLETED", "c": "FAILED"}


GONE = "PodGC: node no longer exists"


@pytest.mark.parametrize("role", ["driver", "executor"])
def should_say_why_kubernetes_ended_a_pod_that_says_nothing_itself(role: str) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": GONE}
    seen = observe.view(pod(role, phase="Failed", conditions=[condition]))
    assert (seen.state, seen.reason) == ("FAILED", "DeletionByPodGC")
    assert seen.message == f"The {role}'s pod was ended (DeletionByPodGC): {GONE}"
    own = observe.view(pod(role, phase="Failed", conditions=[condition], reason="Evicted", message="low on memory"))
    assert own.message == f"The {role}'s pod was ended (Evicted): low on memory", "what the pod says itself goes first"


@pytest.mark.parametrize("role", ["driver", "executor"])
def should_not_blame_memory_for_a_container_that_nobody_saw_end(role: str) -> None:
    seen = observe.view(pod(role, phase="Failed", containerStatuses=[ended(137, role, reason="ContainerStatusUnknown")]))
    assert (seen.state, seen.reason) == ("FAILED", "ContainerStatusUnknown")
    assert "its node restarted" in seen.message and "memory" not in seen.message
