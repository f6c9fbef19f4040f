"""A setting of Airflow has the same effect whichever way it is given: by a key of the chart, by `config` or by a variable."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from cases import Rendered
from either_chart import BOTH, egress, made, notes, refusal
from rendering import Object, env

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
KEYCLOAK = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"
GIT = "airflow.providers.git.bundles.git.GitDagBundle"
WEB = {"ingress": {"apiServer": {"enabled": True, "hosts": [{"name": "flows.example.com"}]}}}
READERS = ("api-server", "scheduler", "triggerer")


def roads(section: str, settings: dict[str, str]) -> dict[str, Object]:
    """Return values that give settings by `config`, by `env`, by `extraEnv` and by a ConfigMap of `extraConfigMaps`."""
    names = {f"AIRFLOW__{section.upper()}__{key.upper()}": value for key, value in settings.items()}
    variables = [{"name": name, "value": value} for name, value in names.items()]
    return {
        "config": {"config": {section: settings}},
        "env": {"env": variables},
        "extraEnv": {"extraEnv": yaml.safe_dump(variables)},
        "extraEnvFrom": {"extraConfigMaps": {"more": {"data": names}}, "extraEnvFrom": "- configMapRef: {name: more}"},
    }


def _bundle(classpath: str, **kwargs: Any) -> str:
    return json.dumps([{"name": "team", "classpath": classpath, "kwargs": kwargs}])


LOGS = roads("logging", {"remote_logging": "True", "remote_base_log_folder": "s3://team-logs/airflow"})
BUNDLE = roads("dag_processor", {"dag_bundle_config_list": _bundle(GIT, repo_url="https://git.example.com/team/dags.git")})
LOGIN = roads("core", {"auth_manager": SIMPLE})


def _providers(found: Rendered) -> dict[str, str]:
    return {asked["package"].removeprefix("apache-airflow-providers-"): asked["key"] for asked in found.settings["providers"]}


@BOTH
@pytest.mark.parametrize("road", LOGS)
def should_treat_remote_logs_as_logs_remote_if_a_setting_asks_for_them(chart: str, road: str) -> None:
    found = made(chart, LOGS[road])
    assert {part: egress(found, part) for part in READERS} == dict.fromkeys(READERS, {(443, "TCP")})
    assert "LOGGING" in _providers(found)["amazon"].upper(), "the bootstrap looks for the provider and names the setting"
    assert not found.find("PersistentVolumeClaim", "airspark-logs"), "logs that are sent away need no claim"


@BOTH
@pytest.mark.parametrize("road", BUNDLE)
def should_treat_a_git_bundle_as_the_charts_own_if_a_setting_names_it(chart: str, road: str) -> None:
    found = made(chart, BUNDLE[road])
    assert egress(found, "dag-processor") == {(443, "TCP")}
    assert "git" in _providers(found)
    assert "from the bundles team" in notes(chart, BUNDLE[road])


@BOTH
@pytest.mark.parametrize("road", LOGIN)
def should_refuse_to_open_a_login_for_everybody_if_a_setting_asks_for_it(chart: str, road: str) -> None:
    said = refusal(chart, LOGIN[road] | WEB)
    assert "makes everybody an administrator without a login, and ingress.apiServer.enabled opens it" in said
    assert ("config.core.auth_manager: " in said) == (road == "config"), "the sentence names the key that was set"
    found = made(chart, LOGIN[road])
    assert "simple_auth_manager_all_admins = True" in found.cfg and "external_db_managers" not in found.cfg
    assert found.settings["authManager"] == "simple" and "airspark-admin" not in found.secrets
    assert "ANYBODY WHO REACHES THE API SERVER IS AN ADMINISTRATOR" in notes(chart, LOGIN[road])


@pytest.mark.parametrize(
    "door",
    [
        {"apiServer": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}},
        {"apiServer": {"service": {"type": "LoadBalancer"}}},
    ],
)
def should_refuse_every_door_if_a_setting_asks_for_no_login(door: Object) -> None:
    assert "makes everybody an administrator" in refusal("airflow", LOGIN["config"] | door)


def should_only_warn_if_the_simple_auth_manager_asks_for_passwords() -> None:
    values = {"config": {"core": {"auth_manager": SIMPLE, "simple_auth_manager_all_admins": "False"}}} | WEB
    assert refusal("airflow", values) == ""
    assert "The SimpleAuthManager is for development only" in notes("airflow", values)


def should_let_another_auth_manager_reach_its_server_if_a_setting_names_it() -> None:
    given = {"core": {"auth_manager": KEYCLOAK}, "keycloak_auth_manager": {"server_url": "https://id.example.com:8443"}}
    found = made("airflow", {"config": given} | WEB)
    assert (8443, "TCP") in egress(found, "api-server")
    assert "keycloak" in _providers(found) and found.settings["authManager"] == "other"
    assert "external_db_managers" not in found.cfg and "airspark-admin" not in found.secrets
    said = refusal("airflow", {"config": given, "users": {"ann": {"roles": ["Viewer"], "email": "a@example.org"}}})
    assert "users: the FAB auth manager alone keeps them" in said and "config.core.auth_manager" in said


CONNECTION = {"type": "aws", "extra": {"endpoint_url": "http://minio.example.com:9000"}}
PORTS: list[tuple[str, Object, str, set[tuple[int, str]]]] = [
    ("a folder of GCS", {"config": {"logging": {"remote_logging": "True", "remote_base_log_folder": "gs://b/l"}}}, "api-server",
     {(443, "TCP")}),
    ("a log group of CloudWatch", {"config": {"logging": {"remote_logging": True, "remote_base_log_folder": "cloudwatch://a"}}},
     "triggerer", {(443, "TCP")}),
    ("a store behind a connection of the chart's",
     {"connections": {"store": CONNECTION}, "config": {"logging": {"remote_logging": "True", "remote_base_log_folder": "s3://b/l",
                                                                   "remote_log_conn_id": "store"}}},
     "api-server", {(9000, "TCP")}),
    ("a store behind a connection of a variable",
     LOGS["config"] | {"env": [{"name": "AIRFLOW_CONN_AWS_DEFAULT", "value": "aws://?endpoint_url=http%3A%2F%2Fminio%3A9000"}]},
     "scheduler", {(9000, "TCP")}),
    ("a store behind a connection in JSON",
     LOGS["config"] | {"env": [{"name": "AIRFLOW_CONN_AWS_DEFAULT", "value": json.dumps({"conn_type": "aws", **CONNECTION})}]},
     "triggerer", {(9000, "TCP")}),
    ("an address of the store for all", LOGS["config"] | {"env": [{"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}]},
     "api-server", {(9000, "TCP")}),
    ("Elasticsearch", {"config": {"logging": {"remote_logging": "True"}, "elasticsearch": {"host": "http://es.example.com:9243"}}},
     "api-server", {(9243, "TCP")}),
    ("OpenSearch", {"config": {"logging": {"remote_logging": "True"}, "opensearch": {"host": "os.example.com", "port": "9201"}}},
     "api-server", {(9201, "TCP")}),
    ("logs switched off", {"config": {"logging": {"remote_logging": "False", "remote_base_log_folder": "s3://b/l"}}},
     "api-server", set()),
    ("a bundle over SSH",
     {"config": {"dag_processor": {"dag_bundle_config_list": _bundle(GIT, repo_url="git@example.com:t/d.git")}}},
     "dag-processor", {(22, "TCP")}),
    ("a bundle in S3", {"config": {"dag_processor": {"dag_bundle_config_list":
        _bundle("airflow.providers.amazon.aws.bundles.s3.S3DagBundle", aws_conn_id="store")}},
      "connections": {"store": CONNECTION}},
     "dag-processor", {(9000, "TCP")}),
    ("a local bundle", {"config": {"dag_processor": {"dag_bundle_config_list":
        _bundle("airflow.dag_processing.bundles.local.LocalDagBundle")}}}, "dag-processor", set()),
    ("a bundle in a Secret",
     {"secret": [{"envName": "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", "secretName": "s", "secretKey": "k"}]},
     "dag-processor", {(22, "TCP"), (443, "TCP")}),
    ("a server of statsd", {"config": {"metrics": {"statsd_on": "True", "statsd_host": "statsd.example.com"}}}, "scheduler",
     {(8125, "UDP")}),
    ("a collector by variables", {"env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4317"}]},
     "triggerer", {(4317, "TCP")}),
    ("a collector by settings", {"config": {"metrics": {"otel_on": "True", "otel_host": "collector", "otel_port": "4318"}}},
     "scheduler", {(4318, "TCP")}),
    ("a database by a variable",
     {"env": [{"name": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "value": "postgresql://a@db.example.com:6000/airflow"}],
      "enableBuiltInSecretEnvVars": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False}}, "scheduler", {(6000, "TCP")}),
    ("a database in a Secret",
     {"secret": [{"envName": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "secretName": "s", "secretKey": "k"}],
      "enableBuiltInSecretEnvVars": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False}}, "dag-processor", {(5432, "TCP")}),
    ("a secrets backend", {"config": {"secrets": {"backend": "airflow.providers.hashicorp.secrets.vault.VaultBackend",
        "backend_kwargs": '{"url": "http://vault.example.com:8200"}'}}}, "scheduler", {(8200, "TCP")}),
    ("a mail server", {"config": {"smtp": {"smtp_host": "mail.example.com", "smtp_port": "587"}}}, "dag-processor",
     {(587, "TCP")}),
    ("a lineage server", {"config": {"openlineage": {"transport": '{"type": "http", "url": "http://marquez:5000"}'}}},
     "scheduler", {(5000, "TCP")}),
]  # fmt: skip


@pytest.mark.parametrize("case", [case[0] for case in PORTS])
def should_open_the_port_of(case: str) -> None:
    """Should open the port of what a setting names, for those who talk to it, and no other."""
    _, values, component, ports = next(item for item in PORTS if item[0] == case)
    assert egress(made("airflow", values), component) == ports


@pytest.mark.parametrize(
    ("values", "package"),
    [
        ({"config": {"logging": {"remote_logging": "True", "remote_base_log_folder": "wasb-logs"}}}, "microsoft-azure"),
        ({"config": {"logging": {"remote_logging": "True", "remote_base_log_folder": "gs://b/l"}}}, "google"),
        ({"config": {"secrets": {"backend": "airflow.providers.hashicorp.secrets.vault.VaultBackend"}}}, "hashicorp"),
        (
            {
                "dagProcessor": {
                    "dagBundleConfigList": json.loads(_bundle("airflow.providers.google.cloud.bundles.gcs.GCSDagBundle"))
                }
            },
            "google",
        ),
        ({"logs": {"remote": {"enabled": True, "provider": "s3", "folder": "s3://b/l"}}}, "amazon"),
        ({"dags": {"gitSync": {"enabled": True, "repo": "https://git.example.org/d.git"}}}, "git"),
    ],
)
def should_look_for_the_provider_of_what_a_setting_names(values: Object, package: str) -> None:
    assert list(_providers(made("airflow", values))) == [package]


def should_say_that_a_secret_cannot_be_read_if_it_holds_a_setting() -> None:
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    said = notes("airflow", {"secret": [{"envName": name, "secretName": "s", "secretKey": "k"}]})
    assert f"{name} of `secret`: what a Secret holds cannot be read here" in said and "ports 22 and 443" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"config": {"api": {"port": "9999"}}}, 'config.api.port: it is "9999", and the chart\'s own key says "8080"'),
        ({"env": [{"name": "AIRFLOW__API__PORT", "value": "9999"}]}, "AIRFLOW__API__PORT of `env`: it is"),
        ({"config": {"logging": {"trigger_log_server_port": "1"}}}, "set `ports.triggererLogs`"),
        ({"config": {"core": {"executor": "LocalExecutor"}}}, "runs the KubernetesExecutor, not LocalExecutor; remove the line"),
        (
            {"logs": {"remote": {"enabled": True, "folder": "s3://a"}}, "config": {"logging": {"remote_base_log_folder": "s3://b"}}},
            "set `logs.remote.folder`",
        ),
        (
            {"dags": {"gitSync": {"enabled": True, "repo": "https://x/y.git"}}, **BUNDLE["config"]},
            "set `dags.gitSync` in its place, or switch `dags.gitSync.enabled` off",
        ),
        ({"auth": {"manager": "oidc"}, **LOGIN["config"]}, "set `auth.manager`"),
        ({"config": {"core": {"fernet_key": "k"}}}, "config.core.fernet_key: the variable AIRFLOW__CORE__FERNET_KEY"),
        ({"config": {"database": {"sql_alchemy_conn_cmd": "cat /x"}}}, "name a Secret in `data.metadataSecretName`"),
    ],
)  # fmt: skip
def should_refuse_a_setting_in_one_sentence_if_a_key_of_the_chart_says_otherwise(values: Object, said: str) -> None:
    assert said in refusal("airflow", values)


def should_take_a_setting_if_it_says_what_the_charts_key_says() -> None:
    values = {
        "ports": {"apiServer": 9000},
        "config": {"api": {"port": "{{ .Values.ports.apiServer }}"}, "core": {"executor": "KubernetesExecutor"}},
        "logs": {"remote": {"enabled": True, "folder": "s3://a"}},
    }
    assert refusal("airflow", values) == ""


def should_ask_over_https_if_the_api_server_has_a_certificate() -> None:
    found = made("airflow", {"config": {"api": {"ssl_cert": "/certs/tls.crt", "ssl_key": "/certs/tls.key"}}})
    assert "execution_api_server_url = https://" in found.cfg
    container = found.main("api-server")
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert "https://127.0.0.1:8080" in " ".join(container["livenessProbe"]["exec"]["command"])


@pytest.mark.parametrize("road", ["config", "env"])
def should_believe_the_proxy_if_the_base_url_is_https(road: str) -> None:
    found = made("airflow", roads("api", {"base_url": "https://flows.example.com/airflow"})[road])
    assert "--proxy-headers" in found.main("api-server")["args"] and "cookie_secure = True" in found.cfg
    assert "/airflow/execution/" in found.cfg
    assert found.main("api-server")["readinessProbe"]["httpGet"]["path"] == "/airflow/api/v2/monitor/health"


def should_let_keda_count_by_the_capacity_if_a_variable_sets_it() -> None:
    values = {"triggerer": {"keda": {"enabled": True}}, **roads("triggerer", {"capacity": "50"})["env"]}
    (trigger,) = made("airflow", values).find("ScaledObject", "airspark-triggerer")["spec"]["triggers"]
    assert "/ 50)" in trigger["metadata"]["query"]


def should_give_task_pods_the_index_if_a_variable_lets_them_write_to_it() -> None:
    index = {"elasticsearch": {"enabled": True, "secretName": "es"}}
    written = made("airflow", index | roads("elasticsearch", {"write_to_es": "True"})["env"])
    assert "AIRFLOW__ELASTICSEARCH__HOST" in env(written.main("worker"))
    assert "AIRFLOW__ELASTICSEARCH__HOST" not in env(made("airflow", index).main("worker"))
