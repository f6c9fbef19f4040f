"""What `make up` makes of an installation that was killed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airspark import console, platform
from airspark.platform import interrupted
from airspark.project import Failure

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NODE_START = "2026-11-26T11:50:00.123456789Z"


def record(begun: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": "sh.helm.release.v1.airspark.v2", "creationTimestamp": begun}}


def test_should_forget_an_operation_if_its_node_was_started_anew() -> None:
    assert interrupted([record("2026-11-26T11:49:59Z")], NODE_START, NOW) == ["sh.helm.release.v1.airspark.v2"]


def test_should_forget_an_operation_if_it_is_older_than_any_may_become() -> None:
    assert interrupted([record("2026-11-26T11:29:59Z")], "2026-11-26T09:00:00Z", NOW)


def test_should_say_what_to_do_if_an_operation_may_still_be_at_work() -> None:
    with pytest.raises(Failure, match="has worked on the release airspark for 300 s") as refusal:
        interrupted([record("2026-11-26T11:55:00Z")], NODE_START, NOW)
    assert "delete secret sh.helm.release.v1.airspark.v2, then: make up" in str(refusal.value.hint)


def test_should_forget_nothing_if_nothing_is_pending() -> None:
    assert interrupted([], NODE_START, NOW) == []


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installed platform, which is ready; returns the folder of what is built."""
    monkeypatch.setattr(platform, "BUILD", tmp_path)
    monkeypatch.setattr(platform, "installed", lambda: "hash")
    monkeypatch.setattr(platform, "wanted_hash", lambda *_: "hash")
    monkeypatch.setattr(platform, "not_ready", list)
    monkeypatch.setattr(console, "next_command", "make demo")
    return tmp_path


def test_should_say_once_that_values_are_left_out_and_how_to_have_them_again(
    up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = up / "my.yaml"
    platform.ensure(mine)
    assert "values of" not in capsys.readouterr().err
    platform.ensure(platform.CHECKOUT_VALUES)
    said = " ".join(capsys.readouterr().err.split())
    assert f"The platform had the values of {mine}, and goes on without them." in said
    assert f'To have them again: make demo VALUES="{mine}"' in said
    platform.ensure()
    assert "values of" not in capsys.readouterr().err, "they are gone by now"


def test_should_say_nothing_of_the_values_of_a_platform_that_is_no_more(
    up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.ensure(up / "my.yaml")
    monkeypatch.setattr(platform, "installed", lambda: None)
    for name in ("load_images", "forget_interrupted", "helm_upgrade"):
        monkeypatch.setattr(platform, name, lambda *_: ["true"])
    platform.ensure()
    assert "values of" not in capsys.readouterr().err
