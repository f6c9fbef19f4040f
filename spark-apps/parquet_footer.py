"""Make the footers of equal Parquet files equal.

parquet-java keeps the encodings of a column chunk in a hash set of enums, whose order differs from one JVM to
the next, and writes them in that order. Nothing reads it, but two runs over one input would differ by it.
The format is Thrift's compact protocol: https://parquet.apache.org/docs/file-format/metadata/
"""

from __future__ import annotations

import re
from pathlib import Path

_MAGIC = b"PAR1"
_LIST_OF_I32 = 5
_MOST_ENCODINGS = 6


def sort_encodings(path: str | Path, columns: list[str], row_groups: int) -> bool:
    """Sort the encodings of each column chunk in a Parquet file's footer, in place.

    Args:
        path: the file.
        columns: the names of its columns, none of them nested, each shorter than 128 bytes.
        row_groups: how many row groups it has.

    Returns:
        False, with the file as it was, if its footer is not written as expected.
    """
    with open(path, "r+b") as file:
        file.seek(-8, 2)
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC:
            return False
        file.seek(-8 - length, 2)
        start = file.tell()
        footer = file.read(length)
        changed = footer
        for column in columns:
            changed, found = _pattern(column).subn(_sorted, changed)
            if found != row_groups:
                return False
        if changed != footer:
            file.seek(start)
            file.write(changed)
    return True


def _pattern(column: str) -> re.Pattern[bytes]:
    # Field 2, encodings: a list header with the number of elements, then one byte for each;
    # field 3, path_in_schema: a list of one string.
    name = column.encode()
    lists = b"|".join(
        re.escape(bytes([count << 4 | _LIST_OF_I32])) + b"[\x00-\x14]{%d}" % count for count in range(1, _MOST_ENCODINGS + 1)
    )
    path = bytes([0x19, 1 << 4 | 8, len(name)]) + name
    return re.compile(b"\x19(?:" + lists + b")" + re.escape(path), re.DOTALL)


def _sorted(match: re.Match[bytes]) -> bytes:
    text = match.group()
    count = text[1] >> 4
    return text[:2] + bytes(sorted(text[2 : 2 + count])) + text[2 + count :]
