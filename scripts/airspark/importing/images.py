"""Which image runs: the official chart's own are not these, and a team's own image must be built on this project's."""

from __future__ import annotations

import re

from airspark.importing.work import CHANGED, Work
from airspark.project import version_tuple, versions

OLDEST = (3, 2, 2)
STOCK = {
    "apache/airflow", "docker.io/apache/airflow", "quay.io/prometheus/statsd-exporter", "registry.k8s.io/git-sync/git-sync",
    "bitnami/postgresql", "bitnamilegacy/postgresql", "docker.io/bitnami/postgresql", "postgres",
}  # fmt: skip
OWN = "kept, and must be built `FROM` this project's Airflow image (docs/dependencies.md): it brings Spark's client and Java"


def images(work: Work) -> None:
    """Leave out stock images and old versions, and say what a team's own image must hold."""
    found = {path: _version(work, path) for path in ("images.airflow", "images.pod_template", "default")}
    for path, version in found.items():
        _airflow(work, path, bool(version) and version_tuple(version) < OLDEST)
    _airflow_version(work, found["images.airflow"])
    for part in ("statsd", "pgbouncer", "gitSync"):
        path = f"images.{part}"
        repository = work.get(f"{path}.repository")
        if str(repository) in STOCK or (repository is None and work.get(f"{path}.tag") is not None):
            for key in ("repository", "tag"):
                work.drop(f"{path}.{key}", "the official chart's image; this chart has one of its own")
    _exporter(work)
    if work.get("postgresql.enabled") is not False:
        work.drop("postgresql.image", "the chart's PostgreSQL has an image of its own, and other images have other paths")


def _exporter(work: Work) -> None:
    """Write out the image of PgBouncer's exporter, of which this chart has none, or say that no exporter runs without it."""
    image, settings = "images.pgbouncerExporter", "pgbouncer.metricsExporterSidecar"
    if work.get(f"{image}.tag") and not work.get(f"{image}.repository"):
        work.change(f"{image}.repository", "apache/airflow", "the official chart's default, written out")
    elif work.get(settings) and not work.get(f"{image}.repository"):
        work.made.add(settings)
        work.say(settings, CHANGED, "kept, and no exporter runs: this chart has no image of one; set `images.pgbouncerExporter`")


def _version(work: Work, path: str) -> str:
    """Return the version of Airflow in the image that would run officially, or nothing if nothing says it."""
    keys = {"images.pod_template": ("images.pod_template.tag", "images.airflow.tag"), "default": ()}.get(
        path, ("images.airflow.tag",)
    )
    tag = next((value for key in (*keys, "defaultAirflowTag") if (value := work.get(key)) is not None), None)
    for text in (tag, work.get("airflowVersion")):
        if match := re.search(r"(?<![\d.])([23]\.\d+\.\d+)", str(text)):
            return match[1]
    return ""


def _airflow_version(work: Work, version: str) -> None:
    """Have `airflowVersion` say what is in the image that runs."""
    given = work.get("airflowVersion")
    if given is None or version_tuple(str(given)) >= OLDEST:
        return
    if any(work.get(key) for key in ("images.airflow.repository", "defaultAirflowRepository")) and version:
        work.change("airflowVersion", version, "the version of the image that runs")
    else:
        work.drop("airflowVersion", f"the images here hold Airflow {versions()['AIRFLOW_VERSION']}")


def _airflow(work: Work, path: str, old: bool) -> None:
    """Decide about one image of Airflow."""
    keys = {
        name: f"defaultAirflow{name.capitalize()}" if path == "default" else f"{path}.{name}"
        for name in ("repository", "tag", "digest")
    }
    repository = work.get(keys["repository"])
    given = [key for key in keys.values() if work.get(key) is not None]
    if not given:
        return
    own = repository is not None and str(repository) not in STOCK
    inherits = (
        path != "default" and repository is None and (work.get("defaultAirflowRepository") or path == "images.pod_template")
    )
    if own and not old:
        work.made.add(keys["repository"])
        work.say(keys["repository"], CHANGED, OWN)
        return
    if inherits and not old:
        return
    why = "it is a tag of the official image"
    if own:
        oldest = ".".join(map(str, OLDEST))
        why = f"an image of Airflow before {oldest}: build yours on this project's (docs/dependencies.md), then set it"
    elif repository is not None:
        why = "the official image has no Spark client and no Java; this project's image takes its place"
    for key in given:
        work.drop(key, why)
