"""The DAG spark_kubernetes; tests/e2e runs it."""

from __future__ import annotations

import pytest
import spark_kubernetes
from airflow.sdk.exceptions import ParamValidationError

TASKS = ["plain", "deferred"]


def test_should_have_one_task_that_stays_and_one_that_is_deferred() -> None:
    assert {task.task_id: task.deferrable for task in spark_kubernetes.dag.tasks} == {"plain": False, "deferred": True}


@pytest.mark.parametrize("name", TASKS)
def test_should_run_in_a_pod_that_may_make_applications(name: str) -> None:
    task = spark_kubernetes.dag.get_task(name)
    assert task.executor_config == {"pod_template_file": "/opt/airflow/pod_templates/launcher.yaml"}


@pytest.mark.parametrize("name", TASKS)
def test_should_bring_logs_find_its_driver_again_and_clean_up(name: str) -> None:
    task = spark_kubernetes.dag.get_task(name)
    assert task.get_logs and task.reattach_on_restart and task.delete_on_termination and task.in_cluster


@pytest.mark.parametrize("name", TASKS)
def test_should_leave_retries_to_airflow_and_not_outlive_a_lost_task_for_long(name: str) -> None:
    spec = spark_kubernetes.dag.get_task(name).template_spec["spec"]
    assert spec["restartPolicy"] == {"type": "Never"}
    assert 0 < spec["timeToLiveSeconds"] <= 24 * 3600


def test_should_be_rendered_with_the_params_and_the_account_of_the_variable() -> None:
    task = spark_kubernetes.dag.get_task("plain")

    class Variables:
        value = {"spark_service_account": "spark-operator-spark"}

    context = {"params": {"steps": 5, "image": "registry/spark:1"}, "var": Variables}
    task.render_template_fields(context, task.get_template_env())
    spec = task.template_spec["spec"]
    assert spec["arguments"] == ["--steps", "5"]
    assert spec["image"] == "registry/spark:1"
    assert spec["driver"]["serviceAccount"] == "spark-operator-spark"


@pytest.mark.parametrize(("key", "value"), [("steps", 0), ("steps", "many"), ("image", "")])
def test_should_refuse_a_param_that_makes_no_sense(key: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        spark_kubernetes.dag.params.get_param(key).resolve(value)
