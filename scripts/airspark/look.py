"""What people look at: status table, logs of a component or a task, user interfaces."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from airspark import airflow_api, backfill, cluster, demo, logs, retry
from airspark.airflow_api import Airflow
from airspark.check import PORTS, holder
from airspark.console import out, output, say
from airspark.forward import Forward, free_port, wait_forever
from airspark.project import NAMESPACE, RELEASE, Failure, cluster_name, kubeconfig
from airspark.retry import kubectl

#: Components by the label `component` of their pods.
COMPONENTS = (
    *("api-server", "scheduler", "dag-processor", "triggerer", "postgresql", "bootstrap"),
    *("spark-master", "spark-worker", "spark-history", "spark-connect", "spark-bootstrap", "spark-operator"),
)
#: How many lines of a container's log are shown.
LINES = 200
ADDRESSES = {
    "api-server": f"{RELEASE}-api-server:8080", "postgresql": f"{RELEASE}-postgresql:5432",
    "spark-master": f"spark://{RELEASE}-spark-master:7077", "spark-history": f"{RELEASE}-spark-history:18080",
}  # fmt: skip


def require_cluster() -> None:
    """Refuse to go on without a cluster; wait for one that is there and does not answer for a while.

    Raises:
        Failure: if there is none or it does not answer.
    """
    if not kubeconfig().exists():
        raise Failure("there is no cluster", "make up")

    def ask() -> str:
        try:
            return retry.attempt(lambda: cluster.kubectl("get", "namespace", NAMESPACE, "--request-timeout", "10s"))
        except retry.Unavailable as problem:
            if cluster.running(cluster.node_names()):
                raise
            raise Failure("the cluster does not answer: it was removed or its engine ended", "make up") from problem

    try:
        retry.until_answered(retry.KUBERNETES, ask, "make doctor")
    except subprocess.CalledProcessError as problem:
        raise Failure(f"the cluster has no platform: {retry.brief(str(problem.stderr))}", "make up") from problem


def age(timestamp: str) -> str:
    """How long ago a Kubernetes timestamp was, in the largest whole unit."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.0f}s"


def status_rows() -> tuple[list[tuple[str, ...]], int]:
    """One row a pod: component, pod, ready, restarts, age, address, last warning; and how many are left out.

    A pod that is being replaced is left out; so is a warning from before its pod became ready or ended well.
    """
    pods, sets, events = (
        _listed(*words) for words in (("pods",), ("replicasets",), ("events", "--field-selector", "type=Warning"))
    )
    warnings = {event["involvedObject"].get("uid"): event for event in sorted(events, key=_event_time)}
    staying = [pod for pod in pods if not being_replaced(pod, sets)]
    rows: list[tuple[str, ...]] = []
    for pod in sorted(staying, key=lambda p: _order(p["metadata"]["labels"].get("component", ""))):
        metadata, status = pod["metadata"], pod["status"]
        containers = status.get("containerStatuses", [])
        ready = f"{sum(c['ready'] for c in containers)}/{len(containers)}"
        if status.get("phase") == "Succeeded":
            ready = "done"
        component = metadata["labels"].get("component", "other")
        event = warnings.get(metadata["uid"])
        if event and is_over(event, pod):
            event = None
        warning = f"{event['reason']}: {event['message']} ({age(_event_time(event))} ago)" if event else ""
        rows.append((component, metadata["name"], ready, str(sum(c["restartCount"] for c in containers)),
                     age(metadata["creationTimestamp"]), ADDRESSES.get(component, status.get("podIP", "")),
                     warning.replace("\n", " ")[:90]))  # fmt: skip
    return rows, len(pods) - len(staying)


def _listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", *words, "--namespace", NAMESPACE, "--output", "json"))["items"]
    return found


def being_replaced(pod: dict[str, Any], sets: list[dict[str, Any]]) -> bool:
    """Whether another pod takes over from one: it is being deleted, or of a ReplicaSet that is not its Deployment's newest.

    Args:
        pod: the pod.
        sets: the ReplicaSets of its namespace.
    """
    if pod["metadata"].get("deletionTimestamp"):
        return True
    own = next((one for one in sets if one["metadata"]["uid"] == _owner(pod)), None)
    if own is None or not _owner(own):
        return False
    return max((one for one in sets if _owner(one) == _owner(own)), key=_revision) is not own


def _owner(thing: dict[str, Any]) -> str:
    owners = thing["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid") or "")


def _revision(replica_set: dict[str, Any]) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision") or 0)


def is_over(event: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether what an event warns of has passed: its pod has become ready since, or has ended well."""
    status = pod["status"]
    if status.get("phase") == "Succeeded":
        return True
    ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready" and c["status"] == "True"), None)
    return ready is not None and datetime.fromisoformat(_event_time(event)) <= datetime.fromisoformat(ready["lastTransitionTime"])


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
    rows, left_out = status_rows()
    for row in rows:
        table.add_row(*row)
    out.print(table)
    if left_out:
        out.print(f"\n{left_out} more {'pods are' if left_out > 1 else 'pod is'} being replaced by those above.")


def component_logs(component: str, follow: bool) -> None:
    """Show the logs of a component's pods.

    Args:
        component: one of COMPONENTS.
        follow: whether to go on until interrupted.

    Raises:
        Failure: if there is no such component, or no pod of it.
    """
    require_cluster()
    if component not in COMPONENTS:
        raise Failure(f"there is no component '{component}'{backfill.meant(component, COMPONENTS)}",
                      f"make logs C=<one of {', '.join(COMPONENTS)}>")  # fmt: skip
    selector = f"component={component}"
    if not kubectl("get", "pods", "--namespace", NAMESPACE, "--selector", selector, "--output", "name"):
        raise Failure(f"no pod of the component {component} is there: it is switched off, or not begun", "make status")
    if follow:
        logs.follow_all(NAMESPACE, selector, LINES)
    words = ("--namespace", NAMESPACE, "--prefix", "--selector", selector, "--all-containers", "--tail", str(LINES))
    try:
        print(kubectl("logs", *words))
    except subprocess.CalledProcessError as problem:
        print(problem.stdout, end="")
        raise Failure(f"not every log of {component} can be read: {retry.brief(problem.stderr)}", "make status") from problem


def task_logs(name: str) -> None:
    """Print the log of a task's last run, which is there also after its pod is gone.

    Args:
        name: `<dag_id>.<task_id>`.

    Raises:
        Failure: if the name is not of that form, there is no such DAG or task, or it never ran.
    """
    require_cluster()
    dag_id, dot, task_id = name.partition(".")
    if not dot or not task_id:
        raise Failure(f"T={name} is not <dag_id>.<task_id>", "make logs T=etl_daily.transform")
    with airflow_api.connect() as airflow:
        dag, task_id = find_task(airflow, name)
        dag_id = dag["dag_id"]
        wanted = {"task_id": task_id, "order_by": "-start_date", "limit": 50}
        tries = airflow.call("GET", f"/dags/{dag_id}/dagRuns/~/taskInstances", params=wanted)["task_instances"]
        ran = [t for t in tries if t["task_id"] == task_id and t["try_number"] and t["start_date"]]
        if not ran:
            raise not_run(airflow, dag, task_id)
        last = ran[0]
        mapped = f"[{last['map_index']}]" if last["map_index"] >= 0 else ""
        say(f"→ {dag_id}.{task_id}{mapped}, run {last['dag_run_id']}, try {last['try_number']}: {last['state']}")
        print(airflow.task_log(dag_id, last["dag_run_id"], task_id, last["try_number"], last["map_index"]))


def find_task(airflow: Airflow, name: str) -> tuple[dict[str, Any], str]:
    """Return the DAG of `<dag_id>.<task_id>`, either of which may have dots in it, and the task's id.

    Raises:
        Failure: if there is no such DAG or task, with those that there are.
    """
    dags = backfill.all_dags(airflow)
    begins = [dag_id for dag_id in dags if name.startswith(f"{dag_id}.")]
    if not begins:
        hint = f"DAGs: {', '.join(sorted(dags)) or 'none yet'}"
        raise backfill.no_dag(airflow, name.partition(".")[0], dags, hint)
    dag_id = max(begins, key=len)
    task_id = name.removeprefix(f"{dag_id}.")
    tasks = [task["task_id"] for task in airflow.call("GET", f"/dags/{dag_id}/tasks")["tasks"]]
    if task_id not in tasks:
        raise Failure(f"the DAG {dag_id} has no task {task_id}{backfill.meant(task_id, tasks)}", f"its tasks: {', '.join(tasks)}")
    return dags[dag_id], task_id


def not_run(airflow: Airflow, dag: dict[str, Any], task_id: str) -> Failure:
    """Return a sentence for a task that has not begun in any run: why, and what runs it.

    Args:
        airflow: the client.
        dag: what Airflow says of its DAG.
        task_id: the task.
    """
    dag_id, wanted = dag["dag_id"], {"order_by": "-run_after", "limit": 1}
    runs = airflow.call("GET", f"/dags/{dag_id}/dagRuns", params=wanted)["dag_runs"]
    if runs and runs[0]["state"] in ("queued", "running"):
        run = f"{dag_id}.{task_id} has not begun in the run {runs[0]['dag_run_id']}, which is {runs[0]['state']}"
        if dag["is_paused"]:
            return Failure(f"{run}: it waits because {dag_id} is paused", demo.unpause(dag_id))
        return Failure(run, "make ui")
    if runs:
        return Failure(f"{dag_id}.{task_id} has not run in any run of {dag_id}; the last one is {runs[0]['state']}", "make ui")
    if dag_id == demo.DAG:
        hint = "make demo"
    elif dag["is_backfillable"]:
        hint = backfill.EXAMPLE.replace("etl_daily", dag_id)
    else:
        hint = f"make ui, then Trigger on the page of {dag_id}"
        if dag["is_paused"]:
            hint += ", which is paused: switch it on there too, or its runs wait"
    return Failure(f"{dag_id}.{task_id} has not run yet: there is no run of {dag_id}", hint)


def user_interfaces() -> None:
    """Keep port-forwards to the user interfaces open until interrupted, through restarts of what is behind them.

    Raises:
        Failure: if one of them is away for too long.
    """
    require_cluster()
    targets = {8080: (f"svc/{RELEASE}-api-server", 8080, None), 8083: (f"svc/{RELEASE}-spark-master", 8080, "/json/"),
               18080: (f"svc/{RELEASE}-spark-history", 18080, None)}  # fmt: skip
    username, password = airflow_api.admin()
    with ExitStack() as stack:
        table = Table(box=None, pad_edge=False, show_header=False)
        forwards = []
        for preferred, (target, port, health) in targets.items():
            local = free_port(preferred)
            moved = f" (port {preferred} is taken{holder(preferred)})" if local != preferred else ""
            forward = stack.enter_context(Forward(target, port, local, patient=True, health=health))
            forwards.append(forward)
            table.add_row(PORTS[preferred], forward.url + moved)
        out.print(table)
        out.print(f"\nAirflow user: {username}   password: {password}\n\nCtrl-C ends the port-forwards.")
        wait_forever(*forwards)


def idle_memory() -> float:
    """Memory of the whole cluster in GiB: what the node containers use, without page cache."""
    total = 0.0
    names = output(["docker", "ps", "--filter", f"label=io.x-k8s.kind.cluster={cluster_name()}", "--format", "{{.Names}}"])
    for name in names.split():
        used = output(["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", name]).split("/")[0].strip()
        number, unit = re.match(r"([0-9.]+)([A-Za-z]+)", used).groups()  # type: ignore[union-attr]
        total += float(number) * {"GiB": 1.0, "MiB": 1 / 1024, "KiB": 1 / 2**20}[unit]
    return total
