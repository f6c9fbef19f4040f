"""Check values files before anything is built or installed: all that is wrong with them, at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airspark import tools
from airspark.project import Failure
from airspark.values import rendered, shape
from airspark.values.reading import Values, lookup, merged, read


def require(files: Sequence[Path], base: Sequence[Path] = (), command: str = "make up") -> None:
    """End with every problem of some values files, if there is one.

    Where Helm must be built first, what the schema says comes before that.

    Args:
        files: as they are given after each other to Helm.
        base: values files below them, which are known to be good.
        command: what to call again afterwards.

    Raises:
        Failure: if a file cannot be read, does not fit the schema, or is refused by a chart.
    """
    if not files:
        return
    given = {str(file): read(file) for file in files}
    helm = tools.locate("helm")
    found = problems(given, helm, [read(file) for file in base])
    if not helm and not found:
        found = problems(given, tools.ensure("helm"), [read(file) for file in base])
    if found:
        names = " ".join(given)
        count = "one problem" if len(found) == 1 else f"{len(found)} problems"
        lines = "".join(f"\n  {line}" for line in found)
        again = f'correct it, then: {command} VALUES="{names}"'
        raise Failure(f"{' and '.join(given)}: {count}, nothing was built or changed{lines}", again)


def problems(given: dict[str, Values], helm: Path | None, base: Sequence[Values] = ()) -> list[str]:
    """Return a sentence for each problem of some values files, in the order of the files.

    Args:
        given: what each file says, by its name; the last counts most.
        helm: the program, or None to look at the schema alone.
        base: what stands below them.
    """
    found: list[tuple[str, str]] = []
    for name, values in given.items():
        found += [(name, line) for line in shape.problems(values)]
    taken = {line.split(": ")[0] for _, line in found}
    if helm:
        for line in rendered.problems(helm, merged([*base, *given.values()])):
            match = rendered.SENTENCE.fullmatch(line)
            if match and match["keys"] not in taken:
                found.append((_owner(given, match["keys"].split(", ")), line))
            elif not match and not taken:
                found.append((next(reversed(given)), line))
    if len(given) == 1:
        return [line for _, line in found]
    return [f"{name}: {line}" for name, line in found]


def _owner(given: dict[str, Values], keys: list[str]) -> str:
    """Return the last file that sets one of some keys, or the part they stand in."""
    while keys:
        for name in reversed(given):
            if any(lookup(given[name], key) is not None for key in keys):
                return name
        keys = [key.rpartition(".")[0] for key in keys if "." in key]
    return next(reversed(given))
