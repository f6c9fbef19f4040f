"""Translate a values file of the official Airflow chart: pure, without a file, a cluster or Helm."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft7Validator

from airspark.charts.schema import ignored_keys, refused_keys
from airspark.importing import empty, executor, forms, images, options, references, renames, source, texts, variables
from airspark.importing.work import CHANGED, DROPPED, KEPT, RENAMED, Imported, Work
from airspark.project import ROOT, Failure
from airspark.values import shape
from airspark.values.reading import Values

CHART = ROOT / "charts/airflow"


def translate(values: Values, name: str = "the file") -> Imported:
    """Return values for charts/airspark, and what became of each key.

    Args:
        values: what a values file of the official chart says.
        name: of the file, for messages.

    Raises:
        Failure: if it is not a values file of that chart, or a value has a wrong type.
    """
    given = source.official(values, name)
    forms.require(given, name)
    work = Work(given)
    executor.executor(work)
    images.images(work)
    variables.variables(work)
    renames.sidecar(work)
    renames.keys(work)
    options.options(work)
    references.local_settings(work)
    texts.keys(work)
    texts.hosts(work)
    texts.brokers(work)
    variables.purge(work)
    parts(work)
    refused(work)
    empty.texts(work)
    references.selectors(work)
    references.folder(work)
    references.references(work, name)
    unknown(work, name)
    texts.remaining(work)
    empty.nulls(work)
    zone = time_zone(work)
    for key in source.beside(values):
        work.say(key, DROPPED, "not of the Airflow chart, but of the chart around it, which is not here")
    notes = {
        **_notes(),
        "extraSecrets": "its content stands in the release, for all who may read that; better make the Secret yourself",
    }
    for path in leaves(work.values):
        if not any(path == made or path.startswith((f"{made}.", f"{made}[")) for made in work.made):
            work.say(path, KEPT, notes.get(path, ""))
    order = list(given)
    work.rows.sort(key=lambda row: _place(order, row.key))
    return Imported({"airflow": work.values, "global": {"timeZone": zone}}, work.rows, work.secrets)


def _place(order: list[str], key: str) -> int:
    top = key.split(".")[0].split("[")[0]
    return order.index(top) if top in order else len(order)


def parts(work: Work) -> None:
    """Have on what the official chart has on by default, and leave out what would be refused together."""
    for path in ("statsd", "triggerer.persistence"):
        part = work.get(path)
        if isinstance(part, dict) and part and "enabled" not in part:
            work.change(f"{path}.enabled", True, "on by default in the official chart, and off here")
    remote = work.get("config.logging.remote_logging") or any(
        work.get(f"{name}.enabled") for name in ("elasticsearch", "opensearch")
    )
    if work.get("logs.persistence.enabled") is False and str(remote).lower() != "true" and not work.get("logs.emptyDirConfig"):
        work.drop("logs.persistence.enabled", "a task's log would be lost with its pod; the chart makes a claim")
    if work.get("dags.gitSync.enabled") and work.get("dags.persistence.enabled"):
        work.drop("dags.persistence", "Airflow's Git bundle needs no claim for the repository")
    for name in ("scheduler", "apiServer", "dagProcessor"):
        if work.get(f"{name}.enabled") is False:
            work.drop(f"{name}.enabled", "Airflow 3 does not work without it")
    if work.get("workers.kubernetes") == {}:
        work.take("workers.kubernetes")


def time_zone(work: Work) -> str:
    """Return the zone of days and schedules, which is UTC in the official chart unless airflow.cfg has another.

    Args:
        work: the values; `config.core.default_timezone` is taken out, because the zone says it.
    """
    option = "config.core.default_timezone"
    given = work.get(option)
    env = [item.get("value") for item in work.get("env") or [] if item.get("name") == "AIRFLOW__CORE__DEFAULT_TIMEZONE"]
    said = str(given or next(iter(env), "") or "UTC")
    zone = "" if "{{" in said or said.lower() in ("utc", "etc/utc", "system") else said
    if given and (zone or said.lower() == "utc"):
        work.take(option)
        work.say(
            option, RENAMED, f"global.timeZone, beside `airflow:`{'' if zone else '; empty is UTC'}; schedules of CronJobs too"
        )
    else:
        why = f"{zone or 'UTC'}, as in the official chart" if zone or not given else "UTC"
        work.say(
            "global.timeZone",
            CHANGED,
            f"{why}; beside `airflow:`, where charts/airspark has {_zone()}; schedules of CronJobs too",
        )
    return zone


def _zone() -> str:
    """Return the zone that charts/airspark has by default."""
    return str(shape.defaults()["global"]["timeZone"])


def refused(work: Work) -> None:
    """Leave out what the chart ignores or refuses, with its sentence."""
    for sentences in (ignored_keys(CHART), refused_keys(CHART)):
        for path, why in sentences.items():
            value = work.get(path)
            if value is None:
                continue
            if _asks(value):
                work.drop(path, why)
            else:
                work.take(path)
                work.say(path, DROPPED, "off, and not here")


def _asks(value: Any) -> bool:
    """Whether a value asks for something, as airflow.keys.asks has it."""
    if isinstance(value, dict):
        return value.get("enabled", True) is not False and any(_asks(child) for child in value.values())
    return bool(value)


def unknown(work: Work, name: str) -> None:
    """Leave out keys that are not known, keep those of the user's own at the top, and end if a value has a wrong type.

    Raises:
        Failure: with every value that has a wrong type.
    """
    schema = shape.umbrella()["properties"]["airflow"]
    known = schema["properties"]
    for key in [key for key in work.values if key not in known and not key.startswith("x-")]:
        close = difflib.get_close_matches(key.lower(), [other.lower() for other in known], n=1, cutoff=0.85)
        used = f".Values.{key}" in str(work.values)
        if close and not used:
            named = next(other for other in known if other.lower() == close[0])
            del work.values[key]
            work.say(key, DROPPED, f"not a key of the official chart; did you mean `{named}`?")
        elif isinstance(work.values[key], dict | list) or used:
            work.made.add(key)
            work.say(key, KEPT, "of your own" if used else "of your own; no template reads it")
    wrong: list[str] = []
    while errors := [
        error for error in Draft7Validator(schema).iter_errors(work.values) if error.validator == "additionalProperties"
    ]:
        for error in errors:
            path = [str(step) for step in error.absolute_path]
            for extra in set(error.instance) - set(error.schema.get("properties", {})):
                if any(isinstance(step, int) for step in error.absolute_path):
                    wrong += shape.problems({"airflow": work.values})
                    raise Failure(f"{name}: {wrong[0].removeprefix('airflow.')}", "correct it, then call it again")
                close = difflib.get_close_matches(extra, list(error.schema.get("properties", {})), n=1, cutoff=0.75)
                meant = f"; did you mean `{close[0]}`?" if close else ""
                del error.instance[extra]
                work.say(".".join([*path, extra]), DROPPED, f"this chart has no such key{meant}")
    wrong = [line.removeprefix("airflow.") for line in shape.problems({"airflow": work.values})]
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong)
        raise Failure(
            f"{name}: {len(wrong)} of its values do not have the form they must have{lines}", "correct it, then call it again"
        )


def leaves(values: Any, schema: Any = None, path: str = "") -> Iterator[str]:
    """Yield the dotted path of each key that is set, as deep as the chart names keys.

    Args:
        values: the values, or a part.
        schema: of the part; the Airflow chart's by default.
        path: of the part.
    """
    schema = schema or shape.umbrella()["properties"]["airflow"]
    for key, value in values.items():
        here = f"{path}.{key}".removeprefix(".")
        below = schema.get("properties", {}).get(key, {})
        if isinstance(value, dict) and (below.get("properties") or path == "config" or here == "config") and value:
            yield from leaves(value, below or {"properties": {}}, here)
        else:
            yield here


@cache
def _notes() -> dict[str, str]:
    """Return what is different for keys that have the official chart's name, by dotted path."""
    contract = yaml.safe_load((ROOT / "tests/charts/contract.yaml").read_text())
    return {key: entry["note"] for key, entry in contract.items() if entry["status"] == "different"}
