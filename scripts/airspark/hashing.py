"""Content hashes that decide whether something must be built, loaded or installed again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

IGNORED = {"__pycache__", ".pytest_cache", ".ruff_cache"}


def files_below(path: Path) -> list[Path]:
    """Every file below a folder (or the file itself), sorted, links followed, caches left out."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and not IGNORED & set(p.parts))


def content_hash(paths: Iterable[Path], *more: str) -> str:
    """Hash files by relative name and content, and further strings.

    Args:
        paths: files and folders.
        more: strings that matter too, for example versions.

    Returns:
        The first 16 hex digits of a SHA-256.
    """
    digest = hashlib.sha256()
    for path in paths:
        for file in files_below(path):
            digest.update(f"{file.relative_to(path.parent)}\0".encode())
            digest.update(file.read_bytes())
    for text in more:
        digest.update(f"\0{text}".encode())
    return digest.hexdigest()[:16]
