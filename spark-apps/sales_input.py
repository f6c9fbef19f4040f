"""The daily sales file: its name, its columns, and the checks that need no Spark."""

from __future__ import annotations

import csv
import datetime as dt
import os
from dataclasses import dataclass
from typing import NoReturn

from errors import UserError
from inputs import InputFile

COLUMNS = (
    "order_id",
    "ordered_at",
    "customer_id",
    "product_id",
    "category",
    "quantity",
    "unit_price",
    "region",
    "channel",
)

_HEADER_LIMIT = 65_536


@dataclass(frozen=True)
class SalesFile(InputFile):
    """One day's input file.

    Attributes:
        header: its first line as Spark will see it, without a byte order mark or the end of the line.
    """

    header: str


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
            has_row = any(line.strip() for line in iter(lambda: file.readline(_HEADER_LIMIT), b""))
    except FileNotFoundError:
        _missing(path, folder)
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise UserError(f"the input file {path} may not be read by user {os.getuid()}") from None
    if not status.st_size:
        raise UserError(f"the input file {path} is empty")
    header = first.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    found = [name.strip() for name in next(csv.reader([header]), [])]
    if found != list(COLUMNS):
        raise UserError(
            f"the input file {path} has the wrong header: expected {','.join(COLUMNS)}; "
            f"found {','.join(found)[:300] or 'a blank line'}"
        )
    if not has_row:
        raise UserError(f"the input file {path} has a header and no rows")
    return SalesFile(path, status.st_size, status.st_mtime_ns, header)


def _missing(path: str, folder: str) -> NoReturn:
    try:
        days = sorted(name for name in os.listdir(folder) if name.startswith("sales_") and name.endswith(".csv"))
    except OSError:
        raise UserError(f"the input file {path} does not exist: there is no folder {folder}") from None
    hint = f"the folder holds {len(days)} daily files, the last is {days[-1]}" if days else "the folder holds none"
    raise UserError(f"the input file {path} does not exist: {hint}") from None
