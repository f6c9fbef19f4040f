"""The limit of wrong logins at /auth/token: the chart's extension of the FAB auth manager, without a database."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from limits import parse

SCRIPT = Path(__file__).resolve().parents[2] / "charts/airspark/charts/airflow/files/scripts/airspark_auth.py"


@pytest.fixture(scope="module")
def script() -> Any:
    """The chart's extension of the auth manager, on the image's Airflow."""
    spec = importlib.util.spec_from_file_location("airspark_auth", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(script: Any) -> FastAPI:
    """Airflow's app with the auth manager's mounted in it, whose password is right."""
    auth, root = FastAPI(), FastAPI()

    @auth.post("/token", status_code=201)
    @auth.post("/token/cli", status_code=201)
    def token(body: dict[str, str]) -> dict[str, str]:
        if body["password"] != "right":
            raise HTTPException(401, "Invalid credentials")
        return {"access_token": "t"}

    @auth.get("/users")
    def users() -> list[str]:
        return []

    auth.add_middleware(script.WrongLogins, limit=parse("3 per minute"))
    root.mount("/auth", auth)
    return root


def _login(client: TestClient, password: str, path: str = "/auth/token") -> int:
    return int(client.post(path, json={"username": "admin", "password": password}).status_code)


def test_should_refuse_an_address_for_a_while_that_has_sent_too_many_wrong_passwords(server: FastAPI) -> None:
    client = TestClient(server, client=("203.0.113.7", 1))
    assert [_login(client, "wrong") for _ in range(5)] == [401, 401, 401, 429, 429]
    answer = client.post("/auth/token/cli", json={"username": "admin", "password": "right"})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) == 60
    assert answer.json() == {"detail": "Too many wrong logins from this address: wait, then try again"}
    assert client.get("/auth/users").status_code == 200
    assert _login(TestClient(server, client=("203.0.113.8", 1)), "right") == 201, "another address goes on"


def test_should_never_count_logins_with_the_right_password(server: FastAPI) -> None:
    client = TestClient(server, client=("203.0.113.7", 1))
    assert {_login(client, "right") for _ in range(20)} == {201}
    assert [_login(client, "wrong") for _ in range(2)] == [401, 401] and _login(client, "right") == 201


def test_should_put_the_limit_before_the_routes_of_airflows_own_manager(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

    monkeypatch.setattr(FabAuthManager, "get_fastapi_app", lambda self: FastAPI())
    monkeypatch.setenv("AIRSPARK_LOGIN_LIMIT", "7 per hour")
    assert issubclass(script.FabAuthManager, FabAuthManager)
    (added,) = script.FabAuthManager.get_fastapi_app(script.FabAuthManager.__new__(script.FabAuthManager)).user_middleware
    assert added.cls is script.WrongLogins and added.kwargs["limit"] == parse("7 per hour")
