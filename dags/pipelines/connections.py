"""What a task asks of a connection before it uses it."""

from __future__ import annotations

from typing import Any

from airflow.sdk.exceptions import AirflowFailException


def require(connection: Any, name: str, *fields: str) -> None:
    """Check that a connection has what it takes.

    Args:
        connection: Airflow's.
        name: its id.
        fields: what it must have, such as host and schema.

    Raises:
        AirflowFailException: if something is missing; a retry would not mend that.
    """
    missing = [field for field in fields if not getattr(connection, field)]
    if missing:
        raise AirflowFailException(f"the connection {name} has no {', '.join(missing)}: add it, then run again")
