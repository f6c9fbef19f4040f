"""Spark's alerts in Prometheus' own rule engine: each fires when it should, at its time, and nothing else does."""

from __future__ import annotations

from typing import get_args

import pytest
from promtool import Case, Promtool

from airspark.charts.spark_metrics import Alert

pytestmark = pytest.mark.long
MINE = 'namespace="airspark",job="airspark-spark-master",pod="airspark-spark-master-0"'
ALIVE, WAITING = "metrics_master_aliveWorkers_Number", "metrics_master_waitingApps_Number"
WORKER = 'namespace="airspark",job="airspark-spark-worker",pod="airspark-spark-worker-{number}"'
DRIVER = 'namespace="airspark",job="airspark-spark-driver",pod="{pod}"'
MANAGER = "metrics_spark_driver_ExecutorAllocationManager_executors"
CLAIM = '{namespace="airspark",persistentvolumeclaim="recovery-airspark-spark-master-0"}'
AVAILABLE, CAPACITY = f"kubelet_volume_stats_available_bytes{CLAIM}", f"kubelet_volume_stats_capacity_bytes{CLAIM}"
RESTARTS = 'kube_pod_container_status_restarts_total{namespace="airspark",pod="airspark-spark-worker-0",container="spark-worker"}'
OTHER_RESTARTS = 'kube_pod_container_status_restarts_total{namespace="airspark",pod="airspark-scheduler-0",container="scheduler"}'


def free(worker: int) -> str:
    """The free cores of a worker."""
    return f"metrics_worker_coresFree_Number{{{WORKER.format(number=worker)}}}"


def executor(number: str, pod: str = "etl") -> str:
    """An executor as its driver lists it; `driver` is the driver itself."""
    labels = f'{DRIVER.format(pod=pod)},application_id="app-1",application_name="sales etl",executor_id="{number}"'
    return f"metrics_executor_maxMemory_bytes{{{labels}}}"


def manager(metric: str, pod: str) -> str:
    """A metric of a driver's dynamic allocation."""
    return f"{MANAGER}_{metric}{{{DRIVER.format(pod=pod)}}}"


def dynamic(pod: str, *, needed: str, there: str, idle: str, crashed: str = "0x360") -> dict[str, str | None]:
    """A driver with dynamic allocation: executors it needs and has, gave back because they were idle, and lost."""
    return {
        manager("numberMaxNeededExecutors_Number", pod): needed,
        manager("numberAllExecutors_Number", pod): there,
        manager("numberExecutorsKilledByDriver_Count", pod): idle,
        manager("numberExecutorsExitedUnexpectedly_Count", pod): crashed,
    }


#: Three hours of samples, one each half minute, of a cluster that works; `2x360` is the same value 361 times.
WELL = {
    ALIVE: "2x360",
    WAITING: "0x360",
    free(0): "0x360",
    free(1): "1x360",
    executor("driver"): "9x360",
    executor("0"): "9x360",
    executor("1"): "9x360",
    RESTARTS: "0x360",
    AVAILABLE: "90x360",
    CAPACITY: "100x360",
}
FULL: dict[str, str | None] = {WAITING: "0x120 1x240", free(1): "0x360"}
LATE = "_x120 9x240"

CASES = {
    "everything works": Case({}, "110m", set()),
    "the master is gone": Case({ALIVE: "2x120 stale", WAITING: "0x120 stale"}, "2m", {"SparkMasterAbsent"}),
    "the master is gone for a moment": Case({ALIVE: "2x120 stale 2x240", WAITING: "0x120 stale 0x240"}, "1m", set()),
    "no worker is left": Case({ALIVE: "2x120 0x240"}, "2m", {"SparkNoWorkers"}),
    "no worker was ever there": Case({ALIVE: "0x360"}, "0m", {"SparkNoWorkers"}),
    "no worker is left for a moment": Case({ALIVE: "2x120 0x1 2x240"}, "1m", set()),
    "a worker is lost": Case({ALIVE: "2x120 1x240"}, "6m", {"SparkWorkerLost"}),
    "a worker is replaced": Case({ALIVE: "2x120 1x6 2x240"}, "6m", set()),
    "there are more workers than asked for": Case({ALIVE: "3x360"}, "60m", set()),
    "an application fits nowhere": Case({WAITING: "0x120 1x240"}, "3m", {"SparkApplicationFitsNowhere"}),
    "an application starts soon": Case({WAITING: "0x120 1x2 0x240"}, "3m", set()),
    "the cluster is full": Case(FULL, "11m", {"SparkApplicationsWaiting"}),
    "the cluster is full for a while": Case(FULL, "9m", set()),
    "an application that needs nothing has no executor": Case(
        {WAITING: "0x120 1x240", **dynamic("connect", needed="0x360", there="0x360", idle="0x360")}, "60m", set()
    ),
    "one waits beside one that needs nothing": Case(
        {WAITING: "1x120 2x240", **dynamic("connect", needed="0x360", there="0x360", idle="0x360")},
        "3m",
        {"SparkApplicationFitsNowhere"},
    ),
    "one waits beside one that gave its executors back": Case(
        {WAITING: "0x120 1x240", **dynamic("connect", needed="0x360", there="0x360", idle="3x360")},
        "3m",
        {"SparkApplicationFitsNowhere"},
    ),
    "executors are lost and replaced": Case(
        {executor("0"): "9x120 stale", executor("1"): "9x120 stale", executor("2"): LATE, executor("3"): LATE},
        "2m",
        {"SparkExecutorsLost"},
    ),
    "all executors are lost": Case({executor("0"): "9x120 stale", executor("1"): "9x120 stale"}, "2m", {"SparkExecutorsLost"}),
    "one executor is lost": Case({executor("0"): "9x120 stale", executor("2"): LATE}, "2m", set()),
    "executors were lost long ago": Case(
        {executor("0"): "9x120 stale", executor("1"): "9x120 stale", executor("2"): LATE}, "20m", set()
    ),
    "an application ends": Case({executor(name): "9x120 stale" for name in ("driver", "0", "1")}, "2m", set()),
    "executors are given back because they are idle": Case(
        {executor("0"): "9x120 stale", executor("1"): "9x120 stale"}
        | dynamic("etl", needed="2x120 0x240", there="2x120 0x240", idle="0x120 2x240"),
        "2m",
        set(),
    ),
    "executors of dynamic allocation are lost": Case(
        dynamic("etl", needed="2x360", there="2x360", idle="0x360", crashed="0x120 2x240"), "2m", {"SparkExecutorsLost"}
    ),
    "a worker runs out of memory": Case({RESTARTS: "0x120 1x240"}, "2m", {"SparkContainerRestarted"}),
    "a container of something else is restarted": Case({OTHER_RESTARTS: "0x120 1x240"}, "2m", set()),
    "the recovery claim is nearly full": Case({AVAILABLE: "90x120 5x240"}, "6m", {"SparkRecoveryClaimFull"}),
    "another release is in trouble": Case({f'{ALIVE}{{namespace="airspark",job="other-spark-master"}}': "0x360"}, "60m", set()),
}


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """The tool with Spark's rules."""
    values = {"metrics": {"enabled": True, "prometheusRule": {"enabled": True}}, "historyServer": {"enabled": False}}
    return Promtool.with_rules(tmp_path_factory, "spark", values, "airspark-spark")


@pytest.mark.parametrize("name", CASES)
def test_should_fire_exactly_the_right_alerts_if(name: str, promtool: Promtool) -> None:
    promtool.try_case(WELL, MINE, CASES[name])


def test_should_have_a_case_for_each_alert() -> None:
    told: set[str] = set().union(*(case.alerts for case in CASES.values()))
    assert told == set(get_args(Alert))


def test_should_pass_the_check_of_rules(promtool: Promtool) -> None:
    promtool.check()
