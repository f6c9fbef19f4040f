"""The DAG file_arrival: what its trigger rings for, and that each upload is handled once, whatever it is."""

from __future__ import annotations

import asyncio
import errno
import functools
import gzip
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import file_arrival
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import arrivals, defaults, inbox_trigger
from pipelines.inbox_trigger import FIRST_REMINDER, Bell, InboxTrigger

HEADER = "order_id,ordered_at,customer_id,product_id,category,quantity,unit_price,region,channel"
GOOD = f"{HEADER}\n1,2026-01-15T10:00:00+09:00,C1,P1,books,2,100.50,서울,web\n".encode()
NAME = "sales_2026-01-15.csv"
OLD = 1_768_000_000
#: The same bytes in each process of the tests: without the time.
_packed = functools.partial(gzip.compress, mtime=0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(defaults, "APPLICATIONS", str(Path(__file__).resolve().parents[2] / "spark-apps"))
    monkeypatch.setattr(arrivals, "SETTLE_SECONDS", 0.0)
    before = os.umask(0o022)
    yield
    os.umask(before)


class Claim:
    """A data claim with an inbox, and the calls of the DAG's tasks on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.inbox = root, root / "inbox"
        self.limits = arrivals.Limits(16 * 2**20, 100)
        self.inbox.mkdir(parents=True)

    def upload(self, name: str | bytes = NAME, content: bytes = GOOD, at: int = OLD) -> Path:
        path = self.inbox / os.fsdecode(name)
        path.write_bytes(content)
        os.utime(path, (at, at))
        return path

    def claim(self, run: str = "run1") -> list[list[str]]:
        return arrivals.claim(self.inbox, run)[0]

    def handle(self, groups: list[list[str]], run: str = "run1") -> list[arrivals.Outcome]:
        return [outcome for keys in groups for outcome in arrivals.handle(self.root, self.inbox, run, keys, self.limits)]

    def run(self, run: str = "run1") -> list[arrivals.Outcome]:
        outcomes = self.handle(self.claim(run), run)
        assert len(arrivals.finish(self.inbox, run)) == len(outcomes)
        return outcomes

    def files(self, folder: str) -> list[str]:
        return sorted(str(path.relative_to(self.root / folder)) for path in (self.root / folder).rglob("*") if not path.is_dir())

    def reason(self) -> str:
        (path,) = (self.root / "quarantine").rglob("*.reason.txt")
        assert os.path.lexists(path.with_name(path.name.removesuffix(".reason.txt")))
        return path.read_text().strip()


@pytest.fixture
def data(tmp_path: Path) -> Claim:
    return Claim(tmp_path / "data")


def _task(monkeypatch: pytest.MonkeyPatch, data: Claim, task_id: str, *arguments: Any) -> Any:
    monkeypatch.setattr(file_arrival, "DATA", str(data.root))
    monkeypatch.setattr(file_arrival, "INBOX", str(data.inbox))
    monkeypatch.setattr(
        file_arrival, "get_current_context", lambda: {"run_id": "run1", "params": {"max_unpacked_mib": 1, "max_ratio": 100}}
    )
    task: Any = file_arrival.dag.get_task(task_id)
    function = task.python_callable if hasattr(task, "python_callable") else task.partial_kwargs["python_callable"]
    return function(*arguments)


def test_should_claim_then_handle_each_day_then_report() -> None:
    tasks = file_arrival.dag.task_dict
    assert list(tasks) == ["claim", "handle", "report"]
    assert tasks["handle"].is_mapped
    assert tasks["report"].upstream_task_ids == {"claim", "handle"}
    assert [asset.name for asset in tasks["handle"].outlets] == ["sales_arrived"]


def test_should_be_started_by_the_trigger_that_the_triggerer_can_make_again() -> None:
    from airflow._shared.module_loading import import_string
    from airflow.serialization.serialized_objects import DagSerialization

    ((_, asset),) = DagSerialization.from_dict(
        json.loads(json.dumps(DagSerialization.to_dict(file_arrival.dag)))
    ).timetable.asset_condition.iter_assets()
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger["classpath"], watcher.trigger["kwargs"]
    assert import_string(path) is InboxTrigger
    assert import_string(path)(**arguments).serialize() == (path, arguments)
    assert arguments["folder"] == "/opt/airflow/data/inbox"


def test_should_end_a_run_before_its_claims_may_be_taken_over() -> None:
    assert file_arrival.dag.dagrun_timeout.total_seconds() < arrivals.ABANDONED_AFTER
    assert file_arrival.dag.max_active_runs == 1


def test_should_make_the_file_of_the_day_and_keep_the_upload_if_it_is_good(data: Claim) -> None:
    data.upload()
    (outcome,) = data.run()
    assert (data.root / "sales" / NAME).read_bytes() == GOOD
    assert outcome.announced() == {
        "path": str(data.root / "sales" / NAME),
        "day": "2026-01-15",
        "sha256": arrivals._sha256(data.root / "sales" / NAME),
        "rows": 1,
    }
    (kept,) = data.files("processed/2026-01-15")
    assert kept.startswith("sales_2026-01-15.") and kept.endswith(".csv")
    assert data.files("processed/.ledger") == [outcome.sha256]
    assert data.files("inbox") == [] and not (data.root / "quarantine").exists()


def test_should_unpack_a_gzip_file(data: Claim) -> None:
    data.upload(f"{NAME}.gz", _packed(GOOD))
    assert data.run()[0].rows == 1
    assert (data.root / "sales" / NAME).read_bytes() == GOOD


@pytest.mark.parametrize(
    "packed",
    [
        _packed(GOOD[:100]) + _packed(GOOD[100:]),
        _packed(b"") + _packed(GOOD) + _packed(b""),
        _packed(GOOD) + b"\0" * 1_000,
    ],
    ids=["members", "empty members", "padding"],
)
def test_should_unpack_a_gzip_file_of_any_form(data: Claim, packed: bytes) -> None:
    data.upload(f"{NAME}.gz", packed)
    assert data.run()[0].rows == 1
    assert (data.root / "sales" / NAME).read_bytes() == GOOD


def test_should_quarantine_a_gzip_file_that_unpacks_to_more_than_the_limit(data: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    many = GOOD + GOOD.splitlines(True)[1] * 2**15
    data.upload(f"{NAME}.gz", _packed(many))
    (keys,) = _task(monkeypatch, data, "claim")
    with pytest.raises(AirflowSkipException, match=f"the input file {NAME}.gz unpacks to more than 1 MiB: .*max_unpacked_mib"):
        list(_task(monkeypatch, data, "handle", keys))
    assert data.reason().startswith(f"the input file {NAME}.gz unpacks to more than 1 MiB")
    data.upload(f"{NAME}.gz", _packed(many))
    (outcome,) = data.run("run2")
    assert (outcome.reason, outcome.rows) == (None, 2**15 + 1)


def test_should_quarantine_a_gzip_file_that_unpacks_to_many_times_its_size_before_it_takes_the_disk(data: Claim) -> None:
    data.limits = arrivals.Limits(2**30, 100)
    data.upload(f"{NAME}.gz", _packed(GOOD + GOOD.splitlines(True)[1] * 3_000_000))
    (outcome,) = data.run()
    assert outcome.reason == "it unpacks to more than 100 times its size: if it is a data file, raise max_ratio"
    assert not list(data.root.rglob("*.csv"))


def test_should_quarantine_a_file_that_is_larger_than_the_limit_as_it_is(data: Claim) -> None:
    data.limits = arrivals.Limits(2**20, 100)
    data.upload(content=GOOD * 2**14)
    assert data.run()[0].reason == "it has more than 1 MiB: split it, or raise the param max_unpacked_mib"


def test_should_quarantine_a_file_with_an_endless_line_and_not_hold_it_in_memory(
    data: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    import inputs

    monkeypatch.setattr(inputs, "MAX_LINE_MIB", 2)
    data.upload(content=GOOD + b"x" * (3 * 2**20))
    assert data.run()[0].reason == f"line 3 of the input file {NAME} has more than 2 MiB: break it into lines"


def test_should_take_what_the_applications_take_for_the_limit_unless_a_run_says_otherwise() -> None:
    import inputs

    assert file_arrival.dag.params["max_unpacked_mib"] == inputs.MAX_UNPACKED_MIB


def test_should_leave_a_good_upload_to_a_later_try_in_a_sentence_if_the_disk_is_full(
    data: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errors

    data.upload(f"{NAME}.gz", _packed(GOOD))
    groups = data.claim()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(errors.UserError, match="^a disk is full .* MiB free.: free some space"):
        patch.setattr(arrivals.os, "fsync", full)
        data.handle(groups)
    assert not list(data.root.rglob("*.csv")), "what was unpacked goes on taking space"
    assert data.handle(groups)[0].rows == 1


def test_should_announce_the_rows_that_the_rule_of_the_sales_file_counts(data: Claim) -> None:
    line = GOOD.splitlines(True)[1]
    blank = b"\n\r\n \t\r\n\r\r\n"
    data.upload(
        content=b"\xef\xbb\xbf"
        + GOOD
        + blank
        + HEADER.encode()
        + b"\r\n"
        + HEADER.encode()
        + b"\n"
        + line
        + b"\x0b\n\x00\n"
        + line[:-1]
        + b"\r"
    )
    assert data.run()[0].rows == 5


def test_should_take_a_file_with_a_byte_order_mark_as_it_is(data: Claim) -> None:
    data.upload(content=b"\xef\xbb\xbf" + GOOD)
    assert data.run()[0].reason is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (f"{NAME}.gz", _packed(GOOD * 500)[:-20], f"^the input file {NAME}.gz is cut off: its upload did not end"),
        (f"{NAME}.gz", GOOD, f"^the input file {NAME}.gz is damaged: Not a gzipped file"),
        (f"{NAME}.gz", _packed(GOOD)[:-8] + b"\0" * 8, f"^the input file {NAME}.gz is damaged: CRC check failed"),
        (f"{NAME}.gz", _packed(GOOD) + b"more", f"^the input file {NAME}.gz is damaged: Not a gzipped file"),
        (f"{NAME}.gz", _packed(GOOD) + _packed(GOOD)[:-5], f"^the input file {NAME}.gz is cut off"),
        (f"{NAME}.gz", _packed(b""), f"^the input file {NAME}.gz is empty"),
        (f"{NAME}.gz", b"", "is empty"),
        (
            "sales_2026-01-15\n\udcff\x1b[31m.csv.gz",
            b"\x1b[31m",
            "^the input file sales_2026-01-15_\ufffd__31m.csv.gz is damaged: ",
        ),
        (NAME, b"\x1b[31mred\r\x07,\x00\n1\n", "has the wrong header|no line of a CSV file"),
        (NAME, _packed(GOOD), "has the wrong header|no line of a CSV file"),
        (NAME, GOOD.replace(b",", b";"), f"the input file {NAME} has the wrong header: expected order_id,.*; found order_id;"),
        (NAME, GOOD.replace(b"region", b"area"), "has the wrong header: .*area"),
        (NAME, GOOD.decode().encode("utf-16"), "has the wrong header"),
        (NAME, GOOD.replace(b"\n", b"\r"), "no line of a CSV file|wrong header"),
        (NAME, b"", f"^the input file {NAME} is empty$"),
        (NAME, HEADER.encode(), "has a header and no rows"),
        (NAME, f"{HEADER}\n\n{HEADER}\r\n \t\n".encode(), "has a header and no rows"),
        ("returns_2026-01-15.csv", GOOD, "its name is not sales_YYYY"),
        ("sales_2026-02-30.csv", GOOD, "its name is not sales_YYYY"),
        ("sales_2026-01-155.csv", GOOD, "its name is not sales_YYYY"),
    ],
)
def test_should_quarantine_a_bad_file_with_the_reason(data: Claim, name: str, content: bytes, sentence: str) -> None:
    data.upload(name, content)
    (outcome,) = data.run()
    assert re.search(sentence, data.reason()), data.reason()
    assert outcome.reason == data.reason() and outcome.reason.isprintable()
    assert data.files("inbox") == [] and not list((data.root / "sales").glob("*"))
    assert data.files("processed") == [], "a refused content may come again"


@pytest.mark.parametrize("name", ["sales_2026-01-15 (1).csv", "sales_2026-01-15\n.csv", b"sales_2026-01-15\xff.csv"])
def test_should_take_a_file_whose_name_has_spaces_line_breaks_or_no_text(data: Claim, name: str | bytes) -> None:
    data.upload(name)
    (outcome,) = data.run()
    assert outcome.path and outcome.path.endswith(f"/sales/{NAME}")
    (kept,) = data.files("processed/2026-01-15")
    assert kept.isprintable() and " " not in kept
    json.dumps(outcome.announced()).encode()


#: What people and programs put into names; with what goes before and behind, two have all the bytes that a name can have.
MARKS = (
    *(
        "",
        ":",
        "[1]",
        "{a,b}",
        "*",
        "?",
        ",",
        "%2C",
        " (1)",
        "'",
        '"',
        "\\",
        "$HOME",
        "`id`",
        ";",
        "&",
        "#",
        "~",
        "..",
        "._",
        "=",
        "@",
    ),
    *(
        "\n",
        "\r\n",
        "\t",
        "\x1b[31m",
        "\x7f",
        "\udcff",
        "\udced\udca0\udc80",
        "\u202e",
        "\u2028",
        "각",
        "e\u0301",
        "😀",
        ".csv",
        ".csv.gz",
    ),
    *(".reason.txt", ".draft", ".part", ".result.json", "x" * 235, "각" * 78),
)


@pytest.mark.parametrize("form", ["sales_{day}{mark}.csv", "_{mark}", "sales{mark}.csv.reason.txt", "x{mark}"])
def test_should_give_each_upload_one_fate_whatever_its_name(data: Claim, form: str) -> None:
    sent = {}
    for number, mark in enumerate(MARKS):
        day = f"2026-{number // 28 + 1:02d}-{number % 28 + 1:02d}"
        name = form.format(day=day, mark=mark)
        if not name.endswith(arrivals.UNFINISHED):
            sent[name] = GOOD + str(number).encode()
            data.upload(name, sent[name])
    outcomes = data.run()
    good = form.startswith("sales_")
    assert len(outcomes) == len(sent) and all((outcome.reason is None) == good for outcome in outcomes)
    assert data.files("inbox") == []
    folder = "processed" if good else "quarantine"
    kept = [Path(name) for name in data.files(folder) if ".ledger" not in name]
    uploads = kept if good else [name for name in kept if not _is_reason(data.root / folder, name)]
    assert sorted((data.root / folder / name).read_bytes() for name in uploads) == sorted(sent.values())
    assert len(kept) == len(sent) * (1 if good else 2)
    for name in kept:
        assert name.name.isprintable() and not set(name.name) & set(" *?[]{}'\"\\$`;&"), name
    if good:
        made = {path.name: path.read_bytes() for path in (data.root / "sales").iterdir()}
        assert made == {f"sales_{outcome.day}.csv": sent[name] for outcome, name in zip(_by_day(outcomes), sent, strict=True)}


def _by_day(outcomes: list[arrivals.Outcome]) -> list[arrivals.Outcome]:
    return sorted(outcomes, key=lambda outcome: outcome.day)


def _is_reason(folder: Path, name: Path) -> bool:
    return (folder / name).read_text(errors="replace").startswith("its name is not ")


@pytest.mark.parametrize("seconds", [-1, 0, 2**33, 2**40, -(2**40)])
def test_should_handle_an_upload_whose_time_is_far_off(data: Claim, seconds: int) -> None:
    try:
        data.upload("other.csv", at=seconds)
    except OSError:
        pytest.skip("the file system has no such time")
    assert data.run()[0].reason
    assert len(data.files("quarantine")) == 2


def test_should_quarantine_a_name_with_a_leading_dash_under_one_that_no_command_takes_for_an_option(data: Claim) -> None:
    data.upload("-rf")
    data.run()
    names = [Path(name).name for name in data.files("quarantine")]
    assert len(names) == 2 and all(name.startswith("_rf.") for name in names)


def test_should_quarantine_a_link_and_never_follow_it(data: Claim, tmp_path: Path) -> None:
    secret = tmp_path / "outside.csv"
    secret.write_bytes(GOOD)
    (data.inbox / NAME).symlink_to(secret)
    data.run()
    assert data.reason() == "it is a link or a device, not a file"
    assert secret.read_bytes() == GOOD and not (data.root / "sales").exists()


def test_should_quarantine_a_pipe_without_waiting_for_its_writer(data: Claim) -> None:
    os.mkfifo(data.inbox / NAME)
    assert data.run()[0].reason == "it is a link or a device, not a file"


@pytest.fixture
def unprivileged() -> Iterator[Claim]:
    """A claim that belongs to a user without root's powers, as whom the test runs."""
    previous = os.geteuid()
    os.seteuid(previous or 65534)
    folder = tempfile.mkdtemp()
    try:
        yield Claim(Path(folder) / "data")
    finally:
        os.seteuid(previous)
        shutil.rmtree(folder)


def test_should_quarantine_a_file_that_it_may_not_read(unprivileged: Claim) -> None:
    unprivileged.upload().chmod(0)
    unprivileged.run()
    assert unprivileged.reason() == f"user {os.geteuid()} may not read it"


def test_should_fail_in_one_sentence_if_nothing_can_be_moved_and_go_on_if_something_can(
    unprivileged: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    unprivileged.upload()
    (unprivileged.inbox / ".working").mkdir()
    unprivileged.inbox.chmod(0o555)
    with pytest.raises(AirflowFailException, match=r"^1 uploads cannot be moved out of .*sales_2026-01-15.csv \(Permission"):
        _task(monkeypatch, unprivileged, "claim")
    assert (unprivileged.inbox / NAME).exists()
    unprivileged.inbox.chmod(0o755)
    assert len(_task(monkeypatch, unprivileged, "claim")) == 1


def test_should_quarantine_a_copy_of_an_upload_that_was_accepted_before_even_under_another_name(data: Claim) -> None:
    data.upload()
    data.run("run1")
    data.upload("sales_2026-01-16.csv")
    (outcome,) = data.run("run2")
    assert outcome.reason == f"it is a copy of {NAME}, which was accepted before"
    assert data.files("sales") == [NAME]


def test_should_take_the_first_of_two_files_for_a_day_and_quarantine_the_second(data: Claim) -> None:
    data.upload("sales_2026-01-15_b.csv", GOOD, at=OLD)
    data.upload("sales_2026-01-15_a.csv", GOOD + GOOD.splitlines(True)[1], at=OLD + 1)
    groups = data.claim()
    assert len(groups) == 1 and len(groups[0]) == 2
    first, second = data.handle(groups)
    assert first.name == "sales_2026-01-15_b.csv" and first.reason is None
    assert second.reason and second.reason.startswith("the day 2026-01-15 has another file already: to replace it, move ")
    (data.root / "sales" / NAME).unlink()
    data.upload("sales_2026-01-15_a.csv", GOOD + GOOD.splitlines(True)[1])
    assert data.run("run2")[0].reason is None


def test_should_leave_alone_what_is_being_written_and_what_is_no_upload(data: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (f".{NAME}", f"{NAME}.part", f"{NAME}.TMP"):
        data.upload(name)
    (data.inbox / "folder").mkdir()
    growing = data.upload()
    keys, _ = arrivals.claim(data.inbox, "run1", sleep=lambda _: growing.write_bytes(GOOD * 2) and None)
    assert keys == []
    assert len(data.files("inbox")) == 4
    assert data.handle(data.claim())[0].name == NAME


def test_should_end_quietly_if_nothing_waits(data: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException, match="nothing waits"):
        _task(monkeypatch, data, "claim")
    data.inbox.rmdir()
    with pytest.raises(AirflowSkipException, match="nothing waits"):
        _task(monkeypatch, data, "claim")


def test_should_try_again_and_not_take_a_file_whose_writer_goes_on_after_it_was_claimed(
    data: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.upload()
    groups = data.claim()
    (file,) = (data.inbox / ".working" / "run1" / groups[0][0]).iterdir()
    check = arrivals._check

    def write_meanwhile(*arguments: Any) -> None:
        check(*arguments)
        with file.open("ab") as late:
            late.write(b"late\n")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="its upload has not ended"):
        patch.setattr(arrivals, "_check", write_meanwhile)
        data.handle(groups)
    assert not (data.root / "sales").exists() and not (data.root / "processed").exists()
    assert data.handle(groups)[0].rows == 2


def test_should_share_many_uploads_among_runs_that_claim_at_once_each_upload_to_one(data: Claim) -> None:
    for number in range(120):
        data.upload(f"sales_2026-01-15_{number}.csv", GOOD + b"%d\n" % number)
    found: dict[str, list[list[str]]] = {}
    threads = [threading.Thread(target=lambda run=run: found.update({run: data.claim(run)})) for run in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [key for groups in found.values() for group in groups for key in group]
    assert len(keys) == len(set(keys)) == 120


def test_should_claim_only_so_many_at_once_the_oldest_first(data: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MAX_FILES", 2)
    for number in (3, 1, 2):
        data.upload(f"sales_2026-01-0{number}.csv", GOOD + b"%d\n" % number, at=OLD + number)
    assert [outcome.day for outcome in data.run()] == ["2026-01-01", "2026-01-02"]
    assert [outcome.day for outcome in data.run("run2")] == ["2026-01-03"]


class Killed(BaseException):
    """What ends a task in the middle."""


def _steps(monkeypatch: pytest.MonkeyPatch, limit: int) -> Callable[[], int]:
    """Kill the process, so to say, before its step number `limit` that changes the file system."""
    done = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done > limit:
                raise Killed
            return function(*arguments, **options)

        return call

    for name in ("rename", "replace", "link"):
        monkeypatch.setattr(arrivals.os, name, counted(getattr(os, name)))
    return lambda: done


@pytest.mark.parametrize("content", [GOOD, b"bad"])
def test_should_go_on_with_its_own_upload_wherever_a_try_was_killed(
    data: Claim, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    for limit in range(20):
        claim = Claim(data.root / str(limit))
        claim.upload(content=content)
        killed = False
        with monkeypatch.context() as patch:
            _steps(patch, limit)
            try:
                claim.handle(claim.claim())
            except Killed:
                killed = True
        # A new upload of the same name must not be mixed up with the one that was claimed.
        claim.upload("sales_2026-01-16.csv", GOOD + b"other\n")
        outcomes = claim.handle(claim.claim())
        again = [outcome for outcome in outcomes if outcome.day == "2026-01-15" or outcome.reason]
        assert all((outcome.reason is None) == (content == GOOD) for outcome in again)
        assert len(claim.files("processed/.ledger")) == 1 + (content == GOOD)
        kept = [name for name in claim.files("processed") if name.endswith(".csv")]
        assert len(kept) == 1 + (content == GOOD)
        assert claim.files("inbox") == [name for name in claim.files("inbox") if name.endswith(".result.json")]
        if not killed:
            return
    raise AssertionError("it never came to its end")


def test_should_tell_the_same_result_to_a_retry_after_everything_was_done(data: Claim) -> None:
    data.upload()
    groups = data.claim()
    assert data.handle(groups) == data.handle(groups)


def test_should_take_over_what_a_run_left_behind_but_not_before_that_run_must_have_ended(data: Claim) -> None:
    data.upload()
    ((key,),) = data.claim("dead")
    assert data.claim("next") == []
    assert inbox_trigger.waiting(str(data.inbox)) == set()
    long_ago = time.time() - arrivals.ABANDONED_AFTER - 1
    os.utime(data.inbox / ".working" / "dead" / key, (long_ago, long_ago))
    assert inbox_trigger.waiting(str(data.inbox)) == {key}
    groups = data.claim("next")
    assert groups == [[key]] and inbox_trigger.waiting(str(data.inbox)) == set()
    assert data.handle(groups, "next")[0].reason is None
    assert data.handle([[key]], "dead") == []


@pytest.mark.parametrize("run", ["..", "manual__2026-01-15T00:00:00+00:00", "a/../../b", "."])
def test_should_keep_the_claims_of_any_run_below_the_working_folder(data: Claim, run: str) -> None:
    data.upload()
    folder = arrivals.working_folder(data.inbox, run)
    assert ".." not in folder.parts and len(folder.relative_to(data.inbox).parts) == 2
    data.run(run)
    assert data.files("sales") == [NAME]


def test_should_announce_a_good_day_and_skip_one_without_a_good_upload(data: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    data.upload()
    data.upload("other.csv", b"bad")
    announced = skipped = 0
    for keys in _task(monkeypatch, data, "claim"):
        try:
            (metadata,) = _task(monkeypatch, data, "handle", keys)
            announced += metadata.extra["rows"]
        except AirflowSkipException as skip:
            skipped += "other.csv: refused: its name" in str(skip)
    assert (announced, skipped) == (1, 1)
    assert _task(monkeypatch, data, "report") == {"accepted": 1, "refused": 1}
    assert not (data.inbox / ".working" / "run1").exists()


@given(st.binary(min_size=1, max_size=80).filter(lambda name: not set(name) & set(b"/\0")))
@settings(max_examples=25, deadline=None)
def test_should_make_any_name_harmless(name: bytes) -> None:
    safe = arrivals.harmless(os.fsdecode(name))
    assert safe and safe.isprintable() and safe[0] not in "-." and not set(safe) & set("/\\\"'`$ *?[]{}")
    assert len(safe.encode()) <= 150


def test_should_ring_once_for_an_upload_that_has_settled_and_again_later_while_it_stays() -> None:
    bell = Bell(settle_seconds=10)
    assert [bell.due({"a"}, second) for second in (0, 5, 9)] == [0, 0, 0]
    assert [bell.due({"a"}, second) for second in (10, 15, 20)] == [1, 0, 0]
    assert bell.due({"a"}, 10 + FIRST_REMINDER) == 1
    assert bell.due({"a"}, 11 + 2 * FIRST_REMINDER) == 0
    assert bell.due({"a"}, 10 + 3 * FIRST_REMINDER) == 1


def test_should_ring_for_an_upload_that_comes_while_a_run_is_at_work() -> None:
    bell = Bell(settle_seconds=10)
    bell.due({"a"}, 0)
    assert bell.due({"a"}, 10) == 1
    bell.due({"a", "b"}, 12)
    assert bell.due({"b"}, 22) == 1


def test_should_ring_soon_for_what_a_run_has_left_and_not_for_ever() -> None:
    bell = Bell(settle_seconds=10)
    bell.due({"a", "b"}, 0)
    assert bell.due({"a", "b"}, 10) == 2
    assert bell.due({"b"}, 20) == 0
    assert bell.due({"b"}, 30) == 1
    assert sum(bell.due({"b"}, second) for second in range(31, 86_400, 10)) < 10


def test_should_start_the_wait_again_if_the_upload_is_written_to(data: Claim) -> None:
    bell = Bell(settle_seconds=10)
    file = data.upload()
    bell.due(inbox_trigger.waiting(str(data.inbox)), 0)
    file.write_bytes(GOOD * 2)
    assert bell.due(inbox_trigger.waiting(str(data.inbox)), 10) == 0
    assert bell.due(inbox_trigger.waiting(str(data.inbox)), 20) == 1


def test_should_fire_events_without_end_and_outlive_an_inbox_that_cannot_be_read(
    data: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([PermissionError("no"), {"a"}, {"a"}, PermissionError("no"), {"a", "b"}, {"a", "b"}])

    def look(folder: str) -> Any:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(inbox_trigger, "waiting", look)

    async def first_two() -> list[Any]:
        events = InboxTrigger(str(data.inbox), poke_interval=0, settle_seconds=0).run()
        return [(await anext(events)).payload for _ in range(2)]

    assert asyncio.run(asyncio.wait_for(first_two(), 10)) == [{"uploads": 1}, {"uploads": 1}]
