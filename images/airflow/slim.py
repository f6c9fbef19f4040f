"""Take the descriptions out of the metadata of installed packages.

Run by the steps that install packages: `python slim.py /opt/venv/lib/python3.11/site-packages`.
Airflow parses the metadata of every provider twice at each start, and most of that text is the provider's page for PyPI.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Cut the metadata in the site-packages folder named by the only argument at the empty line after its fields."""
    for metadata in Path(sys.argv[1]).glob("*.dist-info/METADATA"):
        fields, _, description = metadata.read_text().partition("\n\n")
        if description:
            metadata.write_text(f"{fields}\n\n")


if __name__ == "__main__":
    main()
