"""What the pipelines are tried on: restricted servers, passwords in a Secret alone, input of the days that were asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airspark import sources
from airspark.project import Failure

PASSWORDS = {key: f"hidden-{key}" for key in sources.PASSWORDS}


def _containers() -> list[dict[str, Any]]:
    deployments = [item for item in sources.objects("Asia/Seoul") if item["kind"] == "Deployment"]
    return [container for item in deployments for container in item["spec"]["template"]["spec"]["containers"]]


def test_should_restrict_every_server_and_give_it_no_token() -> None:
    for item in sources.objects("Asia/Seoul"):
        if item["kind"] == "Deployment":
            spec = item["spec"]["template"]["spec"]
            assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"]
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in _containers():
        assert container["securityContext"] == sources.restricted()


def test_should_take_passwords_out_of_the_secret_alone() -> None:
    named = {
        one["valueFrom"]["secretKeyRef"]["key"]
        for container in _containers()
        for one in container.get("env", [])
        if "valueFrom" in one
    }
    assert named == set(sources.PASSWORDS)
    pod = sources.orders_pod("orders", ["2026-01-15"], 10, 7, "Asia/Seoul")
    assert "hidden" not in json.dumps([sources.objects("Asia/Seoul"), pod])
    assert {"name": "SOURCE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "sources", "key": "shop"}}} in (
        pod["spec"]["containers"][0]["env"]
    )


def test_should_have_the_days_of_the_platform_wherever_data_is_made() -> None:
    """Should give the platform's time zone as a value outside its namespace, where its ConfigMap cannot be read."""
    pod = sources.orders_pod("orders", ["2026-01-15"], 10, 7, "America/New_York")
    api = [item for item in sources.objects("America/New_York") if item["metadata"]["name"] == "shop-api"][0]
    for container in (*pod["spec"]["containers"], *api["spec"]["template"]["spec"]["containers"]):
        assert {"name": "AIRSPARK_TIME_ZONE", "value": "America/New_York"} in container["env"]
    everything = json.dumps([pod, sources.objects("America/New_York")])
    assert "configMapKeyRef" not in everything


def test_should_connect_airflow_to_every_server_by_its_name_in_its_namespace() -> None:
    services = {
        item["metadata"]["name"]: item["spec"]["ports"][0]["port"]
        for item in sources.objects("Asia/Seoul")
        if item["kind"] == "Service"
    }
    for connection in sources.connections(PASSWORDS):
        name, _, namespace = connection["host"].rpartition("://")[2].partition(".")
        assert namespace == sources.SOURCES and services[name] == connection["port"], connection["connection_id"]


def test_should_write_input_of_every_day_that_was_asked_for() -> None:
    assert sources.days("2026-02-27", "2026-03-01") == ["2026-02-27", "2026-02-28", "2026-03-01"]
    commands = [" ".join(command) for command in sources.generators(["2026-01-15", "2026-01-16"], 10, 7)]
    for day in ("2026-01-15", "2026-01-16"):
        assert any("generate_sales.py" in one and day in one for one in commands)
        assert any("generate_access_log.py" in one and day in one for one in commands)
    assert any("generate_clicks.py --date 2026-01-15 --days 2" in one for one in commands)


def test_should_refuse_days_that_go_backwards() -> None:
    with pytest.raises(Failure, match="FROM=2026-01-16 comes after TO=2026-01-15"):
        sources.days("2026-01-16", "2026-01-15")
