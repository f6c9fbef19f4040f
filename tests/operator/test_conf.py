"""Spark's properties of a submission."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from builders import DEFAULTS, app, container, objects, one, properties, read
from hypothesis import given
from hypothesis import strategies as st

from airspark_operator import conf, settings
from airspark_operator.spec import Invalid


@given(st.dictionaries(st.text(min_size=1), st.text()))
def should_be_read_back_by_java_as_they_were_given(given: dict[str, str]) -> None:
    assert read(conf.text(given)) == given


@pytest.mark.parametrize(
    ("spec", "key", "value"),
    [
        ({"sparkConf": {"spark.sql.shuffle.partitions": "8"}}, "spark.sql.shuffle.partitions", "8"),
        ({"hadoopConf": {"fs.s3a.endpoint": "http://minio"}}, "spark.hadoop.fs.s3a.endpoint", "http://minio"),
        ({"deps": {"jars": ["local:///a.jar", "s3a://b/c.jar"]}}, "spark.jars", "local:///a.jar,s3a://b/c.jar"),
        ({"deps": {"files": ["local:///a"]}}, "spark.files", "local:///a"),
        ({"deps": {"pyFiles": ["local:///a.zip"]}}, "spark.submit.pyFiles", "local:///a.zip"),
        ({"deps": {"packages": ["a:b:1"]}}, "spark.jars.packages", "a:b:1"),
        ({"deps": {"packages": ["a:b:1"]}}, "spark.jars.ivy", "/tmp/.ivy2"),
        ({"deps": {"excludePackages": ["a:c"]}}, "spark.jars.excludes", "a:c"),
        ({"deps": {"repositories": ["https://r"]}}, "spark.jars.repositories", "https://r"),
        ({"deps": {"archives": ["local:///a.tgz#env"]}}, "spark.archives", "local:///a.tgz#env"),
        ({"deps": {"jars": ["b"]}, "sparkConf": {"spark.jars": "a,b"}}, "spark.jars", "a,b"),
        ({"sparkConf": {"spark.jars.packages": "a:b:1"}}, "spark.jars.ivy", "/tmp/.ivy2"),
        ({"memoryOverheadFactor": "0.3"}, "spark.kubernetes.memoryOverheadFactor", "0.3"),
        ({}, "spark.kubernetes.memoryOverheadFactor", "0.4"),
        ({"type": "Java"}, "spark.kubernetes.memoryOverheadFactor", "0.1"),
        ({"type": "R"}, "spark.kubernetes.memoryOverheadFactor", "0.4"),
        ({}, "spark.kubernetes.resource.type", "python"),
        ({"type": "Scala"}, "spark.kubernetes.resource.type", "java"),
        ({"type": "R"}, "spark.kubernetes.resource.type", "r"),
        ({"imagePullPolicy": "Always"}, "spark.kubernetes.container.image.pullPolicy", "Always"),
        ({"imagePullSecrets": ["a", "b"]}, "spark.kubernetes.container.image.pullSecrets", "a,b"),
        ({}, "spark.app.name", "job"),
        ({"sparkConf": {"spark.app.name": "Sales of the day"}}, "spark.app.name", "Sales of the day"),
        ({"image": "own:1"}, "spark.kubernetes.driver.container.image", "own:1"),
        ({"image": "own:1"}, "spark.kubernetes.executor.container.image", "own:1"),
        ({}, "spark.kubernetes.executor.container.image", "example/default:1"),
        ({"batchScheduler": "volcano"}, "spark.kubernetes.driver.scheduler.name", "volcano"),
        ({"batchScheduler": "volcano"}, "spark.kubernetes.executor.scheduler.name", "volcano"),
        ({"driver": {"image": "d:1"}, "image": "own:1"}, "spark.kubernetes.driver.container.image", "d:1"),
        ({"executor": {"image": "e:1"}, "image": "own:1"}, "spark.kubernetes.executor.container.image", "e:1"),
        ({"driver": {"cores": 2}}, "spark.driver.cores", "2"),
        ({"driver": {"coreRequest": "100m"}}, "spark.kubernetes.driver.request.cores", "100m"),
        ({"driver": {"coreLimit": "1500m"}}, "spark.kubernetes.driver.limit.cores", "1500m"),
        ({"driver": {"memory": "2g"}}, "spark.driver.memory", "2g"),
        ({"driver": {"memory": "2g"}, "sparkConf": {"spark.driver.memory": "1g"}}, "spark.driver.memory", "2g"),
        ({"driver": {"memoryOverhead": "384"}}, "spark.driver.memoryOverhead", "384"),
        ({"driver": {"javaOptions": "-Da=b -Dc=d"}}, "spark.driver.extraJavaOptions", "-Da=b -Dc=d"),
        ({"driver": {"serviceAccount": "me"}}, "spark.kubernetes.authenticate.driver.serviceAccountName", "me"),
        ({}, "spark.kubernetes.authenticate.driver.serviceAccountName", "spark-driver"),
        ({"driver": {"kubernetesMaster": "https://api:6443"}}, "spark.master", "k8s://https://api:6443"),
        ({"driver": {"kubernetesMaster": "https://api:6443"}}, "spark.kubernetes.driver.master", "https://api:6443"),
        ({}, "spark.master", "k8s://https://kubernetes.default.svc"),
        ({"executor": {"cores": 4}}, "spark.executor.cores", "4"),
        ({"executor": {"coreRequest": "500m"}}, "spark.kubernetes.executor.request.cores", "500m"),
        ({"executor": {"coreLimit": "2"}}, "spark.kubernetes.executor.limit.cores", "2"),
        ({"executor": {"memory": "3g"}}, "spark.executor.memory", "3g"),
        ({"executor": {"memoryOverhead": "1g"}}, "spark.executor.memoryOverhead", "1g"),
        ({"executor": {"javaOptions": "-Da=b"}}, "spark.executor.extraJavaOptions", "-Da=b"),
        ({"executor": {"instances": 3}}, "spark.executor.instances", "3"),
        ({"executor": {"deleteOnTermination": False}}, "spark.kubernetes.executor.deleteOnTermination", "false"),
        ({"executor": {"terminationGracePeriodSeconds": 90}}, "spark.kubernetes.executor.terminationGracePeriodSeconds", "90s"),
        ({"executor": {"serviceAccount": "me"}}, "spark.kubernetes.authenticate.executor.serviceAccountName", "me"),
        ({"executor": {"schedulerName": "mine"}}, "spark.kubernetes.executor.scheduler.name", "mine"),
        ({}, "spark.executor.instances", "1"),
        ({}, "spark.driver.host", "job-driver-svc.data.svc"),
        ({}, "spark.driver.port", "7078"),
        ({"sparkConf": {"spark.driver.port": "7000"}}, "spark.driver.port", "7000"),
        ({}, "spark.driver.blockManager.port", "7079"),
        ({}, "spark.kubernetes.namespace", "data"),
        ({}, "spark.submit.deployMode", "cluster"),
        ({}, "spark.kubernetes.submitInDriver", "true"),
        ({}, "spark.kubernetes.driver.pod.name", "job-driver"),
        ({}, "spark.kubernetes.executor.podTemplateContainerName", "spark-kubernetes-executor"),
        ({"dynamicAllocation": {"enabled": True}}, "spark.dynamicAllocation.enabled", "true"),
        ({"dynamicAllocation": {"enabled": True}}, "spark.dynamicAllocation.shuffleTracking.enabled", "true"),
        (
            {"dynamicAllocation": {"enabled": True, "shuffleTrackingEnabled": False}},
            "spark.dynamicAllocation.shuffleTracking.enabled",
            "false",
        ),
        ({"dynamicAllocation": {"enabled": True, "minExecutors": 0}}, "spark.dynamicAllocation.minExecutors", "0"),
        ({"dynamicAllocation": {"enabled": True, "maxExecutors": 9}}, "spark.dynamicAllocation.maxExecutors", "9"),
        ({"dynamicAllocation": {"enabled": True, "initialExecutors": 2}}, "spark.dynamicAllocation.initialExecutors", "2"),
        (
            {"dynamicAllocation": {"enabled": True, "shuffleTrackingTimeout": 60000}},
            "spark.dynamicAllocation.shuffleTracking.timeout",
            "60000ms",
        ),
    ],
)
def should_say_what_a_field_says(spec: dict[str, Any], key: str, value: str) -> None:
    assert properties(app(**spec))[key] == value


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        ({"dynamicAllocation": {"enabled": True}}, "spark.executor.instances"),
        ({"sparkConf": {"spark.dynamicAllocation.enabled": "TRUE"}}, "spark.executor.instances"),
        ({"dynamicAllocation": {"enabled": False, "minExecutors": 3}}, "spark.dynamicAllocation.minExecutors"),
        ({}, "spark.jars.ivy"),
        ({}, "spark.metrics.conf"),
        ({}, "spark.kubernetes.executor.deleteOnTermination"),
    ],
)
def should_not_set_what_nobody_asked_for(spec: dict[str, Any], key: str) -> None:
    assert key not in properties(app(**spec))


@pytest.mark.parametrize("key", sorted({*conf.OWNED} - {"spark.driver.bindAddress"}))
def should_keep_what_the_controller_decides_whatever_a_spec_says(key: str) -> None:
    assert properties(app(sparkConf={key: "elsewhere"}))[key] != "elsewhere"


def should_put_the_charts_properties_under_the_specs() -> None:
    defaults = dataclasses.replace(DEFAULTS, spark_conf={"spark.a": "chart", "spark.b": "chart"})
    found = properties(app(sparkConf={"spark.b": "spec"}), defaults)
    assert (found["spark.a"], found["spark.b"]) == ("chart", "spec")


def should_put_the_cluster_domain_behind_the_drivers_host_if_there_is_one() -> None:
    assert (
        properties(app(), settings.Defaults(image="i", cluster_domain="corp"))["spark.driver.host"]
        == "job-driver-svc.data.svc.corp"
    )


@pytest.mark.parametrize("text", ["http", "80", "70000", "-1"])
@pytest.mark.parametrize("key", ["spark.driver.port", "spark.ui.port", "spark.blockManager.port"])
def should_refuse_what_is_no_port_and_name_the_property(key: str, text: str) -> None:
    with pytest.raises(Invalid, match=f"{key} is '{text}'; it must be a port from 1024 to 65535"):
        properties(app(sparkConf={key: text}))


@pytest.mark.parametrize(
    ("spec", "driver", "executor"),
    [
        ({"image": "airspark/spark:0.1.0"}, "Never", "Never"),
        ({"image": "airspark/spark:0.1.0", "imagePullPolicy": "Always"}, "Never", "Never"),
        ({"image": "example.org/airspark/spark:1", "imagePullPolicy": "Always"}, "Always", "Always"),
        ({"image": "example.org/a:1", "executor": {"image": "airspark/spark:0.1.0"}}, "IfNotPresent", "Never"),
        ({"image": "docker.io/airspark/spark:1"}, "IfNotPresent", "IfNotPresent"),
    ],
)
def should_never_pull_an_image_whose_name_has_no_registry_and_no_owner(spec: dict[str, Any], driver: str, executor: str) -> None:
    """The next owner of the name airspark in a public registry would run every job."""
    application = app(**spec)
    assert container(objects(application)[-1])["imagePullPolicy"] == driver
    # Spark's default where nothing is said
    assert properties(application).get("spark.kubernetes.container.image.pullPolicy", "IfNotPresent") == executor


def should_leave_out_encryption_of_the_defaults_where_the_application_switches_authentication_off() -> None:
    """Spark refuses to start with one and not the other."""
    ours = {"spark.authenticate": "true", "spark.network.crypto.enabled": "true", "spark.io.encryption.enabled": "true"}
    defaults = dataclasses.replace(DEFAULTS, spark_conf=ours)
    found = read(one(app(sparkConf={"spark.authenticate": "false"}), "ConfigMap", defaults=defaults)["data"]["spark.properties"])
    assert found["spark.authenticate"] == "false" and "spark.network.crypto.enabled" not in found
    kept = read(one(app(), "ConfigMap", defaults=defaults)["data"]["spark.properties"])
    assert ours.items() <= kept.items()


@pytest.mark.parametrize(("version", "known"), [("4.2.1", True), ("3.5.1", False)])
def should_leave_out_a_cipher_that_an_older_spark_does_not_know(version: str, known: bool) -> None:
    ours = {"spark.network.crypto.enabled": "true", "spark.network.crypto.cipher": "AES/GCM/NoPadding"}
    defaults = dataclasses.replace(DEFAULTS, spark_conf=ours)
    found = read(one(app(sparkVersion=version), "ConfigMap", defaults=defaults)["data"]["spark.properties"])
    assert found["spark.network.crypto.enabled"] == "true" and ("spark.network.crypto.cipher" in found) is known
