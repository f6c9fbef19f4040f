"""Alerts about SparkApplications in Prometheus' own rule engine: each fires when it should, and nothing else does."""

from __future__ import annotations

from typing import get_args

import pytest
from promtool import Case, Promtool

from airspark.charts.spark_operator import OperatorAlert

pytestmark = pytest.mark.long
MINE = 'namespace="airspark",job="airspark-spark-operator",pod="airspark-spark-operator-0"'
LEADER, QUEUE = "spark_operator_leader", "spark_operator_queue_length"
WATCH = 'spark_operator_watch_age_seconds{resource="pods"}'
ERRORS = 'spark_operator_reconcile_errors_total{kind="SparkApplication"}'
#: Metrics about applications carry their namespace, which is not the controller's.
ETL = 'namespace="etl",job="airspark-spark-operator"'
REFUSED = f"spark_application_submission_failures_total{{{ETL}}}"
WELL_RUN = f'spark_application_run_seconds_count{{{ETL},result="completed"}}'
BADLY_RUN = f'spark_application_run_seconds_count{{{ETL},result="failed"}}'
MISSED = f"spark_scheduled_missed_runs_total{{{ETL}}}"
#: Three hours of samples, one each half minute, of a controller that works; `2x360` is the same value 361 times.
WELL = {
    LEADER: "1x360",
    QUEUE: "0x360",
    WATCH: "10x360",
    ERRORS: "0x360",
    REFUSED: "0x360",
    WELL_RUN: "0+1x360",
    BADLY_RUN: "0x360",
    MISSED: "0x360",
}

CASES = {
    "everything works": Case({}, "110m", set()),
    "the controller is gone": Case({LEADER: "1x120 stale"}, "3m", {"SparkOperatorAbsent"}),
    "no replica leads": Case({LEADER: "1x120 0x240"}, "3m", {"SparkOperatorAbsent"}),
    "another replica takes over": Case({LEADER: "1x120 0x1 1x240"}, "3m", set()),
    "a watch is dead": Case({WATCH: "10x120 300x240"}, "3m", {"SparkOperatorWatchStale"}),
    "a watch is late": Case({WATCH: "10x120 90x240"}, "60m", set()),
    "looks fail": Case({ERRORS: "0x120 1+2x240"}, "10m", {"SparkOperatorErrors"}),
    "a look fails": Case({ERRORS: "0x120 1x240"}, "10m", set()),
    "more comes than is worked through": Case({QUEUE: "0x120 500x240"}, "6m", {"SparkOperatorBehind"}),
    "much comes at once": Case({QUEUE: "0x120 500x4 0x240"}, "6m", set()),
    "a quota is used up": Case({REFUSED: "0x120 1+1x240"}, "6m", {"SparkSubmissionsRefused"}),
    "one submission is refused": Case({REFUSED: "0x120 1x240"}, "6m", set()),
    "most applications fail": Case({WELL_RUN: "0x360", BADLY_RUN: "0x120 1+1x240"}, "15m", {"SparkApplicationsFail"}),
    "some applications fail": Case({BADLY_RUN: "0x120 0+0.2x240"}, "50m", set()),
    "a few applications fail and no other runs": Case({WELL_RUN: "0x360", BADLY_RUN: "0x120 2x240"}, "15m", set()),
    "a schedule is not kept": Case({MISSED: "0x120 3x240"}, "2m", {"SparkScheduleMissed"}),
    "another release is in trouble": Case(
        {f'{QUEUE}{{namespace="airspark",job="other-spark-operator"}}': "900x360"}, "60m", set()
    ),
}


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """The tool with the controller's rules."""
    values = {"metrics": {"prometheusRule": {"enabled": True}}}
    return Promtool.with_rules(tmp_path_factory, "spark-operator", values, "airspark-spark-operator")


@pytest.mark.parametrize("name", CASES)
def test_should_fire_exactly_the_right_alerts_if(name: str, promtool: Promtool) -> None:
    promtool.try_case(WELL, MINE, CASES[name])


def test_should_have_a_case_for_each_alert() -> None:
    told: set[str] = set().union(*(case.alerts for case in CASES.values()))
    assert told == set(get_args(OperatorAlert))


def test_should_pass_the_check_of_rules(promtool: Promtool) -> None:
    promtool.check()
