"""What the API server takes as labels, annotations and names; executors that it refuses never come, without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: A name, behind an optional DNS subdomain and a slash (Kubernetes' IsQualifiedName).
NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PREFIX_LENGTH = 253
#: A variable, as every supported version of Kubernetes takes it.
VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
#: A DNS label, as names of containers and volumes are.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_REMEDY = "write at most 63 small letters, digits and dashes, no dash first or last"
#: Annotations of one object together.
ANNOTATIONS_SIZE = 256 * 1024


def dns_name(text: str) -> bool:
    """Whether a text is a DNS name: labels of small letters, digits and dashes, with dots between them."""
    return bool(PREFIX.fullmatch(text)) and len(text) <= PREFIX_LENGTH


def dns_label(text: str) -> bool:
    """Whether a text is a DNS label."""
    return bool(LABEL.fullmatch(text))


def _key(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if slash and (not dns_name(prefix)):
        return f"the part before the slash of {key!r} is not a DNS name; write the key like example.com/{name or 'name'}"
    if not NAME.fullmatch(name):
        return f"{key!r} is not a valid key; write at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last"
    return None


def wrong_labels(entries: Mapping[str, str]) -> str | None:
    """Return what is wrong with labels, or nothing.

    Args:
        entries: values by key, placeholders filled in.
    """
    for key, value in entries.items():
        problem = _key(key)
        if problem:
            return problem
        if value and not NAME.fullmatch(value):
            return (
                f"{key} is {value!r}, which is not a valid value of a label; write at most 63 letters, digits, '-', '_' and '.', "
                "a letter or digit first and last"
            )
    return None


def wrong_annotations(entries: Mapping[str, str]) -> str | None:
    """Return what is wrong with annotations, or nothing."""
    problem = next((found for found in map(_key, entries) if found), None)
    if problem is None and sum(len(f"{key}{value}".encode()) for key, value in entries.items()) > ANNOTATIONS_SIZE:
        return "they are longer than 256 KiB together; shorten them"
    return problem


def wrong_variables(names: Iterable[str]) -> str | None:
    """Return what is wrong with names of variables, or nothing."""
    for name in names:
        if not VARIABLE.fullmatch(name):
            return f"{name!r} is not a valid name of a variable; write letters, digits, '-', '_' and '.', and no digit first"
    return None
