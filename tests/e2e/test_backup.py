"""A dump of the metadata database comes back whole, and what is no dump changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import kubectl, make

from airspark import platform, tools
from airspark.airflow_api import Airflow
from airspark.project import Failure, kubeconfig

pytestmark = pytest.mark.long

PASSWORD = "kept-by-the-dump"
CONNECTION = {"connection_id": "backup_test", "conn_type": "http", "host": "before.example.com", "password": PASSWORD}
#: A token of the Fernet specification's own key, which no installation has.
FOREIGN = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
PARTS = "tier=airflow,release=airspark,component in (api-server,scheduler,dag-processor,triggerer)"


def sql(statement: str) -> str:
    """Run a statement as the database's superuser and return the unadorned answer."""
    return kubectl("exec", "airspark-postgresql-0", "--", "psql", "-qAt", "-d", "airflow", "-c", statement).strip()


def pods() -> set[str]:
    """The pods of Airflow's parts."""
    return set(kubectl("get", "pods", "--selector", PARTS, "--output", "jsonpath={.items[*].metadata.uid}").split())


def replicas() -> str:
    """How many pods each part wants."""
    return kubectl(
        "get", "deployments,statefulsets", "--output", "jsonpath={range .items[*]}{.metadata.name}={.spec.replicas} {end}"
    )


def forget(client: Airflow, *paths: str) -> None:
    """Delete what may be there."""
    for path in paths:
        try:
            client.call("DELETE", path)
        except Failure as problem:
            assert "404" in str(problem)


@pytest.fixture(scope="module")
def dump(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dump with a variable and a connection of known content, and the key beside it."""
    ours = ("/variables/backup_test", "/variables/made_after", "/connections/backup_test")
    forget(airflow, *ours)
    airflow.call("POST", "/variables", json={"key": "backup_test", "value": "before"})
    airflow.call("POST", "/connections", json=CONNECTION)
    path = tmp_path_factory.mktemp("backup") / "airflow.dump"
    done = make("backup", f"FILE={path}", "SECRETS=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(path)
    yield path
    forget(airflow, *ours)


def test_should_keep_the_dump_and_its_key_from_other_users(dump: Path) -> None:
    files = {path.name: path.stat().st_mode & 0o777 for path in dump.parent.iterdir()}
    assert files == {"airflow.dump": 0o600, "airflow.dump.secrets.yaml": 0o600}
    assert platform.secret("airspark-fernet-key", "fernet-key").encode() not in dump.read_bytes()


def test_should_bring_back_what_was_changed_and_deleted_and_forget_what_came_later(airflow: Airflow, dump: Path) -> None:
    before = replicas()
    airflow.call("PATCH", "/variables/backup_test", json={"key": "backup_test", "value": "after"})
    airflow.call("DELETE", "/connections/backup_test")
    airflow.call("POST", "/variables", json={"key": "made_after", "value": "x"})
    sql("CREATE TABLE of_a_newer_version (n int); ALTER TABLE of_a_newer_version OWNER TO airflow")
    started = time.monotonic()
    done = make("restore", f"FILE={dump}")
    assert done.returncode == 0, done.stderr
    print(f"make restore: {time.monotonic() - started:.0f} s")
    airflow.login()
    assert airflow.call("GET", "/variables/backup_test")["value"] == "before"
    with pytest.raises(Failure, match="404"):
        airflow.call("GET", "/variables/made_after")
    assert sql("SELECT to_regclass('of_a_newer_version')") == ""
    shown = kubectl(
        "exec", "deploy/airspark-api-server", "--", "airflow", "connections", "get", "backup_test", "--output", "json"
    )
    connection = json.loads(shown[shown.index("[") :])[0]
    assert (connection["host"], connection["password"]) == ("before.example.com", PASSWORD)
    assert replicas() == before


def refused(file: Path | str, *words: str) -> str:
    """Try to restore something that must not be restored, and return what is said.

    Raises:
        AssertionError: if it is not refused, or touches a pod.
    """
    before = pods()
    done = make("restore", f"FILE={file}")
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert pods() == before
    return done.stderr


def test_should_refuse_a_cut_or_damaged_dump_and_touch_nothing(dump: Path, tmp_path: Path) -> None:
    whole = dump.read_bytes()
    cut, damaged, other = (tmp_path / name for name in ("cut.dump", "damaged.dump", "other.dump"))
    cut.write_bytes(whole[: len(whole) // 2])
    middle = len(whole) * 3 // 4
    damaged.write_bytes(whole[:middle] + b"x" * 500 + whole[middle + 500 :])
    other.write_text("select 1;\n")
    for file in (cut, damaged, other):
        refused(file, "is no whole dump", "make restore FILE=<another dump>")
    refused(tmp_path / "nowhere.dump", "is no file")
    (tmp_path / "empty.dump").touch()
    refused(tmp_path / "empty.dump", "is empty")
    refused("", "no dump was named")


def test_should_refuse_a_dump_of_another_database(tmp_path: Path) -> None:
    path = tmp_path / "postgres.dump"
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", "airspark", "exec",
               "airspark-postgresql-0", "--", "pg_dump", "--format=custom", "postgres"]  # fmt: skip
    with path.open("wb") as target:
        subprocess.run(command, check=True, stdout=target)
    refused(path, "is a dump of something else than Airflow's database")


def test_should_refuse_a_dump_whose_passwords_another_fernet_key_encrypted(airflow: Airflow, tmp_path: Path) -> None:
    path = tmp_path / "foreign.dump"
    columns = "conn_id, conn_type, password, is_encrypted, is_extra_encrypted"
    sql(f"INSERT INTO connection ({columns}) VALUES ('foreign', 'http', '{FOREIGN}', true, false)")
    try:
        assert make("backup", f"FILE={path}").returncode == 0
    finally:
        sql("DELETE FROM connection WHERE conn_id = 'foreign'")
    refused(path, "has 1 passwords that the Fernet key of this installation does not open", "apply -f")


def test_should_refuse_to_overwrite_a_dump(dump: Path) -> None:
    content = dump.read_bytes()
    done = make("backup", f"FILE={dump}")
    assert done.returncode != 0 and "is there already" in done.stderr and dump.read_bytes() == content


@contextmanager
def pod_of_a_task() -> Iterator[None]:
    """A pod that looks like that of a running task."""
    image = kubectl("get", "statefulset", "airspark-postgresql", "--output", "jsonpath={.spec.template.spec.containers[0].image}")
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    container = {"name": "base", "image": image, "args": ["sleep", "600"], "securityContext": security}
    overrides = {"apiVersion": "v1", "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    kubectl("run", "backup-test-task", f"--image={image}", "--labels=tier=airflow,component=worker,release=airspark",
            "--restart=Never", f"--overrides={json.dumps(overrides)}")  # fmt: skip
    try:
        kubectl("wait", "pod/backup-test-task", "--for=condition=Ready", "--timeout=60s")
        yield
    finally:
        kubectl("delete", "pod", "backup-test-task", "--wait=true")


def test_should_refuse_while_tasks_are_running(dump: Path) -> None:
    with pod_of_a_task():
        refused(dump, "1 tasks are running")


def test_should_leave_the_old_data_and_start_airflow_again_if_the_restore_fails(airflow: Airflow, dump: Path) -> None:
    before = replicas()
    airflow.call("PATCH", "/variables/backup_test", json={"key": "backup_test", "value": "not restored"})
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", "airspark", "exec",
               "airspark-postgresql-0", "--", "psql", "-q", "-d", "airflow",
               "-c", "BEGIN; LOCK TABLE variable IN ACCESS SHARE MODE; SELECT pg_sleep(600)"]  # fmt: skip
    sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
        try:
            deadline = time.monotonic() + 30
            while not sql(f"SELECT pid {sleeping}"):
                assert time.monotonic() < deadline, "the session that holds the lock did not start within 30 s"
            done = make("restore", f"FILE={dump}")
        finally:
            sql(f"SELECT pg_terminate_backend(pid) {sleeping}")
            session.wait(30)
    assert done.returncode != 0, done.stderr
    assert re.search(r"the restore failed and changed nothing: .*lock timeout", done.stderr), done.stderr
    assert replicas() == before
    platform.wait_ready(300)
    airflow.login()
    assert airflow.call("GET", "/variables/backup_test")["value"] == "not restored"
