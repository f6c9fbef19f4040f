"""manifests/values/my-values.yaml, the example of a values file: it renders, and each of its values has its effect."""

from __future__ import annotations

import functools
import json
import re

import pytest
import yaml
from rendering import ROOT, Object, cfg, env, find, pods, render, task_pod

FILE = ROOT / "manifests/values/my-values.yaml"


@functools.cache
def rendered(*presets: str) -> list[Object]:
    """What the umbrella makes of the example, under presets that come before it."""
    return render(files=(*(f"airspark/presets/{name}.yaml" for name in presets), str(FILE)))


@pytest.mark.parametrize("preset", ["kind", "minikube", "eks", "gke", "aks"])
def test_should_render_over_every_preset(preset: str) -> None:
    claim = find(rendered(preset), "PersistentVolumeClaim", "airspark-output")
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"


def test_should_have_every_effect_that_its_comments_promise() -> None:
    objects = rendered()
    assert find(objects, "PersistentVolumeClaim", "airspark-data")["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert "parallelism = 8" in cfg(objects)
    task = task_pod(objects)["spec"]["containers"][0]
    assert task["resources"] == {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
    scheduler = pods(objects)["scheduler"]["spec"]["containers"][0]
    assert env(task)["AIRFLOW_VAR_TEAM"] == env(scheduler)["AIRFLOW_VAR_TEAM"] == "sales"
    worker = find(objects, "StatefulSet", "airspark-spark-worker")
    assert worker["spec"]["replicas"] == 3
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    settings = find(objects, "ConfigMap", "airspark-spark-operator")["data"]["settings.json"]
    assert json.loads(settings)["namespaces"] == ["airspark"]
    assert any("Spark applications at once" in json.dumps(item) for item in objects)


def test_should_mean_what_it_says_if_the_part_with_the_secret_is_switched_on() -> None:
    values = yaml.safe_load(re.sub(r"(?m)^  # (secret:|  - \{envName)", r"  \1", FILE.read_text()))
    task = task_pod(render(values))["spec"]["containers"][0]
    assert env(task)["AIRFLOW_CONN_WAREHOUSE"] == {"secretKeyRef": {"name": "my-warehouse", "key": "connection"}}
