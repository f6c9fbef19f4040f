"""Every night in Seoul: the orders that the shop's database changed yesterday, by partitioned reads over JDBC in Spark.

transform (Spark) → verify → publish, the asset db_orders_daily. The day is the watermark: a run takes the rows that were last
changed on it, so days that were never read, thirty in a backfill too, need no memory of what was read before.

Orders that changed again have left their day for a later one. So a run that comes again for a published day, cleared or in a
backfill with RERUN=1, fails in a sentence if the day has fewer rows now, and what is published stays; with the param `replace`
it takes the rows of now. What commits after the run with an updated_at of the day before is missed: the run starts at 00:35,
which has to be later than the longest transaction takes, unless the database sets updated_at at the commit.

The database is that of the connection `shop_db`: type postgres, host, port, schema (the database), login, password.

    airflow dags trigger db_extract --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Metadata, Param, get_current_context, task
from pipelines import results, spark
from pipelines.defaults import DEFAULT_ARGS, OUTPUT, daily, date_param, day_of, due_within, reject_share_param

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDERS = Asset(name="db_orders_daily", uri="airspark://output/db_orders")

with DAG(
    dag_id="db_extract",
    description="Daily changes of a PostgreSQL table over JDBC, in partitioned reads",
    doc_md=__doc__,
    schedule=daily(minute=35),
    catchup=False,
    max_active_runs=2,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "table": Param("orders", type="string", pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$", title="Table"),
        "partitions": Param(2, type="integer", minimum=1, maximum=64, title="Connections that read at once"),
        "max_reject_share": reject_share_param(),
        "replace": Param(
            False,
            type="boolean",
            title="Replace a day by fewer rows",
            description="Publish a day again although fewer rows are in it now, because orders changed again on later days.",
        ),
    },
    tags=["etl", "spark", "jdbc"],
) as dag:

    @task
    def find_day() -> str:
        """Return the day of the run."""
        return day_of(get_current_context())

    day = find_day()

    # START extract
    # Address, user and password go from the connection into the environment of the driver alone: no argument, template or
    # log holds them.
    transform = spark.SubmitWithSource(
        task_id="transform",
        source_conn_id="shop_db",
        **spark.options("db_orders"),
        application_args=[
            "--date",
            day,
            "--table",
            "{{ params.table }}",
            "--partitions",
            "{{ params.partitions }}",
            "--output",
            OUTPUT,
            "--max-reject-share",
            "{{ params.max_reject_share }}",
            "{{ '--replace' if params.replace else '--no-replace' }}",
        ],
    )
    # END extract

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return results.verified_manifest(Path(OUTPUT) / "db_orders" / f"date={date}", "orders")

    @task(outlets=[ORDERS])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        yield Metadata(ORDERS, results.announcement(manifest, f"{OUTPUT}/db_orders/{manifest['partition']}"))

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
