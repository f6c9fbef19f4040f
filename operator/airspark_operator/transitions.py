"""What follows from each state of a SparkApplication: one function a state, asked by lifecycle.step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Look:
    """What a step sees.

    Args:
        spec: the application's.
        status: a copy of its own, changed in place.
        driver: the driver pod; None if there is none.
        now: the present.
    """

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


def invalidate(look: Look) -> Step:
    """Begin anew with a changed spec, whatever the state was."""
    said = "The spec has changed; the application begins anew"
    status = look.to(INVALIDATING, "SpecChanged", said) if look.status.get("submissionID") else _unpublish(look, "SpecChanged")
    event = Event(NORMAL, "SparkApplicationSpecUpdated", said)
    return Step(_anew(status), Action.DELETE_DRIVER, events=(event,))


def _unpublish(look: Look, reason: str) -> Object:
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


def _new(look: Look) -> Step:
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


def _stop(look: Look) -> Step:
    """Delete the driver because the application is suspended; one that no status tells of yet, too."""
    return Step(look.to(SUSPENDING, "Suspending"), Action.DELETE_DRIVER)


def _submission_failed(look: Look) -> Step:
    if look.suspended and not look.driver and not look.status.get("submissionID"):
        _anew(_unpublish(look, "Suspended"))
        return _new(look)
    if look.suspended:
        return _stop(look) if look.driver else Step(look.to(SUSPENDED, "Suspended"))
    wait = times.seconds_until(look.status["nextAttemptTime"], look.now)
    return Step(look.status, wait=wait) if wait > 0 else Step(look.status, Action.SUBMIT)


def _driven(look: Look) -> Step:
    """Follow the driver pod; how it has ended goes before a wish to suspend it, or work that is done would be done again."""
    driver, status = look.driver, look.status
    ended = driver is not None and driver.submission == status.get("submissionID") and driver.state in observe.ENDED
    if look.suspended and not ended:
        event = Event(NORMAL, "SparkApplicationSuspending", "Suspended: the driver and its executors are deleted")
        return Step(look.to(SUSPENDING, "Suspending"), Action.DELETE_DRIVER, events=(event,))
    if driver is None or driver.submission != status.get("submissionID"):
        return _deleted(look)
    if driver.state == observe.COMPLETED:
        return _succeeding(look)
    if driver.state == observe.FAILED:
        by_its_deletion = driver.deleting and driver.reason in ("Terminated", "Killed")
        return _deleted(look) if by_its_deletion else _failing(look, driver.reason, driver.message)
    if driver.state == observe.PENDING and driver.reason in observe.HOPELESS:
        return _failing(look, driver.reason, driver.message)
    if driver.state == observe.UNKNOWN:
        return Step(look.to(UNKNOWN, driver.reason, driver.message))
    if driver.state == observe.PENDING and state_of(status) == RUNNING:
        return Step(status)  # a kubelet that starts anew may report no containers for a moment
    if driver.state == observe.PENDING:
        return _pending(look, driver)
    if state_of(status) == RUNNING:
        return Step(look.to(RUNNING, "Running"))
    if driver.started:
        status["startTime"] = driver.started
    event = Event(NORMAL, "SparkDriverRunning", f"The driver {driver.name} runs")
    return Step(look.to(RUNNING, "Running"), events=(event,))


def _deleted(look: Look) -> Step:
    """Fail because somebody deleted the driver."""
    name = (look.status.get("driverInfo") or {}).get("podName", "")
    return _failing(look, "DriverDeleted", f"The driver pod {name} was deleted before it ended")


def _pending(look: Look, driver: PodView) -> Step:
    """Say what a driver waits for; an event each time that changes to something new."""
    told = look.status.get("reason")
    status = look.to(SUBMITTED, driver.reason, driver.message)
    news = driver.message and told != driver.reason
    return Step(status, events=(Event(WARNING, "SparkDriverPending", driver.message),) if news else ())


def _succeeding(look: Look) -> Step:
    driver = look.driver
    assert driver
    event = Event(NORMAL, "SparkDriverCompleted", f"The driver {driver.name} has completed")
    _stamp(look)
    executors.settle(look.status, observe.COMPLETED)
    if look.policy.get("type") == "Always":
        return _again(look, SUCCEEDING, "Completed", "", event)
    done = Event(NORMAL, "SparkApplicationCompleted", "The application has completed")
    return Step(look.to(COMPLETED, "Completed"), Action.TIDY, events=(event, done))


def _failing(look: Look, reason: str, message: str) -> Step:
    """A failed driver: another attempt if the policy has one left, else the end."""
    _stamp(look)
    executors.settle(look.status, observe.UNKNOWN)
    event = Event(WARNING, "SparkDriverFailed", message)
    kind, retries = look.policy.get("type", "Never"), look.policy.get("onFailureRetries", 0)
    if kind == "Always" or (kind == "OnFailure" and look.status.get("executionAttempts", 0) <= retries):
        return _again(look, FAILING, reason, message, event)
    return end(look, reason, message, event)


def end(look: Look, reason: str, message: str, *events: Event) -> Step:
    """Fail for good.

    Args:
        look: what is seen.
        reason: one CamelCase word.
        message: a sentence.
        events: what is told before the end.
    """
    _stamp(look)
    failed = Event(WARNING, "SparkApplicationFailed", message)
    return Step(look.to(FAILED, reason, message), Action.TIDY, events=(*events, failed))


def _stamp(look: Look) -> None:
    """Write down when the driver ended: its own time, if it has one."""
    driver = look.driver
    look.status["terminationTime"] = (driver.finished if driver else "") or times.text(look.now)
    if driver and driver.started:
        look.status.setdefault("startTime", driver.started)


def _again(look: Look, state: str, reason: str, message: str, *events: Event) -> Step:
    """Wait for the next attempt: attempts × interval, as kubeflow's operator does."""
    interval = look.policy.get("onFailureRetryInterval", RETRY_INTERVAL)
    wait = interval * max(1, look.status.get("executionAttempts", 1))
    status = look.to(state, reason, message)
    status["nextAttemptTime"] = times.text(look.now + timedelta(seconds=wait))
    return Step(status, wait=wait, events=events)


def _between(look: Look) -> Step:
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


def _rerun(look: Look) -> Step:
    """Submit once the last driver is gone; a driver of the next submission is there if the controller died after making it."""
    if look.suspended:
        return _stop(look)
    driver = look.driver
    if driver is None or driver.submission != look.status.get("submissionID"):
        return Step(look.status, Action.SUBMIT)
    return Step(look.status, Action.NOTHING if driver.deleting else Action.DELETE_DRIVER)


def _invalidating(look: Look) -> Step:
    """Submit once the old driver is gone; the new one is there if the controller died after making it."""
    driver = look.driver
    if look.suspended:
        return _stop(look)
    if driver is None or driver.submission != look.status.get("submissionID"):
        return Step(look.to(PENDING_RERUN, "Rerun", "The application begins anew"), Action.SUBMIT)
    return Step(look.status, Action.NOTHING if driver.deleting else Action.DELETE_DRIVER)


def _suspending(look: Look) -> Step:
    if look.driver is None:
        look.status.pop("driverInfo", None)
        executors.settle(look.status, observe.UNKNOWN)
        event = Event(NORMAL, "SparkApplicationSuspended", "The application is suspended")
        return Step(look.to(SUSPENDED, "Suspended"), events=(event,))
    return Step(look.status, Action.NOTHING if look.driver.deleting else Action.DELETE_DRIVER)


def _suspended(look: Look) -> Step:
    if look.suspended:
        return _stop(look) if look.driver else Step(look.status)
    event = Event(NORMAL, "SparkApplicationResumed", "The application is resumed: it begins anew")
    return Step(_anew(look.to(RESUMING, "Resuming")), Action.SUBMIT, events=(event,))


def _resuming(look: Look) -> Step:
    if look.suspended:
        return _stop(look)
    return Step(look.status, Action.SUBMIT)


def _ended(look: Look) -> Step:
    """Completed or failed: delete the application when its time to live has passed."""
    if look.driver is None:
        executors.settle(look.status, observe.COMPLETED if state_of(look.status) == COMPLETED else observe.UNKNOWN)
    seconds = look.spec.get("timeToLiveSeconds")
    ended = look.status.get("terminationTime")
    if seconds is None or not ended:
        return Step(look.status)
    wait = times.seconds_until(ended, look.now) + seconds
    return Step(look.status, wait=wait) if wait > 0 else Step(look.status, Action.DELETE)


STEPS: dict[str, Callable[[Look], Step]] = {
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
