"""Rows that changed on a day out of a real PostgreSQL over JDBC, and a database that changes, drops or refuses meanwhile.

AIRSPARK_WAREHOUSE is the address of a server for tests, such as postgresql://postgres@127.0.0.1:5432/postgres, whose user
may make databases; scripts/test.sh starts one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import db_orders
import errors
import generate_orders
import psycopg
import pytest
from errors import TemporaryError, UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from sales_cases import APPS, DAY, SHORT_LIVED

if TYPE_CHECKING:
    import batch
    from pyspark.sql import SparkSession

RESULT = "db_orders/date=2026-01-15"
PASSWORD = "hidden-password"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of a database of this test's own."""
    address = urlsplit(os.environ["AIRSPARK_WAREHOUSE"])
    name = f"test_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(os.environ["AIRSPARK_WAREHOUSE"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"postgresql://{address.username}@{address.hostname}:{address.port or 5432}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def reader(database: str) -> Iterator[str]:
    """A user whom the server asks for PASSWORD, and who may read nothing yet."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(os.environ["AIRSPARK_WAREHOUSE"], autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
        row = server.execute("SELECT setting, pg_read_file(setting) FROM pg_settings WHERE name = 'hba_file'").fetchone()
        assert row is not None
        file, rules = row

        def write(text: str) -> None:
            # A large object is exported by a statement after the one that makes it.
            made = server.execute("SELECT lo_from_bytea(0, %s)", (text.encode(),)).fetchone()
            assert made is not None
            server.execute("SELECT lo_export(%s, %s)", (made[0], file))
            server.execute("SELECT lo_unlink(%s), pg_reload_conf()", (made[0],))

        write(f"host all {name} all scram-sha-256\n{rules}")
        try:
            _until(lambda: not _answers(database.replace("//postgres@", f"//{name}@")))
            yield name
        finally:
            write(rules)
            _ask(database, f"DROP OWNED BY {name}")
            server.execute(f"DROP ROLE {name}".encode())


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


def _until(holds: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def _source(database: str, table: str = "orders") -> db_orders.Source:
    address = urlsplit(database)
    url = f"jdbc:postgresql://{address.hostname}:{address.port}{address.path}"
    return db_orders.Source(url, str(address.username), PASSWORD, table)


def _ask(database: str, *statements: str) -> None:
    with psycopg.connect(database) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _run(database: str, output: Path, replace: bool = False) -> batch.Rows:
    return db_orders.run(_source(database), DAY, 3, str(output), 1, replace)


def _orders(output: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return parquet.read_table(output / RESULT / "orders").to_pylist()  # type: ignore[no-any-return]


def test_should_read_the_rows_of_the_day_and_no_others_the_same_each_time(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    days = [DAY + dt.timedelta(number) for number in (-1, 0, 1)]
    generate_orders.fill(database, "", days, 500, 7)
    rows = _run(database, tmp_path)
    assert (rows.read, rows.written, rows.rejected, rows.duplicates) == (500, 500, 0, 0)
    expected = {order[0]: order[1:4] for order in generate_orders.orders(DAY, 500, 7)}
    found = _orders(tmp_path)
    assert {row["order_id"]: (row["customer_id"], row["status"], str(row["amount"])) for row in found} == expected
    assert all(row["updated_at"].astimezone(dt.UTC).date() in (DAY, DAY - dt.timedelta(1)) for row in found)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / RESULT).rglob("part-*")}
    on_shared_session.conf.set("spark.sql.shuffle.partitions", "5")
    assert db_orders.run(_source(database), DAY, 1, str(tmp_path), 1) == rows
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / RESULT).rglob("part-*")} == hashes
    manifest = json.loads((tmp_path / RESULT / "_manifest.json").read_text())
    assert manifest["source"]["from"] == "2026-01-15T00:00:00+09:00" and PASSWORD not in json.dumps(manifest)


ORDER = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.none() | st.sampled_from([*db_orders.STATUSES, "lost", "Paid", ""]),
    st.none() | st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2),
    st.none() | st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 2, 1)).map(lambda at: at.replace(tzinfo=dt.UTC)),
)


def _reason(order: tuple[Any, ...]) -> str | None:
    _, _, status, amount, _ = order
    if None in order:
        return "missing_value"
    if amount < 0:
        return "out_of_range"
    return None if status in db_orders.STATUSES else "unknown_status"


@settings(max_examples=2, deadline=None)
@given(st.lists(ORDER, min_size=150, max_size=150))
def test_should_give_each_row_one_fate_and_keep_it_whole_in_its_line(spark: SparkSession, orders: list[tuple[Any, ...]]) -> None:
    # One frame of many rows: each is a case of its own.
    schema = ", ".join(f"{name} {kind}" for name, kind in db_orders.SCHEMA.items())
    found = db_orders.transform(spark.createDataFrame(orders, schema)).collect()
    assert [(row.order_id, row.reason) for row in found] == [(order[0], _reason(order)) for order in orders]
    for row, order in zip(found, orders, strict=True):
        line = json.loads(row.line, parse_float=Decimal)
        assert list(line) == list(db_orders.SCHEMA)
        assert (line["order_id"], line["customer_id"], line["status"], line["amount"]) == order[:4]


def test_should_count_midnight_to_the_day_that_begins(on_shared_session: SparkSession, database: str, tmp_path: Path) -> None:
    _ask(
        database,
        generate_orders.TABLE,
        "INSERT INTO orders VALUES (1, 'C1', 'paid', 1.50, '2026-01-15T00:00:00+09:00'), (2, 'C1', 'paid', 2, "
        "'2026-01-15T23:59:59.999999+09:00'), (3, 'C1', 'paid', 3, '2026-01-16T00:00:00+09:00'), "
        "(4, 'C1', 'paid', 4, '2026-01-14T23:59:59.999999+09:00')",
    )
    _run(database, tmp_path)
    assert sorted((row["order_id"], row["amount"]) for row in _orders(tmp_path)) == [(1, Decimal("1.50")), (2, Decimal("2.00"))]


def test_should_publish_an_empty_day_if_nothing_changed(on_shared_session: SparkSession, database: str, tmp_path: Path) -> None:
    _ask(database, generate_orders.TABLE)
    assert _run(database, tmp_path).read == 0
    assert (tmp_path / RESULT / "_SUCCESS").exists()


def test_should_set_rows_aside_that_fail_a_check(on_shared_session: SparkSession, database: str, tmp_path: Path) -> None:
    _ask(
        database,
        generate_orders.TABLE.replace("NOT NULL", ""),
        "INSERT INTO orders VALUES (1, 'C1', 'paid', 1, '2026-01-15T12:00:00Z'), (2, NULL, 'paid', 1, '2026-01-15T12:00:00Z'), "
        "(3, 'C1', 'paid', -1, '2026-01-15T12:00:00Z'), (4, 'C1', 'lost', 1, '2026-01-15T12:00:00Z')",
    )
    rows = _run(database, tmp_path)
    assert rows.rejects == {"missing_value": 1, "out_of_range": 1, "unknown_status": 1}
    parts = (tmp_path / "quarantine" / RESULT).glob("part-*.json")
    found = [json.loads(json.loads(line)["line"]) for path in parts for line in path.read_text().splitlines()]
    assert {row["order_id"]: row["customer_id"] for row in found} == {2: None, 3: "C1", 4: "C1"}


def test_should_set_a_row_aside_whose_amount_is_no_number_and_take_the_largest_key(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    rows = f"(1, 'C1', 'paid', 'NaN', '2026-01-15T12:00:00Z'), ({2**63 - 1}, 'C1', 'paid', 2, '2026-01-15T12:00:00Z')"
    _ask(database, generate_orders.TABLE, f"INSERT INTO orders VALUES {rows}")
    assert _run(database, tmp_path).rejects == {"missing_value": 1}
    assert [(row["order_id"], row["amount"]) for row in _orders(tmp_path)] == [(2**63 - 1, Decimal("2.00"))]


def test_should_say_in_a_sentence_that_the_key_does_not_tell_rows_apart_and_publish_nothing(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    rows = "(1, 'C1', 'paid', 10, '2026-01-15T12:00:00Z'), (1, 'C1', 'paid', 99, '2026-01-15T13:00:00Z')"
    _ask(database, generate_orders.TABLE.replace(" PRIMARY KEY", ""), f"INSERT INTO orders VALUES {rows}")
    with pytest.raises(UserError, match="the table orders has order_id 1 in more than one row, nothing is published"):
        _run(database, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_should_set_rows_without_a_key_aside_however_many_there_are(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    rows = ", ".join(f"({key}, 'C1', 'paid', 10, '2026-01-15T12:00:00Z')" for key in ("NULL", "NULL", "1"))
    table = generate_orders.TABLE.replace(" PRIMARY KEY", "").replace("NOT NULL", "")
    _ask(database, table, f"INSERT INTO orders VALUES {rows}")
    assert _run(database, tmp_path).rejects == {"missing_value": 2}


def _published(output: Path) -> dict[str, bytes]:
    """Every file that readers see, good rows and rejected ones, by its path."""
    roots = (output / RESULT, output / "quarantine" / RESULT)
    return {str(path): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}


def test_should_keep_a_published_day_if_orders_have_left_it_for_a_later_one_unless_told_to_replace_it(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    generate_orders.fill(database, "", [DAY], 50, 7)
    _ask(database, "UPDATE orders SET status = 'lost' WHERE order_id % 10 = 3")
    _run(database, tmp_path)
    before = _published(tmp_path)
    _ask(database, "UPDATE orders SET updated_at = updated_at + interval '3 days' WHERE order_id % 10 IN (3, 4)")
    with pytest.raises(UserError, match=r"was published with 50 rows, and the database has 40 of that day now.* --replace"):
        _run(database, tmp_path)
    assert _published(tmp_path) == before
    rows = _run(database, tmp_path, replace=True)
    assert (rows.read, rows.rejected, len(_orders(tmp_path))) == (40, 0, 40)


def test_should_publish_a_day_anew_if_rows_of_it_came_late(
    on_shared_session: SparkSession, database: str, tmp_path: Path
) -> None:
    generate_orders.fill(database, "", [DAY], 20, 7)
    _run(database, tmp_path)
    _ask(database, "INSERT INTO orders SELECT order_id + 900000, customer_id, status, amount, updated_at FROM orders LIMIT 1")
    assert _run(database, tmp_path).read == 21


def test_should_compare_a_day_with_what_is_published_of_it_and_with_nothing_if_nothing_is(tmp_path: Path) -> None:
    now = db_orders.Fingerprint(5, 15, 0, 1, 5)
    db_orders.check_not_fewer(tmp_path, now)
    (tmp_path / "_manifest.json").write_text(json.dumps({"fingerprint": now._asdict()}))
    db_orders.check_not_fewer(tmp_path, now)
    db_orders.check_not_fewer(tmp_path, now._replace(rows=6))
    with pytest.raises(UserError, match=f"^{tmp_path} stays as it is: it was published with 5 rows, and the database has 4 of"):
        db_orders.check_not_fewer(tmp_path, now._replace(rows=4))


@pytest.mark.parametrize(("arguments", "replaces"), [([], False), (["--no-replace"], False), (["--replace"], True)])
def test_should_replace_a_day_by_fewer_rows_only_if_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], replaces: bool
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(db_orders, "run", lambda *arguments: asked.append(arguments))
    _main(monkeypatch, "postgresql://postgres@127.0.0.1:1/shop", tmp_path, *arguments)
    assert asked == [(_source("postgresql://postgres@127.0.0.1:1/shop"), DAY, 4, str(tmp_path), 0.10, replaces)]


def _meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something between the first look at the rows and their reading."""
    extract = db_orders.extract

    def later(*arguments: Any) -> Any:
        act()
        return extract(*arguments)

    monkeypatch.setattr(db_orders, "extract", later)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET updated_at = updated_at + interval '1 day' WHERE order_id % 7 = 0",
        "DELETE FROM orders WHERE order_id % 100 = 1",
        "INSERT INTO orders SELECT order_id + 900000, customer_id, status, amount, updated_at FROM orders LIMIT 1",
        "UPDATE orders SET updated_at = updated_at + interval '1 microsecond' WHERE order_id % 100 = 1",
    ],
    ids=["moved out", "deleted", "inserted", "touched"],
)
def test_should_publish_nothing_if_rows_change_while_they_are_read(
    on_shared_session: SparkSession, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    generate_orders.fill(database, "", [DAY], 200, 7)
    _meanwhile(monkeypatch, lambda: _ask(database, statement))
    with pytest.raises(TemporaryError, match="rows changed while they were read, nothing is published"):
        _run(database, tmp_path)
    assert _published(tmp_path) == {}


def test_should_publish_nothing_if_the_database_drops_the_connection_while_it_is_read(
    on_shared_session: SparkSession, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_orders.fill(database, "", [DAY], 200, 7)
    # Each row that is read takes its time, and in the midst of them the server ends the reading connections.
    columns = ", ".join(db_orders.SCHEMA)
    _ask(database, f"CREATE VIEW slow AS SELECT {columns} FROM orders WHERE pg_sleep(0.02) IS NOT NULL")
    threading.Thread(target=_cut, args=(database,), daemon=True).start()
    with pytest.raises(
        TemporaryError, match="^the database is away, nothing is published: .*(terminating|closed|I/O error)"
    ) as e:
        _main(monkeypatch, database, tmp_path, "--table", "slow", "--partitions", "2")
    assert "\n" not in str(e.value)
    assert _published(tmp_path) == {}


def _cut(database: str) -> None:
    """End the connections that read ranges of keys, once."""
    others = (
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'slow.*\"order_id\"'"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        _until(lambda: connection.execute(f"SELECT 1 {others} AND state = 'active'".encode()).fetchone())
        time.sleep(0.3)
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())


def test_should_have_each_row_once_if_spark_reads_again_what_a_dropped_connection_cut_off_and_tell_no_password(
    database: str, tmp_path: Path
) -> None:
    binary = shutil.which("spark-submit")
    if binary is None:
        pytest.skip("needs spark-submit on the PATH")
    generate_orders.fill(database, "", [DAY], 60, 7)
    columns = ", ".join(db_orders.SCHEMA)
    _ask(database, f"CREATE VIEW slow AS SELECT {columns} FROM orders WHERE pg_sleep(0.03) IS NOT NULL")
    (tmp_path / "events").mkdir()
    conf = {
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file:{tmp_path}/events",
    }
    command = [binary, "--master", "local[2,4]", "--driver-memory", "700m", "--driver-java-options", SHORT_LIVED]
    command += [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    command += [str(APPS / "db_orders.py"), "--date", str(DAY), "--table", "slow", "--partitions", "2"]
    source = _source(database)
    variables = {"SOURCE_URL": source.url, "SOURCE_USER": source.user, "SOURCE_PASSWORD": PASSWORD}
    threading.Thread(target=_cut, args=(database,), daemon=True).start()
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "output")], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log[-3000:]
    assert "Lost task" in log
    assert "db_orders: 2026-01-15: 60 rows read = 60 written + 0 rejected + 0 duplicates" in log
    assert {row["order_id"] for row in _orders(tmp_path / "output")} == {row[0] for row in generate_orders.orders(DAY, 60, 7)}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("events" in path.parts and path.stat().st_size for path in written)
    assert PASSWORD not in log
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("ALTER TABLE orders RENAME amount TO total", "amount is missing"),
        ("ALTER TABLE orders ALTER status TYPE integer USING 1", "status is int instead of string"),
        ("ALTER TABLE orders ALTER updated_at TYPE timestamp", "updated_at is timestamp_ntz instead of timestamp"),
        ("ALTER TABLE orders ALTER amount TYPE numeric", r"amount is decimal\(38,18\) instead of decimal\(12,2\)"),
    ],
)
def test_should_say_which_column_is_not_as_expected(
    on_shared_session: SparkSession, database: str, tmp_path: Path, change: str, sentence: str
) -> None:
    _ask(database, generate_orders.TABLE, change)
    with pytest.raises(UserError, match=f"the table orders has other columns than expected: {sentence}"):
        _run(database, tmp_path)


def _main(
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    output: Path,
    *arguments: str,
    user: str = "postgres",
    password: str = PASSWORD,
) -> None:
    source = _source(database)
    for name, value in {"SOURCE_URL": source.url, "SOURCE_USER": user, "SOURCE_PASSWORD": password}.items():
        monkeypatch.setenv(name, value)
    db_orders.main(["--date", str(DAY), "--output", str(output), *arguments])


@pytest.mark.parametrize(
    ("arguments", "user", "sentence"),
    [
        (["--table", "nothing"], "postgres", 'the database refuses: relation "nothing" does not exist'),
        ([], "nobody", 'the database refuses: role "nobody" does not exist'),
        (["--table", "orders; DROP TABLE orders"], "postgres", "is no name of a table"),
        (["--partitions", "0"], "postgres", "--partitions 0: 1 to 64"),
    ],
)
def test_should_say_in_a_sentence_what_the_database_refuses(
    on_shared_session: SparkSession,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    user: str,
    sentence: str,
) -> None:
    _ask(database, generate_orders.TABLE)
    with pytest.raises(UserError, match=sentence) as refused:
        _main(monkeypatch, database, tmp_path, *arguments, user=user)
    assert PASSWORD not in str(refused.value)


def test_should_read_with_the_right_password_and_privilege_alone(
    on_shared_session: SparkSession, database: str, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask(database, generate_orders.TABLE)
    with pytest.raises(UserError, match=f'the database refuses: password authentication failed for user "{reader}"') as refused:
        _main(monkeypatch, database, tmp_path, user=reader, password="hidden-and-wrong")
    assert "hidden" not in str(refused.value)
    with pytest.raises(UserError, match="the database refuses: permission denied for table orders"):
        _main(monkeypatch, database, tmp_path, user=reader)
    _ask(database, f"GRANT SELECT ON orders TO {reader}")
    _main(monkeypatch, database, tmp_path, user=reader)
    assert (tmp_path / RESULT / "_SUCCESS").exists()


def test_should_say_in_a_sentence_that_nobody_listens(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(_: Any) -> None:
        _main(monkeypatch, "postgresql://postgres@127.0.0.1:1/shop", tmp_path)

    assert errors.run("db_orders", main, []) == 75
    said = capsys.readouterr().err
    assert said.startswith("db_orders: error: the database is away, nothing is published: Connection to 127.0.0.1:1 refused")
    assert said.count("\n") == 1


def test_should_say_what_must_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_URL", "jdbc:postgresql://nowhere/x")
    for name in ("SOURCE_USER", "SOURCE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="SOURCE_USER and SOURCE_PASSWORD must be set"):
        db_orders.main(["--date", str(DAY), "--output", str(tmp_path)])


def test_should_show_the_password_in_no_plan(on_shared_session: SparkSession, database: str) -> None:
    generate_orders.fill(database, "", [DAY], 20, 7)
    begin, end = db_orders.bounds(DAY)
    known = db_orders.fingerprint(on_shared_session, _source(database), begin, end)
    frame = db_orders.extract(on_shared_session, _source(database), begin, end, known, 2)
    plan = frame._jdf.queryExecution().toString()  # type: ignore[operator]  # the session is a classic one
    assert "order_id" in plan and PASSWORD not in plan
