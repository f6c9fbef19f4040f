"""Values of charts/airflow that decide who gets in, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airspark.charts.airflow_pods import Objects, optional
from airspark.charts.common import KubernetesObject, Labels, Positive, Resources, Values


class Service(Values):
    """The API server's Service."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"]
    annotations: Labels
    ports: Objects | None = optional("Ports of the Service, in place of the chart's one (template)")
    loadBalancerIP: str | None = optional("Address asked of the load balancer")
    loadBalancerSourceRanges: list[str] | None = optional("Networks the load balancer lets in")
    loadBalancerClass: str | None = optional("Class of the load balancer")
    externalTrafficPolicy: Literal["Cluster", "Local"] | None = optional("Where traffic from outside is sent on")
    nodePort: int | None = optional("Port of the nodes for type NodePort")


class Hpa(Values):
    """Horizontal autoscaling of the API server."""

    enabled: bool = Field(description="Whether it is on")
    minReplicaCount: Positive = Field(description="Fewest pods")
    maxReplicaCount: Positive = Field(description="Most pods")
    metrics: Objects = Field(description="What it follows")
    behavior: KubernetesObject = Field(description="How fast it follows")


class HttpRoute(Values):
    """A route of the Gateway API."""

    enabled: bool
    annotations: Labels | None = optional("Annotations of the HTTPRoute")
    labels: Labels | None = optional("Labels of the HTTPRoute")
    parentRefs: Objects
    hostnames: list[str]
    path: str | None = optional("Path prefix; empty takes that of `config.api.base_url`")
    pathType: Literal["PathPrefix", "Exact", "RegularExpression"] | None = optional("How the path is matched")
    filters: Objects | None = optional("Filters of the rule")
    rules: Objects | None = optional("Rules in place of the chart's one (template)")


class IngressTls(Values):
    """TLS of an Ingress host."""

    enabled: bool | None = optional("Whether the host is served over TLS")
    secretName: str | None = optional("Name of the Secret with the certificate")


class IngressHost(Values):
    """A host of an Ingress."""

    name: str
    tls: IngressTls | None = None


class IngressPath(Values):
    """A path before or after the chart's own."""

    path: str
    pathType: str | None = None
    serviceName: str
    servicePort: int | str


class IngressApiServer(Values):
    """The Ingress of the API server."""

    enabled: bool
    annotations: Labels | None = optional("Annotations of the Ingress (template)")
    hosts: list[IngressHost | str]
    ingressClassName: str | None = optional("Class of the Ingress (template)")
    path: str | None = optional("Path; empty takes that of `config.api.base_url`")
    pathType: Literal["ImplementationSpecific", "Prefix", "Exact"] | None = optional("How the path is matched")
    tls: IngressTls | None = optional("TLS of every host, under its older name")
    host: str | None = optional("One host, under its older name")
    precedingPaths: list[IngressPath] | None = optional("Paths before the chart's own")
    succeedingPaths: list[IngressPath] | None = optional("Paths after the chart's own")


class IngressPart(Values):
    """Another part's Ingress."""

    enabled: bool | None = optional("Whether it is made")
    annotations: Labels | None = optional("Annotations of the Ingress (template)")
    hosts: list[IngressHost | str] | None = optional("Hosts, as {name, tls: {enabled, secretName}}")
    host: str | None = optional("One host, under its older name")
    ingressClassName: str | None = optional("Class of the Ingress (template)")
    path: str | None = optional("Path; empty takes /metrics")
    pathType: Literal["ImplementationSpecific", "Prefix", "Exact"] | None = optional("How the path is matched")


class Ingress(Values):
    """Ingresses by part."""

    enabled: bool | None = optional("As `ingress.apiServer.enabled`, under its older name")
    apiServer: IngressApiServer
    statsd: IngressPart | None = optional("Ingress of the statsd exporter")
    pgbouncer: IngressPart | None = optional("Ingress of PgBouncer's exporter")


class Oidc(Values):
    """Login by an OpenID Connect provider."""

    issuer: str
    clientId: str
    clientSecretName: str
    providerName: str
    scopes: str
    usernameClaim: str
    rolesClaim: str
    roleMapping: dict[str, list[str]]
    defaultRole: str


class Auth(Values):
    """How users log in."""

    manager: Literal["fab", "oidc", "simple"]
    oidc: Oidc


class HelmTest(Values):
    """The pod of `helm test`."""

    enabled: bool
    resources: Resources
    deadlineSeconds: Positive | None = optional("Seconds the test may take, 240 by default; give `helm test --timeout` more")
