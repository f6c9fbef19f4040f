"""Results that a task writes by itself, published like those of Spark: complete or absent; and results that it reads."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines import applications
from pipelines.defaults import OUTPUT


@contextlib.contextmanager
def published(*results: str, output: str = OUTPUT) -> Iterator[tuple[Path, ...]]:
    """Give empty folders to write to, and publish each as a partition once the block has ended without an error.

    Files are group-writable by the umask: Airflow and Spark share the claim through their group.

    Args:
        results: paths below the output, such as csv_transform/date=2026-01-15.
        output: the root of the results.

    Yields:
        A folder for each result.

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
        folders = tuple(stage / str(number) for number in range(len(results)))
        for folder in folders:
            folder.mkdir()
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


def write_manifest(folder: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Write _manifest.json beside the files of a folder, with what is given and the bytes of each file.

    Args:
        folder: where the files are.
        entries: what is known of them.

    Returns:
        What was written.
    """
    files = [{"name": path.name, "bytes": path.stat().st_size} for path in sorted(folder.iterdir()) if path.name[0] not in "._"]
    versions = {name: os.environ.get(f"AIRSPARK_{name.upper()}", "unknown") for name in ("version", "revision")}
    manifest = {**entries, "files": files, "bytes": sum(int(file["bytes"]) for file in files), "versions": versions}
    (folder / "_manifest.json").write_text(json.dumps(manifest, indent=2, default=str) + "\n", encoding="utf-8")
    return manifest
