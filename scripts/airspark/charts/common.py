"""Values that both charts share. Texts stand in values.yaml: each key's `# --` line is its description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
KubernetesObject = dict[str, Any]
#: A text of a container or an object; a number or a boolean is written as text.
Text = str | int | float | bool
Labels = dict[str, Text]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
AccessMode = Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
JavaMemory = Annotated[str, Field(pattern=r"^([0-9]+[kmgKMG])?$")]
PrometheusDuration = Annotated[str, Field(pattern=r"^([0-9]+(ms|[smhdwy]))+$")]
TimeZone = Annotated[str, Field(pattern=r"^([A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*)?$")]


class Values(BaseModel):
    """A closed part of a chart's values: a key that is not here is refused."""

    model_config = ConfigDict(extra="forbid")


class Claims(Values):
    """Names of the claims that a parent chart makes."""

    model_config = ConfigDict(extra="allow")
    data: str = Field(description="Name of the claim with input data (template); empty mounts none")
    output: str = Field(description="Name of the claim with results (template); empty mounts none")
    events: str = Field(description="Name of the claim with Spark's event logs (template); empty mounts none")
    applications: str = Field(
        description="Name of the claim with Spark applications (template); empty mounts none: those of the image are read"
    )


class SharedConnect(Values):
    """The Connect server, as both charts know it."""

    enabled: bool


class SharedSpark(Values):
    """What every Spark process of a release shares."""

    authSecretName: str
    connect: SharedConnect


Revision = str | int


class ImageRevisions(Values):
    """Any text for each image that is rebuilt under the same tag."""

    airflow: Revision | None = Field(default=None, description="Of the Airflow image without its DAGs and applications")
    dags: Revision | None = Field(
        default=None, description="Of the DAGs in it: restarts DAG processor, scheduler and triggerer, which import them"
    )
    operator: Revision | None = Field(default=None, description="Of the image of the SparkApplication controller")
    pgbouncer: Revision | None = Field(default=None, description="Of the image of PgBouncer")
    postgresql: Revision | None = Field(default=None, description="Of the image of PostgreSQL")
    spark: Revision | None = Field(default=None, description="Of the Spark image without its applications")
    statsd: Revision | None = Field(default=None, description="Of the image of the statsd exporter")


class PlatformNames(Values):
    """Names, in which * stands for any letters, of what no job may have, beside what the charts know to be the platform's."""

    secrets: list[str] | None = Field(default=None, description="Secrets of the platform")
    serviceAccounts: list[str] | None = Field(default=None, description="Accounts of the platform")
    claims: list[str] | None = Field(default=None, description="Claims of the platform")


#: Each chart of a release learns the names of the others from it.
PLATFORM = Field(default=None, description="More names of the platform's own, in which * stands for any letters: no job has them")


class Global(Values):
    """`global` belongs to every chart of a release, so other keys are let through."""

    model_config = ConfigDict(extra="allow")
    imageRevision: Revision
    imageRevisions: ImageRevisions
    timeZone: TimeZone
    claims: Claims
    spark: SharedSpark
    platform: PlatformNames | None = PLATFORM


class SecretReference(Values):
    """Reference to a Secret by name."""

    name: str


class EnvVar(Values):
    """A container's environment variable."""

    name: str
    value: Text | None = None
    valueFrom: KubernetesObject | None = None


class Resources(Values):
    """Requests and limits of a container."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class SecurityContexts(Values):
    """What is merged over the restricted security contexts."""

    pod: KubernetesObject
    containers: KubernetesObject


class Probe(Values):
    """Timing of a probe."""

    periodSeconds: Positive = Field(description="Seconds between two checks")
    timeoutSeconds: Positive = Field(description="Seconds one check may take")
    failureThreshold: Positive = Field(description="Failed checks in a row until it acts")
    initialDelaySeconds: Count | None = Field(default=None, description="Seconds before the first check")
    command: list[Text] | None = Field(default=None, description="Command of the check, in place of the chart's (template)")


class Scheduling(Values):
    """Where a pod runs and what it carries."""

    podAnnotations: Labels
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject


class ServiceAccount(Values):
    """Account of a pod."""

    create: bool | None = Field(default=None, description="Whether it is made; it is by default")
    name: str | None = Field(default=None, description="Its name; empty takes the component's")
    annotations: Labels | None = Field(default=None, description="Its annotations")
    automountServiceAccountToken: bool | None = Field(default=None, description="Whether the pod gets a token for the API")


class FixedServiceAccount(ServiceAccount):
    """Account of a pod whose token the chart decides on."""

    automountServiceAccountToken: bool | None = Field(
        default=None, description="Accepted and without effect: what the pod does decides whether it gets a token"
    )


class TokenVolume(Values):
    """A token with an audience or a life of its own, in place of the one Kubernetes mounts."""

    enabled: bool | None = Field(default=None, description="Whether it takes the place of the mounted token")
    mountPath: str | None = Field(default=None, description="Where it is mounted; empty takes Kubernetes' own path")
    volumeName: str | None = Field(default=None, description="Name of the volume; kube-api-access by default")
    expirationSeconds: Annotated[int, Field(ge=600)] | None = Field(default=None, description="Seconds it lives; 3600 by default")
    audience: str | None = Field(default=None, description="Audience of the token; empty takes the API server's")


class TokenServiceAccount(ServiceAccount):
    """Account of a pod that may get a token."""

    serviceAccountTokenVolume: TokenVolume | None = Field(default=None, description="Token of the pod as a volume of its own")


class Dns(Values):
    """Where names are resolved."""

    to: list[KubernetesObject] = Field(description="Peers that answer, as in a NetworkPolicy; empty means any address")
    ports: list[Port] = Field(description="Their ports, over UDP and TCP")


class KubernetesApi(Values):
    """Where the Kubernetes API is."""

    cidrs: list[str] = Field(description="Networks of its servers; empty means any address")
    ports: list[Port] = Field(description="Their ports")


class Mount(Values):
    """A claim and where it is mounted."""

    claim: str = Field(description="Name of the claim (template); empty takes the one of that name in `global.claims`")
    mountPath: str = Field(description="Where it is mounted")


class Mounts(Values):
    """The claims that task pods and Spark's pods share."""

    data: Mount
    output: Mount
    events: Mount
    applications: Mount


class Image(Values):
    """An image reference."""

    repository: str = Field(description="Image repository")
    tag: str = Field(description="Image tag; empty takes the chart's appVersion")
    pullPolicy: PullPolicy = Field(description="When the kubelet pulls the image")


class StatefulPersistence(Values):
    """The claim of a StatefulSet's pod."""

    enabled: bool = Field(description="Whether the data is on a claim; without it, it dies with its pod")
    size: Quantity = Field(description="Size of the claim")
    storageClassName: str = Field(description="Storage class; empty takes the cluster's default")


class Monitor(Values):
    """A ServiceMonitor or PodMonitor."""

    enabled: bool = Field(description="Whether it is made")
    labels: Labels = Field(description="Its labels, by which a Prometheus chooses it")
    interval: PrometheusDuration = Field(description="How often metrics are read")
    annotations: Labels | None = Field(default=None, description="Its annotations")
    scrapeTimeout: PrometheusDuration | None = Field(default=None, description="How long one reading may take")
    relabelings: list[KubernetesObject] | None = Field(
        default=None, description="Relabelings of the target, after those of the chart"
    )
    metricRelabelings: list[KubernetesObject] | None = Field(default=None, description="Relabelings of the metrics")


class Rules(Values):
    """A PrometheusRule; a chart adds its alerts and their thresholds."""

    enabled: bool = Field(description="Whether it is made")
    labels: Labels = Field(description="Its labels, by which a Prometheus chooses it")
    annotations: Labels | None = Field(default=None, description="Its annotations")
    additionalRules: list[KubernetesObject] | None = Field(
        default=None, description="More rules, as in a group of a PrometheusRule"
    )
    selector: str | None = Field(
        default=None,
        description="Matchers of this release's metrics; empty takes the namespace and job that the chart's monitors give",
    )


class Dashboard(Values):
    """A ConfigMap that Grafana's sidecar picks up."""

    enabled: bool = Field(description="Whether it is made")
    labels: Labels = Field(description="Its labels, by which Grafana's sidecar finds it")
    annotations: Labels = Field(description="Its annotations, for example the folder that the sidecar puts it into")
