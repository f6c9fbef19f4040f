"""What a command does while Airflow or Kubernetes does not answer: a real server on the loopback address has trouble."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from loopback import Answer, Lost, Server, serving

from airspark import airflow_api, backfill, cluster, console, retry, tools
from airspark.airflow_api import Airflow, Refused
from airspark.backfill import Range
from airspark.project import Failure


class Platform:
    """An Airflow API that keeps tokens, runs and backfills; `lose` names a POST whose next answers get lost."""

    def __init__(self) -> None:
        self.token = "first"
        self.runs: dict[str, Any] = {}
        self.backfills: list[dict[str, Any]] = []
        self.lose: list[str] = []

    def __call__(self, method: str, path: str, body: Any) -> Answer:
        route = path.partition("?")[0].removeprefix("/api/v2")
        if route == "/auth/token":
            return (201, {"access_token": self.token}) if body["password"] == "right" else (401, {"detail": "no"})
        status, found = self.route(method, route, body)
        if f"{method} {route}" in self.lose:
            self.lose.remove(f"{method} {route}")
            raise Lost
        return status, found

    def route(self, method: str, route: str, body: Any) -> Answer:
        if route == "/dags/etl/dagRuns" and method == "POST":
            if body["dag_run_id"] in self.runs:
                return 409, {"detail": "exists"}
            self.runs[body["dag_run_id"]] = body
            return 200, body
        if route.startswith("/dags/etl/dagRuns/"):
            return 200, self.runs[route.rpartition("/")[2]]
        if route == "/dags/etl/dagRuns":
            return 200, {"dag_runs": [{"logical_date": f"{day}T00:00:00+09:00", "state": "queued"} for day in DAYS.days]}
        if route == "/backfills/dry_run":
            return 200, {"backfills": [{"logical_date": f"{day}T00:00:00+09:00"} for day in DAYS.days]}
        if route == "/backfills" and method == "POST":
            if self.backfills:
                return 409, {"detail": "There is already a running backfill"}
            self.backfills.append({**body, "id": 7, "completed_at": None})
            return 200, self.backfills[0]
        if route == "/backfills":
            return 200, {"backfills": self.backfills}
        return 200, {"dags": []}


DAYS = Range(date(2026, 1, 1), date(2026, 1, 3))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with serving(platform) as found:
        yield found


@pytest.fixture
def airflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> Airflow:
    """A client that logged in and has no patience with silence, so that the tests are short."""
    monkeypatch.setattr(airflow_api, "TIMEOUT", httpx.Timeout(1.0))
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(backfill, "zone", lambda: ZoneInfo("Asia/Seoul"))
    client = Airflow(server.url, "admin", "right")
    client.login()
    return client


@pytest.mark.parametrize("trouble", ["500", "502", "503", "504", "429", "reset", "hang", "refuse"])
def test_should_go_on_and_say_once_what_it_waits_for_if_the_api_has_trouble(
    trouble: str, server: Server, airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fail(trouble, 2.5 if trouble == "hang" else 1.2)
    began = time.monotonic()
    assert airflow.call("GET", "/dags") == {"dags": []}
    assert time.monotonic() - began >= 1.0
    waits, back = capsys.readouterr().err.splitlines()
    assert waits.startswith("the Airflow API server does not answer (") and waits.endswith("waiting for it, 5 minutes at most.")
    assert back.startswith("the Airflow API server answers again after ")
    if trouble.isdecimal():
        assert f"({trouble} " in waits and "GET /dags" in waits


def test_should_say_nothing_if_one_request_fails(server: Server, airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    server.fail("reset", 0.05)
    airflow.call("GET", "/dags")
    assert capsys.readouterr().err == ""


def test_should_say_it_once_if_several_threads_wait(server: Server, airflow: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    server.fail("503", 1.0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: airflow.call("GET", "/dags"), range(4)))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_should_end_in_a_sentence_and_the_next_command_if_patience_is_over(
    server: Server, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PATIENCE", 0.8)
    monkeypatch.setattr(console, "next_command", "make backfill DAG=etl")
    server.fail("503", 30)
    began = time.monotonic()
    with pytest.raises(
        Failure, match="^the Airflow API server has not answered for 1 s: 503 Service Unavailable to GET /dags$"
    ) as caught:
        airflow.call("GET", "/dags")
    assert 0.7 < time.monotonic() - began < 5
    assert caught.value.hint == "make status; to go on: make backfill DAG=etl"


def test_should_log_in_again_if_the_token_is_no_longer_accepted(
    platform: Platform, server: Server, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def guarded(method: str, path: str, body: Any) -> Answer:
        asked.append(path)
        return platform(method, path, body) if path == "/auth/token" or len(asked) > 1 else (401, {"detail": "expired"})

    server.answer = guarded
    assert airflow.call("GET", "/dags") == {"dags": []}
    assert asked == ["/api/v2/dags", "/auth/token", "/api/v2/dags"]


def test_should_refuse_at_once_if_the_password_is_wrong(server: Server, airflow: Airflow) -> None:
    with pytest.raises(Failure, match="Airflow refused the login of admin"):
        Airflow(server.url, "admin", "wrong").login()


@pytest.mark.parametrize("status", [400, 403, 404, 422, 501])
def test_should_not_wait_if_the_api_says_no(status: int, server: Server, airflow: Airflow) -> None:
    server.fail(str(status), 60)
    with pytest.raises(Refused, match=f"^Airflow answered {status} to GET /dags: ") as caught:
        airflow.call("GET", "/dags")
    assert caught.value.status == status and len(server.requests) == 2


def test_should_create_a_run_once_if_the_answer_gets_lost(platform: Platform, airflow: Airflow) -> None:
    platform.lose = ["POST /dags/etl/dagRuns"]
    body = {"dag_run_id": "mine", "conf": {}}
    assert airflow.create("/dags/etl/dagRuns", body, "/dags/etl/dagRuns/mine") == body
    assert list(platform.runs) == ["mine"] and platform.lose == []


def test_should_start_a_backfill_once_if_the_answer_gets_lost(
    platform: Platform, server: Server, airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.lose = ["POST /backfills"]
    asked = backfill.body("etl", DAYS, 2, rerun=False)
    assert backfill.start(airflow, asked, DAYS) == (7, DAYS.days)
    assert len(platform.backfills) == 1 and sum(line == "POST /api/v2/backfills" for line in server.requests) == 2
    assert "Following the backfill of etl" in capsys.readouterr().err


def kubernetes(method: str, path: str, _: Any) -> Answer:
    """As much of the API server as `kubectl get --raw` needs."""
    return 200, {"path": path}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An API server that the real kubectl is pointed at."""
    program = tools.locate("kubectl") or shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not built yet: make up builds it")
    with serving(kubernetes) as server:
        config = tmp_path / "kubeconfig"
        config.write_text(
            f"apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: a, cluster: {{server: '{server.url}'}}}}]\n"
            "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n"
        )
        monkeypatch.setattr(cluster, "kubeconfig", lambda: config)
        monkeypatch.setattr(tools, "ensure", lambda name: Path(program))
        yield server


@pytest.mark.parametrize("trouble", ["503", "500", "reset", "hang", "refuse"])
def test_should_ask_kubernetes_again_if_its_api_server_restarts(
    trouble: str, api: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    # kubectl itself asks again after a reset, once a second: only a second try that is cut short as well is worth a line.
    api.fail(trouble, 5)
    assert "/version" in retry.kubectl("get", "--raw", "/version", timeout=1.5)
    waits, back = capsys.readouterr().err.splitlines()
    assert waits.startswith("the Kubernetes API server does not answer (") and "answers again" in back


def test_should_leave_what_kubernetes_refuses_to_the_caller(api: Server) -> None:
    api.fail("404", 60)
    began = time.monotonic()
    with pytest.raises(subprocess.CalledProcessError):
        retry.kubectl("get", "--raw", "/nothing")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?", True),
        ("Unable to connect to the server: net/http: TLS handshake timeout", True),
        ("Error from server (ServiceUnavailable): the server is currently unable to handle the request", True),
        ("Error from server: etcdserver: leader changed", True),
        ('Error from server (Forbidden): pods is forbidden: RBAC: clusterrole "cluster-admin" not found', True),
        ("error: unexpected EOF", True),
        (
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
            False,
        ),
        ('Error from server (NotFound): pods "a" not found', False),
        ('Error from server (Forbidden): pods is forbidden: User "a" cannot list resource "pods"', False),
        ('Error from server (Forbidden): secrets is forbidden: User "kubernetes-admin" cannot list resource "secrets"', True),
        ('Error from server (Forbidden): pods "a" is forbidden: violates PodSecurity "restricted:latest"', False),
    ],
)
def test_should_tell_an_outage_from_an_error(said: str, passes: bool) -> None:
    assert retry.away(said) is passes
