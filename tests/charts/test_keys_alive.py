"""No dead key: each key of charts/airflow changes what is rendered, or says in its description that it has no effect."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from batches import Paths, batches, over, values
from leaves import LEAVES, NUMBERS, ON, defaults, sample, types
from rendering import RenderError, text

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


STATSD = {"statsd.enabled": True}
OTEL = {
    "otelCollector.metricsEnabled": True,
    "statsd.enabled": False,
    "metrics.podMonitor.enabled": False,
    "metrics.prometheusRule.enabled": False,
    "metrics.serviceMonitor.enabled": False,
}
ENV = {"env": [{"name": "TZ", "value": "Asia/Seoul"}]}
SECRETS = {
    "apiSecretKeySecretName": "a",
    "createUserJob.existingSecret": "b",
    "data.metadataSecretName": "c",
    "fernetKeySecretName": "d",
    "jwtSecretName": "e",
    "pgbouncer.configSecretName": "f",
    "postgresql.auth.existingSecret": "g",
    "postgresql.tls.secretName": "h",
}


def _index(name: str) -> Paths:
    """Return the values that switch a search index on."""
    return {**ELSEWHERE, f"{name}.enabled": True, f"{name}.secretName": "", f"{name}.connection.host": f"{name}.example.org"}


# What keys need beside that, by the beginning of their path; the longest counts.
NEEDS: dict[str, Paths] = {
    "apiServer.hpa": {"apiServer.hpa.enabled": True},
    "apiServer.podDisruptionBudget": {"apiServer.hpa.minReplicaCount": 2},
    "apiServer.replicas": {"apiServer.hpa.enabled": False},
    "apiServer.service.externalTrafficPolicy": {"apiServer.service.type": "LoadBalancer"},
    "auth.manager": {"apiServer.httpRoute.enabled": False, "ingress.apiServer.enabled": False},
    "auth.oidc": OIDC,
    "backup.image.pullPolicy": {"backup.image.repository": "mine"},
    "backup.image.tag": {"backup.image.repository": "mine"},
    "backup.persistence": {"backup.persistence.existingClaim": ""},
    "createUserJob.applyCustomEnv": ENV,
    "dags.gitSync.branch": {**GIT, "dags.gitSync.ref": "", "dags.gitSync.rev": None},
    "dags.gitSync.rev": {**GIT, "dags.gitSync.ref": ""},
    "dags.persistence.annotations": {**CLAIM, "dags.persistence.existingClaim": ""},
    "dags.persistence.accessMode": {**CLAIM, "dags.persistence.existingClaim": ""},
    "dags.persistence.size": {**CLAIM, "dags.persistence.existingClaim": ""},
    "dags.persistence.storageClassName": {**CLAIM, "dags.persistence.existingClaim": ""},
    "databaseCleanup": {"databaseCleanup.args": None},
    "databaseCleanup.applyCustomEnv": ENV,
    "databaseCleanup.args": {},
    "gitops.enabled": SECRETS,
    "global.claims.data": {"mounts.data.claim": ""},
    "global.claims.output": {"mounts.output.claim": ""},
    "ingress.apiServer.host": {"ingress.apiServer.hosts": []},
    "ingress.apiServer.tls": {"ingress.apiServer.hosts": ["airflow.example.org"], "ingress.apiServer.tls.enabled": True},
    "ingress.enabled": {"ingress.apiServer.enabled": False},
    "ingress.pgbouncer.host": {"ingress.pgbouncer.hosts": None},
    "ingress.statsd.host": {"ingress.statsd.hosts": None},
    "migrateDatabaseJob.applyCustomEnv": ENV,
    "mounts.data.mountPath": {"mounts.data.claim": "data"},
    **{
        f"{part}.mounts.{name}": {f"mounts.{name}.claim": name}
        for part in ("apiServer", "scheduler", "dagProcessor", "triggerer")
        for name in ("data", "output", "events")
    },
    "mounts.output.mountPath": {"mounts.output.claim": "output"},
    "otelCollector.metricExportIntervalMs": OTEL,
    "otelCollector.metricsEnabled": {**OTEL, "otelCollector.metricsEnabled": False},
    "dagProcessor.dagBundleConfigList": NO_GIT,
    "dags.gitSync": GIT,
    "dags.gitSync.credentialsSecret": {**GIT, "dags.gitSync.sshKeySecret": ""},
    "dags.gitSync.knownHosts": GIT,
    "dags.gitSync.sshKeySecret": {**GIT, "dags.gitSync.knownHosts": "git.example.org ssh-ed25519 AAAA"},
    "dags.mountPath": CLAIM,
    "dags.persistence": CLAIM,
    "data.metadataConnection": EXTERNAL,
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
    "workers.kubernetes.sparkSecret": {"global.spark.authSecretName": "shared"},
    "logs.emptyDirConfig": {"logs.persistence.enabled": False},
    "logs.persistence": {"logs.persistence.enabled": True, "logs.persistence.existingClaim": ""},
    "logs.persistence.accessMode": {"logs.persistence.singleNode": True},
    "logs.persistence.enabled": {"logs.emptyDirConfig": {"sizeLimit": "1Gi"}},
    "logs.remote": S3,
    "logs.remote.container": AZURE,
    "logs.remote.provider": AZURE,
    "metrics.podMonitor": {**STATSD, "metrics.serviceMonitor.enabled": False, "metrics.podMonitor.enabled": True},
    "metrics.prometheusRule": {**STATSD, "metrics.prometheusRule.enabled": True},
    "metrics.serviceMonitor": {**STATSD, "metrics.serviceMonitor.enabled": True, "metrics.podMonitor.enabled": False},
    "networkPolicies.database.cidrs": EXTERNAL,
    "networkPolicies.database.extraIngress": INTERNAL,
    "networkPolicies.database.ports": EXTERNAL,
    "opensearch": _index("opensearch"),
    "opensearch.secretName": {**ELSEWHERE, "opensearch.enabled": True},
    "pgbouncer.sslmode": EXTERNAL,
    "postgresql": INTERNAL,
    "postgresql.enabled": EXTERNAL,
    "postgresql.image.pullPolicy": {**INTERNAL, "postgresql.image.repository": "example.org/mine", "postgresql.image.tag": "1"},
    **{
        f"images.{part}.pullPolicy": {f"images.{part}.repository": "example.org/mine", f"images.{part}.tag": "1"}
        for part in ("pgbouncer", "pod_template", "statsd")
    },
    "postgresql.image.tag": {**INTERNAL, "postgresql.image.repository": "mine"},
    "rotation.adminPassword": {"createUserJob.existingSecret": ""},
    "rotation.apiSecretKey": {"apiSecretKeySecretName": ""},
    "rotation.databasePassword": {**INTERNAL, "postgresql.auth.existingSecret": ""},
    "rotation.fernetKey": {"fernetKeySecretName": ""},
    "rotation.jwtSecret": {"jwtKeyPair.enabled": False, "jwtSecretName": ""},
    "scheduler.logGroomerSidecar": {"logs.persistence.enabled": True},
    "sparkClient.dynamicAllocation.shuffle": {"sparkClient.dynamicAllocation.enabled": True},
    "statsd": STATSD,
    "statsd.cache": {**STATSD, "statsd.args": None},
    "statsd.enabled": {"metrics.serviceMonitor.enabled": False, "metrics.prometheusRule.enabled": False},
    "statsd.extraMappings": {**STATSD, "statsd.overrideMappings": []},
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
    **{path: {path.replace(".ports", ".from"): [{}]} for path in LEAVES if path.endswith(".networkPolicy.ingress.ports")},
    "networkPolicies.tasks.ingress.ports": {"networkPolicies.tasks.ingress.from": [{}]},
    **{
        f"images.{part}.tag": {"defaultAirflowDigest": "", f"images.{part}.digest": None, f"images.{part}.repository": "mine"}
        for part in ("airflow", "pgbouncer", "pgbouncerExporter", "pod_template", "statsd")
    },
    "defaultAirflowDigest": {"images.airflow.digest": None},
    "defaultAirflowRepository": {"images.airflow.repository": ""},
    "defaultAirflowTag": {
        "defaultAirflowDigest": "",
        "images.airflow.digest": None,
        "images.airflow.tag": "",
        "defaultAirflowRepository": "mine",
        "images.airflow.repository": "",
    },
    **{
        f"{part}.{path.partition('.')[2]}": {f"{above}.{path.partition('.')[2]}": None for above in parts}
        for part, parts in (("bootstrap", ("createUserJob", "migrateDatabaseJob")), ("createUserJob", ("migrateDatabaseJob",)))
        for path in LEAVES
        if path.startswith("migrateDatabaseJob.") and path.partition(".")[2] not in ("applyCustomEnv", "enabled")
    },
    **{f"workers.{path.removeprefix('workers.kubernetes.')}": {path: None} for path in LEAVES if path.startswith("workers.kube")},
    "workers.sparkSecret": {"global.spark.authSecretName": "shared", "workers.kubernetes.sparkSecret": None},
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
    "global.timeZone": "America/New_York",
    "airflowVersion": "3.4.0",
    "apiServer.hpa.minReplicaCount": 3,
    "apiServer.service.externalTrafficPolicy": "Local",
    "apiServer.service.ports": [{"name": "mark-%d", "port": 80, "targetPort": "api-server"}],
    "data.metadataConnection.sslmode": "require",
    "executor": "KubernetesExecutor",
    "ipFamilies": ["IPv6"],
    "logs.persistence.accessMode": "ReadWriteOncePod",
    "databaseCleanup.serviceAccount.automountServiceAccountToken": True,
    "metrics.prometheusRule.disabled": ["AirflowExecutorFull"],
    "pgbouncer.serviceAccount.automountServiceAccountToken": True,
    "pgbouncer.sslmode": "require",
    "data.metadataConnection.protocol": "postgresql+psycopg2",
    "enableBuiltInSecretEnvVars": {"AIRFLOW__CORE__FERNET_KEY": False},
    "ingress.apiServer.precedingPaths": [{"path": "/mark-%d", "serviceName": "s", "servicePort": 80}],
    "ingress.apiServer.succeedingPaths": [{"path": "/mark-%d", "serviceName": "s", "servicePort": 80}],
    "logs.remote.folder": "s3://mark-%d",
    "podTemplate": "{kind: Pod, metadata: {name: mark-%d}, spec: {containers: [{name: base}]}}",
    "rotation.fernetKey": "mark-%d",
    "statsd.serviceAccount.automountServiceAccountToken": True,
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
    "ports.workerLogs": "nothing listens there",
    **{f"global.imageRevisions.{name}": "of another chart's image" for name in ("operator", "spark")},
    "scheduler.enabled": "false is refused",
    **{path: "says so" for path, node in LEAVES.items() if "without effect" in node["description"]},
}
# Keys whose objects bear this label, by the beginning of their path.
COMPONENTS = {
    "apiServer": "api-server",
    "backup": "backup",
    "bootstrap": "bootstrap",
    "cleanup": "cleanup",
    "dagProcessor": "dag-processor",
    "databaseCleanup": "database-cleanup",
    "images.pgbouncer": "pgbouncer",
    "images.pgbouncerExporter": "pgbouncer",
    "images.statsd": "statsd",
    "ingress.pgbouncer": "pgbouncer",
    "ingress.statsd": "statsd",
    "pgbouncer": "pgbouncer",
    "scheduler": "scheduler",
    "statsd": "statsd",
    "triggerer": "triggerer",
    "workers": "worker",
}
# Switches that are on where nothing is said.
ON_IF_UNSET = (
    ".applyCustomEnv",
    ".automountServiceAccountToken",
    ".create",
    ".mountConfigSecret",
    ".podDisruptionBudget.enabled",
    ".verbose",
)


DEFAULTS = defaults("airflow")


def _needs(path: str) -> Paths:
    """Return what a key needs beside `ON`."""
    found = [name for name in NEEDS if f"{path}.".startswith(f"{name}.")]
    return {name: value for name, value in NEEDS[max(found, key=len)].items() if name != path} if found else {}


def _value(path: str) -> Any:
    """Return a value for a key that differs from what it has without."""
    node = LEAVES[path]
    if path in SAMPLES:
        return json.loads(json.dumps(SAMPLES[path]).replace("%d", str(NUMBERS[path])))
    marked = sample(node, NUMBERS[path])
    if marked is not None:
        return marked
    now = over(ON, _needs(path)).get(path, DEFAULTS.get(path))
    if types(node) == {"boolean"}:
        return not (path.endswith(ON_IF_UNSET) if now is None else now)
    options = [word for option in (node, *node.get("anyOf", [])) for word in option.get("enum", []) if word not in (None, now)]
    return options[-1] if options else 7 if node.get("maximum") == 100 else 0.5


@functools.cache
def _rendered(given: str) -> str:
    try:
        return text(json.loads(given), chart="airflow")
    except RenderError as refusal:
        return f"refused: {refusal}"


def _render(paths: Paths) -> str:
    """Return what is rendered, or the refusal."""
    return _rendered(json.dumps(values(over(ON, paths)), sort_keys=True))


def _objects(rendered: str, component: str) -> list[str]:
    """Return the texts of the objects of a component."""
    return [part for part in rendered.split("\n---\n") if f"\n    component: {component}\n" in part]


def _component(path: str) -> str:
    """Return the component that alone a key changes, or nothing; a part that is switched off changes others too."""
    found = [name for name in COMPONENTS if f"{path}.".startswith(f"{name}.") and path != f"{name}.enabled"]
    return COMPONENTS[max(found, key=len)] if found and not _needs(path) else ""


def _rounds(paths: Iterable[str]) -> list[list[str]]:
    """Return keys of different components together: which of them showed can be told from whose objects changed."""
    rounds: list[dict[str, str]] = []
    for path in paths:
        component = _component(path)
        free = next((found for found in rounds if component not in found), None)
        if free is None:
            rounds.append({component: path})
        else:
            free[component] = path
    return [list(found.values()) for found in rounds]


def _seen(paths: list[str], cases: dict[str, Paths]) -> set[str]:
    """Return the keys whose marks are found; a render that is refused is tried again in halves."""
    rendered = _render(_union(cases[path] for path in paths))
    if rendered.startswith("refused"):
        half = len(paths) // 2
        return _seen(paths[:half], cases) | _seen(paths[half:], cases) if half else set()
    return {path for path in paths if re.search(rf"(?<![0-9]){NUMBERS[path]}(?![0-9])", rendered)}


def _changed(paths: list[str], cases: dict[str, Paths]) -> set[str]:
    """Return the keys that change an object of their own component."""
    before, after = _render({}), _render(_union(cases[path] for path in paths))
    return {path for path in paths if _objects(before, _component(path)) != _objects(after, _component(path))}


@functools.cache
def alive() -> frozenset[str]:
    """Return the keys that show in what is rendered."""
    cases: dict[str, Paths] = {path: {**_needs(path), path: _value(path)} for path in LEAVES if path not in WITHOUT_EFFECT}
    marked = {path: paths for path, paths in cases.items() if str(NUMBERS[path]) in json.dumps(paths[path])}
    groups: dict[int, list[str]] = {}
    for path, group in batches(marked, size=600).items():
        groups.setdefault(id(group), []).append(path)
    rounds = _rounds(path for path in cases if path not in marked and _component(path))
    with ThreadPoolExecutor(2) as pool:
        found = set().union(
            *pool.map(lambda paths: _seen(paths, cases), groups.values()),
            *pool.map(lambda paths: _changed(paths, cases), rounds),
        )
        rest = [path for path in cases if path not in found]
        befores, afters = pool.map(_render, map(_needs, rest)), pool.map(_render, (cases[path] for path in rest))
        for path, before, after in zip(rest, befores, afters, strict=True):
            if before != after and not after.startswith("refused"):
                found.add(path)
    return frozenset(found)


def _union(many: Iterable[Paths]) -> Paths:
    return {path: value for one in many for path, value in one.items()}


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in WITHOUT_EFFECT])
def should_change_what_is_rendered_if_it_is_set(path: str) -> None:
    assert path in alive(), f"{_value(path)} changes nothing: wire the key, or say in its description that it has no effect"


def should_know_every_key_that_has_no_effect() -> None:
    assert set(WITHOUT_EFFECT) <= set(LEAVES), "a key is gone"
