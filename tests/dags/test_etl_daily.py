"""The DAG etl_daily: its schedule, its order, and what its tasks refuse."""

from __future__ import annotations

import contextlib
import fcntl
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import etl_daily
import pendulum
import pipelines.spark
import publish
import pyarrow
import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    ParamValidationError,
)
from pipelines import results
from pipelines.defaults import effective_date
from pyarrow import parquet

APPS = Path(__file__).resolve().parents[2] / "spark-apps"
HEADER = "order_id,ordered_at,customer_id,product_id,category,quantity,unit_price,region,channel"
DAY = "2026-01-15"


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    """A partition as the Spark application publishes it: 3 rows read, 2 written, 1 rejected."""
    folder = tmp_path / "sales" / f"date={DAY}"
    folder.mkdir(parents=True)
    parquet.write_table(pyarrow.table({"order_id": [1, 2]}), folder / "part-00000.snappy.parquet")
    (folder / "_SUCCESS").touch()
    size = (folder / "part-00000.snappy.parquet").stat().st_size
    _write_manifest(
        folder,
        {
            "partition": f"date={DAY}",
            "rows_read": 3,
            "rows_written": 2,
            "rows_rejected": 1,
            "rows_duplicate": 0,
            "rejects_by_reason": {"wrong_type": 1},
            "files": [{"name": "part-00000.snappy.parquet", "bytes": size, "rows": 2}],
            "bytes": size,
        },
    )
    return folder


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _call(task_id: str, *arguments: Any) -> Any:
    task: Any = etl_daily.dag.get_task(task_id)
    return task.python_callable(*arguments)


@pytest.fixture
def check_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the task check_input for a date on the folder tmp_path."""
    monkeypatch.setattr(pipelines.spark, "APPLICATIONS", str(APPS))
    monkeypatch.setattr(etl_daily, "INPUT", str(tmp_path))

    def call(date: str | None = DAY) -> Any:
        monkeypatch.setattr(etl_daily, "get_current_context", lambda: {"params": {"date": date}})
        return _call("check_input")

    return call


def test_should_check_then_transform_then_verify_then_publish() -> None:
    tasks = etl_daily.dag.task_dict
    assert list(tasks) == ["check_input", "transform", "verify", "load_warehouse", "publish"]
    assert "transform" in tasks["check_input"].downstream_task_ids
    assert tasks["verify"].upstream_task_ids == {"check_input", "transform"}
    assert tasks["load_warehouse"].upstream_task_ids == {"verify"}
    assert tasks["publish"].upstream_task_ids == {"verify", "load_warehouse"}


def test_should_go_on_without_a_warehouse_if_there_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    monkeypatch.setattr(etl_daily.BaseHook, "get_connection", missing)
    with pytest.raises(AirflowSkipException, match="there is no connection warehouse: make it"):
        _call("load_warehouse", {})
    assert etl_daily.dag.get_task("publish").trigger_rule == "none_failed"


def test_should_load_the_present_version_and_hold_it_meanwhile(
    partition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    link = publish.publish(output, f"sales/date={DAY}", partition)

    def load(database: str, folder: Path, date: str) -> dict[str, Any]:
        with pytest.raises(BlockingIOError), (folder.parent / ".lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return {"database": database, "folder": folder, "date": date}

    monkeypatch.setattr(etl_daily, "OUTPUT", str(output))
    monkeypatch.setattr(etl_daily.BaseHook, "get_connection", lambda name: name)
    monkeypatch.setattr(etl_daily.warehouse, "connect", contextlib.nullcontext)
    monkeypatch.setattr(etl_daily.warehouse, "load", load)
    loaded = _call("load_warehouse", {"partition": f"date={DAY}"})
    assert loaded == {"database": "warehouse", "folder": link.resolve(), "date": DAY}
    with pytest.raises(AirflowFailException, match="^nothing is published as .*/sales/date=2026-01-14: run what publishes it"):
        _call("load_warehouse", {"partition": "date=2026-01-14"})


def test_should_run_the_day_before_at_midnight_in_seoul_one_run_at_a_time() -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    dag = DagSerialization.from_dict(DagSerialization.to_dict(etl_daily.dag))
    restriction = TimeRestriction(pendulum.datetime(2026, 1, 16, tz="Asia/Seoul"), None, catchup=True)
    run = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run is not None
    assert run.data_interval is not None
    assert run.run_after == pendulum.datetime(2026, 1, 16, tz="Asia/Seoul")
    assert effective_date({"date": None}, run.data_interval.start) == "2026-01-15"
    assert dag.max_active_runs == 1


def test_should_wait_for_midnight_if_it_is_switched_on_for_the_first_time() -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    dag = DagSerialization.from_dict(DagSerialization.to_dict(etl_daily.dag))
    restriction = TimeRestriction(etl_daily.dag.start_date, None, catchup=False)
    run = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run is not None
    assert run.run_after > pendulum.now("UTC")


def test_should_take_the_day_from_the_params_before_the_data_interval() -> None:
    start = pendulum.datetime(2026, 1, 20, 15, tz="UTC")
    assert effective_date({"date": DAY}, start) == DAY
    assert effective_date({"date": None}, start) == "2026-01-21"


def test_should_fail_without_retry_if_neither_params_nor_interval_say_a_day() -> None:
    with pytest.raises(AirflowFailException, match="has no data interval: give it a day"):
        effective_date({"date": None}, None)


@pytest.mark.parametrize("share", [-0.1, 1.5, "much"])
def test_should_refuse_a_share_that_is_no_share(share: Any) -> None:
    with pytest.raises(ParamValidationError):
        etl_daily.dag.params.get_param("max_reject_share").resolve(share)


@pytest.mark.parametrize("date", ["yesterday", "2026-02-30", 20260115])
def test_should_refuse_a_param_that_is_no_date(date: Any) -> None:
    with pytest.raises(ParamValidationError):
        etl_daily.dag.params.get_param("date").resolve(date)


def test_should_pass_the_day_and_the_share_to_the_application() -> None:
    task: Any = etl_daily.dag.get_task("transform")
    assert task.application == "/opt/airflow/spark-apps/sales_etl.py"
    assert task._conn_id == "spark_default"
    assert task.application_args[0] == "--date"
    assert task.application_args[-2:] == ["--max-reject-share", "{{ params.max_reject_share }}"]


def test_should_return_the_day_if_the_input_is_good(check_input: Any, tmp_path: Path) -> None:
    (tmp_path / f"sales_{DAY}.csv").write_text(f"{HEADER}\n1,2,3,4,5,6,7,8,9\n")
    assert check_input() == DAY


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "^the input file .* does not exist"),
        ("", "^the input file .* is empty"),
        ("a,b\n1,2\n", "wrong header: expected order_id,.*; found a,b"),
        (f"{HEADER}\n", "has a header and no rows"),
    ],
)
def test_should_fail_without_retry_in_one_sentence_if_the_input_is_bad(
    check_input: Any, tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / f"sales_{DAY}.csv").write_text(content)
    with pytest.raises(AirflowFailException, match=sentence) as failure:
        check_input()
    assert "\n" not in str(failure.value)


def test_should_fail_without_retry_if_the_date_is_no_date(check_input: Any) -> None:
    with pytest.raises(AirflowFailException, match="is not a date"):
        check_input("2026-15-01")


def test_should_retry_if_the_check_itself_breaks(check_input: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match="ended with 1"):
        check_input()


def test_should_return_the_manifest_if_counts_and_files_agree(partition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl_daily, "OUTPUT", str(partition.parents[1]))
    assert _call("verify", DAY)["rows_written"] == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rows_read": 4}, "do not add up"),
        ({"rows_duplicate": 1}, "do not add up"),
        ({"rejects_by_reason": {}}, "reasons .* do not add up"),
        ({"rows_written": 3, "rows_read": 4}, "hold 2 rows, its manifest says 3"),
        ({"partition": "date=2026-01-14"}, "is the result for date=2026-01-14"),
        ({"files": []}, "its manifest lists"),
    ],
)
def test_should_fail_if_the_manifest_is_wrong(partition: Path, change: dict[str, Any], sentence: str) -> None:
    manifest = json.loads((partition / "_manifest.json").read_text())
    _write_manifest(partition, manifest | change)
    with pytest.raises(ValueError, match=sentence):
        results.verified_manifest(partition)


@pytest.mark.parametrize("missing", ["_SUCCESS", "_manifest.json"])
def test_should_fail_if_the_partition_has_no_mark_of_completion(partition: Path, missing: str) -> None:
    (partition / missing).unlink()
    with pytest.raises(FileNotFoundError):
        results.verified_manifest(partition)


def test_should_announce_the_asset_with_the_counts(partition: Path) -> None:
    task: Any = etl_daily.dag.get_task("publish")
    assert [(asset.name, asset.uri) for asset in task.outlets] == [("sales_daily", "airspark://output/sales")]
    (metadata,) = _call("publish", results.verified_manifest(partition))
    assert metadata.extra["rows_written"] == 2
    assert metadata.extra["path"] == f"/opt/airflow/output/sales/date={DAY}"


def test_should_try_twice_what_the_application_refuses_and_retry_the_rest_as_usual() -> None:
    task: Any = etl_daily.dag.get_task("transform")
    policy = task.retry_policy
    refused = AirflowException("Cannot execute: spark-submit. Error code is: 2.\nLast spark-submit output: …")
    first, second = (policy.evaluate(refused, number, 3) for number in (1, 2))
    assert (first.action.value, first.retry_delay) == ("retry", timedelta(seconds=5))
    assert second.action.value == "fail"
    lost = AirflowException("Cannot execute: spark-submit. Error code is: 1.")
    assert policy.evaluate(lost, 2, 3).action.value == "default"
