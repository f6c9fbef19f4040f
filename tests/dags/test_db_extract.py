"""The DAG db_extract: where the password goes, and where it does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import db_extract
import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException, ParamValidationError

PASSWORD = "hidden-password"


def test_should_hand_the_password_over_in_the_drivers_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = SimpleNamespace(host="shop-db", port=None, schema="shop", login="reader", password=PASSWORD)
    submitted: list[Any] = []
    monkeypatch.setattr("pipelines.spark.BaseHook.get_connection", lambda name: connection)
    monkeypatch.setattr(SparkSubmitOperator, "execute", lambda self, context: submitted.append(dict(self.env_vars)))
    task: Any = db_extract.dag.get_task("transform")
    task.execute({})
    assert submitted == [
        {"SOURCE_URL": "jdbc:postgresql://shop-db:5432/shop", "SOURCE_USER": "reader", "SOURCE_PASSWORD": PASSWORD}
    ]
    assert PASSWORD not in str(task.application_args)
    assert "SOURCE" not in str({name: getattr(task, name, None) for name in task.template_fields if name != "env_vars"})
    task.env_vars = None


def test_should_fail_without_retry_if_there_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    monkeypatch.setattr("pipelines.spark.BaseHook.get_connection", missing)
    task: Any = db_extract.dag.get_task("transform")
    with pytest.raises(
        AirflowFailException, match="there is no connection shop_db: make it with `airflow connections add shop_db "
    ):
        task.execute({})


def test_should_say_what_the_connection_lacks_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = SimpleNamespace(host="shop-db", port=None, schema=None, login="", password=PASSWORD)
    monkeypatch.setattr("pipelines.spark.BaseHook.get_connection", lambda name: connection)
    task: Any = db_extract.dag.get_task("transform")
    with pytest.raises(AirflowFailException, match="the connection shop_db has no schema, login: add it") as refused:
        task.execute({})
    assert PASSWORD not in str(refused.value)


def test_should_try_as_usual_what_another_try_may_not_meet() -> None:
    task: Any = db_extract.dag.get_task("transform")
    away = AirflowException("Cannot execute: spark-submit. Error code is: 75.\nLast spark-submit output: …")
    assert [task.retry_policy.evaluate(away, number, 3).action.value for number in (1, 2)] == ["default"] * 2


@pytest.mark.parametrize("table", ["orders; DROP TABLE orders", "Orders", "a.b.c", "", "--help"])
def test_should_refuse_a_table_that_is_no_name(table: str) -> None:
    with pytest.raises(ParamValidationError):
        db_extract.dag.params.get_param("table").resolve(table)


@pytest.mark.parametrize(("replace", "option"), [(False, "--no-replace"), (True, "--replace")])
def test_should_replace_a_day_by_fewer_rows_only_if_the_param_says_so(replace: bool, option: str) -> None:
    assert db_extract.dag.params["replace"] is False
    task: Any = db_extract.dag.get_task("transform")
    arguments = [one for one in task.application_args if isinstance(one, str)]
    params = dict(db_extract.dag.params) | {"replace": replace}
    assert task.render_template(arguments, {"params": params})[-1] == option


def test_should_read_then_verify_then_announce() -> None:
    tasks = db_extract.dag.task_dict
    assert list(tasks) == ["find_day", "transform", "verify", "publish"]
    assert tasks["verify"].upstream_task_ids == {"find_day", "transform"}
