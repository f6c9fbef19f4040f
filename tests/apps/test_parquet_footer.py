"""Equal Parquet files have equal footers."""

from __future__ import annotations

import re
from pathlib import Path

import parquet_footer
import pyarrow
import pytest
from pyarrow import parquet

COLUMNS = ["order_id", "region"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two columns and three row groups, each chunk with several encodings."""
    table = pyarrow.table({"order_id": [1, 2, 3], "region": ["서울", "부산", "서울"]})
    parquet.write_table(table, tmp_path / "part-00000.parquet", row_group_size=1)
    return tmp_path / "part-00000.parquet"


def _encodings(file: Path) -> list[tuple[str, ...]]:
    metadata = parquet.read_metadata(file)
    return [
        metadata.row_group(group).column(column).encodings
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]


def _reverse_encodings(file: Path) -> None:
    def reverse(match: re.Match[bytes]) -> bytes:
        text: bytes = match.group()
        count = text[1] >> 4
        return text[:2] + text[2 : 2 + count][::-1] + text[2 + count :]

    content = file.read_bytes()
    for column in COLUMNS:
        content = parquet_footer._pattern(column).sub(reverse, content)
    file.write_bytes(content)


def test_should_write_the_same_bytes_whatever_the_order_of_the_encodings(file: Path) -> None:
    assert parquet_footer.sort_encodings(file, COLUMNS, 3)
    once = file.read_bytes()
    _reverse_encodings(file)
    assert file.read_bytes() != once
    assert parquet_footer.sort_encodings(file, COLUMNS, 3)
    assert file.read_bytes() == once


def test_should_change_nothing_but_the_order(file: Path) -> None:
    table, before, size = parquet.read_table(file), _encodings(file), file.stat().st_size
    _reverse_encodings(file)
    assert parquet_footer.sort_encodings(file, COLUMNS, 3)
    assert parquet.read_table(file) == table
    assert [set(encodings) for encodings in _encodings(file)] == [set(encodings) for encodings in before]
    assert file.stat().st_size == size


@pytest.mark.parametrize(("columns", "row_groups"), [(COLUMNS, 4), ([*COLUMNS, "other"], 3)])
def test_should_leave_a_file_alone_whose_footer_is_not_as_expected(file: Path, columns: list[str], row_groups: int) -> None:
    _reverse_encodings(file)
    before = file.read_bytes()
    assert not parquet_footer.sort_encodings(file, columns, row_groups)
    assert file.read_bytes() == before


def test_should_leave_a_file_alone_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no Parquet at all")
    assert not parquet_footer.sort_encodings(tmp_path / "text", COLUMNS, 1)
