"""What classic_pipeline and taskflow_pipeline have in common: their totals of a file; test_real_runs.py runs both."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from pipelines import sales_frames, totals
from sales_files import DAY, GOOD, write


def _totals(root: Path, source: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what becomes of the file in root."""
    return totals.transform(source or totals.extract(DAY, str(root)), "test", str(root / "output"))


def test_should_add_up_each_good_row_once(tmp_path: Path) -> None:
    write(tmp_path, *[GOOD] * 9, GOOD.replace("1,2026", "2,2026"), GOOD.replace("books", "toys"), "1,2")
    found = _totals(tmp_path)
    assert found["totals"] == [
        {"category": "books", "orders": 2, "items": 4, "revenue": "402.00"},
        {"category": "toys", "orders": 1, "items": 2, "revenue": "201.00"},
    ]
    assert [found["counts"][f"rows_{count}"] for count in ("read", "written", "rejected", "duplicate")] == [12, 3, 1, 8]
    quarantine = tmp_path / "output/quarantine/test" / f"date={DAY}"
    (rejected,) = map(json.loads, (quarantine / "rejects.jsonl").read_text().splitlines())
    assert (rejected["reason"], rejected["line"]) == ("wrong_columns", "1,2")
    assert json.loads((quarantine / "_manifest.json").read_text())["rejects_by_reason"] == {"wrong_columns": 1}


def test_should_add_up_exactly_whatever_the_size_of_ids_and_amounts(tmp_path: Path) -> None:
    line = GOOD.replace("2,100.50", "9999,9999999999.99")
    bad = GOOD.replace(",2,", ",two,")
    write(tmp_path, *(line.replace("1,2026", f"{20260115 * 10**9 + one},2026") for one in range(1_000)), bad)
    (row,) = _totals(tmp_path)["totals"]
    assert (row["orders"], row["items"], row["revenue"]) == (1_000, 9_999_000, "99989999999900010.00")


def test_should_fail_with_the_rejected_rows_set_aside_if_too_many_of_them_are_bad(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "1;2", b"\x80\x00\xff")
    quarantine = tmp_path / "output/quarantine/test" / f"date={DAY}"
    with pytest.raises(AirflowFailException, match=rf"2 of 3 rows were rejected .* see {quarantine}$"):
        _totals(tmp_path)
    assert len((quarantine / "rejects.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("change", ["grows", "goes", "other bytes"])
def test_should_fail_without_retry_if_the_file_changed_between_its_tasks(tmp_path: Path, change: str) -> None:
    source = totals.extract(DAY, str(write(tmp_path, GOOD).parent))
    if change == "goes":
        (tmp_path / f"sales_{DAY}.csv").unlink()
    else:
        path = write(tmp_path, *[GOOD.replace("books", "BOOKS")] * (2 if change == "grows" else 1))
        os.utime(path, ns=(0, source["looked_at"]["modified_ns"] + (change == "other bytes")))
    with pytest.raises(AirflowFailException, match=r"^the input file .* was (changed|removed) while it was being read"):
        _totals(tmp_path, json.loads(json.dumps(source)))
    assert not (tmp_path / "output/quarantine").exists()


def test_should_give_no_totals_of_a_part_if_the_file_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, GOOD)
    source, pieces = totals.extract(DAY, str(tmp_path)), sales_frames.pieces

    def growing(*arguments: Any) -> Any:
        yield from pieces(*arguments)
        with open(path, "a", encoding="utf-8") as file:
            file.write(GOOD.replace("1,2026", "2,2026") + "\n")

    monkeypatch.setattr(sales_frames, "pieces", growing)
    with pytest.raises(AirflowFailException, match=r"was changed while it was being read: run again$"):
        _totals(tmp_path, source)
    assert not (tmp_path / "output/quarantine").exists()


def test_should_fail_without_retry_if_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="does not exist"):
        totals.extract(DAY, str(tmp_path))


def test_should_publish_an_empty_table_for_a_file_without_good_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MAX_REJECT_SHARE", 1)
    write(tmp_path, "1,2")
    source = totals.extract(DAY, str(tmp_path))
    totals.load(_totals(tmp_path, source), source, "empty", str(tmp_path / "output"))
    result = tmp_path / "output/empty" / f"date={DAY}"
    assert (result / "totals.csv").read_text().splitlines() == ["category,orders,items,revenue"]
    assert json.loads((result / "_manifest.json").read_text())["rows_rejected"] == 1


def test_should_hand_on_little_however_many_rows_there_are(tmp_path: Path) -> None:
    write(tmp_path, *(GOOD.replace("1,2026", f"{one},2026") for one in range(1_000)), *["1,2"] * 50)
    source = totals.extract(DAY, str(tmp_path))
    assert len(json.dumps(source)) < 1_000 and len(json.dumps(_totals(tmp_path, source))) < 1_000
