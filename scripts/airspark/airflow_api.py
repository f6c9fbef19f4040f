"""Airflow's REST API as the demo and the tests use it: password in, token out, paths below /api/v2."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from airspark import platform
from airspark.forward import Forward
from airspark.project import RELEASE, Failure

API_SERVER = f"svc/{RELEASE}-api-server"
ADMIN_SECRET = f"{RELEASE}-admin"


def admin() -> tuple[str, str]:
    """The admin's user name and password, out of the Secret the bootstrap Job made."""
    return platform.secret(ADMIN_SECRET, "username"), platform.secret(ADMIN_SECRET, "password")


class Airflow:
    """A client of one API server.

    Args:
        url: base address, for example `http://127.0.0.1:8080`.
        username: who logs in.
        password: their password.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self._credentials = {"username": username, "password": password}
        self._client = httpx.Client(base_url=url, timeout=30)

    def login(self) -> None:
        """Get a token with the password.

        Raises:
            Failure: if the API server refuses it.
        """
        answer = self._send("POST", "/auth/token", json=self._credentials)
        if answer.status_code not in (200, 201):
            raise Failure(f"Airflow refused the login of {self._credentials['username']} ({answer.status_code})",
                          "make doctor")  # fmt: skip
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request; a connection that breaks is tried again, because forwards follow restarting pods."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._client.request(method, path, **arguments)
            except httpx.TransportError as problem:
                if time.monotonic() > deadline:
                    raise Failure(f"the Airflow API server does not answer ({problem})", "make status") from problem
                time.sleep(1)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call a path below /api/v2.

        Args:
            method: HTTP method.
            path: for example `/dags/etl_daily`.
            arguments: further arguments of `httpx.Client.request`.

        Returns:
            The decoded answer, None if it has no body.

        Raises:
            Failure: with Airflow's own words if it answers with an error.
        """
        answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.status_code == 401:
            self.login()
            answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.is_error:
            raise Failure(f"Airflow answered {answer.status_code} to {method} {path}: {detail(answer)}", "make logs C=api-server")
        return answer.json() if answer.content else None

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> str:
        """The log of one try of a task, as plain text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self.call("GET", path, params={"map_index": map_index, "full_content": True},
                           headers={"Accept": "application/json"})  # fmt: skip
        content = answer["content"]
        if isinstance(content, str):
            return content
        return "\n".join(log_line(entry) for entry in content)


def log_line(entry: Any) -> str:
    """One structured log entry as text."""
    if not isinstance(entry, dict):
        return str(entry)
    text = str(entry.get("event", ""))
    for error in entry.get("error_detail") or []:
        text += f"\n{error.get('exc_type')}: {error.get('exc_value')}"
    return text


def detail(answer: httpx.Response) -> str:
    """What an error answer says, in one line."""
    try:
        said = answer.json().get("detail", answer.text)
    except ValueError:
        said = answer.text
    if isinstance(said, list):
        said = "; ".join(str(item.get("msg", item)) for item in said)
    if isinstance(said, dict):
        said = said.get("message") or said.get("reason") or str(said)
    return str(said)[:300]


@contextmanager
def connect() -> Iterator[Airflow]:
    """A logged-in client over a port-forward of its own."""
    username, password = admin()
    with Forward(API_SERVER, 8080) as forward:
        client = Airflow(forward.url, username, password)
        client.login()
        yield client
