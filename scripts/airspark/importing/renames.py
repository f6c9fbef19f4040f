"""Keys of the official chart, and of its versions for Airflow 2, that have another name here."""

from __future__ import annotations

import re
from typing import Any

from airspark.importing.work import DROPPED, RENAMED, Work
from airspark.values.shape import umbrella

MOVED = {
    "ingress.web": "ingress.apiServer",
    "webserver.webserverConfig": "apiServer.apiServerConfig",
    "webserver.webserverConfigConfigMapName": "apiServer.apiServerConfigConfigMapName",
    "webserver.extraNetworkPolicies": "apiServer.networkPolicy.ingress.from",
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
#: Options of airflow.cfg that Airflow 3 reads in another section: https://airflow.apache.org/docs/apache-airflow/stable/installation/upgrading_to_airflow3.html
OPTIONS = {
    **{f"webserver.{key}": f"api.{key}" for key in ("base_url", "expose_config", "instance_name", "page_size", "workers")},
    **{f"webserver.{key}": f"api.{key}" for key in ("hide_paused_dags_by_default", "default_wrap", "auto_refresh_interval")},
    **{f"webserver.{key}": f"api.{key}" for key in ("enable_swagger_ui", "require_confirmation_dag_change", "access_logfile")},
    "webserver.web_server_host": "api.host",
    "webserver.web_server_port": "api.port",
    "webserver.web_server_worker_timeout": "api.worker_timeout",
    "webserver.web_server_ssl_cert": "api.ssl_cert",
    "webserver.web_server_ssl_key": "api.ssl_key",
    "webserver.secret_key": "api.secret_key",
    **{
        f"webserver.{key}": f"fab.{key}"
        for key in ("auth_rate_limited", "auth_rate_limit", "update_fab_perms", "session_backend", "session_lifetime_minutes")
    },
    **{f"webserver.{key}": f"fab.{key}" for key in ("enable_proxy_fix", "cookie_secure", "cookie_samesite", "config_file")},
    **{f"webserver.proxy_fix_x_{key}": f"fab.proxy_fix_x_{key}" for key in ("for", "proto", "host", "port", "prefix")},
    "api.auth_backends": "fab.auth_backends",
    "core.remote_logging": "logging.remote_logging",
    **{f"core.{key}": f"logging.{key}" for key in ("colored_console_log", "remote_base_log_folder", "remote_log_conn_id")},
    "core.logging_level": "logging.logging_level",
    **{f"core.{key}": f"database.{key}" for key in ("sql_alchemy_conn", "sql_alchemy_pool_size", "sql_alchemy_max_overflow")},
    "core.dag_concurrency": "core.max_active_tasks_per_dag",
    **{f"scheduler.statsd_{key}": f"metrics.statsd_{key}" for key in ("on", "host", "port", "prefix")},
    "scheduler.dag_dir_list_interval": "dag_processor.refresh_interval",
    "scheduler.min_file_process_interval": "dag_processor.min_file_process_interval",
    "scheduler.parsing_processes": "dag_processor.parsing_processes",
    "triggerer.default_capacity": "triggerer.capacity",
    "core.dag_file_processor_timeout": "dag_processor.dag_file_processor_timeout",
    **{f"kubernetes.{key}": f"kubernetes_executor.{key}" for key in (
        "namespace", "pod_template_file", "worker_container_repository", "worker_container_tag", "multi_namespace_mode",
        "delete_worker_pods", "delete_worker_pods_on_failure", "worker_pods_creation_batch_size", "kube_client_request_args",
        "delete_option_kwargs", "enable_tcp_keepalive", "verify_ssl", "worker_pods_pending_timeout",
        "multi_namespace_mode_namespace_list", "task_publish_max_retries")},
}  # fmt: skip
#: What the official chart writes into airflow.cfg by itself: the values that its own templates compute.
COMPUTED = re.compile(
    r"airflow_pod_template_file|airflow_config\"|\.Values\.(statsd|elasticsearch|images|ingress\.flower|kerberos|executor|multiNamespace)"
    r"|-statsd\"|\.Release\.Namespace|cpu_count|airflow_dags\"|\.Values\.dagProcessor"
)


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
        work.rename("dags.gitSync.wait", "dags.gitSync.period", "in seconds", f"{str(wait).removesuffix('s')}s")
    webserver(work)


def _note(old: str, value: Any) -> str:
    if old == "webserver.webserverConfig" and "airflow.www" in str(value):
        return "its imports from airflow.www are now in airflow.providers.fab.www: correct them"
    return ""


def webserver(work: Work) -> None:
    """Give the webserver's settings to the API server, which serves the UI since Airflow 3."""
    known = umbrella()["properties"]["airflow"]["properties"]["apiServer"]["properties"]
    for name in list(work.get("webserver") or {}):
        path = f"webserver.{name}"
        if name == "enabled" or name not in known:
            work.drop(path, "Airflow 3 has no webserver, and the API server has no such setting")
        elif name in ("command", "args"):
            work.drop(path, "it starts the webserver, which Airflow 3 does not have; the chart starts the API server")
        else:
            value = _for_api_server(work.get(path))
            merged = work.get(f"apiServer.{name}")
            if isinstance(value, dict) and isinstance(merged, dict):
                for key in list(value):
                    work.rename(f"{path}.{key}", f"apiServer.{name}.{key}", value=value[key])
            else:
                work.rename(path, f"apiServer.{name}", value=value)


def _for_api_server(value: Any) -> Any:
    """Return a value with the API server's port instead of the webserver's."""
    if isinstance(value, dict):
        return {key: _for_api_server(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_for_api_server(child) for child in value]
    if isinstance(value, str):
        return "api-server" if value == "airflow-ui" else value.replace(".Values.ports.airflowUI", ".Values.ports.apiServer")
    return value


def options(work: Work) -> None:
    """Put options of airflow.cfg where Airflow 3 reads them, and leave out what the official chart computes for itself."""
    for section, entries in list((work.get("config") or {}).items()):
        if not isinstance(entries, dict):
            continue
        for option, value in list(entries.items()):
            path = f"config.{section}.{option}"
            if isinstance(value, str) and "{{" in value and COMPUTED.search(value):
                work.drop(path, "the official chart's own text; this chart computes it")
            elif new := OPTIONS.get(f"{section}.{option}"):
                work.rename(path, f"config.{new}")
            elif section == "webserver":
                work.drop(path, "Airflow 3 does not read it")
            elif section == "kubernetes":
                work.drop(path, "Airflow reads `kubernetes_executor`, which has no such option")
            elif section in ("celery", "celery_kubernetes_executor"):
                work.drop(path, "only the CeleryExecutor reads it")
    for old in ("config.scheduler.run_duration", "config.scheduler.standalone_dag_processor"):
        work.drop(old, "Airflow 3 does not read it")


def workers(work: Work) -> None:
    """Give task pods what Celery's workers had, where a task needs it."""
    known = umbrella()["properties"]["airflow"]["properties"]["workers"]["properties"]["kubernetes"]["properties"]
    for name in list(work.get("workers.celery") or {}):
        path = f"workers.celery.{name}"
        if name in ("resources", "command", "serviceAccount") and name != "serviceAccount":
            work.drop(path, "it is of a worker with several tasks; set what one task needs by workers.kubernetes.resources")
        elif name in known and "erberos" not in name:
            work.rename(path, f"workers.kubernetes.{name}")


def sidecar(work: Work) -> None:
    """Give what the git-sync sidecar had to the containers that read the repository here.

    Its proxy becomes one of git alone: HTTPS_PROXY in every Airflow container would take requests to the Kubernetes API too.
    """
    given = [item for item in work.take("dags.gitSync.env") or [] if isinstance(item, dict)]
    if given:
        own: list[dict[str, Any]] = []
        left: list[str] = []
        for item in given:
            name = str(item.get("name", ""))
            if name.upper() in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
                if not any(other["name"] == "GIT_CONFIG_COUNT" for other in own):
                    own += [{"name": "GIT_CONFIG_COUNT", "value": "1"}, {"name": "GIT_CONFIG_KEY_0", "value": "http.proxy"}]
                    own.append({**item, "name": "GIT_CONFIG_VALUE_0"})
            elif name.startswith(("GITSYNC_", "GIT_SYNC_", "GIT_KNOWN_HOSTS")) or name.upper() == "NO_PROXY":
                left.append(name)
            else:
                own.append(item)
        there = {item.get("name") for item in work.get("env") or []}
        if own:
            work.put("env", [*(work.get("env") or []), *(item for item in own if item["name"] not in there)])
        notes = ["env, a proxy as one of git alone" if own else "variables of git-sync, which is not here"]
        notes += [f"left out: {', '.join(left)}"] if own and left else []
        work.say("dags.gitSync.env", RENAMED if own else DROPPED, "; ".join(notes))
    work.drop(
        "dags.gitSync.envFrom",
        "in every Airflow container a proxy would take requests to the Kubernetes API too; name git's own by env: "
        "GIT_CONFIG_COUNT=1, GIT_CONFIG_KEY_0=http.proxy, GIT_CONFIG_VALUE_0",
    )
    mounts = work.take("dags.gitSync.extraVolumeMounts")
    if mounts:
        work.put("volumeMounts", [*(work.get("volumeMounts") or []), *mounts])
        work.say("dags.gitSync.extraVolumeMounts", RENAMED, "volumeMounts; Airflow's own containers read the repository")
