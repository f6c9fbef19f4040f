"""Values of charts/airflow for the bootstrap Job and what it puts into Airflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airspark.charts.airflow_pods import JobPod, NetworkPolicy, optional
from airspark.charts.common import Count, Labels, Positive, Resources, ServiceAccount, Values


class Bootstrap(JobPod):
    """The bootstrap Job."""

    serviceAccount: ServiceAccount
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    databaseDeadlineSeconds: Positive
    lockDeadlineSeconds: Positive
    backoffLimit: Count
    resources: Resources


class MigrateDatabaseJob(JobPod):
    """What the official chart's migration Job has; here it is a step of the bootstrap Job."""

    enabled: bool
    useHelmHooks: bool | None = optional("Accepted and without effect: there are no hooks")
    applyCustomEnv: bool | None = optional("Whether the bootstrap Job gets `env`, `extraEnv` and `extraEnvFrom`")
    ttlSecondsAfterFinished: Count | None = optional("Accepted and without effect: the Job is named by its content and stays")
    jobAnnotations: Labels | None = optional("Annotations of the bootstrap Job")
    restartPolicy: Literal["OnFailure", "Never"] | None = optional("Restart policy of the bootstrap Job's pod")


class DefaultUser(Values):
    """The first user, without a password."""

    role: str
    username: str
    email: str
    firstName: str
    lastName: str


class CreateUserJob(JobPod):
    """The first user."""

    enabled: bool
    existingSecret: str
    defaultUser: DefaultUser
    useHelmHooks: bool | None = optional("Accepted and without effect: there are no hooks")
    applyCustomEnv: bool | None = optional("As `migrateDatabaseJob.applyCustomEnv`")
    ttlSecondsAfterFinished: Count | None = optional("Accepted and without effect: the Job is named by its content and stays")
    jobAnnotations: Labels | None = optional("Annotations of the bootstrap Job")
    restartPolicy: Literal["OnFailure", "Never"] | None = optional("Restart policy of the bootstrap Job's pod")


class SecretKeyRef(Values):
    """A key of a Secret."""

    name: str
    key: str


class ValueFrom(Values):
    """Where a value comes from."""

    secretKeyRef: SecretKeyRef


class FromSecret(Values):
    """A text that stands in a Secret."""

    valueFrom: ValueFrom


Text = str | FromSecret


class Connection(Values):
    """An Airflow connection; a password comes from a Secret."""

    type: str | None = None
    description: str | None = None
    host: Text | None = None
    login: Text | None = None
    password: FromSecret | None = None
    schema_: Text | None = Field(default=None, alias="schema")
    port: int | None = None
    extra: dict[str, Any] | Text | None = None
    uri: FromSecret | None = None


class Variable(Values):
    """An Airflow variable."""

    value: Any
    description: str | None = None


class Pool(Values):
    """An Airflow pool."""

    slots: int
    description: str | None = None
    includeDeferred: bool | None = None


class Permission(Values):
    """What a role may do."""

    action: str
    resource: str


class User(Values):
    """An Airflow user; without a password one is made in the Secret `<fullname>-user-<name>`."""

    roles: Annotated[list[str], Field(min_length=1)]
    email: str
    firstName: str | None = None
    lastName: str | None = None
    password: FromSecret | None = None
