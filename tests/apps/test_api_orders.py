"""Orders of the shop's API on local Spark: typed, each once, and what is none set aside."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import api_orders
import inputs
import pytest
from errors import UserError
from sales_cases import DAY

if TYPE_CHECKING:
    import batch
    from pyspark.sql import SparkSession

RESULT = "api_orders/date=2026-01-15"
GOOD = {
    "order_id": 1,
    "customer_id": "C1",
    "created_at": "2026-01-15T10:00:00+09:00",
    "status": "paid",
    "amount": "10.50",
    "currency": "KRW",
}
BAD: dict[str, list[Any]] = {
    "not_json": ["{", "order_id;customer_id", '"text"'],
    "missing_value": [{**GOOD, "status": None}, {key: value for key, value in GOOD.items() if key != "amount"}, {"id": 1}],
    "wrong_type": [{**GOOD, "order_id": "A-1"}, {**GOOD, "amount": "10.505"}, {**GOOD, "created_at": "yesterday"}],
    "out_of_range": [{**GOOD, "amount": "-1"}],
    "wrong_date": [{**GOOD, "created_at": "2026-01-16T00:00:00+09:00"}],
}


def _run(folder: Path, *orders: Any, max_reject_share: float = 1) -> batch.Rows:
    lines = [one if isinstance(one, (str, bytes)) else json.dumps(one) for one in orders]
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    (folder / "orders_2026-01-15.jsonl").write_bytes(data)
    return api_orders.run(inputs.look(folder / "orders_2026-01-15.jsonl"), DAY, str(folder), max_reject_share)


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


def test_should_publish_nothing_if_a_field_of_the_api_has_another_name(on_shared_session: SparkSession, tmp_path: Path) -> None:
    renamed = [{("state" if key == "status" else key): value for key, value in {**GOOD, "order_id": n}.items()} for n in range(9)]
    with pytest.raises(UserError, match=r"9 of 9 rows were rejected .*: 9 missing_value"):
        _run(tmp_path, *renamed, max_reject_share=0.1)
    assert not (tmp_path / RESULT).exists()


def test_should_check_the_file_without_spark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--check", "--date", "2026-01-15", "--input", str(tmp_path)]
    with pytest.raises(UserError, match="does not exist"):
        api_orders.main(arguments)
    (tmp_path / "orders_2026-01-15.jsonl").write_text("{}\n")
    api_orders.main(arguments)
    assert "has 3 bytes" in capsys.readouterr().out
