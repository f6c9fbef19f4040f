"""How a failure is told: one summary that says which task, why and where to look."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipelines import failures

TI = SimpleNamespace(
    dag_id="etl_daily", run_id="manual__1", task_id="transform", map_index=-1, try_number=3, log_url="http://airflow/log"
)


def _report(monkeypatch: pytest.MonkeyPatch, root: Path, ti: Any, exception: object, lines: list[str]) -> str:
    log = root / "log"
    log.write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(failures, "FOLDER", str(root / "failures"))
    monkeypatch.setattr(failures, "log_file", lambda ti: log)
    failures.report_failure({"ti": ti, "exception": exception})  # type: ignore[typeddict-item]  # all that is read of one
    (file,) = (root / "failures").rglob("*.txt")
    return file.read_text()


def test_should_say_which_task_failed_why_and_where_to_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"event": f"line {number}"}) for number in range(40)]
    lines.append(json.dumps({"event": "sales_etl: error: the input file /data/x.csv is empty"}))
    text = _report(monkeypatch, tmp_path, TI, RuntimeError("Cannot execute: spark-submit. Error code is: 2."), lines)
    assert text.splitlines()[:6] == [
        "✗ etl_daily.transform failed at try 3",
        "why:  the input file /data/x.csv is empty",
        "run:  manual__1",
        "page: http://airflow/log",
        "log:  make logs T=etl_daily.transform",
        "its last lines:",
    ]
    assert "  line 39" in text and "  line 20" not in text
    assert capsys.readouterr().out == text
    assert (tmp_path / "failures/etl_daily/manual__1/transform.txt").is_file()


def test_should_name_the_mapped_task_and_take_the_exceptions_first_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ti = SimpleNamespace(**{**vars(TI), "map_index": 4})
    text = _report(monkeypatch, tmp_path, ti, ValueError("the counts differ\nmore"), ["no JSON", json.dumps([1])])
    assert text.startswith("✗ etl_daily.transform.4 failed at try 3\nwhy:  the counts differ\n")
    assert "  no JSON\n  [1]\n" in text


def test_should_still_say_what_it_knows_if_nothing_can_be_read_or_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(failures, "FOLDER", str(tmp_path / "file"))
    monkeypatch.setattr(failures, "log_file", lambda ti: tmp_path / "nowhere")
    failures.report_failure({"ti": TI})  # type: ignore[typeddict-item]  # all that is read of one
    said = capsys.readouterr().out
    assert "why:  it was killed, or its pod was" in said and "(its log cannot be read here)" in said


def test_should_find_the_log_where_airflow_writes_it() -> None:
    path = str(failures.log_file(SimpleNamespace(**{**vars(TI), "map_index": 2})))
    assert path.endswith("/dag_id=etl_daily/run_id=manual__1/task_id=transform/map_index=2/attempt=3.log")


def test_should_say_that_a_run_is_late(caplog: pytest.LogCaptureFixture) -> None:
    context = {"dag_run": {"dag_id": "etl_daily", "dag_run_id": "manual__1"}}
    said = asyncio.run(failures.deadline_missed(context=context, hours=3.0))
    assert said == "etl_daily is late: its run manual__1 has not ended within 3 h"
    assert said in caplog.text
