"""What a pod says about itself, in a few words: the part of a driver or an executor that decisions are made on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airspark_operator import kinds, times
from airspark_operator.kinds import Object

PENDING, RUNNING, COMPLETED, FAILED, UNKNOWN = "PENDING", "RUNNING", "COMPLETED", "FAILED", "UNKNOWN"
#: States a pod never leaves.
ENDED = (COMPLETED, FAILED)
#: Reasons for waiting that are no trouble.
STARTING = ("", "ContainerCreating", "PodInitializing")
#: Reasons for waiting that no time heals.
HOPELESS = ("InvalidImageName",)
#: Longest sentence that goes into a status; more is in the driver's log.
MESSAGE_LENGTH = 1000

#: Reason of a pod that something else, such as Kueue, keeps from the scheduler.
GATED = "SchedulingGated"
KILLED, TERMINATED = 137, 143
#: Reason of a container that its kubelet does not find any more; the exit code is made up.
NO_STATUS = "ContainerStatusUnknown"
#: Reasons of the condition DisruptionTarget for a node that does not answer or is no longer there.
NODE_GONE = ("DeletionByTaintManager", "DeletionByPodGC")
NODE_LOST = "NodeLost"
#: How long a pod may be there after the time by which it should have been deleted; then its node does not answer.
OVERDUE = timedelta(seconds=30)
#: A line of a log that names an exception, as Python and Java print it.
EXCEPTION = re.compile(r"^(?:Caused by: |Exception in thread \"[^\"]*\" )?([\w.$]*(?:Error|Exception|Exit)\b.*)$")


@dataclass(frozen=True, slots=True)
class PodView:
    """A driver or an executor.

    Args:
        name: the pod's name.
        uid: the pod's UID.
        role: `driver` or `executor`.
        owner: UID of the object that controls the pod; empty for none.
        submission: label of the submission it belongs to.
        app_id: `spark-app-selector`, the id of the Spark application.
        state: one of PENDING, RUNNING, COMPLETED, FAILED, UNKNOWN.
        deleting: whether the pod is being deleted.
        gone_by: the time by which it should be gone, RFC 3339; empty if it is not being deleted.
        disruption: why Kubernetes itself deletes it, in its words; empty otherwise.
        reason: one word: why it waits, or how it ended.
        message: a sentence for people.
        started: when Spark's container began, RFC 3339; empty before.
        finished: when it ended, RFC 3339; empty before.
        version: resource version of what this was read from.
    """

    name: str
    uid: str
    role: str
    owner: str = ""
    submission: str = ""
    app_id: str = ""
    state: str = PENDING
    deleting: bool = False
    gone_by: str = ""
    disruption: str = ""
    reason: str = ""
    message: str = ""
    started: str = ""
    finished: str = ""
    version: int = 0


def view(pod: Object) -> PodView:
    """Return what matters of a driver's or an executor's pod.

    The pod's phase goes before its containers, because an evicted pod may have none; Spark's own container goes before the
    pod's phase once it has ended, because sidecars may run on.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    role = labels.get(kinds.LABEL_ROLE, "")
    container = _container(status, kinds.DRIVER_CONTAINER if role == kinds.DRIVER else kinds.EXECUTOR_CONTAINER)
    disruption = _disruption(status) if metadata.get("deletionTimestamp") else {}
    state, reason, message = _outcome(status, container, role)
    if state not in ENDED and _node_gone(status, disruption):
        node = (pod.get("spec") or {}).get("nodeName") or ""
        why = disruption.get("message") or status.get("message") or "Kubernetes deletes the pod"
        state, reason, message = UNKNOWN, NODE_LOST, f"The node {node} of the {role} does not answer or is gone: {why}"
    if role == kinds.EXECUTOR and reason in ("Terminated", "Killed") and metadata.get("deletionTimestamp"):
        state, reason, message = COMPLETED, "Removed", ""  # by Spark itself, when it needs fewer; slow ones get a signal 9
    owner = next((o["uid"] for o in metadata.get("ownerReferences") or () if o.get("controller")), "")
    running = container.get("state", {}).get("running") or {}
    ended = container.get("state", {}).get("terminated") or {}
    return PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        role=role,
        owner=owner,
        submission=labels.get(kinds.LABEL_SUBMISSION_ID, ""),
        app_id=labels.get(kinds.LABEL_APP_SELECTOR, ""),
        state=state,
        deleting=bool(metadata.get("deletionTimestamp")),
        gone_by=metadata.get("deletionTimestamp") or "",
        disruption=disruption.get("message") or disruption.get("reason") or "",
        reason=reason,
        message=message[:MESSAGE_LENGTH],
        started=running.get("startedAt") or ended.get("startedAt") or "",
        finished=ended.get("finishedAt") or "",
        version=int(metadata.get("resourceVersion") or 0),
    )


def overdue_in(pod: PodView, now: datetime) -> float | None:
    """Return the seconds until a pod that is being deleted is overdue: its node does not answer then; None if it is not."""
    return times.seconds_until(pod.gone_by, now) + OVERDUE.total_seconds() if pod.gone_by else None


def overdue(pod: PodView, now: datetime) -> bool:
    """Whether a pod should be gone for a while."""
    left = overdue_in(pod, now)
    return left is not None and left <= 0


def _condition(status: Object, kind: str) -> Object:
    found: Object = next((c for c in status.get("conditions") or () if c.get("type") == kind), {})
    return found


def _disruption(status: Object) -> Object:
    """Return the condition that says why Kubernetes ends a pod."""
    found = _condition(status, "DisruptionTarget")
    return found if found.get("status") == "True" else {}


def _node_gone(status: Object, disruption: Object) -> bool:
    """Whether a pod that has not ended is on a node that does not answer, as far as the pod tells."""
    if status.get("reason") == NODE_LOST or disruption.get("reason") in NODE_GONE:
        return True
    runs = any((entry.get("state") or {}).get("running") for entry in status.get("containerStatuses") or ())
    return bool(disruption) and runs and _condition(status, "Ready").get("status") == "False"


def _container(status: Object, name: str) -> Object:
    """Return the status of Spark's container: by its name, else the only one."""
    statuses = status.get("containerStatuses") or []
    named = [entry for entry in statuses if entry["name"] == name]
    found: Object = (named or (statuses if len(statuses) == 1 else []) or [{}])[0]
    return found


def _outcome(status: Object, container: Object, role: str) -> tuple[str, str, str]:
    """Return state, reason and sentence."""
    phase = status.get("phase", "Pending")
    ended = container.get("state", {}).get("terminated")
    if phase == "Unknown":
        return UNKNOWN, status.get("reason") or "NodeLost", status.get("message") or f"The node of the {role} does not answer"
    if ended:
        if ended.get("exitCode") == 0:
            return COMPLETED, "Completed", ""
        return FAILED, *_failure(status, ended, role)
    if phase == "Succeeded":
        return COMPLETED, "Completed", ""
    if phase == "Failed":
        return FAILED, *_lost(status, role)
    if phase == "Running" and container.get("state", {}).get("running"):
        return RUNNING, "Running", ""
    return PENDING, *_waiting(status, container, role)


def _failure(status: Object, ended: Object, role: str) -> tuple[str, str]:
    """Return why Spark's container failed: the exit code in words, and the last error of its log."""
    code, reason = ended.get("exitCode"), ended.get("reason") or "Error"
    if status.get("reason"):  # Evicted, NodeShutdown, Terminated: the pod was ended, not the program
        return _lost(status, role)
    if reason == "OOMKilled":
        return reason, f"The {role} was killed because it used more memory than its limit (OOMKilled); {_more_memory(role)}"
    if reason == NO_STATUS:
        return (
            reason,
            f"Nobody saw how the {role} ended ({NO_STATUS}): its node restarted, or lost the container",
        )
    if code == KILLED:
        return (
            "Killed",
            f"The {role} was killed (signal 9, exit code {KILLED}); if its node ran out of memory, {_more_memory(role)}",
        )
    if code == TERMINATED:
        return "Terminated", f"The {role} was told to stop (signal 15, exit code {TERMINATED})"
    said = _last_error(ended.get("message") or "")
    return reason, f"The {role} failed with exit code {code}" + (f": {said}" if said else "")


def _more_memory(role: str) -> str:
    return f"give it more by spec.{role}.memory or spec.{role}.memoryOverhead"


def _last_error(log: str) -> str:
    """Return the line of a log's end that says most: the last exception, else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [match.group(1) for line in lines if (match := EXCEPTION.match(line))]
    return (errors or lines or [""])[-1][:500]


def _lost(status: Object, role: str) -> tuple[str, str]:
    """Return why a pod ended without a word of Spark's container."""
    # a reason of the pod goes first: then sidecars among the init containers were ended with it
    for entry in () if status.get("reason") else status.get("initContainerStatuses") or ():
        ended = entry.get("state", {}).get("terminated") or {}
        if ended.get("exitCode"):
            said = _last_error(ended.get("message") or "")
            what = f"The init container {entry['name']} of the {role} failed with exit code {ended['exitCode']}"
            return "InitContainerFailed", what + (f": {said}" if said else "")
    disruption = _disruption(status)  # the node's controllers say no more than this of a pod whose node is gone
    reason = status.get("reason") or disruption.get("reason") or "PodFailed"
    told = status.get("message") or disruption.get("message") or ""
    return reason, f"The {role}'s pod was ended ({reason})" + (f": {told}" if told else "")


def _waiting(status: Object, container: Object, role: str) -> tuple[str, str]:
    """Return what a pod that has not started waits for; the scheduler's sentence as it is."""
    scheduled: dict[str, Any] = next((c for c in status.get("conditions") or () if c["type"] == "PodScheduled"), {})
    if scheduled.get("status") == "False":
        reason = scheduled.get("reason") or "Unschedulable"
        if reason == GATED:
            return reason, f"The {role} waits until its scheduling gates are removed, for example by a queue"
        return reason, f"The {role} fits on no node: {scheduled.get('message') or 'the scheduler gave no reason'}"
    for entry in [container, *(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = entry.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason not in STARTING:
            return reason, f"The {role} does not start ({reason}): {waiting.get('message') or 'no further reason is given'}"
    return "DriverStarting" if role == kinds.DRIVER else "ExecutorStarting", ""
