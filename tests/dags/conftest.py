"""Airflow's home for the DAG tests: a new folder, no examples, no database; and runs of DAGs on a database of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{_HOME}/airflow.db"
DAGS = Path(__file__).resolve().parents[2] / "dags"
sys.path.insert(0, str(DAGS))
# In the image they are where pipelines.defaults says.
sys.path.append(str(DAGS.parent / "spark-apps"))


@dataclass(frozen=True)
class Real:
    """What runs of DAGs left.

    Attributes:
        output: the root of the results.
        states: by a run's name, the states of the run and of its tasks.
        logs: by a run's name, its log.
    """

    output: Path
    states: dict[str, dict[str, str]]
    logs: dict[str, str]


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """Every run of real_runs.RUNS, in one process as `airflow dags test` does it: half of the time goes into its start."""
    from sales_files import APPS, DAY, GOOD, rows, write

    root = tmp_path_factory.mktemp("real")
    sales = root / "data/sales"
    write(sales, *rows(DAY, 300), *rows(DAY, 10), "1,2", GOOD.replace("-15T", "-14T"))
    write(sales, *rows("2026-01-14", 50), day="2026-01-14")
    write(sales, GOOD, day="2026-01-13", header="a,b")
    home = root / "home"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    command = [sys.executable, str(Path(__file__).with_name("real_runs.py")), str(APPS), str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    *log, last = done.stdout.splitlines()
    logs = {part.partition("\n")[0]: part for part in "\n".join(log).split("--- ")[1:]}
    return Real(root / "output", json.loads(last), logs)
