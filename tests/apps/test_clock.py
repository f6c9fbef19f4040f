"""Days of 23, 24 and 25 hours: the same day for the generators, the applications and the names of files."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import clock
import db_orders
import generate_access_log
import generate_clicks
import generate_orders
import generate_sales
import pytest
import sales_format
import sales_input
from errors import UserError

APPS = Path(clock.__file__).parent
#: Zone, day and its hours: without a change, set forward, set back, and by half an hour.
DAYS = [
    ("Asia/Seoul", "2026-01-15", 24),
    ("UTC", "2026-03-29", 24),
    ("America/New_York", "2026-01-15", 24),
    ("America/New_York", "2026-03-08", 23),
    ("America/New_York", "2026-11-01", 25),
    ("Australia/Lord_Howe", "2026-04-05", 24.5),
    # set forward at midnight, which the day then does not have
    ("America/Santiago", "2026-09-06", 23),
]


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ZoneInfo]]:
    """Have the environment name a zone: in_zone(name) returns it."""

    def choose(name: str) -> ZoneInfo:
        monkeypatch.setattr(clock, "TIME_ZONE", name)
        clock.zone.cache_clear()
        return clock.zone()

    yield choose
    clock.zone.cache_clear()


def shop_api(day: str, zone: str) -> list[str]:
    """Return when the orders of the shop's API were made."""
    spec = importlib.util.spec_from_file_location("shop_api_in_zone", APPS.parent / "images/shop-api/server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    os.environ["AIRSPARK_TIME_ZONE"], before = zone, os.environ["AIRSPARK_TIME_ZONE"]
    try:
        spec.loader.exec_module(module)
    finally:
        os.environ["AIRSPARK_TIME_ZONE"] = before
    return [order["created_at"] for order in module.orders(day, 2_000)]


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_should_know_how_long_a_day_is_and_when_it_begins(
    in_zone: Callable[[str], ZoneInfo], zone: str, day: str, hours: float
) -> None:
    found, date = in_zone(zone), dt.date.fromisoformat(day)
    assert clock.length(date) == hours * 3600
    begin, end = (dt.datetime.fromisoformat(text) for text in db_orders.bounds(date))
    assert (end - begin).total_seconds() == hours * 3600
    # the first moment of the day, and the second before it
    assert begin.astimezone(found).date() == date
    assert (begin.astimezone(dt.UTC) - dt.timedelta(seconds=1)).astimezone(found).date() == date - dt.timedelta(1)


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_should_write_the_seconds_of_a_day_one_after_the_other(
    in_zone: Callable[[str], ZoneInfo], zone: str, day: str, hours: float
) -> None:
    found, date = in_zone(zone), dt.date.fromisoformat(day)
    write = clock.writer(date)
    moments = [dt.datetime.fromisoformat(write(second)) for second in (*range(0, int(hours * 3600), 37), int(hours * 3600) - 1)]
    steps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert set(steps[:-1]) == {dt.timedelta(seconds=37)} and dt.timedelta() < steps[-1] <= dt.timedelta(seconds=37)
    assert {moment.astimezone(found).date() for moment in moments} == {date}


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_should_generate_orders_of_the_whole_day_and_of_no_other(
    in_zone: Callable[[str], ZoneInfo], tmp_path: Path, zone: str, day: str, hours: float
) -> None:
    found, date = in_zone(zone), dt.date.fromisoformat(day)
    begin = clock.bounds(date)[0].astimezone(dt.UTC)

    def hours_of(texts: list[str]) -> set[int]:
        after = [(dt.datetime.fromisoformat(text) - begin).total_seconds() / 3600 for text in texts]
        assert all(0 <= one < hours for one in after), (min(after), max(after))
        return {int(one) for one in after}

    every = set(range(int(hours)))
    report = generate_sales.generate(date, 2_000, 7, str(tmp_path), dict.fromkeys(generate_sales.KINDS, 0.0))
    path = Path(str(report["file"]))
    assert path.name == sales_input.file_name(date) == f"sales_{day}.csv"
    lines = path.read_bytes().splitlines()[1:]
    judged: list[Any] = [sales_format.judge(line, date, found) for line in lines]
    assert [fate for fate in judged if isinstance(fate, str)] == []
    assert every <= hours_of([line.decode().split(",")[1] for line in lines])
    assert every <= hours_of([row[4] for row in generate_orders.orders(date, 2_000, 7)])
    assert every <= hours_of([event["at"] for event in generate_clicks.events(date, 4_000, 7)])
    assert every <= hours_of(shop_api(day, zone))


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_should_generate_visits_of_the_day_and_of_no_other(
    in_zone: Callable[[str], ZoneInfo], zone: str, day: str, hours: float
) -> None:
    import random

    found, date = in_zone(zone), dt.date.fromisoformat(day)
    visits = generate_access_log._visits(date, 20_000, random.Random(7))
    moments = [at for visit in visits for at, _ in visit["lines"]]
    assert {moment.astimezone(found).date() for moment in moments} == {date}
    begin = clock.bounds(date)[0].astimezone(dt.UTC)
    last = max((moment.astimezone(dt.UTC) - begin).total_seconds() for moment in moments)
    assert last > hours * 3600 - 26_400


def test_should_set_the_session_and_the_days_of_an_application_to_the_zone_of_the_environment(tmp_path: Path) -> None:
    """A day of 25 hours, from the generator through Spark: every row is of the day."""
    environment = {**os.environ, "AIRSPARK_TIME_ZONE": "America/New_York"}
    arguments = ["--date", "2026-11-01"]
    for application, more in (
        ("generate_sales", ["--rows", "500", "--out", str(tmp_path / "sales")]),
        ("sales_etl", ["--input", str(tmp_path / "sales"), "--output", str(tmp_path / "output")]),
    ):
        command = [sys.executable, str(APPS / f"{application}.py"), *arguments, *more]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    manifest = json.loads((tmp_path / "output/sales/date=2026-11-01/_manifest.json").read_text())
    assert manifest["rows_read"] == 500 and "wrong_date" not in manifest["rejects_by_reason"]
    assert manifest["rows_written"] == 500 - manifest["rows_duplicate"] - manifest["rows_rejected"] > 480


@pytest.mark.parametrize("name", ["Asia/Seul", "../../etc/passwd", "+09:00", "/etc/localtime"])
def test_should_refuse_what_is_not_a_time_zone(in_zone: Callable[[str], ZoneInfo], name: str) -> None:
    with pytest.raises(
        UserError, match="AIRSPARK_TIME_ZONE says .*, which is not a time zone: set `global.timeZone` in the values"
    ):
        in_zone(name)


@pytest.mark.parametrize("application", ["generate_sales", "generate_clicks", "generate_access_log"])
def test_should_end_in_a_sentence_before_anything_is_written_if_the_zone_is_misspelt(tmp_path: Path, application: str) -> None:
    command = [sys.executable, str(APPS / f"{application}.py"), "--date", "2026-01-15", "--rows", "500", "--out", str(tmp_path)]
    environment = {**os.environ, "AIRSPARK_TIME_ZONE": "Asia/Seul"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith(
        f"{application}: error: AIRSPARK_TIME_ZONE says 'Asia/Seul', which is not"
    )
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_should_take_days_for_those_of_utc_if_the_environment_names_no_zone() -> None:
    code = "import clock; print(clock.zone(), clock.TIME_ZONE)"
    environment = {key: value for key, value in os.environ.items() if key != "AIRSPARK_TIME_ZONE"} | {"PYTHONPATH": str(APPS)}
    for given in ({}, {"AIRSPARK_TIME_ZONE": ""}):
        done = subprocess.run([sys.executable, "-c", code], env=environment | given, capture_output=True, text=True, check=True)
        assert done.stdout == "UTC UTC\n"
