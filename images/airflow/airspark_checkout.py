"""The DAG bundle of `make dev`: a folder that somebody edits while Airflow reads it.

The DAG processor parses a changed DAG file again at once, but a module that DAGs import only with their next turn, every
`dag_processor.min_file_process_interval`. It takes no notice of what changes while it parses the file, and drops a request
to parse a file that it is parsing (`DagFileProcessorManager._start_new_processes`). This bundle asks for every changed file,
and for all of them if a module changes, and asks again if the first answer may be older than the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.dag_processing.bundles import local

#: Path, time and size of each file that DAGs may read.
Seen = dict[Path, tuple[int, int]]
#: When the DAG processor last stored what is in a file, and when it began to parse it, if that is known.
Parsed = tuple[datetime, datetime | None]

#: What the DAG processor may need to start a process and to store its result.
SLACK = timedelta(seconds=1)


class LocalDagBundle(local.LocalDagBundle):
    """A local folder whose changed DAG files are parsed again, and all of them if another file changes."""

    _seen: Seen | None = None

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        # By a DAG file's path relative to the folder, when a change of it or of what it imports was seen.
        self._changed: dict[str, datetime] = {}

    def refresh(self) -> None:
        """Look for changes; the DAG processor calls this every `dag_processor.refresh_interval` seconds."""
        from airflow.utils.file import list_py_file_paths

        dags = {Path(name) for name in list_py_file_paths(self.path)}
        seen = files(self.path)
        if self._seen is not None:
            different = {path for path, _ in seen.items() ^ self._seen.items()}
            now = datetime.now(UTC)
            self._changed |= {str(path.relative_to(self.path)): now for path in (dags if different - dags else different)}
            wanted = {path for path, since in self._changed.items() if since == now}
            if self._changed:
                wanted |= self._outdated(parsed(self.name, self._changed))
            if wanted:
                request_parsing(self.name, sorted(wanted))
        self._seen = seen

    def _outdated(self, found: dict[str, Parsed]) -> set[str]:
        """Return the changed files whose first result since then may be older than the change; each is returned once."""
        ended = {path: began for path, (end, began) in found.items() if end > self._changed[path]}
        outdated = {path for path, began in ended.items() if began is None or began < self._changed[path] + SLACK}
        self._changed = {path: since for path, since in self._changed.items() if path not in ended}
        return outdated


def files(folder: Path) -> Seen:
    """Return the files below a folder, but for Python's caches."""
    found: Seen = {}
    for path in folder.rglob("*"):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        try:
            status = path.stat()
        except FileNotFoundError:
            # An editor's file that is gone by now.
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def parsed(bundle: str, paths: Iterable[str]) -> dict[str, Parsed]:
    """Return what the database has of the last parsing of files: of their DAGs, or of their import error.

    Args:
        bundle: name of the bundle.
        paths: the files, relative to it.
    """
    from airflow.models.dag import DagModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        errors = session.execute(
            select(ParseImportError.filename, ParseImportError.timestamp)
            .where(ParseImportError.bundle_name == bundle, ParseImportError.filename.in_(paths))
        ).all()  # fmt: skip
        dags = session.execute(
            select(DagModel.relative_fileloc, DagModel.last_parsed_time, DagModel.last_parse_duration)
            .where(DagModel.bundle_name == bundle, DagModel.relative_fileloc.in_(paths), DagModel.last_parsed_time.is_not(None))
        ).all()  # fmt: skip
    # No duration is stored with an error; a DAG that is no longer in its file keeps its time.
    rows = [*((path, end, end - timedelta(seconds=taken or 0)) for path, end, taken in dags),
            *((path, end, None) for path, end in errors)]  # fmt: skip
    return {path: (end, began) for path, end, began in sorted(rows, key=lambda row: row[1])}


def request_parsing(bundle: str, paths: list[str]) -> None:
    """Have the DAG processor parse files before any others, as a request over the REST API does.

    Args:
        bundle: name of the bundle.
        paths: the files, relative to it.
    """
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        waiting = set(session.scalars(select(DagPriorityParsingRequest.relative_fileloc).where(
            DagPriorityParsingRequest.bundle_name == bundle)))  # fmt: skip
        session.add_all(DagPriorityParsingRequest(bundle, path) for path in paths if path not in waiting)
