"""What a Spark application published, held against its own manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: What of a manifest travels with an asset's event.
ANNOUNCED = ("partition", "rows_read", "rows_written", "rows_rejected", "rows_duplicate", "bytes")


def verified_manifest(partition: Path, main: str = "") -> dict[str, Any]:
    """Read a partition's manifest and hold it against the partition's Parquet files.

    Args:
        partition: the published folder, named like the partition.
        main: the folder of the main table in it; empty if its files stand in the partition's folder itself.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: if there is no manifest or no _SUCCESS.
        ValueError: if a count is wrong, or the files are not those that the manifest lists.
    """
    from pyarrow import parquet

    manifest = verified_files(partition)
    read, written, rejected, duplicates = (manifest[f"rows_{count}"] for count in ("read", "written", "rejected", "duplicate"))
    print(f"{read} rows read = {written} written + {rejected} rejected + {duplicates} duplicates")
    if read != written + rejected + duplicates:
        raise ValueError(f"the rows of {partition} do not add up: {read} ≠ {written} + {rejected} + {duplicates}")
    if rejected != sum(manifest["rejects_by_reason"].values()):
        raise ValueError(f"the reasons in {partition} do not add up to {rejected} rejected rows")
    footers = sum(parquet.read_metadata(path).num_rows for path in (partition / main).glob("*.parquet"))
    if footers != written:
        raise ValueError(f"the Parquet files of {partition} hold {footers} rows, its manifest says {written}")
    return manifest


def verified_files(partition: Path) -> dict[str, Any]:
    """Read a partition's manifest and hold its list of files against the partition's Parquet files.

    Args:
        partition: the published folder, named like the partition.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: if there is no manifest or no _SUCCESS.
        ValueError: if it is another partition's, or the files are not those that it lists.
    """
    (partition / "_SUCCESS").stat()
    manifest: dict[str, Any] = json.loads((partition / "_manifest.json").read_text(encoding="utf-8"))
    if manifest["partition"] != partition.name:
        raise ValueError(f"{partition} is the result for {manifest['partition']}")
    listed = {file["name"]: file["bytes"] for file in manifest["files"]}
    found = {str(path.relative_to(partition)): path.stat().st_size for path in partition.rglob("*.parquet")}
    if listed != found:
        raise ValueError(f"{partition} holds the files {found}, its manifest lists {listed}")
    return manifest


def announcement(manifest: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what an asset's event tells: the counts of a manifest, and where the result is."""
    return {key: manifest[key] for key in ANNOUNCED} | {"path": path}
