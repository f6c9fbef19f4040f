"""The application of spark_submit over Spark Connect: the same file, without a JVM in the task's pod.

There is a server if the charts were installed with global.spark.connect.enabled=true.

    airflow dags trigger spark_connect
    airflow dags trigger spark_connect --conf '{"steps": 100000000}'
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import quote

from airflow.sdk import DAG, BaseHook, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from pipelines.defaults import APPLICATIONS, DEFAULT_ARGS, due_within

CONNECTION = "spark_connect_default"

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
        """Run the application as a process of its own, which PySpark connects to the server; return its last line."""
        from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook

        try:
            token = BaseHook.get_connection(CONNECTION).password
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"there is no connection {CONNECTION}: install the charts with global.spark.connect.enabled=true"
            ) from None
        command = [sys.executable, f"{APPLICATIONS}/pi.py", "--steps", str(get_current_context()["params"]["steps"])]
        # The address holds the token: it stands in the environment of that process alone.
        environment = os.environ | {"SPARK_REMOTE": SparkConnectHook(CONNECTION).get_connection_url()}
        # PySpark's errors may quote it.
        secrets = [text for text in (token, quote(token or "")) if text]
        last = ""
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                for line in process.stdout or ():
                    last = line.rstrip()
                    for secret in secrets:
                        last = last.replace(secret, "***")
                    print(last)
            except BaseException:
                # The time limit. The server gives up what nobody asks for any more.
                process.kill()
                raise
        if process.returncode:
            raise RuntimeError(f"pi.py ended with {process.returncode}: {last}")
        return last

    # END task

    submit()
