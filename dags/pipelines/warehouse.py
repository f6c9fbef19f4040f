"""A published day of sales into the PostgreSQL warehouse: a star schema and a data mart, in one transaction.

The SQL is in dags/sql. A load that is killed, or whose connection drops, leaves the day as it was.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from pipelines import connections

if TYPE_CHECKING:
    import psycopg

CONNECTION = "warehouse"
MISSING = (
    f"there is no connection {CONNECTION}: make it for a PostgreSQL database that its user may make schemas in "
    "(type postgres, host, port, schema, login, password), then run again"
)
SQL = Path(__file__).parents[1] / "sql"
COLUMNS = (
    "order_id",
    "ordered_at",
    "customer_id",
    "product_id",
    "category",
    "quantity",
    "unit_price",
    "region",
    "channel",
    "amount",
)
#: What PostgreSQL and its library say where connecting again does not help; names have at most 63 bytes.
USERS_MISTAKE = re.compile(
    r"password authentication.*|no password supplied|no pg_hba.conf entry.*|(?:database|role) \".{0,63}\" does not exist"
    r"|permission denied.*"
)
BATCH_ROWS, CONNECT_SECONDS = 50_000, 15


def connect(connection: Any) -> psycopg.Connection[Any]:
    """Open the database that a connection names.

    Args:
        connection: Airflow's: host, port, schema (the database), login, password.

    Raises:
        AirflowFailException: if it has no host, schema or login, or the server refuses what it has: a retry would not mend that.
        psycopg.OperationalError: if the server is away.
    """
    import psycopg

    connections.require(connection, CONNECTION, "host", "schema", "login")
    try:
        return psycopg.connect(
            host=connection.host,
            port=connection.port or 5432,
            dbname=connection.schema,
            user=connection.login,
            password=connection.password,
            connect_timeout=CONNECT_SECONDS,
            application_name="airspark",
            # What is copied is UTF-8, whatever the database has: the server converts it, or says that it cannot.
            client_encoding="UTF8",
            # A server that is gone is noticed within half a minute, also in the middle of a statement.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=4,
        )
    except psycopg.OperationalError as error:
        if found := USERS_MISTAKE.search(str(error)):
            raise AirflowFailException(
                f"the database of the connection {CONNECTION} refuses: {found[0]}: correct the connection or the database, "
                "then run again"
            ) from None
        raise


def load(database: psycopg.Connection[Any], folder: Path, date: str) -> dict[str, Any]:
    """Load a day of sales in the place of what the warehouse has of that day, and refresh the day in the mart.

    Loads take turns, a second one of the same day at the same time too.

    Args:
        database: an open connection; it is committed.
        folder: the files of the published partition, which nobody may replace meanwhile: see files.held.
        date: its day, YYYY-MM-DD.

    Returns:
        rows and revenue of the day, as the warehouse has them after the load.

    Raises:
        AirflowFailException: if the connection's user may not do that, or the database cannot hold a value; nothing is changed.
        FileNotFoundError: if there is no manifest.
        ValueError: if the warehouse does not have the rows and the sum of the partition, or the partition not the rows of its
            manifest; nothing is changed then.
    """
    written = json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))["rows_written"]
    with _refusals(date), database.transaction(), database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('airspark.sales'))")
        cursor.execute((SQL / "warehouse_schema.sql").read_bytes())
        rows = 0
        with cursor.copy(f"COPY staging ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)") as copy:
            for number, text in csv_batches(folder):
                rows += number
                copy.write(text)
        for statement in statements((SQL / "warehouse_load.sql").read_text(encoding="utf-8")):
            cursor.execute(statement, {"date": date})
        cursor.execute(
            "SELECT count(*), coalesce(sum(amount), 0) FROM sales.fact_sales"
            " JOIN sales.dim_date USING (date_key) WHERE date = %s",
            (date,),
        )
        found, revenue = cursor.fetchone() or (0, 0)
        cursor.execute("SELECT coalesce(sum(revenue), 0) FROM mart.daily_sales WHERE date = %s", (date,))
        (reported,) = cursor.fetchone() or (0,)
        if (found, rows, revenue) != (written, written, reported):
            raise ValueError(
                f"the warehouse would have {found} rows and {revenue} of {date}, its mart {reported}, the partition {rows} rows, "
                f"its manifest {written}: nothing is loaded"
            )
    return {"rows": int(found), "revenue": str(revenue)}


@contextlib.contextmanager
def _refusals(date: str) -> Iterator[None]:
    """Turn what the database refuses, and would refuse again, into a failure of the task in one sentence."""
    import psycopg

    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise AirflowFailException(
            f"the database of the connection {CONNECTION} refuses: {error.diag.message_primary}: let its user make schemas "
            "there, then run again"
        ) from None
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        where = (error.diag.context or "").partition("\n")[0].partition(": ")[0]
        raise AirflowFailException(
            f"the database of the connection {CONNECTION} cannot hold what the partition of {date} has: "
            f"{error.diag.message_primary}{where and f' ({where})'}: nothing is loaded"
        ) from None


def csv_batches(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Yield a partition's rows as CSV without a header, with the number of rows in each piece.

    Args:
        folder: the partition's files.
    """
    from pyarrow import BufferOutputStream, csv, dataset

    rows = dataset.dataset(folder, format="parquet", exclude_invalid_files=False, ignore_prefixes=["_", "."])
    options = csv.WriteOptions(include_header=False)
    for batch in rows.to_batches(columns=list(COLUMNS), batch_size=BATCH_ROWS):
        stream = BufferOutputStream()
        csv.write_csv(batch, stream, write_options=options)
        yield batch.num_rows, stream.getvalue().to_pybytes()


def statements(script: str) -> list[str]:
    """Return the statements of a script: parameters of a driver's protocol belong to one statement."""
    return [part.strip() for part in script.split(";\n") if part.strip()]
