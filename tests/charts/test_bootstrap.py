"""The bootstrap Job: its name and its inputs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rendering import Object, env, find, nested, pods, render


def name(values: Object | None = None) -> str:
    """Return the Job's name under some values."""
    return str(find(render(values), "Job", "airspark-bootstrap-")["metadata"]["name"])


def should_be_named_by_eight_characters_of_a_hash() -> None:
    assert re.fullmatch(r"airspark-bootstrap-[0-9a-f]{8}", name())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("airflow.defaultAirflowTag", "0.9.9"),
        ("airflow.images.airflow.repository", "mine"),
        ("airflow.config.core.parallelism", "7"),
        ("airflow.connections.other", {"type": "http", "host": "example"}),
        ("airflow.createUserJob.enabled", False),
        ("airflow.createUserJob.defaultUser.email", "me@example.com"),
        ("airflow.data.metadataConnection.user", "someone"),
        ("airflow.fernetKeySecretName", "mine"),
        ("airflow.bootstrap.resources.limits.memory", "2Gi"),
        ("airflow.bootstrap.backoffLimit", 3),
        ("airflow.bootstrap.podAnnotations", {"a": "b"}),
        ("airflow.nodeSelector", {"a": "b"}),
        ("airflow.labels", {"a": "b"}),
        ("global.imageRevision", "abc"),
    ],
)
def should_run_again_if_what_it_depends_on_changes(path: str, value: Any) -> None:
    assert name(nested(path, value)) != name()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("airflow.scheduler.replicas", 3),
        ("airflow.apiServer.resources.limits.memory", "3Gi"),
        ("airflow.workers.kubernetes.env", [{"name": "A", "value": "b"}]),
        ("airflow.sparkClient.conf", {"spark.x": "y"}),
        ("airflow.logs.persistence.size", "9Gi"),
        ("airflow.postgresql.resources.limits.memory", "1Gi"),
        ("spark.worker.replicaCount", 5),
        ("data.size", "99Gi"),
    ],
)
def should_not_run_again_if_something_else_changes(path: str, value: Any) -> None:
    assert name(nested(path, value)) == name()


def should_stay_when_done() -> None:
    spec = find(render(), "Job", "airspark-bootstrap-")["spec"]
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"


def should_hold_no_password_in_arguments_or_files() -> None:
    pod = pods(render())["bootstrap"]
    assert env(pod["spec"]["containers"][0])["ADMIN_PASSWORD"]["secretKeyRef"] == {
        "name": "airspark-admin",
        "key": "password",
    }
    for container in pod["spec"]["initContainers"] + pod["spec"]["containers"]:
        assert "password" not in str(container["args"])


def should_make_no_user_if_createuserjob_is_off() -> None:
    objects = render(nested("airflow.createUserJob.enabled", False))
    assert json.loads(find(objects, "ConfigMap", "airspark-bootstrap-")["data"]["settings.json"])["user"] is None
    assert "ADMIN_PASSWORD" not in env(pods(objects)["bootstrap"]["spec"]["containers"][0])
    assert "airspark-admin" not in str(find(objects, "Role", "airspark-bootstrap-role"))


def should_have_what_both_of_the_official_jobs_list_and_the_migrations_of_one_name() -> None:
    values = {
        "bootstrap": {"tolerations": [{"key": "own", "operator": "Exists"}]},
        "createUserJob": {
            "env": [{"name": "USERS", "value": "1"}, {"name": "BOTH", "value": "user's"}],
            "extraVolumes": [{"name": "users", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "users", "mountPath": "/users"}],
            "extraInitContainers": [{"name": "before-users", "image": "a"}],
            "extraContainers": [{"name": "beside-users", "image": "a"}],
            "tolerations": [{"key": "users", "operator": "Exists"}],
        },
        "migrateDatabaseJob": {
            "env": [{"name": "MIGRATION", "value": "2"}, {"name": "BOTH", "value": "migration's"}],
            "extraVolumes": [{"name": "migration", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "migration", "mountPath": "/migration"}],
            "extraInitContainers": [{"name": "before-migration", "image": "a"}],
            "extraContainers": [{"name": "beside-migration", "image": "a"}],
            "tolerations": [{"key": "users", "operator": "Exists"}, {"key": "migration", "operator": "Exists"}],
        },
    }
    pod = pods(render({"airflow": values}))["bootstrap"]["spec"]
    (own,) = [container for container in pod["containers"] if container["name"] == "bootstrap"]
    assert {name: env(own).get(name) for name in ("USERS", "MIGRATION", "BOTH")} == {
        "USERS": "1",
        "MIGRATION": "2",
        "BOTH": "migration's",
    }
    assert {"/users", "/migration"} <= {mount["mountPath"] for mount in own["volumeMounts"]}
    assert {"users", "migration"} <= {volume["name"] for volume in pod["volumes"]}
    assert {"beside-users", "beside-migration"} <= {container["name"] for container in pod["containers"]}
    assert {"before-users", "before-migration"} <= {container["name"] for container in pod["initContainers"]}
    assert [toleration["key"] for toleration in pod["tolerations"]] == ["own", "users", "migration"]


def should_render_templates_in_connections() -> None:
    settings = find(render(release="other"), "ConfigMap", "other-bootstrap-")["data"]["settings.json"]
    assert json.loads(settings)["connections"]["spark_default"] == {
        "type": "spark",
        "description": "The standalone Spark cluster of this release",
        "host": "spark://other-spark-master",
        "port": 7077,
        "extra": {"deploy-mode": "client"},
    }
