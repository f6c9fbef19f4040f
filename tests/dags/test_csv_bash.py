"""The DAG csv_bash: a shell script that cleans a CSV file, and what it makes of what is no clean CSV file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import csv_bash
import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sales_files import DAY, GOOD, HEADER, rows, use, write

SCRIPT = f"{csv_bash.SCRIPTS}/clean_csv.sh"


def _script(folder: Path, source: str | Path, *day: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", SCRIPT, str(source), str(folder / "clean.csv"), str(folder / "rejects.csv"), *day]
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


def test_should_keep_the_order_and_the_first_of_equal_lines(tmp_path: Path) -> None:
    lines = [f"{number * 7919 % 50},{number % 3}" for number in range(2_000)] + ["%d,\\n", "b\0c,1", "\t,2"]
    (tmp_path / "in.csv").write_text("a,b\n" + "\n".join(lines))
    done = _script(tmp_path, tmp_path / "in.csv")
    first = list(dict.fromkeys(lines))
    assert (tmp_path / "clean.csv").read_text().splitlines() == ["a,b", *first[:-1], ",2"]
    assert json.loads(done.stdout)["rows_duplicate"] == len(lines) - len(first)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.binary(max_size=20), st.sampled_from((b"1,2", b" 1 , 2 \r", b"a,b", b"1,2,3", b"\xef\xbb\xbf"))), max_size=20
    )
)
def test_should_give_every_line_one_fate_whatever_stands_in_it(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "in.csv").write_bytes(b"a,b\n1,2\n" + b"\n".join(lines))
    done = _script(tmp_path, tmp_path / "in.csv")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["rows_read"] == counts["rows_written"] + counts["rows_rejected"] + counts["rows_duplicate"]
    clean = (tmp_path / "clean.csv").read_bytes()
    assert clean.startswith(b"a,b\n1,2\n") and clean.count(b"\n") == counts["rows_written"] + 1
    assert all(line.count(b",") == 1 for line in clean.split(b"\n")[:-1])
    assert (tmp_path / "rejects.csv").read_bytes().count(b"\n") == counts["rows_rejected"]
    # What is clean stays as it is.
    (tmp_path / "in.csv").write_bytes(clean)
    again = json.loads(_script(tmp_path, tmp_path / "in.csv").stdout)
    assert (again["rows_read"], again["rows_written"]) == (counts["rows_written"], counts["rows_written"])
    assert (tmp_path / "clean.csv").read_bytes() == clean


def test_should_explain_itself() -> None:
    done = subprocess.run(["bash", SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "clean_csv.sh input.csv clean.csv rejects.csv" in done.stdout and "set -euo" not in done.stdout


def test_should_tell_how_it_is_called(tmp_path: Path) -> None:
    done = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    usage = "usage: clean_csv.sh input.csv clean.csv rejects.csv [day [zone]]"
    assert (done.returncode, done.stderr) == (2, f"clean_csv: error: {usage}\n")


def test_should_leave_nothing_half_written_if_it_is_killed(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADER}\n" + f"{GOOD}x\n" * 10)
    (tmp_path / "clean.csv").write_text("old")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "awk").write_text('#!/bin/sh\necho half >"$WORK/header"\nkill -TERM -0\n')
    (fake / "awk").chmod(0o755)
    command = ["bash", SCRIPT, str(source), str(tmp_path / "clean.csv"), str(tmp_path / "rejects.csv")]
    environment = {**os.environ, "PATH": f"{fake}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, start_new_session=True)
    assert done.returncode != 0
    assert (tmp_path / "clean.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "clean.csv", "in.csv"]


@pytest.mark.parametrize("name", ["$(touch PWNED).csv", "a'; touch PWNED; '.csv", "-rf.csv", "two words.csv", "a\\nb.csv"])
def test_should_take_a_name_as_a_name_whatever_stands_in_it(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_text(f"{HEADER}\n{GOOD}\n", encoding="utf-8")
    task: Any = csv_bash.dag.get_task("clean")
    given = {"SCRIPTS": csv_bash.SCRIPTS, "INPUT": str(source), "WORK": str(tmp_path), "DAY": DAY, "ZONE": task.env["ZONE"]}
    assert given.keys() == task.env.keys()
    done = subprocess.run(
        ["bash", "-c", task.bash_command], env=os.environ | given, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    cleaned = "1,2026-01-15T01:00:00Z,C1,P1,books,2,100.50,서울,web,201.00"
    assert (tmp_path / "clean.csv").read_text(encoding="utf-8") == f"{HEADER},amount\n{cleaned}\n"
    assert not (tmp_path / "PWNED").exists()


def _task(name: str) -> Any:
    task: Any = csv_bash.dag.get_task(name)
    return task.python_callable


def _counts(manifest: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in manifest.items() if name.startswith("rows_")}


def _prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: float = 0.1) -> Any:
    use(monkeypatch, csv_bash, tmp_path)
    context = {"params": {"date": DAY, "max_reject_share": limit}, "run_id": "run"}
    monkeypatch.setattr(csv_bash, "get_current_context", lambda: context)
    # As an XCom hands it on.
    return json.loads(json.dumps(_task("prepare")()))


def _published(paths: Any) -> Any:
    done = _script(Path(paths["work"]), paths["input"], paths["date"])
    return list(_task("publish")(paths, csv_bash.dag.get_task("clean").output_processor(done.stdout)))


def test_should_publish_both_files_with_a_manifest_and_announce_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data/sales", *rows(DAY, 30), "1,2")
    paths = _prepared(tmp_path, monkeypatch)
    (metadata,) = _published(paths)
    assert metadata.extra["rows_read"] == 31 and metadata.extra["rows_rejected"] == 1
    result = tmp_path / "output/csv_bash" / f"date={DAY}"
    manifest = json.loads((result / "_manifest.json").read_text())
    assert manifest["rejects_by_reason"] == {"wrong_columns": 1}
    assert (tmp_path / "output/quarantine/csv_bash" / f"date={DAY}" / "rejects.csv").read_text() == "wrong_columns,1,2\n"
    assert len((result / f"sales_{DAY}.csv").read_text().splitlines()) == 31
    for path in result.iterdir():
        assert path.stat().st_mode & 0o777 == 0o664, path
    # Once more, as after a try that was killed at its end; then the folder goes.
    list(_task("publish")(paths, _counts(manifest)))
    _task("remove")()
    assert list((tmp_path / "output/.work/csv_bash").iterdir()) == []


def test_should_publish_nothing_if_too_many_lines_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data/sales", GOOD, "1;2", "3;4")
    with pytest.raises(AirflowFailException, match=r"2 of 3 lines are rejected, more than 50.00%"):
        _published(_prepared(tmp_path, monkeypatch, 0.5))
    assert not (tmp_path / "output/csv_bash").exists()
    rejects = tmp_path / "output/quarantine/csv_bash" / f"date={DAY}" / "rejects.csv"
    assert len(rejects.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (None, "does not exist: there is no folder"),
        (HEADER.replace(",", ";"), "has the wrong header: expected order_id,.*; found order_id;"),
        (HEADER.replace("unit_price", "price"), "has the wrong header: expected order_id,"),
    ],
    ids=["missing", "another delimiter", "another header"],
)
def test_should_fail_without_retry_before_the_script_if_the_file_is_missing_or_has_another_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str | None, sentence: str
) -> None:
    if header is not None:
        write(tmp_path / "data/sales", GOOD.replace(",", ";"), header=header)
    with pytest.raises(AirflowFailException, match=f"^the input file .*sales_{DAY}.csv {sentence}"):
        _prepared(tmp_path, monkeypatch)
    assert not (tmp_path / "output").exists()


def test_should_fail_without_retry_in_a_sentence_if_its_folder_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data/sales", GOOD)
    (tmp_path / "output").write_text("a file")
    with pytest.raises(AirflowFailException, match="^the output folder .*/output cannot be written: Not a directory$"):
        _prepared(tmp_path, monkeypatch)


def test_should_publish_nothing_if_the_file_grows_while_the_script_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "data/sales", *rows(DAY, 30))
    paths = _prepared(tmp_path, monkeypatch)
    with open(file, "a", encoding="utf-8") as growing:
        growing.write(f"{GOOD}\n")
    with pytest.raises(AirflowFailException, match=r"^the input file .* was changed while it was being read: run again$"):
        _published(paths)
    assert not (tmp_path / "output/csv_bash").exists() and not (tmp_path / "output/quarantine").exists()


@pytest.mark.parametrize("more", [1, -1], ids=["more", "less"])
def test_should_publish_nothing_if_the_script_has_read_another_number_of_rows_than_the_file_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    write(tmp_path / "data/sales", *rows(DAY, 30), "", HEADER, " \t")
    paths = _prepared(tmp_path, monkeypatch)
    counts = json.loads(_script(Path(paths["work"]), paths["input"], DAY).stdout)
    counts = {**counts, "rows_read": counts["rows_read"] + more, "rows_written": counts["rows_written"] + more}
    with pytest.raises(RuntimeError, match=f"the input holds 30 rows and {30 + more} were read"):
        list(_task("publish")(paths, counts))
    assert not (tmp_path / "output/csv_bash").exists() and not (tmp_path / "output/quarantine").exists()


def test_should_count_the_reasons_of_lines_that_hold_a_carriage_return_or_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data/sales", *rows(DAY, 30), "a\rb\r\rc", b"\xff\r\xff", "wrong\x85\u2028,2")
    (metadata,) = _published(_prepared(tmp_path, monkeypatch, 0.5))
    assert metadata.extra["rows_rejected"] == 3
    manifest = json.loads((tmp_path / "output/csv_bash" / f"date={DAY}" / "_manifest.json").read_text())
    assert manifest["rejects_by_reason"] == {"wrong_columns": 2, "not_utf8": 1}


def test_should_remove_its_folder_whatever_becomes_of_the_run() -> None:
    tasks = csv_bash.dag.task_dict
    assert list(tasks) == ["prepare", "clean", "publish", "remove"]
    assert tasks["prepare"].is_setup and tasks["remove"].is_teardown
    assert tasks["remove"].upstream_task_ids == {"prepare", "publish"}


@pytest.mark.parametrize("run_id", [".", "..", "", "a/../..", "other"])
def test_should_remove_the_folder_of_its_own_run_alone_whatever_the_runs_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    write(tmp_path / "data/sales", *rows(DAY, 3))
    kept = Path(_prepared(tmp_path, monkeypatch)["work"])
    context = {"params": {"date": DAY, "max_reject_share": 0.1}, "run_id": run_id}
    monkeypatch.setattr(csv_bash, "get_current_context", lambda: context)
    work = Path(_task("prepare")()["work"])
    assert work.resolve().parent == kept.parent and work.is_dir()
    _task("remove")()
    assert kept.is_dir() and not work.exists()


def test_should_try_twice_what_the_script_refuses_and_retry_the_rest_as_usual() -> None:
    policy = csv_bash.dag.get_task("clean").retry_policy
    decisions = []
    for code in (2, 12):
        with pytest.raises(AirflowException) as failure:
            BashOperator(task_id=f"exit_{code}", bash_command=f"exit {code}").execute({})
        decisions.append([policy.evaluate(failure.value, number, 3).action.value for number in (1, 2)])
    assert decisions == [["retry", "fail"], ["default", "default"]]


def test_should_give_the_operator_no_value_that_it_would_read_as_a_template_file() -> None:
    task: Any = csv_bash.dag.get_task("clean")
    texts = [task.bash_command, *(value for value in task.env.values() if isinstance(value, str))]
    assert not [text for text in texts if text.endswith(tuple(task.template_ext))]
