"""Making and removing what a submission consists of."""

from __future__ import annotations

import asyncio
from datetime import datetime

from airspark_operator import build, kinds, names, observe
from airspark_operator.api import Api, Refused
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.spec import Invalid
from airspark_operator.store import key_of
from airspark_operator.submission import Submission

#: What an application has beside its driver: kinds by the API version they are of.
BESIDE = (
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", kinds.NETWORK_POLICY),
    ("policy/v1", "PodDisruptionBudget"),
    ("scheduling.volcano.sh/v1beta1", "PodGroup"),
    ("scheduling.x-k8s.io/v1alpha1", "PodGroup"),
)


class Leftover(Exception):
    """A pod of another submission still has the driver's name; it is being deleted."""


async def launch(api: Api, app: Object, wanted: list[Object], now: datetime) -> Object:
    """Create what a submission needs and is not there yet, the driver pod last.

    Args:
        api: the API server.
        app: the SparkApplication.
        wanted: everything of the submission.
        now: the present.

    Returns:
        The driver pod.

    Raises:
        Leftover: if the driver of another submission has to go first.
        Refused: if the API server says no.
        Unavailable: if it does not answer.
    """
    *others, driver = wanted
    await asyncio.gather(*(_ensure(api, app, other, now) for other in others))
    return await _ensure(api, app, driver, now)


async def _ensure(api: Api, app: Object, wanted: Object, now: datetime) -> Object:
    """Create an object, or find the one that is there.

    Raises:
        Leftover: if it is the pod of another submission; asked to go.
        Refused: if it belongs to something else, among others.
    """
    try:
        return await api.create(wanted)
    except Refused as refusal:
        if refusal.code == 404 and wanted["kind"] == "PodGroup" and "namespaces" not in refusal.message:
            said = f"{wanted['apiVersion']}, which spec.batchScheduler needs, is not installed; install it or remove the field"
            raise Refused(400, "NotInstalled", said) from None
        if refusal.code != 409:
            raise
    metadata = wanted["metadata"]
    version, kind, namespace, name = wanted["apiVersion"], wanted["kind"], metadata["namespace"], metadata["name"]
    there = await api.get(version, kind, namespace, name)
    if there is None:
        raise Leftover(f"{kind} {name} was there a moment ago")
    there |= {"apiVersion": version, "kind": kind}
    labels = there["metadata"].get("labels") or {}
    same = labels.get(kinds.LABEL_SUBMISSION_ID) == metadata["labels"][kinds.LABEL_SUBMISSION_ID]
    if owned_by(there, app):
        if same:
            return there
        if kind != "Pod":
            return await api.patch(wanted)
    elif labels.get(kinds.LABEL_APP_NAME) != metadata["labels"][kinds.LABEL_APP_NAME]:
        raise Refused(
            409, "AlreadyExists", f"there is a {kind} {name} that belongs to something else; delete it or rename the application"
        )
    # of an earlier submission, or of an application of this name that was deleted
    overdue = kind == "Pod" and observe.overdue(observe.view(there), now)
    await api.delete(version, kind, namespace, name, there["metadata"]["uid"], at_once=overdue)
    raise Leftover(f"{kind} {name} is of another submission")


def owned_by(thing: Object, app: Object) -> bool:
    """Whether an application owns an object."""
    return any(owner["uid"] == app["metadata"]["uid"] for owner in thing["metadata"].get("ownerReferences") or ())


async def remove_config(api: Api, app: Object, submission: Submission) -> None:
    """Delete the ConfigMap of a submission that is over."""
    await _remove(api, app, "v1", "ConfigMap", names.config_name(app, submission))


async def tidy(api: Api, app: Object, submission: Submission, defaults: Defaults) -> None:
    """Delete what an ended application no longer needs: all but the driver, for its log, and the ConfigMap, for a look."""
    try:
        wanted = build.objects(app, submission, defaults)
    except Invalid:
        return
    kept = ("Pod", "ConfigMap")
    gone = [thing for thing in wanted if thing["kind"] not in kept]
    await asyncio.gather(*(_remove(api, app, thing["apiVersion"], thing["kind"], thing["metadata"]["name"]) for thing in gone))


async def remove_beside(api: Api, app: Object) -> None:
    """Delete everything beside the driver, whatever the spec was when it was made."""
    selector = f"{kinds.LABEL_APP_NAME}={names.label_value(app['metadata']['name'])}"
    for version, kind in BESIDE:
        try:
            found, _ = await api.items(version, kind, key_of(app)[0], selector)
        except Refused as refusal:
            if refusal.code in (403, 404):
                continue  # a kind that the chart gives no rights for was never made
            raise
        for thing in found:
            if owned_by(thing, app):
                await api.delete(version, kind, key_of(app)[0], thing["metadata"]["name"], thing["metadata"]["uid"])


async def _remove(api: Api, app: Object, version: str, kind: str, name: str) -> None:
    there = await api.get(version, kind, key_of(app)[0], name)
    if there and owned_by(there, app):
        await api.delete(version, kind, key_of(app)[0], name, there["metadata"]["uid"])
