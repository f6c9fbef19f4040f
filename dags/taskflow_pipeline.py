"""Extract, transform, load with decorated functions: what one returns, the next one takes.

The same as classic_pipeline, line for line; a test proves that both give the same result.

    airflow dags trigger taskflow_pipeline --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, get_current_context, task
from pipelines import totals
from pipelines.defaults import DEFAULT_ARGS, daily, date_param, day_of, due_within

# START pipeline
with DAG(
    dag_id="taskflow_pipeline",
    description="Sales a category with decorated functions",
    doc_md=__doc__,
    schedule=daily(minute=40),
    catchup=False,
    max_active_runs=4,
    deadline=due_within(hours=2),
    default_args=DEFAULT_ARGS,
    params={"date": date_param()},
    tags=["csv", "pandas", "sales"],
) as dag:

    @task
    def extract() -> dict[str, Any]:
        """Look at the day's file and return where it is."""
        return totals.extract(day_of(get_current_context()))

    @task
    def transform(source: dict[str, Any]) -> dict[str, Any]:
        """Add up the file, set its bad rows aside, and return the totals."""
        return totals.transform(source, "taskflow_pipeline")

    @task
    def load(found: dict[str, Any], source: dict[str, Any]) -> str:
        """Publish the totals and return where."""
        return totals.load(found, source, "taskflow_pipeline")

    source = extract()
    load(transform(source), source)  # type: ignore[arg-type]  # an XComArg stands for the value
# END pipeline
