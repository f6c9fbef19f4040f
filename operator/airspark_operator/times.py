"""Points in time as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def text(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, whole seconds: what `metav1.Time` holds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Read RFC 3339, with or without parts of a second."""
    return datetime.fromisoformat(text)


def seconds_until(moment: str, now: datetime) -> float:
    """Return the seconds from now until a moment; none or negative if it has passed."""
    return (parse(moment) - now).total_seconds()
