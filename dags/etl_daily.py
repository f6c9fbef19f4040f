"""Every midnight in Seoul: yesterday's sales from CSV to a Parquet partition, checked and announced.

check_input → transform (Spark) → verify → publish, the asset sales_daily.

A run for a chosen day, as often as wanted:
    airflow dags trigger etl_daily --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import (
    DAG,
    Asset,
    CronTriggerTimetable,
    Metadata,
    Param,
    RetryDecision,
    RetryPolicy,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

TIME_ZONE = "Asia/Seoul"
INPUT = "/opt/airflow/data/sales"
OUTPUT = "/opt/airflow/output"
APPLICATION = "/opt/airflow/spark-apps/sales_etl.py"
SALES = Asset(name="sales_daily", uri="airspark://output/sales")


class RefusedInputPolicy(RetryPolicy):
    """Try twice what the application refuses with exit code 2, such as too many bad rows.

    The second try is for a file that was still being written or a disk that has been cleared meanwhile.
    Other failures are retried as the task says.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide what follows a failed try; the arguments are Airflow's."""
        if "Error code is: 2." not in str(exception):
            return RetryDecision.default()
        if try_number == 1:
            return RetryDecision.retry(timedelta(seconds=5), "the application refused its input: one more try")
        return RetryDecision.fail("the application refused its input again")


with DAG(
    dag_id="etl_daily",
    description="Daily sales: CSV to a verified Parquet partition",
    doc_md=__doc__,
    # The interval is the day before; without a start date, switching the DAG on runs nothing before midnight. Airflow would run
    # the last one otherwise if it is less than a tenth of a day ago.
    schedule=CronTriggerTimetable("0 0 * * *", timezone=TIME_ZONE, interval=timedelta(days=1), run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
    },
    params={
        "date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Day",
            description="The day to run, YYYY-MM-DD. Empty: the day of the data interval.",
        ),
        "max_reject_share": Param(
            0.10,
            type="number",
            minimum=0,
            maximum=1,
            title="Largest share of rejected rows",
            description="The run fails if more of the rows are rejected. 0 to 1.",
        ),
    },
    tags=["etl", "spark", "sales"],
) as dag:

    @task
    def check_input() -> str:
        """Return the day of the run once its file is there with the right header, or fail for good."""
        context = get_current_context()
        date = effective_date(context["params"], context.get("data_interval_start"))
        command = [sys.executable, APPLICATION, "--check", "--date", date, "--input", INPUT]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 2:
            raise AirflowFailException(result.stderr.strip().removeprefix("sales_etl: error: "))
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}: {result.stderr[-2000:]}")
        print(result.stdout.strip())
        return date

    day = check_input()

    transform = SparkSubmitOperator(
        task_id="transform",
        conn_id="spark_default",
        application=APPLICATION,
        name="etl_daily.transform",
        application_args=[
            "--date",
            day,
            "--input",
            INPUT,
            "--output",
            OUTPUT,
            "--max-reject-share",
            "{{ params.max_reject_share }}",
        ],
        conf={"spark.executor.memoryOverhead": "256m"},
        driver_memory="600m",
        executor_memory="700m",
        executor_cores=1,
        total_executor_cores=2,
        retry_policy=RefusedInputPolicy(),
        verbose=False,
    )

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's partition if its counts agree with each other and the files."""
        return verified_manifest(Path(OUTPUT) / "sales" / f"date={date}", date)

    @task(outlets=[SALES])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the partition to the DAGs that are scheduled on the asset."""
        keys = ("dag_date", "rows_read", "rows_written", "rows_rejected", "rows_duplicate", "bytes")
        extra = {key: manifest[key] for key in keys}
        yield Metadata(SALES, extra | {"path": f"{OUTPUT}/sales/date={manifest['dag_date']}"})

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value


def effective_date(params: Any, interval_start: pendulum.DateTime | None) -> str:
    """Return the day that a run is for, as YYYY-MM-DD.

    Args:
        params: the run's params; date wins if it is set.
        interval_start: the start of the run's data interval, None for a run without one.

    Raises:
        AirflowFailException: if neither says a day.
    """
    if params["date"]:
        return str(params["date"])
    if interval_start is None:
        raise AirflowFailException('this run has no data interval: give it a day, such as {"date": "2026-01-15"}')
    return str(pendulum.instance(interval_start).in_timezone(TIME_ZONE).to_date_string())


def verified_manifest(partition: Path, date: str) -> dict[str, Any]:
    """Read a partition's manifest and hold it against the partition's Parquet files.

    Args:
        partition: the published folder.
        date: the day that it must be for.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: if there is no manifest or no _SUCCESS.
        ValueError: if a count is wrong, or the files are not those that the manifest lists.
    """
    from pyarrow import parquet

    (partition / "_SUCCESS").stat()
    manifest: dict[str, Any] = json.loads((partition / "_manifest.json").read_text(encoding="utf-8"))
    read, written, rejected, duplicates = (manifest[f"rows_{count}"] for count in ("read", "written", "rejected", "duplicate"))
    print(f"{read} rows read = {written} written + {rejected} rejected + {duplicates} duplicates")
    if manifest["dag_date"] != date:
        raise ValueError(f"{partition} is the result for {manifest['dag_date']}, not for {date}")
    if read != written + rejected + duplicates:
        raise ValueError(f"the rows of {partition} do not add up: {read} ≠ {written} + {rejected} + {duplicates}")
    if rejected != sum(manifest["rejects_by_reason"].values()):
        raise ValueError(f"the reasons in {partition} do not add up to {rejected} rejected rows")
    listed = {file["name"]: file["bytes"] for file in manifest["files"]}
    found = {path.name: path.stat().st_size for path in partition.glob("*.parquet")}
    if listed != found:
        raise ValueError(f"{partition} holds the files {found}, its manifest lists {listed}")
    footers = sum(parquet.read_metadata(partition / name).num_rows for name in found)
    if footers != written:
        raise ValueError(f"the Parquet files of {partition} hold {footers} rows, its manifest says {written}")
    return manifest
