"""`helm test` on the cluster: every step passes, a task runs, and what does not apply is said and not failed."""

from __future__ import annotations

import re
import subprocess

import pytest

from airspark import tools
from airspark.airflow_api import Airflow
from airspark.project import NAMESPACE, RELEASE, kubeconfig

SECONDS = re.compile(r" \(\d+\.\d s\)$")


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run helm or kubectl in the platform's namespace, whatever it exits with."""
    command = [str(tools.ensure(name)), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=660)


def helm_test() -> subprocess.CompletedProcess[str]:
    """Run `helm test` with the log of its pod."""
    return tool("helm", "test", RELEASE, "--logs", "--timeout", "10m")


def steps(said: str) -> list[str]:
    """Return the lines of the steps, without their seconds."""
    return [SECONDS.sub("", line) for line in said.splitlines() if line.startswith(("✓", "✗", "- "))]


#: What Spark's pod says on a cluster that is well, after Airflow's.
SPARK = [
    r"✓ workers: the master is ALIVE, \d+ registered with \d+ cores and \d+ MiB",
    r"✓ application: app-\S+ added up 1000000 numbers on airspark-spark-worker-\d in \S+ s",
    r"✓ pages: http://airspark-spark-master:8080 showed the application while it ran",
    r"✓ event log: eventlog_v2_app-\S+ is in /opt/spark-events",
    r"✓ history server: it lists the application as finished",
    r"✓ output: what an executor wrote as uid 185, uid 50000 read and removed",
]


def test_should_pass_every_step_run_a_task_in_a_pod_and_an_application_on_the_cluster(airflow: Airflow) -> None:
    done = helm_test()
    assert done.returncode == 0, done.stdout + done.stderr
    *before, task = steps(done.stdout)[:-6]
    assert before == [
        "✓ database: reachable and migrated",
        "✓ API server: it answers; healthy: metadatabase, scheduler, dag_processor, triggerer",
        "✓ login: admin logs in with the password of the Secret",
        "✓ logs: the claim is writable for the group 0",
    ]
    assert re.fullmatch(r"✓ task: a task ran in the pod \S+", task), task
    for said, wanted in zip(steps(done.stdout)[-6:], SPARK, strict=True):
        assert re.fullmatch(wanted, said), said


@pytest.mark.long
def test_should_say_which_step_was_skipped_if_the_dag_is_paused(airflow: Airflow) -> None:
    airflow.call("PATCH", "/dags/airspark_check", json={"is_paused": True})
    try:
        done = helm_test()
    finally:
        airflow.call("PATCH", "/dags/airspark_check", json={"is_paused": False})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "- task: skipped: airspark_check is paused; switch it on to have it run" in steps(done.stdout)


def test_should_run_under_an_account_that_may_do_nothing(airflow: Airflow) -> None:
    account = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-airflow-helm-test"
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("create", "pods"), ("get", "configmaps")):
        assert tool("kubectl", "auth", "can-i", verb, resource, "--as", account).stdout == "no\n", f"{verb} {resource}"
