"""The small job: a session, one aggregate, one Parquet file written and read."""

from __future__ import annotations

import time

began = time.monotonic()
from pyspark.sql import SparkSession  # noqa: E402  the import is part of what is measured
from pyspark.sql import functions as F  # noqa: E402

spark = SparkSession.builder.getOrCreate()
print("SESSION", time.monotonic() - began)
spark.range(1000).groupBy((F.col("id") % 10).alias("k")).count().write.mode("overwrite").parquet("file:///tmp/small")
assert spark.read.parquet("file:///tmp/small").count() == 10
spark.stop()
