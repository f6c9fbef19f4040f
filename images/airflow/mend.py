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
    # Airflow 3 dropped the setting for the time zone of its pages: they take that of the browser until one is selected. Here they
    # take the platform's until then.
    Fault(
        "airflow/api_fastapi/core_api/app.py",
        '{"backend_server_base_url": request.base_url.path},',
        '{"backend_server_base_url": request.base_url.path, "time_zone": os.environ.get("AIRSPARK_TIME_ZONE", "")},',
        "apache/airflow#49176",
    ),
    Fault(
        "airflow/ui/dist/index.html",
        "<title>Airflow</title>",
        "<title>Airflow</title>{% if time_zone %}<script>((ours) => { const [selected, before] = "
        '["timezone", "airspark_timezone"].map((key) => localStorage.getItem(key)); '
        'if (selected === null || selected === before) { localStorage.setItem("timezone", ours); '
        'localStorage.setItem("airspark_timezone", ours); } })(JSON.stringify({{ time_zone | tojson }}))</script>{% endif %}',
        "apache/airflow#49176",
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
