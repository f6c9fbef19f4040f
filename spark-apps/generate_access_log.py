"""Write one day's web server logs: realistic visitors and sessions, seeded, with a known number of bad lines.

python generate_access_log.py --date 2026-01-15 --rows 100000 --seed 7 --out /opt/airflow/data/access_logs

Writes access-web1-2026-01-15.log.gz and access-web2-…, in the combined format with the request's seconds. The same
arguments give the same bytes. The last line on stdout is JSON with the counts that were put in.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import batch
import clock
import errors
from errors import UserError

SERVERS = ("web1", "web2")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
#: Path, weight, usual seconds.
PAGES = (
    ("/", 20, 0.04),
    ("/products/{n}", 40, 0.08),
    ("/search?q=%EB%85%B8%ED%8A%B8%EB%B6%81&page={n}", 15, 0.35),
    ("/cart", 8, 0.06),
    ("/checkout", 3, 0.6),
    ("/static/app.{n}.js", 12, 0.01),
    ("/reports/{n}/export", 2, 1.8),
)
STATUS = ((200, 90), (304, 4), (302, 2), (404, 2.5), (500, 1), (503, 0.5))
BAD_SHARES = {"not_combined": 0.004, "not_utf8": 0.002, "wrong_time": 0.001, "wrong_status": 0.001, "wrong_date": 0.001}
PAUSE_SECONDS, LONGEST_SESSION = 45 * 60, 40


def main(argv: Sequence[str]) -> None:
    """Write the files that the arguments ask for and print what is in them.

    Raises:
        UserError: if an argument makes no sense or the folder cannot be written.
    """
    parser = batch.Parser(prog="generate_access_log", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD")
    parser.add_argument("--rows", type=int, default=100_000, help="lines in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other lines (%(default)s)")
    parser.add_argument("--out", default=f"{batch.DATA}/access_logs", help="the folder of the logs (%(default)s)")
    options = parser.parse_args(argv)
    print(json.dumps(generate(batch.parse_date(options.date), options.rows, options.seed, options.out)))


def generate(date: dt.date, rows: int, seed: int, folder: str) -> dict[str, Any]:
    """Write one day's logs, each file whole or not at all.

    Args:
        date: the day, in the platform's time zone.
        rows: lines in all, the bad ones among them.
        seed: the same seed gives the same bytes.
        folder: where the files go; created if missing.

    Returns:
        files, rows, good, bad (a count by reason), sessions, visitors.

    Raises:
        UserError: if there are too few rows, or the folder cannot be written.
    """
    bad = {reason: round(rows * share) for reason, share in BAD_SHARES.items()}
    good = rows - sum(bad.values())
    if good < 1:
        raise UserError(f"--rows {rows}: at least one line must be good")
    randomness = random.Random(f"{seed} {date}")
    visits = list(_visits(date, good, randomness))
    lines = [line for visit in visits for line in visit["lines"]]
    lines += [(at, _spoilt(line, reason)) for reason, number in bad.items() for at, line in _some(lines, number, randomness)]
    lines.sort(key=lambda pair: (pair[0], pair[1]))
    target = Path(folder)
    paths = [target / f"access-{server}-{date}.log.gz" for server in SERVERS]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # Without a name and a time in its header, the same lines give the same bytes.
            raws = [stack.enter_context(open(path.with_name(f".{path.name}"), "wb")) for path in paths]
            files = [stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0)) for raw in raws]
            for _, line in lines:
                randomness.choice(files).write(line + b"\n")
        for path in paths:
            os.replace(path.with_name(f".{path.name}"), path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    return {
        "files": [str(path) for path in paths],
        "rows": rows,
        "good": good,
        "bad": {reason: number for reason, number in bad.items() if number},
        "sessions": len(visits),
        "visitors": len({visit["visitor"] for visit in visits}),
    }


def _visits(date: dt.date, good: int, randomness: random.Random) -> Iterator[dict[str, Any]]:
    # A visitor's sessions are more than half an hour apart, and all of them are within the day.
    day = clock.length(date)
    number = left = 0
    left = good
    while left:
        number += 1
        user = f"user{number}" if randomness.random() < 0.3 else "-"
        ip = f"203.0.{113 + number // 65_025}.{number % 65_025 // 255}"
        agent = f"{randomness.choice(AGENTS)} visitor/{number}"
        second = randomness.randrange(0, day - 26_400)
        for _ in range(randomness.choice((1, 1, 1, 2, 3))):
            length = min(left, randomness.randint(1, LONGEST_SESSION))
            if not length or second + length * 60 >= day:
                break
            left -= length
            found = []
            for _ in range(length):
                found.append(_line(clock.moment(date, dt.timedelta(seconds=second)), ip, user, agent, randomness))
                second += randomness.randint(1, 60)
            yield {"visitor": number, "lines": found}
            second += PAUSE_SECONDS


def _line(at: dt.datetime, ip: str, user: str, agent: str, randomness: random.Random) -> tuple[dt.datetime, bytes]:
    (path, _, usual) = randomness.choices(PAGES, [page[1] for page in PAGES])[0]
    (status, _) = randomness.choices(STATUS, [pair[1] for pair in STATUS])[0]
    seconds = randomness.lognormvariate(0, 0.6) * usual
    referrer = "-" if randomness.random() < 0.4 else "https://shop.example.com/"
    url = path.replace("{n}", str(randomness.randint(1, 500)))
    method = "POST" if path == "/checkout" else "GET"
    line = (
        f'{ip} - {user} [{at:%d/%b/%Y:%H:%M:%S %z}] "{method} {url} HTTP/1.1" {status} {randomness.randint(0, 50_000)} '
        f'"{referrer}" "{agent}" {seconds:.3f}'
    )
    return at, line.encode()


def _some(lines: list[tuple[dt.datetime, bytes]], number: int, randomness: random.Random) -> list[tuple[dt.datetime, bytes]]:
    return [randomness.choice(lines) for _ in range(number)]


def _spoilt(line: bytes, reason: str) -> bytes:
    before, _, after = line.partition(b'] "')
    if reason == "not_utf8":
        return line.replace(b"Mozilla", "브라우저".encode("cp949"))
    if reason == "wrong_time":
        return before.replace(b"/20", b"-20") + b'] "' + after
    if reason == "wrong_status":
        return line.replace(b'HTTP/1.1" ', b'HTTP/1.1" 9')
    if reason == "wrong_date":
        return before.replace(b"/20", b"/19", 1) + b'] "' + after
    return line[: len(line) // 3]


if __name__ == "__main__":
    sys.exit(errors.run("generate_access_log", main, sys.argv[1:]))
