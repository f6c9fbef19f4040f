"""A queue of keys to look at: each once, never two workers on one, with delays that a nearer one replaces."""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: Seconds before a key that failed is looked at again: doubled each time from the first to the last.
FIRST_DELAY, LAST_DELAY = 0.2, 30.0


class WorkQueue(Generic[K]):
    """Keys waiting to be worked on (the semantics of client-go's rate limiting work queue)."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._counter = 0
        self._working: set[K] = set()
        self._again: dict[K, float] = {}
        self._failures: dict[K, int] = defaultdict(int)
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many keys are due now."""
        now = asyncio.get_running_loop().time()
        return sum(1 for due in self._due.values() if due <= now)

    def add(self, key: K, delay: float = 0.0) -> None:
        """Ask for a key to be looked at.

        Args:
            key: what to look at.
            delay: seconds from now; an earlier request stands.
        """
        due = asyncio.get_running_loop().time() + delay
        if key in self._working:
            self._again[key] = min(due, self._again.get(key, due))
            return
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._counter += 1
        heapq.heappush(self._heap, (due, self._counter, key))
        self._changed.set()

    async def get(self) -> K:
        """Wait for a key that is due and take it; `done` or `failed` gives it back."""
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            while self._heap:
                due, _, key = self._heap[0]
                if self._due.get(key) != due:
                    heapq.heappop(self._heap)  # an earlier request has replaced it
                    continue
                if due > now:
                    break
                heapq.heappop(self._heap)
                del self._due[key]
                self._working.add(key)
                if self._heap:
                    self._changed.set()
                return key
            wait = self._heap[0][0] - now if self._heap else None
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    def done(self, key: K, delay: float | None = None) -> None:
        """Give a key back; look again after a delay, or when something asks for it."""
        self._failures.pop(key, None)
        self._release(key, delay)

    def failed(self, key: K) -> float:
        """Give a key back that could not be worked on; returns the seconds until the next look."""
        delay = float(min(LAST_DELAY, FIRST_DELAY * 2 ** self._failures[key]))
        self._failures[key] += 1
        # what is asked for meanwhile waits as well: news of other pods do not heal an API server that is away
        self._again.pop(key, None)
        self._release(key, delay)
        return delay

    def _release(self, key: K, delay: float | None) -> None:
        self._working.discard(key)
        now = asyncio.get_running_loop().time()
        if key in self._again:
            self.add(key, max(0.0, self._again.pop(key) - now))
        if delay is not None:
            self.add(key, delay)
