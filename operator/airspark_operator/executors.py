"""What the status says about executors."""

from __future__ import annotations

from collections.abc import Iterable

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
        The executors that have failed since the status was written.
    """
    if driver is None or driver.submission != status.get("submissionID"):
        return []
    states: dict[str, str] = dict(status.get("executorState") or {})
    seen = {pod.name: pod for pod in pods if pod.app_id == driver.app_id}
    for name, state in states.items():
        if name not in seen and state not in observe.ENDED:
            states[name] = observe.UNKNOWN if driver.state != observe.COMPLETED else observe.COMPLETED
    failed = [pod for name, pod in seen.items() if pod.state == observe.FAILED and states.get(name) != observe.FAILED]
    if failed:
        status["executorFailures"] = status.get("executorFailures", 0) + len(failed)
    states |= {name: pod.state for name, pod in seen.items()}
    for name in [name for name, state in states.items() if state in (*observe.ENDED, observe.UNKNOWN) and name not in seen]:
        if len(states) > tracked:
            del states[name]
    if states:
        status["executorState"] = dict(list(states.items())[:tracked])
    return sorted(failed, key=lambda pod: pod.finished)


def settle(status: Object, state: str) -> None:
    """Give executors that have not ended a last state, because their driver has."""
    states = status.get("executorState")
    if states:
        status["executorState"] = {name: old if old in observe.ENDED else state for name, old in states.items()}
