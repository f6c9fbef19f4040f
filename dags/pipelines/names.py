"""Names of folders that are made of texts which a user of Airflow chooses."""

from __future__ import annotations

from urllib.parse import quote


def folder_name(text: str) -> str:
    """Return a name for a folder of its own below another, whatever the text: never another folder, its parent included.

    Args:
        text: such as a run's id, which the user who starts a run chooses: "." and ".." are ids that Airflow takes.
    """
    name = quote(text, safe=":+")
    return name if name.strip(".") else name.replace(".", "%2E") or "%"
