"""The application pi.py, by itself; tests/e2e runs it on executors."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pi
import pytest
from sales_cases import APPS, SHORT_LIVED


@pytest.mark.parametrize(("steps", "slices"), [(1, 1), (10, 3), (1000, 7), (100_000, 4)])
def test_should_add_up_to_pi_however_many_share_the_steps(steps: int, slices: int) -> None:
    total = sum(value for bounds in pi.ranges(steps, slices) for value in pi.part(bounds, steps))
    assert total == pytest.approx(math.pi, abs=0.1 / steps**2 + 1e-9)


@pytest.mark.parametrize(("steps", "slices"), [(10, 3), (7, 7), (100, 1)])
def test_should_give_each_step_to_one_slice(steps: int, slices: int) -> None:
    assert [step for bounds in pi.ranges(steps, slices) for step in range(*bounds)] == list(range(steps))


@pytest.mark.parametrize("given", [["--steps", "0"], ["--slices", "0"], ["--steps", "2", "--slices", "3"], ["--steps", "many"]])
def test_should_end_with_a_sentence_if_the_command_line_makes_no_sense(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        pi.main(given)
    assert ended.value.code == 2
    assert "pi.py: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    [
        pytest.param({"MASTER": "local[2]"}, id="classic"),
        pytest.param({"SPARK_REMOTE": "local[2]"}, id="over Spark Connect", marks=pytest.mark.long),
    ],
)
def test_should_print_pi_however_it_is_submitted(address: dict[str, str]) -> None:
    command = [sys.executable, str(APPS / "pi.py"), "--steps", "10000", "--slices", "3"]
    own = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    own["PYSPARK_SUBMIT_ARGS"] = f"--driver-java-options '{SHORT_LIVED}' pyspark-shell"
    environment = {**os.environ, **own, **address}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "Pi is roughly 3.141592654"
