"""What the keys do that say where logs, DAGs and data are."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
from cases import Case, Cases, Rendered
from rendering import Object, env

WHO = "{{ .Release.Name }}"
S3 = {"logs.remote.enabled": True, "logs.remote.folder": "s3://bucket/logs"}
GIT = {"dags.gitSync.enabled": True, "dags.gitSync.repo": "https://git.example.org/dags.git"}
CLAIM = {"dags.persistence.enabled": True}
KEEP = {"logs.persistence.enabled": True}


def _volume(found: Rendered, component: str, name: str) -> Object:
    return next((dict(item) for item in found.pods[component]["spec"]["volumes"] if item["name"] == name), {})


def _mount(found: Rendered, component: str, name: str) -> Object:
    return next((dict(item) for item in found.main(component)["volumeMounts"] if item["name"] == name), {})


def _claim(found: Rendered, name: str) -> Any:
    return found.find("PersistentVolumeClaim", name).get("spec", {})


def _providers(found: Rendered) -> list[str]:
    return [asked["package"].removeprefix("apache-airflow-providers-") for asked in found.settings["providers"]]


def _remote(folder: str, provider: str, **more: Any) -> dict[str, Any]:
    given = {"logs.remote.enabled": True, "logs.remote.provider": provider, "logs.remote.folder": folder}
    return {**given, **{f"logs.remote.{key}": value for key, value in more.items()}}


def _bundle(found: Rendered) -> Any:
    match = re.search(r"^dag_bundle_config_list = (.+)$", found.cfg, flags=re.MULTILINE)
    assert match
    return json.loads(match[1])


def _reads(index: str, found: Rendered) -> bool:
    """Whether logs are read from a search index."""
    host = env(found.main("api-server"))[f"AIRFLOW__{index.upper()}__HOST"]
    return host["secretKeyRef"]["name"] == "index" and f"[{index}]" in found.cfg and index in _providers(found)


def _mounts(name: str, found: Rendered) -> bool:
    """Whether task pods mount a claim where they are told."""
    claim = _volume(found, "worker", name)["persistentVolumeClaim"]["claimName"]
    return bool(claim == "airspark-x" and _mount(found, "worker", name)["mountPath"] == "/mnt")


WRITERS = ("api-server", "scheduler", "triggerer", "worker", "small.yaml")
READERS = ("dag-processor", "worker", "small.yaml")
CASES = [
    Case("keep task logs on a claim for one node, where one pod of each is enough", {"logs.persistence.size": "7Gi"},
         lambda f: _claim(f, "airspark-logs")
         == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "7Gi"}}}),
    Case("keep task logs on a claim for several nodes", {"scheduler.replicas": 2},
         lambda f: _claim(f, "airspark-logs")["accessModes"] == ["ReadWriteMany"]),
    Case("keep task logs on a claim for several nodes", {"apiServer.hpa.enabled": True},
         lambda f: _claim(f, "airspark-logs")["accessModes"] == ["ReadWriteMany"]),
    Case("keep task logs on a claim for several nodes", {"triggerer.keda.enabled": True},
         lambda f: _claim(f, "airspark-logs")["accessModes"] == ["ReadWriteMany"]),
    Case("keep the claim for one node, because the triggerer has one of its own",
         {"triggerer.replicas": 2, "triggerer.persistence.enabled": True},
         lambda f: _claim(f, "airspark-logs")["accessModes"] == ["ReadWriteOnce"]),
    Case("take the access mode that is given", {"logs.persistence.accessMode": "ReadWriteOncePod"},
         lambda f: _claim(f, "airspark-logs")["accessModes"] == ["ReadWriteOncePod"]),
    Case("take a storage class, as a template", {"logs.persistence.storageClassName": "{{ .Release.Name }}-fast"},
         lambda f: _claim(f, "airspark-logs")["storageClassName"] == "airspark-fast"),
    Case("annotate the log claim, and keep it without the release", {"logs.persistence.annotations": {"a": WHO}},
         lambda f: f.find("PersistentVolumeClaim", "airspark-logs")["metadata"]["annotations"]
         == {"a": "airspark", "helm.sh/resource-policy": "keep"}),
    Case("mount a claim that is there, as a template", {"logs.persistence.existingClaim": "{{ .Release.Name }}-shared"},
         lambda f: not _claim(f, "airspark-logs") and all(
             _volume(f, name, "logs")["persistentVolumeClaim"] == {"claimName": "airspark-shared"} for name in WRITERS)),
    Case("mount a folder of the log claim, in the sidecar too", {"logs.persistence.subPath": "airflow"},
         lambda f: all(_mount(f, name, "logs")["subPath"] == "airflow" for name in WRITERS)
         and f.pods["scheduler"]["spec"]["containers"][1]["volumeMounts"][0]["subPath"] == "airflow"),
    Case("make no claim, because logs are sent away", S3,
         lambda f: not _claim(f, "airspark-logs") and all("emptyDir" in _volume(f, name, "logs") for name in WRITERS)
         and "scheduler-log-groomer" not in str([name for name, _ in f.containers])),
    Case("make no claim, because logs are sent away", {"config.logging.remote_logging": "True"},
         lambda f: not _claim(f, "airspark-logs") and "remote_logging = True" in f.cfg),
    Case("make a claim although logs are sent away", {**S3, **KEEP}, lambda f: bool(_claim(f, "airspark-logs"))),
    Case("limit the folder that takes the claim's place",
         {"logs.persistence.enabled": False, "logs.emptyDirConfig": {"sizeLimit": "7Gi"}},
         lambda f: all(_volume(f, name, "logs")["emptyDir"] == {"sizeLimit": "7Gi"} for name in WRITERS)),
    Case("send logs to S3", S3,
         lambda f: "remote_logging = True" in f.cfg and "remote_base_log_folder = s3://bucket/logs" in f.cfg
         and "amazon" in _providers(f)),
    Case("send logs to Google's store", _remote("gs://bucket", "gcs"),
         lambda f: "remote_base_log_folder = gs://bucket" in f.cfg and "google" in _providers(f)),
    Case("send logs to a container of Azure's store",
         _remote("wasb-x", "azure", container="mine"),
         lambda f: "remote_wasb_log_container = mine" in f.cfg and "microsoft-azure" in _providers(f)),
    Case("open the store with a connection", _remote("s3://b", "s3", connectionId="store"),
         lambda f: "remote_log_conn_id = store" in f.cfg),
    Case("remove a log once it is sent", _remote("s3://b", "s3", deleteLocalCopies=True),
         lambda f: "delete_local_logs = True" in f.cfg),
    *(
        Case(f"read logs from {index}", {f"{index}.enabled": True, f"{index}.secretName": "index"},
             functools.partial(_reads, index))
        for index in ("elasticsearch", "opensearch")
    ),
    Case("write the index's address into airflow.cfg",
         {"elasticsearch": {"enabled": True, "connection": {"scheme": "https", "host": "es", "port": 9243, "user": "ada"}}},
         lambda f: "host = https://ada@es:9243" in f.cfg),
    Case("mount DAG files from a claim of the chart, read-only", CLAIM,
         lambda f: _claim(f, "airspark-dags")["accessModes"] == ["ReadWriteOnce"] and all(
             _mount(f, name, "dags") == {"name": "dags", "mountPath": "/opt/airflow/dags", "readOnly": True}
             for name in READERS)),
    Case("shape the DAG claim",
         {"dags.persistence": {"enabled": True, "size": "7Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany",
                               "annotations": {"a": "b"}}},
         lambda f: _claim(f, "airspark-dags") == {"accessModes": ["ReadWriteMany"], "storageClassName": "fast",
                                                  "resources": {"requests": {"storage": "7Gi"}}}
         and f.find("PersistentVolumeClaim", "airspark-dags")["metadata"]["annotations"] == {"a": "b"}),
    Case("mount a folder of a DAG claim that is there, elsewhere",
         {**CLAIM, "dags.persistence.existingClaim": "shared", "dags.persistence.subPath": "prod", "dags.mountPath": "/srv/dags"},
         lambda f: not _claim(f, "airspark-dags") and all(
             _volume(f, name, "dags")["persistentVolumeClaim"]["claimName"] == "shared"
             and _mount(f, name, "dags") == {"name": "dags", "mountPath": "/srv/dags", "readOnly": True, "subPath": "prod"}
             for name in READERS)),
    Case("read DAGs from Git",
         {**GIT, "dags.gitSync.branch": "prod", "dags.gitSync.subPath": "dags", "dags.gitSync.period": "2m"},
         lambda f: _bundle(f) == [{"name": "git", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": {
             "git_conn_id": "git_dags", "tracking_ref": "prod", "subdir": "dags", "refresh_interval": 120}}]
         and f.settings["connections"]["git_dags"]["host"] == GIT["dags.gitSync.repo"]
         and "git" in _providers(f)),
    Case("follow a revision before the reference", {**GIT, "dags.gitSync.ref": "v1", "dags.gitSync.rev": "v0"},
         lambda f: _bundle(f)[0]["kwargs"]["tracking_ref"] == "v0"),
    Case("follow a reference under its older name", {**GIT, "dags.gitSync.rev": "v0"},
         lambda f: _bundle(f)[0]["kwargs"]["tracking_ref"] == "v0"),
    Case("open the repository with a password", {**GIT, "dags.gitSync.credentialsSecret": "git"},
         lambda f: {"key": "GITSYNC_PASSWORD", "name": "git"} in [
             value["secretKeyRef"] for value in env(f.main("bootstrap")).values() if isinstance(value, dict)]),
    Case("open the repository with a key, of a host that is known",
         {**GIT, "dags.gitSync.sshKeySecret": "key", "dags.gitSync.knownHosts": "git.example.org ssh-ed25519 AAAA"},
         lambda f: f.settings["connections"]["git_dags"]["extra"]["known_hosts_file"] == "/opt/airflow/known_hosts"
         and f.settings["connections"]["git_dags"]["extra"]["strict_host_key_checking"] == "yes"
         and f.find("ConfigMap", "airspark-config")["data"]["known_hosts"] == "git.example.org ssh-ed25519 AAAA\n"
         and all("/opt/airflow/known_hosts" in [m["mountPath"] for m in f.main(name)["volumeMounts"]] for name in READERS)),
    Case("read DAGs from several bundles, as templates",
         {"dagProcessor.dagBundleConfigList": [{"name": n, "classpath": "a.B", "kwargs": {"x": WHO}} for n in "ab"]},
         lambda f: [bundle["kwargs"]["x"] for bundle in _bundle(f)] == ["airspark", "airspark"]),
    *(
        Case(f"mount {name} in task pods, where it is told", {f"mounts.{name}": {"claim": f"{WHO}-x", "mountPath": "/mnt"}},
             functools.partial(_mounts, name))
        for name in ("data", "output")
    ),
    Case("give the triggerer a claim of its own",
         {"triggerer.persistence": {"enabled": True, "size": "7Gi", "storageClassName": "fast", "annotations": {"a": "b"},
                                    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}},
         lambda f: (spec := f.find("StatefulSet", "airspark-triggerer")["spec"])["persistentVolumeClaimRetentionPolicy"]
         == {"whenDeleted": "Delete"} and spec["volumeClaimTemplates"][0]["spec"]
         == {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "7Gi"}}}),
    Case("give the triggerer's pods no claim", {"triggerer.persistence.enabled": False},
         lambda f: bool(f.find("Deployment", "airspark-triggerer"))),
    Case("let KEDA say how many triggerers there are",
         {"triggerer.keda": {"enabled": True, "pollingInterval": 7, "cooldownPeriod": 0, "minReplicaCount": 1,
                             "maxReplicaCount": 3, "advanced": {"x": "y"}, "query": "SELECT {{ .Values.triggerer.replicas }}"}},
         lambda f: "replicas" not in f.find("Deployment", "airspark-triggerer")["spec"]
         and (spec := f.find("ScaledObject", "airspark-triggerer")["spec"])["scaleTargetRef"]
         == {"kind": "Deployment", "name": "airspark-triggerer", "envSourceContainerName": "triggerer"}
         and (spec["pollingInterval"], spec["cooldownPeriod"], spec["minReplicaCount"], spec["maxReplicaCount"]) == (7, 0, 1, 3)
         and spec["advanced"] == {"x": "y"} and spec["triggers"][0]["metadata"]["query"] == "SELECT 1"
         and spec["triggers"][0]["metadata"]["connectionFromEnv"] in env(f.main("triggerer"))),
    Case("let KEDA ask the server itself, and not through PgBouncer", {"triggerer.keda.enabled": True, "pgbouncer.enabled": True},
         lambda f: env(f.main("triggerer"))[f.find("ScaledObject", "airspark-triggerer")["spec"]["triggers"][0]["metadata"][
             "connectionFromEnv"]]["secretKeyRef"]["key"] == "kedaConnection"),
    Case("let KEDA's namespace reach the chart's database",
         {"triggerer.keda.enabled": True, "triggerer.keda.namespaceLabels": {"name": "keda"}},
         lambda f: {"namespaceSelector": {"matchLabels": {"name": "keda"}}} in [
             peer for rule in f.find("NetworkPolicy", "airspark-postgresql-policy")["spec"]["ingress"] for peer in rule["from"]]),
    Case("put the chart's PostgreSQL on a claim",
         {"postgresql.persistence": {"enabled": True, "size": "7Gi", "storageClassName": "fast"}},
         lambda f: f.find("StatefulSet", "airspark-postgresql")["spec"]["volumeClaimTemplates"][0]["spec"]
         == {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "7Gi"}}}),
    Case("give the chart's PostgreSQL no claim", {"postgresql.persistence.enabled": False},
         lambda f: "volumeClaimTemplates" not in f.find("StatefulSet", "airspark-postgresql")["spec"]
         and _volume(f, "postgresql", "data") == {"name": "data", "emptyDir": {}}),
    Case("set PostgreSQL's settings", {"postgresql.config": {"work_mem": "7MB"}},
         lambda f: "work_mem=7MB" in f.main("postgresql")["args"]),
    Case("run PostgreSQL of another image as another user",
         {"postgresql.image": {"repository": "mine", "tag": "7", "pullPolicy": "Always"}, "postgresql.uid": 70},
         lambda f: (f.main("postgresql")["image"], f.main("postgresql")["imagePullPolicy"]) == ("mine:7", "Always")
         and f.pods["postgresql"]["spec"]["securityContext"]["runAsUser"] == 70),
]  # fmt: skip
TOPICS = {
    "logs": ("apiServer.hpa", "config.logging", "elasticsearch", "logs", "opensearch", "scheduler.replicas", "triggerer"),
    "dags": ("dags", "dagProcessor"),
    "postgresql": ("postgresql",),
}
TOGETHER = Cases(CASES, TOPICS)


@pytest.mark.parametrize("title", sorted(TOGETHER.by_title))
def should_do_what_its_description_says(title: str) -> None:
    TOGETHER.check(title)
