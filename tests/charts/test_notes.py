"""What Helm says after an installation."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from typing import Any

import pytest
from rendering import CHARTS, Object

DEFAULT_WARNING = "The database is one pod on one claim"
OIDC = {"issuer": "https://sso.example.com", "clientId": "a", "clientSecretName": "s", "defaultRole": "Viewer"}


@functools.cache
def _installed(values: str, chart: str) -> tuple[str, str]:
    """Return what would be installed, and the notes."""
    command = [os.environ.get("AIRSPARK_HELM", "helm"), "install", "airspark", str(CHARTS / chart), "--values", "-"]
    command += ["--namespace", "prod", "--dry-run=client"]
    without_cluster = {**os.environ, "KUBECONFIG": "/dev/null"}
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False, env=without_cluster)
    if "cluster unreachable" in done.stderr:
        pytest.skip("Helm 3 asks a cluster even for a client's dry run")
    assert not done.returncode, done.stderr
    manifest, said = done.stdout.split("\nNOTES:\n")
    for odd in ("<no value>", "%!", "map[", "<nil>"):
        assert odd not in said, said
    return manifest, said


def notes(values: Object | None = None, chart: str = "airflow") -> str:
    """Return the notes under some values."""
    return _installed(json.dumps(values or {}), chart)[1]


def warnings(values: Object | None = None) -> list[str]:
    """Return the warnings under some values."""
    return [line.strip().removeprefix("! ") for line in notes(values).splitlines() if line.startswith("  ! ")]


def should_tell_facts_then_checks_then_access_then_warnings() -> None:
    for chart in ("airflow", "airspark"):
        said = notes(chart=chart)
        marks = [
            "is installed",
            "Airflow 3.3.2",
            "wait --for",
            "helm -n prod test airspark",
            "Airflow's UI",
            "password  ",
            "Mind:",
        ]
        places = [said.index(mark) for mark in marks]
        assert places == sorted(places), chart


def should_say_the_same_of_airflow_in_both_charts() -> None:
    zone = {"global": {"timeZone": "UTC"}}
    alone = notes(zone)
    umbrella = notes(zone, chart="airspark").splitlines()
    for line in alone.splitlines()[1:]:
        # The umbrella adds a connection, and so another Job.
        assert line in umbrella or "logs job/" in line, line


@pytest.mark.parametrize("chart", ["airflow", "airspark"])
def should_name_the_bootstrap_job_as_it_is(chart: str) -> None:
    manifest, said = _installed("{}", chart)
    (job,) = set(re.findall(r"^  name: (airspark-bootstrap-[0-9a-f]{8})$", manifest, re.MULTILINE))
    assert f"kubectl -n prod logs job/{job} --all-containers" in said


def should_leave_out_airflow_if_airflow_enabled_is_false() -> None:
    said = notes({"airflow": {"enabled": False}}, "airspark")
    assert "Airflow" not in said and "spark://airspark-spark-master:7077" in said


def should_leave_out_spark_if_spark_enabled_is_false() -> None:
    said = notes({"spark": {"enabled": False}}, "airspark")
    assert "spark-master" not in said and "Airflow 3.3.2" in said


def service(**values: Any) -> str:
    """Return the notes for a Service of the API server."""
    return notes({"apiServer": {"service": values}})


def should_forward_a_port_if_apiserver_service_type_is_clusterip() -> None:
    said = service(ports=[{"name": "ui", "port": 80, "targetPort": "api-server"}])
    assert "http://localhost:8080/" in said
    assert "kubectl -n prod port-forward service/airspark-api-server 8080:80" in said


def should_compute_the_address_if_apiserver_service_type_is_nodeport() -> None:
    said = service(type="NodePort")
    assert "kubectl get nodes" in said
    assert "get service airspark-api-server -o jsonpath='{.spec.ports[?(@.port==8080)].nodePort}'" in said


def should_wait_for_the_address_if_apiserver_service_type_is_loadbalancer() -> None:
    said = service(type="LoadBalancer")
    assert "wait --for=jsonpath='{.status.loadBalancer.ingress}' service/airspark-api-server" in said
    assert "{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}'):8080/" in said


def should_say_the_addresses_of_the_ingress_if_it_is_enabled() -> None:
    hosts = [{"name": "{{ .Release.Name }}.example.com", "tls": {"enabled": True}}, "plain.example.com"]
    values: Object = {
        "ingress": {"apiServer": {"enabled": True, "hosts": hosts}},
        "config": {"api": {"base_url": "https://x/flow"}},
    }
    lines = notes(values).splitlines()
    assert "  https://airspark.example.com/flow/" in lines
    assert "  http://plain.example.com/flow/" in lines
    assert "  http://<any host>/" in notes({"ingress": {"enabled": True}}).splitlines()


def should_say_the_addresses_of_the_route_if_it_is_enabled() -> None:
    route = {"enabled": True, "parentRefs": [{"name": "web"}], "hostnames": ["{{ .Release.Name }}.example.com"]}
    said = notes({"apiServer": {"httpRoute": route}, "config": {"api": {"base_url": "https://airspark.example.com"}}})
    assert "Through the Gateway web (kubectl -n prod describe httproute airspark-api-server-httproute):" in said
    assert "  https://airspark.example.com/" in said.splitlines()


def should_say_where_the_password_is_and_never_what() -> None:
    assert "get secret airspark-admin -o jsonpath='{.data.password}' | base64 -d" in notes()
    own = notes({"createUserJob": {"existingSecret": "mine"}})
    assert "user      kubectl -n prod get secret mine -o jsonpath='{.data.username}' | base64 -d" in own
    assert "base64" not in notes({"createUserJob": {"enabled": False}})


def should_say_how_to_log_in_if_auth_manager_is_oidc() -> None:
    config = {"api": {"base_url": "https://example.com/flow/"}}
    said = notes({"auth": {"manager": "oidc", "oidc": {**OIDC, "providerName": "company"}}, "config": config})
    assert "by the button `company`" in said
    assert "sends back to https://example.com/flow/auth/oauth-authorized/company" in said
    assert "/auth/token" in said and "base64 -d" in said


def should_say_from_which_repository_dags_come() -> None:
    said = notes({"dags": {"gitSync": {"enabled": True, "repo": "https://git.example.com/dags"}}})
    assert "from Git, https://git.example.com/dags" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "on the claim airspark-logs (ReadWriteOnce)"),
        ({"apiServer": {"replicas": 2}}, "on the claim airspark-logs (ReadWriteMany)"),
        ({"logs": {"persistence": {"existingClaim": "mine"}}}, "on the claim mine\n"),
        ({"logs": {"remote": {"enabled": True, "folder": "s3://logs/airflow"}}}, "sent to s3://logs/airflow"),
        ({"opensearch": {"enabled": True, "secretName": "s"}}, "in OpenSearch"),
        ({"config": {"logging": {"remote_logging": "True"}}}, "sent away, as settings say"),
        ({"dags": {"persistence": {"enabled": True}}}, "from the claim airspark-dags (ReadWriteOnce)"),
        ({"pgbouncer": {"enabled": True}}, "PgBouncer (1)"),
        ({"data": {"metadataSecretName": "db"}, "postgresql": {"enabled": False}}, "of the Secret db"),
    ],
    ids=lambda given: given.strip() if isinstance(given, str) else "",
)
def should_say_what_is_installed(values: Object, said: str) -> None:
    assert said in notes(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"auth": {"manager": "simple"}}, "ANYBODY WHO REACHES THE API SERVER IS AN ADMINISTRATOR (auth.manager: simple)"),
        (
            {"logs": {"persistence": {"enabled": False}, "emptyDirConfig": {"sizeLimit": "1Gi"}}},
            "Task logs are lost with their pods",
        ),
        (
            {"scheduler": {"replicas": 2}, "logs": {"persistence": {"accessMode": "ReadWriteOnce", "singleNode": True}}},
            "The claim airspark-logs is for the pods of one node",
        ),
        ({"dags": {"persistence": {"enabled": True}}}, "The claim airspark-dags is for the pods of one node"),
        ({"networkPolicies": {"enabled": False}}, "Every pod of the cluster may reach the database"),
        ({"workers": {"sparkSecret": True}}, "workers.sparkSecret is true, and there is no secret to hand to task pods"),
        (
            {"ingress": {"apiServer": {"enabled": True, "hosts": ["a.example.com"]}}},
            "Passwords for a.example.com travel in the clear",
        ),
        (
            {"ingress": {"apiServer": {"enabled": True, "path": "/flow"}}},
            "The Ingress serves /flow, and Airflow believes to be at /:",
        ),
    ],
    ids=["simple", "logs", "replicas", "dags", "policies", "secret", "tls", "path"],
)
def should_warn_of_what_is_not_fit_for_production(values: Object, said: str) -> None:
    assert not [warning for warning in warnings() if warning.startswith(said)]
    assert [warning for warning in warnings(values) if warning.startswith(said)]


def should_warn_of_the_charts_own_database_unless_another_is_brought() -> None:
    (warning,) = warnings()
    assert warning.startswith(DEFAULT_WARNING)
    assert not warnings({"data": {"metadataSecretName": "db"}, "postgresql": {"enabled": False}})
    assert "Mind:" not in notes({"data": {"metadataSecretName": "db"}, "postgresql": {"enabled": False}})


SPARK: Object = {"historyServer": {"enabled": True}, "mounts": {"events": {"claim": "events"}}}


def spark(**values: Any) -> str:
    """Return the notes of the Spark chart installed alone, with a history server."""
    return notes({**SPARK, **values}, "spark")


def should_tell_facts_then_checks_then_access_of_spark_alone() -> None:
    said = spark()
    marks = ["is installed", "a master and 2 workers, a history server", "rollout status", "helm -n prod test airspark"]
    marks += ["8083:8080", "18080:18080", "`networkPolicies.clients`"]
    places = [said.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "Mind:" not in said


def should_name_sparks_bootstrap_job_as_it_is() -> None:
    manifest, said = _installed(json.dumps(SPARK), "spark")
    (job,) = set(re.findall(r"^  name: (airspark-spark-bootstrap-[0-9a-f]{8})$", manifest, re.MULTILINE))
    assert f"kubectl -n prod logs job/{job}" in said


def should_say_the_addresses_of_sparks_ingresses() -> None:
    ingress = {"enabled": True, "hostname": "{{ .Release.Name }}.example.org", "tls": True}
    lines = spark(ingress=ingress, historyServer={"enabled": True, "ingress": ingress}).splitlines()
    assert lines.count("  or https://airspark.example.org/") == 2


def should_not_ask_for_clients_if_everybody_reaches_the_master() -> None:
    for policies in ({"enabled": False}, {"clients": [{"podSelector": {}}]}):
        assert "networkPolicies.clients" not in spark(networkPolicies=policies)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"security": {"rpc": {"authenticationEnabled": False}}}, "ANYBODY WHO REACHES THE MASTER MAY RUN ANY CODE"),
        ({"security": {"rpc": {"encryptionEnabled": False}}}, "Data travels between Spark's processes in the clear"),
        ({"master": {"persistence": {"enabled": False}}}, "A restarted master forgets its workers"),
        ({"master": {"rest": {"enabled": True}}}, "The submission server listens at port 6066"),
        ({"networkPolicies": {"enabled": False}}, "Every pod of the cluster may reach Spark's pods"),
        ({"ingress": {"enabled": True}}, "The pages of spark-master ask for no password"),
    ],
    ids=["authentication", "encryption", "recovery", "rest", "policies", "ingress"],
)
def should_warn_of_a_spark_that_is_not_fit_for_production(values: Object, said: str) -> None:
    assert f"  ! {said}" in spark(**values)
    shared = {"authSecretName": ""} if "authenticationEnabled" in str(values) else {}
    assert f"  ! {said}" in notes({"spark": values, "global": {"spark": shared}}, "airspark")
    assert said not in notes(chart="airspark")
