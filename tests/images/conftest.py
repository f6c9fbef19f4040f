"""Helpers that run the built images in a Docker engine, as a cluster would: read-only, unprivileged, any uid."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from airspark import images  # noqa: E402  the path comes first

ANY_UID = "123456:0"
DEFAULT = ("base", "spark", "airflow", "postgres", "operator")
#: Images with Python and the common entry point; the last three are built for these tests.
IMAGES = (*DEFAULT, "pgbouncer", "tls-proxy", "git-server")


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


def packages(lock: Path, folder: Path, *command: str) -> Path:
    """Return a folder with locked packages for the Python of the base image; made once, from hashes.

    Args:
        lock: requirements with hashes.
        folder: where the packages go.
        command: pip's command and the options that name the folder.
    """
    machine = docker("run", "--rm", tag("base"), "uname", "-m").stdout.strip()
    stamp, wanted = folder / ".ready", f"{machine}\n{lock.read_text()}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        platforms = [f"--platform={name}_{machine}" for name in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", *command, "--quiet", "--disable-pip-version-check", "--require-hashes"),
                *("--no-deps", "--only-binary=:all:", "--python-version=3.11", *platforms, "--platform=any"),
                f"--requirement={lock}",
            ],
            check=True,
        )
        stamp.write_text(wanted)
    return folder


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


@contextmanager
def serving(
    name: str, *arguments: str, options: tuple[str, ...] = (), user: str = ANY_UID, network: str = "none"
) -> Iterator[str]:
    """Run an image as a server, restricted like a pod; yield the container's name."""
    container = f"airspark-test-{uuid.uuid4().hex[:8]}"
    docker(
        *("run", "--detach", "--name", container, "--read-only", "--tmpfs", "/tmp:exec", "--network", network),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", user, *options, tag(name), *arguments),
    )
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container, check=False)


def beside(container: str, script: str, image: str = "base", stdin: str | None = None, **env: str) -> str:
    """Run a Python script in another image, in the network of a server; return its output without the last line's end."""
    settings = [part for key, value in env.items() for part in ("--env", f"{key}={value}")]
    done = docker(
        *("run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp:exec", "--network", f"container:{container}"),
        *("--user", ANY_UID, *settings, tag(image), "python", "-c", script),
        stdin=stdin,
        check=False,
    )
    if done.returncode:
        log = docker("logs", container, check=False)
        pytest.fail(f"{done.stdout[-1000:]}{done.stderr[-2000:]}\nThe server's log:\n{log.stdout[-1000:]}{log.stderr[-1000:]}")
    return done.stdout.strip()


def wait_until(condition: Callable[[], object], container: str, seconds: float = 60) -> None:
    """Wait until a condition holds; fail with the server's log if it does not in time or the server ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        running = docker("inspect", "--format", "{{.State.Running}}", container).stdout.strip()
        if running != "true" or time.monotonic() > deadline:
            log = docker("logs", container, check=False)
            pytest.fail(f"not within {seconds:.0f} s, or the server ended:\n{log.stdout[-2000:]}{log.stderr[-2000:]}")
        time.sleep(0.1)


def wait_listening(container: str, port: int) -> None:
    """Wait until a server listens on a TCP port; the kernel's table is read, because some images hold one file only."""
    table = Path("/proc", docker("inspect", "--format", "{{.State.Pid}}", container).stdout.strip(), "net")

    def listening() -> bool:
        files = [table / name for name in ("tcp", "tcp6") if table.exists()]
        rows = [row.split() for file in files for row in file.read_text().splitlines()[1:]]
        return any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows)

    wait_until(listening, container)


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
        absent = [tag(name) for name in DEFAULT if docker("image", "inspect", tag(name), check=False).returncode]
        missing = f"not built: {', '.join(absent)}; run `make test-fast`" if absent else ""
    if missing and os.environ.get("AIRSPARK_REQUIRE_IMAGES"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    images.ensure_built([images.PGBOUNCER, images.TLS_PROXY, images.GIT_SERVER])
