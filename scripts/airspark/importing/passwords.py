"""Variables and options of airflow.cfg that hold a password or a key: each comes out of a Secret, and stands where it stood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from airspark.charts.schema import ignored_keys, refused_keys
from airspark.importing import looks
from airspark.importing.looks import Look
from airspark.importing.work import DROPPED, OPEN, SECRET, NewSecret, Work
from airspark.project import ROOT, Failure
from airspark.values.helm_yaml import Loader
from airspark.values.shape import umbrella

SHARED = "imported-environment"
#: What a key of a Secret may be called; no variable begins with a digit.
KEY = re.compile(r"(?!\.\.)[-._a-zA-Z][-._a-zA-Z0-9]{0,252}")
#: A variable in a text that is no YAML yet, or stands in a comment there.
_WRITTEN = re.compile(r"name[\"']?\s*:\s*[\"']?([\w.-]+)[\"']?[\s,#]*[\"']?value[\"']?\s*:[ \t]*[\"']?([^\s\"'][^\n]*)")
_TEMPLATE = "a template that gives a password: make a Secret with its rendered text, and name that by {}"
_REFERENCE = "a password stands beside a reference $(…): make a Secret of the password, and refer to that"
CHART = ROOT / "charts/airflow"


@dataclass
class _Entry:
    """A variable that becomes a Secret's, or an option that becomes one.

    Args:
        path: where it stands in the official values.
        variable: its name.
        value: its text.
    """

    path: str
    variable: str
    value: str


def environment(work: Work) -> None:
    """Give variables and options of airflow.cfg that are secrets to their containers out of Secrets.

    What every container gets shares one Secret; of several values of a variable the one that counts is in it.

    Raises:
        Failure: if a name cannot be the key of a Secret.
    """
    listed = [item for item in work.get("env") or [] if isinstance(item, dict)]
    extra = _listed(work.get("extraEnv"))
    given = {
        **{str(item.get("name")): f"env[{number}]" for number, item in enumerate(listed)},
        **{str(item.get("envName")): f"secret[{number}]" for number, item in enumerate(work.get("secret") or []) if _map(item)},
        **{str(item.get("name")): f"extraEnv[{number}]" for number, item in enumerate(extra or []) if _map(item)},
    }
    found = [*_options(work, given), *_list(work, "env", SHARED, given), *_text(work, extra)]
    _secret(work, SHARED, found)
    # Parts that the chart does not have are dropped later.
    gone = tuple(f"{key}." for key in (*ignored_keys(CHART), *refused_keys(CHART), "redis"))
    for path, items in list(_lists(work.values, umbrella()["properties"]["airflow"])):
        if path not in ("env", "extraEnv") and not path.startswith(gone):
            name = f"imported-{re.sub(r'[^a-z0-9]+', '-', path.removesuffix('.env').lower()).strip('-')}-environment"
            own = {str(item.get("name")): f"{path}[{number}]" for number, item in enumerate(items) if _map(item)}
            _secret(work, name, _list(work, path, name, own, items))


def _map(item: Any) -> bool:
    return isinstance(item, dict)


def _secret(work: Work, name: str, entries: list[_Entry]) -> None:
    """Make the Secret of some entries."""
    if entries:
        data = {entry.variable: entry.value for entry in entries}
        work.secrets.append(NewSecret(name, data, ", ".join(entry.path for entry in entries)))


def _lists(values: Any, schema: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield every list of variables that a container of the chart gets, with its path."""
    if isinstance(values, list):
        for number, item in enumerate(values):
            yield from _lists(item, {}, f"{path}[{number}]")
    for key, child in values.items() if isinstance(values, dict) else ():
        here = f"{path}.{key}".removeprefix(".")
        known = schema.get("properties", {})
        # Objects of the user's own may be in another namespace, where the Secret is not.
        if (known and key not in known) or here in ("extraObjects", "extraSecrets", "extraConfigMaps"):
            continue
        if isinstance(child, list) and key.lower().endswith("env"):
            yield here, child
        else:
            yield from _lists(child, known.get(key, {}), here)


def _options(work: Work, given: dict[str, str]) -> list[_Entry]:
    """Take options of airflow.cfg out of the values; a variable of the same name counts more."""
    found: list[_Entry] = []
    config = work.get("config")
    for section, entries in list(config.items() if isinstance(config, dict) else ()):
        for option, value in list(entries.items() if isinstance(entries, dict) else ()):
            path, look = f"config.{section}.{option}", looks.option(option, value)
            # As airflow.configuration names it
            variable = f"AIRFLOW__{section.replace('.', '_')}__{option}".upper()
            if look is Look.TEMPLATE:
                _open(work, path, _TEMPLATE.format(f"`secret` as the variable {variable}"))
            if look not in (Look.SECRET, Look.REFERENCE):
                continue
            # Airflow fills in no $(…) here: it is part of the text.
            del entries[option]
            if variable in given:
                work.say(path, DROPPED, f"`{given[variable]}` sets {variable}, and counts")
                continue
            found.append(_Entry(path, _checked(variable, path), looks.text(value)))
            listed = [*(work.get("secret") or []), {"envName": variable, "secretName": SHARED, "secretKey": variable}]
            work.put("secret", listed)
            work.say(path, SECRET, f"{SHARED}, named by secret[{len(listed) - 1}] as {variable}")
        if isinstance(entries, dict) and not entries:
            del config[section]
    if config == {}:
        work.take("config")
    return found


def _list(work: Work, path: str, name: str, given: dict[str, str], items: list[Any] | None = None) -> list[_Entry]:
    """Have the secrets of a list come out of a Secret; others of the same name, which do not count, go."""
    items = work.get(path) if items is None else items
    found: list[_Entry] = []
    dropped: list[Any] = []
    items = items if isinstance(items, list) else []
    for number, item in enumerate(items):
        look = looks.variable(str(item.get("name", "")), item.get("value")) if isinstance(item, dict) else Look.PLAIN
        here = f"{path}[{number}]"
        if look is Look.SECRET:
            variable = _checked(str(item["name"]), here)
            counts = given.get(variable, here)
            if counts != here:
                dropped.append(item)
                work.say(here, DROPPED, f"`{counts}` sets {variable}, too, and counts")
                continue
            found.append(_Entry(here, variable, looks.text(item.pop("value"))))
            item["valueFrom"] = _reference(name, variable)
            work.say(here, SECRET, f"{name}, named by its `valueFrom`")
        elif look is not Look.PLAIN:
            _open(work, here, _TEMPLATE.format("its `valueFrom`") if look is Look.TEMPLATE else _REFERENCE)
    items[:] = [item for item in items if not any(item is other for other in dropped)]
    if items and all(isinstance(item, dict) and "valueFrom" in item for item in items) and found:
        work.made.add(path)
    if dropped and not items and path == "env":
        work.take(path)
    return found


def _text(work: Work, items: list[Any] | None) -> list[_Entry]:
    """Have the secrets of extraEnv come out of a Secret; the rest of the text stays as it is.

    Raises:
        Failure: if a secret cannot be taken out of the text.
    """
    given = work.get("extraEnv")
    if not isinstance(given, str):
        return []
    found: dict[int, _Entry] = {}
    for number, item in enumerate(items or []):
        look = looks.variable(str(item.get("name", "")), item.get("value")) if _map(item) else Look.PLAIN
        here = f"extraEnv[{number}]"
        if look is Look.SECRET:
            found[number] = _Entry(here, _checked(str(item["name"]), here), looks.text(item["value"]))
            work.say(here, SECRET, f"{SHARED}, named by its `valueFrom`")
        elif look is not Look.PLAIN:
            _open(work, here, _TEMPLATE.format("its `valueFrom`") if look is Look.TEMPLATE else _REFERENCE)
    if found:
        changed = _replaced(given, {number: _reference(SHARED, entry.variable) for number, entry in found.items()})
        if changed is None:
            places = ", ".join(entry.path for entry in found.values())
            raise Failure(
                f"{places}: a password stands in this text in a form that the import cannot take out of it",
                "make a Secret of it, and name that by `valueFrom` there",
            )
        work.values["extraEnv"] = given = changed
        if len(found) == len(items or []):
            work.made.add("extraEnv")
    names = {str(item.get("name")) for item in items or [] if _map(item)}
    hidden = [
        name for name, value in _WRITTEN.findall(given) if name not in names and looks.variable(name, value) is not Look.PLAIN
    ]
    if hidden or (items is None and looks.holds_one(given)):
        which = f": {', '.join(dict.fromkeys(hidden))}" if hidden else ""
        why = "in a comment" if items is not None else "in a text that is YAML only after its templates"
        _open(
            work,
            "extraEnv",
            f"passwords stand {why}, which the import cannot take out{which}; make Secrets of them by `valueFrom`",
        )
    return list(found.values())


def _open(work: Work, path: str, note: str) -> None:
    """Leave a value where it is, with a sentence for the user."""
    work.made.add(path)
    work.say(path, OPEN, note)


def _reference(name: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


def _checked(name: str, path: str) -> str:
    """Return a variable's name if it can be the key of a Secret, too.

    Raises:
        Failure: if it cannot.
    """
    if not KEY.fullmatch(name):
        raise Failure(
            f"{path}: the variable {name!r} cannot come out of a Secret, whose keys are letters, digits, `_`, `-` and `.`",
            "give the variable another name, then call it again",
        )
    return name


def _listed(text: Any) -> list[Any] | None:
    """Return the entries of a YAML list in a text; None where it is no such list before its templates are filled in."""
    try:
        items = yaml.load(text, Loader) if isinstance(text, str) else []
    except yaml.YAMLError:
        return None
    return items if isinstance(items, list) else None


def _replaced(text: str, references: dict[int, dict[str, Any]]) -> str | None:
    """Return the text of a list of variables with references where some values stood, and the rest byte for byte.

    Args:
        text: the list.
        references: what `valueFrom` says, by the number of the entry.

    Returns:
        None where YAML's forms do not allow it, for example where the value is an alias.
    """
    wanted = _listed(text)
    root = yaml.compose(text, Loader)
    if wanted is None or not isinstance(root, yaml.SequenceNode):
        return None
    changed = text
    for number in sorted(references, reverse=True):
        reference, item = references[number]["secretKeyRef"], root.value[number]
        pair = next((pair for pair in item.value if pair[0].value == "value"), None)
        if pair is None:
            return None
        start, end = pair[0].start_mark.index, pair[1].end_mark.index
        line = f'valueFrom: {{secretKeyRef: {{name: {reference["name"]}, key: "{reference["key"]}"}}}}'
        changed = changed[:start] + line + ("\n" if text[start:end].endswith("\n") else "") + changed[end:]
        wanted[number] = {
            **{key: value for key, value in wanted[number].items() if key != "value"}, "valueFrom": references[number],
        }  # fmt: skip
    return changed if _listed(changed) == wanted else None
