"""Where things are: the repository, its build folder, the shared caches, and the versions."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
BIN = BUILD / "bin"
LOGS = BUILD / "logs"

#: Downloads and compiler caches, shared by every clone of one user.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airspark"

#: The engine of our own: one a machine, like any Docker engine.
ENGINE_STATE = Path("/var/lib/airspark")
ENGINE_RUN = Path("/run/airspark")

RELEASE = "airspark"
NAMESPACE = "airspark"
IMAGE_PREFIX = "airspark"


class Failure(Exception):
    """A failure that a person reads: one sentence, and the command or file that helps on.

    Args:
        message: one sentence that says what failed and where.
        hint: the next command or the file to look at; printed on a line of its own.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@cache
def versions() -> dict[str, str]:
    """Read versions.mk.

    Returns:
        Every version by its name there, for example `{"SPARK_VERSION": "4.2.1"}`.

    Raises:
        Failure: if the file is missing or a line is not `NAME := value`.
    """
    path = ROOT / "versions.mk"
    if not path.is_file():
        raise Failure(f"{path} is missing", "git checkout versions.mk")
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Z_]+)\s*:=\s*(\S+)", line.strip())
        if match is None:
            raise Failure(f"versions.mk line {number} is not 'NAME := value': {line!r}", "git diff versions.mk")
        found[match[1]] = match[2]
    return found


def version_tuple(text: str) -> tuple[int, ...]:
    """Turn `v1.37.2` or `1.37.2+build` into `(1, 37, 2)`, for comparisons."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", text.split("+")[0].split("-")[0])[:3])


def cluster_name() -> str:
    """The kind cluster the commands work on: $CLUSTER, by default `airspark`."""
    return os.environ.get("CLUSTER") or "airspark"


def kubeconfig() -> Path:
    """The cluster's own kubeconfig file; the user's default context is never touched."""
    name = cluster_name()
    return BUILD / ("kubeconfig" if name == "airspark" else f"kubeconfig-{name}")
