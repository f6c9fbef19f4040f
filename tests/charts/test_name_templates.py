"""Names of Secrets, accounts and classes, and where pods run, as templates: each is rendered once, in every chart."""

from __future__ import annotations

import re
from typing import Any

import pytest
from batches import values
from rendering import Object, find, pods, render, task_pod, text

ON: dict[str, dict[str, Any]] = {
    "airflow": {
        "pgbouncer.enabled": True,
        "images.pgbouncerExporter.repository": "exporter",
        "images.pgbouncerExporter.tag": "1",
        "elasticsearch.enabled": True,
        "triggerer.persistence.enabled": True,
        "backup.enabled": True,
        "cleanup.enabled": True,
        "statsd.enabled": True,
        "dags.gitSync.enabled": True,
        "dags.gitSync.repo": "https://git.example.org/dags.git",
        "otelCollector.metricsEnabled": True,
        "otelCollector.endpoint": "http://collector:4318",
        "secret": [{"envName": "MINE", "secretName": "{{ .Release.Name }}-secret-list", "secretKey": "key"}],
        "imagePullSecrets": ["{{ .Release.Name }}-pull-secret"],
    },
    "spark": {
        "connect.enabled": True,
        "historyServer.enabled": True,
        "mounts.events.claim": "events",
        "worker.scratch.size": "1Gi",
        "master.persistence.enabled": True,
        "serviceAccount.create": False,
        "imagePullSecrets": [{"name": "{{ .Release.Name }}-pull-secret"}],
    },
    "spark-operator": {"imagePullSecrets": [{"name": "{{ .Release.Name }}-pull-secret"}]},
    "airspark": {},
}
KEYS = {
    "airflow": [
        "fernetKeySecretName",
        "jwtSecretName",
        "apiSecretKeySecretName",
        "data.metadataSecretName",
        "data.metadataConnection.passwordSecretName",
        "data.metadataConnection.caSecretName",
        "elasticsearch.secretName",
        "postgresql.auth.existingSecret",
        "postgresql.persistence.storageClassName",
        "pgbouncer.configSecretName",
        "pgbouncer.metricsExporterSidecar.statsSecretName",
        "createUserJob.existingSecret",
        "otelCollector.headersSecretName",
        "dags.gitSync.credentialsSecret",
        "triggerer.persistence.storageClassName",
        "backup.persistence.storageClassName",
        "schedulerName",
        "scheduler.priorityClassName",
        "scheduler.runtimeClassName",
        *(f"{part}.serviceAccount.name" for part in ("scheduler", "triggerer", "workers", "cleanup", "statsd", "bootstrap")),
        "workers.kubernetes.launcher.name",
    ],
    "spark": [
        "serviceAccount.name",
        "priorityClassName",
        "worker.scratch.storageClassName",
        "master.persistence.storageClassName",
    ],
    "spark-operator": ["controller.serviceAccount.name", "spark.serviceAccount.name", "controller.priorityClassName"],
    "airspark": ["data.storageClassName", "events.storageClassName", "output.storageClassName"],
}
WHERE = {
    "nodeSelector": {"pool": "{{ .Release.Name }}-pool", "once": "{{ `{{ .Release.Name }}` }}"},
    "tolerations": [{"key": "pool", "value": "{{ .Release.Name }}-pool"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["{{ .Release.Name }}-pool"]}]}
                ]
            }
        }
    },
}


@pytest.mark.parametrize("chart", list(KEYS))
def should_render_templates_in_names_of_secrets_accounts_and_classes(chart: str) -> None:
    marks = {path: f"mark-{number}" for number, path in enumerate(KEYS[chart])}
    given = {**ON[chart], **{path: f"{{{{ .Release.Name }}}}-{mark}" for path, mark in marks.items()}}
    rendered = text(values(given), chart=chart)
    missing = [path for path, mark in marks.items() if not re.search(rf"\bairspark-{mark}\b", rendered)]
    raw = [path for path, mark in marks.items() if "{{ .Release.Name }}-" + mark in rendered]
    assert (missing, raw) == ([], [])
    assert "{{ .Release.Name }}" not in rendered
    if "imagePullSecrets" in ON[chart]:
        assert "airspark-pull-secret" in rendered
    if "secret" in ON[chart]:
        assert "airspark-secret-list" in rendered


def _placed(spec: Object) -> None:
    assert spec["nodeSelector"] == {"pool": "airspark-pool", "once": "{{ .Release.Name }}"}
    assert spec["tolerations"][0]["value"] == "airspark-pool"
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["airspark-pool"]


@pytest.mark.parametrize("chart", ["airflow", "spark"])
def should_render_where_pods_run_once_for_every_pod(chart: str) -> None:
    found = pods(render(dict(WHERE), chart=chart))
    assert len(found) >= 3
    for pod in found.values():
        _placed(pod["spec"])


@pytest.mark.parametrize(
    ("chart", "part", "component"),
    [
        ("airflow", "scheduler", "scheduler"),
        ("spark", "worker", "spark-worker"),
        ("spark-operator", "controller", "spark-operator"),
    ],
)
def should_render_where_the_pods_of_one_part_run(chart: str, part: str, component: str) -> None:
    _placed(pods(render({part: dict(WHERE)}, chart=chart))[component]["spec"])


def should_render_where_task_pods_run_and_keep_numbers_as_texts() -> None:
    objects = render({"workers": {"nodeSelector": {"pool": "{{ .Release.Name }}", "size": 10000000}}}, chart="airflow")
    assert task_pod(objects)["spec"]["nodeSelector"] == {"pool": "airspark", "size": "10000000"}
    assert find(objects, "ConfigMap", "airspark-pod-templates")
