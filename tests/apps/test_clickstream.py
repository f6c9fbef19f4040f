"""Click events on local Spark: lines, the funnel's order, campaigns, cohorts, and input that is not what it seems."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickstream
import generate_clicks
import pytest
import sales_format
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from sales_cases import APPS, DAY

if TYPE_CHECKING:
    import frames
    from pyspark.sql import DataFrame, SparkSession

RESULT, QUARANTINE = "clickstream/date=2026-01-15", "quarantine/clickstream/date=2026-01-15"
CAMPAIGNS = "campaign,channel,cost\nspring,search,1200.00\nidle,mail,5.00\n"


def _event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"E{number}",
        "user_id": "U1",
        "session_id": "S1",
        "at": f"2026-01-15T10:{number:02d}:00+09:00",
        "type": "view",
        "product_id": "P1",
        "campaign": "spring",
        "amount": None,
    } | changes


GOOD = _event(1)
TEXT = json.dumps(GOOD)
BAD: dict[str, list[Any]] = {
    "not_json": [
        '{"event_id": "E1"',
        "event_id;user_id;session_id",
        "E1,U1,S1,2026-01-15T10:00:00+09:00,view,P1,,",
        "[1]",
        *(TEXT + between + json.dumps(_event(2)) for between in ("", " ", ",")),
        *(TEXT + rest for rest in (",", "}", "}}", "]", "//x", " garbage")),
        TEXT.replace('"view"', '"view", "type": "cart"'),
    ],
    "missing_value": [
        {**GOOD, "user_id": None},
        {**GOOD, "event_id": ""},
        *({**GOOD, name: "  "} for name in clickstream.REQUIRED),
        {**GOOD, "session_id": "\t "},
        {"id": "E1", "user": "U1"},
        *(_event(1, type="purchase", amount=blank) for blank in (None, "", " ")),
        {**GOOD, "user_id": None, "session_id": [1]},
    ],
    "wrong_type": [
        {**GOOD, "at": "yesterday"},
        {**GOOD, "at": "2026-01-15T10:00:00"},
        {**GOOD, "at": "2026-01-15T25:00:00+09:00"},
        *({**GOOD, name: value} for name in clickstream.COLUMNS for value in ({"id": 1}, [1], [], False, "\ud83d", "x\0")),
        {**GOOD, "amount": "1.00"},
        {**GOOD, "amount": 0},
        *(_event(1, type="purchase", amount=amount) for amount in ("much", "NaN", "10.505", "99999999999.00", "1e99")),
        *(_event(1, type="purchase", amount=amount) for amount in ("1e-30", "1e2", 1e-30, "１０.50", True, [1])),
        json.dumps(_event(1, type="purchase", amount="@")).replace('"@"', "1.00000000000000000000001"),
    ],
    "unknown_type": [
        {**GOOD, "type": "teleport"},
        {**GOOD, "type": "View"},
        {**GOOD, "type": " view"},
        {**GOOD, "type": "x" * 2_000},
    ],
    "out_of_range": [
        _event(1, type="purchase", amount="-0.01"),
        *({**GOOD, name: "각" * 341 + "xx"} for name in clickstream.TEXTS if name != "type"),
    ],
    "wrong_date": [{**GOOD, "at": "2026-01-14T23:59:59+09:00"}, {**GOOD, "at": "2026-01-15T15:00:00Z"}],
}


def _write(folder: Path, *events: Any, name: str = "clicks_2026-01-15.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [one if isinstance(one, bytes) else (one if isinstance(one, str) else json.dumps(one)).encode() for one in events]
    data = b"".join(line + b"\n" for line in lines)
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    (folder / "campaigns.csv").write_text(CAMPAIGNS)
    return folder


def _lines(spark: SparkSession, events: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([(json.dumps(event),) for event in events], "value string")


def _run(folder: Path, output: Path, max_reject_share: float = 1, date: dt.date = DAY) -> frames.Rows:
    return clickstream.run(clickstream.check(str(folder), date), date, 14, str(output), max_reject_share)


def _table(output: Path, name: str, result: str = RESULT) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return parquet.read_table(output / result / name).to_pylist()  # type: ignore[no-any-return]


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("part-*")}


def test_should_set_each_bad_line_aside_with_its_reason(on_shared_session: SparkSession, tmp_path: Path) -> None:
    lines = [line for group in BAD.values() for line in group]
    foreign = json.dumps(_event(1, product_id="@")).encode().replace(b"@", "상품".encode("cp949"))
    rows = _run(_write(tmp_path / "clicks", "\ufeff" + json.dumps(GOOD), *lines, foreign, "", GOOD), tmp_path)
    assert rows.rejects == {"not_utf8": 1} | {reason: len(group) for reason, group in BAD.items()}
    assert (rows.read, rows.written, rows.duplicates) == (len(lines) + 3, 1, 1)
    parts = (tmp_path / QUARANTINE).glob("part-*.json")
    found = [json.loads(line)["line"] for path in parts for line in path.read_text().splitlines()]
    assert set(found) >= {line if isinstance(line, str) else json.dumps(line) for line in lines}


def test_should_read_amounts_and_times_in_each_form_that_json_has(spark: SparkSession) -> None:
    bought = {"type": "purchase", "campaign": ""}
    amounts: dict[Any, str] = {"0": "0.00", 10.5: "10.50", 7: "7.00", " 7.100": "7.10", "9999999999.99": "9999999999.99"}
    events = [_event(n, amount=amount, **bought) for n, amount in enumerate(amounts)]
    # The same moment, and members that nobody knows.
    events += [{**GOOD, "at": at, "more": {"a": [1]}} for at in ("2026-01-15T01:01:00Z", "2026-01-15T10:01:00.000+0900")]
    found = clickstream.transform(_lines(spark, events), DAY).collect()
    assert [row.reason for row in found] == [None] * 7
    assert [str(row.amount) for row in found[:5]] == list(amounts.values())
    assert {row.campaign for row in found[:5]} == {None}
    assert {row.at.timestamp() for row in found[5:]} == {dt.datetime.fromisoformat(GOOD["at"]).timestamp()}


def test_should_keep_any_text_and_take_a_blank_campaign_or_amount_for_none(spark: SparkSession) -> None:
    texts = [
        "a} {b",
        "}{",
        "{x",
        "[1]",
        '"},{"',
        " x ",
        "a\tb",
        "\n",
        "x" * 1_024,
        "각" * 341,
        "😀",
        "\u00a0",
        "{" * 1_000,
        7,
        1.50,
    ]
    names = [name for name in clickstream.TEXTS if name != "type"]
    found = clickstream.transform(_lines(spark, [_event(1) | dict.fromkeys(names, text) for text in texts]), DAY).collect()
    assert [(row.reason, *(row[name] for name in names)) for row in found] == [(None, *[str(text)] * 5) for text in texts]
    blank = [_event(1, campaign=text, amount=text) for text in ("", " ", "\t ", None)]
    found = clickstream.transform(_lines(spark, blank), DAY).collect()
    assert [(row.reason, row.campaign, row.amount) for row in found] == [(None, None, None)] * 4


def test_should_hold_to_the_rule_of_a_sales_row_for_times_with_an_offset_and_for_amounts(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    rules = {column.name: column for column in sales_format.TABLE}
    at, money = rules["ordered_at"], rules["unit_price"]
    zoned = re.compile(r"(Z|UTC|:[0-9.]+[+-][0-9]{2}(:?[0-9]{2})?)[ \t]*")
    times = [(text, fate if zoned.search(text) else "wrong_type") for text, fate in at.good]
    times += [(text, "wrong_date" if zoned.search(text) else "wrong_type") for text in sales_format.OTHER_DAYS]
    times += [(text, "wrong_type") for text in at.wrong] + [(text, "missing_value") for text in sales_format.MISSING]
    amounts = [*money.good, *((text, "wrong_type") for text in money.wrong), *((text, "out_of_range") for text in money.beyond)]
    amounts += [(text, "missing_value") for text in sales_format.MISSING]
    events = [_event(1, at=text) for text, _ in times]
    events += [_event(1, type="purchase", amount=text) for text, _ in amounts]
    judged = clickstream.transform(_lines(spark, events), sales_format.DAY).withColumn("at", F.unix_micros("at"))
    found = []
    for number, row in enumerate(judged.collect()):
        at_text = (
            f"{(dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=row['at'] or 0)).isoformat()}Z" if not row.reason else ""
        )
        found.append(row.reason or (at_text if number < len(times) else str(row.amount)))
    cases = times + amounts
    assert [(text[:60], seen) for (text, _), seen in zip(cases, found, strict=True)] == [
        (text[:60], fate) for text, fate in cases
    ]
    assert {fate for text, fate in times if "10:00:00" in text} >= {"2026-01-15T01:00:00Z", "wrong_type", "wrong_date"}


def test_should_count_a_step_only_after_the_one_before_it(on_shared_session: SparkSession, tmp_path: Path) -> None:
    whole = [_event(1), _event(2, type="cart"), _event(3, type="checkout"), _event(4, type="purchase", amount="10.50")]
    other = {"user_id": "U2", "session_id": "S2", "campaign": None}
    backwards = [_event(11, type="cart", **other), _event(12, **other), _event(13, type="checkout", **other)]
    _run(_write(tmp_path / "clicks", *backwards, *whole, _event(20, session_id="S3")), tmp_path)
    funnel = sorted(_table(tmp_path, "funnel"), key=lambda row: row["step"])
    assert [(row["type"], row["sessions"], row["users"]) for row in funnel] == [
        ("view", 3, 2),
        ("cart", 1, 1),
        ("checkout", 1, 1),
        ("purchase", 1, 1),
    ]
    assert [row["share_of_previous"] for row in funnel] == [None, Decimal("0.3333"), Decimal(1), Decimal(1)]


def test_should_keep_campaigns_without_a_description_and_those_without_visitors(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    bought = _event(2, type="purchase", amount="10.50")
    new = [_event(3, campaign="new", session_id="S2"), _event(4, campaign=None, session_id="S3", user_id="U2")]
    _run(_write(tmp_path / "clicks", GOOD, bought, *new), tmp_path)
    found = {row["campaign"]: row for row in _table(tmp_path, "campaigns")}
    assert set(found) == {"spring", "idle", "new", "(none)"}
    assert found["spring"] == {
        "campaign": "spring",
        "channel": "search",
        "cost": Decimal("1200.00"),
        "sessions": 1,
        "users": 1,
        "converted": 1,
        "purchases": 1,
        "revenue": Decimal("10.50"),
        "conversion": Decimal(1),
    }
    assert (found["idle"]["sessions"], found["idle"]["conversion"], found["new"]["channel"]) == (0, None, None)


def test_should_follow_users_over_the_days_that_are_published(on_shared_session: SparkSession, tmp_path: Path) -> None:
    for day, users in (("2026-01-13", "AB"), ("2026-01-14", "AC"), ("2026-01-15", "ABD")):
        at = f"{day}T10:00:00+09:00"
        events = [_event(n, user_id=user, event_id=f"{day}{user}", at=at) for n, user in enumerate(users)]
        folder = _write(tmp_path / "clicks", *events, name=f"clicks_{day}.jsonl")
        _run(folder, tmp_path, date=dt.date.fromisoformat(day))
    found = {(str(row["cohort"]), row["days_since"]): row["users"] for row in _table(tmp_path, "retention")}
    assert found == {
        ("2026-01-13", 0): 2,
        ("2026-01-13", 1): 1,
        ("2026-01-13", 2): 2,
        ("2026-01-14", 0): 1,
        ("2026-01-15", 0): 1,
    }
    manifest = json.loads((tmp_path / RESULT / "_manifest.json").read_text())
    assert manifest["history"] == ["2026-01-13", "2026-01-14"]


def test_should_find_what_the_generator_put_in_and_give_the_same_bytes_again(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    report = generate_clicks.generate(DAY, 4_000, 7, str(tmp_path / "clicks"))
    rows = _run(tmp_path / "clicks", tmp_path, 0.1)
    assert (rows.read, rows.written, rows.duplicates) == (report["rows"], report["good"], report["duplicates"])
    assert rows.rejects == report["bad"]
    assert sum(row["revenue"] for row in _table(tmp_path, "campaigns")) == Decimal(report["revenue"])
    assert sum(row["users"] for row in _table(tmp_path, "retention")) == report["users"]
    first = _hashes(tmp_path / RESULT)
    on_shared_session.conf.set("spark.sql.shuffle.partitions", "5")
    _run(tmp_path / "clicks", tmp_path, 0.1)
    assert _hashes(tmp_path / RESULT) == first


STEP = st.sampled_from(("view", "search", "cart", "checkout", "purchase"))


@settings(max_examples=1, deadline=None)
@given(st.lists(st.lists(STEP, min_size=1, max_size=8), min_size=200, max_size=200))
def test_should_agree_with_a_plain_walk_through_every_session(spark: SparkSession, sessions: list[list[str]]) -> None:
    # One frame of many sessions: each is a case of its own.
    start = dt.datetime(2026, 1, 15, 1, tzinfo=dt.UTC)
    data, expected = [], dict.fromkeys(("view", "cart", "checkout", "purchase"), 0)
    for session, steps in enumerate(sessions):
        wanted = list(expected)
        for number, step in enumerate(steps):
            at = start + dt.timedelta(minutes=number)
            amount = Decimal("1.00") if step == "purchase" else None
            data.append((f"{session}-{number}", f"U{session % 50}", f"S{session}", at, step, "P1", None, amount))
            if wanted and step == wanted[0]:
                expected[wanted.pop(0)] += 1
    events = spark.createDataFrame(data, clickstream.EVENTS)
    empty = spark.createDataFrame([], clickstream.EVENTS)
    campaigns = spark.createDataFrame([], clickstream.CAMPAIGNS)
    found = clickstream.tables(events, campaigns, empty)["funnel"].collect()
    assert {row.type: row.sessions for row in found} == expected


def test_should_refuse_a_compressed_file_that_is_cut_off(tmp_path: Path) -> None:
    folder = _write(tmp_path, *[_event(1, event_id=str(number)) for number in range(500)], name="clicks_2026-01-15.jsonl.gz")
    whole = (folder / "clicks_2026-01-15.jsonl.gz").read_bytes()
    (folder / "clicks_2026-01-15.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is cut off: its upload did not end, send it again"):
        clickstream.check(str(folder), DAY)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"campaign;channel;cost\n", "has the wrong header: expected campaign,channel,cost; found campaign;channel;cost"),
        (b"campaign,channel,cost\nspring,mail,1\nspring,web,2\n", "line 3 of .* names the campaign spring once more"),
        (b"campaign,channel,cost\nspring,mail,much\n", "line 2 of .* is no campaign, channel and cost .*: spring,mail,much"),
        (b"campaign,channel,cost\nspring,mail,1.005\n", "line 2 of .* is no campaign, channel and cost"),
        (b"campaign,channel,cost\nspring,mail\n", "line 2 of .* is no campaign, channel and cost"),
        (b"campaign,channel,cost\n,mail,1\n", "line 2 of .* is no campaign, channel and cost"),
        (b"campaign,channel,cost\nidle,mail,1\n\n \t,mail,1\n", "line 4 of .* is no campaign, channel and cost"),
        *(
            (f"campaign,channel,cost\nspring,mail,{cost}\n".encode(), "line 2 of .* is no campaign, channel and cost")
            for cost in ("", " 1", "-1", "1e2", "１２", "12345678901", "1.", "NaN", "\u0661")
        ),
        (b"campaign,channel,cost\nspring,%s,1\n" % (b"x" * 1_025), "line 2 of .* has a text of more than 1024 bytes"),
        ("campaign,channel,cost\n{},mail,1\n".format("각" * 342).encode(), "line 2 of .* has a text of more than 1024 bytes"),
        (b"campaign,channel,cost\n%s,mail,1\n" % (b"x" * 2**18), "is no CSV file: field larger than field limit"),
        (b"campaign,channel,cost\nspr\0ing,mail,1\n", "line 2 of .* has a line break or a NUL in a field"),
        (b"campaign,channel,cost\nspr\ring,mail,1\n", "line 2 of .* is no campaign, channel and cost"),
        (b'campaign,channel,cost\n"spr\ring",mail,1\n', "has a line break or a NUL in a field: is one of its quotes not closed"),
        (
            b'campaign,channel,cost\n"spring,mail,1\nidle,mail,2\nnew",web,3\n',
            "line 4 of .* has a line break or a NUL in a field",
        ),
        (b'campaign,channel,cost\n"spring"x,mail,1\n', "is no CSV file: ',' expected after '\"'"),
        ("campaign,channel,cost\n봄,mail,1\n".encode("cp949"), "is not UTF-8: save it as that"),
        (b'campaign,channel,cost\n"spring,mail,1\n', "is no CSV file: unexpected end of data"),
        (b"", "is empty"),
    ],
)
def test_should_refuse_campaigns_that_would_count_wrong(tmp_path: Path, content: bytes, sentence: str) -> None:
    (_write(tmp_path, GOOD) / "campaigns.csv").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        clickstream.check(str(tmp_path), DAY)


def test_should_read_campaigns_as_a_spreadsheet_saves_them(tmp_path: Path) -> None:
    content = '\ufeffcampaign,channel,cost\r\n"spring, ""new""",,120\r\n\r\n봄,mail,0.50\r\n'
    (_write(tmp_path, GOOD) / "campaigns.csv").write_text(content, encoding="utf-8", newline="")
    found = clickstream.read_campaigns(clickstream.check(str(tmp_path), DAY)[0])
    assert found == [('spring, "new"', None, Decimal(120)), ("봄", "mail", Decimal("0.50"))]


@pytest.mark.parametrize("name", ["clicks_2026-01-15.jsonl", "clicks_2026-01-15.jsonl.gz"])
def test_should_refuse_a_day_of_blank_lines_that_would_replace_it_with_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="holds blank lines only"):
        clickstream.check(str(_write(tmp_path, "", " ", name=name)), DAY)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("clicks_2026-01-15.jsonl.part", r"no file clicks_2026-01-15\*.jsonl or clicks_2026-01-15\*.jsonl.gz in "),
        (".clicks_2026-01-15.jsonl", "no file clicks_"),
        ("clicks_2026-01-14.jsonl", "no file clicks_"),
    ],
)
def test_should_read_no_file_of_another_name(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        clickstream.check(str(_write(tmp_path / "clicks", GOOD, name=name)), DAY)


def test_should_publish_nothing_if_the_file_is_still_being_written(on_shared_session: SparkSession, tmp_path: Path) -> None:
    folder = _write(tmp_path / "clicks", GOOD)
    files = clickstream.check(str(folder), DAY)
    with open(folder / "clicks_2026-01-15.jsonl", "a") as file:
        file.write(json.dumps(_event(2)) + "\n")
    with pytest.raises(UserError, match="was changed while it was being read: run again"):
        clickstream.run(files, DAY, 14, str(tmp_path), 1)
    assert not (tmp_path / RESULT).exists()


def test_should_keep_the_old_result_if_the_keys_of_the_events_changed(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _run(_write(tmp_path / "clicks", GOOD), tmp_path)
    before = _hashes(tmp_path / RESULT)
    renamed = [{("uid" if key == "user_id" else key): value for key, value in _event(n).items()} for n in range(9)]
    _write(tmp_path / "clicks", *renamed, GOOD)
    with pytest.raises(UserError, match=r"9 of 10 rows were rejected .*: 9 missing_value"):
        _run(tmp_path / "clicks", tmp_path, 0.1)
    assert _hashes(tmp_path / RESULT) == before


def test_should_read_a_file_once_if_it_was_uploaded_twice_or_packed_and_count_what_else_comes_again_as_duplicates(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    for name in ("clicks_2026-01-15.jsonl", "clicks_2026-01-15 (1).jsonl", "clicks_2026-01-15.jsonl.gz"):
        _write(tmp_path / "clicks", GOOD, name=name)
    _write(tmp_path / "clicks", GOOD, GOOD, name="clicks_2026-01-15.more.jsonl.gz")
    rows = _run(tmp_path / "clicks", tmp_path)
    assert (rows.read, rows.written, rows.duplicates) == (3, 1, 2)


def test_should_read_every_line_of_files_with_any_name_and_any_end_of_line(
    on_shared_session: SparkSession, tmp_path: Path
) -> None:
    texts = [json.dumps(_event(number)) for number in range(6)]
    folder = _write(tmp_path / "clicks", *texts[:2], "", name="clicks_2026-01-15[1] {a,b}.jsonl")
    _write(folder, texts[2] + "\r", "\r", " \t\r", texts[3] + " \t", name="clicks_2026-01-15T10:00.jsonl.gz")
    # A CR alone is white space between two values.
    (folder / "clicks_2026-01-15.last.jsonl").write_text(f"{texts[4]}\r{texts[4]}\r\n\r{texts[5]}", newline="")
    rows = _run(folder, tmp_path)
    assert (rows.read, rows.written, rows.rejects) == (6, 5, {"not_json": 1})


@pytest.mark.parametrize("name", ["clickstream", "generate_clicks"])
def test_should_explain_itself_without_importing_spark(name: str) -> None:
    script = f"import sys; sys.path.insert(0, {str(APPS)!r}); import {name}; assert 'pyspark' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    done = subprocess.run([sys.executable, str(APPS / f"{name}.py"), "--help"], capture_output=True, text=True, check=True)
    assert "--date" in done.stdout
