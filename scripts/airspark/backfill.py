"""`make backfill`: a daily DAG for a range of days over the REST API, followed live."""

from __future__ import annotations

import difflib
import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from airspark import console, demo, platform
from airspark.airflow_api import Airflow, Refused
from airspark.console import err, out, say
from airspark.project import Failure

EXAMPLE = "make backfill DAG=etl_daily FROM=2026-01-01 TO=2026-01-30"
ENDED = ("success", "failed")
#: The tag of DAGs whose days read the days before. Airflow limits the runs of a backfill by the backfill's own number alone.
IN_ORDER = "in order"
#: How long before a daily run its data interval begins (dags/pipelines/defaults.py), on a day of 23 or 25 hours, too.
_INTERVAL = timedelta(days=1)
_POLL_SECONDS = 2.0
_PAGE = 100
_COMPLETION_POLLS = 100


@dataclass(frozen=True)
class Range:
    """The days of a backfill, both ends among them.

    Attributes:
        first: the first day.
        last: the last day.
    """

    first: date
    last: date

    @property
    def days(self) -> list[str]:
        """Every day as YYYY-MM-DD."""
        return [(self.first + timedelta(days=n)).isoformat() for n in range((self.last - self.first).days + 1)]

    @property
    def runs_after(self) -> tuple[datetime, datetime]:
        """When the runs of these days are due, first and last moment: on the day after each, at whatever time of it.

        Airflow compares a backfill's dates with that moment, not with the day of the data.
        """
        return _midnight(self.first + timedelta(days=1)), _midnight(self.last + timedelta(days=2)) - timedelta(seconds=1)

    @property
    def logical(self) -> tuple[datetime, datetime]:
        """Between which moments the data intervals of these days begin: 24 hours before their runs are due."""
        begin, end = ((moment.astimezone(UTC) - _INTERVAL).astimezone(zone()) for moment in self.runs_after)
        return begin, end

    def __str__(self) -> str:
        return f"FROM={self.first} TO={self.last}"


@functools.cache
def zone() -> ZoneInfo:
    """Return the time zone of the DAGs' schedules, in which a day begins and ends: that of the installed platform."""
    return ZoneInfo(platform.time_zone())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, clock(), zone())


def parse_range(first: str, last: str) -> Range:
    """Read the days from the make variables FROM and TO.

    Args:
        first: FROM.
        last: TO.

    Raises:
        Failure: if one is not a date, or they are in the wrong order.
    """
    found = Range(_parse_day("FROM", first), _parse_day("TO", last))
    if found.first > found.last:
        raise Failure(f"FROM={first} is after TO={last}", EXAMPLE)
    return found


def yesterday(now: datetime) -> date:
    """Return the last day that is over, in the platform's time zone.

    Args:
        now: the present, with a time zone.
    """
    return now.astimezone(zone()).date() - timedelta(days=1)


def check_over(days: Range, now: datetime) -> None:
    """Refuse a day that has not ended.

    Args:
        days: the days of a backfill.
        now: the present, with a time zone.

    Raises:
        Failure: if the last day is not over yet.
    """
    if days.last > (latest := yesterday(now)):
        raise Failure(f"TO={days.last} is not over yet in {zone().key}: the last day that can run is {latest}", EXAMPLE)


def _parse_day(name: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise Failure(f"{name}={text} is not a date" if text else f"{name} is missing", EXAMPLE)
    return found


def body(dag_id: str, days: Range, parallel: int, rerun: bool) -> dict[str, Any]:
    """Return what Airflow is asked for: days without a run and failed ones, with `rerun` all of them.

    Args:
        dag_id: the DAG.
        days: the days.
        parallel: how many days at once.
        rerun: whether days that ended well run again too.
    """
    first, last = days.runs_after
    return {
        "dag_id": dag_id,
        "from_date": first.isoformat(),
        "to_date": last.isoformat(),
        "max_active_runs": parallel,
        "reprocess_behavior": "completed" if rerun else "failed",
    }


def day_of(logical_date: str) -> str:
    """Return the day of a run by its logical date, where its data interval begins; on the day after the run is due."""
    due = datetime.fromisoformat(logical_date).astimezone(UTC) + _INTERVAL
    return (due.astimezone(zone()).date() - timedelta(days=1)).isoformat()


def find_dag(airflow: Airflow, dag_id: str) -> dict[str, Any]:
    """Return what Airflow says of a DAG that can be backfilled.

    Raises:
        Failure: if there is none of that name, or it has no schedule.
    """
    dags = all_dags(airflow)
    able = ", ".join(sorted(name for name, dag in dags.items() if dag["is_backfillable"])) or "none"
    if dag_id not in dags:
        raise no_dag(airflow, dag_id, dags, f"DAGs that can be backfilled: {able}")
    if not dags[dag_id]["is_backfillable"]:
        raise Failure(f"the DAG {dag_id} has no schedule by time, so that it has no days to fill", f"DAGs that have: {able}")
    return dags[dag_id]


def all_dags(airflow: Airflow) -> dict[str, dict[str, Any]]:
    """Return what Airflow says of each DAG, by name."""
    return {dag["dag_id"]: dag for dag in _pages(airflow, "/dags", "dags", {"exclude_stale": True})}


def no_dag(airflow: Airflow, dag_id: str, names: Iterable[str], hint: str) -> Failure:
    """Return a sentence for a DAG that is not there: the one that was meant, or why its file has none.

    Args:
        airflow: the client.
        dag_id: what was asked for.
        names: the DAGs that there are.
        hint: what to do next.
    """
    broken = [error["filename"] for error in airflow.call("GET", "/importErrors")["import_errors"]]
    file = next((name for name in broken if Path(name).stem == dag_id), None)
    if file:
        return Failure(f"there is no DAG {dag_id}: {file} cannot be imported", "make logs C=dag-processor")
    return Failure(f"there is no DAG {dag_id}{meant(dag_id, names)}", hint)


def meant(name: str, names: Iterable[str]) -> str:
    """Return a question for the name that is close to another, empty if none is."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def running(airflow: Airflow, dag_id: str) -> dict[str, Any] | None:
    """Return the backfill of a DAG that has not ended, None if there is none."""
    found = airflow.call("GET", "/backfills", params={"dag_id": dag_id, "order_by": "-id", "limit": 1})["backfills"]
    return found[0] if found and found[0]["completed_at"] is None else None


def runs(airflow: Airflow, dag_id: str, days: Range) -> dict[str, dict[str, Any]]:
    """Return the runs of a range of days, by day."""
    first, last = days.logical
    wanted = {"logical_date_gte": first.isoformat(), "logical_date_lte": last.isoformat(), "order_by": "logical_date"}
    return {day_of(run["logical_date"]): run for run in _pages(airflow, f"/dags/{dag_id}/dagRuns", "dag_runs", wanted)}


def _pages(airflow: Airflow, path: str, key: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = airflow.call("GET", path, params={**params, "limit": _PAGE, "offset": len(found)})[key]
        found += page
        if len(page) < _PAGE:
            return found


def plan(airflow: Airflow, asked: Mapping[str, Any], days: Range) -> list[str]:
    """Ask Airflow which days a backfill would run, without starting it.

    Raises:
        Failure: if these are others, because the DAG does not run daily.
    """
    dry = airflow.call("POST", "/backfills/dry_run", json=asked)["backfills"]
    planned = [day_of(run["logical_date"]) for run in dry if run["logical_date"]]
    if len(planned) != len(dry) or len(set(planned)) != len(planned) or not set(planned) <= set(days.days):
        raise Failure(f"{asked['dag_id']} has no run for each single day, so that this cannot fill days", "make ui")
    return planned


def covered(backfill: Mapping[str, Any]) -> Range:
    """Return the days of a backfill that Airflow knows."""
    begin, end = (datetime.fromisoformat(backfill[key]).astimezone(zone()) for key in ("from_date", "to_date"))
    return Range(begin.date() - timedelta(days=1), end.date() - timedelta(days=1))


def start(
    airflow: Airflow, asked: Mapping[str, Any], days: Range, sleep: Callable[[float], None] = time.sleep
) -> tuple[int, list[str]]:
    """Start a backfill, or find the one of the same days that runs already.

    Args:
        airflow: the client.
        asked: what `body` returned.
        days: its days.
        sleep: waits for a number of seconds.

    Returns:
        Its id, 0 if there is nothing to run; and the days that it runs.

    Raises:
        Failure: if the DAG's backfill of other days is running, or Airflow refuses.
    """
    dag_id = asked["dag_id"]
    for _ in range(_COMPLETION_POLLS):
        there = running(airflow, dag_id)
        if there is None:
            planned = plan(airflow, asked, days)
            if not planned:
                return 0, []
            try:
                return int(airflow.call("POST", "/backfills", json=asked)["id"]), planned
            except Refused as refused:
                if refused.status != 409:
                    raise
                continue  # made by a try whose answer got lost, or by somebody else: the next look shows it
        unfinished = [day for day, run in runs(airflow, dag_id, covered(there)).items() if run["state"] not in ENDED]
        if unfinished and covered(there) == days:
            say(f"Following the backfill of {dag_id} that is running already.")
            return int(there["id"]), unfinished
        if unfinished:
            break
        # The scheduler notes only twice a minute that all runs of a backfill have ended, and after two that it never had one.
        sleep(_POLL_SECONDS)
    known = covered(there) if there else days
    raise Failure(f"a backfill of {dag_id} is running, {known}",
                  f"follow it: {command(dag_id, known)}; stop it: {stop_command(dag_id)}")  # fmt: skip


def follow(
    airflow: Airflow, dag_id: str, days: Range, planned: Sequence[str], sleep: Callable[[float], None] = time.sleep
) -> dict[str, dict[str, Any]]:
    """Follow the runs of a backfill: a line on standard error for each day that ends.

    Args:
        airflow: the client.
        dag_id: the DAG.
        days: the days of the backfill.
        planned: those that run.
        sleep: waits for a number of seconds.

    Returns:
        The runs by day.
    """
    ended: set[str] = set()
    paused = demo.Paused(airflow, dag_id)
    with err.status(f"{dag_id}: queued") if err.is_terminal else demo._nothing() as status:
        while True:
            found = runs(airflow, dag_id, days)
            for day in planned:
                # A day without a run was taken away meanwhile, by somebody who deleted the run.
                state = found[day]["state"] if day in found else "deleted"
                if day not in ended and state in (*ENDED, "deleted"):
                    ended.add(day)
                    mark = "[green]✓[/]" if state == "success" else "[red]✗[/]"
                    err.print(f"{mark} {escape(dag_id)} {day}: {state} [dim]{seconds(found.get(day))} s[/]")
            if len(ended) == len(planned):
                return found
            paused.look()
            if status is not None:
                now = [day for day in planned if day in found and found[day]["state"] == "running"]
                status.update(f"{dag_id}: {len(ended)} of {len(planned)} days, running: {', '.join(now) or 'none yet'}")
            sleep(_POLL_SECONDS)


def seconds(run: Mapping[str, Any] | None) -> str:
    """Return how long a run took, for people."""
    return f"{run['duration']:.1f}" if run and run.get("duration") is not None else "–"


def show(days: Range, planned: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table of all days on standard output."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("day")
    table.add_column("state")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for day in days.days:
        run = found.get(day)
        table.add_row(day, str(run["state"]) if run else "no run", seconds(run), "" if day in planned else "from before")
    out.print(table)


def command(dag_id: str, days: Range) -> str:
    """Return the command that follows a backfill, or runs its failed days again."""
    return f"make backfill DAG={dag_id} {days}"


def stop_command(dag_id: str) -> str:
    """Return the command that stops a DAG's backfill."""
    return f"make backfill DAG={dag_id} STOP=1"


def stop(airflow: Airflow, dag_id: str) -> None:
    """Stop the backfill of a DAG: no more days are begun, those that run are left to end.

    Raises:
        Failure: if none is running, or there is no such DAG.
    """
    find_dag(airflow, dag_id)
    there = running(airflow, dag_id)
    if there is None:
        raise Failure(f"no backfill of {dag_id} is running", EXAMPLE)
    try:
        airflow.call("PUT", f"/backfills/{there['id']}/cancel")
    except Refused as refused:
        if refused.status != 409:  # it has ended meanwhile, or a try whose answer got lost has stopped it
            raise
    out.print(f"Stopped the backfill of {dag_id}: the days that have not begun count as failed. Days that run go on: make ui")


def run(airflow: Airflow, dag_id: str, days: Range, parallel: int, rerun: bool) -> None:
    """Backfill days and follow them to their end.

    Args:
        airflow: the client.
        dag_id: the DAG.
        days: the days.
        parallel: how many at once; one where the DAG has the tag IN_ORDER.
        rerun: whether days that ended well run again too.

    Raises:
        Failure: if it cannot be started, or a day failed.
    """
    console.next_command = command(dag_id, days)
    dag = find_dag(airflow, dag_id)
    was_paused = dag["is_paused"]
    if parallel > 1 and IN_ORDER in (tag["name"] for tag in dag["tags"]):
        say(f"The days of {dag_id} read the days before: one at a time.")
        parallel = 1
    backfill, planned = start(airflow, body(dag_id, days, parallel, rerun), days)
    if backfill and was_paused:
        say(f"{dag_id} is switched on meanwhile: Airflow may run its last due day too.")
        # The runs of a paused DAG, a backfill's too, stay queued.
        airflow.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
    try:
        if planned:
            say(f"{len(planned)} of {len(days.days)} days of {dag_id}, at most {parallel} at once")
        found = follow(airflow, dag_id, days, planned)
    except KeyboardInterrupt:
        note = f", {dag_id} stays switched on" if was_paused else ""
        say(f"\nThe backfill goes on{note}. To stop it: {stop_command(dag_id)}")
        raise
    if backfill and was_paused:
        airflow.call("PATCH", f"/dags/{dag_id}", json={"is_paused": True})
    show(days, planned, found)
    conclude(airflow, dag_id, days, found, rerun)


def conclude(airflow: Airflow, dag_id: str, days: Range, found: Mapping[str, Mapping[str, Any]], rerun: bool) -> None:
    """Say how a backfill ended.

    Raises:
        Failure: if a day did not end well, with the first one's reason.
    """
    bad = [day for day in days.days if day not in found or found[day]["state"] != "success"]
    if not bad:
        again = "" if rerun else f" To run them again: {command(dag_id, days)} RERUN=1"
        out.print(f"\nEvery day from {days.first} to {days.last} has ended well.{again}")
        return
    sentence = f"{len(bad)} of {len(days.days)} days did not end well: {', '.join(bad[:5])}{', …' if len(bad) > 5 else ''}"
    failed = next((day for day in bad if day in found and found[day]["state"] == "failed"), None)
    if failed is not None:
        task, why = demo.failure_reason(airflow, found[failed]["dag_run_id"], dag_id)
        sentence += f"; {dag_id}.{task} of {failed}: {why}"
    raise Failure(sentence, f"correct that, then: {command(dag_id, days)}")
