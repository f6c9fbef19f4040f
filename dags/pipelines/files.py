"""Results that a task writes by itself, published like those of Spark: complete or absent; and results that it reads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PosixPath
from typing import Any

from pipelines import applications
from pipelines.defaults import OUTPUT


class Folder(PosixPath):
    """A folder to write to until it is published, when it moves.

    Attributes:
        published: where readers find it from then on, such as /opt/airflow/output/csv_transform/date=2026-01-15.
    """

    published: Path


def _folder(path: Path, published: Path) -> Folder:
    folder = Folder(path)
    folder.published = published
    folder.mkdir()
    return folder


@contextlib.contextmanager
def published(*results: str, output: str = OUTPUT) -> Iterator[tuple[Folder, ...]]:
    """Give empty folders to write to, and publish each as a partition once the block has ended without an error.

    Files are group-writable by the umask: Airflow and Spark share the claim through their group.

    Args:
        results: paths below the output, such as csv_transform/date=2026-01-15.
        output: the root of the results.

    Yields:
        A folder for each result, with `published`, the path to return or to announce: the folder itself is gone afterwards.

    Raises:
        AirflowFailException: if something else has the name of a result, or the output cannot be written.
        UserError: if the disk is full, which a later try may not meet.
    """
    batch, publish = applications.load("batch"), applications.load("publish")
    os.umask(0o002)
    with batch.disk_full_is_a_sentence(output), contextlib.ExitStack() as stack:
        # Not the block that is yielded to: what it refuses is its own.
        with applications.refusals():
            for result in results:
                publish.check_replaceable(output, result)
            stage = stack.enter_context(publish.staging(output, results[0].replace("/", ".")))
        folders = tuple(_folder(stage / str(number), Path(output) / result) for number, result in enumerate(results))
        yield folders
        for result, folder in zip(results, folders, strict=True):
            publish.publish(output, result, folder)


@contextlib.contextmanager
def held(result: str, output: str = OUTPUT) -> Iterator[Path]:
    """Give the folder of a published result, which stays as it is until the block ends: a run that replaces it waits.

    Args:
        result: its path below the output, such as sales/date=2026-01-15.
        output: the root of the results.

    Yields:
        The folder of the present version.

    Raises:
        AirflowFailException: if nothing is published there.
    """
    with applications.refusals(), applications.load("publish").held(output, result) as folder:
        yield folder


def described(*inputs: Any) -> list[dict[str, Any]]:
    """Return what a manifest says of files that have been read: path, bytes, sha256.

    Args:
        inputs: the files as they were looked at before.

    Raises:
        UserError: if one is another one now.
    """
    found = [file.described() for file in inputs]
    applications.load("inputs").check_unchanged(inputs)
    return found


def write_manifest(folder: Path, entries: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]], began: float) -> dict[str, Any]:
    """Write _manifest.json beside the files of a folder: what is given, the seconds, the versions, the bytes of each file.

    Args:
        folder: where the files are.
        entries: what is known of them: name, partition, the counts of rows, and more.
        inputs: what `described` returns of the files that they were made of.
        began: when the run looked at its inputs, in seconds since 1970.

    Returns:
        What was written.
    """
    files = [{"name": path.name, "bytes": path.stat().st_size} for path in sorted(folder.iterdir()) if path.name[0] not in "._"]
    manifest = {
        **entries,
        "inputs": list(inputs),
        "seconds": round(time.time() - began, 1),
        "versions": applications.load("batch").software(),
        "files": files,
        "bytes": sum(int(file["bytes"]) for file in files),
    }
    (folder / "_manifest.json").write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")
    return manifest
