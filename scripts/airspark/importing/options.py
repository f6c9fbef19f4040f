"""Options of airflow.cfg that Airflow 3 reads elsewhere or not at all."""

from __future__ import annotations

import re
from typing import Any

from airspark.importing import official
from airspark.importing.work import Work

UNREAD = "Airflow 3 does not read it"
CELERY = "only the CeleryExecutor reads it"
KUBERNETES = "Airflow reads `kubernetes_executor`, which has no such option"
_LOGGING = (
    "base_log_folder",
    "colored_console_log",
    "colored_formatter_class",
    "colored_log_format",
    "encrypt_s3_logs",
    "fab_logging_level",
    "log_filename_template",
    "log_format",
    "logging_config_class",
    "logging_level",
    "remote_base_log_folder",
    "remote_log_conn_id",
    "remote_logging",
    "simple_log_format",
    "task_log_prefix_template",
    "task_log_reader",
)
_KUBERNETES = (
    "cluster_context",
    "config_file",
    "delete_option_kwargs",
    "delete_worker_pods",
    "delete_worker_pods_on_failure",
    "enable_tcp_keepalive",
    "in_cluster",
    "kube_client_request_args",
    "multi_namespace_mode",
    "multi_namespace_mode_namespace_list",
    "namespace",
    "pod_template_file",
    "ssl_ca_cert",
    "task_publish_max_retries",
    "tcp_keep_cnt",
    "tcp_keep_idle",
    "tcp_keep_intvl",
    "verify_ssl",
    "worker_container_repository",
    "worker_container_tag",
    "worker_pods_creation_batch_size",
    "worker_pods_queued_check_interval",
)
#: Where Airflow 3 reads an option of Airflow 2; tests/dags/test_airflow_options.py holds it against Airflow's own lists.
OPTIONS = {
    **{f"webserver.{key}": f"api.{key}" for key in (
        "auto_refresh_interval", "base_url", "default_wrap", "enable_swagger_ui", "expose_config", "grid_view_sorting_order",
        "hide_paused_dags_by_default", "instance_name", "log_fetch_timeout_sec", "require_confirmation_dag_change", "secret_key",
        "workers")},
    "webserver.page_size": "api.fallback_page_limit",
    "api.page_size": "api.fallback_page_limit",
    "webserver.web_server_host": "api.host",
    "webserver.web_server_port": "api.port",
    "webserver.web_server_worker_timeout": "api.worker_timeout",
    "webserver.web_server_ssl_cert": "api.ssl_cert",
    "webserver.web_server_ssl_key": "api.ssl_key",
    **{f"webserver.{key}": f"fab.{key}" for key in (
        "access_denied_message", "auth_rate_limit", "auth_rate_limited", "config_file", "cookie_samesite", "cookie_secure",
        "enable_proxy_fix", "expose_hostname", "navbar_color", "navbar_hover_color", "navbar_text_color",
        "navbar_text_hover_color", "proxy_fix_x_for", "proxy_fix_x_host", "proxy_fix_x_port", "proxy_fix_x_prefix",
        "proxy_fix_x_proto", "session_backend", "session_lifetime_minutes", "update_fab_perms")},
    "webserver.session_lifetime_days": "fab.session_lifetime_minutes",
    "webserver.force_log_out_after": "fab.session_lifetime_minutes",
    "api.access_control_allow_origin": "api.access_control_allow_origins",
    "api.auth_backend": "fab.auth_backends",
    "api.auth_backends": "fab.auth_backends",
    "admin.hide_sensitive_variable_fields": "core.hide_sensitive_var_conn_fields",
    "admin.sensitive_variable_fields": "core.sensitive_var_conn_names",
    **{f"core.{key}": f"logging.{key}" for key in _LOGGING},
    **{f"core.{key}": f"database.{key}" for key in (
        "max_db_retries", "sql_alchemy_conn", "sql_alchemy_connect_args", "sql_alchemy_max_overflow", "sql_alchemy_pool_enabled",
        "sql_alchemy_pool_pre_ping", "sql_alchemy_pool_recycle", "sql_alchemy_pool_size", "sql_alchemy_schema",
        "sql_engine_collation_for_ids", "sql_engine_encoding")},
    "core.dag_concurrency": "core.max_active_tasks_per_dag",
    "core.dag_file_processor_timeout": "dag_processor.dag_file_processor_timeout",
    "core.dataset_manager_class": "core.asset_manager_class",
    "core.dataset_manager_kwargs": "core.asset_manager_kwargs",
    "core.max_num_rendered_ti_fields_per_task": "core.num_dag_runs_to_retain_rendered_fields",
    "core.non_pooled_task_slot_count": "core.default_pool_task_slot_count",
    "workers.execution_api_server_url": "core.execution_api_server_url",
    "workers.missing_dag_retires": "workers.missing_dag_retries",
    **{f"scheduler.{key}": f"metrics.{key}" for key in (
        "stat_name_handler", "statsd_custom_client_path", "statsd_datadog_enabled", "statsd_datadog_metrics_tags",
        "statsd_datadog_tags", "statsd_host", "statsd_on", "statsd_port", "statsd_prefix")},
    "scheduler.statsd_allow_list": "metrics.metrics_allow_list",
    "metrics.statsd_allow_list": "metrics.metrics_allow_list",
    "metrics.statsd_block_list": "metrics.metrics_block_list",
    **{f"scheduler.{key}": f"dag_processor.{key}" for key in (
        "file_parsing_sort_mode", "max_callbacks_per_loop", "min_file_process_interval", "parsing_pre_import_modules",
        "parsing_processes", "print_stats_interval", "stale_dag_threshold")},
    "scheduler.dag_dir_list_interval": "dag_processor.refresh_interval",
    "scheduler.max_threads": "dag_processor.parsing_processes",
    "scheduler.child_process_log_directory": "logging.dag_processor_child_process_log_directory",
    "scheduler.deactivate_stale_dags_interval": "scheduler.parsing_cleanup_interval",
    "scheduler.local_task_job_heartbeat_sec": "scheduler.task_instance_heartbeat_sec",
    "scheduler.processor_poll_interval": "scheduler.scheduler_idle_sleep_time",
    "scheduler.running_metrics_interval": "scheduler.ti_metrics_interval",
    "scheduler.scheduler_zombie_task_threshold": "scheduler.task_instance_heartbeat_timeout",
    "scheduler.zombie_detection_interval": "scheduler.task_instance_heartbeat_timeout_detection_interval",
    "triggerer.default_capacity": "triggerer.capacity",
    "celery.default_queue": "operators.default_queue",
    "celery.stalled_task_timeout": "scheduler.task_queued_timeout",
    "celery.task_adoption_timeout": "scheduler.task_queued_timeout",
    **{f"kubernetes.{key}": f"kubernetes_executor.{key}" for key in _KUBERNETES},
    **{f"{section}.worker_pods_pending_timeout{end}": f"scheduler.task_queued_timeout{end}"
       for section in ("kubernetes", "kubernetes_executor") for end in ("", "_check_interval")},
}  # fmt: skip
#: Options that Airflow 3 has not, outside of sections that are gone as a whole, and why or what to write in their place.
REMOVED = {
    **dict.fromkeys((
        "core.check_slas", "core.dag_default_view", "core.dag_orientation", "core.dag_processor_manager_log_location",
        "core.enable_xcom_pickling", "core.load_default_connections", "core.log_processor_filename_template",
        "core.strict_dataset_uri_validation", "core.task_runner", "database.load_default_connections",
        "logging.colored_formatter_class", "logging.colored_log_format", "logging.dag_processor_manager_log_location",
        "logging.dag_processor_manager_log_stdout", "logging.enable_task_context_logger",
        "logging.log_processor_filename_template",
        "metrics.metrics_use_pattern_match", "metrics.timer_unit_consistency", "operators.allow_illegal_arguments",
        "policy.airflow_local_settings", "scheduler.allow_trigger_in_future", "scheduler.dag_stale_not_seen_duration",
        "scheduler.dependency_detector", "scheduler.run_duration", "scheduler.standalone_dag_processor",
        "traces.otel_task_log_event"), UNREAD),
    "core.worker_precheck": CELERY,
    "api.access_logfile": "the API server writes its access log to its output",
    "webserver.access_logfile": "the API server writes its access log to its output",
    "smtp.smtp_user": f"{UNREAD}; write the login into `connections.smtp_default`",
    "smtp.smtp_password": f"{UNREAD}; write the login into `connections.smtp_default`, by `valueFrom`",
}  # fmt: skip
#: Sections whose options are gone, but for those of OPTIONS.
GONE = {"webserver": UNREAD, "kubernetes": KUBERNETES, "celery": CELERY, "celery_kubernetes_executor": CELERY}
#: Values that were defaults of Airflow 2 and that Airflow 3 cannot work with.
STALE = {
    "core.hostname": (":",),
    "email.email_backend": ("airflow.contrib.utils.sendgrid.send_email",),
    "elasticsearch.log_id_template": (
        "{dag_id}-{task_id}-{logical_date}-{try_number}",
        "{dag_id}_{task_id}_{execution_date}_{try_number}",
        "{dag_id}-{task_id}-{execution_date}-{try_number}",
    ),
    "logging.log_filename_template": (
        "{{ ti.dag_id }}/{{ ti.task_id }}/{{ ts }}/{{ try_number }}.log",
        "dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/{% if ti.map_index >= 0 %}"
        "map_index={{ ti.map_index }}/{% endif %}attempt={{ try_number }}.log",
    ),
}
OUTDATED = "a default of Airflow 2, with which Airflow 3 finds nothing; it has one of its own"
NO_BACKEND = "the FAB provider has none of these ways to log in to the API"
BACKENDS = ("airflow.api.auth.backend.", "airflow.providers.fab.auth_manager.api.auth.backend.")


def moved(option: str) -> str:
    """Return where Airflow 3 reads an option, or nothing if it reads it where it is or not at all.

    Args:
        option: for example `webserver.base_url`.
    """
    return OPTIONS.get(option, "")


def gone(option: str) -> str:
    """Return why an option has no effect in Airflow 3, or nothing if it has one.

    Args:
        option: for example `core.task_runner`.
    """
    if option in OPTIONS:
        return REMOVED.get(OPTIONS[option], "")
    return REMOVED.get(option) or GONE.get(option.split(".")[0], "")


def translated(option: str, value: Any) -> tuple[Any, str]:
    """Return an option's value as Airflow 3 wants it, and a note if it is another one.

    Args:
        option: its name in Airflow 2.
        value: what the file gives it.
    """
    if option == "webserver.session_lifetime_days" and str(value).isdigit():
        return str(int(value) * 24 * 60), "in minutes"
    if moved(option) == "fab.auth_backends" and BACKENDS[0] in str(value):
        changed = str(value).replace(*BACKENDS)
        kept = ", ".join(name for item in changed.split(",") if not (name := item.strip()).endswith((".deny_all", ".default")))
        return kept, "with the names that the FAB provider has for them"
    return value, ""


def stale(option: str, value: Any) -> bool:
    """Whether a value is a default of Airflow 2 that Airflow 3 cannot work with.

    Args:
        option: its name in Airflow 3.
        value: what the file gives it, with or without the quotes of Helm's templates around its braces.
    """
    plain = re.sub(r"\{\{\s{0,9}['\"`](\{[{%][^{}%]{0,100}[%}]\})['\"`]\s{0,9}\}\}", r"\1", str(value))
    return plain in STALE.get(option, ())


def options(work: Work) -> None:
    """Put options of airflow.cfg where Airflow 3 reads them, and leave out what the official chart computes for itself."""
    for section, entries in list((work.get("config") or {}).items()):
        if isinstance(entries, dict):
            for option, value in list(entries.items()):
                _line(work, f"{section}.{option}", value)


def _line(work: Work, option: str, value: Any) -> None:
    """Decide about one line of `config`."""
    path = f"config.{option}"
    if official.computed(option, value):
        work.drop(path, "the official chart's own text; this chart computes it")
    elif why := gone(option):
        work.drop(path, why)
    elif stale(moved(option) or option, value):
        work.drop(path, OUTDATED)
    elif new := moved(option):
        changed, note = translated(option, value)
        if note and not changed:
            work.drop(path, NO_BACKEND)
        else:
            work.rename(path, f"config.{new}", note, changed)
