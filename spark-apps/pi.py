"""Add up π on executors: the smallest application that makes them work.

spark-submit pi.py --steps 10000000 --slices 4
SPARK_REMOTE=sc://… python pi.py --steps 10000000      # over Spark Connect

The last line on stdout is `Pi is roughly 3.141592654`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

MOST_STEPS = 10_000_000_000


def part(bounds: tuple[int, int], steps: int) -> Iterator[float]:
    """Yield one part of π: the midpoint rule for 4 / (1 + x²) between 0 and 1.

    Args:
        bounds: the first step, and the one after the last.
        steps: how many steps there are in all.
    """
    width = 1.0 / steps
    yield sum(4.0 / (1.0 + ((step + 0.5) * width) ** 2) for step in range(*bounds)) * width


def parts(spark: SparkSession, steps: int, slices: int) -> DataFrame:
    """Return the parts of π, computed in Python on executors, a task a slice.

    Args:
        spark: a classic session, or one of a Connect server.
        steps: how many steps there are in all.
        slices: how many tasks share them.

    Returns:
        A column part with as many rows as slices.
    """
    bounds = ranges(steps, slices)

    def add_up(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow

        for batch in batches:
            found = [value for number in batch.column("id").to_pylist() for value in part(bounds[number], steps)]
            yield pyarrow.RecordBatch.from_pydict({"part": found})

    return spark.range(0, slices, 1, slices).mapInArrow(add_up, "part double")


def ranges(steps: int, slices: int) -> list[tuple[int, int]]:
    """Return the bounds of slices that together are all steps."""
    edges = [steps * number // slices for number in range(slices + 1)]
    return list(zip(edges, edges[1:], strict=False))


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; a wrong one ends the process with exit code 2 and a sentence."""
    parser = argparse.ArgumentParser(prog="pi.py", description="Add up π on executors.")
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of the sum, by default 1000000")
    parser.add_argument("--slices", type=int, default=4, help="tasks that share them, by default 4")
    found = parser.parse_args(given)
    if not 1 <= found.slices <= found.steps <= MOST_STEPS:
        parser.error(f"--slices {found.slices} and --steps {found.steps}: 1 ≤ slices ≤ steps ≤ {MOST_STEPS} must hold")
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Run the application and return its exit code."""
    chosen = arguments(given)
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    session = SparkSession.builder.getOrCreate()
    total = parts(session, chosen.steps, chosen.slices).agg(F.sum("part")).first()[0]
    session.stop()
    print(f"Pi is roughly {total:.9f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
