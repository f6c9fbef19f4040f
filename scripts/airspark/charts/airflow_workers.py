"""Values of task pods in charts/airflow."""

from __future__ import annotations

from airspark.charts.airflow_pods import Pod, optional
from airspark.charts.common import Count, Resources, ServiceAccount


class NamedTemplate(Pod):
    """A named pod template: what differs from `workers` and `workers.kubernetes`."""

    launcher: bool | None = optional("Whether the pod gets the launcher's account and its token")
    serviceAccount: ServiceAccount | None = optional("Account of the pod")


class KubernetesWorkers(Pod):
    """Task pods of the KubernetesExecutor."""

    serviceAccount: ServiceAccount | None = optional("Account of the pod")
    launcher: ServiceAccount
    podTemplates: dict[str, NamedTemplate | None]


class Workers(Pod):
    """Task pods by kind of executor; keys of `kubernetes` go before the flat ones."""

    useWorkerDedicatedServiceAccounts: bool | None = optional("Accepted and without effect: task pods have their own account")

    serviceAccount: ServiceAccount
    resources: Resources
    terminationGracePeriodSeconds: Count
    safeToEvict: bool
    kubernetes: KubernetesWorkers
