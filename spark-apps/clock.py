"""The days of the platform: the time zone that they are of, when they begin, and how long they are.

AIRSPARK_TIME_ZONE names the zone; the charts set it to `global.timeZone` in every pod that runs DAGs or applications. Where it
is not set, days are UTC's. A day is 23 or 25 hours long if the clock changes on it.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from errors import UserError

VARIABLE = "AIRSPARK_TIME_ZONE"
#: Name of the zone, as it was given: `zone` says whether there is one of that name.
TIME_ZONE = os.environ.get(VARIABLE) or "UTC"


@functools.cache
def zone() -> ZoneInfo:
    """Return the time zone.

    Raises:
        UserError: if there is no zone of that name.
    """
    try:
        return ZoneInfo(TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"{VARIABLE} says {TIME_ZONE[:50]!r}, which is not a time zone: set `global.timeZone` in the values, or the "
            "variable, to a name of the IANA time zone database, such as Europe/Berlin"
        ) from None


def bounds(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return midnight of a day and of the day after, in its zone.

    Raises:
        UserError: see `zone`.
    """
    begin, end = (dt.datetime.combine(one, dt.time(), zone()) for one in (day, day + dt.timedelta(1)))
    return begin, end


def length(day: dt.date) -> int:
    """Return how many seconds a day has: 86,400 but for a change of the clock."""
    begin, end = bounds(day)
    return int((end.astimezone(dt.UTC) - begin.astimezone(dt.UTC)).total_seconds())


def moment(day: dt.date, after: dt.timedelta) -> dt.datetime:
    """Return the moment that is so long after a day's midnight, in its zone."""
    return (bounds(day)[0].astimezone(dt.UTC) + after).astimezone(zone())


def writer(day: dt.date) -> Callable[[int], str]:
    """Return a function that writes the moment so many seconds after a day's midnight, as ISO 8601 with an offset."""

    @functools.cache
    def minute(number: int) -> tuple[str, str]:
        text = moment(day, dt.timedelta(minutes=number)).isoformat()
        return text[:17], text[19:]

    def write(second: int) -> str:
        number, rest = divmod(second, 60)
        begin, offset = minute(number)
        return f"{begin}{rest:02}{offset}"

    def write_utc(second: int) -> str:
        return moment(day, dt.timedelta(seconds=second)).astimezone(dt.UTC).isoformat().replace("+00:00", "Z")

    # Before the zones of today a place had its sun's time, whose offset from UTC has seconds: no file can hold that.
    offsets = [moment(day, dt.timedelta(hours=hours)).utcoffset() for hours in (0, 24)]
    return write_utc if any(offset and offset.total_seconds() % 60 for offset in offsets) else write
