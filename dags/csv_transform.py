"""A CSV file through pandas: from the data claim to the output claim, in a task's own process.

transform → verify → publish, the asset csv_transform. The right tool up to some hundred megabytes: see docs/performance.md.

    airflow dags trigger csv_transform --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, Metadata, get_current_context, task
from pipelines import files, results, sales_frames
from pipelines.defaults import DATA, DEFAULT_ARGS, OUTPUT, daily, date_param, day_of, due_within, reject_share_param

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT = f"{DATA}/sales"
RESULT = Asset(name="csv_transform", uri="airspark://output/csv_transform")


def transform(max_reject_share: float | str, day: str | None = None) -> dict[str, Any]:
    """Clean the day's sales file with pandas, in pieces, and publish the rejected rows and a CSV file.

    Args:
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.
        day: the day, by default the run's.

    Returns:
        The manifest of the result.

    Raises:
        AirflowFailException: if the file is missing or has another header, or too many of its rows are rejected; the rejected
            rows are published then, and the old result stays.
        UserError: if the file changes while it is read, or the disk is full.
    """
    began = time.time()
    date, limit = day or day_of(get_current_context()), float(max_reject_share)
    source, tally = sales_frames.look(date, INPUT), sales_frames.Tally()
    result, quarantine = f"csv_transform/date={date}", f"quarantine/csv_transform/date={date}"
    known = {"name": "csv_transform", "partition": f"date={date}", "max_reject_share": limit}
    with files.published(result) as (folder,):
        with files.published(quarantine) as (aside,):
            with open(folder / f"sales_{date}.csv", "w", encoding="utf-8", newline="") as good:
                good.write(",".join((*sales_frames.COLUMNS, "amount")) + "\n")
                for clean in sales_frames.good_rows(source.path, date, tally, aside):
                    good.writelines(sales_frames.csv_lines(clean))
            inputs = files.described(source)
            tally.check_complete(source)
            files.write_manifest(aside, known | tally.counts(), inputs, began)
        counts = tally.check(limit, str(aside.published))
        (folder / "_SUCCESS").touch()
        return files.write_manifest(folder, known | counts, inputs, began)


with DAG(
    dag_id="csv_transform",
    description="A daily CSV file through pandas, from the data claim to the output claim",
    doc_md=__doc__,
    schedule=daily(minute=20),
    catchup=False,
    max_active_runs=4,
    deadline=due_within(hours=2),
    default_args=DEFAULT_ARGS,
    params={"date": date_param(), "max_reject_share": reject_share_param()},
    tags=["csv", "pandas", "sales"],
) as dag:
    # START operator
    transformed = PythonOperator(
        task_id="transform",
        python_callable=transform,
        op_kwargs={"max_reject_share": "{{ params.max_reject_share }}"},
    )
    # END operator

    @task
    def verify(manifest: dict[str, Any]) -> dict[str, Any]:
        """Return the manifest if its counts agree with each other and the file."""
        folder = Path(OUTPUT) / "csv_transform" / manifest["partition"]
        found: dict[str, Any] = json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))
        (file,) = folder.glob("*.csv")
        with open(file, "rb") as lines:
            rows = sum(1 for _ in lines) - 1
        total = found["rows_written"] + found["rows_rejected"] + found["rows_duplicate"]
        if rows != found["rows_written"] or total != found["rows_read"]:
            raise ValueError(f"{file} holds {rows} rows, its manifest says {found}")
        return found

    @task(outlets=[RESULT])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the file to the DAGs that are scheduled on the asset."""
        yield Metadata(RESULT, results.announcement(manifest, f"{OUTPUT}/csv_transform/{manifest['partition']}"))

    publish(verify(transformed.output))  # type: ignore[arg-type]  # an XComArg stands for the value
