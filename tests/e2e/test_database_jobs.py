"""PgBouncer between Airflow and its database, and the CronJobs, on the running platform.

One upgrade puts PgBouncer between the running parts and their database: each must wait for the Secret that names it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from conftest import Configured, kubectl, upgrade, wait_for_bootstrap
from servers import merged

from airspark import airflow_api

pytestmark = pytest.mark.long
STAGE = 2
NAMES = "airspark-cleanup", "airspark-database-cleanup", "airspark-backup"
#: By these labels Airflow knows the pod of a task.
TASK = "tier=airflow,component=worker,release=airspark,dag_id=left,task_id=over,try_number=1,airflow_version=3"

ENABLED = {"enabled": True}
JOBS = {"airflow": dict.fromkeys(("pgbouncer", "cleanup", "databaseCleanup", "backup"), ENABLED)}


@pytest.fixture(scope="module", autouse=True)
def jobs(configured: Configured, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The configured platform with PgBouncer and every CronJob."""
    upgrade(merged(JOBS), tmp_path_factory.mktemp("jobs"), "jobs")
    wait_for_bootstrap()


def sql(statement: str) -> list[str]:
    """Run a statement as the database's superuser and return the answer's lines."""
    answer = kubectl("exec", "airspark-postgresql-0", "--", "psql", "-qAt", "-d", "airflow", "-c", statement)
    return answer.strip().splitlines()


def addresses(component: str) -> set[str]:
    """Addresses of a component's pods."""
    shown = kubectl("get", "pods", "--selector", f"component={component}", "--output", "jsonpath={.items[*].status.podIP}")
    return set(shown.split())


def run_now(cronjob: str) -> str:
    """Run a CronJob's job now, wait for its end and return its log."""
    job = f"{cronjob}-now"
    kubectl("delete", "job", job, "--ignore-not-found", "--wait=true")
    kubectl("create", "job", job, f"--from=cronjob/{cronjob}")
    try:
        kubectl("wait", f"job/{job}", "--for=condition=Complete", "--timeout=180s", timeout=200)
        return kubectl("logs", f"job/{job}")
    finally:
        kubectl("delete", "job", job, "--wait=true")


def test_should_send_every_part_of_airflow_through_pgbouncer(configured: Configured) -> None:
    ask = "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = 'airflow' AND client_addr IS NOT NULL"
    deadline = time.monotonic() + 90
    # pods from before the upgrade have half a minute to end, and are connected to the database itself
    while (clients := set(sql(ask))) != addresses("pgbouncer"):
        assert time.monotonic() < deadline, f"others than PgBouncer are connected after 90 s: {clients}"
        time.sleep(1)


def test_should_answer_over_an_asynchronous_session(configured: Configured) -> None:
    # The first login's token has ended where another test rotated the JWT secret.
    with airflow_api.connect() as client:
        run = client.call("GET", "/dags/~/dagRuns", params={"state": "success", "limit": 1})["dag_runs"][0]
        # More often than a statement has to be repeated for a driver to prepare it on the server.
        for _ in range(12):
            path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/wait"
            assert client.call("GET", path, params={"interval": 1})["state"] == "success"


@pytest.fixture
def finished_pod() -> Iterator[str]:
    """A pod as a task leaves it when nobody removes it."""
    image = kubectl("get", "statefulset", "airspark-postgresql", "--output", "jsonpath={.spec.template.spec.containers[0].image}")
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    spec = {"containers": [{"name": "base", "image": image, "args": ["true"], "securityContext": security}]}
    name = "left-over"
    kubectl("run", name, f"--image={image}", f"--labels={TASK}", "--restart=Never",
            f"--overrides={json.dumps({'apiVersion': 'v1', 'spec': spec})}")  # fmt: skip
    kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    yield name
    kubectl("delete", "pod", name, "--ignore-not-found")


def test_should_remove_a_finished_task_pod_that_nobody_removed(configured: Configured, finished_pod: str) -> None:
    # It leaves a pod alone for a minute.
    deadline = time.monotonic() + 150
    while finished_pod not in (said := run_now("airspark-cleanup")):
        assert said == "" and time.monotonic() < deadline, f"{finished_pod} was not removed within 150 s: {said}"
    assert kubectl("get", "pod", finished_pod, "--ignore-not-found", "--output", "name") == ""


def test_should_remove_old_rows_and_keep_new_ones(configured: Configured) -> None:
    days = int(kubectl("get", "cronjob", "airspark-database-cleanup", "--output",
                       "jsonpath={.spec.jobTemplate.spec.template.spec.containers[0].args[2]}")
               .split("--date='-")[1].split(" days")[0])  # fmt: skip
    ages = f"unnest(ARRAY[{days - 1}, {days + 1}]) AS days"
    sql(f"INSERT INTO log (dttm, event) SELECT now() - days * interval '1 day', 'aged ' || days FROM {ages}")
    run_now("airspark-database-cleanup")
    assert sql("SELECT event FROM log WHERE event LIKE 'aged %'") == [f"aged {days - 1}"]
    sql("DELETE FROM log WHERE event LIKE 'aged %'")


def test_should_write_a_dump_to_the_claim(configured: Configured) -> None:
    said = run_now("airspark-backup")
    assert re.search(r"wrote /backups/airflow-\d{8}T\d{6}Z\.dump, \d{5,} bytes", said), said
