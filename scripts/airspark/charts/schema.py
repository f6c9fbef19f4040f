"""JSON schemas from the models, with the descriptions that stand in values.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from airspark.charts.common import Values
from airspark.project import Failure

DRAFT = "http://json-schema.org/draft-07/schema#"
LINE = re.compile(r"^(?P<indent> *)(?:# -- (?P<text>.+)|(?P<key>[\w.-]+):(?:\s|$))")


def descriptions(path: Path) -> dict[tuple[str, ...], str]:
    """Read the `# --` line above each key of a values file.

    Args:
        path: a values.yaml whose blocks are indented by spaces.

    Returns:
        The text by the key's path, for example `{("logs", "persistence"): "Where the logs are kept"}`.
    """
    found: dict[tuple[str, ...], str] = {}
    open_keys: list[tuple[int, str]] = []
    text = ""
    for line in path.read_text().splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        if match["text"]:
            text = match["text"]
            continue
        indent = len(match["indent"])
        open_keys = [entry for entry in open_keys if entry[0] < indent] + [(indent, match["key"])]
        if text:
            found[tuple(key for _, key in open_keys)] = text
        text = ""
    return found


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    """Replace references by what they mean, and unions of plain types by a list of types."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inline(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    kept = {key: value for key, value in node.items() if key not in ("title", "default", "description", "required")}
    if "properties" in kept:
        kept["properties"] = {name: _inline(value, definitions) for name, value in sorted(kept["properties"].items())}
    plain = {key: _inline(value, definitions) for key, value in kept.items() if key != "properties"}
    if "properties" in kept:
        plain["properties"] = kept["properties"]
    options = plain.get("anyOf")
    if options and all(set(option) == {"type"} for option in options):
        del plain["anyOf"]
        plain["type"] = [option["type"] for option in options]
    return plain


def _describe(node: dict[str, Any], path: tuple[str, ...], texts: dict[tuple[str, ...], str], file: Path) -> None:
    """Put the texts of values.yaml into the schema's properties.

    Raises:
        Failure: if a property has no text.
    """
    for name, child in node.get("properties", {}).items():
        here = (*path, name)
        if here not in texts:
            raise Failure(f"{file}: the key {'.'.join(here)} has no line '# -- what it is' above it")
        child["description"] = texts[here]
        if child.get("properties") and name != "resources":
            _describe(child, here, texts, file)


def refused_keys(chart: Path) -> dict[str, str]:
    """Return the keys that a chart refuses with a sentence, by dotted path."""
    path = chart / "files" / "refused-keys.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else {}


def schema(model: type[Values], chart: Path) -> dict[str, Any]:
    """Return the JSON schema of a chart's values.

    Args:
        model: the whole of the chart's values.
        chart: the chart's folder; its values.yaml gives the descriptions.

    Returns:
        A draft-07 schema without references. Keys that the chart refuses with a sentence of its own are let
        through, because Helm checks the schema first and can only say that a key is unknown.

    Raises:
        Failure: if a key has no description.
    """
    raw = model.model_json_schema(by_alias=True)
    result = _inline(raw, raw.get("$defs", {}))
    result.pop("$defs", None)
    _describe(result, (), descriptions(chart / "values.yaml"), chart / "values.yaml")
    for path, sentence in refused_keys(chart).items():
        *parents, name = path.split(".")
        node = result
        for parent in parents:
            node = node["properties"][parent]
        node["properties"][name] = {"description": f"Refused: {sentence}"}
    return {"$schema": DRAFT, "title": f"Values of the chart {chart.name}", **result}
