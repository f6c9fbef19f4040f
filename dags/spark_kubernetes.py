"""A SparkApplication from Airflow, twice: a task that stays with it, and one that waits in the triggerer.

Each makes a SparkApplication, which the chart spark-operator's controller runs with a driver and executors of its own, has the
driver's log in the task's log, and deletes the application in the end. A task that is killed takes driver and executors with it;
one whose pod dies finds its driver again.

airflow dags trigger spark_kubernetes
airflow dags trigger spark_kubernetes --conf '{"steps": 100000000}'    # takes a minute or two

With kubeflow's spark-operator in the place of this one, name the account of drivers by the Airflow variable
`spark_service_account`, for example `spark-operator-spark`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.operators.spark_kubernetes import SparkKubernetesOperator
from airflow.sdk import DAG, Param
from airflow.sdk.configuration import conf
from pipelines.defaults import DEFAULT_ARGS, SPARK_TIME_ZONE, due_within

#: The pod of these tasks has an account that may make SparkApplications; those of other tasks have no token at all.
LAUNCHER = {"pod_template_file": "/opt/airflow/pod_templates/launcher.yaml"}
IMAGE = f"airspark/spark:{os.environ.get('AIRSPARK_VERSION', 'latest')}"
SMALL = {"cores": 1, "coreRequest": "100m", "memory": "512m"}


def application() -> dict[str, Any]:
    """Return the SparkApplication; texts in braces are filled in when the task runs."""
    return {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": "pi", "namespace": conf.get("kubernetes_executor", "namespace", fallback="default")},
        "spec": {
            "type": "Python",
            "mode": "cluster",
            "sparkVersion": "4",
            "image": "{{ params.image }}",
            "imagePullPolicy": "IfNotPresent",
            "mainApplicationFile": "local:///opt/airflow/spark-apps/pi.py",
            "arguments": ["--steps", "{{ params.steps }}"],
            "sparkConf": SPARK_TIME_ZONE,
            # Airflow's retries decide; Spark's own would be invisible to the task.
            "restartPolicy": {"type": "Never"},
            # If nobody is left to delete it: a task that was lost, or a worker that was killed.
            "timeToLiveSeconds": 3600,
            "driver": SMALL | {"serviceAccount": "{{ var.value.get('spark_service_account', '') }}"},
            "executor": SMALL | {"instances": 1},
        },
    }


with DAG(
    dag_id="spark_kubernetes",
    description="A SparkApplication, run by a task that stays with it and by one that is deferred",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    deadline=due_within(hours=2),
    # The try after a failed one makes the application anew, so one is enough.
    default_args=DEFAULT_ARGS | {"retries": 1, "retry_delay": timedelta(seconds=5)},
    params={
        "steps": Param(1_000_000, type="integer", minimum=4, maximum=10_000_000_000, description="Steps of the sum"),
        "image": Param(IMAGE, type="string", minLength=1, description="Image with Spark and the application"),
    },
    tags=["spark", "kubernetes"],
) as dag:
    # START operator
    for task_id, deferrable in (("plain", False), ("deferred", True)):
        SparkKubernetesOperator(
            task_id=task_id,
            name=f"pi-{task_id}",
            namespace=conf.get("kubernetes_executor", "namespace", fallback="default"),
            template_spec=application(),
            executor_config=LAUNCHER,
            # Without it, a trigger that is cancelled looks for a kubeconfig and leaves the driver running.
            in_cluster=True,
            startup_timeout_seconds=300,
            deferrable=deferrable,
            log_events_on_failure=True,
        )
    # END operator
