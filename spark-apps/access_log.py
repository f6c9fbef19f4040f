"""Turn one day's web server logs into requests, sessions, daily unique users, status codes and slow paths.

spark-submit access_log.py --date 2026-01-15 --input /opt/airflow/data/access_logs --output /opt/airflow/output

Reads   <input>/*2026-01-15*.log and .log.gz: the combined format of nginx and Apache, with the request's seconds as a
        last field where the server writes them; and the files of the day before, for a server whose midnight is after ours
        (--files-before, --files-after): each line belongs to the run of one day
Writes  <output>/access_log/date=2026-01-15             requests, sessions, daily, status_codes, slow_paths
        <output>/quarantine/access_log/date=2026-01-15  the lines that are no log lines, with the reason
A visitor is a user name, or else an address with a browser; a session ends after 30 minutes without a request, and at
midnight. With --check it looks at the input only, without Spark. A mistake ends in one sentence and exit code 2.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import batch
import errors
import frames
import inputs
import values
from inputs import InputFile

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

REASONS = ("not_utf8", "not_combined", "wrong_time", "wrong_status", "wrong_bytes", "wrong_seconds", "wrong_date")
SESSION_SECONDS = 30 * 60
#: Paths with fewer requests than this say nothing about their slowest twentieth.
SLOW_REQUESTS, SLOW_PATHS = 20, 100
# A Parquet file for each 64 MiB of logs: the number of files must not depend on the size of the cluster.
BYTES_PER_FILE = 64 * 2**20
# Quoted fields hold quotes as \" (Apache); an unescaped one makes the line one of no format. What repeats is possessive: a
# client can send a megabyte, and Java's matcher would recurse for each character.
_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
COMBINED = (
    rf"(?s)^\uFEFF?(\S++) (\S++) (\S++) \[([^\]]++)\] {_QUOTED} (\S++) (\S++) {_QUOTED} {_QUOTED}"
    rf"(?: ([0-9]++(?:\.[0-9]++)?|-))?[ \t\r]*+{values.END}"
)
REQUEST = rf"^([A-Z]++) (\S++) (HTTP/[0-9.]++){values.END}"
# Ten terabytes at most: a day's sums must fit into 64 bits.
STATUS, BYTES = rf"^([1-5][0-9]{{2}}){values.END}", rf"^0*([0-9]{{1,13}}){values.END}"
# Cut by the pattern: a cast of a megabyte of digits would take a minute. And Spark's parser ends in an error for a far year.
SECONDS = rf"^0*([0-9]{{1,7}})(?:\.([0-9]{{1,9}})[0-9]*+)?{values.END}"
TIME_TEXT = rf"^([0-9]{{2}}/[A-Za-z]{{3}}/[0-9]{{4}}:[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} [+-][0-9]{{4}}){values.END}"
NUMBER_IN_PATH = r"/[0-9]++(?=/|$)"
TIME = "dd/MMM/yyyy:HH:mm:ss Z"


def main(argv: Sequence[str]) -> None:
    """Check the input, run the job, publish the result and print one line of counts.

    Raises:
        UserError: for a bad argument, a bad input file, too many rejected lines, a full disk.
    """
    parser = batch.parser("access_log", __doc__, source="access_logs")
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD, in the platform's time zone")
    parser.add_argument("--check", action="store_true", help="only check the input files, without Spark")
    batch.add_neighbours(parser)
    batch.add_unpacked(parser)
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    files = check(options.input, date, options.files_before, options.files_after, options.max_unpacked_mib)
    if options.check:
        print(f"access_log: {len(files)} files with {sum(file.bytes for file in files)} bytes")
        return
    rows = run(files, date, options.output, options.max_reject_share, options.files_before, options.files_after)
    print(f"access_log: {date}: {rows}")


def check(
    folder: str, date: dt.date, before: int = 0, after: int = 0, max_unpacked_mib: int = inputs.MAX_UNPACKED_MIB
) -> tuple[InputFile, ...]:
    """Find the day's files and those around it, and check that compressed ones can be read to their end.

    Args:
        folder: where the files are.
        date: the day.
        before: how many days before it have files that can hold lines of it.
        after: how many days after it.
        max_unpacked_mib: what a gzip file may unpack to.

    Raises:
        UserError: if there is none, or one is empty, blank, unreadable, cut off or damaged, or unpacks to too much.
    """
    limit = max_unpacked_mib * 2**20
    files = inputs.find_days(folder, date, "*{date}*.log", "*{date}*.log.gz", before=before, after=after, limit=limit)
    inputs.check_has_rows(files)
    return files


def run(
    files: tuple[InputFile, ...], date: dt.date, output: str, max_reject_share: float, before: int = 0, after: int = 0
) -> batch.Rows:
    """Read the day's files and publish what they tell.

    Args:
        files: the checked input files.
        date: their day.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected lines, 0 to 1.
        before: how many days before it have files that can hold lines of it.
        after: how many days after it.

    Raises:
        UserError: if more lines are rejected, or a file changes meanwhile; the day's old result then stays.
        RuntimeError: if lines are missing, the counts do not add up or the result fails its checks.
    """
    job = batch.Job("access_log", f"date={date}", output, files, max_reject_share)
    parts = -(-sum(file.bytes for file in files if file.day == str(date)) // BYTES_PER_FILE)
    with batch.session() as spark, batch.staged(job, files) as paths:
        days = {path: file.day for path, file in zip(paths, files, strict=True)}
        judged = frames.judged_days(spark, days, lambda lines: transform(lines, date), "at", date, before, after)
        return batch.settle(spark, job, judged, REASONS, tables, main="requests", files=parts, checks=checks)


def transform(lines: DataFrame, date: dt.date) -> DataFrame:
    """Split log lines into typed columns and judge each one.

    Args:
        lines: a column value, one log line a row.
        date: the day that every request must be of, in the session's time zone.

    Returns:
        at, ip, user, visitor, method, path, protocol, status, bytes, referrer, agent, seconds, and the line itself with
        the reason for which it is rejected: one of REASONS, or null for a good row. The method is null where a client
        sent no HTTP request; user, referrer and seconds are null where the server wrote a dash or nothing.
    """
    from pyspark.sql import functions as F

    names = ("ip", "ident", "user", "time", "request", "status_text", "bytes_text", "referrer", "agent", "seconds_text")
    fields = [F.regexp_extract("value", COMBINED, number).alias(name) for number, name in enumerate(names, 1)]
    utf8 = F.is_valid_utf8("value") & ~F.contains("value", F.lit("\0"))
    split = frames.evaluated_once(lines, F.col("value").alias("line"), utf8.alias("utf8"), *fields)
    request = [F.regexp_extract("request", REQUEST, number) for number in (1, 2, 3)]
    typed = frames.evaluated_once(
        split,
        F.try_to_timestamp(F.regexp_extract("time", TIME_TEXT, 1), F.lit(TIME)).alias("at"),
        F.col("ip"),
        _known("user").alias("user"),
        F.sha2(F.coalesce(_known("user"), F.concat_ws("|", "ip", "agent")), 256).substr(1, 16).alias("visitor"),
        F.nullif(request[0], F.lit("")).alias("method"),
        F.coalesce(F.nullif(request[1], F.lit("")), F.col("request")).alias("path"),
        F.nullif(request[2], F.lit("")).alias("protocol"),
        F.regexp_extract("status_text", STATUS, 1).try_cast("int").alias("status"),
        F.when(F.col("bytes_text") == "-", F.lit(0))
        .otherwise(F.regexp_extract("bytes_text", BYTES, 1).try_cast("bigint"))
        .alias("bytes"),
        _known("referrer").alias("referrer"),
        _known("agent").alias("agent"),
        F.concat(F.regexp_extract("seconds_text", SECONDS, 1), F.lit("."), F.regexp_extract("seconds_text", SECONDS, 2))
        .try_cast("decimal(10,3)")
        .alias("seconds"),
        F.col("seconds_text").isin("", "-").alias("untimed"),
        F.col("line"),
        F.col("utf8"),
    )
    reason = (
        F.when(~F.col("utf8"), "not_utf8")
        .when(F.col("ip") == "", "not_combined")
        .when(F.col("at").isNull(), "wrong_time")
        .when(F.col("status").isNull(), "wrong_status")
        .when(F.col("bytes").isNull(), "wrong_bytes")
        .when(~F.col("untimed") & F.col("seconds").isNull(), "wrong_seconds")
        .when(F.to_date("at") != F.lit(date), "wrong_date")
    )
    return typed.withColumn("reason", reason).drop("utf8", "untimed")


def tables(requests: DataFrame) -> dict[str, DataFrame]:
    """Return what is computed from a day's requests: sessions, daily, status_codes, slow_paths."""
    found = sessions(requests)
    return {
        "sessions": found,
        "daily": daily(requests, found),
        "status_codes": status_codes(requests),
        "slow_paths": slow_paths(requests),
    }


def sessions(requests: DataFrame) -> DataFrame:
    """Put the requests of each visitor that follow each other within SESSION_SECONDS into sessions.

    Returns:
        session_id (the same at each run), visitor, user, started, ended, requests, errors (status 400 and above), bytes,
        first_path, last_path.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    order = Window.partitionBy("visitor").orderBy("at", "path", "status", "bytes")
    gap = F.unix_seconds("at") - F.unix_seconds(F.lag("at").over(order))
    opened = F.coalesce((gap > SESSION_SECONDS).cast("int"), F.lit(1))
    numbered = requests.withColumn("opened", opened).withColumn("number", F.sum("opened").over(order))
    step = F.struct("at", "path", "status", "bytes")
    grouped = numbered.groupBy("visitor", "number").agg(
        F.min("user").alias("user"),
        F.min("at").alias("started"),
        F.max("at").alias("ended"),
        F.count(F.lit(1)).alias("requests"),
        F.count_if(F.col("status") >= 400).alias("errors"),
        F.sum("bytes").alias("bytes"),
        F.min_by("path", step).alias("first_path"),
        F.max_by("path", step).alias("last_path"),
    )
    session_id = F.sha2(F.concat_ws("|", "visitor", F.unix_micros("started").cast("string")), 256).substr(1, 20)
    return grouped.select(session_id.alias("session_id"), *(name for name in grouped.columns if name != "number"))


def daily(requests: DataFrame, found: DataFrame) -> DataFrame:
    """Return one row: the day's requests, errors, bytes, unique visitors, unique users by name, sessions."""
    from pyspark.sql import functions as F

    counts = requests.agg(
        F.count(F.lit(1)).alias("requests"),
        F.count_if(F.col("status") >= 400).alias("errors"),
        F.coalesce(F.sum("bytes"), F.lit(0)).alias("bytes"),
        F.count_distinct("visitor").alias("visitors"),
        F.count_distinct("user").alias("users"),
    )
    return counts.join(found.agg(F.count(F.lit(1)).alias("sessions")), how="cross")


def status_codes(requests: DataFrame) -> DataFrame:
    """Return status, requests and bytes of each status code."""
    from pyspark.sql import functions as F

    return requests.groupBy("status").agg(F.count(F.lit(1)).alias("requests"), F.sum("bytes").alias("bytes"))


def slow_paths(requests: DataFrame) -> DataFrame:
    """Return the paths that are slowest for their slowest twentieth of requests.

    Query strings are cut off, and numbers in a path are one path: /products/42 is /products/{n}.

    Returns:
        method, path, requests, p50, p95 and most (seconds), errors: SLOW_PATHS rows at most.
    """
    from pyspark.sql import functions as F

    path = F.regexp_replace(F.substring_index("path", "?", 1), NUMBER_IN_PATH, "/{n}")
    timed = requests.where(F.col("seconds").isNotNull() & F.col("method").isNotNull()).withColumn("path", path)
    grouped = timed.groupBy("method", "path").agg(
        F.count(F.lit(1)).alias("requests"),
        F.percentile("seconds", F.lit(0.5)).cast("decimal(10,3)").alias("p50"),
        F.percentile("seconds", F.lit(0.95)).cast("decimal(10,3)").alias("p95"),
        F.max("seconds").alias("most"),
        F.count_if(F.col("status") >= 500).alias("errors"),
    )
    frequent = grouped.where(F.col("requests") >= SLOW_REQUESTS)
    return frequent.orderBy(F.col("p95").desc(), "method", "path").limit(SLOW_PATHS)


def checks(written: Mapping[str, DataFrame]) -> dict[str, Column]:
    """Return what must hold for the tables, see `batch.settle`."""
    from pyspark.sql import functions as F

    def total(table: str) -> int:
        row = written[table].agg(F.coalesce(F.sum("requests"), F.lit(0))).first()
        assert row is not None
        return int(row[0])

    requests = written["requests"].count()
    return {
        "sessions: every request is in one session": F.lit(total("sessions") == requests),
        "sessions: none ends before it starts": F.col("ended") >= F.col("started"),
        "daily: it counts every request": F.col("requests") == requests,
        "daily: there are not more visitors than sessions": F.col("visitors") <= F.col("sessions"),
        "status_codes: every request has one": F.lit(total("status_codes") == requests),
    }


def _known(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.when(~F.col(name).isin("", "-"), F.col(name))


if __name__ == "__main__":
    sys.exit(errors.run("access_log", main, sys.argv[1:]))
