"""When a ScheduledSparkApplication runs: from its schedule and its runs to what is made and what is deleted.

Times that passed while no controller looked are made up for by one run, the latest; the others are counted as missed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from airspark_operator import kinds, state, times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.state import NORMAL, WARNING, Event, state_of

ALLOW, FORBID, REPLACE = "Allow", "Forbid", "Replace"
#: Runs of each kind that are kept where the spec names none (kubeflow's default).
HISTORY = 1
#: Most times that are counted one by one: a schedule of every minute, a day without a controller.
COUNTED = 1440
#: `@every 1h30m`, as Go writes durations.
EVERY = re.compile(r"^@every\s+((?:[0-9]+(?:\.[0-9]+)?[hms])++)$")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
#: Longest distance between two runs: a century.
LONGEST = 36525 * 86400.0
#: Fields that croniter draws or hashes, so that they mean another time whenever they are asked for.
DRAWN = ("h", "H", "r", "R")
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
        expression: five fields of cron, a word such as `@hourly`, or `@every <duration>`.
        zone: name of an IANA time zone; empty for UTC.

    Raises:
        WrongSchedule: if one cannot be read.
    """

    def __init__(self, expression: str, zone: str = "") -> None:
        words = expression.split()
        # robfig/cron, which kubeflow's operator uses, takes the zone in front as well
        if words and words[0].startswith(("CRON_TZ=", "TZ=")):
            zone, expression = zone or words[0].partition("=")[2], " ".join(words[1:])
        self.zone = _zone(zone)
        self.expression = expression
        every = EVERY.match(expression.strip())
        seconds = _seconds(every.group(1)) if every else 0.0
        if every and not 0 < seconds <= LONGEST:
            raise WrongSchedule(f"spec.schedule: '{expression}' is no distance in time; for example '@every 1h30m'")
        # whole seconds and at least one, as robfig/cron has it: names of runs are made of whole seconds
        self.every = timedelta(seconds=max(1, int(seconds))) if every else None
        fields = expression.split()
        drawn = any(name.startswith(DRAWN) for name in fields)
        if not every and (len(fields) not in (1, 5) or drawn or not croniter.is_valid(expression)):
            example = "five fields such as '0 2 * * *', or @hourly, @daily, @every 1h30m"
            raise WrongSchedule(f"spec.schedule: '{expression}' is no cron expression; use {example}")
        if not every and not _ever(expression):
            raise WrongSchedule(f"spec.schedule: '{expression}' comes on no day of any year; check day of month and month")
        self.hourly = fields == ["@hourly"] or (len(fields) == 5 and "*" in fields[1])

    def following(self, after: datetime) -> datetime:
        """Return the first time after a moment, in UTC."""
        if self.every:
            return after + self.every
        return self._beside(after, forward=True)

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
        """Return the latest time up to the present, without counting."""
        if self.every:
            return first + self.every * ((now - first) // self.every)
        return self._beside(now + timedelta(seconds=1), forward=False)

    def _beside(self, moment: datetime, forward: bool) -> datetime:
        """Return the next time after a moment, or the last before it, in UTC.

        Times of a day stay so when clocks change, as in Vixie's cron: 02:30 comes once on the day that has it twice, and an
        hour later on the day that has none. What runs every hour, or more often, goes by elapsed time.
        """
        local = moment.astimezone(self.zone)
        if self.hourly:
            aware = croniter(self.expression, local)
            found: datetime = aware.get_next(datetime) if forward else aware.get_prev(datetime)
            return found.astimezone(UTC)
        # the second time that clocks show an hour, times of the first are behind although clocks show them ahead
        wall_clock = local.replace(tzinfo=None) + timedelta(hours=0 if forward else local.fold)
        walls = croniter(self.expression, wall_clock)
        while True:
            wall: datetime = walls.get_next(datetime) if forward else walls.get_prev(datetime)
            found = wall.replace(tzinfo=self.zone).astimezone(UTC)
            if (found > moment) if forward else (found < moment):
                return found


@lru_cache(maxsize=1000)
def _ever(expression: str) -> bool:
    """Whether a cron expression comes at all: 30 February does not, and croniter takes it for valid."""
    try:
        croniter(expression, ANY_DAY).get_next(datetime)
    except CroniterBadDateError:
        return False
    return True


def _zone(name: str) -> ZoneInfo:
    if name in ("", "Local"):  # a controller's own time is UTC
        name = "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise WrongSchedule(f"spec.timeZone: there is no time zone '{name}'; for example 'Asia/Seoul'") from None


def _seconds(duration: str) -> float:
    parts = re.split("([hms])", duration)
    return sum(float(number) * UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=False))


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
    spec, status = scheduled["spec"], deepcopy(scheduled.get("status") or {})
    generation = scheduled["metadata"].get("generation", 0)
    fresh = status.get("observedGeneration") != generation
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
    if fresh or not status.get("nextRun"):
        # a new or changed schedule, or one that is resumed, owes nothing for the time before; a new one counts from its
        # creation, which matters if no controller was there
        first = "lastRun" not in status and generation <= 1
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
