"""Values of charts/spark-operator."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from airspark.charts.common import (
    PLATFORM,
    Count,
    Dashboard,
    Dns,
    EnvVar,
    Image,
    ImageRevisions,
    KubernetesApi,
    KubernetesObject,
    Labels,
    Monitor,
    PlatformNames,
    Port,
    Positive,
    Probe,
    Resources,
    Revision,
    Rules,
    Scalar,
    Scheduling,
    SecretReference,
    SecurityContexts,
    Share,
    TimeZone,
    Values,
)


class OperatorGlobal(Values):
    """`global` belongs to every chart of a release, so other keys are let through."""

    model_config = ConfigDict(extra="allow")
    imageRevision: Revision
    imageRevisions: ImageRevisions
    timeZone: TimeZone
    platform: PlatformNames | None = PLATFORM


class LeaderElection(Values):
    """Leader election by a Lease."""

    enable: bool
    leaseDurationSeconds: Positive
    renewDeadlineSeconds: Positive
    retryPeriodSeconds: Positive


class Enable(Values):
    """Something that is on or off."""

    enable: bool


class UiIngress(Enable):
    """The Ingress of each application's user interface."""

    urlFormat: str
    ingressClassName: str


class OperatorAccount(Values):
    """An account."""

    create: bool
    name: str
    annotations: Labels


class Create(Values):
    """Something that is made or not."""

    create: bool


class Budget(Enable):
    """A disruption budget."""

    minAvailable: int | str


class Controller(Scheduling):
    """The controller."""

    replicas: Count
    leaderElection: LeaderElection
    workers: Positive
    logLevel: Literal["debug", "info", "warning", "error"]
    logEncoder: Literal["json", "console"]
    resyncSeconds: Positive
    maxTrackedExecutorPerApp: Count
    missedRunDeadlineSeconds: Count
    driverStartTimeoutSeconds: Count
    maxRetryIntervalSeconds: Positive
    retryResetSeconds: Positive
    uiService: Enable
    uiIngress: UiIngress
    containerPort: Port
    serviceAccount: OperatorAccount
    rbac: Create
    env: list[EnvVar]
    envFrom: list[KubernetesObject]
    volumes: list[KubernetesObject]
    volumeMounts: list[KubernetesObject]
    sidecars: list[KubernetesObject]
    livenessProbe: Probe
    readinessProbe: Probe
    startupProbe: Probe
    terminationGracePeriodSeconds: Count
    resources: Resources
    podLabels: Labels
    topologySpreadConstraints: list[KubernetesObject]
    priorityClassName: str
    podDisruptionBudget: Budget


class ApplicationSecurity(Values):
    """What Spark does among the processes of an application, each with a secret of its own."""

    authentication: bool = Field(description="spark.authenticate")
    encryption: bool = Field(description="spark.network.crypto.enabled with AES-GCM, and spark.io.encryption.enabled")


class ApplicationDefaults(Values):
    """What applications get where they are silent."""

    image: str
    security: ApplicationSecurity
    sparkConf: dict[str, Scalar]
    podSecurityContext: KubernetesObject
    containerSecurityContext: KubernetesObject
    clusterDomain: str


class Allowed(Values):
    """What pods of applications may have, as lists of names in which * stands for any letters."""

    serviceAccounts: list[str]
    secrets: list[str]
    claims: list[str]
    priorityClasses: list[str]
    volumes: list[str]
    hosts: list[str]
    serviceTypes: list[str]


class DriverRbac(Create):
    """What drivers may do."""

    createAdmissionPolicies: bool


class Spark(Values):
    """Applications."""

    jobNamespaces: list[str]
    serviceAccount: OperatorAccount
    rbac: DriverRbac
    allowed: Allowed
    defaults: ApplicationDefaults


class ApplicationPolicy(Values):
    """What values add to the policy of applications."""

    extraIngress: list[KubernetesObject] = Field(
        description="Further rules to driver and executors (template), such as the label of applications that ask this one"
    )
    extraEgress: list[KubernetesObject] = Field(description="Further rules out of driver and executors (template)")


class OperatorPolicies(Values):
    """Network policies of the controller and of applications."""

    enabled: bool
    dns: Dns
    kubernetesApi: KubernetesApi
    scrapers: list[KubernetesObject]
    viewers: list[KubernetesObject]
    applications: ApplicationPolicy


class OperatorThresholds(Values):
    """Thresholds of the alerts. Their defaults stand in files/alerts.yaml, and a test compares the descriptions."""

    leaderSeconds: Positive | None = Field(
        default=None, description="SparkOperatorAbsent: seconds in which no controller leads; default 60"
    )
    watchSeconds: Positive | None = Field(
        default=None, description="SparkOperatorWatchStale: seconds since a watch was last found alive; default 120"
    )
    errors: Positive | None = Field(
        default=None, description="SparkOperatorErrors: looks at objects that fail in 10 minutes; default 10"
    )
    queueLength: Positive | None = Field(
        default=None, description="SparkOperatorBehind: objects that wait to be looked at; default 100"
    )
    queueMinutes: Positive | None = Field(
        default=None, description="SparkOperatorBehind: minutes in which more than that wait; default 5"
    )
    refusedSubmissions: Positive | None = Field(
        default=None, description="SparkSubmissionsRefused: submissions of a namespace refused in 15 minutes; default 3"
    )
    failedShare: Share | None = Field(
        default=None, description="SparkApplicationsFail: share of a namespace's applications that fail in an hour; default 0.5"
    )
    failedApplications: Positive | None = Field(
        default=None, description="SparkApplicationsFail: least number of them; default 4"
    )


OperatorAlert = Literal[
    "SparkOperatorAbsent",
    "SparkOperatorWatchStale",
    "SparkOperatorErrors",
    "SparkOperatorBehind",
    "SparkSubmissionsRefused",
    "SparkApplicationsFail",
    "SparkScheduleMissed",
]


class OperatorRules(Rules):
    """A PrometheusRule with alerts about the controller and applications."""

    thresholds: OperatorThresholds = Field(description="Thresholds of the alerts; what is not given takes its default")
    disabled: list[OperatorAlert] | None = Field(default=None, description="Names of alerts that are left out")


class OperatorMetrics(Values):
    """Objects for Prometheus and Grafana."""

    podMonitor: Monitor
    prometheusRule: OperatorRules
    dashboard: Dashboard


class SparkOperatorValues(Values):
    """The whole of charts/spark-operator/values.yaml."""

    enabled: bool
    global_: OperatorGlobal = Field(alias="global")
    fullnameOverride: str
    nameOverride: str
    image: Image
    imagePullSecrets: list[SecretReference]
    labels: Labels
    securityContexts: SecurityContexts
    controller: Controller
    spark: Spark
    networkPolicies: OperatorPolicies
    metrics: OperatorMetrics
