"""The publication of folders: complete or absent, whatever is killed."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import publish
import pytest
from errors import UserError
from sales_cases import APPS

PARTITION = "sales/date=2026-01-15"
FILES = 12

# Publishes generation after generation up to a last one; every file of a generation holds its number.
WRITER = f"""
import sys
sys.path.insert(0, {str(APPS)!r})
import publish
root, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for generation in range(first, last + 1):
    with publish.staging(root, "day") as stage:
        folder = stage / "sales"
        folder.mkdir()
        for number in range({FILES}):
            (folder / f"part-{{number}}").write_text(f"{{generation}} " * 500)
        publish.publish(root, {PARTITION!r}, folder)
"""


def _publish(root: Path, text: str, names: tuple[str, ...] = ("part-0",)) -> None:
    with publish.staging(root, "day") as stage:
        folder = stage / "sales"
        folder.mkdir()
        for name in names:
            (folder / name).write_text(text)
        publish.publish(root, PARTITION, folder)


def _generation(root: Path) -> int:
    contents = {path.name: path.read_text() for path in (root / PARTITION).iterdir()}
    assert len(contents) == FILES
    assert len(set(contents.values())) == 1, "files of two generations in one partition"
    words = next(iter(contents.values())).split()
    assert len(words) == 500
    return int(words[0])


def _writer(root: Path, first: int, last: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(root), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_should_show_the_old_content_complete_or_the_new_if_the_writer_is_killed(tmp_path: Path) -> None:
    rng = random.Random(15)
    generation = 0
    for _ in range(12):
        writer = _writer(tmp_path, generation + 1, sys.maxsize - 1)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.uniform(0.005, 0.12))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if (tmp_path / PARTITION).is_symlink() or generation:
            now = _generation(tmp_path)
            assert now >= generation
            generation = now
    assert generation > 0

    _publish(tmp_path, "the end")
    assert [path.name for path in (tmp_path / PARTITION).iterdir()] == ["part-0"]
    assert list((tmp_path / ".staging").iterdir()) == []
    versions = [path.name for path in (tmp_path / ".versions" / PARTITION).iterdir() if path.name != ".lock"]
    assert len(versions) == 1
    assert [path.name for path in (tmp_path / "sales").iterdir()] == ["date=2026-01-15"]


def test_should_keep_one_whole_version_if_several_processes_publish_at_once(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, 100 * number, 100 * number + 25) for number in range(1, 4)]
    assert [writer.communicate() and writer.returncode for writer in writers] == [0, 0, 0]
    assert _generation(tmp_path) in (125, 225, 325)
    assert list((tmp_path / ".staging").iterdir()) == []


def test_should_remove_the_staging_folder_and_keep_the_old_content_if_the_run_fails(tmp_path: Path) -> None:
    _publish(tmp_path, "old")
    with pytest.raises(RuntimeError), publish.staging(tmp_path, "day") as stage:
        (stage / "half").write_text("half")
        raise RuntimeError
    assert (tmp_path / PARTITION / "part-0").read_text() == "old"
    assert list((tmp_path / ".staging").iterdir()) == []


def test_should_leave_the_staging_folder_of_a_running_run_alone(tmp_path: Path) -> None:
    with publish.staging(tmp_path, "day") as first, publish.staging(tmp_path, "day") as second:
        assert first.is_dir()
        assert second.is_dir()
        assert first != second


def test_should_remove_what_executors_of_a_killed_run_wrote_late(tmp_path: Path) -> None:
    late = tmp_path / ".staging" / "day-late" / "sales" / "_temporary"
    late.mkdir(parents=True)
    _publish(tmp_path, "new")
    assert not late.exists()


def test_should_publish_by_a_relative_link_so_that_the_folder_can_be_mounted_anywhere(tmp_path: Path) -> None:
    _publish(tmp_path / "here", "text")
    (tmp_path / "here").rename(tmp_path / "there")
    assert (tmp_path / "there" / PARTITION / "part-0").read_text() == "text"
    assert not os.readlink(tmp_path / "there" / PARTITION).startswith("/")


def test_should_refuse_to_replace_a_folder_that_it_did_not_publish(tmp_path: Path) -> None:
    (tmp_path / PARTITION).mkdir(parents=True)
    with pytest.raises(UserError, match="was not published by this application"):
        _publish(tmp_path, "new")
    assert (tmp_path / PARTITION).is_dir()


def test_should_say_so_if_the_output_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        _publish(tmp_path / "file", "new")


def test_should_say_so_if_the_output_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"), publish.staging(tmp_path, "test"):
        pass


def test_should_make_folders_that_the_group_may_write(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        _publish(tmp_path, "new")
    finally:
        os.umask(before)
    for folder in (".staging", ".versions", f".versions/{PARTITION}", "sales", PARTITION):
        assert (tmp_path / folder).stat().st_mode & 0o070 == 0o070, folder
    assert (tmp_path / ".versions" / PARTITION / ".lock").stat().st_mode & 0o060 == 0o060


def _versions(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".versions" / PARTITION).iterdir() if path.name != ".lock")


def test_should_list_what_it_published_and_nothing_else(tmp_path: Path) -> None:
    _publish(tmp_path, "ours")
    (tmp_path / "sales" / "date=2026-01-16").mkdir()
    (tmp_path / "sales" / "date=2026-01-17").symlink_to(tmp_path / PARTITION)
    foreign = tmp_path / ".versions" / "sales" / "date=2026-01-18"
    (foreign / "20260101T000000Z-00000000").mkdir(parents=True)
    (foreign / ".lock").touch()
    (tmp_path / "sales" / "date=2026-01-18").symlink_to("/etc")
    (found,) = publish.published(tmp_path)
    assert (found.path, [found.version], found.folder.parent) == (
        PARTITION,
        _versions(tmp_path),
        tmp_path / ".versions" / PARTITION,
    )
    assert publish.published(tmp_path / "nowhere") == []


def test_should_not_list_what_a_link_to_elsewhere_leads_to(tmp_path: Path) -> None:
    _publish(tmp_path / "other", "theirs")
    root = tmp_path / "root"
    root.mkdir()
    (root / ".versions").symlink_to(tmp_path / "other" / ".versions")
    (root / "sales").symlink_to(tmp_path / "other" / "sales")
    assert publish.published(root) == []


def test_should_take_a_partition_away_with_all_that_it_led_to(tmp_path: Path) -> None:
    _publish(tmp_path, "old")
    (partition,) = publish.published(tmp_path)
    assert publish.withdraw(tmp_path, partition)
    assert not os.path.lexists(tmp_path / PARTITION) and _versions(tmp_path) == []
    assert not publish.withdraw(tmp_path, partition)
    _publish(tmp_path, "new")
    assert (tmp_path / PARTITION / "part-0").read_text() == "new"


def test_should_leave_a_partition_that_was_published_anew_before_it_is_taken_away(tmp_path: Path) -> None:
    _publish(tmp_path, "old")
    (partition,) = publish.published(tmp_path)
    _publish(tmp_path, "new")
    assert not publish.withdraw(tmp_path, partition)
    assert (tmp_path / PARTITION / "part-0").read_text() == "new"


def test_should_keep_whole_what_is_published_while_others_take_it_away(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, 100 * number, 100 * number + 15) for number in (1, 2)]
    taken = 0
    while any(writer.poll() is None for writer in writers):
        for partition in publish.published(tmp_path):
            taken += publish.withdraw(tmp_path, partition)
    assert [writer.communicate() and writer.returncode for writer in writers] == [0, 0]
    assert taken > 0
    _publish(tmp_path, "the end")
    assert len(_versions(tmp_path)) == 1 and (tmp_path / PARTITION / "part-0").read_text() == "the end"


def test_should_keep_a_partition_as_it_is_while_it_is_held_if_others_publish_it_meanwhile(tmp_path: Path) -> None:
    _publish(tmp_path, "old", ("part-0", "part-1"))
    with ThreadPoolExecutor(1) as pool:
        with publish.held(tmp_path, PARTITION) as folder:
            later = pool.submit(_publish, tmp_path, "new")
            with pytest.raises(TimeoutError):
                later.result(timeout=0.5)
            assert folder == (tmp_path / PARTITION).resolve()
            assert {path.name: path.read_text() for path in folder.iterdir()} == {"part-0": "old", "part-1": "old"}
        later.result(timeout=30)
    assert not folder.exists()
    assert (tmp_path / PARTITION / "part-0").read_text() == "new"


def test_should_hold_a_partition_for_one_after_the_other_if_two_ask(tmp_path: Path) -> None:
    def hold() -> str:
        with publish.held(tmp_path, PARTITION) as folder:
            return (folder / "part-0").read_text()

    _publish(tmp_path, "text")
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError), publish.held(tmp_path, PARTITION):
            second = pool.submit(hold)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
            raise RuntimeError
        assert second.result(timeout=30) == "text"


def test_should_say_so_if_there_is_nothing_to_hold(tmp_path: Path) -> None:
    def refused() -> str:
        with pytest.raises(UserError) as error, publish.held(tmp_path, PARTITION):
            pass
        return str(error.value)

    sentence = f"nothing is published as {tmp_path / PARTITION}: run what publishes it, then run again"
    assert refused() == sentence
    _publish(tmp_path, "text")
    publish.withdraw(tmp_path, *publish.published(tmp_path))
    assert refused() == sentence
    (tmp_path / PARTITION).mkdir()
    assert refused() == sentence


def test_should_publish_what_was_made_from_the_present_version_only(tmp_path: Path) -> None:
    _publish(tmp_path, "old")
    (old,) = publish.published(tmp_path)
    _publish(tmp_path, "new")
    with publish.staging(tmp_path, "day") as stage, pytest.raises(publish.Superseded):
        (stage / "made").mkdir()
        publish.publish(tmp_path, PARTITION, stage / "made", replaces=old.version)
    assert (tmp_path / PARTITION / "part-0").read_text() == "new"


def test_should_sweep_up_after_killed_runs_and_leave_the_rest(tmp_path: Path) -> None:
    _publish(tmp_path, "text")
    (tmp_path / ".staging" / "day-late").mkdir()
    (tmp_path / ".versions" / PARTITION / "20260101T000000Z-00000000").mkdir()
    with publish.staging(tmp_path, "day") as stage:
        (tmp_path / ".staging" / "day-late").mkdir(exist_ok=True)
        assert publish.sweep(tmp_path) == 2
        assert stage.is_dir()
    assert (tmp_path / PARTITION / "part-0").read_text() == "text"
    assert publish.sweep(tmp_path) == 0 == publish.sweep(tmp_path / "nowhere")
