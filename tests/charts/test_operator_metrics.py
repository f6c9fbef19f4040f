"""Monitoring of the controller: monitor, alerts and dashboard, as rendered, against the metrics that it has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from rendering import CHARTS, Object, check_layout, find, render

from airspark.charts.spark_operator import OperatorAlert, OperatorThresholds
from airspark_operator import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs" / "spark-operator.md"
ON: Object = {part: {"enabled": True} for part in ("podMonitor", "prometheusRule", "dashboard")}
THRESHOLDS = yaml.safe_load((CHARTS / "spark-operator/files/alerts.yaml").read_text())["thresholds"]
#: What a scrape has beside the controller's own.
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


def monitored(rule: Object | None = None) -> list[Object]:
    """Render the chart with everything for Prometheus and Grafana."""
    return render({"metrics": {**ON, "prometheusRule": {"enabled": True, **(rule or {})}}}, chart="spark-operator")


def rules(rule: Object | None = None) -> dict[str, Object]:
    """Return the alerts by name."""
    (group,) = find(monitored(rule), "PrometheusRule", "airspark-spark-operator")["spec"]["groups"]
    return {item["alert"]: item for item in group["rules"]}


def exported() -> set[str]:
    """Return the names of all metrics as Prometheus stores them."""
    text = (Path(metrics.__file__)).read_text()
    found: set[str] = set(PROCESS)
    for kind, name in re.findall(r'(Counter|Gauge|Histogram|_family|GaugeMetricFamily)\(\s*"(\w+)"', text):
        found |= {"Counter": {f"{name}_total"}, "Histogram": {f"{name}_bucket", f"{name}_count", f"{name}_sum"}}.get(kind, {name})
    return found


def asked(expression: str) -> set[str]:
    """Return the names of metrics in an expression."""
    return set(re.findall(r"\b((?:spark|process)_\w+)(?=[{\[])", expression))


def should_read_the_controllers_metrics() -> None:
    (endpoint,) = find(monitored(), "PodMonitor", "airspark-spark-operator")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["honorLabels"]) == ("http", "/metrics", True)
    assert {"targetLabel": "job", "replacement": "airspark-spark-operator"} in endpoint["relabelings"]


@pytest.mark.parametrize("alert", get_args(OperatorAlert))
def should_ask_for_metrics_that_there_are_and_say_what_to_do(alert: str) -> None:
    rule = rules()[alert]
    assert asked(rule["expr"]) and asked(rule["expr"]) <= exported()
    assert "$(" not in str(rule)
    assert "Next: kubectl" in rule["annotations"]["description"]
    anchor = rule["annotations"]["runbook"].removeprefix("docs/spark-operator.md#")
    headings = [re.sub(r"\W", "", line.lower()) for line in DOCS.read_text().splitlines() if line.startswith("#")]
    assert anchor in headings
    assert alert not in rules({"disabled": [alert]})


@pytest.mark.parametrize("name", sorted(THRESHOLDS))
def should_use_a_threshold_that_is_given(name: str) -> None:
    value: Any = 0.125 if name.endswith("Share") else 4321
    changed = [alert for alert, rule in rules({"thresholds": {name: value}}).items() if rule != rules()[alert]]
    text = OperatorThresholds.model_fields[name].description or ""
    assert changed == [text.split(":")[0]]
    assert text.endswith(f"default {THRESHOLDS[name]}")


def should_have_a_dashboard_without_gaps_that_asks_for_metrics_that_there_are() -> None:
    board = json.loads(find(monitored(), "ConfigMap", "airspark-spark-operator-dashboard")["data"]["spark-operator.json"])
    check_layout(board["panels"])
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    for expression in expressions:
        assert asked(expression) and asked(expression) <= exported(), expression


def should_show_every_metric_on_the_dashboard_or_in_an_alert() -> None:
    board = (CHARTS / "spark-operator/files/dashboard.json").read_text().replace('\\"', '"')
    everything = asked(board) | {name for rule in rules().values() for name in asked(rule["expr"])}
    base = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in everything}
    missing = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in exported()} - base
    assert missing <= {"spark_scheduled_applications"}
