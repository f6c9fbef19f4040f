"""Count a day's sales by category: the smallest application. It checks nothing; api_orders.py is the shortest whole one.

spark-submit categories.py /opt/airflow/data/sales/sales_2026-01-15.csv /opt/airflow/output/categories
"""

# START whole
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

source, target = sys.argv[1:]
spark = SparkSession.builder.appName("categories").getOrCreate()
sales = spark.read.option("header", True).csv(source)
counts = sales.groupBy("category").agg(F.count("*").alias("rows"))
counts.write.mode("overwrite").parquet(target)
spark.stop()
# END whole
