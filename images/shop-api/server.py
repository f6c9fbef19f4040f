"""A shop's HTTP API for trying out pipelines and for their tests: seeded orders of any day, in pages, behind a token.

    API_TOKEN=secret python server.py --port 8080 --orders 1000

    GET /orders?date=2026-01-15&page=1&per_page=100      Authorization: Bearer secret
    {"page": 1, "pages": 10, "total": 1000, "orders": [{"order_id": 1, …}, …]}

More than --rate requests within a second are answered by 429 with Retry-After. The header X-Orders-Version is the same on
every page for as long as the day's orders do not change. Tests ask for faults with POST /faults and a JSON object; see FAULTS.
Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import hashlib
import hmac
import json
import os
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

#: The zone of the days: that of the platform, or UTC.
ZONE = ZoneInfo(os.environ.get("AIRSPARK_TIME_ZONE") or "UTC")

#: page → how often it is answered by 500 first; pages that hang; pages that are cut off once; pages that are no JSON;
#: a field that is left out of every order, and one of every page; how much larger `total` is from page 2 on; how many orders
#: are gone before page 2, with as many new ones behind them (below 0: before them); how many of the first ones have changed
#: before page 2 and stand at the end; whether there is a version; pages that come a byte at a time.
FAULTS: dict[str, Any] = {
    "errors": {},
    "hang": [],
    "cut": [],
    "garbage": [],
    "missing": None,
    "without": None,
    "grow": 0,
    "shift": 0,
    "moved": 0,
    "version": True,
    "drip": [],
}
STATUSES = ("paid", "paid", "paid", "shipped", "shipped", "cancelled", "refunded")


def orders(day: str, number: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return the orders of a day.

    Args:
        day: YYYY-MM-DD.
        number: how many.
        seed: another seed gives other orders.
    """
    randomness = random.Random(f"{seed} {day}")
    begin, end = (
        dt.datetime.combine(date, dt.time(), ZONE).astimezone(dt.UTC)
        for date in (dt.date.fromisoformat(day), dt.date.fromisoformat(day) + dt.timedelta(1))
    )
    length = int((end - begin).total_seconds())
    base = int(day.replace("-", "")) * 1_000_000
    return [
        {
            "order_id": base + one,
            "customer_id": f"C{randomness.randint(1, 5_000)}",
            "created_at": (begin + dt.timedelta(seconds=randomness.randrange(length))).astimezone(ZONE).isoformat(),
            "status": randomness.choice(STATUSES),
            "amount": f"{randomness.randint(900, 900_000)}.{randomness.randint(0, 99):02d}",
            "currency": "KRW",
        }
        for one in range(1, number + 1)
    ]


@functools.lru_cache(maxsize=4)
def listing(day: str, number: int, shift: int = 0, moved: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Return a day's orders and their version.

    Args:
        day: YYYY-MM-DD.
        number: how many orders.
        shift: how many of the first ones are gone, with as many new ones at the end; below 0, of the last ones, with as many
            new ones at the beginning.
        moved: how many of those that are first then have another status and stand at the end.
    """
    more = orders(day, number + abs(shift))
    found = more[shift:] if shift >= 0 else more[number:] + more[: number + shift]
    found = found[moved:] + [{**order, "status": "returned"} for order in found[:moved]]
    return found, hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


class Api(ThreadingHTTPServer):
    """The server: what it was asked, and what goes wrong in it.

    Args:
        address: host and port; port 0 takes a free one.
        token: whom it answers.
        number: orders a day.
        rate: requests a second before it answers 429.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], token: str, number: int, rate: int) -> None:
        super().__init__(address, Handler)
        self.token, self.number, self.rate = token, number, rate
        self.faults: dict[str, Any] = json.loads(json.dumps(FAULTS))
        self.asked: list[tuple[str, int]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    def too_many(self) -> bool:
        """Whether there were more requests within the last second than the rate allows."""
        with self.lock:
            now = time.monotonic()
            self.times = [one for one in self.times if now - one < 1] + [now]
            return len(self.times) > self.rate


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Api
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Set faults."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed():
            return self._answer(401, {"error": "wrong token"})
        self.server.faults |= json.loads(body)
        self._answer(200, self.server.faults)

    def do_GET(self) -> None:
        """Answer a page of orders."""
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if url.path == "/health":
            return self._answer(200, {"status": "ok"})
        if not self._allowed():
            return self._answer(401, {"error": "wrong token"})
        if self.server.too_many():
            return self._answer(429, {"error": "too many requests"}, {"Retry-After": "1"})
        try:
            day = dt.date.fromisoformat(query["date"]).isoformat()
            page, size = int(query.get("page", 1)), int(query.get("per_page", 100))
            if page < 1 or not 1 <= size <= 1_000:
                raise ValueError
        except (KeyError, ValueError):
            return self._answer(400, {"error": "date=YYYY-MM-DD, page from 1, per_page 1 to 1000"})
        if url.path != "/orders":
            return self._answer(404, {"error": f"there is no {url.path}"})
        self.server.asked.append((day, page))
        self._page(day, page, size)

    def _page(self, day: str, page: int, size: int) -> None:
        faults = self.server.faults
        left = faults["errors"].get(str(page), 0)
        if left:
            faults["errors"][str(page)] = left - 1
            return self._answer(500, {"error": "something broke"})
        if page in faults["hang"]:
            time.sleep(3600)
        shift, moved = (faults["shift"], faults["moved"]) if page > 1 else (0, 0)
        found, version = listing(day, self.server.number, shift, moved)
        total = len(found) + (faults["grow"] if page > 1 else 0)
        items = found[(page - 1) * size : page * size]
        if faults["missing"]:
            items = [{key: value for key, value in item.items() if key != faults["missing"]} for item in items]
        body = {"page": page, "pages": -(-len(found) // size), "total": total, "orders": items}
        body.pop(faults["without"], None)
        if page in faults["cut"]:
            faults["cut"].remove(page)
            return self._cut(json.dumps(body).encode())
        if page in faults["garbage"]:
            return self._send(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
        if page in faults["drip"]:
            return self._drip()
        self._answer(200, body, {"X-Orders-Version": version} if faults["version"] else {})

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.02)

    def _cut(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        self.close_connection = True

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.server.token}".encode())

    def _answer(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(code, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--orders", type=int, default=1_000, help="orders a day (%(default)s)")
    parser.add_argument("--rate", type=int, default=20, help="requests a second (%(default)s)")
    options = parser.parse_args()
    token = os.environ.get("API_TOKEN", "")
    if not token:
        parser.error("set API_TOKEN")
    Api(("0.0.0.0", options.port), token, options.orders, options.rate).serve_forever()


if __name__ == "__main__":
    main()
