"""CSV to Parquet: `convert_job.py make <folder> <MB>` writes CSV, `convert_job.py convert <from> <to>` is what is measured.

The conversion reads with a schema, drops duplicate keys, filters, derives a column and writes: one shuffle of all rows.
"""

from __future__ import annotations

import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SCHEMA = (
    "order_id LONG, ordered_at TIMESTAMP, customer_id INT, product_id INT, channel STRING, quantity INT, price INT, note STRING"
)
#: Bytes of a line of CSV, measured at ten million rows' keys.
LINE = 68


def make(spark: SparkSession, folder: str, megabytes: int) -> None:
    """Write about so many megabytes of CSV in 16 files, unless the folder is there."""
    rows = megabytes * 1_000_000 // LINE
    key = F.col("id")
    spark.range(0, rows, 1, 16).select(
        key.alias("order_id"),
        F.timestamp_seconds(F.lit(1_767_225_600) + key % 86_400).alias("ordered_at"),
        F.pmod(F.hash(key), F.lit(200_000)).alias("customer_id"),
        (key % 4_000).alias("product_id"),
        F.element_at(F.array(*map(F.lit, ("web", "app", "store", "phone"))), (key % 4 + 1).cast("int")).alias("channel"),
        (key % 9 + 1).alias("quantity"),
        F.pmod(F.hash(key, F.lit(1)), F.lit(100_000)).alias("price"),
        F.lit("as usual").alias("note"),
    ).write.mode("ignore").csv(folder, header=True)


def convert(spark: SparkSession, source: str, target: str) -> None:
    """Convert a folder of CSV."""
    rows = spark.read.csv(source, header=True, schema=SCHEMA).dropDuplicates(["order_id"]).filter("quantity > 1")
    rows.withColumn("total", F.col("quantity") * F.col("price")).write.mode("overwrite").parquet(target)


if __name__ == "__main__":
    began = time.monotonic()
    session = SparkSession.builder.appName("bench-spark").getOrCreate()
    print("SESSION", time.monotonic() - began)
    if sys.argv[1] == "make":
        make(session, sys.argv[2], int(sys.argv[3]))
    else:
        convert(session, sys.argv[2], sys.argv[3])
    session.stop()
