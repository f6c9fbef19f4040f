"""Standard conditions of an object's status (Kubernetes API conventions, metav1.Condition)."""

from __future__ import annotations

from airspark_operator.kinds import Object


def set_condition(status: Object, kind: str, value: bool, reason: str, message: str, now: str) -> None:
    """Put a condition into a status; its time changes only when its value does.

    Args:
        status: changed in place.
        kind: type of the condition.
        value: whether it holds.
        reason: one CamelCase word.
        message: a sentence, or nothing.
        now: RFC 3339.
    """
    text = "True" if value else "False"
    conditions = [dict(entry) for entry in status.get("conditions") or ()]
    old = next((entry for entry in conditions if entry["type"] == kind), None)
    since = old["lastTransitionTime"] if old and old["status"] == text else now
    new = {
        "type": kind,
        "status": text,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": status.get("observedGeneration", 0),
    }
    if old:
        conditions[conditions.index(old)] = new
    else:
        conditions.append(new)
    status["conditions"] = conditions


def condition(status: Object, kind: str) -> Object | None:
    """Return a condition of a status."""
    return next((entry for entry in status.get("conditions") or () if entry["type"] == kind), None)
