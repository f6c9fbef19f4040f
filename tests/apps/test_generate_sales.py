"""The generator of sales files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import generate_sales
import pytest
from errors import UserError
from sales_cases import APPS, DAY, SHARES


def test_should_write_the_same_bytes_for_the_same_seed_and_others_for_another(tmp_path: Path) -> None:
    files = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        report = generate_sales.generate(DAY, 3_000, seed, str(tmp_path / name), SHARES)
        files.append(Path(str(report["file"])).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_should_write_as_many_rows_and_duplicates_as_it_says(tmp_path: Path) -> None:
    rows = 2 * generate_sales.CHUNK_ROWS + 17
    report = generate_sales.generate(DAY, rows, 3, str(tmp_path), generate_sales.KINDS)
    lines = Path(str(report["file"])).read_bytes().splitlines()
    assert len(lines) - 1 == rows == report["rows"]
    assert sum(count - 1 for count in Counter(lines).values()) == report["duplicates"] == round(rows * 0.007)
    assert report["bad"] == {kind: round(rows * generate_sales.KINDS[kind]) for kind in report["bad"]}  # type: ignore[attr-defined]


def test_should_put_two_percent_of_bad_rows_in_by_default() -> None:
    assert sum(generate_sales.KINDS.values()) == pytest.approx(0.02)


def test_should_write_only_good_rows_if_every_share_is_zero(tmp_path: Path) -> None:
    report = generate_sales.generate(DAY, 1, 1, str(tmp_path), dict.fromkeys(generate_sales.KINDS, 0.0))
    assert (report["good"], report["duplicates"], report["bad"]) == (
        1,
        0,
        {"wrong_type": 0, "wrong_columns": 0, "out_of_range": 0, "not_utf8": 0},
    )


def test_should_leave_no_unfinished_file_if_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generate_sales, "chunks", fail)
    with pytest.raises(OSError, match="No space left"):
        generate_sales.generate(DAY, 10, 1, str(tmp_path), generate_sales.KINDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--date", "2026-02-30"], "is not a date"),
        (["--date", "15/01/2026"], "is not a date"),
        (["--date", "2026-01-15", "--rows", "0"], "--rows must be at least 1"),
        (["--date", "2026-01-15", "--rows", "many"], "invalid int value"),
        (["--date", "2026-01-15", "--wrong-type-share", "2"], "between 0 and 1"),
        (["--date", "2026-01-15", "--rows", "2", "--wrong-type-share", "0.9"], "too few for these shares"),
        (["--rows", "5"], "--date"),
    ],
)
def test_should_end_in_one_sentence_if_an_argument_is_wrong(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        generate_sales.main([*arguments, "--out", str(tmp_path)])


def test_should_print_its_counts_as_one_line_of_json(tmp_path: Path) -> None:
    command = [sys.executable, str(APPS / "generate_sales.py"), "--date", "2026-01-15", "--rows", "1000"]
    result = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=True)
    report = json.loads(result.stdout)
    assert (report["rows"], report["good"], report["duplicates"]) == (1000, 980, 7)


def test_should_end_with_code_2_and_no_traceback_if_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(APPS / "generate_sales.py"), "--date", "2026-01-15", "--rows", "10"]
    result = subprocess.run(
        [*command, "--duplicate-share", "0", "--out", str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("generate_sales: error: ")
    assert result.stderr.count("\n") == 1
