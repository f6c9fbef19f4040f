"""Times of a cron expression, as robfig/cron of Go has them, which kubeflow's operator runs schedules with.

An hour that clocks leave out runs nothing, and an hour that they show twice runs twice: every run is at a time that the
expression names. tests/operator/cron holds this against robfig/cron itself; left out are the runs that it has on a day or
hour that the expression does not name, where clocks change at midnight or by half an hour. Beyond robfig/cron, Sunday may
be 7, a range may go round (`fri-mon`), `L` is the last day of a month, `mon#2` the second Monday, and `L5` the last Friday.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = dict(jan=1, feb=2, mar=3, apr=4, may=5, jun=6, jul=7, aug=8, sep=9, oct=10, nov=11, dec=12)
WEEKDAYS = dict(sun=0, mon=1, tue=2, wed=3, thu=4, fri=5, sat=6)
#: One entry of a field's list: everything, a value or a range, each perhaps with a step.
ITEM = re.compile(r"(?:(?P<all>[*?])|(?P<low>[0-9]+|[a-z]{3})(?:-(?P<high>[0-9]+|[a-z]{3}))?)(?:/(?P<step>[0-9]+))?")
#: `mon#2` and `L5`: one such day of a month.
ONE_WEEKDAY = re.compile(r"(?:(?P<day>0*[0-7]|[a-z]{3})#(?P<number>[1-5])|l(?P<last>[0-7]))")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: Rounds after which nothing comes of it; more than days of ten years.
MOST_ROUNDS = 5000
#: Years without a time after which there is none: leap days are at most eight apart.
YEARS = 9
LAST = 0


@dataclass(frozen=True)
class Cron:
    """Five fields of cron.

    Args:
        minutes: of an hour.
        hours: of a day.
        days: of a month; 0 is the last.
        months: of a year.
        weekdays: Sunday is 0.
        one_weekdays: a weekday and which one of the month; 0 is the last.
        both: whether a day must be of `days` and `weekdays` both, as if one field is a star; else either is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    one_weekdays: frozenset[tuple[int, int]]
    both: bool

    def following(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first time after a moment in UTC; None if there is none in years.

        Args:
            after: the moment, with its zone.
            zone: where clocks show the expression's times.
        """
        moment = after.astimezone(UTC)
        last = moment.year + YEARS
        while moment.year <= last:
            found = self._step(moment, zone, last)
            if found is None:
                return None
            if found > after and self._named(found.astimezone(zone)):
                return found
            # robfig/cron goes in a circle, or past midnight to a day that is not named, where clocks change at midnight
            moment = found if found > moment else moment + HOUR
        return None

    def _step(self, after: datetime, zone: ZoneInfo, last: int) -> datetime | None:
        """Go field by field from the month down, each to the next value that is named, as robfig/cron does.

        Returns:
            What that comes to; the moment itself if it comes to nothing, and None after the last year.
        """
        moment, moved = after.replace(microsecond=0) + timedelta(seconds=1), False
        for _ in range(MOST_ROUNDS):
            if moment.astimezone(zone).year > last:
                return None
            for field in (self._to_month, self._to_day, self._to_hour, self._to_minute):
                moment, moved, again = field(moment, moved, zone)
                if again:
                    break
            else:
                if moment.second == 0:
                    return moment
                moment, moved = moment.replace(second=0) + MINUTE, True
        return after

    def _to_month(self, moment: datetime, moved: bool, zone: ZoneInfo) -> tuple[datetime, bool, bool]:
        """Go to the next month that is named; says whether another year begins, and all is to be looked at again."""
        local = moment.astimezone(zone)
        while local.month not in self.months:
            moment = _next_month(local if moved else local.replace(day=1, hour=0, minute=0, second=0), zone)
            local, moved = moment.astimezone(zone), True
            if local.month == 1:
                return moment, moved, True
        return moment, moved, False

    def _to_day(self, moment: datetime, moved: bool, zone: ZoneInfo) -> tuple[datetime, bool, bool]:
        """Go to the next day; says whether another month begins."""
        local = moment.astimezone(zone)
        while not self._on(local.date()):
            moment = _next_day(local if moved else local.replace(hour=0, minute=0, second=0), zone)
            local, moved = moment.astimezone(zone), True
            if local.day == 1:
                return moment, moved, True
        return moment, moved, False

    def _to_hour(self, moment: datetime, moved: bool, zone: ZoneInfo) -> tuple[datetime, bool, bool]:
        """Go to the next hour; says whether another day begins."""
        local = moment.astimezone(zone)
        while local.hour not in self.hours:
            moment = moment if moved else _moment(local.replace(minute=0, second=0), zone)
            following = min((hour for hour in self.hours if hour > local.hour), default=24)
            moment = _jump(moment, (following - local.hour) * HOUR, HOUR, zone)
            local, moved = moment.astimezone(zone), True
            if local.hour == 0:
                return moment, moved, True
        return moment, moved, False

    def _to_minute(self, moment: datetime, moved: bool, zone: ZoneInfo) -> tuple[datetime, bool, bool]:
        """Go to the next minute; says whether another hour begins."""
        local = moment.astimezone(zone)
        while local.minute not in self.minutes:
            following = min((minute for minute in self.minutes if minute > local.minute), default=60)
            moment = _jump(moment.replace(second=0), (following - local.minute) * MINUTE, MINUTE, zone)
            local, moved = moment.astimezone(zone), True
            if local.minute == 0:
                return moment, moved, True
        return moment, moved, False

    def _named(self, local: datetime) -> bool:
        """Whether a time is one of the expression's."""
        return local.month in self.months and self._on(local.date()) and local.hour in self.hours

    def _on(self, day: date) -> bool:
        """Whether a date is named."""
        is_last = (day + DAY).month != day.month
        of_month = day.day in self.days or (is_last and LAST in self.days)
        weekday = day.isoweekday() % 7
        of_week = weekday in self.weekdays
        if self.one_weekdays and not of_week:
            last_of_month = (day + 7 * DAY).month != day.month
            of_week = (weekday, (day.day + 6) // 7) in self.one_weekdays or (
                last_of_month and (weekday, LAST) in self.one_weekdays
            )
        return of_month and of_week if self.both else of_month or of_week


def parse(expression: str) -> Cron | None:
    """Read five fields or a word such as `@daily`; None if it cannot be read.

    Args:
        expression: in any case.
    """
    fields = WORDS.get(expression.strip().lower(), expression).lower().split()
    if len(fields) != 5:
        return None
    minute, hour, day, month, weekday = fields
    one_weekdays, weekday = _one_weekdays(weekday)
    last, day = _last_day(day)
    minutes, hours, days = _values(minute, 0, 59), _values(hour, 0, 23), _values(day, 1, 31)
    months, weekdays = _values(month, 1, 12, MONTHS), _values(weekday, 0, 7, WEEKDAYS)
    if None in (minutes, hours, days, months, weekdays):
        return None
    both = _star(day) or _star(weekday)
    of_week = frozenset(number % 7 for number in weekdays or ())
    of_month = frozenset(days or ()) | (frozenset({LAST}) if last else frozenset())
    return Cron(frozenset(minutes or ()), frozenset(hours or ()), of_month, frozenset(months or ()), of_week, one_weekdays, both)


def _one_weekdays(field: str) -> tuple[frozenset[tuple[int, int]], str]:
    """Return weekdays such as `mon#2`, and the rest of the field."""
    found, others = set(), []
    for item in field.split(","):
        match = ONE_WEEKDAY.fullmatch(item)
        day = match and (match["last"] or match["day"])
        number = None if not day else WEEKDAYS.get(day, int(day) if day.isdigit() else None)
        if match is None or number is None:
            others.append(item)
        else:
            found.add((number % 7, int(match["number"] or LAST)))
    return frozenset(found), ",".join(others)


def _last_day(field: str) -> tuple[bool, str]:
    """Return whether the last day of a month is named, and the rest of the field."""
    items = field.split(",")
    return "l" in items, ",".join(item for item in items if item != "l")


def _star(field: str) -> bool:
    """Whether a field names everything by a star; one with a step chooses, as a list does."""
    items = [ITEM.fullmatch(item) for item in field.split(",")]
    return any(item and item["all"] and int(item["step"] or 1) == 1 for item in items)


def _values(field: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int] | None:
    """Return the values of a field; None if it cannot be read. An empty one is what `L` and `mon#2` leave.

    Args:
        field: a list of values and ranges.
        least: the least value.
        most: the greatest; 7 of weekdays is Sunday once more.
        names: words for values.
    """
    found: set[int] = set()
    for item in field.split(",") if field else ():
        match = ITEM.fullmatch(item)
        step = int(match["step"] or 1) if match else 0
        if match is None or step == 0:
            return None
        greatest = 6 if names is WEEKDAYS else most
        if match["all"]:
            found.update(range(least, greatest + 1, step))
            continue
        low, high = (_value(match[end], names) for end in ("low", "high"))
        ends = [low] if match["high"] is None else [low, high]
        if low is None or not all(end is not None and least <= end <= most for end in ends):
            return None
        if high is None:
            high = max(low, greatest) if match["step"] else low
        if high < low:  # round the end, such as 22-2
            high += greatest - least + 1
            found.update((number - least) % (greatest - least + 1) + least for number in range(low, high + 1, step))
        else:
            found.update(range(low, high + 1, step))
    return found


def _value(text: str | None, names: dict[str, int] | None) -> int | None:
    if text is None or not text.isdigit():
        return (names or {}).get(text or "")
    return int(text)


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment at which clocks show a time, as Go's time.Date chooses it if there are two or none."""
    wall = local.replace(tzinfo=UTC, fold=0)
    guess = _offset(wall, zone)
    return wall - _offset(wall - guess, zone) if guess else wall


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _jump(moment: datetime, distance: timedelta, step: timedelta, zone: ZoneInfo) -> datetime:
    """Return the moment a distance on; only a step on if clocks change on the way."""
    found = moment + distance
    return found if _offset(found, zone) == _offset(moment, zone) else moment + step


def _next_month(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the same time of day a month later."""
    year, month = (local.year, local.month + 1) if local.month < 12 else (local.year + 1, 1)
    return _moment(local.replace(year=year, month=month, day=1) + (local.day - 1) * DAY, zone)


def _next_day(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the same time a day later; midnight if clocks that changed on the way show another hour."""
    found = _moment(local.replace(tzinfo=None) + DAY, zone)
    hour = found.astimezone(zone).hour
    if hour == 0:
        return found
    return found + (24 - hour if hour > 12 else -hour) * HOUR
