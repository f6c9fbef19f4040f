"""Task pods in place of Celery's workers or of processes of the scheduler: what tasks had there, they have in their pods."""

from __future__ import annotations

import copy
from typing import Any

from airspark.importing.work import CHANGED, KEPT, Work
from airspark.values.shape import umbrella

EXECUTOR = "KubernetesExecutor"
#: What tasks of the LocalExecutor had, because they ran in the scheduler's container.
SHARED = (
    "affinity", "containerLifecycleHooks", "env", "extraInitContainers", "extraVolumeMounts", "extraVolumes", "hostAliases",
    "labels", "nodeSelector", "podAnnotations", "priorityClassName", "resources", "runtimeClassName", "schedulerName",
    "securityContext", "securityContexts", "tolerations", "topologySpreadConstraints",
)  # fmt: skip
SMALLER = "now of each task's pod, not of a {} with several tasks: make it smaller"


def executor(work: Work) -> None:
    """Have every task run as a pod, and say what that changes for one who came with Celery or the LocalExecutor."""
    given = work.get("executor")
    if given == EXECUTOR:
        return
    was = f"was {given}" if given else "the official chart's default is the CeleryExecutor"
    work.change("executor", EXECUTOR, f"{was}; here each task is a pod")
    if given is None or "Celery" in str(given):
        workers(work)
        replicas = work.get("workers.replicas")
        if replicas:
            work.drop("workers.replicas", f"task pods come and go with their tasks{_most(work, replicas)}")
        if work.get("workers.resources"):
            work.made.add("workers.resources")
            work.say("workers.resources", CHANGED, f"kept, and {SMALLER.format('worker')}")
    elif "Local" in str(given):
        scheduler(work)


def _most(work: Work, replicas: Any) -> str:
    """Return the setting that allows as many tasks at once as Celery's workers took, or nothing if their number is none."""
    slots = work.get("config.celery.worker_concurrency") or 16
    if not (str(replicas).isdigit() and str(slots).isdigit()):
        return ""
    return f"; {replicas} workers of {slots} tasks are `config.core.parallelism: {int(replicas) * int(slots)}`"


def scheduler(work: Work) -> None:
    """Give task pods what tasks of the LocalExecutor had from the scheduler, where `workers` does not set its own."""
    known = umbrella()["properties"]["airflow"]["properties"]["workers"]["properties"]
    for name in SHARED:
        value, new = work.get(f"scheduler.{name}"), f"workers.{name}"
        if not value or name not in known or work.get(new) or work.get(f"workers.kubernetes.{name}"):
            continue
        note = f"; {SMALLER.format('scheduler')}" if name == "resources" else ""
        work.change(new, copy.deepcopy(value), f"as `scheduler.{name}`, because tasks ran in the scheduler{note}")
    account: dict[str, Any] = work.get("scheduler.serviceAccount") or {}
    own = work.get("workers.serviceAccount") or work.get("workers.kubernetes.serviceAccount")
    if isinstance(account, dict) and not own:
        # An account of the chart's cannot be made twice; one that is there serves both.
        keys = ("create", "name", "annotations") if account.get("create") is False else ("annotations",)
        if copied := {key: account[key] for key in keys if account.get(key) not in (None, "", {})}:
            work.change(
                "workers.serviceAccount",
                copy.deepcopy(copied),
                "as `scheduler.serviceAccount`, because tasks ran in the scheduler",
            )
    if work.get("scheduler.extraContainers"):
        work.made.add("scheduler.extraContainers")
        work.say(
            "scheduler.extraContainers",
            KEPT,
            "of the scheduler alone; write what a task needs into `workers.extraInitContainers`, with `restartPolicy: Always`",
        )


def workers(work: Work) -> None:
    """Give task pods what Celery's workers had, where a task needs it."""
    known = umbrella()["properties"]["airflow"]["properties"]["workers"]["properties"]["kubernetes"]["properties"]
    for name in list(work.get("workers.celery") or {}):
        path = f"workers.celery.{name}"
        if name in ("resources", "command"):
            work.drop(path, "it is of a worker with several tasks; set what one task needs by workers.kubernetes.resources")
        elif name in known and "erberos" not in name:
            work.rename(path, f"workers.kubernetes.{name}")
