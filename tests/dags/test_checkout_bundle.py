"""The bundle of `make dev`: which edits have which DAG files parsed again."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
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


@pytest.fixture(autouse=True)
def results(monkeypatch: pytest.MonkeyPatch) -> dict[str, airspark_checkout.Parsed]:
    """What the database has of the last parsing of files."""
    found: dict[str, airspark_checkout.Parsed] = {}
    monkeypatch.setattr(airspark_checkout, "parsed", lambda _, paths: {path: found[path] for path in paths if path in found})
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


def test_should_parse_a_changed_or_new_dag_file_and_no_other(bundle: Any, requests: list[list[str]]) -> None:
    (bundle.path / "a.py").write_text(f"{DAG_FILE}# changed\n")
    (bundle.path / "c.py").write_text(DAG_FILE)
    bundle.refresh()
    bundle.refresh()
    assert requests == [["a.py", "c.py"]]


@pytest.mark.parametrize(
    ("began", "again"),
    # In seconds after the change; None: an import error, which is stored without a duration.
    [(-1.0, [["a.py"]]), (0.5, [["a.py"]]), (None, [["a.py"]]), (3.0, [])],
)
def test_should_parse_a_file_once_more_if_the_change_may_have_come_while_it_was_parsed(
    bundle: Any, requests: list[list[str]], results: dict[str, Any], began: float | None, again: list[list[str]]
) -> None:
    (bundle.path / "a.py").write_text(f"{DAG_FILE}# changed\n")
    results["a.py"] = (datetime.now(UTC) - timedelta(seconds=9), None)
    bundle.refresh()
    bundle.refresh()
    assert requests == [["a.py"]], "what ended before the change says nothing of it"
    now = datetime.now(UTC)
    results["a.py"] = (now + timedelta(seconds=5), None if began is None else now + timedelta(seconds=began))
    bundle.refresh()
    bundle.refresh()
    assert requests[1:] == again


def test_should_read_when_files_were_parsed_from_airflows_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    from airflow.models import DagModel
    from airflow.models.dagbag import DagPriorityParsingRequest
    from airflow.models.errors import ParseImportError
    from airflow.utils import session
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    engine = create_engine("sqlite://")
    for model in (DagModel, ParseImportError, DagPriorityParsingRequest):
        model.__table__.create(engine)
    monkeypatch.setattr(session, "create_session", sessionmaker(engine).begin)
    at = datetime(2026, 2, 1, tzinfo=UTC)
    early, late = at - timedelta(hours=1), at + timedelta(hours=1)
    with session.create_session() as opened:
        for dag_id, path, end in [("a", "a.py", at), ("gone", "a.py", early), ("b", "b.py", at), ("c", "c.py", at)]:
            opened.add(DagModel(dag_id=dag_id, relative_fileloc=path, bundle_name="here", last_parsed_time=end,
                                last_parse_duration=2.5))  # fmt: skip
        for path, end in [("b.py", late), ("c.py", early)]:
            opened.add(ParseImportError(filename=path, bundle_name="here", timestamp=end))
        opened.add(ParseImportError(filename="a.py", bundle_name="elsewhere", timestamp=late))
    began = at - timedelta(seconds=2.5)
    wanted = {"a.py": (at, began), "b.py": (late, None), "c.py": (at, began)}
    assert airspark_checkout.parsed("here", ["a.py", "b.py", "c.py", "d.py"]) == wanted
    for paths in (["a.py"], ["a.py", "b.py"]):
        airspark_checkout.request_parsing("here", paths)
    with session.create_session() as opened:
        assert sorted(row.relative_fileloc for row in opened.query(DagPriorityParsingRequest)) == ["a.py", "b.py"]


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
