"""What the controller tells: Events and metrics."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from machine import START, Cluster, application
from prometheus_client import CollectorRegistry, generate_latest

from airspark_operator import events, metrics, times
from airspark_operator.observe import PodView
from airspark_operator.state import NORMAL, WARNING, Event
from airspark_operator.store import Store

Object = dict[str, Any]
#: Names of objects as the API server takes them (RFC 1123 subdomain).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def about(name: str = "job") -> Object:
    """An application as the API server gives it."""
    app = application() | {"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication"}
    app["metadata"] |= {"name": name, "resourceVersion": "7"}
    return app


@pytest.mark.parametrize("kind", [NORMAL, WARNING])
def should_tell_an_event_where_kubectl_describe_looks_for_it(kind: str) -> None:
    told = events.event_object(about(), Event(kind, "SparkDriverRunning", "The driver runs"), START)
    assert told["involvedObject"] == {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "name": "job",
        "namespace": "data",
        "uid": "u-1",
        "resourceVersion": "7",
    }
    assert (told["type"], told["reason"], told["message"]) == (kind, "SparkDriverRunning", "The driver runs")
    assert told["metadata"]["namespace"] == "data" and told["lastTimestamp"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("name", ["job", "1-job", "a" * 253, "a" * 199 + "-" + "b" * 50, "a" * 199 + "." + "b" * 50])
def should_give_events_names_that_the_api_server_takes_and_each_its_own(name: str) -> None:
    made = {events.event_object(about(name), Event(NORMAL, "A", ""), START)["metadata"]["name"] for _ in range(20)}
    assert len(made) == 20 and all(NAME.fullmatch(found) and len(found) <= 253 for found in made)


def should_cut_a_message_that_the_api_server_would_refuse() -> None:
    assert len(events.event_object(about(), Event(NORMAL, "A", "x" * 5000), START)["message"]) == 1024


class Queue:
    """A queue of three."""

    def __len__(self) -> int:
        return 3


def shown(store: Store) -> str:
    """What Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(metrics.Watched(store, Queue(), lambda: {"pods": 1.5}))
    return generate_latest(registry).decode()


def should_show_nothing_of_an_empty_cluster_but_the_queue_and_the_watches() -> None:
    lines = [line for line in shown(Store()).splitlines() if not line.startswith("#")]
    assert lines == ["spark_operator_queue_length 3.0", 'spark_operator_watch_age_seconds{resource="pods"} 1.5']


def should_count_applications_by_the_state_they_are_in() -> None:
    store, cluster = Store(), Cluster(application())
    cluster.settle()
    cluster.run()
    cluster.settle()
    refused = Cluster(application(restartPolicy={"onSubmissionFailureRetries": 1}), refuse="full")
    refused.look()
    store.applications = {("data", "a"): application(), ("data", "b"): cluster.app, ("data", "c"): refused.app}
    text = shown(store)
    for state in ("NEW", "RUNNING", "SUBMISSION_FAILED"):
        assert f'spark_applications{{namespace="data",state="{state}"}} 1.0' in text


def should_count_executors_by_state_and_no_driver_among_them() -> None:
    store = Store()
    for number, (role, state) in enumerate([("driver", "RUNNING"), ("executor", "RUNNING"), ("executor", "FAILED")]):
        store.put_pod(("data", "job"), PodView(f"p-{number}", f"u-{number}", role, state=state))
    text = shown(store)
    assert 'spark_executors{namespace="data",state="RUNNING"} 1.0' in text
    assert 'spark_executors{namespace="data",state="FAILED"} 1.0' in text


def should_count_schedules_by_namespace() -> None:
    store = Store()
    store.scheduled = {("data", "nightly"): {}, ("data", "hourly"): {}, ("more", "daily"): {}}
    text = shown(store)
    assert 'spark_scheduled_applications{namespace="data"} 2.0' in text
    assert 'spark_scheduled_applications{namespace="more"} 1.0' in text


@pytest.mark.parametrize("moment", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123456Z", "2026-03-01T21:00:00+09:00"])
def should_read_every_time_that_kubernetes_writes_and_write_it_as_it_does(moment: str) -> None:
    assert times.text(times.parse(moment)) == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("seconds", [-30, 0, 0.5, 3600])
def should_tell_how_long_it_is_until_a_moment(seconds: float) -> None:
    assert times.seconds_until("2026-03-01T12:00:00Z", START - timedelta(seconds=seconds)) == seconds
