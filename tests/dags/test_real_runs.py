"""DAGs that run for real, task by task, and what they leave; in one file, as half of the time goes into Airflow's start."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sales_files import APPS, DAY, GOOD, rows, write

DAGS = Path(__file__).resolve().parents[2] / "dags"


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


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """Every run of real_runs.RUNS, in one process as `airflow dags test` does it: half of the time goes into its start."""
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


TOTALS = ("classic_pipeline", "taskflow_pipeline")
RESULTS = (*TOTALS, "csv_transform", "csv_bash")


@pytest.mark.parametrize("name", [*RESULTS, *(f"quarantine/{name}" for name in (*RESULTS, "parallel_batches"))])
def test_should_tell_in_each_manifest_of_what_how_long_and_by_which_version_it_was_made(real: Real, name: str) -> None:
    folder = real.output / name / f"date={DAY}"
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert (manifest["name"], manifest["partition"]) == (name.rpartition("/")[2], f"date={DAY}")
    source = real.output.parent / "data/sales" / f"sales_{DAY}.csv"
    content = source.read_bytes()
    described = {"path": str(source), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert manifest["inputs"] == [described]
    counts = [manifest[f"rows_{count}"] for count in ("read", "written", "rejected", "duplicate")]
    assert counts[0] == 312 == sum(counts[1:]) and counts[2] == sum(manifest["rejects_by_reason"].values()) > 0
    assert 0 <= manifest["seconds"] < 600 and set(manifest["versions"]) == {"airspark", "revision"}
    found = {path.name: path.stat().st_size for path in folder.iterdir() if path.name[0] != "_"}
    assert {file["name"]: file["bytes"] for file in manifest["files"]} == found
    assert manifest["bytes"] == sum(found.values())


@pytest.mark.parametrize("name", [*TOTALS, "csv_transform", "parallel_batches"])
def test_should_set_each_rejected_row_aside_with_its_reason(real: Real, name: str) -> None:
    rejects = (real.output / "quarantine" / name / f"date={DAY}" / "rejects.jsonl").read_text().splitlines()
    assert [(row["reason"], row["line"]) for row in map(json.loads, rejects)] == [
        ("wrong_columns", "1,2"),
        ("wrong_date", GOOD.replace("-15T", "-14T")),
    ]


def test_should_give_the_same_bytes_both_ways(real: Real) -> None:
    assert {state for name in ("classic", "taskflow") for state in real.states[name].values()} == {"success"}
    classic, taskflow = (real.output / name / f"date={DAY}" / "totals.csv" for name in TOTALS)
    assert classic.read_bytes() == taskflow.read_bytes()
    lines = classic.read_text().splitlines()
    assert lines[0] == "category,orders,items,revenue"
    assert [line.split(",")[:2] for line in lines[1:]] == [["books", "100"], ["home", "100"], ["toys", "100"]]


def test_should_publish_what_pandas_cleaned_and_announce_it(real: Real) -> None:
    assert set(real.states["pandas"].values()) == {"success"}
    manifest = json.loads((real.output / "csv_transform" / f"date={DAY}" / "_manifest.json").read_text())
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (312, 300, 10)
    assert manifest["rejects_by_reason"] == {"wrong_columns": 1, "wrong_date": 1}


def test_should_publish_what_the_script_cleaned_and_remove_its_folder(real: Real) -> None:
    assert set(real.states["bash"].values()) == {"success"}
    manifest = json.loads((real.output / "csv_bash" / f"date={DAY}" / "_manifest.json").read_text())
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_duplicate"]) == (312, 300, 10)
    assert manifest["rejects_by_reason"] == {"wrong_columns": 1, "wrong_date": 1}
    pandas, bash = (real.output / name / f"date={DAY}" / f"sales_{DAY}.csv" for name in ("csv_transform", "csv_bash"))
    assert pandas.read_bytes() == bash.read_bytes()
    states = real.states["refused"]
    assert (states["run"], states["clean[-1]"], states["publish[-1]"], states["remove[-1]"]) == (
        "failed",
        "success",
        "failed",
        "success",
    )
    assert "2 of 312 lines are rejected, more than 0.00%: see " in real.logs["refused"]
    assert list((real.output / ".work/csv_bash").iterdir()) == []


def test_should_add_up_the_same_in_many_tasks_and_in_one(real: Real) -> None:
    assert set(real.states["good"].values()) == {"success"}
    assert [task for task in real.states["good"] if task.startswith("total")] == ["total[0]", "total[1]"]
    assert "in mapped tasks: " in real.logs["good"] and "in one task: " in real.logs["good"]


def test_should_let_the_other_files_be_done_and_say_which_one_is_broken(real: Real) -> None:
    states = real.states["broken"]
    assert (states["run"], states["total[0]"], states["total[1]"], states["total[2]"]) == (
        "failed",
        "failed",
        "success",
        "success",
    )
    assert (states["combine[-1]"], states["compare[-1]"]) == ("failed", "upstream_failed")
    assert "no totals without the days 2026-01-13: their tasks failed" in real.logs["broken"]
    assert "sales_2026-01-13.csv has the wrong header: expected order_id" in real.logs["broken"]


def test_should_skip_everything_if_there_is_no_file(real: Real) -> None:
    states = real.states["none"]
    assert states.pop("run") == "success"
    assert set(states.values()) == {"skipped"}
