"""What people look at: status table, logs of a component or a task, user interfaces, the doctor's archive."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.table import Table

from airspark import airflow_api, tools
from airspark.check import PORTS
from airspark.cluster import kubectl
from airspark.console import out, output, say, step
from airspark.forward import Forward, free_port, wait_forever
from airspark.project import BUILD, LOGS, NAMESPACE, RELEASE, Failure, cluster_name, kubeconfig

#: Components by the label `component` of their pods.
COMPONENTS = (
    *("api-server", "scheduler", "dag-processor", "triggerer", "postgresql", "bootstrap"),
    *("spark-master", "spark-worker", "spark-history", "spark-connect", "spark-bootstrap", "spark-operator"),
)
ADDRESSES = {
    "api-server": f"{RELEASE}-api-server:8080", "postgresql": f"{RELEASE}-postgresql:5432",
    "spark-master": f"spark://{RELEASE}-spark-master:7077", "spark-history": f"{RELEASE}-spark-history:18080",
}  # fmt: skip
# Both begin only where a name or a word begins, and look ahead first: a log is read once, however long its lines are.
SECRET_NAMES = r"(?:password|secret|token|fernet|_key|sql_alchemy_conn)"
SECRET_PATTERN = re.compile(rf"(?i)(?<![\w.-])((?=[\w.-]*?{SECRET_NAMES})[\w.-]++[\"']?\s*+[:=]\s*+)\S+")
URL_PASSWORD = re.compile(r"(?<![^@\s])((?=[^@\s]++@)[^@\s]*?://[^:/@\s]++:)[^@\s]++@")


def require_cluster() -> None:
    """Refuse to go on without a cluster.

    Raises:
        Failure: if there is none or it does not answer.
    """
    if not kubeconfig().exists():
        raise Failure("there is no cluster", "make up")
    try:
        kubectl("get", "namespace", NAMESPACE, "--request-timeout", "10s")
    except subprocess.SubprocessError as problem:
        raise Failure("the cluster does not answer: it was removed or its engine ended", "make up") from problem


def age(timestamp: str) -> str:
    """How long ago a Kubernetes timestamp was, in the largest whole unit."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.0f}s"


def status_rows() -> list[tuple[str, ...]]:
    """One row a pod: component, pod, ready, restarts, age, address, last warning."""
    pods = json.loads(kubectl("get", "pods", "--namespace", NAMESPACE, "--output", "json"))["items"]
    events = json.loads(kubectl("get", "events", "--namespace", NAMESPACE, "--field-selector", "type=Warning",
                                "--output", "json"))["items"]  # fmt: skip
    warnings = {event["involvedObject"].get("name"): event for event in sorted(events, key=_event_time)}
    rows: list[tuple[str, ...]] = []
    for pod in sorted(pods, key=lambda p: _order(p["metadata"]["labels"].get("component", ""))):
        name, status = pod["metadata"]["name"], pod["status"]
        containers = status.get("containerStatuses", [])
        ready = f"{sum(c['ready'] for c in containers)}/{len(containers)}"
        if status.get("phase") == "Succeeded":
            ready = "done"
        component = pod["metadata"]["labels"].get("component", "other")
        event = warnings.get(name)
        if event and all(c["ready"] for c in containers) and "Startup probe" in event["message"]:
            event = None  # every start fails its first probes
        warning = f"{event['reason']}: {event['message']} ({age(_event_time(event))} ago)" if event else ""
        rows.append((component, name, ready, str(sum(c["restartCount"] for c in containers)),
                     age(pod["metadata"]["creationTimestamp"]), ADDRESSES.get(component, status.get("podIP", "")),
                     warning.replace("\n", " ")[:90]))  # fmt: skip
    return rows


def _order(component: str) -> int:
    return COMPONENTS.index(component) if component in COMPONENTS else len(COMPONENTS)


def _event_time(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def status() -> None:
    """Print the status table."""
    require_cluster()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("component", "pod", "ready", "restarts", "age", "address", "last warning"):
        table.add_column(column, justify="right" if column == "restarts" else "left", overflow="fold")
    for row in status_rows():
        table.add_row(*row)
    out.print(table)


def component_logs(component: str, follow: bool) -> int:
    """Show the logs of a component's pods.

    Args:
        component: one of COMPONENTS.
        follow: whether to go on until interrupted.

    Returns:
        kubectl's exit code.

    Raises:
        Failure: if there is no such component.
    """
    require_cluster()
    if component not in COMPONENTS:
        raise Failure(f"there is no component '{component}'", f"make logs C=<one of {', '.join(COMPONENTS)}>")
    return subprocess.call(
        [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "logs", "--namespace", NAMESPACE, "--prefix",
         "--selector", f"component={component}", "--all-containers", "--tail", "200", *(["--follow"] if follow else [])]
    )  # fmt: skip


def task_logs(name: str) -> None:
    """Print the log of a task's last run, which is there also after its pod is gone.

    Args:
        name: `<dag_id>.<task_id>`.

    Raises:
        Failure: if the name is not of that form or the task never ran.
    """
    require_cluster()
    dag_id, dot, task_id = name.partition(".")
    if not dot or not task_id:
        raise Failure(f"T={name} is not <dag_id>.<task_id>", "make logs T=etl_daily.transform")
    with airflow_api.connect() as airflow:
        tries = airflow.call("GET", f"/dags/{dag_id}/dagRuns/~/taskInstances",
                             params={"order_by": "-start_date", "limit": 50})["task_instances"]  # fmt: skip
        ran = [t for t in tries if t["task_id"] == task_id and t["try_number"]]
        if not ran:
            raise Failure(f"{name} has not run yet", "make demo")
        last = ran[0]
        say(f"→ {name}, run {last['dag_run_id']}, try {last['try_number']}: {last['state']}")
        print(airflow.task_log(dag_id, last["dag_run_id"], task_id, last["try_number"]))


def user_interfaces() -> None:
    """Keep port-forwards to the user interfaces open until interrupted."""
    require_cluster()
    targets = {8080: (f"svc/{RELEASE}-api-server", 8080), 8083: (f"svc/{RELEASE}-spark-master", 8080),
               18080: (f"svc/{RELEASE}-spark-history", 18080)}  # fmt: skip
    username, password = airflow_api.admin()
    with ExitStack() as stack:
        table = Table(box=None, pad_edge=False, show_header=False)
        for preferred, (target, port) in targets.items():
            local = free_port(preferred)
            forward = stack.enter_context(Forward(target, port, local))
            moved = f" (port {preferred} is taken)" if local != preferred else ""
            table.add_row(PORTS[preferred], forward.url + moved)
        out.print(table)
        out.print(f"\nAirflow user: {username}   password: {password}\n\nCtrl-C ends the port-forwards.")
        wait_forever()


def redact(text: str) -> str:
    """Take secrets out of a text: values of telling names, and passwords in URLs."""
    return URL_PASSWORD.sub(r"\1…@", SECRET_PATTERN.sub(r"\1…", text))


def doctor() -> Path:
    """Collect describe, events, logs and values into one archive, secrets removed.

    Returns:
        The archive.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = BUILD / f"doctor-{stamp}.tar.gz"
    with step("doctor", "Collect describe, events, logs and values") as current:
        parts = {"engine.txt": _try("docker", "info"), "nodes-docker.txt": _try("docker", "ps", "--all")}
        if kubeconfig().exists():
            base = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--request-timeout", "20s"]
            parts |= {
                "nodes.txt": _try(*base, "describe", "nodes"),
                "objects.txt": _try(*base, "get", "all,pvc,configmap,event", "--all-namespaces", "--output", "wide"),
                "describe.txt": _try(*base, "describe", "pods,pvc,jobs,statefulsets", "--namespace", NAMESPACE),
                "events.txt": _try(*base, "get", "events", "--all-namespaces", "--sort-by", ".metadata.creationTimestamp"),
                "values.yaml": _try(str(tools.ensure("helm")), "get", "values", RELEASE, "--all", "--namespace", NAMESPACE,
                                    "--kubeconfig", str(kubeconfig())),
            }  # fmt: skip
            listing = _try(*base, "get", "pods", "--all-namespaces", "--no-headers", "--output",
                           "custom-columns=:.metadata.namespace,:.metadata.name")  # fmt: skip
            for line in listing.splitlines():
                words = line.split()
                if len(words) == 2:
                    for suffix, extra in (("log", []), ("previous.log", ["--previous"])):
                        where = ["--namespace", words[0], words[1], "--all-containers", "--tail", "2000"]
                        text = _try(*base, "logs", *where, *extra)
                        if "previous terminated container" not in text:
                            parts[f"logs/{words[0]}.{words[1]}.{suffix}"] = text
        for file in LOGS.glob("*.log"):
            if file != current.log_path:
                parts[f"steps/{file.name}"] = file.read_text(errors="replace")
        with tarfile.open(target, "w:gz") as archive:
            for name, text in parts.items():
                data = redact(text).encode()
                info = tarfile.TarInfo(f"airspark-doctor/{name}")
                info.size, info.mtime = len(data), int(time.time())
                archive.addfile(info, BytesIO(data))
        current.note = f"{len(parts)} files"
    return target


def _try(*command: str) -> str:
    """The output of a command, or what went wrong."""
    try:
        return output(command, timeout=60)
    except subprocess.CalledProcessError as problem:
        return f"{problem.stdout}\n{problem.stderr}"
    except (OSError, subprocess.SubprocessError) as problem:
        return str(problem)


def idle_memory() -> float:
    """Memory of the whole cluster in GiB: what the node containers use, without page cache."""
    total = 0.0
    names = output(["docker", "ps", "--filter", f"label=io.x-k8s.kind.cluster={cluster_name()}", "--format", "{{.Names}}"])
    for name in names.split():
        used = output(["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", name]).split("/")[0].strip()
        number, unit = re.match(r"([0-9.]+)([A-Za-z]+)", used).groups()  # type: ignore[union-attr]
        total += float(number) * {"GiB": 1.0, "MiB": 1 / 1024, "KiB": 1 / 2**20}[unit]
    return total
