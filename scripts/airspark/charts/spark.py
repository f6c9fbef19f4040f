"""Values of charts/spark. Names are those that users of a standalone Spark chart know."""

from __future__ import annotations

from pydantic import Field

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
    Resources,
    Scalar,
    Scheduling,
    SecretReference,
    SecurityContexts,
    StatefulPersistence,
    Values,
)


class ContainerPorts(Values):
    """Ports of a daemon."""

    http: Port
    cluster: Port


class MasterService(Values):
    """The master's Service."""

    annotations: Labels


class Daemon(Scheduling):
    """What master and workers share."""

    containerPorts: ContainerPorts
    daemonMemoryLimit: JavaMemory
    extraEnvVars: list[EnvVar]
    livenessProbe: Probe
    readinessProbe: Probe
    startupProbe: Probe
    terminationGracePeriodSeconds: Count
    resources: Resources


class Master(Daemon):
    """The master."""

    persistence: StatefulPersistence
    service: MasterService


class Worker(Daemon):
    """The workers."""

    replicaCount: Count
    coreLimit: int | str
    memoryLimit: JavaMemory


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
    securityContexts: SecurityContexts
    mounts: Mounts
    sparkConf: dict[str, Scalar]
    daemonJavaOptions: str
    master: Master
    worker: Worker
