"""A metadata database to run the chart's scripts against: the product's PostgreSQL, the scripts in Airflow's image."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .conftest import ROOT, docker, tag

SCRIPTS = ROOT / "charts/airspark/charts/airflow/files/scripts"
HOST = "metadata"
# Every secret of these tests begins so, and no output may hold one.
HIDDEN = "hidden-"
PASSWORD = f"{HIDDEN}database"
FERNET_KEYS = [f"{letter * 42}A=" for letter in "abc"]
SETTINGS = {"databaseDeadlineSeconds": 1, "lockDeadlineSeconds": 2, "migrate": False}
Done = subprocess.CompletedProcess[str]


def at(password: str = PASSWORD, database: str = "airflow", port: int = 5432, user: str = "airflow") -> dict[str, str]:
    """Return the environment that leads to a database."""
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}"}


def wait_until(condition: Any, what: str, seconds: float = 60) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: if it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


class Metadata:
    """A database server in a container whose network the scripts share."""

    def __init__(self) -> None:
        self.name = f"airspark-metadata-{uuid.uuid4().hex[:8]}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        docker(
            *("run", "--detach", "--name", self.name, "--network", "none", "--hostname", HOST, "--read-only"),
            *("--tmpfs", "/tmp", "--tmpfs", "/var/lib/postgresql/data:uid=999,gid=0,mode=2775"),
            *("--env", f"POSTGRES_PASSWORD={PASSWORD}", tag("postgres")),
        )
        ready = ("exec", self.name, "pg_isready", "--quiet", "--host", "127.0.0.1")
        wait_until(lambda: docker(*ready, check=False).returncode == 0, "the database server's start")

    def stop(self) -> None:
        """Remove the server and what it stored."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def sql(self, *statements: str, database: str = "airflow") -> str:
        """Return the unadorned answers to statements of the superuser, one row a line."""
        commands = [part for statement in statements for part in ("--command", statement)]
        psql = ("psql", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", "--dbname", database)
        return docker("exec", self.name, *psql, *commands).stdout.strip()

    def arguments(self, env: dict[str, str]) -> list[str]:
        """Return the arguments of `docker run` up to the command, in a pod's manner."""
        all_env = {
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__FERNET_KEY": FERNET_KEYS[0],
            "ADMIN_USERNAME": "admin",
            "ADMIN_PASSWORD": f"{HIDDEN}admin",
        }
        all_env |= at() | env
        mounts = ("--tmpfs", "/tmp", "--tmpfs", "/opt/airflow/logs:mode=1777", "--volume", f"{SCRIPTS}:/scripts:ro")
        settings = [part for name, value in all_env.items() for part in ("--env", f"{name}={value}")]
        return ["--network", f"container:{self.name}", "--read-only", "--cap-drop", "ALL", *mounts, *settings, tag("airflow")]

    def run(self, *command: str, stdin: str = "", **env: str) -> Done:
        """Run a command in Airflow's image beside the server.

        Raises:
            AssertionError: if its output holds a secret.
        """
        done = docker("run", "--rm", "--interactive", *self.arguments(env), *command, stdin=stdin, check=False)
        assert HIDDEN not in done.stdout + done.stderr, f"a secret in the output:\n{done.stdout}{done.stderr}"
        return done

    def script(self, name: str, *arguments: str, **env: str) -> Done:
        """Run one of the chart's scripts."""
        return self.run("python", f"/scripts/{name}.py", *arguments, **env)

    def bootstrap(self, settings: dict[str, Any] | None = None, /, **env: str) -> list[str]:
        """Run the bootstrap and return its lines, but for the last with the time it took.

        Raises:
            AssertionError: if it fails.
        """
        done = self.try_bootstrap(settings, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        *lines, last = done.stdout.splitlines()
        assert last.startswith("done in "), done.stdout
        return lines

    def try_bootstrap(self, settings: dict[str, Any] | None = None, /, **env: str) -> Done:
        """Run the bootstrap with settings over those of the tests."""
        given = json.dumps(SETTINGS | (settings or {}))
        return self.run("python", "/scripts/bootstrap.py", "/dev/stdin", stdin=given, **env)

    def refusal(self, settings: dict[str, Any] | None = None, /, **env: str) -> str:
        """Return the one sentence with which the bootstrap fails.

        Raises:
            AssertionError: if it does not fail, or says more.
        """
        done = self.try_bootstrap(settings, **env)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) == (1, 1), done.stdout + done.stderr
        return lines[0].removeprefix("bootstrap: ")

    @contextmanager
    def session(self, name: str, statement: str) -> Iterator[None]:
        """Keep a session open that has run a statement in a transaction, under a name the server lists."""
        command = ["docker", "exec", "--interactive", "--env", f"PGAPPNAME={name}", self.name, "psql", "--quiet", "airflow"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stdin
            process.stdin.write(f"BEGIN; {statement};\n")
            process.stdin.flush()
            there = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}' AND state = 'idle in transaction'"
            try:
                wait_until(lambda: self.sql(there) == "1", f"the session {name}")
                yield
            finally:
                process.stdin.close()
