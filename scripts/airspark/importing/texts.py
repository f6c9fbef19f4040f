"""Passwords and keys that stand in the values as texts: each becomes a Secret."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import yaml

from airspark.importing.work import DROPPED, SECRET, NewSecret, Work
from airspark.project import Failure
from airspark.values.reading import kind

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
OPTION = re.compile(r"(password|passwd|secret_key|token|access_key|client_secret|_secret)$")
NAME = re.compile(r"PASSWORD|PASSWD|SECRET(?!_NAME)|TOKEN|(?<!PUBLIC)_KEY$|SQL_ALCHEMY_CONN$")
#: A password in a URL, and in the JSON of an option such as `backend_kwargs`.
WITHIN = re.compile(
    r"://[^/@:\s]{0,200}:[^/@\s$]{1,500}@"
    r"|\"[^\"]{0,50}(password|passwd|token|secret|api_key|access_key)[^\"]{0,50}\"\s{0,10}:\s{0,10}\"[^\"]+\""
)
#: A login or a key in an Airflow connection, which is a URL or JSON.
LOGIN = re.compile(r"@|password|passwd|token|secret|key", re.IGNORECASE)
COMPONENTS = ("apiServer", "dagProcessor", "scheduler", "triggerer", "workers", "workers.kubernetes")
#: The official chart's own defaults, which everybody knows.
KNOWN = ("admin", "postgres")
NEW_DATABASE = "the chart's PostgreSQL is a new one, whose password the bootstrap Job makes"


def keys(work: Work) -> None:
    """Make a Secret of every password and key that stands in the values.

    Raises:
        Failure: if a key is a map or a list.
    """
    for path, (name, key, refer) in KEYS.items():
        text = work.get(path)
        if isinstance(text, dict | list) and text:
            raise Failure(f"{path} is {kind(text)} where the official chart has a text", f"correct `{path}`, then call it again")
        if not text:
            work.take(path)
        elif work.get(refer):
            work.drop(path, f"`{refer}` names a Secret, and counts")
        else:
            work.secret(path, name, {key: str(text)}, refer)
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
    environment(work)


def database(work: Work) -> None:
    """Make a Secret of the metadata database's password.

    Raises:
        Failure: if the database is MySQL.
    """
    connection = work.get("data.metadataConnection") or {}
    if str(connection.get("protocol", "")).startswith("mysql"):
        where = "data.metadataConnection.protocol"
        raise Failure(f"{where}: this chart runs on PostgreSQL, not on MySQL", "move the metadata first, then call it again")
    embedded = work.get("postgresql.enabled") is not False and not connection.get("host")
    named = work.get("data.metadataSecretName") or connection.get("passwordSecretName")
    password = connection.get("pass")
    if password is not None and (embedded or named):
        work.drop("data.metadataConnection.pass", NEW_DATABASE if embedded else "a Secret is named, and counts")
    if connection.get("host"):
        for key in ("user", "db"):
            if key not in connection:
                work.change(f"data.metadataConnection.{key}", "postgres", "the official chart's default, written out")
    if password is not None and not (embedded or named):
        refer = "data.metadataConnection.passwordSecretName"
        work.secret("data.metadataConnection.pass", "imported-database", {"password": str(password)}, refer)
    if embedded:
        for key in ("user", "db"):
            if connection.get(key) == "postgres":
                work.drop(f"data.metadataConnection.{key}", "the official chart's default for its own PostgreSQL")
    for key in ("password", "postgresPassword", "replicationPassword"):
        work.drop(f"postgresql.auth.{key}", NEW_DATABASE)
    if work.get("postgresql.auth.existingSecret") and isinstance(work.get("postgresql.auth.secretKeys"), dict):
        work.drop("postgresql.auth.existingSecret", f"its keys are Bitnami's; {NEW_DATABASE}")


def user(work: Work) -> None:
    """Make a Secret of the first user's password."""
    path = "createUserJob.defaultUser.password"
    password = work.get(path)
    if password in KNOWN:
        work.drop(path, "the official chart's default; the bootstrap Job makes a password at random")
    elif password and not work.get("createUserJob.existingSecret"):
        name = str(work.get("createUserJob.defaultUser.username") or "admin")
        work.secret(path, "imported-admin", {"username": name, "password": str(password)}, "createUserJob.existingSecret")
    else:
        work.drop(path, "`createUserJob.existingSecret` names a Secret, and counts")


def index(work: Work, name: str) -> None:
    """Make a Secret of the address of a search index, if it has a password."""
    connection: dict[str, Any] = work.get(f"{name}.connection") or {}
    if not connection.get("pass"):
        return
    if work.get(f"{name}.secretName"):
        work.drop(f"{name}.connection", f"`{name}.secretName` names a Secret, and counts")
        return
    login = f"{quote(str(connection.get('user', '')), safe='')}:{quote(str(connection['pass']), safe='')}"
    url = f"{connection.get('scheme', 'http')}://{login}@{connection.get('host', '')}:{connection.get('port', 9200)}"
    work.secret(f"{name}.connection", f"imported-{name}", {"connection": url}, f"{name}.secretName")


def registry(work: Work) -> None:
    """Make a Secret of the image registry's login."""
    connection: dict[str, Any] = work.get("registry.connection") or {}
    if not connection.get("pass"):
        work.take("registry.connection")
        return
    login = base64.b64encode(f"{connection.get('user', '')}:{connection['pass']}".encode()).decode()
    entry = {"username": str(connection.get("user", "")), "password": str(connection["pass"]), "auth": login}
    document = json.dumps({"auths": {str(connection.get("host", "")): entry}})
    pulls = [*(work.get("imagePullSecrets") or []), {"name": "imported-registry"}]
    kind = "kubernetes.io/dockerconfigjson"
    work.secret("registry.connection", "imported-registry", {".dockerconfigjson": document}, "imagePullSecrets", kind, pulls)


def environment(work: Work) -> None:
    """Give options of airflow.cfg and variables that are secrets to every container out of one Secret."""
    found: dict[str, tuple[str, str]] = {}
    for section, entries in (work.get("config") or {}).items():
        for option, value in (entries if isinstance(entries, dict) else {}).items():
            if isinstance(value, str) and value and "{{" not in value and (OPTION.search(option) or WITHIN.search(value)):
                found[f"config.{section}.{option}"] = (f"AIRFLOW__{section}__{option}".upper(), value)
    env = work.get("env") or []
    for number, item in enumerate(env):
        if _secret(item):
            found[f"env[{number}]"] = (str(item["name"]), str(item["value"]))
    extra = _listed(work.get("extraEnv"))
    for number, item in enumerate(extra):
        if _secret(item):
            found[f"extraEnv[{number}]"] = (str(item["name"]), str(item["value"]))
    components(work)
    if not found:
        return
    name = "imported-environment"
    listed = list(work.get("secret") or [])
    for path, (variable, _) in found.items():
        if path.startswith("config."):
            work.take(path)
        listed.append({"envName": variable, "secretName": name, "secretKey": variable})
        work.say(path, SECRET, f"{name}, named by secret[{len(listed) - 1}] as {variable}")
    rest = [item for number, item in enumerate(env) if f"env[{number}]" not in found]
    if len(rest) < len(env):
        work.take("env")
        if rest:
            work.values["env"] = rest
    if any(path.startswith("extraEnv[") for path in found):
        others = [item for number, item in enumerate(extra) if f"extraEnv[{number}]" not in found]
        work.take("extraEnv")
        if others:
            work.values["extraEnv"] = yaml.safe_dump(others, sort_keys=False, allow_unicode=True)
    work.put("secret", listed)
    work.secrets.append(NewSecret(name, dict(found.values()), ", ".join(found)))


def components(work: Work) -> None:
    """Take secrets among the variables of one component out of a Secret, where they stand."""
    for component in COMPONENTS:
        data: dict[str, str] = {}
        name = f"imported-{component.replace('.', '-').lower()}-environment"
        for number, item in enumerate(work.get(f"{component}.env") or []):
            if _secret(item):
                variable = str(item["name"])
                data[variable] = str(item.pop("value"))
                item["valueFrom"] = {"secretKeyRef": {"name": name, "key": variable}}
                work.say(f"{component}.env[{number}]", SECRET, f"{name}, named by its `valueFrom`")
        if data:
            work.made.add(f"{component}.env")
            work.secrets.append(NewSecret(name, data, f"{component}.env"))


def _secret(item: Any) -> bool:
    """Whether an entry of a list of variables holds a password or a key as a text."""
    if not isinstance(item, dict):
        return False
    name, value = str(item.get("name", "")), str(item.get("value") or "")
    if not value or "$(" in value or "{{" in value:
        return False
    found = LOGIN if name.startswith("AIRFLOW_CONN_") else WITHIN
    return bool(NAME.search(name) or found.search(value))


def _listed(text: Any) -> list[Any]:
    """Return the entries of a YAML list in a text, and none where templates make it another list."""
    try:
        items = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return []
    return items if isinstance(items, list) else []


def brokers(work: Work) -> None:
    """Leave out what only Celery's broker and result backend need, without a look at it."""
    for path in ("redis", "data.brokerUrl", "data.resultBackendConnection"):
        if work.take(path) is not None:
            work.say(path, DROPPED, "the KubernetesExecutor needs no broker and no result backend")
