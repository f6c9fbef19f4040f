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
    old = _old(work)
    version = work.get("airflowVersion")
    if version is not None and version_tuple(str(version)) < OLDEST:
        work.drop("airflowVersion", f"the images here hold Airflow {versions()['AIRFLOW_VERSION']}")
    for path in ("images.airflow", "images.pod_template", "default"):
        _airflow(work, path, old)
    for part in ("statsd", "pgbouncer", "pgbouncerExporter", "gitSync"):
        path = f"images.{part}"
        repository = work.get(f"{path}.repository")
        if repository in STOCK or (repository is None and work.get(f"{path}.tag") is not None):
            for key in ("repository", "tag"):
                work.drop(f"{path}.{key}", "the official chart's image; this chart has one of its own")
    if work.get("postgresql.enabled") is not False:
        work.drop("postgresql.image", "the chart's PostgreSQL has an image of its own, and other images have other paths")


def _old(work: Work) -> bool:
    """Whether the file is for a version of Airflow that this chart does not know."""
    tags = [work.get("airflowVersion"), work.get("defaultAirflowTag"), work.get("images.airflow.tag")]
    found = [re.search(r"(?<![\d.])([23]\.\d+\.\d+)", str(tag)) for tag in tags if tag is not None]
    return any(version_tuple(match[1]) < OLDEST for match in found if match)


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
    own = repository is not None and repository not in STOCK
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
