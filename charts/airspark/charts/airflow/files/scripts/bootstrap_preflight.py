"""What must hold before the bootstrap changes anything: packages, the database, its schema and its locks."""

from __future__ import annotations

import re
import socket
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from bootstrap_settings import BootstrapError
from metadata_database import DatabaseError, address, connect, pending, reason, refused, version_tables

# Airflow 3.3 names 14 to 18 as tested; newer servers have always been compatible.
OLDEST_SERVER = 14
# Tokens of tasks in older ones expire while a pod is pending.
OLDEST_AIRFLOW = (3, 2, 2)
# A password may just be changing on the server's side; more patience than that only hides the mistake.
REFUSED_SECONDS = 30
HOLDER = """
    SELECT coalesce(nullif(application_name, ''), 'a session without a name'), pid, coalesce(host(client_addr), 'a socket'),
           coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'an unknown time')
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND pid <> pg_backend_pid()
      AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) + objid::bigint = %s
"""


def check_time_zone(name: str) -> None:
    """Refuse to go on if the image knows no time zone of that name: Helm checks it only where it has a list of zones.

    Args:
        name: what AIRSPARK_TIME_ZONE says; empty for UTC.

    Raises:
        BootstrapError: if there is no such zone.
    """
    try:
        ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise BootstrapError(
            f"global.timeZone: {name!r} is not a time zone; write a name of the IANA time zone database, such as Europe/Berlin"
        ) from error


def check_airflow() -> None:
    """Refuse an image whose Airflow this chart does not know, whatever its tag says.

    Raises:
        BootstrapError: if it is older than the oldest one.
    """
    for package in ("apache-airflow-core", "apache-airflow"):
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        if tuple(int(part) for part in re.findall(r"\d+", found)[:3]) < OLDEST_AIRFLOW:
            oldest = ".".join(map(str, OLDEST_AIRFLOW))
            raise BootstrapError(
                f"the Airflow image has Airflow {found}, and this chart runs {oldest} and newer;"
                " set `images.airflow` to an image of a newer Airflow"
            )
        return
    raise BootstrapError("the Airflow image has no Airflow; set `images.airflow` to an image of Airflow")


def check_providers(providers: list[str | dict[str, str]]) -> None:
    """Refuse to go on if a package that the values need is not in the image.

    Args:
        providers: names of packages, or {"package", "key"} with the key of the values that asks for it.

    Raises:
        BootstrapError: if one is not installed.
    """
    for provider in providers:
        asked = provider if isinstance(provider, dict) else {"package": provider, "key": "providers"}
        try:
            version(asked["package"])
        except PackageNotFoundError as error:
            raise BootstrapError(
                f"the values ask for {asked['package']} ({asked['key']}), which the Airflow image does not have;"
                " use an image with it, or take that key back"
            ) from error


def open_database(url: str, deadline_seconds: float) -> Any:
    """Return a connection as soon as the database answers.

    Args:
        url: SQLAlchemy or libpq URL of a PostgreSQL database.
        deadline_seconds: how long to keep trying; a login that is refused is tried for half a minute at most.

    Raises:
        BootstrapError: if it does not answer in time, with the last reason.
    """
    parts = address(url)
    where = f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"
    started, said = time.monotonic(), ""
    while True:
        try:
            connection = connect(url, f"airspark-bootstrap {socket.gethostname()}")
        except psycopg2.OperationalError as error:
            patience = min(deadline_seconds, REFUSED_SECONDS) if refused(error) else deadline_seconds
            if time.monotonic() - started > patience:
                what = "refuses the login" if refused(error) else "does not answer"
                raise BootstrapError(f"the database at {where} {what} after {patience:.0f} s: {reason(error)}") from error
            if reason(error) != said:
                said = reason(error)
                print(f"waiting for the database: {said}", flush=True)
            time.sleep(1)
        else:
            connection.autocommit = True
            return connection


def check_server(connection: Any) -> None:
    """Refuse a server on which the migration could not work.

    Args:
        connection: to the metadata database.

    Raises:
        BootstrapError: if it is too old or read-only, or its user may not create tables.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only'),"
            " current_user, current_database(), current_schema(),"
            " current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE')"
        )
        server, standby, read_only, user, database, schema, may_create = cursor.fetchone()
    if connection.server_version < OLDEST_SERVER * 10_000:
        raise BootstrapError(f"the database server is PostgreSQL {server}; Airflow needs {OLDEST_SERVER} or newer")
    if standby:
        raise BootstrapError("the database server is a standby, which cannot be written to; name the primary's host")
    if read_only == "on":
        raise BootstrapError(
            f"the database {database} is read-only for {user}; look at default_transaction_read_only and the disk's space"
        )
    if not may_create:
        missing = f"GRANT CREATE ON SCHEMA {schema} TO {user}" if schema else "CREATE SCHEMA public"
        raise BootstrapError(f"the user {user} may not create tables in the database {database}; run there: {missing}")


def check_schema(connection: Any, migrate: bool) -> None:
    """Refuse a schema that this image cannot work with.

    Args:
        connection: to the metadata database.
        migrate: whether this bootstrap may change the schema.

    Raises:
        BootstrapError: if the schema is newer than the image, or old and not to be changed here.
    """
    try:
        with connection.cursor() as cursor:
            needed = pending(cursor, version_tables())
    except DatabaseError as error:
        raise BootstrapError(str(error)) from error
    if needed and not migrate:
        raise BootstrapError(
            f"the database needs {needed}, and migrateDatabaseJob.enabled is false; run `airflow db migrate` in this image"
        )


def take_lock(connection: Any, key: int, what: str, deadline_seconds: float) -> None:
    """Take an advisory lock for the connection's life, or that of its transaction, and say who is in the way.

    Args:
        connection: to the metadata database; without `autocommit`, the lock belongs to its transaction.
        key: of the lock.
        what: the lock is called in messages.
        deadline_seconds: how long to wait for whoever holds it.

    Raises:
        BootstrapError: if it is not free in time, with who holds it.
    """
    deadline, said = time.monotonic() + deadline_seconds, ""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT pg_try_advisory_{'' if connection.autocommit else 'xact_'}lock(%s)", [key])
            if cursor.fetchone()[0]:
                return
            cursor.execute(HOLDER, [key])
            if row := cursor.fetchone():
                holder = "{} (pid {}, from {}, since {})".format(*row)
                if time.monotonic() > deadline:
                    raise BootstrapError(
                        f"{what} is not free after {deadline_seconds:.0f} s, {holder} holds it; if nothing is at work"
                        f" there, run `SELECT pg_terminate_backend({row[1]})` in the database"
                    )
                if holder != said:
                    said = holder
                    print(f"waiting for {what}, which {holder} holds", flush=True)
            time.sleep(1)


def release_lock(connection: Any, key: int) -> None:
    """Give an advisory lock back, with the transaction if it belongs to one."""
    if not connection.autocommit:
        connection.rollback()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
