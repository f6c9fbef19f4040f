"""Events on objects, as `kubectl describe` shows them."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from airspark_operator import times
from airspark_operator.api import Api, Refused, Unavailable
from airspark_operator.kinds import Object
from airspark_operator.state import Event

log = logging.getLogger(__name__)
COMPONENT = "airspark-spark-operator"
#: The API server refuses longer notes.
LENGTH = 1024


def event_object(about: Object, event: Event, now: datetime) -> Object:
    """Return the Event that tells something about an object."""
    metadata, moment = about["metadata"], times.text(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name'][:200].rstrip('-.')}.{uuid.uuid4().hex[:16]}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:LENGTH],
        "source": {"component": COMPONENT},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


async def tell(api: Api, about: Object, told: tuple[Event, ...], now: datetime) -> None:
    """Create Events; one that cannot be created is only logged, because the status says the same."""
    for event in told:
        try:
            await api.create(event_object(about, event, now))
        except (Refused, Unavailable) as problem:
            log.debug("No event %s on %s: %s", event.reason, about["metadata"]["name"], problem)
