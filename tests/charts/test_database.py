"""The metadata database: how it is reached, what removes old rows and pods, and dumps."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
from database import BOUNCER, CRONJOBS, EXTERNAL, JOBS, cron, made, merged, recipes
from rendering import CHARTS, NAMESPACE, Object, RenderError, env, find, nested, pods, render, text

SCRIPTS = CHARTS / "airspark/charts/airflow/files/scripts"
FILES = SCRIPTS.parent


def refusal(values: Object) -> str:
    """Return what Helm says about values that it refuses."""
    with pytest.raises(RenderError) as caught:
        render(values, chart="airflow")
    return str(caught.value)


def should_make_nothing_if_pgbouncer_and_the_cronjobs_are_not_enabled() -> None:
    names = {item["metadata"]["name"] for item in made()}
    parts = ("pgbouncer", *CRONJOBS.values())
    assert not [name for name in names if name.removeprefix("airspark-").startswith(parts) and not name.endswith("-policy")]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def should_make_valid_objects_if_everything_of_the_database_is_enabled(version: str) -> None:
    exporter = {"images": {"pgbouncerExporter": {"repository": "exporter", "tag": "1"}}, "pgbouncer": {"replicas": 2}}
    for item in made(BOUNCER, JOBS, EXTERNAL, exporter):
        kubernetes_validate.validate(item, version, strict=True)


# --- asynchronous sessions


def should_derive_the_asynchronous_url_beside_the_synchronous_one() -> None:
    for component, pod in pods(made()).items():
        variables = env(pod["spec"]["containers"][0])
        airflow = component in ("api-server", "scheduler", "dag-processor", "triggerer")
        assert ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD" in variables) == airflow, component
        assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC" not in variables, component


def should_prepare_no_statements_on_the_server_if_pgbouncer_is_enabled() -> None:
    container = pods(made(BOUNCER))["api-server"]["spec"]["containers"][0]
    module, name = env(container)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC"].split(".")
    assert f"/opt/airflow/config/{module}.py" in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert getattr(script(module), name) == {"prepare_threshold": None}


@pytest.mark.parametrize("key", ["sql_alchemy_conn_async", "sql_alchemy_conn_async_cmd"])
def should_leave_asynchronous_sessions_alone_if_the_configuration_says_how(key: str) -> None:
    container = pods(made(BOUNCER, path=f"config.database.{key}", value="x"))["api-server"]["spec"]["containers"][0]
    assert not [name for name in env(container) if "ASYNC" in name]


def script(name: str) -> Any:
    """Return one of the chart's scripts as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://u:p%40@h:5432/d?sslmode=verify-full&sslrootcert=/ca", "postgresql+psycopg://u:p%40@h:5432/d?sslmode=verify-full&sslrootcert=/ca"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("mysql://u:p@h/d", ""),
        ("", ""),
    ],
)  # fmt: skip
def should_change_nothing_but_the_driver_in_the_asynchronous_url(url: str, wanted: str) -> None:
    assert script("async_database").async_url(url) == wanted


def should_print_nothing_where_there_is_no_url() -> None:
    done = subprocess.run([sys.executable, SCRIPTS / "async_database.py"], capture_output=True, text=True, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- an external database


@pytest.mark.parametrize(("sslmode", "file"), [("require", None), ("verify-full", "/etc/ssl/certs/ca-certificates.crt")])
def should_name_the_public_authorities_if_sslmode_verifies_without_a_ca(sslmode: str, file: str | None) -> None:
    url = recipes(made(EXTERNAL, path="data.metadataConnection.sslmode", value=sslmode))["airspark-metadata"]["keys"][
        "connection"
    ]
    assert (url["host"], url["sslmode"], url.get("sslrootcert")) == ("db.example.org", sslmode, file)
    assert url["passwordFrom"] == "db"


def should_mount_the_ca_where_the_url_names_it_if_ca_secret_name_is_set() -> None:
    objects = made(EXTERNAL, BOUNCER, JOBS, path="data.metadataConnection.caSecretName", value="ca")
    url = recipes(objects)["airspark-metadata"]["keys"]["direct"]["sslrootcert"]
    specs = {name: pod["spec"] for name, pod in pods(objects).items()} | {key: cron(objects, key)[1] for key in CRONJOBS}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "bootstrap", "pgbouncer", "databaseCleanup", "backup"):
        mounts = {mount["name"]: mount["mountPath"] for mount in specs[name]["containers"][0]["volumeMounts"]}
        assert f"{mounts['database-ca']}/ca.crt" == url, name
        volume = next(item for item in specs[name]["volumes"] if item["name"] == "database-ca")
        assert volume["secret"]["secretName"] == "ca", name


def should_let_the_bootstrap_job_read_the_password_of_an_external_database_beside_an_idle_postgresql() -> None:
    objects = made(EXTERNAL, path="postgresql.enabled", value=True)
    rules = find(objects, "Role", "airspark-bootstrap-role")["rules"]
    assert [rule["verbs"] for rule in rules if "db" in rule.get("resourceNames", [])] == [["get"]]


def should_refuse_pgbouncer_with_a_sentence_if_it_cannot_read_the_password() -> None:
    values = merged(BOUNCER, {"data": {"metadataSecretName": "db"}})
    assert "pgbouncer.configSecretName: the password is in the Secret of `data.metadataSecretName`" in refusal(values)
    render(merged({"pgbouncer": {"configSecretName": "bouncer"}}, values), chart="airflow")


def should_check_the_name_of_the_charts_own_server_and_leave_another_one_as_the_official_chart_does() -> None:
    own = recipes(made())["airspark-metadata"]["keys"]["connection"]
    assert (own["sslmode"], own["sslrootcert"]) == ("verify-full", "/etc/airspark/database/ca.crt")
    other = recipes(made(EXTERNAL, path="data.metadataConnection.sslmode", value=""))["airspark-metadata"]["keys"]["connection"]
    assert (other["sslmode"], other.get("sslrootcert")) == ("disable", None)


# --- CronJobs


@pytest.mark.parametrize("key", CRONJOBS)
def should_run_one_at_a_time_and_restricted_if_the_cronjob_is_enabled(key: str) -> None:
    objects = made(JOBS)
    spec, pod = cron(objects, key)
    assert (spec["concurrencyPolicy"], spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == ("Forbid", 1, 1)
    assert spec["startingDeadlineSeconds"] == 3600 and pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["seccompProfile"] == {
        "type": "RuntimeDefault"
    }
    for container in pod["containers"]:
        security, resources = container["securityContext"], container["resources"]
        assert security["readOnlyRootFilesystem"] and security["capabilities"] == {"drop": ["ALL"]}
        assert not security["allowPrivilegeEscalation"] and resources["requests"] and resources["limits"]
    assert pod["serviceAccountName"] == f"airspark-airflow-{CRONJOBS[key]}"
    assert find(objects, "ServiceAccount", pod["serviceAccountName"])["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is (key == "cleanup")


@pytest.mark.parametrize("key", CRONJOBS)
def should_give_the_cronjob_what_its_keys_say(key: str) -> None:
    values = {
        "schedule": "{{ print 5 }} 3 * * *", "jobAnnotations": {"wave": "1"}, "annotations": {"of": "cronjob"},
        "podAnnotations": {"x": "{{ .Release.Name }}"}, "labels": {"team": "data"}, "nodeSelector": {"a": "b"},
        "priorityClassName": "low", "env": [{"name": "TZ", "value": "UTC"}], "resources": {"limits": {"memory": "3Gi"}},
        "command": ["sh"], "args": ["-c", "{{ .Release.Name }}"], "failedJobsHistoryLimit": 0, "successfulJobsHistoryLimit": 4,
        "ttlSecondsAfterFinished": 60, "serviceAccount": {"name": "mine", "create": False},
        "extraVolumes": [{"name": "more", "emptyDir": {}}], "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "containerLifecycleHooks": {"preStop": {"exec": {"command": ["true"]}}}, "tolerations": [{"key": "batch"}],
        "securityContexts": {"container": {"runAsUser": 7}, "pod": {"fsGroupChangePolicy": "Always"}},
    }  # fmt: skip
    objects = made(JOBS, {key: values})
    name = f"airspark-{CRONJOBS[key]}"
    spec, pod = cron(objects, key)
    container = pod["containers"][0]
    assert spec["schedule"] == "5 3 * * *" and spec["jobTemplate"]["metadata"]["annotations"] == {"wave": "1"}
    assert find(objects, "CronJob", name)["metadata"]["annotations"] == {"of": "cronjob"}
    assert find(objects, "CronJob", name)["metadata"]["labels"]["team"] == "data"
    assert spec["jobTemplate"]["spec"]["template"]["metadata"]["annotations"]["x"] == "airspark"
    assert (spec["failedJobsHistoryLimit"], spec["successfulJobsHistoryLimit"]) == (0, 4)
    assert spec["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] == 60
    assert (pod["nodeSelector"], pod["priorityClassName"], pod["tolerations"]) == ({"a": "b"}, "low", [{"key": "batch"}])
    assert pod["securityContext"]["fsGroupChangePolicy"] == "Always" and container["securityContext"]["runAsUser"] == 7
    assert (container["command"], container["args"]) == (["sh"], ["-c", "airspark"]) and env(container)["TZ"] == "UTC"
    assert container["resources"]["limits"]["memory"] == "3Gi" and container["lifecycle"]
    assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"]
    assert pod["serviceAccountName"] == "mine"
    assert not [item for item in objects if item["kind"] == "ServiceAccount" and item["metadata"]["name"] == "mine"]


def should_remove_task_pods_with_no_more_rights_than_that() -> None:
    objects = made(JOBS)
    _, pod = cron(objects, "cleanup")
    container = pod["containers"][0]
    assert (container["name"], container["args"]) == (
        "airflow-cleanup-pods",
        ["airflow", "kubernetes", "cleanup-pods", "--namespace", NAMESPACE],
    )
    assert not [name for name in env(container) if "SQL_ALCHEMY" in name or "KEY" in name]
    role = find(objects, "Role", "airspark-cleanup-role")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]}]
    binding = find(objects, "RoleBinding", "airspark-cleanup-rolebinding")
    assert [subject["name"] for subject in binding["subjects"]] == [pod["serviceAccountName"]]
    assert "airspark-cleanup-role" not in text(merged(JOBS, nested("rbac.create", False)), chart="airflow")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "--days -90 --verbose"),
        ({"retentionDays": 30}, "--days -30"),
        ({"skipArchive": True}, "--skip-archive"),
        ({"tables": ["log", "xcom"]}, "--tables log,xcom"),
        ({"batchSize": 10000}, "--batch-size 10000"),
    ],
)
def should_clean_the_database_as_the_keys_say(values: Object, words: str) -> None:
    shell, option, command = cron(made(JOBS, {"databaseCleanup": values}), "databaseCleanup")[1]["containers"][0]["args"]
    stub = 'date() { echo "--days ${2#--date=}"; }; airflow() { echo "$*"; }; exec() { "$@"; }; '
    done = subprocess.run([shell, option, stub + command], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()[-1]
    assert said.startswith("db clean --clean-before-timestamp --days -") and "--yes" in said
    assert words.replace("--verbose", "").strip() in said and "--verbose" in said, said


def should_be_silent_about_statements_if_database_cleanup_verbose_is_false() -> None:
    off = made(JOBS, path="databaseCleanup.verbose", value=False)
    assert "--verbose" not in cron(off, "databaseCleanup")[1]["containers"][0]["args"][2]


def should_keep_custom_variables_out_if_database_cleanup_apply_custom_env_is_false() -> None:
    custom = {"env": [{"name": "MINE", "value": "1"}], "extraEnv": "- {name: MORE, value: '1'}"}
    with_it = env(cron(made(JOBS, custom), "databaseCleanup")[1]["containers"][0])
    without = env(
        cron(made(JOBS, custom, path="databaseCleanup.applyCustomEnv", value=False), "databaseCleanup")[1]["containers"][0]
    )
    assert set(with_it) - set(without) == {"MINE", "MORE"} and "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in without


def should_dump_from_the_database_itself_with_its_own_image_if_backup_is_enabled() -> None:
    container = cron(made(JOBS), "backup")[1]["containers"][0]
    assert container["image"].startswith("airspark/postgres:") and env(container)["RETENTION"] == "7"
    assert env(container)["DATABASE_URL"]["secretKeyRef"] == {"name": "airspark-metadata", "key": "connection"}
    values = {"backup": {"image": {"repository": "mirror/postgres", "tag": "18"}, "retention": 3}}
    container = cron(made(JOBS, BOUNCER, values), "backup")[1]["containers"][0]
    assert container["image"] == "mirror/postgres:18" and env(container)["RETENTION"] == "3"
    assert env(container)["DATABASE_URL"]["secretKeyRef"]["key"] == "direct"
    assert container["args"][2] == (FILES / "backup.sh").read_text()


def should_keep_dumps_on_a_claim_that_outlives_the_release() -> None:
    values = {"backup": {"persistence": {"size": "3Gi", "storageClassName": "slow"}}}
    claim = find(made(JOBS, values), "PersistentVolumeClaim", "airspark-backup")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["resources"]["requests"]["storage"] == "3Gi" and claim["spec"]["storageClassName"] == "slow"
    brought = made(JOBS, path="backup.persistence.existingClaim", value="{{ .Release.Name }}-mine")
    assert not [
        item for item in brought if item["metadata"]["name"] == "airspark-backup" and item["kind"] == "PersistentVolumeClaim"
    ]
    volume = next(item for item in cron(brought, "backup")[1]["volumes"] if item["name"] == "backups")
    assert volume["persistentVolumeClaim"]["claimName"] == "airspark-mine"
