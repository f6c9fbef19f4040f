"""The page docs/reference/sales-format.md, made of the tables in spark-apps/sales_format.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airspark.project import ROOT

PAGE = ROOT / "docs/reference/sales-format.md"
INTRODUCTION = """# The sales file

`sales_YYYY-MM-DD.csv`, one order line a row, is read by `sales_etl` (Spark, and Arrow for rows that are plainly in order), by
the pandas pipelines (`csv_transform`, `classic_pipeline`, `taskflow_pipeline`, `parallel_batches`) and by `csv_bash` (awk). A row
has the same fate and the same values in each of them. The orders of the API (`api_orders`) are held to the same rule. This page
is generated from [`sales_format`](../../spark-apps/sales_format.py), and so are the cases of the tests.

## Lines

- The file is UTF-8. A byte order mark at its beginning does not count. Its first line is the header:
  `{header}`
- A line ends with LF or CRLF. Any other CR is a character like others.
- A line with nothing but spaces, tabs and CRs is skipped, and so is the header wherever it is repeated. Every other line is a
  row.
- Each row is split by itself. A field that begins with a quote ends with one; quotes in it are doubled, and spaces and tabs
  between its last quote and the comma do not count. Any other field is taken as it is, with its spaces and quotes.
- Spaces and tabs around a number or a time do not count. No other character is a space, and only the digits 0 to 9 are digits.
- Two rows are copies if all their values are equal, however they are written: `07` is `7`, `10.5` is `10.50`, and
  `2026-01-15T10:00:00+09:00` is `2026-01-15 01:00:00Z`. The first one stays.
"""


def files() -> dict[Path, str]:
    """Return the page's text by its path."""
    rule = _rule()
    return {PAGE: page(rule)}


def page(rule: Any) -> str:
    """Return the page.

    Args:
        rule: the module sales_format.
    """
    parts = [INTRODUCTION.format(header=",".join(rule.COLUMNS))]
    parts.append("## Columns\n\n" + _table(("column", "type", "what its text must be"), _columns(rule.TABLE)))
    meaning = "Of several reasons, the first one counts.\n\n" + _table(("reason", "what it means"), rule.MEANING.items())
    parts.append("## Why a row is rejected\n\n" + meaning)
    parts.append(f"## Examples\n\nFor {rule.DAY}, in {rule.ZONE}. `␠` is a space, `⇥` a tab, `␍` a carriage return.\n")
    for column in (one for one in rule.TABLE if one.type != "string" or one.name == "customer_id"):
        title = "customer_id, and the other texts" if column.type == "string" else column.name
        rows = [(_shown(text), _shown(worth)) for text, worth in column.good]
        rows += [(_shown(text), "wrong_type") for text in column.wrong]
        rows += [(_shown(text), "out_of_range") for text in column.beyond]
        if column.type == "timestamp":
            rows += [(_shown(text), "wrong_date") for text in rule.OTHER_DAYS]
        rows += [(_shown(text) or "nothing", "missing_value") for text in rule.MISSING]
        parts.append(f"### {title}\n\n" + _table(("text", "value or reason"), rows))
    return "\n".join(parts)


def _columns(table: Iterable[Any]) -> list[tuple[str, str, str]]:
    return [(f"`{column.name}`", column.type, column.rule) for column in table]


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _shown(text: str) -> str:
    """Return a text as code that can be seen, cut if it is long."""
    if not text:
        return ""
    cut = text if len(text) <= 48 else f"{text[:20]}…{text[-8:]}"
    seen = cut.replace(" ", "␠").replace("\t", "⇥").replace("\r", "␍")
    seen = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in seen).replace("|", "\\|")
    return f"`{seen}`" + (f" ({len(text):,} characters)" if cut != text else "")


def _rule() -> Any:
    folder = str(ROOT / "spark-apps")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("sales_format")
