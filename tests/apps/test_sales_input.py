"""The checks of the input file that need no Spark, as a user meets them: --check on the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import inputs
import pytest
import sales_etl
import sales_input
from errors import UserError
from sales_cases import APPS, DAY, GOOD


def _check(folder: Path, date: str = "2026-01-15") -> None:
    sales_etl.main(["--check", "--date", date, "--input", str(folder)])


def test_should_accept_a_good_file_without_importing_spark(sales: Callable[..., Path]) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(APPS)!r}); import sales_etl; "
        f"sales_etl.main(['--check', '--date', '2026-01-15', '--input', {str(sales(GOOD))!r}]); "
        "assert 'pyspark' not in sys.modules and 'pyarrow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("header", ["\ufeff{}", "{}\r", '"order_id",{rest}'])
def test_should_accept_the_header_with_a_byte_order_mark_or_crlf_or_quotes(sales: Callable[..., Path], header: str) -> None:
    columns = ",".join(sales_input.COLUMNS)
    folder = sales(GOOD, header=header.format(columns, rest=columns.partition(",")[2]))
    assert not sales_input.check(str(folder), DAY).header.endswith("\r")


@pytest.mark.parametrize("date", ["2026-13-01", "2026-02-30", "20260115", "yesterday", "", "2026-1-5"])
def test_should_reject_a_date_that_is_not_a_date(tmp_path: Path, date: str) -> None:
    with pytest.raises(UserError, match="is not a date: write it as YYYY-MM-DD"):
        _check(tmp_path, date)


def test_should_say_which_files_there_are_if_the_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sales_2026-01-13.csv").write_text("")
    (tmp_path / "sales_2026-01-14.csv").write_text("")
    with pytest.raises(UserError, match=r"does not exist: the folder holds 2 .* the last is sales_2026-01-14.csv"):
        _check(tmp_path)


def test_should_say_so_if_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        _check(tmp_path / "nowhere")


def test_should_reject_an_empty_file(sales: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="is empty"):
        _check(sales(header=None))


@pytest.mark.parametrize("lines", [(), ("", "  ", "")])
def test_should_reject_a_file_with_a_header_and_no_rows(sales: Callable[..., Path], lines: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="has a header and no rows"):
        _check(sales(*lines))


def test_should_name_the_expected_and_the_found_columns_if_the_header_is_wrong(
    sales: Callable[..., Path],
) -> None:
    with pytest.raises(UserError, match="wrong header: expected order_id,ordered_at,.*; found id,date,amount"):
        _check(sales("1,2,3", header="id,date,amount"))


def test_should_notice_a_file_that_changes_while_it_is_read(sales: Callable[..., Path]) -> None:
    file = sales_input.check(str(sales(GOOD)), DAY)
    sales(GOOD, GOOD)
    with pytest.raises(UserError, match="was changed while it was being read"):
        inputs.check_unchanged([file])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--date", "no"],
        ["--date", "2026-01-15", "--input", "/nowhere"],
        ["--date", "2026-01-15", "--max-reject-share", "5"],
        ["--unknown"],
        [],
    ],
)
def test_should_end_with_one_sentence_and_code_2_if_the_user_is_mistaken(arguments: list[str]) -> None:
    command = [sys.executable, str(APPS / "sales_etl.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("sales_etl: error: ")
    assert result.stderr.count("\n") == 1
