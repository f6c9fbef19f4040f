"""Web server logs on local Spark: lines, sessions, sums that agree, and input that is cut off or not what it seems."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import access_log
import generate_access_log
import inputs
import pytest
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from sales_cases import APPS, DAY

if TYPE_CHECKING:
    import batch
    from pyspark.sql import SparkSession

RESULT, QUARANTINE = "access_log/date=2026-01-15", "quarantine/access_log/date=2026-01-15"
GOOD = '203.0.113.7 - - [15/Jan/2026:10:00:00 +0900] "GET /cart HTTP/1.1" 200 512 "-" "Firefox" 0.120'
BAD = {
    "not_combined": ["hello", GOOD.partition(" 200")[0], GOOD.replace('"Firefox"', '"Fire"fox"'), GOOD.replace(" ", ",")],
    "wrong_time": [GOOD.replace("Jan", "Jam"), GOOD.replace("15/Jan/2026", "32/Jan/2026"), GOOD.replace(" +0900", "")],
    "wrong_status": [GOOD.replace(" 200 ", " OK "), GOOD.replace(" 200 ", " 999 ")],
    "wrong_date": [GOOD.replace("15/Jan", "14/Jan"), GOOD.replace("10:00:00 +0900", "16:00:00 +0000")],
}


def _write(folder: Path, *lines: str | bytes, name: str = "access-web1-2026-01-15.log") -> Path:
    folder.mkdir(exist_ok=True)
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return folder


def _run(folder: Path, output: Path, max_reject_share: float = 1) -> batch.Rows:
    return access_log.run(access_log.check(str(folder), DAY), DAY, str(output), max_reject_share)


def _table(output: Path, name: str) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return parquet.read_table(output / RESULT / name).to_pylist()  # type: ignore[no-any-return]


def _hashes(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("part-*")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_should_split_a_line_into_typed_columns(on_shared_session: SparkSession, tmp_path: Path) -> None:
    escaped = GOOD.replace("Firefox", 'Fire \\"fox\\"').replace(" - - ", " - kim ").replace('"-"', '"https://a.example.com/?q=1"')
    handshake = '203.0.113.9 - - [15/Jan/2026:23:59:59 +0900] "\\x16\\x03\\x01" 400 0 "-" "-" -'
    without_seconds = GOOD.removesuffix(" 0.120").replace(" 512 ", " - ")
    rows = _run(_write(tmp_path / "logs", "\ufeff" + GOOD, "", escaped, handshake, without_seconds), tmp_path)
    assert (rows.read, rows.written, rows.rejected, rows.duplicates) == (4, 4, 0, 0)
    by_agent = {(row["agent"], row["seconds"]): row for row in _table(tmp_path, "requests")}
    first = by_agent["Firefox", decimal.Decimal("0.120")]
    assert (first["method"], first["path"], first["protocol"], first["status"], first["bytes"]) == (
        "GET",
        "/cart",
        "HTTP/1.1",
        200,
        512,
    )
    assert first["at"] == dt.datetime(2026, 1, 15, 1, tzinfo=dt.UTC)
    assert (first["ip"], first["user"], first["referrer"]) == ("203.0.113.7", None, None)
    named = by_agent['Fire \\"fox\\"', decimal.Decimal("0.120")]
    assert (named["user"], named["referrer"]) == ("kim", "https://a.example.com/?q=1")
    broken = by_agent[None, None]
    assert (broken["method"], broken["path"], broken["status"]) == (None, "\\x16\\x03\\x01", 400)
    assert by_agent["Firefox", None]["bytes"] == 0


def test_should_set_each_bad_line_aside_with_its_reason(on_shared_session: SparkSession, tmp_path: Path) -> None:
    lines: list[Any] = [line for group in BAD.values() for line in group]
    foreign = GOOD.replace("Firefox", "@").encode().replace(b"@", "브라우저".encode("cp949"))
    rows = _run(_write(tmp_path / "logs", GOOD, *lines, foreign), tmp_path)
    assert rows.rejects == {"not_utf8": 1} | {reason: len(group) for reason, group in BAD.items()}
    parts = (tmp_path / QUARANTINE).glob("part-*.json")
    found = [json.loads(line) for path in parts for line in path.read_text().splitlines()]
    assert {row["line"] for row in found if row["reason"] != "not_utf8"} == set(lines)
    assert [bytes.fromhex(row["line_hex"]) for row in found if "line_hex" in row] == [foreign]


def test_should_refuse_a_day_of_another_format_and_keep_the_old_result(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _run(_write(tmp_path / "logs", GOOD), tmp_path)
    before = _hashes(tmp_path / RESULT)
    _write(tmp_path / "logs", *(GOOD.replace(" ", ";") for _ in range(9)), GOOD)
    with pytest.raises(UserError, match=r"9 of 10 rows were rejected \(90.00%\), more than the limit of 10.00%: 9 not_combined"):
        _run(tmp_path / "logs", tmp_path, 0.10)
    assert _hashes(tmp_path / RESULT) == before


def test_should_find_what_the_generator_put_in_and_write_the_same_bytes_if_the_day_runs_again(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    report = generate_access_log.generate(DAY, 4_000, 7, str(tmp_path / "logs"))
    rows = _run(tmp_path / "logs", tmp_path, 0.10)
    assert (rows.read, rows.written, rows.rejects) == (report["rows"], report["good"], report["bad"])
    (day,) = _table(tmp_path, "daily")
    assert (day["requests"], day["visitors"], day["sessions"]) == (report["good"], report["visitors"], report["sessions"])
    assert sum(row["requests"] for row in _table(tmp_path, "status_codes")) == report["good"]
    sessions = _table(tmp_path, "sessions")
    assert len({row["session_id"] for row in sessions}) == report["sessions"]
    assert sum(row["bytes"] for row in sessions) == day["bytes"]
    slow = {row["path"]: row for row in _table(tmp_path, "slow_paths")}
    assert max(slow, key=lambda path: slow[path]["p95"]) == "/reports/{n}/export"
    assert all(row["p50"] <= row["p95"] <= row["most"] for row in slow.values())

    first = _hashes(tmp_path / RESULT)
    on_shared_session.conf.set("spark.sql.shuffle.partitions", "7")
    _run(tmp_path / "logs", tmp_path, 0.10)
    assert _hashes(tmp_path / RESULT) == first


@settings(max_examples=1, deadline=None)
@given(st.lists(st.lists(st.integers(0, 86_399), min_size=1, max_size=12, unique=True), min_size=150, max_size=150))
def test_should_end_a_session_after_half_an_hour_without_a_request(spark: SparkSession, visits: list[list[int]]) -> None:
    # One frame of many visitors: each is a case of its own.
    midnight = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
    data = [
        (str(visitor), None, midnight + dt.timedelta(seconds=second), f"/{second}", 200, 1)
        for visitor, seconds in enumerate(visits)
        for second in seconds
    ]
    schema = "visitor string, user string, at timestamp, path string, status int, bytes bigint"
    found = access_log.sessions(spark.createDataFrame(data, schema)).collect()
    expected = []
    for visitor, seconds in enumerate(visits):
        ordered = sorted(seconds)
        groups = [[ordered[0]]]
        for before, second in zip(ordered, ordered[1:], strict=False):
            if second - before > access_log.SESSION_SECONDS:
                groups.append([])
            groups[-1].append(second)
        expected += [(str(visitor), f"/{group[0]}", f"/{group[-1]}", len(group)) for group in groups]
    assert sorted((row.visitor, row.first_path, row.last_path, row.requests) for row in found) == sorted(expected)
    assert len({row.session_id for row in found}) == len(found)


def test_should_refuse_a_compressed_file_that_is_cut_off(tmp_path: Path) -> None:
    _write(tmp_path, *[f"{GOOD}{number}" for number in range(500)], name="access-web1-2026-01-15.log.gz")
    whole = (tmp_path / "access-web1-2026-01-15.log.gz").read_bytes()
    (tmp_path / "access-web1-2026-01-15.log.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is cut off: its upload did not end, send it again"):
        access_log.check(str(tmp_path), DAY)


def test_should_refuse_a_compressed_file_that_is_none(tmp_path: Path) -> None:
    _write(tmp_path, GOOD)
    (tmp_path / "access-web1-2026-01-15.log").rename(tmp_path / "access-web1-2026-01-15.log.gz")
    with pytest.raises(UserError, match="is damaged: Not a gzipped file"):
        access_log.check(str(tmp_path), DAY)


def test_should_read_a_file_once_if_it_was_uploaded_twice_or_packed_meanwhile(
    on_shared_session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("access-web1-2026-01-15.log", "access-web1-2026-01-15.copy.log", "access-web1-2026-01-15.log.gz"):
        _write(tmp_path / "logs", GOOD, name=name)
    assert _run(tmp_path / "logs", tmp_path).read == 1
    assert capsys.readouterr().out.count("is left out: the same content as") == 2


@pytest.mark.parametrize("ending", [".log.part", ".log.tmp", ".log.gz.part", ".log.gz.sha256"])
def test_should_leave_alone_what_is_no_log_or_not_whole_yet(tmp_path: Path, ending: str) -> None:
    _write(tmp_path, GOOD)
    _write(tmp_path, GOOD, GOOD, name=f"access-web2-2026-01-15{ending}")
    assert [Path(file.path).name for file in access_log.check(str(tmp_path), DAY)] == ["access-web1-2026-01-15.log"]


def test_should_refuse_a_file_that_is_still_being_written(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _write(tmp_path / "logs", GOOD)
    transform = access_log.transform

    def transform_while_it_grows(*arguments: Any) -> Any:
        with open(folder / "access-web1-2026-01-15.log", "a") as file:
            file.write(GOOD + "\n")
        return transform(*arguments)

    monkeypatch.setattr(access_log, "transform", transform_while_it_grows)
    with pytest.raises(UserError, match="was changed while it was being read: run again"):
        _run(folder, tmp_path)
    assert not (tmp_path / RESULT).exists()


def test_should_leave_out_files_that_begin_with_a_dot_and_say_if_none_is_left(tmp_path: Path) -> None:
    _write(tmp_path, GOOD, name=".access-web1-2026-01-15.log")
    with pytest.raises(UserError, match=r"no file \*2026-01-15\*\.log or \*2026-01-15\*\.log\.gz in .*: it holds 1 others"):
        access_log.check(str(tmp_path), DAY)
    with pytest.raises(UserError, match="there is no such folder"):
        access_log.check(str(tmp_path / "nowhere"), DAY)


@pytest.mark.parametrize("name", ["access_log", "generate_access_log"])
def test_should_explain_itself_without_importing_spark(name: str) -> None:
    script = f"import sys; sys.path.insert(0, {str(APPS)!r}); import {name}; assert 'pyspark' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    done = subprocess.run([sys.executable, str(APPS / f"{name}.py"), "--help"], capture_output=True, text=True, check=True)
    assert "--date" in done.stdout


def test_should_look_at_a_file_as_it_was_once(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="is empty"):
        inputs.look(tmp_path / "empty")
    with pytest.raises(UserError, match="is a folder"):
        inputs.look(tmp_path)


#: A server in UTC: its file of a day holds nine hours of that day in Seoul, and fifteen of the next.
UTC_FILES = {
    "2026-01-14": ["14/Jan/2026:14:59:59", "14/Jan/2026:15:00:00", "14/Jan/2026:23:59:59", "no log line"],
    "2026-01-15": ["15/Jan/2026:00:00:00", "15/Jan/2026:14:59:59", "15/Jan/2026:15:00:00", "01/Feb/2001:00:00:00", "also none"],
    "2026-01-16": ["16/Jan/2026:00:00:00"],
}


def _utc_logs(folder: Path) -> Path:
    for day, times in UTC_FILES.items():
        lines = [GOOD.replace("15/Jan/2026:10:00:00 +0900", f"{at} +0000") if "/" in at else at for at in times]
        _write(folder, *lines, name=f"access-{day}.log")
    return folder


def test_should_give_each_line_of_a_server_in_utc_to_the_run_of_one_day(on_shared_session: SparkSession, tmp_path: Path) -> None:
    folder, found = _utc_logs(tmp_path / "logs"), {}
    for day in (dt.date(2026, 1, 14), DAY, dt.date(2026, 1, 16), dt.date(2026, 1, 17)):
        if day.day == 17:
            _write(folder, GOOD.replace("15/Jan/2026:10:00:00 +0900", "17/Jan/2026:00:00:00 +0000"), name="access-2026-01-17.log")
        files = access_log.check(str(folder), day, before=1)
        rows = access_log.run(files, day, str(tmp_path), 1, before=1)
        found[day.day] = (rows.read, rows.written, rows.rejects, rows.other_days)
    assert found == {
        14: (2, 1, {"not_combined": 1}, 2),
        15: (6, 4, {"not_combined": 1, "wrong_date": 1}, 3),
        16: (2, 2, {}, 4),
        17: (1, 1, {}, 1),
    }
    lines = sum(len(times) for times in UTC_FILES.values()) + 1
    assert sum(read for read, *_ in found.values()) == lines
    hours = {row["at"].hour for row in _table(tmp_path, "requests")}
    assert hours == {15, 23, 0, 14}
    manifest = json.loads((tmp_path / RESULT / "_manifest.json").read_text())
    assert (manifest["rows_read"], manifest["rows_of_other_days"], len(manifest["inputs"])) == (6, 3, 2)


def test_should_take_the_hours_of_a_server_east_of_us_from_the_file_of_the_day_after(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    # 23:30 in Seoul is 00:30 of the next day in Vladivostok.
    _write(tmp_path / "logs", GOOD.replace("10:00:00 +0900", "12:00:00 +1000"), name="access-2026-01-15.log")
    _write(
        tmp_path / "logs", GOOD.replace("15/Jan/2026:10:00:00 +0900", "16/Jan/2026:00:30:00 +1000"), name="access-2026-01-16.log"
    )
    files = access_log.check(str(tmp_path / "logs"), DAY, after=1)
    rows = access_log.run(files, DAY, str(tmp_path), 0, after=1)
    assert (rows.read, rows.written, rows.other_days) == (2, 2, 0)


def test_should_reject_lines_of_other_days_if_files_are_cut_at_our_midnight(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    rows = _run(_utc_logs(tmp_path / "logs"), tmp_path)
    assert (rows.read, rows.written, rows.rejects) == (5, 2, {"not_combined": 1, "wrong_date": 2})


def test_should_take_a_file_for_that_of_the_first_day_in_its_name(on_shared_session: SparkSession, tmp_path: Path) -> None:
    lines = [GOOD, GOOD.replace("15/Jan", "16/Jan"), "no log line"]
    folder, day_after = _write(tmp_path / "logs", *lines, name="access_2026-01-15_2026-01-16.log"), DAY + dt.timedelta(1)
    _write(folder, GOOD.replace("15/Jan", "16/Jan").replace("/cart", "/a"), name="access_2026-01-16.log")
    assert [Path(file.path).name for file in access_log.check(str(folder), day_after)] == ["access_2026-01-16.log"]
    rows = access_log.run(access_log.check(str(folder), day_after, before=1), day_after, str(tmp_path), 0, before=1)
    assert (rows.read, rows.written, rows.other_days) == (2, 2, 2)


def test_should_pass_over_an_empty_file_of_the_day_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path, GOOD)
    (tmp_path / "access-2026-01-14.log").touch()
    assert len(access_log.check(str(tmp_path), DAY, before=1)) == 1
    assert "rows of 2026-01-15 that it would hold are not read" in capsys.readouterr().out


def test_should_say_which_neighbouring_file_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path, GOOD)
    access_log.main(["--check", "--date", "2026-01-15", "--input", str(tmp_path)])
    assert "no file *2026-01-14*.log or *2026-01-14*.log.gz in" in capsys.readouterr().out
    access_log.main(["--check", "--date", "2026-01-15", "--input", str(tmp_path), "--files-before", "0"])
    assert "no file" not in capsys.readouterr().out


def test_should_give_a_request_of_a_megabyte_a_fate(spark: SparkSession) -> None:
    lines, wanted = [], []
    # Any text but a quote is one of a request or an agent.
    for number, worst in enumerate(("a", "\\\\", '\\"', "/", "/1", "각", " ", "]", '"')):
        lines.append(GOOD.replace(("/cart", "Firefox")[number % 2], (worst * 2**20)[: 2**20]))
        wanted.append("not_combined" if worst == '"' else None)
    for old in ("203.0.113.7", "10:00:00 +0900", "200", "512", "0.120"):
        lines.append(GOOD.replace(old, "9" * 2**20))
    wanted += [None, "wrong_time", "wrong_status", "wrong_bytes", "wrong_seconds"]
    frame = spark.createDataFrame([(line,) for line in lines], "value string").repartition(4)
    found = {row.line: row.reason for row in access_log.transform(frame, DAY).selectExpr("md5(line) AS line", "reason").collect()}
    assert [found[hashlib.md5(line.encode()).hexdigest()] for line in lines] == wanted


NUMBERS = [
    (" 512 ", " -5 ", "wrong_bytes"),
    (" 512 ", " 9223372036854775808 ", "wrong_bytes"),
    (" 512 ", " 1e3 ", "wrong_bytes"),
    (" 512 ", " 12.5 ", "wrong_bytes"),
    (" 512 ", " ５１２ ", "wrong_bytes"),
    (" 512 ", " 9223372036854775807 ", "wrong_bytes"),
    (" 512 ", " 10000000000000 ", "wrong_bytes"),
    (" 512 ", " 9999999999999 ", None),
    (" 512 ", f" {'0' * 30}12 ", None),
    (" 0.120", f" 1.{'1' * 2**20}", None),
    ("/2026:", "/+294248:", "wrong_time"),
    ("/2026:", "/-999999:", "wrong_time"),
    ("/2026:", "/999999999:", "wrong_time"),
    ("/2026:", "/0000:", "wrong_date"),
    ("+0900", "+9900", "wrong_time"),
    ("/2026:", "/9999:", "wrong_date"),
    (" 512 ", " - ", None),
    (" 0.120", " 12345678.000", "wrong_seconds"),
    (" 0.120", f" {'9' * 50}", "wrong_seconds"),
    (" 0.120", " 9999999.999", None),
    (" 200 ", " 200.7 ", "wrong_status"),
    (" 200 ", " +200 ", "wrong_status"),
    (" 200 ", " ２００ ", "wrong_status"),
    ("Firefox", "Fire\0fox", "not_utf8"),
    ("Firefox", "Fire\rfox", None),
]


def test_should_reject_numbers_that_the_columns_cannot_hold(spark: SparkSession) -> None:
    wanted = {GOOD.replace(old, new): reason for old, new, reason in NUMBERS}
    judged = access_log.transform(spark.createDataFrame([(line,) for line in wanted], "value string"), DAY)
    judged = judged.select("line", "reason").collect()
    assert {row.line: row.reason for row in judged} == wanted
