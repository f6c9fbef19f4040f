"""No dead key: each key of charts/airflow changes what is rendered, or says in its description that it has no effect."""

from __future__ import annotations

import functools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml
from batches import Paths, batches, over, values
from leaves import LEAVES, NUMBERS, sample, types
from rendering import CHARTS, LOADER, RenderError, text

# Every part is on, so that its keys are of use.
ON: Paths = {
    "apiServer.hpa.enabled": True,
    "apiServer.httpRoute.enabled": True,
    "apiServer.httpRoute.parentRefs": [{"name": "gate"}],
    "backup.enabled": True,
    "cleanup.enabled": True,
    "dagProcessor.replicas": 2,
    "databaseCleanup.enabled": True,
    "images.pgbouncerExporter.repository": "exporter",
    "images.pgbouncerExporter.tag": "1",
    "ingress.apiServer.enabled": True,
    "ingress.pgbouncer.enabled": True,
    "ingress.statsd.enabled": True,
    "metrics.dashboard.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.serviceMonitor.enabled": True,
    "otelCollector.endpoint": "http://collector:4318",
    "otelCollector.tracesEnabled": True,
    "pgbouncer.enabled": True,
    "pgbouncer.replicas": 2,
    "rbac.createSCCRoleBinding": True,
    "scheduler.replicas": 2,
    "statsd.enabled": True,
    "triggerer.logGroomerSidecar.enabled": True,
    "triggerer.persistence.enabled": True,
    "triggerer.replicas": 2,
}
OIDC = {
    "auth.manager": "oidc",
    "auth.oidc.issuer": "https://id",
    "auth.oidc.clientId": "a",
    "auth.oidc.clientSecretName": "s",
    "auth.oidc.defaultRole": "Viewer",
}
ELSEWHERE = {"logs.remote.enabled": False, "elasticsearch.enabled": False, "opensearch.enabled": False}
S3 = {**ELSEWHERE, "logs.remote.enabled": True, "logs.remote.provider": "s3", "logs.remote.folder": "s3://bucket"}
AZURE = {**S3, "logs.remote.provider": "azure", "logs.remote.folder": "wasb-logs"}
GIT = {"dags.gitSync.enabled": True, "dags.gitSync.repo": "https://git.example.org/dags.git", "dags.persistence.enabled": False}
NO_GIT = {"dags.gitSync.enabled": False}
CLAIM = {**NO_GIT, "dags.persistence.enabled": True}
EXTERNAL = {
    "postgresql.enabled": False,
    "data.metadataConnection.host": "db.example.org",
    "data.metadataConnection.passwordSecretName": "database",
    "data.metadataConnection.sslmode": "verify-full",
    "data.metadataConnection.caSecretName": "authority",
}
INTERNAL = {"postgresql.enabled": True, "data.metadataConnection.host": ""}
BROUGHT = {**INTERNAL, "data.metadataSecretName": "database", "pgbouncer.configSecretName": "bouncer"}
KEY_PAIR = {"jwtKeyPair.enabled": True, "jwtSecretName": ""}


def _index(name: str) -> Paths:
    """Return the values that switch a search index on."""
    return {**ELSEWHERE, f"{name}.enabled": True, f"{name}.secretName": "", f"{name}.connection.host": f"{name}.example.org"}


# What keys need beside that, by the beginning of their path; the longest counts.
NEEDS: dict[str, Paths] = {
    "apiServer.hpa": {"apiServer.hpa.enabled": True},
    "apiServer.podDisruptionBudget": {"apiServer.hpa.minReplicaCount": 2},
    "apiServer.replicas": {"apiServer.hpa.enabled": False},
    "apiServer.service.externalTrafficPolicy": {"apiServer.service.type": "LoadBalancer"},
    "auth.oidc": OIDC,
    "dagProcessor.dagBundleConfigList": NO_GIT,
    "dags.gitSync": GIT,
    "dags.gitSync.credentialsSecret": {**GIT, "dags.gitSync.sshKeySecret": ""},
    "dags.gitSync.knownHosts": {**GIT, "dags.gitSync.sshKeySecret": "key"},
    "dags.mountPath": CLAIM,
    "dags.persistence": CLAIM,
    "data.metadataConnection": {"postgresql.enabled": False, "data.metadataSecretName": ""},
    "data.metadataConnection.host": {"data.metadataConnection.passwordSecretName": "database", "data.metadataSecretName": ""},
    "data.metadataConnection.passwordSecretName": {
        "data.metadataConnection.host": "db.example.org",
        "data.metadataSecretName": "",
    },
    "data.metadataSecretKey": BROUGHT,
    "data.metadataSecretName": BROUGHT,
    "elasticsearch": _index("elasticsearch"),
    "elasticsearch.secretName": {**ELSEWHERE, "elasticsearch.enabled": True},
    "jwtKeyPair": KEY_PAIR,
    "jwtSecretName": {"jwtKeyPair.enabled": False},
    "logs.emptyDirConfig": {"logs.persistence.enabled": False},
    "logs.persistence": {"logs.persistence.enabled": True},
    "logs.remote": S3,
    "logs.remote.container": AZURE,
    "metrics.podMonitor": {"metrics.serviceMonitor.enabled": False, "metrics.podMonitor.enabled": True},
    "metrics.serviceMonitor": {"metrics.serviceMonitor.enabled": True, "metrics.podMonitor.enabled": False},
    "networkPolicies.database.cidrs": EXTERNAL,
    "networkPolicies.database.extraIngress": INTERNAL,
    "networkPolicies.database.ports": EXTERNAL,
    "opensearch": _index("opensearch"),
    "opensearch.secretName": {**ELSEWHERE, "opensearch.enabled": True},
    "postgresql": INTERNAL,
    "rotation.adminPassword": {"createUserJob.existingSecret": ""},
    "rotation.apiSecretKey": {"apiSecretKeySecretName": ""},
    "rotation.databasePassword": {**INTERNAL, "postgresql.auth.existingSecret": ""},
    "rotation.fernetKey": {"fernetKeySecretName": ""},
    "rotation.jwtSecret": {"jwtKeyPair.enabled": False, "jwtSecretName": ""},
    "scheduler.logGroomerSidecar": {"logs.persistence.enabled": True},
    "triggerer.keda": {"triggerer.keda.enabled": True},
    "triggerer.logGroomerSidecar": {"triggerer.persistence.enabled": True, "triggerer.logGroomerSidecar.enabled": True},
    "triggerer.persistence": {"triggerer.persistence.enabled": True},
    "triggerer.replicas": {"triggerer.keda.enabled": False},
    "triggerer.strategy": {"triggerer.persistence.enabled": False},
    "triggerer.updateStrategy": {"triggerer.persistence.enabled": True},
    **{
        f"{part}.serviceAccount.serviceAccountTokenVolume": {f"{part}.serviceAccount.serviceAccountTokenVolume.enabled": True}
        for part in ("apiServer", "cleanup", "dagProcessor", "scheduler", "triggerer")
    },
    **{
        f"images.{part}.tag": {"defaultAirflowDigest": "", f"images.{part}.digest": None}
        for part in ("airflow", "pgbouncer", "pgbouncerExporter", "pod_template", "statsd")
    },
    "defaultAirflowDigest": {"images.airflow.digest": None},
    "defaultAirflowRepository": {"images.airflow.repository": ""},
    "defaultAirflowTag": {"defaultAirflowDigest": "", "images.airflow.digest": None, "images.airflow.tag": ""},
    **{f"workers.{path.removeprefix('workers.kubernetes.')}": {path: None} for path in LEAVES if path.startswith("workers.kube")},
    **{
        f"{part}.podDisruptionBudget.config.minAvailable": {f"{part}.podDisruptionBudget.config.maxUnavailable": None}
        for part in ("dagProcessor", "pgbouncer", "scheduler", "triggerer")
    },
    "apiServer.podDisruptionBudget.config.minAvailable": {
        "apiServer.hpa.minReplicaCount": 2,
        "apiServer.podDisruptionBudget.config.maxUnavailable": None,
    },
}
# Values where a marked one of the right type would not do.
SAMPLES: dict[str, Any] = {
    "airflowVersion": "3.4.0",
    "apiServer.hpa.minReplicaCount": 3,
    "executor": "KubernetesExecutor",
    "data.metadataConnection.protocol": "postgresql+psycopg2",
    "enableBuiltInSecretEnvVars": {"AIRFLOW__CORE__FERNET_KEY": False},
    "ingress.apiServer.precedingPaths": [{"path": "/mark-%d", "serviceName": "s", "servicePort": 80}],
    "ingress.apiServer.succeedingPaths": [{"path": "/mark-%d", "serviceName": "s", "servicePort": 80}],
    "logs.remote.folder": "s3://mark-%d",
    "podTemplate": "metadata: {name: mark-%d}",
    "rotation.fernetKey": "mark-%d",
}
for _path in LEAVES:
    if _path.endswith("extraEnv"):
        SAMPLES[_path] = "- name: mark-%d"
    if _path.endswith("extraEnvFrom"):
        SAMPLES[_path] = "- configMapRef: {name: mark-%d}"
    if _path == "extraObjects":
        SAMPLES[_path] = [{"kind": "mark-%d"}]

# Keys that are there to be taken, and what they are for.
WITHOUT_EFFECT = {
    "airflowVersion": "an older version is refused",
    "apiServer.enabled": "false is refused",
    "dagProcessor.enabled": "false is refused",
    "enabled": "read by the parent chart",
    "executor": "another executor is refused",
    "logs.persistence.singleNode": "takes back a refusal",
    "scheduler.enabled": "false is refused",
}
DEFAULTS: dict[str, Any] = {}
OPEN: list[tuple[str, Any]] = [("", yaml.load((CHARTS / "airflow/values.yaml").read_text(), Loader=LOADER))]
while OPEN:
    _above, _values = OPEN.pop()
    for _name, _value in _values.items():
        _here = f"{_above}.{_name}".removeprefix(".")
        DEFAULTS[_here] = _value
        if isinstance(_value, dict):
            OPEN.append((_here, _value))


def _needs(path: str) -> Paths:
    """Return what a key needs beside `ON`."""
    found = [name for name in NEEDS if f"{path}.".startswith(f"{name}.")]
    return {name: value for name, value in NEEDS[max(found, key=len)].items() if name != path} if found else {}


def _value(path: str) -> Any:
    """Return a value for a key that differs from what `ON` and the defaults say."""
    node = LEAVES[path]
    if path in SAMPLES:
        return json.loads(json.dumps(SAMPLES[path]).replace("%d", str(NUMBERS[path])))
    marked = sample(node, NUMBERS[path])
    if marked is not None:
        return marked
    now = over(ON, _needs(path)).get(path, DEFAULTS.get(path))
    if types(node) == {"boolean"}:
        return not now if path in DEFAULTS or path in ON or not path.endswith(ON_BY_DEFAULT) else False
    options = [word for option in (node, *node.get("anyOf", [])) for word in option.get("enum", []) if word not in (None, now)]
    if options:
        return options[-1]
    return 7 if node.get("maximum") == 100 else 0.5 if "number" in types(node) else [node["items"]["enum"][-1]]


ON_BY_DEFAULT = (
    ".create",
    ".automountServiceAccountToken",
    ".applyCustomEnv",
    ".podDisruptionBudget.enabled",
    ".mountConfigSecret",
)


def _render(paths: Paths) -> str:
    """Return what is rendered, or the refusal."""
    try:
        return text(values(paths), chart="airflow")
    except RenderError as refusal:
        return f"refused: {refusal}"


@functools.cache
def alive() -> dict[str, str]:
    """Return how each key shows, by its path; keys that do not show are left out."""
    cases: dict[str, Paths] = {path: {**_needs(path), path: _value(path)} for path in LEAVES}
    groups = batches({path: paths for path, paths in cases.items() if str(NUMBERS[path]) in json.dumps(paths)}, size=600)
    found: dict[str, str] = {}
    with ThreadPoolExecutor(2) as pool:
        renders = {id(group): pool.submit(_render, over(ON, group)) for group in groups.values()}
        for path, group in groups.items():
            rendered = renders[id(group)].result()
            if not rendered.startswith("refused") and re.search(rf"(?<![0-9]){NUMBERS[path]}(?![0-9])", rendered):
                found[path] = "with others"
        rest = [path for path in LEAVES if path not in found and path not in WITHOUT_EFFECT]
        pairs = {
            path: (pool.submit(_render, over(ON, _needs(path))), pool.submit(_render, over(ON, cases[path]))) for path in rest
        }
        for path, (before, after) in pairs.items():
            if after.result().startswith("refused"):
                print(path, cases[path][path], after.result())
            elif before.result() != after.result():
                found[path] = "alone"
    return found
