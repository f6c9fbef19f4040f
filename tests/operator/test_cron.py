"""Times of schedules, held against robfig/cron's own (tests/operator/cron/main.go), and what the CRD lets through."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airspark.crds import rules
from airspark.project import ROOT
from airspark_operator import times
from airspark_operator.schedule import Schedule, WrongSchedule

Object = dict[str, Any]
TABLE: Object = json.loads((ROOT / "tests/operator/cron/table.json").read_text())
CASES: list[Object] = TABLE["cases"]
START = times.parse(TABLE["from"])


def runs(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Give the times of a schedule from one moment until another."""
    moment = schedule.following(after)
    while moment <= until:
        yield moment
        moment = schedule.following(moment)


def admitted(text: str) -> bool:
    """Whether the CRD's rule lets a schedule through: CEL's matches() and Python's search agree on these patterns."""
    (rule,) = rules.schedule()
    terms = re.findall(r"(!?)self\.matches\(r'(.*?)'\)(?: && |$)", rule["rule"], re.DOTALL)
    assert len(terms) == 3, rule["rule"]
    # RE2's $ is the end of the text alone, and its \s has ASCII's blanks alone
    return len(text) <= rules.SCHEDULE_LENGTH and all(
        bool(re.search(pattern.removesuffix("$") + (r"\Z" if pattern.endswith("$") else ""), text, re.ASCII)) == (not negated)
        for negated, pattern in terms
    )


def readable(text: str, zone: str = "") -> bool:
    """Whether the controller can read a schedule; days that no year has and unknown zones are another matter."""
    try:
        Schedule(text, zone)
    except WrongSchedule as wrong:
        return "comes on no day" in str(wrong) or "no time zone" in str(wrong)
    return True


def should_be_held_against_five_zones_and_twenty_years() -> None:
    assert len({case["zone"] for case in CASES}) == 5
    assert all(times.parse(case["until"]).year == 2040 for case in CASES if case["schedule"] != "@hourly")


@pytest.mark.parametrize("case", CASES, ids=[f"{case['schedule']} in {case['zone']}" for case in CASES])
def should_run_when_robfig_cron_does_if_the_time_is_one_that_the_schedule_names(case: Object) -> None:
    found = [int(run.timestamp()) for run in runs(Schedule(case["schedule"], case["zone"]), START, times.parse(case["until"]))]
    assert len(found) == case["count"]
    assert hashlib.sha256(" ".join(map(str, found)).encode()).hexdigest() == case["sha256"]


CHANGES = [
    (case["zone"], case["schedule"], minutes, change)
    for case in CASES
    for minutes, changes in (case.get("round") or {}).items()
    for change in changes
]


@pytest.mark.parametrize(("zone", "schedule"), sorted({row[:2] for row in CHANGES}))
def should_run_round_each_change_of_the_clock_as_robfig_cron_does(zone: str, schedule: str) -> None:
    wanted = {change: minutes for row_zone, row, minutes, change in CHANGES if (row_zone, row) == (zone, schedule)}
    assert len(wanted) == (4 if schedule == "@hourly" else 40)
    for change, minutes in wanted.items():
        moment = datetime.strptime(change, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
        begin, end = moment - timedelta(minutes=180, seconds=1), moment + timedelta(minutes=180)
        found = [int((run - moment).total_seconds() // 60) for run in runs(Schedule(schedule, zone), begin, end)]
        assert " ".join(map(str, found)) == minutes, change


def should_run_at_no_time_that_the_schedule_does_not_name_if_clocks_leave_an_hour_out() -> None:
    schedule = Schedule("*/15 2 * * *", "America/New_York")
    found = list(runs(schedule, datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)))
    local = [run.astimezone(schedule.zone).strftime("%d %H:%M") for run in found]
    assert local == ["07 02:00", "07 02:15", "07 02:30", "07 02:45", "09 02:00", "09 02:15", "09 02:30", "09 02:45"]


@pytest.mark.parametrize("zone", ["America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe"])
@pytest.mark.parametrize("expression", ["0 1 * * sat", "0 5 */2 * 1", "0 12 13 * fri", "30 1 * * *"])
def should_run_on_days_and_hours_that_are_named_if_clocks_change_at_midnight(zone: str, expression: str) -> None:
    schedule = Schedule(expression, zone)
    minute, hour, day, _, weekday = expression.split()
    named = {"sat": [6], "1": [1], "fri": [5], "*": range(1, 8)}[weekday]
    days = {"*": range(1, 32), "*/2": range(1, 32, 2), "13": [13]}[day]
    either = day != "*" and weekday != "*"
    for run in runs(schedule, datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)):
        local = run.astimezone(schedule.zone)
        assert (local.minute, local.hour) == (int(minute), int(hour)), local
        fits = (local.isoweekday() in named, local.day in days)
        assert any(fits) if either else all(fits), local


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@every 90000ms", 90),
        ("@every .5h", 1800),
        ("@every 1.5h", 5400),
        ("@every 1h30m", 5400),
        ("@every +2h", 7200),
        ("@every 1.h", 3600),
        ("@every 90000000us", 90),
        ("@every 90000000µs", 90),
        ("@every 60000000000ns", 60),
        ("@every 1h0.5m30s", 3660),
        ("@every 1ms", 1),
    ],
)
def should_read_every_distance_that_go_reads(text: str, seconds: int) -> None:
    assert admitted(text)
    assert Schedule(text).every == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["@every 0s", "@every 0.0h", "@every", "@every 5", "@every h", "@every .h", "@every -5m", "@every 1000000h", "@every 1h 30m",
     "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5- * * * *", "@Sometimes",
     "1,,2 * * * *", "* * * foo *", "* * * * l", "l * * * *", "* * * * mon#6", "* * l-3 * *", "TZ=UTC", "0 2 * *", "0 2 * * * *",
     "* * * * *\u00a0", "0 0 * * \u017fun", "@every 1\u0665s", "", "@reboot", "R * * * *", "H 2 * * *"],
)  # fmt: skip
def should_refuse_in_both_places_what_no_one_can_read(text: str) -> None:
    assert not admitted(text)
    with pytest.raises(WrongSchedule):
        Schedule(text)


NUMBERS = st.integers(0, 70).map(str) | st.integers(0, 9).map(lambda number: f"0{number}")
VALUES = NUMBERS | st.sampled_from(
    ["jan", "Dec", "sun", "MON", "sat", "l", "L", "7", "l5", "L7", "mon#2", "5#5", "fri#0", "?", "*", "foo", ""]
)
ITEMS = st.builds(
    lambda low, high, step: low + (f"-{high}" if high is not None else "") + (f"/{step}" if step is not None else ""),
    VALUES,
    st.none() | VALUES,
    st.none() | NUMBERS,
)
FIELDS = st.lists(ITEMS, min_size=1, max_size=3).map(",".join)
MINUTES, HOURS, DAYS = (st.integers(least, most).map(str) for least, most in ((0, 59), (0, 23), (1, 31)))
MONTHS, WEEKDAYS = st.sampled_from(["1", "feb", "*/3"]), st.sampled_from(["mon-fri", "7", "fri#2"])
LIKELY = st.tuples(*(st.just("*") | low | FIELDS for low in (MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS))).map(" ".join)
DISTANCES = st.lists(
    st.tuples(
        st.sampled_from(["", "+", "-", "0", "1", ".5", "1.", ".", "90000", "1234567", "999999", "0.000"]),
        st.sampled_from(["h", "m", "s", "ms", "us", "µs", "μs", "ns", "d", "", "H"]),
    ).map("".join),
    max_size=7,
).map(lambda parts: "@every " + "".join(parts))
WORDS = st.sampled_from(["@daily", "@Hourly", "@weekly", "@monthly", "@yearly", "@annually", "@midnight", "@reboot", "daily"])
PREFIXES = st.sampled_from(["", "", "TZ=Asia/Seoul ", "CRON_TZ=UTC  ", "tz= ", "TZ=", " ", "TZ=Asia/Seoul\t"])


@given(
    PREFIXES,
    LIKELY | DISTANCES | WORDS | st.lists(FIELDS, min_size=4, max_size=6).map(" ".join),
    st.sampled_from(["", " ", "\n"]),
)
@settings(max_examples=1500, deadline=None)
def should_admit_what_the_controller_can_read_and_nothing_else(prefix: str, body: str, suffix: str) -> None:
    text = prefix + body + suffix
    assert admitted(text) == readable(text), text


@pytest.mark.parametrize("zone", ["Local", "", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("prefix", ["TZ=", "CRON_TZ="])
def should_follow_the_zone_in_front_of_a_schedule_whatever_spec_time_zone_says(prefix: str, zone: str) -> None:
    schedule = Schedule(f"{prefix}Asia/Seoul 0 2 * * *", zone)
    assert times.text(schedule.following(times.parse("2026-03-10T12:00:00Z"))) == "2026-03-10T17:00:00Z"
    assert admitted(f"{prefix}Asia/Seoul 0 2 * * *")


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 l * *", [31]),
        ("0 0 15,L * *", [15, 31]),
        ("0 0 * * mon#2", [9]),
        ("0 0 * * L5", [27]),
        ("0 0 * * fri-mon", [1, 2, 6, 7, 8, 9, 13, 14, 15, 16, 20, 21, 22, 23, 27, 28, 29, 30]),
        ("0 0 30-2 * *", [1, 2, 30, 31]),
        ("0 0 * * 6-7", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
        ("0 0 20/5 * ?", [20, 25, 30]),
        ("0 0 */10 * mon", [1, 2, 9, 11, 16, 21, 23, 30, 31]),
        ("0 0 */1 * mon", [2, 9, 16, 23, 30]),
    ],
)
def should_run_on_the_days_that_a_field_names(expression: str, days: list[int]) -> None:
    assert admitted(expression)
    found = runs(Schedule(expression), datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert [run.day for run in found] == days


def should_go_on_if_robfig_cron_would_go_in_a_circle() -> None:
    schedule = Schedule("15 0 * * *", "America/St_Johns")  # clocks there changed one minute after midnight until 2011
    found = list(runs(schedule, datetime(2009, 10, 25, tzinfo=UTC), datetime(2009, 11, 8, tzinfo=UTC)))
    assert len(found) >= 13 and all(run.astimezone(schedule.zone).strftime("%H:%M") == "00:15" for run in found)
