"""Sales a category, in three steps whose results are small: what the classic and the TaskFlow pipeline both do."""

from __future__ import annotations

import dataclasses
import time
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
        date, looked_at: the file as it is now, and began: when that was. Small enough for an XCom; the rows stay in the file.

    Raises:
        AirflowFailException: if it is missing, has another header or no rows.
    """
    return {"date": date, "began": time.time(), "looked_at": dataclasses.asdict(sales_frames.look(date, folder))}


def transform(source: dict[str, Any], name: str, output: str = OUTPUT) -> dict[str, Any]:
    """Publish the rejected rows of a file, and add up the good ones by category; copies count once.

    Args:
        source: what `extract` returns.
        name: the result's folder below the output, and the rejected rows' below its quarantine.
        output: the root of the results.

    Returns:
        totals: category, orders, items, revenue (a text with two decimals) of each category, by name. For the manifest: counts,
        inputs.

    Raises:
        AirflowFailException: if more than MAX_REJECT_SHARE of its rows are rejected, as totals of the rest would be wrong, or
            the file is no longer, before or after it is read, the one that was looked at.
        UserError: if the disk is full.
    """
    import numpy

    file, tally = sales_frames.looked_at(source["looked_at"]), sales_frames.Tally()
    with applications.refusals():
        applications.load("inputs").check_unchanged([file])
    orders: dict[str, list[Any]] = {}
    items: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    quarantine = f"quarantine/{name}/date={source['date']}"
    with files.published(quarantine, output=output) as (aside,):
        for good in sales_frames.good_rows(file.path, source["date"], tally, aside):
            for category, rows in good.groupby("category"):
                orders.setdefault(category, []).append(rows["order_id"].unique())
                items[category] += int(rows["quantity"].sum())
                # As Python's numbers: the sum of a billion rows need not fit into 64 bits.
                revenue[category] += sum(rows["amount"].tolist())
        with applications.refusals():
            inputs = files.described(file)
        tally.check_complete(file)
        files.write_manifest(aside, _known(name, source) | tally.counts(), inputs, source["began"])
    counts = tally.check(MAX_REJECT_SHARE, str(aside.published))
    print(f"{file.path}: {counts}")
    found = [
        {
            "category": category,
            "orders": len(numpy.unique(numpy.concatenate(orders[category]))),
            "items": items[category],
            "revenue": sales_frames.money(revenue[category]),
        }
        for category in sorted(orders)
    ]
    return {"totals": found, "counts": counts, "inputs": inputs}


def load(found: dict[str, Any], source: dict[str, Any], name: str, output: str = OUTPUT) -> str:
    """Publish totals as a CSV file. The rows that its manifest counts as written are those that were added up.

    Args:
        found: what `transform` returns.
        source: what `extract` returns.
        name: the result's folder below the output.
        output: the root of the results.

    Returns:
        The published folder.

    Raises:
        UserError: if the disk is full.
    """
    import csv

    result = f"{name}/date={source['date']}"
    # START publish
    with files.published(result, output=output) as (folder,):
        with open(folder / "totals.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("category", "orders", "items", "revenue"))
            writer.writeheader()
            writer.writerows(found["totals"])
        (folder / "_SUCCESS").touch()
        files.write_manifest(folder, _known(name, source) | found["counts"], found["inputs"], source["began"])
    return str(folder.published)
    # END publish


def _known(name: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "partition": f"date={source['date']}", "max_reject_share": MAX_REJECT_SHARE}
