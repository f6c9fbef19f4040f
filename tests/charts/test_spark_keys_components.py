"""What the keys do that master, workers and history server have, part by part."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from batches import over, values
from cases import Rendered
from leaves import SPARK
from rendering import Object, env, render
from spark_rendered import BASE, WHO, WORKLOADS, named


class Found(NamedTuple):
    """A part's pod and its first container."""

    pod: Object
    container: Object


class Key(NamedTuple):
    """A key that master, workers and history server have: a part's value, what it does, and how that is found."""

    name: str
    value: Callable[[str], Any]
    effect: str
    shows: Callable[[Found, str], Any]


KEYS = [
    Key("podAnnotations", lambda p: {"example.org/a": p}, "annotate the pod beside the chart's annotations",
        lambda f, p: (notes := f.pod["metadata"]["annotations"])["example.org/a"] == p and notes["example.org/all"] == "all"),
    Key("podLabels", lambda p: {"team": p}, "label the pod", lambda f, p: f.pod["metadata"]["labels"]["team"] == p),
    Key("nodeSelector", lambda p: {"pool": p}, "select nodes beside the chart's selector, and before it",
        lambda f, p: f.pod["spec"]["nodeSelector"] == {"arch": "all", "pool": p}),
    Key("tolerations", lambda p: [{"key": p, "operator": "Exists"}], "take the place of the chart's tolerations",
        lambda f, p: f.pod["spec"]["tolerations"] == [{"key": p, "operator": "Exists"}]),
    Key("affinity", lambda p: {"podAffinity": {"x": p}}, "take the place of the chart's affinity",
        lambda f, p: f.pod["spec"]["affinity"] == {"podAffinity": {"x": p}}),
    Key("topologySpreadConstraints", lambda p: [{"topologyKey": p}], "spread the component's pods in place of the chart's way",
        lambda f, p: (only := f.pod["spec"]["topologySpreadConstraints"])[0]["topologyKey"] == p and len(only) == 1
        and only[0]["labelSelector"]["matchLabels"]["component"] == f.pod["metadata"]["labels"]["component"]),
    Key("priorityClassName", lambda p: f"class-{p}", "give the pod a priority class in place of the chart's",
        lambda f, p: f.pod["spec"]["priorityClassName"] == f"class-{p}"),
    Key("terminationGracePeriodSeconds", lambda p: 77, "give the pod time to stop",
        lambda f, p: f.pod["spec"]["terminationGracePeriodSeconds"] == 77),
    Key("resources", lambda p: {"requests": {"memory": "77Mi"}, "limits": {"cpu": "7"}}, "change the container's resources",
        lambda f, p: [f.container["resources"][k][v] for k, v in (("requests", "memory"), ("limits", "cpu"))] == ["77Mi", "7"]),
    Key("daemonMemoryLimit", lambda p: "333m", "size the heap of the process",
        lambda f, p: env(f.container)["SPARK_DAEMON_MEMORY"] == "333m"),
    Key("extraEnvVars", lambda p: [{"name": "ONLY", "value": p}], "add to the container's environment",
        lambda f, p: env(f.container)["ONLY"] == p),
    Key("extraEnvVarsCM", lambda p: f"{p}-{WHO}", "read environment variables out of a ConfigMap, as a template",
        lambda f, p: {"configMapRef": {"name": f"{p}-airspark"}} in f.container["envFrom"]),
    Key("extraEnvVarsSecret", lambda p: f"{p}-{WHO}", "read environment variables out of a Secret, as a template",
        lambda f, p: {"secretRef": {"name": f"{p}-airspark"}} in f.container["envFrom"]),
    Key("extraVolumes", lambda p: [{"name": f"more-{WHO}", "emptyDir": {"sizeLimit": "7Mi"}}], "add volumes, as templates",
        lambda f, p: named(f.pod["spec"]["volumes"], "more-airspark")["emptyDir"] == {"sizeLimit": "7Mi"}),
    Key("extraVolumeMounts", lambda p: [{"name": f"more-{WHO}", "mountPath": f"/{p}"}], "add mounts, as templates",
        lambda f, p: named(f.container["volumeMounts"], "more-airspark")["mountPath"] == f"/{p}"),
    Key("initContainers", lambda p: [{"name": f"first-{p}-{WHO}"}], "run containers first, as templates",
        lambda f, p: f.pod["spec"]["initContainers"] == [{"name": f"first-{p}-airspark"}]),
    Key("sidecars", lambda p: [{"name": f"beside-{p}-{WHO}"}], "run containers beside the chart's own, as templates",
        lambda f, p: f.pod["spec"]["containers"][1:] == [{"name": f"beside-{p}-airspark"}]),
    *(
        Key(f"{probe}.{key}", lambda p, value=value: value, f"set {key} of the probe",  # type: ignore[misc]
            lambda f, p, probe=probe, key=key, value=value: f.container[probe][key] == value)  # type: ignore[misc]
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for key, value in (("periodSeconds", 17), ("timeoutSeconds", 18), ("failureThreshold", 19), ("initialDelaySeconds", 21))
    ),
    *(
        Key(f"{probe}.command", lambda p: [p, WHO], "take the place of the check, as a template",
            lambda f, p, probe=probe: f.container[probe]["exec"] == {"command": [p, "airspark"]}  # type: ignore[misc]
            and "httpGet" not in f.container[probe])
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    ),
]  # fmt: skip
PARTS = [(part, key) for part in WORKLOADS for key in KEYS]


@functools.cache
def _together() -> Rendered:
    """Every part is given values of its own at once, so that a value which leaks into another part is seen too."""
    given: dict[str, Any] = {
        "nodeSelector": {"arch": "all", "pool": "all"},
        "tolerations": [{"key": "all"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "all",
        "podAnnotations": {"example.org/all": "all", "example.org/a": "all"},
    }
    return Rendered(render(values(over(BASE, given | {f"{p}.{k.name}": k.value(p) for p, k in PARTS})), chart="spark"))


@pytest.mark.parametrize(("part", "key"), PARTS, ids=[f"should {key.effect} if {p}.{key.name} is set" for p, key in PARTS])
def should_do_what_is_said_in_its_own_part(part: str, key: Key) -> None:
    assert f"{part}.{key.name}" in SPARK, "the chart has no such key"
    pod = _together().pod(*WORKLOADS[part])
    assert key.shows(Found(pod, pod["spec"]["containers"][0]), part), pod
