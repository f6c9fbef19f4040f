"""Sales a category, in three steps whose results are small: what the classic and the TaskFlow pipeline both do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import files, sales_frames
from pipelines.defaults import DATA, OUTPUT

INPUT = f"{DATA}/sales"


def extract(date: str, folder: str = INPUT) -> dict[str, Any]:
    """Look at the day's file.

    Args:
        date: the day, YYYY-MM-DD.
        folder: where the daily files are.

    Returns:
        date, path, bytes: small enough for an XCom; the rows stay in the file.

    Raises:
        AirflowFailException: if it is missing or has another header.
    """
    path = Path(folder) / f"sales_{date}.csv"
    next(sales_frames.pieces(path, 1), None)
    return {"date": date, "path": str(path), "bytes": path.stat().st_size}


def transform(source: dict[str, Any]) -> list[dict[str, Any]]:
    """Add up the good rows of a file by category; copies count once.

    Args:
        source: what `extract` returns.

    Returns:
        category, orders, items, revenue (a text with two decimals) of each category, by name.

    Raises:
        RuntimeError: if the file is not the one that was looked at.
    """
    import pandas

    if Path(source["path"]).stat().st_size != source["bytes"]:
        raise RuntimeError(f"{source['path']} was changed since it was looked at: run again")
    good = []
    for piece in sales_frames.pieces(source["path"]):
        judged = sales_frames.judge(piece, source["date"])
        kept = judged[judged["reason"].isna()]
        good.append(kept[["order_id", "category", "quantity", "amount"]].assign(copy_of=kept["line"].map(hash)))
    if not good:
        return []
    rows = pandas.concat(good).drop_duplicates("copy_of")
    totals = rows.groupby("category").agg(orders=("order_id", "nunique"), items=("quantity", "sum"), revenue=("amount", "sum"))
    return [
        {"category": str(name), "orders": int(row.orders), "items": int(row["items"]), "revenue": f"{row.revenue:.2f}"}
        for name, row in totals.sort_index().iterrows()
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
