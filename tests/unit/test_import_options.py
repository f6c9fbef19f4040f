"""`make import-values`: options of airflow.cfg, as lines of `config` and as variables, and the official chart's own texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from airspark.importing.translate import translate
from airspark.importing.work import CHANGED, DROPPED, RENAMED, SECRET, Imported
from airspark.values import shape

PASSWORD = "not-a-real-password"
MINE = {
    "api": {"base_url": "https://airflow.{{ .Release.Namespace }}.example.org"},
    "logging": {"remote_base_log_folder": "s3://logs/{{ .Release.Namespace }}"},
    "metrics": {"statsd_prefix": "af_{{ .Release.Namespace }}", "statsd_host": "{{ .Values.statsd.enabled }}.example.org"},
    "kubernetes_executor": {"namespace": "{{ .Release.Namespace }}-tasks"},
    "mine": {"namespace": "{{ .Release.Namespace }}", "executor": "{{ .Values.executor }}"},
}
OFFICIAL = {
    "core": {"dags_folder": '{{ include "airflow_dags" . }}', "executor": "{{.Values.executor}}"},
    "logging": {"remote_logging": '{{- ternary "True" "False" (or .Values.elasticsearch.enabled  .Values.opensearch.enabled) }}'},
    "metrics": {
        "statsd_on": '{{ ternary "True" "False" .Values.statsd.enabled }}',
        "statsd_host": '{{ printf "%s-statsd" (include "airflow.fullname" .) }}',
    },
    "kerberos": {"ccache": "{{ .Values.kerberos.ccacheMountPath }}/{{ .Values.kerberos.ccacheFileName }}"},
    "kubernetes": {"namespace": "{{ .Release.Namespace }}"},
    "kubernetes_executor": {
        "namespace": "{{ .Release.Namespace }}",
        "worker_container_tag": "{{ .Values.images.airflow.tag | default .Values.defaultAirflowTag }}",
    },
}
ALERT = """{{- if semverCompare ">=2.2.0" .Values.airflowVersion }}
{{- if not (or .Values.webserverSecretKey .Values.webserverSecretKeySecretName) }}
from airflow.www.utils import UIAlert

DASHBOARD_UIALERTS = [
  UIAlert(
    'A sentence about a key.'
    ' See <a href='
    '"https://airflow.apache.org/docs/">it</a>.',
    category="warning",
    roles=["Admin"],
    html=True,
  )
]
{{- end }}
{{- end }}"""


def imported(values: dict[str, Any]) -> Imported:
    """Values translated, which must fit the schema."""
    done = translate({"executor": "KubernetesExecutor", **values})
    assert shape.problems(done.values) == []
    return done


def airflow(done: Imported) -> dict[str, Any]:
    """The values of the Airflow chart."""
    found: dict[str, Any] = done.values["airflow"]
    return found


def rows(done: Imported) -> dict[str, tuple[str, str]]:
    """What is said of each key."""
    return {row.key: (row.what, row.note) for row in done.rows}


def test_should_keep_lines_of_airflow_cfg_if_their_templates_are_of_ones_own() -> None:
    assert airflow(imported({"config": MINE}))["config"] == MINE


def test_should_drop_lines_of_airflow_cfg_if_the_official_chart_has_them_itself() -> None:
    done = imported({"config": OFFICIAL})
    assert "config" not in airflow(done)
    assert {(what, note) for key, (what, note) in rows(done).items() if key.startswith("config.")} == {
        (DROPPED, "the official chart's own text; this chart computes it")
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("webserver.access_denied_message", "fab.access_denied_message"),
        ("webserver.navbar_text_hover_color", "fab.navbar_text_hover_color"),
        ("webserver.log_fetch_timeout_sec", "api.log_fetch_timeout_sec"),
        ("webserver.page_size", "api.fallback_page_limit"),
        ("scheduler.local_task_job_heartbeat_sec", "scheduler.task_instance_heartbeat_sec"),
        ("scheduler.max_threads", "dag_processor.parsing_processes"),
        ("scheduler.statsd_allow_list", "metrics.metrics_allow_list"),
        ("core.sql_alchemy_pool_recycle", "database.sql_alchemy_pool_recycle"),
        ("core.non_pooled_task_slot_count", "core.default_pool_task_slot_count"),
        ("kubernetes.worker_pods_pending_timeout", "scheduler.task_queued_timeout"),
        ("kubernetes_executor.worker_pods_pending_timeout", "scheduler.task_queued_timeout"),
        ("celery.stalled_task_timeout", "scheduler.task_queued_timeout"),
    ],
)
def test_should_rename_an_option_as_line_and_as_variable_if_airflow_3_reads_it_elsewhere(old: str, new: str) -> None:
    (section, option), (there, renamed) = old.split("."), new.split(".")
    done = imported({"config": {section: {option: "7"}}})
    assert airflow(done)["config"] == {there: {renamed: "7"}} and rows(done)[f"config.{old}"] == (RENAMED, f"config.{new}")
    before, after = (f"AIRFLOW__{name.replace('.', '__')}".upper() for name in (old, new))
    for path in ("env", "scheduler", "extraEnv"):
        item: Any = [{"name": before, "value": "7"}]
        given = {"env": {"env": item}, "scheduler": {"scheduler": {"env": item}}, "extraEnv": {"extraEnv": yaml.safe_dump(item)}}
        done = imported(given[path])
        assert json.dumps(airflow(done)).count(after) == 1 and f'"{before}"' not in json.dumps(airflow(done))
        assert rows(done)[f"{'scheduler.env' if path == 'scheduler' else path}[{before}]"] == (RENAMED, after)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("core.task_runner", "Airflow 3 does not read it"),
        ("core.load_default_connections", "Airflow 3 does not read it"),
        ("webserver.x_frame_enabled", "Airflow 3 does not read it"),
        ("webserver.access_logfile", "the API server writes its access log to its output"),
        ("smtp.smtp_password", "write the login into `connections.smtp_default`"),
        ("kubernetes.dags_in_image", "has no such option"),
        ("celery.broker_url", "only the CeleryExecutor reads it"),
    ],
)
def test_should_drop_an_option_as_line_and_as_variable_if_airflow_3_does_not_read_it(option: str, why: str) -> None:
    section, name = option.split(".")
    variable = f"AIRFLOW__{section}__{name}".upper()
    done = imported({"config": {section: {name: PASSWORD}}, "env": [{"name": variable, "value": PASSWORD}]})
    assert "config" not in airflow(done) and "env" not in airflow(done) and not done.secrets
    for key in (f"config.{option}", f"env[{variable}]"):
        assert rows(done)[key][0] == DROPPED and why in rows(done)[key][1]


def test_should_count_a_sessions_days_in_minutes_if_airflow_3_does() -> None:
    done = imported({"config": {"webserver": {"session_lifetime_days": 3}}})
    assert airflow(done)["config"] == {"fab": {"session_lifetime_minutes": "4320"}}
    assert rows(done)["config.webserver.session_lifetime_days"] == (RENAMED, "config.fab.session_lifetime_minutes; in minutes")


def test_should_name_the_fab_providers_ways_to_log_in_if_the_file_names_those_of_airflow_2() -> None:
    old = "airflow.api.auth.backend."
    done = imported({"config": {"api": {"auth_backends": f"{old}basic_auth, {old}session"}}})
    new = "airflow.providers.fab.auth_manager.api.auth.backend."
    assert airflow(done)["config"] == {"fab": {"auth_backends": f"{new}basic_auth, {new}session"}}
    done = imported({"env": [{"name": "AIRFLOW__API__AUTH_BACKENDS", "value": f"{old}deny_all"}]})
    assert "env" not in airflow(done) and rows(done)["env[AIRFLOW__API__AUTH_BACKENDS]"][0] == DROPPED


@pytest.mark.parametrize("quoted", [True, False])
def test_should_drop_a_default_of_airflow_2_if_airflow_3_finds_no_log_with_it(quoted: bool) -> None:
    index = {"elasticsearch": {"log_id_template": "{dag_id}_{task_id}_{execution_date}_{try_number}"}}
    words = ("ti.dag_id", "ti.task_id", "ts", "try_number")
    path = "/".join(f"{{{{ '{{{{ {word} }}}}' }}}}" if quoted else f"{{{{ {word} }}}}" for word in words) + ".log"
    done = imported({"config": {**index, "logging": {"log_filename_template": path}}})
    assert "config" not in airflow(done)


def test_should_name_a_secret_by_its_place_in_the_file_if_a_variable_before_it_is_dropped() -> None:
    env = [{"name": "AIRFLOW__CELERY__BROKER_URL", "value": "redis://r/0"}, {"name": "A_TOKEN", "value": PASSWORD}]
    for given in ({"env": env}, {"extraEnv": yaml.safe_dump(env)}):
        done = imported(given)
        (path,) = given
        assert rows(done)[f"{path}[1]"][0] == SECRET
        left = airflow(done)[path]
        (item,) = yaml.safe_load(left) if path == "extraEnv" else left
        assert item["valueFrom"]["secretKeyRef"] == {"name": "imported-environment", "key": "A_TOKEN"}
    done = imported(
        {"env": [*env, {"name": "B", "value": "b"}], "extraEnv": yaml.safe_dump([env[0], {"name": "C", "value": "c"}])}
    )
    names = [item["name"] for item in airflow(done)["env"]]
    assert names == ["A_TOKEN", "B"] and airflow(done)["extraEnv"] == "- name: C\n  value: c\n"


def test_should_keep_the_newer_variable_if_both_are_there() -> None:
    env = [{"name": "AIRFLOW__WEBSERVER__BASE_URL", "value": "a"}, {"name": "AIRFLOW__API__BASE_URL", "value": "b"}]
    done = imported({"env": env})
    assert airflow(done)["env"] == env[1:]
    assert rows(done)["env[AIRFLOW__WEBSERVER__BASE_URL]"] == (DROPPED, "`AIRFLOW__API__BASE_URL` is set, and counts")


def test_should_rename_a_variable_that_a_command_or_a_secret_brings() -> None:
    names = ["AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD", "AIRFLOW__CORE__REMOTE_LOG_CONN_ID"]
    secret = [{"envName": names[1], "secretName": "s", "secretKey": "k"}]
    done = imported({"env": [{"name": names[0], "value": "cat /x"}], "secret": secret})
    assert airflow(done)["env"] == [{"name": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "value": "cat /x"}]
    assert airflow(done)["secret"] == [{**secret[0], "envName": "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"}]


def test_should_rename_variables_in_a_template_and_say_which_have_no_effect() -> None:
    items = "- name: AIRFLOW__WEBSERVER__BASE_URL\n  value: x\n- {name: AIRFLOW__CORE__TASK_RUNNER, value: x}"
    text = f"{{{{- range list 1 }}}}\n{items}\n{{{{- end }}}}"
    done = imported({"extraEnv": text})
    assert airflow(done)["extraEnv"] == text.replace("WEBSERVER__BASE_URL", "API__BASE_URL")
    what, note = rows(done)["extraEnv[AIRFLOW__CORE__TASK_RUNNER]"]
    assert what == CHANGED and "has no effect: Airflow 3 does not read it; remove it" in note


@pytest.mark.parametrize("name", ["AIRFLOW__WEBSERVER__SECRET_KEY", "AIRFLOW__API__SECRET_KEY"])
def test_should_make_the_api_servers_secret_of_a_variable_with_its_key(name: str) -> None:
    item = [{"name": name, "value": PASSWORD}]
    for given in ({"env": item}, {"extraEnv": yaml.safe_dump(item)}):
        done = imported(given)
        assert airflow(done)["apiSecretKeySecretName"] == "imported-api-secret-key"
        assert [secret.data for secret in done.secrets] == [{"api-secret-key": PASSWORD}]
        assert PASSWORD not in json.dumps(done.values) + repr(done.rows) and rows(done)["apiSecretKey"][0] == SECRET
    reference = {"valueFrom": {"secretKeyRef": {"name": "mine", "key": "api-secret-key"}}}
    assert airflow(imported({"env": [{"name": name, **reference}]}))["apiSecretKeySecretName"] == "mine"
    reference["valueFrom"]["secretKeyRef"]["key"] = "webserver-secret-key"
    assert airflow(imported({"env": [{"name": name, **reference}]}))["env"] == [{"name": "AIRFLOW__API__SECRET_KEY", **reference}]


@pytest.mark.parametrize("condition", ['semverCompare ">=2.2.0"', 'semverCompare "<3.0.0"'])
def test_should_drop_the_official_charts_local_settings(condition: str) -> None:
    done = imported({"airflowLocalSettings": ALERT.replace('semverCompare ">=2.2.0"', condition)})
    assert "airflowLocalSettings" not in airflow(done) and rows(done)["airflowLocalSettings"][0] == DROPPED


def test_should_say_that_no_component_would_start_if_local_settings_of_ones_own_import_the_webserver() -> None:
    own = "from airflow.www.utils import UIAlert\nDASHBOARD_UIALERTS = [UIAlert('hello')]\n"
    for text in (own, f"{ALERT}\n{own}"):
        done = imported({"airflowLocalSettings": text})
        assert airflow(done)["airflowLocalSettings"] == text
        what, note = rows(done)["airflowLocalSettings"]
        assert what == CHANGED and "no component would start" in note and "airflow.api_fastapi.common.types" in note
    assert rows(imported({"airflowLocalSettings": "X = 1\n"}))["airflowLocalSettings"][0] == "kept"


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ({}, ""),
        ({"config": {"core": {"default_timezone": "Europe/Berlin"}}}, "Europe/Berlin"),
        ({"config": {"core": {"default_timezone": "utc"}}}, ""),
        ({"config": {"core": {"default_timezone": "{{ .Values.zone }}"}}, "zone": "UTC"}, ""),
        ({"env": [{"name": "AIRFLOW__CORE__DEFAULT_TIMEZONE", "value": "Asia/Tokyo"}]}, "Asia/Tokyo"),
    ],
)
def test_should_write_out_the_zone_of_the_official_chart(given: dict[str, Any], zone: str) -> None:
    done = imported(given)
    assert done.values["global"] == {"timeZone": zone}
    said = [row for row in done.rows if "timeZone" in row.key + row.note]
    assert len(said) == 1 and "CronJobs" in said[0].note
