"""Runs of DAGs over the REST API, and what they leave on the output claim."""

from __future__ import annotations

import json
import time
from typing import Any

from conftest import on_worker

from airspark.airflow_api import Airflow

OUTPUT = "/opt/airflow/output"
SECONDS = 900


def start(airflow: Airflow, dag: str, conf: dict[str, Any]) -> str:
    """Switch a DAG on, start a run of it, and return the run's id."""
    airflow.call("PATCH", f"/dags/{dag}", json={"is_paused": False})
    run_id = f"test__{conf.get('date', 'now')}__{time.time_ns() // 1_000_000}"
    body = {"logical_date": None, "conf": conf, "dag_run_id": run_id}
    return str(airflow.call("POST", f"/dags/{dag}/dagRuns", json=body)["dag_run_id"])


def end(airflow: Airflow, dag: str, run_id: str, seconds: float = SECONDS) -> str:
    """Wait for the end of a run and return its state."""
    deadline = time.monotonic() + seconds
    while (state := airflow.call("GET", f"/dags/{dag}/dagRuns/{run_id}")["state"]) not in ("success", "failed"):
        tasks = airflow.call("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
        assert time.monotonic() < deadline, f"{dag} {run_id} is {state}: {[(one['task_id'], one['state']) for one in tasks]}"
        time.sleep(1)
    return str(state)


def runs_since(airflow: Airflow, dag: str, before: set[str]) -> list[dict[str, Any]]:
    """The runs of a DAG that were not there before."""
    found = airflow.call("GET", f"/dags/{dag}/dagRuns", params={"limit": 100})["dag_runs"]
    return [run for run in found if run["dag_run_id"] not in before]


def log_of(airflow: Airflow, dag: str, run_id: str, task: str) -> str:
    """The log of the last try of a task."""
    found = airflow.call("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}")
    return airflow.task_log(dag, run_id, task, found["try_number"])


def why(airflow: Airflow, dag: str, run_id: str) -> str:
    """The ends of the logs of a run's failed tasks."""
    tasks = airflow.call("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
    failed = [one for one in tasks if one["state"] == "failed"]
    return "\n".join(log_of(airflow, dag, run_id, one["task_id"])[-3000:] for one in failed) or str(tasks)


def manifest_of(path: str) -> dict[str, Any]:
    """The manifest of a published partition, by its path below the output."""
    return json.loads(on_worker("cat", f"{OUTPUT}/{path}/_manifest.json"))  # type: ignore[no-any-return]
