"""Passwords and keys that stand in the values as texts: each becomes a Secret."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, unquote

from airspark.importing import looks
from airspark.importing.passwords import environment
from airspark.importing.work import CHANGED, DROPPED, OPEN, SECRET, NewSecret, Work, every_text
from airspark.project import Failure
from airspark.values.reading import kind
from airspark.values.shape import umbrella

KEYS = {
    "fernetKey": ("imported-fernet-key", "fernet-key", "fernetKeySecretName"),
    "config.core.fernet_key": ("imported-fernet-key", "fernet-key", "fernetKeySecretName"),
    "apiSecretKey": ("imported-api-secret-key", "api-secret-key", "apiSecretKeySecretName"),
    "webserverSecretKey": ("imported-api-secret-key", "api-secret-key", "apiSecretKeySecretName"),
    "config.api.secret_key": ("imported-api-secret-key", "api-secret-key", "apiSecretKeySecretName"),
    "jwtSecret": ("imported-jwt-secret", "jwt-secret", "jwtSecretName"),
    "config.api_auth.jwt_secret": ("imported-jwt-secret", "jwt-secret", "jwtSecretName"),
    "config.database.sql_alchemy_conn": ("imported-metadata", "connection", "data.metadataSecretName"),
    "dags.gitSync.sshKey": ("imported-git-ssh", "gitSshKey", "dags.gitSync.sshKeySecret"),
}
_LOGIN = re.compile(r"(?P<scheme>https?://)(?P<user>[^/@:\s]*)(?P<colon>:)?(?P<password>(?<=:)[^/@\s]*)?@(?P<rest>.+)", re.DOTALL)
#: A user's name is shorter than a token that stands in its place.
TOKEN_LENGTH = 20
#: The official chart's own defaults, which everybody knows.
KNOWN = ("admin", "postgres")
NEW_DATABASE = "the chart's PostgreSQL is a new one, whose password the bootstrap Job makes"


def keys(work: Work) -> None:
    """Make a Secret of every password and key that stands in the values.

    Raises:
        Failure: if a key is a map or a list, or a variable has a name that no Secret's key can have.
    """
    for path, (name, key, refer) in KEYS.items():
        text = text_at(work, path)
        if not text:
            work.take(path)
        elif work.get(refer):
            work.drop(path, f"`{refer}` names a Secret, and counts")
        else:
            secret(work, path, name, {key: text}, refer)
    work.drop(
        "webserverSecretKeySecretName",
        "its key is `webserver-secret-key`; the bootstrap Job makes an API server's key, or name a Secret with the key "
        "`api-secret-key` by apiSecretKeySecretName",
    )
    database(work)
    user(work)
    for name in ("elasticsearch", "opensearch"):
        index(work, name)
    registry(work)
    repository(work)
    environment(work)


def map_at(work: Work, path: str) -> dict[str, Any]:
    """Return the map at a path, which is empty if there is none.

    Raises:
        Failure: if something else stands there.
    """
    value = work.get(path)
    if value and not isinstance(value, dict):
        raise Failure(f"{path} is {kind(value)} where the official chart has a map", f"correct `{path}`, then call it again")
    return value or {}


def text_at(work: Work, path: str) -> str:
    """Return the text at a path, which is empty if there is none.

    Raises:
        Failure: if a map or a list stands there.
    """
    value = work.get(path)
    if value and isinstance(value, dict | list):
        raise Failure(f"{path} is {kind(value)} where the official chart has a text", f"correct `{path}`, then call it again")
    return looks.text(value) if value else ""


def secret(work: Work, path: str, name: str, data: dict[str, str], refer: str, kind: str = "", value: Any = None) -> None:
    """Take a text out of the values into a Secret; what a template gives is known to Helm alone, so that is left to the user.

    Args:
        work: the values.
        path: where the text stands.
        name: of the Secret.
        data: its contents by key.
        refer: the key that names the Secret from now on.
        kind: the Secret's type.
        value: of `refer`; the Secret's name by default.
    """
    work.take(path)
    if any(looks.is_template(content) for content in data.values()):
        open_template(work, path, name, "` and `".join(data), refer)
        return
    work.secrets.append(NewSecret(name, data, path, kind))
    work.put(refer, name if value is None else value)
    work.say(path, SECRET, f"{name}, named by {refer}")


def open_template(work: Work, path: str, name: str, key: str, refer: str) -> None:
    """Say which Secret to make of a template's text.

    Args:
        work: the values.
        path: where the template stands.
        name: a name for the Secret.
        key: the Secret's keys.
        refer: the key of the values that names the Secret.
    """
    work.made.add(path)
    work.say(path, OPEN, f"a template: make a Secret `{name}` with its rendered text under `{key}`, and name it by `{refer}`")


def database(work: Work) -> None:
    """Make a Secret of the metadata database's password.

    Raises:
        Failure: if the database is MySQL, or its connection is not a map.
    """
    connection = map_at(work, "data.metadataConnection")
    if str(connection.get("protocol", "")).startswith("mysql"):
        where = "data.metadataConnection.protocol"
        raise Failure(f"{where}: this chart runs on PostgreSQL, not on MySQL", "move the metadata first, then call it again")
    embedded = work.get("postgresql.enabled") is not False and not connection.get("host")
    named = work.get("data.metadataSecretName") or connection.get("passwordSecretName")
    password = text_at(work, "data.metadataConnection.pass") if connection.get("pass") is not None else None
    if password is not None and (embedded or named):
        work.drop("data.metadataConnection.pass", NEW_DATABASE if embedded else "a Secret is named, and counts")
    if connection.get("host"):
        for key in ("user", "db"):
            if key not in connection:
                work.change(f"data.metadataConnection.{key}", "postgres", "the official chart's default, written out")
    if password is not None and not (embedded or named):
        refer = "data.metadataConnection.passwordSecretName"
        secret(work, "data.metadataConnection.pass", "imported-database", {"password": password}, refer)
    if embedded:
        for key in ("user", "db"):
            if connection.get(key) == "postgres":
                work.drop(f"data.metadataConnection.{key}", "the official chart's default for its own PostgreSQL")
    for key in ("password", "postgresPassword", "replicationPassword"):
        work.drop(f"postgresql.auth.{key}", NEW_DATABASE)
    if work.get("postgresql.auth.existingSecret") and isinstance(work.get("postgresql.auth.secretKeys"), dict):
        work.drop("postgresql.auth.existingSecret", f"its keys are Bitnami's; {NEW_DATABASE}")


def user(work: Work) -> None:
    """Make a Secret of the first user's password.

    Raises:
        Failure: if it is a map or a list.
    """
    path = "createUserJob.defaultUser.password"
    password = text_at(work, path)
    if password in KNOWN:
        work.drop(path, "the official chart's default; the bootstrap Job makes a password at random")
    elif password and not work.get("createUserJob.existingSecret"):
        name = text_at(work, "createUserJob.defaultUser.username") or "admin"
        secret(work, path, "imported-admin", {"username": name, "password": password}, "createUserJob.existingSecret")
    else:
        work.drop(path, "`createUserJob.existingSecret` names a Secret, and counts")


def index(work: Work, name: str) -> None:
    """Make a Secret of the address of a search index, if it has a password.

    Raises:
        Failure: if its connection is not a map, or the password not a text.
    """
    connection = map_at(work, f"{name}.connection")
    password = text_at(work, f"{name}.connection.pass")
    if not password:
        return
    if work.get(f"{name}.secretName"):
        work.drop(f"{name}.connection", f"`{name}.secretName` names a Secret, and counts")
        return
    if any(looks.is_template(value) for value in connection.values()):
        open_template(work, f"{name}.connection", f"imported-{name}", "connection", f"{name}.secretName")
        work.take(f"{name}.connection")
        return
    login = f"{quote(looks.text(connection.get('user')), safe='')}:{quote(password, safe='')}"
    url = f"{connection.get('scheme', 'http')}://{login}@{connection.get('host', '')}:{connection.get('port', 9200)}"
    secret(work, f"{name}.connection", f"imported-{name}", {"connection": url}, f"{name}.secretName")


def registry(work: Work) -> None:
    """Make a Secret of the image registry's login.

    Raises:
        Failure: if its connection is not a map, or the password not a text.
    """
    connection = map_at(work, "registry.connection")
    user, password = text_at(work, "registry.connection.user"), text_at(work, "registry.connection.pass")
    if not password:
        work.take("registry.connection")
        return
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    entry = {"username": user, "password": password, "auth": login}
    document = json.dumps({"auths": {looks.text(connection.get("host")): entry}})
    given = work.get("imagePullSecrets")
    pulls = [*(given if isinstance(given, list) else []), {"name": "imported-registry"}]
    kind = "kubernetes.io/dockerconfigjson"
    secret(work, "registry.connection", "imported-registry", {".dockerconfigjson": document}, "imagePullSecrets", kind, pulls)


def repository(work: Work) -> None:
    """Make a Secret of the login in the address of the DAGs' repository."""
    path = "dags.gitSync.repo"
    match = _LOGIN.fullmatch(text_at(work, path))
    if not match or not (match["password"] or len(match["user"]) >= TOKEN_LENGTH):
        return
    if looks.is_template(match[0]):
        open_template(
            work, path, "imported-git-login", "GITSYNC_USERNAME` and `GITSYNC_PASSWORD", "dags.gitSync.credentialsSecret"
        )
        return
    named = next((key for key in ("credentialsSecret", "sshKeySecret") if work.get(f"dags.gitSync.{key}")), None)
    # A token alone opens a repository as the password of any user.
    user, password = (match["user"], match["password"]) if match["password"] else ("git", match["user"])
    if named:
        work.say(path, CHANGED, f"without its login: `dags.gitSync.{named}` names a Secret, and counts")
    else:
        data = {"GITSYNC_USERNAME": unquote(user), "GITSYNC_PASSWORD": unquote(password)}
        secret(work, path, "imported-git-login", data, "dags.gitSync.credentialsSecret")
    work.put(path, match["scheme"] + match["rest"])
    work.made.add(path)


def hosts(work: Work) -> None:
    """Say that the host of a repository must be known, which the official chart does not ask for."""
    path = "dags.gitSync.knownHosts"
    if work.get("dags.gitSync.enabled") and work.get("dags.gitSync.sshKeySecret") and not work.get(path):
        note = "write the lines that `ssh-keyscan` prints for the repository's host; without them any server could bring DAGs"
        work.made.add(path)
        work.say(path, OPEN, note)


def remaining(work: Work) -> None:
    """Name what looks like a password or a key and is still in the values."""
    known = umbrella()["properties"]["airflow"]["properties"]
    said = [row.key for row in work.rows if row.what == OPEN]
    for path, text in every_text(work.values):
        steps = re.split(r"[.\[]", path)
        own = steps[-1] if steps[0] not in known else ""
        # What extraSecrets holds is named with its key.
        if steps[0] == "extraSecrets" or any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in said):
            continue
        if looks.holds_one(text, own):
            work.made.add(path)
            work.say(path, OPEN, "a password stands in it: make a Secret of it, and name that in its place")


def brokers(work: Work) -> None:
    """Leave out what only Celery's broker and result backend need, without a look at it."""
    for path in ("redis", "data.brokerUrl", "data.resultBackendConnection"):
        if work.take(path) is not None:
            work.say(path, DROPPED, "the KubernetesExecutor needs no broker and no result backend")
