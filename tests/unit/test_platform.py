"""What `make up` makes of an installation that was killed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airspark.platform import interrupted
from airspark.project import Failure

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NODE_START = "2026-11-26T11:50:00.123456789Z"


def record(begun: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": "sh.helm.release.v1.airspark.v2", "creationTimestamp": begun}}


def test_should_forget_an_operation_if_its_node_was_started_anew() -> None:
    assert interrupted([record("2026-11-26T11:49:59Z")], NODE_START, NOW) == ["sh.helm.release.v1.airspark.v2"]


def test_should_forget_an_operation_if_it_is_older_than_any_may_become() -> None:
    assert interrupted([record("2026-11-26T11:29:59Z")], "2026-11-26T09:00:00Z", NOW)


def test_should_say_what_to_do_if_an_operation_may_still_be_at_work() -> None:
    with pytest.raises(Failure, match="has worked on the release airspark for 300 s") as refusal:
        interrupted([record("2026-11-26T11:55:00Z")], NODE_START, NOW)
    assert "delete secret sh.helm.release.v1.airspark.v2, then: make up" in str(refusal.value.hint)


def test_should_forget_nothing_if_nothing_is_pending() -> None:
    assert interrupted([], NODE_START, NOW) == []
