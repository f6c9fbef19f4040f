"""The bundle of `make dev`: which edits have every DAG parsed again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images/airflow"))

import airspark_checkout

DAG_FILE = "from airflow.sdk import DAG\nDAG('a')\n"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files of each request to parse."""
    found: list[list[str]] = []
    monkeypatch.setattr(airspark_checkout, "request_parsing", lambda bundle, paths: found.append(paths))
    return found


@pytest.fixture
def bundle(tmp_path: Path) -> Any:
    """A folder with two DAG files and a module, looked at once."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / ".airflowignore").write_text("pipelines/\n")
    (tmp_path / "pipelines/helper.py").write_text("# airflow DAG\nTEXT = 'a'\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(DAG_FILE)
    found = airspark_checkout.LocalDagBundle(name="dags-folder", path=str(tmp_path))
    found.refresh()
    return found


def test_should_parse_every_dag_file_again_if_a_module_beside_them_changed(bundle: Any, requests: list[list[str]]) -> None:
    (bundle.path / "pipelines/helper.py").write_text("# airflow DAG\nTEXT = 'other'\n")
    bundle.refresh()
    bundle.refresh()
    assert requests == [["a.py", "b.py"]]


@pytest.mark.parametrize("name", ["pipelines/new.py", "sql/query.sql"])
def test_should_parse_them_again_if_a_file_is_new_or_gone(bundle: Any, requests: list[list[str]], name: str) -> None:
    (bundle.path / name).parent.mkdir(exist_ok=True)
    (bundle.path / name).touch()
    bundle.refresh()
    (bundle.path / name).unlink()
    bundle.refresh()
    assert requests == [["a.py", "b.py"]] * 2


def test_should_leave_a_changed_dag_file_to_airflow(bundle: Any, requests: list[list[str]]) -> None:
    (bundle.path / "a.py").write_text(f"{DAG_FILE}# changed\n")
    (bundle.path / "c.py").write_text(DAG_FILE)
    bundle.refresh()
    assert requests == []


def test_should_ask_for_nothing_if_only_pythons_caches_changed(bundle: Any, requests: list[list[str]]) -> None:
    (bundle.path / "pipelines/__pycache__").mkdir()
    (bundle.path / "pipelines/__pycache__/helper.cpython-311.pyc").touch()
    bundle.refresh()
    assert requests == []


def test_should_take_a_link_to_nowhere(bundle: Any, requests: list[list[str]]) -> None:
    # Editors lock a file with one.
    os.symlink("me@host.1234", bundle.path / "pipelines/.#helper.py")
    bundle.refresh()
    assert requests == []
