"""Mounts, init containers and variables that would fail in the cluster alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rendering import RenderError, find, pods, render, text
from test_notes import warnings

MOUNT = [{"name": "cache", "mountPath": "/cache"}]
VOLUME = [{"name": "cache", "emptyDir": {}}]


@pytest.mark.parametrize(
    "values",
    [
        {"workers": {"extraVolumeMounts": MOUNT}},
        {"workers": {"kubernetes": {"podTemplates": {"big": {"extraVolumeMounts": MOUNT}}}}},
        {"volumeMounts": MOUNT, "scheduler": {"extraVolumes": VOLUME}},
    ],
)
def should_refuse_a_mount_of_task_pods_without_its_volume(values: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match="every (task )?pod would mount the volume cache at /cache") as problem:
        text(values, chart="airflow")
    assert "executing" not in str(problem.value)
    assert "/cache" in text({**values, "volumes": VOLUME}, chart="airflow")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("scheduler.extraContainers", {}),
        ("apiServer.extraInitContainers", {}),
        ("dagProcessor.extraVolumeMounts", {}),
        ("triggerer.extraContainers", {"triggerer": {"persistence": {"enabled": True}}}),
        ("workers.extraInitContainers", {}),
        ("bootstrap.extraContainers", {}),
        ("cleanup.extraVolumeMounts", {"cleanup": {"enabled": True}}),
        ("databaseCleanup.extraVolumeMounts", {"databaseCleanup": {"enabled": True}}),
        ("backup.extraVolumeMounts", {"backup": {"enabled": True}}),
        ("statsd.extraVolumeMounts", {"statsd": {"enabled": True}}),
        ("pgbouncer.extraContainers", {"pgbouncer": {"enabled": True}}),
    ],
)
def should_name_the_key_of_a_mount_without_its_volume_in_any_pod(key: str, values: dict[str, Any]) -> None:
    part, name = key.split(".")
    mounts = [{"name": "dags", "mountPath": "/git"}]
    item = mounts if name == "extraVolumeMounts" else [{"name": "git", "image": "git:1", "volumeMounts": mounts}]
    given = {**values, part: {**values.get(part, {}), name: item}}
    with pytest.raises(RenderError, match=f"{key}: (its|every task) pod would mount the volume dags at /git") as problem:
        text(given, chart="airflow")
    volumes = [{"name": "dags", "emptyDir": {}}]
    everywhere = part not in ("backup", "statsd")
    assert f"add it to `{part}.extraVolumes`{' or `volumes`' if everywhere else ''}, or remove" in str(problem.value)
    helped = {"volumes": volumes} if everywhere else {part: {**given[part], "extraVolumes": volumes}}
    assert "/git" in text({**given, **helped}, chart="airflow")


def should_let_a_sidecar_mount_what_the_chart_has_in_its_pod() -> None:
    sidecar = {"extraContainers": [{"name": "fluent", "image": "f:1", "volumeMounts": [{"name": "logs", "mountPath": "/l"}]}]}
    assert "fluent" in text(
        {"scheduler": sidecar, "triggerer": {**sidecar, "persistence": {"enabled": True}}, "statsd": {"enabled": True}},
        chart="airflow",
    )


def should_start_a_proxy_before_anything_waits_for_the_database() -> None:
    proxy = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
    first = {"name": "first", "image": "first:1"}
    objects = render({"scheduler": {"extraInitContainers": [first, proxy]}}, chart="airflow")
    names = [container["name"] for container in pods(objects)["scheduler"]["spec"]["initContainers"]]
    assert names == ["proxy", "wait-for-airflow-migrations", "first"]


def should_take_numbers_as_variables() -> None:
    objects = render({"variables": {"big": 10000000, "part": 0.5, "on": True, "text": "a"}}, chart="airflow")
    settings = json.loads(find(objects, "ConfigMap", "airspark-bootstrap-")["data"]["settings.json"])
    given = {name: variable["value"] for name, variable in settings["variables"].items()}
    assert given == {"big": "10000000", "part": "0.5", "on": "true", "text": "a"}


def should_say_what_a_proxy_beside_each_pod_needs() -> None:
    data = {"metadataConnection": {"host": "127.0.0.1", "passwordSecretName": "s"}}
    said = warnings({"data": data, "postgresql": {"enabled": False}, "networkPolicies": {"enabled": True}})
    assert any("each pod needs the proxy" in line and "helmTest.enabled" in line for line in said)
    assert any("open port 5432" in line and "`networkPolicies.database.ports`" in line for line in said)
    policies = {"enabled": True, "database": {"ports": [443, 3307]}}
    said = warnings({"data": data, "postgresql": {"enabled": False}, "networkPolicies": policies, "helmTest": {"enabled": False}})
    assert not any("open port" in line or "helmTest" in line for line in said)
    data["metadataConnection"]["host"] = "db.example.org"
    assert not any("proxy" in line for line in warnings({"data": data, "postgresql": {"enabled": False}}))
