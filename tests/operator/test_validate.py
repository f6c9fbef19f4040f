"""What is found wrong before anything is created, and what is said to be ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import DEFAULTS, app

from airspark_operator import conf, unsupported, validate

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sparkapplications.md"
MOUNT = {"name": "data", "mountPath": "/data"}


@pytest.mark.parametrize("role", ["driver", "executor"])
@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"volumeMounts": [MOUNT]}, "{role}.volumeMounts: there is no volume 'data'; add it to volumes or correct the name"),
        (
            {"configMaps": [{"name": "a", "path": "/x"}, {"name": "b", "path": "/x/"}]},
            "{role}.configMaps: the path /x/ is mounted twice (also by {role}.configMaps); use another path",
        ),
        (
            {"configMaps": [{"name": "a", "path": "/x"}], "secrets": [{"name": "b", "path": "/x", "secretType": "Generic"}]},
            "{role}.secrets: the path /x is mounted twice (also by {role}.configMaps); use another path",
        ),
    ],
)
def should_name_field_and_remedy_in_one_sentence(role: str, own: dict[str, Any], sentence: str) -> None:
    assert validate.problem(app(**{role: own})) == sentence.format(role=role)


@pytest.mark.parametrize("role", ["driver", "executor"])
@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"name": "data", "emptyDir": {}}], "own": {"volumeMounts": [MOUNT]}},
        {"own": {"volumeMounts": [MOUNT], "template": {"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}}}},
        {"own": {"volumeMounts": [{"name": "spark-local-dir-1", "mountPath": "/scratch"}]}},
        {"own": {}},
    ],
)
def should_find_nothing_wrong_with_a_mount_that_has_its_volume(role: str, spec: dict[str, Any]) -> None:
    given = dict(spec)
    assert validate.problem(app(**{role: given.pop("own")}, **given)) is None


def should_not_let_an_application_run_in_another_namespace() -> None:
    problem = validate.problem(app(sparkConf={"spark.kubernetes.namespace": "other"}))
    assert problem == (
        "sparkConf.spark.kubernetes.namespace is 'other', but the application is in the namespace 'data'; remove the property"
    )
    assert validate.problem(app(sparkConf={"spark.kubernetes.namespace": "data"})) is None


def should_keep_the_names_of_the_controllers_own_volumes() -> None:
    problem = validate.problem(app(volumes=[{"name": "pod-template-volume", "emptyDir": {}}]))
    assert problem == "volumes: the name 'pod-template-volume' is used by the controller; rename the volume"


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, []),
        ({"mode": "cluster", "pythonVersion": "3", "labels": {"a": "b"}}, []),
        ({"mode": "client"}, ["mode"]),
        ({"pythonVersion": "2"}, ["pythonVersion"]),
        ({"failureRetries": 1, "retryInterval": 5}, ["failureRetries", "retryInterval"]),
        ({"imagePullPolicy": "Always", "image": "example.org/spark:1"}, []),
        ({"imagePullPolicy": "Always", "executor": {"image": "airspark/spark:0.1.0"}}, ["imagePullPolicy"]),
        ({"executor": {"ports": [{"name": "a", "containerPort": 1, "protocol": "TCP"}]}}, ["executor.ports"]),
        ({"driver": {"ports": [{"name": "a", "containerPort": 1, "protocol": "TCP"}]}}, []),
        ({"executor": {"memoryLimit": "2g"}}, ["executor.memoryLimit"]),
        ({"driver": {"memoryLimit": "2g"}}, []),
        ({"batchScheduler": "mine"}, ["batchScheduler"]),
        ({"batchScheduler": "volcano", "batchSchedulerOptions": {"queue": "a"}}, []),
        (
            {"batchScheduler": "yunikorn", "batchSchedulerOptions": {"queue": "a", "priorityClassName": "b"}},
            ["batchSchedulerOptions.priorityClassName"],
        ),
        ({"batchSchedulerOptions": {"queue": "a"}}, ["batchSchedulerOptions.queue"]),
        (
            {"driver": {"secrets": [{"name": "k", "path": "/k", "secretType": "KerberosKeytab"}]}},
            ["driver.secrets[k].secretType"],
        ),
        (
            {"monitoring": {"exposeDriverMetrics": True, "metricsProperties": "a", "metricsPropertiesFile": "/a"}},
            ["monitoring.metricsProperties"],
        ),
        ({"monitoring": {"prometheus": {"jmxExporterJar": "/x.jar"}}}, ["monitoring.prometheus"]),
        (
            {"monitoring": {"exposeDriverMetrics": True, "prometheus": {"configuration": "a", "configFile": "/a"}}},
            ["monitoring.prometheus.configuration"],
        ),
        ({"monitoring": {"exposeDriverMetrics": True, "metricsPropertiesFile": "/a", "prometheus": {"configFile": "/a"}}}, []),
        ({"volumes": [{"name": "unused", "emptyDir": {}}]}, ["volumes[unused]"]),
        ({"sparkConf": {"spark.driver.host": "h"}}, ["sparkConf.spark.driver.host"]),
        ({"sparkConf": {"spark.kubernetes.driver.podTemplateFile": "/t"}}, ["sparkConf.spark.kubernetes.driver.podTemplateFile"]),
        ({"sparkConf": {"spark.sql.shuffle.partitions": "8"}}, []),
        (
            {"sparkUIOptions": {"servicePort": 80, "ingressAnnotations": {"a": "b"}, "ingressTLS": [{}]}},
            ["sparkUIOptions.ingressAnnotations", "sparkUIOptions.ingressTLS"],
        ),
    ],
)
def should_list_what_is_accepted_and_not_acted_on(spec: dict[str, Any], fields: list[str]) -> None:
    assert unsupported.ignored(app(**spec)["spec"], DEFAULTS) == fields


def should_document_every_field_that_is_not_acted_on() -> None:
    text = DOCS.read_text()
    table = text[text.index("<!-- ignored: begin -->") : text.index("<!-- ignored: end -->")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[3:]] == [
        f"`{field}`" for field in unsupported.REASONS
    ]
    for key in (*conf.OWNED, *conf.SUBMISSION_ONLY):
        assert f"`{key}`" in table
