"""JSON schemas from the models, with the descriptions that stand in values.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from airspark.charts.common import Values
from airspark.project import Failure

DRAFT = "http://json-schema.org/draft-07/schema#"
#: Charts whose templates/validate.yaml decides on keys at the top: a user's own may stand there, a misspelt one is refused.
OPEN_AT_THE_TOP = ("airflow", "airspark")
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


def _inline(node: Any, definitions: dict[str, Any], item: bool = False) -> Any:
    """Replace references by what they mean, and `X or null` by X with one more type.

    Args:
        node: a part of pydantic's schema.
        definitions: its `$defs`.
        item: whether the part describes entries of a list or map. Only those keep their required keys: elsewhere
            the chart's values.yaml fills what a user leaves out.
    """
    if isinstance(node, list):
        return [_inline(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        named = {key: value for key, value in definitions[node["$ref"].removeprefix("#/$defs/")].items() if key != "description"}
        return _inline({**named, **{key: value for key, value in node.items() if key != "$ref"}}, definitions, item)
    dropped = {"title", "default"} if item else {"title", "default", "required"}
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            plain[key] = {name: _inline(value[name], definitions) for name in sorted(value)}
        elif key in ("items", "additionalProperties"):
            plain[key] = _inline(value, definitions, item=True)
        elif key == "anyOf":
            plain[key] = [_inline(part, definitions, item) for part in value]
        elif key not in dropped:
            plain[key] = _inline(value, definitions)
    return _merge_options(plain)


def _merge_options(node: dict[str, Any]) -> dict[str, Any]:
    """Turn a union into one schema where that says the same, because its errors name the key and not a branch."""
    options = node.get("anyOf", [])
    real = [option for option in options if option != {"type": "null"}]
    if options and all(set(option) == {"type"} for option in options):
        return {**{key: value for key, value in node.items() if key != "anyOf"}, "type": [option["type"] for option in options]}
    if len(real) == 1 and len(options) == 2 and "type" in real[0]:
        kind = real[0]["type"]
        kinds = [*(kind if isinstance(kind, list) else [kind]), "null"]
        merged = {**{key: value for key, value in node.items() if key != "anyOf"}, **real[0], "type": kinds}
        return {**merged, "enum": [*merged["enum"], None]} if "enum" in merged else merged
    return node


def _describe(node: dict[str, Any], path: tuple[str, ...], texts: dict[tuple[str, ...], str], file: Path) -> None:
    """Put the texts of values.yaml into the schema's properties; keys without a default bring their own.

    Raises:
        Failure: if a property has no text.
    """
    for name, child in node.get("properties", {}).items():
        here = (*path, name)
        text = texts.get(here, child.get("description"))
        if text is None:
            raise Failure(f"{file}: the key {'.'.join(here)} has no line '# -- what it is' above it")
        child["description"] = text
        if child.get("properties") and name != "resources":
            _describe(child, here, texts, file)


def refused_keys(chart: Path) -> dict[str, str]:
    """Return the sentences of the keys that a chart refuses, by dotted path."""
    return _sentences(chart / "files" / "refused-keys.yaml")


def ignored_keys(chart: Path) -> dict[str, str]:
    """Return why a chart accepts a key and does nothing with it, by dotted path."""
    return _sentences(chart / "files" / "ignored-keys.yaml")


def _sentences(path: Path) -> dict[str, str]:
    """Return the sentence of each key of a file like files/refused-keys.yaml."""
    groups = yaml.safe_load(path.read_text()) if path.is_file() else []
    return {key: group["say"] for group in groups for key in group["keys"]}


def refusal(key: str, sentences: dict[str, str]) -> str:
    """Return the refused or ignored key that is a key or stands above it.

    Args:
        key: a dotted path.
        sentences: what `refused_keys` or `ignored_keys` gives.

    Raises:
        Failure: if there is none.
    """
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in sentences:
            return ".".join(parts[:length])
    raise Failure(f"{key} has no line in files/refused-keys.yaml or files/ignored-keys.yaml")


def _let_through(node: dict[str, Any], path: list[str], text: str) -> None:
    """Open a closed schema for one key, so that the chart's own sentence is what a user reads."""
    name, *rest = path
    if "properties" not in node:
        return
    opened = {"description": text}
    if rest:
        _let_through(node["properties"].setdefault(name, opened), rest, text)
    else:
        node["properties"][name] = opened


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
    for word, sentences in (("Refused", refused_keys(chart)), ("Ignored", ignored_keys(chart))):
        for path, sentence in sentences.items():
            _let_through(result, path.split("."), f"{word}: {sentence}")
    if chart.name in OPEN_AT_THE_TOP:
        result["additionalProperties"] = True
    return {"$schema": DRAFT, "title": f"Values of the chart {chart.name}", **result}
