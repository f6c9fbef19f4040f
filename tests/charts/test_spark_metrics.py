"""Spark's metrics: what its processes serve, monitors, alerts and the dashboard, as rendered."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
import yaml
from rendering import CHARTS, Object, RenderError, check_layout, find, nested, pods, render

from airspark.charts.spark_metrics import Alert, Thresholds

MONITORING = "monitoring.coreos.com/v1"
SERVLET = "org.apache.spark.metrics.sink.PrometheusServlet"
MONITORS = {"spark-master", "spark-worker", "spark-connect", "spark-task", "spark-application"}
DRIVER_PATHS = ["/metrics/prometheus/", "/metrics/executors/prometheus"]
PATHS = {
    "spark-master": ["/metrics/master/prometheus/", "/metrics/applications/prometheus/"],
    "spark-worker": ["/metrics/prometheus/"],
    "spark-connect": DRIVER_PATHS,
    "spark-task": DRIVER_PATHS,
    "spark-application": DRIVER_PATHS,
}
ALL_ON: Object = {
    "enabled": True,
    "podMonitor": {"enabled": True, "labels": {"release": "prom"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prom"}},
    "dashboard": {"enabled": True},
}


def spark(metrics: Object | None = None, **values: Any) -> list[Object]:
    """Render the whole platform with metrics of Spark, by default all of them, and other values of charts/spark."""
    return render({"spark": {"metrics": ALL_ON if metrics is None else {"enabled": True, **metrics}, **values}})


def conf(objects: list[Object], name: str = "airspark-spark-config") -> dict[str, str]:
    """Return the lines of spark-defaults.conf, of the daemons or of another ConfigMap."""
    lines = find(objects, "ConfigMap", name)["data"]["spark-defaults.conf"].splitlines()
    return dict(line.split(" ", 1) for line in lines)


def monitors(metrics: Object | None = None) -> dict[str, Object]:
    """Return the PodMonitors by name without the release's prefix."""
    found = [item for item in spark(metrics) if item["kind"] == "PodMonitor"]
    return {item["metadata"]["name"].removeprefix("airspark-"): item for item in found}


def rules(rule: Object | None = None, **values: Any) -> dict[str, Object]:
    """Return the rules of the PrometheusRule by alert or record."""
    objects = spark({"prometheusRule": {"enabled": True, **(rule or {})}}, **values)
    (group,) = find(objects, "PrometheusRule", "airspark-spark")["spec"]["groups"]
    return {item.get("alert", item.get("record")): item for item in group["rules"]}


def dashboard() -> Object:
    """Return the Grafana dashboard."""
    return dict(json.loads(find(spark(), "ConfigMap", "airspark-spark-dashboard")["data"]["spark.json"]))


def renamed(monitor: str, name: str) -> dict[str, str] | None:
    """Return the labels of a metric after a monitor's relabelings, or None if it is dropped."""
    labels = {"__name__": name}
    for step in monitors()[monitor]["spec"]["podMetricsEndpoints"][0]["metricRelabelings"]:
        text = ";".join(labels[label] for label in step["sourceLabels"])
        matched = re.fullmatch(step["regex"], text)
        if step.get("action") == "drop" and matched:
            return None
        if matched and step.get("action") != "drop":
            # `$3_Number` would be the group of that name
            labels[step["targetLabel"]] = matched.expand(re.sub(r"\$\{(\d)\}", r"\\\1", step["replacement"]))
    return labels


def should_serve_no_daemon_metrics_and_make_no_monitoring_if_nothing_is_set() -> None:
    objects = render()
    assert not [key for key in conf(objects) if key.startswith("spark.metrics")]
    assert not [item for item in objects if item["apiVersion"] == MONITORING or "dashboard" in item["metadata"]["name"]]


def should_have_master_and_workers_serve_their_metrics_if_metrics_enabled_is_set() -> None:
    found = conf(spark({}))
    for instance, path in {
        "master": "/metrics/master/prometheus",
        "applications": "/metrics/applications/prometheus",
        "worker": "/metrics/prometheus",
        "driver": "/metrics/prometheus",
    }.items():
        sink = f"spark.metrics.conf.{instance}.sink.prometheusServlet"
        assert (found[f"{sink}.class"], found[f"{sink}.path"]) == (SERVLET, path)
    # an executor has no page to serve them at
    assert not [key for key in found if ".executor." in key or ".*." in key]
    assert found["spark.metrics.conf.worker.source.jvm.class"] == "org.apache.spark.metrics.source.JvmSource"


def should_keep_what_a_user_says_if_sparkconf_names_a_sink() -> None:
    own = {"spark.metrics.conf.master.sink.prometheusServlet.path": "/own", "spark.metrics.conf.*.sink.csv.class": "a.B"}
    assert conf(spark({}, sparkConf=own)).items() >= own.items()


def should_have_drivers_in_task_pods_serve_metrics_under_names_without_an_application_id() -> None:
    found = conf(render(), "airspark-spark-client")
    sink = "spark.metrics.conf.driver.sink.prometheusServlet"
    assert (found[f"{sink}.class"], found[f"{sink}.path"]) == (SERVLET, "/metrics/prometheus")
    assert found["spark.metrics.namespace"] == "spark"
    own = conf(render(nested("airflow.sparkClient.conf", {"spark.metrics.namespace": "etl"})), "airspark-spark-client")
    assert own["spark.metrics.namespace"] == "etl"


@pytest.mark.parametrize(
    ("service", "port", "path"), [("master", "8080", "/metrics/master/prometheus/"), ("worker", "8081", "/metrics/prometheus/")]
)
def should_say_in_annotations_where_to_read_if_no_podmonitor_does(service: str, port: str, path: str) -> None:
    name = f"airspark-spark-{service}"
    wanted = {"prometheus.io/scrape": "true", "prometheus.io/port": port, "prometheus.io/path": path}
    assert find(spark({}), "Service", name)["metadata"]["annotations"] == wanted
    # annotations and a monitor together would read everything twice
    for objects in (spark(), render()):
        assert "annotations" not in find(objects, "Service", name)["metadata"]


def should_keep_the_annotations_of_master_service_annotations_beside_those_for_prometheus() -> None:
    objects = spark({}, master={"service": {"annotations": {"a": "b", "prometheus.io/port": "1"}}})
    found = find(objects, "Service", "airspark-spark-master")["metadata"]["annotations"]
    assert (found["a"], found["prometheus.io/port"], found["prometheus.io/scrape"]) == ("b", "1", "true")


def should_read_master_workers_and_every_kind_of_driver_if_metrics_podmonitor_is_set() -> None:
    assert monitors().keys() == MONITORS
    for name, monitor in monitors().items():
        assert monitor["apiVersion"] == MONITORING
        assert monitor["metadata"]["labels"]["release"] == "prom"
        assert [endpoint["path"] for endpoint in monitor["spec"]["podMetricsEndpoints"]] == PATHS[name], name


@pytest.mark.parametrize(("monitor", "component"), [("spark-master", "spark-master"), ("spark-worker", "spark-worker"),
                                                    ("spark-task", "worker")])  # fmt: skip
def should_select_one_component_and_a_port_that_its_pods_have(monitor: str, component: str) -> None:
    spec = monitors()[monitor]["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    found = {name: pod for name, pod in pods(spark()).items() if wanted <= pod["metadata"]["labels"].items()}
    assert list(found) == [component]
    ports = {port["name"] for container in found[component]["spec"]["containers"] for port in container.get("ports", [])}
    assert {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]} <= ports


def should_select_the_pods_that_spark_on_kubernetes_labels_as_drivers() -> None:
    spec = monitors()["spark-application"]["spec"]
    assert spec["selector"]["matchLabels"] == {"spark-role": "driver"}
    assert {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]} == {"spark-ui"}


def should_name_the_job_of_the_release_and_tell_two_paths_of_a_pod_apart() -> None:
    for name, monitor in monitors().items():
        job = name if name in ("spark-master", "spark-worker") else "spark-driver"
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert endpoint["relabelings"] == [
                {"targetLabel": "job", "replacement": f"airspark-{job}"},
                {"sourceLabels": ["__metrics_path__"], "targetLabel": "metrics_path"},
            ]


def should_label_metrics_of_a_task_with_dag_and_task() -> None:
    assert monitors()["spark-task"]["spec"]["podTargetLabels"] == ["dag_id", "task_id"]


def should_follow_the_keys_of_a_monitor() -> None:
    more = {
        "interval": "7s",
        "scrapeTimeout": "5s",
        "annotations": {"a": "b"},
        "relabelings": [{"targetLabel": "cluster", "replacement": "a"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "metrics_jvm_pools_.*"}],
    }
    for monitor in monitors({"podMonitor": {"enabled": True, **more}}).values():
        assert monitor["metadata"]["annotations"] == {"a": "b"}
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("7s", "5s")
            assert endpoint["relabelings"][-1:] == more["relabelings"]
            assert endpoint["metricRelabelings"][-1:] == more["metricRelabelings"]


def should_read_each_gauge_once() -> None:
    for name in MONITORS:
        assert renamed(name, "metrics_jvm_heap_used_Value") is None
        assert renamed(name, "metrics_CodeGenerator_sourceCodeSize_Count") is None
        assert renamed(name, "metrics_jvm_heap_used_Number") == {"__name__": "metrics_jvm_heap_used_Number"}


def should_make_labels_of_the_application_and_its_start_that_are_in_the_masters_names() -> None:
    assert renamed("spark-master", "metrics_application_sales_etl_2026_11_25_1795650691514_runtime_ms_Number") == {
        "__name__": "metrics_application_runtime_ms_Number",
        "application": "sales_etl_2026_11_25",
        "started": "1795650691514",
    }


@pytest.mark.parametrize(
    "application",
    ["spark", "app_20261125235131_0000", "app_20261125235131_12345", "spark_0123456789abcdef0123456789abcdef",
     "spark_application_1795650691514", "local_1795650691514"],
)  # fmt: skip
@pytest.mark.parametrize("monitor", ["spark-connect", "spark-task", "spark-application"])
def should_take_the_application_id_out_of_a_drivers_names(monitor: str, application: str) -> None:
    found = renamed(monitor, f"metrics_{application}_driver_DAGScheduler_stage_failedStages_Number")
    assert found == {"__name__": "metrics_spark_driver_DAGScheduler_stage_failedStages_Number"}


@pytest.mark.parametrize("part", ["podMonitor", "prometheusRule"])
def should_refuse_what_would_measure_nothing(part: str) -> None:
    with pytest.raises(RenderError) as refusal:
        spark({"enabled": False, part: {"enabled": True}})
    assert f"metrics.{part}.enabled: " in str(refusal.value)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"prometheusRule": {"thresholds": {"typo": 1}}}, "typo"),
        ({"prometheusRule": {"thresholds": {"recoveryFreeShare": 20}}}, "recoveryFreeShare"),
        ({"prometheusRule": {"disabled": ["SparkTypo"]}}, "disabled"),
        ({"podMonitor": {"interval": "often"}}, "interval"),
    ],
)
def should_refuse_a_value_that_means_nothing(wrong: Object, word: str) -> None:
    with pytest.raises(RenderError) as refusal:
        spark(wrong)
    assert word in str(refusal.value)


def should_say_in_each_alert_what_happened_the_next_command_and_where_to_read_more() -> None:
    text = (CHARTS.parent / "docs/spark-observability.md").read_text()
    for name, rule in rules().items():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical"), name
            assert set(rule["annotations"]) == {"summary", "description", "runbook"}, name
            assert "Next: " in rule["annotations"]["description"], name
            assert rule["annotations"]["runbook"] == f"docs/spark-observability.md#{name.lower()}"
            assert f"### {name}\n" in text
        assert rule["labels"]["namespace"] == "airspark" and rule["labels"]["release"] == "airspark", name
        assert "$(" not in json.dumps(rule), name


def should_name_the_same_alerts_and_defaults_in_the_schema_as_in_the_rules() -> None:
    assert {name for name, rule in rules().items() if "alert" in rule} == set(get_args(Alert))
    defaults = yaml.safe_load((CHARTS / "spark/files/alerts.yaml").read_text())["thresholds"]
    described = {name: field.description for name, field in Thresholds.model_fields.items()}
    assert described.keys() == defaults.keys()
    for name, default in defaults.items():
        assert str(described[name]).endswith(f"; default {default}"), name


THRESHOLDS = {
    "masterSeconds": ("SparkMasterAbsent", "for", "7s"),
    "noWorkersSeconds": ("SparkNoWorkers", "for", "7s"),
    "workerLostMinutes": ("SparkWorkerLost", "for", "7m"),
    "misfitMinutes": ("SparkApplicationFitsNowhere", "for", "7m"),
    "waitingMinutes": ("SparkApplicationsWaiting", "for", "7m"),
    "lostExecutors": ("SparkExecutorsLost", "expr", ">= 7"),
    "recoveryFreeShare": ("SparkRecoveryClaimFull", "expr", "< 0.5 "),
}


def should_move_each_threshold_if_metrics_prometheusrule_thresholds_is_set() -> None:
    assert THRESHOLDS.keys() == Thresholds.model_fields.keys()
    thresholds = {name: 0.5 if name == "recoveryFreeShare" else 7 for name in THRESHOLDS}
    found = rules({"thresholds": thresholds})
    for name, (alert, part, expected) in THRESHOLDS.items():
        assert expected in f"{found[alert][part]} ", name


def should_tell_of_a_missing_worker_within_a_minute_by_default() -> None:
    assert (rules()["SparkNoWorkers"]["for"], rules()["SparkMasterAbsent"]["for"]) == ("60s", "60s")


@pytest.mark.parametrize("alert", get_args(Alert))
def should_leave_out_an_alert_if_metrics_prometheusrule_disabled_names_it(alert: str) -> None:
    assert rules().keys() - rules({"disabled": [alert]}).keys() == {alert}


def should_add_rules_if_metrics_prometheusrule_additionalrules_is_set() -> None:
    own = {"alert": "Own", "expr": "vector(1)"}
    assert rules({"additionalRules": [own]})["Own"] == own


@pytest.mark.parametrize(
    ("values", "workers"),
    [
        ({}, 2),
        ({"worker": {"replicaCount": 5}}, 5),
        ({"worker": {"autoscaling": {"enabled": True, "minReplicas": 3}}}, 3),
        ({"workers": {"groups": {"spot": {"replicaCount": 4}}}}, 6),
    ],
)
def should_miss_workers_below_the_number_that_the_values_ask_for(values: Object, workers: int) -> None:
    assert rules(**values)["SparkWorkerLost"]["expr"].endswith(f"> 0) < {workers}")


def should_miss_no_worker_if_the_values_ask_for_none() -> None:
    assert rules().keys() - rules(worker={"replicaCount": 0}).keys() == {"SparkNoWorkers", "SparkWorkerLost"}


def should_watch_no_recovery_claim_if_there_is_none() -> None:
    assert "recovery-airspark-spark-master-0" in rules()["SparkRecoveryClaimFull"]["expr"]
    assert "SparkRecoveryClaimFull" not in rules(master={"persistence": {"enabled": False}})


def should_match_only_this_release_unless_metrics_prometheusrule_selector_is_set() -> None:
    mine = re.compile(
        r'\{namespace="airspark",(job=~"airspark-spark-\(master\|worker\|driver\)"|release="airspark"'
        r'|pod=~"airspark-spark-|persistentvolumeclaim="recovery-airspark-spark-)'
    )
    for name, rule in rules().items():
        assert len(mine.findall(rule["expr"])) == len(re.findall(r"\{", rule["expr"])) > 0, name
    other = rules({"selector": 'cluster="a"'})
    assert other["SparkNoWorkers"]["expr"] == 'max(metrics_master_aliveWorkers_Number{cluster="a"}) == 0'


def should_hold_a_dashboard_that_grafana_finds_if_metrics_dashboard_is_set() -> None:
    shown = {"enabled": True, "labels": {"own": "1"}, "annotations": {"folder": "Data"}}
    metadata = find(spark({"dashboard": shown}), "ConfigMap", "airspark-spark-dashboard")["metadata"]
    assert metadata["labels"].items() >= {"own": "1", "grafana_dashboard": "1"}.items()
    assert metadata["annotations"] == {"folder": "Data"}


def should_lay_out_a_dashboard_without_gaps_and_overlaps() -> None:
    check_layout(dashboard()["panels"])


def should_ask_each_question_of_the_dashboard_of_the_chosen_release_alone() -> None:
    chosen = '{namespace="$namespace",job=~"$release-spark-(master|worker|driver)"'
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert 0 < target["expr"].count("{") == target["expr"].count(chosen), target["expr"]
