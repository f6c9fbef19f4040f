"""Extract, transform, load with PythonOperators that hand over by XCom: the classic way to write a DAG.

The same as taskflow_pipeline, line for line; a test proves that both give the same result.

    airflow dags trigger classic_pipeline --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, get_current_context
from pipelines import totals
from pipelines.defaults import DEFAULT_ARGS, daily, date_param, day_of, due_within


# START pipeline
def extract(ti: Any) -> None:
    """Look at the day's file and hand over where it is."""
    ti.xcom_push(key="source", value=totals.extract(day_of(get_current_context())))


def transform(ti: Any) -> None:
    """Add up the file, set its bad rows aside, and hand over the totals."""
    source = ti.xcom_pull(task_ids="extract", key="source")
    ti.xcom_push(key="totals", value=totals.transform(source, "classic_pipeline"))


def load(ti: Any) -> str:
    """Publish the totals and return where: a returned value is an XCom too, under the key return_value."""
    source = ti.xcom_pull(task_ids="extract", key="source")
    found = ti.xcom_pull(task_ids="transform", key="totals")
    return totals.load(found, source, "classic_pipeline")


with DAG(
    dag_id="classic_pipeline",
    description="Sales a category with PythonOperators and XCom",
    doc_md=__doc__,
    schedule=daily(minute=40),
    catchup=False,
    max_active_runs=4,
    deadline=due_within(hours=2),
    default_args=DEFAULT_ARGS,
    params={"date": date_param()},
    tags=["csv", "pandas", "sales"],
) as dag:
    extract_task = PythonOperator(task_id="extract", python_callable=extract)
    transform_task = PythonOperator(task_id="transform", python_callable=transform)
    load_task = PythonOperator(task_id="load", python_callable=load)
    extract_task >> transform_task >> load_task
# END pipeline
