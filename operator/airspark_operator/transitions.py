"""What follows from each state of a SparkApplication: one function a state, asked by lifecycle.step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from airspark_operator import executors, observe, times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.look import ALWAYS, ON_FAILURE, Look, pause
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

#: Seconds without a word of a driver's node until the driver has failed: what Kubernetes gives nodes by default.
LOST_AFTER = 300


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
    for name in ("executorState", "executorFailures", "terminationTime", "startTime", "nextAttemptTime", "driverInfo",
                 "failuresInRow", "waitingSince"):  # fmt: skip
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
    if not look.status.get("nextAttemptTime"):
        return _refused_before(look)
    wait = times.seconds_until(look.status["nextAttemptTime"], look.now)
    return Step(look.status, wait=wait) if wait > 0 else Step(look.status, Action.SUBMIT)


def _refused_before(look: Look) -> Step:
    """Take over a submission that failed under kubeflow's operator, which publishes that and no time of the next attempt."""
    message = (look.status.get("applicationState") or {}).get("errorMessage") or "The submission failed"
    attempts = look.status["submissionAttempts"] = look.status.get("submissionAttempts") or 1
    if not look.may_submit_again:
        return end(look, "SubmissionFailed", message)
    since = times.parse(look.status.get("lastSubmissionAttemptTime") or times.text(look.now))
    due = since + timedelta(seconds=pause(look, "onSubmissionFailureRetryInterval", attempts))
    status = look.to(SUBMITTED, "SubmissionFailed", message)
    status["nextAttemptTime"] = times.text(due)
    return Step(status, wait=max(0.0, (due - look.now).total_seconds()))


def driven(look: Look) -> Step:
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
    if driver.state == observe.UNKNOWN or observe.overdue(driver, look.now):
        return _lost(look, driver)
    if driver.state == observe.PENDING and state_of(status) == RUNNING:
        # a kubelet that restarts may report no containers for a moment
        return Step(status, wait=observe.overdue_in(driver, look.now))
    if driver.state == observe.PENDING:
        return _pending(look, driver)
    if state_of(status) == RUNNING:
        return _running(look, driver)
    if driver.started:
        status["startTime"] = driver.started
    event = Event(NORMAL, "SparkDriverRunning", f"The driver {driver.name} runs")
    return Step(look.to(RUNNING, "Running"), events=(event,))


def _deleted(look: Look) -> Step:
    """Fail because somebody deleted the driver."""
    name = (look.status.get("driverInfo") or {}).get("podName", "")
    why = f": {look.driver.disruption}" if look.driver and look.driver.disruption else ""
    return _failing(look, "DriverDeleted", f"The driver pod {name} was deleted before it ended{why}")


def _lost(look: Look, driver: PodView) -> Step:
    """Fail a driver whose node does not answer once there is no hope: it should have been gone, or was not heard of for long."""
    message = driver.message or f"The driver pod {driver.name} should be gone since {driver.gone_by}; its node does not answer"
    left = observe.overdue_in(driver, look.now)
    if left is not None and left <= 0:
        return _failing(look, observe.NODE_LOST, message)
    news = state_of(look.status) != UNKNOWN
    status = look.to(UNKNOWN, driver.reason, message)
    if left is None:
        since = status.setdefault("waitingSince", times.text(look.now))
        left = times.seconds_until(since, look.now) + LOST_AFTER
    if left <= 0:
        return _failing(look, observe.NODE_LOST, message)
    return Step(status, wait=left, events=(Event(WARNING, "SparkDriverLost", message),) if news else ())


def _running(look: Look, driver: PodView) -> Step:
    """Go on running; a driver that is being deleted is overdue one day."""
    if not driver.deleting:
        return Step(look.to(RUNNING, "Running"))
    message = f"The driver pod {driver.name} is being deleted" + (f": {driver.disruption}" if driver.disruption else "")
    news = look.status.get("reason") != "DriverDeleting"
    status, wait = look.to(RUNNING, "DriverDeleting", message), observe.overdue_in(driver, look.now)
    return Step(status, wait=wait, events=(Event(WARNING, "SparkDriverDeleting", message),) if news else ())


def _pending(look: Look, driver: PodView) -> Step:
    """Say what a driver waits for, with an event each time that changes to something new; fail one that waits too long."""
    told, limit = look.status.get("reason"), look.limits.start
    status = look.to(SUBMITTED, driver.reason, driver.message)
    wait = observe.overdue_in(driver, look.now)
    if driver.reason == observe.GATED:
        status.pop("waitingSince", None)  # a queue lets it wait: its time begins when the gates are removed
    elif limit:
        left = times.seconds_until(status.setdefault("waitingSince", times.text(look.now)), look.now) + limit
        if left <= 0:
            return _failing(look, "DriverStartTimeout", _late(look, driver))
        wait = left if wait is None else min(left, wait)
    news = driver.message and told != driver.reason
    return Step(status, wait=wait, events=(Event(WARNING, "SparkDriverPending", driver.message),) if news else ())


def _late(look: Look, driver: PodView) -> str:
    """Return the sentence for a driver that has not started in time."""
    unknown = (
        f"its pod gives no reason; kubectl describe pod {driver.name} shows whether a Secret, a ConfigMap or a volume is missing"
    )
    limit = f"{look.limits.start:g} s (controller.driverStartTimeoutSeconds)"
    return f"The driver did not start within {limit}: {driver.message or unknown}"


def _succeeding(look: Look) -> Step:
    name = look.driver.name if look.driver else (look.status.get("driverInfo") or {}).get("podName", "")
    event = Event(NORMAL, "SparkDriverCompleted", f"The driver {name} has completed")
    _stamp(look)
    executors.settle(look.status, observe.COMPLETED)
    if look.policy.get("type") == ALWAYS:
        return _again(look, SUCCEEDING, "Completed", "", event)
    done = Event(NORMAL, "SparkApplicationCompleted", "The application has completed")
    return Step(look.to(COMPLETED, "Completed"), Action.TIDY, events=(event, done))


def _failing(look: Look, reason: str, message: str) -> Step:
    """A failed driver: another attempt if the policy has one left, else the end."""
    _stamp(look)
    executors.settle(look.status, observe.UNKNOWN)
    event = Event(WARNING, "SparkDriverFailed", message)
    kind, retries = look.policy.get("type", "Never"), look.policy.get("onFailureRetries") or 0
    if kind == ALWAYS or (kind == ON_FAILURE and look.status.get("executionAttempts", 0) <= retries):
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
    """Wait for the next attempt: longer after each failure that follows another, from the start after a good run."""
    status = look.status
    started, ended = status.get("startTime"), status["terminationTime"]
    ran = times.seconds_until(ended, times.parse(started)) if started else 0.0
    before = status.get("failuresInRow", status.get("executionAttempts", 1) - 1)
    good = state == SUCCEEDING or ran >= look.limits.good_run
    status["failuresInRow"] = failures = 1 if good else max(1, before + 1)
    wait = pause(look, "onFailureRetryInterval", failures)
    status = look.to(state, reason, message)
    status["nextAttemptTime"] = times.text(look.now + timedelta(seconds=wait))
    return Step(status, wait=wait, events=events)


def _between(look: Look) -> Step:
    """SUCCEEDING and FAILING: the driver has ended and another attempt follows."""
    if not look.status.get("nextAttemptTime"):
        return _undecided(look)
    if look.suspended:
        return _stop(look)
    wait = times.seconds_until(look.status["nextAttemptTime"], look.now)
    if wait > 0:
        return Step(look.status, wait=wait)
    message = f"Attempt {look.status.get('executionAttempts', 0) + 1} begins"
    status = look.to(PENDING_RERUN, "Rerun", message)
    status["submissionAttempts"] = 0
    return Step(status, Action.DELETE_DRIVER, events=(Event(NORMAL, "SparkApplicationPendingRerun", message),))


def _undecided(look: Look) -> Step:
    """Take over a driver that ended under kubeflow's operator, which publishes that before it decides what follows."""
    ended = look.status.get("terminationTime")
    if state_of(look.status) == SUCCEEDING:
        step = _succeeding(look)
    else:
        said = (look.status.get("applicationState") or {}).get("errorMessage") or "The driver failed"
        step = _failing(look, look.driver.reason if look.driver and look.driver.state == observe.FAILED else "Failed", said)
    if ended and not (look.driver and look.driver.finished):
        step.status["terminationTime"] = ended
    return step


def _remove(look: Look, driver: PodView) -> Step:
    """Delete a driver, or wait until it is gone; one whose node does not answer is deleted without waiting for that node."""
    left = observe.overdue_in(driver, look.now)
    if driver.deleting and (left is None or left > 0):
        return Step(look.status, wait=left)
    return Step(look.status, Action.DELETE_DRIVER)


def _rerun(look: Look) -> Step:
    """Submit once the last driver is gone; a driver of the next submission is there if the controller died after making it."""
    if look.suspended:
        return _stop(look)
    driver = look.driver
    if driver is None or driver.submission != look.status.get("submissionID"):
        return Step(look.status, Action.SUBMIT)
    return _remove(look, driver)


def _invalidating(look: Look) -> Step:
    """Submit once the old driver is gone; the new one is there if the controller died after making it."""
    driver = look.driver
    if look.suspended:
        return _stop(look)
    if driver is None or driver.submission != look.status.get("submissionID"):
        look.status["executionAttempts"] = look.status["submissionAttempts"] = 0  # kubeflow's operator does so only after
        return Step(look.to(PENDING_RERUN, "Rerun", "The application begins anew"), Action.SUBMIT)
    return _remove(look, driver)


def _suspending(look: Look) -> Step:
    if look.driver is None:
        look.status.pop("driverInfo", None)
        executors.settle(look.status, observe.UNKNOWN)
        event = Event(NORMAL, "SparkApplicationSuspended", "The application is suspended")
        return Step(look.to(SUSPENDED, "Suspended"), events=(event,))
    return _remove(look, look.driver)


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
    """Completed or failed: delete the application when its time to live has passed, and a driver that might still start."""
    driver, status = look.driver, look.status
    if driver is None:
        executors.settle(status, observe.COMPLETED if state_of(status) == COMPLETED else observe.UNKNOWN)
    if not status.get("terminationTime"):  # as kubeflow's operator leaves a submission that failed
        status["terminationTime"] = (
            (driver.finished if driver else "") or status.get("lastSubmissionAttemptTime") or times.text(look.now)
        )
    if driver and not driver.deleting and driver.state not in observe.ENDED and driver.reason not in observe.HOPELESS:
        return Step(status, Action.DELETE_DRIVER)
    seconds = look.spec.get("timeToLiveSeconds")
    if seconds is None:
        return Step(status)
    wait = times.seconds_until(status["terminationTime"], look.now) + seconds
    return Step(status, wait=wait) if wait > 0 else Step(status, Action.DELETE)


STEPS: dict[str, Callable[[Look], Step]] = {
    NEW: _new,
    SUBMISSION_FAILED: _submission_failed,
    SUBMITTED: driven,
    RUNNING: driven,
    UNKNOWN: driven,
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
