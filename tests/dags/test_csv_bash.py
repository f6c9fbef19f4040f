"""The DAG csv_bash: a shell script that cleans a CSV file, and what it makes of what is no clean CSV file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import csv_bash
import pytest
from airflow.sdk.exceptions import AirflowFailException
from sales_files import DAY, GOOD, HEADER, rows, use, write

SCRIPT = f"{csv_bash.SCRIPTS}/clean_csv.sh"


def _script(folder: Path, source: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", SCRIPT, str(source), str(folder / "clean.csv"), str(folder / "rejects.csv")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_should_clean_what_can_be_cleaned_and_set_the_rest_aside(tmp_path: Path) -> None:
    source = tmp_path / "a file.csv"
    source.write_bytes(b'\xef\xbb\xbfa,b\r\n1, x \r\n\r\na,b\r\n2,y,z\n1,x\n3,"q"\n4,\xc5\n')
    done = _script(tmp_path, source)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rows_read": 5, "rows_written": 2, "rows_rejected": 2, "rows_duplicate": 1}
    assert (tmp_path / "clean.csv").read_bytes() == b"a,b\n1,x\n4,\xc5\n"
    assert (tmp_path / "rejects.csv").read_text() == 'wrong_columns,2,y,z\nquoted,3,"q"\n'
    assert (tmp_path / "clean.csv").stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize(("content", "sentence"), [(None, "does not exist"), (b"", "is empty")], ids=["missing", "empty"])
def test_should_end_in_a_sentence_and_write_nothing_if_there_is_no_input(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "in.csv").write_bytes(content)
    done = _script(tmp_path, tmp_path / "in.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("clean_csv: error: the input file ") and sentence in done.stderr
    assert not (tmp_path / "clean.csv").exists()


def test_should_tell_how_it_is_called(tmp_path: Path) -> None:
    done = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "clean_csv: error: usage: clean_csv.sh input.csv clean.csv rejects.csv\n")


def test_should_leave_nothing_half_written_if_it_is_killed(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADER}\n" + f"{GOOD}x\n" * 10)
    (tmp_path / "clean.csv").write_text("old")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "awk").write_text('#!/bin/sh\necho half >"$CLEAN"\nkill -TERM $PPID\n')
    (fake / "awk").chmod(0o755)
    command = ["bash", SCRIPT, str(source), str(tmp_path / "clean.csv"), str(tmp_path / "rejects.csv")]
    done = subprocess.run(command, env={**os.environ, "PATH": f"{fake}:{os.environ['PATH']}"}, capture_output=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "clean.csv").read_text() == "old"
    assert not (tmp_path / "clean.csv.part").exists()


@pytest.mark.parametrize("name", ["$(touch PWNED).csv", "a'; touch PWNED; '.csv", "-rf.csv", "two words.csv", "a\\nb.csv"])
def test_should_take_a_name_as_a_name_whatever_stands_in_it(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_text("a\n1\n")
    task: Any = csv_bash.dag.get_task("clean")
    environment = {**os.environ, "SCRIPTS": csv_bash.SCRIPTS, "INPUT": str(source), "WORK": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", task.bash_command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clean.csv").read_text() == "a\n1\n"
    assert not (tmp_path / "PWNED").exists()


def _published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float = 0.1) -> Any:
    use(monkeypatch, csv_bash, tmp_path)
    work = tmp_path / "output/.work/csv_bash/run"
    work.mkdir(parents=True)
    done = _script(work, tmp_path / "data/sales" / f"sales_{DAY}.csv")
    monkeypatch.setattr(csv_bash, "get_current_context", lambda: {"params": {"max_reject_share": limit}})
    task: Any = csv_bash.dag.get_task("publish")
    paths = {"date": DAY, "work": str(work)}
    return list(task.python_callable(paths, csv_bash.dag.get_task("clean").output_processor(done.stdout)))


def test_should_publish_both_files_with_a_manifest_and_announce_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data/sales", *rows(DAY, 30), "1,2")
    (metadata,) = _published(tmp_path, monkeypatch)
    assert metadata.extra["rows_read"] == 31 and metadata.extra["rows_rejected"] == 1
    result = tmp_path / "output/csv_bash" / f"date={DAY}"
    manifest = json.loads((result / "_manifest.json").read_text())
    assert manifest["rejects_by_reason"] == {"wrong_columns": 1}
    assert len((result / f"sales_{DAY}.csv").read_text().splitlines()) == 31
    assert not (tmp_path / "output/.work/csv_bash/run").exists()


def test_should_publish_nothing_if_too_many_lines_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data/sales", GOOD, "1;2", "3;4")
    with pytest.raises(AirflowFailException, match=r"2 of 3 lines are rejected, more than 50.00%"):
        _published(tmp_path, monkeypatch, 0.5)
    assert not (tmp_path / "output/csv_bash").exists()


def test_should_give_the_operator_no_value_that_it_would_read_as_a_template_file() -> None:
    task: Any = csv_bash.dag.get_task("clean")
    texts = [task.bash_command, *(value for value in task.env.values() if isinstance(value, str))]
    assert not [text for text in texts if text.endswith(tuple(task.template_ext))]
