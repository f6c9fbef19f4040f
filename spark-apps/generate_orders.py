"""Fill a shop's database with orders that change over days: seeded, as many as wanted.

SOURCE_URL=postgresql://shop@host/shop SOURCE_PASSWORD=… python generate_orders.py --date 2026-01-15 --days 3 --rows 10000

Makes the table if it is missing, and replaces the orders of these days whole.
Runs in the Airflow image, which has psycopg. The last line on stdout is JSON: rows a day.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence

import batch
import clock
import errors
from errors import UserError

TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    order_id    bigint PRIMARY KEY,
    customer_id text NOT NULL,
    status      text NOT NULL,
    amount      numeric(12, 2) NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_updated_at ON orders (updated_at);
"""
STATUSES = ("paid", "paid", "paid", "shipped", "shipped", "cancelled", "refunded")


def main(argv: Sequence[str]) -> None:
    """Write the orders that the arguments ask for and print how many there are.

    Raises:
        UserError: if an argument makes no sense or the database refuses.
    """
    parser = batch.Parser(prog="generate_orders", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--date", required=True, help="the first day, YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=1, help="how many days (%(default)s)")
    parser.add_argument("--rows", type=int, default=10_000, help="orders that change a day (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other orders (%(default)s)")
    options = parser.parse_args(argv)
    first = batch.parse_date(options.date)
    if options.days < 1 or not 1 <= options.rows <= 999_999:
        raise UserError(f"--days {options.days}, --rows {options.rows}: at least one day, and 1 to 999999 rows")
    address = os.environ.get("SOURCE_URL", "")
    if not address:
        raise UserError("SOURCE_URL must be set in the environment, such as postgresql://shop@host/shop")
    days = [first + dt.timedelta(number) for number in range(options.days)]
    print(json.dumps(fill(address, os.environ.get("SOURCE_PASSWORD", ""), days, options.rows, options.seed)))


def fill(address: str, password: str, days: Sequence[dt.date], rows: int, seed: int) -> dict[str, int]:
    """Replace the orders of days.

    Args:
        address: of the database, as postgresql://user@host:port/name.
        password: the user's; empty where none is asked for.
        days: the days, in the platform's time zone.
        rows: orders a day.
        seed: of the randomness.

    Returns:
        The rows of each day.

    Raises:
        UserError: if the database refuses.
    """
    import psycopg

    try:
        with psycopg.connect(address, password=password or None, connect_timeout=10) as database:
            database.execute(TABLE.encode())
            for day in days:
                base = int(f"{day:%Y%m%d}") * 1_000_000
                database.execute("DELETE FROM orders WHERE order_id >= %s AND order_id < %s", (base, base + 1_000_000))
                with database.cursor().copy("COPY orders FROM STDIN") as copy:
                    for order in orders(day, rows, seed):
                        copy.write_row(order)
    except psycopg.Error as error:
        raise UserError(f"the database refuses: {str(error).strip().splitlines()[-1]}") from None
    return {str(day): rows for day in days}


def orders(day: dt.date, rows: int, seed: int) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield the orders that change on a day: order_id, customer_id, status, amount, updated_at.

    Args:
        day: the day.
        rows: how many.
        seed: of the randomness.
    """
    randomness = random.Random(f"{seed} {day} orders")
    length = clock.length(day) * 1_000_000
    base = int(f"{day:%Y%m%d}") * 1_000_000
    for number in range(rows):
        at = clock.moment(day, dt.timedelta(microseconds=randomness.randrange(length)))
        amount = f"{randomness.randint(900, 900_000)}.{randomness.randint(0, 99):02d}"
        yield base + number, f"C{randomness.randint(1, 5_000)}", randomness.choice(STATUSES), amount, at.isoformat()


if __name__ == "__main__":
    sys.exit(errors.run("generate_orders", main, sys.argv[1:]))
