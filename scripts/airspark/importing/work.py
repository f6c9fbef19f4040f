"""Values on the way from one chart to the other, with a line for everything that was done to them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airspark.project import Failure
from airspark.values import shape
from airspark.values.reading import Values, kind, lookup

KEPT, RENAMED, CHANGED, DROPPED, SECRET, OPEN = "kept", "renamed", "changed", "dropped", "Secret to make", "left to you"


@dataclass(frozen=True)
class Row:
    """What became of one key.

    Args:
        key: its dotted path in the official values.
        what: KEPT, RENAMED, CHANGED, DROPPED, SECRET or OPEN.
        note: where it is now, or why it is gone.
    """

    key: str
    what: str
    note: str = ""


@dataclass(frozen=True)
class NewSecret:
    """A Secret that holds what stood in the values as a text.

    Args:
        name: of the Secret.
        data: contents by key; never shown.
        key: the dotted path that the contents come from.
        kind: the Secret's type, empty for Opaque.
    """

    name: str
    data: dict[str, str] = field(repr=False)
    key: str
    kind: str = ""


@dataclass(frozen=True)
class Imported:
    """The result of a translation.

    Args:
        values: of charts/airspark.
        rows: what became of each key, in the order of the file.
        secrets: to be made before the installation.
    """

    values: Values
    rows: list[Row]
    secrets: list[NewSecret]


class Work:
    """Values of the official chart that are being translated.

    Args:
        values: the file; it is copied.
    """

    def __init__(self, values: Values) -> None:
        self.values: Values = _filled(copy.deepcopy(values))
        self.nulls: list[str] = list(_nulls(values))
        self.rows: list[Row] = []
        self.secrets: list[NewSecret] = []
        self.made: set[str] = set()
        self.moved: dict[str, str] = {}

    def get(self, path: str) -> Any:
        """Return the value at a dotted path, or None."""
        return lookup(self.values, path)

    def entries(self, path: str) -> list[dict[str, Any]]:
        """Return the maps of the list at a dotted path; none if there is no list.

        Raises:
            Failure: if something else stands there.
        """
        value = self.get(path)
        if not isinstance(value, list | None) or not all(isinstance(item, dict) for item in value or []):
            wrong = kind(value) if not isinstance(value, list) else "a list with something else"
            raise Failure(
                f"{path}: it is {wrong}, and a list is expected whose entries are maps", f"correct `{path}`, then call it again"
            )
        return value or []

    def take(self, path: str) -> Any:
        """Remove a value, and the maps that it leaves empty, and return it; None if it is not there."""
        *parents, last = path.split(".")
        chain: list[Values] = [self.values]
        for name in parents:
            part = chain[-1].get(name)
            if not isinstance(part, dict):
                return None
            chain.append(part)
        value = chain[-1].pop(last, None)
        for depth in range(len(parents), 0, -1):
            if not chain[depth]:
                del chain[depth - 1][parents[depth - 1]]
        return value

    def put(self, path: str, value: Any) -> None:
        """Set a value, without a line about it."""
        if self.get(path) is None:
            self.made.add(path)
        *parents, last = path.split(".")
        part = self.values
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = value

    def replace(self, path: str, value: Any) -> None:
        """Set a value in place of one that is there, which stays a key of the file."""
        *parents, last = path.split(".")
        part = self.values
        for name in parents:
            part = part[name]
        part[last] = value

    def say(self, key: str, what: str, note: str = "") -> None:
        """Add a line."""
        self.rows.append(Row(key, what, note))

    def drop(self, path: str, why: str) -> None:
        """Remove a value with a line that says why; nothing happens if it is not there."""
        if self.get(path) is not None:
            self.take(path)
            self.say(path, DROPPED, why)

    def change(self, path: str, value: Any, note: str) -> None:
        """Give a key another value."""
        self.put(path, value)
        self.made.add(path)
        self.say(path, CHANGED, note)

    def rename(self, old: str, new: str, note: str = "", value: Any = None) -> None:
        """Move a value to another key, unless that is set already; nothing happens if it is not there.

        Args:
            old: where it is.
            new: where it goes.
            note: more to say than the new key.
            value: what it becomes; itself by default.
        """
        given = self.take(old)
        if given is None:
            return
        if given == "" and default(new) and not new.startswith("config."):
            self.say(old, DROPPED, "an empty text, which takes the chart's default")
            return
        if self.get(new) is not None:
            self.say(old, DROPPED, f"`{self.name(new)}` is set, and counts")
            return
        self.put(new, given if value is None else value)
        self.moved[old] = new
        self.say(old, RENAMED, f"{new}{f'; {note}' if note else ''}")

    def name(self, path: str) -> str:
        """Return the key of the file that a key here comes from, or the key itself."""
        for old, new in self.moved.items():
            if path == new or path.startswith(f"{new}."):
                return old + path.removeprefix(new)
        return path


def default(path: str) -> Any:
    """Return the Airflow chart's default for a dotted path, or None.

    Args:
        path: without `airflow.`.
    """
    return lookup(shape.defaults()["airflow"], path)


def _filled(value: Any) -> Any:
    """Return values without empty keys, which only take a default away."""
    if isinstance(value, dict):
        return {key: _filled(child) for key, child in value.items() if child is not None}
    return [_filled(child) for child in value] if isinstance(value, list) else value


def _nulls(values: Values, path: str = "") -> Iterator[str]:
    """Yield the dotted paths of the empty keys, outside of lists."""
    for key, child in values.items():
        here = f"{path}.{key}".removeprefix(".")
        if child is None:
            yield here
        elif isinstance(child, dict):
            yield from _nulls(child, here)


def every_text(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the text of every text in some values.

    Args:
        value: the values, or a part.
        path: of the part.
    """
    if isinstance(value, dict):
        for key, child in value.items():
            yield from every_text(child, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from every_text(child, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value
