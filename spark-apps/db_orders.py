"""Extract the orders that a database changed on one day, by partitioned reads over JDBC.

SOURCE_URL=jdbc:postgresql://host/shop SOURCE_USER=shop SOURCE_PASSWORD=… \
spark-submit db_orders.py --date 2026-01-15 --table orders --output /opt/airflow/output

Reads   rows with midnight ≤ updated_at < midnight of the day after
Writes  <output>/db_orders/date=2026-01-15             orders, by_status
        <output>/quarantine/db_orders/date=2026-01-15  the rows that fail a check, with the reason
The day is the watermark, and the table keeps one row an order: an order that changes again leaves its day for a later one. So
a day that runs again later has fewer rows than were published of it. It is then refused and stays as it was, unless --replace
takes the rows of now. A day that has as many rows or more, because some came late, is published anew: only their number is
compared.
A row is missed if its transaction commits after the run with an earlier updated_at, such as now(), which is the beginning of
the transaction: have the source set updated_at at the commit, or the run start later than the longest transaction takes.
Address, user and password come from the environment: they stand in no command line. Number, sum of keys and sum of times of
the rows are asked before and after; if what was read has others, nothing is published. A mistake ends in one sentence and
exit code 2, a database that is away or that changes meanwhile in one and exit code 75.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import batch
import clock
import errors
import frames
from errors import TemporaryError, UserError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

REASONS = ("missing_value", "out_of_range", "unknown_status")
KEY, WATERMARK = "order_id", "updated_at"
SCHEMA = {
    "order_id": "bigint",
    "customer_id": "string",
    "status": "string",
    "amount": "decimal(12,2)",
    "updated_at": "timestamp",
}
STATUSES = ("paid", "shipped", "cancelled", "refunded")
TABLE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
FETCH_ROWS, CONNECT_SECONDS, SOCKET_SECONDS = 10_000, 10, 300
ROWS_PER_FILE = 2_000_000
#: What PostgreSQL says where asking again does not help; its names have at most 63 bytes.
USERS_MISTAKE = re.compile(
    r"(?:FATAL|ERROR): ((?:password authentication|no pg_hba.conf entry|(?:database|role) \".{0,63}\" does|permission"
    r"|relation).*)"
)
#: What PostgreSQL and its driver say where asking again may help, in a line after DRIVER.
AWAY = re.compile(
    r"Connection to \S+ refused|connection attempt failed|terminating connection|I/O error occurred|connection has been closed"
    r"|database system is|too many (?:clients|connections)|remaining connection slots|canceling statement"
)
DRIVER = "PSQLException: "


class Source(NamedTuple):
    """A table, and who reads it.

    Attributes:
        url: jdbc:postgresql://host:port/database.
        user: who reads.
        password: theirs.
        table: its name, with its schema or without.
    """

    url: str
    user: str
    password: str
    table: str


class Fingerprint(NamedTuple):
    """Tells whether rows are the same rows: their number, sums of keys and of times in microseconds, least and largest key."""

    rows: int
    keys: int
    times: int
    first: int | None
    last: int | None


def main(argv: Sequence[str]) -> None:
    """Extract a day, publish it and print one line of counts.

    Raises:
        UserError: for a bad argument, a database that refuses, a table with other columns or without a key, a published day
            that had more rows, too many rejected rows.
        TemporaryError: if the database is away, drops a connection, or its rows change meanwhile.
    """
    parser = batch.parser("db_orders", __doc__)
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD, in the platform's time zone")
    parser.add_argument("--table", default="orders", help="table or schema.table (%(default)s)")
    parser.add_argument("--partitions", type=int, default=4, help="connections that read at once (%(default)s)")
    parser.add_argument(
        "--replace", action=argparse.BooleanOptionalAction, default=False, help="publish a day again though it has fewer rows"
    )
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    if not TABLE.fullmatch(options.table):
        raise UserError(f"--table {options.table!r} is no name of a table: small letters, digits and _, such as public.orders")
    if not 1 <= options.partitions <= 64:
        raise UserError(f"--partitions {options.partitions}: 1 to 64")
    missing = [name for name in ("SOURCE_URL", "SOURCE_USER", "SOURCE_PASSWORD") if not os.environ.get(name)]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be set in the environment")
    source = Source(*(os.environ[name] for name in ("SOURCE_URL", "SOURCE_USER", "SOURCE_PASSWORD")), options.table)
    try:
        rows = run(source, date, options.partitions, options.output, options.max_reject_share, options.replace)
    except (UserError, TemporaryError):
        raise
    except Exception as error:
        words = _words(error)
        if found := USERS_MISTAKE.search(words):
            raise UserError(f"the database refuses: {found[1].strip()}") from None
        if said := _away(words):
            raise TemporaryError(f"the database is away, nothing is published: {said.strip()}") from None
        raise
    print(f"db_orders: {date}: {rows}")


def run(
    source: Source, date: dt.date, partitions: int, output: str, max_reject_share: float, replace: bool = False
) -> batch.Rows:
    """Read the rows that changed on a day and publish them.

    Args:
        source: the table.
        date: the day.
        partitions: how many connections read at once.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.
        replace: whether the rows of now may take the place of more rows that were published of the day.

    Raises:
        UserError: if more rows are rejected, the table has other columns, two rows have the same key, or more rows of the day
            were published; the day's old result then stays.
        TemporaryError: if rows changed while they were read; the day's old result then stays.
    """
    from pyspark.sql import Observation

    begin, end = bounds(date)
    with batch.session() as spark:
        check_columns(spark, source)
        before = fingerprint(spark, source, begin, end)
        notes = {"source": {"table": source.table, "from": begin, "until": end}, "fingerprint": before._asdict()}
        job = batch.Job("db_orders", f"date={date}", output, (), max_reject_share, notes)
        if not replace:
            check_not_fewer(Path(output, job.result), before)
        check_keys(spark, source, begin, end)
        seen = Observation("read")
        # Each row is read from the database once, for both passes of what follows.
        rows = extract(spark, source, begin, end, before, partitions).persist()
        judged = transform(rows).observe(seen, *fingerprint_columns())

        def confirm() -> None:
            read = Fingerprint(*(int(seen.get[name]) for name in ("rows", "keys", "times")), before.first, before.last)
            after = fingerprint(spark, source, begin, end)
            if not before == read == after:
                raise TemporaryError(
                    f"rows changed while they were read, nothing is published: {before} before, {read} read, {after} after"
                )

        files = max(1, -(-before.rows // ROWS_PER_FILE))
        return batch.settle(spark, job, judged, REASONS, by_status, main="orders", files=files, confirm=confirm)


def bounds(date: dt.date) -> tuple[str, str]:
    """Return midnight of a day and of the day after, in the platform's time zone, as ISO 8601."""
    begin, end = clock.bounds(date)
    return begin.isoformat(), end.isoformat()


def reader(spark: SparkSession, source: Source, query: str) -> Any:
    """Return a reader of a query; Spark keeps the options url, user and password out of plans and logs."""
    return (
        spark.read.format("jdbc")
        .option("driver", "org.postgresql.Driver")
        .option("url", source.url)
        .option("user", source.user)
        .option("password", source.password)
        .option("connectTimeout", str(CONNECT_SECONDS))
        .option("socketTimeout", str(SOCKET_SECONDS))
        .option("fetchsize", str(FETCH_ROWS))
        .option("dbtable", f"({query}) AS source")
    )


def where(begin: str, end: str) -> str:
    """Return the condition of an interval, in the database's words."""
    return f"{WATERMARK} >= TIMESTAMPTZ '{begin}' AND {WATERMARK} < TIMESTAMPTZ '{end}'"


def check_columns(spark: SparkSession, source: Source) -> None:
    """Check that the table has the columns that are expected, with their types.

    Raises:
        UserError: if one is missing or has another type.
    """
    # A time without a zone would be another instant in a JVM of another zone; by this option it is of another type.
    none = reader(spark, source, f"SELECT * FROM {source.table} WHERE false").option("preferTimestampNTZ", "true")
    found = dict(none.load().dtypes)
    wrong = [
        f"{name} is {found[name]} instead of {kind}" if name in found else f"{name} is missing"
        for name, kind in SCHEMA.items()
        if found.get(name) != kind
    ]
    if wrong:
        raise UserError(f"the table {source.table} has other columns than expected: {', '.join(wrong)}")


def check_not_fewer(partition: Path, now: Fingerprint) -> None:
    """Check that a day that is published had no more rows than the database has of it now.

    Args:
        partition: where the day is, or will be, published.
        now: the fingerprint of the day's rows.

    Raises:
        UserError: if it had.
    """
    try:
        manifest = json.loads((partition / "_manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    then = manifest["fingerprint"]["rows"]
    if then > now.rows:
        raise UserError(
            f"{partition} stays as it is: it was published with {then} rows, and the database has {now.rows} of that day now, "
            "because rows that changed again are in later days; --replace (in Airflow the param replace) takes the new ones"
        )


def check_keys(spark: SparkSession, source: Source, begin: str, end: str) -> None:
    """Check that the key tells the rows of an interval apart: of two rows with one key, none is known to be the right one.

    Raises:
        UserError: if it does not.
    """
    query = (
        f"SELECT {KEY} FROM {source.table} WHERE {where(begin, end)} AND {KEY} IS NOT NULL "
        f"GROUP BY {KEY} HAVING count(*) > 1 ORDER BY {KEY} LIMIT 1"
    )
    found = reader(spark, source, query).load().first()
    if found is not None:
        raise UserError(
            f"the table {source.table} has {KEY} {found[0]} in more than one row, nothing is published: remove the rows that are "
            f"wrong, or name a table or a view by --table in which {KEY} is unique"
        )


def fingerprint(spark: SparkSession, source: Source, begin: str, end: str) -> Fingerprint:
    """Ask the database for the fingerprint of the rows of an interval."""
    query = (
        f"SELECT count(*) AS rows, coalesce(sum({KEY}), 0)::numeric(38, 0) AS keys, "
        f"coalesce(sum((extract(epoch FROM {WATERMARK}) * 1000000)::bigint), 0)::numeric(38, 0) AS times, "
        f"min({KEY}) AS first, max({KEY}) AS last FROM {source.table} WHERE {where(begin, end)}"
    )
    row = reader(spark, source, query).load().first()
    assert row is not None
    return Fingerprint(int(row.rows), int(row.keys), int(row.times), row["first"], row["last"])


def fingerprint_columns() -> list[Column]:
    """Return the numbers of a Fingerprint that are computed of rows, under their names."""
    from pyspark.sql import functions as F

    keys = F.coalesce(F.sum(F.col(KEY).cast("decimal(38,0)")), F.lit(0))
    times = F.coalesce(F.sum(F.unix_micros(WATERMARK).cast("decimal(38,0)")), F.lit(0))
    return [F.count(F.lit(1)).alias("rows"), keys.alias("keys"), times.alias("times")]


def extract(spark: SparkSession, source: Source, begin: str, end: str, known: Fingerprint, partitions: int) -> DataFrame:
    """Read the rows of an interval, some ranges of keys at a time.

    Args:
        spark: the session.
        source: the table.
        begin: the first instant, ISO 8601.
        end: the first instant after it.
        known: the rows' fingerprint, for the range of keys.
        partitions: how many ranges.

    Returns:
        The columns of SCHEMA.
    """
    if not known.rows or known.first is None or known.last is None:
        return spark.createDataFrame([], ", ".join(f"{name} {kind}" for name, kind in SCHEMA.items()))
    # NaN, which no decimal of Spark is, comes as a missing value.
    columns = ", ".join(SCHEMA).replace("amount", "nullif(amount, 'NaN')::numeric(12, 2) AS amount")
    found = reader(spark, source, f"SELECT {columns} FROM {source.table} WHERE {where(begin, end)}")
    ranges = {"partitionColumn": KEY, "lowerBound": known.first, "upperBound": known.last, "numPartitions": partitions}
    frame: DataFrame = found.options(**ranges).load()
    return frame


def transform(orders: DataFrame) -> DataFrame:
    """Judge rows.

    Args:
        orders: the columns of SCHEMA.

    Returns:
        The same, and the row as JSON (line) with the reason for which it is rejected: one of REASONS, or null for a good row.
    """
    from pyspark.sql import functions as F

    reason = (
        F.when(frames.any_of(F.col(name).isNull() for name in SCHEMA), "missing_value")
        .when(F.col("amount") < 0, "out_of_range")
        .when(~F.col("status").isin(*STATUSES), "unknown_status")
    )
    line = F.to_json(F.struct(*SCHEMA), {"ignoreNullFields": "false"})
    return orders.select(*SCHEMA, line.alias("line"), reason.alias("reason"))


def by_status(orders: DataFrame) -> dict[str, DataFrame]:
    """Return what is computed from a day's orders: by_status, with orders and amount of each status."""
    from pyspark.sql import functions as F

    totals = F.count(F.lit(1)).alias("orders"), F.sum("amount").cast("decimal(18,2)").alias("amount")
    return {"by_status": orders.groupBy("status").agg(*totals)}


def _words(error: BaseException | None) -> str:
    # Spark says what it was doing; what the database said is in the cause that PySpark keeps under a private name.
    found = []
    while error is not None:
        found.append(str(error))
        error = getattr(error, "_cause", None) or error.__cause__
    return "\n".join(found)


def _away(words: str) -> str | None:
    # One line at a time: a pattern that looks for both parts reads a long line again from each place where DRIVER stands.
    for line in words.split("\n"):
        said = line.partition(DRIVER)[2]
        if AWAY.search(said):
            return said
    return None


if __name__ == "__main__":
    sys.exit(errors.run("db_orders", main, sys.argv[1:]))
