"""The rule of the daily sales file: what each of its texts may be, what it is worth, and why a row is rejected.

It is written down once, here, as tables. The page docs/reference/sales-format.md and the cases of the tests are made of them,
`judge` is the rule for one line in Python, and `sales_etl.transform` the same rule for a column of lines in Spark.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import values

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MAX_QUANTITY = 9_999
#: Bytes of a text in UTF-8: an index of PostgreSQL holds two of them together (2,704 bytes).
MAX_TEXT = 1_024


@dataclass(frozen=True)
class Column:
    """A column of the file.

    Attributes:
        name: its name in the header.
        type: what it becomes, in Spark's words.
        rule: what its text must be, in words.
        good: texts that are of the right type, each with what it is worth, in the words of Python's str().
        wrong: texts that are not (wrong_type).
        beyond: texts of the right type that are outside of what is allowed (out_of_range).
    """

    name: str
    type: str
    rule: str
    good: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


def _text(name: str, *good: str) -> Column:
    rule = f"any text of at most {MAX_TEXT:,} bytes, kept as it is"
    samples = ("커피", " x ", "a'b", "tab\tin", "cr\rin", "\u00a0", "５", 'in"side', "x" * MAX_TEXT)
    kept = tuple((text, text) for text in (*good, *samples))
    return Column(name, "string", rule, kept, (), ("x" * (MAX_TEXT + 1), "각" * (MAX_TEXT // 3 + 1), "long" * 50_013))


_WHOLE_WRONG = (
    *("A-7", "1.0", "1e3", "1_0", "٣", "１２", "0x10", "--1", "+", "-", "1 2", "1,2", "\u00a012", "12\u00a0", "\u200712", "½"),
    *("\r7", "7\r", "\v7", "+ 7", "١٢", "NaN", "true", "9" * 20, "1" + "0" * 4_400),
)

#: Each column of the file, in its order. Times are of DAY in ZONE, see below.
TABLE = (
    Column(
        "order_id",
        "bigint",
        "an optional sign, then ASCII digits, any number of zeros in front; 64 bits",
        (
            *(("1", "1"), ("0", "0"), ("-7", "-7"), ("+7", "7"), (" 7 ", "7"), ("\t7", "7"), ("007", "7"), ("-0", "0")),
            *(("0" * 19 + "12", "12"), ("+" + "0" * 400 + "12", "12"), ("1234567890123456789", "1234567890123456789")),
            *((str(2**63 - 1), str(2**63 - 1)), (str(-(2**63)), str(-(2**63))), ("0" * 30, "0")),
        ),
        (*_WHOLE_WRONG, str(2**63), str(-(2**63) - 1), "0" * 30 + str(2**63)),
    ),
    Column(
        "ordered_at",
        "timestamp",
        "`YYYY-MM-DD`, `T` or a space, `HH:MM:SS`, an optional fraction of up to nine digits, of which six count; then nothing, "
        "`Z`, `UTC`, ` UTC`, `+09`, `+0900` or `+09:00`, at most 18:00. Years may have five digits and a sign. Without an offset "
        "it is in the time zone of the day: in an hour that is there twice the first one; one that is left out counts on from "
        "the hour before",
        tuple(
            (text, f"2026-01-15T{utc}Z")
            for text, utc in (
                *(("2026-01-15T10:00:00+09:00", "01:00:00"), ("2026-01-15T10:00:00+0900", "01:00:00")),
                *(("2026-01-15T10:00:00+09", "01:00:00"), ("2026-01-15 10:00:00+09", "01:00:00")),
                *(
                    ("2026-01-15T10:00:00", "01:00:00"),
                    ("2026-01-15 10:00:00", "01:00:00"),
                    (" 2026-01-15T10:00:00 ", "01:00:00"),
                ),
                *(("2026-01-15T01:00:00Z", "01:00:00"), ("2026-01-15T01:00:00UTC", "01:00:00")),
                *(("2026-01-15 01:00:00 UTC", "01:00:00"), ("2026-01-14T16:00:00-09:00", "01:00:00")),
                *(("2026-01-15T10:00:00.5+09:00", "01:00:00.500000"), ("2026-01-15T10:00:00.123456+09:00", "01:00:00.123456")),
                *(("2026-01-15T10:00:00.123456789+09:00", "01:00:00.123456"), ("+2026-01-15T01:00:00Z", "01:00:00")),
                *(("2026-01-15T19:00:00+18:00", "01:00:00"), ("2026-01-14T07:00:00-18:00", "01:00:00")),
                *(("2026-01-15T01:00:00-00:00", "01:00:00"), ("2026-01-15T23:59:59.999999+09:00", "14:59:59.999999")),
            )
        ),
        (
            *(
                "yesterday",
                "2026-01-15",
                "2026-01-15          ",
                "2026-01-15T10:00+0900  ",
                "2026-01-15T10:00",
                "20260115T100000+09:00",
            ),
            *("2026/01/15 10:00:00", "2026-01-15T10:00:00+9:00", "2026-01-15T10:00:00+9", "2026-01-15T10:00:00GMT+9"),
            *("2026-01-15T10:00:00 Asia/Seoul", "2026-01-15T10:00:00+09:00[Asia/Seoul]", "2026-01-15T10:00:00 KST"),
            *("2026-01-15T10:00:00+09:00:00", "2026-01-15t10:00:00z", "2026-01-15T10:00:00 Z", "2026-01-15T24:00:00Z"),
            *(
                "2026-01-15T25:00:00Z",
                "2026-01-15T10:60:00Z",
                "2026-01-15T23:59:60Z",
                "2026-02-29T10:00:00Z",
                "2026-02-30T10:00:00",
            ),
            *(
                "2026-13-01T10:00:00Z",
                "2026-00-10T10:00:00Z",
                "2026-01-00T10:00:00Z",
                "1900-02-29T00:00:00Z",
                "26-01-15T10:00:00Z",
            ),
            *("2026-1-15T10:00:00.0Z", "2026-01-15T10:00:00,5Z", "2026-01-15T10:00:00.Z", "2026-01-15T10:00:00.1234567890Z"),
            *("2026-01-15T10:00:00+18:01", "2026-01-15T10:00:00+19", "2026-01-15T10:00:00+05:60", "2026-01-15T10:00:00+09:0"),
            *(
                "２０２６-01-15T10:00:00Z",
                "2026-01-15T10:00:00\u00a0",
                "2026-01-15T10:00:00\r",
                "2026-01-15  10:00:00",
                "1768438800",
            ),
            *("2026-01-15T10:00:00Z2026", "100000-01-15T10:00:00Z", "2026-015T10:00:00Z", "2026-W03-4T10:00:00Z", "x" * 70_000),
        ),
    ),
    _text("customer_id", "C1", "C2"),
    _text("product_id", "P1", "0007"),
    _text("category", "books", "toys"),
    Column(
        "quantity",
        "int",
        f"like order_id, with 32 bits; 1 to {MAX_QUANTITY:,}",
        (("2", "2"), ("1", "1"), ("+3", "3"), (" 3", "3"), ("0004", "4"), ("9999", "9999"), ("0" * 300 + "5", "5")),
        (*_WHOLE_WRONG, str(2**31), str(-(2**31) - 1), "1.5", "two"),
        ("0", "-1", "10000", str(2**31 - 1), str(-(2**31)), "000"),
    ),
    Column(
        "unit_price",
        "decimal(12,2)",
        "an optional sign, ASCII digits with a point or without, at most ten of them before it, zeros in front not counted; "
        "decimals after the second must be zeros, because money is never rounded; no exponent; not negative",
        (
            *(
                ("10.50", "10.50"),
                ("10.5", "10.50"),
                ("0", "0.00"),
                ("0.01", "0.01"),
                (".5", "0.50"),
                ("5.", "5.00"),
                (" 7 ", "7.00"),
            ),
            *(("100.500", "100.50"), ("1." + "0" * 60, "1.00"), ("+3", "3.00"), ("0" * 40 + "3.20", "3.20"), ("-0", "0.00")),
            *(("9999999999.99", "9999999999.99"), ("-0.00", "0.00"), ("3.1" + "0" * 300, "3.10")),
        ),
        (
            *("N/A", "1e3", "1E2", "1e-20", "100.505", "100.50001", "1." + "0" * 27 + "1", "100.500000000000000001", "0.00001"),
            *(
                "-0.00001",
                "10000000000",
                "99999999999.00",
                "9999999999.9999",
                "inf",
                "NaN",
                "1_0",
                "１０.50",
                "10．5",
                "$5",
                "5 €",
            ),
            *(".", "+", "-.", "1.2.3", "1 000", "\u00a010", "0x1", "10.5d", "10.5f", "\r5", "٣", "9" * 5_000, "1." + "9" * 5_000),
        ),
        ("-1", "-0.01", "-9999999999.99"),
    ),
    _text("region", "seoul", "서울"),
    _text("channel", "web", "app"),
)
#: The day and the zone of the times in TABLE.
DAY, ZONE = dt.date(2026, 1, 15), "Asia/Seoul"
#: Times that are times of other days (wrong_date).
OTHER_DAYS = (
    *("2026-01-14T23:59:59.999999+09:00", "2026-01-16T00:00:00+09:00", "2026-01-15T15:00:00Z", "2026-01-14T10:00:00"),
    *("2026-01-15T00:30:00+10:00", "2026-01-15T23:30:00-09:00", "+10000-01-15T10:00:00Z", "0000-01-01T00:00:00Z"),
    *("2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-2026-01-15T10:00:00Z", "1988-05-08T02:30:00", "1582-10-10T00:00:00Z"),
    *("0000-02-29T10:00:00Z", "-0004-02-29T10:00:00Z", "12345-06-07T08:09:10", "-99999-12-31T00:00:00Z", "1900-01-01T00:00:00"),
    *("2026-01-14T10:00:00+09", "2025-01-15T10:00:00+09:00", "1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z"),
)
#: Texts that are missing (missing_value).
MISSING = ("", " ", "\t", "  \t ")
#: Every reason there is, with what it means; of several, the first one counts.
MEANING = {
    "not_utf8": "bytes that are not UTF-8, or the character U+0000, which PostgreSQL takes for none either",
    "wrong_columns": f"not {len(TABLE)} fields, a quote that is not closed, or something behind a closing quote",
    "missing_value": "a field that is empty, or holds spaces and tabs only",
    "wrong_type": "a text that is not of its column's type",
    "out_of_range": "a quantity, a price or the length of a text outside of what is allowed",
    "wrong_date": "a time of another day",
}
REASONS = tuple(MEANING)
COLUMNS = tuple(column.name for column in TABLE)
TEXTS = tuple(column.name for column in TABLE if column.type == "string")


class Row(NamedTuple):
    """A typed row; money is counted in whole hundredths. Two rows are the same if all of these are.

    Attributes:
        order_id: the order.
        ordered_at: when, in UTC, to the microsecond.
        customer_id: who.
        product_id: what.
        category: what kind.
        quantity: how many.
        unit_price: the price of one, in hundredths.
        region: where.
        channel: by which way.
    """

    order_id: int
    ordered_at: dt.datetime
    customer_id: str
    product_id: str
    category: str
    quantity: int
    unit_price: int
    region: str
    channel: str

    @property
    def amount(self) -> int:
        """Quantity times unit price, in hundredths."""
        return self.quantity * self.unit_price


def is_blank(line: bytes) -> bool:
    """Return whether a line is none: nothing but spaces, tabs and carriage returns."""
    return not line.strip(b" \t\r")


def judge(line: bytes, date: dt.date, zone: ZoneInfo) -> Row | str:
    """Judge one line.

    Args:
        line: its bytes without the end of the line; neither blank nor the header.
        date: the day that the order must be of.
        zone: the time zone of the day.

    Returns:
        The typed row, or the reason for which it is rejected, one of REASONS.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    if "\0" in text:
        return "not_utf8"
    cells = values.fields(text)
    if cells is None or len(cells) != len(COLUMNS):
        return "wrong_columns"
    if any(map(values.blank, cells)):
        return "missing_value"
    order, at, customer, product, category, number, cost, region, channel = cells
    order_id, quantity, price = values.whole(order, 64), values.whole(number, 32), values.money(cost)
    ordered_at = values.instant(at, date, zone)
    if order_id is None or quantity is None or price is None or ordered_at is False:
        return "wrong_type"
    texts = (customer, product, category, region, channel)
    if not 1 <= quantity <= MAX_QUANTITY or price < 0 or any(len(one) * 4 > MAX_TEXT < len(one.encode()) for one in texts):
        return "out_of_range"
    if ordered_at is True:
        return "wrong_date"
    return Row(order_id, ordered_at, customer, product, category, quantity, price, region, channel)
