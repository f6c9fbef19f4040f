"""Sales a category, in three steps whose results are small: what the classic and the TaskFlow pipeline both do."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from pipelines import applications, files, sales_frames
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
        date, and looked_at: the file as it is now. Small enough for an XCom; the rows stay in the file.

    Raises:
        AirflowFailException: if it is missing, has another header or no rows.
    """
    return {"date": date, "looked_at": dataclasses.asdict(sales_frames.look(date, folder))}


def transform(source: dict[str, Any]) -> list[dict[str, Any]]:
    """Add up the good rows of a file by category; copies count once.

    Args:
        source: what `extract` returns.

    Returns:
        category, orders, items, revenue (a text with two decimals) of each category, by name.

    Raises:
        AirflowFailException: if more than MAX_REJECT_SHARE of its rows are rejected, as totals of the rest would be wrong, or
            the file is no longer, before or after it is read, the one that was looked at.
    """
    import numpy

    inputs, file = applications.load("inputs"), sales_frames.looked_at(source["looked_at"])
    with applications.refusals():
        inputs.check_unchanged([file])
    tally = sales_frames.Tally()
    orders: dict[str, list[Any]] = {}
    items: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    for good, _ in sales_frames.clean(file.path, source["date"], tally):
        for name, rows in good.groupby("category"):
            orders.setdefault(name, []).append(rows["order_id"].unique())
            items[name] += int(rows["quantity"].sum())
            # As Python's numbers: the sum of a billion rows need not fit into 64 bits.
            revenue[name] += sum(rows["amount"].tolist())
    with applications.refusals():
        inputs.check_unchanged([file])
    tally.check(MAX_REJECT_SHARE, file.path)
    print(f"{file.path}: {tally.counts()}")
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
