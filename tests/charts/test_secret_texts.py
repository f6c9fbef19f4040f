"""No value holds a secret: what looks like one is refused by one rule in all charts, with the key to use."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import RenderError, nested, text

REFERENCE = {"valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}
LOGIN = "https://user:hunter2@git.example/dags.git"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln"
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"

#: By chart: where it stands, what is set, the path that is named, what to use instead.
REFUSED: list[tuple[str, str, Any, str, str]] = [
    ("airflow", "config.smtp.smtp_password", "hunter2", "", "{envName: AIRFLOW__SMTP__SMTP_PASSWORD, secretName: …"),
    ("airflow", "config.core.fernet_key", "k", "", "`fernetKeySecretName`"),
    ("airflow", "config.api_auth.jwt_secret", "k", "", "`jwtSecretName`"),
    ("airflow", "config.api.secret_key", "k", "", "`apiSecretKeySecretName`"),
    ("airflow", "config.database.sql_alchemy_conn", "postgresql://u:hunter2@h/d", "", "`data.metadataSecretName`"),
    ("airflow", "config.secrets.backend_kwargs", '{"token": "hunter2"}', "", "AIRFLOW__SECRETS__BACKEND_KWARGS"),
    ("airflow", "config.smtp.smtp_password", 12345, "", "AIRFLOW__SMTP__SMTP_PASSWORD"),
    ("airflow", "connections.a", {"type": "http", "host": LOGIN}, "connections.a.host", "secretKeyRef"),
    ("airflow", "connections.a", {"type": "http", "extra": {"api_key": "x"}}, "connections.a.extra.api_key", "secretKeyRef"),
    ("airflow", "connections.a", {"type": "http", "extra": '{"client_secret": "x"}'}, "connections.a.extra", "secretKeyRef"),
    ("airflow", "connections.a", {"type": "aws", "extra": {"x": AWS}}, "connections.a.extra.x", "secretKeyRef"),
    ("airflow", "variables.slack_token", "hunter2", "", "secretKeyRef"),
    ("airflow", "variables.any", LOGIN, "", "secretKeyRef"),
    ("airflow", "variables.any", {"value": {"password": "hunter2"}}, "variables.any.value.password", "secretKeyRef"),
    ("airflow", "dags.gitSync", {"enabled": True, "repo": LOGIN}, "dags.gitSync.repo", "`dags.gitSync.credentialsSecret`"),
    ("airflow", "env", [{"name": "GIT_TOKEN", "value": "hunter2"}], "env[0].value", "in place of `value`"),
    ("airflow", "scheduler.env", [{"name": "X", "value": JWT}], "scheduler.env[0].value", "in place of `value`"),
    ("airflow", "extraEnv", "- {name: GIT_TOKEN, value: hunter2}", "extraEnv[0].value", "in place of `value`"),
    ("airflow", "extraSecrets", {"mine": {"stringData": {"password": "x"}}}, "extraSecrets.mine.stringData.password", "before"),
    ("airflow", "extraConfigMaps", {"mine": {"data": {"id_rsa": PEM}}}, "extraConfigMaps.mine.data.id_rsa", "in a Secret"),
    ("spark", "sparkConf", {"spark.x": LOGIN}, "sparkConf.spark.x", "`extraEnvVars`"),
    ("spark", "worker.extraEnvVars", [{"name": "A_TOKEN", "value": "x"}], "worker.extraEnvVars[0].value", "`extraEnvVars`"),
    ("spark-operator", "controller.env", [{"name": "A_TOKEN", "value": "x"}], "controller.env[0].value", "secretKeyRef"),
    ("spark-operator", "spark.defaults.sparkConf", {"spark.x": AWS}, "spark.defaults.sparkConf.spark.x", "secretKeyRef"),
    ("airspark", "x-mine", {"password": "hunter2"}, "x-mine.password", "in a Secret"),
    ("airspark", "airflow.variables.slack_token", "hunter2", "variables.slack_token", "secretKeyRef"),
]  # fmt: skip
TAKEN: list[tuple[str, str, Any]] = [
    ("airflow", "connections.a", {"type": "http", "password": REFERENCE, "extra": {"api_key": REFERENCE}}),
    ("airflow", "connections.a", {"type": "http", "host": "https://user@h:80/x", "extra": {"token_file": "/run/x"}}),
    ("airflow", "variables", {"slack_token": REFERENCE, "limit": 5, "empty_password": ""}),
    ("airflow", "config", {"core": {"fernet_key_cmd": ""}, "secrets": {"backend_kwargs": '{"url": "http://h"}'}}),
    ("airflow", "config.smtp.smtp_password_secret", "path/in/backend"),
    ("airflow", "env", [{"name": "GIT_TOKEN", **REFERENCE}, {"name": "X", "value": "postgresql://u:$(GIT_TOKEN)@h/d"}]),
    ("airflow", "extraEnv", "- {name: GIT_TOKEN, value: '{{ .Release.Name }}'}"),
    ("airflow", "extraSecrets", {"mine": {"data": "password: {{ .Release.Name | b64enc }}"}}),
    ("airflow", "dags.gitSync", {"enabled": True, "repo": "https://git.example/dags.git", "credentialsSecret": "mine"}),
    ("spark", "worker.extraEnvVars", [{"name": "A_TOKEN", **REFERENCE}]),
]


@pytest.mark.parametrize(("chart", "where", "value", "path", "instead"), REFUSED, ids=lambda one: str(one)[:40])
def should_refuse_what_looks_like_a_secret_and_name_the_key_to_use(
    chart: str, where: str, value: Any, path: str, instead: str
) -> None:
    with pytest.raises(RenderError) as problem:
        text(nested(where, value), chart=chart)
    said = [line for line in str(problem.value).splitlines() if "looks like a secret" in line]
    assert len(said) == 1 and said[0].startswith(f"{path or where}: ") and instead in said[0], str(problem.value)
    assert "hunter2" not in str(problem.value), "the sentence does not repeat the secret"


@pytest.mark.parametrize(("chart", "where", "value"), TAKEN, ids=lambda one: str(one)[:40])
def should_take_references_to_secrets_and_what_is_none(chart: str, where: str, value: Any) -> None:
    assert text(nested(where, value), chart=chart)
