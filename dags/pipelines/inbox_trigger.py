"""The trigger that rings for the uploads of an inbox, in the triggerer: no pod waits for them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Hashable, Iterable
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from pipelines import arrivals

#: Seconds until it rings again for what still waits; doubled each time, up to LAST_REMINDER.
FIRST_REMINDER, LAST_REMINDER = 600.0, 86_400.0


class Bell:
    """When to ring for what waits: once it has settled, then with growing pauses while it still waits.

    Args:
        settle_seconds: how long something must stay the same.
    """

    def __init__(self, settle_seconds: float) -> None:
        self._settle = settle_seconds
        self._next: dict[Hashable, tuple[float, int]] = {}

    def due(self, waiting: Iterable[Hashable], now: float) -> int:
        """Return for how many to ring now.

        Where something has gone, a run is at work: what it has left, because it may take only so many, is due soon.

        Args:
            waiting: what waits; it changes if it is written to.
            now: seconds of any clock.
        """
        soon = now + self._settle
        present = set(waiting)
        gone = self._next.keys() - present
        known = {item: self._next.get(item, (soon, 0)) for item in present}
        if gone:
            known = {item: (min(when, soon), rings) for item, (when, rings) in known.items()}
        due = [item for item, (when, _) in known.items() if when <= now]
        for item in due:
            rings = known[item][1]
            known[item] = (now + min(FIRST_REMINDER * 2**rings, LAST_REMINDER), rings + 1)
        self._next = known
        return len(due)


class InboxTrigger(BaseEventTrigger):
    """Fires an event whenever uploads of a folder have settled, for ever.

    Args:
        folder: the inbox; it need not be there yet.
        poke_interval: seconds between two looks.
        settle_seconds: how long an upload must stay the same.
    """

    def __init__(self, folder: str, poke_interval: float = 5.0, settle_seconds: float = arrivals.SETTLE_SECONDS) -> None:
        super().__init__()
        self.folder = folder
        self.poke_interval = poke_interval
        self.settle_seconds = settle_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments that make it again."""
        arguments = {"folder": self.folder, "poke_interval": self.poke_interval, "settle_seconds": self.settle_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever; an event says how many uploads there are and no name, which may be no text."""
        bell = Bell(self.settle_seconds)
        said = ""
        while True:
            try:
                number = bell.due(await asyncio.to_thread(waiting, self.folder), time.monotonic())
            except OSError as error:
                # It must not end: Airflow would start it again at once, and again.
                number = 0
                if said != str(error):
                    said = str(error)
                    self.log.error("the inbox %s cannot be read: %s", self.folder, error)
            if number:
                yield TriggerEvent({"uploads": number})
            await asyncio.sleep(self.poke_interval)


def waiting(folder: str) -> set[Hashable]:
    """Return what waits in an inbox: uploads, and claims that a run left behind."""
    inbox = Path(folder)
    left = {os.path.basename(path) for path in arrivals.abandoned(inbox, time.time())}
    return {*arrivals.look(inbox).values(), *left}
