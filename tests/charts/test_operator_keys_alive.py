"""No dead key: each key of charts/spark-operator changes what is rendered, or it is said here what it is for."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from batches import Paths, over, values
from leaves import defaults, leaves, sample, types
from rendering import CHARTS, RenderError, text

KEYS = dict(leaves(json.loads((CHARTS / "spark-operator/values.schema.json").read_text())))
DEFAULTS = defaults("spark-operator")
ON: Paths = {
    "controller.replicas": 2,
    "controller.uiIngress": {"enable": True, "urlFormat": "a.b"},
    "metrics.dashboard.enabled": True,
    "metrics.podMonitor.enabled": True,
    "metrics.prometheusRule.enabled": True,
}
#: What keys need beside that.
NEEDS: dict[str, Paths] = {
    "image.pullPolicy": {"image.repository": "example.org/mine"},
    "image.tag": {"image.repository": "mine"},
    "controller.leaderElection.enable": {"controller.replicas": 1},
    "controller.leaderElection.retryPeriodSeconds": {
        "controller.leaderElection.leaseDurationSeconds": 99999, "controller.leaderElection.renewDeadlineSeconds": 99998
    },
    "controller.leaderElection.renewDeadlineSeconds": {"controller.leaderElection.leaseDurationSeconds": 99999},
    "controller.uiService.enable": {"controller.uiIngress": {"enable": False}},
}  # fmt: skip
#: Values where a marked one of the right type would not do.
SAMPLES: dict[str, Any] = {
    "global.timeZone": "America/New_York",
    "metrics.prometheusRule.disabled": ["SparkOperatorBehind"],
    "controller.leaderElection.retryPeriodSeconds": 7,
    "controller.leaderElection.renewDeadlineSeconds": 14,
    "controller.uiIngress.enable": False,
    "spark.defaults.podSecurityContext": {"runAsUser": 7},
}
OTHERS = ("airflow", "dags", "pgbouncer", "postgresql", "spark", "statsd")
WITHOUT_EFFECT = {
    "enabled": "read by the parent chart",
    **{f"global.imageRevisions.{name}": "of another chart's image" for name in OTHERS},
}


@functools.cache
def _rendered(given: str) -> str:
    try:
        return text(json.loads(given), chart="spark-operator")
    except RenderError as refusal:
        return f"refused: {refusal}"


def _render(paths: Paths) -> str:
    return _rendered(json.dumps(values(over(ON, paths)), sort_keys=True))


def _value(path: str) -> Any:
    """Return a value for a key that differs from what it has without."""
    if path in SAMPLES:
        return SAMPLES[path]
    marked = sample(KEYS[path], 40000)
    if marked is not None:
        return marked
    now = over(ON, NEEDS.get(path, {})).get(path, DEFAULTS.get(path))
    if types(KEYS[path]) == {"boolean"}:
        return not now
    options = [word for word in KEYS[path].get("enum", []) if word not in (None, now)]
    return options[-1] if options else 0.25 if KEYS[path].get("maximum") == 1 else 7


@pytest.mark.parametrize("path", [path for path in KEYS if path not in WITHOUT_EFFECT])
def should_change_what_is_rendered_if_it_is_set(path: str) -> None:
    before, after = _render(NEEDS.get(path, {})), _render({**NEEDS.get(path, {}), path: _value(path)})
    assert not after.startswith("refused"), after
    assert before != after, f"{_value(path)} changes nothing: wire the key, or say here what it is for"


def should_know_every_key_that_has_no_effect() -> None:
    assert set(WITHOUT_EFFECT) <= set(KEYS), "a key is gone"
