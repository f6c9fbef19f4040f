"""Values that both charts share. Texts stand in values.yaml: each key's `# --` line is its description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
KubernetesObject = dict[str, Any]
Labels = dict[str, str]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
AccessMode = Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$")]
JavaMemory = Annotated[str, Field(pattern=r"^([0-9]+[kmgKMG])?$")]


class Values(BaseModel):
    """A closed part of a chart's values: a key that is not here is refused."""

    model_config = ConfigDict(extra="forbid")


class Claims(Values):
    """Names of the claims that a parent chart makes."""

    model_config = ConfigDict(extra="allow")
    data: str
    output: str


class Global(Values):
    """`global` belongs to every chart of a release, so other keys are let through."""

    model_config = ConfigDict(extra="allow")
    imageRevision: str | int
    claims: Claims


class SecretReference(Values):
    """Reference to a Secret by name."""

    name: str


class EnvVar(Values):
    """A container's environment variable."""

    name: str
    value: str | None = None
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

    periodSeconds: Positive
    timeoutSeconds: Positive
    failureThreshold: Positive


class Scheduling(Values):
    """Where a pod runs and what it carries."""

    podAnnotations: Labels
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject


class ServiceAccount(Values):
    """Account of a pod that never gets a token."""

    create: bool
    name: str
    annotations: Labels


class TokenServiceAccount(ServiceAccount):
    """Account of a pod that may get a token."""

    automountServiceAccountToken: bool


class Mount(Values):
    """A claim and where it is mounted."""

    claim: str
    mountPath: str


class Mounts(Values):
    """The claims that task pods and Spark workers share."""

    data: Mount
    output: Mount


class Image(Values):
    """An image reference."""

    repository: str
    tag: str
    pullPolicy: PullPolicy


class StatefulPersistence(Values):
    """The claim of a StatefulSet's pod."""

    enabled: bool
    size: Quantity
    storageClassName: str
