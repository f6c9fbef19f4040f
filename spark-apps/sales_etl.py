"""Turn one day's sales CSV into a Parquet partition, with every rejected row and its reason set aside.

spark-submit sales_etl.py --date 2026-01-15 --input /opt/airflow/data/sales --output /opt/airflow/output

Reads   <input>/sales_2026-01-15.csv
Writes  <output>/sales/date=2026-01-15             part-*.parquet, _SUCCESS, _manifest.json
        <output>/quarantine/sales/date=2026-01-15  part-*.json (reason, line), _manifest.json
Both appear complete or not at all. The same input gives the same bytes of data, on a cluster of any size.
With --check it looks at the input only, without Spark. A mistake ends in one sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import json
import operator
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import errors
import parquet_footer
import publish
import sales_input
from errors import UserError
from sales_input import SalesFile

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

REASONS = ("not_utf8", "wrong_columns", "missing_value", "wrong_type", "out_of_range", "wrong_date")
TIME_ZONE = "Asia/Seoul"
MAX_QUANTITY = 9_999
# A Parquet file for each 64 MiB of CSV: the number of files must not depend on the size of the cluster.
BYTES_PER_FILE = 64 * 2**20

CONF = {
    "spark.sql.session.timeZone": TIME_ZONE,
    "spark.sql.files.maxPartitionBytes": str(32 * 2**20),
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.debug.maxToStringFields": "200",
    "spark.sql.parquet.compression.codec": "snappy",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.hadoop.fs.permissions.umask-mode": "002",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
}


@dataclass(frozen=True)
class Rows:
    """What became of the rows of the input: read = written + rejected + duplicates."""

    read: int
    rejects: dict[str, int]
    duplicates: int = 0
    written: int = 0

    @property
    def rejected(self) -> int:
        """Rows rejected for any reason."""
        return sum(self.rejects.values())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def main(argv: Sequence[str]) -> None:
    """Check the input, run the job, publish the result and print one line of counts.

    Raises:
        UserError: for a bad argument, a bad input file, too many rejected rows, a full disk.
    """
    options = _options(argv)
    date = sales_input.parse_date(options.date)
    file = sales_input.check(options.input, date)
    if options.check:
        print(f"sales_etl: {file.path} has the right header and {file.bytes} bytes")
        return
    os.umask(0o002)
    try:
        rows = run(file, date, options.output, options.max_reject_share)
    except UserError:
        raise
    except Exception as error:
        reason = errors.disk_full_reason(error, options.output)
        if reason is None:
            raise
        raise UserError(reason) from error
    print(
        f"sales_etl: {date}: {rows.read} rows read = {rows.written} written + {rows.rejected} rejected "
        f"+ {rows.duplicates} duplicates"
    )


def run(file: SalesFile, date: dt.date, output: str, max_reject_share: float) -> Rows:
    """Read one day's file and publish its rows and its rejects.

    Args:
        file: the checked input file.
        date: its day.
        output: the root of the published partitions.
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.

    Raises:
        UserError: if more rows are rejected, or the file changes meanwhile; the day's old result then stays.
        RuntimeError: if the counts of the two passes do not add up.
    """
    sales, quarantine = f"sales/date={date}", f"quarantine/sales/date={date}"
    publish.check_replaceable(output, sales)
    publish.check_replaceable(output, quarantine)
    with publish.staging(output, str(date)) as stage, ThreadPoolExecutor(1) as pool, _session() as spark:
        digest = pool.submit(sales_input.sha256, file.path)
        parsed = transform(extract(spark, file), date)
        rows = load_rejects(parsed, stage / "quarantine")
        sales_input.check_unchanged(file)
        manifest = {
            "dag_date": str(date),
            "rows_read": rows.read,
            "rows_rejected": rows.rejected,
            "rejects_by_reason": rows.rejects,
            "max_reject_share": max_reject_share,
            "input": {"path": file.path, "bytes": file.bytes, "sha256": digest.result()},
            "versions": {"airspark": os.environ.get("AIRSPARK_VERSION", "unknown"), "spark": spark.version},
            "application_id": spark.sparkContext.applicationId,
        }
        _write_manifest(stage / "quarantine", manifest)
        published = publish.publish(output, quarantine, stage / "quarantine")
        check_share(rows, max_reject_share, str(published))

        rows = load_sales(parsed, rows, stage / "sales", files=-(-file.bytes // BYTES_PER_FILE))
        sales_input.check_unchanged(file)
        manifest |= {"rows_written": rows.written, "rows_duplicate": rows.duplicates}
        _write_manifest(stage / "sales", manifest)
        publish.publish(output, sales, stage / "sales")
    return rows


def extract(spark: SparkSession, file: SalesFile) -> DataFrame:
    """Read the lines of a file, without blank lines and without its header, wherever the header is repeated.

    Returns:
        A column value: the line's bytes as they are, valid UTF-8 or not.
    """
    from pyspark.sql import functions as F

    lines = spark.read.text(file.path)
    return lines.where((F.col("value") != F.lit(file.header)) & (F.col("value") != F.lit("")))


def transform(lines: DataFrame, date: dt.date) -> DataFrame:
    """Split lines into typed columns and judge each one.

    Args:
        lines: a column value, one CSV line a row.
        date: the day that every order must be of, in Korean time.

    Returns:
        The columns of sales_input.COLUMNS typed, amount (quantity times unit_price), the line itself and the
        reason for which it is rejected: one of REASONS, or null for a good row.
    """
    from pyspark.sql import functions as F

    text = ", ".join(f"{name} string" for name in (*sales_input.COLUMNS, "malformed"))
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "malformed", "escape": '"'}
    row = F.from_csv("value", text, options)
    fields = _evaluated_once(lines, F.col("value").alias("line"), row.alias("row")).select("line", "row.*")
    typed = _evaluated_once(
        fields,
        F.col("order_id").try_cast("bigint").alias("order_id"),
        F.when(F.length("ordered_at") >= 19, F.col("ordered_at").try_cast("timestamp")).alias("ordered_at"),
        F.col("customer_id"),
        F.col("product_id"),
        F.col("category"),
        F.col("quantity").try_cast("int").alias("quantity"),
        F.col("unit_price").try_cast("decimal(14,4)").alias("price"),
        F.col("region"),
        F.col("channel"),
        F.col("line"),
        F.is_valid_utf8("line").alias("utf8"),
        F.col("malformed").isNotNull().alias("malformed"),
        _any(F.col(name).isNull() for name in sales_input.COLUMNS).alias("missing"),
    ).withColumn("unit_price", F.col("price").try_cast("decimal(12,2)"))
    wrong_type = _any(F.col(name).isNull() for name in ("order_id", "ordered_at", "quantity", "unit_price"))
    amount = F.col("quantity").try_cast("decimal(5,0)") * F.col("unit_price")
    reason = (
        F.when(~F.col("utf8"), "not_utf8")
        .when(F.col("malformed"), "wrong_columns")
        .when(F.col("missing"), "missing_value")
        .when(wrong_type | (F.col("unit_price") != F.col("price")), "wrong_type")
        .when(~F.col("quantity").between(1, MAX_QUANTITY) | (F.col("unit_price") < 0), "out_of_range")
        .when(F.to_date("ordered_at") != F.lit(date), "wrong_date")
    )
    return typed.select(*sales_input.COLUMNS, amount.alias("amount"), "line", reason.alias("reason"))


def mark_copies(sales: DataFrame, files: int) -> DataFrame:
    """Number the copies of each row, and put the rows in an order that depends on nothing but themselves.

    Args:
        sales: good rows.
        files: how many parts to make; the copies of a row are in the same part.

    Returns:
        The same rows, sorted by order_id in each part, and copy: 1 for the first of equal rows, 2, 3, ….
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    equal_rows = Window.partitionBy(*sales_input.COLUMNS).orderBy("order_id")
    return sales.repartition(files, "order_id").withColumn("copy", F.row_number().over(equal_rows))


def load_rejects(parsed: DataFrame, folder: Path) -> Rows:
    """Write the rejected rows as JSON lines and count the rows: the first pass, without a shuffle.

    Args:
        parsed: what transform returns.
        folder: where to write; must not exist.

    Returns:
        The rows read and the rejects by reason.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    seen = Observation("rows")
    counts = [F.count_if(F.col("reason") == reason).alias(reason) for reason in REASONS]
    rejected = parsed.observe(seen, F.count(F.lit(1)).alias("read"), *counts).where(F.col("reason").isNotNull())
    # JSON holds only valid text: the bytes that are not UTF-8 are kept beside it.
    line_hex = F.when(F.col("reason") == "not_utf8", F.hex(F.col("line").cast("binary")))
    rejected.select("reason", "line", line_hex.alias("line_hex")).write.json(str(folder))
    _name_parts(folder)
    found: dict[str, int] = dict(seen.get)
    return Rows(found.pop("read"), {reason: count for reason, count in found.items() if count})


def load_sales(parsed: DataFrame, rows: Rows, folder: Path, files: int) -> Rows:
    """Write the good rows as Parquet, each once: the second pass.

    Args:
        parsed: what transform returns.
        rows: the counts of the first pass.
        folder: where to write; must not exist.
        files: how many Parquet files to write at most.

    Returns:
        The counts of both passes; those written are taken from the footers of the Parquet files.

    Raises:
        RuntimeError: if the counts do not add up.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    seen = Observation("copies")
    numbered = mark_copies(parsed.where(F.col("reason").isNull()), files)
    counted = numbered.observe(seen, F.count_if(F.col("copy") > 1).alias("duplicates"))
    good = counted.where(F.col("copy") == 1).select(*sales_input.COLUMNS, "amount")
    good.write.parquet(str(folder))
    _name_parts(folder)
    for path in folder.glob("part-*"):
        if not parquet_footer.sort_encodings(path, good.columns, _footer(path).num_row_groups):
            print(f"sales_etl: warning: {path.name} has an unknown footer: its bytes may differ next time")
    written = sum(_footer(path).num_rows for path in folder.glob("part-*"))
    result = Rows(rows.read, rows.rejects, seen.get["duplicates"], written)
    if result.read != result.written + result.rejected + result.duplicates:
        raise RuntimeError(f"the counts do not add up, nothing is published: {result}")
    return result


def check_share(rows: Rows, limit: float, quarantine: str) -> None:
    """Check that not too many rows were rejected.

    Args:
        rows: the counts of the first pass.
        limit: the largest tolerated share, 0 to 1.
        quarantine: where the rejected rows are, for the sentence.

    Raises:
        UserError: if the share is above the limit.
    """
    if rows.rejected <= limit * rows.read:
        return
    top = sorted(rows.rejects.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{count} {reason}" for reason, count in top[:3])
    raise UserError(
        f"{rows.rejected} of {rows.read} rows were rejected ({rows.rejected / rows.read:.2%}), more than the "
        f"limit of {limit:.2%}: {reasons}; see {quarantine}"
    )


@contextlib.contextmanager
def _session() -> Iterator[SparkSession]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for key, value in CONF.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    try:
        yield spark
    finally:
        spark.stop()


def _evaluated_once(frame: DataFrame, *columns: Column) -> DataFrame:
    # After a select() the optimizer repeats an expression for each use of it, above all in pushed filters:
    # 4 times slower for from_csv, 1.6 times for the casts (2026-11-22). A generator is a barrier to that.
    from pyspark.sql import functions as F

    return frame.select(F.inline(F.array(F.struct(*columns))))


def _any(conditions: Iterable[Column]) -> Column:
    return functools.reduce(operator.or_, conditions)


def _name_parts(folder: Path) -> None:
    # Spark puts the job's UUID into names and Hadoop a checksum file beside each: neither is the same twice.
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".crc") or (path.name.startswith("part-") and not path.stat().st_size):
            path.unlink()
        elif path.name.startswith("part-"):
            path.rename(folder / f"{path.name[:10]}{''.join(path.suffixes[-2:])}")


def _footer(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_metadata(path)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    files = [
        {"name": path.name, "bytes": path.stat().st_size}
        | ({"rows": _footer(path).num_rows} if path.suffix == ".parquet" else {})
        for path in sorted(folder.glob("part-*"))
    ]
    total = sum(path.stat().st_size for path in folder.glob("part-*"))
    text = json.dumps({**manifest, "files": files, "bytes": total}, indent=2)
    (folder / "_manifest.json").write_text(text + "\n", encoding="utf-8")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="sales_etl", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD")
    parser.add_argument("--input", default="/opt/airflow/data/sales", help="the folder of the CSV files (%(default)s)")
    parser.add_argument("--output", default="/opt/airflow/output", help="the root of the results (%(default)s)")
    parser.add_argument("--max-reject-share", type=float, default=0.10, help="0 to 1 (%(default)s)")
    parser.add_argument("--check", action="store_true", help="only check the input file, without Spark")
    options = parser.parse_args(argv)
    if not 0 <= options.max_reject_share <= 1:
        raise UserError(f"--max-reject-share must be between 0 and 1, not {options.max_reject_share}")
    return options


if __name__ == "__main__":
    sys.exit(errors.run("sales_etl", main, sys.argv[1:]))
