"""The daily sales file: its name, its columns, and the checks that need no Spark."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from typing import NoReturn

import values
from errors import UserError
from inputs import BYTE_ORDER_MARK, InputFile
from sales_format import COLUMNS as COLUMNS
from sales_format import is_blank

_HEADER_LIMIT = 65_536


@dataclass(frozen=True)
class SalesFile(InputFile):
    """One day's input file.

    Attributes:
        header: its first line as Spark will see it, without a byte order mark or the end of the line.
    """

    header: str

    @property
    def skipped(self) -> bytes:
        """The header, which is no row wherever it is repeated."""
        return self.header.encode()


def file_name(date: dt.date) -> str:
    """Return the name of a day's file, such as sales_2026-01-15.csv."""
    return f"sales_{date.isoformat()}.csv"


def check(folder: str, date: dt.date) -> SalesFile:
    """Check a day's file as far as its first two lines tell.

    Args:
        folder: where the daily files are.
        date: the day.

    Raises:
        UserError: if the file is missing, unreadable, empty, without rows, or has another header.
    """
    path = os.path.join(folder, file_name(date))
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            first = file.readline(_HEADER_LIMIT)
            header = _bare(first.removeprefix(BYTE_ORDER_MARK))
            rest = (_bare(line) for line in iter(lambda: file.readline(_HEADER_LIMIT), b""))
            has_row = any(line != header and not is_blank(line) for line in rest)
    except FileNotFoundError:
        _missing(path, folder)
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise UserError(f"the input file {path} may not be read by user {os.getuid()}") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file, not a folder") from None
    except OSError as error:
        raise UserError(f"the input file {path} cannot be read: {error.strerror}") from None
    if not status.st_size:
        raise UserError(f"the input file {path} is empty")
    text = header.decode(errors="replace")
    found = [name.strip(" \t\r") for name in values.fields(text) or [text]]
    if found != list(COLUMNS):
        raise UserError(
            f"the input file {path} has the wrong header: expected {','.join(COLUMNS)}; "
            f"found {','.join(found)[:300] or 'a blank line'}"
        )
    if not has_row:
        raise UserError(f"the input file {path} has a header and no rows")
    return SalesFile(path, status.st_size, status.st_mtime_ns, text)


def _bare(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _missing(path: str, folder: str) -> NoReturn:
    try:
        days = sorted(name for name in os.listdir(folder) if name.startswith("sales_") and name.endswith(".csv"))
    except OSError:
        raise UserError(f"the input file {path} does not exist: there is no folder {folder}") from None
    hint = f"the folder holds {len(days)} daily files, the last is {days[-1]}" if days else "the folder holds none"
    raise UserError(f"the input file {path} does not exist: {hint}") from None
