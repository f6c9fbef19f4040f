"""Values of charts/spark that decide who gets in, and the test of an installation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airspark.charts.common import Count, Dns, KubernetesApi, KubernetesObject, Labels, Positive, Resources, Values


class Openings(Values):
    """Rules of a component's network policy beside the chart's."""

    extraIngress: list[KubernetesObject] | None = Field(
        default=None, description="More ingress rules, as in a NetworkPolicy (template)"
    )
    extraEgress: list[KubernetesObject] | None = Field(
        default=None, description="More egress rules, as in a NetworkPolicy (template)"
    )


class NetworkPolicies(Values):
    """Who may reach whom."""

    enabled: bool
    dns: Dns
    kubernetesApi: KubernetesApi
    clients: list[KubernetesObject]
    viewers: list[KubernetesObject]
    scrapers: list[KubernetesObject]
    worker: Openings
    connect: Openings
    master: Openings | None = Field(default=None, description="Rules of the master beside the chart's")
    historyServer: Openings | None = Field(default=None, description="Rules of the history server beside the chart's")
    bootstrap: Openings | None = Field(default=None, description="Rules of the bootstrap Job beside the chart's")
    helmTest: Openings | None = Field(default=None, description="Rules of the pod of `helm test` beside the chart's")


class Ingress(Values):
    """An Ingress of a user interface."""

    enabled: bool = Field(description="Whether it is made")
    hostname: str = Field(description="Host it answers for (template); empty is any host")
    path: str = Field(description="Path; below another than / the controller must cut it off")
    pathType: Literal["ImplementationSpecific", "Prefix", "Exact"] = Field(description="How the path is matched")
    ingressClassName: str = Field(description="Class of the Ingress (template); empty takes the cluster's default")
    annotations: Labels = Field(description="Annotations of the Ingress (template)")
    tls: bool = Field(description="Whether the host is served over TLS")
    tlsSecretName: str = Field(description="Name of the Secret with the certificate (template); empty takes `<hostname>-tls`")


class HttpRoute(Values):
    """A route of the Gateway API."""

    enabled: bool = Field(description="Whether it is made")
    parentRefs: list[KubernetesObject] = Field(description="Gateways it belongs to")
    hostnames: list[str] = Field(description="Hosts it answers for (template); links take the first, over https")


class HelmTest(Values):
    """The pod of `helm test`."""

    enabled: bool
    deadlineSeconds: Positive
    resources: Resources
    terminationGracePeriodSeconds: Count
    nodeSelector: Labels
    tolerations: list[KubernetesObject]
    affinity: KubernetesObject
