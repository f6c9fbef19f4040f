"""The DAG bundle of `make dev`: a folder that somebody edits while Airflow reads it.

The DAG processor parses a changed DAG file again at once, but a module that DAGs import only with their next turn, every
`dag_processor.min_file_process_interval`. This bundle asks for that turn as soon as such a module changes.
"""

from __future__ import annotations

from pathlib import Path

from airflow.dag_processing.bundles import local

#: Path, time and size of each file that DAGs may read.
Seen = dict[Path, tuple[int, int]]


class LocalDagBundle(local.LocalDagBundle):
    """A local folder, every DAG file of which is parsed again when a file beside them changes."""

    _seen: Seen | None = None

    def refresh(self) -> None:
        """Look for changes; the DAG processor calls this every `dag_processor.refresh_interval` seconds."""
        from airflow.utils.file import list_py_file_paths

        dags = {Path(name) for name in list_py_file_paths(self.path)}
        seen = files(self.path, dags)
        if self._seen is not None and seen != self._seen:
            request_parsing(self.name, sorted(str(path.relative_to(self.path)) for path in dags))
        self._seen = seen


def files(folder: Path, others: set[Path]) -> Seen:
    """Return the files below a folder, but for some others and Python's caches."""
    found: Seen = {}
    for path in folder.rglob("*"):
        if path in others or "__pycache__" in path.parts or not path.is_file():
            continue
        try:
            status = path.stat()
        except FileNotFoundError:
            # An editor's file that is gone by now.
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


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
