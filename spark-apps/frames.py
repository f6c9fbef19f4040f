"""Tables as the batch applications write them: the same rows give the same bytes, counted and checked.

The pieces that `batch.settle` puts together, and what transform() functions share.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import parquet_footer
import vectors

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

#: The reason of a row that another day's run takes or rejects; no row of this day's.
OTHER_DAY = "other_day"
#: Up to so many rows, one side of a join is sent to every executor: 8 MB of numbers.
BROADCAST_ROWS = 1_000_000


@dataclass(frozen=True)
class Rows:
    """What became of the rows of the input: read = written + rejected + duplicates.

    Attributes:
        read: the rows of the day.
        rejects: those that are rejected, by their reason.
        duplicates: those that are left out as copies.
        written: those that are published.
        other_days: further rows of the same files, which are another day's.
    """

    read: int
    rejects: dict[str, int]
    duplicates: int = 0
    written: int = 0
    other_days: int = 0

    @property
    def rejected(self) -> int:
        """Rows rejected for any reason."""
        return sum(self.rejects.values())

    def __str__(self) -> str:
        return f"{self.read} rows read = {self.written} written + {self.rejected} rejected + {self.duplicates} duplicates"

    def check(self) -> Rows:
        """Return itself.

        Raises:
            RuntimeError: if the counts do not add up.
        """
        if self.read != self.written + self.rejected + self.duplicates:
            raise RuntimeError(f"the counts do not add up, nothing is published: {self}")
        return self


def lines(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Read the lines of files, without blank ones.

    A line ends with LF or CRLF; any other CR is a character of it.

    Args:
        spark: the session; its executors must see the files.
        paths: the files, under names of `inputs.bring`.

    Returns:
        A column value: the line's bytes as they are, valid UTF-8 or not.
    """
    from pyspark.sql import functions as F

    read = spark.read.text(list(paths), lineSep="\n").where(F.trim("value", F.lit(" \t\r")) != F.lit(""))
    # Cut as bytes: to take a text that is not UTF-8 apart would change it.
    cut = F.expr("CAST(substring(CAST(value AS binary), 1, octet_length(value) - 1) AS string)")
    return read.select(F.when(F.endswith("value", F.lit("\r")), cut).otherwise(F.col("value")).alias("value"))


def judged_days(
    spark: SparkSession,
    paths: Mapping[str, str],
    judge: Callable[[DataFrame], DataFrame],
    time: str,
    date: dt.date,
    before: int,
    after: int,
) -> DataFrame:
    """Read files that need not be cut at our midnight, and judge each of their lines in the run of one day alone.

    The file of a day is read by the runs from `after` days before that day to `before` days after it. Each of its lines belongs
    to one of them: a good one to that of its time, any other to that of the file's day.

    Args:
        spark: the session.
        paths: the files, each with its day, YYYY-MM-DD.
        judge: gives lines their columns and a reason: null for a good row of `date`, wrong_date for one that is good but for its
            day.
        time: the column of their time.
        date: the day of this run.
        before: how many days before its own a run reads files of.
        after: how many days after its own.

    Returns:
        The judged rows, with the reason OTHER_DAY in those of other runs.
    """
    from pyspark.sql import functions as F

    found = []
    for day in sorted(set(paths.values())):
        judged = judge(lines(spark, [path for path, its in paths.items() if its == day]))
        late, reason = F.datediff(F.to_date(time), F.lit(day).cast("date")), F.col("reason")
        own = day == date.isoformat()
        elsewhere = (reason == "wrong_date") & late.between(-after, before) if own else reason.isNotNull()
        found.append(judged.withColumn("reason", F.when(elsewhere, OTHER_DAY).otherwise(reason)))
    return functools.reduce(lambda one, other: one.unionAll(other), found)


def write_judged(judged: DataFrame, reasons: Sequence[str], folder: Path) -> Rows:
    """Write judged rows apart by their reason and count them: the input is read and parsed once.

    A rejected row's line takes the place of its first text column, so that good rows need no column for it.

    Args:
        judged: rows with two columns more: line, and reason, null for a good row. Rows with the reason OTHER_DAY are counted
            and left out.
        reasons: every reason there is.
        folder: where to write; must not exist.

    Returns:
        The rows read, the rejects by reason and the rows of other days.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    seen = Observation("rows")
    counts = [F.count_if(F.col("reason") == reason).alias(reason) for reason in (*reasons, OTHER_DAY)]
    counted = judged.observe(seen, F.count(F.lit(1)).alias("read"), *counts)
    carrier = _carrier(judged)
    carried = F.when(F.col("reason").isNull(), F.col(carrier)).otherwise(F.col("line")).alias(carrier)
    columns = [carried if name == carrier else F.col(name) for name in judged.columns if name != "line"]
    mine = counted.where(F.col("reason").isNull() | (F.col("reason") != OTHER_DAY))
    mine.select(*columns).write.partitionBy("reason").parquet(str(folder))
    found: dict[str, int] = dict(seen.get)
    other_days = found.pop(OTHER_DAY)
    rejects = {reason: number for reason, number in found.items() if number and reason != "read"}
    return Rows(found["read"] - other_days, rejects, other_days=other_days)


def write_rejects(judged: DataFrame, rows: Rows, source: Path, folder: Path) -> None:
    """Write the rejected rows as JSON lines.

    Args:
        judged: the rows that `write_judged` wrote, for their columns.
        rows: what it returned.
        source: the folder it wrote.
        folder: where to write; must not exist.
    """
    from pyspark.sql import functions as F

    folder.mkdir()
    if rows.rejects:
        read = judged.sparkSession.read.schema(f"`{_carrier(judged)}` string, reason string").parquet(str(source))
        rejected = read.toDF("line", "reason").where(F.col("reason").isNotNull())
        # JSON holds only valid text: the bytes that are not UTF-8 are kept beside it.
        line_hex = F.when(F.col("reason") == "not_utf8", F.hex(F.col("line").cast("binary"))).alias("line_hex")
        parts = folder.with_name(f"{folder.name}.parts")
        columns = rejected.select(F.col("reason").alias("part"), "reason", "line", line_hex)
        columns.coalesce(1).write.partitionBy("part").json(str(parts))
        for number, reason in enumerate(sorted(rows.rejects)):
            name_parts(parts / f"part={reason}")
            for path in (parts / f"part={reason}").glob("part-*"):
                path.rename(folder / f"part-{number:05d}.json")
    (folder / "_SUCCESS").touch()


def good_rows(judged: DataFrame, source: Path) -> DataFrame:
    """Return the good rows that `write_judged` wrote.

    Args:
        judged: what was written, for its columns.
        source: the folder.
    """
    good = judged.drop("line", "reason").schema
    folder = good_folder(source)
    folder.mkdir(exist_ok=True)
    return judged.sparkSession.read.schema(good).parquet(str(folder))


def good_folder(source: Path) -> Path:
    """Return where `write_judged` has put the good rows: Spark's name for a partition of nulls."""
    return source / "reason=__HIVE_DEFAULT_PARTITION__"


def keep_first(good: DataFrame, source: Path, folder: Path, key: Sequence[str]) -> int:
    """Make the files of good rows a table as they are, or without the copies among them.

    Rows are not shuffled: of each, the first column of the key alone is compared, and only those that share it are looked at
    whole. Only files with copies are written again.

    Args:
        good: the rows of the files.
        source: where they are.
        folder: where they go; must not exist.
        key: columns that tell a row, the first one an integer that does so almost by itself; of rows with the same key the
            first stays.

    Returns:
        How many rows were left out.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    name_parts(source)
    paths = sorted(source.glob("part-*"))
    shared = vectors.repeated(good.sparkSession, paths, key[0]).persist()
    # Anew, because Spark has listed the files before they were given their names.
    placed = (
        good.sparkSession.read.schema(good.schema)
        .parquet(str(source))
        .select("*", F.col("_metadata.file_name").alias("file"), F.col("_metadata.row_index").alias("row"))
    )
    order = Window.partitionBy(*key).orderBy("file", "row")
    number = shared.count()
    several = placed.join(F.broadcast(shared) if number <= BROADCAST_ROWS else shared, key[0], how="left_semi")
    copies = several.withColumn("number", F.row_number().over(order)).where(F.col("number") > 1).select("file", "row")
    found = 0
    if number:
        folder.mkdir()
        found = vectors.write_without(copies, source, folder)
    else:
        source.rename(folder)
    shared.unpersist()
    (folder / "_SUCCESS").touch()
    _normalise(folder, good.columns)
    return found


def write_once(good: DataFrame, folder: Path, key: Sequence[str], files: int) -> int:
    """Write rows, of those with the same key one, sorted by all their columns.

    Args:
        good: the rows.
        folder: where to write; must not exist.
        key: columns that tell a row; empty: every row is kept.
        files: how many files to write at most.

    Returns:
        How many rows were left out.
    """
    from pyspark.sql import Observation, Window
    from pyspark.sql import functions as F

    if not key:
        write_table(good, folder, files)
        return 0
    seen = Observation("copies")
    copies = Window.partitionBy(*key).orderBy(*good.columns)
    numbered = good.repartition(files, *key).withColumn("copy", F.row_number().over(copies))
    counted = numbered.observe(seen, F.count_if(F.col("copy") > 1).alias("duplicates"))
    _write_parquet(counted.where(F.col("copy") == 1).select(*good.columns), folder)
    return int(seen.get["duplicates"])


def write_table(frame: DataFrame, folder: Path, files: int = 1) -> None:
    """Write rows as Parquet, sorted by all their columns, so that the same rows give the same bytes.

    Args:
        frame: the rows; no column may be nested.
        folder: where to write; must not exist.
        files: how many files to write at most.
    """
    first = frame.columns[0]
    parts = frame.coalesce(1) if files == 1 else frame.repartition(files, first)
    _write_parquet(parts.sortWithinPartitions(*frame.columns), folder)


def check_tables(
    spark: SparkSession,
    folder: Path,
    frames: Mapping[str, DataFrame],
    checks: Callable[[Mapping[str, DataFrame]], Mapping[str, Column]],
) -> None:
    """Check what was written, one pass a table.

    Args:
        spark: the session.
        folder: the folder of the tables.
        frames: the tables by name, for their schemas.
        checks: see `settle`.

    Raises:
        RuntimeError: with the sentences that do not hold.
    """
    from pyspark.sql import functions as F

    written = {name: spark.read.schema(frame.schema).parquet(str(folder / name)) for name, frame in frames.items()}
    wanted = checks(written)
    failed = []
    for name, frame in written.items():
        mine = {sentence: column for sentence, column in wanted.items() if sentence.partition(":")[0] == name}
        if mine:
            broken = [F.count_if(~F.coalesce(column, F.lit(True))).alias(str(n)) for n, column in enumerate(mine.values())]
            found = frame.agg(*broken).first()
            assert found is not None
            failed += [f"{sentence} ({found[n]} rows)" for n, sentence in enumerate(mine) if found[n]]
    if failed:
        raise RuntimeError(f"nothing is published, the result fails its checks: {'; '.join(failed)}")


def name_parts(folder: Path) -> None:
    """Give the files of a folder that Spark wrote names that are the same at each run.

    Spark puts the job's UUID into names, and Hadoop a checksum file and an empty mark beside the files.
    """
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".crc") or (path.name.startswith("part-") and not path.stat().st_size):
            path.unlink()
        elif path.name.startswith("part-"):
            path.rename(folder / f"{path.name[:10]}{''.join(path.suffixes[-2:])}")


def count(folder: Path) -> int:
    """Return how many rows the Parquet files of a folder have, by their footers."""
    return sum(footer(path).num_rows for path in folder.glob("part-*"))


def footer(path: Path) -> Any:
    """Return the footer of a Parquet file, as pyarrow has it."""
    from pyarrow import parquet

    return parquet.read_metadata(path)


def evaluated_once(frame: DataFrame, *columns: Column) -> DataFrame:
    """Select columns in a way that computes each of them once.

    After a select() the optimizer repeats an expression for each use of it, above all in pushed filters:
    4 times slower for from_csv, 1.6 times for the casts (2026-11-22). A generator is a barrier to that.
    """
    from pyspark.sql import functions as F

    return frame.select(F.inline(F.array(F.struct(*columns))))


def any_of(conditions: Iterable[Column]) -> Column:
    """Return the condition that is true where one of these is."""
    return functools.reduce(operator.or_, conditions)


def _write_parquet(frame: DataFrame, folder: Path) -> None:
    frame.write.parquet(str(folder))
    _normalise(folder, frame.columns)


def _normalise(folder: Path, columns: list[str]) -> None:
    name_parts(folder)
    for path in folder.glob("part-*"):
        if not parquet_footer.sort_encodings(path, columns, footer(path).num_row_groups):
            print(f"warning: {path.name} has an unknown footer: its bytes may differ next time")


def _carrier(judged: DataFrame) -> str:
    return next(name for name, kind in judged.dtypes if kind == "string" and name not in ("line", "reason"))
