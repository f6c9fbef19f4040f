"""The Spark application as spark-submit runs it, and killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import generate_sales
import pytest
from sales_cases import APPS, DAY, SHARES, SHORT_LIVED

if TYPE_CHECKING:
    from sales_etl import Rows

SALES = "sales/date=2026-01-15"


def _submit(data: Path, output: Path, *arguments: str) -> subprocess.Popen[str]:
    binary = shutil.which("spark-submit")
    if binary is None:
        pytest.skip("needs spark-submit on the PATH")
    conf = ("spark.ui.enabled=false", "spark.ui.showConsoleProgress=false", "spark.driver.host=127.0.0.1")
    command = [
        binary,
        "--master",
        "local[1]",
        "--driver-memory",
        "700m",
        "--driver-java-options",
        SHORT_LIVED,
    ]
    command += [part for item in conf for part in ("--conf", item)]
    command += [str(APPS / "sales_etl.py"), "--date", str(DAY), "--input", str(data), "--output", str(output)]
    # spark-submit joins the application's stderr and stdout into its own stdout.
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        cwd="/tmp",
    )


def test_should_show_nothing_if_it_is_killed_and_clean_up_in_a_run_that_is_refused(tmp_path: Path) -> None:
    data, output = tmp_path / "data", tmp_path / "output"
    generate_sales.generate(DAY, 30_000, 5, str(data), SHARES)

    killed = _submit(data, output)
    deadline = time.monotonic() + 60
    while not list(output.glob(".staging/*/judged")) and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (output / SALES).exists()
    assert list(output.glob(".staging/*/judged"))

    refused = _submit(data, output, "--max-reject-share", "0")
    log, _ = refused.communicate()
    assert refused.returncode == 2
    sentences = [line for line in log.splitlines() if line.startswith("sales_etl: error: ")]
    assert len(sentences) == 1
    assert "1500 of 30000 rows were rejected (5.00%), more than the limit of 0.00%" in sentences[0]
    assert "Traceback" not in log
    assert list((output / ".staging").iterdir()) == []
    assert not (output / SALES).exists()
    assert list((output / "quarantine" / SALES).glob("part-*.json"))


def test_should_write_the_same_bytes_in_another_jvm_with_another_number_of_cores(
    etl: Callable[..., Rows], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    generate_sales.generate(DAY, 5_000, 5, str(data), SHARES)
    etl(data, tmp_path / "here")
    submitted = _submit(data, tmp_path / "there")
    log, _ = submitted.communicate()
    assert submitted.returncode == 0, log
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / folder / SALES).glob("part-*")} for folder in ("here", "there")
    )
    assert here
    assert here == there
