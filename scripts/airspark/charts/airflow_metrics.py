"""Values of charts/airflow for metrics and traces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airspark.charts.airflow_pods import JobPod, NetworkPolicy, Objects, optional
from airspark.charts.common import (
    Count,
    Dashboard,
    EnvVar,
    Labels,
    Monitor,
    Positive,
    PrometheusDuration,
    Resources,
    Rules,
    Share,
    Values,
)


class StatsdService(Values):
    """The exporter's Service."""

    extraAnnotations: Labels | None = optional("Annotations of the Service")


class StatsdCache(Values):
    """The exporter's caches."""

    size: Count = Field(description="Names whose mapping is remembered")
    type: Literal["lru", "random"] = Field(description="Which name is forgotten when there are too many")
    ttl: PrometheusDuration = Field(
        description="How long a metric without samples is kept; 0s keeps it, but 10m where the chart's mappings say so"
    )


class Statsd(JobPod):
    """The statsd exporter."""

    enabled: bool
    resources: Resources
    extraMappings: Objects
    overrideMappings: Objects
    uid: Positive
    cache: StatsdCache
    service: StatsdService | None = optional("Service of the exporter")
    configMapAnnotations: Labels | None = optional("Annotations of the ConfigMap with the mappings (template)")
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    extraNetworkPolicies: Objects | None = optional("Peers that may reach it, as in `networkPolicy.ingress.from`")
    revisionHistoryLimit: Count | None = optional("Old ReplicaSets that are kept")


class OpenTelemetry(Values):
    """Metrics and traces over OTLP to a collector of yours."""

    metricsEnabled: bool = Field(description="Whether metrics are sent, and none to the statsd exporter")
    tracesEnabled: bool = Field(description="Whether traces are sent")
    endpoint: str = Field(description="Address of the collector, for example http://collector:4318")
    protocol: Literal["http/protobuf", "grpc"] = Field(description="Protocol of the address")
    metricExportIntervalMs: Positive = Field(description="Milliseconds between two sendings of metrics")
    headersSecretName: str | None = optional("Name of a Secret with the key `headers`, for OTEL_EXPORTER_OTLP_HEADERS")
    env: list[EnvVar] | None = optional("More OTEL_* variables, as a list of {name, value}")


class Thresholds(Values):
    """Thresholds of the alerts. Their defaults stand in files/alerts.yaml, and a test compares the descriptions."""

    heartbeatMinutes: Positive | None = optional("AirflowMetricsAbsent and the heartbeat alerts: minutes of silence; default 5")
    executorFullMinutes: Positive | None = optional("AirflowExecutorFull: minutes without an open slot; default 15")
    noTaskStartMinutes: Positive | None = optional("AirflowNoTaskStarts: minutes in which nothing queued starts; default 15")
    queuedMinutes: Positive | None = optional("AirflowTaskQueuedLong: minutes that a task is queued; default 20")
    poolFullMinutes: Positive | None = optional("AirflowPoolFull: minutes that tasks wait for a pool; default 30")
    podFailures: Positive | None = optional("AirflowPodCreationFailing: pods refused in 10 minutes; default 3")
    importErrorMinutes: Positive | None = optional("AirflowDagImportErrors: minutes that a file has an error; default 5")
    parseSeconds: Positive | None = optional("AirflowDagProcessingSlow: seconds to read all DAG files; default 300")
    failureRatio: Share | None = optional("AirflowTasksFailing: failed share of all tries; default 0.2")
    failureMinimum: Positive | None = optional("AirflowTasksFailing: failed tries in an hour, at least; default 10")
    lostTasks: Positive | None = optional("AirflowTasksLost: pods of one task lost in an hour; default 3")


Alert = Literal[
    "AirflowMetricsAbsent",
    "AirflowSchedulerHeartbeatMissing",
    "AirflowDagProcessorHeartbeatMissing",
    "AirflowTriggererHeartbeatMissing",
    "AirflowExecutorFull",
    "AirflowNoTaskStarts",
    "AirflowTaskQueuedLong",
    "AirflowPoolFull",
    "AirflowPodCreationFailing",
    "AirflowDagImportErrors",
    "AirflowDagProcessingSlow",
    "AirflowDagFileTimeout",
    "AirflowTasksFailing",
    "AirflowTasksLost",
]


class AirflowRules(Rules):
    """A PrometheusRule with Airflow's alerts."""

    thresholds: Thresholds = Field(description="Thresholds of the alerts; what is not given takes its default")
    disabled: list[Alert] | None = optional("Names of alerts that are left out")


class Metrics(Values):
    """Objects for Prometheus and Grafana."""

    serviceMonitor: Monitor
    podMonitor: Monitor
    prometheusRule: AirflowRules
    dashboard: Dashboard
