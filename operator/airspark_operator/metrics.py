"""What Prometheus sees."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from airspark_operator import state
from airspark_operator.store import Store

disable_created_metrics()  # type: ignore[no-untyped-call]

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
RUN_SECONDS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)

SUBMISSIONS = Counter("spark_application_submissions", "Driver pods created", ["namespace"])
SUBMISSION_FAILURES = Counter("spark_application_submission_failures", "Submissions that were refused", ["namespace"])
RETRIES = Counter("spark_application_retries", "Further attempts, of submissions and of executions", ["namespace", "kind"])
EXECUTOR_FAILURES = Counter("spark_executor_failures", "Executors that failed", ["namespace", "reason"])
SCHEDULED_RUNS = Counter("spark_scheduled_runs", "Applications made by a schedule", ["namespace"])
SCHEDULED_MISSED = Counter("spark_scheduled_missed_runs", "Times of a schedule that were passed over", ["namespace"])
SUBMIT_SECONDS = Histogram(
    "spark_application_submit_seconds", "From created to driver pod exists", ["namespace"], buckets=SECONDS
)
START_SECONDS = Histogram(
    "spark_application_start_seconds", "From driver pod exists to driver runs", ["namespace"], buckets=SECONDS
)
RUN = Histogram("spark_application_run_seconds", "From driver runs to its end", ["namespace", "result"], buckets=RUN_SECONDS)
RECONCILE = Histogram("spark_operator_reconcile_seconds", "One look at an object", ["kind"])
ERRORS = Counter("spark_operator_reconcile_errors", "Looks at an object that failed and are made again", ["kind"])
LEADER = Gauge("spark_operator_leader", "1 where this replica leads")


class Sized(Protocol):
    """Something with a length."""

    def __len__(self) -> int: ...


class Watched(Collector):
    """Gauges that are counted when they are asked for.

    Args:
        store: what is known.
        queue: what waits to be looked at.
        ages: seconds since each watch was last found to be alive, by resource.
    """

    def __init__(self, store: Store, queue: Sized, ages: Ages) -> None:
        self.store, self.queue, self.ages = store, queue, ages

    def collect(self) -> Iterable[Metric]:
        """Count."""
        states: Tally[tuple[str, ...]] = Tally(
            (ns, state.state_of(app.get("status") or {}) or "NEW") for (ns, _), app in self.store.applications.items()
        )
        executors: Tally[tuple[str, ...]] = Tally(
            (ns, pod.state) for (ns, _), pod in self.store.all_pods() if pod.role == "executor"
        )
        scheduled: Tally[tuple[str, ...]] = Tally((ns,) for ns, _ in self.store.scheduled)
        yield _family("spark_applications", "Applications by state", ["namespace", "state"], states)
        yield _family("spark_executors", "Executor pods by state", ["namespace", "state"], executors)
        yield _family("spark_scheduled_applications", "Schedules", ["namespace"], scheduled)
        yield GaugeMetricFamily("spark_operator_queue_length", "Objects that wait to be looked at", value=len(self.queue))
        age = GaugeMetricFamily("spark_operator_watch_age_seconds", "Since a watch was last found alive", labels=["resource"])
        for resource, seconds in self.ages().items():
            age.add_metric([resource], seconds)
        yield age


class Ages(Protocol):
    """Tells the age of each watch, in seconds."""

    def __call__(self) -> dict[str, float]: ...


def _family(name: str, text: str, labels: list[str], counts: Mapping[tuple[str, ...], int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(list(values), count)
    return family


def expose(collector: Collector) -> None:
    """Have a collector asked whenever metrics are."""
    REGISTRY.register(collector)
