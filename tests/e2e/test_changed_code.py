"""An edited DAG or application, shipped in the images and read from the checkout, while a Spark job runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dag_runs
import kube_api
import pytest
import spark
from conftest import ROOT, instant, kubectl, make

from airspark import airflow_api, dev
from airspark.airflow_api import Airflow

# After what takes the installation as it is, before what changes its values.
STAGE = 1
NAME = "changed_code"
DAG, APPLICATION = ROOT / f"dags/{NAME}.py", ROOT / f"spark-apps/{NAME}.py"
MODULE = ROOT / f"dags/pipelines/{NAME}_words.py"
#: What nobody expects to restart for a DAG: database, Spark, controller.
OTHERS = ("postgresql", "spark-master", "spark-worker", "spark-history", "spark-operator", "api-server")
STOP = "/opt/airflow/output/changed-code-stop"
#: Counts on an executor until a file says that it is enough.
LONG_JOB = f"""
import os, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
rounds = 0
while not os.path.exists("{STOP}"):
    assert spark.range(100_000).repartition(2).count() == 100_000
    rounds += 1
    print("round", rounds, flush=True)
    time.sleep(1)
status = spark.sparkContext._jsc.sc().statusStore()
executors = status.executorList(False)
print("executors", executors.size() - 1, "failed tasks", sum(executors.apply(i).failedTasks() for i in range(executors.size())))
"""


def write(text: str) -> None:
    """Save a DAG whose description, task and application say a text."""
    DAG.write_text(f'''"""A DAG of tests/e2e/test_changed_code.py."""

from airflow.sdk import DAG, task
from pipelines import spark

with DAG("{NAME}", schedule=None, description="{text}", is_paused_upon_creation=False):

    @task
    def say() -> None:
        print("the task says {text}")

    say()
    spark.submit("submit", "{NAME}", [])
''')
    APPLICATION.write_text(f'''"""An application of tests/e2e/test_changed_code.py."""

from pyspark.sql import SparkSession

print("the application says", SparkSession.builder.getOrCreate().range(3).count(), "{text}")
''')


def uids(*components: str) -> dict[str, str]:
    """The uid of each pod of some components by its name, without those that are about to end."""
    selector = f"release=airspark,component in ({','.join(components)})"
    pods = kube_api.pods("airspark", selector)
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def said(airflow: Airflow) -> str:
    """Run the DAG to its good end, and return the logs of its tasks."""
    run_id = dag_runs.start(airflow, NAME, {})
    assert dag_runs.end(airflow, NAME, run_id) == "success", dag_runs.why(airflow, NAME, run_id)
    return "\n".join(dag_runs.log_of(airflow, NAME, run_id, task) for task in ("say", "submit"))


def described(airflow: Airflow) -> str:
    """The DAG's description as the pages show it; nothing before there is such a DAG."""
    found = airflow.call("GET", "/dags", params={"dag_id_pattern": NAME})["dags"]
    return str(found[0]["description"]) if found else ""


def seconds_until(airflow: Airflow, text: str, limit: float = 180) -> float:
    """How long it takes until the DAG's description is a text."""
    began = time.monotonic()
    spark.wait(f"the description {text!r}", lambda: described(airflow) == text, limit, interval=0.2)
    return time.monotonic() - began


def others(airflow: Airflow) -> set[str]:
    """The ids of the other DAGs on the page. Airflow hides the DAGs of a file that it cannot import, until it can."""
    return {dag["dag_id"] for dag in airflow.call("GET", "/dags", params={"limit": 100})["dags"]} - {NAME}


def errors(airflow: Airflow) -> str:
    """The import errors that the pages show."""
    found = airflow.call("GET", "/importErrors")["import_errors"]
    return "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in found)


@pytest.fixture(scope="module")
def job(up: None) -> Iterator[spark.Driver]:
    """A Spark job on the standalone cluster that goes on until it is asked to end."""
    kubectl("exec", "airspark-spark-worker-0", "--", "rm", "-f", STOP)
    arguments = ("--conf", "spark.cores.max=1", "--executor-memory", "512m", "--driver-memory", "512m")
    with spark.driver("changed-code-job", LONG_JOB, *arguments) as found:
        found.wait_for("round 1", 300)
        yield found


@pytest.fixture(scope="module")
def checkout(up: None) -> Iterator[None]:
    """The checkout and the platform as they were, afterwards."""
    try:
        yield
    finally:
        for path in (DAG, APPLICATION, MODULE):
            path.unlink(missing_ok=True)
        done = make("up")
        assert done.returncode == 0, done.stderr
        assert not dev.is_on(), "make up does not go back to the images"


@pytest.fixture(scope="module")
def shipped(checkout: None, job: spark.Driver) -> tuple[dict[str, str], dict[str, str]]:
    """The pods of `OTHERS` before and after `make up` with a new DAG and a new application."""
    before = uids(*OTHERS), uids("dag-processor", "scheduler", "triggerer")
    write("first")
    done = make("up")
    assert done.returncode == 0, done.stderr
    assert not set(before[1].values()) & set(uids("dag-processor", "scheduler", "triggerer").values())
    return before[0], uids(*OTHERS)


@pytest.mark.long
def test_should_keep_every_pod_but_those_that_import_dags_if_a_dag_is_shipped(
    shipped: tuple[dict[str, str], dict[str, str]], job: spark.Driver
) -> None:
    before, after = shipped
    assert before == after
    rounds = job.log().count("round")
    spark.wait("the job goes on", lambda: job.log().count("round") > rounds, 30)
    kubectl("exec", "airspark-spark-worker-0", "--", "touch", STOP)
    phase, log = job.end()
    assert phase == "Succeeded" and "executors 1 failed tasks 0" in log, log[-2000:]


@pytest.mark.long
def test_should_run_the_shipped_dag_and_application(shipped: object) -> None:
    with airflow_api.connect() as airflow:
        seconds_until(airflow, "first")
        log = said(airflow)
    assert "the task says first" in log and "the application says 3 first" in log, log[-3000:]


@pytest.fixture(scope="module")
def reading(checkout: None) -> Iterator[Airflow]:
    """The platform after `make dev`, which builds nothing."""
    write("second")
    began = time.time()
    done = make("dev")
    assert done.returncode == 0, done.stderr
    assert "Build" not in done.stderr, done.stderr
    assert dev.is_on()
    with airflow_api.connect() as airflow:
        seconds_until(airflow, "second")

        def parsed() -> bool:
            dags = airflow.call("GET", "/dags", params={"limit": 100})["dags"]
            return all(instant(one["last_parsed_time"]) > began for one in dags)

        spark.wait("a first look at every DAG", parsed, 180)
        yield airflow


def test_should_see_a_saved_dag_within_ten_seconds(reading: Airflow) -> None:
    taken = []
    for number in range(3):
        write(f"edit {number}")
        taken.append(seconds_until(reading, f"edit {number}"))
    print("seconds until an edited DAG is seen:", ", ".join(f"{seconds:.1f}" for seconds in taken))
    assert max(taken) <= 10, taken


def test_should_see_a_changed_module_in_the_dags_that_import_it(reading: Airflow) -> None:
    MODULE.write_text('TEXT = "module 0"\n')
    write("module")
    named = DAG.read_text().replace('description="module"', "description=TEXT")
    DAG.write_text(
        named.replace("from pipelines import spark", f"from pipelines import spark\nfrom pipelines.{NAME}_words import TEXT")
    )
    seconds_until(reading, "module 0")
    # Some of these come while the DAG is parsed, which then shows the one before.
    for number in range(1, 6):
        MODULE.write_text(f'TEXT = "module {number}"\n')
        time.sleep(0.7)
    # Every DAG is parsed again, which takes as many seconds as there are DAGs for each processor.
    print(f"seconds until a changed module is seen: {seconds_until(reading, 'module 5'):.1f}")


def test_should_say_what_is_wrong_with_a_file_and_keep_the_other_dags(reading: Airflow) -> None:
    before = others(reading)
    write("broken")
    DAG.write_text(DAG.read_text() + "def broken(:\n")
    spark.wait("the import error", lambda: f"{NAME}.py" in errors(reading), 30, interval=0.2)
    assert "SyntaxError" in errors(reading)
    assert others(reading) == before and len(before) > 10
    write("whole")
    spark.wait("the end of the import error", lambda: not errors(reading), 30, interval=0.2)


@pytest.mark.long
def test_should_run_the_saved_dag_and_application_without_a_build(reading: Airflow) -> None:
    write("saved")
    seconds_until(reading, "saved")
    log = said(reading)
    assert "the task says saved" in log and "the application says 3 saved" in log, log[-3000:]
    caches = [
        path for folder in dev.CODE for path in (Path(ROOT) / folder).rglob("__pycache__") if path.stat().st_uid in (50000, 185)
    ]
    assert not caches, "pods write into the checkout"
