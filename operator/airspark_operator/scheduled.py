"""One look at a ScheduledSparkApplication."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from airspark_operator import kinds, metrics, schedule
from airspark_operator.api import Api, Refused
from airspark_operator.controller import present
from airspark_operator.events import tell
from airspark_operator.kinds import Object
from airspark_operator.settings import Settings
from airspark_operator.store import Key, Store, key_of

log = logging.getLogger(__name__)
#: Longest wait: clocks are set and machines sleep.
LONGEST = 600.0


class Schedules:
    """The controller of ScheduledSparkApplications.

    Args:
        api: the API server.
        store: what the watches have told.
        settings: what the chart says.
        now: tells the present.
    """

    def __init__(self, api: Api, store: Store, settings: Settings, now: Callable[[], datetime] = present) -> None:
        self.api, self.store, self.settings, self.now = api, store, settings, now

    async def reconcile(self, key: Key) -> float | None:
        """Look at a schedule and do what follows: runs are made before the status says so, because their names are fixed.

        Returns:
            Seconds until the next look; None if only news ask for one.
        """
        scheduled = self.store.scheduled.get(key)
        if scheduled is None or scheduled["metadata"].get("deletionTimestamp"):
            return None
        runs = [app for app in self.store.applications.values() if _made_by(app, scheduled)]
        plan = schedule.plan(scheduled, runs, self.now(), self.settings.missed_run_deadline)
        for app in plan.delete:
            await self.api.delete(app["apiVersion"], app["kind"], *key_of(app), app["metadata"]["uid"])
        for wanted in plan.create:
            if problem := await self._create(wanted, scheduled):
                plan = schedule.refused(plan, scheduled.get("status") or {}, problem)
        if plan.status != (scheduled.get("status") or {}) and not await self._write(scheduled, plan.status):
            return 0.0
        metrics.SCHEDULED_MISSED.labels(key[0]).inc(plan.missed)
        await tell(self.api, scheduled, plan.events, self.now())
        return None if plan.wait is None else min(plan.wait + 0.05, LONGEST)

    async def _create(self, wanted: Object, scheduled: Object) -> str:
        """Make a run; returns why not, if it is refused for good."""
        namespace, name = key_of(wanted)
        try:
            await self.api.create(wanted)  # the watch tells of it: what the store knows already is no news
        except Refused as refusal:
            if refusal.code == 409:
                there = await self.api.get(wanted["apiVersion"], wanted["kind"], namespace, name)
                if there is None or _made_by(there, scheduled):
                    return ""  # made already, before the controller could write that down
                return f"There is a SparkApplication {name} that this schedule has not made; delete it, or rename the schedule"
            if refusal.code in (400, 403, 404, 422):
                return f"The API server refuses the run {name}: {refusal.message}"
            raise
        metrics.SCHEDULED_RUNS.labels(namespace).inc()
        log.info("Made %s", name, extra={"application": name, "namespace": namespace, "kind": kinds.SCHEDULED})
        return ""

    async def _write(self, scheduled: Object, status: Object) -> bool:
        """Write the status; says whether nobody else has changed the object meanwhile."""
        try:
            self.store.put(await self.api.put_status(scheduled | {"status": status}))
        except Refused as refusal:
            if refusal.code not in (404, 409):
                raise
            fresh = await self.api.get(scheduled["apiVersion"], scheduled["kind"], *key_of(scheduled))
            if fresh is None:
                self.store.drop(scheduled)
            else:
                self.store.put(fresh)
            return False
        return True


def _made_by(app: Object, scheduled: Object) -> bool:
    """Whether a schedule owns an application."""
    return any(owner["uid"] == scheduled["metadata"]["uid"] for owner in app["metadata"].get("ownerReferences") or ())
