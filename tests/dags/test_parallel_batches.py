"""The DAG parallel_batches: which files it takes, that nothing is lost in the fan-in, and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import parallel_batches
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from hypothesis import given
from hypothesis import strategies as st
from pipelines import sales_frames
from sales_files import rows, use, write


def _call(task_id: str, *arguments: Any) -> Any:
    task: Any = parallel_batches.dag.get_task(task_id)
    return (task.python_callable if hasattr(task, "python_callable") else task.partial_kwargs["python_callable"])(*arguments)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, and a run for the four days up to the 15th."""
    use(monkeypatch, parallel_batches, tmp_path)
    context = {"params": {"date": "2026-01-15", "days": 4}}
    monkeypatch.setattr(parallel_batches, "get_current_context", lambda: context)
    return tmp_path


def test_should_limit_what_runs_at_once_in_every_way() -> None:
    dag: Any = parallel_batches.dag
    assert dag.max_active_tasks == 6
    assert (dag.get_task("total").partial_kwargs["pool"], dag.get_task("in_one_task").pool) == ("batches", "batches")
    assert dag.get_task("total").partial_kwargs["max_active_tis_per_dagrun"] == 4
    assert dag.get_task("combine").trigger_rule == "all_done"
    assert dag.get_task("compare").upstream_task_ids == {"combine", "in_one_task"}


def test_should_give_the_same_totals_in_many_tasks_and_in_one(root: Path) -> None:
    for day in ("2026-01-12", "2026-01-14", "2026-01-15", "2026-01-16"):
        write(root / "data/sales", *rows(day, 50), day=day)
    days = _call("plan")
    assert days == ["2026-01-12", "2026-01-14", "2026-01-15"]
    parallel = _call("combine", days, [_call("total", day) for day in reversed(days)])
    found = _call("compare", parallel, _call("in_one_task", days))
    assert sum(row["orders"] for row in found["totals"]) == 150


@pytest.mark.parametrize(("task", "argument"), [("total", "2026-01-15"), ("in_one_task", ["2026-01-15"])])
def test_should_fail_in_a_sentence_if_a_file_grows_while_it_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch, task: str, argument: Any
) -> None:
    path = write(root / "data/sales", *rows("2026-01-15", 5))
    pieces = sales_frames.pieces

    def growing(*arguments: Any) -> Any:
        yield from pieces(*arguments)
        with open(path, "a", encoding="utf-8") as file:
            file.write("one more\n")

    monkeypatch.setattr(sales_frames, "pieces", growing)
    with pytest.raises(AirflowFailException, match=r"sales_2026-01-15.csv was changed while it was being read: run again$"):
        _call(task, argument)


def test_should_name_the_day_and_add_up_nothing_if_one_task_failed(root: Path) -> None:
    days = ["2026-01-14", "2026-01-15"]
    for day in days:
        write(root / "data/sales", *rows(day, 5), day=day)
    with pytest.raises(AirflowFailException, match="no totals without the days 2026-01-15: their tasks failed"):
        _call("combine", days, [_call("total", "2026-01-14")])


def test_should_skip_in_a_sentence_if_no_day_has_a_file(root: Path) -> None:
    with pytest.raises(AirflowSkipException, match="no day from 2026-01-12 to 2026-01-15 has a file in "):
        _call("plan")


def test_should_fail_if_both_ways_differ() -> None:
    with pytest.raises(ValueError, match="the ways differ"):
        _call("compare", {"totals": [1], "seconds": 1}, {"totals": [2], "seconds": 1})


CENTS = st.decimals(0, 10**9, places=2)
ROW = st.fixed_dictionaries(
    {"category": st.sampled_from("abc"), "orders": st.integers(0, 9), "items": st.integers(0, 9), "revenue": CENTS.map(str)}
)


@given(st.lists(st.lists(ROW, max_size=3, unique_by=lambda row: row["category"]), max_size=6))
def test_should_add_up_in_any_order_without_losing_a_cent(parts: list[list[dict[str, Any]]]) -> None:
    forward, backward = parallel_batches.added(parts), parallel_batches.added(parts[::-1])
    assert forward == backward
    cents = sum(round(float(row["revenue"]) * 100) for part in parts for row in part)
    assert sum(round(float(row["revenue"]) * 100) for row in forward) == cents
