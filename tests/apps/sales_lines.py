"""Lines of a sales file made from the tables of spark-apps/sales_format.py, each with the fate that the tables give it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import sales_format
from sales_format import MISSING, OTHER_DAYS, REASONS, TABLE

HEADER = ",".join(sales_format.COLUMNS)
#: Longer texts stand in lines of their own, see `each`.
LONG = 5_000


class Case(NamedTuple):
    """A line and its fate.

    Attributes:
        line: its bytes, without the end of the line.
        reason: why it is rejected, empty for a good row.
        values: what its fields are worth, as texts, for a good row.
    """

    line: bytes
    reason: str
    values: tuple[str, ...] = ()


def _picks(number: int) -> list[tuple[str, str, str]]:
    """Return every text of a column with its worth and its reason, one of them empty."""
    column = TABLE[number]
    found = [(text, worth, "") for text, worth in column.good]
    found += [(text, "", "wrong_type") for text in column.wrong]
    found += [(text, "", "out_of_range") for text in column.beyond]
    found += [(text, "", "missing_value") for text in MISSING]
    if column.name == "ordered_at":
        found += [(text, "", "wrong_date") for text in OTHER_DAYS]
    return found


PICKS = [_picks(number) for number in range(len(TABLE))]


def _field(text: str, quoted: bool, behind: str = "") -> str:
    if quoted or "," in text or text.startswith('"'):
        return '"' + text.replace('"', '""') + '"' + behind
    return text


def _case(chosen: list[tuple[str, str, str]], fields: list[str]) -> Case:
    line = ",".join(fields).encode()
    reason = min((reason for _, _, reason in chosen if reason), key=REASONS.index, default="")
    return Case(line, reason, () if reason else tuple(worth for _, worth, _ in chosen))


def each() -> list[Case]:
    """Return a line for each text of each column, in quotes and without."""
    found = []
    for number, picks in enumerate(PICKS):
        for pick in picks:
            chosen = [pick if number == other else PICKS[other][0] for other in range(len(TABLE))]
            for quoted in (False, True):
                fields = [_field(text, quoted and number == other) for other, (text, _, _) in enumerate(chosen)]
                found.append(_case(chosen, fields))
    return list(dict.fromkeys(found))


def mixed(number: int, seed: int = 16) -> Iterator[Case]:
    """Yield lines of texts picked at random, some of them broken as lines.

    Args:
        number: how many.
        seed: of the random numbers.
    """
    chance = random.Random(seed)
    for _ in range(number):
        chosen = []
        for picks in PICKS:
            usual = chance.random() < 0.85
            short = [pick for pick in picks if len(pick[0]) <= LONG and (not usual or not pick[2])]
            chosen.append(picks[0] if chance.random() < 0.3 else chance.choice(short))
        quoted = chance.random() < 0.3
        behind = chance.choice(("", "", " ", "\t "))
        fields = [_field(text, quoted and chance.random() < 0.5, behind) for text, _, _ in chosen]
        case = _case(chosen, fields)
        yield case if chance.random() < 0.85 else _broken(case.line, fields, chance)


def _broken(line: bytes, fields: list[str], chance: random.Random) -> Case:
    kind = chance.randrange(8)
    at = chance.randrange(len(line) + 1)
    if kind == 0:
        return Case(
            line[:at] + chance.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")) + line[at:], "not_utf8"
        )
    if kind == 1:
        return Case(line[:at] + b"\0" + line[at:], "not_utf8")
    if kind == 2:
        return Case(",".join(fields[:-1]).encode(), "wrong_columns")
    if kind == 3:
        return Case(line + b",more", "wrong_columns")
    if kind == 4:
        return Case(",".join([*fields[:-1], '"web']).encode(), "wrong_columns")
    if kind == 5:
        return Case(",".join([*fields[:4], '"books"x', *fields[5:]]).encode(), "wrong_columns")
    if kind == 6:
        return Case(",".join([*fields[:4], '"books" x', *fields[5:]]).encode(), "wrong_columns")
    return Case(b'"' + line.replace(b'"', b""), "wrong_columns")
