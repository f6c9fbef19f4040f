"""Placeholders: Spark's `{{APP_ID}}` and `{{EXECUTOR_ID}}` in labels and annotations, kubeflow's `{{$appName}}` in addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airspark_operator import kinds, spec
from airspark_operator.kinds import Object

#: As Spark's Utils.substituteAppNExecIds has them.
APP_ID, EXECUTOR_ID = "{{APP_ID}}", "{{EXECUTOR_ID}}"
#: A placeholder of an address, with or without blanks around its name.
OF_ADDRESS = re.compile(r"{{\s*+[$](\w+)\s*+}}")
#: Fields of a pod's metadata by the prefix of the properties that Spark puts there.
PREFIXES = {"labels": "spark.kubernetes.executor.label.", "annotations": "spark.kubernetes.executor.annotation."}


def filled(entries: Mapping[str, str], app_id: str, executor_id: str | None = "") -> dict[str, str]:
    """Return labels or annotations with their placeholders filled in, as Spark does.

    Args:
        entries: texts by key.
        app_id: the id of the Spark application.
        executor_id: the executor's; empty for a driver, which has none; nothing to leave it to Spark.
    """
    found = {key: value.replace(APP_ID, app_id) for key, value in entries.items()}
    if executor_id is None:
        return found
    return {key: value.replace(EXECUTOR_ID, executor_id) for key, value in found.items()}


def left_to_spark(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the labels or annotations of executors that hold their number, which only Spark knows."""
    return {key: value for key, value in entries.items() if EXECUTOR_ID in value}


def of_executors(app: Object) -> dict[str, str]:
    """Return the properties by which Spark fills in the number of each executor; it reads no placeholder in a template."""
    own = spec.of(app, kinds.EXECUTOR)
    template = (own.get("template") or {}).get("metadata") or {}
    found: dict[str, str] = {}
    for field, prefix in PREFIXES.items():
        entries = (template.get(field) or {}) | (spec.inherited_labels(app) if field == "labels" else {}) | (own.get(field) or {})
        found |= {prefix + key: value for key, value in left_to_spark(entries).items()}
    return found


def address(url_format: str, app: Object, app_id: str) -> str:
    """Return an address with its placeholders filled in.

    Args:
        url_format: host and path with `{{$appName}}`, `{{$appNamespace}}` and `{{$appId}}`.
        app: the SparkApplication.
        app_id: the id of the Spark application, new with every submission.

    Raises:
        spec.Invalid: if it holds another placeholder, or half a one.
    """
    known: dict[str, str] = {"appName": app["metadata"]["name"], "appNamespace": app["metadata"]["namespace"], "appId": app_id}

    def value(match: re.Match[str]) -> str:
        if match.group(1) not in known:
            names = ", ".join(f"{{{{${name}}}}}" for name in known)
            raise spec.Invalid(f"The address {url_format!r} of an Ingress holds {match.group(0)}; use one of {names}")
        return known[match.group(1)]

    found: str = OF_ADDRESS.sub(value, url_format)
    if "{{" in found or "}}" in found:
        names = ", ".join(f"{{{{${name}}}}}" for name in known)
        raise spec.Invalid(f"The address {url_format!r} of an Ingress holds a placeholder that is not one of {names}; correct it")
    return found
