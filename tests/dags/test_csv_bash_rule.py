"""The rule for sales files in the shell script of csv_bash: the fate and the bytes of a row are those of the other readers."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import time
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import csv_bash
import pytest
import sales_format
from pipelines import defaults, sales_frames
from sales_files import APPS, HEADER
from sales_format import COLUMNS, DAY, MISSING, OTHER_DAYS, TABLE, ZONE

SCRIPT = f"{csv_bash.SCRIPTS}/clean_csv.sh"
GOOD = (b"1", b"2026-01-15T10:00:00+09:00", b"C1", b"P1", b"books", b"2", b"100.50", b"seoul", b"web")
#: First and last characters of each length in UTF-8; then bytes that are refused: cut off, overlong, surrogates, too high, NUL.
BYTES = (
    *(b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbf", b"\xf0\x90\x80\x80"),
    *(b"\xf4\x8f\xbf\xbf", b"\x7f", b"\x01"),
    *(b"\xff", b"\x80", b"\xc2", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf"),
    *(b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\0", b"a\0b"),
)


class Cleaned(NamedTuple):
    """What the script makes of lines.

    Attributes:
        read: how many rows it counts.
        good: lines of clean.csv.
        bad: lines of rejects.csv.
    """

    read: int
    good: list[bytes]
    bad: list[bytes]


def _script(folder: Path, content: bytes, *day: str) -> subprocess.CompletedProcess[str]:
    (folder / "in.csv").write_bytes(content)
    command = ["bash", SCRIPT, *(str(folder / name) for name in ("in.csv", "clean.csv", "rejects.csv")), *day]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _clean(folder: Path, lines: list[bytes], date: dt.date = DAY, zone: str = ZONE, header: str = HEADER) -> Cleaned:
    done = _script(folder, b"\n".join([header.encode(), *lines]) + b"\n", date.isoformat(), zone)
    assert done.returncode == 0, done.stderr
    first, *good = (folder / "clean.csv").read_bytes().split(b"\n")[:-1]
    bad = (folder / "rejects.csv").read_bytes().split(b"\n")[:-1]
    counts = json.loads(done.stdout)
    assert first.decode() == f"{HEADER},amount"
    assert counts == {
        "rows_read": counts["rows_read"],
        "rows_written": len(good),
        "rows_rejected": len(bad),
        "rows_duplicate": counts["rows_read"] - len(good) - len(bad),
    }
    return Cleaned(counts["rows_read"], good, bad)


def _by_rule(lines: list[bytes], date: dt.date = DAY, zone: str = ZONE) -> Cleaned:
    read, good, bad = 0, dict[sales_format.Row, bytes](), []
    for line in lines:
        bare = line.removesuffix(b"\r")
        if sales_format.is_blank(bare) or bare == HEADER.encode():
            continue
        read += 1
        fate = sales_format.judge(bare, date, ZoneInfo(zone))
        if isinstance(fate, str):
            bad.append(fate.encode() + b"," + bare)
        else:
            good.setdefault(fate, _canonical(fate))
    return Cleaned(read, list(good.values()), bad)


def _canonical(row: sales_format.Row) -> bytes:
    price, amount = (f"{number // 100}.{number % 100:02d}" for number in (row.unit_price, row.amount))
    texts = {name: getattr(row, name) for name in sales_format.TEXTS}
    quoted = {name: '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r') else text for name, text in texts.items()}
    at = row.ordered_at.replace(tzinfo=None).isoformat() + "Z"
    cells = row._asdict() | quoted | {"ordered_at": at, "unit_price": price, "amount": amount}
    return ",".join(map(str, cells.values())).encode()


def _line(**cells: bytes) -> bytes:
    return b",".join((dict(zip(COLUMNS, GOOD, strict=True)) | cells).values())


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b'"', b'""') + b'"'


def test_should_give_each_text_of_the_table_the_fate_and_the_value_that_the_table_says(tmp_path: Path) -> None:
    lines: list[bytes] = []
    good, bad = [], []

    def add(column: str, text: str) -> dict[str, str]:
        # An order and a channel of its own, so that no row is a copy of another one.
        own = {"order_id": str(len(lines)), "channel": f"row {len(lines)}"} | {column: text}
        cells = dict(zip(COLUMNS, (cell.decode() for cell in GOOD), strict=True)) | own
        cell = text.encode()
        given = {name: value.encode() for name, value in cells.items()}
        lines.append(_line(**given | {column: _quoted(cell) if set(text) & set(',"') or len(lines) % 2 else cell}))
        return cells

    for column in TABLE:
        for text, value in column.good:
            cells = {**add(column.name, text), "ordered_at": "2026-01-15T01:00:00Z", column.name: value}
            if column.name in sales_format.TEXTS and set(value) & set(',"\r'):
                cells[column.name] = _quoted(value.encode()).decode()
            cents = int(cells["unit_price"].replace(".", "")) * int(cells["quantity"])
            good.append(",".join((*cells.values(), f"{cents // 100}.{cents % 100:02d}")).encode())
        days = OTHER_DAYS if column.name == "ordered_at" else ()
        fates = {"missing_value": MISSING, "wrong_type": column.wrong, "out_of_range": column.beyond, "wrong_date": days}
        for reason, texts in fates.items():
            for text in texts:
                add(column.name, text)
                bad.append(reason.encode() + b"," + lines[-1])
    cleaned = _clean(tmp_path, lines)
    assert cleaned.bad == bad
    assert cleaned.good == good


def _values(name: str, generator: random.Random) -> bytes:
    column = TABLE[COLUMNS.index(name)]
    good = [text for text, _ in column.good]
    odd = [*column.wrong, *column.beyond, *MISSING, *(OTHER_DAYS if name == "ordered_at" else ())]
    short = [text for text in (good if generator.random() < 0.95 else odd) if len(text) < 2_000]
    return (generator.choice(short) if short else "").encode()


def _random_line(generator: random.Random) -> bytes:
    cells = []
    for name in COLUMNS:
        cell, chance = _values(name, generator), generator.random()
        if chance < 0.01:
            cell = generator.choice(BYTES)
        elif chance < 0.02:
            cell += generator.choice((*BYTES, b"\r", b'"', b"\r\r"))
        if generator.random() < 0.25:
            cell = _quoted(cell) + generator.choice((b"", b"", b" ", b"\t ", b"x" if generator.random() < 0.1 else b""))
        elif generator.random() < 0.01:
            cell = generator.choice((b'"' + cell, cell + b'"', b' "' + cell + b'"', b'"', b'""', b'"""', b'""""', b'" "'))
        cells.append(cell)
    chance = generator.random()
    cells = cells[:-1] if chance < 0.02 else [*cells, b""] if chance < 0.04 else cells
    return b",".join(cells) + generator.choice((b"", b"", b"", b"\r", b"\r\r" if generator.random() < 0.1 else b""))


def _other_spelling(line: bytes) -> bytes:
    cells = line.removesuffix(b"\r").split(b",")
    return b",".join([b" +0" + cells[0], *(cell + b"0" if b"." in cell else cell for cell in cells[1:])]) + b"\r"


def test_should_give_mixed_lines_the_fates_reasons_and_values_of_the_rule_and_the_bytes_of_csv_transform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(20260115)
    lines = [_random_line(generator) for _ in range(3_000)]
    plain = [_line(order_id=b"%d" % number, quantity=b"%d" % (number % 9 + 1)) for number in range(300)]
    lines += [*plain, *map(_other_spelling, plain), *generator.choices(lines, k=300)]
    lines += [b"", b" \t\r", b"\r\r", b"\0", HEADER.encode(), HEADER.encode() + b"\r", b" " + HEADER.encode()]
    generator.shuffle(lines)
    expected, cleaned = _by_rule(lines), _clean(tmp_path, lines)
    assert cleaned == expected
    assert len(cleaned.good) > 1_500 and cleaned.read - len(cleaned.good) - len(cleaned.bad) > 300
    assert {line.partition(b",")[0].decode() for line in cleaned.bad} == set(sales_format.REASONS)
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    pieces = sales_frames.clean(tmp_path / "in.csv", DAY.isoformat(), sales_frames.Tally())
    by_pandas = [line for good, _ in pieces for line in sales_frames.csv_lines(good)]
    assert [line.encode() for line in by_pandas] == [line + b"\n" for line in cleaned.good]


def test_should_have_read_each_row_that_the_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(7)
    odd = [b"", b"\r", b" \t", HEADER.encode(), HEADER.encode() + b"\r", HEADER.encode() + b"\r\r", b"\0", b"\xef\xbb\xbf"]
    lines = [generator.choice(odd) if generator.random() < 0.2 else _random_line(generator) for _ in range(1_000)]
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    for start, end in ((b"", b"\n"), (b"\xef\xbb\xbf", b""), (b"", b"\r\n"), (b"", b"\r")):
        content = start + b"\n".join([HEADER.encode(), *lines]) + end
        (tmp_path / f"sales_{DAY}.csv").write_bytes(content)
        counts = json.loads(_script(tmp_path, content, DAY.isoformat()).stdout)
        assert counts["rows_read"] == _by_rule(lines).read == sales_frames.look(DAY.isoformat(), str(tmp_path)).rows


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/Sao_Paulo", "2018-11-04"),
        ("America/Sao_Paulo", "2018-02-17"),
        ("Atlantic/Azores", "2025-10-26"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Apia", "2011-12-31"),
        ("Asia/Seoul", "1988-05-08"),
        ("Asia/Seoul", "1908-04-01"),
        ("Africa/Monrovia", "1972-01-07"),
        ("Etc/GMT+12", "2026-01-15"),
        ("UTC", "2024-02-29"),
    ],
)
def test_should_place_times_without_an_offset_as_the_rule_does_on_a_day_on_which_the_offset_changes(
    tmp_path: Path, zone: str, date: str
) -> None:
    day, midnight = dt.date.fromisoformat(date), dt.datetime.fromisoformat(date)
    times = [midnight + dt.timedelta(minutes=15 * number, seconds=second) for number in range(-110, 210) for second in (-1, 0, 1)]
    lines = [_line(ordered_at=f"{at.isoformat()}{offset}".encode()) for at in times for offset in ("", "Z", "+13:45")]
    cleaned = _clean(tmp_path, lines, day, zone)
    assert cleaned == _by_rule(lines, day, zone)
    assert cleaned.good or zone == "Pacific/Apia"


def test_should_begin_a_day_without_a_midnight_an_hour_later(tmp_path: Path) -> None:
    times = ("2018-11-03T23:59:59", "2018-11-04T00:00:00", "2018-11-04T00:30:00", "2018-11-04T23:59:59", "2018-11-05T00:00:00")
    lines = [_line(ordered_at=at.encode()) for at in times]
    cleaned = _clean(tmp_path, lines, dt.date(2018, 11, 4), "America/Sao_Paulo")
    assert [line.split(b",")[1].decode() for line in cleaned.good] == [
        "2018-11-04T03:00:00Z",
        "2018-11-04T03:30:00Z",
        "2018-11-05T01:59:59Z",
    ]
    assert [line.split(b",")[0] for line in cleaned.bad] == [b"wrong_date"] * 2


LONG = 1_000_000


@pytest.mark.parametrize(
    "unit",
    [*(b" ", b"\t", b"\r", b'"', b'""', b'" ', b"0", b"9", b".", b"-", b",", b" ,", b"\0", b"\xff", b"\x80", b"\xe1", b"a")]
    + ["é".encode(), "각".encode(), "😀".encode()],
)
def test_should_judge_a_megabyte_of_one_character_as_the_rule_does_and_in_little_time(tmp_path: Path, unit: bytes) -> None:
    long = unit * (LONG // len(unit))
    lines = [long, b"1" + long + b"1"]
    for name, cell in zip(COLUMNS, GOOD, strict=True):
        if name in ("order_id", "ordered_at", "unit_price", "channel"):
            texts = (long, b" " + long + cell + long + b" ", cell + long + b"x", b'"' + long + b'"')
            lines += [_line(**{name: text}) for text in texts]
    expected, began = _by_rule(lines), time.monotonic()
    cleaned = _clean(tmp_path, lines)
    # Eighteen lines take about one second; what grows with the square of their length would take hours.
    assert time.monotonic() - began < 60
    assert cleaned == expected


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r", b"0", b",", b" ,", b"\0", b"\0 ", b"\xff"])
def test_should_give_a_megabyte_of_one_character_one_fate_in_any_file(tmp_path: Path, unit: bytes) -> None:
    long = unit * (LONG // len(unit))
    lines = [b"x" + long + b"x,1", b"1,x" + long, b"x" + long + b",2", b"1,2" + long + b"x", b"0" + long, long + b"\0"]
    began = time.monotonic()
    counts = json.loads(_script(tmp_path, b"\n".join([b"a,b", *lines])).stdout)
    assert time.monotonic() - began < 60
    assert counts["rows_read"] == len(lines) == counts["rows_written"] + counts["rows_rejected"]
    assert (tmp_path / "clean.csv").read_bytes().count(b"\n") == counts["rows_written"] + 1


def test_should_take_numbers_of_another_spelling_for_other_texts_in_any_file(tmp_path: Path) -> None:
    texts = ["1.0", "01", "+1", "1e0", "0x1", "1.00", "0", "0.0", "-0", "nan", "+nan", "inf", "+inf", "1e400", "1e500"]
    done = _script(tmp_path, "\n".join(["1", *texts, " 1 ", "1", "1.0\r", ""]).encode())
    counts = json.loads(done.stdout)
    assert (tmp_path / "clean.csv").read_text().splitlines() == ["1", *texts]
    assert counts == {"rows_read": len(texts) + 1, "rows_written": len(texts), "rows_rejected": 0, "rows_duplicate": 1}


def test_should_keep_each_of_many_fields_in_any_file(tmp_path: Path) -> None:
    fields = [b"f%d" % number for number in range(5_000)]
    lines = [b",".join(fields), b" , ".join(fields[::-1]), b" " + b"\t,".join(fields), b",".join(fields[::-1])]
    done = _script(tmp_path, b"\n".join(lines))
    assert json.loads(done.stdout) == {"rows_read": 2, "rows_written": 1, "rows_rejected": 0, "rows_duplicate": 1}
    assert (tmp_path / "clean.csv").read_bytes().split(b"\n") == [lines[0], lines[3], b""]


def test_should_write_the_largest_amount_with_all_its_digits(tmp_path: Path) -> None:
    (line,) = _clean(tmp_path, [_line(unit_price=b"9999999999.99", quantity=b"9999")]).good
    assert line.endswith(b",9999,9999999999.99,seoul,web,99989999999900.01")


@pytest.mark.parametrize(
    "header",
    [f"\ufeff{HEADER}", f"{HEADER}\r", HEADER.replace(",", " ,\t"), ",".join(f'"{name}"' for name in COLUMNS), f"{HEADER}\r\r"],
    ids=["byte order mark", "CRLF", "spaces", "quotes", "CR CRLF"],
)
def test_should_read_a_file_whose_header_is_spelled_in_another_way(tmp_path: Path, header: str) -> None:
    cleaned = _clean(tmp_path, [_line(), header.removeprefix("\ufeff").encode()], header=header)
    assert cleaned.read == len(cleaned.good) == 1


@pytest.mark.parametrize(
    ("header", "day", "sentence"),
    [
        (HEADER, ("2026-02-30",), "'2026-02-30' is not a day, such as 2026-01-15"),
        (HEADER, ("tomorrow",), "'tomorrow' is not a day, such as 2026-01-15"),
        (HEADER, ("2026-1-15",), "'2026-1-15' is not a day, such as 2026-01-15"),
        (HEADER, ("0000-01-01",), "'0000-01-01' is not a day, such as 2026-01-15"),
        (HEADER, ("",), "'' is not a day, such as 2026-01-15"),
        (HEADER, ("2026-01-15", "Asia/Seol"), "'Asia/Seol' is not a time zone of /usr/share/zoneinfo, such as Europe/Berlin"),
        (HEADER, ("2026-01-15", "../zoneinfo/UTC"), "'../zoneinfo/UTC' is not a time zone of "),
        (HEADER, ("2026-01-15", "Asia"), "'Asia' is not a time zone of "),
        (HEADER, ("2026-01-15", "tzdata.zi"), "'tzdata.zi' is not a time zone of "),
        (HEADER, ("2026-01-15", "leapseconds"), "'leapseconds' is not a time zone of "),
        (HEADER, ("2026-01-15", "UTC", "more"), "usage: clean_csv.sh input.csv clean.csv rejects.csv [day [zone]]"),
        (HEADER.replace(",", ";"), ("2026-01-15",), "the input file has the wrong header: order_id;"),
        (HEADER + ",amount", ("2026-01-15",), "the input file has the wrong header: order_id,"),
    ],
)
def test_should_end_in_a_sentence_and_write_nothing_if_the_day_the_zone_or_the_header_is_wrong(
    tmp_path: Path, header: str, day: tuple[str, ...], sentence: str
) -> None:
    done = _script(tmp_path, header.encode() + b"\n" + _line(), *day)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"clean_csv: error: {sentence}")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_should_take_seoul_for_the_zone_if_none_is_given(tmp_path: Path) -> None:
    _script(tmp_path, HEADER.encode() + b"\n" + _line(ordered_at=b"2026-01-15 00:00:00"), "2026-01-15")
    assert b"1,2026-01-14T15:00:00Z,C1," in (tmp_path / "clean.csv").read_bytes()
