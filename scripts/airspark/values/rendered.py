"""What `helm template` says of values files: the charts' own sentences, without Helm's words around them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airspark.project import NAMESPACE, RELEASE
from airspark.values.helm_yaml import compact
from airspark.values.reading import Values, merged
from airspark.values.shape import CHARTS, SUBCHARTS, default, umbrella

#: `dags.gitSync.repo, dags.gitSync.ref: what is wrong`
SENTENCE = re.compile(r"(?P<keys>[A-Za-z][\w.<>\[\]/-]*(?:, [A-Za-z][\w.<>\[\]/-]*)*): (?P<said>\S.*)")
TEMPLATE = re.compile(r"cannot parse template \"(?P<text>(?:[^\"\\]|\\.)*)\"")
#: What Go writes for a character in a quoted text.
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def render(helm: Path, chart: str, values: Values) -> str:
    """Return what Helm says against values, or nothing if it renders.

    Args:
        helm: the program.
        chart: a folder of charts/.
        values: over the chart's defaults; they are not held against the schema.
    """
    command = [str(helm), "template", RELEASE, str(CHARTS / chart), "--namespace", NAMESPACE, "--skip-schema-validation"]
    given = compact(values)
    done = subprocess.run([*command, "--values", "-"], input=given, capture_output=True, encoding="utf-8", check=False)
    return done.stderr if done.returncode else ""


def problems(helm: Path, values: Values) -> list[str]:
    """Return the sentences of every chart on a values file of charts/airspark.

    Args:
        helm: the program.
        values: the file, or several files as Helm merges them.
    """
    found: list[str] = []
    # The charts' checks come before templates of the values and would hide one that fails, so templates are tried alone first.
    templates = _templates(values)
    while templates and (broken := _broken(said := render(helm, "airspark", templates), templates)):
        found += sentences(said, templates)
        templates, values = _without(templates, broken), _without(values, broken)
    said = render(helm, "airspark", values)
    # One that fails only beside the other values hides the rest in turn.
    while broken := _broken(said, values):
        found += sentences(said, values)
        values = _without(values, broken)
        said = render(helm, "airspark", values)
    if not said:
        return list(dict.fromkeys(found))
    found += sentences(said, values)
    # Helm stops at the first chart that refuses; each one alone says the rest
    alone = {**values, **{key: {**_map(values.get(key)), "enabled": False} for key in SUBCHARTS}}
    found += sentences(render(helm, "airspark", alone), values)
    umbrella_default = default("airspark")
    for key, folder in SUBCHARTS.items():
        whole = merged([default(folder), umbrella_default[key], _map(values.get(key))])
        if whole.get("enabled", True) is not False:
            shared = {"global": merged([umbrella_default["global"], _map(values.get("global"))])}
            found += sentences(render(helm, folder, {**whole, **shared}), values, key)
    own = list(dict.fromkeys(found))
    clear = [line for line in own if SENTENCE.fullmatch(line)]
    return clear or own


def _map(value: Any) -> Values:
    return value if isinstance(value, dict) else {}


def sentences(said: str, values: Values, chart: str = "") -> list[str]:
    """Return the sentences out of what Helm says.

    Args:
        said: its standard error.
        values: the values file, in which a template that fails is looked for.
        chart: the key of the chart that was rendered alone; otherwise Helm names it.
    """
    if not said.strip():
        return []
    place = re.search(r"(?:execution error at|template:) \(?airspark/charts/([\w-]+)/", said)
    folders = {folder: key for key, folder in SUBCHARTS.items()}
    chart = chart or (folders.get(place[1], place[1]) if place else "")
    if "execution error at" in said:
        lines = [
            line.strip() for line in said.splitlines()[1:] if line.strip() and not line.startswith(("Use --debug", "Error:"))
        ]
        return [qualified(line, chart) for line in lines]
    reason = said.strip().splitlines()[0].rsplit(": ", 1)[-1]
    if keys := _broken(said, values):
        return [f"{', '.join(keys)}: its template does not work: {reason}"]
    return [f"a template of the values does not work{f' in the chart {chart}' if chart else ''}: {reason}"]


def qualified(line: str, chart: str) -> str:
    """Return a chart's sentence with its keys as a values file of charts/airspark has them; `global` is every chart's.

    Args:
        line: for example "dags.gitSync.repo: set it, or switch `dags.gitSync.enabled` off".
        chart: the chart's key, or nothing for charts/airspark itself.
    """
    match = SENTENCE.fullmatch(line)
    if not chart or not match:
        return line
    known = umbrella()["properties"][chart]["properties"].keys() - {"global"}
    keys = ", ".join(key if key.startswith((f"{chart}.", "global.")) else f"{chart}.{key}" for key in match["keys"].split(", "))

    def quoted(word: re.Match[str]) -> str:
        return f"`{chart}.{word[1]}" if re.split(r"[.:\[ ]", word[1])[0] in known else word[0]

    return f"{keys}: {re.sub(r'`([^` ]+)', quoted, match['said'])}"


def _broken(said: str, values: Values) -> list[str]:
    """Return the dotted paths of the values whose template Helm could not read."""
    template = TEMPLATE.search(said)
    return list(_holders(values, _unquoted(template["text"]))) if template else []


def _unquoted(text: str) -> str:
    """Return a text that Go has quoted, as it was."""

    def meant(found: re.Match[str]) -> str:
        code = found[0][2:]
        return chr(int(code, 16)) if code else _ESCAPES.get(found[0][1], found[0][1])

    return re.sub(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", meant, text, flags=re.DOTALL)


def _holders(value: Any, text: str, path: str = "") -> Iterator[str]:
    """Yield the dotted paths of the templates in values that a text holds."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _holders(child, text, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _holders(child, text, f"{path}[{index}]")
    elif isinstance(value, str) and "{{" in value and any(form in text for form in _forms(value)):
        yield path


def _forms(template: str) -> tuple[str, str]:
    """Return how a template stands in a larger one: as it is, or quoted."""
    return template.strip(), json.dumps(template, ensure_ascii=False)[1:-1]


def _templates(value: Any) -> Any:
    """Return values with nothing but their templates; without one, what is empty."""
    if isinstance(value, dict):
        return {key: kept for key, child in value.items() if (kept := _templates(child))}
    if isinstance(value, list):
        return value if "{{" in json.dumps(value) else []
    return value if isinstance(value, str) and "{{" in value else None


def _without(values: Values, paths: list[str]) -> Values:
    """Return values without some keys; a list loses all its entries with one of them."""
    result: Values = json.loads(json.dumps(values))
    for path in paths:
        *parents, last = path.split("[")[0].split(".")
        part: Any = result
        for name in parents:
            part = part.get(name, {})
        part.pop(last, None)
    return result
