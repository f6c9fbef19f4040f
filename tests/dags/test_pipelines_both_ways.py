"""The DAGs classic_pipeline and taskflow_pipeline, run for real, task by task: both give the same result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from pipelines import totals
from sales_files import APPS, DAY, GOOD, rows, use, write

DAGS = Path(__file__).resolve().parents[2] / "dags"
# Each in a process of its own, on a metadata database of its own, as `airflow dags test` does.
RUN = """
import os, sys
sys.path[:0] = sys.argv[1:2]
from airflow.utils.db import initdb
from pipelines import defaults, files, totals
defaults.APPLICATIONS = sys.argv[2]
root = sys.argv[3]
published = files.published
files.published = lambda *results, output="": published(*results, output=root + "/output")
extract = totals.extract
totals.extract = lambda date, folder="": extract(date, root + "/data/sales")
initdb()
import classic_pipeline, taskflow_pipeline
for module in (classic_pipeline, taskflow_pipeline):
    module.dag.deadline = None  # Airflow 3.3.2 ends a test of a DAG with one in an error: apache/airflow#73428
    run = module.dag.test(run_conf={"date": sys.argv[4]})
    print("state", run.dag_id, run.state)
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of both DAGs on one input."""
    root = tmp_path_factory.mktemp("both")
    write(root / "data/sales", *rows(DAY, 300), *rows(DAY, 10), "1,2", GOOD.replace("-15T", "-14T"))
    home = root / "home"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    command = [sys.executable, "-c", RUN, str(DAGS), str(APPS), str(root), DAY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("state ")] == [
        "state classic_pipeline success",
        "state taskflow_pipeline success",
    ], done.stdout[-3000:]
    return root / "output"


def test_should_give_the_same_bytes_both_ways(both: Path) -> None:
    classic, taskflow = (both / name / f"date={DAY}" / "totals.csv" for name in ("classic_pipeline", "taskflow_pipeline"))
    assert classic.read_bytes() == taskflow.read_bytes()
    lines = classic.read_text().splitlines()
    assert lines[0] == "category,orders,items,revenue"
    assert [line.split(",")[:2] for line in lines[1:]] == [["books", "100"], ["home", "100"], ["toys", "100"]]


def test_should_add_up_each_good_row_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, GOOD, GOOD.replace("1,2026", "2,2026"), GOOD.replace("books", "toys"), "1,2")
    assert totals.transform({"date": DAY, "path": str(path), "bytes": path.stat().st_size}) == [
        {"category": "books", "orders": 2, "items": 4, "revenue": "402.00"},
        {"category": "toys", "orders": 1, "items": 2, "revenue": "201.00"},
    ]


def test_should_refuse_a_file_that_changed_between_its_tasks(tmp_path: Path) -> None:
    source = totals.extract(DAY, str(write(tmp_path, GOOD).parent))
    write(tmp_path, GOOD, GOOD)
    with pytest.raises(RuntimeError, match="was changed since it was looked at: run again"):
        totals.transform(source)


def test_should_fail_without_retry_if_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="does not exist"):
        totals.extract(DAY, str(tmp_path))


def test_should_publish_an_empty_table_for_a_file_without_good_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, totals, tmp_path)
    path = write(tmp_path / "data/sales", "1,2")
    found = totals.transform({"date": DAY, "path": str(path), "bytes": path.stat().st_size})
    totals.load(found, DAY, "empty", str(tmp_path / "output"))
    assert (tmp_path / "output/empty" / f"date={DAY}" / "totals.csv").read_text().splitlines() == [
        "category,orders,items,revenue"
    ]
