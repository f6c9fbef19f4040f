"""The DAG access_log_daily: its order, its day, and that it does without an index."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import access_log_daily
import pendulum
import publish
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException


def test_should_index_what_was_verified_and_announce_it_last() -> None:
    tasks = access_log_daily.dag.task_dict
    assert list(tasks) == ["check_input", "transform", "verify", "index", "publish"]
    assert "transform" in tasks["verify"].upstream_task_ids
    assert tasks["index"].upstream_task_ids == {"verify"}
    assert tasks["publish"].upstream_task_ids == {"verify", "index"}
    assert [(asset.name, asset.uri) for asset in tasks["publish"].outlets] == [
        ("access_log_daily", "airspark://output/access_log")
    ]


def test_should_go_on_without_an_index_if_there_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    task: Any = access_log_daily.dag.get_task("index")
    monkeypatch.setattr(access_log_daily.BaseHook, "get_connection", missing)
    with pytest.raises(AirflowSkipException, match="there is no connection search: make it"):
        task.python_callable({})
    assert access_log_daily.dag.get_task("publish").trigger_rule == "none_failed"


def test_should_index_the_present_version_and_hold_it_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = "date=2026-01-15"
    (tmp_path / "made").mkdir()
    link = publish.publish(tmp_path, f"access_log/{partition}", tmp_path / "made")

    def load(client: str, folder: Path, *others: Any) -> Any:
        with pytest.raises(BlockingIOError), (folder.parent / ".lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return client, folder, *others

    monkeypatch.setattr(access_log_daily, "OUTPUT", str(tmp_path))
    monkeypatch.setattr(access_log_daily.BaseHook, "get_connection", lambda name: name)
    monkeypatch.setattr(access_log_daily.search, "client", lambda connection: connection)
    monkeypatch.setattr(access_log_daily.search, "load", load)
    task: Any = access_log_daily.dag.get_task("index")
    indexed = task.python_callable({"partition": partition})
    assert indexed == ("search", link.resolve(), "access_log", "2026-01-15", access_log_daily.INDEXED)
    with pytest.raises(
        AirflowFailException, match="^nothing is published as .*/access_log/date=2026-01-14: run what publishes it"
    ):
        task.python_callable({"partition": "date=2026-01-14"})


def test_should_take_the_day_of_the_data_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    context = {"params": {"date": None}, "data_interval_start": pendulum.datetime(2026, 1, 14, 15, tz="UTC")}
    monkeypatch.setattr(access_log_daily, "get_current_context", lambda: context)
    monkeypatch.setattr(access_log_daily.spark, "check", lambda *arguments: asked.append(arguments))
    task: Any = access_log_daily.dag.get_task("check_input")
    assert task.python_callable() == "2026-01-15"
    assert asked == [("access_log", ["--date", "2026-01-15", "--input", "/opt/airflow/data/access_logs"])]
