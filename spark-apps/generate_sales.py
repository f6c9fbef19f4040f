"""Write one day's sales as CSV: realistic, seeded, with a known number of bad rows of each kind.

python generate_sales.py --date 2026-01-15 --rows 100000 --seed 7 --out /opt/airflow/data/sales

The same arguments give the same bytes. The last line on stdout is JSON with the counts that were put in.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import random
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import batch
import clock
import errors
import sales_input
from errors import UserError

CHUNK_ROWS = 50_000
KINDS = {
    "wrong_type": 0.005,
    "wrong_columns": 0.004,
    "out_of_range": 0.002,
    "not_utf8": 0.002,
    "duplicate": 0.007,
}
CHANNELS = {"web": 46, "app": 38, "store": 12, "phone": 4}
REGIONS = {
    "서울": 32,
    "경기": 24,
    "부산": 11,
    "인천": 9,
    "대구": 7,
    "대전": 6,
    "광주": 5,
    "제주": 3,
    "강원": 3,
}
CATEGORIES = {
    "electronics": (19_000, 1_900_000),
    "fashion": (9_900, 390_000),
    "grocery": (900, 89_000),
    "beauty": (4_900, 160_000),
    "home": (5_900, 720_000),
    "books": (7_900, 68_000),
    "sports": (8_900, 540_000),
    "toys": (3_900, 210_000),
}
# Orders an hour, by the clock: quiet before dawn, peaks at lunch and in the evening.
HOURS = (30, 18, 10, 6, 5, 8, 18, 35, 52, 66, 74, 82, 95, 80, 70, 68, 70, 76, 84, 96, 112, 118, 96, 60)
PRODUCTS = 4_000
CUSTOMERS = 200_000


def main(argv: Sequence[str]) -> None:
    """Write the file that the arguments ask for and print what is in it.

    Raises:
        UserError: if an argument makes no sense or the folder cannot be written.
    """
    options = _options(argv)
    started = time.monotonic()
    report = generate(
        batch.parse_date(options.date),
        options.rows,
        options.seed,
        options.out,
        {kind: getattr(options, f"{kind}_share") for kind in KINDS},
    )
    print(json.dumps({**report, "seconds": round(time.monotonic() - started, 2)}))


def generate(date: dt.date, rows: int, seed: int, folder: str, shares: dict[str, float]) -> dict[str, object]:
    """Write one day's file whole or not at all; memory does not grow with its size.

    Args:
        date: the day of the orders, in the platform's time zone.
        rows: lines after the header, the bad ones and the duplicates among them.
        seed: the same seed gives the same bytes.
        folder: where the file goes; created if missing.
        shares: for each kind of KINDS the share of rows, 0 to 1.

    Returns:
        file, bytes, rows, good (rows that are neither bad nor duplicates), bad (a count by kind, without
        duplicates), duplicates.

    Raises:
        UserError: if the folder cannot be written.
        OSError: if the disk is full.
    """
    counts = {kind: math.floor(rows * share + 0.5) for kind, share in shares.items()}
    if sum(counts.values()) >= rows:
        raise UserError(f"{rows} rows are too few for these shares: at least one row must be good")
    path = os.path.join(folder, sales_input.file_name(date))
    unfinished = os.path.join(folder, f".{sales_input.file_name(date)}.{os.getpid()}")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(unfinished, "wb") as file:
            file.write((",".join(sales_input.COLUMNS) + "\n").encode())
            for lines in chunks(date, rows, seed, counts):
                file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.replace(unfinished, path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
    duplicates = counts.pop("duplicate", 0)
    good = rows - sum(counts.values()) - duplicates
    return {"file": path, "bytes": size, "rows": rows, "good": good, "bad": counts, "duplicates": duplicates}


def chunks(date: dt.date, rows: int, seed: int, counts: dict[str, int]) -> Iterator[list[bytes]]:
    """Yield the day's lines in lists of at most CHUNK_ROWS; the first line is always a good one.

    Args:
        date: the day of the orders.
        rows: how many lines.
        seed: the seed of everything random.
        counts: rows of each bad kind; their sum is below rows.
    """
    rng = random.Random(f"{seed} {date} {rows}")
    bad = _positions(rng, rows, counts)
    products = _products(random.Random("products"))
    good: list[bytes] = []
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        lines = _good_lines(date, rng, products, start, size, rows)
        kinds = [(row, bad[row]) for row in range(start, start + size) if row in bad]
        spoiled = {row - start for row, _ in kinds}
        earlier, good = good[-1:], [line for row, line in enumerate(lines) if row not in spoiled]
        for order, (row, kind) in enumerate(kinds):
            good_before = row - start - order
            if kind != "duplicate":
                lines[row - start] = _spoil(rng, lines[row - start], kind)
            else:
                lines[row - start] = good[rng.randrange(good_before)] if good_before else earlier[0]
        good = good or earlier
        yield lines


def _good_lines(date: dt.date, rng: random.Random, products: list[str], start: int, size: int, rows: int) -> list[bytes]:
    first_id = int(date.strftime("%Y%m%d")) * 10**9
    customers = rng.choices(range(1, CUSTOMERS + 1), k=size)
    goods = rng.choices(products, k=size)
    quantities = rng.choices((1, 2, 3, 4, 5, 6, 10, 12), (60, 20, 8, 4, 3, 2, 2, 1), k=size)
    regions = rng.choices(list(REGIONS), list(REGIONS.values()), k=size)
    channels = rng.choices(list(CHANNELS), list(CHANNELS.values()), k=size)
    lines = []
    written = clock.writer(date)
    columns = zip(_seconds(date, start, size, rows), customers, goods, quantities, regions, channels, strict=True)
    for number, (second, customer, product, quantity, region, channel) in enumerate(columns, first_id + start + 1):
        lines.append(f"{number},{written(second)},C{customer:06},{product % quantity},{region},{channel}\n".encode())
    return lines


def _products(rng: random.Random) -> list[str]:
    names = list(CATEGORIES)
    products = []
    for number in range(1, PRODUCTS + 1):
        category = names[rng.randrange(len(names))]
        low, high = CATEGORIES[category]
        price = round(math.exp(rng.uniform(math.log(low), math.log(high))), -2)
        products.append(f"P{number:05},{category},%d,{price:.2f}")
    return products


def _seconds(date: dt.date, start: int, size: int, rows: int) -> list[int]:
    """Return how many seconds after midnight the orders of these rows come in."""
    hours, rest = divmod(clock.length(date), 3600)
    pace = [HOURS[clock.moment(date, dt.timedelta(hours=hour)).hour] for hour in range(hours + (rest > 0))]
    share = [1.0] * hours + [rest / 3600] * (rest > 0)
    upto = list(accumulate((orders * part for orders, part in zip(pace, share, strict=True)), initial=0.0))
    seconds = []
    for row in range(start, start + size):
        orders = row * upto[-1] / rows
        hour = bisect_right(upto, orders) - 1
        seconds.append(hour * 3600 + int((orders - upto[hour]) * 3600 / pace[hour]))
    return seconds


def _positions(rng: random.Random, rows: int, counts: dict[str, int]) -> dict[int, str]:
    kinds = [kind for kind in sorted(counts) for _ in range(counts[kind])]
    rng.shuffle(kinds)
    return dict(zip(rng.sample(range(1, rows), len(kinds)), kinds, strict=True)) if kinds else {}


def _spoil(rng: random.Random, line: bytes, kind: str) -> bytes:
    fields = line[:-1].split(b",")
    if kind == "wrong_columns":
        return b",".join(fields[: rng.randint(2, len(fields) - 1)]) + b"\n"
    if kind == "not_utf8":
        fields[7] = fields[7].decode().encode("cp949")
    elif kind == "out_of_range":
        fields[5] = rng.choice((b"0", b"-1", b"-3"))
    elif kind == "wrong_type":
        column, value = rng.choice(((0, b"A-1007"), (1, b"yesterday"), (5, b"two"), (5, b"1.5"), (6, b"N/A")))
        fields[column] = value
    return b",".join(fields) + b"\n"


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = batch.Parser(prog="generate_sales", description=__doc__.splitlines()[0])
    parser.add_argument("--date", required=True, help="the day, YYYY-MM-DD")
    parser.add_argument("--rows", type=int, default=100_000, help="lines after the header (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes (%(default)s)")
    parser.add_argument("--out", default="/opt/airflow/data/sales", help="the folder (%(default)s)")
    for kind, share in KINDS.items():
        name = f"--{kind.replace('_', '-')}-share"
        parser.add_argument(name, type=float, default=share, help=f"share of {kind} rows (%(default)s)")
    options = parser.parse_args(argv)
    if options.rows < 1:
        raise UserError("--rows must be at least 1")
    shares = [getattr(options, f"{kind}_share") for kind in KINDS]
    if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 0.99:
        raise UserError("every share must be between 0 and 1, and all of them together at most 0.99")
    return options


if __name__ == "__main__":
    sys.exit(errors.run("generate_sales", main, sys.argv[1:]))
