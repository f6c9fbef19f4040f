"""Airflow's alerts in Prometheus' own rule engine: each fires when it should, at its time, and nothing else does."""

from __future__ import annotations

from typing import get_args

import pytest
from promtool import Case, Promtool

from airspark.charts.airflow_metrics import Alert

pytestmark = pytest.mark.long
MINE = 'namespace="airspark",job="airspark-statsd"'
STARTS = 'airflow_ti_start_total{dag_id="a",task_id="b"}'
OTHER_STARTS = 'airflow_ti_start_total{dag_id="a",task_id="c"}'
OTHER_QUEUED = 'airflow_ti_queued{dag_id="a",task_id="c"}'
SUCCESSES = 'airflow_ti_successes_total{dag_id="a",task_id="b"}'
FAILURES = 'airflow_ti_failures_total{dag_id="a",task_id="b"}'
LOST = 'airflow_scheduler_tasks_killed_externally_total{dag_id="a",task_id="b"}'
OPEN = 'airflow_pool_open_slots{pool_name="p"}'
WAITING = 'airflow_pool_scheduled_slots{pool_name="p"}'
REFUSED = 'airflow_kubernetes_executor_pod_creation_status_total{status="403"}'
TIMEOUTS = 'airflow_dag_processing_processor_timeouts_total{file_path="a.py"}'
PARSE = "airflow_dag_processing_total_parse_time_seconds"

#: Three hours of samples, one each half minute, of an Airflow that works; `0+6x360` counts up by 6.
WELL = {
    "up": "1x360",
    "airflow_scheduler_heartbeat_total": "0+6x360",
    "airflow_dag_processor_heartbeat_total": "0+6x360",
    "airflow_triggerer_heartbeat_total": "0+6x360",
    "airflow_executor_open_slots": "32x360",
    OPEN: "128x360",
    WAITING: "0x360",
    'airflow_pool_queued_slots{pool_name="p"}': "1x360",
    STARTS: "0+1x360",
    SUCCESSES: "0+1x360",
    'airflow_ti_queued{dag_id="a",task_id="b"}': "1x360",
    'airflow_kubernetes_executor_pod_creation_status_total{status="200"}': "0+1x360",
    "airflow_dag_processing_import_errors": "0x360",
    PARSE: "5x360",
}


def stops(name: str, minutes_until: str, alert: str) -> Case:
    """A heartbeat that is not counted up after an hour."""
    return Case({name: "0+6x120 720x240"}, minutes_until, {alert})


CASES = {
    "nothing is read": Case({"up": "1x120 0x240"}, "6m", {"AirflowMetricsAbsent"}),
    "the exporter is gone": Case({"up": "1x120 stale"}, "6m", {"AirflowMetricsAbsent"}),
    "the scheduler is gone": stops("airflow_scheduler_heartbeat_total", "8m", "AirflowSchedulerHeartbeatMissing"),
    "no scheduler ever": Case({"airflow_scheduler_heartbeat_total": None}, "0m", {"AirflowSchedulerHeartbeatMissing"}),
    "the DAG processor is gone": stops("airflow_dag_processor_heartbeat_total", "8m", "AirflowDagProcessorHeartbeatMissing"),
    "the triggerer is gone": stops("airflow_triggerer_heartbeat_total", "8m", "AirflowTriggererHeartbeatMissing"),
    "no slot is open": Case({"airflow_executor_open_slots": "32x120 0x240"}, "16m", {"AirflowExecutorFull"}),
    "no task starts": Case({STARTS: "0+1x120 120x240"}, "21m", {"AirflowNoTaskStarts"}),
    "no task starts for long": Case({STARTS: "0+1x120 120x240"}, "40m", {"AirflowNoTaskStarts", "AirflowTaskQueuedLong"}),
    "one task of several does not start": Case({OTHER_QUEUED: "0x120 1x240"}, "31m", {"AirflowTaskQueuedLong"}),
    "a new task starts only now": Case({OTHER_QUEUED: "0x120 1x240", OTHER_STARTS: "_x180 1x180"}, "31m", set()),
    "a pool is full": Case({OPEN: "128x120 0x240", WAITING: "0x120 5x240"}, "31m", {"AirflowPoolFull"}),
    "a pool is full and nobody waits": Case({OPEN: "128x120 0x240"}, "31m", set()),
    "pods are refused": Case({REFUSED: "_x121 4x240"}, "2m", {"AirflowPodCreationFailing"}),
    "a pod is refused": Case({REFUSED: "_x121 1x240"}, "2m", set()),
    "a file cannot be imported": Case({"airflow_dag_processing_import_errors": "0x120 1x240"}, "6m", {"AirflowDagImportErrors"}),
    "files are read slowly": Case({PARSE: "5x120 400x240"}, "16m", {"AirflowDagProcessingSlow"}),
    "a file takes too long": Case({TIMEOUTS: "_x121 1x240"}, "2m", {"AirflowDagFileTimeout"}),
    "tasks fail for the first time": Case({FAILURES: "_x121 40x240"}, "5m", {"AirflowTasksFailing"}),
    "few tasks fail": Case({FAILURES: "_x121 9x240", SUCCESSES: "0x360"}, "5m", set()),
    "a small share of tasks fails": Case({FAILURES: "_x121 15x240"}, "5m", set()),
    "pods are lost": Case({LOST: "_x121 3x240"}, "2m", {"AirflowTasksLost"}),
    "pods were lost long ago": Case({LOST: "_x121 3x240"}, "90m", set()),
    "another release is in trouble": Case({'airflow_executor_open_slots{namespace="other",job="x"}': "0x360"}, "60m", set()),
    "everything works": Case({}, "110m", set()),
}


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """The tool with Airflow's rules."""
    values = {"statsd": {"enabled": True}, "metrics": {"prometheusRule": {"enabled": True}}}
    return Promtool.with_rules(tmp_path_factory, "airflow", values, "airspark-airflow")


@pytest.mark.parametrize("name", CASES)
def test_should_fire_exactly_the_right_alerts_if(name: str, promtool: Promtool) -> None:
    promtool.try_case(WELL, MINE, CASES[name])


def test_should_have_a_case_for_each_alert() -> None:
    told: set[str] = set().union(*(case.alerts for case in CASES.values()))
    assert told == set(get_args(Alert))


def test_should_pass_the_check_of_rules(promtool: Promtool) -> None:
    promtool.check()
