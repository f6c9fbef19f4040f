"""Texts that the official chart's values.yaml has by itself, in any of its versions: who copies the file has them too."""

from __future__ import annotations

import re
from typing import Any

NAMESPACE = "{{.Release.Namespace}}"
_STATSD = '{{ternary"True""False".Values.statsd.enabled}}'
_ELASTIC = '{{ternary"True""False".Values.elasticsearch.enabled}}'
_INDEX = '{{ternary"True""False"(or.Values.elasticsearch.enabled.Values.opensearch.enabled)}}'
_STATSD_HOST = ('{{printf"%s-statsd".Release.Name}}', '{{printf"%s-statsd"(include"airflow.fullname".)}}')
_KUBERNETES = {
    "namespace": (NAMESPACE,),
    "airflow_configmap": ('{{include"airflow_config".}}',),
    "airflow_local_settings_configmap": ('{{include"airflow_config".}}',),
    "pod_template_file": ('{{include"airflow_pod_template_file".}}/pod_template_file.yaml',),
    "worker_container_repository": ("{{.Values.images.airflow.repository|default.Values.defaultAirflowRepository}}",),
    "worker_container_tag": ("{{.Values.images.airflow.tag|default.Values.defaultAirflowTag}}",),
    "multi_namespace_mode": (
        '{{ternary"True""False".Values.multiNamespaceMode}}',
        "{{if.Values.multiNamespaceMode}}True{{else}}False{{end}}",
    ),
}  # fmt: skip
#: The templates of `config`, by option, without the space that may stand in them.
TEXTS = {
    "core.dags_folder": ('{{include"airflow_dags".}}',),
    "core.executor": ("{{.Values.executor}}",),
    "core.remote_logging": (_ELASTIC, _INDEX),
    "logging.remote_logging": (_ELASTIC, _INDEX),
    "celery.flower_url_prefix": ('{{ternary"".Values.ingress.flower.path(eq.Values.ingress.flower.path"/")}}',),
    "celery.sync_parallelism": ('{{include"cpu_count"(((.Values.scheduler).resources).limits).cpu}}',),
    "dag_processor.dag_bundle_config_list": ('{{include"dag_bundle_config_list".}}',),
    "metrics.otel_on": ('{{ternary"True""False".Values.otelCollector.metricsEnabled}}',),
    "traces.otel_on": ('{{ternary"True""False".Values.otelCollector.tracesEnabled}}',),
    "kerberos.keytab": ("{{.Values.kerberos.keytabPath}}",),
    "kerberos.reinit_frequency": ("{{.Values.kerberos.reinitFrequency}}",),
    "kerberos.principal": ("{{.Values.kerberos.principal}}",),
    "kerberos.ccache": ("{{.Values.kerberos.ccacheMountPath}}/{{.Values.kerberos.ccacheFileName}}",),
    **{f"{section}.statsd_on": (_STATSD,) for section in ("metrics", "scheduler")},
    **{f"{section}.statsd_host": _STATSD_HOST for section in ("metrics", "scheduler")},
    **{f"{section}.{key}": texts for section in ("kubernetes", "kubernetes_executor") for key, texts in _KUBERNETES.items()},
}
#: The alert that the official chart made of a webserver key of its own; its condition on Airflow's version differs.
ALERT = re.compile(
    r"\{\{if(?P<condition>[^{}]{0,200})\}\}\{\{ifnot\(or\.Values\.webserverSecretKey\.Values\.webserverSecretKeySecretName\)\}\}"
    r"fromairflow\.www\.utilsimportUIAlertDASHBOARD_UIALERTS=\[UIAlert\("
    r"[^()\[\]{}]{0,500}roles=\[\"Admin\"\],html=True,?\)\]\{\{end\}\}\{\{end\}\}"
)


def plain(text: str) -> str:
    """Return a text without space, and with templates that trim none.

    Args:
        text: a template.
    """
    return re.sub(r"\s+", "", text).replace("{{-", "{{").replace("-}}", "}}")


def computed(option: str, value: Any) -> bool:
    """Whether a line of `config` is the official chart's own text, in place of which this chart computes the value.

    Args:
        option: for example `core.dags_folder`.
        value: what the file gives it.
    """
    return isinstance(value, str) and plain(value) in TEXTS.get(option, ())


def alert(text: str) -> bool:
    """Whether a text is the official chart's own `airflowLocalSettings`.

    Args:
        text: the value.
    """
    found = ALERT.fullmatch(plain(text))
    return found is not None and "semverCompare" in found["condition"]
