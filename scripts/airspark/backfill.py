"""`make backfill`: a daily DAG for a range of days over the REST API, followed live."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from airspark import console, demo
from airspark.airflow_api import Airflow
from airspark.console import err, out, say
from airspark.project import Failure

#: The time zone of the DAGs' schedules, in which a day begins and ends (dags/pipelines/defaults.py).
ZONE = ZoneInfo("Asia/Seoul")
EXAMPLE = "make backfill DAG=etl_daily FROM=2026-01-01 TO=2026-01-30"
ENDED = ("success", "failed")
#: The tag of DAGs whose days read the days before. Airflow limits the runs of a backfill by the backfill's own number alone.
IN_ORDER = "in order"
_POLL_SECONDS = 2.0
_PAGE = 100
_COMPLETION_POLLS = 60


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
        """Between which moments the data intervals of these days begin."""
        return _midnight(self.first), _midnight(self.last + timedelta(days=1)) - timedelta(seconds=1)

    def __str__(self) -> str:
        return f"FROM={self.first} TO={self.last}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, clock(), ZONE)


def parse_range(first: str, last: str, now: datetime) -> Range:
    """Read the days from the make variables FROM and TO.

    Args:
        first: FROM.
        last: TO.
        now: the present, with a time zone.

    Raises:
        Failure: if one is no date, they are in the wrong order, or the last day is not over yet.
    """
    found = Range(_parse_day("FROM", first), _parse_day("TO", last))
    if found.first > found.last:
        raise Failure(f"FROM={first} is after TO={last}", EXAMPLE)
    yesterday = now.astimezone(ZONE).date() - timedelta(days=1)
    if found.last > yesterday:
        raise Failure(f"TO={last} is not over yet in {ZONE.key}: the last day that can run is {yesterday}", EXAMPLE)
    return found


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
    """Return the day of a run by its logical date, where its data interval begins."""
    return datetime.fromisoformat(logical_date).astimezone(ZONE).date().isoformat()


def find_dag(airflow: Airflow, dag_id: str) -> dict[str, Any]:
    """Return what Airflow says of a DAG that can be backfilled.

    Raises:
        Failure: if there is none of that name, or it has no schedule.
    """
    dags = _pages(airflow, "/dags", "dags", {"exclude_stale": True})
    able = ", ".join(sorted(dag["dag_id"] for dag in dags if dag["is_backfillable"])) or "none"
    for dag in dags:
        if dag["dag_id"] == dag_id:
            if not dag["is_backfillable"]:
                raise Failure(f"the DAG {dag_id} has no schedule by time, so that it has no days to fill",
                              f"DAGs that have: {able}")  # fmt: skip
            return dag
    raise Failure(f"there is no DAG {dag_id}" if dag_id else "DAG is missing", f"DAGs that can be backfilled: {able}")


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
    begin, end = (datetime.fromisoformat(backfill[key]).astimezone(ZONE) for key in ("from_date", "to_date"))
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
            break
        unfinished = [day for day, run in runs(airflow, dag_id, covered(there)).items() if run["state"] not in ENDED]
        if unfinished and covered(there) == days:
            say(f"Following the backfill of {dag_id} that is running already.")
            return int(there["id"]), unfinished
        if unfinished:
            break
        # The scheduler notes only twice a minute that all runs of a backfill have ended.
        sleep(_POLL_SECONDS)
    if there is not None:
        raise Failure(f"a backfill of {dag_id} is running, {covered(there)}",
                      f"follow it: {command(dag_id, covered(there))}; stop it: {stop_command(dag_id)}")  # fmt: skip
    planned = plan(airflow, asked, days)
    if not planned:
        return 0, []
    return int(airflow.call("POST", "/backfills", json=asked)["id"]), planned


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
        Failure: if none is running.
    """
    there = running(airflow, dag_id)
    if there is None:
        raise Failure(f"no backfill of {dag_id or 'a DAG without a name'} is running", EXAMPLE)
    airflow.call("PUT", f"/backfills/{there['id']}/cancel")
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
    raise Failure(sentence, f"once that is mended: {command(dag_id, days)}")
