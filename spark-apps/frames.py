"""Tables as the batch applications write them: the same rows give the same bytes, counted and checked.

The pieces that `batch.settle` puts together, and what transform() functions share.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import parquet_footer

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


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


def write_rejects(judged: DataFrame, reasons: Sequence[str], folder: Path) -> Rows:
    """Write the rejected rows as JSON lines and count the rows: one pass, without a shuffle.

    Args:
        judged: rows with the columns line and reason.
        reasons: every reason there is.
        folder: where to write; must not exist.

    Returns:
        The rows read and the rejects by reason.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    seen = Observation("rows")
    counts = [F.count_if(F.col("reason") == reason).alias(reason) for reason in reasons]
    rejected = judged.observe(seen, F.count(F.lit(1)).alias("read"), *counts).where(F.col("reason").isNotNull())
    # JSON holds only valid text: the bytes that are not UTF-8 are kept beside it.
    line_hex = F.when(F.col("reason") == "not_utf8", F.hex(F.col("line").cast("binary")))
    rejected.select("reason", "line", line_hex.alias("line_hex")).write.json(str(folder))
    name_parts(folder)
    found: dict[str, int] = dict(seen.get)
    return Rows(found.pop("read"), {reason: number for reason, number in found.items() if number})


def write_once(good: DataFrame, folder: Path, key: Sequence[str], files: int) -> int:
    """Write rows, of those with the same key one, sorted by all their columns.

    Args:
        good: the rows.
        folder: where to write; must not exist.
        key: see `settle`.
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
    name_parts(folder)
    for path in folder.glob("part-*"):
        if not parquet_footer.sort_encodings(path, frame.columns, footer(path).num_row_groups):
            print(f"warning: {path.name} has an unknown footer: its bytes may differ next time")
