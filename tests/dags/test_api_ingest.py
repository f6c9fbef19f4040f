"""The DAG api_ingest against the real API server: retries, limits, going on, and what it refuses."""

from __future__ import annotations

import contextlib
import email.utils
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import api_ingest
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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


def test_should_give_up_in_a_sentence_if_the_answer_is_not_json_each_time(api: Any, tmp_path: Path) -> None:
    api.faults |= {"garbage": [2]}
    with pytest.raises(RuntimeError, match=r"page 2 .* in 6 tries: the answer is not JSON: '<html>maintenance</html>'"):
        _pull(api, tmp_path)


def test_should_end_at_once_if_nobody_listens(tmp_path: Path) -> None:
    nobody = SimpleNamespace(server_address=("127.0.0.1", 1))
    with pytest.raises(RuntimeError, match="the connection broke"):
        _pull(nobody, tmp_path)


def test_should_refuse_orders_that_changed_while_they_were_read(api: Any, tmp_path: Path) -> None:
    api.faults |= {"grow": 1}
    with pytest.raises(RuntimeError, match="changed while they were read: page 1 told of total 250, page 2 of 251"):
        _pull(api, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        ({"shift": 1}, "page 1 told of version .*, page 2 of"),
        ({"shift": -1}, "page 1 told of version .*, page 2 of"),
        ({"moved": 1}, "page 1 told of version .*, page 2 of"),
        ({"shift": -1, "version": False}, "page 2 has an order of a page before it"),
        ({"moved": 1, "version": False}, "page 3 has an order of a page before it"),
    ],
    ids=["left out", "twice", "changed and moved", "twice, without a version", "changed and moved, without a version"],
)
def test_should_refuse_pages_of_different_moments_with_the_same_total(
    api: Any, tmp_path: Path, faults: dict[str, Any], sentence: str
) -> None:
    api.faults |= faults
    with pytest.raises(RuntimeError, match=f"changed while they were read: {sentence}"):
        _pull(api, tmp_path)
    assert list(tmp_path.iterdir()) == []
    api.faults |= SHOP.FAULTS
    api.asked.clear()
    file, _ = _pull(api, tmp_path)
    assert _orders(file) == SHOP.orders(DAY, 250)
    assert [number for _, number in api.asked] == [1, 2, 3]


def test_should_refuse_kept_pages_if_the_orders_changed_between_two_tries(api: Any, tmp_path: Path) -> None:
    api.faults |= {"errors": {"2": 6}, "shift": 1}
    with pytest.raises(RuntimeError, match="did not come in 6 tries"):
        _pull(api, tmp_path)
    with pytest.raises(RuntimeError, match="changed while they were read"):
        _pull(api, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_should_refuse_an_order_that_changed_and_moved_behind_pages_that_were_kept(api: Any, tmp_path: Path) -> None:
    api.faults |= {"errors": {"3": 6}, "version": False}
    with pytest.raises(RuntimeError, match="did not come in 6 tries"):
        _pull(api, tmp_path)
    api.faults |= {"moved": 1}
    with pytest.raises(RuntimeError, match="changed while they were read: page 3 has an order of a page before it"):
        _pull(api, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_should_take_orders_without_an_id_as_they_are(api: Any, tmp_path: Path) -> None:
    api.faults |= {"missing": "order_id", "version": False}
    assert len(_orders(_pull(api, tmp_path)[0])) == 250


def test_should_go_on_behind_the_last_whole_page_if_it_is_killed(api: Any, tmp_path: Path) -> None:
    script = """
import sys, types, pathlib
from pipelines import pages
connection = types.SimpleNamespace(host="http://127.0.0.1", port=int(sys.argv[1]), schema="", password=sys.argv[2])
with pages.connect(connection) as client:
    pages.pull(client, sys.argv[3], pathlib.Path(sys.argv[4]), 1000)
"""
    api.faults |= {"hang": [3]}
    command = [sys.executable, "-c", script, str(api.server_address[1]), TOKEN, DAY, str(tmp_path)]
    killed = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "dags")})
    deadline = time.monotonic() + 60
    while (DAY, 3) not in api.asked and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not list(tmp_path.glob("orders_*"))
    api.faults |= {"hang": []}
    api.asked.clear()
    file, _ = _pull(api, tmp_path)
    assert api.asked == [(DAY, 3)]
    assert _orders(file) == SHOP.orders(DAY, 250)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_should_ask_again_for_a_page_that_a_crash_left_without_content(api: Any, tmp_path: Path) -> None:
    pages_folder = tmp_path / f".orders_{DAY}.pages"
    pages_folder.mkdir()
    (pages_folder / "page-00002.json").write_text("")
    file, _ = _pull(api, tmp_path)
    assert _orders(file) == SHOP.orders(DAY, 250)


def test_should_write_an_empty_file_for_a_day_without_orders(api: Any, tmp_path: Path) -> None:
    api.number = 0
    file, _ = _pull(api, tmp_path)
    assert file.read_bytes() == b""


def test_should_end_within_its_time_limits_if_the_answer_never_ends(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.faults |= {"drip": [1]}
    monkeypatch.setattr(pages, "ANSWER_SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"page 1 .* did not come in 6 tries: no whole answer within 0.2 s"):
        _pull(api, tmp_path)


#: What holds for any API of this kind, by what a listener says that answers nothing else.
ONE = json.dumps({"page": 1, "pages": 1, "total": 1, "orders": [{"order_id": 1}]})


@pytest.fixture
def says() -> Iterator[Callable[..., Any]]:
    """Serve answers in their order, a connection each: says(answer, …)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(*answers: str) -> Any:
        def answer() -> None:
            for text in answers:
                connection, _ = listener.accept()
                connection.recv(65_536)
                connection.sendall(text.encode(errors="surrogateescape"))
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        return SimpleNamespace(server_address=listener.getsockname())

    yield serve
    listener.close()


def _answer(body: str = ONE, status: str = "200 OK", **headers: str) -> str:
    lines = [
        f"HTTP/1.1 {status}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", body])


def test_should_wait_as_long_as_the_api_asks_by_seconds_or_by_a_date(says: Any, tmp_path: Path) -> None:
    later = email.utils.formatdate(time.time() + 100, usegmt=True)
    busy = [_answer("", "429 Too Many Requests", Retry_After="120"), _answer("", "503 Unavailable", Retry_After=later)]
    _, pauses = _pull(says(*busy, _answer()), tmp_path)
    assert pauses[0] == 120
    assert 90 < pauses[1] <= 100


def test_should_not_hold_its_pod_if_the_api_asks_to_wait_for_long(says: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the API asks to wait 3600 s, longer than 300 s"):
        _pull(says(_answer("", "429 Too Many Requests", Retry_After="3600")), tmp_path)


def test_should_keep_within_the_rate_while_it_tries_again(says: Any, tmp_path: Path) -> None:
    broken = _answer("", "500 Broken", Retry_After="0")
    _, pauses = _pull(says(broken, broken, _answer()), tmp_path, per_second=0.01)
    assert pauses == [100, 100, 100]


def test_should_ask_again_if_an_answer_without_a_length_is_cut_off(says: Any, tmp_path: Path) -> None:
    file, _ = _pull(says(_answer(ONE[:-9]), _answer()), tmp_path)
    assert _orders(file) == [{"order_id": 1}]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (_answer("", "302 Found", Location="/login"), "the API answered 302 to page 1"),
        (_answer("no such day", "404 Not Found"), "the API answered 404 to page 1: no such day"),
        (_answer(ONE.replace('"pages": 1', '"pages": 2.5')), "page 1 is not what the API's pages look like"),
        (_answer(ONE.replace('"pages": 1', '"pages": 1000000')), "page 1 is not what the API's pages look like"),
        (_answer(ONE.replace('"page": 1', '"page": 2')), "page 1 is not what the API's pages look like"),
        (_answer(ONE.replace('"orders"', '"items"')), "page 1 is not what the API's pages look like"),
        (_answer("[]"), "page 1 is not what the API's pages look like"),
        (_answer(ONE.replace('"total"', '"orders": [], "total"')), "page 1 is not what the API's pages look like"),
        (_answer(ONE.replace('"total": 1', '"total": 1' + "0" * 5_000)), "page 1 is not what the API's pages look like"),
        (_answer("[" * 100_000 + "]" * 100_000), r"page 1 is nested too deeply to be read: '\[\["),
    ],
)
def test_should_end_at_once_for_an_answer_that_cannot_be_right(says: Any, tmp_path: Path, answer: str, sentence: str) -> None:
    with pytest.raises(pages.ApiError, match=sentence):
        _pull(says(answer), tmp_path)


def test_should_keep_a_text_that_no_encoding_holds(says: Any, tmp_path: Path) -> None:
    order = {"order_id": 1, "note": "\ud800 한\u2028글"}
    file, _ = _pull(says(_answer(ONE.replace('{"order_id": 1}', json.dumps(order)))), tmp_path)
    assert [json.loads(line) for line in file.read_bytes().split(b"\n") if line] == [order]


#: Orders that no two programs would write in the same way.
AS_SENT = (
    '{"order_id": 1, "amount": 1.00000000000000000001}',
    '{"order_id":2,"amount":1e-30,"rate":1E400,"big":' + "9" * 5_000 + "}",
    '{ "order_id" : 3, "amount": 10.50, "amount": 10.5, "zero": -0.0 }',
    r'{"order_id": 4, "note": "\ud800 \u0000 \/ \u00e9 é 한 \ud83d\ude00 [1, {2}: ] \" \\"}',
    '{"order_id": 5, "note": "\udcff\udced\udca0\udc80 not UTF-8"}',
    '{"order_id": 5.0, "note": "\u2028 \x85 \x7f"}',
    *("5", '"text"', "null", "[]", '[{"order_id": 1}]', "{}"),
)


def _page_of(orders: Iterable[str], page: int = 1, pages: int = 1, total: int | None = None) -> str:
    listed = list(orders)
    text = ",".join(listed)
    return f'{{"page": {page}, "pages": {pages}, "orders": [{text}], "total": {len(listed) if total is None else total}}}'


def _lines(file: Path) -> list[str]:
    return file.read_bytes().decode(errors="surrogateescape").removesuffix("\n").split("\n")


def test_should_write_every_order_as_it_was_sent(says: Any, tmp_path: Path) -> None:
    file, _ = _pull(says(_answer(_page_of(AS_SENT))), tmp_path)
    assert _lines(file) == list(AS_SENT)


def test_should_write_every_order_as_it_was_sent_if_its_page_was_kept(says: Any, tmp_path: Path) -> None:
    first = _answer(_page_of(AS_SENT, pages=2, total=len(AS_SENT) + 1))
    with pytest.raises(RuntimeError, match="page 2 .* did not come in 6 tries"):
        _pull(says(first, *[_answer("", "500 Broken")] * 6), tmp_path)
    last = '{"order_id": 6, "amount": 0.10}'
    file, _ = _pull(says(_answer(_page_of([last], page=2, pages=2, total=len(AS_SENT) + 1))), tmp_path)
    assert _lines(file) == [*AS_SENT, last]


def test_should_ask_again_for_pages_that_were_kept_in_another_form(says: Any, tmp_path: Path) -> None:
    (tmp_path / f".orders_{DAY}.pages").mkdir()
    (tmp_path / f".orders_{DAY}.pages" / "page-00001.json").write_text(ONE)
    assert _orders(_pull(says(_answer()), tmp_path)[0]) == [{"order_id": 1}]


def test_should_write_an_order_that_was_sent_on_many_lines_on_one(says: Any, tmp_path: Path) -> None:
    sent = json.dumps({"order_id": 1, "lines": [1.50, {"note": "\n\r"}]}, indent=2).replace("\n", "\r\n")
    file, _ = _pull(says(_answer(_page_of([sent, sent.replace("\r\n", "\r")]).replace('"page"', '\r\n"page"'))), tmp_path)
    assert file.read_bytes().count(b"\n") == 2 and b"\r" not in file.read_bytes()
    assert _orders(file) == [json.loads(sent)] * 2


def test_should_not_take_two_orders_for_one_whose_ids_differ_in_the_last_digit(says: Any, tmp_path: Path) -> None:
    orders = ['{"order_id": 1.00000000000000000001}', '{"order_id": 1.00000000000000000002}', '{"order_id": 1}']
    answers = [_answer(_page_of([order], number, pages=3, total=3)) for number, order in enumerate(orders, 1)]
    assert _lines(_pull(says(*answers), tmp_path)[0]) == orders


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_should_refuse_an_answer_with_a_number_that_json_does_not_have(says: Any, tmp_path: Path, constant: str) -> None:
    answers = [_answer(_page_of([f'{{"order_id": 1, "amount": {constant}}}']))] * 6
    with pytest.raises(RuntimeError, match=f"in 6 tries: the answer is not JSON: .*{constant} is not a number of JSON"):
        _pull(says(*answers), tmp_path)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(ANY_JSON, max_size=4), st.sampled_from([None, 0, 2]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_should_cut_any_orders_out_of_a_page_as_they_were_sent(orders: list[Any], indent: int | None, ascii_only: bool) -> None:
    body = {"page": 1, "orders": orders, "pages": 1, "total": len(orders), "more": {"orders": [1], "page": []}}
    found = pages._page(json.dumps(body, indent=indent, ensure_ascii=ascii_only), 1)
    assert found and [json.loads(line) for line in found["lines"]] == orders
    assert not any(mark in line for line in found["lines"] for mark in "\r\n")
    if indent is None:
        assert found["lines"] == [json.dumps(order, ensure_ascii=ascii_only) for order in orders]


@pytest.mark.parametrize("token", ["hidden token", "hidden\ntoken", "hidden-tökén", "", None])
def test_should_refuse_what_is_no_token_without_telling_it(api: Any, tmp_path: Path, token: Any) -> None:
    with pytest.raises(pages.ApiError, match="the connection's password is no token") as refused:
        _pull(api, tmp_path, token)
    assert "hidden" not in str(refused.value)
    assert api.asked == []


def test_should_take_a_token_with_the_line_end_of_a_file(api: Any, tmp_path: Path) -> None:
    assert len(_orders(_pull(api, tmp_path, TOKEN + "\n")[0])) == 250


def test_should_say_that_the_connection_names_no_host() -> None:
    with pytest.raises(pages.ApiError, match="the connection names no host"):
        pages.connect(SimpleNamespace(host=None, port=None, schema=None, password=TOKEN))


PAGE = st.integers(1, 3)
TROUBLE = st.fixed_dictionaries(
    {
        "errors": st.dictionaries(PAGE.map(str), st.integers(1, 8)),
        "cut": st.lists(PAGE, max_size=3),
        "garbage": st.lists(PAGE, max_size=1),
        "grow": st.integers(-1, 1),
        "shift": st.integers(-2, 2),
        "moved": st.integers(0, 2),
    }
)


@given(st.lists(TROUBLE, min_size=1, max_size=3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_should_have_exactly_the_orders_of_the_day_or_nothing_whatever_goes_wrong(api: Any, troubles: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for trouble in troubles:
            api.faults |= json.loads(json.dumps(SHOP.FAULTS | trouble))
            with contextlib.suppress(RuntimeError):
                _pull(api, Path(folder))
            file = Path(folder, f"orders_{DAY}.jsonl")
            assert not file.exists() or _orders(file) in [SHOP.listing(DAY, 250, shift)[0] for shift in range(-2, 3)]
        api.faults |= json.loads(json.dumps(SHOP.FAULTS))
        with contextlib.suppress(RuntimeError):
            # Pages that were kept may turn out to be of another moment once.
            _pull(api, Path(folder))
        assert _orders(_pull(api, Path(folder))[0]) == SHOP.orders(DAY, 250)


@pytest.mark.parametrize(
    ("faults", "token", "sentence"),
    [
        ({"without": "total"}, TOKEN, "page 1 is not what the API's pages look like: '{.*'"),
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
    api.faults |= {"without": "orders"}
    with pytest.raises(AirflowFailException, match="is not what the API's pages look like"):
        task()

    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    monkeypatch.setattr(api_ingest.BaseHook, "get_connection", missing)
    with pytest.raises(
        AirflowFailException, match="there is no connection shop_api: make it with `airflow connections add shop_api "
    ):
        task()


def test_should_answer_429_above_its_rate(tmp_path: Path) -> None:
    server = SHOP.Api(("127.0.0.1", 0), TOKEN, 250, 2)
    assert [server.too_many() for _ in range(3)] == [False, False, True]
    server.server_close()
