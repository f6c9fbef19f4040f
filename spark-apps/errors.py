"""How the applications of this folder report failures: one sentence for a user's mistake, no traceback."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Sequence

EXIT_USER_ERROR = 2
#: EX_TEMPFAIL of sysexits.h.
EXIT_TEMPORARY = 75

_DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL_TEXT = re.compile(r"No space left on device|Disk quota exceeded|not enough space", re.IGNORECASE)
# Begins only where a word begins, and gives nothing back: a text of slashes alone is read once.
_PATH_IN_TEXT = re.compile(r"(?<![^\s:()'\"])[^\s:()'\"/]*+(/[^\s:()'\"]++) ?\(No space left on device\)")


class UserError(Exception):
    """A mistake or a limit that one sentence explains; the application ends with exit code 2."""


class TemporaryError(RuntimeError):
    """What one sentence explains and a later try may not meet, such as a server that is away; exit code 75."""


def disk_full_reason(error: BaseException, *folders: str) -> str | None:
    """Tell whether an error, a Java one included, means that a disk is full.

    Args:
        error: what was raised; Spark's Java errors carry the reason in their text only.
        folders: folders that the application writes to, named in the sentence with their free space.

    Returns:
        One sentence, or None if the error means something else.
    """
    text = str(error)
    if getattr(error, "errno", None) not in _DISK_FULL_ERRNOS and not _DISK_FULL_TEXT.search(text):
        return None
    named = _PATH_IN_TEXT.search(text)
    where = getattr(error, "filename", None) or (named.group(1) if named else None)
    sentence = f"the disk is full while writing {where}" if where else "a disk is full"
    free = [f"{folder} has {_free_mib(folder)} MiB free" for folder in folders if os.path.isdir(folder)]
    if free:
        sentence += f" ({', '.join(free)})"
    return f"{sentence}: free some space and run again; nothing was published"


def run(name: str, main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run an application's main function and turn a UserError or a TemporaryError into one sentence on stderr.

    Args:
        name: the application's name, the prefix of the sentence.
        main: gets the command-line arguments without the program's name.
        argv: the command-line arguments.

    Returns:
        The exit code: 0, 2 for a UserError or a full disk, or 75 for a TemporaryError. Other errors pass through.
    """
    code = EXIT_USER_ERROR
    try:
        main(argv)
    except UserError as error:
        reason: str | None = str(error)
    except TemporaryError as error:
        reason, code = str(error), EXIT_TEMPORARY
    except Exception as error:
        reason = disk_full_reason(error)
        if reason is None:
            raise
    else:
        return 0
    sys.stdout.flush()
    print(f"{name}: error: {reason}", file=sys.stderr, flush=True)
    return code


def _free_mib(folder: str) -> int:
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize // 2**20
