"""Settings that would do nothing, or show a secret, without a word."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import RenderError, nested, text
from test_notes import notes, warnings

HOST = {"enabled": True, "hosts": [{"name": "a.example.org"}]}
PASSWORD = "postgresql://u:PW@h/d"
PGBOUNCER = {"pgbouncer": {"enabled": True}, "images": {"pgbouncerExporter": {"repository": "e", "tag": "1"}}}


def _ignored(values: dict[str, Any]) -> list[str]:
    return [line for line in warnings(values) if line.startswith("ignored: ingress.")]


def should_name_an_ingress_of_a_part_that_is_off() -> None:
    said = _ignored({"ingress": {"statsd": HOST, "pgbouncer": HOST}})
    assert len(said) == 2 and "set `statsd.enabled`" in said[0] and "set `pgbouncer.enabled`" in said[1]
    assert len(_ignored({"ingress": {"pgbouncer": HOST}, "pgbouncer": {"enabled": True}})) == 1
    assert _ignored({"ingress": {"statsd": HOST, "pgbouncer": HOST}, "statsd": {"enabled": True}, **PGBOUNCER}) == []
    assert _ignored({"ingress": {"statsd": {**HOST, "enabled": False}}}) == []


@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("shceduler", "scheduler"),
        ("databse", "database"),
        ("dagprocessor", "dag_processor"),
        ("kubernetes_executer", "kubernetes_executor"),
    ],
)
def should_name_a_section_of_config_that_looks_misspelt(section: str, meant: str) -> None:
    said = [line for line in warnings({"config": {section: {"a": "b"}}}) if line.startswith("config.")]
    assert said == [f"config.{section}: Airflow has no section of that name and ignores it; did you mean `{meant}`?"]


def should_take_sections_of_ones_own_and_of_airflow() -> None:
    values = {"config": {"mine": {"a": "b"}, "smtp": {"a": "b"}, "common.io": {"a": "b"}, "openlineage": {"a": "b"}}}
    assert "did you mean" not in notes(values)


VARIABLES = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (PASSWORD, "data.metadataSecretName"),
    "AIRFLOW__CORE__FERNET_KEY": ("k", "fernetKeySecretName"),
    "AIRFLOW__API__SECRET_KEY": ("k", "apiSecretKeySecretName"),
    "AIRFLOW__API_AUTH__JWT_SECRET": ("k", "jwtSecretName"),
}


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("where", ["env", "extraEnv", "scheduler.env"])
def should_refuse_a_variable_that_shows_a_secret_of_the_charts(name: str, where: str) -> None:
    value, key = VARIABLES[name]
    given: Any = f"- {{name: {name}, value: '{value}'}}" if where == "extraEnv" else [{"name": name, "value": value}]
    with pytest.raises(RenderError) as problem:
        text(nested(where, given), chart="airflow")
    said = [line for line in str(problem.value).splitlines() if ": " in line and not line.startswith("Error")]
    assert len(said) == 1 and said[0].startswith(f"{where}[0].value: {name} looks like a secret") and f"`{key}`" in said[0], said
    off = {**nested(where, given), "enableBuiltInSecretEnvVars": {name: False}}
    with pytest.raises(RenderError, match="looks like a secret"):
        text(off, chart="airflow")


@pytest.mark.parametrize("value", ["postgresql://u@h/d", "postgresql://u:$(PW)@h/d"])
def should_take_a_database_url_without_a_password_of_its_own(value: str) -> None:
    given = [
        {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "value": value},
    ]
    assert value in text({"env": given}, chart="airflow")
