"""The controller's process.

    python -m airspark_operator --settings /etc/airspark-operator/settings.json

Inside a cluster it is the pod's service account; outside, the current context of $KUBECONFIG.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient
from pythonjsonlogger.json import JsonFormatter

from airspark_operator import kinds, leader, metrics
from airspark_operator.api import Api, Refused, Unavailable
from airspark_operator.controller import Applications
from airspark_operator.queue import WorkQueue
from airspark_operator.scheduled import Schedules
from airspark_operator.server import serve
from airspark_operator.settings import Settings, WrongSettings, from_file
from airspark_operator.store import Store
from airspark_operator.watch import Told, Watches, Work

log = logging.getLogger("airspark_operator")
#: A leader whose watches are older than this many comparisons ends, and is started anew.
DEAD = 5


class Controller:
    """One replica.

    Args:
        client: a configured client of the API server.
        settings: what the chart says.
        namespace: the controller's own.
        identity: the replica's name.
    """

    def __init__(self, client: ApiClient, settings: Settings, namespace: str, identity: str) -> None:
        self.settings = settings
        self.store = Store()
        self.queue: WorkQueue[Work] = WorkQueue()
        self.api = Api(client)
        self.watches = Watches(self.api, self.store, self.queue, settings)
        self.lock = leader.Lock(settings.election.name, namespace, identity, client, self._lease_seen)
        self.applications = Applications(self.api, self.store, settings)
        self.schedules = Schedules(self.api, self.store, settings)
        self.leads = False
        self._lease = 0.0
        metrics.expose(metrics.Watched(self.store, self.queue, self.watches.ages))

    def _lease_seen(self) -> None:
        self._lease = time.monotonic()

    def alive(self) -> str:
        """Say what is wrong with the process."""
        ages = self.watches.ages()
        oldest = max(ages, key=lambda name: ages[name], default="")
        if self.leads and oldest and ages[oldest] > DEAD * self.settings.resync:
            return f"the watch of {oldest} has told nothing true for {ages[oldest]:.0f} s"
        return ""

    def ready(self) -> str:
        """Say why the replica does no work yet: a leader needs its watches, another one the lease."""
        if self.leads:
            return "" if self.watches.fresh() else "the watches are not alive"
        recent = time.monotonic() - self._lease < self.settings.election.lease_duration
        return "" if self._lease and recent else "the lease cannot be read"

    async def work(self) -> None:
        """Watch and look until cancelled; the end of one part is the end of all."""
        self.leads = True
        parts = [self.watches.run(), self.watches.compare(), *(self._worker() for _ in range(self.settings.workers))]
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)

    async def _worker(self) -> None:
        """Look at what is due. Whatever goes wrong with one object, the others are looked at."""
        await self.watches.synced.wait()
        while True:
            kind, key = item = await self.queue.get()
            about = {"application": key[1], "namespace": key[0], "kind": kind}
            look = self.applications if kind == kinds.APPLICATION else self.schedules
            try:
                with metrics.RECONCILE.labels(kind).time():
                    wait = await look.reconcile(key)
            except (Refused, Unavailable) as problem:
                metrics.ERRORS.labels(kind).inc()
                log.warning("Trying again in %.1f s: %s", self.queue.failed(item), problem, extra=about)
            except Exception:
                metrics.ERRORS.labels(kind).inc()
                log.exception("Trying again in %.1f s", self.queue.failed(item), extra=about)
            else:
                self.queue.done(item, wait)

    async def run(self) -> None:
        """Work, as the leader if there is an election, until cancelled or until leading ends."""
        if self.settings.election.enabled:
            await leader.lead(self.lock, self.settings.election, self.work)
        else:
            metrics.LEADER.set(1)
            await self.work()


def set_up_logs(settings: Settings) -> None:
    """Write one line an event, as JSON with the application's name or for people."""
    handler = logging.StreamHandler(sys.stdout)
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(
        JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level", "name": "logger"}, json_ensure_ascii=False)
        if settings.log_format == "json"
        else PlainFormatter("%(asctime)s %(levelname)-7s %(about)s%(message)s")
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("kubernetes_asyncio").setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(max(logging.getLogger().level, logging.WARNING))


class PlainFormatter(logging.Formatter):
    """Lines that begin with the application."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        name = getattr(record, "application", "")
        record.about = f"{record.namespace}/{name}: " if name else ""  # type: ignore[attr-defined]
        return super().format(record)


async def configure() -> str:
    """Configure the client; returns the controller's own namespace."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
        return Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text().strip()
    except config.ConfigException:
        await config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
        return os.environ.get("POD_NAMESPACE", "default")


async def run(settings: Settings) -> None:
    """Run one replica until it is told to end, or must."""
    namespace = await configure()
    identity = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    async with ApiClient() as client:
        controller = Controller(client, settings, namespace, identity)
        runner = await serve(settings.port, controller.alive, controller.ready)
        try:
            await until_signal(controller.run())
        finally:
            await runner.cleanup()
            if controller.leads and settings.election.enabled:
                await controller.lock.release()


async def until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run something until it ends or the process is told to.

    Raises:
        Exception: what ended the work.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    task, ending = asyncio.create_task(work), asyncio.create_task(told.wait())
    await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        ending.cancel()
        problem = cause(task.exception())
        if not isinstance(problem, Told):
            raise problem or RuntimeError("leading has ended")
    log.info("Told to end")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


def cause(problem: BaseException | None) -> BaseException | None:
    """Return the first exception of a group."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="airspark_operator", description="The controller of SparkApplications.")
    parser.add_argument("--settings", type=Path, required=True, help="settings.json, as the chart writes it")
    try:
        settings = from_file(parser.parse_args().settings)
    except WrongSettings as wrong:
        print(f"✗ {wrong}", file=sys.stderr)
        return 2
    set_up_logs(settings)
    try:
        asyncio.run(run(settings))
    except Exception as problem:
        log.error("Ends: %s", problem, exc_info=settings.log_level == "debug")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
