"""What a submission is called: the same whoever asks, another for anything that is another."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import application

from airspark_operator import state
from airspark_operator.submission import FREE, spec_hash, submission

Object = dict[str, Any]
NUMBERS = st.integers(0, 1000)


@given(NUMBERS, NUMBERS)
def should_be_called_the_same_by_every_controller(run: int, attempt: int) -> None:
    first, second = submission(application(), run, attempt), submission(application(), run, attempt)
    assert first == second
    assert uuid.UUID(first.id).version == 5
    assert re.fullmatch(r"spark-[0-9a-f]{32}", first.app_id), "what Spark accepts as spark.app.id, and a label"


@given(st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS))
def should_be_another_for_another_run_or_attempt(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (submission(application(), *one) == submission(application(), *other)) == (one == other)


def should_be_another_for_another_application_of_the_same_name() -> None:
    other = application()
    other["metadata"]["uid"] = "u-2"
    assert submission(application(), 0, 1) != submission(other, 0, 1)


@pytest.mark.parametrize(
    "change", [{"image": "other"}, {"driver": {"memory": "2g"}}, {"arguments": ["a"]}, {"sparkConf": {"spark.x": "1"}}]
)
def should_be_another_for_a_changed_spec(change: Object) -> None:
    assert submission(application(), 0, 1) != submission(application(**change), 0, 1)


@pytest.mark.parametrize("change", [{"suspend": True}, {"suspend": False}, {"timeToLiveSeconds": 9}])
def should_be_the_same_for_a_change_that_restarts_nothing(change: Object) -> None:
    assert set(change) <= set(FREE) and submission(application(), 0, 1) == submission(application(**change), 0, 1)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def should_not_depend_on_the_order_of_keys(spec: Object) -> None:
    assert spec_hash(spec) == spec_hash(dict(reversed(spec.items())))


@pytest.mark.parametrize(
    ("status", "following"),
    [({}, (0, 1)), ({"executionAttempts": 2}, (0, 3)), ({"runNumber": 4, "executionAttempts": 0}, (4, 1))],
)
def should_come_after_the_attempts_that_the_status_counts(status: Object, following: tuple[int, int]) -> None:
    assert state.attempt(status) == following


def should_be_the_same_after_a_refusal_so_that_what_was_made_is_used() -> None:
    refused = {"submissionAttempts": 3, "nextAttemptTime": "2026-03-01T12:00:00Z"}
    assert state.attempt(refused) == state.attempt({})
