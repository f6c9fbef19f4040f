"""Turn one day's sales CSV into a Parquet partition, with every rejected row and its reason set aside.

spark-submit sales_etl.py --date 2026-01-15 --input /opt/airflow/data/sales --output /opt/airflow/output

Reads   <input>/sales_2026-01-15.csv
Writes  <output>/sales/date=2026-01-15             part-*.parquet, _SUCCESS, _manifest.json
        <output>/quarantine/sales/date=2026-01-15  part-*.json (reason, line), _manifest.json
Both appear complete or not at all. The same input gives the same bytes of data, on a cluster of any size. What each text of a
row may be is docs/reference/sales-format.md.
With --check it looks at the input only, without Spark. A mistake ends in one sentence and exit code 2.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import batch
import clock
import errors
import frames
import sales_format
import sales_input
import values
import vectors
from sales_format import MAX_TEXT
from sales_input import SalesFile

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame

REASONS = sales_format.REASONS


def main(argv: Sequence[str]) -> None:
    """Check the input, run the job, publish the result and print one line of counts.

    Raises:
        UserError: for a bad argument, a bad input file, too many rejected rows, a full disk.
    """
    parser = batch.parser("sales_etl", __doc__, source="sales")
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD")
    parser.add_argument("--check", action="store_true", help="only check the input file, without Spark")
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    file = sales_input.check(options.input, date)
    if options.check:
        print(f"sales_etl: {file.path} has the right header and {file.bytes} bytes")
        return
    rows = run(file, date, options.output, options.max_reject_share)
    print(f"sales_etl: {date}: {rows}")


def run(file: SalesFile, date: dt.date, output: str, max_reject_share: float) -> batch.Rows:
    """Read one day's file and publish its rows and its rejects.

    Args:
        file: the checked input file.
        date: its day.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.

    Raises:
        UserError: if more rows are rejected, or the file changes meanwhile; the day's old result then stays.
        RuntimeError: if the counts do not add up.
    """
    job = batch.Job("sales", f"date={date}", output, (file,), max_reject_share)
    with batch.session() as spark:

        def judged(folder: Path) -> DataFrame:
            others = vectors.other_lines(spark, file, sales_input.COLUMNS, functools.partial(plain, date=date), folder)
            return transform(without_header(others, file.header), date)

        return batch.settle(spark, job, judged, REASONS, key=sales_input.COLUMNS)


def without_header(lines: DataFrame, header: str) -> DataFrame:
    """Leave out blank lines and the header, wherever it is repeated.

    Args:
        lines: a column value, one line a row.
        header: the first line.
    """
    from pyspark.sql import functions as F

    return lines.where((F.col("value") != F.lit(header)) & (F.trim("value", F.lit(" \t\r")) != F.lit("")))


def plain(rows: pyarrow.Table, date: dt.date, zone: str = clock.TIME_ZONE) -> tuple[pyarrow.Array, pyarrow.Table]:
    """Tell which rows are plainly in order, and type them: for the common case, what `transform` does for any.

    Args:
        rows: the columns of sales_input.COLUMNS as texts.
        date: the day that every order must be of.
        zone: the time zone of the day.

    Returns:
        A true for each row that `transform` would give no reason to reject, as far as that is certain by the look of its
        texts; and those rows with the columns of `transform`, without line and reason.
    """
    from zoneinfo import ZoneInfo

    import pyarrow as pa
    from pyarrow import compute as pc

    midnight = dt.datetime.combine(date, dt.time(), ZoneInfo(zone))
    patterns = {
        "order_id": "^[0-9]{1,18}$",
        "ordered_at": f"^{date}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]{re.escape(midnight.isoformat()[19:])}$",
        "quantity": "^[1-9][0-9]{0,3}$",
        "unit_price": "^[0-9]{1,9}(\\.[0-9]{1,2})?$",
    }
    looks_right = [pc.match_substring_regex(rows[name], pattern) for name, pattern in patterns.items()]
    texts = [rows[name] for name in rows.column_names if name not in patterns]
    # A text that is not empty and whose first character is neither a space nor one of control.
    given = [pc.greater_equal(text, "!") for text in texts]
    fits = [pc.less_equal(pc.binary_length(text), MAX_TEXT) for text in texts]
    in_order = functools.reduce(pc.and_, [*looks_right, *given, *fits])
    # Of a day on which summer time begins or ends, or whose offset no text can have, Spark judges every line.
    begins, ends = midnight.utcoffset(), (midnight + dt.timedelta(days=1)).utcoffset()
    if begins != ends or begins is None or begins.total_seconds() % 60:
        in_order = pc.and_(in_order, False)
    rows = rows.filter(in_order)
    quantity = rows["quantity"].cast(pa.int32())
    unit_price = rows["unit_price"].cast(pa.decimal128(12, 2))
    amount = pc.multiply(quantity.cast(pa.decimal128(10, 0)), unit_price).cast(pa.decimal128(18, 2))
    typed = {
        "order_id": rows["order_id"].cast(pa.int64()),
        "ordered_at": rows["ordered_at"].cast(pa.timestamp("us", "UTC")),
        "quantity": quantity,
        "unit_price": unit_price,
    }
    return in_order, pa.table({name: typed.get(name, rows[name]) for name in rows.column_names} | {"amount": amount})


def transform(lines: DataFrame, date: dt.date) -> DataFrame:
    """Split lines into typed columns and judge each one.

    Args:
        lines: a column value, one CSV line a row.
        date: the day that every order must be of, in the platform's time zone.

    Returns:
        The columns of sales_input.COLUMNS typed, amount (quantity times unit_price), the line itself and the
        reason for which it is rejected: one of REASONS, or null for a good row.
    """
    from pyspark.sql import functions as F

    columns = sales_format.TABLE
    fields = frames.evaluated_once(
        lines,
        F.col("value").alias("line"),
        (F.is_valid_utf8("value") & ~F.contains("value", F.lit("\0"))).alias("utf8"),
        values.fields_column(F.col("value"), len(columns)).alias("fields"),
    )
    text = {column.name: F.get("fields", F.lit(number)) for number, column in enumerate(columns)}
    types = {
        "string": lambda one: one,
        "bigint": lambda one: values.whole_column(one, "bigint"),
        "int": lambda one: values.whole_column(one, "int"),
        "decimal(12,2)": values.money_column,
        "timestamp": values.time_column,
    }
    typed = frames.evaluated_once(
        fields,
        *(types[column.type](text[column.name]).alias(column.name) for column in columns),
        F.col("line"),
        F.col("utf8"),
        F.col("fields").isNull().alias("malformed"),
        frames.any_of(values.blank_column(one) for one in text.values()).alias("missing"),
    )
    wrong_type = frames.any_of(F.col(column.name).isNull() for column in columns)
    long = frames.any_of(F.octet_length(name) > sales_format.MAX_TEXT for name in sales_format.TEXTS)
    amount = F.col("quantity").try_cast("decimal(5,0)") * F.col("unit_price")
    reason = (
        F.when(~F.col("utf8"), "not_utf8")
        .when(F.col("malformed"), "wrong_columns")
        .when(F.col("missing"), "missing_value")
        .when(wrong_type, "wrong_type")
        .when(~F.col("quantity").between(1, sales_format.MAX_QUANTITY) | (F.col("unit_price") < 0) | long, "out_of_range")
        .when(F.to_date("ordered_at") != F.lit(date), "wrong_date")
    )
    return typed.select(*sales_input.COLUMNS, amount.alias("amount"), "line", reason.alias("reason"))


if __name__ == "__main__":
    sys.exit(errors.run("sales_etl", main, sys.argv[1:]))
