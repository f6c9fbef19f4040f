"""The statsd exporter, OpenTelemetry, monitors, alerts and the dashboard, as rendered."""

from __future__ import annotations

import configparser
import functools
import json
import re
from typing import Any, get_args

import kubernetes_validate
import pytest
import yaml
from batches import batches, values
from rendering import CHARTS, LOADER, Object, RenderError, cfg, check_layout, containers, env, find, nested, render

from airspark.charts.airflow_metrics import Alert, Thresholds

MONITORING = "monitoring.coreos.com/v1"
ALL_ON: Object = {
    "statsd": {"enabled": True},
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prom"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prom"}},
        "dashboard": {"enabled": True},
    },
}


def airflow(*changes: Object) -> list[Object]:
    """Render the Airflow chart with the exporter on and the given values over that."""
    whole: Object = {"statsd": {"enabled": True}}
    for change in changes:
        whole = _over(whole, change)
    return render(whole, chart="airflow")


def _over(below: Object, above: Object) -> Object:
    merged = dict(below)
    for key, value in above.items():
        merged[key] = _over(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
    return merged


def section(objects: list[Object], name: str) -> dict[str, str]:
    """Return a section of airflow.cfg."""
    parser = configparser.RawConfigParser()
    parser.read_string(cfg(objects))
    return dict(parser[name])


def statsd(objects: list[Object], kind: str = "Deployment") -> Object:
    """Return an object of the exporter, by default its Deployment."""
    return find(objects, kind, "airspark-statsd")


def pod(objects: list[Object]) -> Object:
    """Return the spec of the exporter's pod."""
    return dict(statsd(objects)["spec"]["template"]["spec"])


def mappings(objects: list[Object]) -> Object:
    """Return the exporter's mappings."""
    return dict(yaml.load(statsd(objects, "ConfigMap")["data"]["mappings.yml"], Loader=LOADER))


def rules(*changes: Object) -> dict[str, Object]:
    """Return the rules of the PrometheusRule by alert or record."""
    rule = find(airflow(nested("metrics.prometheusRule.enabled", True), *changes), "PrometheusRule", "airspark-airflow")
    (group,) = rule["spec"]["groups"]
    return {item.get("alert", item.get("record")): item for item in group["rules"]}


def dashboard() -> Object:
    """Return the Grafana dashboard."""
    text = find(render(ALL_ON, chart="airflow"), "ConfigMap", "airspark-dashboard")["data"]["airflow.json"]
    return dict(json.loads(text))


def should_install_no_exporter_and_no_monitoring_if_nothing_is_set() -> None:
    objects = render(chart="airflow")
    assert not [item for item in objects if item["metadata"]["labels"]["component"] in ("statsd", "metrics")]
    # with names of DAG and task on, each task reads a table of names at its start
    assert section(objects, "metrics") == {"statsd_on": "False", "otel_on": "False", "legacy_names_on": "False"}
    assert section(objects, "traces") == {"otel_on": "False"}


def should_make_valid_objects_if_statsd_enabled_is_set() -> None:
    for item in render(ALL_ON, chart="airflow"):
        if item["apiVersion"] != MONITORING:
            kubernetes_validate.validate(item, "1.37", strict=True)


def should_send_tags_and_no_names_with_dag_and_task_if_statsd_enabled_is_set() -> None:
    assert section(airflow(), "metrics") == {
        "statsd_on": "True",
        "otel_on": "False",
        "statsd_host": "airspark-statsd.airspark.svc",
        "statsd_port": "9125",
        "statsd_prefix": "airflow",
        "statsd_influxdb_enabled": "True",
        "legacy_names_on": "False",
    }


@pytest.mark.parametrize(("key", "legacy", "tags"), [("extraMappings", "True", "True"), ("overrideMappings", "True", "False")])
def should_send_the_names_that_mappings_are_written_for_if_statsd_mappings_are_set(key: str, legacy: str, tags: str) -> None:
    mapping = {"match": "airflow.pool.open_slots.*", "name": "open", "labels": {"pool": "$1"}}
    objects = airflow(nested(f"statsd.{key}", [mapping]))
    found = section(objects, "metrics")
    assert (found["legacy_names_on"], found["statsd_influxdb_enabled"]) == (legacy, tags)
    all_mappings = mappings(objects)["mappings"]
    assert all_mappings[0] == mapping
    assert (len(all_mappings) == 1) == (key == "overrideMappings")


def should_leave_legacy_names_to_airflow_if_config_metrics_sends_elsewhere() -> None:
    objects = render({"config": {"metrics": {"statsd_on": "True", "statsd_host": "elsewhere"}}}, chart="airflow")
    assert "legacy_names_on" not in section(objects, "metrics")


def should_keep_what_a_user_says_if_config_metrics_is_set() -> None:
    own = {"statsd_host": "elsewhere", "legacy_names_on": "True", "statsd_prefix": "etl"}
    objects = airflow({"config": {"metrics": own}})
    assert section(objects, "metrics").items() >= own.items()
    assert all(rule["match"].startswith("^etl\\.") for rule in mappings(objects)["mappings"])


def should_listen_and_be_reached_at_other_ports_if_ports_statsd_is_set() -> None:
    objects = airflow({"ports": {"statsdIngest": 8125, "statsdScrape": 9200}})
    assert section(objects, "metrics")["statsd_port"] == "8125"
    container = pod(objects)["containers"][0]
    assert {"--statsd.listen-udp=:8125", "--web.listen-address=:9200"} <= set(container["args"])
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("statsd-ingest", 8125),
        ("statsd-scrape", 9200),
    ]
    service = statsd(objects, "Service")
    assert [(port["port"], port.get("protocol", "TCP")) for port in service["spec"]["ports"]] == [(8125, "UDP"), (9200, "TCP")]
    assert service["metadata"]["annotations"] == {"prometheus.io/scrape": "true", "prometheus.io/port": "9200"}


def should_restart_the_exporter_if_a_mapping_changes() -> None:
    def checksum(objects: list[Object]) -> str:
        return str(statsd(objects)["spec"]["template"]["metadata"]["annotations"]["checksum/statsd-config"])

    changed = airflow(nested("statsd.extraMappings", [{"match": "a.b", "name": "c"}]))
    assert checksum(airflow()) == checksum(airflow(nested("scheduler.replicas", 1))) != checksum(changed)


STATSD_KEYS: dict[str, tuple[Any, str, Any]] = {
    "args": (["--log.level=debug"], "pod/containers/0/args", ["--log.level=debug"]),
    "command": (["/bin/own"], "pod/containers/0/command", ["/bin/own"]),
    "env": ([{"name": "TZ", "value": "UTC"}], "pod/containers/0/env/0/value", "UTC"),
    "resources.limits.memory": ("64Mi", "pod/containers/0/resources/limits/memory", "64Mi"),
    "cache.size": (5, "pod/containers/0/args/4", "--statsd.cache-size=5"),
    "cache.type": ("random", "pod/containers/0/args/5", "--statsd.cache-type=random"),
    "cache.ttl": ("30m", "mappings/defaults/ttl", "30m"),
    "uid": (12, "pod/securityContext/runAsUser", 12),
    "securityContexts.pod": ({"supplementalGroups": [7]}, "pod/securityContext/supplementalGroups", [7]),
    "securityContexts.container": ({"runAsUser": 9}, "pod/containers/0/securityContext/runAsUser", 9),
    "containerLifecycleHooks": ({"preStop": {"sleep": {"seconds": 5}}}, "pod/containers/0/lifecycle/preStop/sleep/seconds", 5),
    "extraContainers": ([{"name": "more"}], "pod/containers/1/name", "more"),
    "extraInitContainers": ([{"name": "first"}], "pod/initContainers/0/name", "first"),
    "extraVolumes": ([{"name": "v", "emptyDir": {}}], "pod/volumes/1/name", "v"),
    "extraVolumeMounts": ([{"name": "v", "mountPath": "/v"}], "pod/containers/0/volumeMounts/1/mountPath", "/v"),
    "nodeSelector": ({"pool": "a"}, "pod/nodeSelector/pool", "a"),
    "affinity": ({"podAffinity": {}}, "pod/affinity", {"podAffinity": {}}),
    "tolerations": ([{"operator": "Exists"}], "pod/tolerations/0/operator", "Exists"),
    "topologySpreadConstraints": ([{"maxSkew": 2}], "pod/topologySpreadConstraints/0/maxSkew", 2),
    "priorityClassName": ("high", "pod/priorityClassName", "high"),
    "terminationGracePeriodSeconds": (9, "pod/terminationGracePeriodSeconds", 9),
    "serviceAccount.automountServiceAccountToken": (True, "pod/automountServiceAccountToken", True),
    "serviceAccount.name": ("own", "pod/serviceAccountName", "own"),
    "serviceAccount.annotations": ({"role": "a"}, "ServiceAccount/metadata/annotations/role", "a"),
    "revisionHistoryLimit": (9, "Deployment/spec/revisionHistoryLimit", 9),
    "annotations": ({"a": "b"}, "Deployment/metadata/annotations/a", "b"),
    "podAnnotations": ({"a": "{{ .Release.Name }}"}, "Deployment/spec/template/metadata/annotations/a", "airspark"),
    "labels": ({"team": "data"}, "Deployment/spec/template/metadata/labels/team", "data"),
    "service.extraAnnotations": ({"a": "b"}, "Service/metadata/annotations/a", "b"),
    "configMapAnnotations": ({"a": "b"}, "ConfigMap/metadata/annotations/a", "b"),
}
STATSD_BATCHES = batches({key: {f"statsd.{key}": value} for key, (value, _, _) in STATSD_KEYS.items()}, alone=["args"])


@pytest.mark.parametrize("key", STATSD_KEYS)
def should_follow_a_key_of_statsd_if_it_is_set(key: str) -> None:
    _, path, expected = STATSD_KEYS[key]
    objects = airflow(values(STATSD_BATCHES[key]))
    root, *parts = path.split("/")
    if root == "ServiceAccount":
        here: Any = next(item for item in objects if item["kind"] == root and item["metadata"]["labels"]["component"] == "statsd")
    else:
        here = {"pod": pod, "mappings": mappings}.get(root, functools.partial(statsd, kind=root))(objects)
    for part in parts:
        here = here[int(part)] if isinstance(here, list) else here[part]
    assert here == expected


def should_bring_the_account_that_somebody_else_makes_if_statsd_serviceaccount_create_is_false() -> None:
    objects = airflow(nested("statsd.serviceAccount", {"create": False, "name": "shared"}))
    assert "airspark-airflow-statsd" not in {item["metadata"]["name"] for item in objects}
    assert pod(objects)["serviceAccountName"] == "shared"


def should_run_the_image_that_images_statsd_names() -> None:
    objects = airflow({"images": {"statsd": {"repository": "mirror/statsd", "tag": "v9", "pullPolicy": "Always"}}})
    container = pod(objects)["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("mirror/statsd:v9", "Always")


OTEL = {"otelCollector": {"metricsEnabled": True, "tracesEnabled": True, "endpoint": "http://collector:4318"}}
SENDERS = {"api-server/api-server", "scheduler/scheduler", "dag-processor/dag-processor", "triggerer/triggerer", "worker/base"}


def should_send_metrics_and_traces_from_every_component_if_otelcollector_is_set() -> None:
    objects = airflow(OTEL)
    found = {name: env(container) for name, container, _ in containers(objects)}
    assert {name for name, variables in found.items() if "OTEL_EXPORTER_OTLP_ENDPOINT" in variables} >= SENDERS
    for name in SENDERS:
        variables = found[name]
        assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
        assert variables["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
        assert variables["OTEL_TRACES_EXPORTER"] == "otlp_proto_http"
        assert variables["OTEL_METRIC_EXPORT_INTERVAL"] == "30000"
        assert variables["OTEL_SERVICE_NAME"] == f"airspark-{name.split('/')[0]}"
        assert variables["OTEL_POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        # the kubelet replaces only what stands before
        assert list(variables).index("OTEL_POD_NAME") < list(variables).index("OTEL_RESOURCE_ATTRIBUTES")
        assert variables["OTEL_RESOURCE_ATTRIBUTES"] == "k8s.namespace.name=airspark,k8s.pod.name=$(OTEL_POD_NAME)"
    assert section(objects, "traces") == {"otel_on": "True"}
    # Airflow sends metrics one way only
    assert section(objects, "metrics") == {"statsd_on": "False", "otel_on": "True", "legacy_names_on": "False"}


def should_use_no_deprecated_setting_if_otelcollector_is_set() -> None:
    found = section(airflow(OTEL), "metrics") | section(airflow(OTEL), "traces")
    assert {key for key in found if key.startswith("otel_")} == {"otel_on"}


def should_set_only_what_is_wanted_if_otelcollector_tracesenabled_is_set() -> None:
    objects = airflow({"otelCollector": {"tracesEnabled": True, "endpoint": "http://c:4317", "protocol": "grpc"}})
    variables = next(env(container) for name, container, _ in containers(objects) if name == "scheduler/scheduler")
    assert "OTEL_METRIC_EXPORT_INTERVAL" not in variables
    assert (variables["OTEL_EXPORTER_OTLP_PROTOCOL"], variables["OTEL_TRACES_EXPORTER"]) == ("grpc", "otlp_proto_grpc")
    assert section(objects, "metrics")["statsd_on"] == "True"


def should_take_headers_from_a_secret_and_more_variables_if_otelcollector_says_so() -> None:
    more = {"headersSecretName": "collector-token", "env": [{"name": "OTEL_TRACES_SAMPLER", "value": "always_on"}]}
    objects = airflow(OTEL, {"otelCollector": {**more, "metricExportIntervalMs": 5000}})
    for name, container, _ in containers(objects):
        if name in SENDERS:
            variables = env(container)
            assert variables["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "collector-token", "key": "headers"}}
            assert variables["OTEL_TRACES_SAMPLER"] == "always_on"
            assert variables["OTEL_METRIC_EXPORT_INTERVAL"] == "5000"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"otelCollector": {"metricsEnabled": True}}, "otelCollector.endpoint: "),
        ({"statsd": {"enabled": False}, "metrics": {"podMonitor": {"enabled": True}}}, "metrics.podMonitor.enabled: "),
        ({"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}, "metrics.podMonitor.enabled: "),
        ({"statsd": {"enabled": False}, "metrics": {"prometheusRule": {"enabled": True}}}, "metrics.prometheusRule.enabled: "),
        ({"metrics": {"prometheusRule": {"thresholds": {"typo": 1}}}}, "typo"),
        ({"metrics": {"prometheusRule": {"thresholds": {"failureRatio": 20}}}}, "failureRatio"),
        ({"metrics": {"prometheusRule": {"disabled": ["AirflowTypo"]}}}, "disabled"),
    ],
)
def should_refuse_what_would_measure_nothing(wrong: Object, sentence: str) -> None:
    with pytest.raises(RenderError) as refusal:
        airflow(wrong)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(("kind", "endpoints"), [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")])
def should_read_the_exporter_alone_if_metrics_monitor_is_set(kind: str, endpoints: str) -> None:
    key = f"metrics.{kind[0].lower()}{kind[1:]}"
    change = {"action": "drop", "sourceLabels": ["__name__"], "regex": "airflow_serde.*"}
    more = {"scrapeTimeout": "5s", "relabelings": [{"targetLabel": "cluster", "replacement": "a"}], "metricRelabelings": [change]}
    objects = airflow(
        nested(key, {"enabled": True, "labels": {"release": "prom"}, "interval": "15s", "annotations": {"a": "b"}, **more})
    )
    monitor = find(objects, kind, "airspark-statsd")
    assert monitor["apiVersion"] == MONITORING
    assert monitor["metadata"]["labels"]["release"] == "prom"
    assert monitor["metadata"]["annotations"] == {"a": "b"}
    wanted = monitor["spec"]["selector"]["matchLabels"]
    source = "Service" if kind == "ServiceMonitor" else "Pod"
    labels = [item["metadata"]["labels"] for item in objects if item["kind"] == "Service"]
    if source == "Pod":
        labels = [item["spec"]["template"]["metadata"]["labels"] for item in objects if item["kind"] == "Deployment"]
    assert [found["component"] for found in labels if wanted.items() <= found.items()] == ["statsd"]
    (endpoint,) = monitor["spec"][endpoints]
    assert endpoint == {
        "port": "statsd-scrape",
        "path": "/metrics",
        "interval": "15s",
        "scrapeTimeout": "5s",
        "relabelings": [{"targetLabel": "job", "replacement": "airspark-statsd"}, more["relabelings"][0]],
        "metricRelabelings": [change],
    }
    # annotations and a monitor together would read everything twice
    assert "prometheus.io/scrape" not in statsd(objects, "Service")["metadata"].get("annotations", {})


def should_say_in_each_alert_what_happened_and_the_next_command() -> None:
    for name, rule in rules().items():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical"), name
            assert set(rule["annotations"]) == {"summary", "description"}, name
            assert "Next: " in rule["annotations"]["description"], name
        assert rule["labels"]["namespace"] == "airspark" and rule["labels"]["release"] == "airspark", name
        assert "$(" not in json.dumps(rule), name


def should_name_the_same_alerts_and_defaults_in_the_schema_as_in_the_rules() -> None:
    assert {name for name, rule in rules().items() if "alert" in rule} == set(get_args(Alert))
    defaults = yaml.safe_load((CHARTS / "airflow/files/alerts.yaml").read_text())["thresholds"]
    described = {name: field.description for name, field in Thresholds.model_fields.items()}
    assert described.keys() == defaults.keys()
    for name, default in defaults.items():
        assert described[name] is not None and str(described[name]).endswith(f"; default {default}"), name


def should_explain_each_alert_in_the_documentation() -> None:
    text = (CHARTS.parent / "docs/observability.md").read_text()
    assert [name for name in get_args(Alert) if name not in text] == []


THRESHOLDS = {
    "heartbeatMinutes": ("AirflowSchedulerHeartbeatMissing", "for", "7m"),
    "executorFullMinutes": ("AirflowExecutorFull", "for", "7m"),
    "noTaskStartMinutes": ("AirflowNoTaskStarts", "for", "7m"),
    "queuedMinutes": ("AirflowTaskQueuedLong", "for", "7m"),
    "poolFullMinutes": ("AirflowPoolFull", "for", "7m"),
    "podFailures": ("AirflowPodCreationFailing", "expr", ">= 7"),
    "importErrorMinutes": ("AirflowDagImportErrors", "for", "7m"),
    "parseSeconds": ("AirflowDagProcessingSlow", "expr", "> 7"),
    "failureRatio": ("AirflowTasksFailing", "expr", "> 0 "),
    "failureMinimum": ("AirflowTasksFailing", "expr", ">= 7"),
    "lostTasks": ("AirflowTasksLost", "expr", ">= 7"),
}


def should_move_each_threshold_if_metrics_prometheusrule_thresholds_is_set() -> None:
    assert THRESHOLDS.keys() == Thresholds.model_fields.keys()
    thresholds = {name: 0 if name == "failureRatio" else 7 for name in THRESHOLDS}
    found = rules(nested("metrics.prometheusRule.thresholds", thresholds))
    for name, (alert, part, expected) in THRESHOLDS.items():
        assert expected in f"{found[alert][part]} ", name


def should_leave_out_and_add_rules_if_metrics_prometheusrule_says_so() -> None:
    own = {"alert": "Own", "expr": "vector(1)"}
    found = rules({"metrics": {"prometheusRule": {"disabled": ["AirflowPoolFull"], "additionalRules": [own]}}})
    assert "AirflowPoolFull" not in found and found["Own"] == own
    assert "AirflowTriggererHeartbeatMissing" in found
    assert "AirflowTriggererHeartbeatMissing" not in rules(nested("triggerer.enabled", False))


def should_match_only_this_release_unless_metrics_prometheusrule_selector_is_set() -> None:
    mine = re.compile(r'\{namespace="airspark",(job="airspark-statsd"|release="airspark")[,}]')
    for name, rule in rules().items():
        assert len(mine.findall(rule["expr"])) == len(re.findall(r"\{", rule["expr"])) > 0, name
    other = rules({"statsd": {"enabled": False}, "metrics": {"prometheusRule": {"selector": 'cluster="a"'}}})
    assert 'airflow_ti_start_total{cluster="a"}' in other["release:airflow_ti_start_total:sum"]["expr"]


def should_hold_a_dashboard_that_grafana_finds_if_metrics_dashboard_is_set() -> None:
    shown = {"metrics": {"dashboard": {"enabled": True, "labels": {"own": "1"}, "annotations": {"folder": "Data"}}}}
    metadata = find(airflow(shown), "ConfigMap", "airspark-dashboard")["metadata"]
    assert metadata["labels"].items() >= {"own": "1", "grafana_dashboard": "1"}.items()
    assert metadata["annotations"] == {"folder": "Data"}


def should_lay_out_a_dashboard_without_gaps_and_overlaps() -> None:
    check_layout(dashboard()["panels"])


def should_ask_each_question_of_the_dashboard_of_the_chosen_release_alone() -> None:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            braces = re.findall(r"\{[^}]*\}", target["expr"])
            assert braces and set(braces) == {'{namespace="$namespace",job="$job"}'}, target["expr"]
