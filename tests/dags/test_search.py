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
from pipelines import search
from pyarrow import parquet

KEYS = {"sessions": ("session_id",)}
#: A keyword of more than 32,766 bytes is refused.
TOO_LONG = "x" * 40_000


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


def test_should_keep_the_old_documents_if_the_same_version_is_loaded_again_and_rejected(
    index: Any, name: str, tmp_path: Path
) -> None:
    _load(index, name, tmp_path, ["a"], "V1")
    with pytest.raises(ValueError, match="the index rejected 1 of 1 documents"):
        _load(index, name, tmp_path, ["a"], "V1", agent=[TOO_LONG])
    assert set(_sources(index, f"{name}-sessions")) == {"2026-01-15|a"}
    assert len(index.indices.get(index=f"{name}-*")) == 1


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


@pytest.mark.parametrize("host", [None, ""])
def test_should_fail_without_retry_in_one_sentence_if_the_connection_has_no_host(host: str | None) -> None:
    connection = SimpleNamespace(host=host, port=9200, schema="", login="me", password="hidden")
    with pytest.raises(AirflowFailException) as failure:
        search.client(connection)
    assert str(failure.value) == "the connection search has no host: add it, then run again"


def test_should_refuse_a_column_that_it_has_no_type_for() -> None:
    with pytest.raises(KeyError, match="list"):
        search.definition(pyarrow.schema([("tags", pyarrow.list_(pyarrow.string()))]))


@pytest.mark.parametrize("status", [401, 403])
def test_should_name_the_remedy_if_the_index_refuses_the_login(status: int, tmp_path: Path) -> None:
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
        with pytest.raises(AirflowFailException, match=f"refuses its login .HTTP {status}.: correct it") as caught:
            _load(client, "test", tmp_path, ["s1"], "V1")
        server.shutdown()
    assert "wrong" not in str(caught.value)
