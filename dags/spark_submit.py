"""SparkSubmitOperator with every main parameter, each with what it is for.

    airflow dags trigger spark_submit
    airflow dags trigger spark_submit --conf '{"steps": 100000000}'

The same application runs in the DAG spark_connect over Spark Connect and in spark_kubernetes as a SparkApplication.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from pipelines.defaults import APPLICATIONS, DEFAULT_ARGS, due_within
from pipelines.failures import RefusedInputPolicy

# airflow.providers.apache.spark.operators.spark_submit has it; from here it comes without the Kubernetes clients.
from pipelines.spark import POOL, TEMPLATE, SparkSubmitOperator

with DAG(
    dag_id="spark_submit",
    description="SparkSubmitOperator with every main parameter",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    deadline=due_within(hours=1),
    default_args=DEFAULT_ARGS,
    params={"steps": Param(1_000_000, type="integer", minimum=4, maximum=10_000_000_000, description="Steps of the sum")},
    tags=["spark"],
) as dag:
    # START operator
    SparkSubmitOperator(
        task_id="submit",
        # Where the master is and how to submit: made by the chart. Another cluster is another connection.
        conn_id="spark_default",
        # The file, read where the task runs: build it into the image, or mount its claim into task pods.
        application=f"{APPLICATIONS}/pi.py",
        # Its command line. Texts in braces are filled in when the task runs.
        application_args=["--steps", "{{ params.steps }}", "--slices", "4"],
        # What the Spark pages and the history server call it.
        name="spark_submit.pi",
        # Any other property of Spark, over spark-defaults.conf.
        conf={"spark.executor.memoryOverhead": "256m", "spark.sql.shuffle.partitions": "4"},
        # The driver is this task's pod: more for what is collected or broadcast, within the pod's limit.
        driver_memory="600m",
        # Each executor's heap; with its overhead it must fit into a worker (spark.worker.resources).
        executor_memory="700m",
        # Tasks at once in one executor, and over all executors; without the second, the cluster's spark.deploy.defaultCores.
        executor_cores=1,
        total_executor_cores=2,
        # For YARN and Kubernetes masters only; a standalone master starts total_executor_cores / executor_cores of them.
        num_executors=None,
        # Modules, files, jars and archives that go to the executors; those of the image are there already.
        py_files=None,
        files=None,
        jars=None,
        archives=None,
        # Jars for the driver's class path alone, such as a JDBC driver that is in no image.
        driver_class_path=None,
        # The class with main() in a jar; a Python application has none.
        java_class=None,
        # Would be downloaded from a repository at each start. Put jars into the image: docs/dependencies.md.
        packages=None,
        exclude_packages=None,
        repositories=None,
        # A file in the place of spark-defaults.conf, which then must hold what the chart puts there.
        properties_file=None,
        # "client", by the connection: a standalone cluster takes no Python application in cluster mode.
        deploy_mode=None,
        # Variables of the driver's process. No secrets: use a connection, or a Secret in the pod template.
        env_vars={"AIRSPARK_MASTER_DEADLINE": "60"},
        # More lines about class paths and properties in the log.
        verbose=False,
        # How often the state of a driver in cluster mode is asked for, in seconds.
        status_poll_interval=1,
        # For a cluster with Kerberos, and for YARN; there is neither here.
        keytab=None,
        principal=None,
        proxy_user=None,
        yarn_queue=None,
        # How often and when a failed try is repeated is in DEFAULT_ARGS, as for every task. The policy comes before: what the
        # application refuses (exit code 2) is tried once more only.
        retry_policy=RefusedInputPolicy(),
        # Waits for a slot while as many applications run as the cluster has room for (values airflow.pools).
        pool=POOL,
        # The pod's template: {"pod_template_file": "/opt/airflow/pod_templates/spark.yaml"} has the secret of the Spark cluster.
        executor_config=TEMPLATE,
        # Each try ends after that long, and its application with it.
        execution_timeout=timedelta(hours=1),
    )
    # END operator
