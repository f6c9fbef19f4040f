"""One rule for what a text is worth: whole numbers, money, times and CSV fields, for Spark columns and for Python alike.

Every reader of the project judges texts by these patterns, so that a row has the same fate and the same values in each; the
rule of the sales file, which is made of them, is docs/reference/sales-format.md.

The patterns hold to three things: they are anchored at both ends, they mean the same in Java and in Python, and what may repeat
without a limit is possessive where a choice follows. Java's matcher recurses for each repetition of a group that is not, and a
field of some thousand characters ends its stack; and a megabyte of spaces must not be tried from each of them.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pyspark.sql import Column

#: Spaces and tabs around a number or a time do not count; no other character is a space.
BLANK = r"[ \t]*+"
#: The end of a text. `$` is also before a last line break, of which Java knows more than Python does.
END = r"(?![\s\S])"
#: Group 1: a sign, any number of zeros, up to 19 digits. Digits are ASCII's: `\d` is any script's in Python.
WHOLE = rf"^{BLANK}([+-]?0*[0-9]{{1,19}}){BLANK}{END}"
#: Groups 1 and 2: a sign and up to ten digits, up to two decimals. More decimals must be zeros: money is never rounded.
MONEY = rf"^{BLANK}([+-]?0*[0-9]{{0,10}})(?:\.([0-9]{{0,2}})0*)?{BLANK}{END}"
#: Group 1: date and time to the second, up to nine decimals, of which six count, and the offset, if any.
TIME = (
    rf"^{BLANK}([+-]?[0-9]{{4,5}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
    rf"(?:Z| ?UTC|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?){BLANK}{END}"
)
#: The same, of which an offset is a part.
ZONED_TIME = TIME.replace("?)?)", "?))")
#: A CSV field with the comma behind it (RFC 4180): quoted, with quotes doubled, or not begun by a quote, or empty.
FIELD = r'\G(?:"[^"]*+(?:""[^"]*+)*+"[ \t]*+|[^",][^,]*+|),'
#: The largest offset of java.time, in minutes.
MAX_OFFSET = 18 * 60
#: A whole amount has at most so many digits, as decimal(12,2) holds them.
MONEY_DIGITS = 10

_FIELD = re.compile(FIELD.removeprefix(r"\G"))
_WHOLE = re.compile(rf"{BLANK}([+-]?)0*+([0-9]*+){BLANK}")
_MONEY = re.compile(rf"{BLANK}([+-]?)0*+([0-9]*+)(?:\.([0-9]{{0,2}})0*+)?{BLANK}")
_TIME = re.compile(
    rf"{BLANK}([+-]?[0-9]{{4,5}})-([0-9]{{2}})-([0-9]{{2}})[T ]([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})(?:\.([0-9]{{1,9}}))?"
    rf"(Z| ?UTC|([+-])([0-9]{{2}})(?::?([0-9]{{2}}))?)?{BLANK}"
)


def whole_column(text: Column, kind: str) -> Column:
    """Return a whole number; null for a text that is none, or one that the type cannot hold.

    Args:
        text: the texts.
        kind: int or bigint.
    """
    from pyspark.sql import functions as F

    return F.regexp_extract(text, WHOLE, 1).try_cast(kind)


def money_column(text: Column) -> Column:
    """Return an amount as decimal(12,2), null for a text that is none or that would have to be rounded.

    Args:
        text: the texts.
    """
    from pyspark.sql import functions as F

    # Cut by the pattern: a cast of what is left over from a megabyte of zeros would take minutes.
    return F.concat(F.regexp_extract(text, MONEY, 1), F.lit("."), F.regexp_extract(text, MONEY, 2)).try_cast("decimal(12,2)")


def time_column(text: Column, zoned: bool = False) -> Column:
    """Return an instant, null for a text that is none; without an offset it is one of the session's time zone.

    Args:
        text: the texts.
        zoned: whether the offset must be there.
    """
    from pyspark.sql import functions as F

    return F.regexp_extract(text, ZONED_TIME if zoned else TIME, 1).try_cast("timestamp")


def blank_column(text: Column) -> Column:
    """Return whether a text is missing: null, or spaces and tabs at most."""
    from pyspark.sql import functions as F

    return F.coalesce(F.trim(text, F.lit(" \t")), F.lit("")) == ""


def fields_column(line: Column, number: int) -> Column:
    """Split a CSV line, as `fields` does.

    Args:
        line: the lines.
        number: how many fields there must be.

    Returns:
        An array of so many texts, null for a line that has another number or that cannot be split.
    """
    from pyspark.sql import functions as F

    whole = F.concat(line, F.lit(","))
    found = F.regexp_extract_all(whole, F.lit(FIELD), F.lit(0))

    def text(field: Column) -> Column:
        bare = F.substring(field, F.lit(1), F.length(field) - 1)
        quoted = F.rtrim(bare, F.lit(" \t"))
        inside = F.replace(F.substring(quoted, F.lit(2), F.length(quoted) - 2), F.lit('""'), F.lit('"'))
        return F.when(bare.startswith('"'), inside).otherwise(bare)

    complete = (F.size(found) == number) & (F.array_join(found, "") == whole)
    return F.when(complete, F.transform(found, text))


def whole(text: str, bits: int) -> int | None:
    """Return a whole number; None for a text that is none, or one that so many bits cannot hold.

    Args:
        text: the text.
        bits: those of the number with its sign, such as 64.
    """
    found = _WHOLE.fullmatch(text)
    if not found or not (digits := found[2] or ("0" if "0" in text else "")) or len(digits) > 19:
        return None
    number = int(found[1] + digits)
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def money(text: str) -> int | None:
    """Return an amount in hundredths, None for a text that is none or that would have to be rounded.

    Args:
        text: the text.
    """
    found = _MONEY.fullmatch(text)
    if not found or not any(digit in text for digit in "0123456789") or len(found[2]) > MONEY_DIGITS:
        return None
    return int(f"{found[1]}{found[2] or 0}{(found[3] or '').ljust(2, '0')}")


def instant(text: str, date: dt.date, zone: ZoneInfo) -> dt.datetime | bool:
    """Return the instant of a text, if it is one of a day.

    Args:
        text: the text.
        date: the day.
        zone: the day's time zone, which a text without an offset is in. Of an hour that is there twice it is the first; one
            that is left out counts on from the hour before, as java.time and zoneinfo do.

    Returns:
        The instant in UTC, to the microsecond; True for another day's, False for a text that is no time.
    """
    found = _TIME.fullmatch(text)
    if not found:
        return False
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    sign, hours, minutes = found.group(9, 10, 11)
    offset = int(hours or 0) * 60 + int(minutes or 0)
    if offset > MAX_OFFSET or int(minutes or 0) > 59:
        return False
    near = abs(year - date.year) <= 1 and 1 <= year <= dt.MAXYEAR
    fraction = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        # Leap years repeat after 400 years: of any year there is one that Python's calendar holds.
        naive = dt.datetime(year if near else 2000 + year % 400, month, day, hour, minute, second, fraction)
    except ValueError:
        return False
    if not near:
        return True
    begin, end = _bounds(date, zone)
    try:
        if found[8]:
            at = (naive - dt.timedelta(minutes=-offset if sign == "-" else offset)).replace(tzinfo=dt.UTC)
        else:
            at = naive.replace(tzinfo=zone).astimezone(dt.UTC)
    except OverflowError:
        # Beyond the first or the last day that Python's calendar has.
        return True
    return at if begin <= at < end else True


@functools.lru_cache(maxsize=64)
def _bounds(date: dt.date, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the first instant of a day and the first one after it, in UTC, as far as Python's calendar reaches."""
    found = []
    for days, limit in ((0, dt.datetime.min), (1, dt.datetime.max)):
        try:
            midnight = dt.datetime.combine(date + dt.timedelta(days), dt.time(), zone)
            found.append(midnight.astimezone(dt.UTC))
        except OverflowError:
            found.append(limit.replace(tzinfo=dt.UTC))
    return found[0], found[1]


def blank(text: str) -> bool:
    """Return whether a text is missing: spaces and tabs at most."""
    return not text.strip(" \t")


def fields(line: str) -> list[str] | None:
    """Split a CSV line; every line is split by itself, so that one open quote spoils one row and not all that follow.

    A field that begins with a quote ends with one; quotes in it are doubled, and spaces and tabs behind it do not count. Any
    other field is taken as it is.

    Args:
        line: the line without its end.

    Returns:
        The fields; None for a line with an open quote, or with something else behind a closing one.
    """
    if '"' not in line:
        return line.split(",")
    found, position, line = [], 0, line + ","
    while position < len(line):
        match = _FIELD.match(line, position)
        if match is None:
            return None
        field = match[0][:-1]
        found.append(field.rstrip(" \t")[1:-1].replace('""', '"') if field.startswith('"') else field)
        position = match.end()
    return found
