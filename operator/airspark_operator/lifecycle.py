"""The life of a SparkApplication: from what is seen to what is to be done, without touching anything.

`step` is asked again and again and always gives the same answer for the same input, so a controller that died between
two steps goes on where it was. States and transitions are kubeflow's (docs/sparkapplications.md has the picture), with two
readings that Airflow asks for: no state is published before the driver pod exists, and a submission that failed and will be
tried again is still SUBMITTED.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta

from airspark_operator import executors, state, times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.look import Look, pause
from airspark_operator.observe import PodView
from airspark_operator.state import (
    INVALIDATING,
    NEW,
    NORMAL,
    SUBMITTED,
    WARNING,
    Event,
    Limits,
    Step,
    state_of,
)
from airspark_operator.submission import Submission, spec_hash
from airspark_operator.transitions import STEPS, driven, end, invalidate

DEFAULT_LIMITS = Limits()


def step(
    app: Object,
    driver: PodView | None,
    pods: tuple[PodView, ...],
    now: datetime,
    tracked: int = 1000,
    limits: Limits = DEFAULT_LIMITS,
) -> Step:
    """Return what follows from an application and its pods.

    Args:
        app: the SparkApplication.
        driver: its driver pod; None only if the API server says that there is none.
        pods: its executors.
        now: the present.
        tracked: most executors in the status.
        limits: how long things may take.
    """
    status = state.known(app.get("status"))
    if app["metadata"].get("deletionTimestamp"):
        return Step(status)
    look = Look(app["spec"], status, driver, now, limits)
    if _changed(app):
        _observe(app, status)
        return invalidate(look)
    _observe(app, status)
    failed = executors.record(status, pods, driver, tracked)
    if failed:
        count = status["executorFailures"]
        number = f"{count} executors have" if count > 1 else "1 executor has"
        message = f"{number} failed so far; {failed[-1].name}: {failed[-1].message}"
        set_condition(status, "ExecutorsHealthy", False, failed[-1].reason, message, times.text(now))
    following = STEPS.get(state_of(status), driven)(look)
    told = tuple(Event(WARNING, "SparkExecutorFailed", f"{pod.name}: {pod.message}") for pod in failed)
    return replace(following, events=told + following.events)


def submitted(
    app: Object, status: Object, submission: Submission, driver_info: Object, ignored: list[str], now: datetime
) -> Step:
    """Return what follows from a driver pod that is there now.

    Args:
        app: the SparkApplication.
        status: its status before.
        submission: the submission that the driver belongs to.
        driver_info: `status.driverInfo`.
        ignored: fields of the spec that are set and not acted on.
        now: the present.
    """
    status = deepcopy(status)
    look = Look(app["spec"], status, None, now)
    look.to(SUBMITTED, "DriverStarting")
    for name in ("executorState", "terminationTime", "startTime"):
        status.pop(name, None)
    status |= {
        "submissionID": submission.id,
        "sparkApplicationId": submission.app_id,
        "driverInfo": driver_info,
        "executionAttempts": status.get("executionAttempts", 0) + 1,
        "submissionAttempts": status.get("submissionAttempts", 0) + 1,
        "lastSubmissionAttemptTime": times.text(now),
        "waitingSince": times.text(now),
    }
    set_condition(status, "ExecutorsHealthy", True, "NoFailures", "", times.text(now))
    events = [Event(NORMAL, "SparkApplicationSubmitted", f"The driver pod {driver_info['podName']} is created")]
    if ignored:
        status["ignoredFields"] = ignored
        message = f"Accepted and not acted on: {', '.join(ignored)}"
        set_condition(status, "FieldsIgnored", True, "NotSupported", message, times.text(now))
        events.append(Event(WARNING, "SparkApplicationFieldsIgnored", message))
    elif "ignoredFields" in status:
        del status["ignoredFields"]
        set_condition(status, "FieldsIgnored", False, "AllSupported", "", times.text(now))
    return Step(status, events=tuple(events))


def not_submitted(
    app: Object,
    status: Object,
    reason: str,
    message: str,
    now: datetime,
    *,
    final: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Step:
    """Return what follows from a submission that was refused.

    Args:
        app: the SparkApplication.
        status: its status before.
        reason: one CamelCase word.
        message: a sentence: who refused what, and why.
        now: the present.
        final: whether another attempt would be refused as well, as for a spec that is wrong.
        limits: how long things may take.
    """
    status = deepcopy(status)
    look = Look(app["spec"], status, None, now, limits)
    attempts = status["submissionAttempts"] = status.get("submissionAttempts", 0) + 1
    status["lastSubmissionAttemptTime"] = times.text(now)
    event = Event(WARNING, "SparkApplicationSubmissionFailed", message)
    if final or not look.may_submit_again:
        return end(look, reason, message, event)
    look.to(SUBMITTED, reason, message)
    wait = pause(look, "onSubmissionFailureRetryInterval", attempts)
    status["nextAttemptTime"] = times.text(now + timedelta(seconds=wait))
    return Step(status, wait=wait, events=(event,))


def _changed(app: Object) -> bool:
    """Whether the spec was changed in a way that matters since it was last looked at.

    A generation alone also changes with `suspend`; a hash alone also changes when a new CRD adds a default.
    """
    status, generation = app.get("status") or {}, app["metadata"].get("generation", 0)
    if state_of(status) in (NEW, INVALIDATING):
        return False
    return status.get("observedGeneration", generation) != generation and status.get("specHash") != spec_hash(app["spec"])


def _observe(app: Object, status: Object) -> None:
    status["observedGeneration"] = app["metadata"].get("generation", 0)
    status["specHash"] = spec_hash(app["spec"])
