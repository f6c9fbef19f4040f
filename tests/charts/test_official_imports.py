"""Values files of the official Airflow chart, imported: what each is documented to do there is what is rendered here.

Each file of official-imports/ has an expectation beside it, written from the official documentation. `objects` and `task` map a
path to what stands there, `config` an option of airflow.cfg, `mentions` texts that an object holds, `everywhere` texts that some
object holds, `secrets` what was taken out of the file, `rows` what the table says.
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from rendering import CUSTOM, LOADER, Object, cfg, find, render, task_pod

from airspark.importing.translate import translate
from airspark.project import versions
from airspark.values import shape
from airspark.values.reading import read

HERE = Path(__file__).resolve().parent / "official-imports"
FILES = sorted(path for path in HERE.glob("*.yaml") if ".expected" not in path.name)
STEP = re.compile(r"\.?(?P<name>[\w-]+)|\[(?P<index>\d+)\]|\['(?P<key>[^']+)'\]|\[(?P<item>[\w.-]+)\]")


def expected(path: Path) -> dict[str, Any]:
    """Return the expectation beside a file."""
    text = path.with_suffix(".expected.yaml").read_text().replace("{version}", versions()["AIRSPARK_VERSION"])
    return dict(yaml.load(text, Loader=LOADER))


def at(value: Any, path: str) -> Any:
    """Return what stands at a path such as spec.containers[base].image."""
    place = 0
    while place < len(path):
        step = STEP.match(path, place)
        assert step, path
        place = step.end()
        if step["index"]:
            value = value[int(step["index"])]
        elif step["item"]:
            value = next((item for item in value or [] if item.get("name") == step["item"]), None)
        else:
            value = (value or {}).get(step["name"] or step["key"])
    return value


def options(objects: list[Object]) -> dict[str, str]:
    """Return every option of airflow.cfg by section.option."""
    parser = configparser.RawConfigParser()
    parser.read_string(cfg(objects))
    return {f"{section}.{key}": value for section in parser.sections() for key, value in parser.items(section)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def should_have_the_documented_effect_of_an_official_values_file(path: Path) -> None:
    wanted, imported = expected(path), translate(read(path), path.name)
    objects = render(imported.values)
    pod = task_pod(objects)
    for name, checks in wanted.get("objects", {}).items():
        found = find(objects, *name.split("/"))
        assert {key: at(found, key) for key in checks} == checks, name
    checks = wanted.get("task", {})
    assert {key: at(pod, key) for key in checks} == checks
    given = options(objects)
    for key, value in wanted.get("config", {}).items():
        assert (given[key] if isinstance(value, str) else json.loads(given[key])) == value, key
    assert not set(wanted.get("no_config", [])) & set(given)
    for name, texts in wanted.get("mentions", {}).items():
        held = json.dumps(find(objects, *name.split("/")))
        assert not [text for text in texts if text not in held], name
    whole = json.dumps(objects).replace("\\\\", "\\").replace('\\"', '"')
    assert not [text for text in wanted.get("everywhere", []) if text not in whole]
    names = {f"{item['kind']}/{item['metadata']['name']}" for item in objects}
    assert not names & set(wanted.get("absent", []))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def should_say_what_became_of_each_key_and_take_secrets_out(path: Path) -> None:
    wanted, given = expected(path), read(path)
    imported = translate(given, path.name)
    assert {secret.name: secret.data for secret in imported.secrets} == wanted.get("secrets", {})
    said = {row.key: row.what for row in imported.rows}
    assert {key: said.get(key) for key in wanted["rows"]} == wanted["rows"]
    for secret in imported.secrets:
        for content in secret.data.values():
            assert content not in json.dumps(imported.values) or content == "ops"
            assert content not in str(imported.rows) + repr(imported.secrets) or content == "ops"
    for leaf in _leaves(given):
        assert any(leaf == key or leaf.startswith((f"{key}.", f"{key}[")) or key.startswith(leaf) for key in said), leaf


def _leaves(values: Any, path: str = "") -> list[str]:
    if isinstance(values, dict) and values:
        return [leaf for key, child in values.items() for leaf in _leaves(child, f"{path}.{key}".removeprefix("."))]
    return [] if values is None else [path]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def should_install_an_imported_file_on_every_supported_kubernetes(path: Path) -> None:
    values = translate(read(path), path.name).values
    assert shape.problems(values) == []
    for item in render(values):
        for version in ("1.34", "1.37") if item["kind"] not in CUSTOM else ():
            kubernetes_validate.validate(item, version, strict=True)
