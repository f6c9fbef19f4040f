"""How the DAGs submit the Spark applications of the images."""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

from pipelines.defaults import APPLICATIONS
from pipelines.failures import RefusedInputPolicy


def submit(task_id: str, application: str, arguments: list[Any], **options: Any) -> SparkSubmitOperator:
    """Return the task that runs an application on the standalone cluster, with a driver in its own pod.

    Args:
        task_id: the task's name.
        application: the module in spark-apps, such as sales_etl.
        arguments: its command line; texts in braces are filled in when the task runs.
        options: further arguments of SparkSubmitOperator, over those of here.
    """
    defaults: dict[str, Any] = {
        "conn_id": "spark_default",
        "name": f"{application}.{task_id}",
        "conf": {"spark.executor.memoryOverhead": "256m"},
        "driver_memory": "600m",
        "executor_memory": "700m",
        "executor_cores": 1,
        "total_executor_cores": 2,
        "retry_policy": RefusedInputPolicy(),
        "verbose": False,
    }
    return SparkSubmitOperator(
        task_id=task_id,
        application=f"{APPLICATIONS}/{application}.py",
        application_args=arguments,
        **defaults | options,
    )


def check(application: str, arguments: list[str]) -> None:
    """Have an application look at its input only, in this process's pod and without Spark.

    Args:
        application: the module in spark-apps; it must know `--check`.
        arguments: its command line.

    Raises:
        AirflowFailException: with its sentence, if it refuses the input: a retry alone would not mend that.
        RuntimeError: if it fails otherwise.
    """
    import subprocess
    import sys

    from airflow.sdk.exceptions import AirflowFailException

    command = [sys.executable, f"{APPLICATIONS}/{application}.py", "--check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 2:
        raise AirflowFailException(result.stderr.strip().removeprefix(f"{application}: error: "))
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}: {result.stderr[-2000:]}")
    print(result.stdout.strip())
