"""A CSV file through pandas: from the data claim to the output claim, in a task's own process.

transform → verify → publish, the asset csv_transform. The right tool up to some hundred megabytes: see docs/performance.md.

    airflow dags trigger csv_transform --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, Metadata, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from pipelines import files, results, sales_frames
from pipelines.defaults import DATA, DEFAULT_ARGS, OUTPUT, daily, date_param, day_of, due_within, reject_share_param

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT = f"{DATA}/sales"
RESULT = Asset(name="csv_transform", uri="airspark://output/csv_transform")


def transform(max_reject_share: float | str, day: str | None = None) -> dict[str, Any]:
    """Clean the day's sales file with pandas, in pieces, and publish a CSV file and the rejected rows.

    Args:
        max_reject_share: the largest tolerated share of rejected rows, 0 to 1.
        day: the day, by default the run's.

    Returns:
        The manifest of the result.

    Raises:
        AirflowFailException: if the file is missing or has another header, or too many of its rows are rejected.
    """
    date = day or day_of(get_current_context())
    read = written = duplicates = 0
    rejects: dict[str, int] = {}
    seen: set[int] = set()
    partition = f"date={date}"
    with files.published(f"csv_transform/{partition}", f"quarantine/csv_transform/{partition}") as (result, quarantine):
        with open(result / f"sales_{date}.csv", "w", encoding="utf-8") as good, open(quarantine / "rejects.jsonl", "wb") as bad:
            for number, piece in enumerate(sales_frames.pieces(f"{INPUT}/sales_{date}.csv")):
                judged = sales_frames.judge(piece, date)
                rejected = judged[judged["reason"].notna()]
                kept = judged[judged["reason"].isna()]
                hashes = kept["line"].map(hash)
                copy = hashes.isin(seen) | hashes.duplicated()
                seen.update(hashes)
                clean = kept[~copy].drop(columns=["line", "reason"]).astype({"order_id": "int64", "quantity": "int64"})
                clean.to_csv(good, index=False, header=not number, float_format="%.2f", date_format="%Y-%m-%dT%H:%M:%SZ")
                rejected[["reason", "line"]].to_json(bad, orient="records", lines=True, force_ascii=False)
                read, written, duplicates = read + len(piece), written + len(clean), duplicates + int(copy.sum())
                for reason, count in rejected["reason"].value_counts().items():
                    rejects[str(reason)] = rejects.get(str(reason), 0) + int(count)
        if sum(rejects.values()) > float(max_reject_share) * read:
            raise AirflowFailException(
                f"{sum(rejects.values())} of {read} rows of sales_{date}.csv are rejected, more than the limit of "
                f"{float(max_reject_share):.2%}: {rejects}; nothing is published"
            )
        counts = {
            "partition": partition,
            "rows_read": read,
            "rows_written": written,
            "rows_rejected": sum(rejects.values()),
            "rows_duplicate": duplicates,
            "rejects_by_reason": rejects,
        }
        files.write_manifest(quarantine, counts)
        (result / "_SUCCESS").touch()
        return files.write_manifest(result, counts)


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
        with open(file, encoding="utf-8") as lines:
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
