"""The API server, spoken to in plain objects: models of every kind would cost a third of the controller's memory and time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiClient, ApiException

from airspark_operator import kinds
from airspark_operator.kinds import Object

PLURALS = {
    kinds.APPLICATION: kinds.APPLICATIONS,
    kinds.SCHEDULED: kinds.SCHEDULEDS,
    "ConfigMap": "configmaps",
    "Event": "events",
    "Ingress": "ingresses",
    kinds.NETWORK_POLICY: "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "PodGroup": "podgroups",
    "Service": "services",
}
#: The API server is away, or asks for patience: the same call may succeed later.
UNAVAILABLE = (aiohttp.ClientError, TimeoutError, OSError)
TIMEOUT = 30.0


class Refused(Exception):
    """The API server has understood and said no.

    Args:
        code: HTTP status.
        reason: its word for that, for example `AlreadyExists`.
        message: its sentence.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Unavailable(Exception):
    """The API server does not answer, or asks to come back later."""


def path(api_version: str, kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    """Return the path of a resource: of all of a kind without a name, in the whole cluster without a namespace."""
    parts = [f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"]
    parts += [f"namespaces/{namespace}"] if namespace else []
    parts += [PLURALS[kind], name, subresource]
    return "/".join(part for part in parts if part)


class Api:
    """Calls that the controller makes.

    Args:
        client: a configured client; it renews the service account's token by itself.
    """

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    async def call(self, method: str, where: str, sent: Any = None, query: Mapping[str, str] | None = None) -> Object:
        """Call the API server.

        Raises:
            Refused: if it says no.
            Unavailable: if it does not answer, is overloaded or broken.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            response = await self.client.call_api(
                where, method, query_params=list((query or {}).items()), header_params=headers, body=sent,
                auth_settings=["BearerToken"], _preload_content=False, _request_timeout=TIMEOUT,
            )  # fmt: skip
            body = await response.read() or b"{}"
            if response.status >= 400:  # before it is read: an API that is not installed answers in plain text
                raise _problem(response.status, body)
            answer = json.loads(body)
        except ApiException as problem:
            raise _problem(problem.status or 0, problem.body or "") from None
        except UNAVAILABLE as problem:
            raise Unavailable(f"{method} {where}: {problem or type(problem).__name__}") from problem
        except ValueError as problem:
            raise Unavailable(f"{method} {where}: the answer is no JSON") from problem
        found: Object = answer
        return found

    async def create(self, wanted: Object) -> Object:
        """Create an object and return it as it is now."""
        return await self.call("POST", path(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["namespace"]), wanted)

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None if there is none."""
        try:
            return await self.call("GET", path(api_version, kind, namespace, name))
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    async def patch(self, wanted: Object) -> Object:
        """Merge what is wanted into an object that is there."""
        metadata = wanted["metadata"]
        return await self.call(
            "PATCH", path(wanted["apiVersion"], wanted["kind"], metadata["namespace"], metadata["name"]), wanted
        )

    async def put_status(self, changed: Object) -> Object:
        """Write an object's status, if nobody else has changed the object since it was read (409 otherwise)."""
        metadata = changed["metadata"]
        where = path(changed["apiVersion"], changed["kind"], metadata["namespace"], metadata["name"], "status")
        return await self.call("PUT", where, changed)

    async def delete(self, api_version: str, kind: str, namespace: str, name: str, uid: str, *, at_once: bool = False) -> bool:
        """Delete an object in the background, if it is still that one.

        Args:
            uid: its UID; an object of the same name that was made since stays.
            at_once: whether to forget a pod without waiting for its node to end it.

        Returns:
            Whether it was there.
        """
        options: Object = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        if at_once:
            options["gracePeriodSeconds"] = 0
        try:
            await self.call("DELETE", path(api_version, kind, namespace, name), options)
        except Refused as refusal:
            if refusal.code in (404, 409):
                return False
            raise
        return True

    async def items(self, api_version: str, kind: str, namespace: str | None, selector: str = "") -> tuple[list[Object], int]:
        """Return all objects of a kind, and the version of the list."""
        query = {"labelSelector": selector} if selector else {}
        found = await self.call("GET", path(api_version, kind, namespace), query=query)
        items = [item | {"apiVersion": api_version, "kind": kind} for item in found.get("items") or ()]
        return items, int(found["metadata"].get("resourceVersion") or 0)


def _problem(code: int, body: str | bytes) -> Exception:
    """Return what an answer of 400 and above means."""
    try:
        status = json.loads(body)
        reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", (body.decode(errors="replace") if isinstance(body, bytes) else body)
    message = message or f"HTTP {code}"
    if code in (0, 401, 408, 429) or code >= 500:
        return Unavailable(f"HTTP {code}: {message[:300]}")
    return Refused(code, reason, message)
