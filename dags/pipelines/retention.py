"""What is old enough to go: the decision is a pure function, and each kind of thing has one way to be found and one to go.

Only what is certainly ours is looked at: a partition that publish.py has published, with its manifest; a refused upload with its
reason; a failure's summary; the logs of a run, and the folder that it worked in. Links are never followed, and nothing outside of
the folders given is touched.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import applications
from pipelines.defaults import TIME_ZONE

#: What can go, and after how many days unless a run says otherwise. Task logs go earlier where the chart's log groomer is on.
KINDS = {"partitions": 400, "quarantine": 90, "uploads": 90, "failures": 30, "logs": 30, "work": 1}
#: The fewest days that a run may keep each kind: who may start a run may not delete nearly all results by it. The environment
#: variable AIRSPARK_MIN_RETENTION_DAYS sets the number of all kinds.
FLOORS = {"partitions": 30, "quarantine": 30, "uploads": 30, "failures": 7, "logs": 7, "work": 1}
#: Kinds of which the newest of each dataset stays, however old it is.
DATASETS = ("partitions", "quarantine")
_REASON = ".reason.txt"
_PARTITION = re.compile(r"date=([0-9]{4}-[0-9]{2}-[0-9]{2})")


@dataclass(frozen=True)
class Item:
    """Something that can go.

    Attributes:
        kind: one of KINDS.
        path: where it is, below its root.
        day: the day it is of, or on which it was last written.
        bytes: what it takes.
        entry: what `remove` needs to know of it.
    """

    kind: str
    path: str
    day: dt.date
    bytes: int
    entry: Any = None

    @property
    def dataset(self) -> str:
        """The folder that it is one of many in."""
        return os.path.dirname(self.path)


@dataclass(frozen=True)
class Roots:
    """The folders that are looked at.

    Attributes:
        output: the root of the results.
        data: the root of the data claim.
        logs: the folder of the task logs.
    """

    output: Path
    data: Path
    logs: Path


def expired(items: Iterable[Item], today: dt.date, days: int) -> list[Item]:
    """Return what is older than so many days, but of each dataset never the newest.

    Args:
        items: things of one kind.
        today: the day from which age is counted.
        days: how old something may be; what is exactly so old stays.
    """
    everything = list(items)
    newest: dict[str, dt.date] = {}
    for item in everything:
        newest[item.dataset] = max(item.day, newest.get(item.dataset, item.day))
    return [
        item
        for item in everything
        if (today - item.day).days > days and not (item.kind in DATASETS and item.day == newest[item.dataset])
    ]


def find(kind: str, roots: Roots) -> list[Item]:
    """Return the things of one kind, by path.

    Args:
        kind: one of KINDS.
        roots: where to look.
    """
    finders = {
        "partitions": lambda: _partitions(roots.output, "partitions"),
        "quarantine": lambda: _partitions(roots.output, "quarantine"),
        "uploads": lambda: _uploads(roots.data),
        "failures": lambda: _failures(roots.output),
        "logs": lambda: _logs(roots.logs),
        "work": lambda: _work(roots.output),
    }
    return sorted(finders[kind](), key=lambda item: item.path)


def _partitions(output: Path, kind: str) -> Iterator[Item]:
    for published in applications.load("publish").published(output):
        path = Path(published.path)
        quarantined = path.parts[0] == "quarantine"
        day = _day(path.name)
        if day is None or quarantined != (kind == "quarantine"):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            manifest = json.loads((published.folder / "_manifest.json").read_text(encoding="utf-8"))
            if manifest["partition"] == path.name:
                yield Item(kind, published.path, day, _bytes(published.folder), published)


def _day(name: str) -> dt.date | None:
    match = _PARTITION.fullmatch(name)
    with contextlib.suppress(ValueError):
        return dt.date.fromisoformat(match[1]) if match else None
    return None


def _uploads(data: Path) -> Iterator[Item]:
    """Yield refused uploads by their reasons, which are as old as the refusal."""
    for folder in _folders(data / "quarantine"):
        for reason in _entries(folder, stat.S_ISREG):
            upload = reason.with_name(reason.name.removesuffix(_REASON))
            if reason.name.endswith(_REASON) and os.path.lexists(upload) and not stat.S_ISDIR(upload.lstat().st_mode):
                size = upload.lstat().st_size + reason.lstat().st_size
                yield Item("uploads", str(upload.relative_to(data)), _written(reason), size, (upload, reason))


def _failures(output: Path) -> Iterator[Item]:
    for dag in _folders(output / "failures"):
        for run in _folders(dag):
            for file in _entries(run, stat.S_ISREG):
                if file.suffix == ".txt":
                    yield Item("failures", str(file.relative_to(output)), _written(file), file.lstat().st_size, (file,))


def _logs(logs: Path) -> Iterator[Item]:
    for dag in _folders(logs):
        for run in _folders(dag):
            if dag.name.startswith("dag_id=") and run.name.startswith("run_id="):
                yield _of_run("logs", run, logs)


def _work(output: Path) -> Iterator[Item]:
    """Yield the folders that runs work in: each is removed by its own run, unless that one was killed."""
    for dag in _folders(output / ".work"):
        for run in _folders(dag):
            yield _of_run("work", run, output)


def _of_run(kind: str, run: Path, root: Path) -> Item:
    newest = max(map(_written, (run, *_tree(run))))
    return Item(kind, str(run.relative_to(root)), newest, _bytes(run), run)


def remove(item: Item, roots: Roots) -> bool:
    """Remove something that `find` has found.

    Args:
        item: what it found.
        roots: where it looked.

    Returns:
        Whether it went; not if it is gone already, or a partition that was published anew meanwhile.

    Raises:
        OSError: if it may not be removed.
    """
    if item.kind in DATASETS:
        return bool(applications.load("publish").withdraw(roots.output, item.entry))
    if item.kind in ("logs", "work"):
        if not item.entry.is_dir():
            return False
        shutil.rmtree(item.entry)
        _remove_empty(item.entry.parent)
        return True
    there = os.path.lexists(item.entry[0])
    for path in item.entry:
        path.unlink(missing_ok=True)
    _remove_empty(item.entry[0].parent)
    if item.kind == "failures":
        _remove_empty(item.entry[0].parent.parent)
    return there


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _folders(folder: Path) -> Iterator[Path]:
    return _entries(folder, stat.S_ISDIR)


def _entries(folder: Path, wanted: Any) -> Iterator[Path]:
    """Yield the files or folders of a folder, without those that begin with a dot; none if the folder is a link itself."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not folder.is_symlink():
            for path in sorted(folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    if not path.name.startswith(".") and wanted(path.lstat().st_mode):
                        yield path


def _tree(folder: Path) -> Iterator[Path]:
    for parent, names, files in os.walk(folder):
        yield from (Path(parent) / name for name in (*names, *files))


def _written(path: Path) -> dt.date:
    try:
        seconds = path.lstat().st_mtime
    except FileNotFoundError:
        return dt.date.min
    return dt.datetime.fromtimestamp(seconds, ZoneInfo(TIME_ZONE)).date()


def _bytes(folder: Path) -> int:
    total = 0
    for path in _tree(folder):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def compacted(output: Path, small: Mapping[str, Mapping[str, int]], planned_only: bool) -> dict[str, int]:
    """Return what compaction has made of partitions: the files that are left, those that went, the bytes freed.

    Args:
        output: the root of the results.
        small: by path the files and bytes of each partition before, and the files it should have after.
        planned_only: whether it has not run.
    """
    kept = gone = freed = 0
    for path, before in small.items():
        files, size = before["after"], before["bytes"]
        if not planned_only:
            with contextlib.suppress(OSError, ValueError):
                sizes = [file.stat().st_size for file in (output / path).rglob("*.parquet")]
                files, size = len(sizes), sum(sizes)
        kept, gone, freed = kept + files, gone + before["files"] - files, freed + before["bytes"] - size
    return {"kept": kept, "deleted": gone, "bytes": freed}


def table(rows: Iterable[Iterable[object]], header: Iterable[str]) -> str:
    """Return rows as a text with columns, numbers to the right.

    Args:
        rows: the rows; a name, then numbers.
        header: the columns' names.
    """
    texts = [list(header), *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    first, *rest = widths
    lines = ([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], rest, strict=True))] for row in texts)
    return "\n".join("  ".join(line) for line in lines)
