"""Lines that must each be one JSON object, read strictly and exactly by Python's own json module.

Spark's from_json() reads the first value of a line and says nothing of what follows it, rounds numbers, takes the last of two
members with one name, and makes texts of objects and arrays. Here a line is one object from its first character to its last
one, and a number is the text that stands in the line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import vectors

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame

#: What a field holds whose value no text can be: the replacement character, so that the field does not count as missing.
NO_TEXT = "\ufffd"


def parsed(lines: DataFrame, names: Sequence[str]) -> DataFrame:
    """Read each line as one JSON object, in one pass over the lines.

    Args:
        lines: a column value, a line a row, valid UTF-8 or not.
        names: the members to return.

    Returns:
        line, with the bytes as they are; problem, wrong and a column for each name: what `read` returns.
    """
    from pyspark.sql import functions as F

    vectors._ship(read)
    wanted = list(names)

    def parse(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow

        decode = decoder()
        for batch in batches:
            found = [read(line, wanted, decode) for line in batch.column(0).to_pylist()]
            problems = pyarrow.array([problem for problem, _, _ in found], pyarrow.string())
            wrong = pyarrow.array([wrong for _, wrong, _ in found], pyarrow.bool_())
            texts = [pyarrow.array([fields[n] for _, _, fields in found], pyarrow.string()) for n in range(len(wanted))]
            columns = ["line", "problem", "wrong", *wanted]
            yield pyarrow.RecordBatch.from_arrays([batch.column(0), problems, wrong, *texts], columns)

    schema = ", ".join(["line binary", "problem string", "wrong boolean", *(f"`{name}` string" for name in wanted)])
    # As bytes: Arrow refuses a string that is not UTF-8.
    read_lines = lines.select(F.col("value").cast("binary").alias("value")).mapInArrow(parse, schema)
    return read_lines.withColumn("line", F.col("line").cast("string"))


def decoder() -> Callable[[str], Any]:
    """Return what turns a JSON text into a value: an object is a tuple of its members, and a number its own text.

    It raises a ValueError for what is no JSON: NaN and Infinity too, and anything before or behind the value but JSON's white
    space; and a RecursionError for arrays and objects that are about a thousand levels deep.
    """
    # Texts for numbers: int() has a limit of 4,300 digits, and float() rounds.
    return json.JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=_refuse).decode


def read(line: bytes, names: Sequence[str], decode: Callable[[str], Any]) -> tuple[str | None, bool, list[str | None]]:
    """Read one line.

    Args:
        line: its bytes without the end of the line; a byte order mark before the object is ignored.
        names: the members to return.
        decode: what `decoder` returns, made once for many lines.

    Returns:
        The problem: not_utf8 for bytes that are not UTF-8 or hold a NUL, not_json for anything but one object whose members
        have different names, else None. Whether one of the named members is an object, an array, true, false, or a text with
        U+0000 or half of a surrogate pair, which neither PostgreSQL nor Parquet holds. And for each name the text: that of a
        string, a number as it stands in the line, NO_TEXT for one of the wrong ones, None for null or a member that is not
        there.
    """
    nothing: list[str | None] = [None] * len(names)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "not_utf8", False, nothing
    if "\0" in text:
        return "not_utf8", False, nothing
    try:
        members = decode(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return "not_json", False, nothing
    if not isinstance(members, tuple) or len(fields := dict(members)) != len(members):
        return "not_json", False, nothing
    values = [fields.get(name) for name in names]
    # What UTF-8 cannot hold comes by an escape alone.
    escaped = "\\u" in text
    texts = [value if value is None or _is_text(value, escaped) else NO_TEXT for value in values]
    return None, texts != values, texts


def _is_text(value: Any, escaped: bool) -> bool:
    """Return whether a value is a text that any table holds.

    Args:
        value: what the decoder made.
        escaped: whether it may hold U+0000 or half of a surrogate pair.
    """
    return isinstance(value, str) and not (escaped and any(mark == "\0" or "\ud800" <= mark <= "\udfff" for mark in value))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
