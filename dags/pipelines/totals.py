"""Sales a category, in three steps whose results are small: what the classic and the TaskFlow pipeline both do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipelines import files, sales_frames
from pipelines.defaults import DATA, OUTPUT

INPUT = f"{DATA}/sales"
#: The largest tolerated share of rejected rows.
MAX_REJECT_SHARE = 0.10


def extract(date: str, folder: str = INPUT) -> dict[str, Any]:
    """Look at the day's file.

    Args:
        date: the day, YYYY-MM-DD.
        folder: where the daily files are.

    Returns:
        date, path, bytes: small enough for an XCom; the rows stay in the file.

    Raises:
        AirflowFailException: if it is missing, has another header or no rows.
    """
    file = sales_frames.look(date, folder)
    return {"date": date, "path": file.path, "bytes": file.bytes}


def transform(source: dict[str, Any]) -> list[dict[str, Any]]:
    """Add up the good rows of a file by category; copies count once.

    Args:
        source: what `extract` returns.

    Returns:
        category, orders, items, revenue (a text with two decimals) of each category, by name.

    Raises:
        AirflowFailException: if more than MAX_REJECT_SHARE of its rows are rejected: totals of the rest would be wrong.
        RuntimeError: if the file is not the one that was looked at.
    """
    import numpy

    if Path(source["path"]).stat().st_size != source["bytes"]:
        raise RuntimeError(f"{source['path']} was changed since it was looked at: run again")
    tally = sales_frames.Tally()
    orders: dict[str, list[Any]] = {}
    items: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    for good, _ in sales_frames.clean(source["path"], source["date"], tally):
        for name, rows in good.groupby("category"):
            orders.setdefault(name, []).append(rows["order_id"].unique())
            items[name] += int(rows["quantity"].sum())
            # As Python's numbers: the sum of a billion rows need not fit into 64 bits.
            revenue[name] += sum(rows["amount"].tolist())
    tally.check(MAX_REJECT_SHARE, source["path"])
    print(f"{source['path']}: {tally.counts()}")
    return [
        {
            "category": name,
            "orders": len(numpy.unique(numpy.concatenate(orders[name]))),
            "items": items[name],
            "revenue": sales_frames.money(revenue[name]),
        }
        for name in sorted(orders)
    ]


def load(totals: list[dict[str, Any]], date: str, name: str, output: str = OUTPUT) -> str:
    """Publish totals as a CSV file.

    Args:
        totals: what `transform` returns.
        date: their day.
        name: the result's folder below the output.
        output: the root of the results.

    Returns:
        The published folder.
    """
    import csv

    with files.published(f"{name}/date={date}", output=output) as (folder,):
        with open(folder / "totals.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("category", "orders", "items", "revenue"))
            writer.writeheader()
            writer.writerows(totals)
        (folder / "_SUCCESS").touch()
        files.write_manifest(folder, {"partition": f"date={date}", "rows_written": len(totals)})
    return f"{output}/{name}/date={date}"
