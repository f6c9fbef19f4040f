"""The contract with the official Airflow chart: each of its keys is taken, or refused with a sentence."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from batches import batches, values
from rendering import CHARTS, CUSTOM, LOADER, RenderError, render, text
from test_notes import warnings

from airspark.charts.schema import ignored_keys, refusal, refused_keys

HERE = Path(__file__).resolve().parent
CONTRACT: dict[str, dict[str, Any]] = yaml.load((HERE / "contract.yaml").read_text(), Loader=LOADER)
TAKEN = {key: entry["example"] for key, entry in CONTRACT.items() if entry["status"] in ("same", "different")}
IGNORED = {key: entry["example"] for key, entry in CONTRACT.items() if entry["status"] == "ignored"}
REFUSED = {key: entry["example"] for key, entry in CONTRACT.items() if entry["status"] == "refused"}
SENTENCES = refused_keys(CHARTS / "airflow")
REASONS = ignored_keys(CHARTS / "airflow")
OFFICIAL = sorted((HERE / "official").glob("*.yaml"))
VERSIONS = ("1.30", "1.37")
# What a key needs beside it.
NEEDS: dict[str, dict[str, Any]] = {
    "dags.gitSync.enabled": {"dags.gitSync.repo": "https://git.example.org/dags.git"},
    "data.metadataConnection.host": {"data.metadataConnection.passwordSecretName": "database"},
    "elasticsearch.enabled": {"elasticsearch.secretName": "index"},
    "postgresql.enabled": {"data.metadataSecretName": "airflow-database"},
    "opensearch.enabled": {"opensearch.secretName": "index"},
    "postgresql.image.tag": {"postgresql.image.repository": "registry.example.org/data/postgres"},
    "defaultAirflowTag": {"defaultAirflowRepository": "registry.example.org/data/airflow"},
    **{
        f"images.{part}.tag": {f"images.{part}.repository": f"registry.example.org/data/{part}"}
        for part in ("airflow", "pod_template", "statsd", "pgbouncer")
    },
    **{f"otelCollector.{kind}Enabled": {"otelCollector.endpoint": "http://collector:4318"} for kind in ("metrics", "traces")},
    **{
        key: {key.replace("minAvailable", "maxUnavailable"): None}
        for key in TAKEN
        if key.endswith(".podDisruptionBudget.config.minAvailable")
    },
}


@functools.cache
def _said(given: str) -> str:
    try:
        text(json.loads(given), chart="airflow")
    except RenderError as error:
        return str(error)
    return ""


# These switch something on that another key's example contradicts.
ALONE = (
    "config.core.auth_manager",
    "config.dag_processor.dag_bundle_config_list",
    "dags.gitSync.sshKeySecret",
    "dags.persistence.enabled",
    "elasticsearch.enabled",
)
TAKEN_TOGETHER = batches({key: {**NEEDS.get(key, {}), key: example} for key, example in TAKEN.items()}, ALONE, size=500)
IGNORED_TOGETHER = batches({key: {key: example} for key, example in IGNORED.items()}, size=500)
REFUSED_TOGETHER = batches({key: {key: example} for key, example in REFUSED.items()}, size=500)


@pytest.mark.parametrize("key", sorted(TAKEN))
def should_take_a_value_of_the_official_chart(key: str) -> None:
    if _said(json.dumps(values(TAKEN_TOGETHER[key]))):
        assert not _said(json.dumps(values({**NEEDS.get(key, {}), key: TAKEN[key]})))


@pytest.mark.parametrize("key", sorted(REFUSED))
def should_refuse_a_value_of_the_official_chart_with_a_sentence(key: str) -> None:
    line = f": {SENTENCES[refusal(key, SENTENCES)]}"
    said = [found for found in _said(json.dumps(values(REFUSED_TOGETHER[key]))).splitlines() if found.endswith(line)]
    assert len(said) == 1 and refusal(key, SENTENCES) in said[0].removesuffix(line).split(", ")


@pytest.mark.parametrize("key", sorted(IGNORED))
def should_accept_a_value_of_the_official_chart_for_a_part_that_is_not_here_and_say_so(key: str) -> None:
    reason = REASONS[refusal(key, REASONS)]
    line = next(line for line in warnings(values(IGNORED_TOGETHER[key])) if line.endswith(f": {reason}"))
    assert refusal(key, REASONS) in line.removeprefix("ignored: ").removesuffix(f": {reason}").split(", ")


def should_say_in_a_note_what_is_different_and_in_one_place_what_is_refused() -> None:
    for key, entry in CONTRACT.items():
        assert set(entry) <= {"status", "note", "example"}, key
        assert ("note" in entry) == (entry["status"] == "different"), key
    covered = {refusal(key, SENTENCES) for key in REFUSED}
    # the bootstrap Job is this chart's own, and what it runs cannot be changed
    own = {"bootstrap.command", "bootstrap.args"}
    assert covered == set(SENTENCES) - own, "a sentence for a key that the contract does not refuse"
    assert {refusal(key, REASONS) for key in IGNORED} == set(REASONS), "a reason for a key that the contract does not ignore"
    assert not set(SENTENCES) & set(REASONS)


@pytest.mark.parametrize(
    "off",
    [
        {"redis": {"enabled": False, "resources": {"limits": {"memory": "1Gi"}}}, "flower": {"enabled": False}},
        {"kerberos": {"enabled": False}, "webserver": {"enabled": False, "replicas": 2}},
        {"workers": {"celery": {}, "keda": {"enabled": False, "pollingInterval": 5}, "replicas": 1, "updateStrategy": None}},
        {"workers": {"hpa": {"enabled": False, "maxReplicaCount": 5}, "kerberosSidecar": {"enabled": False}}},
        {"data": {"brokerUrl": None, "resultBackendSecretName": "", "resultBackendConnection": {}}},
        {"fernetKey": None, "jwtSecret": "", "createUserJob": {"defaultUser": {"password": ""}}},
        {"ports": {"flowerUI": 5555, "redisDB": 6379}, "images": {"useDefaultImageForMigration": False}},
        {"dags": {"gitSync": {"depth": 1, "containerName": "git-sync", "uid": 65533, "maxFailures": 0, "env": []}}},
        {"config": {"core": {"colored_console_log": "False"}, "kubernetes": {}}},
        {
            "config": {"webserver": {"enable_proxy_fix": "True", "rbac": "True"}},
            "postgresql": {"auth": {"enablePostgresUser": True}},
        },
        {"config": {"kubernetes": {"namespace": "{{ .Release.Namespace }}", "pod_template_file": "{{ .Values.uid }}/t.yaml"}}},
        {"config": {"scheduler": {"statsd_on": '{{ ternary "True" "False" .Values.statsd.enabled }}', "statsd_port": 9125}}},
        {"config": {"core": {"remote_logging": '{{- ternary "True" "False" .Values.elasticsearch.enabled }}'}}},
        {"config": {"celery": {"flower_url_prefix": '{{ eq .Values.ingress.flower.path "/" }}'}}},
        {"config": {"kerberos": {"keytab": "{{ .Values.kerberos.keytabPath }}"}}},
        {"migrateDatabaseJob": {"args": ["bash", "-c", "exec \\\nairflow {{ 'db migrate' }}"]}},
    ],
    ids=lambda off: "-".join(off),
)
def should_let_a_refused_key_pass_if_it_asks_for_nothing(off: dict[str, Any]) -> None:
    assert not _said(json.dumps(off))


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: path.stem)
def should_install_a_values_file_of_the_official_chart_unchanged(path: Path) -> None:
    objects = render(yaml.load(path.read_text(), Loader=LOADER), chart="airflow")
    templates = next(item for item in objects if item["metadata"]["name"].endswith("-pod-templates"))
    tasks = [yaml.load(template, Loader=LOADER) for template in templates["data"].values()]
    for item in [*objects, *tasks]:
        for version in VERSIONS if item["kind"] not in CUSTOM else ():
            kubernetes_validate.validate(item, version, strict=True)
