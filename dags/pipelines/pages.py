"""Pages of an HTTP API into one file of JSON lines: with retries, a rate limit, and going on where a killed try stopped.

Each page is a file of its own while it lasts, written whole or not at all. Once all of them are there and add up, they
become the day's file by one rename; nobody sees half a day.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 6, 0.5, 30.0
PER_PAGE = 100
#: A page of an earlier try is good for so long: after that, orders may have changed.
KEEP_SECONDS = 3600


class ApiError(Exception):
    """The API refuses what it is asked, or answers what cannot be right: asking again changes nothing."""


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
    first = page(client, date, 1, pages, per_second, sleep)
    everything = [first]
    for number in range(2, first["pages"] + 1):
        everything.append(page(client, date, number, pages, per_second, sleep))
    totals = {one["total"] for one in everything}
    found = sum(len(one["orders"]) for one in everything)
    if totals != {found}:
        # What is there is of different moments: the next try asks for all of it again.
        shutil.rmtree(pages)
        told = ", ".join(map(str, sorted(totals)))
        raise RuntimeError(f"the orders of {date} changed while they were read: {found} came, the API told of {told}")
    unfinished = folder / f".{target.name}.{os.getpid()}"
    with open(unfinished, "w", encoding="utf-8") as file:
        for one in everything:
            file.writelines(json.dumps(order, ensure_ascii=False) + "\n" for order in one["orders"])
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, target)
    shutil.rmtree(pages)
    return target


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
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    growing = tenacity.wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)

    def pause(state: tenacity.RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome else None
        asked = getattr(problem, "seconds", None)
        seconds = growing(state) if asked is None else min(asked, LONGEST_PAUSE)
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
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    os.replace(unfinished, file)
    sleep(1 / per_second)
    return found


def ask(client: httpx.Client, date: str, number: int) -> dict[str, Any]:
    """Ask for one page, once.

    Raises:
        ApiError: for an answer that the same question will get again.
        _Again: for one that it may not.
    """
    import httpx

    try:
        answer = client.get("/orders", params={"date": date, "page": number, "per_page": PER_PAGE})
    except httpx.TimeoutException:
        raise _Again(f"no answer within {READ_SECONDS:g} s") from None
    except httpx.TransportError as error:
        raise _Again(f"the connection broke: {error}") from None
    if answer.status_code == 429 or answer.status_code >= 500:
        raise _Again(f"the API answered {answer.status_code}", _seconds(answer.headers.get("Retry-After")))
    if answer.status_code in (401, 403):
        raise ApiError(f"the API refuses the token ({answer.status_code}): mend the password of the connection, then run again")
    if answer.is_error:
        raise ApiError(f"the API answered {answer.status_code} to page {number}: {answer.text[:200]}")
    try:
        body = answer.json()
        if not (isinstance(body["orders"], list) and body["page"] == number and body["pages"] >= 0 and body["total"] >= 0):
            raise ValueError("page, pages, total and orders do not fit")
    except (ValueError, KeyError, TypeError):
        raise ApiError(f"page {number} is not what the API's pages look like: {answer.text[:200]!r}") from None
    found: dict[str, Any] = body
    return found


def connect(connection: Any) -> httpx.Client:
    """Return a client of the API that a connection names; it is a context manager.

    Args:
        connection: Airflow's: host with http:// or https://, port; the password is the token.
    """
    import httpx

    scheme, _, host = connection.host.rpartition("://")
    address = f"{scheme or connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(base_url=address, timeout=timeout, headers={"Authorization": f"Bearer {connection.password}"})


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text or ""))
    except ValueError:
        return None
