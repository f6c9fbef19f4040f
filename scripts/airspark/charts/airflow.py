"""Values of charts/airflow. Names and meanings are the official Airflow chart's wherever it has the key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from airspark.charts.airflow_access import Auth, HelmTest, Ingress
from airspark.charts.airflow_bootstrap import (
    Bootstrap,
    Connection,
    CreateUserJob,
    FromSecret,
    MigrateDatabaseJob,
    Permission,
    Pool,
    User,
    Variable,
)
from airspark.charts.airflow_components import ApiServer, DagProcessor, Scheduler, Triggerer
from airspark.charts.airflow_data import Dags, Data, Logs, PgBouncer, Postgresql, SearchIndex
from airspark.charts.airflow_jobs import Backup, Cleanup, DatabaseCleanup
from airspark.charts.airflow_metrics import Metrics, OpenTelemetry, Statsd
from airspark.charts.airflow_pods import GlobalContexts, NetworkPolicy, Objects, optional
from airspark.charts.airflow_workers import Workers
from airspark.charts.common import (
    Count,
    Digest,
    Dns,
    EnvVar,
    Global,
    Image,
    KubernetesApi,
    KubernetesObject,
    Labels,
    Mounts,
    Port,
    Positive,
    PullPolicy,
    Scalar,
    SecretReference,
    Values,
)


class AirflowImage(Image):
    """An image reference with a digest."""

    digest: Digest | None = optional("Image digest, in place of the tag")


class ExporterImage(Values):
    """The image of an exporter that the chart has no image for."""

    repository: str | None = optional("Image repository")
    tag: str | None = optional("Image tag")
    digest: Digest | None = optional("Image digest, in place of the tag")
    pullPolicy: PullPolicy | None = optional("When the kubelet pulls the image")


class Images(Values):
    """Images by part."""

    airflow: AirflowImage
    pod_template: AirflowImage
    statsd: AirflowImage
    pgbouncer: AirflowImage
    pgbouncerExporter: ExporterImage | None = optional("The image of PgBouncer's metrics exporter; without it, there is none")
    migrationsWaitTimeout: Count | None = optional("Accepted and without effect: pods wait as long as the migration takes")
    useDefaultImageForMigration: Literal[False] | None = optional("Only false: the migration is the image's own")


class Rbac(Values):
    """Roles and bindings."""

    create: bool
    createSCCRoleBinding: bool
    createAdmissionPolicies: bool


class Ports(Values):
    """Ports of the containers."""

    apiServer: Port = Field(description="API server and UI")
    triggererLogs: Port = Field(description="Running triggers' logs")
    workerLogs: Port = Field(description="Running tasks' logs")
    statsdIngest: Port = Field(description="Metrics that arrive at the statsd exporter, over UDP")
    statsdScrape: Port = Field(description="Metrics that Prometheus reads from the statsd exporter")
    pgbouncer: Port = Field(description="PgBouncer")
    pgbouncerScrape: Port | None = optional("Metrics that Prometheus reads from PgBouncer's exporter; by default 9127")


class SparkClientPorts(Values):
    """Ports of a Spark driver in a task pod."""

    driver: Port
    blockManager: Port
    ui: Port


class DynamicAllocation(Values):
    """Number of executors by load."""

    enabled: bool = Field(description="Whether applications get it by default")
    shuffle: Literal["tracking", "service"] = Field(
        description="Who serves shuffle files of executors that are given back: themselves, so that they are kept (`tracking`),"
        " or the workers (`service`), which needs `spark.shuffleService.enabled`"
    )


class SparkClient(Values):
    """Spark drivers in task pods."""

    ports: SparkClientPorts
    dynamicAllocation: DynamicAllocation
    conf: dict[str, Scalar]


class PriorityClass(Values):
    """A priority class that the chart makes."""

    name: str = Field(description="Name, after the release's")
    value: int = Field(description="Priority; higher goes first")
    preemptionPolicy: Literal["PreemptLowerPriority", "Never"] | None = optional("Whether it takes the place of lower ones")


class SecretEnv(Values):
    """An environment variable of every Airflow container that stands in a Secret."""

    envName: str = Field(description="Name of the variable")
    secretName: str = Field(description="Name of the Secret")
    secretKey: str = Field(description="Key of the Secret")


class ExtraConfigMap(Values):
    """A ConfigMap that the chart makes."""

    labels: Labels | None = optional("Its labels")
    annotations: Labels | None = optional("Its annotations (template)")
    data: str | Labels | None = optional("Its content, as a map or a YAML text (template)")
    useHelmHooks: bool | None = optional("Accepted and without effect: there are no hooks")


class ExtraSecret(ExtraConfigMap):
    """A Secret that the chart makes; its content stands in the release, so bring real secrets yourself."""

    type: str | None = optional("Its type; Opaque by default")
    stringData: str | Labels | None = optional("Its content before encoding, as a map or a YAML text (template)")


class DatabaseServers(Values):
    """Where the metadata database is."""

    cidrs: list[str] = Field(description="Networks of an external database; empty means any address")
    ports: list[Port] = Field(description="Its ports; empty takes `data.metadataConnection.port`")
    extraIngress: Objects | None = optional("More ingress rules of the chart's own PostgreSQL (template)")


class SparkServer(Values):
    """Where a server of the release's Spark listens."""

    ports: list[Port] = Field(description="Ports that task pods may reach")


class NetworkPolicies(Values):
    """Who may reach whom."""

    enabled: bool
    dns: Dns
    kubernetesApi: KubernetesApi
    database: DatabaseServers
    sparkMaster: SparkServer
    sparkConnect: SparkServer
    tasks: NetworkPolicy


class Rotation(Values):
    """Texts that, when changed, make a Secret of the chart anew."""

    fernetKey: str
    jwtSecret: str
    apiSecretKey: str
    databasePassword: str
    adminPassword: str


class JwtKeyPair(Values):
    """Signing of tokens by a key pair."""

    enabled: bool
    secretName: str


class GitOps(Values):
    """Installation by a tool that must not make Secrets."""

    enabled: bool


class Registry(Values):
    """The image registry, as the official chart's older values name it."""

    secretName: str | None = optional("Name of a Secret with registry credentials")


class AirflowValues(Values):
    """The whole of charts/airflow/values.yaml."""

    enabled: bool
    global_: Global = Field(alias="global")
    fullnameOverride: str
    nameOverride: str
    useStandardNaming: bool
    uid: Positive
    gid: Count
    airflowHome: str
    defaultAirflowRepository: str
    defaultAirflowTag: str
    defaultAirflowDigest: Digest | Literal[""]
    airflowVersion: str
    images: Images
    imagePullSecrets: list[SecretReference | str]
    registry: Registry | None = optional("Image registry, under its older name")
    labels: Labels
    airflowPodAnnotations: Labels
    airflowConfigAnnotations: Labels
    airflowLocalSettings: str
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject
    topologySpreadConstraints: Objects
    schedulerName: str
    revisionHistoryLimit: Count
    enableServiceLinks: bool
    securityContexts: GlobalContexts
    securityContext: KubernetesObject | None = optional("As `securityContexts.pod`, under its older name")
    ipFamilyPolicy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = optional(
        "IP families of every Service"
    )
    ipFamilies: list[Literal["IPv4", "IPv6"]] | None = optional("IP families of every Service, the first one first")
    containerLifecycleHooks: KubernetesObject
    priorityClasses: list[PriorityClass]
    quotas: dict[str, Any]
    limits: Objects
    env: list[EnvVar]
    secret: list[SecretEnv]
    extraEnv: str
    extraEnvFrom: str
    extraSecrets: dict[str, ExtraSecret | None]
    extraConfigMaps: dict[str, ExtraConfigMap | None]
    extraObjects: list[KubernetesObject | str]
    volumes: Objects
    volumeMounts: Objects
    enableBuiltInSecretEnvVars: dict[str, bool]
    executor: str
    allowPodLaunching: bool
    allowJobLaunching: bool
    multiNamespaceMode: bool
    podTemplate: str
    rbac: Rbac
    networkPolicies: NetworkPolicies
    fernetKeySecretName: str
    fernetKeySecretAnnotations: Labels | None = optional("Annotations of the Secret with the Fernet key")
    apiSecretKeySecretName: str
    apiSecretAnnotations: Labels | None = optional("Annotations of the Secret with the API server's key")
    jwtSecretName: str
    jwtSecretAnnotations: Labels | None = optional("Annotations of the Secret with the JWT secret or key pair")
    jwtKeyPair: JwtKeyPair
    rotation: Rotation
    gitops: GitOps
    data: Data
    postgresql: Postgresql
    pgbouncer: PgBouncer
    dags: Dags
    logs: Logs
    elasticsearch: SearchIndex
    opensearch: SearchIndex
    mounts: Mounts
    ports: Ports
    auth: Auth
    apiServer: ApiServer
    scheduler: Scheduler
    dagProcessor: DagProcessor
    triggerer: Triggerer
    workers: Workers
    sparkClient: SparkClient
    bootstrap: Bootstrap
    migrateDatabaseJob: MigrateDatabaseJob
    createUserJob: CreateUserJob
    connections: dict[str, Connection | None]
    variables: dict[str, Variable | str | float | bool | FromSecret | None]
    pools: dict[str, Pool | None]
    roles: dict[str, list[Permission] | None]
    users: dict[str, User | None]
    backup: Backup
    cleanup: Cleanup
    databaseCleanup: DatabaseCleanup
    ingress: Ingress
    statsd: Statsd
    otelCollector: OpenTelemetry
    metrics: Metrics
    helmTest: HelmTest
    config: dict[str, dict[str, Scalar] | None]
