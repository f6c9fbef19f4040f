"""Run set-ups in turn and print one JSON line a run; runs inside the image, alone or in a pod.

python measure.py '{"repeat": 5, "prepare": [["true"]], "setups": {"plain": {"command": ["spark-submit", …], "env": {}}}}'

The first turn warms up and is not printed. A job says how long its session took by a line `SESSION <seconds>`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import Any


def run(command: list[str], environment: dict[str, str]) -> str:
    """Return what a command prints.

    Raises:
        SystemExit: it fails; with the end of what it said.
    """
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def cpu() -> float:
    """Return the CPU seconds of ended child processes."""
    used = os.times()
    return used.children_user + used.children_system


def main(plan: dict[str, Any]) -> None:
    """Run what comes first, then every set-up in each turn."""
    for command in plan["prepare"]:
        run(command, {})
    for turn in range(plan["repeat"] + 1):
        for name, setup in plan["setups"].items():
            began, before = time.monotonic(), cpu()
            said = run(setup["command"], setup["env"])
            took = {"setup": name, "wall": time.monotonic() - began, "cpu": cpu() - before}
            if turn:
                session = re.search(r"^SESSION (\S+)$", said, re.MULTILINE)
                print(json.dumps(took | {"session": float(session[1]) if session else None}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
