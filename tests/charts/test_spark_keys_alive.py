"""No dead key: each key of charts/spark changes what is rendered, or it is said here what it is for."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from batches import Paths, batches, over, values
from leaves import NUMBERS, SPARK, defaults, sample, types
from rendering import RenderError, text

FIRST = max(NUMBERS.values()) + 1
MARKS = {path: FIRST + number for number, path in enumerate(SPARK)}
DEFAULTS = defaults("spark")
MONITORS = ("metrics.dashboard.enabled", "metrics.podMonitor.enabled", "metrics.prometheusRule.enabled")
ON: Paths = {"metrics.enabled": True, "mounts.events.claim": "events", **dict.fromkeys(MONITORS, True)}
# What keys need beside that, by the beginning of their path; the longest counts.
NEEDS: dict[str, Paths] = {
    "global.claims.events": {"mounts.events.claim": ""},
    "image.tag": {"image.repository": "mine"},
    "connect.proxy.image.pullPolicy": {"connect.enabled": True, "connect.proxy.image.repository": "example.org/mine"},
    "connect.proxy.image.tag": {"connect.enabled": True, "connect.proxy.image.repository": "mine"},
    **{
        f"{page}{way}": {f"{page}{way.partition('.')[0]}.{key}": value for key, value in needed.items()}
        for page in ("", "historyServer.")
        for way, needed in {
            "ingress": {"enabled": True, "hostname": "example.org"},
            "ingress.tlsSecretName": {"enabled": True, "hostname": "example.org", "tls": True},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "web"}]},
            "httpRoute.enabled": {"parentRefs": [{"name": "web"}]},
        }.items()
    },
    "connect": {"connect.enabled": True},
    "networkPolicies.connect": {"connect.enabled": True},
    "security.storage.encryptionEnabled": {"connect.enabled": True},
    "master.containerPorts.rest": {"master.rest.enabled": True},
    "metrics.enabled": dict.fromkeys(MONITORS, False),
    "mounts.data.mountPath": {"mounts.data.claim": "data"},
    "mounts.output.mountPath": {"mounts.output.claim": "output"},
    "worker.autoscaling": {"worker.autoscaling.enabled": True},
    "worker.autoscaling.minReplicas": {"worker.autoscaling.enabled": True, "worker.autoscaling.maxReplicas": 99999},
    "worker.containerPorts.shuffle": {"shuffleService.enabled": True},
    "worker.scratch.storageClassName": {"worker.scratch.size": "1Gi"},
}
# Values where a marked one of the right type would not do.
SAMPLES: dict[str, Any] = {
    "global.timeZone": "America/New_York",
    "metrics.prometheusRule.disabled": ["SparkNoWorkers"],
    "worker.autoscaling.targetCPU": 7,
    "worker.autoscaling.targetMemory": 7,
    "workers.groups": {"spot": {"replicaCount": 3}},
}
# Keys that are there to be taken, and what they are for.
WITHOUT_EFFECT = {
    "enabled": "read by the parent chart",
    "master.rest.jws.enabled": "false is refused where it matters",
    **{f"global.platform.{name}": "read by the other charts" for name in ("claims", "secrets", "serviceAccounts")},
    **{
        f"global.imageRevisions.{name}": "of another chart's image"
        for name in ("airflow", "dags", "operator", "pgbouncer", "postgresql", "statsd")
    },
}


def _needs(path: str) -> Paths:
    """Return what a key needs beside `ON`."""
    found = [name for name in NEEDS if f"{path}.".startswith(f"{name}.")]
    return {name: value for name, value in NEEDS[max(found, key=len)].items() if name != path} if found else {}


def _value(path: str) -> Any:
    """Return a value for a key that differs from what it has without."""
    if path in SAMPLES:
        return SAMPLES[path]
    marked = sample(SPARK[path], MARKS[path])
    if marked is not None:
        return marked
    now = over(ON, _needs(path)).get(path, DEFAULTS.get(path))
    if types(SPARK[path]) == {"boolean"}:
        return not now
    options = [word for word in SPARK[path].get("enum", []) if word not in (None, now)]
    return options[-1] if options else 0.5 if SPARK[path].get("maximum") == 1 else 7


CASES: dict[str, Paths] = {path: {**_needs(path), path: _value(path)} for path in SPARK if path not in WITHOUT_EFFECT}
TOGETHER = batches({path: paths for path, paths in CASES.items() if str(MARKS[path]) in json.dumps(paths[path])}, size=600)


@functools.cache
def _rendered(given: str) -> str:
    try:
        return text(json.loads(given), chart="spark")
    except RenderError as refusal:
        return f"refused: {refusal}"


def _render(paths: Paths) -> str:
    return _rendered(json.dumps(values(over(ON, paths)), sort_keys=True))


@pytest.mark.parametrize("path", CASES)
def should_change_what_is_rendered_if_it_is_set(path: str) -> None:
    if path in TOGETHER and str(MARKS[path]) in _render(TOGETHER[path]):
        return
    before, after = _render(_needs(path)), _render(CASES[path])
    assert not after.startswith("refused"), after
    assert before != after, f"{CASES[path][path]} changes nothing: wire the key, or say here what it is for"


def should_know_every_key_that_has_no_effect() -> None:
    assert set(WITHOUT_EFFECT) <= set(SPARK), "a key is gone"
