"""Lines that are plainly in order, by whole columns: the same rows as when Spark judges each line."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pytest
import sales_etl
import sales_input
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import look
from pyarrow import parquet
from pyspark.sql import functions as F
from sales_cases import DAY, GOOD
from test_sales_frames import FIELDS, LINES, VALUES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

HEADER = ",".join(sales_input.COLUMNS)
# Lines that no reader of CSV likes, in bytes.
ODD = (
    *(b"", b" ", b",", b"1,2", GOOD.encode() + b",more", HEADER.encode(), GOOD.encode() + b" "),
    *(GOOD.replace("서울", "\x00").encode(), b"\x00" + GOOD.encode(), GOOD.encode()[:-4] + b"\xff\xfeweb", b"\xec\x84", b'"' * 3),
    GOOD.replace("C1", '"C,1"').encode(),
)
TEXTS = st.lists(st.one_of(LINES.map("\n".join).map(str.encode), st.sampled_from(ODD), st.just(GOOD.encode())), max_size=40)


def _told(lines: DataFrame) -> list[Row]:
    """What is said of each line; the line itself only if it is rejected."""
    judged = sales_etl.transform(sales_etl.without_header(lines, HEADER), DAY)
    return judged.withColumn("line", F.when(F.col("reason").isNotNull(), F.hex("line"))).collect()


def _told_of_all(spark: SparkSession, path: Path) -> Counter[Row]:
    """What is said of each line if Spark reads it."""
    return Counter(_told(spark.read.text(str(path))))


def _told_in_part(spark: SparkSession, path: Path) -> tuple[Counter[Row], int]:
    """The same if the lines that are plainly in order take the short way; and how many do."""
    folder = path.with_name("plain")
    folder.mkdir()
    judge = functools.partial(sales_etl.plain, date=DAY)
    told = Counter(_told(vectors.other_lines(spark, look(path), sales_input.COLUMNS, judge, folder)))
    files = sorted(map(str, folder.iterdir()))
    assert all(file.endswith(".plain.parquet") for file in files)
    plain = spark.read.parquet(*files).withColumns({"line": F.lit(None), "reason": F.lit(None)}).collect() if files else []
    return told + Counter(plain), len(plain)


@settings(max_examples=6, deadline=None)
@given(st.tuples(TEXTS, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"\xef\xbb\xbf"]), st.booleans()))
def test_should_judge_any_text_as_spark_does_wherever_it_is_divided(
    spark: SparkSession, case: tuple[list[bytes], bytes, bytes, bool]
) -> None:
    texts, end, mark, last = case
    content = mark + end.join([HEADER.encode(), *(line for text in texts for line in text.split(b"\n"))]) + (end if last else b"")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "RANGE", 20_000)
        patch.setattr(vectors, "CHUNK", 3_000)
        path = Path(folder) / "sales.csv"
        path.write_bytes(content)
        assert _told_in_part(spark, path)[0] == _told_of_all(spark, path)


def test_should_judge_every_value_of_a_column_as_spark_does(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        ",".join(value if number == column else field for number, field in enumerate(FIELDS))
        for column, values in VALUES.items()
        for value in values
    ]
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    told, short = _told_in_part(spark, path)
    assert told == _told_of_all(spark, path)
    assert short > 8


def test_should_take_the_short_way_for_every_line_in_order(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([HEADER, *[GOOD] * 1000, ""]), encoding="utf-8")
    told, short = _told_in_part(spark, path)
    assert short == sum(told.values()) == 1000


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_should_hand_on_an_odd_line_byte_by_byte_and_type_the_lines_beside_it(odd: bytes) -> None:
    good = GOOD.encode()
    table, others = vectors._texts(b"\n".join([good, odd, good, b""]), sales_input.COLUMNS)
    plain, typed = sales_etl.plain(table, DAY)
    assert (len(typed), [line for line in others + vectors._joined(table, plain) if line]) in ((2, [odd] if odd else []), (3, []))


def test_should_take_no_short_way_on_a_day_when_clocks_are_put_forward(tmp_path: Path) -> None:
    day = DAY.replace(1988, 5, 8)
    table = pyarrow.table(dict(zip(sales_input.COLUMNS, [[field] for field in FIELDS], strict=True)))
    row = table.set_column(1, "ordered_at", [[f"{day}T10:00:00+09:00"]])
    assert sales_etl.plain(row, day)[0].to_pylist() == [False]


@pytest.mark.parametrize(("at", "plain"), [("12:00:00+02:00", True), ("12:00:00+01:00", False), ("12:00:00+09:00", False)])
def test_should_take_the_short_way_for_times_with_the_days_own_offset_in_another_zone(at: str, plain: bool) -> None:
    table = pyarrow.table(dict(zip(sales_input.COLUMNS, [[field] for field in FIELDS], strict=True)))
    row = table.set_column(1, "ordered_at", [[f"{DAY.replace(month=7)}T{at}"]])
    assert sales_etl.plain(row, DAY.replace(month=7), "Europe/Berlin")[0].to_pylist() == [plain]


def _write(folder: Path, *columns: list[int]) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"part-{number:05d}.parquet" for number in range(len(columns))]
    for path, values in zip(paths, columns, strict=True):
        parquet.write_table(pyarrow.table({"key": pyarrow.array(values, "int64")}), path)
    return paths


@settings(max_examples=5, deadline=None)
@given(st.lists(st.lists(st.integers(-40, 40) | st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=4))
def test_should_find_the_values_that_are_there_more_than_once(spark: SparkSession, columns: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = vectors.repeated(spark, _write(Path(folder) / "in", *columns), "key").collect()
    times = Counter(value for column in columns for value in column)
    assert sorted(row.key for row in found) == sorted(value for value, number in times.items() if number > 1)


def test_should_find_none_in_no_file(spark: SparkSession) -> None:
    assert vectors.repeated(spark, [], "key").count() == 0


def test_should_leave_out_the_chosen_rows_and_move_the_other_files(spark: SparkSession, tmp_path: Path) -> None:
    first, second = _write(tmp_path / "in", [*range(200_000)], [7, 8])
    chosen = [(first.name, 0), (first.name, 131_072), (first.name, 199_999)]
    inode = second.stat().st_ino
    (tmp_path / "out").mkdir()
    copies = spark.createDataFrame(chosen, "file string, row bigint")
    assert vectors.write_without(copies, tmp_path / "in", tmp_path / "out") == 3
    left = parquet.read_table(tmp_path / "out" / first.name)["key"].to_pylist()
    assert left == [value for value in range(200_000) if value not in (0, 131_072, 199_999)]
    assert (tmp_path / "out" / second.name).stat().st_ino == inode
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [first.name, second.name]


def test_should_leave_no_half_file_if_writing_fails(tmp_path: Path) -> None:
    schema = pyarrow.schema([("key", "int64")])
    with pytest.raises(ZeroDivisionError), vectors._writing(tmp_path / "part.parquet", schema, tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
