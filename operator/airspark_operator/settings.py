"""What the chart tells the controller."""

from __future__ import annotations

from dataclasses import dataclass, field

from airspark_operator.kinds import Object


@dataclass(frozen=True)
class Defaults:
    """What an application gets where its spec is silent.

    Args:
        service_account: account of driver pods; executors get no token.
        spark_conf: Spark properties under those of the application.
        image: image of applications that name none; empty for none.
        pod_security_context: security context of the pods, under that of the spec, key by key.
        container_security_context: security context of Spark's containers, under that of the spec, key by key.
        ui_service: whether each application gets a Service for its user interface.
        ingress_url_format: host and path of an Ingress for the user interface, with `{{$appName}}` and
            `{{$appNamespace}}`; empty for no Ingress.
        ingress_class: class of these Ingresses; empty for the cluster's default.
        cluster_domain: suffix of the names of Services behind `.svc`; empty to leave it to the resolver.
    """

    service_account: str = "default"
    spark_conf: dict[str, str] = field(default_factory=dict)
    image: str = ""
    pod_security_context: Object = field(default_factory=dict)
    container_security_context: Object = field(default_factory=dict)
    ui_service: bool = True
    ingress_url_format: str = ""
    ingress_class: str = ""
    cluster_domain: str = ""
