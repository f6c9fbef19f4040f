"""What the scripts know of the metadata database, without importing Airflow, which costs seconds of CPU."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import parse_dsn

URL_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
# The bootstrap holds it while it works; who waits for the migration takes the shared side of it.
LOCK_KEY = 4_151_250_211
REVISION = re.compile(r"^revision(?::[^=\n]++)?\s*+=\s*+[\"'](\w+)", re.MULTILINE)
DOWN_REVISION = re.compile(r"^down_revision(?::[^=\n]++)?\s*+=\s*+(.+)$", re.MULTILINE)
REFUSALS = re.compile(
    r"authentication failed|no password supplied|role \".{0,63}\" does not exist|no pg_hba.conf entry|not permitted to log in"
)


class DatabaseError(Exception):
    """What makes the database of no use; the message is for the operator of the release."""


class Revisions(NamedTuple):
    """The schema versions that this image knows, of one version table."""

    known: frozenset[str]
    newest: str


def address(url: str) -> dict[str, str]:
    """Return the parts of a SQLAlchemy or libpq URL as libpq reads them.

    Raises:
        DatabaseError: if it cannot be read; the message holds nothing of it, because any part may be a password's.
    """
    try:
        parts: dict[str, str] = parse_dsn(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url))
    except psycopg2.ProgrammingError:
        parts = {}
    if not parts or "@" in parts.get("host", "") or not re.fullmatch(r"[0-9,]*", parts.get("port", "")):
        raise DatabaseError(
            f"the database URL in {URL_VARIABLE} cannot be read; percent-encode special characters of its password"
        )
    return parts


def connect(url: str, name: str) -> Any:
    """Return a connection that the server lists under a name.

    Args:
        url: SQLAlchemy or libpq URL of a PostgreSQL database.
        name: who connects.

    Raises:
        DatabaseError: if the URL cannot be read.
    """
    return psycopg2.connect(**{**address(url), "connect_timeout": "5", "application_name": name})


def reason(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def refused(error: BaseException) -> bool:
    """Tell whether the server answered and turned the login down, which waiting for the server does not mend."""
    return bool(REFUSALS.search(str(error)))


def revisions(folder: Path) -> Revisions:
    """Return what a folder of Alembic migrations knows.

    Raises:
        ValueError: if there is not exactly one newest revision.
    """
    texts = [path.read_text() for path in folder.glob("*.py")]
    known = {match[1] for text in texts if (match := REVISION.search(text))}
    built_on = {name for text in texts if (match := DOWN_REVISION.search(text)) for name in re.findall(r"\w+", match[1])}
    newest = known - built_on
    if len(newest) != 1:
        raise ValueError(f"{folder} has {len(newest)} newest revisions: {sorted(newest)}")
    return Revisions(frozenset(known), newest.pop())


def version_tables() -> dict[str, Revisions]:
    """Return what this image knows, by version table.

    Raises:
        ValueError: if Airflow is not installed here.
    """
    spec = importlib.util.find_spec("airflow")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("Airflow is not installed here")
    package = Path(spec.submodule_search_locations[0])
    tables = {"alembic_version": revisions(package / "migrations/versions")}
    fab = package / "providers/fab/migrations/versions"
    if fab.is_dir():
        tables["alembic_version_fab"] = revisions(fab)
    return tables


def pending(cursor: Any, tables: dict[str, Revisions]) -> str:
    """Return the first migration that the database still needs, or an empty text.

    Args:
        cursor: of a connection to the database.
        tables: what this image knows, by version table.

    Raises:
        DatabaseError: if the database is at a revision that this image does not know.
    """
    first = ""
    for table, (known, newest) in tables.items():
        cursor.execute("SELECT to_regclass(%s)", [table])
        if cursor.fetchone()[0] is None:
            first = first or f"the migration to make {table}"
            continue
        cursor.execute(f"SELECT version_num FROM {table}")
        found = [row[0] for row in cursor.fetchall()]
        if strange := sorted(set(found) - known):
            raise DatabaseError(newer(table, strange[0]))
        if found != [newest]:
            first = first or f"the migration of {table} from {', '.join(found) or 'nothing'} to {newest}"
    return first


def newer(table: str, revision: str) -> str:
    """Return the sentence about a revision that this image does not know."""
    from importlib.metadata import version

    fab = table.endswith("_fab")
    package = "apache-airflow-providers-fab" if fab else "apache-airflow"
    back = f"airflow {'fab-db' if fab else 'db'} downgrade --to-version {version(package)}"
    return (
        f"the database is at revision {revision} of {table}, which {package} {version(package)} of this image does not"
        f" know, so a newer image migrated it: use that image again, whose pods keep serving, or run `{back}` in it first"
    )
