"""States of a SparkApplication, and what a step of its life consists of."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum

from airspark_operator.kinds import Object

NEW, SUBMITTED, RUNNING, COMPLETED, FAILED = "", "SUBMITTED", "RUNNING", "COMPLETED", "FAILED"
SUBMISSION_FAILED, PENDING_RERUN, INVALIDATING = "SUBMISSION_FAILED", "PENDING_RERUN", "INVALIDATING"
SUCCEEDING, FAILING, UNKNOWN = "SUCCEEDING", "FAILING", "UNKNOWN"
SUSPENDING, SUSPENDED, RESUMING = "SUSPENDING", "SUSPENDED", "RESUMING"
STATES = (NEW, SUBMITTED, RUNNING, COMPLETED, FAILED, SUBMISSION_FAILED, PENDING_RERUN, INVALIDATING, SUCCEEDING, FAILING,
          SUSPENDING, SUSPENDED, RESUMING, UNKNOWN)  # fmt: skip
#: States that end only by a changed spec or by deletion.
ENDED = (COMPLETED, FAILED)
#: States in which a driver pod must be there.
DRIVEN = (SUBMITTED, RUNNING, UNKNOWN)
#: Seconds between two attempts where the spec names none (kubeflow's default).
RETRY_INTERVAL = 5

NORMAL, WARNING = "Normal", "Warning"


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds.

    Args:
        start: how long a driver may wait to start before that attempt has failed; 0 for however long.
        pause: longest pause before another attempt, unless the application's own interval is longer.
        good_run: a run of this length is a good one: pauses after it begin at the interval again.
    """

    start: float = 3600
    pause: float = 600
    good_run: float = 3600


class Action(Enum):
    """What the controller does for a step."""

    NOTHING = "nothing"
    #: Create whatever the submission needs and is not there yet; the driver pod last.
    SUBMIT = "submit"
    #: Delete the driver pod, by its UID, and what belongs to its submission.
    DELETE_DRIVER = "delete driver"
    #: Delete what no ended application needs: Services, Ingresses, the disruption budget, executors that still wait.
    TIDY = "tidy"
    #: Delete the application.
    DELETE = "delete"


@dataclass(frozen=True)
class Event:
    """An Event on the application.

    Args:
        type: `Normal` or `Warning`.
        reason: one CamelCase word.
        message: a sentence.
    """

    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class Step:
    """What follows from what is seen.

    Args:
        status: the whole status as it should be.
        action: what to do after the status is written; the step is asked for again when it is done.
        wait: seconds until the next look, if nothing happens before; none for as long as it takes.
        events: what to tell.
    """

    status: Object
    action: Action = Action.NOTHING
    wait: float | None = None
    events: tuple[Event, ...] = field(default=())


def known(status: Object | None) -> Object:
    """Return a copy of a status without nulls, which kubeflow's operator writes for times that there are none of."""
    return {name: deepcopy(value) for name, value in (status or {}).items() if value is not None}


def state_of(status: Object) -> str:
    """Return the state of the machine: the published one, but a failed submission is told from a made one."""
    state: str = (status.get("applicationState") or {}).get("state") or NEW
    return SUBMISSION_FAILED if state in (NEW, SUBMITTED) and status.get("nextAttemptTime") else state


def attempt(status: Object) -> tuple[int, int]:
    """Return run and attempt of the submission that comes next."""
    return status.get("runNumber", 0), status.get("executionAttempts", 0) + 1
