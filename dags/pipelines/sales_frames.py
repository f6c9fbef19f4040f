"""The daily sales file in pandas: read in pieces, judge each row, keep the good ones once.

Numbers are exact: order ids have more digits than a float, and money is counted in whole hundredths.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import applications
from pipelines.defaults import TIME_ZONE

if TYPE_CHECKING:
    import pandas

COLUMNS = ("order_id", "ordered_at", "customer_id", "product_id", "category", "quantity", "unit_price", "region", "channel")
REASONS = ("not_utf8", "wrong_columns", "missing_value", "wrong_type", "out_of_range", "wrong_date")
#: Rows in memory at a time.
PIECE = 50_000
#: Memory for the lines that have been seen, in KiB; those that do not fit go to a temporary file.
SEEN_KIB = 32_768
MAX_QUANTITY = 9_999
_WHOLE = r"\s*[+-]?[0-9]{1,19}\s*"
_PRICE = r"\s*([+-]?)([0-9]{1,10}|(?=\.[0-9]))(?:\.([0-9]{0,2})0*)?\s*"
_ZONE = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})\s*$"


@dataclass
class Tally:
    """Counts the rows of the pieces of a file."""

    read: int = 0
    written: int = 0
    duplicates: int = 0
    rejects: Counter[str] = field(default_factory=Counter)

    def check(self, limit: float, name: str) -> dict[str, Any]:
        """Return the counts as manifests have them.

        Args:
            limit: the largest tolerated share of rejected rows, 0 to 1.
            name: the file, or where its rejected rows are, for the sentence.

        Raises:
            AirflowFailException: if more rows are rejected.
            RuntimeError: if the counts do not add up.
        """
        batch, frames = applications.load("batch"), applications.load("frames")
        rows = frames.Rows(self.read, dict(self.rejects), self.duplicates, self.written).check()
        with applications.refusals():
            batch.check_share(rows, limit, name)
        return self.counts()

    def counts(self) -> dict[str, Any]:
        """Return the counts as manifests have them."""
        return {
            "rows_read": self.read,
            "rows_written": self.written,
            "rows_rejected": self.rejects.total(),
            "rows_duplicate": self.duplicates,
            "rejects_by_reason": {reason: self.rejects[reason] for reason in REASONS if self.rejects[reason]},
        }


def look(date: str, folder: str) -> Any:
    """Look at a day's file, as the Spark application does before it starts.

    Args:
        date: the day, YYYY-MM-DD.
        folder: where the daily files are.

    Returns:
        Its path, bytes and time, see spark-apps/sales_input.py.

    Raises:
        AirflowFailException: if the file is missing, unreadable, empty, without rows, or has another header.
    """
    batch, sales_input = applications.load("batch"), applications.load("sales_input")
    with applications.refusals():
        return sales_input.check(folder, batch.parse_date(date))


def looked_at(values: Mapping[str, Any]) -> Any:
    """Return a file as `look` returned it.

    Args:
        values: its fields, small enough for an XCom: `dataclasses.asdict` of it.
    """
    return applications.load("sales_input").SalesFile(**values)


def clean(path: str | Path, date: str, tally: Tally, rows: int = PIECE) -> Iterator[tuple[pandas.DataFrame, pandas.DataFrame]]:
    """Read a file in pieces and part the good rows from the rejected ones; of equal lines the first one stays.

    Args:
        path: the CSV file.
        date: the day that every order must be of, in TIME_ZONE.
        tally: counts the rows.
        rows: rows of a piece at most.

    Yields:
        The good rows of a piece: COLUMNS typed and amount, money in hundredths. Its rejected rows: reason, line, line_hex (the
        bytes of a line that is not UTF-8).
    """
    with _seen() as is_copy:
        for piece in pieces(path, rows):
            judged = judge(piece, date)
            good = judged["reason"].isna()
            rejected = judged.loc[~good, ["reason", "line", "line_hex"]]
            kept = judged[good]
            copies = kept["line"].map(is_copy).astype(bool)
            tally.read += len(piece)
            tally.written += int((~copies).sum())
            tally.duplicates += int(copies.sum())
            tally.rejects.update(rejected["reason"])
            yield kept.loc[~copies, [*COLUMNS, "amount"]], rejected


def good_rows(path: str | Path, date: str, tally: Tally, aside: Path) -> Iterator[pandas.DataFrame]:
    """Yield the good rows of each piece of a file, and write the rejected ones as JSON lines.

    Args:
        path: the CSV file.
        date: the day that every order must be of.
        tally: counts the rows.
        aside: the folder for rejects.jsonl.
    """
    with open(aside / "rejects.jsonl", "wb") as bad:
        for good, rejected in clean(path, date, tally):
            if len(rejected):
                rejected.to_json(bad, orient="records", lines=True, force_ascii=False)
            yield good


def pieces(path: str | Path, rows: int = PIECE) -> Iterator[pandas.DataFrame]:
    """Read a file in pieces.

    Every line is split by itself, so that one open quote spoils one row and not all that follow. Blank lines and repeated
    headers are skipped.

    Args:
        path: the CSV file; its first line is the header.
        rows: rows of a piece at most.

    Yields:
        The columns of COLUMNS as texts, null in a row that has not that many; line; fields, their number, 0 in a row that
        cannot be split; line_hex, null in a row that is UTF-8.
    """
    import pandas

    with open(path, "rb") as file:
        header = file.readline().decode("utf-8-sig", errors="replace").rstrip("\r\n").encode()
        lines = (line.rstrip(b"\r\n") for line in file)
        wanted = (line for line in lines if line and line != header)
        while chunk := list(itertools.islice(wanted, rows)):
            records = []
            for raw in chunk:
                line = raw.decode("utf-8", errors="replace")
                try:
                    fields = next(csv.reader([line]), [])
                except csv.Error:
                    fields = []
                cells = fields if len(fields) == len(COLUMNS) else [None] * len(COLUMNS)
                records.append((*cells, line, len(fields), None if line.encode() == raw else raw.hex()))
            yield pandas.DataFrame(records, columns=[*COLUMNS, "line", "fields", "line_hex"], dtype=object)


def judge(piece: pandas.DataFrame, date: str) -> pandas.DataFrame:
    """Say why each row is rejected, as the Spark application sales_etl does, and type the columns of the good ones.

    The one difference: a price such as 1e3 is of a wrong type here.

    Args:
        piece: what `pieces` yields.
        date: the day that every order must be of, in TIME_ZONE; a time without an offset is in that zone.

    Returns:
        The columns of COLUMNS typed and amount, money in hundredths; line, line_hex, and reason: null for a good row, else one
        of REASONS.
    """
    import numpy

    order, is_order = _whole(piece["order_id"], 63)
    quantity, is_quantity = _whole(piece["quantity"], 31)
    price, is_price = _hundredths(piece["unit_price"])
    at = _times(piece["ordered_at"])
    conditions = [
        piece["line_hex"].notna(),
        piece["fields"] != len(COLUMNS),
        piece[list(COLUMNS)].eq("").any(axis=1),
        ~(is_order & is_quantity & is_price & at.notna()),
        ~quantity.between(1, MAX_QUANTITY) | (price < 0),
        at.dt.tz_convert(TIME_ZONE).dt.strftime("%Y-%m-%d") != date,
    ]
    reason = numpy.select(conditions, REASONS, default="")
    typed = piece[[*COLUMNS, "line", "line_hex"]].assign(
        order_id=order, ordered_at=at, quantity=quantity, unit_price=price, amount=quantity * price, reason=reason
    )
    typed["reason"] = typed["reason"].where(typed["reason"] != "", None)
    return typed


def money(hundredths: int) -> str:
    """Return an amount as a text with two decimals.

    Args:
        hundredths: the amount, not negative.
    """
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _whole(texts: pandas.Series, bits: int) -> tuple[pandas.Series, pandas.Series]:
    is_number = texts.str.fullmatch(_WHOLE).eq(True)
    numbers = texts.where(is_number, "0").map(int)
    fits = is_number & numbers.between(-(2**bits), 2**bits - 1)
    return numbers.where(fits, 0).astype("int64"), fits


def _hundredths(texts: pandas.Series) -> tuple[pandas.Series, pandas.Series]:
    parts = texts.str.extract(f"^{_PRICE}$")
    is_price = parts[1].notna()
    whole, fraction = parts[1].where(is_price & (parts[1] != ""), "0"), parts[2].where(parts[2].notna(), "").str.ljust(2, "0")
    number = whole.astype("int64") * 100 + fraction.astype("int64")
    return number.where(parts[0] != "-", -number), is_price


def _times(texts: pandas.Series) -> pandas.Series:
    import pandas

    long_enough = texts.where(texts.str.len() >= 19)
    zoned = long_enough.str.contains(_ZONE).eq(True)
    at = pandas.to_datetime(long_enough.where(zoned), errors="coerce", utc=True, format="ISO8601")
    local = pandas.to_datetime(long_enough.where(~zoned), errors="coerce", format="ISO8601")
    return at.fillna(local.dt.tz_localize(TIME_ZONE, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC"))


@contextlib.contextmanager
def _seen() -> Iterator[Callable[[str], bool]]:
    import sqlite3

    # A database without a name is a temporary file, written to only when the cache is full.
    with contextlib.closing(sqlite3.connect("")) as database:
        for setting in (f"cache_size = -{SEEN_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE lines (line TEXT PRIMARY KEY) WITHOUT ROWID")
        yield lambda line: not database.execute("INSERT OR IGNORE INTO lines VALUES (?)", (line,)).rowcount
