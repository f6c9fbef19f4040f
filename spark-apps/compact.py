"""Rewrite published partitions that consist of many small Parquet files with fewer files: the same rows, checked.

spark-submit compact.py --output /opt/airflow/output --before 2026-01-15 --target-mib 128

Reads   <output>/<name>/date=D, of days before --before, or the partitions that --partition names
Writes  the same partitions: fewer part-*.parquet, everything else as it was; in _manifest.json other files and bytes,
        and compacted_from (version, files, bytes)
A partition appears in its new form or stays as it is. One that is published anew meanwhile is left alone.
With --check it lists what it would rewrite, without Spark. A partition with nothing to gain is skipped: again does nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import batch
import errors
import frames
import publish
from errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TARGET_MIB = 128


@dataclass(frozen=True)
class Candidate:
    """A partition that has something to gain.

    Attributes:
        partition: where it is.
        manifest: its manifest.
        tables: how many files each table is rewritten to, by its folder below the partition.
        files: how many Parquet files it has.
        after: how many it will have, at most.
        bytes: their bytes.
    """

    partition: publish.Published
    manifest: dict[str, Any]
    tables: dict[str, int]
    files: int
    after: int
    bytes: int


def main(argv: Sequence[str]) -> None:
    """Find the partitions that have something to gain and rewrite them.

    Raises:
        UserError: for a bad argument, a partition that is not there, a full disk.
        RuntimeError: if a partition's rows would not be the same; it then stays as it is.
    """
    parser = batch.Parser(prog="compact", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", default=batch.OUTPUT, help="the root of the results (%(default)s)")
    parser.add_argument("--before", help="only days before this one, YYYY-MM-DD")
    parser.add_argument("--partition", action="append", default=[], help="such as sales/date=2026-01-15; may be repeated")
    parser.add_argument("--target-mib", type=int, default=TARGET_MIB, help="MiB that a file should have (%(default)s)")
    parser.add_argument("--check", action="store_true", help="only list what there is to do, without Spark")
    options = parser.parse_args(argv)
    if options.target_mib < 1:
        raise UserError("--target-mib must be at least 1")
    before = batch.parse_date(options.before) if options.before else dt.date.max
    found = candidates(options.output, options.target_mib * 2**20, before, options.partition)
    for candidate in found:
        print(f"compact: {candidate.partition.path}: {candidate.files} files of {candidate.bytes} bytes")
    if not found:
        print("compact: no partition has anything to gain")
    if options.check or not found:
        return
    with batch.session() as spark:
        for candidate in found:
            compact(spark, options.output, candidate)


def candidates(output: str, target: int, before: dt.date, names: Sequence[str] = ()) -> list[Candidate]:
    """Return the partitions that would have fewer files, by their manifests alone.

    Args:
        output: the root of the results.
        target: bytes that a file should have.
        before: only days before this one.
        names: only these partitions; empty for all.

    Raises:
        UserError: if one of these is no partition that publish.py has published.
    """
    there = {partition.path: partition for partition in publish.published(output)}
    for name in names:
        if name not in there:
            raise UserError(f"{name} is no published partition of {output}")
    found = [
        candidate(there[name], target)
        for name in (names or there)
        if not name.startswith("quarantine/") and (day := day_of(name)) is not None and day < before
    ]
    return [one for one in found if one is not None]


def day_of(path: str) -> dt.date | None:
    """Return the day of a partition's path, None if it has none."""
    _, found, text = path.rpartition("date=")
    try:
        return dt.date.fromisoformat(text) if found else None
    except ValueError:
        return None


def candidate(partition: publish.Published, target: int) -> Candidate | None:
    """Return what there is to gain in a partition, None if nothing, or if it has no manifest of its files.

    Args:
        partition: the partition.
        target: bytes that a file should have.
    """
    try:
        manifest = json.loads((partition.folder / "_manifest.json").read_text(encoding="utf-8"))
        listed = [(file["name"], file["bytes"]) for file in manifest["files"] if file["name"].endswith(".parquet")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if sorted(name for name, _ in listed) != sorted(
        str(file.relative_to(partition.folder)) for file in parquet(partition.folder)
    ):
        return None
    sizes: dict[str, list[int]] = {}
    for name, size in listed:
        sizes.setdefault(os.path.dirname(name), []).append(size)
    wanted = {table: max(1, -(-sum(of) // target)) for table, of in sizes.items()}
    tables = {table: number for table, number in wanted.items() if number < len(sizes[table])}
    tables = {table: number for table, number in tables.items() if not nested(partition.folder / table)}
    after = len(listed) - sum(len(sizes[table]) - number for table, number in tables.items())
    return Candidate(partition, manifest, tables, len(listed), after, sum(size for _, size in listed)) if tables else None


def parquet(folder: Path) -> list[Path]:
    """Return the Parquet files of a partition, in order."""
    return sorted(folder.rglob("*.parquet"))


def nested(table: Path) -> bool:
    """Return whether a table has columns that are no plain values: its rows have no order to write them in."""
    from pyarrow import types

    file = next(table.glob("*.parquet"))
    return any(types.is_nested(column.type) for column in frames.footer(file).schema.to_arrow_schema())


def compact(spark: SparkSession, output: str, job: Candidate) -> bool:
    """Rewrite a partition and publish it.

    Args:
        spark: the session.
        output: the root of the results.
        job: the partition.

    Returns:
        Whether it was published; not if it was published anew meanwhile.

    Raises:
        RuntimeError: if the rows would not be the same.
        UserError: if the disk is full.
    """
    os.umask(0o002)
    path = job.partition.path
    label = f"compact.{path.replace('/', '.')}"
    with batch.disk_full_is_a_sentence(output), publish.staging(output, label) as stage:
        made = stage / "result"
        try:
            rewrite(spark, job, made)
            notes = {key: value for key, value in job.manifest.items() if key not in ("files", "bytes")}
            origin = {"version": job.partition.version, "files": job.files, "bytes": job.bytes}
            batch.write_manifest(made, {**notes, "compacted_from": origin})
            publish.publish(output, path, made, replaces=job.partition.version)
        except Exception as error:
            # What was being read has gone where another run publishes the partition or takes it away.
            if not isinstance(error, publish.Superseded) and job.partition in publish.published(output):
                raise
            print(f"compact: {path} is left alone: it was published anew meanwhile")
            return False
    sizes = [file.stat().st_size for file in (Path(output) / path).rglob("*.parquet")]
    print(f"compact: {path}: {job.files} files → {len(sizes)}, {job.bytes} → {sum(sizes)} bytes")
    return True


def rewrite(spark: SparkSession, job: Candidate, made: Path) -> None:
    """Write a partition's new form: its tables with fewer files, and everything else copied.

    Args:
        spark: the session.
        job: the partition.
        made: where to write; must not exist.

    Raises:
        RuntimeError: if a table's rows would not be the same.
    """
    old = job.partition.folder
    shutil.copytree(old, made, ignore=shutil.ignore_patterns("_manifest.json", "*.parquet"))
    for source in parquet(old):
        table = os.path.dirname(source.relative_to(old))
        if table not in job.tables:
            shutil.copyfile(source, made / source.relative_to(old))
    for table, files in job.tables.items():
        paths = sorted(str(path) for path in (old / table).glob("*.parquet"))
        before = spark.read.parquet(*paths)
        fresh = made / table / ".compacted"
        frames.write_table(before, fresh, files)
        after = spark.read.schema(before.schema).parquet(str(fresh))
        if (found := fingerprint(after)) != (wanted := fingerprint(before)):
            raise RuntimeError(f"{job.partition.path}/{table} would have {found} in place of {wanted} (rows, checksum)")
        for part in sorted(fresh.glob("part-*")):
            part.rename(made / table / part.name)
        shutil.rmtree(fresh)


def fingerprint(frame: DataFrame) -> tuple[int, int]:
    """Return the number of rows and a checksum of them that does not depend on their order.

    A hash of Spark's passes over nulls: whether a column is null goes into it too.
    """
    from pyspark.sql import functions as F

    columns = [F.col(f"`{name}`") for name in frame.columns]
    hashed = F.xxhash64(*columns, *(column.isNull() for column in columns))
    found = frame.agg(F.count(F.lit(1)).alias("rows"), F.sum(hashed.cast("decimal(20,0)")).alias("sum")).first()
    assert found is not None
    return int(found["rows"]), int(found["sum"] or 0)


if __name__ == "__main__":
    sys.exit(errors.run("compact", main, sys.argv[1:]))
