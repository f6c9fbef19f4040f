"""The DAG csv_transform: a CSV file through pandas, whole or absent, with every rejected row."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import csv_transform
import pandas
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import sales_frames
from sales_files import DAY, GOOD, HEADER, rows, use, write

RESULT, QUARANTINE = f"csv_transform/date={DAY}", f"quarantine/csv_transform/date={DAY}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data and output, which the DAG works on."""
    use(monkeypatch, csv_transform, tmp_path)
    return tmp_path


def _clean(root: Path) -> pandas.DataFrame:
    return pandas.read_csv(root / "output" / RESULT / f"sales_{DAY}.csv", dtype=str)


def test_should_write_typed_columns_and_the_amount_for_everybody_of_the_group(root: Path) -> None:
    write(root / "data/sales", GOOD, '2,2026-01-15T23:59:59+09:00,C2,P2,"toys, games",1,10,부산,app', header=f"\ufeff{HEADER}\r")
    manifest = csv_transform.transform(0.1, DAY)
    first, second = _clean(root).to_dict("records")
    assert (first["order_id"], first["quantity"], first["unit_price"], first["amount"]) == ("1", "2", "100.50", "201.00")
    assert (first["ordered_at"], first["region"], second["category"]) == ("2026-01-15T01:00:00Z", "서울", "toys, games")
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_rejected"]) == (2, 2, 0)
    file = root / "output" / RESULT / f"sales_{DAY}.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o664
    assert not any(path.stat().st_mode & stat.S_IWOTH for path in (root / "output").rglob("*") if not path.is_symlink())


def test_should_set_bad_rows_aside_with_their_reason_and_count_every_row(root: Path) -> None:
    bad = {
        "wrong_columns": [GOOD + ",more", "1,2", '"open,' + GOOD],
        "missing_value": [GOOD.replace("C1", "")],
        "wrong_type": [GOOD.replace(",2,", ",two,"), GOOD.replace("100.50", "100.505"), GOOD.replace("T10:00:00+09:00", "")],
        "out_of_range": [GOOD.replace(",2,", ",0,"), GOOD.replace("100", "-100")],
        "wrong_date": [GOOD.replace("-15T", "-14T"), GOOD.replace("T10:00:00+09:00", "T15:00:00Z")],
    }
    foreign = GOOD.encode().replace("서울".encode(), "서울".encode("cp949"))
    lines = [line for group in bad.values() for line in group]
    write(root / "data/sales", GOOD, *lines, foreign, GOOD, "", HEADER)
    manifest = csv_transform.transform(1, DAY)
    assert manifest["rejects_by_reason"] == {"not_utf8": 1} | {reason: len(group) for reason, group in bad.items()}
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (len(lines) + 3, 1, 1)
    found = [json.loads(line) for line in (root / "output" / QUARANTINE / "rejects.jsonl").read_text().splitlines()]
    assert {row["line"] for row in found if row["reason"] != "not_utf8"} == set(lines)


def test_should_give_the_same_result_in_many_pieces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "data/sales", *rows(DAY, 200), *rows(DAY, 20), "1,2")
    csv_transform.transform(0.1, DAY)
    whole = _clean(root)
    monkeypatch.setattr(sales_frames, "PIECE", 7)
    monkeypatch.setattr(sales_frames.pieces, "__defaults__", (7,))
    manifest = csv_transform.transform(0.1, DAY)
    pandas.testing.assert_frame_equal(_clean(root), whole)
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (221, 200, 20)


def test_should_keep_the_old_result_if_too_many_rows_are_rejected(root: Path) -> None:
    write(root / "data/sales", GOOD)
    csv_transform.transform(0.1, DAY)
    write(root / "data/sales", GOOD, "1;2", "3;4")
    with pytest.raises(AirflowFailException, match=r"2 of 3 rows of .* are rejected, more than the limit of 50.00%"):
        csv_transform.transform("0.5", DAY)
    assert len(_clean(root)) == 1
    assert list((root / "output" / ".staging").iterdir()) == []


@pytest.mark.parametrize(
    ("header", "sentence"),
    [(None, "does not exist"), (HEADER.replace(",", ";"), "has the wrong header: expected order_id"), ("", "found $")],
)
def test_should_fail_without_retry_if_the_file_is_missing_or_has_another_header(
    root: Path, header: str | None, sentence: str
) -> None:
    if header is not None:
        write(root / "data/sales", GOOD, header=header)
    with pytest.raises(AirflowFailException, match=sentence):
        csv_transform.transform(0.1, DAY)
    assert not (root / "output" / RESULT).exists()


def test_should_verify_what_was_published_and_refuse_what_was_changed(root: Path) -> None:
    write(root / "data/sales", *rows(DAY, 9))
    manifest = csv_transform.transform(0.1, DAY)
    verify: Any = csv_transform.dag.get_task("verify")
    assert verify.python_callable(manifest)["rows_written"] == 9
    with open(root / "output" / RESULT / f"sales_{DAY}.csv", "a") as file:
        file.write("one more\n")
    with pytest.raises(ValueError, match="holds 10 rows, its manifest says"):
        verify.python_callable(manifest)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.text(st.characters(exclude_characters="\r\n"), max_size=40), st.just(GOOD)), max_size=30))
def test_should_give_every_row_one_fate_whatever_stands_in_it(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = write(folder, *(line.encode("utf-8", "surrogatepass") for line in lines))
    judged = [sales_frames.judge(piece, DAY) for piece in sales_frames.pieces(path)]
    good = sum(int(piece["reason"].isna().sum()) for piece in judged)
    assert good == lines.count(GOOD)
    reasons = {reason for piece in judged for reason in piece["reason"].dropna()}
    assert reasons <= set(sales_frames.REASONS)
