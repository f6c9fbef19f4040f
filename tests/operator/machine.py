"""A small cluster for the state machine: what the controller would do for each step, and what comes of it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airspark_operator import lifecycle, observe, state, times
from airspark_operator.observe import PodView
from airspark_operator.state import Action, Limits, Step
from airspark_operator.submission import submission

Object = dict[str, Any]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def application(**spec: Any) -> Object:
    """A SparkApplication that has just been created."""
    return {
        "metadata": {
            "name": "job",
            "namespace": "data",
            "uid": "u-1",
            "generation": 1,
            "creationTimestamp": "2026-03-01T12:00:00Z",
        },
        "spec": {"type": "Python", "driver": {}, "executor": {}, **spec},
    }


@dataclass
class Cluster:
    """An application, its driver pod, and a controller that can be killed between any two things that it does.

    Args:
        app: the SparkApplication.
        graceful: whether a driver that is deleted stays until `vanish`, as pods do that get time to end.
        limits: how long things may take.
        refuse: what the API server says to a submission; nothing if it accepts it.
    """

    app: Object
    now: datetime = START
    driver: PodView | None = None
    made: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    gone: bool = False
    refuse: str = ""
    graceful: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def status(self) -> Object:
        """The application's status."""
        found: Object = self.app.get("status", {})
        return found

    @property
    def state(self) -> str:
        """The state as it is published."""
        return str((self.status.get("applicationState") or {}).get("state", ""))

    def write(self, step: Step) -> None:
        """Write a status, as the API server would keep it."""
        if step.status != self.status:
            self.events += [event.reason for event in step.events]
            self.app["status"] = deepcopy(step.status)

    def look(self, killed_at: int = 99) -> Step:
        """One look of the controller.

        Args:
            killed_at: after how many of the things it does the controller is killed; 99 for never.
        """
        step = lifecycle.step(deepcopy(self.app), self.driver, (), self.now, limits=self.limits)
        if step.action is Action.SUBMIT:
            self._submit(step, killed_at)
            return step
        if killed_at > 0:
            self.write(step)
        if killed_at > 1 and step.action is Action.DELETE_DRIVER:
            self._delete()
        if step.action is Action.DELETE:
            self.gone = True
        return step

    def _submit(self, step: Step, killed_at: int) -> None:
        wanted = submission(self.app, *state.attempt(step.status))
        if self.driver and self.driver.submission != wanted.id:
            self._delete()  # of another submission: it has to go first
            return
        if self.refuse:
            self.write(lifecycle.not_submitted(self.app, step.status, "Refused", self.refuse, self.now, limits=self.limits))
            return
        if killed_at > 0 and not self.driver:
            uid = f"pod-{len(self.made)}"
            self.driver = PodView("job-driver", uid, "driver", "u-1", wanted.id, wanted.app_id, reason="DriverStarting")
            self.made.append(wanted.id)
        if killed_at > 1:
            self.write(lifecycle.submitted(self.app, step.status, wanted, {"podName": "job-driver"}, [], self.now))

    def _delete(self) -> None:
        """Delete the driver; one that should be gone for a while is deleted at once, as the controller does."""
        if self.driver and self.graceful and not observe.overdue(self.driver, self.now):
            gone_by = self.driver.gone_by or times.text(self.now + timedelta(seconds=30))
            self.driver = replace(self.driver, deleting=True, gone_by=gone_by)
        else:
            self.driver = None

    def vanish(self) -> None:
        """Have the driver pod be gone."""
        self.driver = None

    def settle(self, looks: int = 20) -> None:
        """Look until nothing follows."""
        for _ in range(looks):
            before = (deepcopy(self.app), self.driver)
            step = self.look()
            if (self.app, self.driver) == before and step.action in (Action.NOTHING, Action.TIDY):
                return

    def run(self) -> None:
        """Have the driver start."""
        self.become(state=observe.RUNNING, reason="Running", started="2026-03-01T12:00:10Z")

    def complete(self) -> None:
        """Have the driver end well."""
        self.become(state=observe.COMPLETED, reason="Completed", finished="2026-03-01T12:01:00Z")

    def fail(self, reason: str = "Error", message: str = "The driver failed with exit code 1") -> None:
        """Have the driver end badly."""
        self.become(state=observe.FAILED, reason=reason, message=message, finished="2026-03-01T12:01:00Z")

    def hide(self) -> None:
        """Have the kubelet report no containers."""
        self.become(state=observe.PENDING, reason="DriverStarting")

    def stop(self) -> None:
        """Have somebody delete the driver pod, and Spark's container end by it before the pod is gone."""
        ended = {"state": observe.FAILED, "reason": "Terminated", "finished": "2026-03-01T12:01:00Z"}
        self.become(deleting=True, message="The driver was told to stop (signal 15, exit code 143)", **ended)

    def lose_node(self) -> None:
        """Have the driver's node be lost: Kubernetes deletes the pod, and no kubelet is there to end it."""
        gone_by = times.text(self.now + timedelta(seconds=30))
        message = "The node n-1 of the driver does not answer or is gone: Taint manager: deleting due to NoExecute taint"
        self.become(state=observe.UNKNOWN, reason="NodeLost", message=message, deleting=True, gone_by=gone_by)

    def become(self, **changes: Any) -> None:
        """Change the driver as its kubelet would."""
        if self.driver and self.driver.state not in observe.ENDED:
            self.driver = replace(self.driver, **changes)

    def change(self, **spec: Any) -> None:
        """Change the spec, as a user does."""
        self.app["spec"] |= spec
        self.app["metadata"]["generation"] += 1

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
