"""Values of charts/spark. Names are those that users of a standalone Spark chart know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from airspark.charts.common import (
    Count,
    EnvVar,
    Global,
    Image,
    JavaMemory,
    KubernetesObject,
    Labels,
    Mounts,
    Port,
    Positive,
    Probe,
    Quantity,
    Resources,
    Scalar,
    Scheduling,
    SecretReference,
    SecurityContexts,
    StatefulPersistence,
    Values,
)
from airspark.charts.spark_access import HelmTest, HttpRoute, Ingress, NetworkPolicies
from airspark.charts.spark_metrics import Metrics

Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|min|h|d)?$")]
Percent = Annotated[int, Field(ge=1, le=100)]


class UiPort(Values):
    """Port of a process that has a user interface alone."""

    http: Port


class MasterPorts(UiPort):
    """Ports of the master."""

    cluster: Port
    rest: Port


class WorkerPorts(UiPort):
    """Ports of a worker."""

    cluster: Port
    shuffle: Port


class MasterService(Values):
    """The master's Service."""

    annotations: Labels


class Account(Values):
    """Account of every Spark pod."""

    create: bool
    name: str
    annotations: Labels


class Rpc(Values):
    """Calls between Spark processes."""

    authenticationEnabled: bool
    encryptionEnabled: bool


class Storage(Values):
    """What is spilled to local disks."""

    encryptionEnabled: bool


class Acls(Values):
    """Who may look at and stop applications."""

    enabled: bool
    admins: list[str]
    viewers: list[str]


class Security(Values):
    """Authentication and encryption."""

    passwordsSecretName: str
    rpc: Rpc
    storage: Storage
    acls: Acls


class ReverseProxy(Values):
    """The master in front of every other user interface."""

    enabled: bool
    url: str


class Ui(Values):
    """User interfaces."""

    reverseProxy: ReverseProxy


class Switch(Values):
    """A part that is on or off."""

    enabled: bool


class SparkScheduling(Scheduling):
    """Where a Spark pod runs and what it carries."""

    topologySpreadConstraints: list[KubernetesObject]
    priorityClassName: str


class Daemon(SparkScheduling):
    """What every long-lived process shares."""

    daemonMemoryLimit: JavaMemory
    extraEnvVars: list[EnvVar]
    extraEnvVarsCM: str
    extraEnvVarsSecret: str
    extraVolumes: list[KubernetesObject]
    extraVolumeMounts: list[KubernetesObject]
    initContainers: list[KubernetesObject]
    sidecars: list[KubernetesObject]
    podLabels: Labels
    livenessProbe: Probe
    readinessProbe: Probe
    startupProbe: Probe
    terminationGracePeriodSeconds: Count
    resources: Resources


class Rest(Values):
    """The submission server."""

    enabled: bool
    jws: Switch


class Master(Daemon):
    """The master."""

    containerPorts: MasterPorts
    configOptions: str
    recoveryMode: Literal["ROCKSDB", "FILESYSTEM"]
    rest: Rest
    persistence: StatefulPersistence
    service: MasterService


class Scratch(Values):
    """Where executors spill and shuffle."""

    size: Quantity | Literal[""]
    storageClassName: str
    emptyDir: KubernetesObject


class Autoscaling(Values):
    """Number of workers by load."""

    enabled: bool
    minReplicas: Positive
    maxReplicas: Positive
    targetCPU: Percent | Literal[""]
    targetMemory: Percent | Literal[""]
    behavior: KubernetesObject


class Pdb(Values):
    """Drains and other voluntary disruptions."""

    create: bool
    maxUnavailable: int | str
    minAvailable: int | str


class Worker(Daemon):
    """The workers."""

    containerPorts: WorkerPorts
    replicaCount: Count
    coreLimit: int | str
    memoryLimit: JavaMemory
    configOptions: str
    javaOptions: str
    podManagementPolicy: Literal["Parallel", "OrderedReady"]
    decommission: Switch
    scratch: Scratch
    autoscaling: Autoscaling
    pdb: Pdb


class WorkerGroup(Worker):
    """Workers of another kind; a key that is left out is that of `worker`."""

    model_config = ConfigDict(json_schema_extra={"required": []})


class Workers(Values):
    """Workers of other kinds."""

    groups: dict[str, WorkerGroup | None]


class Cleaner(Values):
    """Removal of old event logs."""

    interval: Duration
    maxAge: Duration


class HistoryServer(Daemon):
    """The history server."""

    enabled: bool
    url: str
    containerPorts: UiPort
    updateInterval: Duration
    cleaner: Cleaner
    sparkConf: dict[str, Scalar]
    ingress: Ingress
    httpRoute: HttpRoute


class ConnectPorts(UiPort):
    """Ports of the Connect server."""

    grpc: Port
    driver: Port
    blockManager: Port


class ConnectExecutor(Values):
    """Each executor of the Connect server."""

    cores: Positive
    memory: JavaMemory


class ConnectTls(Values):
    """The Connect server's certificate."""

    create: bool
    secretName: str


class ConnectProxy(Values):
    """What speaks TLS in front of the Connect server."""

    image: Image
    resources: Resources


class ConnectService(Values):
    """The Connect server's Service."""

    annotations: Labels


class Connect(Daemon):
    """The Connect server."""

    enabled: bool
    containerPorts: ConnectPorts
    executor: ConnectExecutor
    maxCores: Positive
    sparkConf: dict[str, Scalar]
    tls: ConnectTls
    proxy: ConnectProxy
    service: ConnectService


class Bootstrap(Values):
    """The bootstrap Job."""

    backoffLimit: Count
    resources: Resources
    terminationGracePeriodSeconds: Count
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject


class SparkValues(Values):
    """The whole of charts/spark/values.yaml."""

    enabled: bool
    global_: Global = Field(alias="global")
    fullnameOverride: str
    nameOverride: str
    image: Image
    imagePullSecrets: list[SecretReference]
    uid: Positive
    gid: Count
    labels: Labels
    podAnnotations: Labels
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject
    topologySpreadConstraints: list[KubernetesObject]
    priorityClassName: str
    serviceAccount: Account
    security: Security
    securityContexts: SecurityContexts
    mounts: Mounts
    ui: Ui
    ingress: Ingress
    httpRoute: HttpRoute
    networkPolicies: NetworkPolicies
    helmTest: HelmTest
    shuffleService: Switch
    sparkConf: dict[str, Scalar]
    daemonJavaOptions: str
    master: Master
    worker: Worker
    workers: Workers
    historyServer: HistoryServer
    connect: Connect
    bootstrap: Bootstrap
    metrics: Metrics
