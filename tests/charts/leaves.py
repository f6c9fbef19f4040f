"""Every key of a chart that has no keys below it, and a value for it that can be found in what is rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from rendering import CHARTS, LOADER, Object

SCHEMA: Object = json.loads((CHARTS / "airflow/values.schema.json").read_text())
FIRST = 20000
# Every part is on, so that its keys are of use.
ON: Mapping[str, Any] = {
    "apiServer.hpa.enabled": True,
    "apiServer.httpRoute.enabled": True,
    "apiServer.httpRoute.parentRefs": [{"name": "gate"}],
    "backup.enabled": True,
    "cleanup.enabled": True,
    "dagProcessor.replicas": 2,
    "databaseCleanup.enabled": True,
    "images.pgbouncerExporter.repository": "exporter",
    "images.pgbouncerExporter.tag": "1",
    "ingress.apiServer.enabled": True,
    "ingress.pgbouncer.enabled": True,
    "ingress.statsd.enabled": True,
    "metrics.dashboard.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.serviceMonitor.enabled": True,
    "otelCollector.endpoint": "http://collector:4318",
    "otelCollector.tracesEnabled": True,
    "pgbouncer.enabled": True,
    "pgbouncer.replicas": 2,
    "rbac.createSCCRoleBinding": True,
    "scheduler.replicas": 2,
    "statsd.enabled": True,
    "triggerer.logGroomerSidecar.enabled": True,
    "triggerer.persistence.enabled": True,
    "triggerer.replicas": 2,
}


def leaves(node: Object = SCHEMA, path: str = "") -> Iterator[tuple[str, Object]]:
    """Yield (dotted path, schema) of every key without known keys below it; refused and ignored keys are left out."""
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        if child.get("description", "").startswith(("Refused: ", "Ignored: ")):
            continue
        if child.get("properties") and name != "resources":
            yield from leaves(child, here)
        else:
            yield here, child


def defaults(chart: str) -> dict[str, Any]:
    """Return every value of a chart's values.yaml by its dotted path."""
    return dict(_flat(yaml.load((CHARTS / chart / "values.yaml").read_text(), Loader=LOADER)))


def _flat(given: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, value
        if isinstance(value, dict):
            yield from _flat(value, here)


LEAVES = dict(leaves())
SPARK = dict(leaves(json.loads((CHARTS / "spark/values.schema.json").read_text())))
NUMBERS = {path: FIRST + number for number, path in enumerate(LEAVES)}


def types(node: Object) -> set[str]:
    """Return the types that a value may have, `enum` where it is one of a few."""
    if "enum" in node or "const" in node:
        return {"enum"}
    if "anyOf" in node:
        return {name for option in node["anyOf"] for name in types(option)}
    given = node.get("type", [])
    return set(given if isinstance(given, list) else [given]) - {"null"}


def sample(node: Object, number: int) -> Any:
    """Return a value that fits a schema and shows its number in what is rendered.

    Args:
        node: the schema of a key.
        number: five digits that are nowhere else.

    Returns:
        The value, or None where no value can show a number: booleans, and one of a few words.
    """
    kinds = types(node)
    pattern = node.get("pattern") or next((option["pattern"] for option in node.get("anyOf", []) if "pattern" in option), "")
    if "string" in kinds and pattern:
        made = (f"{number}Mi", f"{number}s", f"{number}m", f"/mark-{number}", f"sha256:{'a' * 59}{number}")
        return next(text for text in made if re.search(pattern, text))
    if "string" in kinds:
        return f"mark-{number}"
    if "integer" in kinds or "number" in kinds:
        return number if node.get("maximum", number) >= number else None
    if "object" in kinds:
        return _map(node, number)
    if "array" in kinds:
        entry = node.get("items", {})
        words = [word for word in entry.get("enum", []) if word]
        return words and None or [sample(entry, number) if entry else {"name": f"mark-{number}"}]
    return None


def _map(node: Object, number: int) -> Any:
    option = next(found for found in (node, *node.get("anyOf", [])) if "object" in types(found))
    if option.get("properties"):
        wanted = option.get("required") or list(option["properties"])[:1]
        return {name: sample(option["properties"][name], number) for name in wanted}
    entry = option.get("additionalProperties")
    if isinstance(entry, dict) and entry:
        return {f"mark-{number}": sample(entry, number)}
    return {f"mark-{number}": f"mark-{number}"}
