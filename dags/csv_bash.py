"""A CSV file through a shell script: cleaned with awk in a BashOperator, then published.

prepare → clean (bash) → publish, the asset csv_bash → remove, what prepare made, whatever became of the run.

The script judges each row by the rule for sales files, docs/reference/sales-format.md, and writes what csv_transform writes. It
is given the run's day and the time zone. publish counts the file's rows by itself, and publishes nothing if the script has read
another number.

    airflow dags trigger csv_bash --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Metadata, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from pipelines import applications, files, results, sales_frames
from pipelines.defaults import DATA, DEFAULT_ARGS, OUTPUT, TIME_ZONE, daily, date_param, day_of, due_within, reject_share_param
from pipelines.failures import RefusedInputPolicy
from pipelines.names import folder_name

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT = f"{DATA}/sales"
SCRIPTS = str(Path(__file__).parent / "scripts")
RESULT = Asset(name="csv_bash", uri="airspark://output/csv_bash")

with DAG(
    dag_id="csv_bash",
    description="A daily CSV file through a shell script, from the data claim to the output claim",
    doc_md=__doc__,
    schedule=daily(minute=30),
    catchup=False,
    max_active_runs=4,
    deadline=due_within(hours=2),
    default_args=DEFAULT_ARGS,
    params={"date": date_param(), "max_reject_share": reject_share_param()},
    tags=["csv", "bash", "sales"],
) as dag:

    @task
    def prepare() -> dict[str, Any]:
        """Return the run's day, its input as it is now, and a folder that is this run's alone and that no reader looks into."""
        began, context = time.time(), get_current_context()
        date = day_of(context)
        file = sales_frames.look(date, INPUT)
        work = _work(context)
        os.umask(0o002)
        try:
            work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AirflowFailException(f"the output folder {OUTPUT} cannot be written: {error.strerror}") from None
        looked_at = dataclasses.asdict(file)
        return {"date": date, "began": began, "input": file.path, "looked_at": looked_at, "work": str(work)}

    prepared = prepare()

    # START operator
    clean = BashOperator(
        task_id="clean",
        # What a run is given reaches the script as values of the environment, never as text of the command. A value that
        # ends with .sh would be read as a template, so the script's name stands in the command.
        bash_command='exec "$SCRIPTS/clean_csv.sh" "$INPUT" "$WORK/clean.csv" "$WORK/rejects.csv" ${DAY+"$DAY" "$ZONE"}',
        env={
            "SCRIPTS": SCRIPTS,
            "INPUT": prepared["input"],
            "WORK": prepared["work"],
            "DAY": prepared["date"],
            "ZONE": TIME_ZONE,
        },
        append_env=True,
        output_processor=json.loads,
        retry_policy=RefusedInputPolicy(),
    )
    # END operator

    @task(outlets=[RESULT])
    def publish(paths: dict[str, Any], counts: dict[str, int]) -> Iterator[Metadata]:
        """Publish the rejected lines, then the cleaned file if not too many are rejected, and announce the file."""
        file = sales_frames.looked_at(paths["looked_at"])
        with applications.refusals():
            inputs = files.described(file)
        read, rejected = counts["rows_read"], counts["rows_rejected"]
        sales_frames.Tally(read).check_complete(file)
        if read != counts["rows_written"] + rejected + counts["rows_duplicate"]:
            raise ValueError(f"the counts do not add up, nothing is published: {counts}")
        limit = get_current_context()["params"]["max_reject_share"]
        partition, work = f"date={paths['date']}", Path(paths["work"])
        reasons = _reasons(work / "rejects.csv")
        entries = {"name": "csv_bash", "partition": partition, "max_reject_share": limit, **counts, "rejects_by_reason": reasons}
        # Copies, so that a try after one that was killed finds both files.
        with files.published(f"quarantine/csv_bash/{partition}") as (quarantine,):
            shutil.copyfile(work / "rejects.csv", quarantine / "rejects.csv")
            files.write_manifest(quarantine, entries, inputs, paths["began"])
        if rejected > limit * read:
            raise AirflowFailException(
                f"{rejected} of {read} lines are rejected, more than {limit:.2%}: see {quarantine.published}"
            )
        with files.published(f"csv_bash/{partition}") as (result,):
            shutil.copyfile(work / "clean.csv", result / f"sales_{paths['date']}.csv")
            (result / "_SUCCESS").touch()
            manifest: dict[str, Any] = files.write_manifest(result, entries, inputs, paths["began"])
        yield Metadata(RESULT, results.announcement(manifest, str(result.published)))

    @task
    def remove() -> None:
        """Remove the run's folder, and no other one, whatever stands in an XCom."""
        shutil.rmtree(_work(get_current_context()), ignore_errors=True)

    published = publish(prepared, clean.output)  # type: ignore[arg-type]  # an XComArg stands for the value
    published >> remove().as_teardown(setups=prepared)


def _work(context: Any) -> Path:
    return Path(OUTPUT) / ".work" / "csv_bash" / folder_name(context["run_id"])


def _reasons(rejects: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    # Of bytes, only a line feed ends a line.
    with open(rejects, "rb") as lines:
        for line in lines:
            reason = line.partition(b",")[0].decode()
            found[reason] = found.get(reason, 0) + 1
    return found
