"""How long a task waits from queued to running, beside the usual set-up of the same versions and a bare pod.

    make bench-tasks            # needs `make up`; leaves the platform as it was
    make bench-tasks REPEAT=9

The usual set-up is the same image without compiled bytecode, as the official image ships, with the executor's own
defaults. Both set-ups are installed one after the other in the same cluster and measured with the same DAGs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from report import figure, percentile, write

from airspark import airflow_api, engine, images, platform
from airspark.airflow_api import Airflow
from airspark.cluster import kubectl, node_names
from airspark.console import step
from airspark.project import NAMESPACE, Failure

HERE = Path(__file__).resolve().parent
DAG_FILE = HERE / "dags" / "bench_tasks.py"
CONFIGMAP = "bench-dags"
USUAL_TAG = "airspark/airflow-usual:bench"
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


def mounted(usual: bool) -> dict[str, Any]:
    """Values that put the benchmark's DAGs beside the others, and for the usual set-up its image and defaults."""
    mount = {"name": "bench-dags", "mountPath": "/opt/airflow/dags/bench_tasks.py", "subPath": "bench_tasks.py"}
    airflow: dict[str, Any] = {
        "volumes": [{"name": "bench-dags", "configMap": {"name": CONFIGMAP}}],
        "volumeMounts": [mount],
        # as many task pods at once as the fan-out has, in both set-ups
        "config": {"core": {"parallelism": "32"}},
        "workers": {"resources": {"requests": {"cpu": "1m", "memory": "64Mi"}}},
    }
    if usual:
        repository, tag = USUAL_TAG.split(":")
        airflow["images"] = {"airflow": {"repository": repository, "tag": tag}}
        airflow["config"]["kubernetes_executor"] = EXECUTOR_DEFAULTS
    return {"airflow": airflow}


def install(values: dict[str, Any], name: str) -> None:
    """Upgrade the platform to values over those for kind."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "values.yaml")
        file.write_text(yaml.safe_dump(values))
        with step("bench", f"Install the {name} set-up") as current:
            current.run(platform.helm_upgrade(f"bench-{name}", file))


def build_usual() -> None:
    """Make the same image without bytecode, and load it."""
    dockerfile = f"FROM {images.IMAGES['airflow'].tag}\nUSER 0\nRUN find / -xdev -name '*.pyc' -delete\nUSER 50000:0\n"
    with step("bench", "Make the image without bytecode"):
        subprocess.run(["docker", "build", "--quiet", "--tag", USUAL_TAG, "-"], input=dockerfile, text=True, check=True,
                       capture_output=True)  # fmt: skip
        for node in node_names():
            save = subprocess.Popen(["docker", "save", USUAL_TAG], stdout=subprocess.PIPE)
            load = ["docker", "exec", "--interactive", node, "ctr", "--namespace", "k8s.io", "images", "import", "-"]
            subprocess.run(load, stdin=save.stdout, check=True, capture_output=True)
            save.wait()


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
    """Wait until both DAGs are known, and unpause them."""
    deadline = time.monotonic() + seconds
    for dag_id in ("bench_row", "bench_fan"):
        while True:
            try:
                client.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                break
            except Failure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


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


def main(repeat: int) -> int:
    """Measure both set-ups and the floor, write the report, and put the platform back."""
    engine.find()
    kubectl("create", "configmap", CONFIGMAP, "--namespace", NAMESPACE, f"--from-file={DAG_FILE}")
    try:
        build_usual()
        install(mounted(usual=False), "airspark")
        ours = measure("airspark", repeat)
        bare = [bare_pod(turn) for turn in range(repeat)]
        install(mounted(usual=True), "usual")
        usual = measure("usual", repeat)
    finally:
        kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE)
        install({}, "plain")
    figures = {"bare pod, created to ended": figure(bare)}
    for name, found in (("airspark", ours), ("usual", usual)):
        for kind, what in (("row", "three in a row"), ("fan", "twenty at once")):
            figures[f"{name}: {what}, queued to running"] = figure(found[f"{kind} wait"])
            figures[f"{name}: {what}, queued to running p95"] = figure([percentile(found[f"{kind} wait"], 0.95)])
            figures[f"{name}: {what}, first queued to last ended"] = figure(found[f"{kind} wall"])
    middle = {
        name: {key: percentile(samples, 0.5) for key, samples in found.items()} for name, found in (("o", ours), ("u", usual))
    }
    ratios = {
        "row p50 / usual": middle["o"]["row wait"] / middle["u"]["row wait"],
        "row p95 / usual": percentile(ours["row wait"], 0.95) / percentile(usual["row wait"], 0.95),
        "fan-out wall / usual": middle["o"]["fan wall"] / middle["u"]["fan wall"],
        "row p50 / bare pod": middle["o"]["row wait"] / percentile(bare, 0.5),
    }
    write("tasks", repeat, figures, ratios, GOALS)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        sys.exit(1)
