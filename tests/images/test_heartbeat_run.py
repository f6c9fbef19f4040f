"""The probes' script in Airflow's image, against a real database and a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .conftest import docker
from .metadata import HIDDEN, HOST, PASSWORD, Metadata, at, wait_until

pytestmark = pytest.mark.long

HEALTH = "http://127.0.0.1:8080/api/v2/monitor/health"
STUCK = {"AIRSPARK_STUCK_SECONDS": "900"}


@pytest.fixture(scope="module")
def server() -> Iterator[Metadata]:
    """Yield a migrated database."""
    found = Metadata()
    try:
        found.start()
        found.bootstrap({"migrate": True, "databaseDeadlineSeconds": 30})
        yield found
    finally:
        found.stop()


@pytest.fixture
def metadata(server: Metadata) -> Iterator[Metadata]:
    """Yield a database without jobs and tasks."""
    yield server
    server.sql("SET session_replication_role = replica; DELETE FROM task_instance; DELETE FROM job")


def job(metadata: Metadata, kind: str = "SchedulerJob", age: int = 1, uptime: int = 5000, **fields: str) -> int:
    """Let a job run on this host, its last heartbeat and its start so many seconds ago; return its id."""
    host, state = fields.get("host", HOST), fields.get("state", "running")
    return int(
        metadata.sql(
            "INSERT INTO job (job_type, hostname, state, latest_heartbeat, start_date)"
            f" VALUES ('{kind}', '{host}', '{state}', now() - interval '{age} s', now() - interval '{uptime} s') RETURNING id"
        )
    )


def task(metadata: Metadata, state: str, queued_by: int, queued: int, started: int | None = None) -> None:
    """Let a task instance exist, queued and started so many seconds ago."""
    start = "NULL" if started is None else f"now() - interval '{started} s'"
    metadata.sql(
        "SET session_replication_role = replica",
        "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, max_tries, pool, pool_slots,"
        " span_status, state, queued_by_job_id, queued_dttm, start_date) VALUES (gen_random_uuid(), gen_random_uuid(), 'd', 'r',"
        f" -1, 1, 0, 'p', 1, 'not_started', '{state}', {queued_by}, now() - interval '{queued} s', {start})",
    )


def beat(metadata: Metadata, *arguments: str, **env: str) -> tuple[int, str]:
    """Return the probe's exit code and what it says."""
    done = metadata.script("heartbeat", *(arguments or ("SchedulerJob",)), **(STUCK | env))
    assert not done.stderr
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("kind", ["SchedulerJob", "DagProcessorJob", "TriggererJob"])
def test_a_job_is_alive_with_a_young_heartbeat_of_its_kind(metadata: Metadata, kind: str) -> None:
    assert beat(metadata, kind) == (1, f"no running {kind} on {HOST}")
    job(metadata, kind, age=500, uptime=600, state="failed")
    assert beat(metadata, kind) == (1, f"no running {kind} on {HOST}")
    job(metadata, kind, age=130)
    code, said = beat(metadata, kind)
    assert code == 1 and said.startswith(f"the last heartbeat of {kind} on {HOST} is 13")
    job(metadata, kind, age=100)
    assert beat(metadata, kind) == (0, "")
    assert beat(metadata, kind, "--startup") == (0, "")


def test_a_scheduler_whose_executor_starts_no_tasks_is_restarted(metadata: Metadata) -> None:
    scheduler = job(metadata)
    task(metadata, "queued", scheduler, queued=1000)
    task(metadata, "queued", scheduler, queued=950)
    task(metadata, "queued", scheduler, queued=10)
    task(metadata, "running", scheduler, queued=2100, started=2000)
    code, said = beat(metadata)
    assert code == 1
    assert said.startswith("the executor starts no tasks: 2 are queued, one for 100")
    assert beat(metadata, AIRSPARK_STUCK_SECONDS="1500") == (0, "")
    task(metadata, "success", job(metadata, host="other"), queued=500, started=400)
    assert beat(metadata)[0] == 1, "the tasks of another scheduler say nothing about this one's executor"
    task(metadata, "running", scheduler, queued=500, started=400)
    assert beat(metadata) == (0, "")


def test_a_scheduler_that_just_started_is_not_blamed_for_tasks_it_adopted(metadata: Metadata) -> None:
    scheduler = job(metadata, uptime=800)
    task(metadata, "queued", scheduler, queued=5000)
    assert beat(metadata) == (0, "")


def test_a_scheduler_without_queued_tasks_is_left_alone(metadata: Metadata) -> None:
    scheduler = job(metadata)
    assert beat(metadata) == (0, "")
    task(metadata, "scheduled", scheduler, queued=5000)
    task(metadata, "queued", scheduler, queued=800)
    assert beat(metadata) == (0, "")


def test_a_database_that_does_not_answer_fails_the_start_only(metadata: Metadata) -> None:
    code, said = beat(metadata, **at(port=1))
    assert code == 0 and said.startswith("the database does not answer: ")
    assert beat(metadata, "SchedulerJob", "--startup", **at(port=1)) == (1, said)


def test_a_refused_login_and_an_unreadable_url_restart_the_container(metadata: Metadata) -> None:
    code, said = beat(metadata, **at(f"{HIDDEN}wrong"))
    assert code == 1 and said.startswith("the database refuses the login: ")
    code, said = beat(metadata, **at(f"{HIDDEN}a/b"))
    assert code == 1 and said.startswith("the database URL in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN cannot be read")


def test_a_changed_secret_restarts_a_container_that_has_started(metadata: Metadata) -> None:
    job(metadata)
    line = "A=/etc/hostname;NOT_SET=/etc/hostname;B=/nowhere;C=/etc/debian_version"
    same = {"AIRSPARK_SECRETS": line, "A": f"{HOST}\n", "B": "x"}
    assert beat(metadata, **same) == (0, "")
    changed = same | {"C": f"{HIDDEN}old"}
    assert beat(metadata, **changed) == (1, "C has changed in its Secret since this container started")
    assert beat(metadata, "SchedulerJob", "--startup", **changed) == (0, "")
    assert beat(metadata, "api-server", "--url", HEALTH, **changed)[1].startswith("C has changed")


def test_an_api_server_is_restarted_if_it_does_not_answer_but_not_for_its_database(metadata: Metadata) -> None:
    name = f"{metadata.name}-api-server"

    def probe() -> tuple[int, str]:
        done = docker("exec", name, "python", "/scripts/heartbeat.py", "api-server", "--url", HEALTH, check=False)
        return done.returncode, done.stdout.strip()

    secrets = {"AIRFLOW__API_AUTH__JWT_SECRET": f"{HIDDEN}jwt", "AIRFLOW__API__SECRET_KEY": f"{HIDDEN}api"}
    docker("run", "--detach", "--name", name, *metadata.arguments(secrets), "airflow", "api-server", "--workers", "1")
    try:
        code, said = probe()
        assert code == 1 and said.endswith("Connection refused")
        wait_until(lambda: probe() == (0, ""), "the API server's start", 120)

        metadata.sql("ALTER DATABASE airflow ALLOW_CONNECTIONS false", database="postgres")
        metadata.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'airflow'", database="postgres")
        code, said = probe()
        assert code == 0 and said.startswith("the database does not answer: ")
        metadata.sql("ALTER DATABASE airflow ALLOW_CONNECTIONS true", database="postgres")
        assert probe() == (0, "")

        docker("pause", metadata.name)
        code, said = probe()
        docker("unpause", metadata.name)
        assert code == 0 and said.startswith("the database does not answer: ")

        metadata.sql("ALTER ROLE airflow PASSWORD 'other'")
        metadata.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'airflow'")
        code, said = probe()
        assert code == 1 and said.startswith("the database refuses the login: ")
    finally:
        docker("rm", "--force", name, check=False)
        metadata.sql(f"ALTER ROLE airflow PASSWORD '{PASSWORD}'")
