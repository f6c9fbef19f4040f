"""Turn one day's orders from the shop's API into a typed table, and their sums by status.

spark-submit api_orders.py --date 2026-01-15 --input /opt/airflow/data/orders --output /opt/airflow/output

Reads   <input>/orders_2026-01-15.jsonl, an order a line, as the DAG api_ingest writes it
Writes  <output>/api_orders/date=2026-01-15             orders, by_status
        <output>/quarantine/api_orders/date=2026-01-15  the lines that are no orders, with the reason
With --check it looks at the input only, without Spark. A mistake ends in one sentence and exit code 2.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import batch
import errors
import frames
import inputs
import json_lines
import values
from inputs import InputFile
from sales_format import MAX_TEXT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

REASONS = ("not_utf8", "not_json", "missing_value", "wrong_type", "out_of_range", "wrong_date")
COLUMNS = ("order_id", "customer_id", "created_at", "status", "amount", "currency")
TEXTS = ("customer_id", "status", "currency")
BYTES_PER_FILE = 64 * 2**20


def main(argv: Sequence[str]) -> None:
    """Check the input, run the job, publish the result and print one line of counts.

    Raises:
        UserError: for a bad argument, a bad input file, too many rejected lines, a full disk.
    """
    parser = batch.parser("api_orders", __doc__, source="orders")
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD, in the platform's time zone")
    parser.add_argument("--check", action="store_true", help="only check the input file, without Spark")
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    file = look(Path(options.input, f"orders_{date}.jsonl"))
    if options.check:
        print(f"api_orders: {file.path} has {file.bytes} bytes")
        return
    rows = run(file, date, options.output, options.max_reject_share)
    print(f"api_orders: {date}: {rows}")


# START run
def look(path: Path) -> InputFile:
    """Look at the input file; an empty one is a day without orders, because the DAG publishes whole files only.

    Raises:
        UserError: if it is missing, a folder or unreadable.
    """
    if os.path.isfile(path) and not (status := path.stat()).st_size:
        return InputFile(str(path), 0, status.st_mtime_ns)
    return inputs.look(path)


def run(file: InputFile, date: dt.date, output: str, max_reject_share: float) -> frames.Rows:
    """Read the day's orders and publish them.

    Args:
        file: the input file.
        date: its day.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected lines, 0 to 1.

    Raises:
        UserError: if more lines are rejected, or the file changes meanwhile; the day's old result then stays.
        RuntimeError: if the counts do not add up or the result fails its checks.
    """
    job = batch.Job("api_orders", f"date={date}", output, (file,), max_reject_share)
    parts = max(1, -(-file.bytes // BYTES_PER_FILE))
    with batch.session() as spark, batch.staged(job, job.inputs) as paths:
        judged = transform(frames.lines(spark, paths), date)
        # Orders of one number with other contents all stay: which of them holds is not ours to say.
        return batch.settle(spark, job, judged, REASONS, tables, main="orders", key=COLUMNS, files=parts, checks=checks)


# END run
def transform(lines: DataFrame, date: dt.date) -> DataFrame:
    """Read lines as orders and judge each one.

    Args:
        lines: a column value, a JSON object a row.
        date: the day that every order must be of, in the session's time zone.

    Returns:
        order_id (bigint), customer_id, created_at (timestamp), status, amount (decimal(12,2)), currency, and the line itself
        with the reason for which it is rejected: one of REASONS, or null for a good row.
    """
    from pyspark.sql import functions as F

    parsed = json_lines.parsed(lines, COLUMNS)
    typed = frames.evaluated_once(
        parsed,
        values.whole_column(F.col("order_id"), "bigint").alias("order_id"),
        F.col("customer_id"),
        values.time_column(F.col("created_at")).alias("created_at"),
        F.col("status"),
        values.money_column(F.col("amount")).alias("amount"),
        F.col("currency"),
        F.col("line"),
        F.col("problem"),
        F.col("wrong"),
        frames.any_of(values.blank_column(F.col(name)) for name in COLUMNS).alias("missing"),
    )
    untyped = frames.any_of(F.col(name).isNull() for name in ("order_id", "created_at", "amount"))
    too_long = frames.any_of(F.octet_length(name) > MAX_TEXT for name in TEXTS)
    reason = (
        F.when(F.col("problem").isNotNull(), F.col("problem"))
        .when(F.col("missing"), "missing_value")
        .when(F.col("wrong") | untyped, "wrong_type")
        .when(too_long | (F.col("amount") < 0), "out_of_range")
        .when(F.to_date("created_at") != F.lit(date), "wrong_date")
    )
    return typed.withColumn("reason", reason).select(*COLUMNS, "line", "reason")


def tables(orders: DataFrame) -> dict[str, DataFrame]:
    """Return what is computed from a day's orders: by_status, with orders and amount of each status and currency."""
    from pyspark.sql import functions as F

    totals = F.count(F.lit(1)).alias("orders"), F.sum("amount").cast("decimal(18,2)").alias("amount")
    return {"by_status": orders.groupBy("status", "currency").agg(*totals)}


def checks(written: Mapping[str, DataFrame]) -> dict[str, Column]:
    """Return what must hold for the tables, see `batch.settle`."""
    from pyspark.sql import functions as F

    total = written["by_status"].agg(F.coalesce(F.sum("orders"), F.lit(0))).first()
    assert total is not None
    return {"orders: each is in one status": F.lit(written["orders"].count() == total[0])}


if __name__ == "__main__":
    sys.exit(errors.run("api_orders", main, sys.argv[1:]))
