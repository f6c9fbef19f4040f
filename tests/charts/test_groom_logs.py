"""The sidecar that removes old logs."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

import pytest
from rendering import CHARTS

SPEC = importlib.util.spec_from_file_location("groom_logs", CHARTS / "airflow/files/scripts/groom_logs.py")
assert SPEC is not None and SPEC.loader is not None
groom_logs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(groom_logs)
DAY = 86400.0


def log(folder: Path, name: str, days: float, size: int = 10) -> Path:
    """Write a log that was last touched some days ago."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def should_remove_logs_older_than_the_days_if_retentiondays_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOM_DAYS", "15")
    old, new = log(tmp_path, "dag/old.log", 16), log(tmp_path, "dag/new.log", 14)
    assert groom_logs.groom(tmp_path, time.time()) == (1, 10)
    assert (old.exists(), new.exists()) == (False, True)


def should_add_minutes_if_retentionminutes_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOM_MINUTES", "30")
    old, new = log(tmp_path, "old.log", 31 / 1440), log(tmp_path, "new.log", 29 / 1440)
    groom_logs.groom(tmp_path, time.time())
    assert (old.exists(), new.exists()) == (False, True)


def should_keep_every_age_if_retention_is_zero(tmp_path: Path) -> None:
    ancient = log(tmp_path, "ancient.log", 4000)
    assert groom_logs.groom(tmp_path, time.time()) == (0, 0)
    assert ancient.exists()


def should_remove_the_oldest_first_if_maxsizebytes_is_exceeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOM_MAX_BYTES", "25")
    first, second, third = (log(tmp_path, f"{days}.log", days) for days in (3, 2, 1))
    assert groom_logs.groom(tmp_path, time.time()) == (1, 10)
    assert [path.exists() for path in (first, second, third)] == [False, True, True]


def should_take_a_share_of_the_volume_if_maxsizepercent_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOM_MAX_PERCENT", "1")
    assert 0 < groom_logs.limit_bytes(tmp_path) < groom_logs.shutil.disk_usage(tmp_path).total / 50


def should_remove_emptied_folders_and_dangling_links_but_no_young_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOM_DAYS", "1")
    log(tmp_path, "gone/run/old.log", 2)
    (tmp_path / "young").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "nowhere")
    groom_logs.groom(tmp_path, time.time() + 2 * groom_logs.EMPTY_FOLDER_SECONDS - 1)
    groom_logs.groom(tmp_path, time.time() + 2 * groom_logs.EMPTY_FOLDER_SECONDS)
    assert not (tmp_path / "gone").exists() and not (tmp_path / "latest").is_symlink()
    (tmp_path / "fresh").mkdir()
    groom_logs.groom(tmp_path, time.time())
    assert (tmp_path / "fresh").exists()


def should_say_what_failed_and_go_on_if_the_folder_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert groom_logs.main([str(tmp_path / "missing"), "--once"]) == 0
    assert "the next pass tries again" in capsys.readouterr().err or not (tmp_path / "missing").exists()
