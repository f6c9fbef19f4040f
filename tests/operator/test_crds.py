"""The CustomResourceDefinitions: complete, structural, no stricter than kubeflow's, and small enough for every way to apply."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it brings no stubs
import pytest
import yaml

from airspark.charts import crds
from airspark.crds import rules
from airspark.crds.kubernetes_types import kubernetes
from airspark.project import ROOT

DEFINITIONS: dict[str, dict[str, Any]] = {
    "SparkApplication": crds.spark_application(),
    "ScheduledSparkApplication": crds.scheduled_spark_application(),
}
MANIFESTS = list(yaml.safe_load_all((ROOT / "tests/operator/every-field.yaml").read_text()))

RULES = "x-kubernetes-validations"
FIELDS: dict[str, list[str]] = yaml.safe_load((ROOT / "tests/operator/fields.yaml").read_text())


def root(kind: str) -> dict[str, Any]:
    """Return the schema of a kind."""
    schema: dict[str, Any] = DEFINITIONS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def spec(kind: str = "SparkApplication") -> dict[str, Any]:
    """Return the schema of a SparkApplication's spec, wherever it stands."""
    found: dict[str, Any] = root(kind)["properties"]["spec"]
    template: dict[str, Any] = found["properties"]["template"] if kind != "SparkApplication" else found
    return template


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every schema in a schema with its path."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if word in schema:
            yield from nodes(schema[word], path + mark)


def own(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every field that is not inside one of Kubernetes' types."""
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        if name not in FIELDS["kubernetes"] or name == "template" and path == "":
            yield from own(part.get("items", part.get("additionalProperties", part)), f"{path}.{name}")


def used(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Give the paths of the own fields that a value sets, as `own` writes them."""
    known = {name for name, _ in own(schema)}
    for name, part in value.items() if isinstance(value, dict) else ():
        if f".{name}" in known:
            below = schema["properties"][name]
            inner = below.get("items", below.get("additionalProperties", below))
            yield f"{path}.{name}"
            entries = part if isinstance(part, list) else part.values() if "additionalProperties" in below else [part]
            for entry in entries:
                yield from used(entry, inner, f"{path}.{name}")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a structural schema as a JSON schema that refuses what the API server would prune."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {
        key: value for key, value in schema.items() if key in ("enum", "minimum", "maximum", "required", "maxItems", "maxLength")
    }
    made["type"] = [schema["type"], "null"] if schema.get("nullable") else schema["type"]
    if "properties" in schema:
        made["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
    for word in ("items", "additionalProperties"):
        if word in schema:
            made[word] = strict(schema[word])
    if schema["type"] == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@cache
def validator(kind: str) -> Any:
    """Return a validator of the specs of a kind."""
    return jsonschema.Draft202012Validator(strict(root(kind)["properties"]["spec"]))


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_have_every_field_of_kubeflow_and_the_labels_of_airflow_if_it_is_an_application(kind: str) -> None:
    fields = spec(kind)["properties"]
    driver, executor = FIELDS["shared"] + FIELDS["driver"], FIELDS["shared"] + FIELDS["executor"]
    assert (len(FIELDS["spec"]), len(driver), len(executor)) == (33, 40, 38)
    assert set(fields) == {*FIELDS["spec"], "labels"}
    assert set(fields["driver"]["properties"]) == set(driver)
    assert set(fields["executor"]["properties"]) == set(executor)
    assert sorted(spec(kind)["required"]) == ["driver", "executor", "mainApplicationFile", "sparkVersion", "type"]


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_be_structural_if_the_api_server_reads_it(kind: str) -> None:
    for path, node in nodes(root(kind)):
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert not {"$ref", "oneOf", "anyOf", "allOf", "not", "default"} & set(node), path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert set(node.get("required", [])) <= set(node.get("properties", {})), path


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_keep_unknown_fields_only_in_pod_templates_and_their_metadata_if_there_are_any(kind: str) -> None:
    loose = [path for path, node in nodes(root(kind)) if node.get("x-kubernetes-preserve-unknown-fields")]
    assert loose
    assert not [path for path in loose if path.startswith(".status")]
    elsewhere = [path for path in loose if not re.search(r"\.(driver|executor)\.template", path)]
    assert [path for path in elsewhere if not path.endswith(".volumeClaimTemplate.metadata")] == []


@pytest.mark.parametrize("role", ["driver", "executor"])
def should_require_nothing_in_a_pod_template_if_it_is_only_a_part_of_a_pod(role: str) -> None:
    template = spec()["properties"][role]["properties"]["template"]
    assert [path for path, node in nodes(template) if "required" in node] == []
    assert {"containers", "volumes", "affinity", "topologySpreadConstraints"} <= set(template["properties"]["spec"]["properties"])


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_describe_every_own_field_in_a_sentence_if_kubectl_explains_it(kind: str) -> None:
    top = [(path, node) for path, node in own(root(kind)["properties"]["spec"]) if not path.endswith((".key", ".name", ".path"))]
    pairs = (".ports.containerPort", ".ports.protocol", ".secrets.secretType")
    missing = [path for path, node in top if not node.get("description") and not path.endswith(pairs)]
    assert missing == []
    assert [path for path, node in top if len(node.get("description", "")) > 120] == []


@pytest.mark.parametrize("document", MANIFESTS, ids=lambda document: document["metadata"]["name"])
def should_take_a_manifest_by_its_types_if_it_uses_what_kubeflow_takes(document: dict[str, Any]) -> None:
    validator(document["kind"]).validate(document["spec"])


def should_be_used_by_the_manifests_of_the_tests_if_a_field_is_ones_own() -> None:
    for kind in DEFINITIONS:
        schema = root(kind)["properties"]["spec"]
        wanted = {path for path, _ in own(schema) if not path.startswith(".template.")}
        found = {path for document in MANIFESTS if document["kind"] == kind for path in used(document["spec"], schema)}
        assert wanted - found == set()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("type", "Ruby"),
        ("mode", "remote"),
        ("pythonVersion", 3),
        ("restartPolicy", {"onFailureRetries": -1}),
        ("restartPolicy", {"onFailureRetryInterval": 0}),
        ("driver", {"cores": 0}),
        ("driver", {"surprise": 1}),
        ("executor", {"instances": 0}),
        ("executor", {"env": [{"value": "no name"}]}),
        ("monitoring", {"exposeDriverMetrics": True}),
        (
            "monitoring",
            {"exposeDriverMetrics": True, "exposeExecutorMetrics": True, "prometheus": {"jmxExporterJar": "a", "port": 80}},
        ),
        ("driverIngressOptions", [{"servicePort": 1}]),
        ("volumes", [{"emptyDir": {}}]),
    ],
)
def should_refuse_a_value_if_its_type_is_wrong(path: str, value: Any) -> None:
    least = next(document["spec"] for document in MANIFESTS if document["metadata"]["name"] == "least")
    with pytest.raises(jsonschema.ValidationError):
        validator("SparkApplication").validate(least | {path: value})


def should_be_found_by_names_and_show_what_matters_if_kubectl_lists_it() -> None:
    application, scheduled = (DEFINITIONS[kind]["spec"] for kind in DEFINITIONS)
    assert application["names"]["shortNames"] == ["sparkapp"]
    assert scheduled["names"]["shortNames"] == ["scheduledsparkapp"]
    shown = [
        [column["name"] for column in one["versions"][0]["additionalPrinterColumns"] if not column.get("priority")]
        for one in (application, scheduled)
    ]
    assert shown[0] == ["State", "Attempts", "Reason", "Start", "Finish", "Age"]
    assert shown[1] == ["Schedule", "Time Zone", "Suspend", "State", "Last Run", "Last Run Name", "Age"]


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_show_only_fields_that_exist_if_kubectl_lists_it(kind: str) -> None:
    known = {path for path, _ in nodes(root(kind))} | {".metadata.creationTimestamp"}
    version = DEFINITIONS[kind]["spec"]["versions"][0]
    assert [column["jsonPath"] for column in version["additionalPrinterColumns"] if column["jsonPath"] not in known] == []
    assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_say_one_sentence_that_names_field_and_remedy_if_a_rule_refuses(kind: str) -> None:
    found = [(path, rule) for path, node in nodes(root(kind)) for rule in node.get(RULES, [])]
    assert len(found) >= 30
    for path, rule in found:
        message = rule["message"]
        assert "; " in message and "\n" not in message and not message.endswith("."), message
        field = message.split()[0].rpartition(".")[2]
        assert field in rule["rule"] or field in path, message


def should_tell_in_the_docs_what_is_stricter_than_kubeflow_and_why() -> None:
    text = (ROOT / "docs/sparkapplications.md").read_text()
    table = text[text.index("<!-- stricter: begin -->") : text.index("<!-- stricter: end -->")]
    assert table.splitlines()[3:] == [f"| {what} | {why} |" for what, why, _ in rules.STRICTER]
    messages = {rule["message"] for kind in DEFINITIONS for _, node in nodes(root(kind)) for rule in node.get(RULES, [])}
    patterns = [pattern for _, _, pattern in rules.STRICTER if pattern]
    assert [message for message in messages if not re.match("|".join([*patterns, rules.KUBEFLOW_TOO]), message)] == []
    assert [pattern for pattern in patterns if not any(re.match(pattern, message) for message in messages)] == []


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("volumes", ["name"]),
        ("driverIngressOptions", ["servicePort"]),
        *(
            (f"{role}.{name}", keys)
            for role in ("driver", "executor")
            for name, keys in {
                "env": ["name"], "volumeMounts": ["mountPath"], "sidecars": ["name"], "initContainers": ["name"],
                "configMaps": ["path"], "secrets": ["path"], "hostAliases": ["ip"], "ports": ["containerPort", "protocol"],
            }.items()
        ),
        ("driver.sidecars[].env", ["name"]),
        ("driver.sidecars[].volumeMounts", ["mountPath"]),
    ],
)  # fmt: skip
def should_merge_a_list_by_its_key_if_it_is_applied_by_the_server(path: str, keys: list[str]) -> None:
    node = dict(nodes(spec()))[f".{path}"]
    assert (node["x-kubernetes-list-type"], node["x-kubernetes-list-map-keys"]) == ("map", keys)


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_require_the_keys_of_a_list_if_it_is_merged_by_them(kind: str) -> None:
    merged = [(path, node) for path, node in nodes(root(kind)) if node.get("x-kubernetes-list-type") == "map"]
    assert merged
    for path, node in merged:
        assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"].get("required", ())), path
        assert not re.search(r"\.(driver|executor)\.template\.", path), "any part of a template may be left out"


@pytest.mark.parametrize("kind", DEFINITIONS)
def should_fit_into_the_annotation_of_a_plain_apply_if_it_is_written_compactly(kind: str) -> None:
    # kubectl apply without --server-side, and Argo CD, keep the whole object in an annotation of at most 256 KiB
    assert len(json.dumps(DEFINITIONS[kind], separators=(",", ":"))) < 250_000


def should_leave_room_in_helms_secret_if_the_charts_carry_both() -> None:
    packed = base64.b64encode(gzip.compress("".join(crds.files().values()).encode()))
    assert len(packed) < 150_000


@pytest.mark.parametrize("text", ["1g", "512m", "384", "10kb", "1GB", "2T", "1p", "100b", " 1g "])
def should_read_a_size_if_spark_reads_it(text: str) -> None:
    assert re.search(rules.SIZE, text)


@pytest.mark.parametrize("text", ["", "g", "1.5g", "-1g", "1Gi", "1 g", "1bb", "1x", "1g 2g"])
def should_refuse_a_size_if_spark_refuses_it(text: str) -> None:
    assert not re.search(rules.SIZE, text)


@pytest.mark.parametrize(
    ("text", "good"), [("0.1", True), (".4", True), ("1", True), ("1.", True), ("1e-1", True), ("-1", False), ("a", False)]
)
def should_read_a_factor_if_it_is_a_number(text: str, good: bool) -> None:
    assert bool(re.search(rules.NUMBER, text)) is good


def should_expand_types_of_kubernetes_as_the_api_server_takes_them() -> None:
    container = kubernetes("Container")
    assert container["required"] == ["name"]
    limits = container["properties"]["resources"]["properties"]["limits"]
    assert limits == {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}}
    assert container["properties"]["livenessProbe"]["properties"]["httpGet"]["properties"]["port"] == {
        "x-kubernetes-int-or-string": True
    }
    assert not [path for path, node in nodes(container) if "description" in node]
