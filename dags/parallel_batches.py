"""Many files, a task each: sequential and parallel parts in one DAG, and the same work in one task for comparison.

plan → total (a mapped task a file, some at a time) → combine ┐
     → in_one_task ───────────────────────────────────────────┴→ compare

How much runs at once is limited three times: the pool `batches` over all DAGs, max_active_tasks over all runs of this one,
max_active_tis_per_dagrun within a run. What each is for is in docs/write-a-dag.md.

    airflow dags trigger parallel_batches --conf '{"date": "2026-01-15", "days": 7}'
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pipelines import totals
from pipelines.defaults import DATA, DEFAULT_ARGS, date_param, day_of, due_within

INPUT = f"{DATA}/sales"
#: Made by the chart, with four slots.
POOL = "batches"

with DAG(
    dag_id="parallel_batches",
    description="A task a file, some at a time, and their results brought together",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    max_active_tasks=6,
    deadline=due_within(hours=2),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "days": Param(7, type="integer", minimum=1, maximum=366, title="Days", description="How many days, that one the last."),
    },
    tags=["csv", "pandas", "parallel"],
) as dag:

    @task
    def plan() -> list[str]:
        """Return the days of the window whose file is there."""
        context = get_current_context()
        last = date.fromisoformat(day_of(context))
        window = [str(last - timedelta(number)) for number in reversed(range(context["params"]["days"]))]
        found = [day for day in window if (Path(INPUT) / f"sales_{day}.csv").is_file()]
        print(f"{len(found)} of {len(window)} days have a file; missing: {', '.join(sorted(set(window) - set(found))) or 'none'}")
        if not found:
            raise AirflowSkipException(f"no day from {window[0]} to {window[-1]} has a file in {INPUT}")
        return found

    # START mapped
    @task(pool=POOL, max_active_tis_per_dagrun=4, map_index_template="{{ task.op_kwargs['day'] }}")
    def total(day: str) -> dict[str, Any]:
        """Add up the file of one day, and set its bad rows aside."""
        source = totals.extract(day, INPUT)
        found = totals.transform(source, "parallel_batches")
        return {"day": day, "totals": found["totals"], "began": source["began"], "ended": time.time()}

    # END mapped

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def combine(days: list[str], parts: Any) -> dict[str, Any]:
        """Add up the days, if every one of them is there."""
        done = {part["day"]: part for part in parts}
        missing = [day for day in days or [] if day not in done]
        if missing:
            raise AirflowFailException(f"no totals without the days {', '.join(missing)}: their tasks failed")
        if not done:
            raise AirflowSkipException("there was nothing to add up")
        return {
            "totals": added([part["totals"] for part in done.values()]),
            "work_seconds": sum(part["ended"] - part["began"] for part in done.values()),
            "seconds": max(part["ended"] for part in done.values()) - min(part["began"] for part in done.values()),
        }

    @task(pool=POOL)
    def in_one_task(days: list[str]) -> dict[str, Any]:
        """Do the same work one file after the other."""
        started = time.monotonic()
        found = added([totals.transform(totals.extract(day, INPUT), "parallel_batches")["totals"] for day in days])
        return {"totals": found, "seconds": time.monotonic() - started}

    @task
    def compare(parallel: dict[str, Any], alone: dict[str, Any]) -> dict[str, Any]:
        """Fail if both ways differ; return the totals and what each way took."""
        if parallel["totals"] != alone["totals"]:
            raise ValueError(f"the ways differ: {parallel['totals']} and {alone['totals']}")
        print(
            f"in mapped tasks: {parallel['seconds']:.1f} s from the first to the last, {parallel['work_seconds']:.1f} s of work; "
            f"in one task: {alone['seconds']:.1f} s"
        )
        seconds = {"mapped": parallel["seconds"], "mapped_work": parallel["work_seconds"], "one_task": alone["seconds"]}
        return {"totals": alone["totals"], "seconds": seconds}

    days = plan()
    parts = total.expand(day=days)
    compare(combine(days, parts), in_one_task(days))  # type: ignore[arg-type]  # an XComArg stands for the value


def added(parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Add up totals of several days by category.

    Args:
        parts: the totals that `totals.transform` returns, for each day.

    Returns:
        The same for all days; orders of different days are different orders.
    """
    from decimal import Decimal

    found: dict[str, dict[str, Any]] = {}
    for row in (row for part in parts for row in part):
        sums = found.setdefault(row["category"], {"category": row["category"], "orders": 0, "items": 0, "revenue": "0.00"})
        sums["orders"] += row["orders"]
        sums["items"] += row["items"]
        sums["revenue"] = str(Decimal(sums["revenue"]) + Decimal(row["revenue"]))
    return [found[name] for name in sorted(found)]
