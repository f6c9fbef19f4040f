"""One cluster and one installation for every live test; what a failing test needs to explain itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import kube_api
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
for folder in ("scripts", "operator"):
    sys.path.insert(0, str(ROOT / folder))
# A cluster of the tests' own: make exports an empty CLUSTER, and `airspark` is the user's.
os.environ["CLUSTER"] = os.environ.get("CLUSTER") or "airspark-test"

from airspark import airflow_api, cluster, doctor, engine, images, platform, tools  # noqa: E402  the path comes first
from airspark.airflow_api import Airflow  # noqa: E402
from airspark.console import step  # noqa: E402

#: Days that only these tests use, one a purpose, so that no test waits for another's result.
DAY, BAD_DAY, EMPTY_DAY, HEADER_DAY, MISSING_DAY, FULL_DAY, KILL_DAY, WAYS_DAY = (f"2026-02-{n:02d}" for n in range(1, 9))


def make(*words: str, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
    """Call make as a user would, on the tests' cluster."""
    return subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="session")
def up() -> Iterator[None]:
    """The platform on a new cluster of the tests', made by the commands under test.

    A run that was broken off leaves its cluster and what it published there; KEEP=1 goes on with one, and leaves it.
    """
    if not os.environ.get("KEEP"):
        engine.ensure()
        cluster.delete()
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
    subprocess.run(["docker", "run", "--detach", "--network", "host", "--name", name, images.BROWSER.tag,
                    f"--remote-debugging-port={port}"], check=True, capture_output=True)  # fmt: skip
    try:
        with sync_playwright() as playwright:
            yield connect_browser(playwright, name, f"http://127.0.0.1:{port}")
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)


def connect_browser(playwright: Any, container: str, address: str, seconds: int = 180) -> Any:
    """Connect to Chromium once it listens; a first start reads some hundred megabytes from a disk that others use, too."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return playwright.chromium.connect_over_cdp(address)
        except Exception as problem:
            state = subprocess.run(
                ["docker", "inspect", "--format", "{{.State.Status}}", container], capture_output=True, text=True
            )
            if time.monotonic() > deadline or state.stdout.strip() != "running":
                log = subprocess.run(["docker", "logs", "--tail", "50", container], capture_output=True, text=True)
                said = f"{state.stdout}{state.stderr}{log.stdout}{log.stderr}"
                raise AssertionError(f"Chromium does not listen on {address} within {seconds} s: {said}") from problem
            time.sleep(0.3)


def kubectl(*words: str, timeout: float = 120) -> str:
    """kubectl in the platform's namespace."""
    return cluster.kubectl("--namespace", "airspark", *words, timeout=timeout)


def on_worker(*words: str) -> str:
    """Run a command on a Spark worker, where data and output are mounted."""
    return kubectl("exec", "airspark-spark-worker-0", "--", *words)


def checksums(day: str, output: str = "/opt/airflow/output") -> str:
    """The checksum of each file of rows that sales_etl published for a day, with its path below the output."""
    folders = f"sales/date={day} quarantine/sales/date={day}"
    return on_worker("bash", "-c", f"cd {output} && find {folders} -name 'part-*' | sort | xargs sha256sum")


def run_day(client: Airflow, day: str, **params: Any) -> tuple[str, str]:
    """Run the DAG for a day and wait for its end.

    Returns:
        The run's id and state.
    """
    from airspark.demo import follow, trigger

    run_id = trigger(client, {"date": day, **params})
    return run_id, follow(client, run_id)


def upgrade(values: dict[str, Any], folder: Path, name: str = "configured") -> list[str | Path]:
    """Upgrade the platform to the values for kind and these, and wait until it is ready.

    Args:
        values: as in a values file of charts/airspark.
        folder: where the values file is kept.
        name: what the release is labelled with; `make up` takes it back to its own.

    Returns:
        The `helm template` command that renders the same objects.
    """
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values))
    platform.load_images(file)
    command = [str(word) for word in platform.helm_upgrade(name, file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{'; '.join(platform.not_ready())}"
    return platform.helm_template(file)


def secrets() -> dict[str, dict[str, str]]:
    """Every Secret of the platform that is not Helm's, decoded."""
    items = json.loads(kubectl("get", "secrets", "--field-selector", "type=Opaque", "--output", "json"))["items"]
    return {
        item["metadata"]["name"]: {key: base64.b64decode(text).decode() for key, text in item.get("data", {}).items()}
        for item in items
    }


@contextmanager
def run_in_flight(client: Airflow, seconds: int) -> Iterator[str]:
    """A run of `airspark_check` whose task runs for some seconds, started for certain."""
    client.call("PATCH", "/dags/airspark_check", json={"is_paused": False})
    run = client.call("POST", "/dags/airspark_check/dagRuns", json={"logical_date": None, "conf": {"seconds": seconds}})
    run_id = str(run["dag_run_id"])
    deadline = time.monotonic() + 120
    while not any(task["state"] == "running" for task in tasks_of(client, run_id)):
        assert time.monotonic() < deadline, "the task that is to be in flight did not start within 120 s"
        time.sleep(0.5)
    yield run_id


def tasks_of(client: Airflow, run_id: str) -> list[dict[str, Any]]:
    """The task instances of a run of `airspark_check`."""
    return list(client.call("GET", f"/dags/airspark_check/dagRuns/{run_id}/taskInstances")["task_instances"])


def end_of(client: Airflow, run_id: str, seconds: int = 180) -> str:
    """The state a run of `airspark_check` ends in."""
    deadline = time.monotonic() + seconds
    while (state := client.call("GET", f"/dags/airspark_check/dagRuns/{run_id}")["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"the run in flight is {state} after {seconds} s"
        time.sleep(1)
    return str(state)


@dataclass(frozen=True)
class Configured:
    """The platform after one upgrade to `servers.VALUES`, with a run in flight meanwhile."""

    airflow: Airflow
    run_in_flight: str
    secrets_before: dict[str, dict[str, str]]
    secrets_after: dict[str, dict[str, str]]
    template_command: list[str | Path]


@pytest.fixture(scope="session")
def configured(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    """Servers for logs and DAGs beside the platform, and an upgrade that uses them."""
    import servers

    servers.start()
    before = secrets()
    with run_in_flight(airflow, 60) as run_id:
        command = upgrade(servers.VALUES, tmp_path_factory.mktemp("values"))
    after = {name: data for name, data in secrets().items() if name in before}
    servers.wait_for_dags(airflow)
    yield Configured(airflow, run_id, before, after, command)


def wait_for_bootstrap(seconds: int = 240) -> None:
    """Wait until the newest bootstrap Job is done and those that came before are gone."""
    deadline = time.monotonic() + seconds
    states = "jsonpath={range .items[*]}{.metadata.name} {.status.succeeded}{'\\n'}{end}"
    while True:
        jobs = kubectl("get", "jobs", "--selector", "component=bootstrap", "--output", states).splitlines()
        if len(jobs) == 1 and jobs[0].endswith(" 1"):
            return
        assert time.monotonic() < deadline, f"not one bootstrap Job that is done after {seconds} s: {jobs}"
        time.sleep(1)


def wait_for_restarts(since: float, seconds: int = 300) -> None:
    """Wait until every component's container was started after a time, and is ready.

    Args:
        since: seconds since 1970.
        seconds: how long that may take; the kubelet takes a minute or two to hand over a changed Secret.
    """
    selector = "tier=airflow,component in (api-server, scheduler, dag-processor, triggerer, postgresql)"
    deadline = time.monotonic() + seconds
    while True:
        pods = kube_api.pods("airspark", selector)
        mains = [pod["status"]["containerStatuses"] for pod in pods]
        old = [
            pod["metadata"]["name"]
            for pod, found in zip(pods, mains, strict=True)
            for status in found
            if status["name"] == pod["metadata"]["labels"]["component"]
            and not (status["ready"] and instant(status["state"]["running"]["startedAt"]) > since)
        ]
        if not old:
            return
        assert time.monotonic() < deadline, f"not restarted with the new Secrets after {seconds} s: {', '.join(old)}"
        time.sleep(2)


def instant(text: str) -> float:
    """Seconds since 1970 of a time as Kubernetes writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


ROTATIONS = ("fernetKey", "jwtSecret", "apiSecretKey", "databasePassword", "adminPassword")


@pytest.fixture(scope="session")
def rotated(configured: Configured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every Secret of the chart rotated at once, by one text each in the values."""
    import servers

    before, began = secrets(), time.time()
    values = servers.merged({"airflow": {"rotation": dict.fromkeys(ROTATIONS, f"at {began:.0f}")}})
    upgrade(values, tmp_path_factory.mktemp("rotated"), "rotated")
    wait_for_bootstrap()
    wait_for_restarts(began)
    changed = {f"airspark-{name}" for name in ("fernet-key", "jwt-secret", "api-secret-key", "postgresql", "metadata", "admin")}
    with airflow_api.connect() as client:
        yield {"before": before, "after": secrets(), "changed": changed, "airflow": client}


@pytest.fixture(scope="session")
def rolled_back(rotated: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The release taken back to its first revision, with a run in flight meanwhile."""
    client = rotated["airflow"]
    client.call("POST", "/variables", json={"key": "made_by_hand", "value": "stays"})
    before = secrets()
    history = json.loads(helm("history", platform.RELEASE, "--output", "json"))
    with run_in_flight(client, 60) as run_id:
        helm("rollback", platform.RELEASE, str(history[0]["revision"]), "--wait", "--timeout", "10m")
        wait_for_bootstrap()
    state = end_of(client, run_id)
    tries = [task["try_number"] for task in tasks_of(client, run_id)]
    yield {
        "state": state,
        "tries": tries,
        "secrets_before": before,
        "secrets_after": {name: data for name, data in secrets().items() if name in before},
        "airflow": client,
    }


def helm(*words: str) -> str:
    """Helm in the platform's namespace."""
    command = [str(tools.ensure("helm")), *words, "--namespace", "airspark", "--kubeconfig", str(platform.kubeconfig())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm {' '.join(words)}: {done.stderr}\n{'; '.join(platform.not_ready())}"
    return done.stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run modules by their STAGE, because those that change the installation come after those that take it as it is."""
    items.sort(key=lambda item: getattr(item.module, "STAGE", 0) if isinstance(item, pytest.Function) else 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Collect describe, events and logs when a live test fails, and name the archive in its report."""
    report = yield
    if report.failed and call.excinfo is not None and "up" in getattr(item, "fixturenames", ()):
        try:
            report.sections.append(("airspark doctor", str(doctor.collect())))
        except Exception as problem:
            report.sections.append(("airspark doctor", f"could not collect anything: {problem}"))
    return report
