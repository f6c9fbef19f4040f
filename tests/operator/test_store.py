"""What the store believes, in whatever order news reach it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import Cluster, application

from airspark_operator import kinds, lifecycle, observe
from airspark_operator.observe import PodView
from airspark_operator.store import Store, key_of, version_of

Object = dict[str, Any]
KEY = ("data", "job")


def thing(version: int, uid: str = "u", kind: str = kinds.APPLICATION, name: str = "job") -> Object:
    """An application or a schedule."""
    metadata = {"namespace": "data", "name": name, "uid": uid, "resourceVersion": str(version), "managedFields": [{}]}
    return {"kind": kind, "metadata": metadata}


def pod(version: int, uid: str = "u", name: str = "job-driver", role: str = "driver", **more: Any) -> PodView:
    """A driver or an executor."""
    return PodView(name, uid, role, version=version, **more)


@given(st.permutations([(1, "old"), (2, "old"), (3, "old"), (5, "new"), (6, "new")]))
def should_believe_the_newest_of_a_name_in_whatever_order_news_come(news: list[tuple[int, str]]) -> None:
    store = Store()
    for version, uid in news:
        store.put(thing(version, uid))
        store.put_pod(KEY, pod(version, uid))
    known = store.applications[KEY]
    assert (version_of(known), known["metadata"]["uid"]) == (6, "new")
    assert store.pods[KEY]["job-driver"] == pod(6, "new")


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["old", "new"]), st.booleans()), max_size=12))
def should_call_nothing_news_that_changes_nothing(news: list[tuple[int, str, bool]]) -> None:
    store = Store()
    for version, uid, deleted in news:
        before = store.pods.get(KEY, {}).get("job-driver")
        if deleted:
            store.drop_pod(KEY, "job-driver", uid)
            assert store.pods.get(KEY, {}).get("job-driver") == (None if before and before.uid == uid else before)
        else:
            told = store.put_pod(KEY, pod(version, uid))
            assert told == (store.pods[KEY]["job-driver"] != before)


def should_not_take_a_new_driver_for_deleted_if_old_news_of_the_last_one_come_late() -> None:
    cluster = Cluster(application(restartPolicy={"type": "OnFailure", "onFailureRetries": 1, "onFailureRetryInterval": 1}))
    store = Store()
    cluster.settle()
    cluster.become(version=10)
    old = cluster.driver
    cluster.fail()
    cluster.settle()
    cluster.later(2)
    cluster.settle()
    cluster.become(version=20, state=observe.RUNNING)
    assert old and cluster.driver and cluster.driver.uid != old.uid
    store.put_pod(KEY, cluster.driver)
    store.put_pod(KEY, old)
    step = lifecycle.step(cluster.app, store.pods[KEY]["job-driver"], (), cluster.now)
    assert step.status["applicationState"]["state"] == "RUNNING"


@pytest.mark.parametrize("kind", [kinds.APPLICATION, kinds.SCHEDULED])
def should_keep_kinds_apart(kind: str) -> None:
    store = Store()
    store.put(thing(1, kind=kind))
    assert (len(store.applications), len(store.scheduled)) == ((1, 0) if kind == kinds.APPLICATION else (0, 1))
    store.drop(thing(1, kind=kind))
    assert not store.applications and not store.scheduled


def should_not_keep_what_nobody_reads() -> None:
    store = Store()
    store.put(thing(1))
    assert "managedFields" not in store.applications[KEY]["metadata"]


def should_forget_without_complaint_what_it_has_never_known() -> None:
    store = Store()
    store.drop(thing(1))
    store.drop_pod(KEY, "job-driver", "u")
    assert not store.pods and not store.applications


def should_return_executors_alone_as_executors_and_each_pod_as_a_pod() -> None:
    store = Store()
    store.put_pod(KEY, pod(1))
    store.put_pod(KEY, pod(2, "e", "job-exec-1", "executor"))
    store.put_pod(("data", "other"), pod(3, "o", "other-exec-1", "executor"))
    assert [found.name for found in store.executors(KEY)] == ["job-exec-1"]
    assert {(key, found.name) for key, found in store.all_pods()} == {
        (KEY, "job-driver"),
        (KEY, "job-exec-1"),
        (("data", "other"), "other-exec-1"),
    }


def should_not_remember_an_application_that_it_was_only_asked_about() -> None:
    store = Store()
    assert store.executors(KEY) == () and not store.pods


def should_read_a_missing_version_as_the_oldest() -> None:
    told = application()
    assert version_of(told) == 0 and key_of(told) == ("data", "job")
