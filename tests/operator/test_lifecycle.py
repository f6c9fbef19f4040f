"""The life of a SparkApplication: every transition, what Airflow reads of it, and that nothing is lost or doubled."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import Cluster, application

from airspark_operator import lifecycle, observe, state
from airspark_operator.conditions import condition
from airspark_operator.state import Action

ON_FAILURE = {"type": "OnFailure", "onFailureRetries": 2, "onFailureRetryInterval": 10}


def started(**spec: Any) -> Cluster:
    """An application whose driver pod exists."""
    cluster = Cluster(application(**spec))
    cluster.settle()
    return cluster


def running(**spec: Any) -> Cluster:
    """An application whose driver runs."""
    cluster = started(**spec)
    cluster.run()
    cluster.settle()
    return cluster


def should_publish_no_state_before_the_driver_pod_exists() -> None:
    cluster = Cluster(application())
    step = lifecycle.step(cluster.app, None, (), cluster.now)
    assert step.action is Action.SUBMIT and "applicationState" not in step.status


def should_be_submitted_once_the_driver_pod_exists() -> None:
    cluster = started()
    assert cluster.state == "SUBMITTED"
    assert (cluster.status["executionAttempts"], cluster.status["submissionAttempts"]) == (1, 1)
    assert cluster.status["submissionID"] == cluster.made[0]
    assert cluster.events == ["SparkApplicationSubmitted"]


def should_be_running_once_the_driver_runs() -> None:
    cluster = running()
    assert cluster.state == "RUNNING"
    assert cluster.status["startTime"] == "2026-03-01T12:00:10Z"
    assert condition(cluster.status, "Running")["status"] == "True"  # type: ignore[index]


@pytest.mark.parametrize("seen_running", [True, False])
def should_be_completed_if_the_driver_ends_well_even_if_it_was_never_seen_to_run(seen_running: bool) -> None:
    cluster = running() if seen_running else started()
    cluster.complete()
    cluster.settle()
    assert cluster.state == "COMPLETED"
    assert cluster.status["terminationTime"] == "2026-03-01T12:01:00Z"
    assert condition(cluster.status, "Complete")["status"] == "True"  # type: ignore[index]
    assert "errorMessage" not in cluster.status["applicationState"]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("OOMKilled", "The driver was killed"),
        ("Error", "The driver failed with exit code 3"),
        ("Evicted", "The driver's pod was ended"),
    ],
)
def should_be_failed_with_the_reason_and_a_sentence_if_the_driver_ends_badly(reason: str, message: str) -> None:
    cluster = running()
    cluster.fail(reason, message)
    cluster.settle()
    assert cluster.state == "FAILED"
    assert (cluster.status["reason"], cluster.status["applicationState"]["errorMessage"]) == (reason, message)
    assert "SparkApplicationFailed" in cluster.events
    assert condition(cluster.status, "Failed")["message"] == message  # type: ignore[index]


@pytest.mark.parametrize("seen_running", [True, False])
def should_be_failed_if_the_driver_pod_is_deleted(seen_running: bool) -> None:
    cluster = running() if seen_running else started()
    cluster.driver = None
    cluster.settle()
    assert (cluster.state, cluster.status["reason"]) == ("FAILED", "DriverDeleted")


def should_be_unknown_while_the_node_does_not_answer_and_running_again_after() -> None:
    cluster = running()
    cluster.become(state=observe.UNKNOWN, reason="NodeLost", message="The node of the driver does not answer")
    cluster.settle()
    assert cluster.state == "UNKNOWN"
    cluster.become(state=observe.RUNNING, reason="Running", message="")
    cluster.settle()
    assert cluster.state == "RUNNING"


@pytest.mark.parametrize("reason", ["Unschedulable", "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"])
def should_stay_submitted_and_say_what_the_driver_waits_for(reason: str) -> None:
    cluster = started()
    cluster.become(reason=reason, message=f"because of {reason}")
    cluster.settle()
    assert (cluster.state, cluster.status["reason"]) == ("SUBMITTED", reason)
    assert cluster.status["applicationState"]["errorMessage"] == f"because of {reason}"
    assert cluster.events.count("SparkDriverPending") == 1


def should_fail_at_once_if_no_time_heals_what_the_driver_waits_for() -> None:
    cluster = started()
    cluster.become(reason="InvalidImageName", message="no image")
    cluster.settle()
    assert (cluster.state, cluster.status["reason"]) == ("FAILED", "InvalidImageName")


def should_run_again_after_a_failure_as_often_as_the_policy_says() -> None:
    cluster = running(restartPolicy=ON_FAILURE)
    for attempt in (1, 2):
        cluster.fail()
        cluster.settle()
        assert cluster.state == "FAILING"
        cluster.later(10 * attempt - 1)
        cluster.settle()
        assert cluster.state == "FAILING", "attempts × interval have not passed"
        cluster.later(2)
        cluster.settle()
        assert cluster.state == "SUBMITTED" and cluster.status["executionAttempts"] == attempt + 1
        cluster.run()
        cluster.settle()
    cluster.fail()
    cluster.settle()
    assert cluster.state == "FAILED" and len(cluster.made) == len(set(cluster.made)) == 3
    assert "SparkApplicationPendingRerun" in cluster.events


def should_run_again_after_success_if_the_policy_is_always() -> None:
    cluster = running(restartPolicy={"type": "Always", "onFailureRetryInterval": 1})
    cluster.complete()
    cluster.settle()
    assert cluster.state == "SUCCEEDING"
    cluster.later(2)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(cluster.made) == 2


def should_complete_a_retried_application() -> None:
    cluster = running(restartPolicy=ON_FAILURE)
    cluster.fail()
    cluster.settle()
    cluster.later(11)
    cluster.settle()
    cluster.complete()
    cluster.settle()
    assert cluster.state == "COMPLETED" and cluster.status["executionAttempts"] == 2


def should_stay_submitted_while_a_refused_submission_is_repeated_and_fail_in_the_end() -> None:
    policy = {"type": "Never", "onSubmissionFailureRetries": 2, "onSubmissionFailureRetryInterval": 5}
    cluster = Cluster(application(restartPolicy=policy), refuse="exceeded quota")
    cluster.look()
    assert (cluster.state, cluster.status["submissionAttempts"]) == ("SUBMITTED", 1)
    assert state.state_of(cluster.status) == state.SUBMISSION_FAILED
    for seconds, attempts in ((6, 2), (11, 3)):
        assert cluster.look().action is Action.NOTHING, "attempts × interval have not passed"
        cluster.later(seconds)
        cluster.look()
        assert cluster.status["submissionAttempts"] == attempts
    assert (cluster.state, cluster.status["applicationState"]["errorMessage"]) == ("FAILED", "exceeded quota")


def should_submit_if_what_refused_it_is_gone() -> None:
    policy = {"type": "Never", "onSubmissionFailureRetries": 1, "onSubmissionFailureRetryInterval": 1}
    cluster = Cluster(application(restartPolicy=policy), refuse="exceeded quota")
    cluster.look()
    cluster.refuse = ""
    cluster.later(2)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and "nextAttemptTime" not in cluster.status
    assert cluster.status["executionAttempts"] == 1


def should_fail_at_once_if_a_spec_cannot_work() -> None:
    app = application(restartPolicy={"type": "Never", "onSubmissionFailureRetries": 9})
    step = lifecycle.not_submitted(app, {}, "InvalidSpec", "spec.image is not set", Cluster(app).now, final=True)
    assert step.status["applicationState"] == {"state": "FAILED", "errorMessage": "spec.image is not set"}


@pytest.mark.parametrize("make", [started, running])
def should_delete_the_driver_if_it_is_suspended_and_begin_anew_if_resumed(make: Any) -> None:
    cluster = make()
    cluster.change(suspend=True)
    assert cluster.look().action is Action.DELETE_DRIVER and cluster.state == "SUSPENDING"
    cluster.settle()
    assert cluster.state == "SUSPENDED" and cluster.driver is None
    assert condition(cluster.status, "Suspended")["status"] == "True"  # type: ignore[index]
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.state == "SUBMITTED"
    assert (cluster.status["runNumber"], cluster.status["executionAttempts"]) == (1, 1)
    assert len(set(cluster.made)) == 2


def should_have_no_state_if_it_is_created_suspended() -> None:
    cluster = Cluster(application(suspend=True))
    cluster.settle()
    assert cluster.state == "" and cluster.status["reason"] == "Suspended" and not cluster.made
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.state == "SUBMITTED"


@pytest.mark.parametrize("ended", [None, "complete", "fail"])
def should_begin_anew_if_the_spec_changes_in_any_state(ended: str | None) -> None:
    cluster = running(restartPolicy={"type": "Never"})
    if ended:
        getattr(cluster, ended)()
        cluster.settle()
    cluster.change(arguments=["--other"])
    cluster.look()
    assert cluster.state == "INVALIDATING"
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(set(cluster.made)) == 2
    assert (cluster.status["runNumber"], cluster.status["executionAttempts"]) == (1, 1)
    assert cluster.status["observedGeneration"] == 2
    assert "SparkApplicationSpecUpdated" in cluster.events


@pytest.mark.parametrize("change", [{"timeToLiveSeconds": 60}, {"suspend": False}])
def should_not_begin_anew_for_a_change_that_does_not_matter(change: dict[str, Any]) -> None:
    cluster = running()
    cluster.change(**change)
    cluster.settle()
    assert cluster.state == "RUNNING" and len(cluster.made) == 1
    assert cluster.status["observedGeneration"] == 2


def should_not_begin_anew_if_a_new_crd_adds_a_default() -> None:
    cluster = running()
    cluster.app["spec"]["mode"] = "cluster"  # without a new generation
    cluster.settle()
    assert cluster.state == "RUNNING" and len(cluster.made) == 1


def should_delete_an_ended_application_when_its_time_to_live_has_passed() -> None:
    cluster = running(timeToLiveSeconds=60)
    cluster.complete()
    cluster.settle()
    cluster.later(60)
    assert cluster.look().action is Action.NOTHING
    cluster.later(61)
    assert cluster.look().action is Action.DELETE and cluster.gone


def should_do_nothing_for_an_application_that_is_being_deleted() -> None:
    cluster = running()
    cluster.app["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:30Z"
    assert cluster.look().action is Action.NOTHING


def should_tidy_up_at_the_end_and_leave_the_driver_for_its_log() -> None:
    cluster = running()
    cluster.complete()
    assert cluster.look().action is Action.TIDY and cluster.driver is not None


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "restartPolicy": st.fixed_dictionaries(
            {"type": st.sampled_from(["Never", "OnFailure", "Always"])},
            optional={"onFailureRetries": st.integers(0, 3), "onFailureRetryInterval": st.integers(1, 5)},
        ),
        "timeToLiveSeconds": st.integers(1, 100),
        "suspend": st.booleans(),
    },
)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.sampled_from([0, 1, 2, 99, 99, 99])),
        st.tuples(st.just("pod"), st.sampled_from(["run", "complete", "fail", "vanish"])),
        st.tuples(st.just("user"), st.sampled_from(["suspend", "resume", "change"])),
        st.tuples(st.just("time"), st.integers(0, 30)),
    ),
    max_size=40,
)


def play(cluster: Cluster, moves: list[tuple[str, Any]]) -> None:
    """Let the controller, pods, users and time act; the controller may be killed in the middle of each of its looks."""
    for kind, what in moves:
        if cluster.gone:
            return
        if kind == "look":
            cluster.look(what)
        elif kind == "time":
            cluster.later(what)
        elif kind == "pod":
            getattr(cluster, what)()
        elif what == "change":
            cluster.change(arguments=[str(cluster.app["metadata"]["generation"])])
        else:
            cluster.change(suspend=what == "suspend")


@settings(max_examples=400, deadline=None)
@given(SPECS, MOVES)
def should_never_make_two_drivers_of_one_attempt_and_never_be_stuck(spec: dict[str, Any], moves: list[tuple[str, Any]]) -> None:
    cluster = Cluster(application(**spec))
    play(cluster, moves)
    if cluster.gone:
        return
    cluster.change(suspend=False)
    cluster.app["spec"].pop("restartPolicy", None)
    cluster.app["spec"].pop("timeToLiveSeconds", None)
    for _ in range(40):
        cluster.settle()
        if cluster.state in state.ENDED:
            break
        cluster.complete()
        cluster.later(60)
    assert cluster.state in state.ENDED, f"stuck in {cluster.state} {cluster.status.get('reason')}"
    vanished = sum(move == ("pod", "vanish") for move in moves)
    assert len(cluster.made) - len(set(cluster.made)) <= vanished, "a second driver of one attempt"


@settings(max_examples=300, deadline=None)
@given(SPECS, MOVES)
def should_leave_no_driver_if_it_is_suspended_in_the_end(spec: dict[str, Any], moves: list[tuple[str, Any]]) -> None:
    cluster = Cluster(application(**spec))
    play(cluster, moves)
    if cluster.gone:
        return
    cluster.change(suspend=True)
    cluster.app["spec"].pop("timeToLiveSeconds", None)
    cluster.settle()
    ended = cluster.state in state.ENDED
    assert ended or (cluster.driver is None and cluster.state in ("", "SUSPENDED")), (cluster.state, cluster.driver)


@settings(max_examples=200, deadline=None)
@given(SPECS, MOVES)
def should_say_the_same_if_it_is_asked_again(spec: dict[str, Any], moves: list[tuple[str, Any]]) -> None:
    cluster = Cluster(application(**spec))
    play(cluster, moves)
    first = lifecycle.step(deepcopy(cluster.app), cluster.driver, (), cluster.now)
    assert lifecycle.step(deepcopy(cluster.app), cluster.driver, (), cluster.now) == first
    if first.action is Action.NOTHING and first.status == cluster.status:
        assert first.events == (), "an event that is told again and again"


@settings(max_examples=200, deadline=None)
@given(SPECS, MOVES)
def should_publish_only_states_that_airflow_and_kubeflows_users_know(spec: dict[str, Any], moves: list[tuple[str, Any]]) -> None:
    cluster = Cluster(application(**spec))
    for move in moves:
        play(cluster, [move])
        assert cluster.state in state.STATES
        if not cluster.made:
            assert cluster.state in ("", "SUBMITTED", "FAILED"), "Airflow takes any other for a driver that runs"
        if cluster.state == "FAILED":
            assert cluster.status["applicationState"]["errorMessage"] and cluster.status["reason"]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), MOVES)
def should_run_no_more_often_than_the_policy_says(retries: int, moves: list[tuple[str, Any]]) -> None:
    policy = {"type": "OnFailure", "onFailureRetries": retries, "onFailureRetryInterval": 1}
    cluster = Cluster(application(restartPolicy=policy))
    play(cluster, [move for move in moves if move[0] in ("look", "pod", "time")])
    assert cluster.status.get("executionAttempts", 0) <= retries + 1
    assert len(set(cluster.made)) <= retries + 1
