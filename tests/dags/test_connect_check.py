"""The DAG connect_check; its query runs in tests/images/test_spark_connect.py, against a real server."""

from __future__ import annotations

from datetime import timedelta

import connect_check
import pytest
from airflow.sdk.exceptions import ParamValidationError

TASK = connect_check.dag.get_task("count_by_last_digit")


def test_should_use_the_connection_that_the_chart_makes() -> None:
    assert TASK.conn_id == "spark_connect_default"


def test_should_give_up_before_the_client_does_where_no_server_is() -> None:
    # PySpark's client tries for ten minutes.
    assert TASK.execution_timeout < timedelta(minutes=10)


def test_should_run_only_when_it_is_asked_to_and_then_at_once() -> None:
    assert connect_check.dag.schedule is None
    assert connect_check.dag.is_paused_upon_creation is False


@pytest.mark.parametrize("rows", [0, -1, "many", 10**10])
def test_should_refuse_a_number_of_rows_that_makes_no_sense(rows: object) -> None:
    with pytest.raises(ParamValidationError):
        connect_check.dag.params.get_param("rows").resolve(rows)
