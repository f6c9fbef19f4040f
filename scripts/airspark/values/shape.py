"""What the charts' JSON schemas say of a values file, as sentences. A given value is never printed: it may be a secret."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft7Validator, ValidationError

from airspark.project import ROOT
from airspark.values.reading import Values, kind, lookup

CHARTS = ROOT / "charts"
#: Folders of charts by their key in a values file of charts/airspark.
SUBCHARTS = {"airflow": "airflow", "spark": "spark", "sparkOperator": "spark-operator"}
Schema = dict[str, Any]
#: What a value of a type looks like, if the chart has no default to show.
EXAMPLES = {
    "integer": "2", "number": "0.5", "boolean": "true", "string": '"text"', "array": "[first, second]", "object": "{key: value}",
}  # fmt: skip
WORDS = {
    "integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text", "array": "a list",
    "object": "a map", "null": "nothing",
}  # fmt: skip
REFERENCE = "{valueFrom: {secretKeyRef: {name: my-secret, key: password}}}"


@cache
def umbrella() -> Schema:
    """Return the schema of charts/airspark with those of the other charts in it."""
    whole = _schema("airspark")
    for key, folder in SUBCHARTS.items():
        whole["properties"][key] = _schema(folder)
    return whole


@cache
def defaults() -> Values:
    """Return every chart's default values, as charts/airspark has them."""
    values: Values = {key: default(folder) for key, folder in SUBCHARTS.items()}
    return {**default("airspark"), **values}


def _schema(chart: str) -> Schema:
    found: Schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    return found


@cache
def default(chart: str) -> Values:
    """Return the values.yaml of one chart by its folder."""
    found: Values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    return found


def problems(values: Values) -> list[str]:
    """Return a sentence for each place where a values file of charts/airspark does not fit the schemas.

    Args:
        values: the file; keys that it leaves out are filled by the charts' defaults.
    """
    errors = sorted(Draft7Validator(umbrella()).iter_errors(_without_nulls(values)), key=lambda error: dotted([*error.path]))
    return list(dict.fromkeys(sentence for error in errors for sentence in _sentences(error)))


def _without_nulls(value: Any) -> Any:
    """Return values as Helm validates them: an empty key of a map takes the default away."""
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    return [_without_nulls(child) for child in value] if isinstance(value, list) else value


def dotted(path: list[Any]) -> str:
    """Return a path as `a.b[0].c`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _sentences(error: ValidationError) -> Iterator[str]:
    """Yield what one error of the validator means."""
    path = list(error.absolute_path)
    where = dotted(path) or "the file"
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = sorted(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known)):
            yield f"{dotted([*path, key])}: {_unknown([*path, key], known)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield f"{where}: it lacks {', '.join(f'`{key}`' for key in missing)}"
    elif error.validator in ("anyOf", "oneOf") and error.context:
        yield from _options(error, where)
    else:
        yield f"{where}: {_expected(error, path)}"


def _unknown(path: list[Any], known: list[str]) -> str:
    """Say what to write for a key that is not known."""
    key = str(path[-1])
    for chart in SUBCHARTS:
        if path[0] not in SUBCHARTS and _knows(umbrella()["properties"][chart], path):
            return f"it belongs under `{chart}:`; write `{chart}.{dotted(path)}`"
    by_lower = {name.lower().replace("-", ""): name for name in known}
    close = difflib.get_close_matches(key.lower().replace("-", "").replace("_", ""), list(by_lower), n=1, cutoff=0.7)
    if close:
        return f"it is not a value of this chart; did you mean `{by_lower[close[0]]}`?"
    there = f"; the keys there are {', '.join(known[:12])}{' and others' if len(known) > 12 else ''}" if known else ""
    return f"it is not a value of this chart{there}"


def _knows(schema: Schema, path: list[Any]) -> bool:
    """Whether a schema names every step of a path."""
    for step in path:
        if not isinstance(step, str) or step not in schema.get("properties", {}):
            return False
        schema = schema["properties"][step]
    return True


def _options(error: ValidationError, where: str) -> Iterator[str]:
    """Yield what is wrong where a value may have several forms: by the form that was meant, if its type shows it."""
    deeper = [inner for inner in error.context or [] if inner.validator != "type" or len(inner.path)]
    branches = {inner.schema_path[0] for inner in deeper}
    if len(branches) == 1:
        for inner in deeper:
            yield from _sentences(inner)
        return
    forms = [_form(option) for option in error.validator_value if option != {"type": "null"}]
    yield f"{where}: it is {kind(error.instance)}, and {' or '.join(dict.fromkeys(forms))} is expected"


def _form(schema: Schema) -> str:
    """Return what a schema expects, in words."""
    if _is_reference(schema):
        return f"a reference to a Secret such as {REFERENCE}"
    if "enum" in schema:
        return f"one of {', '.join(str(value) for value in schema['enum'] if value is not None)}"
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return " or ".join(WORDS.get(name, name) for name in names) or "another form"


def _is_reference(schema: Schema) -> bool:
    """Whether a schema is that of a value which comes from a Secret."""
    return "secretKeyRef" in schema.get("properties", {}).get("valueFrom", {}).get("properties", {})


def _expected(error: ValidationError, path: list[Any]) -> str:
    """Say what one value should be."""
    schema = error.schema if isinstance(error.schema, dict) else {}
    limit = error.validator_value
    if error.validator == "type":
        if _is_reference(schema):
            return f"a password is never a value; write a reference to a Secret: {REFERENCE}"
        return f"it is {kind(error.instance)}, and {_form(schema)} is expected, for example {_example(schema, path)}"
    if error.validator == "enum":
        return f"it must be {_form(schema)}"
    if error.validator == "const":
        return f"it can only be {json.dumps(limit)}"
    if error.validator in ("minimum", "maximum"):
        return f"it must be {limit} at {'least' if error.validator == 'minimum' else 'most'}"
    if error.validator == "minItems":
        return f"the list needs {limit} entry at least" if limit == 1 else f"the list needs {limit} entries at least"
    if error.validator == "pattern":
        return f"it does not have the form that is expected, for example {_example(schema, path)}"
    return f"it does not keep the rule {error.validator}: {json.dumps(limit)}"


def _example(schema: Schema, path: list[Any]) -> str:
    """Return a value that fits: the chart's default, or one of the type."""
    default = lookup(defaults(), dotted(path))
    if default not in (None, "", [], {}) and not isinstance(default, dict | list):
        return json.dumps(default)
    if "pattern" in schema:
        samples = ("10Gi", "500m", "30s", "a-name", "1", "/a/path", "sha256:" + "0" * 64, "https://example.com", "*/15 * * * *")
        fitting = [sample for sample in samples if re.search(schema["pattern"], sample)]
        return fitting[0] if fitting else f"a text that matches {schema['pattern']}"
    types = schema.get("type", "string")
    return EXAMPLES.get(types if isinstance(types, str) else next(name for name in types if name != "null"), '"text"')
