"""The oldest Kubernetes that the charts say they run on is one that takes every object of theirs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from rendering import CHARTS, CUSTOM, LOADER, ROOT, Object, render, task_pod

HERE = Path(__file__).resolve().parent
EVERYTHING = yaml.load((HERE / "everything-on.yaml").read_text(), Loader=LOADER)
CHART_FILES = sorted((CHARTS / "airspark").rglob("Chart.yaml"))
OLDEST = re.findall(r"[0-9]+\.[0-9]+", yaml.safe_load(CHART_FILES[0].read_text())["kubeVersion"])[0]
#: Every minor version from there to the newest whose schemas are at hand.
VERSIONS = sorted(
    {
        minor
        for minor in (".".join(version.split(".")[:2]) for version in utils.all_versions())
        if tuple(map(int, minor.split("."))) >= tuple(map(int, OLDEST.split(".")))
    },
    key=lambda minor: tuple(map(int, minor.split("."))),
)
#: The version whose API server knows a function of the expression language, as the Kubernetes documentation lists them.
FUNCTIONS = {
    **dict.fromkeys(["all", "exists", "one", "exists_one", "has", "size", "startsWith", "endsWith", "contains"], "1.25"),
    **dict.fromkeys(["matches", "int", "string", "duration", "map", "filter"], "1.25"),
    **dict.fromkeys(["quantity", "isQuantity", "compareTo", "isGreaterThan", "isLessThan", "asInteger"], "1.29"),
    **dict.fromkeys(["ip", "isIP", "cidr", "isCIDR"], "1.30"),
    **dict.fromkeys(["format", "semver", "isSemver"], "1.33"),
}
CRDS = sorted((CHARTS / "spark-operator" / "crds").glob("*.yaml"))


@pytest.fixture(autouse=True, scope="module")
def _cached() -> Iterator[None]:
    """Read each schema once; the library reads two files for every object."""
    before = utils.schema_contents
    utils.schema_contents = functools.cache(before)
    yield
    utils.schema_contents = before


@functools.cache
def _objects() -> list[Object]:
    made = []
    for values in ({}, EVERYTHING):
        objects = render(values)
        made += [item for item in objects if item["kind"] not in CUSTOM] + [{**task_pod(objects), "kind": "Pod"}]
    return made + [yaml.load(path.read_text(), Loader=LOADER) for path in CRDS]


def should_name_the_same_oldest_kubernetes_in_every_chart_and_in_the_documentation() -> None:
    found = {yaml.safe_load(path.read_text())["kubeVersion"] for path in CHART_FILES}
    assert found == {f">={OLDEST}.0-0"} and len(CHART_FILES) == 4
    said = f"Kubernetes {OLDEST} or newer"
    assert said in (ROOT / "README.md").read_text()
    assert said in (ROOT / "docs" / "values-contract.md").read_text()


def should_run_on_kubernetes_1_30_as_the_official_airflow_chart_does() -> None:
    assert tuple(map(int, OLDEST.split("."))) <= (1, 30)


@pytest.mark.parametrize("version", VERSIONS)
def should_make_objects_that_are_valid_for_every_kubernetes_from_the_oldest_on(version: str) -> None:
    for item in _objects():
        kubernetes_validate.validate(item, version, strict=True)


def should_find_a_field_that_the_oldest_kubernetes_does_not_know() -> None:
    """Should fail if a field is newer, or else the test above proves nothing."""
    newer = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [], "resources": {}}}
    kubernetes_validate.validate(newer, VERSIONS[-1], strict=True)
    with pytest.raises(utils.ValidationError, match="resources"):
        kubernetes_validate.validate(newer, VERSIONS[0], strict=True)


def _rules(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for rule in schema.get("x-kubernetes-validations", []):
            yield from (rule.get(part, "") for part in ("rule", "messageExpression"))
        for value in schema.values():
            yield from _rules(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _rules(value)


def should_use_only_functions_in_rules_of_custom_resources_that_the_oldest_kubernetes_knows() -> None:
    used = set()
    for path in CRDS:
        for rule in _rules(yaml.load(path.read_text(), Loader=LOADER)):
            used |= set(re.findall(r"([A-Za-z_]+)\(", re.sub(r"r?'[^']*'", "''", rule)))
    assert used, "the custom resources have no rules"
    assert not used - set(FUNCTIONS), "say in FUNCTIONS since when Kubernetes knows them"
    newer = {name for name in used if tuple(map(int, FUNCTIONS[name].split("."))) > tuple(map(int, OLDEST.split(".")))}
    assert not newer
