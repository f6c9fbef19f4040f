"""Who may reach whom under rendered NetworkPolicies, as a network plugin that enforces them would decide."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from airspark_operator import build, submission
from airspark_operator.settings import from_object

Object = dict[str, Any]
LAST_PORT = 65535


@dataclass(frozen=True)
class Endpoint:
    """An end of a connection: a pod, or, without a namespace, an address outside the cluster."""

    name: str
    address: str = "192.0.2.1"
    namespace: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    #: Labels of the pod's namespace.
    surroundings: dict[str, str] = field(default_factory=dict)
    #: (number, protocol) by the port's name.
    ports: dict[str, tuple[int, str]] = field(default_factory=dict)


def endpoint(pod: Object, namespace: str, number: int) -> Endpoint:
    """Return the end that a pod or a pod template is.

    Args:
        pod: its metadata and spec.
        namespace: where it runs.
        number: any number of its own, below 250, which makes its address.
    """
    labels = pod["metadata"].get("labels", {})
    ports = {
        port.get("name", str(port["containerPort"])): (port["containerPort"], port.get("protocol", "TCP"))
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    }
    name = labels.get("component", pod["metadata"].get("name", "").removesuffix("-driver"))
    here = {"kubernetes.io/metadata.name": namespace}
    return Endpoint(name, f"10.244.0.{number + 1}", namespace, labels, here, ports)


def pod_templates(objects: list[Object]) -> Iterator[Object]:
    """Yield metadata and spec of every pod that the objects make, task pods of every template among them."""
    for item in objects:
        match item["kind"]:
            case "Pod":
                yield item
            case "CronJob":
                yield item["spec"]["jobTemplate"]["spec"]["template"]
            case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
                yield item["spec"]["template"]
            case "ConfigMap" if item["metadata"]["name"].endswith("-pod-templates"):
                for text in item["data"].values():
                    yield yaml.safe_load(text)
            case "ConfigMap" if item["metadata"]["name"].endswith("-spark-operator"):
                yield from application_pods([item])


def application_pods(objects: list[Object]) -> list[Object]:
    """Return driver and executor of a SparkApplication, as the controller makes them with the settings of the chart."""
    made = application(objects)
    executor = json.loads(made[0]["data"]["pod-spec-template.yml"])
    return [made[-1], executor | {"metadata": executor["metadata"] | {"name": "spark-application"}}]


def application_policies(objects: list[Object]) -> list[Object]:
    """Return the NetworkPolicies that the controller makes for a SparkApplication, if there is a controller."""
    there = any(item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-spark-operator") for item in objects)
    return [item for item in (application(objects) if there else []) if item["kind"] == "NetworkPolicy"]


def application(objects: list[Object]) -> list[Object]:
    """Return everything of a SparkApplication, as the controller makes it with the settings of the chart."""
    settings = next(
        item["data"]["settings.json"]
        for item in objects
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-spark-operator")
    )
    spec = {"type": "Python", "sparkVersion": "4.2.1", "mainApplicationFile": "local:///main.py", "driver": {}, "executor": {}}
    metadata = {"name": "spark-application", "namespace": "airspark", "uid": "11111111-2222-3333-4444-555555555555"}
    app = {"metadata": metadata, "spec": spec}
    defaults = from_object(json.loads(settings)).defaults
    return build.objects(app, submission.submission(app, 0, 1), defaults)


def endpoints(objects: list[Object], namespace: str) -> dict[str, Endpoint]:
    """Return one end for each component of the objects."""
    found = (endpoint(pod, namespace, number) for number, pod in enumerate(pod_templates(objects)))
    return {end.name: end for end in found}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector takes something with these labels; an empty one takes everything."""
    for wanted in selector.get("matchExpressions", []):
        value = labels.get(wanted["key"])
        taken = {
            "In": value in wanted.get("values", []),
            "NotIn": value not in wanted.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[wanted["operator"]]
        if not taken:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _is_peer(peer: Object, other: Endpoint, namespace: str) -> bool:
    if "ipBlock" in peer:
        address = ipaddress.ip_address(other.address)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return inside and not any(address in ipaddress.ip_network(part) for part in peer["ipBlock"].get("except", []))
    if not other.namespace:
        return False
    if "namespaceSelector" not in peer:
        here = other.namespace == namespace
    else:
        here = selects(peer["namespaceSelector"], other.surroundings)
    return here and selects(peer.get("podSelector", {}), other.labels)


def _is_port(wanted: Object, target: Endpoint, port: int, protocol: str) -> bool:
    number: int | str = wanted.get("port", 0)
    if isinstance(number, str):
        return target.ports.get(number) == (port, protocol)
    last: int = wanted.get("endPort", number or LAST_PORT)
    return wanted.get("protocol", "TCP") == protocol and number <= port <= last


def selecting(policies: list[Object], pod: Endpoint, direction: str = "") -> list[Object]:
    """Return the policies that hold for a pod.

    Args:
        policies: NetworkPolicies, each with its namespace.
        pod: the pod.
        direction: `Ingress` or `Egress`, or nothing for both.
    """
    return [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and selects(policy["spec"]["podSelector"], pod.labels)
        and (not direction or direction in policy["spec"]["policyTypes"])
    ]


def _lets(policies: list[Object], direction: str, pod: Endpoint, other: Endpoint, port: int, protocol: str) -> bool:
    holding = selecting(policies, pod, direction) if pod.namespace else []
    target = pod if direction == "Ingress" else other
    side = "from" if direction == "Ingress" else "to"
    return not holding or any(
        (not rule.get(side) or any(_is_peer(peer, other, pod.namespace) for peer in rule[side]))
        and (not rule.get("ports") or any(_is_port(wanted, target, port, protocol) for wanted in rule["ports"]))
        for policy in holding
        for rule in policy["spec"].get(direction.lower()) or []
    )


def allowed(policies: list[Object], source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
    """Return whether a connection is let out at its source and in at its target.

    Args:
        policies: all NetworkPolicies of the cluster, each with its namespace.
        source: who connects.
        target: to whom.
        port: the target's port, after a Service has been resolved.
        protocol: `TCP` or `UDP`.
    """
    out = _lets(policies, "Egress", source, target, port, protocol)
    return out and _lets(policies, "Ingress", target, source, port, protocol)
