"""The pod of `helm test`: restricted, without a token, and told what to check."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from rendering import Object, env, find, render

ADMIN = {"CHECK_USERNAME": "username", "CHECK_PASSWORD": "password"}


def airflow(**values: Any) -> list[Object]:
    """Return the objects of the Airflow chart alone."""
    return render(values, chart="airflow")


def pod(**values: Any) -> Object:
    """Return the pod of the test."""
    return find(airflow(**values), "Pod", "airspark-helm-test")


def told(**values: Any) -> dict[str, Any]:
    """Return the environment of the test's container."""
    return env(pod(**values)["spec"]["containers"][0])


def should_be_the_only_hook_of_a_release_beside_sparks_own_test() -> None:
    hooks = {
        (item["kind"], item["metadata"]["name"], item["metadata"]["annotations"]["helm.sh/hook"])
        for item in render()
        if "helm.sh/hook" in item["metadata"].get("annotations", {})
    }
    assert hooks == {("Pod", "airspark-helm-test", "test"), ("Pod", "airspark-spark-helm-test", "test")}


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def should_make_a_restricted_pod_without_a_token_if_helmtest_enabled_is_set(version: str) -> None:
    found = pod()
    kubernetes_validate.validate(found, version, strict=True)
    spec = found["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["enableServiceLinks"] is False
    context = spec["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 50000, 0)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert set(container["resources"]) == {"requests", "limits"}


def should_have_an_account_of_its_own_that_no_role_is_bound_to() -> None:
    objects = airflow()
    name = pod()["spec"]["serviceAccountName"]
    assert find(objects, "ServiceAccount", name)["automountServiceAccountToken"] is False
    assert not [item for item in objects if item["kind"].endswith("RoleBinding") and name in str(item["subjects"])]


def should_make_nothing_if_helmtest_enabled_is_false() -> None:
    assert not [item for item in airflow(helmTest={"enabled": False}) if "helm-test" in item["metadata"]["name"]]


def should_hold_the_database_and_the_first_users_password_and_no_key() -> None:
    secrets = {name: value["secretKeyRef"]["key"] for name, value in told().items() if isinstance(value, dict)}
    assert secrets == {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "connection", **ADMIN}


@pytest.mark.parametrize("values", [{"auth": {"manager": "simple"}}, {"createUserJob": {"enabled": False}}], ids=str)
def should_hold_no_password_if_there_is_no_first_user(values: Object) -> None:
    assert not set(ADMIN) & set(told(**values))


def should_hold_the_password_of_createuserjob_existingsecret_if_it_is_set() -> None:
    assert told(createUserJob={"existingSecret": "mine"})["CHECK_PASSWORD"]["secretKeyRef"]["name"] == "mine"


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://airspark-api-server.airspark.svc:8080"),
        ({"config": {"api": {"base_url": "https://x/flow"}}}, "http://airspark-api-server.airspark.svc:8080/flow"),
        (
            {"apiServer": {"service": {"ports": [{"name": "ui", "port": 80, "targetPort": "api-server"}]}}},
            "http://airspark-api-server.airspark.svc:80",
        ),
        ({"apiServer": {"readinessProbe": {"scheme": "HTTPS"}}}, "https://airspark-api-server.airspark.svc:8080"),
        ({"fullnameOverride": "flow"}, "http://flow-api-server.airspark.svc:8080"),
    ],
    ids=["default", "base_url", "ports", "scheme", "fullnameOverride"],
)
def should_ask_the_api_server_where_it_listens(values: Object, url: str) -> None:
    name = f"{values.get('fullnameOverride', 'airspark')}-helm-test"
    container = find(airflow(**values), "Pod", name)["spec"]["containers"][0]
    assert env(container)["CHECK_URL"] == url


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "yes"),
        ({"dags": {"persistence": {"enabled": True}}}, "no"),
        ({"dags": {"gitSync": {"enabled": True, "repo": "https://git.example.com/dags"}}}, "no"),
        ({"dagProcessor": {"dagBundleConfigList": [{"name": "s3", "classpath": "a.S3DagBundle", "kwargs": {}}]}}, "no"),
    ],
    ids=["image", "claim", "git", "bundles"],
)
def should_insist_on_the_dag_only_if_dags_are_the_images(values: Object, wanted: str) -> None:
    assert told(**values)["CHECK_DAG"] == wanted


def should_look_for_the_parts_that_are_installed() -> None:
    assert told()["CHECK_PARTS"] == "metadatabase scheduler dag_processor triggerer"
    assert told(triggerer={"enabled": False})["CHECK_PARTS"] == "metadatabase scheduler dag_processor"


def should_write_where_tasks_write_if_logs_are_on_a_claim() -> None:
    values: Object = {"logs": {"persistence": {"existingClaim": "mine", "subPath": "airflow"}}}
    spec = pod(**values)["spec"]
    claims = {item["name"]: item["persistentVolumeClaim"] for item in spec["volumes"] if "persistentVolumeClaim" in item}
    assert claims == {"logs": {"claimName": "mine"}}
    mounts = {item["name"]: item for item in spec["containers"][0]["volumeMounts"]}
    assert mounts["logs"] == {"name": "logs", "mountPath": "/opt/airflow/logs", "subPath": "airflow"}
    assert told(**values)["CHECK_LOGS"] == "/opt/airflow/logs"
    assert "CHECK_LOGS" not in told(logs={"persistence": {"enabled": False}, "emptyDirConfig": {"sizeLimit": "1Gi"}})


def should_end_before_helm_gives_up_and_later_if_helmtest_deadlineseconds_is_set() -> None:
    assert (told()["CHECK_SECONDS"], pod()["spec"]["activeDeadlineSeconds"]) == ("240", 300)
    values: Object = {"helmTest": {"deadlineSeconds": 900}}
    assert (told(**values)["CHECK_SECONDS"], pod(**values)["spec"]["activeDeadlineSeconds"]) == ("900", 960)


def should_carry_every_script_that_it_runs() -> None:
    scripts = find(airflow(), "ConfigMap", "airspark-scripts")["data"]
    assert {"helm_test.py", "wait_for_migrations.py", "metadata_database.py"} <= set(scripts)
