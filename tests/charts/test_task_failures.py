"""What the executor says of a task whose pod failed, for statuses as the Kubernetes API records them."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

import pytest
from rendering import CHARTS, Object

SCRIPT = CHARTS / "airflow" / "files" / "scripts" / "airspark_executor.py"


@pytest.fixture(scope="module")
def executor() -> Any:
    """The chart's extension of the executor, with as much of Airflow as its import needs."""
    base = types.ModuleType("airflow.providers.cncf.kubernetes.executors")
    base.kubernetes_executor = types.SimpleNamespace(KubernetesExecutor=object)  # type: ignore[attr-defined]
    exceptions = types.ModuleType("airflow.providers.cncf.kubernetes.exceptions")
    exceptions.PodMutationHookException = Exception  # type: ignore[attr-defined]
    state = types.ModuleType("airflow.utils.state")
    state.TaskInstanceState = types.SimpleNamespace(FAILED="failed")  # type: ignore[attr-defined]
    names = ["airflow", "airflow.providers", "airflow.providers.cncf", "airflow.providers.cncf.kubernetes", "airflow.utils"]
    stand_ins = {name: types.ModuleType(name) for name in names} | {part.__name__: part for part in (base, exceptions, state)}
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec = importlib.util.spec_from_file_location("airspark_executor", SCRIPT)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
        for name, module_before in before.items():
            if module_before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module_before
    return module


def _ended(name: str, code: int, why: str = "") -> Object:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": why or ("Completed" if not code else "Error")}}}


def _waits(name: str, why: str, message: str = "") -> Object:
    return {"name": name, "state": {"waiting": {"reason": why, "message": message}}}


def _pod(*containers: Object, init: tuple[Object, ...] = (), **status: Any) -> Object:
    found = {"phase": "Failed", "containerStatuses": list(containers), "initContainerStatuses": list(init), **status}
    return {"metadata": {"name": "task-1"}, "status": found}


OOM = _ended("base", 137, "OOMKilled")
STOPPED = _ended("proxy", 143)
MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi."
PREEMPTED = {
    "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
    "message": "default-scheduler: preempting to accommodate a higher priority pod",
}  # fmt: skip
NO_NODE = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient memory."}
CASES = {
    "the task was OOM-killed and a sidecar before it in the list was stopped": (
        _pod(STOPPED, OOM),
        "container base used more memory than its limit and was killed (OOMKilled);"
        " raise `workers.kubernetes.resources.limits.memory` or ask for a larger pod template",
    ),
    "the task was OOM-killed and a sidecar after it was stopped": (_pod(OOM, STOPPED), "container base used more memory"),
    "the task was OOM-killed and a native sidecar was stopped": (_pod(OOM, init=(STOPPED,)), "container base used more memory"),
    "the task failed and a sidecar was OOM-killed while it stopped": (
        _pod(_ended("proxy", 137, "OOMKilled"), _ended("base", 1)),
        "container base ended with code 1: Error",
    ),
    "the task was killed and nobody says why": (
        _pod(_ended("base", 137), STOPPED),
        "container base ended with code 137: was killed (SIGKILL)",
    ),
    "the task ended well and a sidecar was OOM-killed": (
        _pod(_ended("base", 0), _ended("proxy", 137, "OOMKilled")),
        "container proxy used more memory than its limit and was killed (OOMKilled), after the task's own container had"
        " ended with code 0; raise its limit under `workers.kubernetes.extraContainers`",
    ),
    "the task ended well and a sidecar failed": (
        _pod(_ended("base", 0), _ended("proxy", 2)),
        "container proxy ended with code 2: Error, after the task's own container had ended with code 0",
    ),
    "an init container was OOM-killed": (
        _pod(_waits("base", "PodInitializing"), init=(_ended("fetch", 137, "OOMKilled"),)),
        "container fetch used more memory than its limit and was killed (OOMKilled);"
        " raise its limit under `workers.kubernetes.extraInitContainers`",
    ),
    "an init container failed": (
        _pod(_waits("base", "PodInitializing"), init=(_ended("fetch", 3),)),
        "container fetch ended with code 3: Error",
    ),
    "the node evicted the pod": (
        _pod(_ended("base", 137), STOPPED, reason="Evicted", message=MEMORY),
        f"Evicted: {MEMORY}",
    ),
    "the node evicted a pod whose task it had OOM-killed": (
        _pod(OOM, STOPPED, reason="Evicted", message=MEMORY),
        "container base used more memory",
    ),
    "another pod preempted it": (
        _pod(_ended("base", 143), STOPPED, conditions=[PREEMPTED]),
        "PreemptionByScheduler: default-scheduler: preempting to accommodate a higher priority pod",
    ),
    "the image cannot be pulled": (
        _pod(_waits("base", "ImagePullBackOff", 'Back-off pulling image "nobody/has:it"'), phase="Pending"),
        'container base waits: ImagePullBackOff: Back-off pulling image "nobody/has:it"',
    ),
    "no node takes it": (
        {"status": {"phase": "Pending", "conditions": [NO_NODE]}},
        "no node takes it: 0/1 nodes are available: 1 Insufficient memory.",
    ),
    "it starts as every pod": (_pod(_waits("base", "ContainerCreating"), phase="Pending"), ""),
    "it is gone": ({}, ""),
}


@pytest.mark.parametrize("case", CASES)
def should_blame_what_ended_the_task_if(case: str, executor: Any) -> None:
    pod, said = CASES[case]
    found = executor.reason(pod)
    assert found.startswith(said) if said else not found, found
