"""Write days of a shop's click events as JSON lines, with the campaigns that brought visitors: seeded, with known bad lines.

python generate_clicks.py --date 2026-01-15 --days 14 --rows 10000 --seed 7 --out /opt/airflow/data/clicks

Writes clicks_2026-01-15.jsonl for each day and campaigns.csv. Users come back on later days, and on the way from a view
to a purchase most of them leave. The same arguments give the same bytes, whichever days are written together. The last
line on stdout is JSON with the counts of each day.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import batch
import errors
from errors import UserError

CAMPAIGNS = {"spring": ("search", "1200.00"), "friends": ("social", "300.00"), "letter": ("mail", "80.00")}
#: The way to a purchase, and the share of users that goes on to each step.
STEPS = {"view": 1.0, "cart": 0.35, "checkout": 0.6, "purchase": 0.7}
BAD_SHARES = {"not_json": 0.003, "missing_value": 0.003, "wrong_type": 0.002, "unknown_type": 0.002, "wrong_date": 0.002}
DUPLICATE_SHARE = 0.01
PRODUCTS, USERS_A_DAY, COMES_BACK = 200, 0.02, 0.4


def main(argv: Sequence[str]) -> None:
    """Write the files that the arguments ask for and print what is in them.

    Raises:
        UserError: if an argument makes no sense or the folder cannot be written.
    """
    parser = batch.Parser(prog="generate_clicks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--date", required=True, help="the first day, YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=1, help="how many days (%(default)s)")
    parser.add_argument("--rows", type=int, default=10_000, help="lines a day (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other lines (%(default)s)")
    parser.add_argument("--out", default=f"{batch.DATA}/clicks", help="the folder of the files (%(default)s)")
    options = parser.parse_args(argv)
    if options.days < 1:
        raise UserError(f"--days {options.days}: at least one")
    first = batch.parse_date(options.date)
    days = [first + dt.timedelta(number) for number in range(options.days)]
    print(json.dumps({str(day): generate(day, options.rows, options.seed, options.out) for day in days}))


def generate(day: dt.date, rows: int, seed: int, folder: str) -> dict[str, Any]:
    """Write one day's events and the campaigns, each file whole or not at all.

    Args:
        day: the day, in Korean time.
        rows: lines in all, bad ones and copies among them.
        seed: the same seed gives the same bytes.
        folder: where the files go; created if missing.

    Returns:
        file, rows, good (neither bad nor copies), bad (a count by reason), duplicates, users, revenue (a text).

    Raises:
        UserError: if there are too few rows, or the folder cannot be written.
    """
    randomness = random.Random(f"{seed} {day}")
    bad = {reason: round(rows * share) for reason, share in BAD_SHARES.items()}
    duplicates = round(rows * DUPLICATE_SHARE)
    good = rows - sum(bad.values()) - duplicates
    if good < 1:
        raise UserError(f"--rows {rows}: at least one line must be good")
    found = list(events(day, good, seed))
    lines = [json.dumps(event, ensure_ascii=False) for event in found]
    copies = [randomness.choice(lines) for _ in range(duplicates)]
    spoilt = [_spoilt(randomness.choice(found), reason, number) for reason, many in bad.items() for number in range(many)]
    lines += copies + spoilt
    randomness.shuffle(lines)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        _write(target / "campaigns.csv", ["campaign,channel,cost", *(f"{name},{a},{b}" for name, (a, b) in CAMPAIGNS.items())])
        _write(target / f"clicks_{day}.jsonl", lines)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    cents = sum(round(float(event["amount"]) * 100) for event in found if event["amount"])
    return {
        "file": str(target / f"clicks_{day}.jsonl"),
        "rows": rows,
        "good": good,
        "bad": {reason: number for reason, number in bad.items() if number},
        "duplicates": duplicates,
        "users": len({event["user_id"] for event in found}),
        "revenue": f"{cents / 100:.2f}",
    }


def events(day: dt.date, number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a day's events, session by session.

    Args:
        day: the day.
        number: how many events.
        seed: of the randomness.
    """
    randomness = random.Random(f"{seed} {day} events")
    midnight = dt.datetime.combine(day, dt.time(), ZoneInfo(batch.TIME_ZONE))
    newcomers = max(3, round(number * USERS_A_DAY))
    left, session = number, 0
    while left:
        session += 1
        # Whoever comes back was new within the last week.
        born = day - dt.timedelta(randomness.randint(1, 7)) if randomness.random() < COMES_BACK else day
        user = f"U{born:%m%d}-{randomness.randrange(newcomers)}"
        campaign = randomness.choice([None, None, *CAMPAIGNS])
        second = randomness.randrange(86_400 - 1_000)
        for step in _session(randomness):
            if not left:
                return
            left -= 1
            second += randomness.randint(1, 60)
            price = f"{randomness.randint(900, 90_000)}.{randomness.randint(0, 99):02d}"
            yield {
                "event_id": f"{day:%Y%m%d}-{number - left}",
                "user_id": user,
                "session_id": f"S{day:%m%d}-{session}",
                "at": (midnight + dt.timedelta(seconds=second)).isoformat(),
                "type": step,
                "product_id": f"P{min(int(randomness.paretovariate(0.9)), PRODUCTS)}",
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


def _spoilt(event: dict[str, Any], reason: str, number: int) -> str:
    changed = {**event, "event_id": f"bad-{reason}-{number}"}
    if reason == "not_json":
        return json.dumps(changed)[:-10]
    changed |= {
        "missing_value": {"user_id": None},
        "wrong_type": {"at": "yesterday"},
        "unknown_type": {"type": "teleport"},
        "wrong_date": {"at": "2001-01-01T00:00:00+09:00"},
    }[reason]
    return json.dumps(changed, ensure_ascii=False)


def _write(path: Path, lines: list[str]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


if __name__ == "__main__":
    sys.exit(errors.run("generate_clicks", main, sys.argv[1:]))
