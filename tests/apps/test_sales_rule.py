"""One rule for a sales row in every reader: Python, Spark, Arrow, pandas, awk, and the orders of the API.

What each line must become is said by the tables of sales_format, which the page docs/reference/sales-format.md is made of.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import api_orders
import inputs
import pyarrow
import pytest
import sales_etl
import sales_format
import sales_input
import vectors
from sales_cases import APPS
from sales_format import DAY, ZONE
from sales_lines import HEADER, Case, each, mixed

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
sys.path.append(str(Path(__file__).parents[2] / "dags"))

from pipelines import defaults, sales_frames

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCRIPT = Path(__file__).parents[2] / "dags/scripts/clean_csv.sh"
CASES = {"each": each(), "mixed": list(mixed(3_000))}
#: What is behind the last case of a kind, so that a reader that stops early is noticed.
LAST = Case(HEADER.replace("order_id", "7").encode(), "wrong_type")


@pytest.fixture(params=CASES)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Lines with their fates."""
    return [*CASES[request.param], LAST]


@pytest.fixture
def file(cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lines as a file, ended by LF or CRLF, with blank lines and headers between them."""
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    return written(cases, tmp_path)


def written(cases: Sequence[Case], folder: Path) -> Path:
    """Write lines as the file of DAY and return it."""
    chance = random.Random(len(cases))
    between = (b"", b" \t", b"\r", HEADER.encode())
    parts = [b"\xef\xbb\xbf" + HEADER.encode() + b"\n"]
    for case in cases:
        parts += [case.line, b"\r\n" if chance.random() < 0.3 else b"\n"]
        if chance.random() < 0.1:
            parts += [chance.choice(between), b"\n"]
    path = folder / sales_input.file_name(DAY)
    path.write_bytes(b"".join(parts).removesuffix(b"\n"))
    return path


def shown(row: Any) -> tuple[str, ...]:
    """Return the values of a row as the tables write them.

    Args:
        row: order_id and so on; ordered_at aware, unit_price in hundredths.
    """
    at = row.ordered_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    texts = {"ordered_at": at, "unit_price": sales_frames.money(row.unit_price)}
    return tuple(texts.get(name, str(getattr(row, name))) for name in sales_format.COLUMNS)


def differing(cases: Sequence[Case], found: Sequence[tuple[str, tuple[str, ...]]]) -> list[Any]:
    """Return the cases for which something else was found, cut to what can be read."""
    assert len(cases) == len(found)
    return [(case.line[:150], case.reason, fate) for case, fate in zip(cases, found, strict=True) if fate != case[1:]][:5]


def test_should_have_two_thousand_cases_of_every_kind_of_fate() -> None:
    fates = Counter(case.reason for case in CASES["mixed"])
    assert fates.total() >= 2_000
    assert min(fates[reason] for reason in ("", *sales_format.REASONS)) >= 50, fates


def test_should_judge_each_line_as_the_tables_say(cases: list[Case]) -> None:
    fates = [sales_format.judge(case.line, DAY, ZoneInfo(ZONE)) for case in cases]
    assert differing(cases, [(fate, ()) if isinstance(fate, str) else ("", shown(fate)) for fate in fates]) == []


def test_should_judge_each_line_alike_in_spark(spark: SparkSession, cases: list[Case]) -> None:
    from pyspark.sql import functions as F

    frame = spark.createDataFrame([(number, bytearray(case.line)) for number, case in enumerate(cases)], "number int, raw binary")
    lines = frame.repartition(4).select(F.col("raw").cast("string").alias("value"))
    judged = sales_etl.transform(lines, DAY)
    # Python's calendar ends where Spark's goes on.
    plain = judged.select(
        F.col("line").cast("binary").alias("line"),
        "reason",
        F.unix_micros("ordered_at").alias("micros"),
        *(F.col(name).cast("string").alias(name) for name in sales_format.COLUMNS if name != "ordered_at"),
    )
    found: dict[bytes, tuple[str, tuple[str, ...]]] = {}
    for row in plain.collect():
        values: tuple[str, ...] = ()
        if row.reason is None:
            at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=row.micros)
            texts = {"ordered_at": at.isoformat().replace("+00:00", "Z")}
            values = tuple(texts.get(name) or row[name] for name in sales_format.COLUMNS)
        found[bytes(row.line)] = (row.reason or "", values)
    assert differing(cases, [found[case.line] for case in cases]) == []


def test_should_take_by_whole_columns_only_good_rows_with_their_values(cases: list[Case]) -> None:
    good = {case.line: case.values for case in cases if not case.reason}
    taken: dict[tuple[str, ...], int] = Counter()
    left: list[bytes] = []
    # In small pieces, because one odd byte has a whole piece looked at line by line.
    for begin in range(0, len(cases), 50):
        chunk = b"".join(case.line + b"\n" for case in cases[begin : begin + 50])
        table, others = vectors._texts(chunk, sales_format.COLUMNS)
        plain, typed = sales_etl.plain(table, DAY)
        rows = typed.set_column(6, "unit_price", pyarrow.compute.multiply(typed["unit_price"], 100).cast("int64")).to_pylist()
        taken.update(shown(sales_format.Row(**{name: row[name] for name in sales_format.COLUMNS})) for row in rows)
        left += [line for line in others + vectors._joined(table, plain) if line]
    wanted = Counter(good[case.line] for case in cases if not case.reason)
    assert not taken - wanted, list((taken - wanted).items())[:3]
    assert Counter(left) == Counter(case.line for case in cases) - (Counter(case.line for case in cases) - Counter(left))
    assert sum(taken.values()) + len(left) == len(cases)
    assert taken


def test_should_judge_each_line_alike_in_pandas(file: Path, cases: list[Case]) -> None:
    judged = [row for piece in sales_frames.pieces(file, 700) for row in sales_frames.judge(piece, str(DAY)).itertuples()]
    found = [(row.reason, ()) if row.reason else ("", shown(row)) for row in judged]
    assert differing(cases, found) == []


def test_should_clean_each_line_alike_in_bash_and_write_the_bytes_of_pandas(
    file: Path, cases: list[Case], tmp_path: Path
) -> None:
    clean, rejects = tmp_path / "clean.csv", tmp_path / "rejects.csv"
    done = subprocess.run(["bash", SCRIPT, file, clean, rejects, str(DAY), ZONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tally = sales_frames.Tally()
    rows = [line for good, _ in sales_frames.clean(file, str(DAY), tally, 700) for line in sales_frames.csv_lines(good)]
    header = ",".join((*sales_format.COLUMNS, "amount")) + "\n"
    assert clean.read_bytes() == (header + "".join(rows)).encode()
    wanted = list(dict.fromkeys(case.values for case in cases if not case.reason))
    with open(clean, encoding="utf-8", newline="") as stream:
        assert [tuple(row[:-1]) for row in csv.reader(stream)][1:] == wanted
    assert rejects.read_bytes().split(b"\n")[:-1] == [case.reason.encode() + b"," + case.line for case in cases if case.reason]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts == {name: tally.counts()[name] for name in counts}


def test_should_count_the_rows_of_a_file_by_its_bytes_alone(file: Path, cases: list[Case]) -> None:
    assert sales_input.check(str(file.parent), DAY).rows == len(cases)


SPELLINGS = (
    "7,2026-01-15T10:00:00+09:00,C1,P1,books,2,10.50,seoul,web",
    "007,2026-01-15 01:00:00Z,C1,P1,books,+2,10.5,seoul,web",
    '+7,2026-01-15T10:00:00,C1,"P1",books, 2,010.500,seoul,web',
    '7 ,2026-01-15T01:00:00.000 UTC,"C1" ,P1,"books",02,10.5000,seoul,"web"',
    "7,2026-01-15T10:00:00.000000+09,C1,P1,books,2,10.50,seoul,web",
    # Others: a text keeps its spaces, and a microsecond counts.
    "7,2026-01-15T10:00:00+09:00,C1,P1,books,2,10.50,seoul,web ",
    "7,2026-01-15T10:00:00.000001+09:00,C1,P1,books,2,10.50,seoul,web",
)


def test_should_take_rows_with_equal_values_for_copies_however_they_are_spelt(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    path = written([Case(line.encode(), "") for line in SPELLINGS], tmp_path)
    rows = sales_etl.run(sales_input.check(str(tmp_path), DAY), DAY, str(tmp_path / "out"), 0)
    assert (rows.read, rows.written, rows.duplicates) == (7, 3, 4)
    tally = sales_frames.Tally()
    assert sum(len(good) for good, _ in sales_frames.clean(path, str(DAY), tally, 2)) == 3
    assert (tally.read, tally.written, tally.duplicates) == (7, 3, 4)
    command = ["bash", SCRIPT, path, tmp_path / "clean.csv", tmp_path / "rejects.csv", str(DAY)]
    counts = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert counts == {"rows_read": 7, "rows_written": 3, "rows_rejected": 0, "rows_duplicate": 4}
    orders = [{"order_id": 7, "created_at": "2026-01-15T10:00:00+09:00", "amount": 10.5}]
    orders += [{"order_id": "007", "created_at": "2026-01-15 01:00:00Z", "amount": "10.500"}]
    orders += [{"order_id": 7, "created_at": "2026-01-15T10:00:00+09:00", "amount": "10.51"}]
    same = {"customer_id": "C1", "status": "paid", "currency": "KRW"}
    file = tmp_path / "orders_2026-01-15.jsonl"
    file.write_text("\n".join(json.dumps(order | same) for order in orders))
    found = api_orders.run(inputs.look(file), DAY, str(tmp_path / "out"), 0)
    assert (found.read, found.written, found.duplicates) == (3, 2, 1)


@pytest.mark.parametrize("column", ["order_id", "created_at", "amount"])
def test_should_give_a_text_the_same_value_in_an_order_of_the_api(spark: SparkSession, column: str) -> None:
    of = {"order_id": 0, "created_at": 1, "amount": 6}[column]
    table = sales_format.TABLE[of]
    good = {"order_id": "1", "customer_id": "C1", "created_at": "2026-01-15T10:00:00+09:00", "status": "paid", "amount": "10.50"}
    fates = {text: worth for text, worth in table.good} | dict.fromkeys(table.wrong, "wrong_type")
    fates |= dict.fromkeys(table.beyond, "out_of_range") | dict.fromkeys(sales_format.MISSING, "missing_value")
    fates |= dict.fromkeys(sales_format.OTHER_DAYS, "wrong_date") if column == "created_at" else {}
    lines = {text: json.dumps({**good, "currency": "KRW", column: text}) for text in fates}
    judged = api_orders.transform(spark.createDataFrame([(line,) for line in lines.values()], "value string"), DAY)
    from pyspark.sql import functions as F

    shown_at = F.concat(F.date_format(F.to_utc_timestamp("created_at", ZONE), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"), F.lit("Z"))
    value = shown_at if column == "created_at" else F.col(column).cast("string")
    found = {
        row.line: row.fate.replace(".000000Z", "Z")
        for row in judged.select("line", F.coalesce("reason", value).alias("fate")).collect()
    }
    assert {text: found[line] for text, line in lines.items()} == fates


@pytest.mark.parametrize(
    ("day", "zone", "at"),
    [
        (dt.date(2026, 3, 29), "Europe/Berlin", "2026-03-29T02:30:00"),
        (dt.date(2026, 10, 25), "Europe/Berlin", "2026-10-25T02:30:00"),
        (dt.date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T00:30:00"),
        (dt.date(1988, 5, 8), "Asia/Seoul", "1988-05-08T02:30:00"),
    ],
    ids=["an hour that is left out", "an hour that is there twice", "a midnight that is left out", "in Seoul"],
)
def test_should_give_a_time_without_an_offset_the_same_instant_on_a_day_when_clocks_change(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, day: dt.date, zone: str, at: str
) -> None:
    times = [at, f"{day}T00:00:00", f"{day}T23:59:59", f"{day}T12:00:00Z", f"{day + dt.timedelta(1)}T00:00:00", f"{day}T03:30:00"]
    lines = [HEADER.encode(), *(f"{number},{time},C1,P1,books,2,10.50,seoul,web".encode() for number, time in enumerate(times))]
    (tmp_path / "in.csv").write_bytes(b"\n".join(lines))
    judged = [sales_format.judge(line, day, ZoneInfo(zone)) for line in lines[1:]]
    wanted = {one.order_id: one.ordered_at for one in judged if not isinstance(one, str)}
    assert 0 in wanted and len(wanted) < len(times)
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        frame = spark.createDataFrame([(line.decode(),) for line in lines[1:]], "value string")
        rows = (
            sales_etl.transform(frame, day)
            .where("reason IS NULL")
            .selectExpr("order_id", "unix_micros(ordered_at) AS at")
            .collect()
        )
    finally:
        spark.conf.set("spark.sql.session.timeZone", ZONE)
    assert {row.order_id: row["at"] for row in rows} == {key: int(one.timestamp()) * 1_000_000 for key, one in wanted.items()}
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    monkeypatch.setattr(sales_frames, "TIME_ZONE", zone)
    (piece,) = sales_frames.pieces(tmp_path / "in.csv")
    frame = sales_frames.judge(piece, str(day))
    assert {row.order_id: row.ordered_at for row in frame[frame["reason"].isna()].itertuples()} == wanted
    clean = tmp_path / "clean.csv"
    subprocess.run(["bash", SCRIPT, tmp_path / "in.csv", clean, tmp_path / "rejects.csv", str(day), zone], check=True)
    rows = [line.split(",") for line in clean.read_text().splitlines()[1:]]
    assert {int(row[0]): dt.datetime.fromisoformat(row[1]) for row in rows} == wanted
    table, _ = vectors._texts(b"\n".join([*lines[1:], b""]), sales_format.COLUMNS)
    in_order, _ = functools.partial(sales_etl.plain, zone=zone)(table, day)
    assert not any(in_order.to_pylist())


def test_should_judge_a_field_of_a_megabyte_alike_everywhere(spark: SparkSession, tmp_path: Path) -> None:
    worst = (" ", "\t", "0", "9", '"', '""', ",", ".", ":", "-", "a", "각", "\r", "1.", " 0", '" ')
    row = [column.good[0][0] for column in sales_format.TABLE]
    lines = []
    for number, text in enumerate(worst):
        places = {(0, 1, 4, 6, 8)[number % 5], (6, 0, 8)[number % 3]}
        for place in places:
            lines.append(",".join((text * 2**20)[: 2**20] if one == place else row[one] for one in range(len(row))).encode())
    wanted = [sales_format.judge(line, DAY, ZoneInfo(ZONE)) for line in lines]
    reasons = [fate if isinstance(fate, str) else None for fate in wanted]
    frame = spark.createDataFrame([(number, line.decode()) for number, line in enumerate(lines)], "number int, value string")
    judged = sales_etl.transform(frame.select("value").repartition(4), DAY).selectExpr("md5(line) AS line", "reason").collect()
    found = {row.line: row.reason for row in judged}
    assert [found[hashlib.md5(line).hexdigest()] for line in lines] == reasons
    (tmp_path / "in.csv").write_bytes(b"\n".join([HEADER.encode(), *lines]))
    command = ["bash", SCRIPT, tmp_path / "in.csv", tmp_path / "clean.csv", tmp_path / "rejects.csv", str(DAY), ZONE]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    rejected = [line.partition(b",")[0].decode() for line in (tmp_path / "rejects.csv").read_bytes().split(b"\n")[:-1]]
    assert rejected == [reason for reason in reasons if reason]
