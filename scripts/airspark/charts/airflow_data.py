"""Values of charts/airflow that say where data is: database, DAGs, logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airspark.charts.airflow_pods import (
    ContainerContext,
    DisruptionBudget,
    JobPod,
    NetworkPolicy,
    Objects,
    optional,
)
from airspark.charts.common import (
    AccessMode,
    Count,
    Image,
    KubernetesObject,
    Labels,
    Port,
    Positive,
    Quantity,
    Resources,
    Scalar,
    StatefulPersistence,
    Values,
)

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class MetadataConnection(Values):
    """What the database's URL is made of, without its password."""

    user: str
    protocol: Literal["postgresql", "postgresql+psycopg2"]
    host: str
    port: Port
    db: str
    sslmode: SslMode | Literal[""]
    passwordSecretName: str
    caSecretName: str
    secretAnnotations: Labels | None = optional("Annotations of the Secret with the URL, if the bootstrap Job makes it")


class Data(Values):
    """The metadata database."""

    metadataSecretName: str
    metadataSecretKey: str | None = optional("Key of `metadataSecretName`; `connection` by default")
    metadataConnection: MetadataConnection


class PostgresqlAuth(Values):
    """Credentials of the chart's own PostgreSQL."""

    existingSecret: str


class PostgresqlTls(Values):
    """The certificate of the chart's own PostgreSQL."""

    secretName: str | None = optional("Name of a Secret with tls.crt, tls.key and ca.crt; empty lets the bootstrap Job make one")


class Postgresql(Values):
    """The chart's own PostgreSQL."""

    enabled: bool
    image: Image
    auth: PostgresqlAuth
    tls: PostgresqlTls | None = optional("Its certificate")
    uid: Positive
    config: dict[str, Scalar]
    persistence: StatefulPersistence
    resources: Resources
    podAnnotations: Labels | None = optional("Annotations of the pod")
    nodeSelector: Labels | None = optional("Node selector of the pod, merged over the global one")
    affinity: KubernetesObject | None = optional("Affinity of the pod, in place of the global one")
    tolerations: Objects | None = optional("Tolerations of the pod, in place of the global ones")
    priorityClassName: str | None = optional("Priority class of the pod")


class PgBouncerService(Values):
    """The Service of PgBouncer."""

    extraAnnotations: Labels | None = optional("Annotations of the Service (template)")
    clusterIp: str | None = optional("Address of the Service; empty lets the cluster choose")


class ExporterProbe(Values):
    """Timing of a probe of the metrics exporter."""

    initialDelaySeconds: Count | None = optional("Seconds before the first check")
    periodSeconds: Positive | None = optional("Seconds between two checks")
    timeoutSeconds: Positive | None = optional("Seconds one check may take")


class MetricsExporter(Values):
    """PgBouncer's metrics for Prometheus; runs where `images.pgbouncerExporter` names an image."""

    resources: Resources | None = optional("Resources of the sidecar")
    sslmode: SslMode | None = optional("The sslmode of its connection to PgBouncer")
    statsSecretName: str | None = optional("Name of a Secret with its connection; empty lets the bootstrap Job make one")
    statsSecretKey: str | None = optional("Key of that Secret; empty takes `connection`")
    statsSecretAnnotations: Labels | None = optional("Annotations of the Secret that the bootstrap Job makes")
    securityContexts: ContainerContext | None = optional("Security context of the sidecar")
    containerLifecycleHooks: KubernetesObject | None = optional("Lifecycle hooks of the sidecar (template)")
    livenessProbe: ExporterProbe | None = optional("Restarts the sidecar when it fails")
    readinessProbe: ExporterProbe | None = optional("Takes the pod out of its Service when it fails")
    extraVolumeMounts: Objects | None = optional("More mounts of the sidecar (template)")


class PgBouncer(JobPod):
    """PgBouncer in front of the metadata database."""

    enabled: bool
    replicas: Count
    maxClientConn: Positive
    metadataPoolSize: Positive
    logConnections: bool | Literal[0, 1] = Field(description="Whether connections are logged")
    logDisconnections: bool | Literal[0, 1] = Field(description="Whether disconnections are logged")
    verbose: Count = Field(description="Level of the log")
    sslmode: SslMode
    auth_type: Literal["scram-sha-256", "md5"]
    configSecretName: str
    resources: Resources
    auth_file: str | None = optional("File with the users; by default the one of the Secret")
    mountConfigSecret: bool | None = optional("Whether the Secret is mounted; switch off to bring the files in another way")
    configSecretAnnotations: Labels | None = optional("Annotations of the Secret that the bootstrap Job makes")
    uid: Positive | None = optional("User id of the process; by default 65534")
    resultBackendPoolSize: Count | None = optional("Accepted and without effect: there is no result backend")
    ciphers: str | None = optional("TLS ciphers towards the server")
    extraIni: str | None = optional("Lines added to the end of pgbouncer.ini (template)")
    extraIniMetadata: str | None = optional("Words added to the metadata database's line in pgbouncer.ini")
    podDisruptionBudget: DisruptionBudget | None = optional("Disruption budget of the pods")
    revisionHistoryLimit: Count | None = optional("Old ReplicaSets that are kept")
    strategy: KubernetesObject | None = optional("How the Deployment replaces its pods")
    service: PgBouncerService | None = optional("Service of PgBouncer")
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    extraNetworkPolicies: Objects | None = optional("Peers that may reach it, beside the chart's own parts")
    metricsExporterSidecar: MetricsExporter | None = optional("Metrics for Prometheus")


class SharedClaim(Values):
    """A claim that several pods mount."""

    size: Quantity = Field(description="Size of the claim")
    existingClaim: str = Field(description="Name of a claim to use instead of making one")
    subPath: str = Field(description="Folder of the claim to mount")
    storageClassName: str = Field(description="Storage class; empty takes the cluster's default")
    annotations: Labels = Field(description="Annotations of the claim")


class DagsPersistence(SharedClaim):
    """The claim with DAG files."""

    enabled: bool = Field(description="Whether there is a claim")
    accessMode: Literal["ReadOnlyMany", AccessMode] = Field(  # pods only read it, so a claim that nobody may write is enough
        description="Access mode; ReadWriteMany where pods run on several nodes"
    )


class LogsPersistence(SharedClaim):
    """The claim for task logs."""

    enabled: Literal[True, False, "auto"] = Field(description="Whether there is a claim; auto: unless logs are sent away")
    accessMode: AccessMode | Literal[""] = Field(
        description="Access mode; empty: ReadWriteMany if `enabled` is true or a component has several pods"
    )
    singleNode: bool | None = optional("Whether all pods are on one node, where several may write a ReadWriteOnce claim")


class GitSync(Values):
    """DAGs from a Git repository, as a DAG bundle; there is no sidecar."""

    enabled: bool
    repo: str
    branch: str
    ref: str
    subPath: str
    period: Annotated[str, Field(pattern=r"^[1-9][0-9]*[smh]?$")]
    credentialsSecret: str
    sshKeySecret: str
    knownHosts: str
    rev: str | None = optional("Commit or tag to follow before `branch`; HEAD says nothing")


class Dags(Values):
    """Where DAGs come from."""

    mountPath: str | None = optional("Where the claim is mounted; empty takes the DAG folder")
    persistence: DagsPersistence
    gitSync: GitSync


class RemoteLogs(Values):
    """Task logs in an object store."""

    enabled: bool
    provider: Literal["s3", "gcs", "azure"]
    folder: str
    connectionId: str
    container: str
    deleteLocalCopies: bool


class Logs(Values):
    """Task logs."""

    persistence: LogsPersistence
    emptyDirConfig: KubernetesObject
    remote: RemoteLogs


class SearchConnection(Values):
    """Address of a search index, without its password."""

    scheme: str | None = optional("Scheme of the address")
    host: str | None = optional("Host")
    port: Port | None = optional("Port")
    user: str | None = optional("User")


class SearchIndex(Values):
    """Task logs in a search index."""

    enabled: bool = Field(description="Whether logs are read from the index, and printed as JSON for whatever ships them there")
    secretName: str = Field(description="Name of a Secret with the key `connection`, a URL")
    connection: SearchConnection = Field(description="Address without a password, in place of the Secret")
