"""Every night in Seoul: yesterday's orders from the shop's HTTP API, page by page, then typed by Spark.

pull → transform (Spark) → verify → publish, the asset api_orders_daily.

The API is that of the connection `shop_api`: type http, host with http:// or https://, port, the token as the password.

    airflow dags trigger api_ingest --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseHook, Metadata, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from pipelines import pages, results, spark
from pipelines.defaults import DATA, DEFAULT_ARGS, OUTPUT, daily, date_param, day_of, due_within, reject_share_param

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = f"{DATA}/orders"
CONNECTION = "shop_api"
ORDERS = Asset(name="api_orders_daily", uri="airspark://output/api_orders")

with DAG(
    dag_id="api_ingest",
    description="Daily orders from an HTTP API, with retry, rate limit and resume, then Spark",
    doc_md=__doc__,
    schedule=daily(minute=25),
    catchup=False,
    max_active_runs=2,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "per_second": Param(5.0, type="number", exclusiveMinimum=0, maximum=1000, title="Requests a second at most"),
        "max_reject_share": reject_share_param(),
    },
    tags=["etl", "spark", "api"],
) as dag:
    # START pull
    @task
    def pull() -> str:
        """Return the day of the run once every page of it is in one file; a retry goes on behind the last page."""
        context = get_current_context()
        date = day_of(context)
        try:
            connection = BaseHook.get_connection(CONNECTION)
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"there is no connection {CONNECTION}: make it with `airflow connections add {CONNECTION} --conn-type http "
                "--conn-host http://<host> --conn-port <port> --conn-password <token>`, then run again"
            ) from None
        try:
            with pages.connect(connection) as client:
                file = pages.pull(client, date, Path(FOLDER), context["params"]["per_second"])
        except pages.ApiError as error:
            raise AirflowFailException(str(error)) from error
        print(f"{file}: {file.stat().st_size} bytes")
        return date

    # END pull

    day = pull()

    transform = spark.submit(
        "transform",
        "api_orders",
        ["--date", day, "--input", FOLDER, "--output", OUTPUT, "--max-reject-share", "{{ params.max_reject_share }}"],
    )

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return results.verified_manifest(Path(OUTPUT) / "api_orders" / f"date={date}", "orders")

    @task(outlets=[ORDERS])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        yield Metadata(ORDERS, results.announcement(manifest, f"{OUTPUT}/api_orders/{manifest['partition']}"))

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
