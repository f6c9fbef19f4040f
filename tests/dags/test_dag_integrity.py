"""What holds for every DAG of the project."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))
# Imports that cost every parse and every task pod their time: inside the functions that need them.
HEAVY = {"numpy", "pandas", "pyarrow", "pyspark", "kubernetes", "sqlalchemy", "requests"}

pytestmark = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _dag(path: Path) -> Any:
    return importlib.import_module(path.stem).dag


def test_should_have_a_name_that_no_spark_application_has(path: Path) -> None:
    assert not (ROOT / "spark-apps" / path.name).exists()


def test_should_name_the_dag_like_its_file(path: Path) -> None:
    assert _dag(path).dag_id == path.stem


def test_should_be_serialised_and_read_back_as_the_scheduler_does(path: Path) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    written = json.loads(json.dumps(DagSerialization.to_dict(_dag(path))))
    assert DagSerialization.from_dict(written).task_dict.keys() == _dag(path).task_dict.keys()


def test_should_say_what_it_does_and_retry_with_growing_delays(path: Path) -> None:
    dag = _dag(path)
    assert dag.description
    assert dag.doc_md
    assert dag.tags
    for task in dag.tasks:
        assert task.retries >= 1, task.task_id
        assert task.retry_exponential_backoff > 1, task.task_id


def test_should_not_run_the_past_when_it_is_switched_on(path: Path) -> None:
    assert _dag(path).catchup is False


def test_should_import_nothing_heavy_at_the_top_level(path: Path) -> None:
    imported = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert not imported & HEAVY


def test_should_need_no_pyspark_pandas_or_pyarrow_to_be_parsed(path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(path.parent)!r}); import {path.stem}; "
        "print(*sorted({'pyspark', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[-2] == ""
