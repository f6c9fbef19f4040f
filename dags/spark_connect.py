"""The application of spark_submit over Spark Connect: the same file, without a JVM in the task's pod.

There is a server if the charts were installed with global.spark.connect.enabled=true.

    airflow dags trigger spark_connect
    airflow dags trigger spark_connect --conf '{"steps": 100000000}'
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from pipelines import spark
from pipelines.defaults import DEFAULT_ARGS, due_within

with DAG(
    dag_id="spark_connect",
    description="An application over Spark Connect",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    deadline=due_within(hours=1),
    # The client goes on trying for ten minutes where no server is.
    default_args=DEFAULT_ARGS | {"execution_timeout": timedelta(minutes=15)},
    params={"steps": Param(1_000_000, type="integer", minimum=4, maximum=10_000_000_000, description="Steps of the sum")},
    tags=["spark"],
) as dag:
    # START task
    @task
    def submit() -> str:
        """Run the application against the server and return its last line."""
        return spark.over_connect("pi", ["--steps", str(get_current_context()["params"]["steps"])])

    # END task

    submit()
