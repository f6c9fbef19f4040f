"""Every night in Seoul: yesterday's web server logs to requests, sessions, users, status codes and slow paths.

check_input → transform (Spark) → verify → index → publish, the asset access_log_daily.

A line belongs to the day of its time. For a server whose files are not cut at midnight in Seoul, such as one in UTC, the files of
the day before are read, too (params files_before, files_after); such a server's DAG must start once its files of the day are
complete: 09:00 in Seoul for UTC.

The index is what the connection `search` names, a server with Elasticsearch's API; without that connection, indexing is skipped.

    airflow dags trigger access_log_daily --conf '{"date": "2026-01-15"}'
    make backfill DAG=access_log_daily FROM=2026-01-01 TO=2026-01-30
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseHook, Metadata, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException
from pipelines import files, results, search, spark
from pipelines.defaults import (
    DATA,
    DEFAULT_ARGS,
    OUTPUT,
    daily,
    date_param,
    day_of,
    due_within,
    neighbour_params,
    reject_share_param,
    unpacked_param,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT = f"{DATA}/access_logs"
ACCESS_LOG = Asset(name="access_log_daily", uri="airspark://output/access_log")
#: What goes into the index, with the columns that make a document's id.
INDEXED = {"daily": (), "sessions": ("session_id",), "status_codes": ("status",), "slow_paths": ("method", "path")}

with DAG(
    dag_id="access_log_daily",
    description="Daily web server logs: sessions, users, status codes, slow paths, as Parquet and in the search index",
    doc_md=__doc__,
    schedule=daily(minute=10),
    catchup=False,
    max_active_runs=2,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "max_reject_share": reject_share_param(),
        "max_unpacked_mib": unpacked_param(),
        **neighbour_params(),
    },
    tags=["etl", "spark", "logs"],
) as dag:

    @task
    def check_input() -> str:
        """Return the day of the run once its files are there and whole, or fail for good."""
        context = get_current_context()
        date = day_of(context)
        spark.check("access_log", ["--date", date, "--input", INPUT, *spark.reading(context["params"])])
        return date

    day = check_input()

    transform = spark.submit(
        "transform",
        "access_log",
        [
            *("--date", day, "--input", INPUT, "--output", OUTPUT, "--max-reject-share", "{{ params.max_reject_share }}"),
            *spark.reading(),
        ],
    )

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return results.verified_manifest(Path(OUTPUT) / "access_log" / f"date={date}", "requests")

    # START index
    @task
    def index(manifest: dict[str, Any]) -> dict[str, int]:
        """Put the day's tables into the search index and return how many documents each has."""
        try:
            connection = BaseHook.get_connection(search.CONNECTION)
        except AirflowNotFoundException:
            raise AirflowSkipException(search.MISSING) from None
        partition = manifest["partition"]
        with files.held(f"access_log/{partition}", OUTPUT) as folder:
            return search.load(search.client(connection), folder, "access_log", partition.removeprefix("date="), INDEXED)

    # END index

    @task(outlets=[ACCESS_LOG], trigger_rule=TriggerRule.NONE_FAILED)
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        yield Metadata(ACCESS_LOG, results.announcement(manifest, f"{OUTPUT}/access_log/{manifest['partition']}"))

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    index(verified) >> publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
