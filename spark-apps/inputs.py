"""The files that an application reads: found, checked and hashed without Spark."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from errors import UserError

#: What Hadoop's file systems read as a pattern.
_WILD = frozenset("*?[]{}\\")


@dataclass(frozen=True)
class InputFile:
    """One input file, as it was when it was looked at.

    Attributes:
        path: where it is.
        bytes: its size.
        modified_ns: when it was last written, in nanoseconds since 1970.
    """

    path: str
    bytes: int
    modified_ns: int

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its content as hexadecimal digits."""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def content_sha256(self) -> str:
        """The SHA-256 of what Spark reads of it: unpacked, if it is a gzip file.

        Raises:
            UserError: if a gzip file is cut off or damaged.
        """
        if not self.path.endswith(".gz"):
            return self.sha256
        try:
            with gzip.open(self.path, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # it can be read into a buffer
        except EOFError:
            raise UserError(f"the input file {self.path} is cut off: its upload did not end, send it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UserError(f"the input file {self.path} is damaged: {error}; send it again") from None

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of it: path, bytes, sha256."""
        return {"path": self.path, "bytes": self.bytes, "sha256": self.sha256}


def look(path: str | Path) -> InputFile:
    """Look at one file.

    Raises:
        UserError: if it is missing, a folder, unreadable or empty.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        raise UserError(f"the input file {path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise UserError(f"the input file {path} may not be read by user {os.getuid()}") from None
    if not status.st_size:
        raise UserError(f"the input file {path} is empty")
    return InputFile(str(path), status.st_size, status.st_mtime_ns)


def find(folder: str, *patterns: str) -> tuple[InputFile, ...]:
    """Look at every file of a folder that matches one of some patterns, each content once, and read gzip files to their end.

    Args:
        folder: where the files are.
        patterns: such as `*2026-01-15*.log*`; names that begin with a dot are files that are still being written.

    Returns:
        The files, ordered by name. A file with the same content as one before it, packed or not, is left out, with a line
        about it.

    Raises:
        UserError: if there is none, or one cannot be read, is empty, cut off or damaged, or has a path that Spark takes for a
            pattern.
    """
    paths = sorted({path for one in patterns for path in Path(folder).glob(one) if not path.name.startswith(".")})
    if not paths:
        there = "there is no such folder" if not os.path.isdir(folder) else f"it holds {len(os.listdir(folder))} others"
        raise UserError(f"no file {' or '.join(patterns)} in {folder}: {there}")
    found: dict[str, InputFile] = {}
    for path in paths:
        if wild := sorted(set(str(path)) & _WILD):
            raise UserError(f"the input file {path} has {' '.join(wild)} in its path, a pattern to Spark: rename it")
        file = look(path)
        if (first := found.setdefault(file.content_sha256, file)) is not file:
            print(f"{file.path} is left out: the same content as {first.path}")
    return tuple(found.values())


def check_unchanged(files: Iterable[InputFile]) -> None:
    """Check that nobody has written to files since they were looked at.

    Raises:
        UserError: if the size or time of one has changed, or it is gone.
    """
    for file in files:
        try:
            status = os.stat(file.path)
        except FileNotFoundError:
            raise UserError(f"the input file {file.path} was removed while it was being read") from None
        if (status.st_size, status.st_mtime_ns) != (file.bytes, file.modified_ns):
            raise UserError(f"the input file {file.path} was changed while it was being read: run again")
