"""The jars beside PySpark's own: locked at the versions of versions.mk, fetched alone, refused if they changed."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from types import ModuleType

import pytest

from airspark.project import ROOT, versions

FOLDER = ROOT / "images/spark"


@pytest.fixture
def jars() -> ModuleType:
    """The script that the image's build runs."""
    spec = importlib.util.spec_from_file_location("jars", FOLDER / "jars.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_should_lock_every_jar_of_the_list_at_the_versions_of_versions_mk(
    jars: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, version in versions().items():
        monkeypatch.setenv(name, version)
    listed = jars.coordinates_in((FOLDER / "jars.in").read_text())
    locked = [line.split()[1] for line in (FOLDER / "jars.lock").read_text().splitlines()]
    assert locked == sorted(listed), "run: make lock"


def test_should_ask_for_the_named_jars_and_none_of_their_dependencies(jars: ModuleType) -> None:
    asked = ET.fromstring(jars.ivy_module(["org.example:one:1.0"])).findall(".//dependency")
    assert [one.attrib for one in asked] == [{"org": "org.example", "name": "one", "rev": "1.0", "conf": "default->master"}]


def test_should_end_the_build_with_a_sentence_if_a_jar_is_not_the_locked_one(jars: ModuleType) -> None:
    jars.check({"a:b:1": "11"}, {"a:b:1": "11"})
    with pytest.raises(SystemExit, match=r"a:b:1 has the SHA-256 22, but jars\.lock says 11"):
        jars.check({"a:b:1": "11"}, {"a:b:1": "22"})
