"""What the bootstrap is asked to do: settings.json with its references to the environment filled in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

# Upper case only, so that `extra: {"env": "prod"}` stays what it says.
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
DEFAULTS: dict[str, Any] = {
    "databaseDeadlineSeconds": 300,
    "lockDeadlineSeconds": 600,
    "migrate": True,
    "authManager": "fab",
    "user": None,
    "connections": {},
    "variables": {},
    "pools": {},
    "roles": {},
    "users": {},
    "providers": [],
}


class BootstrapError(Exception):
    """What stops the bootstrap; the message is for the operator of the release."""


def environment(name: str, path: str) -> str:
    """Return the text of an environment variable.

    Args:
        name: of the variable.
        path: what asks for it.

    Raises:
        BootstrapError: if it is not set.
    """
    if name not in os.environ:
        raise BootstrapError(f"{path} is to come from the environment variable {name}, which this pod does not have")
    return os.environ[name]


def resolved(value: Any, path: str) -> Any:
    """Return a value with each {"env": NAME} in it replaced by that variable's text.

    Args:
        value: anything that JSON holds.
        path: where it stands in the settings.

    Raises:
        BootstrapError: if a variable is not set.
    """
    if isinstance(value, list):
        return [resolved(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    name = value.get("env")
    if len(value) == 1 and isinstance(name, str) and VARIABLE.fullmatch(name):
        return environment(name, path)
    return {key: resolved(item, f"{path}.{key}") for key, item in value.items()}


def load(path: Path) -> dict[str, Any]:
    """Return the settings, complete and with no reference left.

    Args:
        path: of settings.json.

    Raises:
        BootstrapError: if a variable is not set, or something is asked for that the auth manager does not have.
    """
    given = DEFAULTS | json.loads(path.read_text())
    settings = {key: resolved(value, key) for key, value in given.items()}
    if settings["authManager"] != "fab" and (asked := [key for key in ("user", "users", "roles") if settings[key]]):
        raise BootstrapError(
            f"{' and '.join(asked)}: the {settings['authManager']} auth manager keeps none in the database;"
            " leave them out, or use the FAB auth manager"
        )
    if settings["user"]:
        settings["user"]["username"] = environment("ADMIN_USERNAME", "the first user's name")
        settings["user"]["password"] = environment("ADMIN_PASSWORD", "the first user's password")
    return settings
