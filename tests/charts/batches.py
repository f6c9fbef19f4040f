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


def _meet(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether a path of one is a path of the other, or above or below it."""
    others = [f"{path}." for path in other]
    return any(a.startswith(b) or b.startswith(a) for a in (f"{path}." for path in one) for b in others)


def batches(cases: Mapping[str, Paths], alone: Iterable[str] = (), size: int = 100) -> dict[str, Paths]:
    """Put cases that set different keys together.

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
            if len(names) < size and not _meet(paths, together):
                together.update(paths)
                names.append(name)
                break
        else:
            groups.append((dict(paths), [name]))
    return found | {name: together for together, names in groups for name in names}
