"""The application of `helm test`: some seconds of work, a look at its own page through the master, and a result.

Usage: helm_test_job.py <said.json> <output folder, or ""> <address of the master's page, or "">
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

ROWS = 1_000_000
WRITTEN = 100


def page_problem(address: str, application: str) -> str:
    """Return what is wrong with a running application's page behind the master's, or an empty text."""
    if not address:
        return ""
    url = f"{address}/proxy/{application}/api/v1/applications"
    for _ in range(10):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found = [entry["id"] for entry in json.load(answer)]
            return "" if application in found else f"{url} shows {found}"
        except (OSError, ValueError) as error:
            problem = f"{url}: {error}"
            time.sleep(0.5)
    return problem


def main(said: str, output: str, address: str) -> None:
    """Run it, and write what it found to the file `said`.

    Raises:
        ValueError: if the executors' sum is wrong.
    """
    spark = SparkSession.builder.appName("helm-test").getOrCreate()
    context = spark.sparkContext
    begun = time.monotonic()
    numbers = spark.range(1, ROWS + 1, numPartitions=2)
    total = numbers.groupBy((F.col("id") % 100).alias("group")).agg(F.sum("id").alias("sum")).agg(F.sum("sum")).collect()[0][0]
    if total != ROWS * (ROWS + 1) // 2:
        raise ValueError(f"the numbers up to {ROWS} add up to {total}")
    # Python on the executor's side: another minor version than the driver's fails here.
    host = context.parallelize([0], 1).map(lambda _: socket.gethostname()).collect()[0]
    if output:
        numbers.limit(WRITTEN).select(F.col("id").cast("string")).coalesce(1).write.text(f"file:{output}")
    content = {
        "id": context.applicationId,
        "rows": ROWS,
        "rows_written": WRITTEN,
        "host": host,
        "seconds": round(time.monotonic() - begun, 1),
        "page": page_problem(address, context.applicationId),
    }
    Path(said).write_text(json.dumps(content))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
