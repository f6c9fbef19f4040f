"""Alerts and dashboard against what a running Airflow emits: the exporter, a real Prometheus, and what goes wrong."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import servers
import yaml
from conftest import Configured, kubectl
from test_configured import run, start, state

from airspark import cluster, images, tools
from airspark.project import kubeconfig

# After what takes the installation as it is, before what rolls it back.
pytestmark = pytest.mark.long
STAGE = 1
CHART = Path(__file__).resolve().parents[2] / "charts/airflow"
SELECTOR = {"namespace": "airspark", "job": "airspark-statsd"}
METRIC = re.compile(r"\b(?:airflow|release:airflow)_\w+(?::sum)?|\bup\b")
#: What the exporter makes of one histogram.
PARTS = ("_bucket", "_sum", "_count")
BROKEN = "import a_module_that_is_not_there  # airflow dag\n"
#: Deaf for the alarm of Airflow's import timeout, as code outside of Python is: only the processor's own timeout ends it.
SLOW = """import signal, time  # airflow dag

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
time.sleep(600)
"""
#: The delay of a run's first task is measured for scheduled runs alone.
EVERY_MINUTE = """from airflow.sdk import dag, task


@dag(schedule="* * * * *", max_active_runs=1)
def live_every_minute():
    @task
    def nothing():
        pass

    nothing()


live_every_minute()
"""
MENDED = "# nothing of airflow, no dag\n"


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that reads the exporter and has the chart's rules."""

    rules: list[dict[str, Any]]

    def get(self, path: str) -> Any:
        """Return the data of an answer of its API."""
        text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{servers.NAMESPACE}/pods/prometheus:9090/proxy/api/v1/{path}")
        answer = json.loads(text)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives."""
        return list(self.get(f"query?query={quote(expression)}")["result"])

    def names(self) -> set[str]:
        """Return the names of all metrics it has read or recorded."""
        return set(self.get("label/__name__/values"))

    def firing(self) -> set[str]:
        """Return the names of alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}


def wait_until(holds: Callable[[], object], seconds: float, said: Callable[[], object]) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: if it does not in time, with what `said` says then.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s: {said()}"
        time.sleep(1)


def rendered_rules(configured: Configured) -> list[dict[str, Any]]:
    """Render the PrometheusRule of the installed values; an import error is told of within a minute."""
    shown = subprocess.run(
        [*(str(word) for word in configured.template_command), "--set", "airflow.metrics.prometheusRule.enabled=true",
         "--set", "airflow.metrics.prometheusRule.thresholds.importErrorMinutes=1",
         "--show-only", "charts/airflow/templates/monitoring/prometheusrule.yaml"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return list(yaml.safe_load(shown)["spec"]["groups"])


def dashboard() -> dict[str, str]:
    """Return the expressions of the dashboard by panel, for the installed release."""
    panels = json.loads((CHART / "files/dashboard.json").read_text())["panels"]
    found: dict[str, str] = {}
    for panel in panels:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "2m")
            for name, value in SELECTOR.items():
                expression = expression.replace(f"${name}", value)
            found[f"{panel['title']} {target['refId']}"] = expression
    return found


@pytest.fixture(scope="module")
def prometheus(configured: Configured) -> Iterator[Prometheus]:
    """A Prometheus beside the platform, as a monitor of the chart would set it up."""
    images.ensure_loaded(cluster.node_names(), [images.PROMETHEUS])
    groups = rendered_rules(configured)
    config = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "scrape_configs": [
            {"job_name": SELECTOR["job"],
             "static_configs": [{"targets": ["airspark-statsd.airspark:9102"], "labels": {"namespace": SELECTOR["namespace"]}}]}
        ],
    }  # fmt: skip
    data = {"prometheus.yml": json.dumps(config), "rules.yml": json.dumps({"groups": groups})}
    pod, service = servers.server("prometheus", images.PROMETHEUS.tag, 9090)
    (container,) = pod["spec"]["containers"]
    container["args"] = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"]
    container["volumeMounts"].append({"name": "config", "mountPath": "/etc/prometheus"})
    pod["spec"]["volumes"].append({"name": "config", "configMap": {"name": "prometheus"}})
    metadata = {"name": "prometheus", "namespace": servers.NAMESPACE}
    servers.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, pod, service)
    cluster.kubectl("wait", "-n", servers.NAMESPACE, "pod/prometheus", "--for=condition=Ready", "--timeout=60s", timeout=90)
    found = Prometheus([rule for group in groups for rule in group["rules"]])
    wait_until(lambda: found.query("up == 1"), 60, lambda: found.get("targets"))
    yield found
    cluster.kubectl(
        "delete", "-n", servers.NAMESPACE, "pod/prometheus", "service/prometheus", "configmap/prometheus", "--wait=false"
    )


@pytest.fixture(scope="module")
def troubled(configured: Configured, prometheus: Prometheus) -> Iterator[Prometheus]:
    """What a metric waits for: tasks that succeed, defer, fail and stay queued, a scheduled run, and two bad DAG files."""
    write("live_every_minute.py", EVERY_MINUTE)
    servers.wait_for_dags(configured.airflow, {"live_every_minute"})
    configured.airflow.call("PATCH", "/dags/live_every_minute", json={"is_paused": False})
    write("live_broken.py", BROKEN)
    write("live_slow.py", SLOW)
    queued = start(configured.airflow, "live_too_large")
    never = start(configured.airflow, "live_bad_image")
    for dag_id in ("live_deferred", "live_confined"):
        assert state(configured.airflow, dag_id, run(configured.airflow, dag_id)) == "success"
    wait_until(lambda: state(configured.airflow, "live_bad_image", never) == "failed", 180, lambda: "live_bad_image did not fail")
    yield prometheus
    configured.airflow.call("PATCH", "/dags/live_every_minute", json={"is_paused": True})
    configured.airflow.call("PATCH", f"/dags/live_too_large/dagRuns/{queued}", json={"state": "failed"})
    kubectl("delete", "pod", "--selector", "dag_id=live_too_large", "--wait=false")
    for path in ("live_broken.py", "live_slow.py", "live_every_minute.py"):
        write(path, MENDED)


def write(path: str, text: str) -> None:
    """Commit a file to the repository that DAGs are read from."""
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", servers.NAMESPACE, "exec",
               "--stdin", "git-server", "--", "git-server-commit", path]  # fmt: skip
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def metrics_in(expressions: list[str]) -> set[str]:
    """Return the names of metrics in expressions."""
    return {name for expression in expressions for name in METRIC.findall(re.sub(r'"[^"]*"', "", expression))}


def test_should_load_every_rule_without_an_error(prometheus: Prometheus) -> None:
    def loaded() -> list[dict[str, Any]]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    assert len(loaded()) == len(prometheus.rules)
    wait_until(lambda: all(rule["health"] == "ok" for rule in loaded()), 60, loaded)


def test_should_find_each_metric_of_alerts_and_dashboard_in_a_running_airflow(troubled: Prometheus) -> None:
    wanted = metrics_in([rule["expr"] for rule in troubled.rules] + list(dashboard().values()))
    assert len(wanted) > 40
    wait_until(lambda: wanted <= troubled.names(), 180, lambda: f"not there: {sorted(wanted - troubled.names())}")


def test_should_show_something_in_every_panel(troubled: Prometheus) -> None:
    def empty() -> list[str]:
        return [panel for panel, expression in dashboard().items() if not troubled.query(expression)]

    wait_until(lambda: not empty(), 120, lambda: f"nothing to see: {empty()}")


def test_should_label_tasks_with_dag_and_task(troubled: Prometheus) -> None:
    (series,) = troubled.query('airflow_ti_finish_total{dag_id="live_confined",state="success"}')
    assert series["metric"].items() >= {**SELECTOR, "task_id": "look"}.items()
    assert troubled.query('airflow_task_duration_seconds_count{dag_id="live_deferred",task_id="wait"}')
    assert troubled.query('airflow_scheduler_tasks_killed_externally_total{dag_id="live_bad_image",task_id="never"}')
    assert troubled.query('airflow_kubernetes_executor_pod_creation_status_total{status="200"}')


def test_should_leave_no_name_unmapped_and_none_with_a_dag_in_it(troubled: Prometheus) -> None:
    assert [series["value"][1] for series in troubled.query("statsd_exporter_events_unmapped_total")] == ["0"]
    assert not troubled.query("statsd_exporter_events_conflict_total")
    assert not [name for name in troubled.names() if "live_" in name]


def test_should_give_seconds_of_a_dag_file_that_was_read(troubled: Prometheus) -> None:
    mean = "sum(airflow_dag_processing_last_duration_seconds_sum) / sum(airflow_dag_processing_last_duration_seconds_count)"
    assert 0.05 < float(troubled.query(mean)[0]["value"][1]) < 60


def test_should_raise_an_alert_if_a_dag_file_cannot_be_imported_or_takes_too_long(troubled: Prometheus) -> None:
    wait_until(lambda: {"AirflowDagImportErrors", "AirflowDagFileTimeout"} <= troubled.firing(), 180, troubled.firing)


def test_should_raise_no_alert_about_what_works(troubled: Prometheus) -> None:
    assert not [
        name for name in troubled.firing() if "Heartbeat" in name or name in ("AirflowMetricsAbsent", "AirflowExecutorFull")
    ]


def test_should_hear_airflow_again_if_the_exporter_is_replaced(troubled: Prometheus) -> None:
    kubectl("rollout", "restart", "deployment/airspark-statsd")
    kubectl("rollout", "status", "deployment/airspark-statsd", "--timeout=90s", timeout=120)
    for part in ("scheduler", "dag_processor", "triggerer"):
        expression = f"increase(airflow_{part}_heartbeat_total[30s]) > 0"
        wait_until(lambda: troubled.query(expression), 90, lambda: f"{expression} is not")  # noqa: B023  called at once
