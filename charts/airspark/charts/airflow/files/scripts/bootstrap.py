"""Migrate the metadata database and make users, roles, connections, variables and pools what the values say.

Usage: bootstrap.py settings.json

Safe to run any number of times. One process for all of it, because importing Airflow costs several seconds of CPU.
A lock in the database is held meanwhile: a second bootstrap waits its turn, and so do the pods that wait for the
migration, which keeps the API server from making roles while this does.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from bootstrap_accounts import sync_accounts
from bootstrap_objects import TABLE, rotate_fernet_key, sync_objects
from bootstrap_preflight import (
    check_airflow,
    check_providers,
    check_schema,
    check_server,
    check_time_zone,
    open_database,
    release_lock,
    take_lock,
)
from bootstrap_settings import BootstrapError, load
from metadata_database import LOCK_KEY, URL_VARIABLE, DatabaseError, reason

# Airflow gives up its own lock after 1.8 s, with a stack trace.
AIRFLOW_LOCK_KEY = 1
# Where the Secret behind PgBouncer is the user's: the way past PgBouncer, if that Secret has one.
POOLED, DIRECT = "AIRSPARK_POOLED", "AIRSPARK_DIRECT_CONNECTION"
HOLDERS = """
    SELECT DISTINCT coalesce(nullif(application_name, ''), 'a session without a name'), pid, usename
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'relation' AND granted AND datname = current_database() AND relation >= 16384
      AND application_name <> current_setting('application_name')
    LIMIT 5
"""


def migrate(connection: Any, lock_seconds: float) -> None:
    """Bring the schema to this image's version, the tables of the auth manager included.

    Args:
        connection: to the metadata database.
        lock_seconds: how long a step may wait for a table that another session has locked; 0 sets no limit.

    Raises:
        BootstrapError: if the database refuses a step.
    """
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded
    from sqlalchemy import Engine, event
    from sqlalchemy.exc import DBAPIError

    name = connection.info.dsn_parameters.get("application_name", "")

    def prepare(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false), set_config('application_name', %s, false)",
                [str(round(lock_seconds * 1000)), name],
            )
        raw.commit()

    if lock_seconds:
        event.listen(Engine, "connect", prepare)
    try:
        providers_configuration_loaded(db.upgradedb)()
    except DBAPIError as error:
        # The first error in the chain: Airflow's clean-up fails in the transaction that this one ended.
        chain, link = [error], error.__context__
        while link:
            chain += [link] if isinstance(link, DBAPIError) else []
            link = link.__context__
        why = reason(chain[-1].orig or chain[-1])
        raise BootstrapError(
            f"the migration failed, and pods that run keep serving: {why}{holders(connection) if 'lock timeout' in why else ''}"
        ) from error
    finally:
        if lock_seconds:
            event.remove(Engine, "connect", prepare)


def holders(connection: Any) -> str:
    """Return which other sessions have tables locked, for which the migration may have waited."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS)
        names = ["{} (pid {}, user {})".format(*row) for row in cursor.fetchall()]
    return f"; these sessions have tables locked: {', '.join(names)}" if names else ""


def bootstrap(settings: dict[str, Any]) -> None:
    """Do everything that the settings ask for, and print a line for each.

    Args:
        settings: see bootstrap_settings.

    Raises:
        BootstrapError: if something is in the way.
        DatabaseError: if the database's URL cannot be read.
    """
    check_airflow()
    check_time_zone(os.environ.get("AIRSPARK_TIME_ZONE", ""))
    check_providers(settings["providers"])
    lock_seconds = settings["lockDeadlineSeconds"]
    pooled = POOLED in os.environ and not os.environ.get(DIRECT)
    if os.environ.get(DIRECT):
        os.environ[URL_VARIABLE] = os.environ[DIRECT]
    url, seconds = os.environ[URL_VARIABLE], settings["databaseDeadlineSeconds"]
    # A pooler by transaction hands sessions around, so there a lock belongs to a transaction of its own connection.
    with closing(open_database(url, seconds)) as connection, closing(open_database(url, seconds)) as keeper:
        keeper.autocommit = not pooled
        check_server(connection)
        take_lock(keeper, LOCK_KEY, "the bootstrap's lock", lock_seconds)
        check_schema(connection, settings["migrate"])
        if settings["migrate"]:
            started = time.monotonic()
            connection.autocommit = not pooled
            take_lock(connection, AIRFLOW_LOCK_KEY, "Airflow's migration lock", lock_seconds)
            release_lock(connection, AIRFLOW_LOCK_KEY)
            connection.autocommit = True
            migrate(connection, 0 if pooled else lock_seconds)
            print(f"database: migrated in {time.monotonic() - started:.0f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute(TABLE)
        if "," in os.environ.get("AIRFLOW__CORE__FERNET_KEY", ""):
            rotate_fernet_key()
            print("fernet key: everything is encrypted with the first of the keys", flush=True)
        for line in sync_accounts(connection, settings) if settings["authManager"] == "fab" else ():
            print(line, flush=True)
        for line in sync_objects(settings):
            print(line, flush=True)


def main(path: str) -> int:
    """Run all steps and return the exit code."""
    started = time.monotonic()
    try:
        bootstrap(load(Path(path)))
    except (BootstrapError, DatabaseError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except psycopg2.Error as error:
        print(f"bootstrap: the database: {reason(error)}", file=sys.stderr)
        return 1
    print(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
