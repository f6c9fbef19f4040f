"""Values of charts/spark for metrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airspark.charts.common import Dashboard, Monitor, Positive, Rules, Share, Values


class Thresholds(Values):
    """Thresholds of the alerts. Their defaults stand in files/alerts.yaml, and a test compares the descriptions."""

    masterSeconds: Positive | None = Field(
        default=None, description="SparkMasterAbsent: seconds without an answer of the master; default 60"
    )
    noWorkersSeconds: Positive | None = Field(
        default=None, description="SparkNoWorkers: seconds in which the master knows no worker that is alive; default 60"
    )
    workerLostMinutes: Positive | None = Field(
        default=None, description="SparkWorkerLost: minutes with fewer workers than the values ask for; default 5"
    )
    misfitMinutes: Positive | None = Field(
        default=None, description="SparkApplicationFitsNowhere: minutes without an executor beside free cores; default 2"
    )
    waitingMinutes: Positive | None = Field(
        default=None, description="SparkApplicationsWaiting: minutes that applications have no executor; default 10"
    )
    lostExecutors: Positive | None = Field(
        default=None, description="SparkExecutorsLost: executors of one application lost in 15 minutes; default 2"
    )
    recoveryFreeShare: Share | None = Field(
        default=None, description="SparkRecoveryClaimFull: free share of the recovery claim; default 0.1"
    )


Alert = Literal[
    "SparkMasterAbsent",
    "SparkNoWorkers",
    "SparkWorkerLost",
    "SparkApplicationFitsNowhere",
    "SparkApplicationsWaiting",
    "SparkExecutorsLost",
    "SparkContainerRestarted",
    "SparkRecoveryClaimFull",
]


class SparkRules(Rules):
    """A PrometheusRule with Spark's alerts."""

    thresholds: Thresholds = Field(description="Thresholds of the alerts; what is not given takes its default")
    disabled: list[Alert] | None = Field(default=None, description="Names of alerts that are left out")


class Metrics(Values):
    """What Spark's processes serve, and objects for Prometheus and Grafana."""

    enabled: bool
    podMonitor: Monitor
    prometheusRule: SparkRules
    dashboard: Dashboard
