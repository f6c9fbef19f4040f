"""Keys of the official chart, and of its versions for Airflow 2, that have another name here."""

from __future__ import annotations

from typing import Any

from airspark.importing.work import DROPPED, RENAMED, Work
from airspark.project import Failure
from airspark.values.shape import umbrella

MOVED = {
    "ingress.web": "ingress.apiServer",
    "webserver.webserverConfig": "apiServer.apiServerConfig",
    "webserver.webserverConfigConfigMapName": "apiServer.apiServerConfigConfigMapName",
    "webserver.defaultUser.enabled": "createUserJob.enabled",
    "createUserJob.defaultUser.enabled": "createUserJob.enabled",  # as people write that of Airflow 2's webserver
    "webserver.defaultUser": "createUserJob.defaultUser",
    "ports.airflowUI": "ports.apiServer",
    "postgresql.primary.persistence.size": "postgresql.persistence.size",
    "postgresql.primary.persistence.storageClass": "postgresql.persistence.storageClassName",
    "postgresql.persistence.storageClass": "postgresql.persistence.storageClassName",
    "postgresql.primary.persistence.enabled": "postgresql.persistence.enabled",
    "postgresql.primary.resources": "postgresql.resources",
    "postgresql.primary.nodeSelector": "postgresql.nodeSelector",
    "postgresql.primary.tolerations": "postgresql.tolerations",
    "postgresql.primary.affinity": "postgresql.affinity",
    "postgresql.auth.database": "data.metadataConnection.db",
    "postgresql.auth.username": "data.metadataConnection.user",
}
#: Older names of keys of the webserver, whose newer names count.
DEPRECATED = {"apiServer.extraNetworkPolicies": "apiServer.networkPolicy.ingress.from"}


def keys(work: Work) -> None:
    """Give keys of older and of Bitnami's names those of this chart."""
    for old, new in MOVED.items():
        if isinstance(work.get(old), dict) and isinstance(work.get(new), dict):
            for name in list(work.get(old)):
                work.rename(f"{old}.{name}", f"{new}.{name}")
        else:
            work.rename(old, new, _note(old, work.get(old)))
    wait = work.get("dags.gitSync.wait")
    if wait is not None:
        work.drop("dags.gitSync.period", "`dags.gitSync.wait` is set, and counts")
        work.rename("dags.gitSync.wait", "dags.gitSync.period", "in seconds", f"{str(wait).removesuffix('s')}s")
    webserver(work)


def _note(old: str, value: Any) -> str:
    if old == "webserver.webserverConfig" and "airflow.www" in str(value):
        return "its imports from airflow.www are now in airflow.providers.fab.www: correct them"
    return ""


def webserver(work: Work) -> None:
    """Give the webserver's settings to the API server, which serves the UI since Airflow 3; older names last."""
    known = umbrella()["properties"]["airflow"]["properties"]["apiServer"]["properties"]
    for name in sorted(work.get("webserver") or {}, key=lambda name: f"apiServer.{name}" in DEPRECATED):
        path, new = f"webserver.{name}", DEPRECATED.get(f"apiServer.{name}", f"apiServer.{name}")
        if name == "enabled" or (name not in known and new not in DEPRECATED.values()):
            work.drop(path, "Airflow 3 has no webserver, and the API server has no such setting")
        elif name in ("command", "args"):
            work.drop(path, "it starts the webserver, which Airflow 3 does not have; the chart starts the API server")
        else:
            _merge(work, path, new, _for_api_server(work.get(path)))
    for old, new in DEPRECATED.items():
        work.rename(old, new)


def _merge(work: Work, path: str, new: str, value: Any) -> None:
    """Move a value, or each part of it where there is one already."""
    if isinstance(value, dict) and isinstance(work.get(new), dict):
        for key in list(value):
            _merge(work, f"{path}.{key}", f"{new}.{key}", value[key])
    else:
        work.rename(path, new, value=value)


def _for_api_server(value: Any) -> Any:
    """Return a value with the name of the API server's port instead of the webserver's."""
    if isinstance(value, dict):
        return {key: _for_api_server(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_for_api_server(child) for child in value]
    return "api-server" if value == "airflow-ui" else value


def sidecar(work: Work) -> None:
    """Give what the git-sync sidecar had to the containers that read the repository here.

    Its proxy becomes one of git alone: HTTPS_PROXY in every Airflow container would take requests to the Kubernetes API too.

    Raises:
        Failure: if a list is none, or a variable has no name.
    """
    given, own_env, own_mounts = work.entries("dags.gitSync.env"), work.entries("env"), work.entries("volumeMounts")
    work.take("dags.gitSync.env")
    if given:
        own: list[dict[str, Any]] = []
        left: list[str] = []
        for item in given:
            name = str(item.get("name", ""))
            if not name:
                raise Failure("dags.gitSync.env: an entry has no name", "correct `dags.gitSync.env`, then call it again")
            if name.upper() in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
                if not any(other.get("name") == "GIT_CONFIG_COUNT" for other in own):
                    own += [{"name": "GIT_CONFIG_COUNT", "value": "1"}, {"name": "GIT_CONFIG_KEY_0", "value": "http.proxy"}]
                    own.append({**item, "name": "GIT_CONFIG_VALUE_0"})
            elif name.startswith(("GITSYNC_", "GIT_SYNC_", "GIT_KNOWN_HOSTS")) or name.upper() == "NO_PROXY":
                left.append(name)
            else:
                own.append(item)
        there = {item.get("name") for item in own_env}
        if own:
            work.put("env", [*own_env, *(item for item in own if item["name"] not in there)])
        notes = ["env, a proxy as one of git alone" if own else "variables of git-sync, which is not here"]
        notes += [f"left out: {', '.join(left)}"] if own and left else []
        work.say("dags.gitSync.env", RENAMED if own else DROPPED, "; ".join(notes))
    work.drop(
        "dags.gitSync.envFrom",
        "in every Airflow container a proxy would take requests to the Kubernetes API too; name git's own by env: "
        "GIT_CONFIG_COUNT=1, GIT_CONFIG_KEY_0=http.proxy, GIT_CONFIG_VALUE_0",
    )
    mounts = work.entries("dags.gitSync.extraVolumeMounts")
    work.take("dags.gitSync.extraVolumeMounts")
    if mounts:
        work.put("volumeMounts", [*own_mounts, *mounts])
        work.say("dags.gitSync.extraVolumeMounts", RENAMED, "volumeMounts; Airflow's own containers read the repository")
