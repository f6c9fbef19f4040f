"""What is the platform's own, whatever values call it: each chart's table and admission policy know the names of the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from batches import values
from rendering import Object, env, find, pods, render

#: Names that values give, by their path, with the list that they belong to.
BROUGHT = {
    "airflow.data.metadataSecretName": ("secrets", "prod-db"),
    "airflow.fernetKeySecretName": ("secrets", "prod-fernet"),
    "airflow.scheduler.serviceAccount.name": ("serviceAccounts", "sched"),
    "airflow.backup.persistence.existingClaim": ("claims", "dumps"),
    "airflow.logs.persistence.existingClaim": ("claims", "team-logs"),
    "airflow.dags.persistence.existingClaim": ("claims", "team-dags"),
    "sparkOperator.controller.serviceAccount.name": ("serviceAccounts", "sparkctl"),
}
SCHEDULER_ENV = [{"name": "MAIL", "valueFrom": {"secretKeyRef": {"name": "mail-login", "key": "password"}}}]


def _tables(objects: list[Object]) -> dict[str, Any]:
    """Return what the scheduler and the controller hold pods to."""
    scheduler = env(pods(objects)["scheduler"]["spec"]["containers"][0])["AIRSPARK_POD_POLICY"]
    files = [item["data"].get("settings.json", "{}") for item in objects if item["kind"] == "ConfigMap" and item.get("data")]
    controller = next(settings["policy"] for settings in map(json.loads, files) if "policy" in settings)
    return {"scheduler": json.loads(scheduler), "controller": controller}


@pytest.fixture(scope="module")
def brought() -> list[Object]:
    given = {path: name for path, (_, name) in BROUGHT.items()}
    more = {
        "airflow.postgresql.enabled": False,
        "airflow.scheduler.env": SCHEDULER_ENV,
        "airflow.fullnameOverride": "flow",
        "global.platform.secrets": ["vault-*"],
    }
    return render(values({**given, **more}))


@pytest.mark.parametrize("path", BROUGHT)
def should_know_a_name_that_values_give_in_every_table_and_policy(brought: list[Object], path: str) -> None:
    kind, name = BROUGHT[path]
    for where, table in _tables(brought).items():
        assert name in table["platform"][kind], where
    policies = [item for item in brought if item["kind"] == "ValidatingAdmissionPolicy"]
    assert len(policies) == 2
    for policy in policies:
        assert f"|{name}" in json.dumps(policy), policy["metadata"]["name"]


def should_know_secrets_of_components_own_names_of_a_chart_and_what_is_listed(brought: list[Object]) -> None:
    for table in _tables(brought).values():
        assert {"mail-login", "flow-*", "vault-*"} <= set(table["platform"]["secrets"])


def should_keep_the_launcher_out_of_the_pod_of_helm_test() -> None:
    policy = find(render(), "ValidatingAdmissionPolicy", "airspark-launcher.airspark")
    (enters,) = [rule["expression"] for rule in policy["spec"]["validations"] if "CONNECT" in rule["expression"]]
    assert "airspark-helm-test.*" in enters and "airspark-postgresql.*" in enters


def should_leave_applications_what_is_theirs_where_they_run_elsewhere_alone() -> None:
    apart = render(values({"sparkOperator.spark.jobNamespaces": ["jobs"]}))
    assert _tables(apart)["controller"]["platform"] == {}
