"""Spark's alerts and dashboard against what a running cluster serves, read by a real Prometheus as the PodMonitors say."""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airspark import images

from .conftest import ROOT, docker, serving, wait_until

sys.path.append(str(ROOT / "tests/charts"))
import rendering

pytestmark = pytest.mark.long
VALUES: dict[str, Any] = {
    "spark": {
        "metrics": {
            "enabled": True,
            "podMonitor": {"enabled": True},
            # soon: a test waits for them
            "prometheusRule": {"enabled": True, "thresholds": {"lostExecutors": 1, "noWorkersSeconds": 3}},
            "dashboard": {"enabled": True},
        }
    }
}
METRIC = re.compile(r"\b(?:metrics_|release:|kube_|kubelet_)\w+(?::\w+)?")
#: What the node's kubelet and kube-state-metrics serve, and no process of Spark.
KUBERNETES = {
    "kube_pod_container_status_restarts_total",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}
BUSY = """import time
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("sales etl").getOrCreate()
while True:
    spark.range(100000).selectExpr("id % 7 AS shop").groupBy("shop").count().collect()
    time.sleep(0.5)
"""
IDLE = """import time
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("nobody asked").getOrCreate()
time.sleep(3600)
"""
OWN_ADDRESS = "export POD_IP=$(hostname -i); export SPARK_LOCAL_IP=$POD_IP SPARK_LOCAL_HOSTNAME=$POD_IP"
MASTER = "exec sh /opt/spark-conf/start-master.sh --port 7077 --webui-port 8080"
WORKER = "exec sh /opt/spark-conf/start-worker.sh --port 7078 --webui-port 8081 spark://spark-master:7077"
SUBMIT = "exec spark-submit --master spark://spark-master:7077 --conf spark.eventLog.enabled=false"


@dataclass(frozen=True)
class Cluster:
    """A master, a worker, a busy and an idle driver, and the Prometheus that reads them with the chart's rules."""

    objects: list[rendering.Object]
    prometheus: str
    worker: str
    address: str

    def get(self, path: str) -> Any:
        """Return the data of an answer of Prometheus' API."""
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives."""
        return list(self.get(f"query?query={quote(expression)}")["result"])

    def value(self, expression: str) -> float | None:
        """Return the value of an expression that gives one series at most."""
        return next((float(series["value"][1]) for series in self.query(expression)), None)

    def firing(self) -> set[str]:
        """Return the names of alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def down(self) -> list[tuple[str, str]]:
        """Return addresses that are not read, and why."""
        targets = self.get("targets")["activeTargets"]
        return [(target["scrapeUrl"], target["lastError"]) for target in targets if target["health"] != "up"]

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of the chart's PrometheusRule."""
        return [rule for group in rule_groups(self.objects) for rule in group["rules"]]

    def panels(self) -> dict[str, str]:
        """Return the expressions of the chart's dashboard by panel, for this release."""
        text = rendering.find(self.objects, "ConfigMap", "airspark-spark-dashboard")["data"]["spark.json"]
        found = {}
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$__rate_interval", "20s")
                expression = expression.replace("$namespace", "airspark").replace("$release", "airspark")
                found[f"{panel['title']} {target['refId']}"] = expression
        return found

    def wait(self, holds: Callable[[], object], seconds: float, said: Callable[[], object]) -> None:
        """Wait until something holds, and fail with what `said` says then if it does not in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"after {seconds:.0f} s: {said()}"
            time.sleep(1)


def rule_groups(objects: list[rendering.Object]) -> list[dict[str, Any]]:
    """Return the groups of the PrometheusRule."""
    return list(rendering.find(objects, "PrometheusRule", "airspark-spark")["spec"]["groups"])


def snake(step: dict[str, Any]) -> dict[str, Any]:
    """Return a relabeling of a monitor as Prometheus itself has it: sourceLabels is source_labels."""
    return {re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key): value for key, value in step.items()}


def scrape_configs(objects: list[rendering.Object], targets: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Return what the operator makes of the PodMonitors, for pods and their addresses by monitor."""
    found = []
    for monitor, pods in targets.items():
        for endpoint in rendering.find(objects, "PodMonitor", f"airspark-{monitor}")["spec"]["podMetricsEndpoints"]:
            found.append({
                "job_name": f"{monitor}{endpoint['path']}",
                "metrics_path": endpoint["path"],
                "static_configs": [
                    {"targets": [address], "labels": {"namespace": "airspark", "pod": pod}} for pod, address in pods.items()
                ],
                "relabel_configs": [snake(step) for step in endpoint["relabelings"]],
                "metric_relabel_configs": [snake(step) for step in endpoint["metricRelabelings"]],
            })  # fmt: skip
    return found


def folder(path: Path, files: dict[str, str]) -> Path:
    """Write a folder that every uid may read, as a ConfigMap is mounted."""
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster with the chart's own configuration, authentication included, on a network of its own."""
    images.ensure_built([images.PROMETHEUS])
    objects = rendering.render(VALUES)
    base = tmp_path_factory.mktemp("spark-metrics")
    base.chmod(0o755)
    daemons = folder(base / "daemons", rendering.find(objects, "ConfigMap", "airspark-spark-config")["data"])
    client = rendering.find(objects, "ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"]
    assert "spark.authenticate true" in client
    whole = f"{client}\nspark.authenticate.secret ${{env:_SPARK_AUTH_SECRET}}\n"
    drivers = folder(base / "drivers", {"spark-defaults.conf": whole, "busy.py": BUSY, "idle.py": IDLE})
    targets = {
        "spark-master": {"spark-master": "spark-master:8080"},
        "spark-worker": {"spark-worker": "spark-worker:8081"},
        "spark-task": {"busy": "busy:4040", "idle": "idle:4040"},
    }
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "scrape_configs": scrape_configs(objects, targets),
    }
    rules = json.dumps({"groups": rule_groups(objects)})
    settings = folder(base / "prometheus", {"prometheus.yml": json.dumps(config), "rules.yml": rules})
    # Docker's client hands the secret on by its name: it is in no argument.
    secret = base / "secret"
    secret.write_text(f"_SPARK_AUTH_SECRET={secrets.token_hex(32)}\n")
    network = f"airspark-test-{uuid.uuid4().hex[:8]}"
    docker("network", "create", network)
    with ExitStack() as stack:
        stack.callback(docker, "network", "rm", network, check=False)

        def spark(name: str, script: str, conf: Path, **env: str) -> str:
            variables = {"SPARK_CONF_DIR": "/opt/spark-conf", "SPARK_DAEMON_MEMORY": "192m", **env}
            options = ["--hostname", name, "--network-alias", name, "--volume", f"{conf}:/opt/spark-conf:ro"]
            options += ["--env-file", str(secret), "--tmpfs", "/opt/spark-work:exec,mode=1777"]
            options += [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
            command = f"{OWN_ADDRESS}; {script}"
            return stack.enter_context(serving("spark", "sh", "-c", command, options=tuple(options), network=network))

        spark("spark-master", MASTER, daemons, RECOVERY_MODE="NONE")
        offered = {"SPARK_WORKER_CORES": "2", "SPARK_WORKER_MEMORY": "1g"}
        folders = {"SPARK_WORKER_DIR": "/opt/spark-work/apps", "SPARK_LOCAL_DIRS": "/opt/spark-work/local"}
        worker = spark("spark-worker", WORKER, daemons, **offered, **folders)
        small = "--conf spark.driver.memory=512m --conf spark.executor.memory=512m --conf spark.cores.max=1"
        spark("busy", f"{SUBMIT} {small} /opt/spark-conf/busy.py", drivers)
        dynamic = "--conf spark.dynamicAllocation.enabled=true --conf spark.dynamicAllocation.shuffleTracking.enabled=true"
        spark("idle", f"{SUBMIT} {small} {dynamic} /opt/spark-conf/idle.py", drivers)
        options = ("--tmpfs", "/data:mode=1777", "--volume", f"{settings}:/etc/prometheus:ro", "--publish", "127.0.0.1::9090")
        arguments = ("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data")
        prometheus = stack.enter_context(serving("prometheus", *arguments, options=options, network=network))
        address = docker("port", prometheus, "9090/tcp").stdout.split()[0]
        found = Cluster(objects, prometheus, worker, address)
        wait_until(lambda: "Server is ready" in docker("logs", prometheus).stderr, prometheus)
        done = 'sum(rate(metrics_executor_completedTasks_total{pod="busy"}[20s]))'
        found.wait(lambda: found.value(done), 120, found.down)
        yield found


def names(expressions: list[str]) -> set[str]:
    """Return the names of metrics in expressions."""
    return {name for text in expressions for name in METRIC.findall(re.sub(r'"[^"]*"', "", text))}


def test_should_read_every_target_of_the_podmonitors(cluster: Cluster) -> None:
    cluster.wait(lambda: not cluster.down(), 60, cluster.down)
    assert len(cluster.query("up")) == len(cluster.get("targets")["activeTargets"]) == 7


def test_should_load_every_rule_without_an_error(cluster: Cluster) -> None:
    def loaded() -> list[dict[str, Any]]:
        return [rule for group in cluster.get("rules")["groups"] for rule in group["rules"]]

    assert len(loaded()) == len(cluster.rules()) == 9
    cluster.wait(lambda: all(rule["health"] == "ok" for rule in loaded()), 30, loaded)


def test_should_find_each_metric_of_alerts_and_dashboard_in_a_running_cluster(cluster: Cluster) -> None:
    wanted = names([rule["expr"] for rule in cluster.rules()] + list(cluster.panels().values()))
    assert len(wanted) > 25

    def missing() -> set[str]:
        return wanted - set(cluster.get("label/__name__/values"))

    cluster.wait(lambda: missing() <= KUBERNETES, 60, missing)
    assert missing() == KUBERNETES


def test_should_show_something_in_every_panel(cluster: Cluster) -> None:
    def empty() -> list[str]:
        return [panel for panel, expression in cluster.panels().items() if not cluster.query(expression)]

    cluster.wait(lambda: not empty(), 60, lambda: f"nothing to see: {empty()}")


def test_should_put_ids_and_names_of_applications_into_labels_and_each_gauge_once(cluster: Cluster) -> None:
    assert [name for name in cluster.get("label/__name__/values") if re.search(r"app_\d|sales|\d{13}|_Value$", name)] == []
    (series,) = cluster.query('metrics_application_cores_Number{application="sales_etl"}')
    assert series["value"][1] == "1"
    assert re.fullmatch(r"\d{13}", series["metric"]["started"])


def test_should_count_no_idle_application_as_one_that_waits(cluster: Cluster) -> None:
    cluster.wait(
        lambda: cluster.value("metrics_master_waitingApps_Number") == 1, 60, lambda: cluster.query("metrics_master_apps_Number")
    )
    cluster.wait(lambda: cluster.value("release:spark_applications_waiting:count") == 0, 30,
                 lambda: cluster.query("release:spark_applications_waiting:count"))  # fmt: skip


def test_should_raise_no_alert_about_what_works(cluster: Cluster) -> None:
    assert cluster.firing() == set()


def test_should_raise_an_alert_if_an_executor_is_killed(cluster: Cluster) -> None:
    kill = 'for p in /proc/[0-9]*; do grep -qs "Coarse[G]rained" $p/cmdline && kill -9 ${p#/proc/}; done; true'
    docker("exec", cluster.worker, "sh", "-c", kill)
    cluster.wait(lambda: "SparkExecutorsLost" in cluster.firing(), 60, lambda: cluster.query("metrics_executor_maxMemory_bytes"))
    (alert,) = [it for it in cluster.get("alerts")["alerts"] if it["labels"]["alertname"] == "SparkExecutorsLost"]
    assert (alert["labels"]["application_name"], alert["labels"]["pod"]) == ("sales etl", "busy")


def test_should_raise_an_alert_if_the_last_worker_is_gone(cluster: Cluster) -> None:
    docker("kill", cluster.worker)
    cluster.wait(lambda: "SparkNoWorkers" in cluster.firing(), 60, lambda: cluster.query("metrics_master_aliveWorkers_Number"))
