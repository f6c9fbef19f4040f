"""Tables into a real search index: whole or absent, each document once, and a clear word if it rejects some.

AIRSPARK_SEARCH is the address of an index for tests, such as http://127.0.0.1:9200; scripts/test.sh starts one.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pyarrow
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st
from pipelines import search
from pyarrow import parquet

KEYS = {"sessions": ("session_id",)}
#: A term of more than 32,766 bytes is refused.
TOO_LONG = "x" * 40_000
#: Texts of the limits and beyond them, of one to four bytes a character.
LONG_TEXTS = [mark * number for mark in "xé서😀" for number in (511, 512, 8_191, 8_192, 32_766, 40_000, 10**6)]


@pytest.fixture(scope="module")
def index() -> Any:
    """A client of the index, as the DAGs make it."""
    address = urlsplit(os.environ["AIRSPARK_SEARCH"])
    connection = SimpleNamespace(
        host=f"{address.scheme}://{address.hostname}", port=address.port, schema="", login="", password=""
    )
    client = search.client(connection)
    deadline = time.monotonic() + 120
    while not client.ping():
        assert time.monotonic() < deadline, f"no index answers at {os.environ['AIRSPARK_SEARCH']} within 120 s"
        time.sleep(0.5)
    return client


@pytest.fixture
def name(index: Any) -> Iterator[str]:
    """A name that no other test has; its indices are removed."""
    found = f"test-{uuid.uuid4().hex[:8]}"
    yield found
    index.indices.delete(index=f"{found}-*", ignore_unavailable=True)


@pytest.fixture
def terms_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is asked to make terms of texts that are too long for one."""
    monkeypatch.setattr(search, "SEARCHABLE", 10**6)


def _load(index: Any, name: str, root: Path, ids: list[str], version: str, day: str = "2026-01-15", **columns: Any) -> Any:
    """Load a version of a day, with other columns if they are given, and return the documents of each table."""
    folder = root / ".versions" / name / f"date={day}" / version
    (folder / "sessions").mkdir(parents=True, exist_ok=True)
    number = len(ids)
    table = {
        "session_id": ids,
        "started": [dt.datetime(2026, 1, 15, 1, tzinfo=dt.UTC)] * number,
        "bytes": pyarrow.array(range(number), pyarrow.int64()),
        "seconds": pyarrow.array([decimal.Decimal("0.125")] * number, pyarrow.decimal128(10, 3)),
    }
    parquet.write_table(pyarrow.table(table | columns), folder / "sessions" / "part-00000.parquet")
    return search.load(index, folder, name, day, KEYS)


def _sources(index: Any, alias: str) -> dict[str, dict[str, Any]]:
    answer = index.search(index=alias, body={"size": 5000, "query": {"match_all": {}}})
    return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}


def test_should_hold_every_row_as_a_typed_document_with_an_id_of_its_key(index: Any, name: str, tmp_path: Path) -> None:
    ids = [f"s{number}" for number in range(2_500)]
    assert _load(index, name, tmp_path, ids, "V1") == {"sessions": 2_500}
    found = _sources(index, f"{name}-sessions")
    assert set(found) == {f"2026-01-15|{one}" for one in ids}
    expected = {"date": "2026-01-15", "session_id": "s7", "started": "2026-01-15T01:00:00+00:00", "bytes": 7, "seconds": 0.125}
    assert found["2026-01-15|s7"] == expected
    total = index.search(index=f"{name}-sessions", body={"size": 0, "aggs": {"b": {"sum": {"field": "bytes"}}}})
    assert total["aggregations"]["b"]["value"] == sum(range(2_500))


def test_should_replace_a_day_and_leave_others_alone_if_it_runs_again(index: Any, name: str, tmp_path: Path) -> None:
    _load(index, name, tmp_path, ["a"], "D14", day="2026-01-14")
    _load(index, name, tmp_path, ["a", "b"], "V1")
    for _ in range(2):
        _load(index, name, tmp_path, ["b", "c"], "V2")
        assert set(_sources(index, f"{name}-sessions")) == {"2026-01-14|a", "2026-01-15|b", "2026-01-15|c"}
    assert len(index.indices.get(index=f"{name}-*")) == 2


def test_should_remove_the_index_of_a_try_that_was_killed_once_a_load_is_good(
    index: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    _load(index, name, tmp_path, ["a"], "V1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(search, "switch", killed)
        _load(index, name, tmp_path, ["a", "b"], "V2")
    assert len(index.indices.get(index=f"{name}-*")) == 2
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a"}
    _load(index, name, tmp_path, ["a", "b"], "V2")
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a", "2026-01-15|b"}
    assert len(index.indices.get(index=f"{name}-*")) == 1


@pytest.mark.usefixtures("terms_of_any_length")
def test_should_keep_the_old_documents_if_the_same_version_is_loaded_again_and_rejected(
    index: Any, name: str, tmp_path: Path
) -> None:
    _load(index, name, tmp_path, ["a"], "V1")
    with pytest.raises(ValueError, match="the index rejected 1 of 1 documents"):
        _load(index, name, tmp_path, ["a"], "V1", agent=[TOO_LONG])
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a"}
    assert len(index.indices.get(index=f"{name}-*")) == 1


@pytest.mark.usefixtures("terms_of_any_length")
def test_should_keep_the_old_documents_and_say_why_if_the_index_rejects_some(index: Any, name: str, tmp_path: Path) -> None:
    _load(index, name, tmp_path, ["a"], "V1")
    with pytest.raises(
        ValueError, match=r"the index rejected 2 of 3 documents of .*, readers keep the old ones: 2 times .*immense"
    ):
        _load(index, name, tmp_path, ["b", "c", "d"], "V2", agent=["short", TOO_LONG, TOO_LONG])
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a"}
    assert len(index.indices.get(index=f"{name}-*")) == 1


def test_should_keep_the_old_documents_if_two_rows_have_one_key(index: Any, name: str, tmp_path: Path) -> None:
    _load(index, name, tmp_path, ["a"], "V1")
    with pytest.raises(ValueError, match="has 2 documents instead of 3"):
        _load(index, name, tmp_path, ["b", "b", "c"], "V2")
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a"}


def test_should_hold_texts_of_any_length_as_keys_and_as_values(index: Any, name: str, tmp_path: Path) -> None:
    ids = [f"{text[:-1]}{number}" for number, text in enumerate(LONG_TEXTS)]
    assert _load(index, name, tmp_path, ids, "V1", path=LONG_TEXTS, requests=[10] * len(ids)) == {"sessions": len(ids)}
    # In pieces: all of it is more than one answer should have.
    for start in range(0, len(ids), 7):
        wanted = [search.document_id("2026-01-15", [one]) for one in ids[start : start + 7]]
        found = {hit["_id"]: hit["_source"] for hit in index.mget(index=f"{name}-sessions", body={"ids": wanted})["docs"]}
        assert [found[one]["session_id"] for one in wanted] == ids[start : start + 7]
        assert [found[one]["path"] for one in wanted] == LONG_TEXTS[start : start + 7]
    for text in (text for text in LONG_TEXTS if len(text) < 10_000):
        hits = index.count(index=f"{name}-sessions", body={"query": {"term": {"path": text}}})["count"]
        assert hits == (len(text.encode("utf-16-le")) // 2 <= search.SEARCHABLE), f"{text[0]} {len(text)}"


def test_should_cut_off_a_text_that_would_be_too_long_for_a_request_and_say_so(
    index: Any, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = search.LONGEST_TEXT
    # What JSON writes with six characters, and two keys that differ beyond the limit.
    texts = ["\x01" * longest, "\x02" * (longest + 1), "😀" * (longest + 7)]
    ids = ["a", "y" * longest + "1", "y" * longest + "2"]
    assert _load(index, name, tmp_path, ids, "V1", path=texts) == {"sessions": 3}
    said = capsys.readouterr().out
    assert said.count("path of ") == 2 and said.count("session_id of ") == 2
    assert f"has {longest + 7} characters: the index has the first {longest} of them" in said
    for one, text in zip(ids, texts, strict=True):
        found = index.get(index=f"{name}-sessions", id=search.document_id("2026-01-15", [one]))["_source"]
        assert found["path"] == text[:longest]


def test_should_hold_a_day_that_is_larger_than_a_request_may_be(index: Any, name: str, tmp_path: Path) -> None:
    ids = [f"s{number}" for number in range(130)]
    assert _load(index, name, tmp_path, ids, "V1", path=[one.ljust(10**6, "x") for one in ids]) == {"sessions": 130}


def test_should_hold_numbers_at_the_ends_of_their_types(index: Any, name: str, tmp_path: Path) -> None:
    exact = decimal.Decimal("12345678901234567890.123456789012345678")
    columns = {
        "bytes": pyarrow.array([2**63 - 1, -(2**63), None], pyarrow.int64()),
        "share": pyarrow.array([float("nan"), float("-inf"), 1.7976931348623157e308], pyarrow.float64()),
        "exact": pyarrow.array([exact, exact.copy_negate(), decimal.Decimal("0.5")], pyarrow.decimal128(38, 18)),
        "seconds": pyarrow.array([decimal.Decimal("9999999.999"), decimal.Decimal("-0.001"), None], pyarrow.decimal128(10, 3)),
    }
    assert _load(index, name, tmp_path, ["a", "b", "c"], "V1", **columns) == {"sessions": 3}
    found = [_sources(index, f"{name}-sessions")[f"2026-01-15|{one}"] for one in "abc"]
    assert [one["bytes"] for one in found] == [2**63 - 1, -(2**63), None]
    assert [one["share"] for one in found] == [None, None, 1.7976931348623157e308]
    assert [one["exact"] for one in found] == [str(exact), f"-{exact}", 0.5]
    assert [one["seconds"] for one in found] == [9999999.999, -0.001, None]
    total = index.search(index=f"{name}-sessions", body={"size": 0, "aggs": {"most": {"max": {"field": "exact"}}}})
    assert total["aggregations"]["most"]["value"] == float(exact)


def test_should_make_a_readable_id_of_a_key_and_a_short_one_of_a_long_key() -> None:
    assert search.document_id("2026-01-15", ["GET", "/products/{n}"]) == "2026-01-15|GET|/products/{n}"
    assert search.document_id("2026-01-15", [200]) == "2026-01-15|200"
    assert len(search.document_id("2026-01-15", ["x" * 501]).encode()) == 512
    for text in ("x" * 502, "서" * 200, "😀" * 10**6):
        assert len(search.document_id("2026-01-15", [text]).encode()) == 11 + 64


@given(st.lists(st.lists(st.text("|\\ax", max_size=4), min_size=2, max_size=2), min_size=2, max_size=30, unique_by=tuple))
def test_should_make_as_many_ids_as_there_are_keys(keys: list[list[str]]) -> None:
    assert len({search.document_id("2026-01-15", key) for key in keys}) == len(keys)


@pytest.mark.parametrize("host", [None, ""])
def test_should_fail_without_retry_in_one_sentence_if_the_connection_has_no_host(host: str | None) -> None:
    connection = SimpleNamespace(host=host, port=9200, schema="", login="me", password="hidden")
    with pytest.raises(AirflowFailException) as failure:
        search.client(connection)
    assert str(failure.value) == "the connection search has no host: add it, then run again"


def test_should_refuse_a_column_that_it_has_no_type_for() -> None:
    with pytest.raises(KeyError, match="list"):
        search.definition(pyarrow.schema([("tags", pyarrow.list_(pyarrow.string()))]))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuses its login .HTTP 401.: correct it"),
        (403, "refuses its login .HTTP 403.: correct it"),
        (413, "or a proxy in front of it, refuses requests of 8 MiB .HTTP 413.: let it take them"),
    ],
)
def test_should_name_the_remedy_if_the_index_refuses_the_login_or_the_size(status: int, sentence: str, tmp_path: Path) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        login = {"login": "me", "password": "wrong", "schema": ""}
        client = search.client(SimpleNamespace(host="http://127.0.0.1", port=server.server_port, **login))
        with pytest.raises(AirflowFailException, match=sentence) as caught:
            _load(client, "test", tmp_path, ["s1"], "V1")
        server.shutdown()
    assert "wrong" not in str(caught.value)
