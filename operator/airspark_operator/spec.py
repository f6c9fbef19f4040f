"""Reading a SparkApplication's spec."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airspark_operator import kinds, names
from airspark_operator.kinds import Object

log = logging.getLogger(__name__)
PYTHON, R = "Python", "R"
#: Labels that are about the object itself: Kueue would queue each pod on its own besides.
OF_OBJECT = "kueue.x-k8s.io/"


class Invalid(Exception):
    """A spec that cannot be built; the text is a sentence for people."""


@contextmanager
def read(app: Object) -> Iterator[None]:
    """Turn whatever nobody thought of while a spec is read into `Invalid`, or it would be tried again without end or word.

    Raises:
        Invalid: in place of any other exception; the log has that one's trace.
    """
    try:
        yield
    except Invalid:
        raise
    except Exception as error:
        log.exception("Cannot read the spec of %s in %s", app["metadata"]["name"], app["metadata"]["namespace"])
        said = f"{type(error).__name__}: {error}"[:200]
        raise Invalid(f"The controller cannot read this spec ({said}); its log says where, so correct the spec there") from error


def of(app: Object, role: str) -> Object:
    """Return `spec.driver` or `spec.executor`."""
    found: Object = app["spec"].get(role) or {}
    return found


def language(app: Object) -> str:
    """Return the language as Spark names it in `spark.kubernetes.resource.type`: `java`, `python` or `r`."""
    return {PYTHON: "python", R: "r"}.get(app["spec"].get("type", ""), "java")


def inherited_labels(app: Object) -> dict[str, str]:
    """Return the labels of the application that its pods get too."""
    labels: dict[str, str] = app["metadata"].get("labels") or {}
    return {key: value for key, value in labels.items() if not key.startswith(OF_OBJECT)}


def template(app: Object, role: str) -> Object:
    """Return the pod's spec of a role's template, or nothing."""
    found: Object = (of(app, role).get("template") or {}).get("spec") or {}
    return found


def volumes(app: Object, role: str) -> list[Object]:
    """Return the volumes that a role mounts; the others are not attached to its pods."""
    wanted = {mount["name"] for mount in of(app, role).get("volumeMounts") or ()}
    return [volume for volume in app["spec"].get("volumes") or () if volume["name"] in wanted | _own_mounts(app, role)]


def _own_mounts(app: Object, role: str) -> set[str]:
    """Return names of volumes that a role's sidecars, init containers and template mount."""
    own = of(app, role)
    given = template(app, role)
    containers = [
        *(own.get("sidecars") or ()), *(own.get("initContainers") or ()),
        *(given.get("containers") or ()), *(given.get("initContainers") or ()),
    ]  # fmt: skip
    return {mount["name"] for container in containers for mount in container.get("volumeMounts") or ()}


def metadata(app: Object, name: str, submission_id: str, labels: dict[str, str] | None = None) -> Object:
    """Return the metadata of something that belongs to a submission of an application, and is deleted with it.

    Args:
        app: the owner.
        name: name of the object.
        submission_id: the submission's id.
        labels: labels beside those that everything has, which win over these.
    """
    owner = app["metadata"]
    return {
        "name": name,
        "namespace": owner["namespace"],
        "labels": (labels or {})
        | {
            kinds.LABEL_APP_NAME: names.label_value(owner["name"]),
            kinds.LABEL_SUBMISSION_ID: submission_id,
            kinds.LABEL_LAUNCHED: "true",
        },
        "ownerReferences": [
            {
                "apiVersion": kinds.API_VERSION,
                "kind": kinds.APPLICATION,
                "name": owner["name"],
                "uid": owner["uid"],
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
