"""Run DAGs for real, task by task, on a metadata database of their own; started as a process by the fixture `real`.

python real_runs.py <spark-apps> <root>     reads root/data/sales, writes root/output; the last line is JSON: the states
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-01-15"
#: By a name, the DAG and the conf of a run. Of the days, the 12th has no file and the 13th a broken one.
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "classic": ("classic_pipeline", {"date": DAY}),
    "taskflow": ("taskflow_pipeline", {"date": DAY}),
    "pandas": ("csv_transform", {"date": DAY}),
    "bash": ("csv_bash", {"date": DAY}),
    "refused": ("csv_bash", {"date": DAY, "max_reject_share": 0}),
    "good": ("parallel_batches", {"date": DAY, "days": 2}),
    "broken": ("parallel_batches", {"date": DAY, "days": 3}),
    "none": ("parallel_batches", {"date": "2025-01-15", "days": 3}),
}


def main(applications: str, root: Path) -> None:
    """Make the database, run every one of RUNS, and print the states of their tasks."""
    sys.path[:0] = [str(ROOT / "dags"), str(Path(__file__).parent)]
    import classic_pipeline
    import csv_bash
    import csv_transform
    import parallel_batches
    import taskflow_pipeline
    from airflow.utils.db import initdb
    from pipelines import defaults, files, totals

    defaults.APPLICATIONS = applications
    published, extract = files.published, totals.extract
    files.published = lambda *results, output="": published(*results, output=str(root / "output"))
    totals.extract = lambda date, folder="": extract(date, str(root / "data/sales"))
    for module in (csv_bash, csv_transform, parallel_batches):
        module.INPUT = str(root / "data/sales")
    for module in (csv_bash, csv_transform):
        module.OUTPUT = str(root / "output")
    initdb()
    states = {}
    for module in (classic_pipeline, taskflow_pipeline, csv_transform, csv_bash, parallel_batches):
        dag: Any = module.dag
        dag.deadline = None  # Airflow 3.3.2 ends a test of a DAG with one in an error: apache/airflow#73428
        for name, (dag_id, conf) in RUNS.items():
            if dag_id == dag.dag_id:
                print(f"--- {name}")
                run = dag.test(run_conf=conf)
                tasks = {f"{ti.task_id}[{ti.map_index}]": str(ti.state) for ti in run.get_task_instances()}
                states[name] = {"run": str(run.state)} | tasks
    print(json.dumps(states))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
