"""Whole columns at once, with Arrow: for CSV lines that are plainly in order, and for rows that are there more than once.

Spark parses a line, and writes a row, at a time. Here each task takes a range of the file's bytes, reads it with Arrow's CSV
reader and writes the lines that are plainly in order as a Parquet file itself: a quarter of the CPU time. Every other line is
handed on to Spark, which judges it like any line: this only decides who does the work, never what comes out.
"""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow
    from inputs import InputFile
    from pyspark.sql import DataFrame, SparkSession

#: Looks at a table of texts; returns which rows are plainly in order, and those rows with their final columns.
Judge = Callable[["pyarrow.Table"], tuple["pyarrow.Array", "pyarrow.Table"]]

#: Bytes of a file that a task reads, and of those that it has in memory at a time.
RANGE, CHUNK = 64 * 2**20, 8 * 2**20


def other_lines(spark: SparkSession, file: InputFile, columns: Sequence[str], judge: Judge, folder: Path) -> DataFrame:
    """Write the lines that are plainly in order as Parquet, and return the others.

    It happens when the returned rows are read, each time with the same bytes.

    Args:
        spark: the session; its executors must see file and folder.
        file: a CSV file, fields divided by commas.
        columns: the names of its fields.
        judge: what is in order. It is run on the executors, at any number of rows at a time.
        folder: where to write part-<number>.plain.parquet, one for each range with such lines; must exist.

    Returns:
        A column value: the bytes of a line, without its end. Blank lines may be missing.
    """
    from pyspark.sql import functions as F

    _ship(judge)
    path, ranges = file.path, -(-file.bytes // RANGE)

    def read(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow

        for batch in batches:
            for number in batch.column(0).to_pylist():
                target = folder / f"part-{number:05d}.plain.parquet"
                for lines in _read_range(path, number * RANGE, (number + 1) * RANGE, columns, judge, target):
                    yield pyarrow.RecordBatch.from_arrays([pyarrow.array(lines, pyarrow.binary())], ["value"])

    numbers = spark.range(0, ranges, 1, ranges)
    return numbers.mapInArrow(read, "value binary").select(F.col("value").cast("string").alias("value"))


def repeated(spark: SparkSession, paths: Sequence[Path], column: str) -> DataFrame:
    """Return the values of a column of integers that are there more than once.

    They are compared in as many parts as there are files, so that a part is as large as the column of a file.

    Args:
        spark: the session; its executors must see the files.
        paths: Parquet files.
        column: its name; it holds no null.

    Returns:
        The column, each value once.
    """
    _ship()
    buckets = max(1, len(paths))

    def divide(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import numpy
        import pyarrow
        from pyarrow import parquet

        for batch in batches:
            for number in batch.column(0).to_pylist():
                values = parquet.read_table(paths[number], columns=[column], use_threads=False)[column].to_numpy()
                bucket = values % buckets
                sorted_by_bucket = values[numpy.argsort(bucket, kind="stable")]
                ends = numpy.cumsum(numpy.bincount(bucket, minlength=buckets))
                packed = [part.tobytes() for part in numpy.split(sorted_by_bucket, ends[:-1])]
                yield pyarrow.RecordBatch.from_pydict({"bucket": pyarrow.array(range(buckets), "int32"), "packed": packed})

    def compare(table: pyarrow.Table) -> pyarrow.Table:
        import numpy
        import pyarrow

        values = numpy.sort(numpy.concatenate([numpy.frombuffer(part, "int64") for part in table["packed"].to_pylist()]))
        return pyarrow.table({column: numpy.unique(values[1:][values[1:] == values[:-1]])})

    divided = spark.range(0, len(paths), 1, buckets).mapInArrow(divide, "bucket int, packed binary")
    # In as many parts as there are buckets, not as spark.sql.shuffle.partitions says.
    return divided.repartition(buckets, "bucket").groupBy("bucket").applyInArrow(compare, f"{column} bigint")


def write_without(copies: DataFrame, source: Path, folder: Path) -> int:
    """Write Parquet files without some of their rows; files that have none of them are moved.

    Args:
        copies: columns file, a name, and row, the number of a row in it, for each row to leave out.
        source: where the files are.
        folder: where they go; must exist.

    Returns:
        How many rows were left out.
    """
    from pyspark.sql import functions as F

    _ship()

    def write(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import numpy
        import pyarrow
        from pyarrow import parquet

        for batch in batches:
            for file, rows in zip(batch["file"].to_pylist(), batch["rows"].to_pylist(), strict=True):
                with parquet.ParquetFile(source / file) as old, _writing(folder / file, old.schema_arrow, source) as new:
                    kept = numpy.ones(old.metadata.num_rows, bool)
                    kept[rows] = False
                    begin = 0
                    for group in old.iter_batches(use_threads=False):
                        new.write_batch(group.filter(pyarrow.array(kept[begin : begin + len(group)])))
                        begin += len(group)
                yield pyarrow.RecordBatch.from_pydict({"file": [file], "rows": [len(rows)]})

    listed = copies.groupBy("file").agg(F.collect_list("row").alias("rows"))
    written = listed.mapInArrow(write, "file string, rows bigint").collect()
    for path in sorted(source.glob("part-*.parquet")):
        if not (folder / path.name).exists():
            path.rename(folder / path.name)
    return sum(row.rows for row in written)


def _ship(*functions: Any) -> None:
    """Send this module and those of functions with the tasks, because executors need not have them where the driver does."""
    from pyspark import cloudpickle

    names = {getattr(function, "func", function).__module__ for function in functions}
    for name in names - {"__main__"} | {__name__}:
        cloudpickle.register_pickle_by_value(sys.modules[name])


@contextlib.contextmanager
def _writing(target: Path, schema: pyarrow.Schema, room: Path) -> Iterator[Any]:
    """Write a Parquet file as Spark would, which appears under its name once it is complete.

    Args:
        target: where.
        schema: its columns.
        room: a folder of the same file system for the unfinished file: what a killed task leaves there, nobody publishes.

    Yields:
        A pyarrow.parquet.ParquetWriter.
    """
    from pyarrow import parquet, types

    unfinished = room / f".{target.name}.{uuid.uuid4().hex}"
    # Keys and amounts hardly repeat: a dictionary of them takes a third of the time of writing, and is given up later.
    repeating = [field.name for field in schema if field.type != "int64" and not types.is_decimal(field.type)]
    options: dict[str, Any] = {"store_schema": False, "store_decimal_as_integer": True, "use_dictionary": repeating}
    try:
        with parquet.ParquetWriter(unfinished, schema, compression="snappy", **options) as writer:
            yield writer
        # Others of the group may replace it, as they may what Spark writes.
        unfinished.chmod(0o664)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_range(path: str, begin: int, end: int, columns: Sequence[str], judge: Judge, target: Path) -> Iterator[list[bytes]]:
    """Write the plain lines of those that begin in a range, and yield the others."""
    writer: Any = None
    with contextlib.ExitStack() as stack, open(path, "rb") as file:
        file.seek(max(begin - 1, 0))
        if begin:
            file.readline()
        while file.tell() < end and (chunk := file.read(min(CHUNK, end - file.tell()))):
            if not chunk.endswith(b"\n"):
                chunk += file.readline()
            if file.tell() == len(chunk):
                chunk = chunk.removeprefix(b"\xef\xbb\xbf")
            table, others = _texts(chunk, columns)
            plain, typed = judge(table)
            if len(typed):
                writer = writer or stack.enter_context(_writing(target, typed.schema, target.parent))
                for batch in typed.to_batches():
                    writer.write_batch(batch)
            others += _joined(table, plain)
            if others:
                yield others


def _texts(chunk: bytes, columns: Sequence[str]) -> tuple[pyarrow.Table, list[bytes]]:
    """Return the fields of lines as texts, and apart the lines that are not so many fields in UTF-8 without a quote."""
    import pyarrow

    if not any(mark in chunk for mark in (b'"', b"\r", b"\0")):
        # Reading finds a line with other fields, or that is not UTF-8.
        with contextlib.suppress(pyarrow.ArrowInvalid):
            return _split(chunk, columns), []
    plain: list[bytes] = []
    others: list[bytes] = []
    for ended in chunk.split(b"\n"):
        line = ended.removesuffix(b"\r")
        (plain if _is_plain(line, len(columns)) else others).append(line)
    return _split(b"\n".join([*plain, b""]), columns), others


def _is_plain(line: bytes, fields: int) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return line.count(b",") == fields - 1 and not any(mark in line for mark in (b'"', b"\r", b"\0"))


def _split(chunk: bytes, columns: Sequence[str]) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv

    # A first line of the right shape, because Arrow refuses a text without one.
    first = b"," * (len(columns) - 1) + b"\n"
    table = csv.read_csv(
        pyarrow.BufferReader(first + chunk),
        csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=len(first) + len(chunk)),
        csv.ParseOptions(quote_char=False, double_quote=False),
        csv.ConvertOptions(column_types=dict.fromkeys(columns, pyarrow.string()), strings_can_be_null=False),
    )
    return table.slice(1)


def _joined(table: pyarrow.Table, plain: pyarrow.Array) -> list[bytes]:
    """Return the lines of the rows that are not plain."""
    from pyarrow import compute

    rest = table.filter(compute.invert(plain))
    if not len(rest):
        return []
    lines = compute.binary_join_element_wise(*rest.columns, ",")
    return [line.encode() for line in lines.to_pylist()]
