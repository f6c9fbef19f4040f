"""Values of task pods in charts/airflow."""

from __future__ import annotations

from pydantic import Field

from airspark.charts.airflow_pods import TaskPod, optional
from airspark.charts.common import Count, FixedServiceAccount, Resources, Values


class TaskTemplate(TaskPod):
    """What task pods alone have."""

    sparkSecret: bool | None = optional("Whether the pod gets the secret of the shared Spark cluster, which submitting needs")


class NamedTemplate(TaskTemplate):
    """A named pod template: what differs from `workers` and `workers.kubernetes`."""

    launcher: bool | None = optional("Whether the pod gets the launcher's account and its token")
    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")


class LauncherAccount(FixedServiceAccount):
    """Account of tasks that launch pods or Spark applications."""

    namespaces: list[str] = Field(description="Namespaces in which it may make pods; empty is the release's own")


class PodAllowances(Values):
    """What `pod_override` may add to the templates, as names in which * stands for any letters."""

    serviceAccounts: list[str] = Field(description="Accounts; the launcher's only where a template has it")
    secrets: list[str] = Field(description="Secrets that it mounts or reads")
    claims: list[str] = Field(description="Claims that it mounts")
    priorityClasses: list[str] = Field(description="Priority classes; never one of the cluster's own")
    volumes: list[str] = Field(description="Kinds of volumes; never `hostPath`")


class KubernetesWorkers(TaskTemplate):
    """Task pods of the KubernetesExecutor."""

    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")
    launcher: LauncherAccount
    allowed: PodAllowances
    podTemplates: dict[str, NamedTemplate | None]


class Workers(TaskTemplate):
    """Task pods by kind of executor; keys of `kubernetes` go before the flat ones."""

    useWorkerDedicatedServiceAccounts: bool | None = optional("Accepted and without effect: task pods have their own account")

    serviceAccount: FixedServiceAccount
    sparkSecret: bool
    resources: Resources
    terminationGracePeriodSeconds: Count
    safeToEvict: bool
    kubernetes: KubernetesWorkers
