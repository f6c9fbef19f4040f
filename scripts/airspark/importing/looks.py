"""What looks like a password or a key: by the name of a variable or an option, or by what stands in a text."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any

_OPTION = re.compile(
    r"(password|passwd|passphrase|secret_key|token|access_key|api_?key|private_key|client_secret|_secret|_pass|_pwd)$",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET(?!_NAME)|TOKEN|WEBHOOK|API_?KEY|(?<!PUBLIC)_KEY$|(?:_|DB|^)PASS$|(?:_|DB)(?:PWD|PAT)$"
    r"|SQL_ALCHEMY_CONN$",
    re.IGNORECASE,
)
#: A password in a URL, and in the JSON of an option such as `backend_kwargs`, and a private key. A name that goes on, such as
#: `token_key` or `access_token_url`, says how a secret is used.
_WITHIN = re.compile(
    r"://[^/@:\s]{0,200}:(?:[^/@\s$]|\$(?!\()){1,500}@"
    r"|\"[^\"]{0,50}(password|passwd|passphrase|token|secret|(api|access|private|secret)_?key)(_?(value|text|data|[0-9]{1,3}))?\""
    r"\s{0,10}:\s{0,10}\"[^\"]+\""
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
)
#: A line such as `password: text` or `SECRET_KEY = "text"`.
_LINE = re.compile(
    r"^[ \t-]*[\"']?[\w.-]{0,50}(?:password|passwd|passphrase|token|secret_key|api_key|access_key)[\"']?[ \t]*"
    r"(?::[ \t]*(?![|>{\[]|[\w.]+\()[\"']?[^\s\"'{$]|=[ \t]*[\"'][^\"'{$\n])",
    re.IGNORECASE | re.MULTILINE,
)
#: A login or a key in an Airflow connection, which is a URL or JSON.
_LOGIN = re.compile(r"@|password|passwd|token|secret|key", re.IGNORECASE)


class Look(Enum):
    """What a text looks like: nothing secret, a secret, or one that is known only after templates or references are filled in."""

    PLAIN = "plain"
    SECRET = "secret"
    TEMPLATE = "template"
    REFERENCE = "reference"


def text(value: Any) -> str:
    """Return a value as the text that a chart makes of it; nothing for an empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def variable(name: str, value: Any) -> Look:
    """Return what the value of a variable looks like.

    Args:
        name: of the variable.
        value: a text, or what stands in its place.
    """
    found = _LOGIN if name.upper().startswith("AIRFLOW_CONN_") else _WITHIN
    return _look(value, bool(_NAME.search(name)), found)


def option(name: str, value: Any) -> Look:
    """Return what the value of an option of airflow.cfg looks like.

    Args:
        name: of the option.
        value: a text, or what stands in its place.
    """
    return _look(value, bool(_OPTION.search(name)), _WITHIN)


def _look(value: Any, named: bool, found: re.Pattern[str]) -> Look:
    whole = text(value)
    bare = _filled(whole, "x")
    within = bool(found.search(bare))
    if not whole or isinstance(value, bool | dict | list) or whole.lower() in ("true", "false") or not (named or within):
        return Look.PLAIN
    if is_template(whole):
        return Look.TEMPLATE
    if "$(" in whole:
        return Look.REFERENCE if _WITHIN.search(bare) else Look.PLAIN
    return Look.SECRET


def _filled(text: str, instead: str) -> str:
    """Return a text with something else in place of each template, in a time that grows with its length."""
    head, *parts = text.split("{{")
    cut = (part.partition("}}") for part in parts)
    return head + "".join(f"{instead}{rest}" if closed else "{{" + inside for inside, closed, rest in cut)


def is_template(value: Any) -> bool:
    """Whether a text is filled in by Helm."""
    return isinstance(value, str) and "{{" in value


def holds_one(value: str, name: str = "") -> bool:
    """Whether a password or a key stands somewhere in a text.

    Args:
        value: a text of any kind, for example a file's.
        name: the key that it stands under, if that is one of the user's own.
    """
    bare = _filled(value, "{{x}}")
    return bool(_WITHIN.search(_filled(value, "x")) or _LINE.search(bare) or (value and _OPTION.search(name)))
