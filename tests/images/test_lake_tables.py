"""What a Spark job reads and writes beside files: Delta tables, S3-compatible storage, PostgreSQL; as any uid, /tmp only."""

from __future__ import annotations

import json

import pytest

from airspark import images

from .conftest import beside, docker, run, serving, versions, wait_listening

#: Delta as the decision page says, and no more tasks than a test needs.
SESSION = """
import json
from pyspark.sql import SparkSession, functions as F
builder = SparkSession.builder.master("local[1]").config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
settings = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
spark = builder.config(map=settings).getOrCreate()
def ids(table):
    return sorted(row.id for row in table.select("id").collect())
"""
DELTA = """
path = "/tmp/table"
spark.range(3).write.format("delta").option("delta.enableChangeDataFeed", "true").save(path)
spark.range(3, 5).write.format("delta").mode("append").save(path)
spark.range(7, 8).write.format("delta").mode("overwrite").save(path)
spark.sql(f"MERGE INTO delta.`{path}` t USING (SELECT 7 AS id UNION ALL SELECT 9) s ON t.id = s.id "
          "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *")
version = lambda number: ids(spark.read.format("delta").option("versionAsOf", number).load(path))
changes = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 3).load(path)
print(json.dumps({
    "versions": [version(number) for number in range(4)],
    "changes": sorted([row.id, row._change_type] for row in changes.collect()),
    "log": [row.operation for row in spark.sql(f"DESCRIBE HISTORY delta.`{path}`").collect()],
}))
"""
S3 = """
hadoop = spark._jsc.hadoopConfiguration()
for key, value in {"endpoint": "http://127.0.0.1:9000", "endpoint.region": "us-east-1", "path.style.access": "true"}.items():
    hadoop.set(f"fs.s3a.{key}", value)
spark.range(100, numPartitions=2).write.parquet("s3a://lake/numbers")
spark.range(3).write.format("delta").save("s3a://lake/table")
spark.range(3, 5).write.format("delta").mode("append").save("s3a://lake/table")
spark.range(100, 101).write.mode("overwrite").parquet("s3a://lake/numbers")
first = spark.read.format("delta").option("versionAsOf", 0).load("s3a://lake/table")
print(json.dumps([ids(spark.read.parquet("s3a://lake/numbers")), ids(first), ids(spark.read.format("delta").load("s3a://lake/table"))]))
"""
MAKE_BUCKET = """
import boto3
boto3.client("s3", endpoint_url="http://127.0.0.1:9000", region_name="us-east-1").create_bucket(Bucket="lake")
"""
KEYS_IN_BUCKET = """
import boto3
listed = boto3.client("s3", endpoint_url="http://127.0.0.1:9000", region_name="us-east-1").list_objects_v2(Bucket="lake")
print("\\n".join(entry["Key"] for entry in listed["Contents"]))
"""
JDBC = """
import os
options = {"url": "jdbc:postgresql://127.0.0.1/airflow", "user": "airflow", "dbtable": "sales", "password": os.getenv("PASSWORD")}
rows = spark.range(3).withColumn("price", F.expr("CAST(id * 1.5 AS DECIMAL(10, 2))"))
rows.write.format("jdbc").options(**options).save()
rows.write.format("jdbc").options(**options).mode("append").save()
found = spark.read.format("jdbc").options(**options).load().groupBy("id").agg(F.sum("price").alias("total")).orderBy("id")
print(json.dumps([[row.id, str(row.total)] for row in found.collect()]))
"""


def spark_local(script: str) -> tuple[str, ...]:
    """Return the command that runs a script with a session as SESSION makes it."""
    return ("env", "SPARK_LOCAL_IP=127.0.0.1", "python", "-c", SESSION + script)


def test_delta_table_keeps_its_versions_through_append_overwrite_and_merge() -> None:
    found = json.loads(run("spark", *spark_local(DELTA)).stdout.splitlines()[-1])
    assert found["versions"] == [[0, 1, 2], [0, 1, 2, 3, 4], [7], [9]]
    assert found["changes"] == [[7, "delete"], [9, "insert"]]
    assert found["log"] == ["MERGE", "WRITE", "WRITE", "WRITE"]


def test_jdbc_writes_appends_and_reads_a_table_of_postgres() -> None:
    password = 'it\'s "odd" $1'
    options = ("--volume", "/var/lib/postgresql/data", "--env", f"POSTGRES_PASSWORD={password}")
    with serving("postgres", options=options, user="999:0") as container:
        wait_listening(container, 5432)
        said = beside(container, SESSION + JDBC, "spark", PASSWORD=password, SPARK_LOCAL_IP="127.0.0.1")
        table = docker(
            *("exec", "--env", f"PGPASSWORD={password}", container, "psql", "--no-align", "--tuples-only"),
            *("--host", "127.0.0.1", "--username", "airflow", "--command", "SELECT count(*), sum(price) FROM sales"),
        )
    assert json.loads(said.splitlines()[-1]) == [[0, "0.00"], [1, "3.00"], [2, "6.00"]]
    assert table.stdout.strip() == "6|9.00"


@pytest.mark.long
def test_s3a_writes_overwrites_and_reads_parquet_and_delta_on_minio() -> None:
    images.ensure_built([images.MINIO])
    keys = {"AWS_ACCESS_KEY_ID": "airspark", "AWS_SECRET_ACCESS_KEY": "airspark-secret"}
    options = (
        # Spark notes down on which host it found the keys: like a pod's, the host's name must resolve.
        *("--hostname", "localhost"),
        *("--tmpfs", "/data:mode=0777", "--env", f"MINIO_ROOT_USER={keys['AWS_ACCESS_KEY_ID']}"),
        *("--env", f"MINIO_ROOT_PASSWORD={keys['AWS_SECRET_ACCESS_KEY']}"),
    )
    with serving("minio", options=options) as container:
        wait_listening(container, 9000)
        beside(container, MAKE_BUCKET, "airflow", **keys)
        said = beside(container, SESSION + S3, "spark", SPARK_LOCAL_IP="127.0.0.1", **keys)
        names = beside(container, KEYS_IN_BUCKET, "airflow", **keys).splitlines()
    assert json.loads(said.splitlines()[-1]) == [[100], [0, 1, 2], [0, 1, 2, 3, 4]]
    assert "numbers/_SUCCESS" in names and "table/_delta_log/00000000000000000001.json" in names
    assert not [name for name in names if "_temporary" in name or "__magic" in name]


def test_s3a_is_of_the_hadoop_client_that_pyspark_carries() -> None:
    version = versions()["HADOOP_VERSION"]
    jars = run("spark", "ls", "/opt/spark/jars").stdout.split()
    assert {name for name in jars if name.startswith("hadoop-")} == {
        f"hadoop-{part}-{version}.jar" for part in ("aws", "client-api", "client-runtime")
    }


def test_no_jar_is_there_in_two_versions() -> None:
    names = [name.rpartition("-")[0] for name in run("spark", "ls", "/opt/spark/jars").stdout.split()]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
