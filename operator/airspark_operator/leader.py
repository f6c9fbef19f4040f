"""One replica works at a time: leader election by a Lease, from the Kubernetes client library."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from kubernetes_asyncio.client import ApiClient, ApiException
from kubernetes_asyncio.leaderelection.electionconfig import Config
from kubernetes_asyncio.leaderelection.leaderelection import LeaderElection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock

from airspark_operator import metrics
from airspark_operator.api import UNAVAILABLE
from airspark_operator.settings import Election

log = logging.getLogger(__name__)


class Lock(LeaseLock):
    """A Lease. An API server that is away is a renewal that failed: the library would end instead of trying again."""

    def __init__(self, name: str, namespace: str, identity: str, client: ApiClient, alive: Callable[[], None]) -> None:
        super().__init__(name, namespace, identity, client)
        self._alive = alive

    async def get(self, name: str, namespace: str) -> Any:
        """Read the Lease."""
        try:
            found = await super().get(name, namespace)
        except UNAVAILABLE as problem:
            away = ApiException(status=0, reason=str(problem))
            away.body = json.dumps({"code": 0}).encode()
            return False, away
        answer = found[1]
        if isinstance(answer, ApiException) and not _is_json(answer.body):
            answer.body = json.dumps({"code": answer.status}).encode()
        self._alive()
        return found

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """Make the Lease."""
        try:
            return bool(await super().create(name, namespace, election_record))
        except UNAVAILABLE:
            return False

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        """Take or renew the Lease."""
        try:
            return bool(await super().update(name, namespace, updated_record))
        except UNAVAILABLE:
            return False

    async def release(self) -> None:
        """Give the Lease up, so that another replica need not wait until it runs out."""
        try:
            lease = await self.api_instance.read_namespaced_lease(self.name, self.namespace)
            if lease.spec and lease.spec.holder_identity == self.identity:
                lease.spec.holder_identity = None  # type: ignore[assignment]  # what the API allows
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except (ApiException, *UNAVAILABLE):
            log.debug("The lease could not be given up; it runs out by itself")


def _is_json(body: Any) -> bool:
    try:
        return "code" in json.loads(body)
    except (TypeError, ValueError):
        return False


async def lead(lock: Lock, election: Election, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait to become the leader, then work for as long as that lasts; the end of either is the end of this.

    Args:
        lock: the Lease.
        election: durations.
        work: what the leader does.
    """
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def leading() -> None:
        log.info("Leads, with the lease %s/%s", lock.namespace, lock.name)
        metrics.LEADER.set(1)
        try:
            await work()
        except Exception as problem:  # the election would go on renewing for a leader that does nothing
            if not ended.done():
                ended.set_exception(problem)
        finally:
            metrics.LEADER.set(0)
            if not ended.done():
                ended.set_result(None)

    async def stopped() -> None:
        log.error("The lease could not be renewed in time: another replica may lead now, so this one ends")

    log.info("Waits for the lease %s/%s", lock.namespace, lock.name)
    config = Config(lock, election.lease_duration, election.renew_deadline, election.retry_period, leading, stopped)
    renewing = asyncio.create_task(LeaderElection(config).run())
    try:
        await asyncio.wait({renewing, ended}, return_when=asyncio.FIRST_COMPLETED)
        for part in (ended, renewing):
            if part.done():
                part.result()
    finally:
        renewing.cancel()
