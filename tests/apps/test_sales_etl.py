"""The Spark application on local Spark: schema, bad rows, and the same bytes however often it runs."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import generate_sales
import pandas
import publish
import pyarrow.dataset
import pyarrow.parquet
import pytest
import sales_etl
import sales_input
import vectors
from errors import UserError
from sales_cases import DAY, GOOD, SHARES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SALES = "sales/date=2026-01-15"
QUARANTINE = "quarantine/sales/date=2026-01-15"
SCHEMA = [
    ("order_id", "bigint"),
    ("ordered_at", "timestamp"),
    ("customer_id", "string"),
    ("product_id", "string"),
    ("category", "string"),
    ("quantity", "int"),
    ("unit_price", "decimal(12,2)"),
    ("region", "string"),
    ("channel", "string"),
    ("amount", "decimal(18,2)"),
]
BAD: dict[str, list[Any]] = {
    "not_utf8": [GOOD.replace("서울", "@").encode().replace(b"@", "서울".encode("cp949"))],
    "wrong_columns": ["1,2", GOOD + ",more", GOOD.rpartition(",")[0], '"unclosed,' + GOOD],
    "missing_value": [GOOD.replace("C1", ""), GOOD.replace(",books", ","), "," + GOOD.partition(",")[2]],
    "wrong_type": [
        GOOD.replace("1,2026", "A-1,2026"),
        GOOD.replace("2026-01-15T10:00:00+09:00", "yesterday"),
        GOOD.replace("T10:00:00+09:00", ""),
        GOOD.replace(",2,", ",two,"),
        GOOD.replace(",2,", ",1.5,"),
        GOOD.replace("100.50", "N/A"),
        GOOD.replace("100.50", "100.505"),
        GOOD.replace("100.50", "100.50001"),
        GOOD.replace("100.50", "99999999999.00"),
        GOOD.replace("100.50", "9999999999.9999"),
    ],
    "out_of_range": [
        GOOD.replace(",2,", ",0,"),
        GOOD.replace(",2,", ",10000,"),
        GOOD.replace(",2,", ",2000000,"),
        GOOD.replace("100", "-100"),
    ],
    "wrong_date": [GOOD.replace("-15T", "-14T"), GOOD.replace("T10:00:00+09:00", "T15:00:00Z")],
}


def _hashes(folder: Path, pattern: str = "part-*") -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)}


def _manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "_manifest.json").read_text())  # type: ignore[no-any-return]


def _rejects(output: Path) -> list[dict[str, str]]:
    lines = [line for path in (output / QUARANTINE).glob("part-*.json") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A generated file that is read in two splits, and the generator's report of it."""
    folder = tmp_path_factory.mktemp("generated")
    return folder, generate_sales.generate(DAY, 20_000, 7, str(folder), SHARES)


@pytest.fixture
def two_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small inputs behave like large ones: several ranges, several Parquet files."""
    monkeypatch.setattr(vectors, "RANGE", 2**19)


def test_should_write_typed_columns_and_the_amount(
    spark: SparkSession, etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    rows = etl(sales(GOOD, "", '2,2026-01-15T23:59:59+09:00,C2,P2,"toys, games",1,10,부산,"a ""b"""'), tmp_path)
    result = spark.read.parquet(str(tmp_path / "sales")).orderBy("order_id")
    assert result.dtypes == [*SCHEMA, ("date", "date")]
    first, second = result.collect()
    assert first.asDict() == {
        "order_id": 1,
        "ordered_at": first.ordered_at,
        "customer_id": "C1",
        "product_id": "P1",
        "category": "books",
        "quantity": 2,
        "unit_price": decimal.Decimal("100.50"),
        "region": "서울",
        "channel": "web",
        "amount": decimal.Decimal("201.00"),
        "date": DAY,
    }
    assert first.ordered_at.timestamp() == dt.datetime.fromisoformat("2026-01-15T10:00:00+09:00").timestamp()
    assert (second.category, second.channel) == ("toys, games", 'a "b"')
    assert (rows.read, rows.written, rows.rejected, rows.duplicates) == (2, 2, 0, 0)


def test_should_set_each_bad_row_aside_with_its_reason(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    lines = [line for group in BAD.values() for line in group]
    rows = etl(sales(GOOD, *lines), tmp_path, max_reject_share=1)
    assert rows.rejects == {reason: len(group) for reason, group in BAD.items()}
    assert (rows.read, rows.written) == (1 + len(lines), 1)
    found: dict[str, set[Any]] = {}
    for row in _rejects(tmp_path):
        line = bytes.fromhex(row["line_hex"]) if "line_hex" in row else row["line"]
        found.setdefault(row["reason"], set()).add(line)
    assert found == {reason: set(group) for reason, group in BAD.items()}


def test_should_write_equal_rows_once_and_keep_rows_that_differ_in_any_column(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    same_order = [GOOD.replace("P1", "P2"), GOOD.replace("web", "app"), GOOD.replace(",2,", ",3,")]
    rows = etl(sales(GOOD, *same_order, GOOD, "2" + GOOD[1:], GOOD), tmp_path)
    assert (rows.read, rows.written, rows.duplicates) == (7, 5, 2)


def test_should_skip_a_header_that_is_repeated_or_has_a_byte_order_mark(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    header = ",".join(sales_input.COLUMNS)
    rows = etl(sales(GOOD, header, "2" + GOOD[1:], header="\ufeff" + header), tmp_path)
    assert (rows.read, rows.written, rows.rejected) == (2, 2, 0)


@pytest.mark.usefixtures("two_files")
def test_should_find_exactly_the_bad_rows_that_the_generator_put_in(
    etl: Callable[..., Any], generated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, report = generated
    rows = etl(folder, tmp_path)
    assert (rows.read, rows.written, rows.duplicates) == (
        report["rows"],
        report["good"],
        report["duplicates"],
    )
    assert rows.rejects == report["bad"]
    manifest = _manifest(tmp_path / SALES)
    keys = ("rows_read", "rows_written", "rows_rejected", "rows_duplicate", "rejects_by_reason")
    assert [manifest[key] for key in keys] == [
        report["rows"],
        report["good"],
        sum(report["bad"].values()),
        report["duplicates"],
        report["bad"],
    ]
    assert manifest["inputs"][0]["sha256"] == hashlib.sha256(Path(report["file"]).read_bytes()).hexdigest()
    assert len(manifest["files"]) > 1
    assert sum(file["rows"] for file in manifest["files"]) == report["good"]
    assert sum(file["bytes"] for file in manifest["files"]) == manifest["bytes"]
    assert sorted(path.name for path in (tmp_path / SALES).iterdir()) == sorted(
        ["_SUCCESS", "_manifest.json", *(file["name"] for file in manifest["files"])]
    )


@pytest.mark.usefixtures("two_files")
def test_should_write_the_same_bytes_if_a_day_runs_again(
    spark: SparkSession, etl: Callable[..., Any], generated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, report = generated
    etl(folder, tmp_path)
    first = _hashes(tmp_path / SALES), _hashes(tmp_path / QUARANTINE)
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    etl(folder, tmp_path)
    assert (_hashes(tmp_path / SALES), _hashes(tmp_path / QUARANTINE)) == first
    assert spark.read.parquet(str(tmp_path / "sales")).count() == report["good"]


def test_should_be_readable_with_pyarrow_and_pandas_through_the_root_of_the_partitions(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    # A row in order, and one that Spark has to look at: they are in files of their own.
    etl(sales(GOOD, GOOD.replace("books", '"books, old"')), tmp_path)
    root = str(tmp_path / "sales")
    table = pyarrow.dataset.dataset(root, format="parquet", partitioning="hive").to_table()
    assert (table.num_rows, table.column("date").to_pylist()) == (2, ["2026-01-15"] * 2)
    frame = pandas.read_parquet(root)
    assert frame["amount"].tolist() == [decimal.Decimal("201.00")] * 2
    assert len({str(pyarrow.parquet.read_schema(file).remove_metadata()) for file in (tmp_path / SALES).glob("*.parquet")}) == 1
    assert len(list((tmp_path / SALES).glob("*.parquet"))) == 2


def test_should_keep_the_old_result_and_publish_the_rejects_if_too_many_rows_are_rejected(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    etl(sales(GOOD), tmp_path)
    before = _hashes(tmp_path / SALES, "*")
    folder = sales(GOOD, "1,2", "3,4", GOOD.replace(",2,", ",x,"))
    with pytest.raises(
        UserError,
        match=r"3 of 4 rows were rejected \(75.00%\), more than the limit of 50.00%: 2 wrong_.*, 1 wrong_",
    ):
        etl(folder, tmp_path, max_reject_share=0.5)
    assert _hashes(tmp_path / SALES, "*") == before
    assert len(_rejects(tmp_path)) == 3
    assert _manifest(tmp_path / QUARANTINE)["rows_rejected"] == 3
    assert list((tmp_path / publish.STAGING).iterdir()) == []


def test_should_replace_the_old_rejects_if_the_mended_file_has_none(
    etl: Callable[..., Any], sales: Callable[..., Path], tmp_path: Path
) -> None:
    etl(sales(GOOD, "1,2"), tmp_path, max_reject_share=0.5)
    assert len(_rejects(tmp_path)) == 1
    etl(sales(GOOD), tmp_path, max_reject_share=0)
    assert _rejects(tmp_path) == []
    assert _manifest(tmp_path / QUARANTINE)["rows_rejected"] == 0


@pytest.mark.usefixtures("two_files")
def test_should_publish_one_whole_result_if_a_day_runs_twice_at_once(
    etl: Callable[..., Any], generated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, report = generated
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: etl(folder, tmp_path), range(2)))
    assert results[0] == results[1]
    assert _manifest(tmp_path / SALES)["rows_written"] == report["good"]
    assert len(list((tmp_path / SALES).glob("*.parquet"))) == len(_manifest(tmp_path / SALES)["files"])
    assert list((tmp_path / publish.STAGING).iterdir()) == []


def test_should_say_that_the_disk_is_full_and_leave_nothing_half_written(
    etl: Callable[..., Any], generated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shutil.disk_usage(shared_memory).free > 2**28:
        pytest.skip("needs a small tmpfs on /dev/shm, as containers have")
    folder = shared_memory / f"full-{os.getpid()}"
    folder.mkdir()
    try:
        with open(folder / "ballast", "wb") as ballast:
            ballast.write(bytes(shutil.disk_usage(folder).free - 300_000))
        arguments = ["--date", str(DAY), "--input", str(generated[0]), "--output", str(folder / "output")]
        with pytest.raises(UserError, match=r"disk is full.*MiB free\): free some space and run again"):
            sales_etl.main(arguments)
        assert not (folder / "output" / SALES).exists()
        assert list((folder / "output" / publish.STAGING).iterdir()) == []
        (folder / "ballast").unlink()
        sales_etl.main(arguments)
        assert _manifest(folder / "output" / SALES)["rows_written"] == generated[1]["good"]
    finally:
        shutil.rmtree(folder)
