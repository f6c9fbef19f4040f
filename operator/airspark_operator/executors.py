"""What the status says about executors."""

from __future__ import annotations

from collections.abc import Container, Iterable

from airspark_operator import observe
from airspark_operator.kinds import Object
from airspark_operator.observe import PodView


def record(status: Object, pods: Iterable[PodView], driver: PodView | None, tracked: int) -> list[PodView]:
    """Put executors into a status: the state of each, and how many have failed.

    An executor that is gone without having been seen to end was taken away by Spark, for example by dynamic allocation.

    Args:
        status: changed in place.
        pods: the executors there are, of any submission.
        driver: the driver; only executors of its Spark application count.
        tracked: most entries; ended ones go first.

    Returns:
        The executors that have failed since the status was written, and not because their driver had ended.
    """
    if driver is None or driver.submission != status.get("submissionID"):
        return []
    before: dict[str, str] = dict(status.get("executorState") or {})
    seen = {pod.name: pod for pod in pods if pod.app_id == driver.app_id}
    gone = observe.COMPLETED if driver.state == observe.COMPLETED else observe.UNKNOWN
    states = {name: state if name in seen or state in observe.ENDED else gone for name, state in before.items()}
    states |= {name: pod.state for name, pod in seen.items()}
    states = _tracked(states, before, seen, tracked)
    if states:
        status["executorState"] = states
    failed = [pod for name, pod in seen.items() if states.get(name) == observe.FAILED != before.get(name)]
    failed = [pod for pod in failed if not _followed(pod, driver)]
    if failed:
        status["executorFailures"] = status.get("executorFailures", 0) + len(failed)
    return sorted(failed, key=lambda pod: pod.finished)


def _tracked(states: dict[str, str], before: dict[str, str], seen: Container[str], most: int) -> dict[str, str]:
    """Return as many states as are tracked: ended executors that are gone go first, failures that are counted go last.

    A failure that was counted and then forgotten would be counted again at every look.
    """
    if len(states) <= most:
        return states

    def rank(name: str) -> int:
        if name not in seen:
            return 2
        return 0 if states[name] == observe.FAILED == before.get(name) else 1

    kept = set(sorted(states, key=rank)[:most])
    return {name: state for name, state in states.items() if name in kept}


def _followed(pod: PodView, driver: PodView) -> bool:
    """Whether an executor ended because its driver had: executors that lose it exit with 1 (CoarseGrainedExecutorBackend)."""
    return driver.state in observe.ENDED and bool(driver.finished) and pod.finished >= driver.finished


def settle(status: Object, state: str) -> None:
    """Give executors that have not ended a last state, because their driver has."""
    states = status.get("executorState")
    if states:
        status["executorState"] = {name: old if old in observe.ENDED else state for name, old in states.items()}
