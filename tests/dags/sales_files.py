"""Sales files for the DAG tests, and the folders that DAGs work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).resolve().parents[2] / "spark-apps"
HEADER = "order_id,ordered_at,customer_id,product_id,category,quantity,unit_price,region,channel"
DAY = "2026-01-15"
GOOD = "1,2026-01-15T10:00:00+09:00,C1,P1,books,2,100.50,서울,web"


def write(folder: Path, *lines: str | bytes, day: str = DAY, header: str | bytes = HEADER) -> Path:
    """Write a day's file of lines and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sales_{day}.csv"
    encoded = [line if isinstance(line, bytes) else line.encode() for line in (header, *lines)]
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path


def rows(day: str, number: int) -> list[str]:
    """Return good rows of a day, of three categories."""
    return [
        f"{one},{day}T{one % 24:02d}:00:00+09:00,C{one % 5},P{one % 7},{('books', 'toys', 'home')[one % 3]},{one % 9 + 1},"
        f"{one % 50}.25,서울,web"
        for one in range(1, number + 1)
    ]


def use(monkeypatch: pytest.MonkeyPatch, module: Any, root: Path) -> None:
    """Have a DAG's module read from root/data/sales and write to root/output, with this repository's library."""
    from pipelines import defaults, files

    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))
    monkeypatch.setattr(module, "INPUT", str(root / "data" / "sales"))
    if hasattr(module, "OUTPUT"):
        monkeypatch.setattr(module, "OUTPUT", str(root / "output"))
    published = files.published

    def here(*results: str, output: str = "") -> Any:
        return published(*results, output=str(root / "output"))

    monkeypatch.setattr(files, "published", here)
