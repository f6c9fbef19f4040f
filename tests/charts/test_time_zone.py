"""`global.timeZone` is the one place that names a zone: Airflow, Spark, its applications and the CronJobs follow it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rendering import Object, RenderError, cfg, containers, env, find, nested, render, task_pod

SESSION = "spark.sql.session.timeZone"
ALL = {
    "airflow": {"cleanup": {"enabled": True}, "databaseCleanup": {"enabled": True}},
    "global": {"spark": {"connect": {"enabled": True}}},
}
COMPONENTS = ("scheduler", "api-server", "dag-processor", "triggerer", "base", "spark-worker", "spark-master", "spark-connect")


def in_zone(zone: str | None, chart: str = "airspark", values: Object | None = None) -> list[Object]:
    """Return the objects with that zone; None leaves the chart's default."""
    given: Object = json.loads(json.dumps(values or {}))
    if zone is not None:
        given.setdefault("global", {})["timeZone"] = zone
    return render(given, chart)


def zones(objects: list[Object]) -> dict[str, Any]:
    """Return the zone that each container's environment names."""
    everywhere = [*objects, task_pod(objects)]
    return {
        container["name"]: env(container).get("AIRSPARK_TIME_ZONE") for pod in everywhere for _, container, _ in containers([pod])
    }


def spark_conf(objects: list[Object], name: str) -> dict[str, str]:
    """Return the properties of a ConfigMap's spark-defaults.conf."""
    lines = find(objects, "ConfigMap", name)["data"]["spark-defaults.conf"].splitlines()
    return dict(line.split(" ", 1) for line in lines)


def application_conf(objects: list[Object]) -> dict[str, Any]:
    """Return the properties that the controller gives applications."""
    settings = find(objects, "ConfigMap", "airspark-spark-operator")["data"]["settings.json"]
    found: dict[str, Any] = json.loads(settings)["defaults"]["sparkConf"]
    return found


@pytest.mark.parametrize(("given", "zone"), [(None, "Asia/Seoul"), ("UTC", "UTC"), ("America/New_York", "America/New_York")])
def test_should_reach_airflow_spark_applications_and_cronjobs(given: str | None, zone: str) -> None:
    objects = in_zone(given, values=ALL)
    assert f"\ndefault_timezone = {zone}\n" in cfg(objects)
    found = zones(objects)
    assert {name: found[name] for name in COMPONENTS} == dict.fromkeys(COMPONENTS, zone)
    for name in ("airspark-spark-client", "airspark-spark-config", "airspark-spark-connect"):
        assert spark_conf(objects, name)[SESSION] == spark_conf(objects, name)["spark.executorEnv.AIRSPARK_TIME_ZONE"] == zone
    assert (
        application_conf(objects).items()
        >= {
            SESSION: zone,
            "spark.kubernetes.driverEnv.AIRSPARK_TIME_ZONE": zone,
            "spark.executorEnv.AIRSPARK_TIME_ZONE": zone,
        }.items()
    )
    jobs = [item for item in objects if item["kind"] == "CronJob"]
    assert len(jobs) >= 2 and {job["spec"]["timeZone"] for job in jobs} == {zone}
    # what `make demo` and `make backfill` read
    assert find(objects, "ConfigMap", "airspark-config")["data"]["time-zone"] == zone


@pytest.mark.parametrize("chart", ["airspark", "airflow", "spark", "spark-operator"])
def test_should_name_no_zone_if_it_is_empty_so_that_everything_is_in_utc(chart: str) -> None:
    objects = [item for item in in_zone("" if chart == "airspark" else None, chart) if item["kind"] != "CustomResourceDefinition"]
    for item in objects:
        # scripts may ask for it
        item["data"] = {key: value for key, value in (item.get("data") or {}).items() if not key.endswith(".py")}
    assert not re.search(r"AIRSPARK_TIME_ZONE|session\.timeZone|default_timezone|time-zone|timeZone", json.dumps(objects))


@pytest.mark.parametrize("chart", ["airspark", "airflow", "spark", "spark-operator"])
@pytest.mark.parametrize("zone", ["Asia/Seul", "Europe/Berlim", "Local", "GMT+9", "KST", "Korea"])
def test_should_refuse_what_is_not_a_time_zone(chart: str, zone: str) -> None:
    with pytest.raises(RenderError, match=f'global.timeZone: "{re.escape(zone)}" is not a time zone; write a name of the IANA'):
        in_zone(zone, chart)


@pytest.mark.parametrize("zone", ["+09:00", "asia/seoul", "../../etc/passwd", "Asia/Seoul ", "posix/Asia/Seoul"])
def test_should_refuse_what_does_not_look_like_a_time_zone(zone: str) -> None:
    with pytest.raises(RenderError, match="global/timeZone|global.timeZone"):
        in_zone(zone)


@pytest.mark.parametrize("zone", ["Etc/UTC", "Zulu", "GMT", "EST5EDT", "Etc/GMT-9", "America/Argentina/Buenos_Aires", "ROK"])
def test_should_take_every_name_of_the_database(zone: str) -> None:
    assert f"\ndefault_timezone = {zone}\n" in cfg(in_zone(zone))


def test_should_leave_the_users_own_settings_as_they_are() -> None:
    objects = in_zone(
        "Asia/Seoul",
        values={
            "airflow": {
                "config": {"core": {"default_timezone": "Europe/Berlin"}},
                "sparkClient": {"conf": {SESSION: "Europe/Berlin"}},
            },
            "spark": {"sparkConf": {SESSION: "Europe/Berlin"}},
            "sparkOperator": {"spark": {"defaults": {"sparkConf": {SESSION: "Europe/Berlin"}}}},
        },
    )
    assert "\ndefault_timezone = Europe/Berlin\n" in cfg(objects)
    assert spark_conf(objects, "airspark-spark-client")[SESSION] == "Europe/Berlin"
    assert spark_conf(objects, "airspark-spark-config")[SESSION] == "Europe/Berlin"
    assert application_conf(objects)[SESSION] == "Europe/Berlin"


@pytest.mark.parametrize("chart", ["airspark", "airflow"])
def test_should_say_what_days_are_of_and_that_airflow_takes_naive_times_otherwise(chart: str) -> None:
    from test_notes import notes

    core = {"config": {"core": {"default_timezone": "Europe/Berlin"}}}
    said = notes(nested("global.timeZone", "Asia/Seoul") | ({"airflow": core} if chart == "airspark" else core), chart)
    assert "Days      of Asia/Seoul" in said
    assert "config.core.default_timezone is Europe/Berlin and global.timeZone Asia/Seoul" in said
    assert "config.core.default_timezone" not in notes(nested("global.timeZone", "Asia/Seoul"), chart)
