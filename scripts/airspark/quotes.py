"""Pieces of DAGs and applications in the documentation: written by `make generate` out of the files themselves.

A page names a piece by a comment before a block, and the file marks it by lines `# START <name>` and `# END <name>`:

    <!-- quote dags/etl_daily.py load_warehouse -->
    ```python
    …
    ```
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from airspark.project import ROOT, Failure

QUOTE = re.compile(
    # A block ends before the next quote too, so that a page of quotes without ends is read once.
    r"^(<!-- quote (?P<file>\S+) (?P<mark>\w+) -->\n```(?P<language>\w*)\n)(?:(?!```$|<!-- quote ).*\n)*+(```$)",
    re.MULTILINE,
)


def piece(text: str, mark: str, name: str) -> str:
    """Return the lines between a mark's START and END, without their common indentation.

    Args:
        text: a file's text.
        mark: the mark's name.
        name: the file's name, for the sentence.

    Raises:
        Failure: if the mark is not there once, with its end.
    """
    found: list[list[str]] = []
    lines: list[str] | None = None
    for line in text.split("\n"):
        said = line.lstrip(" \t")
        if lines is None:
            lines = [] if said == f"# START {mark}" else None
        elif said == f"# END {mark}":
            found.append(lines)
            lines = None
        else:
            lines.append(line)
    if len(found) != 1:
        raise Failure(f"{name} has {len(found)} pieces between '# START {mark}' and '# END {mark}' instead of one")
    return textwrap.dedent("\n".join(found[0])).strip("\n") + "\n"


def quoted(page: str, root: Path = ROOT) -> str:
    """Return a page with every quoted block as the file has it now.

    Args:
        page: the page's text.
        root: the folder that files are named from.

    Raises:
        Failure: if a file or mark is missing.
    """

    def filled(match: re.Match[str]) -> str:
        file = root / match["file"]
        if not file.is_file():
            raise Failure(f"the documentation quotes {match['file']}, which is not there")
        return match[1] + piece(file.read_text(encoding="utf-8"), match["mark"], match["file"]) + match[5]

    return QUOTE.sub(filled, page)


def files() -> dict[Path, str]:
    """Return every page that quotes something, with its text as it should be."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
    return {path: quoted(text) for path, text in pages.items() if QUOTE.search(text)}
