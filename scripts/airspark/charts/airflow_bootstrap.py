"""Values of charts/airflow for the bootstrap Job and what it puts into Airflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airspark.charts.airflow_pods import JobPod, NetworkPolicy, optional
from airspark.charts.common import Count, FixedServiceAccount, Labels, Positive, Resources, Values


class Bootstrap(JobPod):
    """The bootstrap Job."""

    serviceAccount: FixedServiceAccount
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    databaseDeadlineSeconds: Positive
    lockDeadlineSeconds: Positive
    backoffLimit: Count
    resources: Resources


class MigrateDatabaseJob(JobPod):
    """What the official chart's migration Job has; here it is a step of the bootstrap Job."""

    enabled: bool
    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")
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
    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")
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

    type: str | None = optional("Type, for example postgres")
    description: str | None = optional("What it is for")
    host: Text | None = optional("Host or address")
    login: Text | None = optional("User")
    password: FromSecret | None = optional("Password, from a Secret only")
    schema_: Text | None = Field(default=None, alias="schema", description="Database or scheme")
    port: int | None = optional("Port")
    extra: dict[str, Any] | Text | None = optional("More settings: a map whose values may come from Secrets, or a JSON text")
    uri: FromSecret | None = optional("The whole connection as a URI, from a Secret only; goes before the other keys")


class Variable(Values):
    """An Airflow variable."""

    value: Any = Field(description="Text, or anything that becomes JSON")
    description: str | None = optional("What it is for")


class Pool(Values):
    """An Airflow pool."""

    slots: int = Field(description="Tasks it runs at once; -1 is no limit")
    description: str | None = optional("What it is for")
    includeDeferred: bool | None = optional("Whether deferred tasks keep their slot")


class Permission(Values):
    """What a role may do."""

    action: str = Field(description="Action, for example can_read")
    resource: str = Field(description="Resource, for example DAGs")


class User(Values):
    """An Airflow user; without a password one is made in the Secret `<fullname>-user-<name>`."""

    roles: Annotated[list[str], Field(min_length=1)] = Field(description="Roles, by name")
    email: str = Field(description="Mail address")
    firstName: str | None = optional("First name")
    lastName: str | None = optional("Last name")
    password: FromSecret | None = optional("Password, from a Secret only; without it one is made in `<fullname>-user-<name>`")
