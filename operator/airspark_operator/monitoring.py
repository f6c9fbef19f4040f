"""`spec.monitoring`: Spark's metrics, and Prometheus' JMX exporter as a Java agent, as kubeflow's operator has them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airspark_operator import kinds
from airspark_operator.kinds import Object

#: Where the files are in the containers.
CONF_DIR = "/etc/metrics/conf"
PROPERTIES_FILE, EXPORTER_FILE = "metrics.properties", "prometheus.yaml"
PORT, PORT_NAME = 8090, "jmx-exporter"
CONF, NAMESPACE = "spark.metrics.conf", "spark.metrics.namespace"
#: All of Spark's metrics, and the JVM's, as MBeans.
DEFAULT_PROPERTIES = """\
*.sink.jmx.class=org.apache.spark.metrics.sink.JmxSink
*.source.jvm.class=org.apache.spark.metrics.source.JvmSource
"""
#: Parts of the names of Spark's MBeans: `<namespace>.<application>.<driver or number>.<source>.<metric>, type=<kind>`.
APPLICATION = r"(\S+)\.(\S+)"
#: The kind at the end of a name, which a metric of kubeflow's dashboards has not.
KIND = r"(?:, type=\w+)?"
#: Whose metrics the names are, by the label of each group of a pattern.
LABELS_OF_DRIVER = ("app_namespace", "app_id")
LABELS_OF_EXECUTOR = (*LABELS_OF_DRIVER, "executor_id")


def rules() -> list[Object]:
    """Return the rules of the JMX exporter by which metrics get the names of kubeflow's rules and dashboards.

    The first rule that fits counts. Those whose source is followed by one word also fit since Spark names the kind of a
    metric behind it; the others, as kubeflow's, keep the kind in the metric's name (`…_type_timers_count`).
    """
    driver, executor = rf"{APPLICATION}\.driver", rf"{APPLICATION}\.([0-9]+)"
    word = rf"([^\s,]+){KIND}"
    streaming = LABELS_OF_DRIVER, "spark_streaming_driver_$4"
    query = (*LABELS_OF_DRIVER, "query_name"), "spark_structured_streaming_driver_$4"
    return [
        _rule(rf"{driver}\.(BlockManager|DAGScheduler|jvm)\.{word}", "Value", LABELS_OF_DRIVER, "spark_driver_$3_$4"),
        _rule(rf"{driver}\.(\S+)\.StreamingMetrics\.streaming\.{word}", "Value", *streaming),
        _rule(rf"{driver}\.spark\.streaming\.(\S+)\.{word}", "Value", *query),
        _rule(rf"{APPLICATION}\.(\S+)\.executor\.{word}", "Value", LABELS_OF_EXECUTOR, "spark_executor_$4"),
        *(
            _rule(rf"{driver}\.{source}\.(.*)", "Count", LABELS_OF_DRIVER, f"spark_driver_{source}_$3_count")
            for source in ("DAGScheduler", "HiveExternalCatalog", "CodeGenerator", "LiveListenerBus")
        ),
        _rule(rf"{driver}\.LiveListenerBus\.(.*)", "Value", LABELS_OF_DRIVER, "spark_driver_LiveListenerBus_$3"),
        _rule(rf"{APPLICATION}\.(.*)\.executor\.(.*)", "Count", LABELS_OF_EXECUTOR, "spark_executor_$4_count"),
        _rule(rf"{executor}\.(jvm|NettyBlockTransfer)\.(.*)", "Value", LABELS_OF_EXECUTOR, "spark_executor_$4_$5"),
        *(
            _rule(rf"{executor}\.{source}\.(.*)", "Count", LABELS_OF_EXECUTOR, f"spark_executor_{source}_$4_count")
            for source in ("HiveExternalCatalog", "CodeGenerator")
        ),
    ]


def _rule(pattern: str, attribute: str, labels: tuple[str, ...], name: str) -> Object:
    """Return a rule of the JMX exporter for one attribute of MBeans; their groups are the labels, in order."""
    return {
        "pattern": f"metrics<name={pattern}><>{attribute}",
        "name": name,
        "type": "COUNTER" if attribute == "Count" else "GAUGE",
        "labels": {label: f"${number}" for number, label in enumerate(labels, start=1)},
    }


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

    What `sparkConf` says about metrics wins over what is decided here; a field wins over `sparkConf`.
    """
    given = app["spec"].get("sparkConf") or {}
    about = app["spec"].get("monitoring")
    if not about:
        return {}
    found = {}
    if about.get("metricsPropertiesFile"):
        found[CONF] = about["metricsPropertiesFile"]
    elif _writes_properties(app):
        found[CONF] = f"{CONF_DIR}/{PROPERTIES_FILE}"
    if about.get("prometheus") and NAMESPACE not in given:
        # by default it is the id of the Spark application, which is another at each submission
        found[NAMESPACE] = f"{app['metadata']['namespace']}.{app['metadata']['name']}"
    for role in (kinds.DRIVER, kinds.EXECUTOR):
        agent = exporter(app, role)
        if agent:
            config = agent.get("configFile") or f"{CONF_DIR}/{EXPORTER_FILE}"
            key = f"spark.{role}.extraJavaOptions"
            option = f"-javaagent:{agent['jmxExporterJar']}={port(agent)}:{config}"
            found[key] = " ".join(part for part in (conf.get(key), option) if part)
    return found


def _writes_properties(app: Object) -> bool:
    """Whether Spark's configuration of metrics comes from here, and not from the image by a field or a property."""
    about = app["spec"]["monitoring"]
    if about.get("metricsPropertiesFile"):
        return False
    return bool(about.get("metricsProperties")) or CONF not in (app["spec"].get("sparkConf") or {})


def default_exporter() -> str:
    """Return the exporter's configuration where the spec has none: as text, JSON is YAML."""
    return json.dumps({"lowercaseOutputName": True, "attrNameSnakeCase": True, "rules": rules()}, indent=1) + "\n"


def files(app: Object) -> dict[str, str]:
    """Return the files that the pods need, by name; none where the image has them."""
    about = app["spec"].get("monitoring")
    if not about:
        return {}
    found = {}
    if _writes_properties(app):
        found[PROPERTIES_FILE] = about.get("metricsProperties") or DEFAULT_PROPERTIES
    agent = about.get("prometheus")
    if agent and not agent.get("configFile"):
        found[EXPORTER_FILE] = agent.get("configuration") or default_exporter()
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
