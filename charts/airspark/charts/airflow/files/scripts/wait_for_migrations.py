"""Wait until the metadata database has this image's schema and no bootstrap is at work on it.

Does what `airflow db check-migrations` does without importing Airflow, which would cost each waiting pod several
seconds of CPU: it reads the revision that no other revision builds on from the names inside the migration files,
for Airflow and for the FAB provider, and compares it with the database's.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import time
from pathlib import Path

import psycopg2

# Also in bootstrap.py, which holds it while it works.
LOCK_KEY = 4_151_250_211
REVISION = re.compile(r"^revision(?::[^=]+)?\s*=\s*[\"'](\w+)", re.MULTILINE)
DOWN_REVISION = re.compile(r"^down_revision(?::[^=]+)?\s*=\s*(.+)$", re.MULTILINE)


def head(folder: Path) -> str:
    """Return the newest revision of a folder of Alembic migrations.

    Raises:
        ValueError: if there is not exactly one.
    """
    texts = [path.read_text() for path in folder.glob("*.py")]
    revisions = {match[1] for text in texts if (match := REVISION.search(text))}
    built_on = {name for text in texts if (match := DOWN_REVISION.search(text)) for name in re.findall(r"\w+", match[1])}
    heads = revisions - built_on
    if len(heads) != 1:
        raise ValueError(f"{folder} has {len(heads)} newest revisions: {sorted(heads)}")
    return heads.pop()


def wanted_heads() -> dict[str, str]:
    """Return the newest revision by version table."""
    spec = importlib.util.find_spec("airflow")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("Airflow is not installed here")
    package = Path(spec.submodule_search_locations[0])
    heads = {"alembic_version": head(package / "migrations/versions")}
    fab = package / "providers/fab/migrations/versions"
    if fab.is_dir():
        heads["alembic_version_fab"] = head(fab)
    return heads


def missing(url: str, heads: dict[str, str]) -> str:
    """Return what is still to wait for, or an empty text.

    Args:
        url: SQLAlchemy or libpq URL of a PostgreSQL database.
        heads: wanted revision by version table.
    """
    try:
        connection = psycopg2.connect(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url), connect_timeout=5)
    except psycopg2.OperationalError as error:
        return f"the database: {str(error).strip().splitlines()[0]}"
    try:
        with connection, connection.cursor() as cursor:
            for table, wanted in heads.items():
                cursor.execute("SELECT to_regclass(%s)", [table])
                if cursor.fetchone()[0] is None:
                    return f"the migration to make {table}"
                cursor.execute(f"SELECT version_num FROM {table}")
                found = [row[0] for row in cursor.fetchall()]
                if found != [wanted]:
                    return f"the migration of {table} from {', '.join(found) or 'nothing'} to {wanted}"
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [LOCK_KEY])
            if not cursor.fetchone()[0]:
                return "the bootstrap Job to end"
    finally:
        connection.close()
    return ""


def main() -> int:
    """Wait for as long as it takes; the pod's status and this log say what for."""
    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    heads = wanted_heads()
    said = ""
    while reason := missing(url, heads):
        if reason != said:
            print(f"waiting for {reason}", flush=True)
            said = reason
        time.sleep(1)
    print("the database is migrated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
