"""Figures of a benchmark: what was measured, its spread, and its ratios to a baseline of the same run."""

from __future__ import annotations

import json
import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airspark.project import BUILD, ROOT, versions

USED = ("Airflow", "Kubernetes", "containerd", "Python")
PAGE = ROOT / "docs" / "performance.md"


def figure(samples: list[float], unit: str = "s") -> dict[str, Any]:
    """Return median, minimum and maximum of samples, in seconds unless the unit says otherwise."""
    return {
        "median": round(statistics.median(samples), 3),
        "min": round(min(samples), 3),
        "max": round(max(samples), 3),
        "unit": unit,
        "n": len(samples),
    }


def percentile(samples: list[float], share: float) -> float:
    """Return the sample below which a share of all samples lies (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def machine() -> str:
    """Cores, memory and architecture of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}"


def write(
    name: str,
    n: int,
    figures: dict[str, Any],
    ratios: dict[str, float],
    goals: dict[str, Any],
    used: tuple[str, ...] = USED,
) -> Path:
    """Write .build/bench/<name>.json and the table in docs/performance.md.

    Args:
        name: of the benchmark.
        n: repetitions behind each figure.
        figures: by key, as `figure` makes them.
        ratios: by key, to a baseline of the same run.
        goals: by key of a figure or ratio: {"op": "<=" or ">=", "value"}.
        used: what was measured, as versions.mk names it.

    Returns:
        The path of the JSON.
    """
    v = versions()
    known = {what: v[f"{what.upper()}_VERSION"] for what in used}
    result = {
        "name": name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": known,
        "n": n,
        "figures": figures,
        "ratios": {key: round(value, 3) for key, value in ratios.items()},
        "goals": goals,
    }
    path = BUILD / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    table = "\n".join(lines(result))
    print(table)
    replace(name, table)
    return path


def lines(result: dict[str, Any]) -> list[str]:
    """Return the table of a result in Markdown."""
    used = ", ".join(f"{what} {version}" for what, version in result["versions"].items())
    found = [
        f"{result['date']}, {result['machine']}, {used}, n = {result['n']}",
        "",
        "| figure | median | min | max |",
        "| --- | --- | --- | --- |",
    ]
    for key, entry in result["figures"].items():
        found.append(f"| {key} | {entry['median']:.2f} {entry['unit']} | {entry['min']:.2f} | {entry['max']:.2f} |")
    found += ["", "| ratio | value | goal |", "| --- | --- | --- |"]
    for key, value in result["ratios"].items():
        goal = result["goals"].get(key)
        said = f"{goal['op']} {goal['value']}: {'met' if met(value, goal) else 'missed'}" if goal else ""
        found.append(f"| {key} | {value:.2f} | {said} |")
    return found


def met(value: float, goal: dict[str, Any]) -> bool:
    """Whether a value keeps its goal."""
    return bool(value <= goal["value"] if goal["op"] == "<=" else value >= goal["value"])


def replace(name: str, table: str) -> None:
    """Put a table between the marks of its name on the page, if the page has them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = PAGE.read_text() if PAGE.is_file() else ""
    if begin in text and end in text:
        head, rest = text.split(begin, 1)
        PAGE.write_text(f"{head}{begin}\n{table}\n{end}{rest.split(end, 1)[1]}")
