"""The DAG csv_transform: a CSV file through pandas, whole or absent, with every rejected row."""

from __future__ import annotations

import gc
import json
import stat
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import csv_transform
import pandas
import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipelines import applications, sales_frames
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
    assert (root / "output" / QUARANTINE / "rejects.jsonl").read_bytes() == b""
    file = root / "output" / RESULT / f"sales_{DAY}.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o664
    assert not any(path.stat().st_mode & stat.S_IWOTH for path in (root / "output").rglob("*") if not path.is_symlink())


def test_should_set_bad_rows_aside_with_their_reason_and_count_every_row(root: Path) -> None:
    bad = {
        "wrong_columns": [GOOD + ",more", "1,2", '"open,' + GOOD, "a\rb", "x" * 200_000],
        "missing_value": [GOOD.replace("C1", "")],
        "wrong_type": [
            *(GOOD.replace(",2,", f",{quantity},") for quantity in ("two", "1.5", "1_0", "99999999999")),
            *(GOOD.replace("100.50", price) for price in ("100.505", "nan", "inf", "1e300", "99999999999.00")),
            *(GOOD.replace("1,2026", f"{number},2026") for number in ("A-1", "1.0", 2**63)),
            *(
                GOOD.replace("2026-01-15T10:00:00+09:00", time)
                for time in ("2026-01-15", "2026-01-15T25:00:00", "yesterday around noon")
            ),
        ],
        "out_of_range": [GOOD.replace(",2,", ",0,"), GOOD.replace("100", "-100")],
        "wrong_date": [GOOD.replace("-15T", "-14T"), GOOD.replace("T10:00:00+09:00", "T15:00:00Z")],
    }
    foreign = GOOD.encode().replace("서울".encode(), "서울".encode("cp949"))
    lines = [line for group in bad.values() for line in group]
    write(root / "data/sales", GOOD, *lines, foreign, GOOD, "", HEADER)
    manifest = csv_transform.transform(1, DAY)
    assert manifest["rejects_by_reason"] == {"not_utf8": 1} | {reason: len(group) for reason, group in bad.items()}
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (len(lines) + 3, 1, 1)
    found = [json.loads(line) for line in (root / "output" / QUARANTINE / "rejects.jsonl").read_text().split("\n")[:-1]]
    assert [row["line_hex"] for row in found if row["line_hex"]] == [foreign.hex()]
    assert {row["line"] for row in found if row["reason"] != "not_utf8"} == set(lines)


@pytest.mark.parametrize(
    "spoil", [[], ["x,2026-01-15T10:00:00+09:00,C1,P1,books,2,1.00,서울,web"]], ids=["alone", "beside a bad row"]
)
def test_should_keep_every_digit_of_long_ids_and_large_amounts(root: Path, spoil: list[str]) -> None:
    ids = [20260115000000001, 20260115000000002, 20260115000000003, 2**63 - 1]
    write(
        root / "data/sales",
        *(GOOD.replace("1,2026", f"{one},2026").replace("2,100.50", "9999,9999999999.99") for one in ids),
        *spoil,
    )
    csv_transform.transform(1, DAY)
    assert list(_clean(root)["order_id"]) == [str(one) for one in ids]
    assert set(_clean(root)["amount"]) == {"99989999999900.01"}


def test_should_count_what_the_generator_put_in_and_lose_no_order(root: Path) -> None:
    kinds = {"wrong_type": 0.02, "wrong_columns": 0.015, "out_of_range": 0.01, "not_utf8": 0.005, "duplicate": 0.02}
    generator: Any = applications.load("generate_sales")
    told = generator.generate(date.fromisoformat(DAY), 3_000, 7, str(root / "data/sales"), kinds)
    manifest = csv_transform.transform(0.1, DAY)
    assert manifest["rejects_by_reason"] == told["bad"]
    assert (manifest["rows_read"], manifest["rows_written"]) == (told["rows"], told["good"])
    assert manifest["rows_duplicate"] == told["duplicates"]
    lines = (root / "data/sales" / f"sales_{DAY}.csv").read_bytes().splitlines()
    assert set(_clean(root)["order_id"]) <= {line.split(b",")[0].decode() for line in lines}
    assert _clean(root)["order_id"].is_unique
    assert manifest["inputs"][0]["bytes"] == told["bytes"]


def test_should_take_a_time_without_an_offset_as_one_in_seoul(root: Path) -> None:
    local = [GOOD.replace("10:00:00+09:00", time) for time in ("00:00:00", "23:59:59", "10:00:00.5")]
    write(root / "data/sales", *local, GOOD.replace("T10:00:00+09:00", " 01:00:00Z"))
    csv_transform.transform(0, DAY)
    expected = ["2026-01-14T15:00:00Z", "2026-01-15T14:59:59Z", "2026-01-15T01:00:00.500000Z", "2026-01-15T01:00:00Z"]
    assert list(_clean(root)["ordered_at"]) == expected


def test_should_not_need_more_memory_for_more_rows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A Series and its accessor `str` refer to each other: when the collector finds them is another matter.
    judge = sales_frames.judge
    monkeypatch.setattr(sales_frames, "judge", lambda *arguments: gc.collect() and None or judge(*arguments))
    monkeypatch.setattr(sales_frames.clean, "__defaults__", (500,))
    gc.freeze()
    peaks = []
    for number in (1_000, 4_000):
        write(root / "data/sales", *(GOOD.replace("1,2026", f"{one},2026") for one in range(number)))
        tracemalloc.start()
        csv_transform.transform(0, DAY)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    gc.unfreeze()
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_should_refuse_a_file_that_changes_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root / "data/sales", GOOD)
    pieces = sales_frames.pieces

    def changing(*arguments: Any) -> Any:
        yield from pieces(*arguments)
        path.write_text(f"{HEADER}\n")

    monkeypatch.setattr(sales_frames, "pieces", changing)
    with pytest.raises(Exception, match="was changed while it was being read: run again"):
        csv_transform.transform(0, DAY)
    assert not (root / "output" / RESULT).exists() and not (root / "output" / QUARANTINE).exists()


def test_should_give_the_same_result_in_many_pieces(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "data/sales", *rows(DAY, 200), *rows(DAY, 20), "1,2")
    csv_transform.transform(0.1, DAY)
    whole = _clean(root)
    monkeypatch.setattr(sales_frames.clean, "__defaults__", (7,))
    manifest = csv_transform.transform(0.1, DAY)
    pandas.testing.assert_frame_equal(_clean(root), whole)
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (221, 200, 20)


def test_should_keep_the_old_result_if_too_many_rows_are_rejected(root: Path) -> None:
    write(root / "data/sales", GOOD)
    csv_transform.transform(0.1, DAY)
    write(root / "data/sales", GOOD, "1;2", "3;4")
    with pytest.raises(
        AirflowFailException, match=r"2 of 3 rows were rejected .*, more than the limit of 50.00%: 2 wrong_columns; see "
    ):
        csv_transform.transform("0.5", DAY)
    assert len(_clean(root)) == 1
    assert len((root / "output" / QUARANTINE / "rejects.jsonl").read_text().splitlines()) == 2
    assert list((root / "output" / ".staging").iterdir()) == []


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (None, "does not exist"),
        (HEADER.replace(",", ";"), "has the wrong header: expected order_id"),
        ("", "found a blank line$"),
    ],
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


ANYTHING = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=40)
FIELD = st.one_of(ANYTHING, st.sampled_from(("1", "-0", "9" * 19, "1.5", "100.50", "2026-01-15T10:00:00Z", '"a', '"a\rb"', "")))
LINE = st.one_of(ANYTHING, st.lists(FIELD, min_size=9, max_size=9).map(",".join), st.just(GOOD))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINE, max_size=30))
def test_should_give_every_row_one_fate_whatever_stands_in_it(root: Path, lines: list[str]) -> None:
    write(root / "data/sales", GOOD, *lines)
    manifest = csv_transform.transform(1, DAY)
    blank = sum(not line.strip("\r") or line.rstrip("\r") == HEADER for line in lines)
    assert manifest["rows_read"] == 1 + len(lines) - blank
    assert manifest["rows_read"] == manifest["rows_written"] + manifest["rows_rejected"] + manifest["rows_duplicate"]
    assert set(manifest["rejects_by_reason"]) <= set(sales_frames.REASONS)
    verify: Any = csv_transform.dag.get_task("verify")
    assert verify.python_callable(manifest)["rows_written"] >= 1


def test_should_publish_nothing_if_rows_are_dropped_on_the_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "data/sales", *rows(DAY, 30))
    pieces = sales_frames.pieces
    monkeypatch.setattr(sales_frames, "pieces", lambda *arguments: (piece.iloc[1:] for piece in pieces(*arguments)))
    with pytest.raises(RuntimeError, match=r"^the input holds 30 rows and 29 were read, nothing is published: "):
        csv_transform.transform(1, DAY)
    assert not (root / "output/csv_transform").exists() and not (root / "output" / QUARANTINE).exists()
