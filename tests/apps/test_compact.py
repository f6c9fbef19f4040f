"""Compaction on local Spark: fewer files, the same rows, and nothing lost whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import batch
import compact
import frames
import publish
import pyarrow
import pytest
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sales_cases import DAY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATH = "sales/date=2026-01-15"
TARGET = 2**20
ROWS = [{"id": number, "name": None if number % 7 == 0 else f"이름 {number % 5}", "amount": number / 4} for number in range(200)]


def _publish(output: Path, tables: dict[str, int], path: str = PATH, rows: list[dict[str, Any]] = ROWS) -> None:
    """Publish a partition whose tables have that many files each."""
    with publish.staging(output, "test") as stage:
        made = stage / "made"
        for table, files in tables.items():
            (made / table).mkdir(parents=True, exist_ok=True)
            for number in range(files):
                part = pyarrow.Table.from_pylist(rows[number::files], schema=pyarrow.Table.from_pylist(rows).schema)
                parquet.write_table(part, made / table / f"part-{number:05}.snappy.parquet")
        (made / "_SUCCESS").touch()
        (made / "_notes.txt").write_text("kept")
        batch.write_manifest(made, {"name": "sales", "partition": "date=2026-01-15", "rows_written": len(rows)})
        publish.publish(output, path, made)


def _rows(folder: Path) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in parquet.ParquetDataset(folder.resolve()).read().to_pylist())


def _manifest(output: Path) -> dict[str, Any]:
    return json.loads((output / PATH / "_manifest.json").read_text())  # type: ignore[no-any-return]


def _run(output: Path, *more: str) -> None:
    compact.main(["--output", str(output), *more])


def test_should_write_fewer_files_with_the_same_rows_and_say_so_in_the_manifest(
    on_shared_session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _publish(tmp_path, {"": 8})
    before, rows = _manifest(tmp_path), _rows(tmp_path / PATH)
    (old,) = publish.published(tmp_path)
    _run(tmp_path)
    assert [path.name for path in (tmp_path / PATH).glob("*.parquet")] == ["part-00000.snappy.parquet"]
    assert sorted(path.name for path in (tmp_path / PATH).iterdir()) == [
        "_SUCCESS", "_manifest.json", "_notes.txt", "part-00000.snappy.parquet",
    ]  # fmt: skip
    assert _rows(tmp_path / PATH) == rows
    after = _manifest(tmp_path)
    size = (tmp_path / PATH / "part-00000.snappy.parquet").stat().st_size
    assert after["files"] == [{"name": "part-00000.snappy.parquet", "bytes": size, "rows": len(ROWS)}]
    assert after["bytes"] == size
    assert after["compacted_from"] == {"version": old.version, "files": 8, "bytes": before["bytes"]}
    assert {key: after[key] for key in ("name", "partition", "rows_written")} == {
        key: before[key] for key in ("name", "partition", "rows_written")
    }
    assert f"compact: {PATH}: 8 files → 1" in capsys.readouterr().out


CELLS = st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text("ab", max_size=2), st.none() | st.booleans())


@settings(max_examples=8, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=12), st.randoms(use_true_random=False), CELLS)
def test_should_have_one_checksum_of_the_same_rows_and_another_of_others(
    spark: SparkSession, rows: list[tuple[Any, ...]], randomness: random.Random, other: tuple[Any, ...]
) -> None:
    schema = "number int, text string, flag boolean"
    shuffled = randomness.sample(rows, len(rows))
    changed = [other, *shuffled[1:]]
    found = compact.fingerprint(spark.createDataFrame(rows, schema))
    assert found == compact.fingerprint(spark.createDataFrame(shuffled, schema).repartition(2))
    assert (found == compact.fingerprint(spark.createDataFrame(changed, schema))) == (other == shuffled[0])


def test_should_do_nothing_the_second_time_and_not_start_spark(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _publish(tmp_path, {"": 3})
    _run(tmp_path)
    (once,) = publish.published(tmp_path)
    monkeypatch.setattr(batch, "session", lambda: pytest.fail("it started Spark"))
    _run(tmp_path)
    assert publish.published(tmp_path) == [once]
    assert capsys.readouterr().out.endswith("compact: no partition has anything to gain\n")


def test_should_rewrite_only_the_tables_of_a_partition_that_gain(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _publish(tmp_path, {"orders": 4, "totals": 1})
    total = (tmp_path / PATH / "totals" / "part-00000.snappy.parquet").read_bytes()
    _run(tmp_path)
    assert [file["name"] for file in _manifest(tmp_path)["files"]] == [
        "orders/part-00000.snappy.parquet",
        "totals/part-00000.snappy.parquet",
    ]
    assert (tmp_path / PATH / "totals" / "part-00000.snappy.parquet").read_bytes() == total
    assert _rows(tmp_path / PATH / "orders") == _rows(tmp_path / PATH / "totals")


def test_should_write_the_same_bytes_from_the_same_rows_in_other_files(on_shared_session: SparkSession, tmp_path: Path) -> None:
    hashes = []
    for files, rows in ((3, ROWS), (9, ROWS[::-1])):
        _publish(tmp_path / str(files), {"": files}, rows=rows)
        _run(tmp_path / str(files))
        (part,) = (tmp_path / str(files) / PATH).glob("*.parquet")
        hashes.append(hashlib.sha256(part.read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]


def test_should_make_as_many_files_as_the_target_asks_for(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _publish(tmp_path, {"": 20})
    size = _manifest(tmp_path)["bytes"]
    (job,) = compact.candidates(str(tmp_path), -(-size // 4), DAY.max)
    assert job.tables == {"": 4}
    compact.compact(on_shared_session, str(tmp_path), job)
    assert 1 < len(_manifest(tmp_path)["files"]) <= 4
    assert len(_rows(tmp_path / PATH)) == len(ROWS)


def test_should_leave_alone_what_is_too_young_quarantined_nested_foreign_or_has_no_true_manifest(tmp_path: Path) -> None:
    _publish(tmp_path, {"": 3}, "sales/date=2026-01-16")
    _publish(tmp_path, {"": 3}, "quarantine/sales/date=2026-01-01")
    _publish(tmp_path, {"": 3}, "models/latest")
    _publish(tmp_path, {"": 3}, "nested/date=2026-01-01", [{"id": 1, "list": [1]}, {"id": 2, "list": []}, {"id": 3, "list": []}])
    _publish(tmp_path, {"": 3}, "broken/date=2026-01-01")
    (tmp_path / "broken/date=2026-01-01/_manifest.json").write_text("{")
    _publish(tmp_path, {"": 3}, "grown/date=2026-01-01")
    (tmp_path / "grown/date=2026-01-01/part-9.parquet").touch()
    (tmp_path / "sales" / "date=2026-01-02").mkdir()
    assert compact.candidates(str(tmp_path), TARGET, DAY.replace(day=16)) == []


def test_should_list_and_change_nothing_with_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _publish(tmp_path, {"": 3})
    there = publish.published(tmp_path)
    _run(tmp_path, "--check", "--partition", PATH)
    assert f"compact: {PATH}: 3 files of " in capsys.readouterr().out
    assert publish.published(tmp_path) == there


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--partition", "sales/date=2026-01-01"], "sales/date=2026-01-01 is no published partition of"),
        (["--target-mib", "0"], "--target-mib must be at least 1"),
        (["--before", "yesterday"], "is not a date"),
    ],
)
def test_should_refuse_in_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        _run(tmp_path, *arguments)


def test_should_keep_what_is_published_while_it_works(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = frames.write_table
    for late in (True, False):
        _publish(tmp_path, {"": 4})

        def meanwhile(*arguments: Any, late: bool = late) -> None:
            if late:
                write(*arguments)
            _publish(tmp_path, {"": 5}, rows=ROWS[:50])
            if not late:
                write(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(frames, "write_table", meanwhile)
            _run(tmp_path)
        assert len(_rows(tmp_path / PATH)) == 50 and "compacted_from" not in _manifest(tmp_path)
        assert "is left alone: it was published anew meanwhile" in capsys.readouterr().out
    assert list((tmp_path / ".staging").iterdir()) == []


def test_should_publish_nothing_if_a_row_is_lost(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(tmp_path, {"": 4})
    there, write = publish.published(tmp_path), frames.write_table
    monkeypatch.setattr(frames, "write_table", lambda frame, *more: write(frame.where("id <> 3"), *more))
    with pytest.raises(RuntimeError, match=r"would have \(199, .*in place of \(200, "):
        _run(tmp_path)
    assert publish.published(tmp_path) == there


def test_should_tell_rows_apart_but_not_their_order_or_their_files(spark: SparkSession) -> None:
    rows = spark.range(500).selectExpr("id % 40 AS id", "if(id % 3 = 0, null, cast(id % 5 AS string)) AS name")
    first = compact.fingerprint(rows)
    assert first[0] == 500
    assert compact.fingerprint(rows.repartition(7, "name").orderBy("name", "id")) == first
    assert compact.fingerprint(rows.unionAll(rows.limit(1))) != first
    assert compact.fingerprint(rows.replace({"4": "5"}, subset=["name"])) != first
    assert compact.fingerprint(rows.where("false")) == (0, 0)


def test_should_tell_a_null_in_one_column_from_a_null_in_the_next(spark: SparkSession) -> None:
    first, second = (spark.sql(f"SELECT {row}") for row in ("1 AS a, int(null) AS b", "int(null) AS a, 1 AS b"))
    assert compact.fingerprint(first) != compact.fingerprint(second)
