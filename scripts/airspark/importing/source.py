"""Tell a values file of the official Airflow chart from others."""

from __future__ import annotations

from airspark.project import Failure
from airspark.values.reading import Values, kind, lookup
from airspark.values.shape import SUBCHARTS, umbrella

#: Keys at the top that another chart of Airflow has, and the official one has not.
FOREIGN = {
    "externalDatabase": "Bitnami's or the community's Airflow chart",
    "externalRedis": "the community's Airflow chart (airflow-helm/charts)",
    "web": "Bitnami's or the community's Airflow chart",
    "worker": "Bitnami's Airflow chart",
    "loadExamples": "Bitnami's Airflow chart",
    "fromAstronomer": "Astronomer's chart",
    "astronomer": "Astronomer's chart",
}
#: What `helm get values` without `--output yaml` writes above the values.
HELM_HEADER = "USER-SUPPLIED VALUES"
#: Maps below others, whose keys go to other places; config's sections are maps too.
MAPS = (
    "createUserJob.defaultUser", "dags.gitSync", "dags.persistence", "data.metadataConnection", "elasticsearch.connection",
    "images.airflow", "ingress.web", "opensearch.connection", "postgresql.auth", "postgresql.primary", "registry.connection",
    "scheduler.serviceAccount", "webserver.defaultUser", "webserver.networkPolicy", "workers.celery", "workers.kubernetes",
)  # fmt: skip
EXAMPLE = "for example: make import-values FILE=official.yaml"


def beside(values: Values) -> list[str]:
    """Return the keys beside `airflow`, in the file of a chart that holds the official one.

    Args:
        values: what the file says.
    """
    return [key for key in values if key not in ("airflow", HELM_HEADER)] if isinstance(values.get("airflow"), dict) else []


def official(values: Values, name: str) -> Values:
    """Return the values as the official chart takes them.

    Args:
        values: what the file says.
        name: of the file, for messages.

    Raises:
        Failure: if it is a file of another chart, or a part is not what it must be.
    """
    values = {key: value for key, value in values.items() if key != HELM_HEADER}
    known = umbrella()["properties"]["airflow"]["properties"]
    others = [key for key in values if key != "airflow"]
    if not values:
        raise Failure(f"{name} sets no value", EXAMPLE)
    if {"spark", "sparkOperator"} & set(values):
        raise Failure(f"{name} is a values file of charts/airspark already", f"make up VALUES={name}")
    foreign = {FOREIGN[key]: key for key in values if key in FOREIGN}
    if foreign:
        chart, key = next(iter(foreign.items()))
        raise Failure(f"{name} has the key `{key}`, which is of {chart}, not of the official Airflow chart", EXAMPLE)
    if isinstance(values.get("airflow"), dict):
        inner: Values = values["airflow"]
        if "image" in inner or set(others) & set(known) - {"global"}:
            raise Failure(
                f"{name} has the key `airflow.image` or `airflow` beside others, as the community's Airflow chart", EXAMPLE
            )
        values = inner
    if not set(values) & set(known):
        raise Failure(f"{name} has no key of the official Airflow chart; its keys are {', '.join(list(values)[:8])}", EXAMPLE)
    for key, value in values.items():
        if key in SUBCHARTS or value is None:
            continue
        types = known.get(key, {}).get("type", [])
        wanted = [types] if isinstance(types, str) else types
        if set(wanted) - {"null"} == {"array"} and not isinstance(value, list):
            raise Failure(f"{name}: {key}: it is {kind(value)}, and a list is expected", f"correct `{key}`, then call it again")
        if "object" in wanted and not isinstance(value, dict) and len(set(wanted) - {"null"}) == 1:
            raise Failure(
                f"{name}: {key} is {kind(value)} where the official chart has a map", f"correct `{key}`, then call it again"
            )
    sections = values["config"] if isinstance(values.get("config"), dict) else {}
    for path in (*MAPS, *(f"config.{section}" for section in sections)):
        value = lookup(values, path)
        if value is not None and not isinstance(value, dict):
            raise Failure(
                f"{name}: {path} is {kind(value)} where the official chart has a map", f"correct `{path}`, then call it again"
            )
    return values
