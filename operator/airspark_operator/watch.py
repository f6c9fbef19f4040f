"""The watches, by kopf, and what proves that they are alive.

kopf keeps each watch going through broken connections and outdated versions. Two things it leaves open: an object that was
deleted while a watch was down is never reported, and a watch that has fallen silent looks like a quiet cluster. So at a
steady pace everything is listed and compared with what the watches told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import kopf

from airspark_operator import kinds, observe
from airspark_operator.api import Api, Refused, Unavailable
from airspark_operator.kinds import Object
from airspark_operator.queue import WorkQueue
from airspark_operator.settings import Settings
from airspark_operator.store import Key, Store, key_of, version_of

log = logging.getLogger(__name__)
#: Kind and key of what is to be looked at.
Work = tuple[str, Key]

PODS = "pods"
KINDS = {kinds.APPLICATIONS: kinds.APPLICATION, kinds.SCHEDULEDS: kinds.SCHEDULED}
OURS = f"{kinds.LABEL_LAUNCHED}=true"
#: Seconds that a watch may be behind a list.
GRACE = 5.0


class Told(Exception):
    """The process was told to end: kopf takes the signals while it watches."""


class Watches:
    """Feeds the store and the queue.

    Args:
        api: the API server.
        store: where news go.
        queue: what is to be looked at.
        settings: namespaces and pace.
    """

    def __init__(self, api: Api, store: Store, queue: WorkQueue[Work], settings: Settings) -> None:
        self.api, self.store, self.queue, self.settings = api, store, queue, settings
        self._alive: dict[str, float] = {}
        self.synced = asyncio.Event()

    def ages(self) -> dict[str, float]:
        """Return the seconds since each watch was last found to be alive."""
        now = time.monotonic()
        return {resource: now - since for resource, since in self._alive.items()}

    def fresh(self) -> bool:
        """Whether every watch was found to be alive in the last three comparisons."""
        ages = self.ages()
        return self.synced.is_set() and len(ages) == 3 and max(ages.values()) < 3 * self.settings.resync + 2 * GRACE

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            Told: if the process is told to end.
        """
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        kopf.on.event(kinds.GROUP, kinds.VERSION, kinds.APPLICATIONS, registry=registry)(self._object)
        kopf.on.event(kinds.GROUP, kinds.VERSION, kinds.SCHEDULEDS, registry=registry)(self._object)
        kopf.on.event("v1", "pods", labels={kinds.LABEL_LAUNCHED: "true"}, registry=registry)(self._pod)
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.label_selectors["pods"] = OURS
        everywhere = not self.settings.namespaces
        await kopf.operator(
            registry=registry, settings=settings, standalone=True, clusterwide=everywhere, namespaces=self.settings.namespaces
        )
        raise Told

    async def _object(self, event: Any, **_: Any) -> None:
        """Take in news of an application or a schedule."""
        thing: Object = event["object"]
        if event["type"] == "DELETED":
            self._gone(thing)
        elif self.store.put(thing):
            self._ask(thing)

    async def _pod(self, event: Any, **_: Any) -> None:
        """Take in news of a driver or an executor."""
        self._take_pod(event["object"], deleted=event["type"] == "DELETED")

    def _take_pod(self, pod: Object, deleted: bool = False) -> bool:
        key = application_of(pod)
        if key is None:
            return False
        if deleted:
            self.store.drop_pod(key, pod["metadata"]["name"], pod["metadata"]["uid"])
        elif not self.store.put_pod(key, observe.view(pod)):
            return False
        self.queue.add((kinds.APPLICATION, key))
        return True

    def _gone(self, thing: Object) -> None:
        self.store.drop(thing)
        self._ask(thing)

    def _ask(self, thing: Object) -> None:
        """Ask for an object to be looked at, and for the schedule that made it."""
        self.queue.add((thing["kind"], key_of(thing)))
        for owner in thing["metadata"].get("ownerReferences") or ():
            if owner["kind"] == kinds.SCHEDULED:
                self.queue.add((kinds.SCHEDULED, (key_of(thing)[0], owner["name"])))

    async def compare(self) -> None:
        """Compare again and again what is listed with what the watches told; put right what differs."""
        while True:
            try:
                for resource in (PODS, kinds.APPLICATIONS, kinds.SCHEDULEDS):
                    behind = await (self._compare_pods() if resource == PODS else self._compare_objects(KINDS[resource]))
                    if not behind or resource not in self._alive:
                        self._alive[resource] = time.monotonic()
                    else:
                        log.warning("The watch of %s is behind by %d objects; they were listed instead", resource, behind)
                self.synced.set()
            except Unavailable as problem:
                log.warning("The API server does not answer; trying again: %s", problem)
            except Refused as refusal:
                log.error("May not list: %s; see the chart's spark.jobNamespaces and controller.rbac", refusal)
            await asyncio.sleep(self.settings.resync if self.synced.is_set() else 1.0)

    def _scopes(self) -> tuple[str | None, ...]:
        return self.settings.namespaces or (None,)

    async def _compare_objects(self, kind: str) -> int:
        """Compare the objects of a kind; returns how many the watch has not told of in time."""
        listed: dict[Key, Object] = {}
        version = 0
        for namespace in self._scopes():
            items, latest = await self.api.items(kinds.API_VERSION, kind, namespace)
            listed |= {key_of(item): item for item in items}
            version = max(version, latest)
        known = self.store.of_kind(kind)
        await self._grace(lambda: any(_older(known.get(key), item) for key, item in listed.items()))
        behind = 0
        for item in listed.values():
            if self.store.put(item):
                behind += 1
                self._ask(item)
        for key in [key for key, item in known.items() if key not in listed and version_of(item) <= version]:
            behind += 1
            self._gone(known[key])
        return behind

    async def _compare_pods(self) -> int:
        """Compare the pods; returns how many the watch has not told of in time."""
        listed: dict[tuple[Key, str], Object] = {}
        version = 0
        for namespace in self._scopes():
            items, latest = await self.api.items("v1", "Pod", namespace, OURS)
            listed |= {(key, item["metadata"]["name"]): item for item in items if (key := application_of(item))}
            version = max(version, latest)

        def unknown() -> bool:
            return any(self._version(key, name) < version_of(item) for (key, name), item in listed.items())

        await self._grace(unknown)
        behind = sum(self._take_pod(item) for item in listed.values())
        for key, pod in [
            (key, pod) for key, pod in self.store.all_pods() if (key, pod.name) not in listed and pod.version <= version
        ]:
            behind += 1
            self.store.drop_pod(key, pod.name, pod.uid)
            self.queue.add((kinds.APPLICATION, key))
        return behind

    def _version(self, key: Key, name: str) -> int:
        pod = self.store.pods.get(key, {}).get(name)
        return pod.version if pod else 0

    async def _grace(self, differs: Callable[[], bool]) -> None:
        """Give the watch time to tell what was listed; the first comparison does not wait, because nothing is known yet."""
        deadline = time.monotonic() + (GRACE if self.synced.is_set() else 0.0)
        while differs() and time.monotonic() < deadline:
            await asyncio.sleep(0.2)


def _older(known: Object | None, listed: Object) -> bool:
    return known is None or version_of(known) < version_of(listed)


def application_of(pod: Object) -> Key | None:
    """Return namespace and name of the application a pod belongs to: the driver's owner, or the label of an executor."""
    metadata = pod["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        if owner["kind"] == kinds.APPLICATION:
            return metadata["namespace"], owner["name"]
    name = (metadata.get("labels") or {}).get(kinds.LABEL_APP_NAME)
    return (metadata["namespace"], name) if name else None


def _login(**told: Any) -> Any:
    """Log in as the pod's service account, or with the user's kubeconfig outside of a cluster."""
    service_account = kopf.login_with_service_account(**told)
    return service_account or kopf.login_with_kubeconfig(**told)
