"""When a ScheduledSparkApplication runs: from its schedule and its runs to what is made and what is deleted.

Times that passed while no controller looked are made up for by one run, the latest; the others are counted as missed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from airspark_operator import cron, kinds, state, times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.state import NORMAL, WARNING, Event, state_of

ALLOW, FORBID, REPLACE = "Allow", "Forbid", "Replace"
#: Runs of each kind that are kept where the spec names none (kubeflow's default).
HISTORY = 1
#: Most times that are counted one by one: a schedule of every minute, a day without a controller.
COUNTED = 1440
#: `CRON_TZ=Europe/Berlin 0 2 * * *`, as robfig/cron takes it.
PREFIX = re.compile(r"\s*(?:cron_)?tz=(\S*)\s+(.*)", re.IGNORECASE | re.DOTALL)
#: What a schedule may be written with.
PLAIN = re.compile(r"[ -~\t\n\f\rµμ]*")
#: Most digits before the point of each unit, as the CRD has them, so that dates can hold the distance.
DIGITS = {"h": 6, "m": 8, "s": 9, "ms": 12, "us": 15, "µs": 15, "μs": 15, "ns": 18}
_PARTS = "|".join(rf"(?:0*[0-9]{{1,{digits}}}(?:[.][0-9]*)?|[.][0-9]+){unit}" for unit, digits in DIGITS.items())
#: `@every 1h30m`, as Go writes durations.
EVERY = re.compile(rf"@every\s+[+]?((?:{_PARTS}){{1,6}})")
#: A distance with more digits or parts than that.
TOO_LONG = re.compile(r"@every\s++[+]?(?:[0-9]++(?:[.][0-9]*+)?(?:ms|us|µs|μs|ns|h|m|s))++")
PART = re.compile(r"(?<![0-9.])([0-9.]+)([^0-9.]+)")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
UTC_ZONE = ZoneInfo("UTC")
#: A day to ask from whether there is any date at all; the leap day after it is four years away.
ANY_DAY = datetime(2000, 3, 1, tzinfo=UTC)
#: A name of 63 characters holds this, a dash and a time of ten digits.
NAME_LENGTH = 52


class WrongSchedule(Exception):
    """A schedule or a time zone that cannot be read; the text is a sentence for people."""


@dataclass(frozen=True)
class Plan:
    """What follows from a schedule.

    Args:
        status: the whole status as it should be.
        create: applications to make.
        delete: applications to delete.
        wait: seconds until the next look; None if only a change asks for one.
        events: what to tell.
        missed: how many times were passed over since the last look.
    """

    status: Object
    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    wait: float | None = None
    events: tuple[Event, ...] = ()
    missed: int = 0


class Schedule:
    """A cron expression in a time zone, or a fixed distance.

    Args:
        expression: five fields of cron, a word such as `@hourly`, or `@every <duration>`; `TZ=<zone>` may stand in front.
        zone: name of an IANA time zone where none stands in front; empty for UTC.

    Raises:
        WrongSchedule: if one cannot be read.
    """

    def __init__(self, expression: str, zone: str = "") -> None:
        prefixed = PREFIX.fullmatch(expression)
        if prefixed:
            expression = prefixed[2]
        text = expression.strip().lower() if PLAIN.fullmatch(expression) else ""
        every = EVERY.fullmatch(text)
        seconds = _seconds(every[1]) if every else 0.0
        if text.startswith("@every") and seconds <= 0:
            example = "write it like '@every 1h30m' or '@every 90000ms'"
            if every is None and TOO_LONG.fullmatch(text):
                most = "name a distance of at most 999999 hours, in at most six parts"
                raise WrongSchedule(f"spec.schedule: '{expression}' is too long; {most}")
            raise WrongSchedule(f"spec.schedule: '{expression}' is not a distance in time above 0; {example}")
        # whole seconds and at least one, as robfig/cron has it: names of runs are made of whole seconds
        self.every = timedelta(seconds=max(1, int(seconds))) if every else None
        self.cron = None if every else cron.parse(text)
        if not every and self.cron is None:
            example = "five fields such as '0 2 * * *', or @hourly, @daily, @every 1h30m"
            raise WrongSchedule(f"spec.schedule: '{expression}' is not a valid cron expression; use {example}")
        if self.cron and self.cron.following(ANY_DAY, UTC_ZONE) is None:
            raise WrongSchedule(f"spec.schedule: '{expression}' comes on no day of any year; check day of month and month")
        # the zone in front goes before spec.timeZone, as with kubeflow's operator
        self.zone = _zone(prefixed[1], "spec.schedule") if prefixed else _zone(zone, "spec.timeZone")

    def following(self, after: datetime) -> datetime:
        """Return the first time after a moment, in UTC."""
        found = after + self.every if self.every else self._next(after)
        assert found, "an expression that comes in one zone comes in every"
        return found

    def _next(self, after: datetime) -> datetime | None:
        return self.cron.following(after, self.zone) if self.cron else None

    def passed(self, first: datetime, now: datetime) -> tuple[datetime | None, int]:
        """Return the latest time up to the present, and how many there were (at most COUNTED).

        Args:
            first: the time of this schedule that was to come next.
            now: the present.
        """
        latest, count, moment = None, 0, first
        while moment <= now and count < COUNTED:
            latest, count = moment, count + 1
            moment = self.following(moment)
        if moment <= now:
            latest = self._latest(first, now)
        return latest, count

    def _latest(self, first: datetime, now: datetime) -> datetime:
        """Return the latest time up to the present, without counting; the first has passed."""
        if self.every:
            return first + self.every * ((now - first) // self.every)
        latest, back = first, timedelta(hours=1)
        while latest == first and now - back > first:
            latest, back = self._last_since(now - back, now) or first, back * 2
        return latest if latest > first else self._last_since(first, now) or first

    def _last_since(self, since: datetime, now: datetime) -> datetime | None:
        """Return the latest time after a moment and up to the present; None if there is none."""
        latest, moment = None, self.following(since)
        while moment <= now:
            latest, moment = moment, self.following(moment)
        return latest


def _zone(name: str, where: str) -> ZoneInfo:
    if name in ("", "Local"):  # a controller's own time is UTC
        return UTC_ZONE
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise WrongSchedule(f"{where}: there is no time zone '{name}'; write it like 'Europe/Berlin'") from None


def _seconds(duration: str) -> float:
    return sum(float(number) * UNITS[unit] for number, unit in PART.findall(duration))


def run_name(scheduled: Object, moment: datetime) -> str:
    """Return the name of the run of a time: the same whoever asks, so that no time runs twice."""
    name: str = scheduled["metadata"]["name"]
    if len(name) > NAME_LENGTH:
        name = f"{name[: NAME_LENGTH - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{name}-{int(moment.timestamp())}"


def run(scheduled: Object, moment: datetime) -> Object:
    """Return the SparkApplication of a time."""
    metadata = scheduled["metadata"]
    labels = {**(metadata.get("labels") or {}), kinds.LABEL_SCHEDULED_APP: metadata["name"][:63].rstrip("-._")}
    owner = {
        "apiVersion": kinds.API_VERSION,
        "kind": kinds.SCHEDULED,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": kinds.API_VERSION,
        "kind": kinds.APPLICATION,
        "metadata": {
            "name": run_name(scheduled, moment),
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": deepcopy(scheduled["spec"]["template"]),
    }


def plan(scheduled: Object, runs: Sequence[Object], now: datetime, deadline: float = 0.0) -> Plan:
    """Return what follows from a schedule.

    Args:
        scheduled: the ScheduledSparkApplication.
        runs: the applications it has made and that are still there.
        now: the present.
        deadline: seconds after its time that a missed run is still made up for; 0 for however late.
    """
    spec, status = scheduled["spec"], state.known(scheduled.get("status"))
    generation = scheduled["metadata"].get("generation", 0)
    fresh = status.get("observedGeneration") != generation
    # kubeflow's operator writes no generation: the next run that it has planned is still to come
    taken_over = "observedGeneration" not in status and bool(status.get("scheduleState"))
    status["observedGeneration"] = generation
    runs = sorted(runs, key=lambda app: app["metadata"]["creationTimestamp"])
    old = _history(spec, status, runs)
    try:
        schedule = Schedule(spec["schedule"], spec.get("timeZone") or "")
    except WrongSchedule as wrong:
        return _invalid(status, str(wrong), old, fresh, now)
    if spec.get("suspend"):
        status["scheduleState"] = "Scheduled"
        status.pop("nextRun", None)
        status.pop("reason", None)
        set_condition(status, "Scheduled", False, "Suspended", "spec.suspend is true", times.text(now))
        return Plan(status, delete=old)
    status["scheduleState"] = "Scheduled"
    status.pop("reason", None)
    set_condition(status, "Scheduled", True, "Scheduled", "", times.text(now))
    if not status.get("nextRun") or (fresh and not taken_over):
        # a new or changed schedule, or one that is resumed, owes nothing for the time before; a new one counts from its
        # creation, which matters if no controller was there
        first = not status.get("lastRun") and not taken_over and generation <= 1
        since = times.parse(scheduled["metadata"]["creationTimestamp"]) if first else now
        status["nextRun"] = times.text(schedule.following(since))
    return _due(scheduled, status, schedule, runs, old, now, deadline)


def _due(
    scheduled: Object,
    status: Object,
    schedule: Schedule,
    runs: Sequence[Object],
    old: tuple[Object, ...],
    now: datetime,
    deadline: float,
) -> Plan:
    """Run the latest time that has come, as the policy allows."""
    latest, count = schedule.passed(times.parse(status["nextRun"]), now)
    if latest is None:
        return Plan(status, delete=old, wait=max(0.0, times.seconds_until(status["nextRun"], now)))
    status["nextRun"] = times.text(schedule.following(latest))
    wait = max(0.0, times.seconds_until(status["nextRun"], now))
    late = (now - latest).total_seconds()
    active = [app for app in runs if state_of(app.get("status") or {}) not in state.ENDED]
    policy = scheduled["spec"].get("concurrencyPolicy") or ALLOW
    problem = ""
    if deadline and late > deadline:
        problem = f"The run of {times.text(latest)} is {late:.0f} s late, more than the deadline of {deadline:.0f} s"
    elif policy == FORBID and active and run_name(scheduled, latest) not in [app["metadata"]["name"] for app in active]:
        running = active[-1]["metadata"]["name"]
        problem = f"The run of {times.text(latest)} is skipped: {running} has not ended and concurrencyPolicy is Forbid"
    missed = count - 1 + bool(problem)
    events = []
    if count > 1:
        events.append(Event(WARNING, "MissedRuns", f"{count - 1} times before {times.text(latest)} have passed without a run"))
    if missed:
        status["missedRuns"] = status.get("missedRuns", 0) + missed
    if problem:
        return Plan(status, delete=old, wait=wait, events=(*events, Event(WARNING, "RunSkipped", problem)), missed=missed)
    made = run(scheduled, latest)
    status["lastRun"] = times.text(latest)
    status["lastRunName"] = made["metadata"]["name"]
    events.append(Event(NORMAL, "RunStarted", f"Made {made['metadata']['name']} for {times.text(latest)}"))
    replaced = tuple(app for app in active if app["metadata"]["name"] != made["metadata"]["name"]) if policy == REPLACE else ()
    return Plan(status, (made,), (*old, *replaced), wait, tuple(events), missed)


def refused(plan: Plan, before: Object, problem: str) -> Plan:
    """Return a plan whose run could not be made: its time is missed, and the status names the run before.

    Args:
        plan: what was to follow.
        before: the status as it was.
        problem: why the run could not be made, as a sentence.
    """
    status = {key: value for key, value in plan.status.items() if key not in ("lastRun", "lastRunName")}
    status |= {key: before[key] for key in ("lastRun", "lastRunName") if key in before}
    status["missedRuns"] = status.get("missedRuns", 0) + 1
    events = (*(event for event in plan.events if event.reason != "RunStarted"), Event(WARNING, "RunRefused", problem))
    return dataclasses.replace(plan, status=status, events=events, missed=plan.missed + 1)


def _invalid(status: Object, message: str, old: tuple[Object, ...], fresh: bool, now: datetime) -> Plan:
    status["scheduleState"], status["reason"] = "FailedValidation", message
    status.pop("nextRun", None)
    set_condition(status, "Scheduled", False, "FailedValidation", message, times.text(now))
    return Plan(status, delete=old, events=(Event(WARNING, "FailedValidation", message),) if fresh else ())


def _history(spec: Object, status: Object, runs: Sequence[Object]) -> tuple[Object, ...]:
    """Write the names of ended runs into the status, newest first, and return those that are too many."""
    gone: list[Object] = []
    for ended_as, limit, names in (
        (state.COMPLETED, "successfulRunHistoryLimit", "pastSuccessfulRunNames"),
        (state.FAILED, "failedRunHistoryLimit", "pastFailedRunNames"),
    ):
        ended = [app for app in reversed(runs) if state_of(app.get("status") or {}) == ended_as]
        most = spec.get(limit)
        most = HISTORY if most is None else most
        kept = [app["metadata"]["name"] for app in ended[:most]]
        if kept:
            status[names] = kept
        else:
            status.pop(names, None)
        gone += ended[most:]
    return tuple(gone)
