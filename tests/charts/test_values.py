"""Values, their schemas, and what a wrong value says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from leaves import LEAVES
from rendering import CHARTS, RenderError, nested, render

from airspark.charts.generate import CHARTS as MODELS
from airspark.charts.generate import chart_yaml, generated
from airspark.charts.reference import SECRET, kind
from airspark.charts.schema import OPEN_AT_THE_TOP, descriptions, ignored_keys, refused_keys

REFUSED = refused_keys(CHARTS / "airflow")
IGNORED = ignored_keys(CHARTS / "airflow")


GENERATED = generated()


@pytest.mark.parametrize("path", sorted(GENERATED), ids=lambda path: f"{path.parent.name}-{path.name}")
def should_be_committed_as_generated(path: Path) -> None:
    assert path.read_text() == GENERATED[path], "run: PYTHONPATH=scripts python -m airspark.charts.generate"


def should_carry_the_products_version_and_the_oldest_kubernetes_in_every_chart() -> None:
    before = 'version: 0.0.1\nappVersion: "0.0.1"\nkubeVersion: ">=1.1.0-0"\ndependencies:\n  - name: a\n    version: 0.0.1\n'
    after = 'version: 2.0.0\nappVersion: "2.0.0"\nkubeVersion: ">=1.2.0-0"\ndependencies:\n  - name: a\n    version: 2.0.0\n'
    assert chart_yaml(before, "2.0.0", "1.2") == after


@pytest.mark.parametrize("chart", sorted(MODELS))
def should_have_exactly_the_models_keys_in_values_yaml(chart: str) -> None:
    """Validation finds keys the model lacks and, because no key of a model has a default, keys values.yaml lacks."""
    MODELS[chart].model_validate(yaml.safe_load((CHARTS / chart / "values.yaml").read_text()))


def _closed(schema: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for name, child in schema.get("properties", {}).items():
        found += _closed(child, f"{path}.{name}")
    if "properties" in schema and schema.get("additionalProperties", True) is True:
        found.append(path)
    return found


@pytest.mark.parametrize("chart", sorted(MODELS))
def should_be_closed_at_every_level_but_global_and_the_top_where_a_template_decides(chart: str) -> None:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    assert set(_closed(schema)) - {".global.claims"} == {".global", *([""] if chart in OPEN_AT_THE_TOP else [])}


@pytest.mark.parametrize("chart", sorted(MODELS))
def should_describe_every_key_of_values_yaml_in_one_line(chart: str) -> None:
    for path, text_ in descriptions(CHARTS / chart / "values.yaml").items():
        assert text_ and len(text_) <= 120, path


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("nonsense", 1, "nonsense: it is not a value of this chart"),
        ("airflow.scheduler.replcas", 2, "at '/scheduler': additional properties 'replcas' not allowed"),
        ("airflow.scheduler.replicas", "two", "at '/scheduler/replicas': got string, want integer"),
        ("airflow.logs.persistence.size", "many", "at '/logs/persistence/size'"),
        ("airflow.images.airflow.pullPolicy", "Sometimes", "at '/images/airflow/pullPolicy'"),
        ("airflow.config.core", "LocalExecutor", "at '/config/core'"),
        (
            "airflow.connections.x",
            {"host": "h", "password": "p"},
            "at '/connections/x/password': got string, want null or object",
        ),
        ("spark.worker.memoryLimit", "lots", "at '/worker/memoryLimit'"),
        ("spark.worker.replicas", 3, "at '/worker': additional properties 'replicas' not allowed"),
        ("data.size", 10, "at '/data/size': got number, want string"),
    ],
)
def should_name_the_path_of_a_wrong_key_or_type(path: str, value: Any, said: str) -> None:
    with pytest.raises(RenderError) as refusal:
        render(nested(path, value))
    assert said in str(refusal.value)


def should_say_a_sentence_for_a_refused_key_through_the_parent_chart_too() -> None:
    with pytest.raises(RenderError) as refusal:
        render(nested("airflow.kerberos.enabled", True))
    assert f"kerberos: {REFUSED['kerberos']}" in str(refusal.value)


def should_describe_a_refused_and_an_ignored_key_in_the_schema_and_leave_them_out_of_the_reference() -> None:
    schema = json.loads((CHARTS / "airflow/values.schema.json").read_text())
    assert schema["properties"]["kerberos"] == {"description": f"Refused: {REFUSED['kerberos']}"}
    assert schema["properties"]["redis"] == {"description": f"Ignored: {IGNORED['redis']}"}
    reference = (CHARTS.parent / "docs/reference/airflow-values.md").read_text()
    assert "`kerberos" not in reference and "`redis" not in reference


def should_describe_every_key_in_the_reference_and_every_key_of_the_official_chart_in_the_contract() -> None:
    docs = CHARTS.parent / "docs"
    reference, contract = (docs / "reference/airflow-values.md").read_text(), (docs / "values-contract.md").read_text()
    assert not [path for path in LEAVES if f"| `{path}` |" not in reference]
    official = yaml.safe_load((Path(__file__).parent / "contract.yaml").read_text())
    assert not [path for path in official if f"| `{path}` |" not in contract]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"type": "array", "items": {"type": "object"}}, "list of maps"),
        ({"type": "array", "items": {"anyOf": [{"type": "object"}, {"type": "string"}]}}, "list of (map or string)"),
        ({"enum": ["a", None]}, 'one of `"a"`'),
        ({"anyOf": [{"type": "string"}, {"properties": {"valueFrom": {}}}, {"type": "null"}]}, f"string or {SECRET}"),
        ({}, "any"),
    ],
)
def should_say_a_keys_type_in_words(node: dict[str, Any], said: str) -> None:
    assert kind(node) == said


def should_let_other_keys_of_global_pass() -> None:
    render(nested("global.storageClass", "fast"))


def should_leave_out_a_connection_that_is_set_to_null() -> None:
    for item in render({"airflow": {"connections": {"spark_default": None}}}):
        assert "spark_default" not in str(item.get("data", {}).get("settings.json", ""))
