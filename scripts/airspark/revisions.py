"""Revisions of the images: by them, a pod is replaced when its own image changed under the same tag, and only then."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

from airspark import images
from airspark.console import output
from airspark.hashing import content_hash
from airspark.images import Image

#: The images behind each key of `global.imageRevisions`.
IMAGES = {
    "airflow": (images.IMAGES["airflow"], images.AIRFLOW_CLOUD),
    "operator": (images.IMAGES["operator"],),
    "pgbouncer": (images.PGBOUNCER,),
    "postgresql": (images.IMAGES["postgres"],),
    "spark": (images.IMAGES["spark"],),
    "statsd": (images.STATSD_EXPORTER,),
}
#: The key of the DAG files in the Airflow image, and their folder.
DAGS = "dags"


def revisions() -> dict[str, str]:
    """Short hashes of the images in the engine, by the keys of `global.imageRevisions`; an image that is not there has none.

    Folders of code count for no server: `dags` has a hash of its own, and applications reach Spark with the next job.
    """
    found: dict[str, str] = {}
    for name, wanted in IMAGES.items():
        there = [(image, known) for image in wanted if (known := inspect(image)) is not None]
        if there:
            found[name] = content_hash([], *(runtime(image, known) for image, known in there))[:8]
    airflow = inspect(IMAGES["airflow"][0])
    if airflow is not None:
        found[DAGS] = code(airflow, DAGS)[:8]
    return found


def inspect(image: Image) -> dict[str, Any] | None:
    """What the engine knows of an image, or None if it is not there."""
    try:
        found: dict[str, Any] = json.loads(output(["docker", "image", "inspect", image.tag]))[0]
    except subprocess.CalledProcessError:
        return None
    return found


def runtime(image: Image, known: dict[str, Any]) -> str:
    """Hash of an image without its folders of code, its labels and the git revision it was built at.

    Args:
        image: the image, whose last layers are its folders of code.
        known: what `docker image inspect` says of it.
    """
    layers = known["RootFS"]["Layers"]
    config = {key: value for key, value in known["Config"].items() if key != "Labels"}
    config["Env"] = [text for text in config.get("Env") or () if not text.startswith("AIRSPARK_REVISION=")]
    return content_hash([], *layers[: len(layers) - len(image.code)], json.dumps(config, sort_keys=True))


def code(known: dict[str, Any], folder: str) -> str:
    """Hash of a folder of code in an image, as it was when the image was built.

    Args:
        known: what `docker image inspect` says of it.
        folder: the folder's name in the repository.
    """
    return str((known["Config"].get("Labels") or {}).get(images.CODE_LABEL.format(folder), ""))


def helm_settings(found: dict[str, str]) -> Iterable[str]:
    """Flags of Helm that hand revisions to the charts; as texts, because some consist of digits."""
    for name, revision in sorted(found.items()):
        yield "--set-string"
        yield f"global.imageRevisions.{name}={revision}"
