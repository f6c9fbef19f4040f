"""What the watches have told: applications as they are, and their pods in a few words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from airspark_operator import kinds
from airspark_operator.kinds import Object
from airspark_operator.observe import PodView

#: Namespace and name.
Key = tuple[str, str]


def key_of(thing: Object) -> Key:
    """Return namespace and name of an object."""
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def version_of(thing: Object) -> int:
    """Return the resource version of an object: larger is newer (Kubernetes 1.35 and later say so)."""
    return int(thing["metadata"].get("resourceVersion") or 0)


def _newer(uid: str, version: int, old_uid: str, old_version: int) -> bool:
    """Whether news replace what is known; resource versions are compared across all objects of a kind."""
    return version > old_version or (version == old_version and uid != old_uid)


class Store:
    """Objects by key, and pods by application.

    Older news never replaces newer, of an earlier object of the same name neither: a list may be seconds old when it is
    compared, and a driver that was replaced meanwhile would be taken for the present one.
    """

    def __init__(self) -> None:
        self.applications: dict[Key, Object] = {}
        self.scheduled: dict[Key, Object] = {}
        self.pods: dict[Key, dict[str, PodView]] = defaultdict(dict)

    def of_kind(self, kind: str) -> dict[Key, Object]:
        """Return the objects of a kind."""
        return self.applications if kind == kinds.APPLICATION else self.scheduled

    def put(self, thing: Object) -> bool:
        """Take an object in; says whether it was news."""
        known = self.of_kind(thing["kind"])
        key = key_of(thing)
        old = known.get(key)
        if old is not None and not _newer(thing["metadata"]["uid"], version_of(thing), old["metadata"]["uid"], version_of(old)):
            return False
        thing["metadata"].pop("managedFields", None)
        known[key] = thing
        return True

    def drop(self, thing: Object) -> None:
        """Forget an object that was deleted, unless there is another of its name already."""
        known = self.of_kind(thing["kind"])
        old = known.get(key_of(thing))
        if old is not None and old["metadata"]["uid"] == thing["metadata"]["uid"]:
            del known[key_of(thing)]

    def put_pod(self, key: Key, pod: PodView) -> bool:
        """Take a pod of an application in; says whether it was news."""
        old = self.pods[key].get(pod.name)
        if old and not _newer(pod.uid, pod.version, old.uid, old.version):
            return False
        self.pods[key][pod.name] = pod
        return True

    def drop_pod(self, key: Key, name: str, uid: str) -> None:
        """Forget a pod, unless there is another of its name already."""
        pods = self.pods.get(key, {})
        if name in pods and pods[name].uid == uid:
            del pods[name]
        if not pods:
            self.pods.pop(key, None)

    def executors(self, key: Key) -> tuple[PodView, ...]:
        """Return the executors of an application, of any of its submissions."""
        return tuple(pod for pod in self.pods.get(key, {}).values() if pod.role == kinds.EXECUTOR)

    def all_pods(self) -> Iterator[tuple[Key, PodView]]:
        """Return every pod with its application's key."""
        for key, pods in self.pods.items():
            for pod in pods.values():
                yield key, pod
