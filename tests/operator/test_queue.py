"""The queue of keys to look at, in a time that does not pass by itself."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airspark_operator.queue import FIRST_DELAY, LAST_DELAY, WorkQueue

T = TypeVar("T")
#: Seconds that pass with every turn of the loop: a clock that stood still would never reach a time that rounding puts after it.
TICK = 1e-6


class Jumping(selectors.DefaultSelector):
    """Waits for nothing, and adds up how long it would have waited."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Jump ahead; who would wait for ever is stuck."""
        assert timeout is not None, "everybody waits for somebody"
        self.waited += timeout + TICK
        return super().select(0)


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to what comes next."""

    def __init__(self) -> None:
        self.jumping = Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        """Return the time: all the waiting that there was."""
        return self.jumping.waited


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine without waiting."""
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(work)


def now() -> float:
    """Return the time of the loop."""
    return round(asyncio.get_running_loop().time(), 2)


@pytest.mark.parametrize(
    ("asked", "due"),
    [([0], 0), ([5], 5), ([5, 2], 2), ([2, 5], 2), ([5, 0], 0), ([5, 5], 5), ([9, 7, 8], 7)],
)
def should_look_once_at_the_earliest_time_that_was_asked_for(asked: list[float], due: float) -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for delay in asked:
            queue.add("a", delay)
        assert await queue.get() == "a" and now() == due
        queue.done("a")
        queue.add("end", 100)
        assert await queue.get() == "end", "the other times were the same look"

    run(work())


@pytest.mark.parametrize(
    ("asked", "delay", "due"),
    [([], 4, 4), ([0], 4, 0), ([9], 4, 4), ([3, 0], None, 0), ([3], None, 3), ([9, 6], None, 6)],
)
def should_look_again_after_what_was_asked_for_during_the_look(asked: list[float], delay: float | None, due: float) -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.get()
        for later in asked:
            queue.add("a", later)
        queue.done("a", delay)
        assert await queue.get() == "a" and now() == due

    run(work())


def should_not_look_again_if_nobody_asks() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.done(await queue.get())
        queue.add("b", 50)
        assert await queue.get() == "b"

    run(work())


@pytest.mark.parametrize("news", [0, 1, 5])
def should_wait_after_a_failure_whatever_news_come_meanwhile(news: int) -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.get()
        for _ in range(news):
            queue.add("a")
        assert queue.failed("a") == FIRST_DELAY
        assert await queue.get() == "a" and now() == FIRST_DELAY

    run(work())


def should_double_the_wait_until_half_a_minute_and_forget_failures_after_a_success() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        waits = [queue.failed(await queue.get()) for _ in range(10)]
        assert waits == [min(LAST_DELAY, FIRST_DELAY * 2**number) for number in range(10)]
        queue.done(await queue.get(), 0)
        assert queue.failed(await queue.get()) == FIRST_DELAY

    run(work())


def should_count_failures_of_each_key_by_itself() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in "ab":
            queue.add(key)
        assert [queue.failed(await queue.get()) for _ in "ab"] == [FIRST_DELAY, FIRST_DELAY]

    run(work())


def should_count_what_is_due_and_not_what_is_planned() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("now")
        queue.add("later", 60)
        assert len(queue) == 1
        await queue.get()
        assert len(queue) == 0

    run(work())


@pytest.mark.parametrize("workers", [1, 2, 7])
def should_keep_every_worker_busy_as_long_as_there_is_work(workers: int) -> None:
    async def work() -> None:
        queue: WorkQueue[int] = WorkQueue()
        seen: list[int] = []

        async def worker() -> None:
            while True:
                key = await queue.get()
                await asyncio.sleep(1)
                seen.append(key)
                queue.done(key)

        crew = [asyncio.create_task(worker()) for _ in range(workers)]
        await asyncio.sleep(1)
        for key in range(14):
            queue.add(key)
        await asyncio.sleep(14 / workers + 0.1)
        assert sorted(seen) == list(range(14))
        for task in crew:
            task.cancel()

    run(work())


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 3)), max_size=25)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.integers(1, 3), st.lists(st.booleans(), max_size=10))
def should_look_at_everything_that_is_asked_for_and_by_one_worker_at_a_time(
    steps: list[tuple[str, int, int]], workers: int, successes: list[bool]
) -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        busy: set[str] = set()
        begun: dict[str, float] = {}
        asked: dict[str, float] = {}
        results = iter(successes)

        async def worker() -> None:
            while True:
                key = await queue.get()
                assert key not in busy, "two workers on one key"
                busy.add(key)
                begun[key] = asyncio.get_running_loop().time()
                await asyncio.sleep(1)
                busy.discard(key)
                if next(results, True):
                    queue.done(key)
                else:
                    queue.failed(key)

        crew = [asyncio.create_task(worker()) for _ in range(workers)]
        for key, delay, pause in steps:
            asked[key] = asyncio.get_running_loop().time()
            queue.add(key, delay)
            await asyncio.sleep(pause)
        await asyncio.sleep(1000)
        for task in crew:
            assert not task.done(), task.exception()
            task.cancel()
        assert [key for key, since in asked.items() if begun.get(key, -1.0) < since] == [], "asked for and never looked at"

    run(work())
