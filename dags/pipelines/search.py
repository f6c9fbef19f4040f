"""Tables of a published partition into a search index with Elasticsearch's API: complete or absent, like the files.

A day of a table is an index of its own, access_log-sessions-2026-01-15-<version>-<try>, behind the alias
access_log-sessions that readers ask. A try fills a new index, counts it, and switches the alias in one call, which removes
the day's old index too, and those that killed tries left. Documents have an id made of their key, so a request that is sent
again changes nothing.

No value makes the index reject its day: see `document_id` and `document` for what an index cannot hold as it is.
"""

from __future__ import annotations

import decimal
import hashlib
import json
import math
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from pipelines import connections

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

CONNECTION = "search"
MISSING = (
    f"there is no connection {CONNECTION}: make it for an index that speaks Elasticsearch's API "
    "(type http, host with http:// or https://, port), then run again"
)
#: What each type of a Parquet column is in the index.
TYPES = {"string": "keyword", "timestamp": "date", "bool": "boolean", "double": "double", "decimal": "double", "int": "long"}
TRIES, TIMEOUT_SECONDS = 6, 30
#: Documents and bytes of a request; servers take 100 MiB, some managed ones 10. A larger document is a request of its own.
CHUNK, CHUNK_BYTES = 1000, 8 * 2**20
#: Rows that are in memory as Python's objects at a time.
BATCH_ROWS = 100
#: UTF-16 units of a text that can be searched for: a term has 32,766 bytes at most. A longer text is in its document only.
SEARCHABLE = 8_191
#: Characters of a text in a document: the rest is cut off, as a request with four such texts must be one that servers take.
LONGEST_TEXT = 2**20
#: Bytes of an id.
LONGEST_ID = 512
#: HTTP's status for a request that has too many bytes.
TOO_LARGE = 413
#: Of reasons to reject documents: how many a sentence names, and how much of each.
REASONS_SHOWN, REASON_LENGTH = 3, 200


def client(connection: Any) -> OpenSearch:
    """Return a client of the index that a connection names.

    Args:
        connection: Airflow's: host with scheme, port, login and password if it asks for them.

    Raises:
        AirflowFailException: if it has no host.
    """
    from opensearchpy import OpenSearch

    connections.require(connection, CONNECTION, "host")
    scheme, _, host = connection.host.rpartition("://")
    address = {"host": host, "port": connection.port or 9200, "scheme": scheme or connection.schema or "http"}
    login = (connection.login, connection.password) if connection.login else None
    return OpenSearch(
        [address], http_auth=login, timeout=TIMEOUT_SECONDS, max_retries=3, retry_on_timeout=True, retry_on_status=(502, 503, 504)
    )


def load(search: OpenSearch, folder: Path, name: str, day: str, tables: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Put tables of a partition into the index, each in the place of what the day had before.

    Args:
        search: the client.
        folder: the present version of a published partition, which nobody may replace meanwhile: see files.held.
        name: what aliases begin with, such as access_log.
        day: the partition's, YYYY-MM-DD.
        tables: the key columns of each table by its name.

    Returns:
        The documents of each table.

    Raises:
        AirflowFailException: if the index refuses the login; a retry would not mend that.
        ValueError: if the index rejects documents, or has not as many as there are rows; readers then keep the old ones.
    """
    from opensearchpy.exceptions import AuthenticationException, AuthorizationException, TransportError

    counts = {}
    try:
        for table, key in tables.items():
            alias = f"{name}-{table}"
            index = f"{alias}-{day}-{folder.name.lower()}-{secrets.token_hex(4)}"
            counts[table] = fill(search, index, folder / table, key, day)
            switch(search, alias, f"{alias}-{day}-*", index)
    except (AuthenticationException, AuthorizationException) as error:
        raise AirflowFailException(
            f"the index of the connection {CONNECTION} refuses its login (HTTP {error.status_code}): correct it, or let it make "
            f"indices {name}-*, then run again"
        ) from None
    except TransportError as error:
        if error.status_code != TOO_LARGE:
            raise
        raise AirflowFailException(
            f"the index of the connection {CONNECTION}, or a proxy in front of it, refuses requests of "
            f"{CHUNK_BYTES // 2**20} MiB (HTTP {TOO_LARGE}): let it take them (http.max_content_length, "
            "client_max_body_size), then run again"
        ) from None
    return counts


def fill(search: OpenSearch, index: str, folder: Path, key: tuple[str, ...], day: str) -> int:
    """Make an index of a table's rows.

    Args:
        search: the client.
        index: its name, which no other has.
        folder: the Parquet files.
        key: the columns that tell a row.
        day: the partition's day, a field of every document.

    Returns:
        How many documents it has.

    Raises:
        ValueError: if documents are rejected, or their number is wrong; the index is then removed.
    """
    from opensearchpy import helpers
    from pyarrow import dataset

    rows = dataset.dataset(folder, format="parquet")
    search.indices.create(index=index, body=definition(rows.schema))
    actions = (
        {"_index": index, "_id": document_id(day, [row[name] for name in key]), "_source": document(row, day)}
        for batch in rows.to_batches(batch_size=BATCH_ROWS)
        for row in batch.to_pylist()
    )
    # Only "too many requests" is sent again, after pauses that double; a document that is rejected stays rejected.
    sent = helpers.streaming_bulk(
        search,
        actions,
        chunk_size=CHUNK,
        max_chunk_bytes=CHUNK_BYTES,
        max_retries=TRIES,
        initial_backoff=1,
        max_backoff=60,
        raise_on_error=False,
    )
    rejected = [answer for done, answer in sent if not done]
    search.indices.refresh(index=index)
    found = search.count(index=index)["count"]
    wanted = rows.count_rows()
    if rejected or found != wanted:
        search.indices.delete(index=index)
        raise ValueError(_complaint(index, rejected, found, wanted))
    return int(found)


def switch(search: OpenSearch, alias: str, pattern: str, index: str) -> None:
    """Have an alias lead to an index, and to none of the others that match a pattern; those are removed.

    One call does it: a reader of the alias sees the old documents or the new ones. What a killed try left goes with the old
    ones; nobody else is at work on it, as a day is loaded by one at a time.

    Args:
        search: the client.
        alias: what readers ask.
        pattern: the names of the day's indices.
        index: the new one.
    """
    old = [name for name in search.indices.get(index=pattern) if name != index]
    actions = [{"add": {"index": index, "alias": alias}}, *({"remove_index": {"index": name}} for name in old)]
    search.indices.update_aliases(body={"actions": actions})


def definition(schema: Any) -> dict[str, Any]:
    """Return an index's settings and mapping: the columns of a Parquet schema and the day, and no other field.

    Raises:
        KeyError: if there is no type of the index for a column.
    """
    properties: dict[str, dict[str, Any]] = {field.name: {"type": TYPES[_kind(str(field.type))]} for field in schema}
    for one in properties.values():
        if one["type"] == "keyword":
            one["ignore_above"] = SEARCHABLE
    return {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {"dynamic": "strict", "properties": properties | {"date": {"type": "date"}}},
    }


def document_id(day: str, key: Iterable[Any]) -> str:
    """Return the id of a row: its day and its key, `2026-01-15|GET|/products/{n}`.

    In place of a key that is too long for an id, or that others could be taken for because it has the separator in it, stands
    its SHA-256.

    Args:
        day: the partition's day.
        key: the values that tell a row.
    """
    parts = [str(_plain(value)) for value in key]
    found = "|".join([day, *parts])
    if len(found.encode()) <= LONGEST_ID and not any("|" in part for part in parts):
        return found
    return f"{day}|{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def document(row: Mapping[str, Any], day: str) -> dict[str, Any]:
    """Return the document of a row; a text of more than LONGEST_TEXT characters is cut off, with a line that says so.

    Args:
        row: its values.
        day: the field `date`.
    """
    found = {"date": day} | {name: _plain(value) for name, value in row.items()}
    for name, value in found.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            print(f"{name} of {value[:40]!r}… has {len(value)} characters: the index has the first {LONGEST_TEXT} of them")
            found[name] = value[:LONGEST_TEXT]
    return found


def _kind(kind: str) -> str:
    for name in ("string", "timestamp", "bool", "double", "decimal", "int"):
        if kind.startswith(name) or kind == f"large_{name}":
            return name
    return kind


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        # A text if it has more digits than a float: the index reads it as a number, and the document keeps every digit.
        return float(value) if decimal.Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        # JSON and the index have no such numbers.
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _complaint(index: str, rejected: Iterable[dict[str, Any]], found: int, wanted: int) -> str:
    reasons: dict[str, int] = {}
    for answer in rejected:
        error = next(iter(answer.values()))["error"]
        text = f"{error['type']}: {error['reason']}" if isinstance(error, dict) else str(error)
        text = text[:REASON_LENGTH]
        reasons[text] = reasons.get(text, 0) + 1
    if not reasons:
        return f"{index} has {found} documents instead of {wanted}: it is removed, readers keep the old ones"
    top = sorted(reasons.items(), key=lambda item: -item[1])[:REASONS_SHOWN]
    shown = "; ".join(f"{number} times {text}" for text, number in top)
    return f"the index rejected {sum(reasons.values())} of {wanted} documents of {index}, readers keep the old ones: {shown}"
