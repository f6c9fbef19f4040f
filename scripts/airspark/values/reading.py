"""Read values files, and say in a sentence why one cannot be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from airspark.project import Failure
from airspark.values.helm_yaml import Loader

Values = dict[str, Any]
TEXT = "a values file is a text of keys and values"
EXAMPLE = "for example: airflow: {scheduler: {replicas: 2}}"


def parse(text: str, name: str) -> Values:
    """Return what a values file says.

    Args:
        text: its content.
        name: what messages call it.

    Raises:
        Failure: if it is not one YAML map.
    """
    try:
        found = list(yaml.load_all(text, Loader=Loader))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Failure(f"{name}{where} is not YAML: {problem.problem or problem.context}", _yaml_hint(problem)) from problem
    except yaml.YAMLError as problem:
        raise Failure(
            f"{name} is not YAML: {str(problem).splitlines()[0]}", "a values file is a text of keys and values"
        ) from problem
    filled = [document for document in found if document is not None]
    if len(filled) > 1:
        raise Failure(
            f"{name} has {len(filled)} documents, and Helm reads the first one only", "remove the lines `---` between them"
        )
    values = filled[0] if filled else {}
    if not isinstance(values, dict):
        raise Failure(
            f"{name} is {kind(values)} where a map of values is expected", "for example: airflow: {scheduler: {replicas: 2}}"
        )
    return values


def _yaml_hint(problem: yaml.MarkedYAMLError) -> str:
    """Return what most often causes such an error."""
    if "\\t" in str(problem.problem):
        return "indent by spaces, not by tabs"
    if "stands twice" in str(problem.problem):
        return "keep one of them: Helm refuses a key that stands twice"
    if re.search("is not a text|is not finite", str(problem.problem)):
        return "quote it, for Helm reads no such number"
    return "look at the indentation, and quote a text that begins with {{, %, @ or *"


def read(path: Path, example: str = "for example: make up VALUES=my-values.yaml") -> Values:
    """Return what a values file says.

    Args:
        path: the file.
        example: the command to call instead where the file is missing.

    Raises:
        Failure: if it is missing or not one YAML map.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        near = [other.name for other in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
        there = f"; YAML files there: {', '.join(near[:8])}" if near else ""
        raise Failure(f"the values file {path} {what}{there}", example)
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as problem:
        raise Failure(f"{path} is not a text in UTF-8", TEXT) from problem


def kind(value: Any) -> str:
    """Return what a value is, in words."""
    if value is None:
        return "empty"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a map"}
    return words.get(type(value), type(value).__name__)


def merged(files: list[Values]) -> Values:
    """Return several files as Helm merges them: maps by key, everything else by the last file.

    Args:
        files: the first counts least.
    """
    result: Values = {}
    for values in files:
        for key, value in values.items():
            there = result.get(key)
            result[key] = merged([there, value]) if isinstance(there, dict) and isinstance(value, dict) else value
    return result


def lookup(values: Any, path: str) -> Any:
    """Return the value at a dotted path, or None."""
    for name in path.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values
