"""Pods that no API server takes: executors of such a template never come, so the application says it at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import app, objects

from airspark_operator import validate
from airspark_operator.spec import Invalid

Object = dict[str, Any]
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])


def of_template(**fields: Any) -> Object:
    return {"template": {"spec": fields}}


def mounted(path: str) -> Object:
    """A template whose first container mounts a volume."""
    mounts = [{"name": "a", "mountPath": path}]
    return of_template(volumes=[{"name": "a", "emptyDir": {}}], containers=[{"volumeMounts": mounts}])


def refusal(application: Object) -> str:
    """What the controller says."""
    problem = validate.problem(application)
    if problem is None:
        with pytest.raises(Invalid) as refused:
            objects(application)
        problem = str(refused.value)
    return problem


@ROLES
@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            of_template(containers=[{"name": "spark-kubernetes-{role}"}] * 2),
            "template.spec.containers: two have the name",
        ),
        (of_template(containers=[{}, {"name": "a"}, {"name": "a"}]), "template.spec.containers: two have the name 'a'; rename"),
        (of_template(initContainers=[{"name": "a", "image": "x"}] * 2), "template.spec.initContainers: two have the name 'a'"),
        (of_template(initContainers=[{"name": "spark-kubernetes-{role}"}]), "template.spec.initContainers: the name 'spark-"),
        (mounted("/opt/spark/conf/"), "mounts two volumes at /opt/spark/conf, where Spark may have its own; use another path"),
        (mounted("/var/data/spark"), "mounts two volumes at /var/data/spark, where Spark may have its own; use another path"),
        ({"configMaps": [{"name": "a", "path": "/var/data/spark"}]}, "mounts two volumes at /var/data/spark"),
        ({"initContainers": [{"name": "a", "image": "x", "env": [{"name": "A B"}]}]}, "the container 'a': 'A B' is not a valid"),
        (
            {"sidecars": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            "the container 'a' mounts the volume 'v', which is not there; add it to volumes or correct the name",
        ),
        (of_template(containers=[{"volumeMounts": [{"name": "v", "mountPath": "/v"}]}]), "mounts the volume 'v', which is not"),
        ({"configMaps": [{"name": "Foo_Bar", "path": "/a"}]}, "the volume 'Foo_Bar-vol' has a name that is not valid; write at"),
        ({"sidecars": [{"name": "A_B", "image": "x"}]}, "the container 'A_B' has a name that is not valid; write at most 63"),
        ({"sidecars": [{"name": "a"}]}, "the container 'a' has no image; add it"),
    ],
)
def should_say_at_once_what_no_api_server_takes(role: str, own: Object, said: str) -> None:
    filled: Object = json.loads(json.dumps(own).replace("{role}", role))
    problem = refusal(app(**{role: filled}))
    assert problem.startswith(role) and said in problem and "\n" not in problem


@ROLES
@pytest.mark.parametrize("place", ["template", "property"])
def should_keep_the_names_of_volumes_that_spark_has(role: str, place: str) -> None:
    name = {"driver": "spark-conf-volume-driver", "executor": "spark-conf-volume-exec"}[role]
    key = f"spark.kubernetes.{role}.volumes.emptyDir.{name}.mount.path"
    given = {"sparkConf": {key: "/a"}} if place == "property" else {role: of_template(volumes=[{"name": name, "emptyDir": {}}])}
    assert f"two volumes have the name '{name}'" in refusal(app(**given))


def should_know_the_scratch_directories_of_a_property() -> None:
    own = {"configMaps": [{"name": "a", "path": "/scratch"}]}
    for role in ("driver", "executor"):
        assert "at /scratch" in refusal(app(**{role: own}, sparkConf={"spark.local.dir": "/other,/scratch"}))


def should_know_the_path_of_a_secret_that_spark_mounts_into_executors() -> None:
    said = {"spark.kubernetes.executor.secrets.s": "/a"}
    assert "two volumes at /a" in refusal(app(executor={"configMaps": [{"name": "a", "path": "/a"}]}, sparkConf=said))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"driver": {"ports": [{"name": "spark-ui", "containerPort": 1, "protocol": "TCP"}]}},
            "driver.ports: two ports have",
        ),
        (
            {"driver": {"ports": [{"name": "a-name-of-sixteen", "containerPort": 1, "protocol": "TCP"}]}},
            "driver: the port 'a-name-of-sixteen' (of driver.ports or monitoring.prometheus.portName)",
        ),
    ],
)
def should_say_which_port_has_a_name_that_no_api_server_takes(spec: Object, said: str) -> None:
    assert refusal(app(**spec)).startswith(said)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"sparkUIOptions": {"serviceLabels": {"a": "x y"}}}, "sparkUIOptions.serviceLabels: a is 'x y', which is not a valid"),
        (
            {"batchScheduler": "yunikorn", "batchSchedulerOptions": {"queue": "root.a b"}},
            "batchSchedulerOptions.queue: queue is 'root.a b', which is not a valid value of a label",
        ),
        (
            {"driverIngressOptions": [{"servicePort": 1, "servicePortName": "a", "serviceLabels": {"a": "x y"}}]},
            "driverIngressOptions[0].serviceLabels: a is 'x y', which is not a valid",
        ),
        ({"sparkConf": {"spark.driver.port": "7079"}}, "sparkConf: the port 7079 is used twice among spark.driver.port,"),
    ],
)
def should_name_the_place_of_what_services_and_queues_cannot_have(spec: Object, said: str) -> None:
    assert refusal(app(**spec)).startswith(said)


@ROLES
def should_accept_a_template_that_is_whole(role: str) -> None:
    side = {"name": "side", "image": "x", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}
    own = of_template(volumes=[{"name": "a", "emptyDir": {}}], containers=[{}, side], initContainers=[side | {"name": "init"}])
    assert validate.problem(app(**{role: own})) is None and objects(app(**{role: own}))
