"""Values that fit the schema and still cannot work: each is refused with one sentence, and what mends it passes."""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

import pytest
from batches import Paths, batches, values
from rendering import RenderError, nested, text


class Check(NamedTuple):
    """A check: values that are refused, what is said, and values over them that mend it."""

    name: str
    wrong: dict[str, Any]
    said: str
    mended: dict[str, Any]


GITOPS = {
    "gitops.enabled": True,
    "data.metadataSecretName": "a",
    "fernetKeySecretName": "b",
    "apiSecretKeySecretName": "c",
    "jwtSecretName": "d",
    "postgresql.auth.existingSecret": "e",
    "postgresql.tls.secretName": "t",
    "createUserJob.existingSecret": "f",
}
OIDC = {"auth.manager": "oidc", "auth.oidc.issuer": "https://id", "auth.oidc.clientId": "a", "auth.oidc.clientSecretName": "s"}
INDEX = {"elasticsearch.enabled": True, "elasticsearch.secretName": "es"}
S3 = {"logs.remote.enabled": True, "logs.remote.folder": "s3://bucket/logs"}
GIT = {"dags.gitSync.enabled": True, "dags.gitSync.repo": "https://git.example.org/dags.git"}
BUNDLES = [{"name": "a", "classpath": "b.C", "kwargs": {}}]
USER = {"roles": ["Viewer"], "email": "a@example.org"}
PASSWORD = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}

CHECKS = [
    Check(
        "executor",
        {"executor": "CeleryExecutor"},
        "executor: this chart runs the KubernetesExecutor, not CeleryExecutor",
        {"executor": "KubernetesExecutor"},
    ),
    Check(
        "executor-list",
        {"executor": "LocalExecutor,KubernetesExecutor"},
        "executor: this chart runs the KubernetesExecutor, not LocalExecutor,KubernetesExecutor",
        {"executor": "KubernetesExecutor"},
    ),
    Check(
        "airflowVersion-old",
        {"airflowVersion": "3.2.1"},
        "airflowVersion: the chart knows Airflow 3.2.2 and newer, not 3.2.1",
        {"airflowVersion": "3.2.2"},
    ),
    Check(
        "airflowVersion-two",
        {"airflowVersion": "2.11.0"},
        "airflowVersion: the chart knows Airflow 3.2.2 and newer, not 2.11.0",
        {"airflowVersion": "3.4.0"},
    ),
    Check(
        "airflowVersion-word", {"airflowVersion": "latest"}, "airflowVersion: latest is no version", {"airflowVersion": "3.3.2"}
    ),
    *(
        Check(
            f"{part}.enabled",
            {f"{part}.enabled": False},
            f"{part}.enabled: Airflow 3 does not work without it",
            {f"{part}.enabled": True},
        )
        for part in ("apiServer", "dagProcessor", "scheduler")
    ),
    Check(
        "name-long",
        {"fullnameOverride": "a" * 41},
        "is 41 characters long and the names of pods leave room for 40",
        {"fullnameOverride": "a" * 40},
    ),
    Check(
        "name-long-for-a-cronjob",
        {"fullnameOverride": "a" * 36, "databaseCleanup.enabled": True},
        "is 36 characters long and the names of pods leave room for 35",
        {"fullnameOverride": "a" * 35},
    ),
    Check(
        "name-characters",
        {"fullnameOverride": "My_Airflow"},
        "fullnameOverride: My_Airflow cannot begin the name of a Service",
        {"fullnameOverride": "my-airflow"},
    ),
    Check(
        "podTemplates-reserved",
        {"workers.kubernetes.podTemplates": {"pod_template_file": {"launcher": True}}},
        "workers.kubernetes.podTemplates.pod_template_file: a task asks for it by the file pod_template_file.yaml",
        {"workers.kubernetes.podTemplates": {"pod_template_file": None, "mine": {"launcher": True}}},
    ),
    Check(
        "podTemplates-characters",
        {"workers.kubernetes.podTemplates": {"a/b": {"launcher": True}}},
        "workers.kubernetes.podTemplates.a/b: a task asks for it by the file a/b.yaml, which cannot be",
        {"workers.kubernetes.podTemplates": {"a/b": None, "a_b": {"launcher": True}}},
    ),
    Check(
        "users-name",
        {"users": {"O'Neil": USER}},
        "users.O'Neil: a password would be made in the Secret airspark-user-o'neil, which is no name for one",
        {"users": {"O'Neil": {**USER, "password": PASSWORD}}},
    ),
    Check(
        "hpa",
        {"apiServer.hpa.enabled": True, "apiServer.hpa.minReplicaCount": 6},
        "apiServer.hpa.minReplicaCount: 6 pods at least and 5 at most cannot be",
        {"apiServer.hpa.maxReplicaCount": 6},
    ),
    *(
        Check(
            f"{part}.podDisruptionBudget",
            {f"{part}.podDisruptionBudget.config": {"minAvailable": 1, "maxUnavailable": 1}},
            f"{part}.podDisruptionBudget.config: Kubernetes takes minAvailable or maxUnavailable, not both",
            {f"{part}.podDisruptionBudget.config": {"minAvailable": 1, "maxUnavailable": None}},
        )
        for part in ("apiServer", "dagProcessor", "pgbouncer", "scheduler", "triggerer")
    ),
    Check(
        "sparkClient.ports",
        {"sparkClient.ports.driver": 4040},
        "sparkClient.ports.ui: 4040 is the port of `sparkClient.ports.driver` in the same pod",
        {"sparkClient.ports.ui": 4041},
    ),
    Check(
        "ports-statsd",
        {"ports.statsdIngest": 9102},
        "ports.statsdScrape: 9102 is the port of `ports.statsdIngest` in the same pod",
        {"ports.statsdScrape": 9103},
    ),
    Check(
        "logs-lost",
        {"logs.persistence.enabled": False},
        "logs.persistence.enabled: a task's log would be lost with its pod",
        {"logs.emptyDirConfig": {"sizeLimit": "1Gi"}},
    ),
    Check("logs-lost-but-sent", {"logs.persistence.enabled": False}, "a task's log would be lost with its pod", S3),
    Check("logs-lost-but-indexed", {"logs.persistence.enabled": False}, "a task's log would be lost with its pod", INDEX),
    Check(
        "logs-lost-but-sent-by-config",
        {"logs.persistence.enabled": False},
        "a task's log would be lost with its pod",
        {"config.logging.remote_logging": "True", "config.logging.remote_base_log_folder": "s3://bucket"},
    ),
    Check(
        "logs-lost-but-sent-by-env",
        {"logs.persistence.enabled": False},
        "a task's log would be lost with its pod",
        {"env": [{"name": "AIRFLOW__LOGGING__REMOTE_LOGGING", "value": "True"}]},
    ),
    *(
        Check(
            f"logs-one-node-{part}",
            {"logs.persistence.accessMode": "ReadWriteOnce", **several},
            f"logs.persistence.accessMode: a claim of ReadWriteOnce is for the pods of one node, and `{part}` has several",
            mended,
        )
        for part, several, mended in (
            ("scheduler", {"scheduler.replicas": 2}, {"logs.persistence.accessMode": "ReadWriteMany"}),
            ("apiServer", {"apiServer.replicas": 2}, {"logs.persistence.singleNode": True}),
            ("apiServer", {"apiServer.hpa.enabled": True}, S3),
            ("triggerer", {"triggerer.replicas": 2}, {"triggerer.persistence.enabled": True}),
        )
    ),
    Check(
        "logs.remote.folder-missing",
        {"logs.remote.enabled": True},
        'logs.remote.folder: "" is no folder of the provider s3; write one that begins with s3://',
        {"logs.remote.folder": "s3://bucket"},
    ),
    Check(
        "logs.remote.folder-scheme",
        {**S3, "logs.remote.provider": "gcs"},
        'logs.remote.folder: "s3://bucket/logs" is no folder of the provider gcs; write one that begins with gs://',
        {"logs.remote.folder": "gs://bucket/logs"},
    ),
    Check(
        "logs.remote.folder-azure",
        {**S3, "logs.remote.provider": "azure"},
        "is no folder of the provider azure; write one that begins with wasb",
        {"logs.remote.folder": "wasb-logs"},
    ),
    *(
        Check(
            f"{index}.secretName",
            {f"{index}.enabled": True},
            f"{index}.secretName: names no Secret with the key `connection`",
            {f"{index}.connection.host": "search.example.org"},
        )
        for index in ("elasticsearch", "opensearch")
    ),
    Check(
        "two-search-indexes",
        {**INDEX, "opensearch.enabled": True, "opensearch.secretName": "os"},
        "Airflow sends logs to one place",
        {"elasticsearch.enabled": False},
    ),
    Check("logs-in-two-places", {**INDEX, **S3}, "Airflow sends logs to one place", {"logs.remote.enabled": False}),
    Check(
        "gitSync.repo",
        {"dags.gitSync.enabled": True},
        "dags.gitSync.repo: names no repository",
        GIT,
    ),
    Check(
        "gitSync-and-claim",
        {**GIT, "dags.persistence.enabled": True},
        "dags.persistence.enabled: DAGs come from Git or from a claim, not from both",
        {"dags.gitSync.enabled": False},
    ),
    Check(
        "gitSync-key-without-known-hosts",
        {**GIT, "dags.gitSync.sshKeySecret": "b"},
        "dags.gitSync.knownHosts: it is empty, so any server that answers in place of the repository's host could bring DAGs",
        {"dags.gitSync.knownHosts": "git.example.org ssh-ed25519 AAAA"},
    ),
    Check(
        "gitSync-password-and-key",
        {**GIT, "dags.gitSync.credentialsSecret": "a", "dags.gitSync.sshKeySecret": "b", "dags.gitSync.knownHosts": "h x y"},
        "dags.gitSync.credentialsSecret: a repository is opened by a password or by a key, not by both",
        {"dags.gitSync.sshKeySecret": ""},
    ),
    Check(
        "gitSync-and-bundles",
        {**GIT, "dagProcessor.dagBundleConfigList": BUNDLES},
        "dagProcessor.dagBundleConfigList: the bundle of `dags.gitSync` takes its place",
        {"dags.gitSync.enabled": False},
    ),
    *(
        Check(
            f"simple-{name}", {"auth.manager": "simple", **door}, f"and {said} opens it to the network", {"auth.manager": "fab"}
        )
        for name, door, said in (
            ("ingress", {"ingress.apiServer.enabled": True}, "ingress.apiServer.enabled"),
            ("ingress-old", {"ingress.enabled": True}, "ingress.apiServer.enabled"),
            (
                "route",
                {"apiServer.httpRoute.enabled": True, "apiServer.httpRoute.parentRefs": [{"name": "gate"}]},
                "apiServer.httpRoute.enabled",
            ),
            ("balancer", {"apiServer.service.type": "LoadBalancer"}, "apiServer.service.type: LoadBalancer"),
        )
    ),
    Check(
        "simple-users", {"auth.manager": "simple", "users": {"a": USER}}, "users: there are none with", {"auth.manager": "fab"}
    ),
    Check("simple-roles", {"auth.manager": "simple", "roles": {"A": []}}, "roles: there are none with", {"auth.manager": "fab"}),
    Check(
        "oidc",
        {"auth.manager": "oidc", "auth.oidc.clientId": "airflow"},
        "auth.oidc.issuer, auth.oidc.clientSecretName: missing, and `auth.manager: oidc` cannot ask the provider without",
        OIDC,
    ),
    Check(
        "httpRoute.parentRefs",
        {"apiServer.httpRoute.enabled": True},
        "apiServer.httpRoute.parentRefs: names no Gateway",
        {"apiServer.httpRoute.parentRefs": [{"name": "gate"}]},
    ),
    Check(
        "database-unknown",
        {"postgresql.enabled": False},
        "data.metadataSecretName: the database is not the chart's, and no Secret opens it",
        {"data.metadataSecretName": "mine"},
    ),
    Check(
        "database-without-password",
        {"data.metadataConnection.host": "db.example.org"},
        "data.metadataSecretName: the database is not the chart's, and no Secret opens it",
        {"data.metadataConnection.passwordSecretName": "mine"},
    ),
    Check(
        "database-without-host",
        {"postgresql.enabled": False, "data.metadataConnection.passwordSecretName": "mine"},
        "data.metadataSecretName: the database is not the chart's, and no Secret opens it",
        {"data.metadataConnection.host": "db.example.org"},
    ),
    Check(
        "jwtKeyPair",
        {"jwtKeyPair.enabled": True, "jwtSecretName": "mine"},
        "jwtSecretName: tokens are signed by a shared secret or by a key pair, not by both",
        {"jwtSecretName": ""},
    ),
    Check(
        "gitops-nothing-brought",
        {"gitops.enabled": True},
        "apiSecretKeySecretName, createUserJob.existingSecret, data.metadataSecretName, fernetKeySecretName, jwtSecretName, "
        "postgresql.auth.existingSecret, postgresql.tls.secretName: missing, and with `gitops.enabled` the bootstrap Job makes "
        "no Secret",
        GITOPS,
    ),
    Check(
        "gitops-key-pair",
        {**GITOPS, "jwtSecretName": "", "jwtKeyPair.enabled": True},
        "jwtKeyPair.secretName: missing, and with `gitops.enabled`",
        {"jwtKeyPair.secretName": "g"},
    ),
    Check(
        "gitops-user",
        {**GITOPS, "users": {"ada": USER}},
        "users.ada.password: missing, and with `gitops.enabled`",
        {"users": {"ada": {**USER, "password": PASSWORD}}},
    ),
    Check(
        "gitops-pgbouncer",
        {**GITOPS, "pgbouncer.enabled": True},
        "pgbouncer.configSecretName: missing, and with `gitops.enabled`",
        {"pgbouncer.configSecretName": "g"},
    ),
    *(
        Check(
            f"rotation.{rotation}",
            {f"rotation.{rotation}": "1", key: "mine", **more},
            f"rotation.{rotation}: rotates what the bootstrap Job made, and `{key}` brings it",
            {key: ""},
        )
        for rotation, key, more in (
            ("fernetKey", "fernetKeySecretName", {}),
            ("apiSecretKey", "apiSecretKeySecretName", {}),
            ("jwtSecret", "jwtSecretName", {}),
            ("jwtSecret", "jwtKeyPair.secretName", {"jwtKeyPair.enabled": True}),
            ("databasePassword", "postgresql.auth.existingSecret", {}),
            ("adminPassword", "createUserJob.existingSecret", {}),
        )
    ),
    *(
        Check(
            f"metrics.{name}",
            {f"metrics.{name}.enabled": True},
            f"metrics.{name}.enabled: there is nothing to read without the statsd exporter",
            {"statsd.enabled": True},
        )
        for name in ("serviceMonitor", "podMonitor")
    ),
]
BY_NAME = {f"{number}-{check.name}": check for number, check in enumerate(CHECKS)}
WRONG = {name: check.wrong for name, check in BY_NAME.items()}
MENDED: dict[str, Paths] = {name: {**check.wrong, **check.mended} for name, check in BY_NAME.items()}
WRONG_TOGETHER, MENDED_TOGETHER = batches(WRONG), batches(MENDED)


@functools.cache
def _said(given: str) -> str:
    try:
        text(json.loads(given), chart="airflow")
    except RenderError as refusal:
        return str(refusal)
    return ""


def _refusal(paths: Paths) -> str:
    """Return what is said about values, or nothing if they are accepted."""
    return _said(json.dumps(values(paths)))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def should_refuse_with_a_sentence_and_pass_if_it_is_mended(name: str) -> None:
    said = BY_NAME[name].said
    # Another case of the batch may take the reason away, or bring its own; then this one is looked at alone.
    refusal = next((found for found in (_refusal(WRONG_TOGETHER[name]), _refusal(WRONG[name])) if said in found), "")
    assert "validate.yaml" in refusal, _refusal(WRONG[name]) or "accepted"
    line = next(line for line in refusal.splitlines() if said in line)
    assert line[0].islower() and ": " in line and "; " in line, "the key, what is wrong, and what to do"
    if said in _refusal(MENDED_TOGETHER[name]):
        assert not _refusal(MENDED[name])


def should_say_everything_that_is_wrong_at_once() -> None:
    wrong = {"executor": "CeleryExecutor", "gitops.enabled": True, "kerberos.enabled": True, "scheduler.replicas": 2}
    refusal = _refusal({**wrong, "logs.persistence.accessMode": "ReadWriteOnce"})
    for key in ("executor: ", "kerberos: ", "fernetKeySecretName, ", "logs.persistence.accessMode: "):
        assert key in refusal


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("images.airflow.digest", "abc", "at '/images/airflow/digest': 'abc' does not match pattern"),
        ("defaultAirflowDigest", "sha256:12", "at '/defaultAirflowDigest'"),
        ("dags.gitSync.period", "soon", "at '/dags/gitSync/period': 'soon' does not match pattern"),
        ("logs.persistence.enabled", "maybe", "at '/logs/persistence/enabled': value must be one of true, false, 'auto'"),
        ("users", {"a": {"roles": [], "email": "a@b"}}, "at '/users/a/roles': minItems"),
        ("scheduler.logGroomerSidecar.maxSizePercent", 101, "at '/scheduler/logGroomerSidecar/maxSizePercent': maximum"),
        ("ports.apiServer", 70000, "at '/ports/apiServer': maximum"),
        ("data.metadataConnection.protocol", "mysql", "at '/data/metadataConnection/protocol': value must be one of"),
    ],
)
def should_name_the_key_of_a_value_that_has_the_wrong_form(path: str, value: Any, said: str) -> None:
    with pytest.raises(RenderError) as refusal:
        text(nested(path, value), chart="airflow")
    assert said in str(refusal.value)
