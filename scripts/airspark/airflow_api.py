"""Airflow's REST API as the demo and the tests use it: password in, token out, paths below /api/v2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from airspark import platform, retry
from airspark.forward import Forward
from airspark.project import RELEASE, Failure
from airspark.retry import Unavailable

API_SERVER = f"svc/{RELEASE}-api-server"
ADMIN_SECRET = f"{RELEASE}-admin"
WHO = "the Airflow API server"
#: Seconds for one try: to connect, and between two parts of an answer.
TIMEOUT = httpx.Timeout(30, connect=10)


class Refused(Failure):
    """An answer that says no.

    Args:
        message: a sentence with Airflow's own words.
        hint: what to do next.
        status: the HTTP status.
    """

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


def admin() -> tuple[str, str]:
    """The admin's user name and password, out of the Secret the bootstrap Job made."""
    return platform.secret(ADMIN_SECRET, "username"), platform.secret(ADMIN_SECRET, "password")


class Airflow:
    """A client of one API server, which goes on through its outages as `retry` has it.

    Every request may be sent more than once: what creates something goes through `create`, or takes 409 for done.

    Args:
        url: base address, for example `http://127.0.0.1:8080`.
        username: who logs in.
        password: their password.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self._credentials = {"username": username, "password": password}
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT)

    def login(self) -> None:
        """Get a token with the password.

        Raises:
            Failure: if the API server refuses it, or does not answer.
        """
        retry.until_answered(WHO, self._login)

    def _login(self) -> None:
        answer = self._ask("POST", "/auth/token", json=self._credentials)
        if answer.status_code not in (200, 201):
            raise Failure(f"Airflow refused the login of {self._credentials['username']} ({answer.status_code})",
                          "make doctor")  # fmt: skip
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request once.

        Raises:
            Unavailable: if there is no answer, or one that means an outage.
        """
        try:
            answer = self._client.request(method, path, **arguments)
        except httpx.RequestError as problem:
            raise Unavailable(_words(problem)) from problem
        code = answer.status_code
        if code == 429 or (code >= 500 and code != 501):
            after = answer.headers.get("Retry-After", "")
            said = f"{code} {answer.reason_phrase} to {method} {path.removeprefix('/api/v2')}"
            raise Unavailable(said, float(after) if after.isdecimal() else 0.0)
        return answer

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request once, with a new token if the present one has expired."""
        answer = self._ask(method, path, **arguments)
        if answer.status_code == 401:
            self._login()
            answer = self._ask(method, path, **arguments)
        return answer

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call a path below /api/v2.

        Args:
            method: HTTP method.
            path: for example `/dags/etl_daily`.
            arguments: further arguments of `httpx.Client.request`.

        Returns:
            The decoded answer, None if it has no body.

        Raises:
            Refused: with Airflow's own words if it answers with an error.
            Failure: if it does not answer for as long as `retry` waits.
        """
        answer = retry.until_answered(WHO, lambda: self._answer(method, f"/api/v2{path}", **arguments))
        if answer.is_error:
            raise Refused(f"Airflow answered {answer.status_code} to {method} {path}: {detail(answer)}",
                          "make logs C=api-server", answer.status_code)  # fmt: skip
        return answer.json() if answer.content else None

    def create(self, path: str, body: dict[str, Any], there: str) -> Any:
        """Create something that its body names, once: it may be there already because an answer got lost on the way.

        Args:
            path: where it is created, for example `/dags/etl_daily/dagRuns`.
            body: what is created.
            there: its own path.

        Returns:
            What is there now.

        Raises:
            Refused: if Airflow refuses it.
        """
        try:
            return self.call("POST", path, json=body)
        except Refused as refused:
            if refused.status != 409:
                raise
            return self.call("GET", there)

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
        body = answer.json()
    except ValueError:
        body = answer.text
    said = body.get("detail", answer.text) if isinstance(body, dict) else body
    if isinstance(said, list):
        said = "; ".join(str(item.get("msg", item)) for item in said)
    if isinstance(said, dict):
        said = said.get("message") or said.get("reason") or str(said)
    return str(said)[:300]


def _words(problem: httpx.RequestError) -> str:
    """What went wrong on the way, in a few words."""
    if isinstance(problem, httpx.TimeoutException):
        return "no answer in time"
    return re.sub(r"^\[errno -?\d+\] ", "", str(problem).lower()).rstrip(".") or type(problem).__name__


@contextmanager
def connect() -> Iterator[Airflow]:
    """A logged-in client over a port-forward of its own."""
    username, password = admin()
    with Forward(API_SERVER, 8080) as forward:
        client = Airflow(forward.url, username, password)
        client.login()
        yield client
