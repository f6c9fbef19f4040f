"""The daily sales file in pandas: read in pieces, judge each row, clean the good ones."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    import pandas

COLUMNS = ("order_id", "ordered_at", "customer_id", "product_id", "category", "quantity", "unit_price", "region", "channel")
REASONS = ("not_utf8", "wrong_columns", "missing_value", "wrong_type", "out_of_range", "wrong_date")
#: Rows in memory at a time.
PIECE = 50_000
MAX_QUANTITY = 9_999
TIME_ZONE = "Asia/Seoul"


def pieces(path: str | Path, rows: int = PIECE) -> Iterator[pandas.DataFrame]:
    """Read a file in pieces.

    Every line is split by itself, so that one open quote spoils one row and not all that follow. Blank lines and repeated
    headers are skipped.

    Args:
        path: the CSV file.
        rows: rows of a piece at most.

    Yields:
        The columns of COLUMNS as texts, null in a row that has not that many; line; fields, their number; utf8.

    Raises:
        AirflowFailException: if the file is missing or has another header.
    """
    import pandas

    try:
        file = open(path, "rb")  # noqa: SIM115  closed by the block below
    except FileNotFoundError:
        raise AirflowFailException(f"the input file {path} does not exist") from None
    with file:
        header = file.readline().decode("utf-8-sig", errors="replace").strip()
        if next(csv.reader([header]), []) != list(COLUMNS):
            expected = ",".join(COLUMNS)
            raise AirflowFailException(f"the input file {path} has the wrong header: expected {expected}; found {header[:300]}")
        lines = (line.rstrip(b"\r\n") for line in file)
        wanted = (line for line in lines if line and line != header.encode())
        while chunk := list(itertools.islice(wanted, rows)):
            records = []
            for raw in chunk:
                line = raw.decode("utf-8", errors="replace")
                fields = next(csv.reader([line]), [])
                cells = fields if len(fields) == len(COLUMNS) else [None] * len(COLUMNS)
                records.append((*cells, line, len(fields), line.encode() == raw))
            yield pandas.DataFrame(records, columns=[*COLUMNS, "line", "fields", "utf8"])


def judge(piece: pandas.DataFrame, date: str) -> pandas.DataFrame:
    """Say why each row is rejected, and type the columns of the good ones.

    Args:
        piece: what `pieces` yields.
        date: the day that every order must be of, in TIME_ZONE.

    Returns:
        The columns of COLUMNS, amount, line and reason: null for a good row, else one of REASONS.
    """
    import numpy
    import pandas

    order = pandas.to_numeric(piece["order_id"], errors="coerce")
    quantity = pandas.to_numeric(piece["quantity"], errors="coerce")
    price = pandas.to_numeric(piece["unit_price"], errors="coerce")
    at = pandas.to_datetime(
        piece["ordered_at"].where(piece["ordered_at"].str.len() >= 19), errors="coerce", utc=True, format="ISO8601"
    )
    whole = (order % 1 == 0) & (quantity % 1 == 0) & (((price * 100).round() / 100 - price).abs() < 1e-9)
    missing = piece[list(COLUMNS)].eq("").any(axis=1)
    conditions = [
        ~piece["utf8"],
        piece["fields"] != len(COLUMNS),
        missing,
        at.isna() | ~whole,
        ~quantity.between(1, MAX_QUANTITY) | (price < 0),
        at.dt.tz_convert(TIME_ZONE).dt.strftime("%Y-%m-%d") != date,
    ]
    reason = numpy.select(conditions, REASONS, default="")
    typed = piece[[*COLUMNS, "line"]].assign(
        order_id=order,
        ordered_at=at,
        quantity=quantity,
        unit_price=price.round(2),
        amount=(quantity * price).round(2),
        reason=reason,
    )
    typed["reason"] = typed["reason"].where(typed["reason"] != "", None)
    return typed
