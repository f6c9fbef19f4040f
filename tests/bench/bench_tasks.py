"""How long a task waits from queued to running, beside the usual set-up of the same versions and a bare pod.

    make bench-tasks              # needs `make up`; leaves the platform as it was
    make bench-tasks REPEAT=9
    make bench-tasks LEVERS=1     # the steps from the usual set-up to ours too, one by one

The usual set-up is the same image without compiled bytecode, as the official image ships, with the executor's own
defaults. The set-ups are installed one after the other in the same cluster and measured with the same DAGs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from report import figure, percentile, write

from airspark import airflow_api, engine, images, platform
from airspark.airflow_api import Airflow
from airspark.cluster import kubectl, node_names
from airspark.console import step
from airspark.images import IMAGES, Image
from airspark.project import NAMESPACE, Failure

HERE = Path(__file__).resolve().parent
DAG_FILE = HERE / "dags" / "bench_tasks.py"
CONFIGMAP = "bench-dags"
#: What the executor does where nothing is configured (provider 10.25).
EXECUTOR_DEFAULTS = {
    "worker_pods_creation_batch_size": "1",
    "async_pod_creation": "False",
    "pod_launch_failure_retries": "1",
}
GOALS = {
    "row p50 / usual": {"op": "<=", "value": round(1 / 3, 3)},
    "fan-out wall / usual": {"op": "<=", "value": round(1 / 2.5, 3)},
}
NO_START = "rm /opt/venv/lib/python*/site-packages/airspark_start.pth"
NO_BYTECODE = "find / -xdev -name '*.pyc' -delete"


@dataclass(frozen=True)
class Setup:
    """One way to run the same tasks.

    Args:
        name: in the report.
        image: what tasks and Airflow run in.
        without: shell commands that take from the product's image what this one lacks.
        executor: lines of [kubernetes_executor] in place of the chart's.
    """

    name: str
    image: Image
    without: tuple[str, ...] = ()
    executor: tuple[tuple[str, str], ...] = ()


USUAL = Setup("usual", Image("airflow-usual"), (NO_START, NO_BYTECODE), tuple(EXECUTOR_DEFAULTS.items()))
AIRSPARK = Setup("airspark", IMAGES["airflow"])
#: From the usual set-up to ours, each with one lever more.
LEVERS = (
    Setup("usual + bytecode", Image("airflow-bytecode"), (NO_START,), tuple(EXECUTOR_DEFAULTS.items())),
    Setup("usual + bytecode + executor settings", Image("airflow-bytecode"), (NO_START,)),
)


def values(setup: Setup) -> dict[str, Any]:
    """Values that put the benchmark's DAGs beside the others, with the image and the executor of a set-up."""
    mount = {"name": "bench-dags", "mountPath": "/opt/airflow/dags/bench_tasks.py", "subPath": "bench_tasks.py"}
    repository, tag = setup.image.tag.split(":")
    return {
        "airflow": {
            "images": {"airflow": {"repository": repository, "tag": tag}},
            "volumes": [{"name": "bench-dags", "configMap": {"name": CONFIGMAP}}],
            "volumeMounts": [mount],
            # as many task pods at once as the fan-out has, in every set-up
            "config": {"core": {"parallelism": "32"}, "kubernetes_executor": dict(setup.executor)},
            "workers": {"resources": {"requests": {"cpu": "1m", "memory": "64Mi"}}},
        }
    }


def install(name: str, given: dict[str, Any]) -> None:
    """Upgrade the platform to values over those for kind."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "values.yaml")
        file.write_text(yaml.safe_dump(given))
        with step("bench", f"Install the set-up: {name}") as current:
            current.run(platform.helm_upgrade("bench", file))


def prepare(setup: Setup) -> None:
    """Have the image of a set-up in every node."""
    if setup.without:
        commands = " && ".join(setup.without)
        dockerfile = f"FROM {IMAGES['airflow'].tag}\nUSER 0\nRUN {commands}\nUSER 50000:0\n"
        command = ["docker", "build", "--quiet", "--tag", setup.image.tag, "-"]
        with step("bench", f"Make the image {setup.image.tag}"):
            subprocess.run(command, input=dockerfile, text=True, check=True, capture_output=True)
    images.load(node_names(), [setup.image])


def remove(image: Image) -> None:
    """Remove an image that only the benchmark uses from engine and nodes."""
    subprocess.run(["docker", "image", "rm", "--force", image.tag], capture_output=True, check=False)
    for node in node_names():
        command = ["docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "rm", f"docker.io/{image.tag}"]
        subprocess.run(command, capture_output=True, check=False)


def finish(client: Airflow, dag_id: str, seconds: float = 600) -> list[dict[str, Any]]:
    """Run a DAG to its end and return its task instances.

    Raises:
        Failure: if it fails or takes too long.
    """
    run = client.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None})
    path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
    deadline = time.monotonic() + seconds
    while (state := client.call("GET", path)["state"]) not in ("success", "failed"):
        if time.monotonic() > deadline:
            raise Failure(f"{dag_id} is {state} after {seconds:.0f} s", "make status")
        time.sleep(0.5)
    if state != "success":
        raise Failure(f"{dag_id} failed", f"make logs T={dag_id}.first")
    return list(client.call("GET", f"{path}/taskInstances", params={"limit": 100})["task_instances"])


def instant(text: str) -> float:
    """Return the seconds since 1970 of an ISO time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def waits(tasks: list[dict[str, Any]]) -> list[float]:
    """Return the seconds from queued to running of each task."""
    return [instant(task["start_date"]) - instant(task["queued_when"]) for task in tasks]


def wall(tasks: list[dict[str, Any]]) -> float:
    """Return the seconds from the first queued to the last ended."""
    return max(instant(task["end_date"]) for task in tasks) - min(instant(task["queued_when"]) for task in tasks)


def wait_for_dags(client: Airflow, seconds: float = 180) -> None:
    """Wait until both DAGs are known and were read by this set-up's DAG processor, and unpause them.

    Raises:
        Failure: if they are not in time.
    """
    deadline = time.monotonic() + seconds
    names = {"bench_row", "bench_fan"}
    while missing := names - {dag["dag_id"] for dag in client.call("GET", "/dags", params={"limit": 100})["dags"]}:
        if time.monotonic() > deadline:
            raise Failure(f"{', '.join(sorted(missing))} not read after {seconds:.0f} s", "make logs C=dag-processor")
        time.sleep(1)
    for name in names:
        client.call("PATCH", f"/dags/{name}", json={"is_paused": False})


def wait_for_quiet(seconds: float = 120) -> None:
    """Wait until the pods of the last run are gone, whose removal would cost the next one.

    Raises:
        Failure: if they stay.
    """
    deadline = time.monotonic() + seconds
    while left := kubectl("get", "pods", "--namespace", NAMESPACE, "--selector", "component=worker", "--output", "name"):
        if time.monotonic() > deadline:
            raise Failure(f"task pods are not removed after {seconds:.0f} s: {left.strip()}", "make logs C=scheduler")
        time.sleep(0.5)


def measure(name: str, repeat: int) -> dict[str, list[float]]:
    """Measure one set-up after one run of each DAG to warm up.

    Returns:
        Samples in seconds: `row wait`, `row wall`, `fan wait`, `fan wall`.
    """
    found: dict[str, list[float]] = {"row wait": [], "row wall": [], "fan wait": [], "fan wall": []}
    with airflow_api.connect() as client:
        wait_for_dags(client)
        for turn in range(repeat + 1):
            for kind in ("row", "fan"):
                with step("bench", f"{name}: bench_{kind}, {'warm-up' if turn == 0 else f'{turn} of {repeat}'}"):
                    tasks = finish(client, f"bench_{kind}")
                    wait_for_quiet()
                if turn:
                    found[f"{kind} wait"] += waits(tasks)
                    found[f"{kind} wall"].append(wall(tasks))
    return found


def bare_pod(turn: int) -> float:
    """Return the seconds from creation to the start of the container of a pod that runs `true`."""
    name = f"bench-bare-{turn}"
    container = {
        "name": "base",
        "image": images.IMAGES["airflow"].tag,
        "command": ["true"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    overrides = json.dumps({"spec": spec})
    began = time.time()
    kubectl("run", name, "--namespace", NAMESPACE, "--image", container["image"], "--restart", "Never", "--overrides", overrides)
    kubectl(
        "wait", "--namespace", NAMESPACE, f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", timeout=90
    )
    took = time.time() - began
    kubectl("delete", "pod", name, "--namespace", NAMESPACE, "--wait=false")
    return took


def main(repeat: int, levers: bool) -> int:
    """Measure every set-up and the floor, write the report, and put the platform back."""
    engine.find()
    setups = (USUAL, *(LEVERS if levers else ()), AIRSPARK)
    kubectl("create", "configmap", CONFIGMAP, "--namespace", NAMESPACE, f"--from-file={DAG_FILE}")
    found: dict[str, dict[str, list[float]]] = {}
    try:
        for setup in setups:
            prepare(setup)
            install(setup.name, values(setup))
            found[setup.name] = measure(setup.name, repeat)
        bare = [bare_pod(turn) for turn in range(repeat)]
    finally:
        kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE)
        install("the platform's own", {})
        for setup in setups:
            if setup.without:
                remove(setup.image)
    figures = {"bare pod, created to ended": figure(bare)}
    for name, samples in found.items():
        for kind, what in (("row", "three in a row"), ("fan", "twenty at once")):
            figures[f"{name}: {what}, queued to running"] = figure(samples[f"{kind} wait"])
            figures[f"{name}: {what}, queued to running p95"] = figure([percentile(samples[f"{kind} wait"], 0.95)])
            figures[f"{name}: {what}, first queued to last ended"] = figure(samples[f"{kind} wall"])
    ours, usual = found[AIRSPARK.name], found[USUAL.name]
    ratios = {
        "row p50 / usual": median(ours["row wait"]) / median(usual["row wait"]),
        "row p95 / usual": percentile(ours["row wait"], 0.95) / percentile(usual["row wait"], 0.95),
        "row wall / usual": median(ours["row wall"]) / median(usual["row wall"]),
        "fan-out wall / usual": median(ours["fan wall"]) / median(usual["fan wall"]),
        "row p50 / bare pod": median(ours["row wait"]) / median(bare),
    }
    for setup in setups[1:-1]:
        ratios[f"{setup.name}: row p50 / usual"] = median(found[setup.name]["row wait"]) / median(usual["row wait"])
        ratios[f"{setup.name}: fan-out wall / usual"] = median(found[setup.name]["fan wall"]) / median(usual["fan wall"])
    write("tasks", repeat, figures, ratios, GOALS)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeat", nargs="?", type=int, default=5, help="runs of each DAG in each set-up")
    parser.add_argument("--levers", action="store_true", help="the steps from the usual set-up to ours too")
    arguments = parser.parse_args()
    try:
        sys.exit(main(arguments.repeat, arguments.levers))
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        sys.exit(1)
