"""YAML as Helm reads it, which is YAML 1.1 with the numbers of Go: the one place that reads and writes values files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

_PREFIX = "tag:yaml.org,2002:"
_TAGS: dict[type, str] = {
    bool: f"{_PREFIX}bool", int: f"{_PREFIX}int", float: f"{_PREFIX}float", str: f"{_PREFIX}str", type(None): f"{_PREFIX}null",
}  # fmt: skip
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    **{
        form: value
        for value, names in ((True, "y yes true on"), (False, "n no false off"), (None, "null"))
        for name in names.split()
        for form in (name, name.capitalize(), name.upper())
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{f"{sign}{form}": float(f"{sign}inf") for sign in ("", "+", "-") for form in (".inf", ".Inf", ".INF")},
}
#: Whole numbers by their base; underscores are left out before.
_WHOLE = (
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7]+"), 8),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), 10),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
#: Characters that YAML takes for the end of a line, or does not take at all, though JSON does.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def plain(text: str) -> Any:
    """Return what Helm reads where a scalar stands without quotes: None, true or false, a number, or the text.

    Args:
        text: the scalar.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _finite(text.replace("_", "")) if _FRACTION.fullmatch(text) else text
    if text[0] not in "+-0123456789":
        return text
    number = text.replace("_", "")
    for pattern, base in _WHOLE:
        if pattern.fullmatch(number):
            whole = _whole(number, base)
            if whole is not None:
                return whole
    return _finite(number, text) if _FLOAT.fullmatch(number) else text


def _whole(number: str, base: int) -> int | None:
    """Return a whole number that Go's 64 bits hold; one with a sign has a bit less."""
    digits = number.lstrip("+-")
    value = int(digits[2:] if base in (2, 16) or digits[1:2] in ("o", "O") else digits, base)
    value = -value if number[0] == "-" else value
    return value if -(2**63) <= value < (2**63 if number[0] in "+-" else 2**64) else None


def _finite(number: str, text: str | None = None) -> float | str:
    """Return a number with a fraction; one that is too large is a text."""
    value = float(number)
    return value if math.isfinite(value) else (text or number)


class _Resolver:
    """What is common to reading and writing: the tag of a scalar without quotes."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a node that says none."""
        if kind is yaml.ScalarNode and implicit[0]:
            return f"{_PREFIX}merge" if value == "<<" else _TAGS[type(plain(value))]
        names: dict[type, str] = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}
        return _PREFIX + names[kind]


class Loader(_Resolver, yaml.SafeLoader):
    """Reads YAML as Helm does; a key that stands twice in a map is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a map; its keys are texts."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_PREFIX}merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} stands twice", key.start_mark)
                seen.add(key.value)
                if key.tag in (_TAGS[float], _TAGS[type(None)]):
                    problem = f"the key {key.value or '(nothing)'} is not a text"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return {_key(name): value for name, value in super().construct_mapping(node, deep).items()}


def _key(name: Any) -> str:
    """Return a key as Helm has it: a text."""
    return str(name).lower() if isinstance(name, bool) else str(name)


def _scalar(loader: Loader, node: yaml.Node) -> Any:
    """Return the value of a scalar whose tag is one of those that Helm resolves."""
    value = plain(str(loader.construct_scalar(node)))  # type: ignore[arg-type]
    if isinstance(value, float) and not math.isfinite(value):
        raise yaml.constructor.ConstructorError(None, None, f"the number {node.value} is not finite", node.start_mark)
    if node.tag == _TAGS[float] and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if _TAGS.get(type(value)) != node.tag:
        problem = f"the value is not of the type {node.tag.removeprefix(_PREFIX)}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return value


def _other(loader: Loader, node: yaml.Node) -> Any:
    """Return what stands under a tag that Helm does not know: it takes no notice of the tag."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_scalar(node)  # type: ignore[arg-type]


def _binary(loader: Loader, node: yaml.Node) -> str:
    return loader.construct_yaml_binary(node).decode("utf-8", "replace")  # type: ignore[arg-type]


for _tag in (bool, int, float, type(None)):
    Loader.add_constructor(_TAGS[_tag], _scalar)
for _name in ("timestamp", "merge", "value"):
    Loader.add_constructor(f"{_PREFIX}{_name}", _other)
Loader.add_constructor(f"{_PREFIX}binary", _binary)
Loader.add_constructor(None, _other)


class _Dumper(_Resolver, yaml.SafeDumper):
    """YAML for people: texts of several lines stay that, nothing is an alias, and quotes are where Helm needs them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value is written out each time."""
        return True

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a scalar; one that any reader of YAML 1.1 takes for something else than a text is that, too."""
        found = super().resolve(kind, value, implicit)
        if found == _TAGS[str]:
            found = yaml.SafeDumper.resolve(self, kind, value, implicit)  # type: ignore[no-untyped-call]
        return found


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value and not value[0].isspace() else None
    return dumper.represent_scalar(_TAGS[str], value, style='"' if _ESCAPED.search(value) else style)


_Dumper.add_representer(str, _text)


def dump(values: Mapping[str, Any] | list[Any]) -> str:
    """Return values as a YAML text for people, which Helm reads as the same values.

    Args:
        values: a map, or a list in a text, in their order; no line is folded.
    """
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf))


def compact(values: Mapping[str, Any]) -> str:
    """Return values as a JSON text that Helm, which reads it as YAML, reads as the same values.

    Args:
        values: to be written.
    """
    text = json.dumps(values, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
