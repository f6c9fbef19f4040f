"""The files that an application reads: found, checked, hashed and counted without Spark.

What a file holds is counted here, from its bytes, so that a reader that loses rows is noticed. Spark reads files under names of
ours: it skips names that begin with _ or a dot, takes others for patterns, and cannot open those with a colon.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from errors import UserError

#: What a gzip file may unpack to, unless the application is given another limit.
MAX_UNPACKED_MIB = 10_240
#: The longest line that is read: a reader holds the whole line in memory.
MAX_LINE_MIB = 64
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLOCK = 2**20
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Content(NamedTuple):
    """What a file holds, unpacked.

    Attributes:
        sha256: of its content as hexadecimal digits.
        bytes: its size.
        lines: its lines, with the last one if it does not end.
        rows: those that are neither blank (spaces, tabs and carriage returns at most) nor a header.
    """

    sha256: str
    bytes: int
    lines: int
    rows: int


@dataclass(frozen=True)
class InputFile:
    """One input file, as it was when it was looked at.

    Attributes:
        path: where it is.
        bytes: its size.
        modified_ns: when it was last written, in nanoseconds since 1970.
        limit: what it may unpack to, in bytes, if it is a gzip file.
        day: the day that its name says, where files of several days are read; empty elsewhere.
    """

    path: str
    bytes: int
    modified_ns: int
    limit: int = field(default=MAX_UNPACKED_MIB * 2**20, kw_only=True)
    day: str = field(default="", kw_only=True)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file as hexadecimal digits."""
        if not is_packed(self.path):
            return self.content.sha256
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def content(self) -> Content:
        """What the file holds, unpacked.

        Raises:
            UserError: if a gzip file is cut off or damaged, or unpacks to more than the limit, or a line is too long.
        """
        return count(blocks(self.path, self.limit), self.skipped, self.path)

    @property
    def rows(self) -> int:
        """The lines of the file that are neither blank nor a header."""
        return self.content.rows

    @property
    def skipped(self) -> bytes:
        """The line that is no row wherever it stands, without its end; empty if there is none."""
        return b""

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of it: path, bytes, sha256."""
        return {"path": self.path, "bytes": self.bytes, "sha256": self.sha256}


def is_packed(path: str | Path) -> bool:
    """Return whether a file is a gzip file by its name."""
    return str(path).endswith(".gz")


def blocks(path: str | Path, limit: int = MAX_UNPACKED_MIB * 2**20) -> Iterator[bytes]:
    """Yield the content of a file in blocks, unpacked if it is a gzip file by its name.

    Members that follow each other are one content, and zeros behind the last one are padding.

    Args:
        path: the file.
        limit: what a gzip file may unpack to, in bytes.

    Raises:
        UserError: if a gzip file is cut off or damaged, or unpacks to more than the limit.
    """
    if not is_packed(path):
        with open(path, "rb") as plain:
            yield from iter(lambda: plain.read(_BLOCK), b"")
        return
    unpacked = 0
    try:
        with gzip.open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                unpacked += len(block)
                if unpacked > limit:
                    raise UserError(
                        f"the input file {path} unpacks to more than {limit // 2**20} MiB: split it, or raise --max-unpacked-mib "
                        "(in Airflow the param max_unpacked_mib)"
                    )
                yield block
    except EOFError:
        raise UserError(f"the input file {path} is cut off: its upload did not end, send it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"the input file {path} is damaged: {error}; send it again") from None


def count(content: Iterable[bytes], skipped: bytes = b"", path: str = "") -> Content:
    """Count what a content holds.

    Args:
        content: its blocks.
        skipped: a line that is no row, such as a header; empty for none.
        path: of the file, for the sentence.

    Raises:
        UserError: if a line has more than MAX_LINE_MIB.
    """
    digest, size, lines, rows = hashlib.sha256(), 0, 0, 0
    # What begins a line that is perhaps no row. One search of a block, and no copy of it: files have gigabytes.
    begins = b"|".join([rb"[\n\r \t]", *([re.escape(skipped)] if skipped else [])])
    perhaps_none = re.compile(rb"\n(?:" + begins + rb")")
    unfinished: list[bytes] = []
    held = 0

    def is_row(line: bytes) -> bool:
        return bool(line.strip(b" \t\r")) and (not skipped or line.removesuffix(b"\r") != skipped)

    for block in content:
        digest.update(block)
        if not size:
            block, size = block.removeprefix(BYTE_ORDER_MARK), len(block)
        else:
            size += len(block)
        first, last = block.find(b"\n"), block.rfind(b"\n")
        if held + (len(block) if first < 0 else first) > MAX_LINE_MIB * 2**20:
            raise UserError(f"line {lines + 1} of the input file {path} has more than {MAX_LINE_MIB} MiB: break it into lines")
        if first < 0:
            unfinished.append(block)
            held += len(block)
            continue
        number = block.count(b"\n")
        lines += number
        rows += is_row(b"".join((*unfinished, block[:first])))
        if perhaps_none.search(block, first, last + 1):
            rows += sum(map(is_row, block[first + 1 : last].split(b"\n"))) if number > 1 else 0
        else:
            rows += number - 1
        unfinished, held = [block[last + 1 :]], len(block) - last - 1
    if rest := b"".join(unfinished):
        lines += 1
        rows += is_row(rest)
    return Content(digest.hexdigest(), size, lines, rows)


def look(path: str | Path, limit: int = MAX_UNPACKED_MIB * 2**20) -> InputFile:
    """Look at one file.

    Args:
        path: where it is.
        limit: what it may unpack to, in bytes.

    Raises:
        UserError: if it is missing, a folder, unreadable or empty, or has a name that is not UTF-8.
    """
    if not _is_text(str(path)):
        raise UserError(f"the input file {os.fsencode(path)!r} has a name that is not UTF-8: rename it")
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        raise UserError(f"the input file {path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise UserError(f"the input file {path} may not be read by user {os.getuid()}") from None
    except OSError as error:
        raise UserError(f"the input file {path} cannot be read: {error.strerror}") from None
    if not status.st_size:
        raise UserError(f"the input file {path} is empty")
    return InputFile(str(path), status.st_size, status.st_mtime_ns, limit=limit)


def find(
    folder: str, *patterns: str, limit: int = MAX_UNPACKED_MIB * 2**20, day: str = "", own: bool = True
) -> tuple[InputFile, ...]:
    """Look at every file of a folder that matches one of some patterns, each content once, and read them to their end.

    Args:
        folder: where the files are.
        patterns: such as `*2026-01-15*.log*`; names that begin with a dot are files that are still being written, they are left
            out, with a line about it.
        limit: what each may unpack to, in bytes.
        day: leave out files whose names have another day before this one; empty: none.
        own: whether an empty file is a mistake; else it is left out.

    Returns:
        The files, ordered by name. A file with the same content as one before it, packed or not, is left out, with a line
        about it.

    Raises:
        UserError: if there is none, or one cannot be read, is empty, cut off or damaged, or unpacks to more than the limit.
    """
    if os.path.isfile(folder):
        raise UserError(f"{folder} is a file, not a folder")
    paths = sorted({path for one in patterns for path in _matching(folder, one)})
    for path in [path for path in paths if path.name.startswith(".")]:
        print(f"{path} is left out: a name that begins with a dot is that of a file that is still being written")
        paths.remove(path)
    if day:
        paths = [path for path in paths if _is_of(path, day) and (own or path.stat().st_size)]
    if not paths:
        there = "there is no such folder" if not os.path.isdir(folder) else f"it holds {len(os.listdir(folder))} others"
        raise UserError(f"no file {' or '.join(patterns)} in {folder}: {there}")
    found: dict[str, InputFile] = {}
    for path in paths:
        file = look(path, limit)
        check_packed(file)
        if (first := found.setdefault(file.content.sha256, file)) is not file:
            print(f"{file.path} is left out: the same content as {first.path}")
    return tuple(found.values())


def find_days(
    folder: str,
    date: dt.date,
    *patterns: str,
    before: int = 0,
    after: int = 0,
    limit: int = MAX_UNPACKED_MIB * 2**20,
) -> tuple[InputFile, ...]:
    """Look at the files of a day, and at those of the days around it as far as they are there.

    Args:
        folder: where the files are.
        date: the day.
        patterns: those of `find`, with {date} where the day stands.
        before: how many days before the day.
        after: how many days after it.
        limit: what each file may unpack to, in bytes.

    Returns:
        The files with their day, the day's own first.

    Raises:
        UserError: as `find` does; if files of a day around it are missing, a line says so instead.
    """
    found: dict[str, InputFile] = {}
    # A file is that of the first day in its name, so that no other day's run takes it for its own.
    for days in (0, *range(-before, 0), *range(1, after + 1)):
        day = (date + dt.timedelta(days)).isoformat()
        names = [pattern.format(date=day) for pattern in patterns]
        if days and not any(_is_of(path, day) and path.stat().st_size for name in names for path in _matching(folder, name)):
            print(f"no file {' or '.join(names)} in {folder}: rows of {date} that it would hold are not read")
            continue
        for file in find(folder, *names, limit=limit, day=day, own=not days):
            first = found.setdefault(file.content.sha256, replace(file, day=day))
            if first.path != file.path:
                print(f"{file.path} is left out: the same content as {first.path}")
    return tuple(found.values())


def check_packed(file: InputFile) -> None:
    """Check that something is in a file.

    Raises:
        UserError: if it is a gzip file with nothing in it.
    """
    if not file.content.bytes:
        raise UserError(f"the input file {file.path} is empty: nothing is packed in it")


def check_has_rows(files: Sequence[InputFile]) -> None:
    """Check that files hold something.

    Raises:
        UserError: if all of them hold blank lines only, or one is a gzip file with nothing in it.
    """
    for file in files:
        check_packed(file)
    if not any(file.rows for file in files):
        raise UserError(f"the input file {files[0].path} holds blank lines only")


def bring(files: Iterable[InputFile], folder: Path) -> list[str]:
    """Give files names that Spark takes as they are, unpacked where they are packed.

    Args:
        files: the files.
        folder: an empty folder that executors see too.

    Returns:
        A path for each file, in their order: a link, or the unpacked content, which many tasks can read at the same time.

    Raises:
        UserError: if a gzip file is cut off or damaged, or unpacks to more than the limit.
    """
    made = []
    for number, file in enumerate(files):
        path = folder / f"{number:05d}.txt"
        if is_packed(file.path):
            with open(path, "wb") as target:
                target.writelines(blocks(file.path, file.limit))
        else:
            path.symlink_to(os.path.abspath(file.path))
        made.append(str(path))
    return made


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


def _matching(folder: str, pattern: str) -> list[Path]:
    try:
        return list(Path(folder).glob(pattern))
    except ValueError as error:
        raise UserError(f"{pattern} is not a pattern of names: {error}") from None
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be read: {error.strerror}") from None


def _is_of(path: Path, day: str) -> bool:
    found = _DAY.search(path.name)
    return path.name[0] != "." and found is not None and found[0] == day


def _is_text(name: str) -> bool:
    with contextlib.suppress(UnicodeEncodeError):
        name.encode()
        return True
    return False
