"""Publish a folder of results so that readers see it complete or not at all, even if the writer is killed.

A published partition is a relative symbolic link to a version that nothing writes to any more:

    output/sales/date=2026-01-15  ->  ../.versions/sales/date=2026-01-15/20260116T000312Z-5f3a9c01

A run writes into a folder of its own under output/.staging, moves it under .versions, and switches the link
by one rename(2), which POSIX file systems, NFS among them, do at once. renameat2(RENAME_EXCHANGE) would need
no link, but NFS refuses it. Names that begin with a dot are skipped by Spark, pyarrow and pandas.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from errors import UserError

STAGING = ".staging"
VERSIONS = ".versions"
_LOCK = ".lock"


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
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"the output folder {root} cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _lock_path(folder).unlink(missing_ok=True)
        os.close(lock)


def publish(root: str | Path, partition: str, folder: str | Path) -> Path:
    """Make a finished folder the content of a partition, in place of what was there before.

    Two runs that publish the same partition take turns; the last one stays.

    Args:
        root: the output folder.
        partition: the partition's path below root, such as sales/date=2026-01-15.
        folder: the finished folder, on the same file system; it is moved away.

    Returns:
        The partition's path, which now leads to the new content.

    Raises:
        UserError: if something that this module did not publish has the partition's name.
    """
    link = Path(root) / partition
    versions = Path(root) / VERSIONS / partition
    check_replaceable(root, partition)
    _sync_tree(Path(folder))
    link.parent.mkdir(parents=True, exist_ok=True)
    versions.mkdir(parents=True, exist_ok=True)
    lock = _locked(versions / _LOCK, wait=True)
    try:
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


def check_replaceable(root: str | Path, partition: str) -> None:
    """Check that a partition is absent or was published by this module.

    Raises:
        UserError: if it is a plain folder or file.
    """
    link = Path(root) / partition
    if link.exists() and not link.is_symlink():
        raise UserError(f"{link} was not published by this application: move it away, then run again")


def _remove_old(link: Path, versions: Path, current: Path) -> None:
    for entry in versions.iterdir():
        if entry.name not in (_LOCK, current.name):
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
