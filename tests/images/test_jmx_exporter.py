"""Metrics of `monitoring.prometheus`: the real JMX exporter in Spark's processes, with kubeflow's rules and the controller's."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from airspark import images

from .conftest import ROOT, docker

sys.path.append(str(ROOT / "operator"))
from airspark_operator import monitoring

pytestmark = pytest.mark.long
Series = dict[str, set[tuple[tuple[str, str], ...]]]
#: A job on one executor; then what both processes say, after a mark each.
PROGRAM = """
import time, urllib.request
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
session.range(0, 1000, 1, 4).selectExpr("id % 7 AS a").groupBy("a").count().collect()
for role, port in (("driver", 18090), ("executor", 18091)):
    print("PAGE", role, flush=True)
    print(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode(), flush=True)
"""
RUN = """
cd /tmp && printf '%s' "$1" >main.py && printf '%s' "$2" >metrics.properties && printf '%s' "$3" >rules.yaml
agent() { echo "-javaagent:$(echo /opt/jmx/*.jar)=$1:/tmp/rules.yaml"; }
exec spark-submit --master 'local-cluster[1,1,512]' --conf spark.executor.memory=512m --conf spark.ui.enabled=false \
  --conf spark.metrics.namespace=data.job --conf spark.metrics.conf=/tmp/metrics.properties \
  --conf "spark.driver.extraJavaOptions=$(agent 18090)" --conf "spark.executor.extraJavaOptions=$(agent 18091)" main.py
"""
#: kubeflow's rules: whose MBeans, their source and metric, the attribute, and the name, `$3` or `$4` the first group after
#: namespace, application and, of an executor, its number.
DRIVER, EXECUTOR, ANYONE = r"driver", r"([0-9]+)", r"(\S+)"
GAUGES = [
    (DRIVER, r"(BlockManager|DAGScheduler|jvm)\.(\S+)", "Value", "spark_driver_$3_$4"),
    (DRIVER, r"(\S+)\.StreamingMetrics\.streaming\.(\S+)", "Value", "spark_streaming_driver_$4"),
    (DRIVER, r"spark\.streaming\.(\S+)\.(\S+)", "Value", "spark_structured_streaming_driver_$4"),
    (ANYONE, r"executor\.(\S+)", "Value", "spark_executor_$4"),
]
COUNTERS = [
    *((DRIVER, rf"{name}\.(.*)", "Count", f"spark_driver_{name}_$3_count")
      for name in ("DAGScheduler", "HiveExternalCatalog", "CodeGenerator", "LiveListenerBus")),
    (DRIVER, r"LiveListenerBus\.(.*)", "Value", "spark_driver_LiveListenerBus_$3"),
    (r"(.*)", r"executor\.(.*)", "Count", "spark_executor_$4_count"),
    (EXECUTOR, r"(jvm|NettyBlockTransfer)\.(.*)", "Value", "spark_executor_$4_$5"),
    *((EXECUTOR, rf"{name}\.(.*)", "Count", f"spark_executor_{name}_$4_count")
      for name in ("HiveExternalCatalog", "CodeGenerator")),
]  # fmt: skip
#: The set in the operator, and the one in its Spark image, whose order is another.
SETS = {"operator": [*GAUGES, *COUNTERS], "image": [*GAUGES[1:], GAUGES[0], *COUNTERS]}


def configuration(rules: list[tuple[str, str, str, str]]) -> str:
    """Return rules of kubeflow's as the exporter reads them."""
    found: list[dict[str, Any]] = []
    for who, metric, attribute, name in rules:
        labels = {"app_namespace": "$1", "app_id": "$2"} | ({} if who == DRIVER else {"executor_id": "$3"})
        pattern = rf"metrics<name=(\S+)\.(\S+)\.{who}\.{metric}><>{attribute}"
        kind = "GAUGE" if attribute == "Value" else "COUNTER"
        found.append({"pattern": pattern, "name": name, "labels": labels, "type": kind})
    return json.dumps({"lowercaseOutputName": True, "attrNameSnakeCase": True, "rules": found})


def served(rules: str) -> dict[str, Series]:
    """Run the job; return the labels of each of Spark's series by its name, of driver and executor."""
    images.ensure_built([images.JMX_EXPORTER])
    said = docker(
        *("run", "--rm", "--network", "none", "--hostname", "localhost", "--env", "SPARK_LOCAL_IP=127.0.0.1", "--user", "185:0"),
        *("--tmpfs", "/opt/spark/work:mode=1777"),  # a local cluster's workers write there
        *(images.JMX_EXPORTER.tag, "bash", "-c", RUN, "bash", PROGRAM, monitoring.DEFAULT_PROPERTIES, rules),
    ).stdout
    pages = dict(re.findall(r"PAGE (\w+)\n(.*?)(?=PAGE |\Z)", said, re.DOTALL))
    return {role: _series(page) for role, page in pages.items()}


def _series(page: str) -> Series:
    found: Series = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name.startswith("spark_"):
                found.setdefault(sample.name.removesuffix("_total"), set()).add(tuple(sorted(sample.labels.items())))
    return found


@pytest.fixture(scope="module")
def ours() -> dict[str, Series]:
    """What the controller's own rules show."""
    return served(monitoring.default_exporter())


OF_DRIVER = (("app_id", "job"), ("app_namespace", "data"))
OF_EXECUTOR = (*OF_DRIVER, ("executor_id", "0"))


def should_say_whose_metrics_they_are_by_namespace_and_name(ours: dict[str, Series]) -> None:
    assert set.union(*ours["driver"].values()) == {OF_DRIVER}
    assert set.union(*ours["executor"].values()) == {OF_EXECUTOR}


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("driver", "spark_driver_blockmanager_memory_maxmem_mb"),
        ("driver", "spark_driver_dagscheduler_stage_failedstages"),
        ("driver", "spark_driver_jvm_heap_used"),
        ("driver", "spark_driver_livelistenerbus_numeventsposted_type_counters_count"),
        ("executor", "spark_executor_threadpool_activetasks"),
        ("executor", "spark_executor_jvm_heap_used_type_gauges"),
        ("executor", "spark_executor_cputime_type_counters_count"),
    ],
)
def should_have_the_metrics_that_dashboards_read(ours: dict[str, Series], role: str, name: str) -> None:
    assert name in ours[role]


@pytest.mark.parametrize("rules", SETS)
def should_show_all_that_kubeflows_rules_show_by_the_same_names(ours: dict[str, Series], rules: str) -> None:
    theirs = served(configuration(SETS[rules]))
    for role, labels in (("driver", OF_DRIVER), ("executor", OF_EXECUTOR)):
        assert len(theirs[role]) > 10 and set.union(*theirs[role].values()) == {labels}
        assert set(theirs[role]) - set(ours[role]) == set()
