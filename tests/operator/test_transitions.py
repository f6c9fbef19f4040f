"""Each transition of kubeflow's state machine as a case of its own, and what holds in whatever order things happen."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import Cluster, application

from airspark_operator import lifecycle, observe, state, times
from airspark_operator.conditions import condition
from airspark_operator.state import Action
from airspark_operator.submission import Submission

Object = dict[str, Any]
RETRY = {"type": "OnFailure", "onFailureRetries": 1, "onFailureRetryInterval": 10}
ALWAYS = {"type": "Always", "onFailureRetryInterval": 10}
PATIENT = {"type": "OnFailure", "onSubmissionFailureRetries": 2, "onSubmissionFailureRetryInterval": 10}


@dataclass(frozen=True)
class Case:
    """What happens to an application, one thing after the other with a look after each, and the states that are published.

    Args:
        name: the transition.
        moves: names of the cluster's methods, or changes of the spec, or seconds that pass, or what the API server refuses.
        states: the states one after the other; `none` where there is none.
        reason: the reason in the end.
        policy: the restart policy.
    """

    name: str
    moves: tuple[Any, ...]
    states: str
    reason: str = ""
    policy: Object = field(default_factory=dict)


SUSPEND, RESUME, CHANGE, ACCEPT = {"suspend": True}, {"suspend": False}, {"arguments": ["other"]}, ""
CASES = [
    Case("new to submitted once the driver pod exists", (), "SUBMITTED"),
    Case("new to failed if the submission is refused and none is left", ("full",), "FAILED", "Refused"),
    Case("submitted stays while the driver is pending", (30, 30), "SUBMITTED"),
    Case("submitted to running", ("run",), "SUBMITTED RUNNING", "Running"),
    Case("submitted to completed if the driver was never seen to run", ("complete",), "SUBMITTED COMPLETED", "Completed"),
    Case("submitted to failed if the driver was never seen to run", ("fail",), "SUBMITTED FAILED", "Error"),
    Case("submitted to failed if the driver pod is not found", ("vanish",), "SUBMITTED FAILED", "DriverDeleted"),
    Case("submitted to unknown if the node is lost", ("lose",), "SUBMITTED UNKNOWN", "NodeLost"),
    Case("running to completed", ("run", "complete"), "SUBMITTED RUNNING COMPLETED", "Completed"),
    Case("running to failed", ("run", "fail"), "SUBMITTED RUNNING FAILED", "Error"),
    Case("running to failed if the driver pod is deleted", ("run", "vanish"), "SUBMITTED RUNNING FAILED", "DriverDeleted"),
    Case("running to failed while the driver pod is deleted", ("run", "stop"), "SUBMITTED RUNNING FAILED", "DriverDeleted"),
    Case("running stays if its containers are not reported for a moment", ("run", "hide"), "SUBMITTED RUNNING", "Running"),
    Case("running to unknown", ("run", "lose"), "SUBMITTED RUNNING UNKNOWN", "NodeLost"),
    Case("unknown to running", ("run", "lose", "run"), "SUBMITTED RUNNING UNKNOWN RUNNING", "Running"),
    Case("unknown to completed", ("run", "lose", "complete"), "SUBMITTED RUNNING UNKNOWN COMPLETED", "Completed"),
    Case("unknown to failed", ("run", "lose", "vanish"), "SUBMITTED RUNNING UNKNOWN FAILED", "DriverDeleted"),
    Case("submission failed stays submitted until the wait is over", ("full", 9), "SUBMITTED", "Refused", PATIENT),
    Case("submission failed to submitted after the wait", ("full", ACCEPT, 11), "SUBMITTED", "DriverStarting", PATIENT),
    Case("submission failed to failed after the last", ("full", 11, 21), "SUBMITTED FAILED", "Refused", PATIENT),
    Case("submission failed goes on without end if always", ("full", 11, 21, 31, 41), "SUBMITTED", "Refused", ALWAYS),
    Case("submission failed to none if suspended", ("full", SUSPEND), "SUBMITTED none", "Suspended", PATIENT),
    Case(
        "submission failed to submitted if changed",
        ("full", ACCEPT, CHANGE),
        "SUBMITTED none SUBMITTED",
        "DriverStarting",
        PATIENT,
    ),
    Case("failing while an attempt is left", ("run", "fail", 9), "SUBMITTED RUNNING FAILING", "Error", RETRY),
    Case(
        "failing to pending rerun to submitted",
        ("run", "fail", 11),
        "SUBMITTED RUNNING FAILING PENDING_RERUN SUBMITTED",
        "DriverStarting",
        RETRY,
    ),
    Case(
        "failing to failed after the last attempt",
        ("fail", 11, "fail"),
        "SUBMITTED FAILING PENDING_RERUN SUBMITTED FAILED",
        "Error",
        RETRY,
    ),
    Case("failing if the driver pod is deleted and an attempt is left", ("vanish",), "SUBMITTED FAILING", "DriverDeleted", RETRY),
    Case("failing to suspended", ("fail", SUSPEND), "SUBMITTED FAILING SUSPENDING SUSPENDED", "Suspended", RETRY),
    Case("succeeding if always", ("complete", 9), "SUBMITTED SUCCEEDING", "Completed", ALWAYS),
    Case(
        "succeeding to pending rerun to submitted",
        ("complete", 11),
        "SUBMITTED SUCCEEDING PENDING_RERUN SUBMITTED",
        "DriverStarting",
        ALWAYS,
    ),
    Case("succeeding to suspended", ("complete", SUSPEND), "SUBMITTED SUCCEEDING SUSPENDING SUSPENDED", "Suspended", ALWAYS),
    Case(
        "pending rerun stays submitted if it is refused",
        ("fail", "full", 11),
        "SUBMITTED FAILING PENDING_RERUN SUBMITTED",
        "Refused",
        PATIENT | RETRY,
    ),
    Case("submitted to suspended", (SUSPEND,), "SUBMITTED SUSPENDING SUSPENDED", "Suspended"),
    Case("running to suspended", ("run", SUSPEND), "SUBMITTED RUNNING SUSPENDING SUSPENDED", "Suspended"),
    Case("unknown to suspended", ("lose", SUSPEND), "SUBMITTED UNKNOWN SUSPENDING SUSPENDED", "Suspended"),
    Case("suspended to submitted", (SUSPEND, RESUME), "SUBMITTED SUSPENDING SUSPENDED SUBMITTED", "DriverStarting"),
    Case(
        "suspended to suspended if changed",
        (SUSPEND, CHANGE),
        "SUBMITTED SUSPENDING SUSPENDED INVALIDATING SUSPENDING SUSPENDED",
        "Suspended",
    ),
    Case("completed stays if suspended", ("complete", SUSPEND, RESUME), "SUBMITTED COMPLETED", "Completed"),
    Case("failed stays if suspended", ("fail", SUSPEND, RESUME), "SUBMITTED FAILED", "Error"),
    Case("completed stays if its driver is deleted", ("complete", "vanish"), "SUBMITTED COMPLETED", "Completed"),
    Case("failed stays if its driver is deleted", ("fail", "vanish"), "SUBMITTED FAILED", "Error"),
    Case("submitted to invalidating", (CHANGE,), "SUBMITTED INVALIDATING SUBMITTED", "DriverStarting"),
    Case("running to invalidating", ("run", CHANGE), "SUBMITTED RUNNING INVALIDATING SUBMITTED", "DriverStarting"),
    Case("unknown to invalidating", ("lose", CHANGE), "SUBMITTED UNKNOWN INVALIDATING SUBMITTED", "DriverStarting"),
    Case("failing to invalidating", ("fail", CHANGE), "SUBMITTED FAILING INVALIDATING SUBMITTED", "DriverStarting", RETRY),
    Case("completed to invalidating", ("complete", CHANGE), "SUBMITTED COMPLETED INVALIDATING SUBMITTED", "DriverStarting"),
    Case("failed to invalidating", ("fail", CHANGE), "SUBMITTED FAILED INVALIDATING SUBMITTED", "DriverStarting"),
    Case(
        "failed to submitted if changed and no driver was ever there",
        ("full", ACCEPT, CHANGE),
        "FAILED none SUBMITTED",
        "DriverStarting",
    ),
]


def move(cluster: Cluster, what: Any) -> None:
    """Have one thing happen."""
    if isinstance(what, dict):
        cluster.change(**what)
    elif isinstance(what, int):
        cluster.later(what)
    elif what in ("", "full"):
        cluster.refuse = what
    elif what == "lose":
        cluster.become(state=observe.UNKNOWN, reason="NodeLost", message="The node of the driver does not answer")
    elif what == "run":
        cluster.become(state=observe.RUNNING, reason="Running", message="", started="2026-03-01T12:00:10Z")
    else:
        getattr(cluster, what)()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def should_go_from_state_to_state_as_kubeflows_operator_does(case: Case) -> None:
    cluster = Cluster(application(**({"restartPolicy": case.policy} if case.policy else {})))
    if case.moves[:1] == ("full",):
        cluster.refuse = "full"
    states: list[str] = []
    for what in (None, *case.moves):
        if what is not None:
            move(cluster, what)
        for _ in range(6):
            cluster.look()
            if not states or states[-1] != cluster.state:
                states.append(cluster.state)
    assert " ".join(published or "none" for published in states) == case.states
    assert not case.reason or cluster.status["reason"] == case.reason
    assert len(cluster.made) == len(set(cluster.made))


@pytest.mark.parametrize("policy", [{}, {"type": "Never"}, {"type": "OnFailure"}, {"type": "OnFailure", "onFailureRetries": 0}])
def should_run_once_if_the_policy_grants_no_retry(policy: Object) -> None:
    cluster = Cluster(application(restartPolicy=policy))
    cluster.settle()
    cluster.fail()
    cluster.later(1000)
    cluster.settle()
    assert (cluster.state, len(cluster.made)) == ("FAILED", 1)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 15)])
def should_wait_attempts_times_five_seconds_if_the_policy_names_no_interval(attempt: int, seconds: int) -> None:
    cluster = Cluster(application(restartPolicy={"type": "OnFailure", "onFailureRetries": 9}))
    cluster.settle()
    for _ in range(attempt - 1):
        cluster.fail()
        cluster.settle()
        cluster.later(1000)
        cluster.settle()
    cluster.fail()
    assert cluster.look().wait == seconds
    cluster.later(seconds - 1)
    assert cluster.look().wait == 1
    cluster.later(1)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(cluster.made) == attempt + 1


@pytest.mark.parametrize(("how", "published"), [("complete", "COMPLETED"), ("fail", "FAILED")])
def should_keep_how_a_driver_ended_if_it_is_suspended_before_that_is_seen(how: str, published: str) -> None:
    cluster = Cluster(application())
    cluster.settle()
    getattr(cluster, how)()
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.state == published and cluster.driver is not None, "its log is there to be read"
    cluster.change(suspend=False)
    cluster.settle()
    assert cluster.state == published and len(cluster.made) == 1, "what is done is not done again"


@pytest.mark.parametrize("killed", [0, 1, 2])
def should_find_its_own_driver_again_if_the_controller_was_killed_while_it_made_it(killed: int) -> None:
    cluster = Cluster(application())
    cluster.look(killed)
    cluster.settle()
    assert cluster.state == "SUBMITTED" and len(cluster.made) == 1
    assert cluster.status["submissionID"] == cluster.made[0]


@pytest.mark.parametrize("killed", [0, 1, 2])
@pytest.mark.parametrize("wish", [SUSPEND, CHANGE])
def should_reach_what_is_wished_if_the_controller_was_killed_in_each_look(killed: int, wish: Object) -> None:
    cluster = Cluster(application(), graceful=True)
    cluster.settle()
    cluster.run()
    cluster.change(**wish)
    for _ in range(8):
        cluster.look(killed)
        cluster.look()
        if cluster.driver and cluster.driver.deleting:
            cluster.vanish()
    assert cluster.state == ("SUSPENDED" if wish is SUSPEND else "SUBMITTED")
    assert len(set(cluster.made)) == len(cluster.made) == (1 if wish is SUSPEND else 2)


@pytest.mark.parametrize("wish", [SUSPEND, CHANGE])
def should_not_go_on_before_a_driver_that_is_being_deleted_is_gone(wish: Object) -> None:
    cluster = Cluster(application(), graceful=True)
    cluster.settle()
    cluster.change(**wish)
    cluster.settle()
    assert cluster.state == ("SUSPENDING" if wish is SUSPEND else "INVALIDATING") and len(cluster.made) == 1
    cluster.later(50)
    assert cluster.look().action is Action.NOTHING and len(cluster.made) == 1
    cluster.vanish()
    cluster.settle()
    assert cluster.state == ("SUSPENDED" if wish is SUSPEND else "SUBMITTED")


def should_give_executors_a_last_state_if_the_driver_of_an_ended_application_is_deleted() -> None:
    cluster = Cluster(application())
    cluster.settle()
    cluster.complete()
    cluster.settle()
    cluster.app["status"]["executorState"] = {"job-exec-1": "RUNNING"}
    cluster.vanish()
    cluster.settle()
    assert cluster.status["executorState"] == {"job-exec-1": "COMPLETED"}


@pytest.mark.parametrize(("seconds", "action"), [(0, Action.DELETE), (60, Action.NOTHING), (None, Action.NOTHING)])
@pytest.mark.parametrize("how", ["complete", "fail"])
def should_delete_an_ended_application_at_once_if_its_time_to_live_is_nothing(
    seconds: int | None, action: Action, how: str
) -> None:
    cluster = Cluster(application(**({} if seconds is None else {"timeToLiveSeconds": seconds})))
    cluster.settle()
    cluster.become(finished=times.text(cluster.now))
    getattr(cluster, how)()
    cluster.become(finished=times.text(cluster.now))
    cluster.later(60)
    cluster.look()
    assert cluster.look().action is action


def should_take_a_time_to_live_that_is_set_after_the_end() -> None:
    cluster = Cluster(application())
    cluster.settle()
    cluster.complete()
    cluster.settle()
    cluster.later(3600)
    assert cluster.look().action is Action.NOTHING
    cluster.change(timeToLiveSeconds=60)
    assert cluster.look().action is Action.DELETE


def should_tell_of_ignored_fields_and_no_longer_when_there_are_none() -> None:
    cluster = Cluster(application())
    wanted = Submission("s-1", "spark-1")
    first = lifecycle.submitted(cluster.app, {}, wanted, {"podName": "job-driver"}, ["mode", "proxyUser"], cluster.now)
    told = condition(first.status, "FieldsIgnored")
    assert told and (told["status"], told["message"]) == ("True", "Accepted and not acted on: mode, proxyUser")
    assert first.status["ignoredFields"] == ["mode", "proxyUser"]
    assert [event.reason for event in first.events] == ["SparkApplicationSubmitted", "SparkApplicationFieldsIgnored"]
    second = lifecycle.submitted(cluster.app, first.status, wanted, {"podName": "job-driver"}, [], cluster.now)
    told = condition(second.status, "FieldsIgnored")
    assert told and told["status"] == "False" and "ignoredFields" not in second.status


POLICIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["Never", "OnFailure", "Always"])},
    optional={
        "onFailureRetries": st.integers(0, 3),
        "onFailureRetryInterval": st.integers(1, 5),
        "onSubmissionFailureRetries": st.integers(0, 3),
        "onSubmissionFailureRetryInterval": st.integers(1, 5),
    },
)
LOOKS = st.tuples(st.just("look"), st.sampled_from([0, 1, 2, 99, 99, 99]))
HAPPENS = st.sampled_from(["run", "complete", "fail", "lose", "vanish", "full", ACCEPT])
WISHES = st.sampled_from(["suspend", "resume", "change"])
TIMES = st.integers(0, 30)
MOVES = st.lists(st.one_of(LOOKS, LOOKS, HAPPENS, WISHES, TIMES), max_size=40)


def play(cluster: Cluster, what: Any) -> None:
    """Have one thing happen, a look of a controller that may be killed in it among them."""
    if isinstance(what, tuple):
        cluster.look(what[1])
    elif what == "change":
        cluster.change(arguments=[str(cluster.app["metadata"]["generation"])])
    elif what in ("suspend", "resume"):
        cluster.change(suspend=what == "suspend")
    else:
        move(cluster, what)


@settings(max_examples=300, deadline=None)
@given(POLICIES, st.booleans(), MOVES)
def should_keep_every_promise_of_its_status_whatever_happens(policy: Object, graceful: bool, moves: list[Any]) -> None:
    cluster = Cluster(application(restartPolicy=policy), graceful=graceful)
    for what in moves:
        play(cluster, what)
        status, published = cluster.status, cluster.state
        assert published in state.STATES
        if not cluster.made:
            assert published in ("", "SUBMITTED", "FAILED"), "Airflow takes any other for a driver that runs"
            assert published or "applicationState" not in status, "Airflow takes an empty state for a driver that runs"
        if published == "FAILED":
            assert status["applicationState"]["errorMessage"] and status["reason"] and status["terminationTime"]
        if published in ("RUNNING", "COMPLETED"):
            assert "errorMessage" not in status["applicationState"]
        for kind, states in (
            ("Running", ("RUNNING",)),
            ("Complete", ("COMPLETED",)),
            ("Failed", ("FAILED",)),
        ):
            told = condition(status, kind)
            assert (bool(told) and told["status"] == "True") == (published in states), kind  # type: ignore[index]
        assert (
            status.get("submissionAttempts", 0) <= policy.get("onSubmissionFailureRetries", 0) + 1 or policy["type"] == "Always"
        )


@settings(max_examples=300, deadline=None)
@given(POLICIES, st.booleans(), MOVES)
def should_always_wait_for_something_that_comes(policy: Object, graceful: bool, moves: list[Any]) -> None:
    cluster = Cluster(application(restartPolicy=policy), graceful=graceful)
    for what in moves:
        play(cluster, what)
    cluster.settle()
    step = cluster.look()
    if cluster.state in state.ENDED:
        return
    if cluster.app["spec"].get("suspend") and not cluster.driver:
        assert cluster.status["reason"] == "Suspended"
        return
    assert cluster.driver or step.wait is not None, "nothing will ever ask for another look"
    # a driver that no status tells of, and that has to go first, is waited for without a word
    assert cluster.status.get("reason") or (cluster.driver and cluster.driver.deleting)


@settings(max_examples=300, deadline=None)
@given(POLICIES, st.booleans(), MOVES)
def should_end_or_go_on_as_the_policy_says_when_nothing_is_in_the_way(policy: Object, graceful: bool, moves: list[Any]) -> None:
    cluster = Cluster(application(restartPolicy=policy), graceful=graceful)
    for what in moves:
        play(cluster, what)
    cluster.change(suspend=False)
    cluster.refuse = ""
    drivers = len(cluster.made)
    for _ in range(30):
        cluster.settle()
        if cluster.driver and cluster.driver.deleting:
            cluster.vanish()
        cluster.complete()
        cluster.later(500)
    if cluster.state in state.ENDED:
        assert policy["type"] != "Always" or cluster.state == "FAILED"
    else:
        assert policy["type"] == "Always" and len(cluster.made) > drivers + 5, f"stuck in {cluster.state}"


@settings(max_examples=200, deadline=None)
@given(POLICIES, st.booleans(), MOVES)
def should_make_a_driver_for_no_submission_twice_unless_the_first_was_taken_away(
    policy: Object, graceful: bool, moves: list[Any]
) -> None:
    cluster = Cluster(application(restartPolicy=policy), graceful=graceful)
    taken = 0
    for what in moves:
        taken += what == "vanish"
        play(cluster, what)
    assert len(cluster.made) - len(set(cluster.made)) <= taken


@settings(max_examples=200, deadline=None)
@given(POLICIES, MOVES)
def should_tell_each_thing_once_and_settle(policy: Object, moves: list[Any]) -> None:
    cluster = Cluster(application(restartPolicy=policy))
    for what in moves:
        play(cluster, what)
    cluster.settle()
    before, told = deepcopy(cluster.app), list(cluster.events)
    for _ in range(3):
        cluster.look()
    assert (cluster.app, cluster.events) == (before, told)
