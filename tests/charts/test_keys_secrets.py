"""What the keys do that concern names, images, Secrets and accounts."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from cases import Case, Cases, Rendered
from rendering import env

DIGEST = f"sha256:{'0' * 64}"
WHO = "{{ .Release.Name }}"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
FERNET = "AIRFLOW__CORE__FERNET_KEY"
JWT = "AIRFLOW__API_AUTH__JWT_SECRET"
API = "AIRFLOW__API__SECRET_KEY"


def _image(component: str, image: str, found: Rendered) -> bool:
    return bool(found.main(component)["image"] == image)


def _reads(found: Rendered, variable: str, component: str = "api-server") -> Any:
    """Return where a component's variable comes from, as (Secret, key)."""
    value = env(found.main(component)).get(variable, {})
    return (value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]) if value else None


def _brought(variable: str, secret: str, key: str, found: Rendered) -> bool:
    """Whether a Secret is read by the API server, and only checked by the bootstrap Job."""
    made = found.secrets[secret]
    return bool(_reads(found, variable) == (secret, key) and made["brought"] and key in made["keys"])


def _left_out(variable: str, found: Rendered) -> bool:
    return all(variable not in env(container) for name, container in found.containers if "bootstrap" not in name)


def _rules(found: Rendered, role: str, kind: str = "Role") -> Any:
    return found.find(kind, role).get("rules", [])


def _generation(secret: str, found: Rendered) -> bool:
    return bool(found.secrets[secret]["generation"] == "2026-12")


RUNNING = {"apiServer": "api-server", "dagProcessor": "dag-processor", "scheduler": "scheduler", "triggerer": "triggerer"}
CASES = [
    Case("begin every object's name", {"fullnameOverride": "flow"},
         lambda f: all(item["metadata"]["name"].startswith("flow-") for item in f.objects)),
    Case("put the chart's name into every object's name", {"useStandardNaming": True},
         lambda f: all(item["metadata"]["name"].startswith("airspark-airflow-") for item in f.objects)),
    Case("put the given name into every object's name", {"useStandardNaming": True, "nameOverride": "etl"},
         lambda f: all(item["metadata"]["name"].startswith("airspark-etl-") for item in f.objects)),
    Case("run the default image", {"defaultAirflowRepository": "mine", "defaultAirflowTag": "7"},
         lambda f: _image("api-server", "mine:7", f) and _image("worker", "mine:7", f) and _image("bootstrap", "mine:7", f)),
    Case("run the default image by its digest", {"defaultAirflowRepository": "mine", "defaultAirflowDigest": DIGEST},
         lambda f: _image("scheduler", f"mine@{DIGEST}", f) and _image("worker", f"mine@{DIGEST}", f)),
    Case("run another image", {"images.airflow": {"repository": "mine", "tag": "8", "pullPolicy": "Always"}},
         lambda f: _image("triggerer", "mine:8", f) and _image("worker", "mine:8", f)
         and f.main("dag-processor")["imagePullPolicy"] == "Always"),
    Case("run another image by its digest", {"images.airflow": {"repository": "mine", "digest": DIGEST}},
         lambda f: _image("triggerer", f"mine@{DIGEST}", f) and _image("worker", f"mine@{DIGEST}", f)),
    Case("run task pods of another image", {"images.pod_template": {"repository": "tasks", "tag": "9", "pullPolicy": "Always"}},
         lambda f: _image("worker", "tasks:9", f) and _image("small.yaml", "tasks:9", f) and not _image("scheduler", "tasks:9", f)
         and f.main("worker")["imagePullPolicy"] == "Always" and "worker_container_repository = tasks\n" in f.cfg),
    Case("run task pods of another image by its digest", {"images.pod_template": {"repository": "tasks", "digest": DIGEST}},
         lambda f: _image("worker", f"tasks@{DIGEST}", f)),
    *(
        Case(f"run {part} of another image", {f"{part}.enabled": True, f"images.{part}": {"repository": "mine", "tag": "7"}},
             functools.partial(_image, part, "mine:7"))
        for part in ("statsd", "pgbouncer")
    ),
    Case("read the Fernet key from a Secret", {"fernetKeySecretName": "a"}, 
         functools.partial(_brought, FERNET, "a", "fernet-key")),
    Case("read the API server's key from a Secret", {"apiSecretKeySecretName": "b"},
         functools.partial(_brought, API, "b", "api-secret-key")),
    Case("read the JWT secret from a Secret", {"jwtSecretName": "c"}, functools.partial(_brought, JWT, "c", "jwt-secret")),
    Case("read the database's URL from a Secret", {"data.metadataSecretName": "d"},
         functools.partial(_brought, DATABASE, "d", "connection")),
    Case("read the database's URL from another key", {"data.metadataSecretName": "d", "data.metadataSecretKey": "url"},
         functools.partial(_brought, DATABASE, "d", "url")),
    Case("read the database's password from a Secret", {"postgresql.auth.existingSecret": "e"},
         lambda f: f.secrets["e"]["brought"] and _reads(f, "POSTGRES_PASSWORD", "postgresql") == ("e", "password")),
    Case("read the first user from a Secret", {"createUserJob.existingSecret": "g"},
         lambda f: f.secrets["g"]["brought"] and _reads(f, "ADMIN_PASSWORD", "bootstrap") == ("g", "password")),
    Case("make the database's URL of what is given",
         {"postgresql.enabled": False,
          "data.metadataConnection": {"user": "ada", "host": "db", "port": 5433, "db": "flow", "sslmode": "require",
                                      "protocol": "postgresql+psycopg2", "passwordSecretName": "h"}},
         lambda f: {key: f.secrets["airspark-metadata"]["keys"]["connection"][key]
                    for key in ("user", "host", "port", "database", "sslmode", "protocol", "passwordFrom")}
         == {"user": "ada", "host": "db", "port": 5433, "database": "flow", "sslmode": "require",
             "protocol": "postgresql+psycopg2", "passwordFrom": "h"} and not f.find("StatefulSet", "airspark-postgresql")),
    Case("check the database's certificate", {"data.metadataConnection.caSecretName": "authority"},
         lambda f: all("/etc/airspark/database" in [mount["mountPath"] for mount in f.main(name)["volumeMounts"]]
                       for name in ("api-server", "scheduler", "dag-processor", "triggerer", "bootstrap"))),
    *(
        Case(f"annotate the Secret {secret}", {key: {"a": "b"}},
             lambda f, secret=secret: f.secrets[secret]["annotations"] == {"a": "b"})  # type: ignore[misc]
        for key, secret in (
            ("fernetKeySecretAnnotations", "airspark-fernet-key"),
            ("apiSecretAnnotations", "airspark-api-secret-key"),
            ("jwtSecretAnnotations", "airspark-jwt-secret"),
            ("data.metadataConnection.secretAnnotations", "airspark-metadata"),
        )
    ),
    *(
        Case(f"make the Secret {secret} anew", {f"rotation.{key}": "2026-12"}, functools.partial(_generation, secret))
        for key, secret in (
            ("fernetKey", "airspark-fernet-key"),
            ("apiSecretKey", "airspark-api-secret-key"),
            ("jwtSecret", "airspark-jwt-secret"),
            ("databasePassword", "airspark-postgresql"),
            ("adminPassword", "airspark-admin"),
        )
    ),
    Case("sign tokens by a key pair", {"jwtKeyPair.enabled": True},
         lambda f: "jwt_private_key_path = /etc/airspark/jwt/private-key.pem" in f.cfg and "airspark-jwt-keys" in f.secrets
         and _left_out(JWT, f) and "airspark-jwt-secret" not in f.secrets),
    Case("sign tokens by a key pair that is brought", {"jwtKeyPair": {"enabled": True, "secretName": "pair"}},
         lambda f: f.secrets["pair"]["brought"] and "pair" in str(f.pods["scheduler"]["spec"]["volumes"])),
    *(
        Case("leave a variable to whoever sets it", {f"enableBuiltInSecretEnvVars.{variable}": False},
             functools.partial(_left_out, variable))
        for variable in (FERNET, JWT, API, DATABASE)
    ),
    Case("give Airflow its own database as a connection", {"enableBuiltInSecretEnvVars.AIRFLOW_CONN_AIRFLOW_DB": True},
         lambda f: _reads(f, "AIRFLOW_CONN_AIRFLOW_DB", "scheduler") == ("airspark-metadata", "connection")),
    Case("make no role", {"rbac.create": False}, lambda f: not f.names("Role") | f.names("RoleBinding")),
    Case("bind OpenShift's security context constraint", {"rbac.createSCCRoleBinding": True},
         lambda f: f.find("RoleBinding", "airspark-scc-rolebinding")["roleRef"]["name"] == "system:openshift:scc:restricted-v2"),
    Case("make roles for the whole cluster", {"multiNamespaceMode": True},
         lambda f: "multi_namespace_mode = True" in f.cfg and f.names("ClusterRole") == {
             f"airspark-airspark-{name}-role" for name in ("pod-launcher", "pod-log-reader")}
         and "airspark-launcher-role" in f.names("Role")),
    Case("make no role that launches pods", {"allowPodLaunching": False},
         lambda f: "airspark-pod-launcher-role" not in f.names("Role")),
    Case("let the launcher make Jobs", {"allowJobLaunching": True}, lambda f: "jobs" in str(_rules(f, "airspark-launcher-role"))),
    Case("let the API server read no pod", {"apiServer.allowPodLogReading": False},
         lambda f: "airspark-pod-log-reader-role" not in f.names("Role")),
    Case("give pods no restricted context", {"securityContexts.disableDefaults": True},
         lambda f: all(not pod["spec"].get("securityContext") for pod in f.airflow.values())
         and all(not container.get("securityContext") for name, container in f.containers if not name.startswith("postgresql"))),
    *(
        Case("mount a token of its own kind", {f"{part}.serviceAccount.serviceAccountTokenVolume": {
            "enabled": True, "mountPath": "/tokens", "volumeName": "mine", "expirationSeconds": 7200, "audience": "who"}},
             lambda f, name=name: f.pods[name]["spec"]["automountServiceAccountToken"] is False  # type: ignore[misc]
             and {"name": "mine", "mountPath": "/tokens", "readOnly": True} in f.main(name)["volumeMounts"]
             and {"path": "token", "expirationSeconds": 7200, "audience": "who"} in [
                 source.get("serviceAccountToken") for volume in f.pods[name]["spec"]["volumes"]
                 for source in volume.get("projected", {}).get("sources", [])])
        for part, name in (("apiServer", "api-server"), ("scheduler", "scheduler"), ("dagProcessor", "dag-processor"))
    ),
    *(
        Case(f"make no account for {component}", {f"{part}.serviceAccount": {"create": False, "name": "mine"}},
             lambda f, component=component: f.pods[component]["spec"]["serviceAccountName"] == "mine"  # type: ignore[misc]
             and f"airspark-airflow-{component}" not in f.names("ServiceAccount"))
        for part, component in (
            ("apiServer", "api-server"),
            ("bootstrap", "bootstrap"),
            ("dagProcessor", "dag-processor"),
            ("scheduler", "scheduler"),
            ("triggerer", "triggerer"),
            ("workers", "worker"),
        )
    ),
    *(
        Case(f"hand {component} no token", {f"{part}.serviceAccount.automountServiceAccountToken": False},
             lambda f, component=component: f.pods[component]["spec"]["automountServiceAccountToken"] is False)  # type: ignore[misc]
        for part, component in (("apiServer", "api-server"), ("scheduler", "scheduler"))
    ),
    *(
        Case(f"hand {component} a token", {f"{part}.serviceAccount.automountServiceAccountToken": True},
             lambda f, component=component: f.pods[component]["spec"]["automountServiceAccountToken"] is True)  # type: ignore[misc]
        for part, component in (("dagProcessor", "dag-processor"), ("triggerer", "triggerer"))
    ),
    *(
        Case(f"let {component} not wait for the migration", {f"{part}.waitForMigrations.enabled": False},
             lambda f, component=component: "initContainers" not in f.pods[component]["spec"])  # type: ignore[misc]
        for part, component in RUNNING.items()
    ),
    *(
        Case(f"remove no old logs beside {component}", {f"{part}.logGroomerSidecar.enabled": False},
             lambda f, component=component: len(f.pods[component]["spec"]["containers"]) == 1)  # type: ignore[misc]
        for part, component in (("dagProcessor", "dag-processor"), ("scheduler", "scheduler"))
    ),
]  # fmt: skip
GIVEN = "enableBuiltInSecretEnvVars"
TOPICS = {
    "names": ("fullnameOverride", "nameOverride", "useStandardNaming"),
    "images": ("defaultAirflowDigest", "defaultAirflowRepository", "images"),
    "fernet": ("fernetKeySecretAnnotations", "fernetKeySecretName", "rotation.fernetKey", f"{GIVEN}.{FERNET}"),
    "api": ("apiSecretAnnotations", "apiSecretKeySecretName", "rotation.apiSecretKey", f"{GIVEN}.{API}"),
    "jwt": ("jwtKeyPair", "jwtSecretAnnotations", "jwtSecretName", "rotation.jwtSecret", f"{GIVEN}.{JWT}"),
    "database": ("data", "postgresql", "rotation.databasePassword", f"{GIVEN}.{DATABASE}", f"{GIVEN}.AIRFLOW_CONN_AIRFLOW_DB"),
    "admin": ("createUserJob", "rotation.adminPassword"),
    "accounts": ("allowPodLaunching", "allowJobLaunching", "multiNamespaceMode", "rbac", "apiServer.allowPodLogReading"),
    "contexts": ("securityContexts",),
    **{part: (f"{part}.serviceAccount",) for part in RUNNING},
}
# A whole release with another name has nothing in common with the rest.
ALONE = Cases([case for case in CASES if set(case.given) & set(TOPICS["names"])], {"names": TOPICS["names"]})
TOGETHER = Cases([case for case in CASES if case.title not in ALONE.by_title], TOPICS)


@pytest.mark.parametrize("title", sorted(TOGETHER.by_title))
def should_do_what_its_description_says(title: str) -> None:
    TOGETHER.check(title)


@pytest.mark.parametrize("title", sorted(ALONE.by_title))
def should_name_objects_as_its_description_says(title: str) -> None:
    ALONE.check(title)


@pytest.mark.parametrize("name", ["a", "b_c", "d@example.org"])
def should_make_a_password_for_a_user_without_one(name: str) -> None:
    cases = Cases([Case("make a password", {"users": {name: {"roles": ["Viewer"], "email": "a@b"}}}, bool)])
    secret = f"airspark-user-{name.replace('_', '-').replace('@', '-at-')}"
    assert secret in cases.rendered(next(iter(cases.by_title))).secrets
