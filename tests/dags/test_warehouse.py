"""A day of sales in a real PostgreSQL: rows, sums, runs that come again, at once, or are cut off.

AIRSPARK_WAREHOUSE is the address of a server for tests, such as postgresql://postgres@127.0.0.1:5432/postgres, whose user
may make databases; scripts/test.sh starts one.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pyarrow
import pytest
from airflow.sdk.exceptions import AirflowFailException
from pipelines import warehouse
from pyarrow import parquet

DAY = "2026-01-15"


@pytest.fixture(scope="module", autouse=True)
def server() -> None:
    """A database server that answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(os.environ["AIRSPARK_WAREHOUSE"]).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "no server answers at $AIRSPARK_WAREHOUSE within 60 s"
            time.sleep(0.5)


@pytest.fixture
def connection(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An Airflow connection to a database of this test's own, in the encoding that it asks for."""
    address = urlsplit(os.environ["AIRSPARK_WAREHOUSE"])
    name, encoding = f"test_{uuid.uuid4().hex[:8]}", getattr(request, "param", "UTF8")
    with psycopg.connect(os.environ["AIRSPARK_WAREHOUSE"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
        yield SimpleNamespace(
            host=address.hostname, port=address.port, schema=name, login=address.username, password=address.password
        )
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _row(order: int, **changes: Any) -> dict[str, Any]:
    row = {
        "order_id": order,
        "ordered_at": dt.datetime(2026, 1, 15, 1, order % 60, tzinfo=dt.UTC),
        "customer_id": f"C{order % 3}",
        "product_id": f"P{order % 2}",
        "category": "books",
        "quantity": 2,
        "unit_price": Decimal("100.50"),
        "region": '서울, "강남"',
        "channel": "web",
    } | changes
    return row | {"amount": row["quantity"] * row["unit_price"]}


def _partition(root: Path, rows: list[dict[str, Any]], day: str = DAY, written: int | None = None) -> Path:
    folder = root / f"date={day}"
    folder.mkdir(exist_ok=True)
    schema = pyarrow.schema(
        [
            ("order_id", pyarrow.int64()),
            ("ordered_at", pyarrow.timestamp("us", "UTC")),
            *((name, pyarrow.string()) for name in ("customer_id", "product_id", "category")),
            ("quantity", pyarrow.int32()),
            ("unit_price", pyarrow.decimal128(12, 2)),
            *((name, pyarrow.string()) for name in ("region", "channel")),
            ("amount", pyarrow.decimal128(18, 2)),
        ]
    )
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), folder / "part-00000.snappy.parquet")
    (folder / "_SUCCESS").touch()
    (folder / "_manifest.json").write_text(json.dumps({"rows_written": len(rows) if written is None else written}))
    return folder


def _load(connection: Any, partition: Path) -> dict[str, Any]:
    with warehouse.connect(connection) as database:
        return warehouse.load(database, partition, partition.name.removeprefix("date="))


def _ask(connection: Any, query: str) -> list[Any]:
    with warehouse.connect(connection) as database:
        return database.execute(query).fetchall()


FACTS = """
    SELECT date::text, order_id, line, ordered_at, product_id, category, customer_id, region, channel, quantity, unit_price,
        amount
    FROM sales.fact_sales JOIN sales.dim_date USING (date_key) JOIN sales.dim_product USING (product_key)
    JOIN sales.dim_customer USING (customer_key) JOIN sales.dim_place USING (place_key) ORDER BY 1, 2, 3
"""


def test_should_have_every_row_in_the_star_and_its_sum_in_the_mart(connection: Any, tmp_path: Path) -> None:
    rows = [_row(order) for order in range(1, 8)] + [_row(1, product_id="P9", category="toys", channel="app")]
    counts = _load(connection, _partition(tmp_path, rows))
    assert counts == {"rows": 8, "revenue": "1608.00"}
    facts = _ask(connection, FACTS)
    assert [fact[:3] for fact in facts[:3]] == [(DAY, 1, 1), (DAY, 1, 2), (DAY, 2, 1)]
    columns = ("ordered_at", "product_id", "category", "customer_id", "region", "channel", "quantity", "unit_price", "amount")
    assert sorted(fact[1:2] + fact[3:] for fact in facts) == sorted(
        (row["order_id"], *(row[name] for name in columns)) for row in rows
    )
    assert _ask(connection, "SELECT category, channel, orders, items, revenue FROM mart.daily_sales ORDER BY 1") == [
        ("books", "web", 7, 14, Decimal("1407.00")),
        ("toys", "app", 1, 2, Decimal("201.00")),
    ]


#: Texts that a format, a shell or a type could take for something else.
NASTY = (
    *(
        "\\",
        "\\.",
        "\\N",
        "\\n",
        "\\x41",
        "NULL",
        "null",
        '"',
        '""',
        "'",
        "''",
        ",",
        "\t",
        " x ",
        "a\tb",
        "a\rb",
        "\r",
        "a\r\\.",
        "\r\\.",
    ),
    *(
        "\x01",
        "\x1a",
        "\x7f",
        "\x85",
        "\u00a0",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "\uffff",
        "😀",
        "e\u0301",
        "é",
        "-- ",
        "%s",
        "%(date)s",
        "$1",
        ";\n",
    ),
    *("a\nb", "\n\\.\n", "true", "1e5", "NaN", "infinity", "epoch", "=1+1", "(x,y)", "{a}", "X", "x", "ß", "İ"),
)


def test_should_have_every_text_as_it_is(connection: Any, tmp_path: Path) -> None:
    texts = sorted(set(NASTY))
    names = ("customer_id", "product_id", "category", "region", "channel")
    rows = [
        _row(order, **{name: texts[(order + shift) % len(texts)] for shift, name in enumerate(names)})
        for order in range(len(texts))
    ]
    assert _load(connection, _partition(tmp_path, rows))["rows"] == len(rows)
    found = _ask(connection, FACTS)
    assert [(fact[6], fact[4], fact[5], fact[7], fact[8]) for fact in found] == [
        tuple(row[name] for name in names) for row in rows
    ]
    mart = _ask(connection, "SELECT category, region, channel FROM mart.daily_sales")
    assert sorted(mart) == sorted((row["category"], row["region"], row["channel"]) for row in rows)


def _incompressible(size: int, seed: int) -> str:
    """Return a text of so many bytes, of one to four bytes a character, that no compression makes shorter."""
    dice, text = random.Random(seed), ""
    while (left := size - len(text.encode())) > 0:
        first, last = dice.choice([(0x21, 0x7E), (0xC0, 0x24F), (0xAC00, 0xD7A3), (0x20000, 0x2A6D0)][: min(left, 4)])
        text += chr(dice.randint(first, last))
    return text


def test_should_hold_the_longest_texts_that_the_rule_of_a_sales_row_allows(connection: Any, tmp_path: Path) -> None:
    import sales_format

    names = ("customer_id", "product_id", "category", "region", "channel")
    rows = [
        _row(order, **{name: _incompressible(sales_format.MAX_TEXT, order * 5 + n) for n, name in enumerate(names)})
        for order in range(20)
    ]
    for _ in range(2):
        assert _load(connection, _partition(tmp_path, rows))["rows"] == 20
    assert [fact[7:9] for fact in _ask(connection, FACTS)] == [(row["region"], row["channel"]) for row in rows]
    assert _ask(connection, "SELECT count(*) FROM mart.daily_sales") == [(20,)]


def test_should_hold_the_sums_of_the_largest_amounts_that_the_rule_of_a_sales_row_allows(connection: Any, tmp_path: Path) -> None:
    most = {"quantity": 9_999, "unit_price": Decimal("9999999999.99")}
    rows = [_row(order, **most) for order in (2**63 - 1, -(2**63), *range(20_000))]
    expected = Decimal("99989999999900.01") * len(rows)
    assert _load(connection, _partition(tmp_path, rows)) == {"rows": len(rows), "revenue": str(expected)}
    assert _ask(connection, "SELECT items, revenue FROM mart.daily_sales") == [(9_999 * len(rows), expected)]


OLD_MART = """
    CREATE SCHEMA mart;
    CREATE TABLE mart.daily_sales (
        date date NOT NULL, category text NOT NULL, region text NOT NULL, channel text NOT NULL, orders bigint NOT NULL,
        items bigint NOT NULL, revenue numeric(20, 2) NOT NULL, PRIMARY KEY (date, category, region, channel)
    );
    INSERT INTO mart.daily_sales VALUES ('2026-01-14', 'books', 'seoul', 'web', 1, 2, 3);
    CREATE VIEW report AS SELECT category, sum(revenue) FROM mart.daily_sales GROUP BY category
"""


def test_should_hold_long_texts_in_a_warehouse_that_was_made_before_without_losing_what_it_has(
    connection: Any, tmp_path: Path
) -> None:
    with warehouse.connect(connection) as database:
        database.execute(OLD_MART)
    long = {name: _incompressible(1_024, n) for n, name in enumerate(("category", "region", "channel"))}
    for _ in range(2):
        _load(connection, _partition(tmp_path, [_row(1, **long), _row(2)]))
    assert _ask(connection, "SELECT date::text, count(*) FROM mart.daily_sales GROUP BY 1 ORDER BY 1") == [
        ("2026-01-14", 1),
        (DAY, 2),
    ]
    assert len(_ask(connection, "SELECT * FROM report")) == 2


def test_should_not_take_two_rows_of_a_day_for_one_category_and_place(connection: Any, tmp_path: Path) -> None:
    _load(connection, _partition(tmp_path, [_row(1)]))
    with pytest.raises(psycopg.errors.UniqueViolation), warehouse.connect(connection) as database:
        database.execute("INSERT INTO mart.daily_sales SELECT * FROM mart.daily_sales")


@pytest.mark.parametrize(
    ("connection", "changes", "words"),
    [
        ("UTF8", {"channel": "a\0b"}, r'invalid byte sequence for encoding "UTF8": 0x00 \(COPY staging, line 2\)'),
        ("UTF8", {"customer_id": _incompressible(5_000, 0)}, "index row size 5016 exceeds btree version 4 maximum 2704 .*"),
        ("LATIN1", {"channel": "웹"}, 'character with byte sequence .* has no equivalent in encoding "LATIN1" .*'),
    ],
    indirect=["connection"],
)
def test_should_load_nothing_and_say_in_a_sentence_what_the_database_cannot_hold(
    connection: Any, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    good = {"region": "é"}
    _load(connection, _partition(tmp_path, [_row(1, **good)]))
    sentence = (
        f"^the database of the connection warehouse cannot hold what the partition of {DAY} has: {words}: nothing is loaded$"
    )
    with pytest.raises(AirflowFailException, match=sentence):
        _load(connection, _partition(tmp_path, [_row(2, **good), _row(3, **good | changes)]))
    assert [(fact[1], fact[7]) for fact in _ask(connection, FACTS)] == [(1, "é")]


def test_should_change_nothing_if_a_day_is_loaded_again(connection: Any, tmp_path: Path) -> None:
    partition = _partition(tmp_path, [_row(order) for order in range(1, 8)])
    _load(connection, partition)
    before = _ask(connection, FACTS), _ask(connection, "SELECT xmin::text, * FROM sales.fact_sales ORDER BY order_id")
    _load(connection, partition)
    assert (_ask(connection, FACTS), _ask(connection, "SELECT xmin::text, * FROM sales.fact_sales ORDER BY order_id")) == before


def test_should_replace_a_day_and_leave_others_alone_if_it_was_corrected(connection: Any, tmp_path: Path) -> None:
    _load(connection, _partition(tmp_path, [_row(1, ordered_at=dt.datetime(2026, 1, 14, 1, tzinfo=dt.UTC))], "2026-01-14"))
    _load(connection, _partition(tmp_path, [_row(order) for order in range(1, 8)]))
    _load(connection, _partition(tmp_path, [_row(1, quantity=5), _row(9)]))
    assert [(fact[0], fact[1], fact[9]) for fact in _ask(connection, FACTS)] == [("2026-01-14", 1, 2), (DAY, 1, 5), (DAY, 9, 2)]
    assert _ask(connection, "SELECT date::text, orders FROM mart.daily_sales ORDER BY 1") == [("2026-01-14", 1), (DAY, 2)]


PRODUCTS = "SELECT product_id, category, category_as_of::text FROM sales.dim_product ORDER BY 1"


@pytest.mark.parametrize("days", [("2026-01-14", DAY), (DAY, "2026-01-14"), ("2026-01-14", DAY, "2026-01-14")])
def test_should_have_the_category_of_the_latest_day_if_days_are_loaded_in_any_order(
    connection: Any, tmp_path: Path, days: tuple[str, ...]
) -> None:
    rows = {
        "2026-01-14": [_row(1, product_id="both", category="old"), _row(2, product_id="before", category="books")],
        DAY: [_row(1, product_id="both", category="new"), _row(2, product_id="after", category="toys")],
    }
    for day in days:
        _load(connection, _partition(tmp_path, rows[day], day))
    assert _ask(connection, PRODUCTS) == [("after", "toys", DAY), ("before", "books", "2026-01-14"), ("both", "new", DAY)]
    mart = "SELECT date::text, category FROM mart.daily_sales ORDER BY 1, 2"
    assert _ask(connection, mart) == [("2026-01-14", "books"), ("2026-01-14", "old"), (DAY, "new"), (DAY, "toys")]


def test_should_correct_a_category_if_its_day_is_loaded_again(connection: Any, tmp_path: Path) -> None:
    for category in ("wrong", "right"):
        _load(connection, _partition(tmp_path, [_row(1, category=category)]))
    assert _ask(connection, PRODUCTS) == [("P1", "right", DAY)]


def test_should_take_a_category_of_any_day_if_the_warehouse_was_made_without_the_column(connection: Any, tmp_path: Path) -> None:
    _load(connection, _partition(tmp_path, [_row(1), _row(2)]))
    with warehouse.connect(connection) as database:
        database.execute("ALTER TABLE sales.dim_product DROP COLUMN category_as_of")
    _load(connection, _partition(tmp_path, [_row(1, category="toys")], "2026-01-14"))
    assert _ask(connection, PRODUCTS) == [("P0", "books", "-infinity"), ("P1", "toys", "2026-01-14")]


def test_should_not_keep_readers_of_the_products_waiting_while_a_day_is_loaded(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = _partition(tmp_path, [_row(1)])
    _load(connection, partition)
    pieces, seen = warehouse.csv_batches, []

    def read_meanwhile(folder: Path) -> Iterator[tuple[int, bytes]]:
        with warehouse.connect(connection) as database:
            database.execute("SET lock_timeout = '5s'")
            seen.extend(database.execute(PRODUCTS).fetchall())
        return pieces(folder)

    monkeypatch.setattr(warehouse, "csv_batches", read_meanwhile)
    _load(connection, partition)
    assert seen == [("P1", "books", DAY)]


def test_should_have_each_row_once_if_a_day_is_loaded_twice_at_once(connection: Any, tmp_path: Path) -> None:
    partition = _partition(tmp_path, [_row(order) for order in range(500)])
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: _load(connection, partition), range(3)))
    assert [result["rows"] for result in results] == [500] * 3
    assert _ask(connection, "SELECT count(*) FROM sales.fact_sales") == [(500,)]


def test_should_leave_the_day_as_it_was_if_the_connection_drops(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load(connection, _partition(tmp_path, [_row(1)]))
    partition = _partition(tmp_path, [_row(order) for order in range(2_000)])
    monkeypatch.setattr(warehouse, "BATCH_ROWS", 500)
    with warehouse.connect(connection) as database:
        victim = database.info.backend_pid

        def cut_off_after_two(folder: Path) -> Iterator[tuple[int, bytes]]:
            for number, piece in enumerate(pieces(folder)):
                if number == 2:
                    _ask(connection, f"SELECT pg_terminate_backend({victim})")
                yield piece

        pieces = warehouse.csv_batches
        monkeypatch.setattr(warehouse, "csv_batches", cut_off_after_two)
        with pytest.raises(psycopg.OperationalError):
            warehouse.load(database, partition, DAY)
    assert [fact[:2] for fact in _ask(connection, FACTS)] == [(DAY, 1)]


def test_should_refuse_a_partition_whose_rows_are_not_what_the_warehouse_takes(connection: Any, tmp_path: Path) -> None:
    _load(connection, _partition(tmp_path, [_row(1)]))
    with pytest.raises(psycopg.errors.CheckViolation):
        _load(connection, _partition(tmp_path, [_row(1), _row(2, quantity=0)]))
    assert [fact[:2] for fact in _ask(connection, FACTS)] == [(DAY, 1)]


@pytest.mark.parametrize("written", [1, 3])
def test_should_load_nothing_if_the_manifest_has_another_number_of_rows(connection: Any, tmp_path: Path, written: int) -> None:
    _load(connection, _partition(tmp_path, [_row(1)]))
    with pytest.raises(
        ValueError, match=rf"would have 2 rows .*, the partition 2 rows, its manifest {written}: nothing is loaded"
    ):
        _load(connection, _partition(tmp_path, [_row(2), _row(3)], written=written))
    assert [fact[:2] for fact in _ask(connection, FACTS)] == [(DAY, 1)]


def test_should_leave_it_to_a_retry_if_the_server_is_away(connection: Any) -> None:
    connection.port = 1
    with pytest.raises(psycopg.OperationalError, match="refused"):
        warehouse.connect(connection)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": None}, "the connection warehouse has no host: add it, then run again"),
        ({"schema": "", "login": None}, "the connection warehouse has no schema, login: add it, then run again"),
        ({"schema": "absent"}, 'the database of the connection warehouse refuses: database "absent" does not exist: correct'),
        ({"login": "absent"}, "the database of the connection warehouse refuses: (role|password authentication).* correct"),
    ],
)
def test_should_fail_without_retry_in_one_sentence_if_the_connection_is_wrong(
    connection: Any, changes: dict[str, Any], sentence: str
) -> None:
    vars(connection).update({"password": "hidden"} | changes)
    with pytest.raises(AirflowFailException, match=f"^{sentence}") as failure:
        warehouse.connect(connection)
    assert "hidden" not in str(failure.value) and "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ('FATAL:  password authentication failed for user "me"', 'password authentication failed for user "me"'),
        ("fe_sendauth: no password supplied", "no password supplied"),
    ],
)
def test_should_fail_without_retry_if_the_password_is_wrong(
    connection: Any, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    # The server of the tests asks for no password.
    def refuse(**_: Any) -> None:
        raise psycopg.OperationalError(f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {words}')

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(AirflowFailException, match=f"^the database of the connection warehouse refuses: {reason}: correct"):
        warehouse.connect(connection)


def test_should_name_the_remedy_if_the_user_may_make_no_schemas(connection: Any, tmp_path: Path) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(os.environ["AIRSPARK_WAREHOUSE"], autocommit=True) as server:
        server.execute(f"CREATE ROLE {role} LOGIN")
        reader = SimpleNamespace(**vars(connection) | {"login": role})
        refused = "^the database of the connection warehouse refuses: permission denied .*: let its user make schemas there"
        try:
            with warehouse.connect(reader) as database, pytest.raises(AirflowFailException, match=refused):
                warehouse.load(database, _partition(tmp_path, [_row(1)]), DAY)
        finally:
            server.execute(f"DROP ROLE {role}")
