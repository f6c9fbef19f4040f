"""The DAG maintenance: what goes, what never does, and that nothing is lost where others work at the same time."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import maintenance
import pyarrow
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import defaults, retention
from pipelines.retention import Item, Roots
from pyarrow import parquet

APPS = Path(__file__).resolve().parents[2] / "spark-apps"
sys.path.append(str(APPS))
import publish  # noqa: E402  (the line above makes it importable)

TODAY = dt.date(2026, 6, 30)


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roots:
    """The three folders, which the DAG takes for its own."""
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    found = Roots(tmp_path / "output", tmp_path / "data", tmp_path / "logs")
    for name, folder in (("OUTPUT", found.output), ("DATA", found.data), ("LOGS", found.logs)):
        folder.mkdir()
        monkeypatch.setattr(maintenance, name, str(folder))
    return found


def _publish(output: Path, path: str, files: int = 1, partition: str | None = None) -> None:
    with publish.staging(output, "test") as stage:
        made = stage / "made"
        made.mkdir()
        for number in range(files):
            parquet.write_table(pyarrow.table({"id": [number]}), made / f"part-{number:05}.snappy.parquet")
        listed = [{"name": file.name, "bytes": file.stat().st_size} for file in made.iterdir()]
        (made / "_manifest.json").write_text(json.dumps({"partition": partition or path.split("/")[-1], "files": listed}))
        publish.publish(output, path, made)


def _write(path: Path, days_ago: int, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    _age(path, days_ago)
    return path


def _age(path: Path, days_ago: int) -> None:
    at = dt.datetime.combine(TODAY - dt.timedelta(days=days_ago), dt.time(12), ZoneInfo(defaults.TIME_ZONE)).timestamp()
    os.utime(path, (at, at), follow_symlinks=False)


def _remove(kind: str, roots: Roots, days: int) -> list[str]:
    old = retention.expired(retention.find(kind, roots), TODAY, days)
    return [item.path for item in old if retention.remove(item, roots)]


def _task(task_id: str, *arguments: Any, run_type: str = "scheduled", **params: Any) -> Any:
    values = {"date": str(TODAY), "dry_run": None, **{f"{kind}_days": days for kind, days in retention.KINDS.items()}, **params}

    class Run:
        pass

    Run.run_type = run_type  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maintenance, "get_current_context", lambda: {"params": values, "dag_run": Run})
        task: Any = maintenance.dag.get_task(task_id)
        return task.python_callable(*arguments)


days = st.integers(0, 30).map(lambda number: TODAY - dt.timedelta(days=number))


@given(
    st.lists(st.tuples(st.sampled_from(["partitions", "logs"]), st.sampled_from(["a", "b"]), days), max_size=20),
    st.integers(1, 20),
)
@settings(max_examples=100, deadline=None)
def test_should_choose_all_that_is_older_but_never_the_newest_of_a_dataset(
    cases: list[tuple[str, str, dt.date]], limit: int
) -> None:
    items = [Item(kind, f"{kind}-{name}/{number}", day, 1) for number, (kind, name, day) in enumerate(cases)]
    old = retention.expired(items, TODAY, limit)
    assert all((TODAY - item.day).days > limit for item in old)
    kept = [item for item in items if item not in old]
    for dataset in {item.dataset for item in items}:
        newest = max(item.day for item in items if item.dataset == dataset)
        assert dataset.startswith("logs") or newest in [item.day for item in kept if item.dataset == dataset]
    for item in kept:
        newest = max(other.day for other in items if other.dataset == item.dataset)
        assert (TODAY - item.day).days <= limit or (item.kind == "partitions" and item.day == newest)


def test_should_delete_old_partitions_whole_and_keep_the_young_and_the_newest(roots: Roots) -> None:
    for path in ("sales/date=2026-01-01", "sales/date=2026-06-20", "sales/date=2026-06-21", "old/date=2020-01-01"):
        _publish(roots.output, path)
    assert _remove("partitions", roots, 10) == ["sales/date=2026-01-01"]
    assert _remove("partitions", roots, 9) == ["sales/date=2026-06-20"]
    assert [one.path for one in publish.published(roots.output)] == ["old/date=2020-01-01", "sales/date=2026-06-21"]
    assert [path.name for path in (roots.output / ".versions/sales/date=2026-01-01").iterdir()] == [".lock"]


def test_should_tell_quarantined_rows_from_results(roots: Roots) -> None:
    for path in ("sales/date=2026-01-01", "sales/date=2026-06-01"):
        _publish(roots.output, path)
        _publish(roots.output, f"quarantine/{path}")
    assert _remove("quarantine", roots, 30) == ["quarantine/sales/date=2026-01-01"]
    assert len(publish.published(roots.output)) == 3


def test_should_never_delete_what_is_not_ours(roots: Roots, tmp_path: Path) -> None:
    _publish(roots.output, "sales/date=2026-06-30")
    _publish(roots.output, "models/version=2020-01-01")
    _publish(roots.output, "sales/date=2020-02-31")
    _publish(roots.output, "sales/date=2020-01-02", partition="date=2020-01-03")
    _publish(roots.output, "sales/date=2020-01-04")
    (roots.output / "sales/date=2020-01-04/_manifest.json").unlink()
    (roots.output / "sales" / "date=2020-01-05").mkdir()
    outside = tmp_path / "outside"
    _publish(outside, "sales/date=2020-01-06")
    (roots.output / "sales" / "date=2020-01-06").symlink_to(outside / "sales" / "date=2020-01-06")
    (roots.output / "linked").symlink_to(outside / "sales")
    before = sorted(roots.output.rglob("*"))
    for kind in retention.KINDS:
        assert _remove(kind, roots, 1) == []
    assert sorted(roots.output.rglob("*")) == before
    assert (outside / "sales/date=2020-01-06/part-00000.snappy.parquet").exists()


def test_should_follow_no_link_out_of_its_folders(roots: Roots, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    for folder in ("failures/d/r", "quarantine/2020-01-01", "dag_id=d/run_id=r"):
        for name in ("a.txt", "a.csv", "a.csv.reason.txt"):
            _write(outside / folder / name, 900)
    (roots.output / "failures").symlink_to(outside / "failures")
    (roots.data / "quarantine").mkdir()
    (roots.data / "quarantine" / "2020-01-01").symlink_to(outside / "quarantine/2020-01-01")
    (roots.logs / "dag_id=d").symlink_to(outside / "dag_id=d")
    run = roots.logs / "dag_id=e" / "run_id=r"
    run.mkdir(parents=True)
    (run / "link").symlink_to(outside)
    _age(run / "link", 900)
    _age(run, 900)
    before = sorted(outside.rglob("*"))
    assert [_remove(kind, roots, 1) for kind in ("failures", "uploads", "logs")] == [[], [], ["dag_id=e/run_id=r"]]
    assert sorted(outside.rglob("*")) == before


def test_should_delete_refused_uploads_by_the_age_of_their_refusal(roots: Roots) -> None:
    folder = roots.data / "quarantine" / "2026-01-01"
    for name, age in (("old.csv", 91), ("young.csv", 5)):
        _write(folder / name, 900)
        _write(folder / f"{name}.reason.txt", age)
    (folder / "link.csv").symlink_to("/etc/passwd")
    _write(folder / "link.csv.reason.txt", 91)
    _write(folder / "without-reason.csv", 900)
    _write(folder / "lonely.reason.txt", 900)
    assert _remove("uploads", roots, 90) == [f"quarantine/2026-01-01/{name}" for name in ("link.csv", "old.csv")]
    assert len(list(folder.iterdir())) == 4 and Path("/etc/passwd").exists()


def test_should_delete_old_summaries_and_logs_with_their_empty_folders(roots: Roots) -> None:
    for age, run in ((31, "old"), (30, "young")):
        _write(roots.output / "failures" / "dag" / run / "task.txt", age)
        folder = _write(roots.logs / "dag_id=dag" / f"run_id={run}" / "task_id=t" / "attempt=1.log", age).parent
        _age(folder, age)
        _age(folder.parent, age)
    _write(roots.logs / "dag_processor" / "2020-01-01" / "x.log", 900)
    assert _remove("failures", roots, 30) == ["failures/dag/old/task.txt"]
    assert _remove("logs", roots, 30) == ["dag_id=dag/run_id=old"]
    assert [path.name for path in (roots.output / "failures" / "dag").iterdir()] == ["young"]
    assert sorted(path.name for path in roots.logs.iterdir()) == ["dag_id=dag", "dag_processor"]


def test_should_delete_the_working_folders_that_killed_runs_left_once_they_are_older_than_a_day(
    roots: Roots, tmp_path: Path
) -> None:
    work = roots.output / ".work" / "csv_bash"
    for run, age in (("old", 2), ("yesterday", 1), ("working", 2)):
        _age(_write(work / run / "clean.csv", age).parent, age)
    _write(work / "working" / ".clean_csv.x" / "lines", 0)
    _write(tmp_path / "outside" / "file", 900)
    (work / "link").symlink_to(tmp_path / "outside")
    planned = _task("plan")
    assert planned["kinds"]["work"] == {"kept": 2, "deleted": 1, "bytes": 4}
    assert _task("delete", planned)["work"]["deleted"] == 1
    assert sorted(path.name for path in work.iterdir()) == ["link", "working", "yesterday"]
    assert (tmp_path / "outside" / "file").exists()


def test_should_keep_the_logs_of_a_run_that_was_cleared_and_ran_again(roots: Roots) -> None:
    first = _write(roots.logs / "dag_id=dag" / "run_id=r" / "task_id=t" / "attempt=1.log", 99)
    _write(first.with_name("attempt=2.log"), 1)
    _age(first.parents[1], 99)
    assert _remove("logs", roots, 30) == []


def test_should_leave_a_partition_that_is_published_anew_after_it_was_found(roots: Roots) -> None:
    for path in ("sales/date=2026-01-01", "sales/date=2026-06-30"):
        _publish(roots.output, path)
    (item,) = retention.expired(retention.find("partitions", roots), TODAY, 30)
    _publish(roots.output, "sales/date=2026-01-01", files=2)
    assert not retention.remove(item, roots)
    assert len(list((roots.output / "sales/date=2026-01-01").glob("*.parquet"))) == 2


def test_should_delete_each_thing_once_if_it_runs_twice_at_once(roots: Roots) -> None:
    for number in range(30):
        _publish(roots.output, f"sales/date=2026-01-{number + 1:02}")
        _write(roots.output / "failures" / "dag" / f"run{number}" / "task.txt", 99)
    counts: list[dict[str, dict[str, int]]] = []
    planned = _task("plan")
    assert planned["kinds"]["failures"]["deleted"] == 30
    context = {"params": {f"{kind}_days": 30 for kind in retention.KINDS}}
    call: Any = maintenance.dag.get_task("delete").python_callable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maintenance, "get_current_context", lambda: context)
        threads = [threading.Thread(target=lambda: counts.append(call(planned))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(counts) == 2
    assert sum(count["partitions"]["deleted"] for count in counts) == 29
    assert [one.path for one in publish.published(roots.output)] == ["sales/date=2026-01-30"]
    assert not list((roots.output / "failures").rglob("*.txt"))


def test_should_plan_then_delete_then_compact_then_report() -> None:
    tasks = maintenance.dag.task_dict
    assert {name: tasks[name].upstream_task_ids for name in tasks} == {
        "plan": set(),
        "delete": {"plan"},
        "compact": {"delete", "plan"},
        "report": {"compact", "delete", "plan"},
    }
    assert tasks["compact"].application_args[-1].key == "date" and tasks["plan"].multiple_outputs


def test_should_run_on_sundays_for_the_day_before() -> None:
    import pendulum
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict(DagSerialization.to_dict(maintenance.dag))
    moment = pendulum.datetime(2026, 6, 24, tz="Asia/Seoul")
    (run,) = dag.iter_dagrun_infos_between(moment, moment.add(days=7))
    assert (run.run_after.in_timezone("Asia/Seoul").isoformat()) == "2026-06-28T04:00:00+09:00"
    assert defaults.effective_date({"date": None}, run.data_interval.start) == "2026-06-27"
    assert dag.max_active_runs == 1


@pytest.mark.parametrize(
    ("run_type", "dry_run", "expected"),
    [("scheduled", None, False), ("manual", None, True), ("backfill", None, True), ("manual", False, False),
     ("scheduled", True, True)],
)  # fmt: skip
def test_should_delete_by_schedule_and_only_plan_by_hand_unless_told(
    roots: Roots, run_type: str, dry_run: bool | None, expected: bool
) -> None:
    assert _task("plan", run_type=run_type, dry_run=dry_run)["dry_run"] is expected


def test_should_change_nothing_if_it_only_plans(roots: Roots, capsys: pytest.CaptureFixture[str]) -> None:
    _publish(roots.output, "sales/date=2020-01-01", files=3)
    _publish(roots.output, "sales/date=2026-06-29", files=3)
    before = sorted(roots.output.rglob("*"))
    planned = _task("plan", run_type="manual")
    assert planned["kinds"]["partitions"] | {"bytes": 0} == {"kept": 1, "deleted": 1, "bytes": 0}
    assert planned["kinds"]["partitions"]["bytes"] > 0
    with pytest.raises(AirflowSkipException, match="only plans"):
        _task("delete", planned)
    _task("report", planned, None)
    assert sorted(roots.output.rglob("*")) == before
    shown = capsys.readouterr().out
    assert "what would go" in shown and "partitions: sales/date=2020-01-01 (2020-01-01, " in shown


def test_should_report_a_table_of_what_has_gone_and_what_was_compacted(roots: Roots, capsys: pytest.CaptureFixture[str]) -> None:
    _publish(roots.output, "sales/date=2020-01-01", files=3)
    _publish(roots.output, "sales/date=2026-06-29", files=3)
    (roots.output / ".staging" / "dead").mkdir()
    planned = _task("plan")
    deleted = _task("delete", planned)
    _publish(roots.output, "sales/date=2026-06-29", files=1)
    counts = _task("report", planned, deleted)
    assert counts["partitions"]["deleted"] == 1 and counts["leftovers"]["deleted"] == 1
    assert (counts["small files"]["kept"], counts["small files"]["deleted"]) == (1, 2)
    table = capsys.readouterr().out.splitlines()[-9:]
    assert table[0].split() == ["kind", "kept", "deleted", "bytes", "freed"]
    assert table[1].split()[:3] == ["partitions", "1", "1"] and len({len(line) for line in table}) == 1


def test_should_go_on_with_the_rest_and_fail_if_something_cannot_be_deleted(
    roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a", "b"):
        _write(roots.output / "failures" / "dag" / run / "task.txt", 99)
    remove = retention.remove

    def refuse(item: Item, where: Roots) -> bool:
        if "/a/" in item.path:
            raise PermissionError(13, "Permission denied")
        return remove(item, where)

    monkeypatch.setattr(retention, "remove", refuse)
    with pytest.raises(RuntimeError, match=r"^1 things could not be deleted: failures/dag/a/task.txt \(Permission denied\)$"):
        _task("delete", _task("plan"))
    assert len(list((roots.output / "failures").rglob("*.txt"))) == 1


def test_should_refuse_a_day_that_has_not_come(roots: Roots) -> None:
    with pytest.raises(AirflowFailException, match="^the day 2999-01-01 has not come yet"):
        _task("plan", date="2999-01-01")


@pytest.mark.parametrize("value", [0, -1, 29, "many", 1.5, None])
def test_should_refuse_a_number_of_days_that_makes_no_sense(value: Any) -> None:
    with pytest.raises(ParamValidationError):
        maintenance.dag.params.get_param("partitions_days").resolve(value)


def test_should_keep_each_kind_for_the_least_days_that_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRSPARK_MIN_RETENTION_DAYS", "5")
    params = defaults.retention_params(retention.KINDS, retention.FLOORS)
    assert params["partitions_days"].resolve(5) == 5 and params["work_days"].value == 5
    with pytest.raises(ParamValidationError):
        params["logs_days"].resolve(4)


def test_should_be_able_to_keep_every_kind_for_its_days() -> None:
    assert all(retention.FLOORS[kind] <= days for kind, days in retention.KINDS.items())
