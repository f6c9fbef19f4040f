"""Wait until the metadata database has this image's schema and no bootstrap is at work on it.

Does what `airflow db check-migrations` does without importing Airflow, which would cost each waiting pod several
seconds of CPU: it reads the revisions that the image knows from the migration files, for Airflow and for the FAB
provider, and compares them with the database's. What waiting cannot mend ends it: a login that is refused, because
a new container reads its Secret anew, and a schema that is newer than the image. AIRSPARK_WAIT_CONNECTIONS names
connections to wait for too: a DAG processor that starts before its bundle's connection never asks for it again.
AIRSPARK_DATABASE_ADDRESS is the host:port that this release means: a Secret with another one is about to be changed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import psycopg2
from metadata_database import (
    LOCK_KEY,
    URL_VARIABLE,
    DatabaseError,
    Revisions,
    address,
    connect,
    pending,
    reason,
    refused,
    version_tables,
)


def missing(url: str, tables: dict[str, Revisions], connections: Sequence[str] = ()) -> str:
    """Return what is still to wait for, or an empty text.

    Args:
        url: SQLAlchemy or libpq URL of a PostgreSQL database.
        tables: what this image knows, by version table.
        connections: ids of Airflow connections that must be there.

    Raises:
        DatabaseError: if waiting is of no use.
    """
    parts = address(url)
    found, wanted = f"{parts.get('host')}:{parts.get('port', 5432)}", os.environ.get("AIRSPARK_DATABASE_ADDRESS")
    if wanted and found != wanted:
        raise DatabaseError(f"the Secret names the database {found}, and this release {wanted}: the bootstrap Job changes it")
    try:
        connection = connect(url, "wait-for-airflow-migrations")
    except psycopg2.OperationalError as error:
        if refused(error):
            raise DatabaseError(f"the database refuses the login: {reason(error)}") from error
        return f"the database: {reason(error)}"
    try:
        with connection, connection.cursor() as cursor:
            if first := pending(cursor, tables):
                return first
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [LOCK_KEY])
            if not cursor.fetchone()[0]:
                return "the bootstrap Job to end"
            cursor.execute("SELECT conn_id FROM connection WHERE conn_id = ANY(%s)", [list(connections)])
            absent = set(connections) - {row[0] for row in cursor.fetchall()}
            return f"the bootstrap Job to make the connection {min(absent)}" if absent else ""
    except psycopg2.OperationalError as error:
        return f"the database: {reason(error)}"
    finally:
        connection.close()


def main() -> int:
    """Wait for as long as it takes; the pod's status and this log say what for."""
    url, tables = os.environ[URL_VARIABLE], version_tables()
    connections = os.environ.get("AIRSPARK_WAIT_CONNECTIONS", "").split()
    said = ""
    try:
        while wanted := missing(url, tables, connections):
            if wanted != said:
                print(f"waiting for {wanted}", flush=True)
                said = wanted
            time.sleep(1)
    except DatabaseError as error:
        print(f"wait for migrations: {error}", file=sys.stderr)
        return 1
    print("the database is migrated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
