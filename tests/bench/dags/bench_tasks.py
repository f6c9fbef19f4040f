"""What `make bench-tasks` measures: tasks that do nothing, three in a row and twenty at once."""

from __future__ import annotations

from airflow.sdk import dag, task


@task
def nothing(_: object = None) -> None:
    """Do nothing; what it takes is the time to start."""


@dag(schedule=None)
def bench_row() -> None:
    """Three tasks, one after the other."""
    nothing.override(task_id="third")(nothing.override(task_id="second")(nothing.override(task_id="first")()))


@dag(schedule=None, max_active_tasks=32)
def bench_fan() -> None:
    """Twenty tasks at once."""
    nothing.expand(_=list(range(20)))


bench_row()
bench_fan()
