"""Kubernetes' own types as structural schemas, from the OpenAPI definitions that kubernetes-validate carries."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate

from airspark.crds.types import Schema, merged_by
from airspark.project import Failure, version_tuple, versions

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
CORE = "io.k8s.api.core.v1."

#: Types that are not expanded. Metadata inside a spec is anybody's map: a strict schema would prune labels.
LEAVES: dict[str, Schema] = {
    QUANTITY: {"x-kubernetes-int-or-string": True},
    INT_OR_STRING: {"x-kubernetes-int-or-string": True},
    OBJECT_META: {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
#: Fields of a pod that a template cannot have.
LEFT_OUT = {f"{CORE}PodSpec": {"ephemeralContainers"}}


@cache
def _definitions() -> dict[str, Any]:
    """Return every definition of the Kubernetes version of versions.mk.

    Raises:
        Failure: if the installed package does not know that version.
    """
    major, minor = version_tuple(versions()["KUBERNETES_VERSION"])[:2]
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{major}.{minor}.0-local"
    path = folder / "_definitions.json"
    if not path.is_file():
        raise Failure(f"kubernetes-validate has no schemas of Kubernetes {major}.{minor}", "make lock")
    found: dict[str, Any] = json.loads(path.read_text())["$defs"]
    return found


def kubernetes(name: str, loose: bool = False) -> Schema:
    """Return the structural schema of one of Kubernetes' types.

    Args:
        name: the type of the core API group, such as `Toleration`, or a full name of the definitions.
        loose: whether no field is required and unknown ones are kept, for a template that is only a part of a pod.

    Returns:
        Types, formats, required fields and the keys by which a server-side apply merges lists, without descriptions and
        defaults: the API server checks the pods themselves. A list whose key an entry may leave out is replaced as a whole,
        and so is every list of a template, of which any part may be left out.
    """
    full = name if "." in name else CORE + name
    if full in LEAVES:
        return dict(LEAVES[full])
    definition = _definitions()[full]
    without = LEFT_OUT.get(full, set())
    return _structural(
        {**definition, "properties": {k: v for k, v in definition["properties"].items() if k not in without}}, loose
    )


def _structural(node: dict[str, Any], loose: bool) -> Schema:
    """Return a definition's structural schema, references expanded."""
    if "$ref" in node:
        return kubernetes(node["$ref"].rpartition("/")[2], loose)
    kind = node.get("type", "object")
    schema: Schema = {"type": next(word for word in kind if word != "null") if isinstance(kind, list) else kind}
    if node.get("format") in ("int32", "int64"):
        schema["format"] = node["format"]
    if "items" in node:
        schema["items"] = _structural(node["items"], loose)
        keys = node.get("x-kubernetes-list-map-keys")
        if keys and set(keys) <= set(schema["items"].get("required", ())):
            schema |= merged_by(*keys)
    if "additionalProperties" in node:
        schema["additionalProperties"] = _structural(node["additionalProperties"], loose)
    if node.get("properties"):
        schema["properties"] = {key: _structural(part, loose) for key, part in sorted(node["properties"].items())}
        # a nested object with known fields prunes again, so that each has to be told
        schema |= {"x-kubernetes-preserve-unknown-fields": True} if loose else {}
    if node.get("required") and not loose:
        schema["required"] = sorted(node["required"])
    return schema
