"""Many cases in few renders: a render costs a third of a second, and most values do not touch each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rendering import Object

Paths = Mapping[str, Any]


def values(paths: Paths) -> Object:
    """Return the nested values of a map by dotted path; a list or map that is a value stands as it is."""
    whole: Object = {}
    for path, value in paths.items():
        here = whole
        *parents, last = path.split(".")
        for parent in parents:
            here = here.setdefault(parent, {})
        here[last] = value
    return whole


def meet(one: Paths, other: Paths) -> bool:
    """Whether two sets of values contradict: one sets what the other sets differently, or something above or below it."""
    for path, value in one.items():
        for there, given in other.items():
            if path == there and value == given:
                continue
            if f"{path}.".startswith(f"{there}.") or f"{there}.".startswith(f"{path}."):
                return True
    return False


def over(base: Paths, paths: Paths) -> Paths:
    """Return values over a base, whose contradicting paths go."""
    return {**{path: value for path, value in base.items() if not meet({path: value}, paths)}, **paths}


def batches(cases: Mapping[str, Paths], alone: Iterable[str] = (), size: int = 100) -> dict[str, Paths]:
    """Put cases that do not contradict each other together.

    Args:
        cases: values by dotted path, by the case's name.
        alone: names of cases that must not share a render.
        size: most cases of a batch.

    Returns:
        The values of each case's batch, by the case's name.
    """
    found: dict[str, Paths] = {name: cases[name] for name in alone}
    groups: list[tuple[dict[str, Any], list[str]]] = []
    for name, paths in cases.items():
        if name in found:
            continue
        for together, names in groups:
            if len(names) < size and not meet(paths, together):
                together.update(paths)
                names.append(name)
                break
        else:
            groups.append((dict(paths), [name]))
    return found | {name: together for together, names in groups for name in names}
