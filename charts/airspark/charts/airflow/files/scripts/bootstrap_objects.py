"""Connections, variables and pools as the settings have them, and the record of what is ours to remove.

What the bootstrap creates is recorded in a table of its own. What is gone from the settings is removed if it is
recorded; what somebody else made is updated when the settings name it, and never removed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bootstrap_settings import BootstrapError

TABLE = "CREATE TABLE IF NOT EXISTS airspark_managed (kind text NOT NULL, name text NOT NULL, PRIMARY KEY (kind, name))"
CONNECTION_FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")


class Ledger:
    """The names of one kind that the bootstrap has created; a change takes effect with the session's commit."""

    def __init__(self, session: Any, kind: str) -> None:
        self.session = session
        self.kind = kind

    def _execute(self, sql: str, **values: str) -> Any:
        from sqlalchemy import text

        return self.session.execute(text(sql), {"kind": self.kind, **values})

    def names(self) -> set[str]:
        """Return the recorded names."""
        return set(self._execute("SELECT name FROM airspark_managed WHERE kind = :kind").scalars())

    def add(self, name: str) -> None:
        """Record a name as created here."""
        self._execute("INSERT INTO airspark_managed VALUES (:kind, :name) ON CONFLICT DO NOTHING", name=name)

    def drop(self, name: str) -> None:
        """Forget a name."""
        self._execute("DELETE FROM airspark_managed WHERE kind = :kind AND name = :name", name=name)


def connection_fields(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a connection.

    Args:
        name: the connection's id.
        given: uri, or type, host, login, password, schema, port and extra; and description.

    Raises:
        BootstrapError: if Airflow would not take it.
    """
    from airflow.exceptions import AirflowException
    from airflow.models import Connection
    from airflow.models.connection import sanitize_conn_id

    if sanitize_conn_id(name) != name:
        raise BootstrapError(f"connections.{name}: a connection's id holds letters, digits and #!-_.:/ only")
    if not given.get("uri") and not given.get("type"):
        raise BootstrapError(f"connections.{name}: give a type, or a uri")
    parts = {field: given.get("type" if field == "conn_type" else field) or None for field in CONNECTION_FIELDS}
    try:
        if parts["port"]:
            parts["port"] = int(parts["port"])
        wanted = Connection(uri=given["uri"]) if given.get("uri") else Connection(**parts)
    except (AirflowException, ValueError) as error:
        raise BootstrapError(f"connections.{name}: the uri, the port or the JSON of extra cannot be read") from error
    return {field: getattr(wanted, field) or None for field in CONNECTION_FIELDS} | {
        "description": given.get("description") or None
    }


def variable_fields(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a variable; what is no text becomes JSON."""
    value = given.get("value", "")
    return {
        "val": value if isinstance(value, str) else json.dumps(value),
        "description": given.get("description") or None,
    }


def pool_fields(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a pool; a description that is not given stays, as the default pool has one."""
    fields = {"slots": int(given["slots"]), "include_deferred": bool(given.get("includeDeferred"))}
    return fields | ({"description": given["description"]} if given.get("description") else {})


@dataclass(frozen=True)
class Kind:
    """A kind of object in the metadata database."""

    name: str
    setting: str
    model: type[Any]
    key: str
    fields: Callable[[str, dict[str, Any]], dict[str, Any]]
    permanent: frozenset[str] = frozenset()


def sync(session: Any, kind: Kind, wanted: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Make the objects of one kind what the settings say.

    Args:
        session: of Airflow's ORM; the caller commits.
        kind: what they are.
        wanted: settings by name.

    Yields:
        One line per object that says what was done.

    Raises:
        BootstrapError: if the settings of one cannot be used, or it was written with a Fernet key that is lost.
    """
    from cryptography.fernet import InvalidToken
    from sqlalchemy import select

    def find(name: str) -> Any:
        return session.scalar(select(kind.model).where(getattr(kind.model, kind.key) == name))

    ledger = Ledger(session, kind.name)
    gone = ledger.names() - set(wanted) - kind.permanent
    name = ""
    try:
        for name, given in wanted.items():
            yield f"{kind.name} {name}: {apply(session, kind, ledger, name, given, find(name))}"
        for name in sorted(gone):
            if (found := find(name)) is not None:
                session.delete(found)
                yield f"{kind.name} {name}: removed"
            ledger.drop(name)
    except InvalidToken as error:
        raise BootstrapError(
            f"the {kind.name} {name} was encrypted with a Fernet key that is not given now; bring the key back,"
            f" or delete the {kind.name}"
        ) from error


def apply(session: Any, kind: Kind, ledger: Ledger, name: str, given: dict[str, Any], found: Any) -> str:
    """Create or change one object and return what was done.

    Args:
        session: of Airflow's ORM.
        kind: what it is.
        ledger: takes the name if it is created.
        name: of the object.
        given: what the settings say.
        found: the object as it is, or None.

    Raises:
        BootstrapError: if what the settings say cannot be used.
    """
    fields = kind.fields(name, given)
    if found is None:
        session.add(kind.model(**{kind.key: name}, **fields))
        ledger.add(name)
        return "created"
    changed = [field for field, value in fields.items() if (getattr(found, field) or None) != (value or None)]
    for field in changed:
        # The setters of encrypted fields ignore None.
        hidden = fields[field] is None and hasattr(found, f"_{field}")
        setattr(found, f"_{field}" if hidden else field, fields[field])
    return f"updated {', '.join(changed)}" if changed else "kept"


def sync_objects(settings: dict[str, Any]) -> Iterator[str]:
    """Make connections, variables and pools what the settings say, all of them or none.

    Args:
        settings: see bootstrap_settings.

    Yields:
        One line per object that says what was done.

    Raises:
        BootstrapError: if something in the settings cannot be used.
    """
    from airflow.models import Connection, Pool, Variable
    from airflow.utils.session import create_session

    kinds = (
        Kind("connection", "connections", Connection, "conn_id", connection_fields),
        Kind("variable", "variables", Variable, "key", variable_fields),
        Kind("pool", "pools", Pool, "pool", pool_fields, frozenset({Pool.DEFAULT_POOL_NAME})),
    )
    with create_session() as session:
        lines = [line for kind in kinds for line in sync(session, kind, settings[kind.setting])]
    yield from lines


def rotate_fernet_key() -> None:
    """Encrypt everything in the database again with the first Fernet key.

    Raises:
        BootstrapError: if something was written with a key that is not among those given.
    """
    from argparse import Namespace

    from airflow.cli.commands import rotate_fernet_key_command
    from cryptography.fernet import InvalidToken

    try:
        rotate_fernet_key_command.rotate_fernet_key(Namespace())
    except InvalidToken as error:
        raise BootstrapError(
            "the Fernet key was not rotated: something in the database was encrypted with a key that is no longer given"
        ) from error
