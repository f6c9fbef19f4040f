"""Values of charts/airflow for its long-running components."""

from __future__ import annotations

from typing import Any

from airspark.charts.airflow_access import Hpa, HttpRoute, Service
from airspark.charts.airflow_pods import Component, HttpProbe, LogGroomer, optional
from airspark.charts.common import Count, KubernetesObject, Labels, Positive, Quantity, Values


class ApiServer(Component):
    """The API server."""

    enabled: bool | None = optional("Only true: Airflow 3 does not work without it")
    apiServerConfig: str
    apiServerConfigConfigMapName: str | None = optional("Name of a ConfigMap with the key `webserver_config.py`, in its place")
    service: Service
    allowPodLogReading: bool
    livenessProbe: HttpProbe
    readinessProbe: HttpProbe
    startupProbe: HttpProbe
    configMapAnnotations: Labels | None = optional("Annotations of the ConfigMap with webserver_config.py")
    hpa: Hpa
    httpRoute: HttpRoute


class Scheduler(Component):
    """The scheduler."""

    enabled: bool | None = optional("Only true: Airflow 3 does not work without it")
    logGroomerSidecar: LogGroomer
    stuckTaskSeconds: Count
    updateStrategy: KubernetesObject | None = optional("Accepted and without effect: it is a Deployment, see `strategy`")


class Bundle(Values):
    """A DAG bundle."""

    name: str
    classpath: str
    kwargs: dict[str, Any]
    team_name: str | None = None


class DagProcessor(Component):
    """The DAG processor."""

    enabled: bool | None = optional("Only true: Airflow 3 does not work without it")
    dagBundleConfigList: list[Bundle]
    logGroomerSidecar: LogGroomer


class TriggererPersistence(Values):
    """The triggerer's own claim."""

    enabled: bool
    size: Quantity
    storageClassName: str | None = optional("Storage class; empty takes the cluster's default")
    annotations: Labels | None = optional("Annotations of the claim")
    persistentVolumeClaimRetentionPolicy: KubernetesObject | None = optional("What becomes of claims: whenDeleted, whenScaled")


class Keda(Values):
    """Autoscaling of the triggerer by KEDA, whose ScaledObject owns the number of pods then."""

    enabled: bool | None = optional("Whether it is on; KEDA must be installed")
    namespaceLabels: Labels | None = optional("Labels of KEDA's namespace, which may then reach the chart's database")
    pollingInterval: Positive | None = optional("Seconds between two looks at the database; 5 by default")
    cooldownPeriod: Count | None = optional("Seconds of quiet before the last pod goes; 30 by default")
    minReplicaCount: Count | None = optional("Fewest pods; 0 by default")
    maxReplicaCount: Positive | None = optional("Most pods; 10 by default")
    advanced: KubernetesObject | None = optional("The ScaledObject's `advanced` part")
    query: str | None = optional("SQL that gives the number of pods (template); by default one for each 1,000 triggers")
    usePgbouncer: bool | None = optional("Whether KEDA asks through PgBouncer, if that is installed")


class Triggerer(Component):
    """The triggerer."""

    enabled: bool
    updateStrategy: KubernetesObject | None = optional("How the StatefulSet that `persistence.enabled` makes replaces its pods")
    keda: Keda | None = optional("Autoscaling by KEDA")
    persistence: TriggererPersistence
    logGroomerSidecar: LogGroomer
