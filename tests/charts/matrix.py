"""The parts of a release, what else there is in a cluster, and who reaches whom among them under rendered policies."""

from __future__ import annotations

import functools
import json

from reachability import Endpoint, allowed, application_policies, endpoints
from rendering import NAMESPACE, Object, render

#: Executors and task pods reach everything by default, and the triggerer Kubernetes: that would hide what other keys open.
NARROW: Object = {
    "airflow": {
        "networkPolicies": {"tasks": {"extraEgress": []}},
        "triggerer": {"serviceAccount": {"automountServiceAccountToken": False}},
    },
    "spark": {"networkPolicies": {"worker": {"extraEgress": []}, "connect": {"extraEgress": []}}},
    "sparkOperator": {"networkPolicies": {"applications": {"extraEgress": []}}},
}

POD = Endpoint("pod", "10.244.1.1", "other", {"app": "x"}, {"kubernetes.io/metadata.name": "other"})
NEIGHBOUR = Endpoint("neighbour", "10.244.1.2", NAMESPACE, {"app": "x"}, {"kubernetes.io/metadata.name": NAMESPACE})
PROMETHEUS = Endpoint("prometheus", "10.244.1.3", "monitoring", {"app": "prometheus"}, {"team": "sre"})
TASK = {"tier": "airflow", "component": "worker", "release": "airspark"}
ELSEWHERE = Endpoint("task elsewhere", "10.244.1.5", "other", TASK, {"kubernetes.io/metadata.name": "other"})
OUTSIDE = Endpoint("outside", "203.0.113.7")
COREDNS = Endpoint("DNS", "10.244.1.4", "kube-system", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
NODE_DNS = Endpoint("node's DNS", "169.254.20.10")
KUBERNETES = Endpoint("Kubernetes API", "172.18.0.2")
DATABASE = Endpoint("database", "10.9.8.7")
OTHERS = {end.name: end for end in (POD, NEIGHBOUR, PROMETHEUS, ELSEWHERE, OUTSIDE, COREDNS, NODE_DNS, KUBERNETES, DATABASE)}

#: What each end listens on, or, for a driver and an executor, may listen on.
TARGETS = {
    "api-server": ["8080"],
    "triggerer": ["8794"],
    "worker": ["4040", "4056", "7078", "7079", "7094", "7095", "7096"],
    "postgresql": ["5432"],
    "pgbouncer": ["6543", "9127"],
    "statsd": ["9125/UDP", "9102"],
    "spark-master": ["6066", "7077", "8080"],
    "spark-worker": ["7078", "8081", "40000"],
    "spark-history": ["18080"],
    "spark-connect": ["4040", "7078", "7079", "15002"],
    "spark-helm-test": ["4040", "7078", "7079"],
    "spark-operator": ["8080"],
    "spark-application": ["4040", "7078", "7079", "40000"],
    "DNS": ["53", "53/UDP"],
    "node's DNS": ["53/UDP"],
    "Kubernetes API": ["443", "6443"],
    "database": ["5432", "6432"],
    "outside": ["22", "443", "4318", "9000", "9200"],
}


def policies(objects: list[Object]) -> list[Object]:
    """Return the NetworkPolicies among rendered objects, in the namespace that Helm installs them into."""
    found = [item for item in objects if item["kind"] == "NetworkPolicy"]
    return [{**item, "metadata": {**item["metadata"], "namespace": NAMESPACE}} for item in found]


def merged(below: Object, above: Object) -> Object:
    """Return values with others laid over them."""
    parts = {key: merged(below[key], value) for key, value in above.items() if isinstance(value, dict) and key in below}
    return {**below, **above, **parts}


@functools.cache
def _reached(values: str) -> frozenset[str]:
    objects = render(json.loads(values))
    parts = endpoints(objects, NAMESPACE)
    ends = {**parts, **OTHERS}
    rules = policies(objects) + application_policies(objects)
    return frozenset(
        f"{source.name} --> {target}:{port}"
        for target, ports in TARGETS.items()
        if target in ends
        for port in ports
        for source in ends.values()
        if source.name in parts or target in parts
        if allowed(rules, source, ends[target], int(port.split("/")[0]), (port.split("/") + ["TCP"])[1])
    )


def reached(values: Object | None = None) -> frozenset[str]:
    """Return every "source --> target:port" that the policies of these values let through."""
    return _reached(json.dumps(values or {}))
