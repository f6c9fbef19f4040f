"""The daily sales file in pandas: read in pieces, judge each row by the rule of the file, keep the good ones once.

The rule is spark-apps/sales_format.py, by which Spark judges too. Numbers are exact: order ids have more digits than a float, and
money is counted in whole hundredths.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipelines import applications
from pipelines.defaults import TIME_ZONE

if TYPE_CHECKING:
    import pandas

COLUMNS = ("order_id", "ordered_at", "customer_id", "product_id", "category", "quantity", "unit_price", "region", "channel")
REASONS = ("not_utf8", "wrong_columns", "missing_value", "wrong_type", "out_of_range", "wrong_date")
KINDS = {"order_id": "int64", "ordered_at": "datetime64[us, UTC]", "quantity": "int64", "unit_price": "int64"}
#: Rows in memory at a time.
PIECE = 50_000
#: Memory for the rows that have been seen, in KiB; those that do not fit go to a temporary file.
SEEN_KIB = 32_768


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

    def check_complete(self, file: Any) -> None:
        """Check that every row of a file was read, by the file's own bytes.

        Args:
            file: what `look` returned, unchanged since then.

        Raises:
            RuntimeError: if rows are missing.
        """
        batch, frames = applications.load("batch"), applications.load("frames")
        batch.check_complete(frames.Rows(self.read, {}), [file])

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
    """Read a file in pieces and part the good rows from the rejected ones; of rows with equal values the first one stays.

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
            copies = kept["key"].map(is_copy).astype(bool)
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
    """Read a file in pieces. Blank lines and repeated headers are skipped.

    Args:
        path: the CSV file; its first line is the header.
        rows: rows of a piece at most.

    Yields:
        A column raw: the bytes of each line without its end, LF or CRLF.
    """
    import pandas

    is_blank = applications.load("sales_format").is_blank
    with open(path, "rb") as file:
        lines = (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)
        header = next(lines, b"").removeprefix(b"\xef\xbb\xbf")
        wanted = (line for line in lines if line != header and not is_blank(line))
        while chunk := list(itertools.islice(wanted, rows)):
            yield pandas.DataFrame({"raw": chunk}, dtype=object)


def judge(piece: pandas.DataFrame, date: str) -> pandas.DataFrame:
    """Say why each row is rejected, as the Spark application sales_etl does, and type the columns of the good ones.

    Args:
        piece: what `pieces` yields.
        date: the day that every order must be of, in TIME_ZONE; a time without an offset is in that zone.

    Returns:
        The columns of COLUMNS typed and amount, money in hundredths; key, bytes that tell a good row; line; line_hex, the bytes
        of a line that is not UTF-8; and reason: null for a good row, else one of REASONS.
    """
    import pandas

    sales_format = applications.load("sales_format")
    day, zone = dt.date.fromisoformat(date), ZoneInfo(TIME_ZONE)
    fates = [sales_format.judge(raw, day, zone) for raw in piece["raw"]]
    nothing = sales_format.Row(0, pandas.NaT, "", "", "", 0, 0, "", "")
    rows = [nothing if isinstance(fate, str) else fate for fate in fates]
    lines = [raw.decode(errors="replace") for raw in piece["raw"]]
    typed = pandas.DataFrame(
        {
            name: pandas.Series(values, dtype=KINDS.get(name, "object"))
            for name, values in zip(COLUMNS, zip(*rows, strict=True) if rows else [()] * len(COLUMNS), strict=True)
        }
    )
    return typed.assign(
        amount=typed["quantity"] * typed["unit_price"],
        key=["\0".join(map(str, row)).encode() for row in rows],
        line=lines,
        line_hex=pandas.Series(
            [raw.hex() if fate == "not_utf8" else None for raw, fate in zip(piece["raw"], fates, strict=True)], dtype="object"
        ),
        reason=pandas.Series([fate if isinstance(fate, str) else None for fate in fates], dtype="object"),
    )


def csv_lines(rows: pandas.DataFrame) -> Iterator[str]:
    """Yield good rows as lines of a CSV file, as dags/scripts/clean_csv.sh writes them.

    Args:
        rows: the first result of `clean`.

    Yields:
        A line with its end: times in UTC, with six decimals if they have any; money with two; a text in quotes if it holds a
        comma, a quote or a carriage return.
    """
    instants = rows["ordered_at"].dt
    fractions = instants.microsecond.map(lambda number: f".{number:06d}" if number else "")
    texts: dict[str, pandas.Series] = {name: rows[name].astype(str) for name in ("order_id", "quantity")}
    texts |= {name: rows[name].map(money) for name in ("unit_price", "amount")}
    texts["ordered_at"] = instants.strftime("%Y-%m-%dT%H:%M:%S") + fractions + "Z"
    for name in set(COLUMNS) - set(texts):
        quoted = '"' + rows[name].str.replace('"', '""', regex=False) + '"'
        texts[name] = rows[name].where(~rows[name].str.contains('[",\r]'), quoted)
    for cells in zip(*(texts[name] for name in (*COLUMNS, "amount")), strict=True):
        yield ",".join(cells) + "\n"


def money(hundredths: int) -> str:
    """Return an amount as a text with two decimals.

    Args:
        hundredths: the amount, not negative.
    """
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@contextlib.contextmanager
def _seen() -> Iterator[Callable[[bytes], bool]]:
    import sqlite3

    # A database without a name is a temporary file, written to only when the cache is full.
    with contextlib.closing(sqlite3.connect("")) as database:
        for setting in (f"cache_size = -{SEEN_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
        yield lambda key: not database.execute("INSERT OR IGNORE INTO keys VALUES (?)", (key,)).rowcount
