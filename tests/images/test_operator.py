"""The controller's image: starts as the chart starts it, and says in a sentence what is missing."""

from __future__ import annotations

import pytest

from .conftest import docker, inspect, run, tag


def should_know_the_time_zones_of_schedules_and_import_in_a_moment() -> None:
    code = "from airspark_operator.schedule import Schedule; print(Schedule('0 2 * * *', 'Asia/Seoul').zone)"
    assert run("operator", "python", "-c", code).stdout == "Asia/Seoul\n"


def should_say_that_its_settings_are_missing() -> None:
    done = docker("run", "--rm", "--read-only", "--tmpfs", "/tmp", tag("operator"), check=False)
    assert done.returncode == 2
    said = "✗ /etc/spark-operator/settings.json cannot be read (No such file or directory); the chart mounts it from a ConfigMap"
    assert done.stderr.strip() == said


@pytest.mark.parametrize(
    ("settings", "said"), [("{", "is not what the chart writes"), ('{"workers": "x"}', "is not what the chart writes")]
)
def should_say_that_its_settings_cannot_be_read(settings: str, said: str) -> None:
    script = f"printf '%s' '{settings}' >/tmp/s.json; exec python -m airspark_operator --settings /tmp/s.json"
    done = run("operator", "sh", "-c", script, check=False)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def should_hold_no_java_and_be_small() -> None:
    assert "java" not in run("operator", "sh", "-c", "ls /usr/bin /opt").stdout
    assert inspect("operator")["Size"] < 220_000_000
