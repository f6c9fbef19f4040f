"""Write days of a shop's click events as JSON lines, with the campaigns that brought visitors: seeded, with known bad lines.

python generate_clicks.py --from 2026-01-01 --to 2026-01-14 --rows 10000 --seed 7 --out /opt/airflow/data/clicks
python generate_clicks.py --date 2026-01-15 --days 14 --gzip

Writes clicks_2026-01-15.jsonl for each day and campaigns.csv. Users come back on later days with the same taste, and on the
way from a view to a purchase most of them leave. The same arguments give the same bytes, whichever days are written together.
The last line on stdout is JSON with the counts of each day.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gzip
import itertools
import json
import os
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import batch
import clock
import errors
from errors import UserError

CAMPAIGNS = {"spring": ("search", "1200.00"), "friends": ("social", "300.00"), "letter": ("mail", "80.00")}
#: Brings visitors and stands in no list: somebody forgot to describe it.
UNKNOWN_CAMPAIGN = "partner"
#: The way to a purchase, and the share of sessions that goes on to each step.
STEPS = {"view": 1.0, "cart": 0.35, "checkout": 0.6, "purchase": 0.7}
BAD_SHARES = {
    "not_utf8": 0.001,
    "not_json": 0.003,
    "missing_value": 0.003,
    "wrong_type": 0.002,
    "unknown_type": 0.002,
    "out_of_range": 0.001,
    "wrong_date": 0.002,
}
DUPLICATE_SHARE = 0.01
CHUNK = 20_000
PRODUCTS, TASTES, HAS_TASTE = 200, 8, 0.7
USERS_A_DAY, COMES_BACK = 0.02, 0.4


def main(argv: Sequence[str]) -> None:
    """Write the files that the arguments ask for and print what is in them.

    Raises:
        UserError: if an argument makes no sense or the folder cannot be written.
    """
    options = _parser().parse_args(argv)
    days = _days(options)
    made = {str(day): generate(day, options.rows, options.seed, options.out, options.gzip) for day in days}
    print(json.dumps(made))


def generate(day: dt.date, rows: int, seed: int, folder: str, compressed: bool = False) -> dict[str, Any]:
    """Write one day's events and the campaigns, each file whole or not at all; memory does not grow with its lines.

    Args:
        day: the day, in the platform's time zone.
        rows: lines in all, bad ones and copies among them.
        seed: the same seed gives the same bytes.
        folder: where the files go; created if missing.
        compressed: whether the day's file is a gzip file, clicks_2026-01-15.jsonl.gz.

    Returns:
        file, rows, good (neither bad nor copies), bad (a count by reason), duplicates, users, types (good events by type),
        revenue (a text).

    Raises:
        UserError: if there are too few rows, or the folder cannot be written.
        OSError: if the disk is full.
    """
    bad = {reason: round(rows * share) for reason, share in BAD_SHARES.items()}
    duplicates = round(rows * DUPLICATE_SHARE)
    good = rows - sum(bad.values()) - duplicates
    if good < 1:
        raise UserError(f"--rows {rows}: at least one line must be good")
    types: dict[str, int] = {}
    users: set[str] = set()
    cents = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal cents
        for event in events(day, good, seed):
            users.add(event["user_id"])
            types[event["type"]] = types.get(event["type"], 0) + 1
            cents += int((event["amount"] or "0").replace(".", ""))
            yield event

    target = Path(folder)
    file = target / f"clicks_{day}.jsonl{'.gz' if compressed else ''}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        campaigns = ["campaign,channel,cost", *(f"{name},{channel},{cost}" for name, (channel, cost) in CAMPAIGNS.items())]
        _write(target / "campaigns.csv", [[line.encode() for line in campaigns]])
        _write(file, lines(counted(), good, bad, duplicates, random.Random(f"{seed} {day}")))
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    return {
        "file": str(file),
        "rows": rows,
        "good": good,
        "bad": {reason: number for reason, number in bad.items() if number},
        "duplicates": duplicates,
        "users": len(users),
        "types": dict(sorted(types.items())),
        "revenue": f"{cents // 100}.{cents % 100:02d}",
    }


def lines(
    good_events: Iterable[dict[str, Any]], good: int, bad: dict[str, int], duplicates: int, randomness: random.Random
) -> Iterator[list[bytes]]:
    """Yield the lines of events, mixed with copies and bad lines, in lists that follow from at most CHUNK events.

    Args:
        good_events: the events.
        good: how many they are.
        bad: how many lines to spoil, by reason.
        duplicates: how many lines to write once more.
        randomness: of the mixture.
    """
    source, done = iter(good_events), 0
    while chunk := list(itertools.islice(source, CHUNK)):
        before, done = done, done + len(chunk)
        # Each chunk has its part of them, and all chunks together have all.
        due = {kind: many * done // good - many * before // good for kind, many in {**bad, "copy": duplicates}.items()}
        encoded = [json.dumps(event, ensure_ascii=False).encode() for event in chunk]
        mixed = encoded + [randomness.choice(encoded) for _ in range(due.pop("copy"))]
        for reason, many in due.items():
            mixed += [_spoilt(randomness.choice(chunk), reason, f"{before}-{number}") for number in range(many)]
        randomness.shuffle(mixed)
        yield mixed


def events(day: dt.date, number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a day's events, session by session.

    Args:
        day: the day.
        number: how many events.
        seed: of the randomness.
    """
    randomness = random.Random(f"{seed} {day} events")
    length = clock.length(day)
    newcomers = max(3, round(number * USERS_A_DAY))
    sources = [None, None, *CAMPAIGNS, UNKNOWN_CAMPAIGN]
    left, session = number, 0
    while left:
        session += 1
        # Whoever comes back was new within the last week.
        born = day - dt.timedelta(randomness.randint(1, 7)) if randomness.random() < COMES_BACK else day
        user = randomness.randrange(newcomers)
        campaign = randomness.choice(sources)
        second = randomness.randrange(length - 1_000)
        product = _product(randomness, user)
        for step in _session(randomness):
            if not left:
                return
            left -= 1
            second += randomness.randint(1, 60)
            if step in ("view", "search"):
                product = _product(randomness, user)
            price = f"{randomness.randint(900, 90_000)}.{randomness.randint(0, 99):02d}"
            yield {
                "event_id": f"{day:%Y%m%d}-{number - left}",
                "user_id": f"U{born:%y%m%d}-{user}",
                "session_id": f"S{day:%y%m%d}-{session}",
                "at": clock.moment(day, dt.timedelta(seconds=second)).isoformat(),
                "type": step,
                "product_id": f"P{product:03d}",
                "campaign": campaign,
                "amount": price if step == "purchase" else None,
            }


def _session(randomness: random.Random) -> Iterator[str]:
    for _ in range(randomness.randint(0, 4)):
        yield randomness.choice(("view", "search"))
    for step, share in STEPS.items():
        if randomness.random() > share:
            return
        yield step


def _product(randomness: random.Random, user: int) -> int:
    """Return a product, mostly of the user's taste; a few products of each taste are what most people want."""
    taste = user % TASTES if randomness.random() < HAS_TASTE else randomness.randrange(TASTES)
    rank = int(randomness.paretovariate(0.9)) - 1
    return taste + TASTES * (rank % (PRODUCTS // TASTES))


def _spoilt(event: dict[str, Any], reason: str, number: str) -> bytes:
    changed = {**event, "event_id": f"bad-{reason}-{number}"}
    if reason == "not_json":
        return json.dumps(changed).encode()[:-10]
    if reason == "not_utf8":
        return json.dumps({**changed, "product_id": "상품"}, ensure_ascii=False).encode("cp949")
    changes: dict[str, dict[str, Any]] = {
        "missing_value": {"user_id": None},
        "wrong_type": {"at": "yesterday"},
        "unknown_type": {"type": "teleport"},
        "out_of_range": {"type": "purchase", "amount": "-1.00"},
        "wrong_date": {"at": clock.bounds(dt.date(2001, 1, 1))[0].isoformat()},
    }
    return json.dumps(changed | changes[reason], ensure_ascii=False).encode()


def _write(path: Path, chunks: Iterable[list[bytes]]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(unfinished, "wb"))
            # Neither name nor time in its header: the same arguments give the same bytes.
            stream = stack.enter_context(gzip.GzipFile("", "wb", 6, file, 0)) if path.suffix == ".gz" else file
            for chunk in chunks:
                stream.write(b"\n".join(chunk) + b"\n")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = batch.Parser(prog="generate_clicks", description=(__doc__ or "").splitlines()[0])
    first = parser.add_mutually_exclusive_group(required=True)
    first.add_argument("--date", help="the first day, YYYY-MM-DD")
    first.add_argument("--from", dest="start", help="the first day, with --to")
    parser.add_argument("--to", help="the last day, with --from")
    parser.add_argument("--days", type=int, help="how many days, with --date (1)")
    parser.add_argument("--rows", type=int, default=10_000, help="lines a day (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other lines (%(default)s)")
    parser.add_argument("--out", default=f"{batch.DATA}/clicks", help="the folder of the files (%(default)s)")
    parser.add_argument("--gzip", action="store_true", help="compress the files of the days")
    return parser


def _days(options: argparse.Namespace) -> list[dt.date]:
    if options.start and (options.to is None or options.days is not None) or options.date and options.to:
        raise UserError("the days are --from and --to, or --date and --days")
    first = batch.parse_date(options.start or options.date)
    number = (batch.parse_date(options.to) - first).days + 1 if options.to else (1 if options.days is None else options.days)
    if number < 1:
        raise UserError(f"--to {options.to} comes before --from {options.start}" if options.to else "--days: at least one")
    return [first + dt.timedelta(count) for count in range(number)]


if __name__ == "__main__":
    sys.exit(errors.run("generate_clicks", main, sys.argv[1:]))
