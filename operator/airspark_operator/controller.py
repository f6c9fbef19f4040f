"""One look at a SparkApplication: what is seen, what follows, what is done about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from airspark_operator import (
    build,
    kinds,
    launch,
    lifecycle,
    metrics,
    names,
    observe,
    services,
    state,
    times,
    unsupported,
    validate,
)
from airspark_operator.api import Api, Refused
from airspark_operator.events import tell
from airspark_operator.kinds import Object
from airspark_operator.observe import PodView
from airspark_operator.settings import Settings
from airspark_operator.spec import Invalid
from airspark_operator.state import Action, Step, state_of
from airspark_operator.store import Key, Store, key_of
from airspark_operator.submission import Submission, submission

log = logging.getLogger(__name__)
#: States in which a driver that the watch does not show is asked for at the API server.
ASKED = (*state.DRIVEN, state.PENDING_RERUN, state.INVALIDATING, state.SUSPENDING)
#: Seconds until something that is being deleted is looked for again, in case the watch says nothing.
DELETION_LOOK = 2.0
#: Steps of one look, against a machine that runs in a circle.
MOST_STEPS = 10


def present() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


class Applications:
    """The controller of SparkApplications.

    Args:
        api: the API server.
        store: what the watches have told.
        settings: what the chart says.
        now: tells the present.
    """

    def __init__(self, api: Api, store: Store, settings: Settings, now: Callable[[], datetime] = present) -> None:
        self.api, self.store, self.settings, self.now = api, store, settings, now

    async def reconcile(self, key: Key) -> float | None:
        """Look at an application and do what follows.

        Returns:
            Seconds until the next look; None if only news ask for one.

        Raises:
            Refused: if the API server says no where that is no matter of the application.
            Unavailable: if it does not answer.
        """
        for _ in range(MOST_STEPS):
            app = self.store.applications.get(key)
            if app is None:
                return None
            driver = await self._driver(app)
            executors = self.store.executors(key)
            tracked, limits = self.settings.max_tracked_executors, self.settings.limits
            following = lifecycle.step(app, driver, executors, self.now(), tracked, limits)
            try:
                wait = await self._follow(app, driver, executors, following)
            except _Again as again:
                if again.seconds:
                    return again.seconds
                continue
            return wait
        return DELETION_LOOK

    async def _driver(self, app: Object) -> PodView | None:
        """Return the driver pod. That there is none is only believed if the API server says so."""
        key, name = key_of(app), names.driver_name(app)
        pod = self.store.pods.get(key, {}).get(name)
        if pod is None and state_of(app.get("status") or {}) in ASKED:
            found = await self.api.get("v1", "Pod", key[0], name)
            if found:
                pod = observe.view(found)
                self.store.put_pod(key, pod)
        return pod if pod and pod.owner == app["metadata"]["uid"] else None

    async def _follow(self, app: Object, driver: PodView | None, executors: tuple[PodView, ...], following: Step) -> float | None:
        """Do a step: what must be undone if it is lost goes before the status is written, the rest after."""
        action = following.action
        begins_anew = state_of(following.status) in (state.INVALIDATING, state.NEW)
        if action is Action.TIDY:
            await self._tidy(app, executors)
        elif action is Action.DELETE_DRIVER and begins_anew:
            await launch.remove_beside(self.api, app)
        elif action is Action.SUBMIT:
            return await self._submit(app, following)
        app = await self.write(app, following)
        if action is Action.DELETE:
            log.info("Time to live has passed: deleted", extra=_about(app))
            await self.api.delete(app["apiVersion"], app["kind"], *key_of(app), app["metadata"]["uid"])
            return None
        if action is Action.DELETE_DRIVER:
            await self._delete_driver(app, driver)
            raise _Again(DELETION_LOOK if driver else 0)
        return following.wait

    async def _submit(self, app: Object, following: Step) -> float | None:
        """Make the driver, and write down that it is there."""
        status = following.status
        wanted = submission(app, *state.attempt(status))
        problem = validate.problem(app)
        try:
            if problem:
                raise Invalid(problem)
            made = build.objects(app, wanted, self.settings.defaults)
            pod = await launch.launch(self.api, app, made, self.now())
        except Invalid as invalid:
            refused = lifecycle.not_submitted(app, status, "InvalidSpec", str(invalid), self.now(), final=True)
            await self.write(app, refused)
            return refused.wait
        except launch.Leftover as leftover:
            log.info("Waits for a driver to go: %s", leftover, extra=_about(app))
            raise _Again(1.0) from None
        except Refused as refusal:
            return await self._refused(app, status, refusal)
        view = observe.view(pod)
        self.store.put_pod(key_of(app), view)
        ignored = unsupported.ignored(app["spec"], self.settings.defaults)
        info = {"podName": view.name, "podUID": view.uid} | services.driver_info(made)
        log.info("Submitted as %s, driver pod %s", wanted.id, view.name, extra=_about(app))
        changed = await self.write(app, lifecycle.submitted(app, status, wanted, info, ignored, self.now()))
        self._count_submission(app, changed, pod)
        raise _Again(0)

    async def _refused(self, app: Object, status: Object, refusal: Refused) -> float | None:
        """A submission that the API server refuses; one whose namespace or application is going needs no word."""
        if "because it is being terminated" in refusal.message or refusal.code == 404:
            log.info("Not submitted: %s", refusal, extra=_about(app))
            there = await self.api.get(app["apiVersion"], app["kind"], *key_of(app))
            if there is None:
                self.store.drop(app)
                return None
            return 5.0
        metrics.SUBMISSION_FAILURES.labels(key_of(app)[0]).inc()
        reason = "QuotaExceeded" if "exceeded quota" in refusal.message else refusal.reason or "Refused"
        message = f"The API server refuses the submission: {refusal.message}"
        step = lifecycle.not_submitted(app, status, reason, message, self.now(), limits=self.settings.limits)
        await self.write(app, step)
        return step.wait

    async def _tidy(self, app: Object, executors: tuple[PodView, ...]) -> None:
        """Remove what an ended application does not need, executors that nobody will use among it."""
        status = app.get("status") or {}
        if status.get("submissionID"):
            over = Submission(status["submissionID"], status.get("sparkApplicationId", ""))
            await launch.tidy(self.api, app, over, self.settings.defaults)
        for pod in executors:
            if pod.state not in observe.ENDED and not pod.deleting:
                await self.api.delete("v1", "Pod", key_of(app)[0], pod.name, pod.uid)

    async def _delete_driver(self, app: Object, driver: PodView | None) -> None:
        """Delete the driver, and with it its executors, and its ConfigMap.

        One that should be gone for a while is on a node that does not answer: it is deleted without waiting for that node,
        because another driver needs its name.
        """
        status = app.get("status") or {}
        if status.get("submissionID"):
            await launch.remove_config(self.api, app, Submission(status["submissionID"], status.get("sparkApplicationId", "")))
        overdue = driver is not None and observe.overdue(driver, self.now())
        if driver and (overdue or not driver.deleting):
            there = await self.api.delete("v1", "Pod", key_of(app)[0], driver.name, driver.uid, at_once=overdue)
            if not there:
                self.store.drop_pod(key_of(app), driver.name, driver.uid)

    async def write(self, app: Object, following: Step) -> Object:
        """Write a status if it differs, tell what is to be told, and count.

        Raises:
            _Again: if the object has changed meanwhile: everything is to be looked at again.
        """
        if following.status == (app.get("status") or {}):
            return app
        try:
            changed = await self.api.put_status(app | {"status": following.status})
        except Refused as refusal:
            if refusal.code == 404:
                self.store.drop(app)
            elif refusal.code == 409:
                fresh = await self.api.get(app["apiVersion"], app["kind"], *key_of(app))
                if fresh is None or fresh["metadata"]["uid"] != app["metadata"]["uid"]:
                    self.store.drop(app)
                if fresh is not None:
                    self.store.put(fresh)
            else:
                raise
            raise _Again(0) from None
        self.store.put(changed)
        old, new = state_of(app.get("status") or {}), state_of(following.status)
        if new != old:
            reason = following.status.get("reason", "")
            log.info("%s → %s (%s)", old or "NEW", new or "NEW", reason, extra=_about(app) | {"state": new, "reason": reason})
            _count(app, following.status, old, new)
        for event in following.events:
            if event.reason == "SparkExecutorFailed":
                condition = next(c for c in following.status["conditions"] if c["type"] == "ExecutorsHealthy")
                metrics.EXECUTOR_FAILURES.labels(key_of(app)[0], condition["reason"]).inc()
        await tell(self.api, changed, following.events, self.now())
        return changed

    def _count_submission(self, app: Object, changed: Object, pod: Object) -> None:
        namespace = key_of(app)[0]
        metrics.SUBMISSIONS.labels(namespace).inc()
        if changed["status"]["executionAttempts"] == 1 and not changed["status"].get("runNumber"):
            since = times.parse(app["metadata"]["creationTimestamp"])
            metrics.SUBMIT_SECONDS.labels(namespace).observe(max(0.0, (self.now() - since).total_seconds()))


def _count(app: Object, status: Object, old: str, new: str) -> None:
    """Count a change of state."""
    namespace = key_of(app)[0]
    if new == state.RUNNING and status.get("startTime") and status.get("lastSubmissionAttemptTime"):
        waited = times.parse(status["startTime"]) - times.parse(status["lastSubmissionAttemptTime"])
        metrics.START_SECONDS.labels(namespace).observe(max(0.0, waited.total_seconds()))
    elif new == state.PENDING_RERUN:
        metrics.RETRIES.labels(namespace, "execution").inc()
    elif new == state.SUBMISSION_FAILED:
        metrics.RETRIES.labels(namespace, "submission").inc()
    elif new in state.ENDED and status.get("startTime"):
        ran = times.parse(status["terminationTime"]) - times.parse(status["startTime"])
        metrics.RUN.labels(namespace, new.lower()).observe(max(0.0, ran.total_seconds()))


def _about(app: Object) -> dict[str, str]:
    """Return what a line of the log is about."""
    return {"application": app["metadata"]["name"], "namespace": app["metadata"]["namespace"], "kind": kinds.APPLICATION}


class _Again(Exception):
    """Look again: at once, or after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
