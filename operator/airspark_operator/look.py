"""What a step of an application's life sees, and the few questions that more than one state asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from airspark_operator import times
from airspark_operator.conditions import set_condition
from airspark_operator.kinds import Object
from airspark_operator.observe import PodView
from airspark_operator.state import COMPLETED, FAILED, RETRY_INTERVAL, RUNNING, SUSPENDED, SUSPENDING, Limits, state_of

#: Restart policies.
ALWAYS, ON_FAILURE = "Always", "OnFailure"
#: Longest pause, in seconds.
LONGEST = 100 * 365 * 24 * 3600.0


@dataclass(frozen=True)
class Look:
    """What a step sees.

    Args:
        spec: the application's.
        status: a copy of its own, changed in place.
        driver: the driver pod; None if there is none.
        now: the present.
        limits: how long things may take.
    """

    spec: Object
    status: Object
    driver: PodView | None
    now: datetime
    limits: Limits = field(default_factory=Limits)

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def policy(self) -> Object:
        return self.spec.get("restartPolicy") or {}

    @property
    def may_submit_again(self) -> bool:
        """Whether the policy allows another submission after one that was refused."""
        attempts, retries = self.status.get("submissionAttempts", 0), self.policy.get("onSubmissionFailureRetries") or 0
        return self.policy.get("type") == ALWAYS or attempts <= retries

    def to(self, state: str, reason: str, message: str = "") -> Object:
        """Put a state into the status, with its reason and the conditions that say the same in the standard way."""
        status, now = self.status, times.text(self.now)
        old = state_of(status)
        application_state = {"state": state} | ({"errorMessage": message} if message else {})
        status["applicationState"] = application_state
        status["reason"] = reason
        if state != old:
            status.pop("nextAttemptTime", None)
            status.pop("waitingSince", None)
        told = reason or state.title()
        set_condition(status, "Running", state == RUNNING, told, message, now)
        set_condition(status, "Complete", state == COMPLETED, told, message if state == COMPLETED else "", now)
        set_condition(status, "Failed", state == FAILED, told, message if state == FAILED else "", now)
        set_condition(status, "Suspended", state in (SUSPENDING, SUSPENDED), told, "", now)
        return status


def pause(look: Look, interval: str, times_in_row: int) -> float:
    """Return the seconds until the next attempt: attempts × interval, as kubeflow's operator has it, up to a limit.

    No pause is longer than a hundred years, because a date has to hold its end.

    Args:
        look: what is seen.
        interval: name of the policy's field for one interval.
        times_in_row: how often it has failed.
    """
    once: float = look.policy.get(interval) or RETRY_INTERVAL
    return min(once * times_in_row, max(once, look.limits.pause), LONGEST)
