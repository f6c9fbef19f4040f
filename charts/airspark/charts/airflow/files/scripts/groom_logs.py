"""Remove old logs from a folder, again and again.

Usage: groom_logs.py FOLDER [--once]

GROOM_DAYS and GROOM_MINUTES say how old a file may be (both 0: any age), GROOM_MAX_BYTES and GROOM_MAX_PERCENT how much
all files may take (0: no limit; a share is one of the volume), GROOM_EVERY_MINUTES how often to look. A link that
points nowhere, and a folder that was emptied, go too; the folder of a task that just starts does not.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

EMPTY_FOLDER_SECONDS = 3600.0


def setting(name: str) -> int:
    """Return a number of the environment, 0 if it is not there."""
    return int(os.environ.get(f"GROOM_{name}", "0") or 0)


def files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield modification time in seconds, size in bytes and path of each file below a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            yield found.st_mtime, found.st_size, path


def limit_bytes(folder: Path) -> int:
    """Return how many bytes all files may take, 0 for no limit."""
    by_share = shutil.disk_usage(folder).total * setting("MAX_PERCENT") // 100
    return min((limit for limit in (setting("MAX_BYTES"), by_share) if limit), default=0)


def groom(folder: Path, now: float) -> tuple[int, int]:
    """Remove what is too old, then the oldest until the rest fits.

    Args:
        folder: where logs are.
        now: the time, in seconds since 1970.

    Returns:
        Number of files removed, and their bytes.
    """
    found = sorted(files(folder))
    age = setting("DAYS") * 86400 + setting("MINUTES") * 60
    old = [entry for entry in found if age and now - entry[0] > age]
    kept = found[len(old) :]
    limit, total = limit_bytes(folder), sum(size for _, size, _ in kept)
    while limit and total > limit and len(kept) > 1:
        old.append(kept.pop(0))
        total -= old[-1][1]
    dangling = [entry for entry in kept if entry[2].is_symlink() and not entry[2].exists()]
    for _, _, path in old + dangling:
        path.unlink(missing_ok=True)
    remove_empty_folders(folder, now)
    return len(old), sum(size for _, size, _ in old)


def remove_empty_folders(folder: Path, now: float) -> None:
    """Remove folders that are empty for an hour or longer; a younger one may belong to a task that starts."""
    for parent, _, _ in sorted(os.walk(folder), reverse=True):
        path = Path(parent)
        try:
            if path != folder and now - path.stat().st_mtime > EMPTY_FOLDER_SECONDS:
                path.rmdir()
        except OSError:
            continue


def main(arguments: list[str]) -> int:
    """Groom until the container stops, or once."""
    folder = Path(arguments[0])
    while True:
        try:
            count, size = groom(folder, time.time())
        except OSError as error:
            print(f"groom_logs: {folder}: {error.strerror}; the next pass tries again", file=sys.stderr, flush=True)
        else:
            if count:
                print(f"removed {count} files, {size / 1e6:.1f} MB", flush=True)
        if "--once" in arguments:
            return 0
        time.sleep(max(setting("EVERY_MINUTES"), 1) * 60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
