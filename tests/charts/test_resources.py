"""Probes, requests, and whether all of it fits a machine of 2 cores and 8 GiB."""

from __future__ import annotations

import re

import pytest
from rendering import Object, containers, nested, pods, render

CONTAINERS = {name: container for name, container, _ in containers(render())}
LONG_RUNNING = sorted(
    name
    for name, _, init in containers(render())
    if not init and name.split("/")[0] not in ("worker", "bootstrap", "spark-bootstrap") and not name.endswith("-log-groomer")
)
UNITS = {"": 1.0, "m": 0.001, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
TASK_PODS = 3
# What kube-system asks for on a kind node, 0.95 cores, takes the rest of the 2 cores.
CPU_BUDGET = 0.95
MEMORY_BUDGET = 5.625 * UNITS["Gi"]


def quantity(text: str) -> float:
    """Return a Kubernetes quantity in cores or bytes."""
    match = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text))
    assert match, text
    return float(match[1]) * UNITS[match[2]]


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def should_request_cpu_and_memory_and_limit_memory_in_every_container(name: str) -> None:
    resources = CONTAINERS[name]["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert quantity(resources["limits"]["memory"]) >= quantity(resources["requests"]["memory"])


@pytest.mark.parametrize("name", LONG_RUNNING)
def should_probe_every_container_that_keeps_running(name: str) -> None:
    container = CONTAINERS[name]
    assert {"livenessProbe", "startupProbe"} <= set(container)
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 240, "a busy node starts slowly"
    live = container["livenessProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] >= 60, "a busy node is not a dead one"
    assert live["timeoutSeconds"] >= 10


def _requests(pod: Object, resource: str) -> float:
    spec = pod["spec"]
    running = sum(quantity(container["resources"]["requests"][resource]) for container in spec["containers"])
    return max([running, *(quantity(c["resources"]["requests"][resource]) for c in spec.get("initContainers", []))])


def _copies(component: str) -> int:
    for item in render():
        template = item["spec"].get("template", {}) if item["kind"] in ("Deployment", "StatefulSet") else {}
        if template.get("metadata", {}).get("labels", {}).get("component") == component:
            return int(item["spec"]["replicas"])
    return TASK_PODS if component == "worker" else 1


@pytest.mark.parametrize(("resource", "budget"), [("cpu", CPU_BUDGET), ("memory", MEMORY_BUDGET)])
def should_fit_a_small_machine_together_with_three_task_pods(resource: str, budget: float) -> None:
    asked = sum(_requests(pod, resource) * _copies(component) for component, pod in pods(render()).items())
    assert asked <= budget * 1.0001, f"{asked:.3g} of {budget:.3g}"


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("airflow.apiServer", "api-server"),
        ("airflow.scheduler", "scheduler"),
        ("airflow.dagProcessor", "dag-processor"),
        ("airflow.triggerer", "triggerer"),
        ("airflow.workers.kubernetes", "worker"),
        ("airflow.postgresql", "postgresql"),
        ("airflow.bootstrap", "bootstrap"),
        ("spark.master", "spark-master"),
        ("spark.worker", "spark-worker"),
    ],
)
def should_use_the_resources_and_annotations_of_its_values(path: str, component: str) -> None:
    values = nested(f"{path}.resources.limits.memory", "3Gi")
    assert pods(render(values))[component]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "3Gi"
    values = nested(f"{path}.podAnnotations", {"example.com/a": "b"})
    assert pods(render(values))[component]["metadata"]["annotations"]["example.com/a"] == "b"


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("airflow.apiServer", "api-server"),
        ("airflow.scheduler", "scheduler"),
        ("airflow.dagProcessor", "dag-processor"),
        ("airflow.triggerer", "triggerer"),
        ("airflow.workers.kubernetes", "worker"),
        ("spark.master", "spark-master"),
        ("spark.worker", "spark-worker"),
    ],
)
def should_schedule_pods_where_its_values_say(path: str, component: str) -> None:
    tolerations = [{"key": "batch", "operator": "Exists"}]
    affinity: Object = {"podAntiAffinity": {}}
    values = {"nodeSelector": {"pool": "x"}, "tolerations": tolerations, "affinity": affinity}
    spec = pods(render(nested(path, {**values, "terminationGracePeriodSeconds": 7})))[component]["spec"]
    assert spec["nodeSelector"] == {"pool": "x"}
    assert (spec["tolerations"], spec["affinity"]) == (tolerations, affinity)
    assert spec["terminationGracePeriodSeconds"] == 7


@pytest.mark.parametrize("component", ["api-server", "scheduler", "dag-processor", "triggerer"])
def should_wait_for_the_migration_in_an_init_container(component: str) -> None:
    names = {"api-server": "apiServer", "dag-processor": "dagProcessor"}
    init = pods(render())[component]["spec"]["initContainers"]
    assert [container["name"] for container in init] == ["wait-for-airflow-migrations"]
    values = nested(f"airflow.{names.get(component, component)}.waitForMigrations.enabled", False)
    assert "initContainers" not in pods(render(values))[component]["spec"]
