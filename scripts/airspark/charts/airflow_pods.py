"""Values that describe a pod of charts/airflow, the same for every component.

A key with a default stands in values.yaml and takes its description from there. A key without one, which every
component has, is described here once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airspark.charts.common import (
    Count,
    EnvVar,
    KubernetesObject,
    Labels,
    Positive,
    Probe,
    Resources,
    SecurityContexts,
    ServiceAccount,
    Text,
    TokenServiceAccount,
    Values,
)

#: A list of Kubernetes objects; texts in it are templates.
Objects = list[KubernetesObject]


def optional(description: str) -> Any:
    """Return a field that may be left out or null, with its description."""
    return Field(default=None, description=description)


class GlobalContexts(SecurityContexts):
    """Security contexts of every pod."""

    disableDefaults: bool | None = optional("Whether the restricted contexts are left out, and only what is set here stands")


class ContextPair(Values):
    """Security contexts of a component's pod and its containers."""

    pod: KubernetesObject | None = optional("Merged over the pod's security context")
    container: KubernetesObject | None = optional("Merged over each container's security context")


class ContainerContext(Values):
    """Security context of one container."""

    container: KubernetesObject | None = optional("Merged over the container's security context")


class Scheduling(Values):
    """Where a pod runs."""

    nodeSelector: Labels | None = optional("Node selector of the pod, merged over the global one")
    affinity: KubernetesObject | None = optional("Affinity of the pod, in place of the global one")
    tolerations: Objects | None = optional("Tolerations of the pod, in place of the global ones")
    topologySpreadConstraints: Objects | None = optional("Spread of the pods, in place of the global one")
    schedulerName: str | None = optional("Kubernetes scheduler that places the pod")
    priorityClassName: str | None = optional("Priority class of the pod")
    runtimeClassName: str | None = optional("Runtime class of the pod")
    hostAliases: Objects | None = optional("Entries of the pod's /etc/hosts")


class TaskPod(Scheduling):
    """What the pods of the chart have in common, task pods included."""

    podAnnotations: Labels | None = optional("Annotations of the pod; texts are templates")
    labels: Labels | None = optional("Labels of the workload and its pods")
    securityContexts: ContextPair | None = optional("Security contexts, merged over the global ones")
    securityContext: KubernetesObject | None = optional("As `securityContexts.pod`, under its older name")
    containerLifecycleHooks: KubernetesObject | None = optional("Lifecycle hooks of the container (template)")
    command: list[Text] | None = optional("Command of the container, in place of the image's entrypoint (template)")
    env: list[EnvVar] | None = optional("Environment of the container, as a list of {name, value}")
    resources: Resources | None = optional("Resources of the container")
    extraContainers: Objects | None = optional("More containers of the pod (template)")
    extraInitContainers: Objects | None = optional("More init containers of the pod, after the chart's own (template)")
    extraVolumes: Objects | None = optional("More volumes of the pod (template)")
    extraVolumeMounts: Objects | None = optional("More mounts of the container (template)")
    safeToEvict: bool | None = optional("Whether a cluster autoscaler may evict the pod, as its annotation says")
    terminationGracePeriodSeconds: Count | None = optional("Seconds the pod has to stop")


class Pod(TaskPod):
    """What the pods of the chart's own workloads have in common; the executor makes task pods itself."""

    annotations: Labels | None = optional("Annotations of the workload object")
    args: list[Text] | None = optional("Arguments of the container (template)")


class DisruptionBudgetConfig(Values):
    """What the disruption budget allows."""

    maxUnavailable: int | str | None = optional("Pods that may be away at once")
    minAvailable: int | str | None = optional("Pods that must stay")


class DisruptionBudget(Values):
    """A PodDisruptionBudget; made only where there is more than one pod."""

    enabled: bool | None = optional("Whether it is made, if there is more than one pod")
    config: DisruptionBudgetConfig | None = optional("What it allows; by default one pod away at a time")


class HttpProbe(Probe):
    """A probe over HTTP."""

    scheme: Literal["HTTP", "HTTPS"] | None = optional("Scheme of the probe")


class WaitForMigrations(Values):
    """The init container that waits for the migration."""

    enabled: bool = Field(description="Whether the pod waits")
    env: list[EnvVar] | None = optional("Environment of the container, as a list of {name, value}")
    securityContexts: ContainerContext | None = optional("Security context of the container")
    resources: Resources | None = optional("Resources of the container")


class LogGroomer(Values):
    """The sidecar that removes old logs."""

    enabled: bool = Field(description="Whether it runs")
    command: list[Text] | None = optional("Command of the sidecar (template)")
    args: list[Text] | None = optional("Arguments of the sidecar (template)")
    env: list[EnvVar] | None = optional("Environment of the sidecar")
    resources: Resources | None = optional("Resources of the sidecar")
    retentionDays: Count | None = optional("Days a log is kept; 0 keeps it until a size limit removes it")
    retentionMinutes: Count | None = optional("Minutes added to the days")
    frequencyMinutes: Positive | None = optional("Minutes between two passes")
    maxSizeBytes: Count | None = optional("Size all logs may have together, oldest removed first; 0 is no limit")
    maxSizePercent: Annotated[int, Field(ge=0, le=100)] | None = optional("Share of the volume logs may fill; 0 is no limit")
    securityContexts: ContainerContext | None = optional("Security context of the sidecar")
    containerLifecycleHooks: KubernetesObject | None = optional("Lifecycle hooks of the sidecar (template)")


class NetworkPolicyIngress(Values):
    """Who may reach a component, beside the chart's own parts."""

    from_: Objects | None = Field(default=None, alias="from", description="Peers that may reach the ports below")
    ports: Objects | None = optional("Ports they may reach; texts are templates")


class NetworkPolicy(Values):
    """Openings in a component's network policy."""

    ingress: NetworkPolicyIngress | None = optional("Who may reach it, beside the chart's own parts")
    extraIngress: Objects | None = optional("More ingress rules, as in a NetworkPolicy")
    extraEgress: Objects | None = optional("More egress rules, as in a NetworkPolicy")


ClaimMode = Literal["", "ReadOnly", "ReadWrite"]


class ClaimMounts(Values):
    """Claims of the chart's `mounts` in a component's pod."""

    data: ClaimMode | None = optional("ReadOnly or ReadWrite mounts the claim of `mounts.data`, if it has a name")
    output: ClaimMode | None = optional("ReadOnly or ReadWrite mounts the claim of `mounts.output`, if it has a name")
    events: ClaimMode | None = optional("ReadOnly or ReadWrite mounts the claim of `mounts.events`, if it has a name")


class Component(Pod):
    """What the long-running Airflow components have in common."""

    mounts: ClaimMounts | None = optional("Claims that task pods have, in this pod too")
    replicas: Count
    serviceAccount: TokenServiceAccount
    livenessProbe: Probe
    startupProbe: Probe
    waitForMigrations: WaitForMigrations
    podDisruptionBudget: DisruptionBudget | None = optional("Disruption budget of the pods")
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    strategy: KubernetesObject | None = optional("How a Deployment replaces its pods")
    revisionHistoryLimit: Count | None = optional("Old ReplicaSets that are kept")


class JobPod(Pod):
    """A Job's or CronJob's pod."""

    serviceAccount: ServiceAccount | None = optional("Account of the pod")


class CronJob(JobPod):
    """A CronJob."""

    enabled: bool = Field(description="Whether it runs")
    schedule: str = Field(description="When it runs, in cron's notation")
    networkPolicy: NetworkPolicy | None = optional("Openings in the network policy")
    jobAnnotations: Labels | None = optional("Annotations of the Job objects")
    failedJobsHistoryLimit: Count | None = optional("Failed Jobs that are kept")
    successfulJobsHistoryLimit: Count | None = optional("Finished Jobs that are kept")
