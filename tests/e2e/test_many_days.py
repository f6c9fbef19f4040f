"""Days of the pipelines in one backfill, what follows them by itself, and their removal when they are old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from conftest import make, on_worker
from dag_runs import OUTPUT, end, log_of, manifest_of, runs_since, start, why
from spark import wait

from airspark import backfill
from airspark.airflow_api import Airflow

pytestmark = pytest.mark.long
DAYS = [f"2025-06-{number:02d}" for number in range(1, 5)]
RANGE = (f"FROM={DAYS[0]}", f"TO={DAYS[-1]}")
ROWS = 2_000


@pytest.fixture(scope="module")
def airflow_with_days(airflow: Airflow) -> Iterator[Airflow]:
    """Airflow with input of those days, and recommender_features switched on."""
    done = make("data", *RANGE, f"ROWS={ROWS}")
    assert done.returncode == 0, done.stderr
    airflow.call("PATCH", "/dags/recommender_features", json={"is_paused": False})
    yield airflow
    airflow.call("PATCH", "/dags/recommender_features", json={"is_paused": True})


def instances(airflow: Airflow, dag: str, task: str) -> list[dict[str, Any]]:
    """The instances of a task in the runs of those days."""
    days = backfill.Range(date.fromisoformat(DAYS[0]), date.fromisoformat(DAYS[-1]))
    found = backfill.runs(airflow, dag, days).values()
    return [airflow.call("GET", f"/dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances/{task}") for run in found]


def at_once(tasks: list[dict[str, Any]]) -> int:
    """How many of some ended tasks ran at the same time, at most."""
    times = [(datetime.fromisoformat(one["start_date"]), datetime.fromisoformat(one["end_date"])) for one in tasks]
    return max(sum(begin <= moment < end for begin, end in times) for moment, _ in times)


def test_should_run_days_in_their_order_if_each_reads_those_before(airflow_with_days: Airflow) -> None:
    airflow = airflow_with_days
    before = {run["dag_run_id"] for run in runs_since(airflow, "recommender_features", set())}
    done = make("backfill", "DAG=clickstream_behaviour", *RANGE, "PARALLEL=4", "RERUN=1")
    assert done.returncode == 0, done.stdout + done.stderr
    for number, day in enumerate(DAYS):
        assert manifest_of(f"clickstream/date={day}")["history"] == DAYS[:number]
    # What each day published starts the features; of the first days too few are known, and their runs skip the rest.
    path = f"{OUTPUT}/recommender/date={DAYS[-1]}/_SUCCESS"
    wait("features of the last day", lambda: on_worker("bash", "-c", f"ls {path} 2>/dev/null || true"), 900)
    for run in runs_since(airflow, "recommender_features", before):
        run_id = run["dag_run_id"]
        assert run["run_type"] == "asset_triggered"
        assert end(airflow, "recommender_features", run_id) == "success", why(airflow, "recommender_features", run_id)


def test_should_run_days_at_the_same_time_within_the_pool(airflow_with_days: Airflow) -> None:
    airflow = airflow_with_days
    done = make("backfill", "DAG=etl_daily", *RANGE, "PARALLEL=4", "RERUN=1")
    assert done.returncode == 0, done.stdout + done.stderr
    for day in DAYS:
        assert manifest_of(f"sales/date={day}")["rows_read"] == ROWS
    tasks = instances(airflow, "etl_daily", "transform")
    assert len(tasks) == len(DAYS) and {one["pool"] for one in tasks} == {"spark"}
    assert at_once(tasks) == 2


def test_should_remove_what_is_old_and_keep_the_rest(airflow_with_days: Airflow) -> None:
    airflow = airflow_with_days
    there = f"cd {OUTPUT} && ls -d sales/date=* clickstream/date=*"
    before = set(on_worker("bash", "-c", there).split())
    # Of each dataset the newest stays, however old it is.
    newest = {max(path for path in before if path.startswith(name)) for name in ("sales/", "clickstream/")}
    old = {f"{name}/date={day}" for name in ("sales", "clickstream") for day in DAYS} - newest
    assert len(old) >= 2 * (len(DAYS) - 1)
    conf = {"date": "2025-12-31", "partitions_days": 180, "dry_run": False}
    run_id = start(airflow, "maintenance", conf)
    assert end(airflow, "maintenance", run_id) == "success", why(airflow, "maintenance", run_id)
    assert set(on_worker("bash", "-c", there).split()) == before - old
    assert "partitions" in log_of(airflow, "maintenance", run_id, "report")
