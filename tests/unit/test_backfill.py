"""`make backfill`: which days it asks Airflow for, how it follows them, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airspark import backfill, platform
from airspark.backfill import Range
from airspark.project import ROOT, Failure

NOW = datetime(2026, 2, 1, 0, 30, tzinfo=ZoneInfo("Asia/Seoul"))
DAYS = Range(date(2026, 1, 1), date(2026, 1, 5))


class Airflow:
    """An API server with one daily DAG and one without a schedule; a day ends at each look at the runs."""

    def __init__(self, **ends: str) -> None:
        self.ends = ends
        self.runs: dict[str, dict[str, Any]] = {}
        self.backfills: list[dict[str, Any]] = []
        self.paused = True
        self.tags = ["etl"]
        self.calls: list[str] = []

    def add(self, day: str, state: str) -> None:
        self.runs[day] = {"dag_run_id": f"run {day}", "logical_date": f"{day}T00:00:00+09:00", "state": state, "duration": None}

    def wanted(self, body: dict[str, Any]) -> list[str]:
        behaviour = {"failed": ("failed",), "completed": backfill.ENDED}[body["reprocess_behavior"]]
        days = backfill.covered(body).days
        return [day for day in days if day not in self.runs or self.runs[day]["state"] in behaviour]

    def call(self, method: str, path: str, params: dict[str, Any] | None = None, json: Any = None) -> Any:
        self.calls.append(f"{method} {path}")
        if path == "/dags":
            known = {"is_paused": self.paused, "tags": [{"name": tag} for tag in self.tags]}
            return {"dags": [{"dag_id": name, "is_backfillable": name == "etl_daily", **known}
                             for name in ("airspark_check", "etl_daily")]}  # fmt: skip
        if path == "/importErrors":
            return {"import_errors": [{"filename": "broken.py", "stack_trace": "ImportError"}]}
        if method == "PATCH":
            self.paused = json["is_paused"]
            return None
        if path == "/dags/etl_daily":
            return {"is_paused": self.paused}
        if path == "/backfills/dry_run":
            return {"backfills": [{"logical_date": f"{day}T00:00:00+09:00"} for day in self.wanted(json)]}
        if path == "/backfills" and method == "POST":
            for day in self.wanted(json):
                self.add(day, "queued")
            self.backfills.append({**json, "id": 7, "completed_at": None})
            return self.backfills[-1]
        if path == "/backfills":
            return {"backfills": self.backfills[-1:]}
        if path == "/backfills/7/cancel":
            self.backfills[-1]["completed_at"] = "now"
            return None
        if path.endswith("/dagRuns"):
            assert params is not None
            shown = [dict(run) for run in self.runs.values()][params["offset"] : params["offset"] + params["limit"]]
            self.go_on()
            return {"dag_runs": shown}
        if path.endswith("/taskInstances"):
            return {"task_instances": [{"task_id": "transform", "state": "failed", "try_number": 3}]}
        raise AssertionError(path)

    def go_on(self) -> None:
        for day, run in self.runs.items():
            if run["state"] == "queued":
                run.update(state=self.ends.get(day.replace("-", "_"), "success"), duration=41.24)
                return
        for there in self.backfills:
            there["completed_at"] = there["completed_at"] or "now"

    def task_log(self, *_: Any) -> str:
        return "INFO\nsales_etl: error: the input file is empty"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "_POLL_SECONDS", 0)
    in_zone(monkeypatch, "Asia/Seoul")


def in_zone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the installed platform's ConfigMap say that zone."""
    monkeypatch.setattr(platform, "kubectl", lambda *_: name)
    backfill.zone.cache_clear()


def run(airflow: Any, rerun: bool = False, days: Range = DAYS) -> None:
    backfill.run(airflow, "etl_daily", days, 4, rerun)


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        ("", "2026-01-05", "FROM is missing"),
        ("2026-01-01", "", "TO is missing"),
        ("2026-1-1", "2026-01-05", "FROM=2026-1-1 is not a date"),
        ("20260101", "2026-01-05", "FROM=20260101 is not a date"),
        ("2026-01-01", "2026-02-30", "TO=2026-02-30 is not a date"),
        ("2026-01-06", "2026-01-05", "FROM=2026-01-06 is after TO=2026-01-05"),
        ("2026-01-01", "2026-02-01", "TO=2026-02-01 is not over yet in Asia/Seoul: the last day that can run is 2026-01-31"),
    ],
)
def test_should_refuse_days_that_make_no_range(first: str, last: str, sentence: str) -> None:
    with pytest.raises(Failure, match=f"^{sentence}$") as caught:
        backfill.check_over(backfill.parse_range(first, last), NOW)
    assert caught.value.hint == backfill.EXAMPLE


def test_should_take_yesterday_and_a_single_day() -> None:
    days = backfill.parse_range("2026-01-31", "2026-01-31")
    backfill.check_over(days, NOW)
    assert days.days == ["2026-01-31"]


def test_should_ask_for_the_runs_that_are_due_the_day_after_each_day() -> None:
    # tests/dags/test_backfill_days.py holds that the schedule has exactly the days from 1 to 5 January between these two.
    asked = backfill.body("etl_daily", DAYS, 3, rerun=False)
    assert (asked["from_date"], asked["to_date"]) == ("2026-01-02T00:00:00+09:00", "2026-01-06T23:59:59+09:00")
    assert (asked["max_active_runs"], asked["reprocess_behavior"]) == (3, "failed")
    assert backfill.body("etl_daily", DAYS, 3, rerun=True)["reprocess_behavior"] == "completed"
    assert backfill.covered(asked) == DAYS


@pytest.mark.parametrize("logical", ["2026-01-14T15:00:00Z", "2026-01-15T00:00:00+09:00", "2026-01-15T14:59:59Z"])
def test_should_know_the_day_of_a_run_in_the_time_zone_of_the_schedule(logical: str) -> None:
    assert backfill.day_of(logical) == "2026-01-15"


@pytest.mark.parametrize(
    ("zone", "day", "due"),
    [
        ("", "2026-03-08", "2026-03-09T00:00:00+00:00"),
        ("UTC", "2026-03-08", "2026-03-09T00:00:00+00:00"),
        # a day of 23 hours, and one of 25
        ("America/New_York", "2026-03-08", "2026-03-09T00:00:00-04:00"),
        ("America/New_York", "2026-11-01", "2026-11-02T00:00:00-05:00"),
    ],
)
def test_should_ask_for_each_day_once_if_the_clock_changes_on_it(
    zone: str, day: str, due: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_zone(monkeypatch, zone)
    one = backfill.parse_range(day, day)
    begin, end = one.runs_after
    assert begin.isoformat() == due and end.isoformat()[:19] == f"{due[:10]}T23:59:59"
    # Airflow's logical date of a daily run is 24 hours before the run is due
    logical = (datetime.fromisoformat(due).astimezone(UTC) - timedelta(hours=24)).isoformat()
    assert backfill.day_of(logical) == day
    assert one.logical[0] <= datetime.fromisoformat(logical) <= one.logical[1]
    assert backfill.covered(backfill.body("etl_daily", one, 1, rerun=False)) == one


@pytest.mark.parametrize(
    ("zone", "last"), [("Asia/Seoul", "2026-01-31"), ("UTC", "2026-01-30"), ("America/New_York", "2026-01-30")]
)
def test_should_know_which_day_is_over_where_the_platform_is(zone: str, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone(monkeypatch, zone)
    assert backfill.yesterday(NOW).isoformat() == last


def test_should_run_one_day_at_a_time_if_each_reads_the_days_before(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow()
    run(airflow)
    airflow.runs.clear()
    airflow.tags.append(backfill.IN_ORDER)
    run(airflow)
    assert [asked["max_active_runs"] for asked in airflow.backfills] == [4, 1]
    assert "The days of etl_daily read the days before: one at a time." in capsys.readouterr().err


def test_should_run_every_day_and_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow()
    run(airflow)
    shown = capsys.readouterr()
    assert [line for line in shown.err.splitlines() if "✓" in line] == [f"✓ etl_daily {day}: success 41.2 s" for day in DAYS.days]
    rows = [line.split() for line in shown.out.splitlines() if line.startswith("2026")]
    assert rows == [[day, "success", "41.2"] for day in DAYS.days]
    assert "RERUN=1" in shown.out


def test_should_switch_a_paused_dag_on_for_the_time_of_the_backfill() -> None:
    airflow = Airflow()
    run(airflow)
    assert airflow.paused and airflow.calls.count("PATCH /dags/etl_daily") == 2
    airflow.paused, airflow.calls = False, []
    run(airflow, rerun=True)
    assert not airflow.paused and "PATCH /dags/etl_daily" not in airflow.calls


def test_should_run_only_what_is_missing_or_failed_and_with_rerun_everything(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow()
    airflow.add("2026-01-01", "success")
    airflow.add("2026-01-02", "failed")
    run(airflow)
    shown = capsys.readouterr()
    assert shown.err.count("✓") == 4 and "4 of 5 days" in shown.err
    assert [line for line in shown.out.splitlines() if "from before" in line][0].startswith("2026-01-01")
    run(airflow)
    assert capsys.readouterr().err == "" and airflow.calls.count("POST /backfills") == 1
    run(airflow, rerun=True)
    assert capsys.readouterr().err.count("✓") == 5


def test_should_fail_with_the_reason_and_the_next_command_if_a_day_failed(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow(**{"2026_01_03": "failed"})
    with pytest.raises(Failure) as caught:
        run(airflow)
    assert str(caught.value) == (
        "1 of 5 days did not end well: 2026-01-03; etl_daily.transform of 2026-01-03: the input file is empty"
    )
    assert caught.value.hint.endswith("make backfill DAG=etl_daily FROM=2026-01-01 TO=2026-01-05")
    assert "✗ etl_daily 2026-01-03: failed" in capsys.readouterr().err and airflow.paused


def test_should_end_if_the_run_of_a_day_is_deleted_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow()
    airflow.add("2026-01-01", "queued")
    with pytest.raises(Failure, match="did not end well: 2026-01-02"):
        found = backfill.follow(airflow, "etl_daily", DAYS, ["2026-01-01", "2026-01-02"])  # type: ignore[arg-type]
        backfill.conclude(airflow, "etl_daily", Range(DAYS.first, date(2026, 1, 2)), found, False)  # type: ignore[arg-type]
    assert "✗ etl_daily 2026-01-02: deleted – s" in capsys.readouterr().err


def test_should_leave_the_backfill_running_and_say_how_to_stop_it_if_it_is_interrupted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = Airflow()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backfill, "follow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(airflow)
    assert not any("cancel" in call for call in airflow.calls) and not airflow.paused
    assert "goes on, etl_daily stays switched on. To stop it: make backfill DAG=etl_daily STOP=1" in capsys.readouterr().err
    assert backfill.console.next_command == "make backfill DAG=etl_daily FROM=2026-01-01 TO=2026-01-05"


@pytest.fixture
def busy(capsys: pytest.CaptureFixture[str]) -> Airflow:
    """An Airflow in which a backfill of DAYS is running, two days of it still to come."""
    airflow = Airflow()
    airflow.call("POST", "/backfills", json=backfill.body("etl_daily", DAYS, 4, False))
    for day in DAYS.days[:3]:
        airflow.runs[day]["state"] = "success"
    return airflow


def test_should_follow_the_backfill_of_the_same_days_that_is_running(busy: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    run(busy)
    shown = capsys.readouterr().err
    assert "running already" in shown and shown.count("✓") == 2 and busy.calls.count("POST /backfills") == 1


def test_should_refuse_if_a_backfill_of_other_days_is_running(busy: Airflow) -> None:
    with pytest.raises(Failure, match="^a backfill of etl_daily is running, FROM=2026-01-01 TO=2026-01-05$") as caught:
        run(busy, days=Range(date(2026, 1, 1), date(2026, 1, 2)))
    assert "STOP=1" in caught.value.hint


def test_should_wait_for_airflow_to_note_the_end_of_the_backfill_before(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow()
    airflow.call("POST", "/backfills", json=backfill.body("etl_daily", DAYS, 4, False))
    for day in DAYS.days:
        airflow.runs[day]["state"] = "failed"
    run(airflow)
    assert capsys.readouterr().err.count("✓") == 5 and airflow.calls.count("POST /backfills") == 2


def test_should_stop_the_backfill_that_is_running(busy: Airflow, capsys: pytest.CaptureFixture[str]) -> None:
    backfill.stop(busy, "etl_daily")  # type: ignore[arg-type]
    assert "PUT /backfills/7/cancel" in busy.calls and "Stopped" in capsys.readouterr().out
    with pytest.raises(Failure, match="no backfill of etl_daily is running"):
        backfill.stop(busy, "etl_daily")  # type: ignore[arg-type]
    with pytest.raises(Failure, match="^there is no DAG nope$") as caught:
        backfill.stop(busy, "nope")  # type: ignore[arg-type]
    assert caught.value.hint == "DAGs that can be backfilled: etl_daily"


def test_should_say_once_that_days_wait_if_the_dag_is_paused_meanwhile(
    busy: Airflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    real = backfill.runs

    def looked_at(*words: Any) -> Any:
        looks.append(busy.paused)
        busy.paused = 1 < len(looks) < 5
        if busy.paused:
            return {day: dict(run) for day, run in busy.runs.items()}  # no day ends while its DAG is paused
        return real(*words)

    monkeypatch.setattr(backfill, "runs", looked_at)
    backfill.follow(busy, "etl_daily", DAYS, DAYS.days[3:])  # type: ignore[arg-type]
    said = [line for line in capsys.readouterr().err.splitlines() if "✓" not in line]
    assert said == [
        "etl_daily is paused: its runs wait, tasks that run go on. To switch it on: make ui, then the switch beside etl_daily",
        "etl_daily is switched on again.",
    ]


@pytest.mark.parametrize(
    ("dag", "sentence"),
    [
        ("nothing", "there is no DAG nothing"),
        ("etl_dayly", r"there is no DAG etl_dayly; did you mean etl_daily\?"),
        ("airspark_check", "the DAG airspark_check has no schedule by time, so that it has no days to fill"),
    ],
)
def test_should_refuse_a_dag_without_days(dag: str, sentence: str) -> None:
    with pytest.raises(Failure, match=f"^{sentence}$") as caught:
        backfill.run(Airflow(), dag, DAYS, 4, False)  # type: ignore[arg-type]
    assert caught.value.hint.endswith(": etl_daily")


def test_should_name_the_file_if_a_dag_is_missing_because_it_cannot_be_imported() -> None:
    with pytest.raises(Failure, match=r"^there is no DAG broken: broken\.py cannot be imported$") as caught:
        backfill.run(Airflow(), "broken", DAYS, 4, False)  # type: ignore[arg-type]
    assert caught.value.hint == "make logs C=dag-processor"


@pytest.mark.parametrize(
    "dates",
    [["2026-01-01T00:00:00+09:00", "2026-01-01T12:00:00+09:00"], ["2026-01-06T00:00:00+09:00"], [None]],
    ids=["twice a day", "another day", "partitioned"],
)
def test_should_refuse_a_schedule_that_is_not_daily(dates: list[str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Airflow()
    answer: Callable[..., Any] = lambda *_, **__: {"backfills": [{"logical_date": date} for date in dates]}  # noqa: E731
    monkeypatch.setattr(airflow, "call", answer)
    with pytest.raises(Failure, match="etl_daily has no run for each single day"):
        backfill.plan(airflow, {"dag_id": "etl_daily"}, DAYS)  # type: ignore[arg-type]


def test_should_read_every_page_of_a_long_range() -> None:
    airflow = Airflow()
    days = Range(date(2025, 1, 1), date(2025, 12, 31))
    for day in days.days:
        airflow.add(day, "success")
    assert list(backfill.runs(airflow, "etl_daily", days)) == days.days  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "DAG is missing"),
        (["--dag", "etl_daily"], "FROM is missing"),
        (["--dag", "etl_daily", "--from", "2026-01-02", "--to", "2026-01-01"], "is after TO="),
        (["--dag", "etl_daily", "--from", "2026-01-01", "--to", "2026-01-02", "--parallel", "0"], "PARALLEL=0 is not a whole"),
    ],
)
def test_should_refuse_a_wrong_value_in_one_sentence_before_it_looks_for_a_cluster(arguments: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airspark", "backfill", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )  # fmt: skip
    assert done.returncode == 1 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 2
