"""Small builders of structural schemas (OpenAPI v3, as a CustomResourceDefinition takes them)."""

from __future__ import annotations

from typing import Any

#: A schema or a part of one.
Schema = dict[str, Any]

#: Longest name of a volume that Kubernetes accepts in a pod; a bound makes the cost of rules computable.
NAME_LENGTH = 63


def text(about: str = "", **more: Any) -> Schema:
    """Return the schema of a string.

    Args:
        about: description; empty for none.
        more: further keywords, for example `enum`.
    """
    return _described({"type": "string"}, about, more)


def integer(about: str = "", bits: int = 32, **more: Any) -> Schema:
    """Return the schema of a whole number of 32 or 64 bits."""
    return _described({"type": "integer", "format": f"int{bits}"}, about, more)


def flag(about: str = "") -> Schema:
    """Return the schema of a boolean."""
    return _described({"type": "boolean"}, about, {})


def time(about: str = "") -> Schema:
    """Return the schema of a point in time, which kubeflow's operator may also write as null."""
    return _described({"type": "string", "format": "date-time", "nullable": True}, about, {})


def array(items: Schema, about: str = "", **more: Any) -> Schema:
    """Return the schema of a list."""
    return _described({"type": "array", "items": items}, about, more)


def merged_by(*keys: str) -> Schema:
    """Return the keywords of a list that a server-side apply merges: an entry is known by keys that each must have."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def mapping(values: Schema | None = None, about: str = "", **more: Any) -> Schema:
    """Return the schema of a map by string, by default to strings."""
    return _described({"type": "object", "additionalProperties": values or {"type": "string"}}, about, more)


def struct(properties: dict[str, Schema], about: str = "", required: tuple[str, ...] = (), **more: Any) -> Schema:
    """Return the schema of an object.

    Args:
        properties: schema of each field; they are written in the order of their names.
        about: description; empty for none.
        required: fields that must be there.
        more: further keywords.
    """
    schema: Schema = {"type": "object", "properties": dict(sorted(properties.items()))}
    if required:
        schema["required"] = sorted(required)
    return _described(schema, about, more)


def described(schema: Schema, about: str, **more: Any) -> Schema:
    """Return a schema with a description and further keywords."""
    return _described(schema, about, more)


def checked(schema: Schema, rules: list[dict[str, Any]]) -> Schema:
    """Return a schema with rules in CEL."""
    return schema | {"x-kubernetes-validations": rules}


def _described(schema: Schema, about: str, more: Schema) -> Schema:
    """Return a schema with its description first."""
    return ({"description": about} if about else {}) | schema | more
