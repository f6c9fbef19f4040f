"""Pod Security `restricted`, least privilege, and who holds which secret."""

from __future__ import annotations

import pytest
from reachability import application_pods
from rendering import Object, containers, env, find, nested, pods, render, task_pod

CONTAINERS = {name: container for name, container, _ in containers(render())}
PODS = pods(render())
SPARK, POSTGRESQL, AIRFLOW, NOBODY = 185, 999, 50000, 65534
USERS = {"postgresql": POSTGRESQL, "spark-operator": NOBODY}


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def should_run_every_container_without_privileges_on_a_read_only_file_system(name: str) -> None:
    context = CONTAINERS[name]["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("component", sorted(PODS))
def should_run_every_pod_as_restricted_wants_it(component: str) -> None:
    spec = PODS[component]["spec"]
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    user = USERS.get(component, SPARK if component.startswith("spark-") else AIRFLOW)
    assert (context["runAsUser"], context["runAsGroup"]) == (user, 0)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (context["fsGroup"], context["fsGroupChangePolicy"]) == (0, "OnRootMismatch")
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


@pytest.mark.parametrize("component", sorted(PODS))
def should_give_every_pod_a_writable_tmp_and_no_service_links(component: str) -> None:
    spec = PODS[component]["spec"]
    assert spec["enableServiceLinks"] is False
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]
    for container in spec["containers"]:
        groomer = container["name"].endswith("-log-groomer")
        assert groomer or "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


def should_hand_a_kubernetes_token_to_those_that_ask_kubernetes_only() -> None:
    with_token = {name for name, pod in PODS.items() if pod["spec"]["automountServiceAccountToken"]}
    assert with_token == {"scheduler", "api-server", "triggerer", "spark-bootstrap", "spark-operator"}
    for item in render():
        if item["kind"] == "ServiceAccount":
            assert item["automountServiceAccountToken"] is False, item["metadata"]["name"]


def should_hand_the_bootstrap_token_to_the_container_that_makes_secrets_only() -> None:
    holders = [
        name
        for name, container, _ in containers(render())
        if any("serviceaccount" in mount["mountPath"] for mount in container.get("volumeMounts", []))
    ]
    assert holders == ["bootstrap/create-secrets"]


RULES = {
    "airspark-pod-launcher-role": [
        (["pods"], ["create", "get", "list", "watch", "patch", "delete"], None),
        (["pods/log"], ["get"], None),
        (["events"], ["list"], None),
    ],
    "airspark-launcher-role": [
        (["pods"], ["create", "get", "list", "watch", "patch", "delete"], None),
        (["pods/log"], ["get"], None),
        (["pods/exec"], ["create", "get"], None),
        (["events"], ["list"], None),
        (["sparkapplications"], ["create", "get", "list", "watch", "patch", "delete"], None),
        (["sparkapplications/status"], ["get"], None),
    ],
    "airspark-pod-log-reader-role": [(["pods"], ["get", "list"], None), (["pods/log"], ["get"], None)],
    "airspark-spark-bootstrap": [
        (["secrets"], ["create"], None),
        (["secrets"], ["get"], ["airspark-spark-auth"]),
        (["configmaps"], ["create"], None),
        (["configmaps"], ["patch"], ["airspark-spark-cluster"]),
    ],
    "airspark-spark-operator": [
        (
            ["sparkapplications", "scheduledsparkapplications"],
            ["get", "list", "watch", "create", "update", "patch", "delete"],
            None,
        ),
        (["sparkapplications/status", "scheduledsparkapplications/status"], ["get", "update", "patch"], None),
        (["pods"], ["get", "list", "watch", "create", "delete"], None),
        (["services", "configmaps"], ["get", "list", "create", "patch", "delete"], None),
        (["ingresses", "networkpolicies"], ["get", "list", "create", "patch", "delete"], None),
        (["poddisruptionbudgets"], ["get", "list", "create", "patch", "delete"], None),
        (["podgroups"], ["get", "list", "create", "patch", "delete"], None),
        (["events"], ["create"], None),
    ],
    "airspark-spark-operator-lease": [
        (["leases"], ["create"], None),
        (["leases"], ["get", "update"], ["airspark-spark-operator"]),
    ],
    "airspark-spark-operator-driver": [
        (["pods"], ["get", "list", "watch", "create", "patch", "delete", "deletecollection"], None),
        (["configmaps", "persistentvolumeclaims"], ["get", "list", "create", "delete", "deletecollection"], None),
        (["services"], ["get", "list", "delete", "deletecollection"], None),
    ],
    "airspark-bootstrap-role": [
        (["jobs"], ["list", "delete"], None),
        (["secrets"], ["create"], None),
        (
            ["secrets"],
            ["get", "patch"],
            [
                "airspark-postgresql",
                "airspark-postgresql-tls",
                "airspark-metadata",
                "airspark-fernet-key",
                "airspark-jwt-secret",
                "airspark-api-secret-key",
                "airspark-admin",
            ],
        ),
    ],
}


def _rules(role: Object) -> list[tuple[list[str], list[str], list[str] | None]]:
    return [(rule["resources"], rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]]


def should_allow_each_role_exactly_what_its_component_needs() -> None:
    objects = render()
    assert {item["metadata"]["name"]: _rules(item) for item in objects if item["kind"] == "Role"} == RULES
    assert not [item for item in objects if item["kind"].startswith("Cluster")]


def should_bind_each_role_to_the_account_of_its_pod() -> None:
    objects = render()
    for item in objects:
        if item["kind"] == "RoleBinding":
            component = item["metadata"]["labels"]["component"]
            pod = task_pod(objects, "launcher") if component == "launcher" else PODS[component]
            if item["metadata"]["name"].endswith("-driver"):  # its pods are made at run time
                pod = application_pods(objects)[0]
            assert item["subjects"][0]["name"] == pod["spec"]["serviceAccountName"]
            find(objects, "Role", item["roleRef"]["name"])
            find(objects, "ServiceAccount", item["subjects"][0]["name"])


def should_make_no_roles_for_airflow_if_rbac_create_is_false() -> None:
    kinds = {item["kind"] for item in render(nested("rbac.create", False), chart="airflow")}
    assert not {"Role", "RoleBinding"} & kinds


def should_not_let_the_api_server_read_pods_if_allowpodlogreading_is_false() -> None:
    roles = {
        item["metadata"]["name"]
        for item in render(nested("airflow.apiServer.allowPodLogReading", False))
        if item["kind"] == "Role"
    }
    assert "airspark-pod-log-reader-role" not in roles


DATABASE, FERNET, JWT, API = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
)
SHARED = "_SPARK_AUTH_SECRET"
HOLDERS = {
    "api-server/api-server": {DATABASE, FERNET, JWT, API},
    "scheduler/scheduler": {DATABASE, FERNET, JWT},
    "dag-processor/dag-processor": {DATABASE, FERNET},
    "triggerer/triggerer": {DATABASE, FERNET, API},
    "bootstrap/bootstrap": {DATABASE, FERNET, "ADMIN_USERNAME", "ADMIN_PASSWORD"},
    "postgresql/postgresql": {"POSTGRES_PASSWORD"},
    "spark.yaml/base": {SHARED},
    "spark-driver.yaml/base": {SHARED},
    "spark-master/spark-master": {SHARED},
    "spark-worker/spark-worker": {SHARED},
}


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def should_give_each_container_the_secrets_it_needs_and_no_other(name: str) -> None:
    held = {key for key, value in env(CONTAINERS[name]).items() if isinstance(value, dict) and "secretKeyRef" in value}
    wanted = {DATABASE} if name.endswith("/wait-for-airflow-migrations") else HOLDERS.get(name, set())
    assert held == wanted
    assert "envFrom" not in CONTAINERS[name]


def should_read_secrets_from_those_that_somebody_brings() -> None:
    names = {
        "fernetKeySecretName": (FERNET, "fernet-key"),
        "jwtSecretName": (JWT, "jwt-secret"),
        "apiSecretKeySecretName": (API, "api-secret-key"),
    }
    values: Object = {"airflow": {name: f"my-{name.lower()}" for name in names}}
    values["airflow"]["data"] = {"metadataSecretName": "my-database"}
    found = env(pods(render(values))["api-server"]["spec"]["containers"][0])
    for name, (variable, key) in names.items():
        assert found[variable]["secretKeyRef"] == {"name": f"my-{name.lower()}", "key": key}
    assert found[DATABASE]["secretKeyRef"] == {"name": "my-database", "key": "connection"}
