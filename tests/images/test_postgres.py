"""The database image: initialised once, whatever interrupts it, and open to the one password it was given."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from .conftest import ANY_UID, docker, tag

DATA = "/var/lib/postgresql/data"
PASSWORD = 'it\'s "odd" \\ $1'


class Server:
    """A database container on a volume that outlives it."""

    def __init__(self, volume: str) -> None:
        self.volume = volume
        self.name = f"{volume}-server"

    def options(self, user: str, password: str) -> tuple[str, ...]:
        """Return the options of `docker run`: restricted, a read-only root, the volume as claim."""
        return (
            *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", user, "--volume", f"{self.volume}:{DATA}", "--env", f"POSTGRES_PASSWORD={password}"),
        )

    def start(self, user: str = "999:0", password: str = PASSWORD) -> None:
        """Start the server and wait until it answers.

        Raises:
            AssertionError: it does not answer within 60 s; the message is its log.
        """
        docker("run", "--detach", "--name", self.name, *self.options(user, password), tag("postgres"))
        deadline = time.monotonic() + 60
        while docker("exec", self.name, "pg_isready", "--host", "127.0.0.1", check=False).returncode:
            log = docker("logs", self.name)
            running = docker("inspect", "--format", "{{.State.Running}}", self.name).stdout.strip()
            assert running == "true" and time.monotonic() < deadline, log.stdout + log.stderr
            time.sleep(0.2)

    def stop(self) -> None:
        """Kill and remove the container; the volume stays."""
        docker("rm", "--force", self.name, check=False)

    def query(self, sql: str, password: str = PASSWORD) -> str:
        """Return the unadorned answer of a query over TCP as role airflow, or psql's error."""
        done = docker(
            *("exec", "--env", f"PGPASSWORD={password}", self.name, "psql", "--no-align", "--tuples-only"),
            *("--host", "127.0.0.1", "--username", "airflow", "--dbname", "airflow", "--command", sql),
            check=False,
        )
        return done.stdout.strip() or done.stderr.strip()


@pytest.fixture
def server() -> Iterator[Server]:
    volume = f"airspark-test-{uuid.uuid4().hex[:8]}"
    docker("volume", "create", volume)
    found = Server(volume)
    yield found
    found.stop()
    docker("volume", "rm", volume)


def test_a_new_claim_is_initialised_for_any_uid_and_asks_for_the_password(server: Server) -> None:
    server.start(user=ANY_UID)
    assert server.query("select current_user || ' ' || current_database()") == "airflow airflow"
    assert "password authentication failed" in server.query("select 1", password="wrong")
    assert server.query("show password_encryption") == "scram-sha-256"


def test_data_survives_a_kill_and_a_changed_password_takes_effect_with_the_next_start(server: Server) -> None:
    server.start()
    assert server.query("create table kept as select 7 as n").startswith("SELECT")
    server.stop()
    server.start(password="second")
    assert server.query("select n from kept", password="second") == "7"
    assert "password authentication failed" in server.query("select 1")


def test_an_initialisation_that_was_killed_is_repeated(server: Server) -> None:
    killed = f"postgres-entrypoint & until [ -e {DATA}/pgdata.init/PG_VERSION ]; do sleep 0.01; done; kill -KILL -1"
    docker("run", "--rm", *server.options("999:0", PASSWORD), tag("postgres"), "bash", "-c", killed, check=False)
    listing = docker("run", "--rm", *server.options("999:0", PASSWORD), tag("postgres"), "ls", DATA)
    assert listing.stdout.split() == ["pgdata.init", "pgdata.lock"]
    server.start()
    assert server.query("select 1") == "1"


def test_two_servers_never_share_a_claim(server: Server) -> None:
    server.start()
    done = docker("run", "--rm", *server.options("999:0", PASSWORD), tag("postgres"), check=False)
    assert done.returncode == 1
    assert done.stderr == f"postgres: another server runs on {DATA}/pgdata; stop it first\n"
    assert server.query("select 1") == "1"


def test_a_missing_password_ends_the_start_with_one_sentence(server: Server) -> None:
    done = docker("run", "--rm", *server.options("999:0", ""), tag("postgres"), check=False)
    assert done.returncode == 1
    assert done.stderr == "postgres: no password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE\n"


def test_a_folder_that_is_no_database_is_left_alone(server: Server) -> None:
    options = server.options("999:0", PASSWORD)
    docker("run", "--rm", *options, tag("postgres"), "bash", "-c", "mkdir $PGDATA && touch $PGDATA/mine")
    done = docker("run", "--rm", *options, tag("postgres"), check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("holds files that are not a database; move them away and start again\n")
