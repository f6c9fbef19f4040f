"""Every midnight in Seoul: yesterday's sales from CSV to a Parquet partition, checked, loaded into the warehouse, announced.

check_input → transform (Spark) → verify → load_warehouse → publish, the asset sales_daily.

The warehouse is the PostgreSQL of the connection `warehouse`; without that connection, loading is skipped.

A run for a chosen day, as often as wanted:
    airflow dags trigger etl_daily --conf '{"date": "2026-01-15"}'
Many days, some of them at once:
    make backfill DAG=etl_daily FROM=2026-01-01 TO=2026-01-30
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseHook, Metadata, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException
from pipelines import files, results, spark, warehouse
from pipelines.defaults import DATA, DEFAULT_ARGS, OUTPUT, daily, date_param, day_of, due_within, reject_share_param

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT = f"{DATA}/sales"
SALES = Asset(name="sales_daily", uri="airspark://output/sales")

with DAG(
    dag_id="etl_daily",
    description="Daily sales: CSV to a verified Parquet partition and into the warehouse",
    doc_md=__doc__,
    schedule=daily(),
    catchup=False,
    max_active_runs=1,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={"date": date_param(), "max_reject_share": reject_share_param()},
    tags=["etl", "spark", "sales"],
) as dag:

    @task
    def check_input() -> str:
        """Return the day of the run once its file is there with the right header, or fail for good."""
        date = day_of(get_current_context())
        spark.check("sales_etl", ["--date", date, "--input", INPUT])
        return date

    day = check_input()

    transform = spark.submit(
        "transform",
        "sales_etl",
        ["--date", day, "--input", INPUT, "--output", OUTPUT, "--max-reject-share", "{{ params.max_reject_share }}"],
        name="etl_daily.transform",
    )

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return results.verified_manifest(Path(OUTPUT) / "sales" / f"date={date}")

    # START load_warehouse
    @task
    def load_warehouse(manifest: dict[str, Any]) -> dict[str, Any]:
        """Load the day into the warehouse in the place of what it has of it, and return its rows and revenue."""
        try:
            connection = BaseHook.get_connection(warehouse.CONNECTION)
        except AirflowNotFoundException:
            raise AirflowSkipException(warehouse.MISSING) from None
        partition = manifest["partition"]
        with files.held(f"sales/{partition}", OUTPUT) as folder, warehouse.connect(connection) as database:
            return warehouse.load(database, folder, partition.removeprefix("date="))

    # END load_warehouse

    @task(outlets=[SALES], trigger_rule=TriggerRule.NONE_FAILED)
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        yield Metadata(SALES, results.announcement(manifest, f"{OUTPUT}/sales/{manifest['partition']}"))

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    load_warehouse(verified) >> publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
