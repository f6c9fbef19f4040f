"""The generator of click events: known counts, users that come back, a way on which most of them leave."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import generate_clicks
import pytest
from errors import UserError
from sales_cases import APPS, DAY

NEXT = DAY + dt.timedelta(1)


def _good(file: str) -> list[dict[str, Any]]:
    """The good events of a file, each once, as somebody would find them who knows how the bad ones are named."""
    found = {}
    for line in Path(file).read_bytes().splitlines():
        if b'"bad-' not in line:
            event = json.loads(line)
            found[event["event_id"]] = event
    return list(found.values())


def test_should_write_the_same_bytes_for_the_same_seed_and_others_for_another(tmp_path: Path) -> None:
    reports = [generate_clicks.generate(DAY, 2_000, seed, str(tmp_path / name)) for name, seed in (("a", 7), ("b", 7), ("c", 8))]
    files = [Path(report["file"]).read_bytes() for report in reports]
    assert files[0] == files[1] != files[2]


def test_should_write_the_same_day_whichever_days_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, days in (("a", ["--date", "2026-01-15"]), ("b", ["--from", "2026-01-14", "--to", "2026-01-16"])):
        generate_clicks.main([*days, "--rows", "500", "--out", str(tmp_path / name)])
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert list(second) == ["2026-01-14", "2026-01-15", "2026-01-16"]
    files = [Path(report["2026-01-15"]["file"]).read_bytes() for report in (first, second)]
    assert files[0] == files[1]


@pytest.mark.parametrize("chunk", [100, 20_000])
def test_should_write_what_it_says_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(generate_clicks, "CHUNK", chunk)
    report = generate_clicks.generate(DAY, 3_000, 7, str(tmp_path))
    lines = Path(report["file"]).read_bytes().splitlines()
    assert len(lines) == report["rows"] == 3_000 == report["good"] + sum(report["bad"].values()) + report["duplicates"]
    assert sum(count - 1 for count in Counter(lines).values()) == report["duplicates"] == 30
    bad = Counter(line.split(b'"bad-')[1].split(b"-")[0].decode() for line in lines if b'"bad-' in line)
    assert bad == report["bad"] and set(bad) == set(generate_clicks.BAD_SHARES)
    events = _good(report["file"])
    assert len(events) == report["good"]
    assert Counter(event["type"] for event in events) == report["types"]
    assert len({event["user_id"] for event in events}) == report["users"]
    assert f"{sum(float(event['amount'] or 0) for event in events):.2f}" == report["revenue"]


def test_should_bring_users_back_on_a_later_day_with_the_same_taste(tmp_path: Path) -> None:
    first, second = (_good(generate_clicks.generate(day, 4_000, 7, str(tmp_path))["file"]) for day in (DAY, NEXT))
    users = [{event["user_id"] for event in events} for events in (first, second)]
    assert len(users[0] & users[1]) > len(users[0]) / 10
    assert len(users[1] - users[0]) > len(users[1]) / 3
    tastes: dict[str, Counter[int]] = {}
    for event in first + second:
        tastes.setdefault(event["user_id"], Counter())[int(event["product_id"][1:]) % generate_clicks.TASTES] += 1
    favourite = sum(counts.most_common(1)[0][1] for counts in tastes.values())
    assert favourite > sum(counts.total() for counts in tastes.values()) / 2


def test_should_lose_sessions_on_each_step_and_name_a_campaign_that_nobody_described(tmp_path: Path) -> None:
    report = generate_clicks.generate(DAY, 4_000, 7, str(tmp_path))
    types = report["types"]
    assert types["view"] > 2 * types["cart"] > 2 * types["checkout"] > 2 * types["purchase"] > 0
    described = {line.split(",")[0] for line in (tmp_path / "campaigns.csv").read_text().splitlines()[1:]}
    used = {event["campaign"] for event in _good(report["file"])}
    assert used - described == {None, generate_clicks.UNKNOWN_CAMPAIGN}


def test_should_compress_the_same_lines(tmp_path: Path) -> None:
    plain = generate_clicks.generate(DAY, 500, 7, str(tmp_path / "plain"))
    packed = [generate_clicks.generate(DAY, 500, 7, str(tmp_path / name), compressed=True)["file"] for name in "ab"]
    assert packed[0].endswith("clicks_2026-01-15.jsonl.gz")
    assert gzip.decompress(Path(packed[0]).read_bytes()) == Path(plain["file"]).read_bytes()
    assert Path(packed[0]).read_bytes() == Path(packed[1]).read_bytes()


def test_should_leave_no_unfinished_file_if_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        yield [b"{}"]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generate_clicks, "lines", fail)
    with pytest.raises(OSError, match="No space left"):
        generate_clicks.generate(DAY, 100, 1, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["campaigns.csv"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "one of the arguments --date --from is required"),
        (["--date", "2026-02-30"], "is not a date"),
        (["--date", "2026-01-15", "--days", "0"], "--days: at least one"),
        (["--from", "2026-01-15"], "the days are --from and --to, or --date and --days"),
        (["--date", "2026-01-15", "--to", "2026-01-16"], "the days are --from and --to"),
        (["--from", "2026-01-15", "--to", "2026-01-16", "--days", "2"], "the days are --from and --to"),
        (["--from", "2026-01-15", "--to", "2026-01-14"], "--to 2026-01-14 comes before --from 2026-01-15"),
        (["--date", "2026-01-15", "--from", "2026-01-14", "--to", "2026-01-16"], "not allowed with"),
        (["--date", "2026-01-15", "--rows", "0"], "at least one line must be good"),
        (["--date", "2026-01-15", "--rows", "many"], "invalid int value"),
    ],
)
def test_should_end_in_one_sentence_if_an_argument_is_wrong(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        generate_clicks.main([*arguments, "--out", str(tmp_path)])


def test_should_end_with_code_2_and_no_traceback_if_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(APPS / "generate_clicks.py"), "--date", "2026-01-15", "--out", str(tmp_path / "file")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("generate_clicks: error: ")
