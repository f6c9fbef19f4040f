"""How Airflow's asynchronous sessions reach the metadata database: by psycopg, which reads URLs as psycopg2 does.

Usage: python async_database.py, as [database] sql_alchemy_conn_async_cmd. Left alone, Airflow takes the URL over for
asyncpg, which knows no `sslmode` and no `sslrootcert`, so that what waits for a run over the REST API fails. Prints
nothing where there is no URL or no psycopg, which leaves Airflow alone.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

URL_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
# A statement that the server prepared belongs to a connection, which PgBouncer gives to another client next.
CONNECT_ARGS = {"prepare_threshold": None}


def async_url(url: str) -> str:
    """Return a database URL with psycopg as its driver, or an empty text if it is not of PostgreSQL."""
    scheme, _, rest = url.partition(":")
    return f"postgresql+psycopg:{rest}" if scheme.split("+")[0] in ("postgresql", "postgres") else ""


if __name__ == "__main__" and find_spec("psycopg"):
    print(async_url(os.environ.get(URL_VARIABLE, "")), end="")
