"""What holds for every DAG of the project."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipelines import spark
from pipelines.failures import report_failure

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))
# Imports that cost every parse and every task pod their time: inside the functions that need them.
HEAVY = {"numpy", "pandas", "pyarrow", "pyspark", "kubernetes", "kubernetes_asyncio", "sqlalchemy", "requests"}
#: Of these, what operators of providers import by themselves, for a few hundredths of a second.
BY_PROVIDERS = {"requests"}
MOST_SECONDS = 0.5
#: DAGs that may take longer, each with its reason.
HEAVY_OPERATORS = {
    "spark_kubernetes": "SparkKubernetesOperator takes classes out of both Kubernetes clients: 3.1 s of CPU (2026-11-27)",
}
#: DAGs whose tasks have no failure callback, each with its reason.
TELLS_NOBODY = {
    "airspark_check": "who runs it waits for its answer, and its start is what is measured",
    "connect_check": "who runs it waits for its answer",
}

# Imports each DAG on top of airflow.sdk in a process of its own, as the DAG processor does. CPU time, because the machine does
# other things too.
PARSE = f"""
import importlib, json, os, pathlib, sys, time
import airflow.sdk
from airflow.sdk import DAG, Asset, Param, get_current_context, task
sys.path.insert(0, sys.argv[1])
there = set(sys.modules)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    for again in (1, 1, 0):
        child = os.fork()
        if not child:
            try:
                before = time.process_time()
                importlib.import_module(path.stem)
                seconds = time.process_time() - before
                imported = sorted({HEAVY!r} & (set(sys.modules) - there))
                print("parsed", json.dumps([path.stem, seconds, imported]), flush=True)
                again &= seconds > {MOST_SECONDS} and path.stem not in {set(HEAVY_OPERATORS)!r}
            finally:
                os._exit(again)
        if not os.waitpid(child, 0)[1]:
            break
"""

pytestmark = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _dag(path: Path) -> Any:
    return importlib.import_module(path.stem).dag


@pytest.fixture(scope="module")
def parsed() -> dict[str, tuple[float, list[str]]]:
    """By DAG, the least seconds that its import takes, of three if need be, and what of HEAVY it imports."""
    found: dict[str, tuple[float, list[str]]] = {}
    done = subprocess.run([sys.executable, "-c", PARSE, str(ROOT / "dags")], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith("parsed "):
            name, seconds, imported = json.loads(line.removeprefix("parsed "))
            found[name] = min(found.get(name, (seconds, imported)), (seconds, imported))
    return found


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


def test_should_end_each_try_and_tell_of_each_failure(path: Path) -> None:
    for task in _dag(path).tasks:
        assert task.execution_timeout, f"{task.task_id} may run for ever"
        callbacks = task.partial_kwargs.get("on_failure_callback") if task.is_mapped else task.on_failure_callback
        tells = report_failure in (callbacks if isinstance(callbacks, (list, tuple)) else [callbacks])
        assert tells != (path.stem in TELLS_NOBODY), f"{task.task_id}: {TELLS_NOBODY.get(path.stem, 'no failure callback')}"


def test_should_wait_in_no_pool_that_the_chart_does_not_make(path: Path) -> None:
    values = yaml.safe_load((ROOT / "charts/airspark/values.yaml").read_text(encoding="utf-8"))
    pools = {task.partial_kwargs.get("pool") if task.is_mapped else task.pool for task in _dag(path).tasks}
    assert pools <= {None, "default_pool", *values["airflow"]["pools"]}
    applications = [task for task in _dag(path).tasks if isinstance(task, spark.SparkSubmitOperator)]
    assert {task.pool for task in applications} <= {spark.POOL}


def test_should_mark_the_piece_that_the_documentation_quotes(path: Path) -> None:
    marks = re.findall(r"^ *# (START|END) (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for _, name in marks[::2]]
    assert names and len(names) == len(set(names))
    assert marks == [mark for name in names for mark in (("START", name), ("END", name))]


def test_should_be_parsed_in_half_a_second_without_the_libraries_of_its_tasks(
    path: Path, parsed: dict[str, tuple[float, list[str]]]
) -> None:
    seconds, imported = parsed[path.stem]
    assert not set(imported) & {"numpy", "pandas", "pyarrow", "pyspark"}
    if path.stem in HEAVY_OPERATORS:
        assert seconds > MOST_SECONDS, f"no exception any more: {HEAVY_OPERATORS[path.stem]}"
        return
    assert not set(imported) - BY_PROVIDERS
    assert seconds <= MOST_SECONDS
