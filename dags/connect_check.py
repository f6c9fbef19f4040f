"""A small query through the Spark Connect server: shows that it answers, with executors behind it.

There is a server if the charts were installed with global.spark.connect.enabled=true.

airflow dags trigger connect_check
airflow dags trigger connect_check --conf '{"rows": 10000000}'
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, get_current_context, task

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

with DAG(
    dag_id="connect_check",
    description="One query through the Spark Connect server",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2,
        # The client goes on trying for ten minutes where no server is.
        "execution_timeout": timedelta(minutes=5),
    },
    params={"rows": Param(100_000, type="integer", minimum=1, maximum=1_000_000_000, description="Rows that are counted")},
    tags=["check", "spark"],
) as dag:
    # START task
    @task.pyspark(conn_id="spark_connect_default")
    def count_by_last_digit(spark: SparkSession) -> dict[str, int]:
        """Return how many of the numbers below `rows` end in each digit: a shuffle, so executors work and exchange blocks."""
        from pyspark.sql import functions as F

        rows = get_current_context()["params"]["rows"]
        counts = spark.range(rows).groupBy((F.col("id") % 10).alias("digit")).count()
        return {str(row["digit"]): row["count"] for row in counts.orderBy("digit").collect()}

    # END task

    count_by_last_digit()
