"""Applications whose driver is killed at any moment: the retry gives what a run that nobody disturbed gives, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generate_access_log
import generate_sales
import publish
import pytest
from sales_cases import APPS, DAY, SHARES, SHORT_LIVED

pytestmark = pytest.mark.long
KILLS = 20
SEED = 7
RESULTS = {"sales_etl": "sales", "access_log": "access_log"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Input of a day for both applications."""
    folder = tmp_path_factory.mktemp("data")
    generate_sales.generate(DAY, 5_000, 7, str(folder / "sales_etl"), SHARES)
    generate_access_log.generate(DAY, 3_000, 7, str(folder / "access_log"))
    return folder


def _start(name: str, data: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(APPS / f"{name}.py"), "--date", str(DAY), "--input", str(data / name), "--output", str(output)]
    environment = {
        **os.environ,
        "MASTER": "local[2]",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_SUBMIT_ARGS": f"--driver-java-options '{SHORT_LIVED}' --conf spark.ui.enabled=false pyspark-shell",
    }
    # A group of its own: the driver is a Python process and a JVM.
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def _run(name: str, data: Path, output: Path) -> float:
    began = time.monotonic()
    process = _start(name, data, output)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()[-3000:]
    return time.monotonic() - began


def _kill(name: str, data: Path, output: Path, seconds: float) -> bool:
    """Start a run and kill it after some seconds; return whether it was still at work."""
    process = _start(name, data, output)
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True


def _visible(output: Path, name: str) -> dict[str, str]:
    """Every data file that a reader may see, by its path, with its checksum."""
    roots = [output / name / f"date={DAY}", output / "quarantine" / name / f"date={DAY}"]
    return {
        f"{root.relative_to(output)}/{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for root in roots
        for path in root.rglob("part-*")
    }


def _whole(output: Path, name: str) -> bool:
    """Whether the result is there; if it is, it must be whole."""
    folder = output / name / f"date={DAY}"
    if not folder.exists():
        return False
    manifest: dict[str, Any] = json.loads((folder / "_manifest.json").read_text())
    found = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("part-*")}
    assert found == {file["name"]: file["bytes"] for file in manifest["files"]}
    assert (folder / "_SUCCESS").exists()
    assert manifest["rows_read"] == manifest["rows_written"] + manifest["rows_rejected"] + manifest["rows_duplicate"]
    return True


def _moments(longest: float) -> Iterator[float]:
    randomness = random.Random(SEED)
    while True:
        yield randomness.uniform(0.1, longest)


@pytest.mark.parametrize("name", ["sales_etl", "access_log"])
def test_should_give_the_same_bytes_after_a_retry_whenever_the_driver_was_killed(name: str, data: Path, tmp_path: Path) -> None:
    seconds = _run(name, data, tmp_path / "clean")
    expected = _visible(tmp_path / "clean", RESULTS[name])
    assert expected
    killed, before = 0, 0
    for number, moment in enumerate(_moments(seconds)):
        output = tmp_path / str(number)
        if not _kill(name, data, output, moment):
            continue
        killed += 1
        before += not _whole(output, RESULTS[name])
        _run(name, data, output)
        assert _visible(output, RESULTS[name]) == expected, f"killed after {moment:.2f} s of {seconds:.2f} s"
        assert _whole(output, RESULTS[name])
        assert list((output / publish.STAGING).iterdir()) == []
        if killed == KILLS:
            break
    assert before > KILLS / 2, "most of the moments were to be before the end"


def test_should_keep_the_old_result_whole_if_the_driver_is_killed_while_it_makes_a_new_one(data: Path, tmp_path: Path) -> None:
    seconds = _run("sales_etl", data, tmp_path)
    expected = _visible(tmp_path, "sales")
    _kill("sales_etl", data, tmp_path, seconds * 0.8)
    assert _whole(tmp_path, "sales")
    assert _visible(tmp_path, "sales") == expected
