"""Texts without their secrets: what is known by its value, and what is known by its shape."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import yaml

REMOVED = "[removed]"
#: Shorter values stand in too many words to be looked for: those of a name, a port or a flag.
SHORTEST = 6
#: Keys of Secrets that hold no secret.
OPEN_KEYS = re.compile(
    r"(?:^|[-_.])(?:username|user|login|database|dbname|host|port|scheme)$|\.crt$|^known_hosts$|\.pub$", re.IGNORECASE
)
#: Maps of values whose texts are the user's own, whatever their names.
OWN_MAPS = ("connections", "variables", "extraSecrets")

# Patterns begin where a word begins, look ahead before they take, and take without a way back: a log is read once.
_TELLING = (
    r"(?:(?<!com)(?<!by)(?<!tres)pass(?:word|wd|phrase)?(?![a-z])|pwd|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key"
    r"|account[-_]?key|encryption[-_]?key|shared[-_]?key|fernet|sql[-_]?alchemy[-_]?conn|webhook|signature|dsn(?![a-z])|[_.]key(?![a-z])"
    r"|airflow_conn_|airflow_var_)"
)
#: A name that ends like this says where a secret is, or how it is used.
_ABOUT = r"(?:names?|refs?|files?|paths?|seconds|minutes|enabled|type|mode|namespace|template|policy|account|length|count|url)"
_NAMED = rf"(?=[\w.-]*?{_TELLING})(?![\w.-]*?{_ABOUT}[\"'\\]*+\s*+[:=])[\w.-]++"
_HARMLESS = r"(?!(?:true|false|null|none|yes|no|[0-9]{1,6}|\"\"|''|\{\}|\[\])(?![\w.-])|<set to |\[removed\]|[|>][+-]?\s)"
_VALUE = r"(?:\\*+\"[^\"\n]*+\"?|'[^'\n]*+'?|[^\s,;&\"'}\]]++)"
_PATTERNS: tuple[tuple[str, str], ...] = (
    # A private key, whole or without its end.
    (
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        REMOVED,
    ),
    # A JSON web token.
    (r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)?", REMOVED),
    # A header, up to the end of the line or of the text that holds it.
    (r"(?i)(?<![\w-])((?:proxy-)?authorization[\"'\\]*+\s*+[:=,]\s*+[\"'\\]*+)[^\"'\r\n\\]++", rf"\1{REMOVED}"),
    (r"(?i)(?<![\w-])(bearer|basic)(\s++)(?=[\w.~+/=-]{8})[\w.~+/=-]++", rf"\1\2{REMOVED}"),
    (r"(?i)(?<![\w-])((?:set-)?cookie[\"'\\]*+\s*+:\s*+)[^\r\n]++", rf"\1{REMOVED}"),
    # The login of a URL: a user stays, a token alone goes.
    (r"(://[^\s:/@?#\"'<>]*+:)[^\s\"'<>]{0,200}@", rf"\1{REMOVED}@"),
    (r"(://)[^\s:/@?#\"'<>]{12,200}@", rf"\1{REMOVED}@"),
    (r"(?i)([?&](?:sig|signature|key|code|x-amz-[a-z-]{1,30}|x-goog-[a-z-]{1,30})=)[^&\s\"'<>]++", rf"\1{REMOVED}"),
    (r"(?i)(hooks\.slack\.com/(?:services|workflows)/)[\w/+-]++", rf"\1{REMOVED}"),
    # Keys that begin with what they are.
    (
        r"(?<![\w-])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)|gh[opsur]_\w{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+|xox[a-z]-[\w-]{10,}+"
        r"|AIza[\w-]{30,}+|sk-[\w-]{16,}+|hf_\w{20,}+|dapi[0-9a-f]{32}|SG\.[\w-]{16,}+\.[\w-]{16,}+|pypi-[\w-]{16,}+|npm_\w{30,}+)",
        REMOVED,
    ),
    # An argument of a command, as a text or as a list.
    (
        rf"(?i)(?<![\w.-])(--(?=[\w.-]*?{_TELLING})(?![\w.-]*?{_ABOUT}(?![\w.-]))[\w.-]++(?:\s++|[\"'][,\s\\]++))(?!-){_HARMLESS}{_VALUE}",
        rf"\1{REMOVED}",
    ),
    # A property of Spark's, which needs no sign between name and value.
    (
        rf"(?<![\w.-])((?=(?:spark|fs|ssl|javax)\.[\w.-]*?{_TELLING})(?![\w.-]*?{_ABOUT}(?![\w.-]))[\w.-]++[^\S\n]++){_HARMLESS}{_VALUE}",
        rf"\1{REMOVED}",
    ),
    # A word for it, and what has a digit and the length of one.
    (
        r"(?i)(?<![\w-])((?:token|password|secret|key)(?:\s(?:is|was|to))?\s++)(?=[\w.~+/=-]{12})(?=[^\s0-9]{0,40}[0-9])[\w.~+/=-]++",
        rf"\1{REMOVED}",
    ),
    # A pair of name and value in two lines, as variables of a container stand in YAML.
    (
        rf"(?i)(?<![\w.-])(name:\s++[\"']?(?=[\w.-]*?{_TELLING})[\w.-]++[\"']?[^\S\n]*+\n[^\S\n]*+value:[^\S\n]*+){_HARMLESS}[^\n]++",
        rf"\1{REMOVED}",
    ),
    (rf"(?i)(?<![\w.-])({_NAMED}[\"'\\]*+\s*+(?:=>|[:=])\s*+){_HARMLESS}{_VALUE}", rf"\1{REMOVED}"),
)
_SHAPES = tuple((re.compile(pattern), instead) for pattern, instead in _PATTERNS)


def cleaner(secrets: Iterable[Mapping[str, Any]] = ()) -> Callable[[str], str]:
    """Return what takes secrets out of a text.

    Args:
        secrets: objects of the kind Secret, whose values are looked for in every form in which they are written.
    """
    known = sorted({form for secret in secrets for value in values(secret) for form in forms(value)}, key=len, reverse=True)

    def clean(text: str) -> str:
        for value in known:
            text = text.replace(value, REMOVED)
        for pattern, instead in _SHAPES:
            text = pattern.sub(instead, text)
        return text

    return clean


def values(secret: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is secret in a Secret: each value, each line of it, the passwords in its URLs.

    Args:
        secret: the object; records of Helm's releases hold no values of their own.
    """
    if secret.get("type") == "helm.sh/release.v1":
        return
    for key, encoded in (secret.get("data") or {}).items():
        try:
            text = base64.b64decode(encoded).decode()
        except (binascii.Error, UnicodeDecodeError):
            yield encoded
            continue
        if OPEN_KEYS.search(key):
            continue
        yield text.strip()
        yield from (line.strip() for line in text.splitlines() if "\n" in text.strip())
        yield from _passwords(text)


def _passwords(text: str) -> Iterator[str]:
    for word in text.split():
        try:
            found = urlsplit(word.strip("\"',")).password
        except ValueError:
            continue
        if found:
            yield found
            yield unquote(found)


def forms(value: str) -> set[str]:
    """Return the forms in which a value may be written: as it is, in JSON, in a URL, in base64."""
    if len(value) < SHORTEST or re.fullmatch(r"-----[A-Z0-9 ]{1,60}-----|[{}\[\]()\s,]{1,60}", value):
        return set()
    raw = value.encode()
    encoded = {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    texts = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, quote(value), quote(value, safe=""), *texts, *encoded}


def of_values(text: str) -> str:
    """Take the texts of maps that are the user's own out of a values file: connections, variables, Secrets.

    Args:
        text: YAML as Helm prints it; something else is returned as it is.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if not isinstance(found, dict):
        return text
    return str(yaml.safe_dump(_without_own(found), sort_keys=False, allow_unicode=True, width=10_000))


def _without_own(value: Any, own: bool = False) -> Any:
    if isinstance(value, dict):
        return {key: _without_own(child, own or key in OWN_MAPS) for key, child in value.items()}
    if isinstance(value, list):
        return [_without_own(child, own) for child in value]
    return REMOVED if own and value not in (None, "", True, False) else value
