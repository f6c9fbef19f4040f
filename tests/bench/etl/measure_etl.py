"""Run set-ups in turn and print one JSON line a run, with peak memory; runs in a pod like a task's.

python measure_etl.py '{"repeat": 5, "file": "sales.csv", "prepare": [["true"]], "setups": {"plain": ["spark-submit", …]}}'

No turn warms up: a run takes a minute, and the file, just written, is in the page cache. The peak of executors on the cluster
is that of their processes, out of the application's event log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EVENTS = Path("/opt/spark-events")
MEMORY = re.compile(r'"ProcessTree(?:JVM|Python)RSSMemory":(\d+)')
OUTPUT = re.compile(r"--output[ =](\S+)")


def run(command: list[str]) -> tuple[float, float, str]:
    """Run a command.

    Returns:
        Seconds, peak resident memory of its largest process in MB, and what it said.

    Raises:
        SystemExit: it fails; with the end of what it said.
    """
    with tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        said.seek(0)
        text = said.read()
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}: {text[-3000:]}")
    return seconds, usage.ru_maxrss / 1000, text


def executors(since: float) -> float:
    """Return the peak resident memory in MB of the largest executor of the newest application since a time, 0 without one.

    An executor is its JVM and its Python processes.
    """
    logs = [path for path in EVENTS.rglob("*") if path.is_file() and path.stat().st_mtime >= since and "app-" in path.name]
    peak = 0
    for path in logs:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if "StageExecutorMetrics" in line and '"Executor ID":"driver"' not in line:
                    peak = max(peak, sum(map(int, MEMORY.findall(line))))
    return peak / 1e6


def lines(file: str) -> int:
    """Return how many lines a file has."""
    with open(file, "rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**24), b""))


def main(plan: dict[str, Any]) -> None:
    """Run what comes first, then every set-up in each turn."""
    for command in plan["prepare"]:
        run(command)
    print(json.dumps({"rows": lines(plan["file"]) - 1}), flush=True)
    for _ in range(plan["repeat"]):
        for name, command in plan["setups"].items():
            since = time.time()
            seconds, peak, _ = run(command)
            result = {"setup": name, "wall": seconds, "peak": peak, "executors": executors(since)}
            if found := OUTPUT.search(" ".join(command)):
                shutil.rmtree(found[1], ignore_errors=True)
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
