"""Count words with an RDD: parallelize or load, lazy transformations, and one action that runs them.

spark-submit wordcount.py --text "to be or not to be" --output /opt/airflow/output --name demo
spark-submit wordcount.py --input /opt/airflow/data/texts/hamlet.txt --output /opt/airflow/output --name hamlet

Writes <output>/wordcount/name=demo  words.csv (word, count), lineage.txt, _SUCCESS, _manifest.json
An RDD is a recipe until an action asks for its elements: the log shows the recipe, how many elements were looked at before
the action (none) and after it. RDDs do not exist over Spark Connect; there, use a DataFrame.
"""

from __future__ import annotations

import csv
import functools
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import batch
import errors
import inputs
import publish
from errors import UserError
from frames import Rows
from inputs import InputFile

if TYPE_CHECKING:
    from pyspark.rdd import RDD
    from pyspark.sql import SparkSession

WORD = re.compile(r"\w+(?:['’]\w+)*")
NAME = re.compile(r"[\w.-]{1,80}")


def main(argv: Sequence[str]) -> None:
    """Count the words of a text and publish them.

    Raises:
        UserError: for a bad argument, a missing, empty or changing file, a session over Spark Connect, a full disk.
    """
    parser = batch.Parser(prog="wordcount", description=(__doc__ or "").splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="the text itself, split at full stops")
    source.add_argument("--input", help="a text file, or a folder's files by a pattern such as /data/texts/*.txt")
    parser.add_argument("--output", default=batch.OUTPUT, help="the root of the results (%(default)s)")
    parser.add_argument("--name", default="demo", help="the result's name (%(default)s)")
    parser.add_argument(
        "--slices",
        type=functools.partial(batch.parse_count, least=-(2**31), most=10_000),
        default=2,
        help="partitions of the RDD (%(default)s)",
    )
    batch.add_unpacked(parser)
    options = parser.parse_args(argv)
    if not NAME.fullmatch(options.name):
        raise UserError(f"--name {options.name!r}: letters, digits, dots and dashes only")
    if options.slices < 1:
        raise UserError(f"--slices {options.slices}: at least one")
    if os.environ.get("SPARK_REMOTE"):
        raise UserError("there are no RDDs over Spark Connect: submit to a master, or use a DataFrame")
    files = check(options.input, options.max_unpacked_mib * 2**20) if options.input is not None else ()
    with batch.session() as spark, batch.disk_full_is_a_sentence(options.output):
        run(spark, options.text, files, options.slices, options.output, options.name)


def check(path: str, limit: int = inputs.MAX_UNPACKED_MIB * 2**20) -> tuple[InputFile, ...]:
    """Find the files of a path: the one that has that very name, or else those of its folder that match it as a pattern.

    Args:
        path: a file, or a folder's files by a pattern such as /data/texts/*.txt.
        limit: what a gzip file may unpack to, in bytes.

    Raises:
        UserError: if there is none, or one is empty, unreadable, cut off or damaged, or unpacks to too much.
    """
    folder, name = os.path.split(path)
    if os.path.lexists(path) or not set(name) & set("*?["):
        files: tuple[InputFile, ...] = (inputs.look(path, limit),)
    else:
        files = inputs.find(folder or ".", name, limit=limit)
    inputs.check_has_rows(files)
    return files


# START rdd
def words(lines: RDD[str]) -> RDD[tuple[str, int]]:
    """Return how often each word is in lines, in lower case: a recipe, of which nothing has run."""
    found = lines.flatMap(lambda line: WORD.findall(line.lower()))
    return found.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)


# END rdd


def run(spark: SparkSession, text: str | None, files: Sequence[InputFile], slices: int, output: str, name: str) -> dict[str, int]:
    """Count the words of a text or of files and publish them. The rows that its manifest counts are the lines.

    Args:
        spark: the session, a classic one.
        text: the text, or None.
        files: the files, if there is no text.
        slices: partitions of the RDD.
        output: the root of the results.
        name: the result's name.

    Returns:
        looked_at_before and looked_at_after the action, words (all of them), distinct.

    Raises:
        UserError: if a file changes while it is read.
        RuntimeError: if lines of it are missing.
    """
    job, context = batch.Job("wordcount", f"name={name}", output, tuple(files)), spark.sparkContext
    looked_at = context.accumulator(0)

    def look(line: str) -> str:
        looked_at.add(1)
        return line

    with batch.staged(job, files) as paths:
        source = context.parallelize(text.split("."), slices) if text is not None else context.textFile(",".join(paths), slices)
        counts = words(source.map(look))
        lineage = (counts.toDebugString() or b"").decode()
        print(f"the lineage, of which nothing has run:\n{lineage}\nlines looked at before the action: {looked_at.value}")
        before = looked_at.value
        # The action: only now the lines are read.
        found = sorted(counts.collect(), key=lambda pair: (-pair[1], pair[0]))
        inputs.check_unchanged(files)
    held = sum(file.content.lines for file in files)
    if files and looked_at.value != held:
        raise RuntimeError(f"the input holds {held} lines and {looked_at.value} were read, nothing is published: {files[0].path}")
    print(f"lines looked at after the action: {looked_at.value}; words: {found[:5]} …")
    result = {
        "looked_at_before": before,
        "looked_at_after": looked_at.value,
        "words": sum(count for _, count in found),
        "distinct": len(found),
    }
    os.umask(0o002)
    with publish.staging(output, job.result.replace("/", ".")) as stage:
        folder = stage / "result"
        folder.mkdir()
        with open(folder / "words.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("word", "count"), *found])
        (folder / "lineage.txt").write_text(lineage + "\n", encoding="utf-8")
        (folder / "_SUCCESS").touch()
        rows = Rows(read=looked_at.value, rejects={}, written=looked_at.value)
        batch.write_manifest(folder, batch.manifest(spark, job, rows, written=True) | result)
        publish.publish(output, job.result, folder)
    return result


if __name__ == "__main__":
    sys.exit(errors.run("wordcount", main, sys.argv[1:]))
