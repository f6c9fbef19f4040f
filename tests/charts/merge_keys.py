"""Names that stand twice: keys of a YAML map, and items of a list that Kubernetes merges by a key."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from rendering import LOADER, Object, text

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema/v1.37.0-local"
#: Names within one object, beside the keys that Kubernetes merges by: it refuses a double of these too.
NAMES = {
    "io.k8s.api.core.v1.Container": {"ports": ("name",)},
    "io.k8s.api.core.v1.ServiceSpec": {"ports": ("name",)},
}


class UniqueKeys(LOADER):  # type: ignore[misc]
    """A loader that refuses a map with a key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Build a map.

        Raises:
            ValueError: if a key stands twice.
        """
        twice = [key for key, number in Counter(key.value for key, _ in node.value).items() if number > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)} twice in a map, at line {node.start_mark.line + 1}")
        return dict(super().construct_mapping(node, deep))


def strict(values: Object | None, chart: str) -> list[Object]:
    """Render a chart and read it strictly, the pod templates in its ConfigMaps too.

    Raises:
        ValueError: if a map has a key twice.
    """
    objects = [item for item in yaml.load_all(text(values, chart), Loader=UniqueKeys) if item]
    for item in objects:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-pod-templates"):
            objects = objects + [yaml.load(template, Loader=UniqueKeys) for template in item["data"].values()]
    return objects


@functools.cache
def _definitions() -> Object:
    return dict(json.loads((SCHEMAS / "_definitions.json").read_text())["$defs"])


@functools.cache
def _kind(kind: str, version: str) -> Object:
    group, _, version = version.rpartition("/")
    names = [kind.lower(), *([group.split(".")[0]] if group else []), version]
    file = SCHEMAS / ("-".join(names) + ".json")
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _walk(value: Any, schema: Object, path: str) -> Iterator[str]:
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = {**_definitions().get(name, {}), **schema}
    if isinstance(value, dict):
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key, schema.get("additionalProperties") or {})
            below = below if isinstance(below, dict) else {}
            keys = [below.get("x-kubernetes-list-map-keys"), NAMES.get(name, {}).get(key)]
            for wanted in keys if isinstance(inner, list) else []:
                yield from _twice(inner, wanted or (), f"{path}.{key}")
            yield from _walk(inner, below, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, schema.get("items", {}), f"{path}[{number}]")


def _twice(items: list[Any], keys: Any, path: str) -> Iterator[str]:
    if keys:
        found = [tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys) for item in items]
        counted = Counter(names for names in found if any(name is not None for name in names))
        yield from (f"{path}: {' '.join(map(str, names))}" for names, number in counted.items() if number > 1)


def twice(item: Object) -> list[str]:
    """Return what stands twice in lists of an object that Kubernetes merges by a key, with its path."""
    schema = _kind(item["kind"], item["apiVersion"])
    return list(_walk(item, schema, f"{item['kind']}/{item['metadata']['name']}"))


def container_names(item: Object) -> list[str]:
    """Return names that two containers of an object's pod have, init containers included."""
    spec = item.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    spec = spec.get("template", {}).get("spec", spec) if item["kind"] != "Pod" else spec
    names = [container["name"] for key in ("initContainers", "containers") for container in spec.get(key, [])]
    return [name for name, number in Counter(names).items() if number > 1]


def sound(values: Object | None, chart: str) -> list[Object]:
    """Render strictly and fail if a name stands twice anywhere, or a volume has the name that only templates know."""
    objects = strict(values, chart)
    for item in objects:
        assert not twice(item), twice(item)
        assert not container_names(item), (item["metadata"]["name"], container_names(item))
    assert "chart/" not in json.dumps([item for item in objects if item["kind"] in ("Deployment", "StatefulSet", "CronJob")])
    return objects
