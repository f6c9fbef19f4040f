"""The bootstrap in Airflow's image, against a real database: what it makes, keeps, removes and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .metadata import FERNET_KEYS, HIDDEN, SETTINGS, Metadata, at

LOCK_KEY = 4_151_250_211
ADMIN = {"role": "Admin", "email": "admin@example.com", "firstName": "Ada", "lastName": "Admin"}
READER = [{"action": "can_read", "resource": "DAGs"}, {"action": "can_edit", "resource": "DAG:etl"}]
BOB = {"roles": ["Viewer"], "email": "bob@example.com", "firstName": "Bob", "lastName": "B", "password": {"env": "BOB"}}


@pytest.fixture(scope="module")
def metadata() -> Iterator[Metadata]:
    """Yield a migrated database with a first user."""
    found = Metadata()
    try:
        found.start()
        lines = found.bootstrap({"migrate": True, "user": ADMIN, "databaseDeadlineSeconds": 30})
        assert lines[0].startswith("database: migrated in ")
        assert lines[1:] == ["user admin: created with role Admin"]
        yield found
    finally:
        found.stop()


def connection(metadata: Metadata, name: str) -> dict[str, Any]:
    """Return a connection as a task would get it; its secrets without the mark that no output may hold."""
    code = f"""
import json
from airflow.models import Connection
from airflow.utils.session import create_session
with create_session() as session:
    found = session.query(Connection).filter_by(conn_id={name!r}).one()
    fields = ("conn_type", "host", "login", "password", "schema", "port", "extra", "description")
    print(json.dumps({{field: getattr(found, field) for field in fields}}).replace({HIDDEN!r}, "*"))
"""
    done = metadata.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def can_log_in(metadata: Metadata, name: str, password: str) -> bool:
    """Tell whether the stored hash is that of a password."""
    stored = metadata.sql(f"SELECT password FROM ab_user WHERE username = '{name}'")
    code = f"from werkzeug.security import check_password_hash as check; print(check({stored!r}, {password!r}))"
    return metadata.run("python", "-c", code).stdout == "True\n"


def permissions(metadata: Metadata, role: str) -> set[str]:
    """Return a role's permissions as "action resource"."""
    return set(
        metadata.sql(
            "SELECT a.name || ' ' || v.name FROM ab_role r JOIN ab_permission_view_role pr ON pr.role_id = r.id"
            " JOIN ab_permission_view p ON p.id = pr.permission_view_id JOIN ab_permission a ON a.id = p.permission_id"
            f" JOIN ab_view_menu v ON v.id = p.view_menu_id WHERE r.name = '{role}'"
        ).splitlines()
    )


def test_connections_variables_and_pools_are_created_once_and_updated_to_what_the_values_say(metadata: Metadata) -> None:
    settings: dict[str, Any] = {
        "connections": {
            "made": {
                **{"type": "http", "host": "one", "port": 80, "description": "d", "password": {"env": "TEXT"}},
                "extra": {"env": "prod", "token": {"env": "TEXT"}},
            },
            "from_uri": {"uri": {"env": "URI"}},
        },
        "variables": {"made": {"value": {"a": [1]}, "description": "v"}, "text": {"value": {"env": "TEXT"}}},
        "pools": {"made": {"slots": 3, "description": "p", "includeDeferred": True}, "default_pool": {"slots": 7}},
    }
    env = {"TEXT": f"{HIDDEN}text", "URI": f"postgresql://me:{HIDDEN}p%40ss@db:5433/sales?sslmode=require"}
    made = ["connection made", "connection from_uri", "variable made", "variable text", "pool made"]
    assert metadata.bootstrap(settings, **env) == [f"{item}: created" for item in made] + ["pool default_pool: updated slots"]
    assert metadata.bootstrap(settings, **env) == [f"{item}: kept" for item in [*made, "pool default_pool"]]
    assert connection(metadata, "made") == {
        **{"conn_type": "http", "host": "one", "login": None, "password": "*text", "schema": None, "port": 80},
        **{"extra": '{"env": "prod", "token": "*text"}', "description": "d"},
    }
    found = connection(metadata, "from_uri")
    assert (found["conn_type"], found["login"], found["password"], found["port"]) == ("postgres", "me", "*p@ss", 5433)
    assert json.loads(found["extra"]) == {"sslmode": "require"}

    settings["connections"]["made"] = {"type": "http", "host": "two"}
    settings["variables"]["made"] = {"value": "changed"}
    settings["pools"]["made"]["slots"] = 0
    lines = metadata.bootstrap(settings, **env)
    assert "connection made: updated host, password, port, extra, description" in lines
    assert "variable made: updated val, description" in lines
    assert "pool made: updated slots" in lines
    found = connection(metadata, "made")
    assert (found["host"], found["password"], found["extra"]) == ("two", None, None)
    assert metadata.sql("SELECT slots, include_deferred FROM slot_pool WHERE pool = 'made'") == "0|t"
    pool = metadata.sql("SELECT slots, description FROM slot_pool WHERE pool = 'default_pool'")
    assert pool == "7|Default pool"


def test_a_bootstrap_behind_a_pooler_by_transaction_does_the_same_and_leaves_no_lock(metadata: Metadata) -> None:
    """Should hold its lock in a transaction, because a session's lock would stay with the pool."""
    lines = metadata.bootstrap({"migrate": True, "user": ADMIN}, AIRSPARK_POOLED="yes")
    assert lines[0].startswith("database: migrated in ") and lines[1] == "user admin: kept"
    assert metadata.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"


def test_what_is_gone_from_the_values_is_removed_only_if_the_bootstrap_made_it(metadata: Metadata) -> None:
    metadata.sql(
        "INSERT INTO connection (conn_id, conn_type, is_encrypted, is_extra_encrypted) VALUES ('theirs', 'http', false, false)",
        "INSERT INTO slot_pool (pool, slots, include_deferred) VALUES ('theirs', 1, false)",
    )
    settings = {
        "connections": {"ours": {"type": "http"}, "theirs": {"type": "http", "host": "h"}},
        "pools": {"ours": {"slots": 2}, "theirs": {"slots": 2}},
        "variables": {"ours": {"value": "x"}},
    }
    lines = metadata.bootstrap(settings)
    assert {"connection ours: created", "connection theirs: updated host", "pool theirs: updated slots"} < set(lines)
    lines = metadata.bootstrap()
    assert set(lines) == {"connection ours: removed", "variable ours: removed", "pool ours: removed"} | {
        line for line in lines if "made" in line or "text" in line or "from_uri" in line
    }
    assert metadata.sql("SELECT conn_id, host FROM connection WHERE conn_id IN ('ours', 'theirs')") == "theirs|h"
    assert metadata.sql("SELECT pool FROM slot_pool WHERE pool IN ('ours', 'theirs')") == "theirs"
    assert metadata.bootstrap() == []
    assert "connection ours: created" in metadata.bootstrap(settings)
    metadata.bootstrap()


def test_users_and_roles_follow_the_values(metadata: Metadata) -> None:
    settings: dict[str, Any] = {"roles": {"Reader": READER}, "users": {"bob": BOB | {"roles": ["Reader", "Viewer"]}}}
    assert metadata.bootstrap(settings, BOB=f"{HIDDEN}one") == ["role Reader: created", "user bob: created"]
    assert metadata.bootstrap(settings, BOB=f"{HIDDEN}one") == ["role Reader: kept", "user bob: kept"]
    assert permissions(metadata, "Reader") == {"can_read DAGs", "can_edit DAG:etl", "can_read Website"}
    assert can_log_in(metadata, "bob", f"{HIDDEN}one")

    settings["roles"]["Reader"] = [*READER[:1], {"action": "can_read", "resource": "Pools"}]
    settings["users"]["bob"] |= {"roles": ["Reader"], "email": "robert@example.com"}
    assert metadata.bootstrap(settings, BOB=f"{HIDDEN}two") == [
        "role Reader: updated permissions, 1 added, 1 removed",
        "user bob: updated email, roles, password",
    ]
    assert permissions(metadata, "Reader") == {"can_read DAGs", "can_read Pools", "can_read Website"}
    assert can_log_in(metadata, "bob", f"{HIDDEN}two")
    assert not can_log_in(metadata, "bob", f"{HIDDEN}one")
    assert metadata.bootstrap() == ["user bob: removed", "role Reader: removed"]
    assert metadata.sql("SELECT count(*) FROM ab_user WHERE username = 'bob'") == "0"
    assert metadata.sql("SELECT count(*) FROM ab_role WHERE name = 'Reader'") == "0"


def test_users_and_roles_of_others_are_updated_and_stay(metadata: Metadata) -> None:
    metadata.sql(
        "INSERT INTO ab_role (id, name) VALUES (nextval('ab_role_id_seq'), 'Theirs')",
        "INSERT INTO ab_user (id, first_name, last_name, username, email, active)"
        " VALUES (nextval('ab_user_id_seq'), 'E', 'E', 'eve', 'eve@example.com', true)",
    )
    eve = {"roles": ["Op"], "email": "eve@example.com", "firstName": "Eve", "lastName": "E"}
    assert metadata.bootstrap({"roles": {"Theirs": READER[:1]}, "users": {"eve": eve}}) == [
        "role Theirs: updated permissions, 1 added, 0 removed",
        "user eve: updated first_name, roles",
    ]
    assert metadata.bootstrap({"roles": {"Theirs": []}}) == ["role Theirs: kept"]
    assert metadata.bootstrap() == []
    assert metadata.sql("SELECT username FROM ab_user WHERE username = 'eve'") == "eve"
    assert "can_read DAGs" in permissions(metadata, "Theirs")


def test_the_first_users_password_follows_its_secret(metadata: Metadata) -> None:
    changed = {"ADMIN_PASSWORD": f"{HIDDEN}changed"}
    assert metadata.bootstrap({"user": ADMIN}, **changed) == ["user admin: updated password"]
    assert can_log_in(metadata, "admin", f"{HIDDEN}changed")
    assert metadata.bootstrap({"user": ADMIN}, **changed) == ["user admin: kept"]
    assert metadata.bootstrap({"user": ADMIN}) == ["user admin: updated password"]
    assert metadata.bootstrap() == []
    assert metadata.sql("SELECT count(*) FROM ab_user WHERE username = 'admin'") == "1"


def test_what_airflow_would_not_take_is_refused_in_one_sentence(metadata: Metadata) -> None:
    def role(action: str, resource: str) -> dict[str, Any]:
        return {"roles": {"Bad": [{"action": action, "resource": resource}]}}

    def connection(**given: Any) -> dict[str, Any]:
        return {"connections": {"good": {"type": "http"}, "bad": given}}

    taken = {"users": {"new": BOB | {"email": ADMIN["email"]}}}
    unreadable = "connections.bad: the uri, the port or the JSON of extra cannot be read"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"roles": {"Op": READER}}, "roles.Op: this role is Airflow's own"),
        (role("can_fly", "DAGs"), "roles.Bad: there is no action can_fly; actions are can_create"),
        (role("can_read", "Dagz"), "roles.Bad: there is no resource Dagz; resources are DAG:<id> and Actions"),
        ({"users": {"new": BOB | {"roles": ["Nope"]}}}, "user new: there is no role Nope; roles are Admin, Op, "),
        (taken, "user new: the user admin has the e-mail address admin@example.com already"),
        ({"connections": {"a b": {"type": "http"}}}, "connections.a b: a connection's id holds letters"),
        (connection(type="http", extra="{hidden-"), unreadable),
        (connection(type="http", port="hidden-"), unreadable),
        (connection(uri="a://b://hidden-://d"), unreadable),
        (connection(host="h"), "connections.bad: give a type, or a uri"),
    ]
    # One process for all, as importing Airflow is what takes the time.
    code = """
import json, pathlib, sys
sys.path.insert(0, "/scripts")
import bootstrap
for settings in json.load(sys.stdin):
    pathlib.Path("/tmp/settings.json").write_text(json.dumps(settings))
    assert bootstrap.main("/tmp/settings.json") == 1
    from airflow.settings import Session
    Session.remove()
"""
    done = metadata.run("python", "-c", code, stdin=json.dumps([SETTINGS | case for case, _ in cases]), BOB="x")
    assert done.returncode == 0, done.stderr
    for line, (_, sentence) in zip(done.stderr.splitlines(), cases, strict=True):
        assert line.startswith(f"bootstrap: {sentence}")
    # What goes before the mistake is not done either.
    assert metadata.sql("SELECT count(*) FROM connection WHERE conn_id = 'good'") == "0"
    assert metadata.sql("SELECT count(*) FROM airspark_managed WHERE name IN ('good', 'new', 'Bad')") == "0"


def test_a_new_fernet_key_re_encrypts_everything_so_that_the_old_one_can_go(metadata: Metadata) -> None:
    def key(text: str) -> dict[str, str]:
        return {"AIRFLOW__CORE__FERNET_KEY": text}

    old, new, other = FERNET_KEYS
    settings = {"connections": {"kept": {"type": "http", "password": {"env": "TEXT"}}}, "variables": {"kept": {"value": "x"}}}
    env = {"TEXT": f"{HIDDEN}text"}
    metadata.bootstrap(settings, **env)
    lines = metadata.bootstrap(settings, **env, **key(f"{new},{old}"))
    assert lines == [
        "fernet key: everything is encrypted with the first of the keys",
        "connection kept: kept",
        "variable kept: kept",
    ]
    # Kept means that the stored text, once decrypted, is the given one.
    assert metadata.bootstrap(settings, **env, **key(new)) == lines[1:]
    lost = metadata.refusal(settings, **env, **key(other))
    assert lost.startswith("the connection kept was encrypted with a Fernet key that is not given now; bring the key back")
    lost = metadata.refusal(settings, **env, **key(f"{other},{old}"))
    assert lost.startswith("the Fernet key was not rotated: something in the database was encrypted with a key")
    metadata.bootstrap(**key(new))


@pytest.mark.parametrize(
    ("settings", "env", "sentence"),
    [
        ({}, {"AIRSPARK_TIME_ZONE": "Asia/Seul"}, "global.timeZone: 'Asia/Seul' is not a time zone; write a name of the IANA"),
        ({"providers": ["nope"]}, {}, "the values ask for nope (providers), which the Airflow image does not have"),
        ({"providers": [{"package": "nope", "key": "logs.remote"}]}, {}, "the values ask for nope (logs.remote), which"),
        ({"variables": {"v": {"value": {"env": "NO"}}}}, {}, "variables.v.value is to come from the environment variable NO"),
        ({"authManager": "simple", "users": {"bob": {}}}, {}, "users: the simple auth manager keeps none in the database"),
        ({}, at(f"{HIDDEN}a/b"), "the database URL in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN cannot be read"),
        ({}, at(f"x@{HIDDEN}b"), "the database URL in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN cannot be read"),
        ({}, at(f"{HIDDEN}wrong"), "the database at 127.0.0.1:5432/airflow refuses the login after 1 s: "),
        ({}, at(port=1), "the database at 127.0.0.1:1/airflow does not answer after 1 s: "),
        ({}, at(database="no"), "the database at 127.0.0.1:5432/no does not answer after 1 s: "),
    ],
)
def test_what_cannot_work_is_refused_before_airflow_is_imported(
    metadata: Metadata, settings: dict[str, Any], env: dict[str, str], sentence: str
) -> None:
    assert metadata.refusal(settings, **env).startswith(sentence)


def test_a_database_that_cannot_be_written_to_is_refused(metadata: Metadata) -> None:
    metadata.sql("CREATE DATABASE readonly OWNER airflow", "ALTER DATABASE readonly SET default_transaction_read_only = on")
    metadata.sql(f"CREATE ROLE guest LOGIN PASSWORD '{HIDDEN}guest'")
    found = metadata.refusal(**at(database="readonly"))
    assert found.startswith("the database readonly is read-only for airflow")
    found = metadata.refusal(**at(f"{HIDDEN}guest", user="guest"))
    assert found == (
        "the user guest may not create tables in the database airflow; run there: GRANT CREATE ON SCHEMA public TO guest"
    )


@pytest.mark.parametrize(("table", "command"), [("alembic_version", "db"), ("alembic_version_fab", "fab-db")])
def test_a_schema_newer_than_the_image_is_refused_by_all(metadata: Metadata, table: str, command: str) -> None:
    database = f"newer_{table}"
    metadata.sql(f"CREATE DATABASE {database} OWNER airflow")
    metadata.sql(f"CREATE TABLE {table} AS SELECT 'ffffffffffff' AS version_num", database=database)
    metadata.sql(f"ALTER TABLE {table} OWNER TO airflow", database=database)
    where = at(database=database)
    sentence = metadata.refusal({"migrate": True}, **where)
    assert sentence.startswith(f"the database is at revision ffffffffffff of {table}, which apache-airflow")
    assert f"`airflow {command} downgrade --to-version " in sentence
    waiting = metadata.script("wait_for_migrations", **where)
    assert (waiting.returncode, waiting.stderr) == (1, f"wait for migrations: {sentence}\n")


def test_an_old_schema_is_refused_if_it_may_not_be_migrated(metadata: Metadata) -> None:
    metadata.sql("CREATE DATABASE empty OWNER airflow")
    found = metadata.refusal(**at(database="empty"))
    assert found.startswith("the database needs the migration to make alembic_version, and migrateDatabaseJob.enabled is false")


@pytest.mark.parametrize(("key", "what"), [(LOCK_KEY, "the bootstrap's lock"), (1, "Airflow's migration lock")])
def test_who_holds_a_lock_is_named(metadata: Metadata, key: int, what: str) -> None:
    with metadata.session("somebody", f"SELECT pg_advisory_lock({key})"):
        done = metadata.try_bootstrap({"migrate": True})
        waiting = None if key == 1 else metadata.run("timeout", "2", "python", "/scripts/wait_for_migrations.py")
    assert done.returncode == 1
    assert done.stdout.startswith(f"waiting for {what}, which somebody (pid ")
    assert done.stderr.startswith(f"bootstrap: {what} is not free after 2 s, somebody (pid ")
    assert "run `SELECT pg_terminate_backend(" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    if waiting:
        assert waiting.stdout == "waiting for the bootstrap Job to end\n"


def test_a_migration_that_fails_names_who_is_in_the_way_and_the_next_run_ends_it(metadata: Metadata) -> None:
    assert metadata.script("wait_for_migrations").stdout == "the database is migrated\n"
    done = metadata.run("airflow", "db", "downgrade", "--to-version", "3.2.0", "--yes")
    assert done.returncode == 0, done.stderr
    waiting = metadata.run("timeout", "2", "python", "/scripts/wait_for_migrations.py")
    assert waiting.stdout.startswith("waiting for the migration of alembic_version from ")
    with metadata.session("analyst", "LOCK TABLE alembic_version IN SHARE MODE"):
        sentence = metadata.refusal({"migrate": True})
    assert sentence.startswith("the migration failed, and pods that run keep serving: canceling statement due to lock timeout")
    assert "; these sessions have tables locked: analyst (pid " in sentence
    assert metadata.bootstrap({"migrate": True})[0].startswith("database: migrated in ")
    assert metadata.script("wait_for_migrations").returncode == 0


def test_waiting_ends_if_the_database_refuses_the_login(metadata: Metadata) -> None:
    done = metadata.script("wait_for_migrations", **at(f"{HIDDEN}wrong"))
    assert done.returncode == 1
    assert done.stderr.startswith("wait for migrations: the database refuses the login: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_newest_revision_is_found_among_migration_files(metadata: Metadata) -> None:
    code = """
import pathlib, sys
sys.path.insert(0, "/scripts")
from metadata_database import revisions
folder = pathlib.Path("/tmp")
(folder / "0001.py").write_text('revision = "aaa"\\ndown_revision = None\\n')
(folder / "0002.py").write_text("revision: str = 'bbb'\\ndown_revision: str = 'aaa'\\n")
(folder / "0003.py").write_text('revision = "ccc"\\ndown_revision = ("bbb", "aaa")\\n')
(folder / "__init__.py").write_text("")
print(sorted(revisions(folder).known), revisions(folder).newest)
(folder / "0004.py").write_text('revision = "ddd"\\ndown_revision = "bbb"\\n')
try:
    revisions(folder)
except ValueError as error:
    print(error)
"""
    done = metadata.run("python", "-c", code)
    assert done.stdout == "['aaa', 'bbb', 'ccc'] ccc\n/tmp has 2 newest revisions: ['ccc', 'ddd']\n", done.stderr


def test_airflow_trusts_what_it_signs_with_the_key_pair(metadata: Metadata) -> None:
    code = """
import json, pathlib, sys
sys.path.insert(0, "/scripts")
from create_secrets_recipes import jwks, rsa_private_key
from airflow.api_fastapi.auth.tokens import JWKS, JWTGenerator, JWTValidator
old, new = rsa_private_key(), rsa_private_key()
pathlib.Path("/tmp/jwks.json").write_text(jwks(new, jwks(old, "")))
for number, key in enumerate((old, new)):
    pathlib.Path("/tmp/key.pem").write_text(key)
    token = JWTGenerator(valid_for=60, audience="a").generate({"sub": str(number)})
    print(JWTValidator(audience="a", jwks=JWKS(url="/tmp/jwks.json")).validated_claims(token)["sub"])
"""
    done = metadata.run("python", "-c", code, AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH="/tmp/key.pem")
    assert done.stdout.splitlines() == ["0", "1"], done.stderr
