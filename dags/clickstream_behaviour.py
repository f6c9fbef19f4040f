"""Every night in Seoul: yesterday's click events to a funnel, conversion by campaign and a retention table, by Spark SQL.

check_input → transform (Spark) → verify → publish, the asset clickstream_daily, which recommender_features follows.

    airflow dags trigger clickstream_behaviour --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Metadata, Param, get_current_context, task
from pipelines import results, spark
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

INPUT = f"{DATA}/clicks"
CLICKSTREAM = Asset(name="clickstream_daily", uri="airspark://output/clickstream")

with DAG(
    dag_id="clickstream_behaviour",
    description="Daily click events: funnel, conversion by campaign, retention",
    doc_md=__doc__,
    schedule=daily(minute=15),
    catchup=False,
    # A day's retention table reads the days before. A backfill has a limit of its own: the tag has `make backfill` take 1,
    # in Airflow's page it is yours to give.
    max_active_runs=1,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "window_days": Param(14, type="integer", minimum=1, maximum=90, title="Days of the retention table"),
        "max_reject_share": reject_share_param(),
        "max_unpacked_mib": unpacked_param(),
        **neighbour_params(),
    },
    tags=["etl", "spark", "sql", "clicks", "in order"],
) as dag:

    @task
    def check_input() -> str:
        """Return the day of the run once its files are there and whole, or fail for good."""
        context = get_current_context()
        date = day_of(context)
        spark.check("clickstream", ["--date", date, "--input", INPUT, *spark.reading(context["params"])])
        return date

    day = check_input()

    # START transform
    transform = spark.submit(
        "transform",
        "clickstream",
        [
            "--date",
            day,
            "--input",
            INPUT,
            "--output",
            OUTPUT,
            "--window-days",
            "{{ params.window_days }}",
            "--max-reject-share",
            "{{ params.max_reject_share }}",
            *spark.reading(),
        ],
    )
    # END transform

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return results.verified_manifest(Path(OUTPUT) / "clickstream" / f"date={date}", "events")

    @task(outlets=[CLICKSTREAM])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        yield Metadata(CLICKSTREAM, results.announcement(manifest, f"{OUTPUT}/clickstream/{manifest['partition']}"))

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
