"""Files that are uploaded to the inbox of the data claim: noticed by a trigger, claimed by one run, handled once.

    <data>/inbox/<name>                        uploaded; left alone until it has stopped changing
    <data>/inbox/.working/<run>/<key>/<name>   claimed by a run with one rename(2); the key stands for this very upload
    <data>/sales/sales_D.csv                   the file of day D, made from it
    <data>/processed/D/<name>                  accepted
    <data>/processed/.ledger/<sha256>          the upload that brought this content, so that a copy is known as one
    <data>/quarantine/D/<name>                 refused, and why: <name>.reason.txt

The names in processed and quarantine carry a part of the key, and no character that a shell or a terminal could misread.
The trigger only rings: what there is to do stands in the inbox. An event too many starts a run that finds nothing, and one that
is lost comes again, because the trigger rings until the file has gone, with growing pauses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import applications
from pipelines.defaults import TIME_ZONE
from pipelines.names import folder_name

WORKING = ".working"
#: An upload is taken once it has not changed for this long, in seconds.
SETTLE_SECONDS = 10.0
#: A claim that a run left behind is taken over after this many seconds; no run may last longer (see dags/file_arrival.py).
ABANDONED_AFTER = 6 * 3600.0
#: How many uploads one run claims; Airflow maps a task over 1024 items at most.
MAX_FILES = 500
UNFINISHED = (".part", ".tmp")
#: What any file may unpack to, in bytes, however small it is.
FREE_BYTES = 64 * 2**20
#: The last time that has a day in any time zone: the last but one of the year 9999.
LAST_SECOND = 253_402_214_400

_NAME = re.compile(r"sales_([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9]).*\.csv(\.gz)?", re.DOTALL)
_RESULT = ".result.json"


@dataclass(frozen=True)
class Limits:
    """What an upload may be.

    Attributes:
        bytes: what it may have, as it is and unpacked.
        ratio: how many times its size it may unpack to; any file may unpack to FREE_BYTES.
    """

    bytes: int
    ratio: int


@dataclass(frozen=True)
class Upload:
    """A file of the inbox as it was when it was looked at; equal to a later look unless somebody has written to it.

    Attributes:
        name: its name in the inbox.
        bytes: its size.
        modified_ns: when it was last written, in nanoseconds since 1970.
        inode: its number in the file system, another one for an upload of the same name.
    """

    name: str
    bytes: int
    modified_ns: int
    inode: int

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that stand for this upload."""
        text = f"{self.bytes} {self.modified_ns} {self.inode} ".encode() + os.fsencode(self.name)
        return hashlib.sha256(text).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What became of an upload.

    Attributes:
        key: the upload's key.
        name: its name, made harmless.
        day: the day that its name says, or else the day on which it was written, YYYY-MM-DD.
        sha256: of its content; None if it could not be read.
        rows: lines that are neither blank nor the header; None if it was refused.
        path: the file of the day; None if it was refused.
        reason: why it was refused; None if it was accepted.
    """

    key: str
    name: str
    day: str
    sha256: str | None = None
    rows: int | None = None
    path: str | None = None
    reason: str | None = None

    def announced(self) -> dict[str, Any]:
        """Return what the asset's event tells: path, day, sha256, rows."""
        return {"path": self.path, "day": self.day, "sha256": self.sha256, "rows": self.rows}

    def __str__(self) -> str:
        return f"{self.name}: " + (f"refused: {self.reason}" if self.reason else f"{self.rows} rows, now {self.path}")


class Refused(Exception):
    """Why an upload goes to the quarantine, in one sentence."""


def look(inbox: Path) -> dict[str, Upload]:
    """Return what waits in the inbox, by name; a folder, a dot-file and an unfinished upload do not.

    Raises:
        OSError: if the inbox is there and cannot be read.
    """
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(inbox) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    found[entry.name] = _upload(entry.name, status)
    return found


def abandoned(inbox: Path, now: float) -> list[Path]:
    """Return the folders of uploads that were claimed so long ago that their run must have ended without handling them.

    Args:
        inbox: the inbox.
        now: seconds since 1970.
    """
    found = []
    for folder in (inbox / WORKING).glob("*/*/"):
        with contextlib.suppress(FileNotFoundError):
            if now - folder.stat().st_mtime > ABANDONED_AFTER and _claimed_file(folder):
                found.append(folder)
    return sorted(found)


def claim(inbox: Path, run_id: str, sleep: Callable[[float], None] = time.sleep) -> tuple[list[list[str]], list[str]]:
    """Claim what has settled in the inbox, oldest first, and what runs before have left; a retry finds its claims again.

    Args:
        inbox: the inbox.
        run_id: the run that claims.
        sleep: waits for a number of seconds.

    Returns:
        The keys of the claims, those of a day in one list, in the order in which they were uploaded; and the names of
        uploads that cannot be moved.
    """
    os.umask(0o002)
    mine = working_folder(inbox, run_id)
    before = look(inbox)
    if before:
        sleep(SETTLE_SECONDS)
    settled = [upload for upload in look(inbox).values() if before.get(upload.name) == upload]
    stuck = []
    for upload in sorted(settled, key=lambda upload: (upload.modified_ns, upload.name))[:MAX_FILES]:
        folder = mine / upload.key
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Of two runs that claim the same upload, one gets it, and the other finds it gone.
            os.rename(inbox / upload.name, folder / upload.name)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                stuck.append(f"{harmless(upload.name)} ({error.strerror})")
            with contextlib.suppress(OSError):
                folder.rmdir()
    for folder in abandoned(inbox, time.time()):
        with contextlib.suppress(OSError):
            mine.mkdir(parents=True, exist_ok=True)
            os.rename(folder, mine / folder.name)
            os.utime(mine / folder.name)
    return _by_day(mine), stuck


def _by_day(mine: Path) -> list[list[str]]:
    claimed = [(folder, file) for folder in mine.glob("*/") if (file := _claimed_file(folder))]
    groups: dict[str, list[str]] = {}
    for folder, file in sorted(claimed, key=lambda pair: (pair[1].lstat().st_mtime_ns, pair[1].name)):
        groups.setdefault(day_of_name(file.name) or folder.name, []).append(folder.name)
    return list(groups.values())


def handle(data: Path, inbox: Path, run_id: str, keys: Iterable[str], limits: Limits) -> list[Outcome]:
    """Handle claimed uploads in their order, each one once, however often this is called.

    Args:
        data: the root of the data claim.
        inbox: the inbox in it.
        run_id: the run that claimed them.
        keys: what `claim` returned for one day.
        limits: what an upload may be.

    Returns:
        What became of each; nothing for one that another run has taken over.

    Raises:
        RuntimeError: if an upload is being written to: it can be tried again.
        UserError: if the disk is full, which a later try may not meet.
    """
    os.umask(0o002)
    mine = working_folder(inbox, run_id)
    with applications.load("batch").disk_full_is_a_sentence(str(data)):
        return [outcome for key in keys if (outcome := _handle_one(data, mine / key, limits)) is not None]


def _handle_one(data: Path, folder: Path, limits: Limits) -> Outcome | None:
    file = _claimed_file(folder)
    if file is None:
        # It was moved on: by a try of this task before, which then has left its result, or by another run.
        return _read_result(folder)
    before = _upload(file.name, file.lstat())
    if before.key != folder.name:
        # Its writer went on after it was claimed.
        time.sleep(SETTLE_SECONDS)
        before = _upload(file.name, file.lstat())
    outcome = Outcome(folder.name, harmless(file.name), day_of_name(file.name) or _written(before))
    try:
        outcome = _accepted(data, folder, file, before, outcome, limits)
    except Refused as refusal:
        reason = "".join(c if c.isprintable() else "\ufffd" for c in str(refusal))
        outcome = dataclasses.replace(outcome, reason=reason)
    finally:
        shutil.rmtree(folder / ".day", ignore_errors=True)
    _write(folder / _RESULT, json.dumps(dataclasses.asdict(outcome)))
    _put_away(data, file, outcome)
    print(outcome)
    return outcome


def _written(upload: Upload) -> str:
    """Return the day on which an upload was written; a time may be set to any number."""
    seconds = min(max(upload.modified_ns // 10**9, 0), LAST_SECOND)
    return dt.datetime.fromtimestamp(seconds, ZoneInfo(TIME_ZONE)).date().isoformat()


def _accepted(data: Path, folder: Path, file: Path, before: Upload, outcome: Outcome, limits: Limits) -> Outcome:
    """Make the file of the day of an upload, or raise Refused."""
    sha256 = _sha256(file)
    if day_of_name(file.name) is None:
        raise Refused("its name is not sales_YYYY-MM-DD*.csv or sales_YYYY-MM-DD*.csv.gz")
    first = _ledger_entry(data, sha256)
    if first and first["key"] != outcome.key:
        raise Refused(f"it is a copy of {first['name']}, which was accepted before")
    made = folder / ".day" / f"sales_{outcome.day}.csv"
    _copy(file, made, outcome, limits)
    rows = _check(made, outcome)
    if _upload(file.name, file.lstat()) != before:
        raise RuntimeError(f"{outcome.name} was changed while it was being handled: its upload has not ended")
    _enter(data, sha256, outcome)
    target = data / "sales" / made.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(made, target)
    except FileExistsError:
        if not _same(target, made):
            (data / "processed" / ".ledger" / sha256).unlink(missing_ok=True)
            sentence = f"the day {outcome.day} has another file already: to replace it, move {target} away and upload this again"
            raise Refused(sentence) from None
    return dataclasses.replace(outcome, sha256=sha256, rows=rows, path=str(target))


def _check(made: Path, outcome: Outcome) -> int:
    """Check the file of the day and return its rows."""
    sales_input = applications.load("sales_input")
    with _refusals(made, outcome):
        rows = int(sales_input.check(str(made.parent), dt.date.fromisoformat(outcome.day)).rows)
    if not rows:
        raise Refused(f"the input file {outcome.name} has a header and no rows")
    return rows


@contextlib.contextmanager
def _refusals(file: Path, outcome: Outcome) -> Iterator[None]:
    """Refuse an upload for what the applications say of a file, with the upload's name instead of the path."""
    try:
        yield
    except applications.load("errors").UserError as error:
        raise Refused(str(error).replace(str(file), outcome.name)) from None


def _sha256(file: Path) -> str:
    """Hash a file, never what a link leads to."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise Refused(f"user {os.geteuid()} may not read it") from None
    except OSError:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise Refused("it is a link or a device, not a file") from None
        raise
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("it is a link or a device, not a file")
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _same(target: Path, made: Path) -> bool:
    with contextlib.suppress(Refused):
        return _sha256(target) == _sha256(made)
    return False


def _copy(file: Path, made: Path, outcome: Outcome, limits: Limits) -> None:
    """Copy an upload, unpacked, as far as the limits allow."""
    made.parent.mkdir(exist_ok=True)
    size, copied = file.lstat().st_size, 0
    if size > limits.bytes:
        raise Refused(f"it has more than {limits.bytes // 2**20} MiB: split it, or raise the param max_unpacked_mib")
    most = max(FREE_BYTES, size * limits.ratio)
    with _refusals(file, outcome), open(made, "wb") as target:
        for block in applications.load("inputs").blocks(str(file), limits.bytes):
            copied += len(block)
            if copied > most:
                raise Refused(f"it unpacks to more than {limits.ratio} times its size: if it is a data file, raise max_ratio")
            target.write(block)
        target.flush()
        os.fsync(target.fileno())


def _ledger_entry(data: Path, sha256: str) -> Any:
    try:
        return json.loads((data / "processed" / ".ledger" / sha256).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _enter(data: Path, sha256: str, outcome: Outcome) -> None:
    """Enter a content into the ledger at once and whole; of two uploads with it, one succeeds."""
    entry = data / "processed" / ".ledger" / sha256
    entry.parent.mkdir(parents=True, exist_ok=True)
    draft = entry.with_name(f".{outcome.key}")
    _write(draft, json.dumps({"key": outcome.key, "name": outcome.name, "day": outcome.day}))
    try:
        os.link(draft, entry)
    except FileExistsError:
        first = _ledger_entry(data, sha256)
        if first["key"] != outcome.key:
            raise Refused(f"it is a copy of {first['name']}, which was accepted before") from None
    finally:
        draft.unlink(missing_ok=True)


def _put_away(data: Path, file: Path, outcome: Outcome) -> None:
    stem, dot, ending = outcome.name.partition(".csv")
    name = f"{stem}.{outcome.key[:8]}{dot}{ending}"
    folder = data / ("quarantine" if outcome.reason else "processed") / outcome.day
    folder.mkdir(parents=True, exist_ok=True)
    if outcome.reason:
        _write(folder / f"{name}.reason.txt", f"{outcome.reason}\n")
    os.rename(file, folder / name)


def finish(inbox: Path, run_id: str) -> list[Outcome]:
    """Return what became of a run's claims and remove what is left of them; an upload that was not handled stays.

    Args:
        inbox: the inbox.
        run_id: the run.
    """
    mine = working_folder(inbox, run_id)
    outcomes = []
    for folder in sorted(mine.glob("*/")):
        if _claimed_file(folder) is None:
            outcomes += [outcome] if (outcome := _read_result(folder)) else []
            shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        mine.rmdir()
    return outcomes


def working_folder(inbox: Path, run_id: str) -> Path:
    """Return where a run keeps its claims."""
    return inbox / WORKING / folder_name(run_id)


def day_of_name(name: str) -> str | None:
    """Return the day of a sales file's name as YYYY-MM-DD, None if the name is another's."""
    match = _NAME.fullmatch(name)
    with contextlib.suppress(ValueError):
        return dt.date.fromisoformat(match[1]).isoformat() if match else None
    return None


def harmless(name: str) -> str:
    """Return a name of at most 150 bytes without leading dashes and what a shell or a terminal could misread."""
    unsafe = " /\\\"'`$*?[]{}()<>|&;!#~"
    text = "".join(c if c.isprintable() and c not in unsafe else "_" for c in os.fsencode(name).decode(errors="replace"))
    return re.sub(r"^[-.]", "_", text).encode()[:150].decode(errors="ignore")


def _upload(name: str, status: os.stat_result) -> Upload:
    return Upload(name, status.st_size, status.st_mtime_ns, status.st_ino)


def _claimed_file(folder: Path) -> Path | None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return next((path for path in folder.iterdir() if not path.name.startswith(".")), None)
    return None


def _read_result(folder: Path) -> Outcome | None:
    try:
        return Outcome(**json.loads((folder / _RESULT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft"[:250])
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
