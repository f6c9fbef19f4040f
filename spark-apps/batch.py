"""What the batch applications of this folder share: command line, session, quarantine, counts, tables, manifest.

An application reads lines or rows, judges each one in a pure transform(), and hands the result to `settle`:

    rejected rows  →  <output>/quarantine/<name>/<partition>   part-*.json (reason, line), _manifest.json
    good rows      →  <output>/<name>/<partition>/<table>      part-*.parquet, one folder a table
                      <output>/<name>/<partition>/             _SUCCESS, _manifest.json

Both appear complete or not at all (see publish.py), and the counts hold: read = written + rejected + duplicates.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import clock
import errors
import frames
import publish
import values
from errors import UserError
from frames import Rows
from inputs import MAX_UNPACKED_MIB, InputFile, bring, check_unchanged

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

DATA, OUTPUT = "/opt/airflow/data", "/opt/airflow/output"
#: Settings that the result depends on, so that it is the same on a laptop, a cluster and a Connect server.
CONF = {
    "spark.sql.session.timeZone": clock.TIME_ZONE,
    "spark.sql.files.maxPartitionBytes": str(64 * 2**20),
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.debug.maxToStringFields": "200",
    # A writer a reason at the same time: without it every row is sorted by its reason first.
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    "spark.sql.parquet.compression.codec": "snappy",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A line of an RDD ends where every other reader's does; Hadoop would end it at a CR alone, too.
    "spark.hadoop.textinputformat.record.delimiter": "\n",
    "spark.hadoop.fs.permissions.umask-mode": "002",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
}


@dataclass(frozen=True)
class Job:
    """One run of an application.

    Attributes:
        name: the application's result, its folder below the output, such as access_log.
        partition: the part that this run makes, such as date=2026-01-15.
        output: the root of the results.
        inputs: the files that are read, empty for a source that is no file.
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.
        notes: further entries of the manifest, known before the run.
        began: when it began, in seconds of the monotonic clock.
    """

    name: str
    partition: str
    output: str = OUTPUT
    inputs: tuple[InputFile, ...] = ()
    max_reject_share: float = 0.10
    notes: Mapping[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def result(self) -> str:
        """The path of the result below the output."""
        return f"{self.name}/{self.partition}"

    @property
    def quarantine(self) -> str:
        """The path of the rejected rows below the output."""
        return f"quarantine/{self.result}"


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are a UserError: one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UserError: always.
        """
        raise UserError(message)


def parser(name: str, doc: str | None, source: str = "") -> Parser:
    """Return a command line with the options that every application has.

    Args:
        name: the application's name.
        doc: its module's docstring; the first line is the description.
        source: the folder of its input below the data claim, empty for an application that reads no folder.
    """
    made = Parser(prog=name, description=(doc or "").splitlines()[0])
    if source:
        made.add_argument("--input", default=f"{DATA}/{source}", help="the folder of the input (%(default)s)")
    made.add_argument("--output", default=OUTPUT, help="the root of the results (%(default)s)")
    made.add_argument("--max-reject-share", type=parse_share, default=0.10, help="0 to 1 (%(default)s)")
    return made


def add_unpacked(to: argparse.ArgumentParser) -> None:
    """Give a command line the option of what a gzip file may unpack to."""
    explained = "MiB that a gzip file may unpack to (%(default)s)"
    to.add_argument("--max-unpacked-mib", type=parse_count, default=MAX_UNPACKED_MIB, help=explained)


def add_neighbours(to: argparse.ArgumentParser) -> None:
    """Give a command line the options of how many files of neighbouring days can hold rows of the day."""
    before = "days before the day whose files can hold its rows, 0 if they are cut at our midnight (%(default)s)"
    to.add_argument("--files-before", type=functools.partial(parse_count, least=0, most=7), default=1, help=before)
    after = "days after it, for a server whose midnight is before ours (%(default)s)"
    to.add_argument("--files-after", type=functools.partial(parse_count, least=0, most=7), default=0, help=after)


def parse_count(text: str, least: int = 1, most: int = 2**31 - 1) -> int:
    """Read a whole number.

    Args:
        text: the number.
        least: the least that is allowed.
        most: the most.

    Raises:
        argparse.ArgumentTypeError: if the text is not such a number.
    """
    number = values.whole(text, 32)
    if number is None or not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text}")
    return number


def parse_share(text: str) -> float:
    """Read a share.

    Raises:
        argparse.ArgumentTypeError: if the text is no number between 0 and 1.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {text}")
    return number


def parse_date(text: str) -> dt.date:
    """Read a date written as YYYY-MM-DD.

    Raises:
        UserError: if the text is anything else, or days are of a zone that does not exist.
    """
    clock.zone()
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise UserError(f"the date {text!r} is not a date: write it as YYYY-MM-DD, such as 2026-01-15")
    # Days around it, and its midnights in any zone, must be days that Python and Spark know.
    if not 1000 < found.year < dt.MAXYEAR:
        raise UserError(f"the date {text} is not one from 1001-01-01 to 9998-12-31")
    return found


@contextlib.contextmanager
def session(conf: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Open a Spark session with CONF: a classic one, or one of a Connect server where SPARK_REMOTE names one.

    Args:
        conf: further settings.

    Yields:
        The session, stopped at the end.

    Raises:
        UserError: if there is no such time zone, see `clock.zone`.
    """
    from pyspark.sql import SparkSession

    clock.zone()

    builder = SparkSession.builder
    for key, value in {**CONF, **(conf or {})}.items():
        # A server's Hadoop settings are the server's.
        if not (os.environ.get("SPARK_REMOTE") and key.startswith("spark.hadoop.")):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    if not os.environ.get("SPARK_REMOTE"):
        spark.sparkContext.setLogLevel("WARN")
    try:
        yield spark
    finally:
        spark.stop()


@contextlib.contextmanager
def disk_full_is_a_sentence(*folders: str) -> Iterator[None]:
    """Turn the errors of a full disk into a UserError.

    Args:
        folders: folders that are written to, named in the sentence with their free space.

    Raises:
        UserError: if a disk is full.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = errors.disk_full_reason(error, *folders)
        if reason is None:
            raise
        raise UserError(reason) from error


@contextlib.contextmanager
def hashed_beside(files: Sequence[InputFile]) -> Iterator[list[futures.Future[tuple[int, str]]]]:
    """Hash files and count their rows for the manifests while Spark reads them, so that no core idles afterwards.

    Args:
        files: the files.

    Yields:
        For each file what is done once both are known. One that could not be read is read again when it is asked for.
    """
    with futures.ThreadPoolExecutor(1, "hash") as beside:
        try:
            yield [beside.submit(lambda one=file: (one.rows, one.sha256)) for file in files]
        finally:
            beside.shutdown(cancel_futures=True)


@contextlib.contextmanager
def staged(job: Job, files: Sequence[InputFile]) -> Iterator[list[str]]:
    """Give input files names that Spark takes as they are, unpacked where they are packed, while a block runs.

    Args:
        job: what is run.
        files: the files.

    Yields:
        A path for each file, in their order.

    Raises:
        UserError: if a file is damaged or unpacks to more than its limit, or the output cannot be written or is full.
    """
    os.umask(0o002)
    label = f"{job.result.replace('/', '.')}.input"
    with disk_full_is_a_sentence(job.output), publish.staging(job.output, label) as folder:
        yield bring(files, folder)


def settle(
    spark: SparkSession,
    job: Job,
    judged: DataFrame | Callable[[Path], DataFrame],
    reasons: Sequence[str],
    tables: Callable[[DataFrame], Mapping[str, DataFrame]] = lambda main: {},
    *,
    main: str = "",
    key: Sequence[str] = (),
    files: int = 1,
    lines: Sequence[InputFile] | None = None,
    confirm: Callable[[], None] = lambda: None,
    checks: Callable[[Mapping[str, DataFrame]], Mapping[str, Column]] | None = None,
) -> Rows:
    """Publish the rejected rows, then the good rows and what is computed from them.

    Args:
        spark: the session.
        job: what is run.
        judged: typed rows with two columns more: line, what a rejected row looked like, and reason, null for a good row.
            Or a function of a folder that returns them, and whose rows in order go into that folder as Parquet files when
            the others are read, see vectors.py. The main table then has the order and the parts of its source, which must
            always be the same, instead of being sorted, and no row is shuffled.
        reasons: every reason there is.
        tables: returns the further tables by name, from the main table as it was written.
        main: the name of the main table: the good rows, without line and reason. Empty: it is the only one, and its
            files stand in the partition's folder itself.
        key: columns that tell a row; of rows with the same key one is kept, the first in the order of all columns.
            Empty: every row is kept.
        files: how many Parquet files the main table has at most; each other table has one.
        lines: the files whose rows must all be accounted for: as many as their bytes hold, not as Spark returned. None: those of
            the job.
        confirm: is called once every row has been read and before anything is published; what it raises passes through, so
            that a source that is no file can be compared with what was read.
        checks: returns by a sentence what must hold for a table: `{"sessions: every session has a request": condition}`,
            a condition over all rows that is null or true for a good one; the part before the colon names the table.

    Returns:
        The counts.

    Raises:
        UserError: if too many rows are rejected, or the input changes meanwhile; the old result then stays.
        RuntimeError: if rows of the input are missing, the counts do not add up, or a check fails.
    """
    os.umask(0o002)
    publish.check_replaceable(job.output, job.result)
    publish.check_replaceable(job.output, job.quarantine)
    label = job.result.replace("/", ".")
    with (
        disk_full_is_a_sentence(job.output),
        publish.staging(job.output, label) as stage,
        hashed_beside(job.inputs) as hashed,
    ):
        judged_folder, in_order, result = stage / "judged", stage / "in_order", stage / "result"
        in_order.mkdir()
        frame = judged(in_order) if callable(judged) else judged
        rows = frames.write_judged(frame, reasons, judged_folder)
        rows = replace(rows, read=rows.read + frames.count(in_order))
        futures.wait(hashed)
        check_unchanged(job.inputs)
        check_complete(rows, job.inputs if lines is None else lines)
        confirm()
        frames.write_rejects(frame, rows, judged_folder, stage / "quarantine")
        write_manifest(stage / "quarantine", manifest(spark, job, rows))
        quarantine = publish.publish(job.output, job.quarantine, stage / "quarantine")
        check_share(rows, job.max_reject_share, str(quarantine))

        if main:
            result.mkdir()
        good = frames.good_rows(frame, judged_folder)
        if callable(judged):
            for path in in_order.glob("part-*"):
                path.rename(frames.good_folder(judged_folder) / path.name)
            duplicates = frames.keep_first(good, frames.good_folder(judged_folder), result / main, key)
        else:
            duplicates = frames.write_once(good, result / main, key, files)
        written = frames.count(result / main)
        rows = replace(rows, duplicates=duplicates, written=written).check()
        check_unchanged(job.inputs)
        kept = spark.read.schema(good.schema).parquet(str(result / main))
        made = dict(tables(kept))
        for name, frame in made.items():
            frames.write_table(frame, result / name)
        if checks is not None:
            frames.check_tables(spark, result, {main: kept, **made}, checks)
        (result / "_SUCCESS").touch()
        write_manifest(result, manifest(spark, job, rows, written=True))
        publish.publish(job.output, job.result, result)
    return rows


def check_complete(rows: Rows, files: Sequence[InputFile]) -> None:
    """Check that every row of the input was read, by the files' own bytes.

    Args:
        rows: the counts of the first pass.
        files: the files that were read; none for a source that is no file.

    Raises:
        RuntimeError: if rows are missing, or there are more than the files hold.
    """
    held, seen = sum(file.rows for file in files), rows.read + rows.other_days
    if files and seen != held:
        paths = ", ".join(file.path for file in files[:3])
        raise RuntimeError(f"the input holds {held} rows and {seen} were read, nothing is published: {paths}")


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
    reasons = ", ".join(f"{number} {reason}" for reason, number in top[:3])
    raise UserError(
        f"{rows.rejected} of {rows.read} rows were rejected ({rows.rejected / rows.read:.2%}), more than the "
        f"limit of {limit:.2%}: {reasons}; see {quarantine}"
    )


def manifest(spark: SparkSession, job: Job, rows: Rows, written: bool = False) -> dict[str, Any]:
    """Return what a manifest says of a run, without its files.

    Args:
        spark: the session.
        job: what was run.
        rows: its counts.
        written: whether the good rows have been written, not the rejected ones alone.
    """
    counts = {"rows_written": rows.written, "rows_duplicate": rows.duplicates} if written else {}
    if rows.other_days:
        counts["rows_of_other_days"] = rows.other_days
    return {
        "name": job.name,
        "partition": job.partition,
        "rows_read": rows.read,
        "rows_rejected": rows.rejected,
        "rejects_by_reason": rows.rejects,
        "max_reject_share": job.max_reject_share,
        **counts,
        "inputs": [file.described() for file in job.inputs],
        **job.notes,
        "seconds": round(time.monotonic() - job.began, 1),
        "versions": software(spark),
        "application_id": spark.conf.get("spark.app.id", "unknown"),
    }


def software(spark: SparkSession | None = None) -> dict[str, str]:
    """Return the versions that made a result: of the image, the git revision it was built from, and Spark if it was used."""
    return {
        "airspark": os.environ.get("AIRSPARK_VERSION", "unknown"),
        "revision": os.environ.get("AIRSPARK_REVISION", "unknown"),
    } | ({"spark": spark.version} if spark else {})


def write_manifest(folder: Path, entries: Mapping[str, Any]) -> None:
    """Write _manifest.json: what is known of a run, and every file with its bytes and rows.

    Args:
        folder: the finished folder; files of the tables in it are named by their path below it.
        entries: what `manifest` returns.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] not in "._"]
    files = [
        {"name": str(path.relative_to(folder)), "bytes": path.stat().st_size}
        | ({"rows": frames.footer(path).num_rows} if path.suffix == ".parquet" else {})
        for path in paths
    ]
    text = json.dumps({**entries, "files": files, "bytes": sum(path.stat().st_size for path in paths)}, indent=2)
    (folder / "_manifest.json").write_text(text + "\n", encoding="utf-8")
