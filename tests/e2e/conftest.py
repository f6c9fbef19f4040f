"""One cluster and one installation for every live test; what a failing test needs to explain itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
os.environ.setdefault("CLUSTER", "airspark-test")

from airspark import airflow_api, cluster, engine, images, look  # noqa: E402  the path comes first
from airspark.airflow_api import Airflow  # noqa: E402
from airspark.console import step  # noqa: E402

#: Days that only these tests use, one a purpose, so that no test waits for another's result.
DAY, BAD_DAY, EMPTY_DAY, HEADER_DAY, MISSING_DAY, FULL_DAY = (f"2026-02-{n:02d}" for n in range(1, 7))


def make(*words: str, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
    """Call make as a user would, on the tests' cluster."""
    return subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="session")
def up() -> Iterator[None]:
    """The platform on the tests' cluster, made by the commands under test; KEEP=1 leaves it standing."""
    done = make("up")
    assert done.returncode == 0, done.stderr
    engine.find()
    yield
    if not os.environ.get("KEEP"):
        cluster.delete()


@dataclass(frozen=True)
class Run:
    """A run of `make demo`: what it printed."""

    out: str
    err: str


@pytest.fixture(scope="session")
def demo_run(up: None) -> Run:
    """The demo job, once."""
    done = make("demo", f"DATE={DAY}", "ROWS=20000")
    assert done.returncode == 0, done.stderr + done.stdout
    return Run(done.stdout, done.stderr)


@pytest.fixture(scope="session")
def airflow(up: None) -> Iterator[Airflow]:
    """A logged-in client of the REST API, with the DAG unpaused."""
    with airflow_api.connect() as client:
        from airspark.demo import wait_for_dag

        wait_for_dag(client)
        client.call("PATCH", "/dags/etl_daily", json={"is_paused": False})
        yield client


@pytest.fixture(scope="session")
def browser(up: None) -> Iterator[Any]:
    """A real headless Chromium, driven over its debugging port."""
    from playwright.sync_api import sync_playwright

    from airspark.forward import free_port

    with step("browser", "Start Chromium"):
        images.ensure_base()
        images.build(images.BROWSER)
    port = free_port()
    name = f"airspark-browser-{port}"
    subprocess.run(["docker", "run", "--detach", "--rm", "--network", "host", "--name", name, images.BROWSER.tag,
                    f"--remote-debugging-port={port}"], check=True, capture_output=True)  # fmt: skip
    try:
        with sync_playwright() as playwright:
            yield connect_browser(playwright, f"http://127.0.0.1:{port}")
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True)


def connect_browser(playwright: Any, address: str, seconds: int = 30) -> Any:
    """Connect to Chromium once it listens."""
    import time

    deadline = time.monotonic() + seconds
    while True:
        try:
            return playwright.chromium.connect_over_cdp(address)
        except Exception as problem:
            if time.monotonic() > deadline:
                raise AssertionError(f"Chromium does not listen on {address} after {seconds} s") from problem
            time.sleep(0.3)


def kubectl(*words: str, timeout: float = 120) -> str:
    """kubectl in the platform's namespace."""
    return cluster.kubectl("--namespace", "airspark", *words, timeout=timeout)


def on_worker(*words: str) -> str:
    """Run a command on a Spark worker, where data and output are mounted."""
    return kubectl("exec", "airspark-spark-worker-0", "--", *words)


def run_day(client: Airflow, day: str, **params: Any) -> tuple[str, str]:
    """Run the DAG for a day and wait for its end.

    Returns:
        The run's id and state.
    """
    from airspark.demo import follow, trigger

    run_id = trigger(client, {"date": day, **params})
    return run_id, follow(client, run_id)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Collect describe, events and logs when a live test fails, and name the archive in its report."""
    report = yield
    if report.failed and call.excinfo is not None and "up" in getattr(item, "fixturenames", ()):
        try:
            report.sections.append(("airspark doctor", str(look.doctor())))
        except Exception as problem:
            report.sections.append(("airspark doctor", f"could not collect anything: {problem}"))
    return report
