"""The DAGs clickstream_behaviour and recommender_features: their order, and the day that the second takes from the first."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clickstream_behaviour
import pendulum
import pipelines.spark
import pyarrow
import pytest
import recommender_features
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pipelines.defaults import effective_date
from pyarrow import parquet

APPS = Path(__file__).resolve().parents[2] / "spark-apps"
DAY = "2026-01-15"
DAYS = {"window_days": 14, "validation_days": 2}


def _check_input(
    monkeypatch: pytest.MonkeyPatch, date: str | None, *announced: str, refuse: bool = False, by_hand: Any = ()
) -> Any:
    extras = [*by_hand, *({"partition": f"date={day}"} for day in announced)]
    events = [SimpleNamespace(extra=extra) for extra in extras]
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


@pytest.mark.parametrize("module", [clickstream_behaviour, recommender_features])
def test_should_check_then_transform_then_verify_then_publish(module: Any) -> None:
    tasks = module.dag.task_dict
    assert list(tasks) == ["check_input", "transform", "verify", "publish"]
    assert tasks["transform"].upstream_task_ids == {"check_input"}
    assert tasks["verify"].upstream_task_ids == {"check_input", "transform"}
    assert tasks["publish"].upstream_task_ids == {"verify"}


def test_should_run_the_day_before_a_quarter_past_midnight_in_seoul() -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    dag = DagSerialization.from_dict(DagSerialization.to_dict(clickstream_behaviour.dag))
    restriction = TimeRestriction(pendulum.datetime(2026, 1, 16, tz="Asia/Seoul"), None, catchup=True)
    run = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run is not None and run.data_interval is not None
    assert run.run_after == pendulum.datetime(2026, 1, 16, 0, 15, tz="Asia/Seoul")
    assert effective_date({"date": None}, run.data_interval.start) == DAY


@pytest.mark.parametrize(
    ("clicks", "campaigns", "sentence"),
    [
        (None, "campaign,channel,cost\n", "^no file clicks_2026-01-15"),
        ("{}\n", None, "^the input file .*campaigns.csv does not exist"),
        ("{}\n", "campaign;channel;cost\n", "has the wrong header: expected campaign,channel,cost"),
        ("{}\n", "campaign,channel,cost\na,b,1\na,b,2\n", "line 3 of .* names the campaign a once more"),
        ("\n\n", "campaign,channel,cost\n", "holds blank lines only"),
        ("{}\n", "campaign,channel,cost\n", ""),
    ],
)
def test_should_return_the_day_or_fail_without_retry_in_one_sentence_if_the_input_is_bad(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clicks: str | None, campaigns: str | None, sentence: str
) -> None:
    for name, content in ((f"clicks_{DAY}.jsonl", clicks), ("campaigns.csv", campaigns)):
        if content is not None:
            (tmp_path / name).write_text(content)
    monkeypatch.setattr(pipelines.spark, "APPLICATIONS", str(APPS))
    monkeypatch.setattr(clickstream_behaviour, "INPUT", str(tmp_path))
    monkeypatch.setattr(clickstream_behaviour, "get_current_context", lambda: {"params": {"date": DAY}})
    task: Any = clickstream_behaviour.dag.get_task("check_input")
    if not sentence:
        assert task.python_callable() == DAY
        return
    with pytest.raises(AirflowFailException, match=sentence) as failure:
        task.python_callable()
    assert "\n" not in str(failure.value)


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Features as the application publishes them: 6 events read, 3 for training, 2 for validation, 1 search."""
    folder = tmp_path / "recommender" / f"date={DAY}"
    (folder / "ratings").mkdir(parents=True)
    file = folder / "ratings" / "part-00000.snappy.parquet"
    parquet.write_table(pyarrow.table({"user_index": [0]}), file)
    (folder / "_SUCCESS").touch()
    manifest = {
        "partition": f"date={DAY}",
        "rows_read": 6,
        "events_train": 3,
        "events_validation": 2,
        "events_without_weight": 1,
        "metrics": {"als recall@10": None},
        "files": [{"name": "ratings/part-00000.snappy.parquet", "bytes": file.stat().st_size, "rows": 1}],
    }
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(recommender_features, "OUTPUT", str(tmp_path))
    return folder


def test_should_announce_the_features_with_their_metrics_once_they_are_verified(features: Path) -> None:
    verify: Any = recommender_features.dag.get_task("verify")
    publish: Any = recommender_features.dag.get_task("publish")
    (metadata,) = publish.python_callable(verify.python_callable(DAY))
    assert [asset.uri for asset in publish.outlets] == ["airspark://output/recommender"]
    assert metadata.extra == {"partition": f"date={DAY}", "path": str(features), "metrics": {"als recall@10": None}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"events_train": 2}, "do not add up: 6 read, 5 used"),
        ({"partition": "date=2026-01-14"}, "is the result for date=2026-01-14"),
        ({"files": []}, "its manifest lists"),
    ],
)
def test_should_announce_no_features_whose_manifest_is_wrong(features: Path, change: dict[str, Any], sentence: str) -> None:
    manifest = json.loads((features / "_manifest.json").read_text())
    (features / "_manifest.json").write_text(json.dumps(manifest | change))
    verify: Any = recommender_features.dag.get_task("verify")
    with pytest.raises(ValueError, match=sentence):
        verify.python_callable(DAY)


def test_should_announce_no_features_without_a_mark_of_completion(features: Path) -> None:
    (features / "_SUCCESS").unlink()
    verify: Any = recommender_features.dag.get_task("verify")
    with pytest.raises(FileNotFoundError):
        verify.python_callable(DAY)


def test_should_take_the_newest_day_that_was_announced_or_the_params(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _check_input(monkeypatch, None, "2026-01-14", "2026-01-15") == "2026-01-15"
    assert _check_input(monkeypatch, "2026-01-10", "2026-01-15") == "2026-01-10"


def test_should_fail_if_nothing_says_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="no event of clickstream_daily tells a day: give it one"):
        _check_input(monkeypatch, None)


@pytest.mark.parametrize("extra", [None, {}, {"from_rest_api": True}, {"partition": None}, {"partition": "2026-01-15"}])
def test_should_fail_in_a_sentence_if_an_event_made_by_hand_tells_no_day(monkeypatch: pytest.MonkeyPatch, extra: Any) -> None:
    with pytest.raises(AirflowFailException, match="no event of clickstream_daily tells a day: give it one"):
        _check_input(monkeypatch, None, by_hand=[extra])
    assert _check_input(monkeypatch, None, "2026-01-14", by_hand=[extra]) == "2026-01-14"
    assert _check_input(monkeypatch, "2026-01-10", by_hand=[extra]) == "2026-01-10"


def test_should_skip_the_first_days_of_a_window_but_fail_if_somebody_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException, match="nothing to train on"):
        _check_input(monkeypatch, None, "2026-01-15", refuse=True)
    with pytest.raises(AirflowFailException, match="nothing to train on"):
        _check_input(monkeypatch, "2026-01-15", refuse=True)


def test_should_run_one_day_at_a_time_because_each_looks_at_those_before() -> None:
    assert clickstream_behaviour.dag.max_active_runs == recommender_features.dag.max_active_runs == 1
    # That of `airspark.backfill`: Airflow does not keep a backfill to max_active_runs.
    assert "in order" in clickstream_behaviour.dag.tags
