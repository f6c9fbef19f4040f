"""Orders of the shop's API on local Spark: typed, each once, and what is none set aside."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import api_orders
import inputs
import pytest
import sales_format
from errors import UserError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sales_cases import APPS, DAY

if TYPE_CHECKING:
    import frames
    from pyspark.sql import DataFrame, SparkSession

RESULT = "api_orders/date=2026-01-15"
GOOD = {
    "order_id": 1,
    "customer_id": "C1",
    "created_at": "2026-01-15T10:00:00+09:00",
    "status": "paid",
    "amount": "10.50",
    "currency": "KRW",
}
TEXT = json.dumps(GOOD)
BAD: dict[str, list[Any]] = {
    "not_json": [
        *("{", "order_id;customer_id", '"text"', "[1]", TEXT + TEXT, f"{TEXT} {TEXT}", f"{TEXT},{TEXT}"),
        *(TEXT + rest for rest in (" garbage", ",", "//x", "}", "]")),
        TEXT.replace('"paid"', '"paid", "status": "cancelled"'),
        TEXT.replace('"10.50"', "NaN"),
    ],
    "missing_value": [
        *({**GOOD, "status": blank} for blank in (None, "", " ", "\t", " \t ")),
        *({**GOOD, name: " "} for name in GOOD),
        *({key: value for key, value in GOOD.items() if key != "amount"}, {"id": 1}),
        {**GOOD, "status": None, "customer_id": [1]},
    ],
    "wrong_type": [
        *({**GOOD, name: value} for name in GOOD for value in ([1], {"a": 1}, True, "x\0", "\ud83d", [])),
        *({**GOOD, "order_id": number} for number in ("A-1", 1.0, 1e3, 2**63, "１")),
        *({**GOOD, "created_at": "yesterday"}, {**GOOD, "created_at": 1768438800}),
        *(
            {**GOOD, "amount": amount}
            for amount in ("10.505", "10.5000001", "10.500000000000000001", 1e-07, "1e-30", "1e2", 1e22)
        ),
        *({**GOOD, "amount": amount} for amount in ("１０.50", "10,50", "99999999999.00")),
        *(TEXT.replace('"10.50"', number) for number in ("1e-30", "1.00000000000000000000001", "1E2", "9" * 5_000)),
    ],
    "out_of_range": [
        *({**GOOD, "amount": amount} for amount in ("-1", "-0.01", -1)),
        *({**GOOD, name: "각" * 341 + "xx"} for name in api_orders.TEXTS),
        TEXT.replace('"C1"', "7" * 1_025),
    ],
    "wrong_date": [{**GOOD, "created_at": "2026-01-16T00:00:00+09:00"}],
}


def _run(folder: Path, *orders: Any, max_reject_share: float = 1) -> frames.Rows:
    lines = [one if isinstance(one, (str, bytes)) else json.dumps(one) for one in orders]
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    (folder / "orders_2026-01-15.jsonl").write_bytes(data)
    return api_orders.run(inputs.look(folder / "orders_2026-01-15.jsonl"), DAY, str(folder), max_reject_share)


def _lines(spark: SparkSession, lines: list[str]) -> DataFrame:
    return spark.createDataFrame([(line,) for line in lines], "value string")


def _table(output: Path, name: str) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return parquet.read_table(output / RESULT / name).to_pylist()  # type: ignore[no-any-return]


def test_should_type_orders_and_add_them_up_by_status(on_shared_session: SparkSession, tmp_path: Path) -> None:
    rows = _run(tmp_path, GOOD, {**GOOD, "order_id": 2, "amount": 5}, {**GOOD, "order_id": 3, "status": "refunded"}, GOOD, "")
    assert (rows.read, rows.written, rows.rejected, rows.duplicates) == (4, 3, 0, 1)
    first = next(row for row in _table(tmp_path, "orders") if row["order_id"] == 1)
    assert (first["customer_id"], first["amount"], first["currency"]) == ("C1", Decimal("10.50"), "KRW")
    found = {(row["status"], row["orders"], row["amount"]) for row in _table(tmp_path, "by_status")}
    assert found == {("paid", 2, Decimal("15.50")), ("refunded", 1, Decimal("10.50"))}


def test_should_set_each_bad_line_aside_with_its_reason(on_shared_session: SparkSession, tmp_path: Path) -> None:
    foreign = json.dumps({**GOOD, "customer_id": "@"}).encode().replace(b"@", "고객".encode("cp949"))
    lines = [line for group in BAD.values() for line in group]
    rows = _run(tmp_path, GOOD, *lines, foreign)
    assert rows.rejects == {"not_utf8": 1} | {reason: len(group) for reason, group in BAD.items()}
    assert rows.written == 1


def test_should_keep_orders_of_one_number_apart_and_leave_out_one_that_is_only_spelled_differently(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    again = {**GOOD, "order_id": "+01", "created_at": " 2026-01-15 01:00:00Z", "amount": 10.5}
    others = [{**GOOD, "status": "refunded"}, {**GOOD, "amount": "10.51"}, {**GOOD, "customer_id": "c1"}]
    rows = _run(tmp_path, again, GOOD, *others, {**others[0], "more": [1]})
    assert (rows.read, rows.written, rows.duplicates) == (6, 4, 2)
    found = [(row["order_id"], row["customer_id"], row["status"], str(row["amount"])) for row in _table(tmp_path, "orders")]
    assert sorted(found) == [
        (1, "C1", "paid", "10.50"),
        (1, "C1", "paid", "10.51"),
        (1, "C1", "refunded", "10.50"),
        (1, "c1", "paid", "10.50"),
    ]


def test_should_keep_texts_as_they_are_up_to_their_longest(spark: SparkSession) -> None:
    texts = [
        "a} {b",
        "{x",
        "[1]",
        " x ",
        "a\tb",
        "\r\n",
        "x" * 1_024,
        "각" * 341,
        "😀",
        "\ufeff",
        "\u00a0",
        "null",
        7,
        1.50,
        "\ufffd",
    ]
    lines = [json.dumps({**GOOD, "customer_id": text, "status": text, "currency": text}) for text in texts]
    found = api_orders.transform(_lines(spark, lines), DAY).collect()
    assert [(row.reason, row.customer_id, row.status, row.currency) for row in found] == [
        (None, *[str(text)] * 3) for text in texts
    ]


#: JSON's own numbers.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


@pytest.mark.parametrize(
    ("name", "column"), [("order_id", "order_id"), ("created_at", "ordered_at"), ("amount", "unit_price")], ids=lambda name: name
)
def test_should_hold_to_the_rule_of_a_sales_row_for_every_text(spark: SparkSession, name: str, column: str) -> None:
    from pyspark.sql import functions as F

    rule = next(one for one in sales_format.TABLE if one.name == column)
    expected: list[tuple[str, str]] = [*rule.good]
    expected += [(text, "wrong_type") for text in rule.wrong] + [(text, "out_of_range") for text in rule.beyond]
    expected += [(text, "missing_value") for text in sales_format.MISSING]
    expected += [(text, "wrong_date") for text in sales_format.OTHER_DAYS if column == "ordered_at"]
    cases = [(text, json.dumps(text), fate) for text, fate in expected]
    cases += [(text, text, fate) for text, fate in expected if NUMBER.fullmatch(text)]
    lines = [json.dumps({**GOOD, name: "@"}).replace('"@"', written) for _, written, _ in cases]
    judged = api_orders.transform(_lines(spark, lines), sales_format.DAY)
    rows = judged.withColumn("created_at", F.unix_micros("created_at")).collect()
    found = []
    for row in rows:
        value = row[name]
        if name == "created_at" and row.reason is None:
            at = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=value)
            value = f"{at.isoformat()}Z"
        found.append(row.reason or str(value))
    assert [(text[:60], seen) for (text, _, _), seen in zip(cases, found, strict=True)] == [
        (text[:60], fate) for text, _, fate in cases
    ]
    assert len(cases) > 50


def test_should_judge_a_megabyte_in_any_field(spark: SparkSession) -> None:
    fates: dict[str, tuple[str, str, str | None]] = {
        # Of a text, of a time, of a number.
        " ": ("missing_value", "missing_value", "missing_value"),
        "0": ("out_of_range", "wrong_type", None),
        **{
            part: ("out_of_range", "wrong_type", "wrong_type")
            for part in ("9", "x", "[", "}", '"', "\\", "각", "-", ":", "1.", "\n")
        },
    }
    cases = []
    for part, (text, time, number) in fates.items():
        kinds = dict.fromkeys(api_orders.TEXTS, text) | {"created_at": time, "order_id": number, "amount": number}
        cases += [({**GOOD, name: part * (2**20 // len(part))}, name, part, fate) for name, fate in kinds.items()]
    found = []
    for begin in range(0, len(cases), 20):
        lines = _lines(spark, [json.dumps(case[0]) for case in cases[begin : begin + 20]])
        found += [row.reason for row in api_orders.transform(lines, DAY).select("reason").collect()]
    assert [(*case[1:3], reason) for case, reason in zip(cases, found, strict=True)] == [case[1:] for case in cases]


def test_should_publish_nothing_if_a_field_of_the_api_has_another_name(on_shared_session: SparkSession, tmp_path: Path) -> None:
    renamed = [{("state" if key == "status" else key): value for key, value in {**GOOD, "order_id": n}.items()} for n in range(9)]
    with pytest.raises(UserError, match=r"9 of 9 rows were rejected .*: 9 missing_value"):
        _run(tmp_path, *renamed, max_reject_share=0.1)
    assert not (tmp_path / RESULT).exists()


def test_should_publish_empty_tables_for_a_day_without_orders(on_shared_session: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "orders_2026-01-15.jsonl"
    file.touch()
    rows = api_orders.run(api_orders.look(file), DAY, str(tmp_path), 0)
    assert (rows.read, rows.written) == (0, 0)
    assert (tmp_path / RESULT / "_SUCCESS").exists()
    assert _table(tmp_path, "orders") == _table(tmp_path, "by_status") == []


def test_should_write_the_same_bytes_again_and_the_orders_of_the_api_exactly(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_file_location("shop_api", APPS.parent / "images/shop-api/server.py")
    assert spec and spec.loader
    shop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shop)
    orders = shop.orders("2026-01-15", 400)
    hashes = []
    for shuffled in (orders + orders[:30], orders[:30] + orders[::-1]):
        rows = _run(tmp_path, *shuffled)
        assert (rows.read, rows.written, rows.rejected, rows.duplicates) == (430, 400, 0, 30)
        parts = sorted((tmp_path / RESULT).rglob("part-*"))
        hashes.append([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in parts])
    assert hashes[0] == hashes[1]
    found = {row["order_id"]: (row["customer_id"], row["status"], str(row["amount"])) for row in _table(tmp_path, "orders")}
    assert found == {order["order_id"]: (order["customer_id"], order["status"], order["amount"]) for order in orders}
    assert sum(row["amount"] for row in _table(tmp_path, "by_status")) == sum(Decimal(order["amount"]) for order in orders)


#: Values that an API may send in any field.
VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.just([1]), st.just({"a": 1}), st.sampled_from(["1", "-0.01", "1e3", "2026-01-15", "2026-01-15T10:00:00Z"]),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(api_orders.COLUMNS), VALUE), min_size=60, max_size=60))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_should_lose_no_order_whatever_its_fields_hold(spark: SparkSession, changes: list[dict[str, Any]]) -> None:
    lines = [json.dumps({**GOOD, "order_id": number, **change}) for number, change in enumerate(changes)]
    judged = api_orders.transform(_lines(spark, lines), DAY).collect()
    assert sorted(row.line for row in judged) == sorted(lines)
    assert {row.reason for row in judged} <= {None, *api_orders.REASONS}
    for row in judged:
        if row.reason is None:
            assert row.amount >= 0 and row.created_at.date() == DAY and all(row[name] != "" for name in api_orders.COLUMNS)
            assert None not in [row[name] for name in api_orders.COLUMNS], row


def test_should_check_the_file_without_spark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--check", "--date", "2026-01-15", "--input", str(tmp_path)]
    with pytest.raises(UserError, match="does not exist"):
        api_orders.main(arguments)
    (tmp_path / "orders_2026-01-15.jsonl").write_text("{}\n")
    api_orders.main(arguments)
    assert "has 3 bytes" in capsys.readouterr().out
