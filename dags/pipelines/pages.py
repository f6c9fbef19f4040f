"""Pages of an HTTP API into one file of JSON lines: with retries, a rate limit, and going on where a killed try stopped.

Each page is a file of its own while it lasts, written whole or not at all. Once all of them are there and add up, they
become the day's file by one rename; nobody sees half a day.

Pages are of one moment if they tell the same total, hold as many orders, and carry the same X-Orders-Version. Of an API without
that header, an order that moved to a later page is seen because its id comes twice, whatever else of it changed; not seen is
one that was left out if a new one came in its place.

An order is written as the API sent it: numbers with all of their digits, members that come twice, bytes that are not UTF-8.
The Spark application sets aside what is not an order. Only line breaks inside of an order become spaces, as it is one line.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import httpx

#: To connect, between two parts of an answer, and for a whole one: a server may send a byte now and then for ever.
CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 5.0, 20.0, 60.0
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 6, 0.5, 30.0
#: How long the API may ask to wait; for longer, a task does not hold its pod.
LONGEST_WAIT = 300.0
PER_PAGE = 100
VERSION = "X-Orders-Version"
#: A page of an earlier try is good for so long: after that, orders may have changed.
KEEP_SECONDS = 3600

#: White space of JSON, with what stands between the values of an array or an object.
_BETWEEN = re.compile(r"[ \t\r\n,:]*")
#: A longer whole number stays a text: int() refuses it.
_LONGEST_NUMBER = 4_000


class ApiError(Exception):
    """The API refuses what it is asked, or answers what cannot be right: asking again changes nothing."""


class _Changed(Exception):
    """The pages are of different moments."""


class _Again(Exception):
    """An answer that may be another one next time.

    Attributes:
        seconds: how long the API asks to wait, None if it does not say.
    """

    def __init__(self, sentence: str, seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.seconds = seconds


def pull(client: httpx.Client, date: str, folder: Path, per_second: float, sleep: Callable[[float], None] = time.sleep) -> Path:
    """Have every order of a day in one file of JSON lines.

    Args:
        client: of the API, with its address, token and timeouts, see `connect`.
        date: the day, YYYY-MM-DD.
        folder: where the file goes, orders_<date>.jsonl; in place of an older one.
        per_second: the most requests a second.
        sleep: waits for some seconds.

    Returns:
        The file.

    Raises:
        ApiError: if the API refuses the request or answers no page.
        RuntimeError: if it does not answer properly after TRIES tries of a page, or its pages do not add up to the total that
            it tells, because orders came while they were read.
    """
    target = folder / f"orders_{date}.jsonl"
    pages = folder / f".orders_{date}.pages"
    pages.mkdir(parents=True, exist_ok=True)
    unfinished = pages / f".orders.{secrets.token_hex(4)}"
    try:
        with open(unfinished, "w", encoding="utf-8", errors="surrogateescape") as file:
            for one in listing(client, date, pages, per_second, sleep):
                file.writelines(order + "\n" for order in one["lines"])
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except _Changed as change:
        # What is there is of different moments: the next try asks for all of it again.
        shutil.rmtree(pages, ignore_errors=True)
        raise RuntimeError(f"the orders of {date} changed while they were read: {change}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    shutil.rmtree(pages, ignore_errors=True)
    return target


def listing(
    client: httpx.Client, date: str, folder: Path, per_second: float, sleep: Callable[[float], None]
) -> Iterator[dict[str, Any]]:
    """Yield the pages of a day in their order; memory holds two of them, and the ids of all orders of an API without a version.

    Raises:
        ApiError: see `page`.
        RuntimeError: see `page`.
        _Changed: if the pages are not of one moment.
    """
    first = page(client, date, 1, folder, per_second, sleep)
    found, seen = 0, set[str]()
    for number in range(1, max(1, first["pages"]) + 1):
        one = first if number == 1 else page(client, date, number, folder, per_second, sleep)
        for name in ("total", "pages", "version"):
            if one.get(name) != first.get(name):
                raise _Changed(f"page 1 told of {name} {first.get(name)}, page {number} of {one.get(name)}")
        if first.get("version") is None:
            ids = _ids(one["lines"])
            if not seen.isdisjoint(ids):
                raise _Changed(f"page {number} has an order of a page before it")
            seen |= ids
        found += len(one["lines"])
        yield one
    if found != first["total"]:
        raise _Changed(f"{found} came, the API told of {first['total']}")


def page(
    client: httpx.Client, date: str, number: int, folder: Path, per_second: float, sleep: Callable[[float], None]
) -> dict[str, Any]:
    """Return one page, out of its file if an earlier try has it.

    Raises:
        ApiError: if the API refuses the request, or the page is not one.
        RuntimeError: if it does not answer properly after TRIES tries.
    """
    import tenacity

    file = folder / f"page-{number:05d}.json"
    if file.is_file() and time.time() - file.stat().st_mtime < KEEP_SECONDS:
        # A node that crashed may have left a file without its content.
        with contextlib.suppress(ValueError):
            kept: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))
            if "lines" in kept:
                return kept
    growing = tenacity.wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)

    def pause(state: tenacity.RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome else None
        asked = getattr(problem, "seconds", None)
        # A short pause must not break the rate either.
        seconds = max(1 / per_second, growing(state) if asked is None else asked)
        print(f"page {number}, try {state.attempt_number} of {TRIES}: {problem}; once more in {seconds:.1f} s")
        return float(seconds)

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_Again),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=pause,
        sleep=sleep,
        reraise=True,
    )
    try:
        found = again(ask, client, date, number)
    except _Again as problem:
        raise RuntimeError(f"page {number} of the orders of {date} did not come in {TRIES} tries: {problem}") from problem
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    unfinished.write_text(json.dumps(found), encoding="ascii")
    os.replace(unfinished, file)
    sleep(1 / per_second)
    return found


def ask(client: httpx.Client, date: str, number: int) -> dict[str, Any]:
    """Ask for one page, once.

    Returns:
        page, pages, total; lines: the orders as they were sent; and version: what the API's header of that name says, None
        without one.

    Raises:
        ApiError: for an answer that the same question will get again.
        RuntimeError: if the API asks to wait for longer than LONGEST_WAIT.
        _Again: for an answer that may be another one next time.
    """
    import httpx

    end, parts = time.monotonic() + ANSWER_SECONDS, []
    try:
        with client.stream("GET", "/orders", params={"date": date, "page": number, "per_page": PER_PAGE}) as answer:
            for part in answer.iter_bytes():
                parts.append(part)
                if time.monotonic() > end:
                    raise _Again(f"no whole answer within {ANSWER_SECONDS:g} s")
    except httpx.TimeoutException:
        raise _Again(f"no answer within {READ_SECONDS:g} s") from None
    except httpx.RequestError as error:
        raise _Again(f"the connection broke: {error}") from None
    data = b"".join(parts)
    beginning = data[:200].decode(errors="replace")
    if answer.status_code == 429 or answer.status_code >= 500:
        seconds = _seconds(answer.headers.get("Retry-After"))
        if seconds is not None and seconds > LONGEST_WAIT:
            raise RuntimeError(f"the API asks to wait {seconds:.0f} s, longer than {LONGEST_WAIT:g} s: try again after that")
        raise _Again(f"the API answered {answer.status_code}", seconds)
    if answer.status_code in (401, 403):
        raise ApiError(f"the API refuses the token ({answer.status_code}): mend the password of the connection, then run again")
    if not answer.is_success:
        raise ApiError(f"the API answered {answer.status_code} to page {number}: {beginning}")
    try:
        # Bytes that are not UTF-8 are kept too: they make one order a bad one, and not its whole page.
        text = data.decode(json.detect_encoding(data), "surrogateescape")
        _JSON.decode(text)
    except ValueError as error:
        # An answer without a length that was cut off looks like this, and the page of a proxy that lasts for seconds.
        raise _Again(f"the answer is not JSON: {beginning!r} ({error})") from None
    except RecursionError:
        raise ApiError(f"page {number} is nested too deeply to be read: {beginning!r}") from None
    found = _page(text, number)
    if found is None:
        raise ApiError(f"page {number} is not what the API's pages look like: {beginning!r}")
    return found | {"version": answer.headers.get(VERSION)}


def connect(connection: Any) -> httpx.Client:
    """Return a client of the API that a connection names; it is a context manager.

    Args:
        connection: Airflow's: host with http:// or https://, port; the password is the token.

    Raises:
        ApiError: if the host or the token is missing, or the token cannot be one.
    """
    import httpx

    token = (connection.password or "").strip()
    if not connection.host:
        raise ApiError("the connection names no host: give it the API's address, such as http://shop-api, then run again")
    # httpx would tell a token that fits in no header in its error.
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ApiError("the connection's password is no token: give it the API's, without blanks, then run again")
    scheme, _, host = connection.host.rpartition("://")
    address = f"{scheme or connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(base_url=address, timeout=timeout, headers={"Authorization": f"Bearer {token}"})


def _page(text: str, number: int) -> dict[str, Any] | None:
    """Return page, pages, total and lines of an answer; None if it is not that page.

    Args:
        text: the answer, which is JSON.
        number: the page's.
    """
    begin = _BETWEEN.match(text).end()  # type: ignore[union-attr]  # it matches nothing too
    if text[begin] != "{":
        return None
    parts = list(_values(text, begin))
    names = [name for name, _, _ in parts[::2]]
    members = dict(zip(names, parts[1::2], strict=True))
    numbers = [members.get(name, (None,))[0] for name in ("page", "pages", "total")]
    # Of two members with one name, either could be meant.
    if len(members) < len(names) or not isinstance(members.get("orders", (None,))[0], list):
        return None
    # More pages than orders would be asked for until the task's time is over.
    if not all(type(one) is int for one in numbers) or numbers[0] != number or not 0 <= numbers[1] <= max(1, numbers[2]):
        return None
    lines = [re.sub(r"[\r\n]", " ", text[begin:end]) for _, begin, end in _values(text, members["orders"][1])]
    return {"page": numbers[0], "pages": numbers[1], "total": numbers[2], "lines": lines}


def _values(text: str, begin: int) -> Iterator[tuple[Any, int, int]]:
    """Yield each value of an array, or each name and value of an object, with where it begins and ends.

    Args:
        text: JSON.
        begin: where the array or the object begins.
    """
    end = begin + 1
    while text[begin := _BETWEEN.match(text, end).end()] not in "]}":  # type: ignore[union-attr]  # it matches nothing too
        value, end = _JSON.raw_decode(text, begin)
        yield value, begin, end


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _number(text: str) -> int | str:
    return int(text) if len(text) < _LONGEST_NUMBER else text


#: Numbers with a point or an exponent are texts, as they must not be rounded.
_JSON = json.JSONDecoder(parse_int=_number, parse_float=str, parse_constant=_refuse)


def _ids(lines: list[str]) -> set[str]:
    # What has no id is no order: the Spark application sets it aside.
    orders = map(_JSON.decode, lines)
    return {str(order["order_id"]) for order in orders if isinstance(order, dict) and order.get("order_id") is not None}


def _seconds(text: str | None) -> float | None:
    """Return what a Retry-After says: seconds, or a date."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(text or ""))
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text or "").timestamp() - time.time())
    return None
