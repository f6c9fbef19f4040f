"""The DAG spark_kubernetes on the platform: a task that stays with its SparkApplication, and one that is deferred."""

from __future__ import annotations

import json
from typing import Any

import kube_api
import pytest
from conftest import kubectl
from spark import wait

from airspark.airflow_api import Airflow

DAG = "spark_kubernetes"
#: Long enough to be interrupted.
LONG = 3_000_000_000
ENDED = ("success", "failed", "upstream_failed", "removed", "skipped")
#: Fills what is left of a driver's memory by processes that are smaller than the JVM, which so is the one that is killed.
HOGS = "for i in 1 2 3 4 5 6 7 8 9; do python -c \"import time; b = b'x' * 90_000_000; time.sleep(60)\" & done; sleep 20"


def trigger(client: Airflow, **conf: Any) -> str:
    """Start a run."""
    run = client.call("POST", f"/dags/{DAG}/dagRuns", json={"logical_date": None, "conf": conf})
    return str(run["dag_run_id"])


def tasks(client: Airflow, run: str) -> dict[str, dict[str, Any]]:
    """The task instances of a run by task."""
    found = client.call("GET", f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return {task["task_id"]: task for task in found}


def mark(client: Airflow, run: str, task: str, state: str) -> None:
    """Set a task's state by hand, as the button in the user interface does."""
    client.call("PATCH", f"/dags/{DAG}/dagRuns/{run}/taskInstances/{task}", json={"new_state": state})


def end(client: Airflow, run: str, task: str, seconds: int = 600) -> dict[str, Any]:
    """The task when it has ended."""
    found: dict[str, Any] = wait(
        f"{task} of {run} has ended", lambda: (one := tasks(client, run)[task])["state"] in ENDED and one, seconds, 1
    )
    return found


def pods(task: str, role: str = "driver") -> list[dict[str, Any]]:
    """The pods of a task's application that are not being deleted."""
    selector = f"dag_id={DAG},task_id={task},spark-role={role}"
    items = kube_api.pods("airspark", selector)
    return [item for item in items if "deletionTimestamp" not in item["metadata"]]


def applications() -> list[str]:
    """The SparkApplications of the DAG, as kubectl names them."""
    found = kube_api.read(f"{kube_api.APPLICATIONS}/namespaces/airspark/sparkapplications")["items"]
    return [f"sparkapplication/{name}" for item in found if (name := item["metadata"]["name"]).startswith("pi-")]


def only(client: Airflow, run: str, task: str) -> None:
    """Have only one task of a run go on."""
    other = {"plain": "deferred", "deferred": "plain"}[task]
    wait(f"{other} is known", lambda: other in tasks(client, run), 60)
    mark(client, run, other, "success")


def running_driver(task: str) -> dict[str, Any]:
    """The driver of a task, once it and an executor run."""
    wait(f"an executor of {task}", lambda: [p for p in pods(task, "executor") if p["status"]["phase"] == "Running"], 240, 1)
    (driver,) = pods(task)
    return driver


@pytest.fixture(scope="module")
def client(airflow: Airflow) -> Airflow:
    """A client, when the DAG is known and nothing of a run before goes on."""

    def known() -> bool:
        return any(dag["dag_id"] == DAG for dag in airflow.call("GET", "/dags", params={"limit": 100})["dags"])

    wait("the DAG is known", known, 120, 2)
    airflow.call("PATCH", f"/dags/{DAG}", json={"is_paused": False})
    for run in airflow.call("GET", f"/dags/{DAG}/dagRuns", params={"state": "running"})["dag_runs"]:
        airflow.call("PATCH", f"/dags/{DAG}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})
    for name in applications():
        kubectl("delete", name)
    return airflow


def test_should_run_both_tasks_with_the_drivers_log_and_leave_nothing(client: Airflow) -> None:
    run = trigger(client)
    for task in ("plain", "deferred"):
        ended = end(client, run, task)
        log = client.task_log(DAG, run, task, ended["try_number"])
        assert ended["state"] == "success", log[-3000:]
        assert "Pi is roughly 3.14159265" in log and "SparkContext" in log
        assert ended["try_number"] == 1
    wait("no application is left", lambda: not applications(), 180)
    assert not pods("plain") and not pods("deferred")


@pytest.mark.long
@pytest.mark.parametrize("task", ["plain", "deferred"])
def test_should_delete_driver_and_executors_if_the_task_is_killed(client: Airflow, task: str) -> None:
    run = trigger(client, steps=LONG)
    only(client, run, task)
    running_driver(task)
    if task == "deferred":
        # Airflow cancels only a trigger that has begun
        wait("the trigger watches", lambda: "Checking pod" in client.task_log(DAG, run, task, 1), 180)
    mark(client, run, task, "failed")
    wait("driver and executors are gone", lambda: not pods(task) and not pods(task, "executor"), 180, 1)
    if task == "deferred":
        # Airflow's trigger knows of the pod alone; the object says what came of it until its time to live has passed
        (name,) = applications()
        status = json.loads(kubectl("get", name, "--output", "json"))["status"]
        wait("its application has failed", lambda: "DriverDeleted" in kubectl("get", name), 120)
        assert status["driverInfo"]["podName"].startswith("pi-deferred")
        kubectl("delete", name)
    wait("no application is left", lambda: not applications(), 180)


def found_again(client: Airflow, steps: int, seconds: int, with_scheduler: bool) -> None:
    """Have a task pod die while its driver runs, the scheduler before it if asked for, and the next try find the driver."""
    run = trigger(client, steps=steps)
    only(client, run, "plain")
    driver = running_driver("plain")
    if with_scheduler:
        kubectl("delete", "pod", "--selector", "component=scheduler", "--grace-period=0", "--force", timeout=60)
        kubectl("rollout", "status", "deployment/airspark-scheduler", "--timeout=240s", timeout=250)
    chosen = ("--selector", f"dag_id={DAG},task_id=plain,component=worker", "--field-selector", "status.phase=Running")
    task_pod = kubectl("get", "pods", *chosen, "--output", "name").strip()
    # as a lost node ends it: without a word that lets the task clean up
    kubectl("exec", task_pod, "--container", "base", "--", "bash", "-c", "kill -9 -1; true")
    ended = end(client, run, "plain", seconds)
    log = client.task_log(DAG, run, "plain", ended["try_number"])
    assert ended["state"] == "success" and ended["try_number"] == 2, log[-3000:]
    name = driver["metadata"]["name"].removesuffix("-driver")
    assert f"Deleting spark job: {name}" in log, "it had another driver"
    assert "Creating sparkApplication" not in log, "a second application was made"
    assert with_scheduler or "Pi is roughly 3.14159" in log  # the driver has long ended when the new scheduler looks


@pytest.mark.long
def test_should_find_its_driver_again_if_the_task_pod_dies(client: Airflow) -> None:
    found_again(client, 200_000_000, 300, with_scheduler=False)


@pytest.mark.long
def test_should_find_its_driver_again_if_scheduler_and_task_pod_die(client: Airflow) -> None:
    # a new scheduler looks after tasks of a lost one every five minutes
    found_again(client, 400_000_000, 600, with_scheduler=True)


@pytest.mark.long
def test_should_fail_with_the_registrys_words_if_the_image_cannot_be_pulled(client: Airflow) -> None:
    run = trigger(client, image="localhost/no-such-image:1")
    only(client, run, "plain")
    wait(
        "the first try has failed",
        lambda: tasks(client, run)["plain"]["try_number"] == 2 or tasks(client, run)["plain"]["state"] == "up_for_retry",
        120,
    )
    log = client.task_log(DAG, run, "plain", 1)
    mark(client, run, "plain", "failed")
    assert "ErrImagePull" in log or "ImagePullBackOff" in log, log[-3000:]
    for name in applications():  # Airflow deletes an application only once its driver has started
        kubectl("delete", name)


@pytest.mark.long
def test_should_fail_with_the_reason_if_the_driver_runs_out_of_memory(client: Airflow) -> None:
    run = trigger(client, steps=LONG)
    only(client, run, "plain")
    driver = running_driver("plain")["metadata"]["name"]
    try:
        kubectl("exec", driver, "--container", "spark-kubernetes-driver", "--", "bash", "-c", HOGS)
    except Exception as ended:
        print(f"as expected, {ended}")
    wait("the first try has failed", lambda: tasks(client, run)["plain"]["state"] == "up_for_retry", 300)
    log = client.task_log(DAG, run, "plain", 1)
    mark(client, run, "plain", "failed")
    assert "OOMKilled" in log, log[-3000:]
    for name in applications():  # Airflow deletes it only if it has seen its driver run, and looks every ten seconds
        kubectl("delete", name)
