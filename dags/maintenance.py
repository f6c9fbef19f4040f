"""Every Sunday at 4 in Seoul: old results go, small files become large ones.

plan → delete → compact (Spark) → report, a table: kind, kept, deleted, bytes freed.

What goes, by age at the run's day, which a param sets for each kind, within a least that no run goes below:
    partitions  <output>/<name>/date=D, with what its link leads to
    quarantine  <output>/quarantine/<name>/date=D
    uploads     <data>/quarantine/D, what file_arrival has refused, by the time it was refused
    failures    <output>/failures, the summaries of failed tasks
    logs        <logs>/dag_id=…/run_id=…, unless the chart's log groomer was faster
    work        <output>/.work/dag_id/run_id, the files of a run that could not remove them
    leftovers   what killed runs left in <output>/.staging and .versions, at any age
Never: the newest partition of a dataset, what publish.py has not published or has no manifest, what a link leads to.

Runs by schedule delete. A run started by hand only plans, unless its param dry_run is false:
    airflow dags trigger maintenance --conf '{"date": "2026-01-15", "dry_run": false}'

Old runs of DAGs are rows of Airflow's database, which no task can reach. The chart's CronJob removes them:
`databaseCleanup.enabled` and `databaseCleanup.retentionDays`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pipelines import applications, retention, spark
from pipelines.defaults import DATA, DEFAULT_ARGS, INTERVAL, OUTPUT, TIME_ZONE, date_param, day_of, due_within, retention_params

LOGS = "/opt/airflow/logs"
TARGET_MIB = 128


def roots() -> retention.Roots:
    """Return the folders that are looked at."""
    return retention.Roots(Path(OUTPUT), Path(DATA), Path(LOGS))


def small_files(today: dt.date) -> dict[str, dict[str, int]]:
    """Return by path the partitions before a day that Spark can compact: files, after, bytes."""
    found = applications.load("compact").candidates(OUTPUT, TARGET_MIB * 2**20, today)
    return {one.partition.path: {"files": one.files, "after": one.after, "bytes": one.bytes} for one in found}


with DAG(
    dag_id="maintenance",
    description="Retention of results, quarantine, summaries, logs and leftovers, and compaction of small files",
    doc_md=__doc__,
    # The data interval is the day before, as for the daily DAGs: Saturday.
    schedule=CronTriggerTimetable("0 4 * * 0", timezone=TIME_ZONE, interval=INTERVAL, run_immediately=dt.timedelta(0)),
    catchup=False,
    max_active_runs=1,
    deadline=due_within(hours=6),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "dry_run": Param(
            None,
            type=["null", "boolean"],
            title="Only plan",
            description="True deletes nothing. Empty: true for a run by hand, false for one by schedule.",
        ),
        **retention_params(retention.KINDS, retention.FLOORS),
    },
    tags=["maintenance", "spark"],
) as dag:

    @task
    def plan() -> dict[str, Any]:
        """Return the day, whether to delete, and how many things of each kind stay and go."""
        context = get_current_context()
        params, day = context["params"], day_of(context)
        today = dt.date.fromisoformat(day)
        if today > pendulum.now(TIME_ZONE).date():
            raise AirflowFailException(f"the day {day} has not come yet: on it, too much would be old")
        by_hand = context["dag_run"].run_type != "scheduled"
        dry_run = by_hand if params["dry_run"] is None else bool(params["dry_run"])
        kinds = {}
        small = small_files(today)
        for kind in retention.KINDS:
            items = retention.find(kind, roots())
            old = retention.expired(items, today, params[f"{kind}_days"])
            kinds[kind] = {"kept": len(items) - len(old), "deleted": len(old), "bytes": sum(item.bytes for item in old)}
            for item in old:
                print(f"{kind}: {item.path} ({item.day}, {item.bytes} bytes) goes")
                small.pop(item.path, None)
        for path, one in small.items():
            print(f"small files: {path}: {one['files']} → {one['after']}")
        return {"date": day, "dry_run": dry_run, "kinds": kinds, "small": small}

    # START maintenance
    @task
    def delete(planned: dict[str, Any]) -> dict[str, dict[str, int]]:
        """Look again, delete what is too old, and return the counts; skipped if the run only plans."""
        if planned["dry_run"]:
            raise AirflowSkipException("this run only plans: start it with dry_run=false to delete")
        params = get_current_context()["params"]
        today = dt.date.fromisoformat(planned["date"])
        counts, failed = {}, []
        for kind in retention.KINDS:
            items = retention.find(kind, roots())
            gone, freed = 0, 0
            for item in retention.expired(items, today, params[f"{kind}_days"]):
                try:
                    removed = retention.remove(item, roots())
                except OSError as error:
                    failed.append(f"{item.path} ({error.strerror})")
                    continue
                gone, freed = gone + removed, freed + removed * item.bytes
            counts[kind] = {"kept": len(items) - gone, "deleted": gone, "bytes": freed}
        counts["leftovers"] = {"kept": 0, "deleted": applications.load("publish").sweep(OUTPUT), "bytes": 0}
        if failed:
            raise RuntimeError(f"{len(failed)} things could not be deleted: {', '.join(failed[:5])}")
        return counts

    # END maintenance

    @task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def report(planned: dict[str, Any], deleted: dict[str, dict[str, int]] | None) -> dict[str, dict[str, int]]:
        """Print the table; of a run that only plans, what would go."""
        counts = dict(deleted or planned["kinds"])
        counts["small files"] = retention.compacted(Path(OUTPUT), planned["small"], planned["dry_run"])
        print(f"{planned['date']}: " + ("what would go" if planned["dry_run"] else "what has gone"))
        print(
            retention.table(((kind, *row.values()) for kind, row in counts.items()), ("kind", "kept", "deleted", "bytes freed"))
        )
        return counts

    planned = plan()
    deleted = delete(planned)  # type: ignore[arg-type]  # an XComArg stands for the value
    compact = spark.submit(
        "compact", "compact", ["--output", OUTPUT, "--target-mib", str(TARGET_MIB), "--before", planned["date"]]
    )
    deleted >> compact >> report(planned, deleted)  # type: ignore[arg-type]  # an XComArg stands for the value
