"""`make demo`: one day of sales through Airflow and Spark, followed live, with its result."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from datetime import date
from typing import Any

from rich.markup import escape
from rich.table import Table

from airspark import dev, images, platform, retry
from airspark.airflow_api import Airflow
from airspark.cluster import kubectl_command
from airspark.console import err, out, say, step
from airspark.project import NAMESPACE, RELEASE, Failure
from airspark.retry import kubectl

DAG = "etl_daily"
TASKS = ("check_input", "transform", "verify", "publish")
ENDED = {"success", "failed"}
RUN_SECONDS = 1800
DATA, OUTPUT = "/opt/airflow/data", "/opt/airflow/output"
GENERATOR = "/opt/airflow/spark-apps/generate_sales.py"

#: Reads the result where it is mounted, on a Spark worker, and prints it as one JSON line.
RESULT_SCRIPT = """
import json, sys, pathlib
import pyarrow.dataset as dataset
folder = pathlib.Path(sys.argv[1])
manifest = json.loads((folder / "_manifest.json").read_text())
table = dataset.dataset(str(folder), format="parquet", exclude_invalid_files=False)
rows = table.head(int(sys.argv[2])).to_pylist()
print(json.dumps({"manifest": manifest, "columns": table.schema.names, "rows": rows}, default=str))
"""


def parse_date(text: str, name: str = "DATE") -> str:
    """Check that a text is a date.

    Args:
        text: what was given.
        name: the make variable it was given by.

    Raises:
        Failure: if it is not a calendar date as YYYY-MM-DD.
    """
    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Failure(f"{name}={text} is not a date", f"for example: {name}=2026-01-15") from None


def generator_pod(name: str, command: list[str]) -> dict[str, Any]:
    """A pod that runs a generator of spark-apps, which writes to the data claim.

    Args:
        name: pod name.
        command: what it runs, in the Airflow image.

    Returns:
        A Pod that passes Pod Security `restricted`.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE,
                     "labels": {"app.kubernetes.io/name": "generate", "app.kubernetes.io/part-of": RELEASE}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 50000, "runAsGroup": 0, "fsGroup": 0,
                                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "generate",
                "image": images.IMAGES["airflow"].tag,
                "args": command,
                "env": [{"name": "AIRSPARK_TIME_ZONE", "valueFrom": {"configMapKeyRef": {
                    "name": platform.CONFIG, "key": platform.TIME_ZONE_KEY, "optional": True}}}],
                "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                    "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "data", "mountPath": DATA}, {"name": "tmp", "mountPath": "/tmp"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"{RELEASE}-data"}},
                        {"name": "tmp", "emptyDir": {}}],
        },
    }  # fmt: skip


def run_pod(pod: dict[str, Any], seconds: int, log: Any) -> str:
    """Run a pod to its end, return its output and remove it.

    Raises:
        Failure: if it fails or does not end in time, with its last line.
    """
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    _create(dev.with_applications(pod) if dev.is_on() else pod)
    try:
        deadline = time.monotonic() + seconds
        while True:
            phase = kubectl("get", "pod", name, "--namespace", namespace, "--output", "jsonpath={.status.phase}")
            if phase in ("Succeeded", "Failed"):
                break
            if time.monotonic() > deadline:
                log(kubectl("describe", "pod", name, "--namespace", namespace))
                raise Failure(f"the pod {name} is still {phase or 'waiting'} after {seconds} s", "make status")
            time.sleep(0.5)
        text = kubectl("logs", name, "--namespace", namespace)
        log(text + "\n")
        if phase == "Failed":
            raise Failure((text.splitlines() or [f"the pod {name} failed without a word"])[-1])
        return text
    finally:
        kubectl("delete", "pod", name, "--namespace", namespace, "--ignore-not-found", "--wait=false")


def _create(pod: dict[str, Any]) -> None:
    """Create a pod whose name is its own; one that is there already was created by a try whose answer got lost."""
    done = retry.send(kubectl_command("create", "--filename", "-"), json.dumps(pod))
    if done.returncode and "(AlreadyExists)" not in done.stderr:
        raise Failure(f"the pod {pod['metadata']['name']} is refused: {retry.brief(done.stderr)}", "make status")


def generate(day: str, rows: int, seed: int) -> dict[str, Any]:
    """Write the day's sales file to the data claim.

    Returns:
        The counts the generator put in.
    """
    with step("generate", f"Write {rows:,} sales rows of {day} to the data claim") as current:
        name = f"generate-sales-{uuid.uuid4().hex[:8]}"
        command = ["python", GENERATOR, "--date", day, "--rows", str(rows), "--seed", str(seed), "--out", f"{DATA}/sales"]
        text = run_pod(generator_pod(name, command), 300 + rows // 20_000, current.write)
        counts: dict[str, Any] = json.loads(text.splitlines()[-1])
        current.note = ", ".join(f"{value:,} {key}" for key, value in counts.get("bad", {}).items()) or "no bad rows"
    return counts


def trigger(airflow: Airflow, conf: dict[str, Any]) -> str:
    """Start a run of the DAG over the REST API.

    Args:
        airflow: the client.
        conf: the run's parameters.

    Returns:
        The run's id.
    """
    run_id = f"demo__{conf['date']}__{uuid.uuid4().hex[:6]}"
    body, path = {"logical_date": None, "conf": conf, "dag_run_id": run_id}, f"/dags/{DAG}/dagRuns"
    return str(airflow.create(path, body, f"{path}/{run_id}")["dag_run_id"])


def wait_for_dag(airflow: Airflow, seconds: int = 120) -> bool:
    """Wait until the DAG processor has parsed the DAG.

    Returns:
        Whether the DAG is paused.

    Raises:
        Failure: with the import error if the DAG is broken, or if it does not appear.
    """
    deadline = time.monotonic() + seconds
    while True:
        listed = airflow.call("GET", "/dags", params={"dag_id_pattern": DAG, "exclude_stale": True})["dags"]
        found = [dag for dag in listed if dag["dag_id"] == DAG]
        if found:
            return bool(found[0]["is_paused"])
        if time.monotonic() > deadline:
            errors = airflow.call("GET", "/importErrors")["import_errors"]
            why = errors[0]["stack_trace"].strip().splitlines()[-1] if errors else "the DAG processor has not parsed it"
            raise Failure(f"the DAG {DAG} is not there: {why}", "make logs C=dag-processor")
        time.sleep(1)


class Paused:
    """Says once that runs wait because their DAG is paused, and once that they go on.

    Args:
        airflow: the client.
        dag_id: the DAG.
    """

    def __init__(self, airflow: Airflow, dag_id: str) -> None:
        self._airflow, self._dag_id, self._said = airflow, dag_id, False

    def look(self) -> None:
        """Look whether the DAG is paused."""
        paused = bool(self._airflow.call("GET", f"/dags/{self._dag_id}")["is_paused"])
        if paused and not self._said:
            say(f"{self._dag_id} is paused: its runs wait, tasks that run go on. To switch it on: {unpause(self._dag_id)}")
        elif self._said and not paused:
            say(f"{self._dag_id} is switched on again.")
        self._said = paused


def unpause(dag_id: str) -> str:
    """Return how a DAG is switched on."""
    return f"make ui, then the switch beside {dag_id}"


def follow(airflow: Airflow, run_id: str, tasks: tuple[str, ...] = TASKS) -> str:
    """Follow a run: one line a task when it ends, with state and seconds.

    Returns:
        The run's final state.

    Raises:
        Failure: if it does not end within half an hour.
    """
    deadline = time.monotonic() + RUN_SECONDS
    seen: dict[str, tuple[str, int]] = {}
    path, paused = f"/dags/{DAG}/dagRuns/{run_id}", Paused(airflow, DAG)
    with err.status(f"{DAG}: queued") if err.is_terminal else _nothing() as status:
        while True:
            run = airflow.call("GET", path)
            for task in airflow.call("GET", f"{path}/taskInstances")["task_instances"]:
                name, state, number = task["task_id"], task["state"], task["try_number"]
                if state in ("success", "failed", "upstream_failed", "up_for_retry") and seen.get(name) != (state, number):
                    seen[name] = (state, number)
                    err.print(task_line(task))
                elif state in ("running", "queued") and status is not None:
                    status.update(f"{DAG}.{name}: {state}")
            if run["state"] in ENDED:
                return str(run["state"])
            paused.look()
            if time.monotonic() > deadline:
                raise Failure(f"the run {run_id} is still {run['state']} after {RUN_SECONDS // 60} minutes", "make ui")
            time.sleep(0.7)


class _nothing:
    """A context that does nothing, where there is no terminal."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def task_line(task: dict[str, Any]) -> str:
    """One line about a task that ended, for rich."""
    mark = "[green]✓[/]" if task["state"] == "success" else "[red]✗[/]"
    seconds = f"{task['duration']:.1f} s" if task.get("duration") else "–"
    again = f" [dim](try {task['try_number']})[/]" if (task["try_number"] or 0) > 1 else ""
    return f"{mark} {escape(DAG)}.{escape(task['task_id'])}: {task['state']}{again} [dim]{seconds}[/]"


def failure_reason(airflow: Airflow, run_id: str, dag_id: str = DAG) -> tuple[str, str]:
    """Which task of a run failed and the line of its log that says why."""
    listed = airflow.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
    failed = next((task for task in listed if task["state"] == "failed"), None)
    if failed is None:
        return "?", "the run failed before any task did"
    text = airflow.task_log(dag_id, run_id, failed["task_id"], failed["try_number"])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line] or [line for line in lines if "Exception:" in line] or lines
    return failed["task_id"], telling[-1].rpartition("error: ")[2] if telling else "its log is empty"


def result(day: str, rows: int = 5) -> dict[str, Any]:
    """Read manifest and first rows of a day's output, where it is mounted.

    Raises:
        Failure: if there is no output for the day.
    """
    try:
        text = kubectl("exec", "--namespace", NAMESPACE, f"{RELEASE}-spark-worker-0", "--", "python", "-c", RESULT_SCRIPT,
                       f"{OUTPUT}/sales/date={day}", str(rows), timeout=120)  # fmt: skip
    except subprocess.CalledProcessError as problem:
        why = problem.stderr.strip().splitlines()[-1]
        raise Failure(f"the output of {day} cannot be read: {why}", "make doctor") from problem
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def show(found: dict[str, Any]) -> None:
    """Print counts, files and a few rows."""
    manifest = found["manifest"]
    counts = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("read", "written", "rejected", "duplicates"):
        counts.add_column(column, justify="right")
    counts.add_row(*(f"{manifest[key]:,}" for key in ("rows_read", "rows_written", "rows_rejected", "rows_duplicate")))
    out.print(counts)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in manifest["rejects_by_reason"].items())
    if reasons:
        out.print(f"rejected because: {reasons}")
    out.print()
    files = Table(box=None, pad_edge=False, header_style="bold")
    files.add_column(f"Parquet files in {OUTPUT}/sales/{manifest['partition']}")
    files.add_column("KB", justify="right")
    for file in manifest["files"]:
        files.add_row(file["name"], f"{file['bytes'] / 1000:,.0f}")
    out.print(files)
    out.print()
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in found["columns"]:
        rows.add_column(column, no_wrap=True)
    for row in found["rows"]:
        rows.add_row(*(str(row[column]) for column in found["columns"]))
    out.print(rows)


def run(airflow: Airflow, day: str, rows: int, seed: int) -> dict[str, Any]:
    """Generate the day's file, run the DAG on it, and show the result.

    Returns:
        The manifest of the output.

    Raises:
        Failure: if any part of it fails, with the failing task's own words.
    """
    generate(day, rows, seed)
    was_paused = wait_for_dag(airflow)
    if was_paused:
        airflow.call("PATCH", f"/dags/{DAG}", json={"is_paused": False})
    run_id = trigger(airflow, {"date": day})
    try:
        state = follow(airflow, run_id)
    except BaseException:
        say(f"The run {run_id} goes on{f', {DAG} stays switched on' if was_paused else ''}: make ui")
        raise
    if was_paused:
        airflow.call("PATCH", f"/dags/{DAG}", json={"is_paused": True})
    if state != "success":
        task, why = failure_reason(airflow, run_id)
        raise Failure(f"{DAG}.{task} failed: {why}", f"make logs T={DAG}.{task}")
    found = result(day)
    out.print()
    show(found)
    manifest: dict[str, Any] = found["manifest"]
    return manifest
