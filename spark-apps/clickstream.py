"""Turn one day's click events into a funnel, conversion by campaign, and a retention table, with Spark SQL.

spark-submit clickstream.py --date 2026-01-15 --input /opt/airflow/data/clicks --output /opt/airflow/output

Reads   <input>/clicks_2026-01-15.jsonl or .jsonl.gz, an event a line, and <input>/campaigns.csv; the files of the day before,
        too, for a server whose midnight is after ours (--files-before, --files-after)
        <output>/clickstream/date=…/events of the days before, as far as they are there (--window-days)
Writes  <output>/clickstream/date=2026-01-15             events, funnel, campaigns, retention
        <output>/quarantine/clickstream/date=2026-01-15  the lines that are no events, with the reason
With --check it looks at the input only, without Spark. A mistake ends in one sentence and exit code 2.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import re
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import batch
import errors
import frames
import inputs
import json_lines
import values
from errors import UserError
from inputs import InputFile
from sales_format import MAX_TEXT

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

REASONS = ("not_utf8", "not_json", "missing_value", "wrong_type", "unknown_type", "out_of_range", "wrong_date")
TYPES = ("view", "search", "cart", "checkout", "purchase")
REQUIRED = ("event_id", "user_id", "session_id", "at", "type", "product_id")
COLUMNS = (*REQUIRED, "campaign", "amount")
TEXTS = ("event_id", "user_id", "session_id", "type", "product_id", "campaign")
EVENTS = (
    "event_id string, user_id string, session_id string, at timestamp, type string, product_id string, campaign string, "
    "amount decimal(12,2)"
)
CAMPAIGNS, CAMPAIGN_HEADER = "campaign string, channel string, cost decimal(12,2)", "campaign,channel,cost"
COST = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
BYTES_PER_FILE = 64 * 2**20

# A session has reached a step if it did that after the step before it.
FUNNEL = """
WITH reached AS (
    SELECT session_id, user_id,
        min(at) FILTER (WHERE type = 'view') AS viewed,
        collect_list(struct(at, type)) AS steps
    FROM events
    GROUP BY session_id, user_id
), carted AS (
    SELECT *, array_min(transform(filter(steps, s -> s.type = 'cart' AND s.at >= viewed), s -> s.at)) AS carted FROM reached
), checked AS (
    SELECT *, array_min(transform(filter(steps, s -> s.type = 'checkout' AND s.at >= carted), s -> s.at)) AS checked FROM carted
), bought AS (
    SELECT *, array_min(transform(filter(steps, s -> s.type = 'purchase' AND s.at >= checked), s -> s.at)) AS bought FROM checked
), counted AS (
    SELECT stack(4,
        1, 'view',     count(viewed),  count(DISTINCT CASE WHEN viewed  IS NOT NULL THEN user_id END),
        2, 'cart',     count(carted),  count(DISTINCT CASE WHEN carted  IS NOT NULL THEN user_id END),
        3, 'checkout', count(checked), count(DISTINCT CASE WHEN checked IS NOT NULL THEN user_id END),
        4, 'purchase', count(bought),  count(DISTINCT CASE WHEN bought  IS NOT NULL THEN user_id END)
    ) AS (step, type, sessions, users)
    FROM bought
)
SELECT step, type, sessions, users,
    CAST(round(sessions / nullif(lag(sessions) OVER (ORDER BY step), 0), 4) AS decimal(6, 4)) AS share_of_previous
FROM counted
"""

# A campaign that nobody has described keeps its events; one that brought nobody is in the table too.
CONVERSION = """
WITH sessions AS (
    SELECT coalesce(campaign, '(none)') AS campaign, session_id, user_id,
        count_if(type = 'purchase') AS purchases, coalesce(sum(amount), 0) AS revenue
    FROM events
    GROUP BY coalesce(campaign, '(none)'), session_id, user_id
), totals AS (
    SELECT campaign, count(*) AS sessions, count(DISTINCT user_id) AS users, count_if(purchases > 0) AS converted,
        sum(purchases) AS purchases, CAST(sum(revenue) AS decimal(18, 2)) AS revenue
    FROM sessions
    GROUP BY campaign
)
SELECT coalesce(t.campaign, c.campaign) AS campaign, c.channel, c.cost,
    coalesce(t.sessions, 0) AS sessions, coalesce(t.users, 0) AS users, coalesce(t.converted, 0) AS converted,
    coalesce(t.purchases, 0) AS purchases, coalesce(t.revenue, CAST(0 AS decimal(18, 2))) AS revenue,
    CAST(round(t.converted / t.sessions, 4) AS decimal(6, 4)) AS conversion
FROM totals t FULL OUTER JOIN campaigns c ON t.campaign = c.campaign
"""

# Of the users that were first seen on a day of the window: how many were there again so many days after.
RETENTION = """
WITH days AS (
    SELECT DISTINCT user_id, to_date(at) AS day FROM history
), cohorts AS (
    SELECT user_id, min(day) AS cohort FROM days GROUP BY user_id
)
SELECT cohort, datediff(day, cohort) AS days_since, count(*) AS users
FROM days JOIN cohorts USING (user_id)
GROUP BY cohort, datediff(day, cohort)
"""


def main(argv: Sequence[str]) -> None:
    """Check the input, run the job, publish the result and print one line of counts.

    Raises:
        UserError: for a bad argument, a bad input file, too many rejected lines, a full disk.
    """
    parser = batch.parser("clickstream", __doc__, source="clicks")
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD, in the platform's time zone")
    parser.add_argument(
        "--window-days",
        type=functools.partial(batch.parse_count, least=-(2**31), most=3_660),
        default=14,
        help="days of the retention table (%(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="only check the input files, without Spark")
    batch.add_neighbours(parser)
    batch.add_unpacked(parser)
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    if options.window_days < 1:
        raise UserError(f"--window-days {options.window_days}: at least one")
    before, after = options.files_before, options.files_after
    files = check(options.input, date, before, after, options.max_unpacked_mib)
    if options.check:
        print(f"clickstream: {len(files)} files with {sum(file.bytes for file in files)} bytes")
        return
    rows = run(files, date, options.window_days, options.output, options.max_reject_share, before, after)
    print(f"clickstream: {date}: {rows}")


def check(
    folder: str, date: dt.date, before: int = 0, after: int = 0, max_unpacked_mib: int = inputs.MAX_UNPACKED_MIB
) -> tuple[InputFile, ...]:
    """Find the day's files, those around it and the campaigns, and check what can be checked without Spark.

    Args:
        folder: where the files are.
        date: the day.
        before: how many days before it have files that can hold events of it.
        after: how many days after it.
        max_unpacked_mib: what a gzip file may unpack to.

    Returns:
        The campaigns' file, then the files of events, the day's own first.

    Raises:
        UserError: if one is missing, empty, blank, unreadable, cut off or damaged, or unpacks to too much, or the campaigns are
            wrong.
    """
    campaigns = inputs.look(Path(folder, "campaigns.csv"))
    read_campaigns(campaigns)
    patterns = "clicks_{date}*.jsonl", "clicks_{date}*.jsonl.gz"
    files = inputs.find_days(folder, date, *patterns, before=before, after=after, limit=max_unpacked_mib * 2**20)
    inputs.check_has_rows(files)
    return (campaigns, *files)


def read_campaigns(file: InputFile) -> list[tuple[str, str | None, Decimal]]:
    """Read what is known of campaigns.

    Args:
        file: CSV with the columns of CAMPAIGNS.

    Returns:
        Name, channel and cost of each.

    Raises:
        UserError: with the line, if it has another form, a cost that is no amount, a text that is too long, or a name that was
            there before: each of its events would count twice.
    """
    found: dict[str, tuple[str, str | None, Decimal]] = {}
    try:
        with open(file.path, encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            header = ",".join(next(rows, []))
            if header != CAMPAIGN_HEADER:
                raise UserError(f"{file.path} has the wrong header: expected {CAMPAIGN_HEADER}; found {header[:200]}")
            for row in filter(None, rows):
                where = f"line {rows.line_num} of {file.path}"
                if any(mark in text for text in row for mark in "\0\r\n"):
                    raise UserError(f"{where} has a line break or a NUL in a field: is one of its quotes not closed?")
                if len(row) != 3 or values.blank(row[0]) or not COST.fullmatch(row[2]):
                    raise UserError(f"{where} is no campaign, channel and cost such as 120.50: {','.join(row)[:200]}")
                if any(len(text.encode()) > MAX_TEXT for text in row):
                    raise UserError(f"{where} has a text of more than {MAX_TEXT} bytes: {','.join(row)[:200]}")
                if row[0] in found:
                    raise UserError(f"{where} names the campaign {row[0]} once more: leave one of its lines")
                found[row[0]] = (row[0], None if values.blank(row[1]) else row[1], Decimal(row[2]))
    except UnicodeDecodeError:
        raise UserError(f"{file.path} is not UTF-8: save it as that") from None
    except csv.Error as error:
        raise UserError(f"{file.path} is no CSV file: {error}") from None
    return list(found.values())


def run(
    files: tuple[InputFile, ...],
    date: dt.date,
    window_days: int,
    output: str,
    max_reject_share: float,
    before: int = 0,
    after: int = 0,
) -> frames.Rows:
    """Read the day's events and publish what they tell.

    Args:
        files: what `check` returns.
        date: their day.
        window_days: how many days, the day itself among them, the retention table looks at.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected lines, 0 to 1.
        before: how many days before it have files that can hold events of it.
        after: how many days after it.

    Raises:
        UserError: if more lines are rejected, or a file changes meanwhile; the day's old result then stays.
        RuntimeError: if lines are missing, the counts do not add up or the result fails its checks.
    """
    days_before = history_days(output, date, window_days)
    notes = {"history": days_before}
    job = batch.Job("clickstream", f"date={date}", output, files, max_reject_share, notes)
    events = files[1:]
    parts = -(-sum(file.bytes for file in events if file.day == str(date)) // BYTES_PER_FILE)
    with batch.session() as spark, batch.staged(job, events) as paths:
        days = {path: file.day for path, file in zip(paths, events, strict=True)}
        judged = frames.judged_days(spark, days, lambda lines: transform(lines, date), "at", date, before, after)
        campaigns = spark.createDataFrame(read_campaigns(files[0]), CAMPAIGNS)
        older = history(spark, output, days_before)
        return batch.settle(
            spark,
            job,
            judged,
            REASONS,
            lambda events: tables(events, campaigns, older),
            main="events",
            key=("event_id",),
            files=parts,
            lines=events,
            checks=checks,
        )


def history_days(output: str, date: dt.date, window_days: int) -> list[str]:
    """Return the days before a day, within the window, whose events are published."""
    window = (date - dt.timedelta(number) for number in range(window_days - 1, 0, -1))
    return [str(day) for day in window if Path(output, "clickstream", f"date={day}", "_SUCCESS").exists()]


def history(spark: SparkSession, output: str, days: Sequence[str]) -> DataFrame:
    """Read the published events of days; no day gives no rows."""
    if not days:
        return spark.createDataFrame([], EVENTS)
    return spark.read.schema(EVENTS).parquet(*(f"{output}/clickstream/date={day}/events" for day in days))


def transform(lines: DataFrame, date: dt.date) -> DataFrame:
    """Read lines as events and judge each one.

    Args:
        lines: a column value, a JSON object a row.
        date: the day that every event must be of, in the session's time zone.

    Returns:
        The columns of EVENTS, and the line itself with the reason for which it is rejected: one of REASONS, or null for a
        good row. An amount belongs to a purchase alone.
    """
    from pyspark.sql import functions as F

    given = ~values.blank_column(F.col("amount"))
    typed = frames.evaluated_once(
        json_lines.parsed(lines, COLUMNS),
        *(F.col(name) for name in ("event_id", "user_id", "session_id")),
        # A time without an offset is another one in each time zone.
        values.time_column(F.col("at"), zoned=True).alias("at"),
        *(F.col(name) for name in ("type", "product_id")),
        F.when(~values.blank_column(F.col("campaign")), F.col("campaign")).alias("campaign"),
        values.money_column(F.col("amount")).alias("amount"),
        F.col("line"),
        F.col("problem"),
        F.col("wrong"),
        frames.any_of(values.blank_column(F.col(name)) for name in REQUIRED).alias("missing"),
        given.alias("given"),
    )
    purchase, amount = F.col("type") == "purchase", F.col("amount")
    wrong_amount = F.col("given") & (~purchase | amount.isNull())
    too_long = frames.any_of(F.coalesce(F.octet_length(name) > MAX_TEXT, F.lit(False)) for name in TEXTS)
    reason = (
        F.when(F.col("problem").isNotNull(), F.col("problem"))
        .when(F.col("missing") | (purchase & ~F.col("given")), "missing_value")
        .when(F.col("wrong") | F.col("at").isNull() | wrong_amount, "wrong_type")
        .when(~F.col("type").isin(*TYPES), "unknown_type")
        .when(too_long | (amount < 0), "out_of_range")
        .when(F.to_date("at") != F.lit(date), "wrong_date")
    )
    return typed.withColumn("reason", reason).drop("problem", "wrong", "missing", "given")


def tables(events: DataFrame, campaigns: DataFrame, older: DataFrame) -> dict[str, DataFrame]:
    """Return what is computed from a day's events: funnel, campaigns, retention.

    Args:
        events: the day's events, columns of EVENTS.
        campaigns: columns of CAMPAIGNS.
        older: the events of the days before.
    """
    sources = {"events": events, "campaigns": campaigns, "history": older.select(events.columns).union(events)}
    for name, frame in sources.items():
        frame.createOrReplaceTempView(name)
    spark = events.sparkSession
    return {"funnel": spark.sql(FUNNEL), "campaigns": spark.sql(CONVERSION), "retention": spark.sql(RETENTION)}


def checks(written: Mapping[str, DataFrame]) -> dict[str, Column]:
    """Return what must hold for the tables, see `batch.settle`."""
    from pyspark.sql import functions as F

    events = written["events"].agg(F.coalesce(F.sum("amount"), F.lit(0)), F.count_if(F.col("type") == "purchase")).first()
    totals = written["campaigns"].agg(F.coalesce(F.sum("revenue"), F.lit(0)), F.coalesce(F.sum("purchases"), F.lit(0))).first()
    assert events is not None and totals is not None
    return {
        "events: a purchase has an amount": (F.col("type") != "purchase") | F.col("amount").isNotNull(),
        "funnel: no step has more sessions than the one before": F.col("share_of_previous") <= 1,
        "campaigns: every purchase and its amount is in one": F.lit(tuple(events) == tuple(totals)),
        "campaigns: no more sessions convert than there are": F.col("converted") <= F.col("sessions"),
        "retention: nobody comes back before the first day": F.col("days_since") >= 0,
    }


if __name__ == "__main__":
    sys.exit(errors.run("clickstream", main, sys.argv[1:]))
