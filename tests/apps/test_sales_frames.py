"""The pandas way to clean sales, against the Spark application: both judge each line alike."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import sales_etl
import sales_input
from hypothesis import given, settings
from hypothesis import strategies as st
from sales_cases import DAY, GOOD

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
sys.path.append(str(Path(__file__).parents[2] / "dags"))

from pipelines import sales_frames

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIELDS = GOOD.split(",")
# What stands in a column in the place of a good value.
VALUES = {
    0: ("", "0", "-7", "+7", " 7 ", "007", "20260115000000001", str(2**63 - 1), str(2**63), "A-7", "1.0", "1e3", "1_0", "٣"),
    1: (
        *("", "2026-01-15", "2026-01-15T10:00:00", "2026-01-15 23:59:59", "2026-01-15T00:00:00Z", "2026-01-15T20:00:00Z"),
        *("2026-01-14T23:59:59+09:00", "2026-01-16T00:00:00+09:00", "2026-01-15T25:00:00", "2026-02-30T10:00:00+09:00"),
        *("2026-01-15T10:00:00.123456+09:00", "2026-01-15T00:30:00-09:00", "yesterday, about noon", "2026-01-15T10:00:00+0900"),
    ),
    4: ("", "books", '"books"', '"books, old"', '"', 'b"s'),
    5: ("", "0", "-1", "1", "9999", "10000", "2147483647", "2147483648", "1.5", "two", " 3", "1_0"),
    6: (
        *("", "0", "-1", "0.01", "100.5", "100.505", "100.500", "9999999999.99", "10000000000", "NaN", "inf", ".5", "5.", "1,5"),
        *("100.50001", "100.50000", "100.500000000000000001", "0.00001", "-0.00001"),
    ),
    8: ("", "web", '"web', " "),
}
CELLS = st.fixed_dictionaries({column: st.sampled_from((FIELDS[column], FIELDS[column], *VALUES[column])) for column in VALUES})
LINES = st.lists(CELLS.map(lambda cells: ",".join(cells.get(number, value) for number, value in enumerate(FIELDS))), max_size=300)


def _by_spark(spark: SparkSession, lines: list[str]) -> list[tuple[object, ...]]:
    frame = spark.createDataFrame([(line,) for line in lines], "value string")
    columns = ("order_id", "quantity", "unit_price", "amount", "reason")
    return [
        (*(str(row[name]) for name in columns[:4]), "good") if row["reason"] is None else (row["reason"],)
        for row in sales_etl.transform(frame, DAY).select(*columns).collect()
    ]


def _by_pandas(folder: Path, lines: list[str]) -> list[tuple[object, ...]]:
    path = folder / "sales.csv"
    path.write_text("\n".join((",".join(sales_input.COLUMNS), *lines)) + "\n", encoding="utf-8")
    return [
        (str(row.order_id), str(row.quantity), sales_frames.money(row.unit_price), sales_frames.money(row.amount), "good")
        if row.reason is None
        else (row.reason,)
        for piece in sales_frames.pieces(path)
        for row in sales_frames.judge(piece, str(DAY)).itertuples()
    ]


def test_should_judge_every_value_of_a_column_as_spark_does(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        ",".join(value if number == column else field for number, field in enumerate(FIELDS))
        for column, values in VALUES.items()
        for value in values
    ]
    both = zip(lines, _by_spark(spark, lines), _by_pandas(tmp_path, lines), strict=True)
    assert [(line, spark_says, pandas_says) for line, spark_says, pandas_says in both if spark_says != pandas_says] == []


@settings(max_examples=5, deadline=None)
@given(LINES)
def test_should_judge_any_mixture_of_them_as_spark_does(spark: SparkSession, lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert _by_pandas(Path(folder), lines) == _by_spark(spark, lines)
