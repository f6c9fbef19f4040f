"""Whether a job may have the pods and Ingresses of an application: the table of `policy`, by the fields of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airspark_operator import conf as properties
from airspark_operator import kinds, policy, spec, volumes
from airspark_operator.kinds import Object
from airspark_operator.policy import Refusal, Table

#: The key of the chart's values that holds the lists.
KEY = "spark.allowed"
#: Keys of the spec, beside the last of a path in a pod, for what stands there. An entry of a list has no key.
ALSO = {"serviceAccountName": ("serviceAccount",), "secretName": ("name",), "name": ("podName",), "add": ("",)}
#: An annotation with one of these words reaches beyond its Ingress or Service: to the controller itself, other hosts, other
#: Secrets, names in DNS.
BEYOND = (
    "snippet", "auth-url", "auth-signin", "auth-secret", "auth-tls-secret", "proxy-ssl-secret", "server-alias", "mirror",
    "config-backend", "config-frontend", "config-global", "external-dns",
)  # fmt: skip


def check(app: Object, role: str, pod: Object, conf: Mapping[str, str], table: Table) -> None:
    """Look whether a job may have a pod.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        pod: the driver's pod, or the executors' template.
        conf: Spark's properties, by which Spark completes executors.
        table: what is allowed.

    Raises:
        spec.Invalid: if not; the sentence begins with the field of the spec.
    """
    whole = pod if role == kinds.DRIVER else _completed(app, pod, conf)
    refusal = next(policy.refusals(whole, table, KEY), None)
    if refusal:
        raise spec.Invalid(f"{field(app, role, refusal)}: {refusal.why}; {refusal.remedy}")


def _completed(app: Object, pod: Object, conf: Mapping[str, str]) -> Object:
    """Return the executors' template with what Spark adds to it by properties."""
    added = [volume for volume, _ in (*volumes.of_properties(conf, kinds.EXECUTOR), *volumes.left_secrets(app, conf))]
    said = properties.prefixed(conf, "spark.kubernetes.executor.secretKeyRef.")
    variables = [{"name": name, "valueFrom": {"secretKeyRef": {"name": text.partition(":")[0]}}} for name, text in said.items()]
    wanted = pod["spec"]
    spark, *beside = wanted["containers"]
    complete = spark | {"env": [*(spark.get("env") or ()), *variables]}
    labels = properties.prefixed(conf, "spark.kubernetes.executor.label.") | (pod["metadata"].get("labels") or {})
    return {
        "metadata": pod["metadata"] | {"labels": labels},
        "spec": wanted | {"volumes": [*(wanted.get("volumes") or ()), *added], "containers": [complete, *beside]},
    }


def field(app: Object, role: str, refusal: Refusal) -> str:
    """Return the field of the spec that something refused comes from, or the role and the path in its pod.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        refusal: what is refused.
    """
    wanted, last = app["spec"], refusal.path.rpartition(".")[2]
    other = kinds.EXECUTOR if role == kinds.DRIVER else kinds.DRIVER
    parts = {role: wanted.get(role) or {}, **{name: part for name, part in wanted.items() if name not in (role, other)}}
    keys = (last, *ALSO.get(last, ()))
    for part, below in parts.items():
        for path, key, value in _entries(below, part):
            if key in keys and (key == refusal.name or value == refusal.name or not refusal.name):
                return path
    # a property has what it mounts in its own name, or the name of a Secret before a colon
    for key, value in (wanted.get("sparkConf") or {}).items():
        name = refusal.name or last
        if str(value).partition(":")[0] == name or key.endswith(f".{name}") or f".{name}." in key:
            return f"sparkConf.{key}"
    return f"labels of {role}" if last == refusal.name else f"{role}: {refusal.path}"


def _entries(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield the path, the last key and the value of everything below a value."""
    children: Any = value.items() if isinstance(value, dict) else ()
    for key, child in children:
        here = f"{path}.{key}"
        yield here, key, child
        yield from _entries(child, here)
    for number, child in enumerate(value if isinstance(value, list) else ()):
        yield f"{path}[{number}]", "", child
        yield from _entries(child, f"{path}[{number}]")


def check_host(where: str, host: str, table: Table) -> None:
    """Look whether an application may have an Ingress with a host.

    Raises:
        spec.Invalid: if not; the sentence begins with the field, `where`.
    """
    if not policy.matches(host, table.hosts):
        raise spec.Invalid(f"{where}: the host {host} is not allowed; {policy.allow(KEY, 'hosts')}")


def check_service_type(where: str, kind: str, table: Table) -> None:
    """Look whether an application may have a Service of a type: NodePort and LoadBalancer are reached from outside the cluster.

    Raises:
        spec.Invalid: if not; the sentence begins with the field, `where`.
    """
    if not policy.matches(kind, table.service_types):
        remedy = policy.allow(KEY, "serviceTypes")
        raise spec.Invalid(f"{where}: a Service of the type {kind} is not allowed; {remedy}")


def check_annotations(where: str, made: Object) -> None:
    """Look whether an annotation of an Ingress or a Service reaches beyond it.

    Raises:
        spec.Invalid: if one does; the sentence begins with the field, `where`.
    """
    for name in made["metadata"].get("annotations") or {}:
        if any(word in name for word in BEYOND):
            raise spec.Invalid(f"{where}: {name} reaches beyond what is the application's; remove it")


def check_tls(where: str, ingress: Object, table: Table) -> None:
    """Look whether an Ingress may have its certificates: for its own host and allowed ones, from Secrets that a job may have.

    Raises:
        spec.Invalid: if not; the sentence begins with the field, `where`.
    """
    own = {rule.get("host") for rule in ingress["spec"]["rules"]}
    for number, entry in enumerate(ingress["spec"].get("tls") or ()):
        for host in entry.get("hosts") or ():
            if host not in own:
                check_host(f"{where}[{number}].hosts", host, table)
        secret = {"volumes": [{"secret": {"secretName": entry.get("secretName")}}]}
        if refusal := next(policy.refusals({"spec": secret}, table, KEY), None):
            raise spec.Invalid(f"{where}[{number}].secretName: {refusal.why}; {refusal.remedy}")


def check_priority(where: str, name: str | None, table: Table) -> None:
    """Look whether an application may have a priority class.

    Raises:
        spec.Invalid: if not; the sentence begins with the field, `where`.
    """
    if refusal := next(policy.priority(name, table, KEY), None):
        raise spec.Invalid(f"{where}: {refusal.why}; {refusal.remedy}")
