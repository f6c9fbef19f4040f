"""etl_daily whose driver is killed at any moment: Airflow's next try gives the bytes of a run that nobody disturbed."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from typing import Any

import pytest
from conftest import KILL_DAY, checksums, kubectl, make, on_worker, run_day
from spark import wait

from airspark.airflow_api import Airflow
from airspark.demo import follow, trigger

pytestmark = pytest.mark.long
KILLS, SEED = 20, 7
OUTPUT = "/opt/airflow/output"
#: Waits for the JVM of the driver, not the one that puts its command line together, then for a moment, then ends that JVM,
#: or with it everything in the pod.
KILL = """
until jvm=$(for folder in /proc/[0-9]*; do
    [[ $(readlink "$folder/exe") == */java ]] && tr "\\0" " " <"$folder/cmdline" | grep -v launcher.Main |
      grep -q SparkSubmit && basename "$folder"
  done | grep .); do sleep 0.1; done
sleep "$1"
kill -9 "$([[ $2 == pod ]] && echo -1 || echo "$jvm")"
"""


def transform(client: Airflow, run_id: str) -> dict[str, Any]:
    """The task instance of the Spark application."""
    found: dict[str, Any] = client.call("GET", f"/dags/etl_daily/dagRuns/{run_id}/taskInstances/transform")
    return found


def kill(run_id: str, seconds: float, what: str) -> None:
    """Kill the driver of a run some seconds after its JVM began, if it is still at work then.

    Args:
        run_id: of the DAG run.
        seconds: when.
        what: `driver`, the JVM alone, or `pod`, every process of the task's pod.
    """
    chosen = ("--selector", "dag_id=etl_daily,task_id=transform,component=worker", "--field-selector", "status.phase=Running")
    pod = wait(f"the pod of transform in {run_id}", lambda: kubectl("get", "pods", *chosen, "--output", "name").strip(), 120)
    # What ends the pod ends this command too, one way or another.
    with contextlib.suppress(subprocess.CalledProcessError):
        kubectl("exec", pod, "--container", "base", "--", "bash", "-c", KILL, "kill", f"{seconds:.2f}", what)


@pytest.fixture(scope="module")
def clean(airflow: Airflow) -> tuple[str, float]:
    """What a run leaves that nobody disturbs, and how many seconds its task takes."""
    done = make("demo", f"DATE={KILL_DAY}", "ROWS=20000")
    assert done.returncode == 0, done.stderr
    run_id, state = run_day(airflow, KILL_DAY)
    assert state == "success"
    return checksums(KILL_DAY), float(transform(airflow, run_id)["duration"])


def test_should_give_the_same_bytes_after_airflows_retry_whenever_the_driver_was_killed(
    airflow: Airflow, clean: tuple[str, float]
) -> None:
    expected, seconds = clean
    randomness = random.Random(SEED)
    killed = absent = 0
    while killed < KILLS:
        on_worker("rm", "-rf", f"{OUTPUT}/sales/date={KILL_DAY}", f"{OUTPUT}/quarantine/sales/date={KILL_DAY}")
        run_id = trigger(airflow, {"date": KILL_DAY})
        moment, what = randomness.uniform(0, seconds), ("driver", "pod")[killed % 2]
        kill(run_id, moment, what)
        there = on_worker("bash", "-c", f"[[ ! -e {OUTPUT}/sales/date={KILL_DAY} ]] || ls -A {OUTPUT}/sales/date={KILL_DAY}")
        assert not there or {"_SUCCESS", "_manifest.json"} <= set(there.split()), f"half a result is to be seen: {there}"
        assert follow(airflow, run_id) == "success"
        tries = transform(airflow, run_id)["try_number"]
        print(f"{what}, {moment:.1f} s after its start: {tries} tries, {'no' if not there else 'a'} result meanwhile")
        if tries > 1:
            killed += 1
            absent += not there
        assert checksums(KILL_DAY) == expected, f"{what} killed {moment:.2f} s after its start"
        assert on_worker("bash", "-c", f"ls -A {OUTPUT}/.staging | grep sales.date={KILL_DAY} || true") == ""
    assert absent > KILLS / 2, "most of the moments were to be before the result was there"


def test_should_have_the_second_run_wait_if_two_are_for_the_same_day(airflow: Airflow, clean: tuple[str, float]) -> None:
    first, second = (trigger(airflow, {"date": KILL_DAY}) for _ in range(2))
    states = []
    deadline = time.monotonic() + 300
    while not states or set(states[-1]) != {"success"}:
        states.append([airflow.call("GET", f"/dags/etl_daily/dagRuns/{run}")["state"] for run in (first, second)])
        assert time.monotonic() < deadline and "failed" not in states[-1], states[-1]
        time.sleep(0.5)
    assert ["running", "queued"] in states
    assert ["running", "running"] not in states
    assert checksums(KILL_DAY) == clean[0]


def test_should_leave_a_summary_if_the_pod_of_each_try_was_killed(airflow: Airflow, clean: tuple[str, float]) -> None:
    run_id = trigger(airflow, {"date": KILL_DAY})
    for number in (1, 2, 3):
        assert transform_at(airflow, run_id, number)
        kill(run_id, 1, "pod")
    assert follow(airflow, run_id) == "failed"
    # Airflow's DAG processor calls the callback then, after the run has ended.
    file = f"{OUTPUT}/failures/etl_daily/{run_id}/transform.txt"
    text = wait(f"the summary {file}", lambda: on_worker("bash", "-c", f"cat {file} || true"), 120)
    assert text.startswith("✗ etl_daily.transform failed at try 3\n")
    assert "why:  " in text and f"run:  {run_id}" in text and "make logs T=etl_daily.transform" in text


def transform_at(client: Airflow, run_id: str, number: int) -> dict[str, Any]:
    """Wait until the Spark application of a run is at a try."""

    def found() -> dict[str, Any] | None:
        one = transform(client, run_id)
        return one if one["try_number"] == number and one["state"] == "running" else None

    return wait(f"try {number} of transform in {run_id}", found, 180)
