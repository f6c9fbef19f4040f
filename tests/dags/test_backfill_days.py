"""What a backfill makes of the schedule of the daily DAGs; scripts/airspark/backfill.py asks for these moments."""

from __future__ import annotations

import pendulum
import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from pipelines.defaults import daily, effective_date


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (2, 30), (23, 59)])
def test_should_have_a_run_for_exactly_the_days_whose_runs_are_due_between_two_moments(hour: int, minute: int) -> None:
    dag = DagSerialization.from_dict(DagSerialization.to_dict(DAG(dag_id="any", schedule=daily(hour, minute))))
    # The days from 1 to 5 January, see tests/unit/test_backfill.py.
    moments = pendulum.parse("2026-01-02T00:00:00+09:00"), pendulum.parse("2026-01-06T23:59:59+09:00")
    found = list(dag.iter_dagrun_infos_between(*moments))
    days = [effective_date({"date": None}, run.data_interval.start) for run in found]
    assert days == [f"2026-01-0{day}" for day in range(1, 6)]
    assert [run.logical_date for run in found] == [run.data_interval.start for run in found]
