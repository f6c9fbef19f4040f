"""The life of a SparkApplication: from what is seen to what is to be done, without touching anything.

`step` is asked again and again and always gives the same answer for the same input, so a controller that died between
two steps goes on where it was. States and transitions are kubeflow's (docs/sparkapplications.md has the picture), with two
readings that Airflow asks for: no state is published before the driver pod exists, and a submission that failed and will be
tried again is still SUBMITTED.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airspark_operator import executors, observe, times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.observe import PodView
from airspark_operator.state import (
    COMPLETED,
    FAILED,
    FAILING,
    INVALIDATING,
    NEW,
    NORMAL,
    PENDING_RERUN,
    RESUMING,
    RETRY_INTERVAL,
    RUNNING,
    SUBMISSION_FAILED,
    SUBMITTED,
    SUCCEEDING,
    SUSPENDED,
    SUSPENDING,
    UNKNOWN,
    WARNING,
    Action,
    Event,
    Step,
    state_of,
)
from airspark_operator.submission import Submission, spec_hash


def step(app: Object, driver: PodView | None, pods: tuple[PodView, ...], now: datetime, tracked: int = 1000) -> Step:
    """Return what follows from an application and its pods.

    Args:
        app: the SparkApplication.
        driver: its driver pod; None only if the API server says that there is none.
        pods: its executors.
        now: the present.
        tracked: most executors in the status.
    """
    status = deepcopy(app.get("status") or {})
    if app["metadata"].get("deletionTimestamp"):
        return Step(status)
    look = _Look(app["spec"], status, driver, now)
    if _changed(app):
        _observe(app, status)
        return _invalidate(look)
    _observe(app, status)
    failed = executors.record(status, pods, driver, tracked)
    if failed:
        count = status["executorFailures"]
        number = f"{count} executors have" if count > 1 else "1 executor has"
        message = f"{number} failed so far; {failed[-1].name}: {failed[-1].message}"
        set_condition(status, "ExecutorsHealthy", False, failed[-1].reason, message, times.text(now))
    following = STEPS[state_of(status)](look)
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
    look = _Look(app["spec"], status, None, now)
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


def not_submitted(app: Object, status: Object, reason: str, message: str, now: datetime, *, final: bool = False) -> Step:
    """Return what follows from a submission that was refused.

    Args:
        app: the SparkApplication.
        status: its status before.
        reason: one CamelCase word.
        message: a sentence: who refused what, and why.
        now: the present.
        final: whether another attempt would be refused as well, as for a spec that is wrong.
    """
    status = deepcopy(status)
    look = _Look(app["spec"], status, None, now)
    attempts = status["submissionAttempts"] = status.get("submissionAttempts", 0) + 1
    status["lastSubmissionAttemptTime"] = times.text(now)
    event = Event(WARNING, "SparkApplicationSubmissionFailed", message)
    endless = look.policy.get("type") == "Always"
    if final or (not endless and attempts > look.policy.get("onSubmissionFailureRetries", 0)):
        return _end(look, reason, message, event)
    look.to(SUBMITTED, reason, message)
    wait = look.policy.get("onSubmissionFailureRetryInterval", RETRY_INTERVAL) * attempts
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


@dataclass(frozen=True)
class _Look:
    """What a step sees; the status is its own copy."""

    spec: Object
    status: Object
    driver: PodView | None
    now: datetime

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def policy(self) -> Object:
        return self.spec.get("restartPolicy") or {}

    def to(self, state: str, reason: str, message: str = "") -> Object:
        """Put a state into the status, with its reason and the conditions that say the same in the standard way."""
        status, now = self.status, times.text(self.now)
        old = state_of(status)
        application_state = {"state": state} | ({"errorMessage": message} if message else {})
        status["applicationState"] = application_state
        status["reason"] = reason
        if state != old:
            status.pop("nextAttemptTime", None)
        told = reason or state.title()
        set_condition(status, "Running", state == RUNNING, told, message, now)
        set_condition(status, "Complete", state == COMPLETED, told, message if state == COMPLETED else "", now)
        set_condition(status, "Failed", state == FAILED, told, message if state == FAILED else "", now)
        set_condition(status, "Suspended", state in (SUSPENDING, SUSPENDED), told, "", now)
        return status


def _invalidate(look: _Look) -> Step:
    """Begin anew with a changed spec, whatever the state was."""
    said = "The spec has changed; the application begins anew"
    status = look.to(INVALIDATING, "SpecChanged", said) if look.status.get("submissionID") else _unpublish(look, "SpecChanged")
    event = Event(NORMAL, "SparkApplicationSpecUpdated", said)
    return Step(_anew(status), Action.DELETE_DRIVER, events=(event,))


def _unpublish(look: _Look, reason: str) -> Object:
    """Have no state again, as before the first submission: no driver has ever been there."""
    status = look.to(NEW, reason)
    del status["applicationState"]
    return status


def _anew(status: Object) -> Object:
    """Count another run: attempts begin at one, and nothing of the last run is left."""
    status["runNumber"] = status.get("runNumber", 0) + 1
    status["executionAttempts"] = status["submissionAttempts"] = 0
    for name in ("executorState", "executorFailures", "terminationTime", "startTime", "nextAttemptTime", "driverInfo"):
        status.pop(name, None)
    return status


def _new(look: _Look) -> Step:
    """Submit, unless it is suspended: that is no state yet, because Airflow would take any for a driver that runs."""
    status, now = look.status, times.text(look.now)
    if not look.suspended:
        set_condition(status, "Suspended", False, "Active", "", now)
        status.pop("reason", None)
        return Step(status, Action.SUBMIT)
    if look.driver:
        return _stop(look)
    status["reason"] = "Suspended"
    set_condition(status, "Suspended", True, "Suspended", "Waits for spec.suspend to be false", now)
    return Step(status)


def _stop(look: _Look) -> Step:
    """Delete the driver because the application is suspended; one that no status tells of yet, too."""
    return Step(look.to(SUSPENDING, "Suspending"), Action.DELETE_DRIVER)


def _submission_failed(look: _Look) -> Step:
    if look.suspended and not look.driver and not look.status.get("submissionID"):
        _anew(_unpublish(look, "Suspended"))
        return _new(look)
    if look.suspended:
        return _stop(look) if look.driver else Step(look.to(SUSPENDED, "Suspended"))
    wait = times.seconds_until(look.status["nextAttemptTime"], look.now)
    return Step(look.status, wait=wait) if wait > 0 else Step(look.status, Action.SUBMIT)


def _driven(look: _Look) -> Step:
    """Follow the driver pod; how it has ended goes before a wish to suspend it, or work that is done would be done again."""
    driver, status = look.driver, look.status
    ended = driver is not None and driver.submission == status.get("submissionID") and driver.state in observe.ENDED
    if look.suspended and not ended:
        event = Event(NORMAL, "SparkApplicationSuspending", "Suspended: the driver and its executors are deleted")
        return Step(look.to(SUSPENDING, "Suspending"), Action.DELETE_DRIVER, events=(event,))
    if driver is None or driver.submission != status.get("submissionID"):
        name = (status.get("driverInfo") or {}).get("podName", "")
        return _failing(look, "DriverDeleted", f"The driver pod {name} was deleted before it ended")
    if driver.state == observe.COMPLETED:
        return _succeeding(look)
    if driver.state == observe.FAILED:
        return _failing(look, driver.reason, driver.message)
    if driver.state == observe.PENDING and driver.reason in observe.HOPELESS:
        return _failing(look, driver.reason, driver.message)
    if driver.state == observe.UNKNOWN:
        return Step(look.to(UNKNOWN, driver.reason, driver.message))
    if driver.state == observe.PENDING:
        return _pending(look, driver)
    if state_of(status) == RUNNING:
        return Step(look.to(RUNNING, "Running"))
    if driver.started:
        status["startTime"] = driver.started
    event = Event(NORMAL, "SparkDriverRunning", f"The driver {driver.name} runs")
    return Step(look.to(RUNNING, "Running"), events=(event,))


def _pending(look: _Look, driver: PodView) -> Step:
    """Say what a driver waits for; an event each time that changes to something new."""
    told = look.status.get("reason")
    status = look.to(SUBMITTED, driver.reason, driver.message)
    news = driver.message and told != driver.reason
    return Step(status, events=(Event(WARNING, "SparkDriverPending", driver.message),) if news else ())


def _succeeding(look: _Look) -> Step:
    driver = look.driver
    assert driver
    event = Event(NORMAL, "SparkDriverCompleted", f"The driver {driver.name} has completed")
    _stamp(look)
    executors.settle(look.status, observe.COMPLETED)
    if look.policy.get("type") == "Always":
        return _again(look, SUCCEEDING, "Completed", "", event)
    done = Event(NORMAL, "SparkApplicationCompleted", "The application has completed")
    return Step(look.to(COMPLETED, "Completed"), Action.TIDY, events=(event, done))


def _failing(look: _Look, reason: str, message: str) -> Step:
    """A failed driver: another attempt if the policy has one left, else the end."""
    _stamp(look)
    executors.settle(look.status, observe.UNKNOWN)
    event = Event(WARNING, "SparkDriverFailed", message)
    kind, retries = look.policy.get("type", "Never"), look.policy.get("onFailureRetries", 0)
    if kind == "Always" or (kind == "OnFailure" and look.status.get("executionAttempts", 0) <= retries):
        return _again(look, FAILING, reason, message, event)
    return _end(look, reason, message, event)


def _end(look: _Look, reason: str, message: str, *events: Event) -> Step:
    _stamp(look)
    failed = Event(WARNING, "SparkApplicationFailed", message)
    return Step(look.to(FAILED, reason, message), Action.TIDY, events=(*events, failed))


def _stamp(look: _Look) -> None:
    """Write down when the driver ended: its own time, if it has one."""
    driver = look.driver
    look.status["terminationTime"] = (driver.finished if driver else "") or times.text(look.now)
    if driver and driver.started:
        look.status.setdefault("startTime", driver.started)


def _again(look: _Look, state: str, reason: str, message: str, *events: Event) -> Step:
    """Wait for the next attempt: attempts × interval, as kubeflow's operator does."""
    interval = look.policy.get("onFailureRetryInterval", RETRY_INTERVAL)
    wait = interval * max(1, look.status.get("executionAttempts", 1))
    status = look.to(state, reason, message)
    status["nextAttemptTime"] = times.text(look.now + timedelta(seconds=wait))
    return Step(status, wait=wait, events=events)


def _between(look: _Look) -> Step:
    """SUCCEEDING and FAILING: the driver has ended and another attempt follows."""
    if look.suspended:
        return _stop(look)
    wait = times.seconds_until(look.status.get("nextAttemptTime") or times.text(look.now), look.now)
    if wait > 0:
        return Step(look.status, wait=wait)
    message = f"Attempt {look.status.get('executionAttempts', 0) + 1} begins"
    status = look.to(PENDING_RERUN, "Rerun", message)
    status["submissionAttempts"] = 0
    return Step(status, Action.DELETE_DRIVER, events=(Event(NORMAL, "SparkApplicationPendingRerun", message),))


def _rerun(look: _Look) -> Step:
    """Submit once the last driver is gone; a driver of the next submission is there if the controller died after making it."""
    if look.suspended:
        return _stop(look)
    driver = look.driver
    if driver is None or driver.submission != look.status.get("submissionID"):
        return Step(look.status, Action.SUBMIT)
    return Step(look.status, Action.NOTHING if driver.deleting else Action.DELETE_DRIVER)


def _invalidating(look: _Look) -> Step:
    """Submit once the old driver is gone; the new one is there if the controller died after making it."""
    driver = look.driver
    if look.suspended:
        return _stop(look)
    if driver is None or driver.submission != look.status.get("submissionID"):
        return Step(look.to(PENDING_RERUN, "Rerun", "The application begins anew"), Action.SUBMIT)
    return Step(look.status, Action.NOTHING if driver.deleting else Action.DELETE_DRIVER)


def _suspending(look: _Look) -> Step:
    if look.driver is None:
        look.status.pop("driverInfo", None)
        executors.settle(look.status, observe.UNKNOWN)
        event = Event(NORMAL, "SparkApplicationSuspended", "The application is suspended")
        return Step(look.to(SUSPENDED, "Suspended"), events=(event,))
    return Step(look.status, Action.NOTHING if look.driver.deleting else Action.DELETE_DRIVER)


def _suspended(look: _Look) -> Step:
    if look.suspended:
        return _stop(look) if look.driver else Step(look.status)
    event = Event(NORMAL, "SparkApplicationResumed", "The application is resumed: it begins anew")
    return Step(_anew(look.to(RESUMING, "Resuming")), Action.SUBMIT, events=(event,))


def _resuming(look: _Look) -> Step:
    if look.suspended:
        return _stop(look)
    return Step(look.status, Action.SUBMIT)


def _ended(look: _Look) -> Step:
    """Completed or failed: delete the application when its time to live has passed."""
    if look.driver is None:
        executors.settle(look.status, observe.COMPLETED if state_of(look.status) == COMPLETED else observe.UNKNOWN)
    seconds = look.spec.get("timeToLiveSeconds")
    ended = look.status.get("terminationTime")
    if seconds is None or not ended:
        return Step(look.status)
    wait = times.seconds_until(ended, look.now) + seconds
    return Step(look.status, wait=wait) if wait > 0 else Step(look.status, Action.DELETE)


STEPS: dict[str, Callable[[_Look], Step]] = {
    NEW: _new,
    SUBMISSION_FAILED: _submission_failed,
    SUBMITTED: _driven,
    RUNNING: _driven,
    UNKNOWN: _driven,
    SUCCEEDING: _between,
    FAILING: _between,
    PENDING_RERUN: _rerun,
    INVALIDATING: _invalidating,
    SUSPENDING: _suspending,
    SUSPENDED: _suspended,
    RESUMING: _resuming,
    COMPLETED: _ended,
    FAILED: _ended,
}
