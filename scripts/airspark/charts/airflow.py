"""Values of charts/airflow. Names and meanings are the official Airflow chart's wherever it has the key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from airspark.charts.common import (
    AccessMode,
    Count,
    EnvVar,
    Global,
    Image,
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
    ServiceAccount,
    StatefulPersistence,
    TokenServiceAccount,
    Values,
)


class Images(Values):
    """Images by part."""

    airflow: Image
    pod_template: Image


class Rbac(Values):
    """Roles and bindings."""

    create: bool


class MetadataConnection(Values):
    """What the database's URL is made of, without its password."""

    user: str
    protocol: Literal["postgresql", "postgresql+psycopg2"]
    host: str
    port: Port
    db: str
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Data(Values):
    """The metadata database."""

    metadataSecretName: str
    metadataConnection: MetadataConnection


class PostgresqlAuth(Values):
    """Credentials of the chart's own PostgreSQL."""

    existingSecret: str


class Postgresql(Values):
    """The chart's own PostgreSQL."""

    enabled: bool
    image: Image
    auth: PostgresqlAuth
    uid: Positive
    config: dict[str, Scalar]
    persistence: StatefulPersistence
    resources: Resources
    podAnnotations: Labels


class LogsPersistence(Values):
    """The claim for task logs."""

    enabled: bool
    size: Quantity
    existingClaim: str
    subPath: str
    storageClassName: str
    accessMode: AccessMode


class Logs(Values):
    """Task logs."""

    persistence: LogsPersistence


class Ports(Values):
    """Ports of the containers."""

    apiServer: Port
    triggererLogs: Port


class Service(Values):
    """The API server's Service."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"]
    annotations: Labels


class WaitForMigrations(Values):
    """The init container that waits for the migration."""

    enabled: bool


class Component(Scheduling):
    """What every Airflow component has."""

    replicas: Count
    serviceAccount: TokenServiceAccount
    livenessProbe: Probe
    startupProbe: Probe
    waitForMigrations: WaitForMigrations
    terminationGracePeriodSeconds: Count
    env: list[EnvVar]
    resources: Resources


class ApiServer(Component):
    """The API server."""

    apiServerConfig: str
    service: Service
    allowPodLogReading: bool
    readinessProbe: Probe


class Bundle(Values):
    """A DAG bundle."""

    name: str
    classpath: str
    kwargs: dict[str, Any]


class DagProcessor(Component):
    """The DAG processor."""

    dagBundleConfigList: list[Bundle]


class Triggerer(Component):
    """The triggerer."""

    enabled: bool


class KubernetesWorkers(Scheduling):
    """Task pods."""

    serviceAccount: ServiceAccount
    env: list[EnvVar]
    resources: Resources
    terminationGracePeriodSeconds: Count


class Workers(Values):
    """Task pods by kind of executor."""

    kubernetes: KubernetesWorkers


class SparkClientPorts(Values):
    """Ports of a Spark driver in a task pod."""

    driver: Port
    blockManager: Port
    ui: Port


class SparkClient(Values):
    """Spark drivers in task pods."""

    ports: SparkClientPorts
    conf: dict[str, Scalar]


class Bootstrap(Values):
    """The bootstrap Job."""

    serviceAccount: ServiceAccount
    databaseDeadlineSeconds: Positive
    backoffLimit: Count
    resources: Resources
    podAnnotations: Labels


class DefaultUser(Values):
    """The first user, without a password."""

    role: str
    username: str
    email: str
    firstName: str
    lastName: str


class CreateUserJob(Values):
    """The first user."""

    enabled: bool
    existingSecret: str
    defaultUser: DefaultUser


class Connection(Values):
    """An Airflow connection; a password belongs in a Secret, so there is no such key."""

    type: str
    description: str | None = None
    host: str | None = None
    login: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    port: int | None = None
    extra: dict[str, Any] | str | None = None


class AirflowValues(Values):
    """The whole of charts/airflow/values.yaml."""

    enabled: bool
    global_: Global = Field(alias="global")
    fullnameOverride: str
    nameOverride: str
    uid: Positive
    gid: Count
    airflowHome: str
    defaultAirflowRepository: str
    defaultAirflowTag: str
    images: Images
    imagePullSecrets: list[SecretReference]
    labels: Labels
    airflowPodAnnotations: Labels
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject
    securityContexts: SecurityContexts
    env: list[EnvVar]
    executor: str
    rbac: Rbac
    fernetKeySecretName: str
    apiSecretKeySecretName: str
    jwtSecretName: str
    data: Data
    postgresql: Postgresql
    logs: Logs
    mounts: Mounts
    ports: Ports
    apiServer: ApiServer
    scheduler: Component
    dagProcessor: DagProcessor
    triggerer: Triggerer
    workers: Workers
    sparkClient: SparkClient
    bootstrap: Bootstrap
    createUserJob: CreateUserJob
    connections: dict[str, Connection | None]
    config: dict[str, dict[str, Scalar] | None]
