"""Publish a folder of results so that readers see it complete or not at all, even if the writer is killed.

A published partition is a relative symbolic link to a version that nothing writes to any more:

    output/sales/date=2026-01-15  ->  ../.versions/sales/date=2026-01-15/20260116T000312Z-5f3a9c01

A run writes into a folder of its own under output/.staging, moves it under .versions, and switches the link
by one rename(2), which POSIX file systems, NFS among them, do at once. renameat2(RENAME_EXCHANGE) would need
no link, but NFS refuses it. Names that begin with a dot are skipped by Spark, pyarrow and pandas.

A version is removed once another is published: whoever reads one file after the other keeps it by `held`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from errors import UserError

STAGING = ".staging"
VERSIONS = ".versions"
_LOCK = ".lock"
_USERS_MISTAKES = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
)
_VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


class Superseded(Exception):
    """Another version was published meanwhile."""


@dataclass(frozen=True)
class Published:
    """A partition that this module published.

    Attributes:
        path: its path below the root, such as sales/date=2026-01-15.
        version: the name of the version that its link leads to.
        folder: that version's folder.
    """

    path: str
    version: str
    folder: Path


@contextlib.contextmanager
def staging(root: str | Path, label: str) -> Iterator[Path]:
    """Make a folder that belongs to this run alone, and remove it, with all that is left in it, at the end.

    Folders that killed runs left are removed first: the lock of a run ends with its process.

    Args:
        root: the output folder; created if missing.
        label: the beginning of the folder's name.

    Yields:
        The folder, empty, on the file system of root.

    Raises:
        UserError: if root cannot be written or keeps no locks.
    """
    base = Path(root) / STAGING
    try:
        base.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(base)
        folder, lock = _own_folder(base, label)
    except OSError as error:
        if error.errno not in _USERS_MISTAKES:
            raise
        raise UserError(f"the output folder {root} cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _lock_path(folder).unlink(missing_ok=True)
        os.close(lock)


def publish(root: str | Path, partition: str, folder: str | Path, replaces: str | None = None) -> Path:
    """Make a finished folder the content of a partition, in place of what was there before.

    Two runs that publish the same partition take turns; the last one stays.

    Args:
        root: the output folder.
        partition: the partition's path below root, such as sales/date=2026-01-15.
        folder: the finished folder, on the same file system; it is moved away.
        replaces: the version that the folder was made from, which must still be the present one; None takes any.

    Returns:
        The partition's path, which now leads to the new content.

    Raises:
        UserError: if something that this module did not publish has the partition's name.
        Superseded: if another version than `replaces` is the present one.
    """
    link = Path(root) / partition
    versions = Path(root) / VERSIONS / partition
    check_replaceable(root, partition)
    _sync_tree(Path(folder))
    link.parent.mkdir(parents=True, exist_ok=True)
    versions.mkdir(parents=True, exist_ok=True)
    lock = _locked(versions / _LOCK, wait=True)
    try:
        if replaces is not None and _current(link, versions) != replaces:
            raise Superseded(partition)
        version = versions / _unique()
        os.rename(folder, version)
        _sync(versions)
        switch = link.with_name(f".{link.name}.{version.name}")
        switch.symlink_to(os.path.relpath(version, link.parent))
        os.replace(switch, link)
        _sync(link.parent)
        _remove_old(link, versions, version)
    finally:
        os.close(lock)
    return link


@contextlib.contextmanager
def held(root: str | Path, partition: str) -> Iterator[Path]:
    """Keep a partition as it is while it is read: runs that publish it or take it away wait, and so do others that hold it.

    Args:
        root: the output folder.
        partition: the partition's path below root, such as sales/date=2026-01-15.

    Yields:
        The folder of the present version, root/.versions/<partition>/<version>.

    Raises:
        UserError: if nothing is published there, or root keeps no locks.
    """
    versions = Path(root) / VERSIONS / partition
    absent = UserError(f"nothing is published as {Path(root) / partition}: run what publishes it, then run again")
    try:
        lock = _locked(versions / _LOCK, wait=True, create=False)
    except FileNotFoundError:
        raise absent from None
    try:
        version = _current(Path(root) / partition, versions)
        if version is None:
            raise absent
        yield versions / version
    finally:
        os.close(lock)


def published(root: str | Path) -> list[Published]:
    """Return every partition that this module published, by path; links and folders of others are left out."""
    base = Path(root) / VERSIONS
    if base.is_symlink():
        return []
    found = []
    for folder, names, files in os.walk(base):
        names[:] = [name for name in names if not _VERSION.fullmatch(name)]
        path = Path(folder).relative_to(base)
        link = Path(root) / path
        if _LOCK in files and link.parent.resolve() == Path(root).resolve() / path.parent:
            version = _current(link, Path(folder))
            if version is not None:
                found.append(Published(str(path), version, Path(folder) / version))
    return sorted(found, key=lambda partition: partition.path)


def withdraw(root: str | Path, partition: Published) -> bool:
    """Take a partition away: first the link, so that readers see it whole or not at all, then what it led to.

    Args:
        root: the output folder.
        partition: what `published` returned.

    Returns:
        Whether it was taken away; it stays if it was published anew meanwhile.
    """
    link = Path(root) / partition.path
    versions = Path(root) / VERSIONS / partition.path
    try:
        # The lock stays: a run that waits for it must find it where the next one will look for it.
        lock = _locked(versions / _LOCK, wait=True, create=False)
    except FileNotFoundError:
        return False
    try:
        if _current(link, versions) != partition.version:
            return False
        link.unlink()
        _sync(link.parent)
        _remove_old(link, versions, None)
    finally:
        os.close(lock)
    return True


def sweep(root: str | Path) -> int:
    """Remove what killed runs left: folders in staging, and versions that no link leads to.

    Returns:
        How many.
    """
    base = Path(root) / STAGING
    before = _entries(base)
    if before:
        _remove_abandoned(base)
    removed = len(before - _entries(base))
    for folder, names, files in os.walk(Path(root) / VERSIONS):
        entries = {name for name in names if _VERSION.fullmatch(name)}
        names[:] = [name for name in names if name not in entries]
        if _LOCK not in files or not entries:
            continue
        versions = Path(folder)
        link = Path(root) / versions.relative_to(Path(root) / VERSIONS)
        lock = _locked(versions / _LOCK, wait=True)
        try:
            current = _current(link, versions)
            before = _entries(versions)
            _remove_old(link, versions, versions / current if current else None)
            removed += len(before - _entries(versions))
        finally:
            os.close(lock)
    return removed


def _entries(folder: Path) -> set[str]:
    with contextlib.suppress(FileNotFoundError):
        return {entry.name for entry in folder.iterdir() if not entry.name.endswith(_LOCK)}
    return set()


def _current(link: Path, versions: Path) -> str | None:
    """Return the version that a link leads to if this module has made the link, else None."""
    try:
        target = os.readlink(link)
    except OSError:
        return None
    name = os.path.basename(target)
    ours = target == os.path.relpath(versions / name, link.parent) and _VERSION.fullmatch(name) is not None
    return name if ours and (versions / name).is_dir() else None


def check_replaceable(root: str | Path, partition: str) -> None:
    """Check that a partition is absent or was published by this module.

    Raises:
        UserError: if it is a plain folder or file.
    """
    link = Path(root) / partition
    # One look: between two, a run that withdraws the partition could take the link away.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stat.S_ISLNK(link.lstat().st_mode):
            return
        raise UserError(f"{link} was not published by this application: move it away, then run again")


def _remove_old(link: Path, versions: Path, current: Path | None) -> None:
    for entry in versions.iterdir():
        if entry.name != _LOCK and entry != current:
            shutil.rmtree(entry, ignore_errors=True)
    for entry in link.parent.glob(f".{link.name}.*"):
        entry.unlink(missing_ok=True)


def _own_folder(base: Path, label: str) -> tuple[Path, int]:
    while True:
        folder = base / f"{label}-{_unique()}"
        lock = _locked(_lock_path(folder), wait=True)
        # A cleaner may have taken the new lock file for an abandoned one and removed it.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(_lock_path(folder))):
                folder.mkdir()
                return folder, lock
        os.close(lock)


def _remove_abandoned(base: Path) -> None:
    for path in base.glob(f"*{_LOCK}"):
        try:
            lock = _locked(path, wait=False, create=False)
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue
        shutil.rmtree(path.with_name(path.name.removesuffix(_LOCK)), ignore_errors=True)
        path.unlink(missing_ok=True)
        os.close(lock)
    # A folder is made after its lock: without one it holds what the executors of a killed run wrote late.
    for folder in base.iterdir():
        if folder.is_dir() and not _lock_path(folder).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _locked(path: Path, wait: bool, create: bool = True) -> int:
    # Open for writing: NFS makes of flock a record lock, which a read-only descriptor may not take.
    lock = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o664)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise UserError(f"the file system of {path.parent} keeps no locks, which publishing needs") from None
        raise
    return lock


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unique() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
