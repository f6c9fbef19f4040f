"""Results that tasks write by themselves: what publishing says where the output cannot take them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from pipelines import applications, defaults, files
from sales_files import APPS


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "APPLICATIONS", str(APPS))


def _full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/output/a")


def test_should_fail_without_retry_in_a_sentence_if_the_output_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    with (
        pytest.raises(AirflowFailException, match=r"^the output folder .*/output cannot be written: [\w ]+$"),
        files.published("a/date=2026-01-15", output=str(tmp_path / "output")),
    ):
        pass


def test_should_fail_without_retry_in_a_sentence_if_the_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (
        pytest.raises(AirflowFailException, match="was not published by this application: move it away"),
        files.published("a", output=str(tmp_path)),
    ):
        pass


def test_should_give_the_path_that_readers_find_a_result_at(tmp_path: Path) -> None:
    with files.published("a/date=2026-01-15", "quarantine/a/date=2026-01-15", output=str(tmp_path)) as (good, bad):
        for folder, text in ((good, "good"), (bad, "bad")):
            (folder / "rows.txt").write_text(text)
            assert not folder.published.exists()
    assert str(good.published) == f"{tmp_path}/a/date=2026-01-15" and not good.exists()
    assert bad.published == tmp_path / "quarantine/a/date=2026-01-15"
    assert [(path / "rows.txt").read_text() for path in (good.published, bad.published)] == ["good", "bad"]


@pytest.mark.parametrize("step", ["staging", "writing", "publishing"])
def test_should_say_in_a_sentence_if_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    publish, errors = applications.load("publish"), applications.load("errors")
    if step == "staging":
        monkeypatch.setattr(publish, "_own_folder", _full)
    if step == "publishing":
        monkeypatch.setattr(publish, "_sync_tree", _full)
    with (
        pytest.raises(errors.UserError, match=r"^the disk is full while writing /output/a \(.* MiB free\): free some space"),
        files.published("a/date=2026-01-15", output=str(tmp_path)),
    ):
        if step == "writing":
            _full()
    assert not (tmp_path / "a" / "date=2026-01-15").exists() and not list((tmp_path / ".staging").iterdir())


def test_should_leave_to_the_block_what_it_refuses(tmp_path: Path) -> None:
    errors = applications.load("errors")
    with pytest.raises(errors.UserError, match="^run again$"), files.published("a", output=str(tmp_path)):
        raise errors.UserError("run again")
    assert not (tmp_path / "a").exists()
