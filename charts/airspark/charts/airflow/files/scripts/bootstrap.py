"""Migrate the metadata database, make the first user and the connections; safe to run any number of times.

Usage: bootstrap.py settings.json

One process for all of it, because importing Airflow costs several seconds of CPU. A lock in the database is held
meanwhile: a second bootstrap waits its turn, and so do the pods that wait for the migration, which keeps the API
server from making roles while this does.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import psycopg2

# Also in wait_for_migrations.py, which takes the shared side of it.
LOCK_KEY = 4_151_250_211
FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port")


class BootstrapError(Exception):
    """What stops the bootstrap; the message is for the operator of the release."""


def connect(url: str, deadline_seconds: float) -> Any:
    """Return a connection as soon as the database answers.

    Args:
        url: SQLAlchemy or libpq URL of a PostgreSQL database.
        deadline_seconds: how long to keep trying.

    Raises:
        BootstrapError: if it does not answer in time, with the last reason.
    """
    libpq_url = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    where = re.sub(r"//.*@", "//", libpq_url)
    deadline = time.monotonic() + deadline_seconds
    said = ""
    while True:
        try:
            connection = psycopg2.connect(libpq_url, connect_timeout=5)
        except psycopg2.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            if time.monotonic() > deadline:
                raise BootstrapError(f"no database at {where} after {deadline_seconds:.0f} s: {reason}") from error
            if reason != said:
                print(f"waiting for the database: {reason}", flush=True)
                said = reason
            time.sleep(1)
        else:
            connection.autocommit = True
            return connection


def migrate() -> None:
    """Bring the schema to this image's version, the tables of the auth manager included."""
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(db.upgradedb)()


def ensure_user(connection: Any, user: dict[str, Any], username: str, password: str) -> str:
    """Create the first user unless it exists.

    Args:
        connection: to the migrated database.
        user: role, email, firstName and lastName.
        username: name to log in with.
        password: password of a new user; an existing user keeps the one it has.

    Returns:
        One line that says what was done.

    Raises:
        BootstrapError: if there is no such role, or the database refuses the user.
    """
    # Asked in SQL, because importing the auth manager costs seconds of CPU at every upgrade.
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM ab_user WHERE lower(username) = lower(%s)", [username])
        if cursor.fetchone():
            return f"user {username}: kept"

    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        role = manager.find_role(user["role"])
        if role is None:
            known = ", ".join(sorted(role.name for role in manager.get_all_roles()))
            raise BootstrapError(f"there is no role {user['role']}; roles are {known}")
        if not manager.add_user(username, user["firstName"], user["lastName"], user["email"], role, password):
            raise BootstrapError(f"the user {username} could not be made; is {user['email']} taken by another?")
    return f"user {username}: created with role {user['role']}"


def ensure_connections(connections: dict[str, dict[str, Any]]) -> list[str]:
    """Create or update connections so that they are as given.

    Args:
        connections: by connection id: type, description, host, login, password, schema, port, extra.

    Returns:
        One line per connection that says what was done.
    """
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    lines = []
    with create_session() as session:
        for conn_id, given in connections.items():
            wanted = {field: given.get("type" if field == "conn_type" else field) for field in FIELDS}
            extra = given.get("extra")
            wanted["extra"] = json.dumps(extra) if isinstance(extra, dict) else extra
            found = session.scalar(select(Connection).where(Connection.conn_id == conn_id))
            if found is None:
                session.add(Connection(conn_id=conn_id, **wanted))
                lines.append(f"connection {conn_id}: created")
                continue
            changed = [field for field, value in wanted.items() if (getattr(found, field) or None) != (value or None)]
            for field in changed:
                setattr(found, field, wanted[field])
            lines.append(f"connection {conn_id}: {'updated ' + ', '.join(changed) if changed else 'kept'}")
    return lines


def main(path: str) -> int:
    """Run all steps and return the exit code."""
    settings = json.loads(Path(path).read_text())
    try:
        lock = connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], settings["databaseDeadlineSeconds"])
        started = time.monotonic()
        with lock.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        migrate()
        print(f"database: migrated in {time.monotonic() - started:.0f} s", flush=True)
        if settings["user"]:
            username, password = os.environ["ADMIN_USERNAME"], os.environ["ADMIN_PASSWORD"]
            print(ensure_user(lock, settings["user"], username, password), flush=True)
        for line in ensure_connections(settings["connections"]):
            print(line, flush=True)
        lock.close()
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    print(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
