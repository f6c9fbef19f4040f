"""Applications for tests of the builders, and what is built of them."""

from __future__ import annotations

import json
import re
from typing import Any

from airspark_operator import build, conf, submission
from airspark_operator.policy import Table
from airspark_operator.settings import Defaults

Object = dict[str, Any]

DEFAULTS = Defaults(
    service_account="spark-driver",
    image="example/default:1",
    pod_security_context={"runAsNonRoot": True, "runAsUser": 185, "fsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}},
    container_security_context={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    policy=Table(hosts=("*",), service_types=("*",), volumes=("*",)),
)


def app(driver: Object | None = None, executor: Object | None = None, metadata: Object | None = None, **spec: Any) -> Object:
    """A PySpark application with a changed spec."""
    base = {"type": "Python", "sparkVersion": "4.2.1", "mainApplicationFile": "local:///main.py"}
    return {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": "job", "namespace": "data", "uid": "11111111-2222-3333-4444-555555555555"} | (metadata or {}),
        "spec": base | spec | {"driver": driver or {}, "executor": executor or {}},
    }


def objects(application: Object, defaults: Defaults = DEFAULTS) -> list[Object]:
    """Everything of its first submission."""
    return build.objects(application, submission.submission(application, 0, 1), defaults)


def one(application: Object, kind: str, name: str = "", defaults: Defaults = DEFAULTS) -> Object:
    """The only object of a kind, or the one of that name."""
    found = [thing for thing in objects(application, defaults) if thing["kind"] == kind]
    chosen = [thing for thing in found if not name or thing["metadata"]["name"] == name]
    assert len(chosen) == 1, f"{kind} {name}: {[thing['metadata']['name'] for thing in found]}"
    return chosen[0]


def driver(application: Object, defaults: Defaults = DEFAULTS) -> Object:
    """The driver pod."""
    return objects(application, defaults)[-1]


def container(pod: Object) -> Object:
    """Spark's container of a pod."""
    found: Object = pod["spec"]["containers"][0]
    return found


def variables(pod: Object) -> dict[str, Any]:
    """The environment of Spark's container."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(pod).get("env", [])}


def template(application: Object, defaults: Defaults = DEFAULTS) -> Object:
    """The pod template of executors."""
    found: Object = json.loads(one(application, "ConfigMap", defaults=defaults)["data"][conf.TEMPLATE_FILE])
    return found


def properties(application: Object, defaults: Defaults = DEFAULTS) -> dict[str, str]:
    """Spark's properties as java.util.Properties reads them."""
    return read(one(application, "ConfigMap", defaults=defaults)["data"][conf.PROPERTIES_FILE])


def read(text: str) -> dict[str, str]:
    """What java.util.Properties reads from a file (its documentation's rules for key, separator and escapes)."""
    found = {}
    for line in text.split("\n"):
        line = line.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        match = re.match(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$", line)
        assert match
        found[_plain(match.group(1))] = _plain(match.group(2))
    return found


def _plain(text: str) -> str:
    escapes = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match.group(1), match.group(1)), text)
