"""Services and Ingresses of an application: where executors find the driver, and people its user interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from airspark_operator import allowed, kinds, names, placeholders, spec, syntax
from airspark_operator import conf as properties
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission

UI_PORT_NAME = "spark-driver-ui-port"
#: ingress-nginx's annotation for a path that the driver does not know of; other controllers take no notice.
REWRITE = {"nginx.ingress.kubernetes.io/rewrite-target": "/$2"}


@dataclass(frozen=True)
class Address:
    """Where an Ingress answers.

    Args:
        host: its host name.
        path: its path without the last slash; empty for the root.
    """

    host: str
    path: str

    @property
    def text(self) -> str:
        """Host and path."""
        return self.host + self.path


def address(app: Object, url_format: str, app_id: str) -> Address:
    """Return the address that a format gives an application.

    Args:
        app: the SparkApplication.
        url_format: host and path with `{{$appName}}`, `{{$appNamespace}}` and `{{$appId}}`.
        app_id: the id of the Spark application.

    Raises:
        spec.Invalid: if it has no host or one that is not a DNS name, or a placeholder that is not known.
    """
    text = placeholders.address(url_format, app, app_id).strip()
    like = "write it like {{$appName}}.example.com"
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
    except ValueError as error:
        raise spec.Invalid(f"The address {url_format!r} of an Ingress cannot be read ({error}); {like}") from None
    host = parts.hostname or ""
    if not host:
        raise spec.Invalid(f"The address {url_format!r} of an Ingress has no host; {like}")
    if not syntax.dns_name(host.removeprefix("*.")):
        raise spec.Invalid(f"The address {url_format!r} of an Ingress has the host {host!r}, which is not a DNS name; {like}")
    return Address(host, parts.path.rstrip("/"))


def driver(app: Object, submission_id: str, conf: Mapping[str, str]) -> Object:
    """Return the headless Service that executors reach the driver by (DriverServiceFeatureStep).

    It selects by what stays the same from attempt to attempt, and also gives the address of a driver that is not ready yet.
    """
    own = spec.of(app, kinds.DRIVER)
    ports = [
        ("driver-rpc-port", properties.port(conf, "spark.driver.port", properties.DRIVER_PORT)),
        ("blockmanager", properties.block_manager_port(conf)),
        ("spark-ui", properties.ui_port(conf)),
    ]
    numbers = [port for _, port in ports if port]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice:
        keys = "spark.driver.port, spark.driver.blockManager.port and spark.ui.port"
        raise spec.Invalid(f"sparkConf: the port {twice} is used twice among {keys}; choose another for one of them")
    labels = properties.prefixed(conf, "spark.kubernetes.driver.service.label.") | (own.get("serviceLabels") or {})
    annotations = properties.prefixed(conf, "spark.kubernetes.driver.service.annotation.") | (own.get("serviceAnnotations") or {})
    metadata = spec.metadata(app, names.driver_service_name(app), submission_id, labels)
    families = properties.items(conf.get("spark.kubernetes.driver.service.ipFamilies"))
    policy = conf.get("spark.kubernetes.driver.service.ipFamilyPolicy")
    addresses = ({"ipFamilies": families} if families else {}) | ({"ipFamilyPolicy": policy} if policy else {})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata | ({"annotations": annotations} if annotations else {}),
        "spec": addresses
        | {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": names.selector(app),
            "ports": [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in ports if port],
        },
    }


def user_interface(app: Object, submission: Submission, conf: Mapping[str, str], defaults: Defaults) -> list[Object]:
    """Return Service and Ingress of the user interface, as far as there are to be any."""
    target = properties.ui_port(conf)
    if target is None or not defaults.ui_service:
        return []
    options = app["spec"].get("sparkUIOptions") or {}
    allowed.check_service_type("sparkUIOptions.serviceType", _type(options), defaults.policy)
    port = int(options.get("servicePort") or target)
    service = _service(app, names.ui_service_name(app), submission.id, options, port, target)
    allowed.check_annotations("sparkUIOptions.serviceAnnotations", service)
    if not defaults.ingress_url_format:
        return [service]
    where = address(app, defaults.ingress_url_format, submission.app_id)
    ingress = _ingress(app, names.ui_ingress_name(app), submission.id, options, service, where, defaults)
    allowed.check_annotations("sparkUIOptions.ingressAnnotations", ingress)
    allowed.check_tls("sparkUIOptions.ingressTLS", ingress, defaults.policy)
    return [service, ingress]


def further_ports(app: Object, submission: Submission, defaults: Defaults) -> list[Object]:
    """Return Services and Ingresses of `driverIngressOptions`."""
    found = []
    for number, options in enumerate(app["spec"].get("driverIngressOptions") or ()):
        port = int(options["servicePort"])
        name = names.port_service_name(app, port)
        service = _service(app, name, submission.id, options, port, port)
        where = address(app, options.get("ingressURLFormat") or "", submission.app_id)
        ingress = _ingress(app, name, submission.id, options, service, where, defaults)
        field = f"driverIngressOptions[{number}]"
        allowed.check_service_type(f"{field}.serviceType", _type(options), defaults.policy)
        allowed.check_host(f"{field}.ingressURLFormat", where.host, defaults.policy)
        allowed.check_annotations(f"{field}.serviceAnnotations", service)
        allowed.check_annotations(f"{field}.ingressAnnotations", ingress)
        allowed.check_tls(f"{field}.ingressTLS", ingress, defaults.policy)
        found += [service, ingress]
    return found


def _type(options: Object) -> str:
    return str(options.get("serviceType") or "ClusterIP")


def _service(app: Object, name: str, submission_id: str, options: Object, port: int, target: int) -> Object:
    metadata = spec.metadata(app, name, submission_id, options.get("serviceLabels"))
    if options.get("serviceAnnotations"):
        metadata["annotations"] = options["serviceAnnotations"]
    entry = {"name": options.get("servicePortName") or UI_PORT_NAME, "port": port, "targetPort": target, "protocol": "TCP"}
    wanted = {"type": _type(options), "selector": names.selector(app), "ports": [entry]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": wanted}


def _ingress(
    app: Object, name: str, submission_id: str, options: Object, service: Object, where: Address, defaults: Defaults
) -> Object:
    metadata = spec.metadata(app, name, submission_id)
    annotations = (REWRITE if where.path else {}) | (options.get("ingressAnnotations") or {})
    if annotations:
        metadata["annotations"] = annotations
    backend = {"name": service["metadata"]["name"], "port": {"number": service["spec"]["ports"][0]["port"]}}
    path: Object = {"path": "/", "pathType": "Prefix"}
    if where.path:
        path = {"path": f"{where.path}(/|$)(.*)", "pathType": "ImplementationSpecific"}
    wanted: Object = {"rules": [{"host": where.host, "http": {"paths": [path | {"backend": {"service": backend}}]}}]}
    if defaults.ingress_class:
        wanted["ingressClassName"] = defaults.ingress_class
    if options.get("ingressTLS"):
        wanted["tls"] = options["ingressTLS"]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": wanted}


def proxy(app: Object, submission: Submission, defaults: Defaults) -> dict[str, str]:
    """Return the properties that a user interface behind a path needs (spark.ui.proxyBase)."""
    if not defaults.ingress_url_format or not defaults.ui_service:
        return {}
    path = address(app, defaults.ingress_url_format, submission.app_id).path
    return {"spark.ui.proxyBase": path, "spark.ui.proxyRedirectUri": "/"} if path else {}


def driver_info(made: list[Object]) -> Object:
    """Return the part of `status.driverInfo` that is about the user interface.

    Args:
        made: everything of a submission.
    """
    found: Object = {}
    for thing in made:
        name = thing["metadata"]["name"]
        if thing["kind"] == "Service" and name.endswith("-ui-svc"):
            port = thing["spec"]["ports"][0]["port"]
            where = f"{name}.{thing['metadata']['namespace']}.svc:{port}"
            found |= {"webUIServiceName": name, "webUIPort": port, "webUIAddress": where}
        elif thing["kind"] == "Ingress" and name.endswith("-ui-ingress"):
            rule = thing["spec"]["rules"][0]
            path = rule["http"]["paths"][0]["path"].removesuffix("(/|$)(.*)").rstrip("/")
            found |= {"webUIIngressName": name, "webUIIngressAddress": rule["host"] + path}
    return found
