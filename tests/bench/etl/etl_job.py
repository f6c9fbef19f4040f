"""What etl_daily's application is held against: `etl_job.py make|plain|pandas|duckdb <file> <target or MB>`.

`plain` is the script that one would write first, with Spark's defaults. Both read, drop duplicates, filter, derive and write.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

SCHEMA = (
    "order_id LONG, ordered_at TIMESTAMP, customer_id STRING, product_id STRING, category STRING, quantity INT, "
    "unit_price DECIMAL(12,2), region STRING, channel STRING"
)
COLUMNS = [column.split()[0] for column in SCHEMA.split(", ")]
CHUNK, DAY = 500_000, dt.datetime(2026, 1, 15)
VALUES = {
    "category": ("electronics", "fashion", "grocery", "beauty", "home", "books", "sports", "toys"),
    "region": ("서울", "경기", "부산", "인천", "대구", "대전", "광주", "제주", "강원"),
    "channel": ("web", "app", "store", "phone"),
}


def make(file: Path, megabytes: int) -> None:
    """Write so many megabytes of sales with unique keys, unless the file is there."""
    import numpy
    import pyarrow
    from pyarrow import csv

    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    randomness = numpy.random.default_rng(7)
    seconds = numpy.array([f"{DAY + dt.timedelta(seconds=one):%Y-%m-%dT%H:%M:%S}+09:00" for one in range(86_400)])
    unfinished, first = file.with_name(f".{file.name}"), 0
    with open(unfinished, "wb") as stream:
        stream.write((",".join(COLUMNS) + "\n").encode())
        while stream.tell() < megabytes * 1_000_000:
            columns = {
                "order_id": numpy.arange(first, first + CHUNK),
                "ordered_at": seconds[randomness.integers(0, 86_400, CHUNK)],
                "customer_id": numpy.char.add("C", randomness.integers(1, 200_000, CHUNK).astype(str)),
                "product_id": numpy.char.add("P", randomness.integers(1, 4_000, CHUNK).astype(str)),
                "category": None,
                "quantity": randomness.integers(1, 10, CHUNK),
                "unit_price": numpy.char.add(randomness.integers(900, 1_900_000, CHUNK).astype(str), ".00"),
            }
            for name, values in VALUES.items():
                columns[name] = numpy.array(values)[randomness.integers(0, len(values), CHUNK)]
            csv.write_csv(pyarrow.table(columns), stream, csv.WriteOptions(include_header=False, quoting_style="none"))
            first += CHUNK
    unfinished.rename(file)


def plain(file: Path, target: str) -> None:
    """Convert with Spark as one would first."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = SparkSession.builder.appName("plain").getOrCreate()
    rows = spark.read.csv(str(file), header=True, schema=SCHEMA).dropDuplicates().filter("quantity > 0")
    rows.withColumn("amount", F.col("quantity") * F.col("unit_price")).write.mode("overwrite").parquet(target)
    spark.stop()


def pandas(file: Path, target: str) -> None:
    """Convert with pandas, whole in memory."""
    import pandas

    rows = pandas.read_csv(file).drop_duplicates()
    rows = rows[rows["quantity"] > 0]
    rows["ordered_at"] = pandas.to_datetime(rows["ordered_at"], format="ISO8601")
    rows.assign(amount=rows["quantity"] * rows["unit_price"]).to_parquet(target, index=False)


def duckdb(file: Path, target: str) -> None:
    """Convert with DuckDB, which spills to disk what does not fit."""
    import duckdb

    types = {name: "TIMESTAMPTZ" if kind == "TIMESTAMP" else kind for name, kind in map(str.split, SCHEMA.split(", "))}
    database = duckdb.connect(config={"threads": "2", "memory_limit": "4GB", "temp_directory": f"{target}.spilled"})
    rows = database.read_csv(str(file), header=True, columns=types).distinct().filter("quantity > 0")
    rows.project("*, quantity * unit_price AS amount").write_parquet(target)


if __name__ == "__main__":
    what, source, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if what == "make":
        make(source, int(rest))
    else:
        {"plain": plain, "pandas": pandas, "duckdb": duckdb}[what](source, rest)
