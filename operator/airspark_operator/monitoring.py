"""`spec.monitoring`: Spark's metrics, and Prometheus' JMX exporter as a Java agent, as kubeflow's operator has them."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import kinds
from airspark_operator.kinds import Object

#: Where the files are in the containers.
CONF_DIR = "/etc/metrics/conf"
PROPERTIES_FILE, EXPORTER_FILE = "metrics.properties", "prometheus.yaml"
PORT, PORT_NAME = 8090, "jmx-exporter"
#: All of Spark's metrics, and the JVM's, as MBeans.
DEFAULT_PROPERTIES = """\
*.sink.jmx.class=org.apache.spark.metrics.sink.JmxSink
*.source.jvm.class=org.apache.spark.metrics.source.JvmSource
"""
#: Every MBean under a name that Prometheus takes.
DEFAULT_EXPORTER = """\
lowercaseOutputName: true
attrNameSnakeCase: true
rules:
  - pattern: ".*"
"""


def wanted(app: Object, role: str) -> bool:
    """Whether a role's metrics are asked for."""
    about = app["spec"].get("monitoring") or {}
    return bool(about.get("exposeDriverMetrics" if role == kinds.DRIVER else "exposeExecutorMetrics"))


def exporter(app: Object, role: str) -> Object | None:
    """Return `monitoring.prometheus`, if it is there and the role's metrics are asked for."""
    about = app["spec"].get("monitoring") or {}
    found: Object | None = about.get("prometheus")
    return found if wanted(app, role) else None


def port(about: Object) -> int:
    """Return the exporter's port."""
    return int(about.get("port") or PORT)


def properties(app: Object, conf: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that switch metrics on.

    Args:
        app: the SparkApplication.
        conf: the properties so far; options of the JVM are added to.
    """
    about = app["spec"].get("monitoring")
    if not about:
        return {}
    found = {"spark.metrics.conf": about.get("metricsPropertiesFile") or f"{CONF_DIR}/{PROPERTIES_FILE}"}
    for role in (kinds.DRIVER, kinds.EXECUTOR):
        agent = exporter(app, role)
        if agent:
            config = agent.get("configFile") or f"{CONF_DIR}/{EXPORTER_FILE}"
            key = f"spark.{role}.extraJavaOptions"
            option = f"-javaagent:{agent['jmxExporterJar']}={port(agent)}:{config}"
            found[key] = " ".join(part for part in (conf.get(key), option) if part)
    return found


def files(app: Object) -> dict[str, str]:
    """Return the files that the pods need, by name; none where the image has them."""
    about = app["spec"].get("monitoring")
    if not about:
        return {}
    found = {}
    if not about.get("metricsPropertiesFile"):
        found[PROPERTIES_FILE] = about.get("metricsProperties") or DEFAULT_PROPERTIES
    agent = about.get("prometheus")
    if agent and not agent.get("configFile"):
        found[EXPORTER_FILE] = agent.get("configuration") or DEFAULT_EXPORTER
    return found


def pod_annotations(app: Object, role: str) -> dict[str, str]:
    """Return the annotations that many Prometheus servers find pods by."""
    agent = exporter(app, role)
    if not agent:
        return {}
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port(agent)), "prometheus.io/path": "/metrics"}


def container_port(app: Object, role: str) -> list[Object]:
    """Return the exporter's port, as a container has it."""
    agent = exporter(app, role)
    return [{"name": agent.get("portName") or PORT_NAME, "containerPort": port(agent), "protocol": "TCP"}] if agent else []
