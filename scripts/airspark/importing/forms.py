"""Whether maps, lists and texts of an official values file stand where the official chart has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airspark.project import Failure
from airspark.values.reading import Values, kind
from airspark.values.shape import WORDS, umbrella

#: Parts that are looked into though the chart has no schema of them.
MAPS = ("webserver", "workers.celery", "postgresql.primary", "postgresql.auth", "webserver.defaultUser", "ingress.web")
_TYPES: dict[str, type] = {"object": dict, "array": list}


def require(values: Values, name: str) -> None:
    """End if a value is a map, a list or a text where another of these must be.

    Args:
        values: of the official chart.
        name: of the file, for messages.

    Raises:
        Failure: with every such value.
    """
    wrong = list(_wrong(values, umbrella()["properties"]["airflow"]))
    if wrong:
        raise Failure(f"{name}: {'; '.join(wrong)}", "correct it, then call it again")


def _wrong(values: Values, schema: Any, path: str = "") -> Iterator[str]:
    """Yield a sentence for each value of the wrong form."""
    for key, value in values.items():
        here = f"{path}.{key}".removeprefix(".")
        below = schema.get("properties", {}).get(key, {})
        types = below.get("type", "object" if here in MAPS else [])
        wanted = [types] if isinstance(types, str) else [name for name in types if name != "null"]
        # Texts and numbers may stand for each other; the schema decides about them when every key has its name of this chart.
        given = next((name for name, form in _TYPES.items() if isinstance(value, form)), "text")
        fitting = {name if name in _TYPES else "text" for name in wanted}
        if value is not None and fitting and given not in fitting:
            expected = " or ".join(dict.fromkeys(WORDS[name] for name in wanted))
            yield f"{here}: it is {kind(value)}, and {expected} is expected"
        elif isinstance(value, dict):
            yield from _wrong(value, below, here)
