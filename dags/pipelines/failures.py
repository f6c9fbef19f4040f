"""How a failure is told: one readable summary a task that failed for good, and a retry policy for refused input."""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from pipelines.names import folder_name

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Where summaries go, a file a task, and how many lines of its log one holds.
FOLDER = "/opt/airflow/output/failures"
LAST_LINES = 15
#: How SparkSubmitOperator and BashOperator say that what they ran ended with exit code 2.
REFUSED = ("Error code is: 2.", "non-zero exit code 2.")


class RefusedInputPolicy(RetryPolicy):
    """Try twice what the application refuses with exit code 2, such as too many bad rows.

    The second try is for a file that was still being written or a disk that has been cleared meanwhile.
    Other failures are retried as the task says.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide what follows a failed try; the arguments are Airflow's."""
        if not any(text in str(exception) for text in REFUSED):
            return RetryDecision.default()
        if try_number == 1:
            return RetryDecision.retry(timedelta(seconds=5), "the application refused its input: one more try")
        return RetryDecision.fail("the application refused its input again")


def report_failure(context: Context) -> None:
    """Write the summary of a task that failed for good, into its log and into a file; Airflow calls it.

    Args:
        context: the task's; `exception` in it says why.
    """
    ti: Any = context["ti"]
    text = summary(ti, context.get("exception"), last_lines(log_file(ti)))
    print(text)
    with contextlib.suppress(OSError):
        file = Path(FOLDER) / ti.dag_id / folder_name(ti.run_id) / f"{_task(ti)}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")


def summary(ti: Any, exception: object, lines: list[str]) -> str:
    """Return the summary of a failed task: which, why, where to look, the last lines of its log.

    Args:
        ti: the task instance.
        exception: why it failed, None if that is not known.
        lines: the last lines of its log.
    """
    why = next((line for line in reversed(lines) if "error: " in line), "").partition("error: ")[2]
    reason = why or (str(exception or "").strip().splitlines() or ["it was killed, or its pod was"])[0]
    log = [f"  {line}" for line in lines] or ["  (its log cannot be read here)"]
    return "\n".join(
        [
            f"✗ {ti.dag_id}.{_task(ti)} failed at try {ti.try_number}",
            f"why:  {reason}",
            f"run:  {ti.run_id}",
            f"page: {getattr(ti, 'log_url', None) or 'unknown'}",
            f"log:  make logs T={ti.dag_id}.{ti.task_id}",
            "its last lines:",
            *log,
        ]
    )


def log_file(ti: Any) -> Path:
    """Return where the log of a try is, by Airflow's default `[logging] log_filename_template`."""
    from airflow.sdk.configuration import conf

    mapped = [f"map_index={ti.map_index}"] if (ti.map_index if ti.map_index is not None else -1) >= 0 else []
    parts = [f"dag_id={ti.dag_id}", f"run_id={ti.run_id}", f"task_id={ti.task_id}", *mapped, f"attempt={ti.try_number}.log"]
    return Path(conf.get("logging", "base_log_folder"), *parts)


def last_lines(file: Path, number: int = LAST_LINES) -> list[str]:
    """Return the last lines of a task's log as text: Airflow writes a JSON object a line.

    Args:
        file: the log.
        number: how many lines at most.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-number:]
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(str(json.loads(line)["event"]))
        except (ValueError, KeyError, TypeError):
            found.append(line)
    return found


async def deadline_missed(context: Any, hours: float) -> str:
    """Say in the triggerer's log that a run is late; Airflow calls it.

    Args:
        context: the deadline's: the run under `dag_run`.
        hours: how long the run may take.

    Returns:
        The sentence.
    """
    run = context.get("dag_run", {})
    sentence = f"{run.get('dag_id')} is late: its run {run.get('dag_run_id')} has not ended within {hours:g} h"
    logging.getLogger(__name__).error(sentence)
    return sentence


def _task(ti: Any) -> str:
    mapped = ti.map_index if ti.map_index is not None else -1
    return f"{ti.task_id}.{mapped}" if mapped >= 0 else str(ti.task_id)
