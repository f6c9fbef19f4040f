"""Mend faults of the installed Airflow that have no release with a mend yet.

Run by the step that installs packages: `python mend.py /opt/venv/lib/python3.11/site-packages`. Each fault is one text in one
file. A text that is not there once ends the build: then look whether Airflow has mended it, and remove the entry.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """A fault: the file below site-packages, the text, what goes in its place, and where it is known."""

    file: str
    text: str
    mended: str
    known: str


FAULTS = (
    # A run that has a deadline after it was queued, and has not met it yet, could not be cleared: the interval is stored as JSON.
    Fault(
        "airflow/models/taskinstance.py",
        "deadline_interval = timedelta(seconds=deadline_alert.interval)",
        'deadline_interval = timedelta(seconds=deadline_alert.interval["__data__"])',
        "apache/airflow#70368",
    ),
)


def mend(site_packages: Path, faults: tuple[Fault, ...] = FAULTS) -> None:
    """Mend faults and compile the files anew.

    Args:
        site_packages: where Airflow is installed.
        faults: what to mend.

    Raises:
        SystemExit: a text is not there exactly once; the sentence names it.
    """
    for fault in faults:
        file = site_packages / fault.file
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if text.count(fault.text) != 1:
            raise SystemExit(
                f"mend.py: {fault.file} has {text.count(fault.text)} times the text of {fault.known} instead of once: "
                "look whether this Airflow has mended it, and remove it from images/airflow/mend.py"
            )
        file.write_text(text.replace(fault.text, fault.mended), encoding="utf-8")
        compileall.compile_file(file, quiet=1, force=True)


if __name__ == "__main__":
    mend(Path(sys.argv[1]))
