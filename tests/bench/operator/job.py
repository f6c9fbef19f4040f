"""A session, one executor, a second of work."""

from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
print("SUM", session.range(0, 1_000_000, 1, 4).selectExpr("sum(id)").first()[0], flush=True)
session.stop()
