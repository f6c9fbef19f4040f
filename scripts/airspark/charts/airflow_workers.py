"""Values of task pods in charts/airflow."""

from __future__ import annotations

from airspark.charts.airflow_pods import TaskPod, optional
from airspark.charts.common import Count, FixedServiceAccount, Resources


class NamedTemplate(TaskPod):
    """A named pod template: what differs from `workers` and `workers.kubernetes`."""

    launcher: bool | None = optional("Whether the pod gets the launcher's account and its token")
    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")


class KubernetesWorkers(TaskPod):
    """Task pods of the KubernetesExecutor."""

    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")
    launcher: FixedServiceAccount
    podTemplates: dict[str, NamedTemplate | None]


class Workers(TaskPod):
    """Task pods by kind of executor; keys of `kubernetes` go before the flat ones."""

    useWorkerDedicatedServiceAccounts: bool | None = optional("Accepted and without effect: task pods have their own account")

    serviceAccount: FixedServiceAccount
    resources: Resources
    terminationGracePeriodSeconds: Count
    safeToEvict: bool
    kubernetes: KubernetesWorkers
