"""JSON lines read strictly: one whole object a line, numbers as they stand there, and no line that stops the reader."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import json_lines
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MEGABYTE = 2**20
DECODE = json_lines.decoder()


def _read(line: bytes | str, names: Sequence[str] = ("a",)) -> tuple[str | None, bool, list[str | None]]:
    return json_lines.read(line if isinstance(line, bytes) else line.encode(), names, DECODE)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"a": "x"}', "x"),
        ('{"a": "a} {b"}', "a} {b"),
        ('{"a": "{x"}', "{x"),
        ('{"a": "[1]"}', "[1]"),
        ('{"a": ""}', ""),
        ('{"a": null}', None),
        ("{}", None),
        ('{"A": "x"}', None),
        ('\ufeff{"a": "x"}', "x"),
        ('\ufeff \t\r\n{ "a" :\t"x" } \t\r\n', "x"),
        ('{"a": "\ufeff"}', "\ufeff"),
        ('{"\\u0061": "x"}', "x"),
        (r'{"a": "\ud83d\ude00 \u00e9 \/ \" \\ \n"}', '\U0001f600 é / " \\ \n'),
        ('{"a": "😀\x7f\u2028"}', "😀\x7f\u2028"),
        (r'{"a": "\\ud83d \\u0000"}', r"\ud83d \u0000"),
        ('{"a": 1}', "1"),
        ('{"a": -0}', "-0"),
        ('{"a": 1.10}', "1.10"),
        ('{"a": 1e-30}', "1e-30"),
        ('{"a": 1E+400}', "1E+400"),
        ('{"a": 1.00000000000000000001}', "1.00000000000000000001"),
        ('{"a": 12345678901234567890123}', "12345678901234567890123"),
        ('{"a": "x", "b": {"c": 1, "c": [true]}, "d": "\\u0000\\ud83d"}', "x"),
    ],
)
def test_should_read_one_object_exactly(line: str, text: str | None) -> None:
    assert _read(line) == (None, False, [text])


@pytest.mark.parametrize(
    "value",
    [
        *("{}", '{"b": 1}', "[]", "[1]", "true", "false", '[{"a": "x"}]'),
        *(r'"\u0000"', r'"x\u0000y"', r'"\ud83d"', r'"\ude00"', r'"\ude00\ud83d"', r'"\uD83D x"', r'" \u0000"'),
    ],
)
def test_should_mark_what_no_text_is_and_not_count_it_as_missing(value: str) -> None:
    assert _read(f'{{"a": {value}, "b": "x", "c": null}}', "abc") == (None, True, [json_lines.NO_TEXT, "x", None])
    assert _read(f'{{"a": {value}, "b": "x", "c": null}}', "bc") == (None, False, ["x", None])


@pytest.mark.parametrize(
    "line",
    [
        # More than one value, or anything else around the object.
        *(
            '{"a": "x"}{"a": "y"}',
            '{"a": "x"} {"a": "y"}',
            '{"a": "x"},{"a": "y"}',
            '{"a": "x"},',
            '{"a": "x"}}',
            '{"a": "x"}//x',
        ),
        *(
            '{"a": "x"} garbage',
            '{"a": "x"}\ufeff',
            ' \ufeff{"a": "x"}',
            '\ufeff\ufeff{"a": "x"}',
            '\u00a0{"a": "x"}',
            '{"a": "x"}\v',
        ),
        # Another value than an object.
        *("", " ", "\ufeff", "1", "null", '"x"', "[]", "[1]", '[["a", "x"]]', '[{"a": "x"}]', "NaN"),
        # No JSON.
        *(
            "{",
            '{"a"}',
            '{"a": }',
            '{"a": "x"',
            '{"a": "x}',
            "{a: 1}",
            "{'a': 'x'}",
            '{"a": "x",}',
            '{,"a": "x"}',
            '{"a": 1 "b": 2}',
        ),
        *('{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', '{"b": NaN}', '{"a": nul}', '{"a": True}', '{"a": undefined}'),
        *(
            '{"a": 01}',
            '{"a": +1}',
            '{"a": .5}',
            '{"a": 5.}',
            '{"a": 1e}',
            '{"a": 0x1}',
            '{"a": 1_0}',
            '{"a": １}',
            '{"a": 1.５}',
        ),
        *(
            '{"a": "\t"}',
            '{"a": "x\ny"}',
            '{"a": "\x1f"}',
            r'{"a": "\x"}',
            r'{"a": "\u12"}',
            r'{"a": "\u00g0"}',
            r'{"a": "\U0061"}',
        ),
        # Two members with one name: which of them holds?
        *('{"a": "x", "a": "x"}', '{"a": "x", "a": null}', '{"a": "x", "\\u0061": "y"}', '{"a": "x", "b": 1, "b": 1}'),
    ],
)
def test_should_refuse_what_is_not_one_whole_object(line: str) -> None:
    assert _read(line) == ("not_json", False, [None])


@pytest.mark.parametrize(
    "line",
    [
        *(
            b'{"a": "\xff"}',
            '{"a": "고객"}'.encode("cp949"),
            b'{"a": "\xc0\xaf"}',
            b'{"a": "\xed\xa0\xbd"}',
            b'{"a": "\xf4\x90\x80\x80"}',
        ),
        *(b'{"a": "x\0"}', b'\0{"a": "x"}', b'{"a": "x"}\0', b'{"a": "\xec\x84"}', '{"a": "x"}'.encode("utf-16"), b"\xff"),
    ],
)
def test_should_refuse_bytes_that_are_not_utf8(line: bytes) -> None:
    assert _read(line) == ("not_utf8", False, [None])


@pytest.mark.parametrize(
    "part", [*'[{"\\0719 }],:', '{"a":', "[{", '{"a":"x"}', '{"a":1,', "\ufeff", '""', "\\u0000", "-", "1e", "각"]
)
def test_should_judge_a_megabyte_of_anything_at_once(part: str) -> None:
    many = part * (MEGABYTE // len(part))
    began = time.monotonic()
    assert _read(many)[0] == "not_json"
    for around in ('{{"a":{}', '{{"a":{}}}', '{{"a":"{}', '{{"{}":1}}', '{{"a":"x"}}{}', '{}{{"a":"x"}}'):
        problem, _, texts = _read(around.format(many))
        assert problem in ("not_json", None) and (problem is None or texts == [None])
    # A second each on a busy machine, where a pattern that starts again at each character takes minutes.
    assert time.monotonic() - began < 20


def test_should_keep_every_digit_of_a_number_and_every_character_of_a_text_of_a_megabyte() -> None:
    for literal in (
        "7" * MEGABYTE,
        "-" + "7" * MEGABYTE,
        "0." + "7" * MEGABYTE,
        "1e" + "7" * MEGABYTE,
        "0." + "0" * MEGABYTE + "1",
    ):
        assert _read(f'{{"a": {literal}}}') == (None, False, [literal])
    for text in (" " * MEGABYTE, "}" * MEGABYTE, "[" * MEGABYTE, '"' * MEGABYTE, "\\" * MEGABYTE, "각" * MEGABYTE):
        assert _read(json.dumps({"a": text})) == (None, False, [text])
    assert _read(" " * MEGABYTE + '{"a": "x"}' + "\t" * MEGABYTE) == (None, False, ["x"])


def test_should_take_nesting_that_people_write_and_refuse_what_would_end_the_stack() -> None:
    for depth, problem in ((200, None), (5_000, "not_json"), (500_000, "not_json")):
        for nested in ("[" * depth + "]" * depth, '{"c":' * depth + "1" + "}" * depth):
            assert _read('{"a": "x", "b": ' + nested + "}")[0] == problem


CHARACTER = st.characters(exclude_categories=()) | st.sampled_from('\0\ud83d\ude00{}[]"\\/ué각\ufeff')
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(CHARACTER),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("a", "b", "각", "\\u0061", "")


@given(
    members=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), VALUE, max_size=8),
    indent=st.none() | st.sampled_from(["", " ", "\t"]),
    around=st.lists(st.text(" \t\r\n", max_size=3), min_size=2, max_size=2),
    mark=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_should_agree_with_the_object_that_a_line_was_made_of(
    members: dict[str, Any], indent: str | None, around: list[str], mark: bool
) -> None:
    line = "\ufeff" * mark + around[0] + json.dumps(members, indent=indent) + around[1]
    wrong = False
    texts: list[str | None] = []
    for name in NAMES:
        value = members.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            texts.append(json.dumps(value))
        elif value is None:
            texts.append(None)
        else:
            # Two escapes one after the other may be the halves of one character.
            text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else "\0"
            holds = (
                isinstance(value, str) and "\0" not in text and text.encode("utf-16") == value.encode("utf-16", "surrogatepass")
            )
            wrong |= not holds
            texts.append(text if holds else json_lines.NO_TEXT)
    assert _read(line, NAMES) == (None, wrong, texts)


TOKEN = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b'"', b'"a"', b'"b"', b":", b",", b"1", b"-", b"e", b".", b"0", b"true", b"null", b"NaN", b" "),
        *(b"\\", b"\\u", b"d83d", b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b'{"a":', b'"x"}', b"\xed\xa0\x80", "각".encode()),
    ]
)


def _is_one_object(line: bytes) -> bool:
    """Whether a line is an object with different names, by Python's json module as it is for everyone."""
    twice = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        # The outermost object comes last.
        twice = len({name for name, _ in pairs}) < len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        text = line.decode().removeprefix("\ufeff")
        return isinstance(json.loads(text, object_pairs_hook=members, parse_constant=refuse), dict) and not twice
    except ValueError:
        return False


@given(
    st.binary(max_size=40)
    | st.lists(TOKEN, max_size=20).map(b"".join)
    | st.lists(TOKEN, max_size=9).map(lambda t: b"{%s}" % b"".join(t))
)
@example(b'{"a":1}')
@settings(max_examples=500, deadline=None)
def test_should_have_an_answer_for_any_bytes(line: bytes) -> None:
    problem, wrong, texts = _read(line, ("a", "b"))
    try:
        utf8 = b"\0" not in line and bool(line.decode() or True)
    except UnicodeDecodeError:
        utf8 = False
    assert problem == ("not_utf8" if not utf8 else None if _is_one_object(line) else "not_json")
    assert len(texts) == 2 and (problem is None or (texts, wrong) == ([None, None], False))
    for text in texts:
        assert text is None or ("\0" not in text and text.encode().decode() == text)


def test_should_read_a_column_of_lines_with_their_bytes_as_they_are(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    lines = [
        *(
            b'{"a": "x", "b c": 1.50}',
            b'\xef\xbb\xbf{"b c": [1]}\r',
            b'{"a": "\xff"}',
            b'{"a": "\0"}',
            b'{"a": 1}{"a": 2}',
            b"",
            b"[",
        ),
        *(b"[" * MEGABYTE, b'{"a": "%s"}' % (b"x" * MEGABYTE), b'{"a": %s}' % (b"7" * MEGABYTE), '{"a": "각😀"}'.encode()),
    ]
    frame = spark.createDataFrame([(bytearray(line),) for line in lines], "value binary").select(F.col("value").cast("string"))
    found = json_lines.parsed(frame, ["b c", "a"])
    assert found.dtypes == [("line", "string"), ("problem", "string"), ("wrong", "boolean"), ("b c", "string"), ("a", "string")]
    rows = found.withColumn("line", F.col("line").cast("binary")).collect()
    assert [bytes(row.line) for row in rows] == lines
    assert [(row.problem, row.wrong, [row["b c"], row.a]) for row in rows] == [_read(line, ["b c", "a"]) for line in lines]
