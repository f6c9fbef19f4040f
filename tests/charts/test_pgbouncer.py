"""PgBouncer: its Deployment, Service and configuration."""

from __future__ import annotations

import subprocess
from typing import Any

from database import BOUNCER, EXTERNAL, bouncer, ini, made, recipes
from rendering import NAMESPACE, env, find, pods
from test_notes import warnings


def should_send_airflow_through_pgbouncer_and_the_bootstrap_job_past_it_if_it_is_enabled() -> None:
    objects = made(BOUNCER)
    keys = recipes(objects)["airspark-metadata"]["keys"]
    there = f"airspark-pgbouncer.{NAMESPACE}.svc"
    assert (keys["connection"]["host"], keys["connection"]["port"], keys["connection"]["database"]) == (
        there,
        6543,
        "airspark-metadata",
    )
    assert (keys["direct"]["host"], keys["direct"]["port"]) == (f"airspark-postgresql.{NAMESPACE}.svc", 5432)
    url = {
        name: env(pod["spec"]["containers"][0]).get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") for name, pod in pods(objects).items()
    }
    assert url["bootstrap"]["secretKeyRef"]["key"] == "direct"
    assert {url[name]["secretKeyRef"]["key"] for name in ("api-server", "scheduler", "dag-processor", "triggerer")} == {
        "connection"
    }


def should_let_pgbouncer_log_in_with_the_password_of_the_database() -> None:
    users = recipes(made(BOUNCER))["airspark-pgbouncer-config"]["keys"]["users.txt"]
    assert users["text"] == '"airflow" "{password}"\n'
    assert users["values"]["password"] == {"secret": "airspark-postgresql", "key": "password", "encode": "doubledQuotes"}
    users = recipes(made(BOUNCER, EXTERNAL))["airspark-pgbouncer-config"]["keys"]["users.txt"]
    assert users["values"]["password"]["secret"] == "db"


def should_pool_by_transaction_with_the_documented_defaults() -> None:
    settings = ini(made(BOUNCER))
    assert settings["database"] == f"host=airspark-postgresql.{NAMESPACE}.svc dbname=airflow port=5432 pool_size=10"
    wanted = {
        "pool_mode": "transaction", "listen_addr": "*", "listen_port": "6543", "unix_socket_dir": "", "max_client_conn": "100",
        "auth_type": "scram-sha-256", "auth_file": "/etc/pgbouncer/users.txt", "stats_users": "airflow",
        "client_tls_sslmode": "require", "client_tls_cert_file": "/etc/airspark/tls/tls.crt",
        "server_tls_sslmode": "verify-full", "server_tls_ca_file": "/etc/airspark/database/ca.crt",
        "verbose": "0", "log_connections": "0", "log_disconnections": "0",
        "ignore_startup_parameters": "extra_float_digits",
    }  # fmt: skip
    assert {key: settings.get(key) for key in wanted} == wanted
    assert "server_tls_ciphers" not in settings


def should_write_pgbouncer_ini_as_the_keys_say() -> None:
    values = {
        "pgbouncer": {
            "maxClientConn": 400, "verbose": 2, "logConnections": True, "logDisconnections": 1, "auth_type": "md5",
            "auth_file": "/secrets/users.txt", "ciphers": "HIGH:!aNULL", "metadataPoolSize": 25,
            "extraIni": "server_idle_timeout = 300\nlisten_backlog = {{ .Values.pgbouncer.maxClientConn }}",
            "extraIniMetadata": "max_db_connections=30",
        },
        "ports": {"pgbouncer": 6432},
        "data": {"metadataConnection": {"user": "etl", "host": "other", "port": 5433, "db": "meta", "sslmode": "verify-full"}},
    }  # fmt: skip
    settings = ini(made(BOUNCER, EXTERNAL, values))
    assert settings["database"] == "host=other dbname=meta port=5433 pool_size=25 max_db_connections=30"
    wanted = {
        "max_client_conn": "400", "verbose": "2", "log_connections": "1", "log_disconnections": "1", "auth_type": "md5",
        "auth_file": "/secrets/users.txt", "server_tls_ciphers": "HIGH:!aNULL", "server_idle_timeout": "300",
        "listen_backlog": "400", "listen_port": "6432", "stats_users": "etl", "server_tls_sslmode": "verify-full",
        "server_tls_ca_file": "/etc/ssl/certs/ca-certificates.crt",
    }  # fmt: skip
    assert {key: settings.get(key) for key in wanted} == wanted


def should_let_pgbouncer_verify_by_a_ca_of_its_own_if_ca_secret_name_and_sslmode_are_set() -> None:
    values = {"pgbouncer": {"sslmode": "verify-ca", "logConnections": 1}, "data": {"metadataConnection": {"caSecretName": "ca"}}}
    settings = ini(made(BOUNCER, EXTERNAL, values))
    assert (settings["server_tls_sslmode"], settings["server_tls_ca_file"]) == ("verify-ca", "/etc/airspark/database/ca.crt")
    assert settings["log_connections"] == "1"


def should_take_the_configuration_from_a_secret_if_config_secret_name_is_set() -> None:
    objects = made(BOUNCER, path="pgbouncer.configSecretName", value="{{ .Release.Name }}-mine")
    assert recipes(objects)["airspark-mine"]["brought"] and "airspark-pgbouncer-config" not in recipes(objects)
    volume = next(item for item in bouncer(objects)["volumes"] if item["name"] == "pgbouncer-config")
    assert volume["secret"]["secretName"] == "airspark-mine"


def should_mount_no_configuration_if_mount_config_secret_is_false() -> None:
    spec = bouncer(made(BOUNCER, path="pgbouncer.mountConfigSecret", value=False))
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp", "database-tls", "database-ca"]
    assert "livenessProbe" not in spec["containers"][0] and "env" not in spec["containers"][0]


def should_restart_pgbouncer_if_its_configuration_changed(tmp_path: Any) -> None:
    container = bouncer(made(BOUNCER))["containers"][0]
    variables = {"pgbouncer.ini": "STARTED_WITH_INI", "users.txt": "STARTED_WITH_USERS"}
    assert {variable: env(container)[variable]["secretKeyRef"]["key"] for variable in variables.values()} == {
        variable: key for key, variable in variables.items()
    }
    shell, option, script = container["livenessProbe"]["exec"]["command"]
    given = {"PATH": "/usr/bin:/bin", "STARTED_WITH_INI": "[a]\nb = 1\n", "STARTED_WITH_USERS": '"u" "100% \\n"\n'}
    for key, variable in variables.items():
        (tmp_path / key).write_text(given[variable])
    command = [shell, option, script.replace("/etc/pgbouncer", str(tmp_path))]
    assert subprocess.run(command, env=given).returncode == 0
    (tmp_path / "users.txt").write_text('"u" "new"\n')
    assert subprocess.run(command, env=given).returncode == 1


def should_serve_pgbouncer_under_the_documented_name_and_port() -> None:
    service = find(made(BOUNCER, path="ports.pgbouncer", value=6432), "Service", "airspark-pgbouncer")
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("pgbouncer", 6432)]
    extra = {"pgbouncer": {"service": {"extraAnnotations": {"a": "{{ .Release.Name }}"}, "clusterIp": "10.96.40.40"}}}
    service = find(made(BOUNCER, extra), "Service", "airspark-pgbouncer")
    assert service["metadata"]["annotations"] == {"a": "airspark"} and service["spec"]["clusterIP"] == "10.96.40.40"


def should_give_pgbouncer_a_disruption_budget_and_spread_if_it_has_several_pods() -> None:
    assert not [item for item in made(BOUNCER) if item["metadata"]["name"] == "airspark-pgbouncer-pdb"]
    objects = made(BOUNCER, path="pgbouncer.replicas", value=2)
    assert find(objects, "PodDisruptionBudget", "airspark-pgbouncer-pdb")["spec"]["maxUnavailable"] == 1
    assert find(objects, "Deployment", "airspark-pgbouncer")["spec"]["replicas"] == 2
    assert bouncer(objects)["topologySpreadConstraints"]


def should_give_pgbouncers_pod_what_its_keys_say() -> None:
    values = {
        "pgbouncer": {
            "uid": 10001, "command": ["sh"], "args": ["-c", "{{ .Release.Name }}"], "env": [{"name": "TZ", "value": "UTC"}],
            "nodeSelector": {"a": "b"}, "priorityClassName": "high", "terminationGracePeriodSeconds": 45,
            "extraVolumes": [{"name": "more", "emptyDir": {}}], "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraContainers": [{"name": "proxy", "image": "proxy:1"}], "resources": {"limits": {"memory": "1Gi"}},
            "podAnnotations": {"x": "y"}, "labels": {"team": "data"}, "annotations": {"of": "workload"},
            "revisionHistoryLimit": 7, "strategy": {"type": "Recreate"},
            "containerLifecycleHooks": {"preStop": {"exec": {"command": ["sleep", "30"]}}},
            "serviceAccount": {"name": "mine", "annotations": {"role": "r"}, "automountServiceAccountToken": True},
            "securityContexts": {"pod": {"fsGroupChangePolicy": "Always"}, "container": {"runAsUser": 7}},
        },
        "images": {"pgbouncer": {"repository": "mirror/pgbouncer", "tag": "1.25"}},
    }  # fmt: skip
    objects = made(BOUNCER, values)
    deployment = find(objects, "Deployment", "airspark-pgbouncer")
    spec, container = bouncer(objects), bouncer(objects)["containers"][0]
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["fsGroupChangePolicy"]) == (10001, "Always")
    assert (container["command"], container["args"], container["image"]) == (["sh"], ["-c", "airspark"], "mirror/pgbouncer:1.25")
    assert env(container)["TZ"] == "UTC" and container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "30"]
    assert (spec["nodeSelector"], spec["priorityClassName"], spec["terminationGracePeriodSeconds"]) == ({"a": "b"}, "high", 45)
    assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"] and spec["containers"][1]["name"] == "proxy"
    assert container["resources"]["limits"]["memory"] == "1Gi" and container["securityContext"]["runAsUser"] == 7
    assert pods(objects)["pgbouncer"]["metadata"]["annotations"]["x"] == "y"
    assert deployment["metadata"]["labels"]["team"] == "data" and deployment["metadata"]["annotations"] == {"of": "workload"}
    assert deployment["spec"]["revisionHistoryLimit"] == 7 and deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert spec["serviceAccountName"] == "mine" and spec["automountServiceAccountToken"] is True
    assert find(objects, "ServiceAccount", "mine")["metadata"]["annotations"] == {"role": "r"}


def should_give_pgbouncer_no_token_and_the_last_word_to_running_transactions_by_default() -> None:
    spec = bouncer(made(BOUNCER))
    assert spec["automountServiceAccountToken"] is False and spec["terminationGracePeriodSeconds"] == 120
    assert spec["serviceAccountName"] == "airspark-airflow-pgbouncer"


def should_run_the_metrics_exporter_if_its_image_is_named() -> None:
    assert len(bouncer(made(BOUNCER))["containers"]) == 1
    image = {"images": {"pgbouncerExporter": {"repository": "mirror/exporter", "tag": "0.19.0"}}}
    sidecar = {"sslmode": "prefer", "livenessProbe": {"periodSeconds": 21}, "resources": {"limits": {"memory": "99Mi"}}}
    objects = made(BOUNCER, image, {"pgbouncer": {"metricsExporterSidecar": sidecar}})
    exporter = bouncer(objects)["containers"][1]
    assert (exporter["name"], exporter["image"]) == ("metrics-exporter", "mirror/exporter:0.19.0")
    assert env(exporter)["DATABASE_URL"]["secretKeyRef"] == {"name": "airspark-pgbouncer-stats", "key": "connection"}
    assert exporter["livenessProbe"]["periodSeconds"] == 21 and exporter["livenessProbe"]["timeoutSeconds"] == 1
    assert exporter["resources"]["limits"]["memory"] == "99Mi" and exporter["ports"][0]["containerPort"] == 9127
    url = recipes(objects)["airspark-pgbouncer-stats"]["keys"]["connection"]
    assert (url["host"], url["port"], url["database"], url["sslmode"]) == ("127.0.0.1", 6543, "pgbouncer", "prefer")
    ports = find(objects, "Service", "airspark-pgbouncer")["spec"]["ports"]
    assert [(port["name"], port["port"]) for port in ports] == [("pgbouncer", 6543), ("metrics", 9127)]
    brought = {"statsSecretName": "stats", "statsSecretKey": "uri"}
    objects = made(BOUNCER, image, {"pgbouncer": {"metricsExporterSidecar": brought}, "ports": {"pgbouncerScrape": 9187}})
    assert recipes(objects)["stats"]["brought"] and list(recipes(objects)["stats"]["keys"]) == ["uri"]
    assert bouncer(objects)["containers"][1]["ports"][0]["containerPort"] == 9187


def should_annotate_the_secrets_it_makes_if_annotations_are_set() -> None:
    image = {"images": {"pgbouncerExporter": {"repository": "exporter", "tag": "1"}}}
    noted = {
        "pgbouncer": {"configSecretAnnotations": {"a": "b"}, "metricsExporterSidecar": {"statsSecretAnnotations": {"c": "d"}}}
    }
    found = recipes(made(BOUNCER, image, noted))
    assert found["airspark-pgbouncer-config"]["annotations"] == {"a": "b"}
    assert found["airspark-pgbouncer-stats"]["annotations"] == {"c": "d"}


def should_say_that_no_exporter_runs_if_it_is_set_up_without_its_image() -> None:
    sidecar = {"pgbouncer": {"enabled": True, "metricsExporterSidecar": {"sslmode": "disable"}}}
    assert any("pgbouncer.metricsExporterSidecar is set, and no exporter runs" in line for line in warnings(sidecar))
    image = {"images": {"pgbouncerExporter": {"repository": "exporter", "tag": "1"}}}
    for silent in ({**sidecar, **image}, {"pgbouncer": {"enabled": True}}):
        assert not any("exporter" in line for line in warnings(silent))
