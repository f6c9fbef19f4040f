"""Steps: what the user sees of work that ends well, fails, or is interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airspark import console
from airspark.project import ROOT, Failure


@pytest.fixture(autouse=True)
def _logs_in_a_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LOGS", tmp_path)
    monkeypatch.setattr(console, "BUILD", tmp_path / "build")


def test_should_print_a_tick_and_seconds_if_the_step_succeeds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with console.step("greet", "Greet") as current:
        current.run(["echo", "hello"])
        current.note = "one word"
    line = capsys.readouterr().err
    assert line.startswith("✓ Greet (one word) ") and line.rstrip().endswith(" s")
    assert "hello" in (tmp_path / "greet.log").read_text()


def test_should_show_the_end_of_the_log_and_the_next_command_if_a_command_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "next_command", "make up")
    with pytest.raises(Failure) as caught, console.step("broken", "Break") as current:
        current.run(["sh", "-c", "seq 100; echo the reason; exit 3"])
    shown = capsys.readouterr().err
    assert "the reason" in shown and "✗ Break" in shown and "\n5\n" not in shown
    assert "broken.log" in caught.value.hint and "to go on: make up" in caught.value.hint


def test_should_name_a_full_disk_if_the_log_does() -> None:
    with pytest.raises(Failure, match="the disk is full"), console.step("full", "Fill") as current:
        current.run(["sh", "-c", "echo 'write /x: no space left on device'; exit 1"])


def test_should_say_that_it_took_too_long_if_a_command_is_timed_out() -> None:
    with pytest.raises(Failure, match="took too long"), console.step("slow", "Wait") as current:
        current.run(["sleep", "5"], timeout=0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--date", "2026-13-01"], "DATE=2026-13-01 is not a date"),
        (["demo", "--date", "yesterday"], "DATE=yesterday is not a date"),
        (["demo", "--rows", "many"], "ROWS=many is not a whole number above zero"),
        (["demo", "--rows", "0"], "ROWS=0 is not a whole number above zero"),
        (["up", "--nodes", "two"], "NODES=two is not a whole number above zero"),
        (["logs"], "name a component or a task"),
    ],
)
def test_should_refuse_a_wrong_value_in_one_sentence_if_it_is_given(arguments: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airspark", *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )  # fmt: skip
    assert done.returncode == 1
    assert sentence in done.stderr and "→" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
