"""How the DAGs submit the Spark applications of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from pipelines import connections, lazily
from pipelines.defaults import APPLICATIONS
from pipelines.failures import RefusedInputPolicy

# Needed for Kubernetes masters only: 1,700 modules and 3.1 s of CPU at each parse and each start of a task (2026-11-27).
lazily.defer("airflow.providers.cncf.kubernetes.kube_client")

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator  # noqa: E402  after the line above

#: The connection that the charts make where they make a Spark Connect server.
CONNECT = "spark_connect_default"
#: The pod template that has the secret of the Spark cluster; other task pods do not get it (docs/secrets.md).
TEMPLATE = {"pod_template_file": "/opt/airflow/pod_templates/spark.yaml"}
#: Limits the applications on the standalone cluster over all DAGs and backfills; the chart airspark makes it.
POOL = "spark"

if TYPE_CHECKING:
    from airflow.sdk import Context


class SubmitWithSource(SparkSubmitOperator):
    """Submits an application that reads a database: its address, user and password are variables of the driver's environment.

    Args:
        source_conn_id: a connection of type postgres; it becomes SOURCE_URL, SOURCE_USER and SOURCE_PASSWORD.
        kwargs: those of SparkSubmitOperator.
    """

    def __init__(self, *, source_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id

    def execute(self, context: Context) -> None:
        """Look the connection up, then submit.

        Args:
            context: Airflow's.

        Raises:
            AirflowFailException: if there is no such connection, or something is missing in it.
        """
        try:
            connection = BaseHook.get_connection(self.source_conn_id)
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"there is no connection {self.source_conn_id}: make it with `airflow connections add {self.source_conn_id} "
                "--conn-type postgres --conn-host <host> --conn-port 5432 --conn-schema <database> --conn-login <user> "
                "--conn-password <password>`, then run again"
            ) from None
        connections.require(connection, self.source_conn_id, "host", "schema", "login", "password")
        # Here, after Airflow has stored the rendered templates.
        self.env_vars = (self.env_vars or {}) | {
            "SOURCE_URL": f"jdbc:postgresql://{connection.host}:{connection.port or 5432}/{connection.schema}",
            "SOURCE_USER": connection.login,
            "SOURCE_PASSWORD": connection.password,
        }
        super().execute(context)


def options(application: str, **others: Any) -> dict[str, Any]:
    """Return what SparkSubmitOperator takes to run an application on the standalone cluster, with a driver in its own pod.

    Args:
        application: the module in spark-apps, such as sales_etl.
        others: further arguments of SparkSubmitOperator, over those of here.
    """
    return {
        "conn_id": "spark_default",
        "application": f"{APPLICATIONS}/{application}.py",
        "name": application,
        "conf": {
            "spark.executor.memoryOverhead": "256m",
            # One core each: 15 % less memory than with G1, and no slower (docs/performance.md).
            "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
        },
        "driver_memory": "600m",
        "executor_memory": "700m",
        "executor_cores": 1,
        "total_executor_cores": 2,
        "retry_policy": RefusedInputPolicy(),
        "pool": POOL,
        "executor_config": TEMPLATE,
        "verbose": False,
        **others,
    }


def submit(task_id: str, application: str, arguments: list[Any], **others: Any) -> SparkSubmitOperator:
    """Return the task that runs an application.

    Args:
        task_id: the task's name.
        application: the module in spark-apps, such as sales_etl.
        arguments: its command line; texts in braces are filled in when the task runs.
        others: further arguments of SparkSubmitOperator, over those of `options`.
    """
    return SparkSubmitOperator(task_id=task_id, application_args=arguments, **options(application, **others))


def reading(params: Any = None) -> list[str]:
    """Return the arguments that say which files an application reads, and what they may unpack to.

    Args:
        params: the run's params, of which it takes max_unpacked_mib, files_before and files_after. None: templates of them.
    """
    names = ("max_unpacked_mib", "files_before", "files_after")
    values = {name: f"{{{{ params.{name} }}}}" for name in names} if params is None else params
    return [f"--{name.replace('_', '-')}={values[name]}" for name in names if name in values]


# START over_connect
def over_connect(application: str, arguments: list[str]) -> str:
    """Run an application against a Spark Connect server, as a process of its own beside the task's, without a JVM.

    Args:
        application: the module in spark-apps, such as pi.
        arguments: its command line.

    Returns:
        The last line that it printed.

    Raises:
        AirflowFailException: if there is no server, or the application refuses its input: a retry alone would not mend that.
        RuntimeError: if it fails otherwise; with its last line.
    """
    import os
    import subprocess
    import sys
    from urllib.parse import quote

    from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook

    try:
        token = BaseHook.get_connection(CONNECT).password
    except AirflowNotFoundException:
        raise AirflowFailException(
            f"there is no connection {CONNECT}: install the charts with global.spark.connect.enabled=true"
        ) from None
    command = [sys.executable, f"{APPLICATIONS}/{application}.py", *arguments]
    # The address holds the token: it stands in the environment of that process alone, and PySpark's errors may quote it.
    environment = os.environ | {"SPARK_REMOTE": SparkConnectHook(CONNECT).get_connection_url()}
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
    if process.returncode == 2:
        raise AirflowFailException(last.removeprefix(f"{application}: error: "))
    if process.returncode:
        raise RuntimeError(f"{application}.py ended with {process.returncode}: {last}")
    return last


# END over_connect


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

    command = [sys.executable, f"{APPLICATIONS}/{application}.py", "--check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 2:
        raise AirflowFailException(result.stderr.strip().removeprefix(f"{application}: error: "))
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}: {result.stderr[-2000:]}")
    print(result.stdout.strip())
