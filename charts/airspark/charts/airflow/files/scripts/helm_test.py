"""Check an installation as `helm test` does: database, API server, login, logs, and a task that runs.

Usage: helm_test.py

What to check stands in the environment, where the chart puts it. Every step prints a line; the first that fails says
in one sentence what is wrong and which command looks further, and ends the test.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from metadata_database import URL_VARIABLE, DatabaseError, version_tables
from wait_for_migrations import missing

DAG = "airspark_check"
ENDED = {"success", "failed"}


class CheckError(Exception):
    """What is wrong, and the command that looks further."""

    def __init__(self, sentence: str, command: str) -> None:
        super().__init__(sentence)
        self.command = command


class Skipped(Exception):
    """Why a step does not apply to this installation."""


class Installation:
    """What the chart says of the installation under test.

    Args:
        environment: variables of the test's container.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.env = environment
        self.deadline = time.monotonic() + float(environment["CHECK_SECONDS"])
        # The certificate, if there is one, is made out to the public name.
        self.client = httpx.Client(base_url=environment["CHECK_URL"], timeout=30, verify=False)

    def kubectl(self, command: str) -> str:
        """Return a kubectl command for the release's namespace."""
        return f"kubectl -n {self.env['CHECK_NAMESPACE']} {command}"

    def logs(self, component: str) -> str:
        """Return the command that shows a component's log."""
        return self.kubectl(f"logs -l release={self.env['CHECK_RELEASE']},component={component} --all-containers --tail=50")

    def wait(self, wanted: Callable[[], str], command: str) -> None:
        """Wait until nothing is missing.

        Args:
            wanted: returns what is still missing, as a sentence, or an empty text.
            command: looks further if it stays missing.

        Raises:
            CheckError: if the test's time is over.
        """
        while sentence := wanted():
            if time.monotonic() > self.deadline:
                raise CheckError(f"{sentence}, {self.env['CHECK_SECONDS']} s after the test began", command)
            time.sleep(1)

    def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Send a request and return the answer; a server that goes away is asked again until the test's time is over.

        Raises:
            CheckError: if the API server does not answer at all.
        """
        while True:
            try:
                return self.client.request(method, path, json=json)
            except httpx.TransportError as error:
                if time.monotonic() > self.deadline:
                    said = f"the API server does not answer at {self.client.base_url} ({error})"
                    raise CheckError(said, self.kubectl(f"get pods -l release={self.env['CHECK_RELEASE']}")) from error
                time.sleep(1)

    def answer(self, method: str, path: str, json: Any = None) -> Any:
        """Send a request and return the decoded answer.

        Raises:
            CheckError: if it is refused.
        """
        response = self.call(method, path, json)
        if response.is_error:
            said = f"the API server answers {response.status_code} to {method} {path}: {response.text[:200]}"
            raise CheckError(said, self.logs("api-server"))
        return response.json()


def check_database(found: Installation) -> str:
    """Wait until the database has this image's schema and no bootstrap works on it."""
    url, tables = found.env[URL_VARIABLE], version_tables()

    def wanted() -> str:
        try:
            first = missing(url, tables)
        except DatabaseError as error:
            raise CheckError(str(error), found.logs("bootstrap")) from error
        return f"the database still waits for {first}" if first else ""

    found.wait(wanted, found.logs("bootstrap"))
    return "reachable and migrated"


def check_health(found: Installation) -> str:
    """Wait until the API server says that all parts are healthy."""
    parts = found.env["CHECK_PARTS"].split()

    def wanted() -> str:
        health = found.answer("GET", "/api/v2/monitor/health")
        # A part that has never run has no status.
        ill = {part: health[part]["status"] or "not started" for part in parts if health[part]["status"] != "healthy"}
        return " and ".join(f"the {part} is {status}" for part, status in ill.items())

    found.wait(wanted, found.kubectl(f"get pods -l release={found.env['CHECK_RELEASE']}"))
    return f"it answers; healthy: {', '.join(parts)}"


def check_login(found: Installation) -> str:
    """Log in as the first user, whom the bootstrap makes, and keep the token."""
    if found.env["CHECK_AUTH"] == "simple":
        token = found.answer("GET", "/auth/token")["access_token"]
        found.client.headers["Authorization"] = f"Bearer {token}"
        return "nobody needs a password (auth.manager: simple)"
    if found.env["CHECK_AUTH"] == "other":
        raise Skipped("the auth manager is not this chart's, so the test knows no user")
    if "CHECK_PASSWORD" not in found.env:
        raise Skipped("createUserJob.enabled is false, so the test knows no user")
    name = found.env["CHECK_USERNAME"]
    response = found.call("POST", "/auth/token", {"username": name, "password": found.env["CHECK_PASSWORD"]})
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise CheckError(f"the password in the Secret is not that of the user {name}", found.logs("bootstrap"))
    if response.is_error:
        raise CheckError(f"the login of {name} ends with {response.status_code}", found.logs("api-server"))
    found.client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
    return f"{name} logs in with the password of the Secret"


def check_logs(found: Installation) -> str:
    """Write a file where tasks write their logs, and look whose it is."""
    if "CHECK_LOGS" not in found.env:
        raise Skipped("logs are not on a claim")
    path = Path(found.env["CHECK_LOGS"]) / ".helm-test"
    command = found.kubectl(f"describe pod -l release={found.env['CHECK_RELEASE']},component=helm-test")
    try:
        path.write_text("written by helm test\n")
        state = path.stat()
        path.unlink()
    except OSError as error:
        raise CheckError(f"the log claim cannot be written: {error}", command) from error
    if state.st_gid != os.getgid() or not state.st_mode & 0o020:
        found_mode = f"the group {state.st_gid} and the mode {state.st_mode & 0o777:o}"
        raise CheckError(f"a new file on the log claim has {found_mode}: other pods cannot write it", command)
    return f"the claim is writable for the group {state.st_gid}"


def check_task(found: Installation) -> str:
    """Run the DAG with one task and wait for its success."""
    if "Authorization" not in found.client.headers:
        raise Skipped("nobody is logged in")

    def wanted() -> str:
        code = found.call("GET", f"/api/v2/dags/{DAG}").status_code
        if code == HTTPStatus.NOT_FOUND and found.env["CHECK_DAG"] != "yes":
            raise Skipped(f"no DAG {DAG} among the DAGs of this installation")
        return "" if code != HTTPStatus.NOT_FOUND else f"the DAG processor has not read {DAG}"

    found.wait(wanted, found.logs("dag-processor"))
    if found.answer("GET", f"/api/v2/dags/{DAG}")["is_paused"]:
        raise Skipped(f"{DAG} is paused; switch it on to have it run")
    response = found.call("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None})
    if response.status_code == HTTPStatus.FORBIDDEN:
        raise Skipped(f"{found.env['CHECK_USERNAME']} may not run DAGs")
    if response.is_error:
        raise CheckError(f"{DAG} cannot be triggered: {response.text[:200]}", found.logs("api-server"))
    run = f"/api/v2/dags/{DAG}/dagRuns/{response.json()['dag_run_id']}"
    task: dict[str, Any] = {}

    def running() -> str:
        state = found.answer("GET", run)["state"]
        task.update(next(iter(found.answer("GET", f"{run}/taskInstances")["task_instances"]), {}))
        return "" if state in ENDED else f"the run of {DAG} is {state}, its task {task.get('state') or 'not scheduled'}"

    found.wait(running, found.kubectl("get events --field-selector type=Warning"))
    if task.get("state") != "success":
        raise CheckError(f"the task of {DAG} ended as {task.get('state')}", found.logs("scheduler"))
    return f"a task ran in the pod {task['hostname']}"


STEPS: dict[str, Callable[[Installation], str]] = {
    "database": check_database,
    "API server": check_health,
    "login": check_login,
    "logs": check_logs,
    "task": check_task,
}


def main() -> int:
    """Run the steps in order and return the exit code."""
    found = Installation(dict(os.environ))
    for name, check in STEPS.items():
        started = time.monotonic()
        try:
            print(f"✓ {name}: {check(found)} ({time.monotonic() - started:.1f} s)", flush=True)
        except Skipped as reason:
            print(f"- {name}: skipped: {reason}", flush=True)
        except CheckError as error:
            print(f"✗ {name}: {error}\n  next: {error.command}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
