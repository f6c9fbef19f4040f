"""Render the charts with `helm template`, and find things in what comes out."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
NAMESPACE = "airspark"
RELEASE = "airspark"
Object = dict[str, Any]
#: Kinds that Kubernetes has no schema of.
CUSTOM = frozenset({"HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject", "ServiceMonitor"})
# The C parser, where PyYAML was built with it, is ten times as fast.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderError(Exception):
    """Helm refused to render; the message is what it said."""


@functools.cache
def _template(chart: str, release: str, values: str, files: tuple[str, ...]) -> str:
    command = [os.environ.get("AIRSPARK_HELM", "helm"), "template", release, str(CHARTS / chart)]
    command += ["--namespace", NAMESPACE, "--values", "-"]
    for file in files:
        command += ["--values", str(CHARTS / file)]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderError(done.stderr)
    # Helm 3 warns of each null that removes a map; Helm 4 does not.
    noise = [line for line in done.stderr.splitlines() if "cannot overwrite table with non table" not in line]
    assert not noise, f"helm is not silent: {noise}"
    return done.stdout


def text(values: Object | None = None, chart: str = "airspark", release: str = RELEASE, files: tuple[str, ...] = ()) -> str:
    """Return what `helm template` prints.

    Args:
        values: values over the chart's defaults, nested as in a values file.
        chart: a folder of charts/.
        release: the release's name.
        files: values files below charts/, applied over `values`.

    Raises:
        RenderError: if Helm refuses, with what it said.
    """
    return _template(chart, release, json.dumps(values or {}), files)


def render(
    values: Object | None = None, chart: str = "airspark", release: str = RELEASE, files: tuple[str, ...] = ()
) -> list[Object]:
    """Return the rendered objects; arguments as for `text`."""
    return [item for item in yaml.load_all(text(values, chart, release, files), Loader=LOADER) if item]


def nested(path: str, value: Any) -> Object:
    """Return the values that `--set path=value` stands for: `nested("a.b", 1)` is `{"a": {"b": 1}}`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def find(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of a kind whose name is `name`, or starts with it where it ends in a dash."""
    found = [
        item
        for item in objects
        if item["kind"] == kind
        and (item["metadata"]["name"] == name or (name.endswith("-") and item["metadata"]["name"].startswith(name)))
    ]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} and name {name}"
    return found[0]


def task_pod(objects: list[Object], name: str = "pod_template_file") -> Object:
    """Return the pod that the executor makes for each task, or for one that asks for a named template."""
    config = find(objects, "ConfigMap", "airspark-pod-templates")
    return dict(yaml.load(config["data"][f"{name}.yaml"], Loader=LOADER))


def pods(objects: list[Object]) -> dict[str, Object]:
    """Return metadata and spec of every pod by its component, the task pod among them."""
    specs = [item["spec"] for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet")]
    specs += [item["spec"]["jobTemplate"]["spec"] for item in objects if item["kind"] == "CronJob"]
    found = {spec["template"]["metadata"]["labels"]["component"]: spec["template"] for spec in specs}
    if any(item["metadata"]["name"] == "airspark-pod-templates" for item in objects):
        pod = task_pod(objects)
        found[pod["metadata"]["labels"]["component"]] = pod
    return found


def containers(objects: list[Object]) -> Iterator[tuple[str, Object, bool]]:
    """Yield (component/container, container, whether it is an init container) for every container."""
    for component, pod in pods(objects).items():
        for init in (True, False):
            for container in pod["spec"].get("initContainers" if init else "containers", []):
                yield f"{component}/{container['name']}", container, init


def env(container: Object) -> dict[str, Any]:
    """Return a container's environment by name: the text, or where it comes from."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container.get("env", [])}


def cfg(objects: list[Object]) -> str:
    """Return the text of airflow.cfg."""
    return str(find(objects, "ConfigMap", "airspark-config")["data"]["airflow.cfg"])


def check_layout(panels: list[Object]) -> None:
    """Fail unless a dashboard's panels fill its 24 columns without gaps and overlaps, each with a query and a description."""
    assert len({panel["id"] for panel in panels}) == len(panels) >= 12
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        box = panel["gridPos"]
        cells = {(x, y) for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])}
        assert not cells & taken and box["x"] + box["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or (panel["targets"] and panel["description"]), panel["title"]
    assert len(taken) == 24 * (1 + max(y for _, y in taken))
