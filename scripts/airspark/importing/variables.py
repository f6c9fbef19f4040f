"""Variables that set options of airflow.cfg: they go the way of the options."""

from __future__ import annotations

import re
from typing import Any

import yaml

from airspark.importing.options import NO_BACKEND, OUTDATED, gone, moved, stale, translated
from airspark.importing.work import CHANGED, DROPPED, RENAMED, Work
from airspark.values import helm_yaml
from airspark.values.reading import lookup

#: AIRFLOW__CORE__SQL_ALCHEMY_CONN_SECRET is section, option, and where the value comes from.
VARIABLE = re.compile(r"AIRFLOW__(?P<section>[A-Z0-9_.]{1,100}?)__(?P<option>[A-Z0-9_]{1,100}?)(?P<source>_CMD|_SECRET)?$")
#: Keeps the place of a variable until `purge`: what is said of a later one names its place in the file.
GONE: dict[str, Any] = {}
LISTS = (
    "env", "secret", "apiServer.env", "cleanup.env", "createUserJob.env", "dagProcessor.env", "databaseCleanup.env",
    "migrateDatabaseJob.env", "scheduler.env", "triggerer.env", "webserver.env", "workers.env", "workers.celery.env",
    "workers.kubernetes.env",
)  # fmt: skip


def variables(work: Work) -> None:
    """Give variables that set options the names that Airflow 3 reads, wherever containers get variables."""
    for path in LISTS:
        items = work.get(path)
        if isinstance(items, list):
            kept = _variables(work, path, items)
            work.replace(path, [item for item in kept if item != GONE] if path == "secret" else kept)
    _extra(work)


def purge(work: Work) -> None:
    """Remove the places of variables that are gone, once nothing is said of the others by their place in the file any more."""
    for path in LISTS:
        items = work.get(path)
        if isinstance(items, list):
            _put(work, path, [item for item in items if item != GONE], items)
    text = work.get("extraEnv")
    items = _listed(text)
    rest = [item for item in items if item != GONE]
    if len(rest) < len(items):
        _put(work, "extraEnv", _dumped(rest) if rest else "", text)


def _put(work: Work, path: str, value: Any, before: Any) -> None:
    """Set what is left of a value, or remove the key if that is nothing and was something."""
    if value or not before:
        work.replace(path, value)
    else:
        work.take(path)


def _listed(text: Any) -> list[Any]:
    """Return the entries of `extraEnv`, and none where templates make it another list."""
    try:
        items = yaml.load(text, helm_yaml.Loader) if isinstance(text, str) else None
    except yaml.YAMLError:
        return []
    return items if isinstance(items, list) else []


def _dumped(items: list[Any]) -> str:
    """Return a list as the text of `extraEnv`, in whose long lines no template is broken."""
    return helm_yaml.dump(items)


def _variables(work: Work, path: str, items: list[Any]) -> list[Any]:
    """Return the entries of one list with the names that Airflow 3 reads, and GONE in place of those without an effect."""
    key = "envName" if path == "secret" else "name"
    names = {item.get(key) for item in items if isinstance(item, dict)}
    kept = []
    for item in items:
        name = str(item.get(key, "")) if isinstance(item, dict) else ""
        new, value, what, note = variable(name, item.get("value") if name else None)
        if _own_key(work, path, new or name, item):
            kept.append(GONE)
            continue
        if new in names:
            what, note = DROPPED, f"`{new}` is set, and counts"
        if what:
            work.say(f"{path}[{name}]", what, note)
        if what == RENAMED:
            names.add(new)
            kept.append({**item, key: new, **({"value": value} if "value" in item else {})})
        else:
            kept.append(GONE if what == DROPPED else item)
    return kept


def variable(name: str, value: Any) -> tuple[str, Any, str, str]:
    """Return a variable's new name and value, what became of it and a note; nothing became of most.

    Args:
        name: for example `AIRFLOW__WEBSERVER__BASE_URL`.
        value: a text, or None if it comes from elsewhere.
    """
    found = VARIABLE.match(name)
    if not found:
        return "", value, "", ""
    option = f"{found['section']}.{found['option']}".lower()
    if why := gone(option) or (OUTDATED if stale(moved(option) or option, value) else ""):
        return "", value, DROPPED, why
    new = moved(option)
    if not new:
        return "", value, "", ""
    changed, note = translated(option, value) if value is not None else (value, "")
    if note and not changed:
        return "", value, DROPPED, NO_BACKEND
    section, _, rest = new.partition(".")
    renamed = f"AIRFLOW__{section}__{rest}".upper() + (found["source"] or "")
    return renamed, changed, RENAMED, f"{renamed}{f'; {note}' if note else ''}"


def _own_key(work: Work, path: str, name: str, item: Any) -> bool:
    """Give the chart the API server's key where a variable of all containers brings it: the chart sets that variable itself."""
    if path not in ("env", "secret", "extraEnv") or name != "AIRFLOW__API__SECRET_KEY":
        return False
    if path == "secret":
        reference: Any = {"name": item.get("secretName"), "key": item.get("secretKey")}
    else:
        reference = lookup(item, "valueFrom.secretKeyRef") or {}
    said = f"{path}[{item.get('envName' if path == 'secret' else 'name')}]"
    text = item.get("value")
    if any(work.get(key) for key in ("apiSecretKeySecretName", "apiSecretKey", "webserverSecretKey")):
        work.say(said, DROPPED, "the API server's key is set by a key of the chart, and that counts")
    elif lookup(reference, "key") == "api-secret-key" and lookup(reference, "name"):
        work.put("apiSecretKeySecretName", reference["name"])
        work.say(said, RENAMED, "apiSecretKeySecretName")
    elif text and "{{" not in str(text) and "$(" not in str(text):
        work.put("apiSecretKey", str(text))
        work.say(said, RENAMED, "apiSecretKeySecretName, which names the Secret with it")
    else:
        return False
    return True


def _extra(work: Work) -> None:
    """Do the same in `extraEnv`, a text: names change where they stand, and a list without templates loses entries too."""
    text = work.get("extraEnv")
    if not isinstance(text, str):
        return
    if items := _listed(text):
        kept = _variables(work, "extraEnv", items)
        if kept != items:
            work.replace("extraEnv", _dumped(kept))
        return
    for name in sorted(set(re.findall(r"AIRFLOW__[A-Z0-9_]+", text))):
        new, _, what, note = variable(name, None)
        if what == RENAMED:
            text = re.sub(rf"\b{name}\b", new, text)
            work.say(f"extraEnv[{name}]", RENAMED, note)
        elif what == DROPPED:
            work.say(f"extraEnv[{name}]", CHANGED, f"kept, because it stands in a template, and has no effect: {note}; remove it")
    work.replace("extraEnv", text)
