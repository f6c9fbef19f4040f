"""Numbers keep their digits: a large whole number never becomes 2e+09, wherever a chart writes it."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
from batches import Paths, batches, over, values
from cases import Rendered
from leaves import ON, leaves, types
from rendering import CHARTS, Object, env, find, render, text

EXPONENT = re.compile(r"(?<![\w.])\d(?:\.\d+)?e\+\d+")
#: The first of the numbers, one for each key: large enough for an exponent, and no port or id is near.
FIRST = 268435456
ALL_ON: dict[str, Paths] = {
    "airflow": {**ON, "otelCollector.metricsEnabled": True, "triggerer.keda.enabled": True},
    "spark": {
        "connect.enabled": True,
        "metrics.enabled": True,
        "metrics.podMonitor.enabled": True,
        "mounts.events.claim": "events",
    },
    "spark-operator": {"metrics.podMonitor.enabled": True},
}


def _whole(node: Object, number: int) -> Any:
    """Return a value with a whole number that a key takes, or None."""
    if any("maximum" in option for option in (node, *node.get("anyOf", []))):
        return None
    if types(node) & {"integer", "number"}:
        return number
    for option in (node, *node.get("anyOf", [])):
        if "object" in types(option) and not option.get("properties"):
            within = option.get("additionalProperties")
            inner = number if within is True else _whole(within, number) if isinstance(within, dict) else None
            return (
                None
                if inner is None
                else {"name": f"mark-{number}", "mark": inner}
                if within is True
                else {f"mark-{number}": inner}
            )
        if "array" in types(option) and (entry := option.get("items")):
            if {"name", "value"} <= set(entry.get("properties", {})):
                return [{"name": f"N{number}", "value": number}]
            inner = _whole(entry, number)
            return None if inner is None else [inner]
    return None


#: Keys whose numbers other checks bound, and mounts, which need a volume of the same name.
BOUND = re.compile(
    r"[vV]olumeMounts$|podDisruptionBudget.config.minAvailable|pdb.minAvailable|[mM]inReplica|leaderElection|nodePort|coreLimit|executor.cores|service.ports$"
)


def _keys(chart: str) -> dict[str, Any]:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    found = {path: _whole(node, FIRST + number) for number, (path, node) in enumerate(leaves(schema))}
    return {path: value for path, value in found.items() if value is not None and not BOUND.search(path)}


#: Keys whose numbers do not show because of another key of the same batch, or that have no effect.
HIDDEN = re.compile(
    r"securityContext$"  # the older name, under `securityContexts`
    r"|^workers\.(?!kubernetes)"  # under `workers.kubernetes`
    r"|^(bootstrap|createUserJob|migrateDatabaseJob)\."  # three keys of one Job
    r"|serviceAccountTokenVolume|updateStrategy|triggerer\.(strategy|replicas)|apiServer\.replicas|maxUnavailable$|migrationsWaitTimeout"
    r"|resultBackendPoolSize|databaseCleanup\.(batchSize|retentionDays)|statsd\.(cache\.size|extraMappings)|emptyDirConfig"
    r"|dags\.persistence|httpRoute|ingress\.|metrics\.(podMonitor|prometheusRule|dashboard)|dagProcessor\.networkPolicy"
    r"|worker\.autoscaling"
    r"|imageRevisions"  # each is of the pods of one chart
)


@functools.cache
def _batches(chart: str) -> dict[str, Paths]:
    return batches({path: {path: value} for path, value in _keys(chart).items()})


@functools.cache
def _rendered(given: str, chart: str) -> str:
    return text(json.loads(given), chart=chart)


def _text(paths: Paths, chart: str) -> str:
    return _rendered(json.dumps(values(over(ALL_ON[chart], paths)), sort_keys=True), chart)


@pytest.mark.parametrize("chart", sorted(ALL_ON))
def should_write_no_number_with_an_exponent_wherever_a_key_takes_one(chart: str) -> None:
    assert len(_keys(chart)) > 50
    for paths in {json.dumps(paths): paths for paths in _batches(chart).values()}.values():
        found = EXPONENT.search(rendered := _text(paths, chart))
        assert not found, rendered[max(0, found.start() - 80) : found.end()]


@pytest.mark.parametrize("chart", sorted(ALL_ON))
def should_write_the_whole_number_wherever_a_key_takes_one(chart: str) -> None:
    for path, value in _keys(chart).items():
        number = re.findall(r"\d{9}", json.dumps(value))[-1]
        assert HIDDEN.search(path) or number in _text(_batches(chart)[path], chart), path


MASKED: Object = {
    "databaseCleanup": {"enabled": True, "batchSize": 2000000, "retentionDays": 3000000},
    "statsd": {"enabled": True, "cache": {"size": 4000000}},
    "backup": {"enabled": True, "retention": 5000000},
    "postgresql": {"config": {"max_wal_size": 268435456}},
    "scheduler": {"logGroomerSidecar": {"maxSizeBytes": 2000000000}, "stuckTaskSeconds": 6000000},
}


def should_write_whole_numbers_into_the_arguments_that_the_chart_makes() -> None:
    rendered = text(MASKED, chart="airflow")
    assert not EXPONENT.search(rendered)
    for wanted in (
        "--batch-size 2000000", "-3000000 days", "cache-size=4000000", '"5000000"',
        "max_wal_size=268435456", '"2000000000"', '"6000000"',
    ):  # fmt: skip
        assert wanted in rendered, wanted


NUMBERS: Object = {
    "whole": 2000000000,
    "large": 268435456,
    "share": 0.5,
    "zero": 0,
    "below": -2000000000,
    "million": 1234567.5,
    "on": True,
}
TEXTS = {
    "whole": "2000000000", "large": "268435456", "share": "0.5", "zero": "0",
    "below": "-2000000000", "million": "1234567.5", "on": "true",
}  # fmt: skip


def _lines(text: str, separator: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition(separator) for line in text.splitlines())}


@pytest.mark.parametrize("parent", ["", "airflow"])
def should_keep_whole_numbers_and_fractions_in_files_variables_and_labels(parent: str) -> None:
    """Should write 2000000000 and 0.5 as they are if they are values of `sparkClient.conf`, `config`, `env` or `labels`."""
    given: Object = {
        "sparkClient": {"conf": {f"spark.{key}": value for key, value in NUMBERS.items()}},
        "config": {"mine": NUMBERS},
        "env": [{"name": key.upper(), "value": value} for key, value in NUMBERS.items()],
        "extraEnv": "\n".join(f"- {{name: X_{key.upper()}, value: {json.dumps(value)}}}" for key, value in NUMBERS.items()),
        "labels": NUMBERS,
        "airflowPodAnnotations": NUMBERS,
        "extraConfigMaps": {"mine": {"data": NUMBERS}},
    }
    objects = render({parent: given} if parent else given, chart="airspark" if parent else "airflow")
    found = Rendered(objects)
    client = _lines(find(objects, "ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"], " ")
    assert {key: client[f"spark.{key}"] for key in NUMBERS} == TEXTS
    section = found.cfg.partition("[mine]\n")[2].partition("\n\n")[0]
    assert _lines(section, " = ") == TEXTS
    for component in ("scheduler", "worker", "api-server"):
        variables, pod = env(found.main(component)), found.pods[component]["metadata"]
        assert {key: variables[key.upper()] for key in NUMBERS} == TEXTS, component
        assert {key: variables[f"X_{key.upper()}"] for key in NUMBERS} == TEXTS, component
        assert TEXTS.items() <= pod["labels"].items() and TEXTS.items() <= pod["annotations"].items(), component
    assert find(objects, "ConfigMap", "mine")["data"] == TEXTS


@pytest.mark.parametrize("parent", ["", "spark"])
def should_keep_whole_numbers_and_fractions_in_sparks_files_and_variables(parent: str) -> None:
    conf = {f"spark.{key}": value for key, value in NUMBERS.items()}
    given: Object = {
        "sparkConf": conf,
        "connect": {"enabled": True, "sparkConf": conf},
        "mounts": {"events": {"claim": "events"}},
        "historyServer": {"sparkConf": conf},
        "master": {"extraEnvVars": [{"name": key.upper(), "value": value} for key, value in NUMBERS.items()]},
    }
    objects = render({parent: given} if parent else given, chart="airspark" if parent else "spark")
    files = find(objects, "ConfigMap", "airspark-spark-config")["data"]
    files = {**files, "connect": find(objects, "ConfigMap", "airspark-spark-connect")["data"]["spark-defaults.conf"]}
    for file in ("spark-defaults.conf", "history.conf", "connect"):
        lines = _lines(files[file], " ")
        assert {key: lines[f"spark.{key}"] for key in NUMBERS} == TEXTS, file
    variables = env(find(objects, "StatefulSet", "airspark-spark-master")["spec"]["template"]["spec"]["containers"][0])
    assert {key: variables[key.upper()] for key in NUMBERS} == TEXTS


@pytest.mark.parametrize("parent", ["", "sparkOperator"])
def should_keep_whole_numbers_and_fractions_in_the_operators_settings_and_variables(parent: str) -> None:
    given: Object = {
        "spark": {"defaults": {"sparkConf": {f"spark.{key}": value for key, value in NUMBERS.items()}}},
        "controller": {"env": [{"name": key.upper(), "value": value} for key, value in NUMBERS.items()]},
    }
    objects = render({parent: given} if parent else given, chart="airspark" if parent else "spark-operator")
    settings = json.loads(find(objects, "ConfigMap", "airspark-spark-operator")["data"]["settings.json"])
    assert {key: settings["defaults"]["sparkConf"][f"spark.{key}"] for key in NUMBERS} == NUMBERS
    pod = find(objects, "Deployment", "airspark-spark-operator")["spec"]["template"]["spec"]
    assert {key: env(pod["containers"][0])[key.upper()] for key in NUMBERS} == TEXTS


def test_should_write_texts_for_numbers_in_annotations_of_claims_and_in_data_of_config_maps() -> None:
    one = {"annotations": {"a": 1, "b": True}}
    text = "k: 5\nm: '{{ .Release.Name }}'\n"
    airflow = {
        "logs": {"persistence": one},
        "dags": {"persistence": {"enabled": True, **one}},
        "extraConfigMaps": {"first": {"data": text}, "second": {"data": {"k": 5}}},
    }
    objects = render({"data": one, "events": one, "output": one, "airflow": airflow})
    found = [item for item in objects if item["kind"] == "PersistentVolumeClaim"]
    claims = [item for item in found if "a" in item["metadata"].get("annotations", {})]
    assert len(claims) == 5
    for claim in claims:
        assert (claim["metadata"]["annotations"]["a"], claim["metadata"]["annotations"]["b"]) == ("1", "true")
    assert find(objects, "ConfigMap", "first")["data"] == {"k": "5", "m": "airspark"}
    assert find(objects, "ConfigMap", "second")["data"] == {"k": "5"}
