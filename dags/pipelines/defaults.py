"""Schedule, day, retries and deadline of the daily DAGs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk import AsyncCallback, CronTriggerTimetable, DeadlineAlert, DeadlineReference, Param
from airflow.sdk.exceptions import AirflowFailException

from pipelines.failures import deadline_missed, report_failure


def _time_zone() -> str:
    name = os.environ.get("AIRSPARK_TIME_ZONE") or "UTC"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"AIRSPARK_TIME_ZONE in the environment says {name[:50]!r}, which is not a time zone: set `global.timeZone` in the "
            "values to a name of the IANA time zone database, such as Europe/Berlin"
        ) from None
    return name


#: The zone of schedules and days, which the charts set to `global.timeZone`; UTC without them.
TIME_ZONE = _time_zone()
#: What tells it a SparkApplication, whichever controller runs it: its session, its driver and its executors.
SPARK_TIME_ZONE = dict.fromkeys(
    (
        "spark.sql.session.timeZone",
        "spark.kubernetes.driverEnv.AIRSPARK_TIME_ZONE",
        "spark.executorEnv.AIRSPARK_TIME_ZONE",
    ),
    TIME_ZONE,
)
#: How long the data interval of a daily run is, on a day of 23 or 25 hours, too.
INTERVAL = timedelta(days=1)
DATA, OUTPUT = "/opt/airflow/data", "/opt/airflow/output"
APPLICATIONS = "/opt/airflow/spark-apps"

#: Arguments of every task: growing pauses between tries, an end to each try, and one summary if the last one fails.
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": report_failure,
}


def daily(hour: int = 0, minute: int = 0) -> CronTriggerTimetable:
    """Return the schedule of a daily DAG: at that time, for the day before.

    Without a start date, switching a new DAG on runs nothing before that time. Airflow would run the last one otherwise if it is
    less than a tenth of a day ago. A DAG that ran before, by schedule or in a backfill, runs its last due day when it is
    switched on.

    Args:
        hour: 0 to 23, in TIME_ZONE.
        minute: 0 to 59.
    """
    return CronTriggerTimetable(f"{minute} {hour} * * *", timezone=TIME_ZONE, interval=INTERVAL, run_immediately=timedelta(0))


def due_within(hours: float) -> DeadlineAlert:
    """Return the deadline of a run: where it has not ended by then, the triggerer's log says so in one sentence.

    Args:
        hours: after the run was queued.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=AsyncCallback(deadline_missed, kwargs={"hours": hours}),
    )


def date_param() -> Param:
    """Return the param `date`, by which a run is for another day than its data interval's."""
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="Day",
        description="The day to run, YYYY-MM-DD. Empty: the day of the data interval.",
    )


def reject_share_param() -> Param:
    """Return the param `max_reject_share`."""
    return Param(
        0.10,
        type="number",
        minimum=0,
        maximum=1,
        title="Largest share of rejected rows",
        description="The run fails if more of the rows are rejected. 0 to 1.",
    )


def unpacked_param() -> Param:
    """Return the param `max_unpacked_mib`; AIRSPARK_MAX_UNPACKED_MIB in the environment is its default."""
    return Param(
        _environment("AIRSPARK_MAX_UNPACKED_MIB", 10_240, least=1),
        type="integer",
        minimum=1,
        title="MiB that a gzip file may unpack to",
        description="A file that unpacks to more is refused; an upload also if it has more as it is.",
    )


def ratio_param() -> Param:
    """Return the param `max_ratio`; AIRSPARK_MAX_RATIO in the environment is its default."""
    return Param(
        _environment("AIRSPARK_MAX_RATIO", 100, least=1),
        type="integer",
        minimum=1,
        title="Times its size that a gzip file may unpack to",
        description="A file of more than 64 MiB that unpacks to more times its size is refused: it is hardly one of data.",
    )


def retention_params(kinds: Mapping[str, int], floors: Mapping[str, int]) -> dict[str, Param]:
    """Return the params `<kind>_days`; AIRSPARK_MIN_RETENTION_DAYS in the environment is the least of each.

    Args:
        kinds: the days that each kind is kept by default.
        floors: the least days of each kind without the variable.
    """
    said = "AIRSPARK_MIN_RETENTION_DAYS"
    least = {kind: _environment(said, floors[kind], least=1) for kind in kinds}
    return {
        f"{kind}_days": Param(
            max(days, least[kind]),
            type="integer",
            minimum=least[kind],
            maximum=36_500,
            title=f"Days: {kind}",
            description=f"What is older goes. At least {least[kind]}, which {said} in the environment sets.",
        )
        for kind, days in kinds.items()
    }


def neighbour_params() -> dict[str, Param]:
    """Return the params `files_before` and `files_after`; AIRSPARK_FILES_BEFORE and AIRSPARK_FILES_AFTER are their defaults."""
    before = "Days before the day whose files can hold rows of it. 0 if the files are cut at the midnight of the DAG's time zone."
    after = "Days after the day whose files can hold rows of it, for a server whose midnight comes earlier."
    limits: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 7}
    return {
        "files_before": Param(_environment("AIRSPARK_FILES_BEFORE", 1), title="Files before", description=before, **limits),
        "files_after": Param(_environment("AIRSPARK_FILES_AFTER", 0), title="Files after", description=after, **limits),
    }


def _environment(name: str, default: int, least: int = 0) -> int:
    text = os.environ.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < least:
        raise ValueError(f"{name} in the environment must be a whole number of at least {least}, not {text[:50]!r}: correct it")
    return int(text)


def effective_date(params: Any, interval_start: pendulum.DateTime | None, interval_end: pendulum.DateTime | None = None) -> str:
    """Return the day that a run is for, as YYYY-MM-DD.

    A daily run is due on the day after its own, at whatever time of it. Its data interval is 24 hours long, so that it begins on
    yet another day if the clock was set forward in between.

    Args:
        params: the run's params; date wins if it is set.
        interval_start: the start of the run's data interval, None for a run without one.
        interval_end: its end, if it is known.

    Raises:
        AirflowFailException: if neither says a day.
    """
    if params["date"]:
        return str(params["date"])
    if interval_start is None:
        raise AirflowFailException('this run has no data interval: give it a day, such as {"date": "2026-01-15"}')
    begin = pendulum.instance(interval_start)
    if interval_end is not None and pendulum.instance(interval_end) - begin == INTERVAL:
        return str(pendulum.instance(interval_end).in_timezone(TIME_ZONE).subtract(days=1).to_date_string())
    return str(begin.in_timezone(TIME_ZONE).to_date_string())


def day_of(context: Any) -> str:
    """Return the day of the run of a task's context, see `effective_date`."""
    return effective_date(context["params"], context.get("data_interval_start"), context.get("data_interval_end"))
