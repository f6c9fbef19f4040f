"""The DAG api_ingest against the real API server: retries, limits, going on, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import api_ingest
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from pipelines import pages

ROOT = Path(__file__).resolve().parents[2]
DAY, TOKEN = "2026-01-15", "hidden-token"


def _module() -> Any:
    spec = importlib.util.spec_from_file_location("shop_api", ROOT / "images/shop-api/server.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHOP = _module()


@pytest.fixture
def api() -> Iterator[Any]:
    """The API with 250 orders a day, on a free port."""
    server = SHOP.Api(("127.0.0.1", 0), TOKEN, 250, 1_000)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _connection(api: Any, token: str = TOKEN) -> Any:
    return SimpleNamespace(host="http://127.0.0.1", port=api.server_address[1], schema="", password=token)


def _pull(api: Any, folder: Path, token: str = TOKEN, per_second: float = 1_000) -> tuple[Path, list[float]]:
    """Pull the day; return the file and the pauses that were asked for, which are not waited for."""
    pauses: list[float] = []
    with pages.connect(_connection(api, token)) as client:
        return pages.pull(client, DAY, folder, per_second, pauses.append), pauses


def _orders(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_should_have_every_order_once_in_one_file(api: Any, tmp_path: Path) -> None:
    file, pauses = _pull(api, tmp_path, per_second=4)
    assert _orders(file) == SHOP.orders(DAY, 250)
    assert api.asked == [(DAY, 1), (DAY, 2), (DAY, 3)]
    assert pauses == [0.25] * 3
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_should_go_on_after_errors_cut_answers_and_an_api_that_asks_to_wait(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.faults |= {"errors": {"2": 3}, "cut": [3]}
    refused = iter([True, True])
    monkeypatch.setattr(api, "too_many", lambda: next(refused, False))
    file, pauses = _pull(api, tmp_path)
    assert _orders(file) == SHOP.orders(DAY, 250)
    assert pauses[:2] == [1.0, 1.0]
    said = capsys.readouterr().out
    assert "page 1, try 1 of 6: the API answered 429; once more in 1.0 s" in said
    assert "page 2, try 3 of 6: the API answered 500" in said
    assert "page 3, try 1 of 6: the connection broke" in said
    assert TOKEN not in said


def test_should_give_up_in_a_sentence_and_keep_what_it_has_if_the_api_stays_broken(api: Any, tmp_path: Path) -> None:
    api.faults |= {"errors": {"3": 100}}
    with pytest.raises(RuntimeError, match="page 3 of the orders of 2026-01-15 did not come in 6 tries: the API answered 500"):
        _pull(api, tmp_path)
    assert api.asked.count((DAY, 3)) == 6
    assert not list(tmp_path.glob("orders_*"))
    api.faults |= {"errors": {}}
    api.asked.clear()
    file, _ = _pull(api, tmp_path)
    assert api.asked == [(DAY, 3)]
    assert _orders(file) == SHOP.orders(DAY, 250)


def test_should_ask_again_for_pages_that_are_too_old(api: Any, tmp_path: Path) -> None:
    api.faults |= {"errors": {"2": 100}}
    with pytest.raises(RuntimeError):
        _pull(api, tmp_path)
    old = time.time() - pages.KEEP_SECONDS - 1
    os.utime(tmp_path / f".orders_{DAY}.pages" / "page-00001.json", (old, old))
    api.faults |= {"errors": {}}
    api.asked.clear()
    _pull(api, tmp_path)
    assert api.asked == [(DAY, 1), (DAY, 2), (DAY, 3)]


def test_should_end_within_its_time_limits_if_the_api_never_answers(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.faults |= {"hang": [1]}
    monkeypatch.setattr(pages, "READ_SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"page 1 .* did not come in 6 tries: no answer within 0.2 s"):
        _pull(api, tmp_path)
    assert api.asked == [(DAY, 1)] * 6


def test_should_end_at_once_if_nobody_listens(tmp_path: Path) -> None:
    nobody = SimpleNamespace(server_address=("127.0.0.1", 1))
    with pytest.raises(RuntimeError, match="the connection broke"):
        _pull(nobody, tmp_path)


def test_should_refuse_orders_that_changed_while_they_were_read(api: Any, tmp_path: Path) -> None:
    api.faults |= {"grow": 1}
    with pytest.raises(RuntimeError, match="changed while they were read: 250 came, the API told of 250, 251"):
        _pull(api, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("faults", "token", "sentence"),
    [
        ({"garbage": [2]}, TOKEN, "page 2 is not what the API's pages look like: '<html>maintenance</html>'"),
        ({}, "wrong", r"the API refuses the token \(401\): mend the password of the connection"),
    ],
)
def test_should_not_ask_again_what_will_be_refused_again(
    api: Any, tmp_path: Path, faults: dict[str, Any], token: str, sentence: str
) -> None:
    api.faults |= faults
    with pytest.raises(pages.ApiError, match=sentence):
        _pull(api, tmp_path, token)
    assert len(api.asked) <= 2


def test_should_keep_the_old_file_until_the_new_one_is_whole(api: Any, tmp_path: Path) -> None:
    _pull(api, tmp_path)
    before = (tmp_path / f"orders_{DAY}.jsonl").read_bytes()
    api.faults |= {"errors": {"2": 100}}
    with pytest.raises(RuntimeError):
        _pull(api, tmp_path)
    assert (tmp_path / f"orders_{DAY}.jsonl").read_bytes() == before


@pytest.fixture
def task(api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAG's task, on the real API."""
    context = {"params": {"date": DAY, "per_second": 1_000}}
    monkeypatch.setattr(api_ingest, "get_current_context", lambda: context)
    monkeypatch.setattr(api_ingest, "FOLDER", str(tmp_path))
    monkeypatch.setattr(api_ingest.BaseHook, "get_connection", lambda name: _connection(api))
    return api_ingest.dag.get_task("pull").python_callable  # type: ignore[attr-defined]  # a decorated task has one


def test_should_return_the_day_once_its_file_is_there(task: Any, tmp_path: Path) -> None:
    assert task() == DAY
    assert len(_orders(tmp_path / f"orders_{DAY}.jsonl")) == 250


def test_should_fail_without_retry_if_the_api_refuses_or_there_is_no_connection(
    api: Any, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.faults |= {"garbage": [1]}
    with pytest.raises(AirflowFailException, match="is not what the API's pages look like"):
        task()

    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    monkeypatch.setattr(api_ingest.BaseHook, "get_connection", missing)
    with pytest.raises(AirflowFailException, match="there is no connection shop_api: make it"):
        task()


def test_should_answer_429_above_its_rate(tmp_path: Path) -> None:
    server = SHOP.Api(("127.0.0.1", 0), TOKEN, 250, 2)
    assert [server.too_many() for _ in range(3)] == [False, False, True]
    server.server_close()
