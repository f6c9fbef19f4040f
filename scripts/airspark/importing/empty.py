"""Keys that are null, for which Helm takes a default away, and empty texts, for which the official chart takes its own."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml

from airspark.importing import options, references
from airspark.importing.work import DROPPED, KEPT, Work, default
from airspark.project import ROOT
from airspark.values.reading import lookup

#: Where the charts do without a value, so that null means none, as in the official chart.
NONE = re.compile(
    r"(uid|gid|config\.[^.]+\.[^.]+|.*\bresources(\..+)?|.*[a-z]Probe\..+"
    r"|.*\b(safeToEvict|securityContexts?\..+|terminationGracePeriodSeconds)|workers\.kubernetes\.podTemplates\.[^.]+)"
)


def texts(work: Work) -> None:
    """Leave out empty texts where the chart has a default; an empty line of airflow.cfg is one that the file wants."""
    for path in _empty(work.values):
        if default(path) and isinstance(default(path), str) and not path.startswith("config."):
            work.drop(path, "an empty text, which takes the chart's default")


def nulls(work: Work) -> None:
    """Bring back each null that takes a default away as it does in the official chart, or say why it is left out.

    Args:
        work: the values, with everything else in its place.
    """
    for given in work.nulls:
        path = _here(given)
        there = default(path)
        if lookup(work.values, path) is not None:
            why = f"null, and `{path}` is set"
        elif there is True:
            work.change(path, False, "null, which is false in the official chart")
            continue
        elif there in (None, "", [], {}):
            why = "null, and the chart has no default there to take away"
        elif NONE.fullmatch(path) and path not in _filled():
            work.put(path, None)
            work.made.add(path)
            work.say(given, KEPT, "null, which takes the chart's default away" + (f", as {path}" if path != given else ""))
            continue
        else:
            why = "null, and the chart needs a value there: its default stays"
        work.say(given, DROPPED, why)


def _here(path: str) -> str:
    """Return the key of this chart for one of the official chart, or the key itself."""
    if path.startswith("config."):
        return f"config.{options.moved(path.removeprefix('config.')) or path.removeprefix('config.')}"
    return references.renamed(path)


def _empty(values: Any, path: str = "") -> list[str]:
    """Return the dotted paths of empty texts in maps."""
    if isinstance(values, dict):
        return [found for key, child in values.items() for found in _empty(child, f"{path}.{key}".removeprefix("."))]
    return [path] if values == "" else []


@cache
def _filled() -> frozenset[str]:
    """Return the maps whose defaults the chart cannot do without; it refuses null there."""
    return frozenset(yaml.safe_load((ROOT / "charts/airflow/files/defaults.yaml").read_text())["filled"])
