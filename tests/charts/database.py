"""What the tests of the metadata database look at."""

from __future__ import annotations

import json
from typing import Any

from rendering import Object, find, nested, pods, render

BOUNCER: Object = {"pgbouncer": {"enabled": True}}
EXTERNAL: Object = {
    "postgresql": {"enabled": False},
    "data": {"metadataConnection": {"host": "db.example.org", "passwordSecretName": "db", "sslmode": "require"}},
}
JOBS: Object = {"cleanup": {"enabled": True}, "databaseCleanup": {"enabled": True}, "backup": {"enabled": True}}
CRONJOBS = {"cleanup": "cleanup", "databaseCleanup": "database-cleanup", "backup": "backup"}


def merged(*values: Object) -> Object:
    """Return values over values, deeply."""
    result: Object = {}
    for one in values:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def made(*values: Object, path: str = "", value: Any = None) -> list[Object]:
    """Return the objects of the Airflow chart alone, with one more key."""
    return render(merged(*values, nested(path, value) if path else {}), chart="airflow")


def recipes(objects: list[Object]) -> dict[str, Object]:
    """Return what the bootstrap Job is told of each Secret, by name."""
    found = json.loads(find(objects, "ConfigMap", "airspark-bootstrap-")["data"]["secrets.json"])
    return {spec["name"]: spec for spec in found}


def ini(objects: list[Object]) -> dict[str, str]:
    """Return the settings of pgbouncer.ini; the database's line is `database`."""
    lines = recipes(objects)["airspark-pgbouncer-config"]["keys"]["pgbouncer.ini"]["text"].splitlines()
    pairs = [line.split(" =", 1) for line in lines if " =" in line]
    return {key.replace("airspark-metadata", "database"): value.strip() for key, value in pairs}


def bouncer(objects: list[Object]) -> Object:
    """Return the spec of PgBouncer's pod."""
    return dict(pods(objects)["pgbouncer"]["spec"])


def cron(objects: list[Object], key: str) -> tuple[Object, Object]:
    """Return the spec of a CronJob and that of its pod."""
    spec = find(objects, "CronJob", f"airspark-{CRONJOBS[key]}")["spec"]
    return spec, spec["jobTemplate"]["spec"]["template"]["spec"]
