"""Helpers that run the built images in a Docker engine, as a cluster would: read-only, unprivileged, any uid."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ANY_UID = "123456:0"
IMAGES = ("base", "spark", "airflow", "postgres")


@functools.cache
def versions() -> dict[str, str]:
    """Return the names and values of versions.mk."""
    return dict(re.findall(r"^(\w+)\s*:=\s*(\S+)", (ROOT / "versions.mk").read_text(), re.MULTILINE))


def tag(name: str) -> str:
    """Return the full name of one of the project's images, such as airspark/spark:0.1.0."""
    return f"airspark/{name}:{versions()['AIRSPARK_VERSION']}"


def docker(*args: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the Docker command; with `check`, a failure ends the test with the command's own words."""
    done = subprocess.run(["docker", *args], input=stdin, capture_output=True, text=True, timeout=180)
    if check and done.returncode:
        pytest.fail(f"docker {' '.join(args)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def run(
    name: str, *command: str, user: str = ANY_UID, stdin: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in a new container of an image: read-only root, no capability, /tmp only, no network."""
    return docker(
        *("run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user, tag(name), *command),
        stdin=stdin,
        check=check,
    )


@functools.cache
def inspect(name: str) -> dict[str, Any]:
    """Return what the engine knows of an image."""
    found: dict[str, Any] = json.loads(docker("image", "inspect", tag(name)).stdout)[0]
    return found


@pytest.fixture(scope="session", autouse=True)
def built_images() -> None:
    """Skip where there is no engine or no image; fail there if AIRSPARK_REQUIRE_IMAGES is set, as `make test` does."""
    missing = ""
    if shutil.which("docker") is None or docker("version", check=False).returncode:
        missing = "no Docker engine answers"
    else:
        absent = [tag(name) for name in IMAGES if docker("image", "inspect", tag(name), check=False).returncode]
        missing = f"not built: {', '.join(absent)}; run `make images`" if absent else ""
    if missing and os.environ.get("AIRSPARK_REQUIRE_IMAGES"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
