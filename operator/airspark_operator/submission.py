"""What one submission of an application is called: the same answer every time, whoever asks."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass

from airspark_operator.kinds import Object

#: Namespace of the name-based UUIDs (RFC 9562, version 5).
NAMESPACE = uuid.UUID("8d5b7d2e-6a0f-5c9b-9d0e-3f6a1c4b7e21")
#: Changes of these restart nothing.
FREE = ("suspend", "timeToLiveSeconds")


@dataclass(frozen=True)
class Submission:
    """One attempt to run an application.

    Args:
        id: the submission's id, a UUID; label of everything that belongs to it.
        app_id: `spark.app.id`, new with every submission: `spark-` and 32 hexadecimal digits.
    """

    id: str
    app_id: str


def spec_hash(spec: Object) -> str:
    """Return a hash of whatever a running application would have to be restarted for."""
    kept = {key: value for key, value in spec.items() if key not in FREE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:32]


def submission(application: Object, run: int, attempt: int) -> Submission:
    """Return the submission of an attempt.

    A controller that was killed between creating a driver and writing that down computes the same id again, and so finds
    its own driver instead of making a second one.

    Args:
        application: the SparkApplication; its UID and spec are read.
        run: how often the application was begun anew, by a changed spec or a resume.
        attempt: the attempt of this run, counted over failed submissions and failed executions.
    """
    name = f"{application['metadata']['uid']}/{run}/{attempt}/{spec_hash(application['spec'])}"
    number = uuid.uuid5(NAMESPACE, name)
    return Submission(str(number), f"spark-{number.hex}")
