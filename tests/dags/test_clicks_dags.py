"""The DAGs clickstream_behaviour and recommender_features: their order, and the day that the second takes from the first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import clickstream_behaviour
import pytest
import recommender_features
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

DAYS = {"window_days": 14, "validation_days": 2}


def _check_input(monkeypatch: pytest.MonkeyPatch, date: str | None, *announced: str, refuse: bool = False) -> Any:
    events = [SimpleNamespace(extra={"partition": f"date={day}"}) for day in announced]
    context = {"params": {"date": date, **DAYS}, "triggering_asset_events": {"clickstream_daily": events}}

    def check(*arguments: Any) -> None:
        if refuse:
            raise AirflowFailException("no day before the last 2 is published: nothing to train on")

    monkeypatch.setattr(recommender_features, "get_current_context", lambda: context)
    monkeypatch.setattr(recommender_features.spark, "check", check)
    task: Any = recommender_features.dag.get_task("check_input")
    return task.python_callable()


def test_should_follow_the_asset_that_the_first_announces() -> None:
    publish: Any = clickstream_behaviour.dag.get_task("publish")
    assert [asset.uri for asset in publish.outlets] == ["airspark://output/clickstream"]
    timetable: Any = recommender_features.dag.timetable
    assert [asset.uri for asset in timetable.asset_condition.objects] == ["airspark://output/clickstream"]
    assert list(recommender_features.dag.task_dict) == ["check_input", "transform", "publish"]


def test_should_take_the_newest_day_that_was_announced_or_the_params(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _check_input(monkeypatch, None, "2026-01-14", "2026-01-15") == "2026-01-15"
    assert _check_input(monkeypatch, "2026-01-10", "2026-01-15") == "2026-01-10"


def test_should_fail_if_nothing_says_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="no event of clickstream_daily tells a day: give it one"):
        _check_input(monkeypatch, None)


def test_should_skip_the_first_days_of_a_window_but_fail_if_somebody_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException, match="nothing to train on"):
        _check_input(monkeypatch, None, "2026-01-15", refuse=True)
    with pytest.raises(AirflowFailException, match="nothing to train on"):
        _check_input(monkeypatch, "2026-01-15", refuse=True)


def test_should_run_one_day_at_a_time_because_each_looks_at_those_before() -> None:
    assert clickstream_behaviour.dag.max_active_runs == recommender_features.dag.max_active_runs == 1
