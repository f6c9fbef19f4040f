"""Input files: found and read whatever their names are, unpacked, counted by their bytes."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import access_log
import api_orders
import batch
import clickstream
import errors
import frames
import inputs
import publish
import pytest
import sales_etl
import sales_input
import vectors
import wordcount
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import cloudpickle
from sales_cases import DAY, GOOD

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LOG = '203.0.113.7 - - [15/Jan/2026:10:00:00 +0900] "GET /cart HTTP/1.1" 200 512 "-" "Firefox" 0.120'
#: Names that a file system takes, and that Spark skips, takes for a pattern or cannot open.
NAMES = (
    *(
        "_underscore",
        "a:b",
        "a[1]",
        "a{1,2}",
        "a*",
        "a?",
        "a,b",
        "a%2Cb",
        "a b",
        " lead",
        "a\\b",
        "a=b",
        "a#b",
        "a%",
        "a'\"b",
        "각" * 60,
    ),
    *("-rf", "$(x)", "a\tb", "a\nb", "~", "a;b", "a&b", "_metadata", "x" * 224, "a+b", "a^b", "s3:"),
)
END = "-2026-01-15.log"


def _content(pieces: list[bytes], header: bytes = b"") -> inputs.Content:
    return inputs.count(pieces, header)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r", b" ", b"\t", b"h\n", b"h", b"h\r\n", b"\xef\xbb\xbf", b"\r\n"]), max_size=30),
    st.integers(1, 7),
)
def test_should_count_the_rows_of_a_content_however_it_is_cut_into_blocks(parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    lines = whole.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    wanted = [line for line in lines if line.strip(b" \t\r") and line.removesuffix(b"\r") != b"h"]
    # A mark is as long as a block at least: real blocks are a megabyte.
    blocks = [whole[:3], *(whole[begin : begin + size] for begin in range(3, len(whole), size))]
    found = _content([block for block in blocks if block], b"h")
    assert (found.bytes, found.lines, found.rows) == (len(whole), len(lines), len(wanted))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_should_read_the_file_that_is_there_whatever_its_name_is(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in[1]{a,b}*"
    folder.mkdir()
    (folder / f"{name}{END}").write_text(f"{LOG}\n{LOG}\n")
    # What a pattern of that name could be taken for.
    (tmp_path / "in1").mkdir()
    (tmp_path / "in1" / f"a1{END}").write_text("another\n")
    files = access_log.check(str(folder), DAY)
    assert [Path(file.path).name for file in files] == [f"{name}{END}"]
    assert inputs.bring(files, tmp_path) == [f"{tmp_path}/00000.txt"]
    assert (tmp_path / "00000.txt").read_text() == f"{LOG}\n{LOG}\n"


def test_should_publish_every_row_of_files_with_any_name_and_list_them(on_shared_session: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / f"{name}{END}").write_text(f"{LOG}\n" * (number + 1))
    files = access_log.check(str(folder), DAY)
    rows = access_log.run(files, DAY, str(tmp_path / "out"), 0)
    assert rows.read == rows.written == sum(range(len(NAMES) + 1))
    manifest = json.loads((tmp_path / "out/access_log/date=2026-01-15/_manifest.json").read_text())
    assert {Path(one["path"]).name for one in manifest["inputs"]} == {f"{name}{END}" for name in NAMES}


def test_should_refuse_a_name_that_is_not_utf8_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xb0\xa1-2026-01-15.log")).write_text(LOG)
    with pytest.raises(UserError, match=r"the input file b'.*\\xb0\\xa1-2026-01-15.log' has a name that is not UTF-8: rename it"):
        access_log.check(str(tmp_path), DAY)


def test_should_leave_out_a_file_that_is_still_being_written_with_a_line_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", ".b"):
        (tmp_path / f"{name}{END}").write_text(f"{LOG} {name}")
    assert [Path(file.path).name for file in access_log.check(str(tmp_path), DAY)] == [f"a{END}"]
    assert f".b{END} is left out: a name that begins with a dot" in capsys.readouterr().out


def test_should_count_the_words_of_the_file_that_has_the_very_name(tmp_path: Path) -> None:
    for name in ("a1.txt", "a[1].txt", "b*.txt", "b1.txt"):
        (tmp_path / name).write_text(name)
    assert [Path(file.path).name for file in wordcount.check(str(tmp_path / "a[1].txt"))] == ["a[1].txt"]
    assert [Path(file.path).name for file in wordcount.check(str(tmp_path / "b*.txt"))] == ["b*.txt"]
    assert [Path(file.path).name for file in wordcount.check(str(tmp_path / "a?.txt"))] == ["a1.txt"]


PACKED = {
    "one member": (lambda data: gzip.compress(data), 2),
    "several members": (lambda data: gzip.compress(data) + gzip.compress(data), 4),
    "cut inside a line": (lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]), 2),
    "zero padding": (lambda data: gzip.compress(data) + bytes(3_000), 2),
    "padding between members": (lambda data: gzip.compress(data) + bytes(8) + gzip.compress(data), 4),
    "an empty member behind": (lambda data: gzip.compress(data) + gzip.compress(b""), 2),
}


@pytest.mark.parametrize("kind", PACKED)
def test_should_read_every_row_of_a_gzip_file(tmp_path: Path, kind: str) -> None:
    pack, number = PACKED[kind]
    (tmp_path / f"a{END}.gz").write_bytes(pack(f"{LOG}\n".encode() * 2))
    (file,) = access_log.check(str(tmp_path), DAY)
    (tmp_path / "out").mkdir()
    (path,) = inputs.bring([file], tmp_path / "out")
    assert (file.rows, Path(path).read_text()) == (number, f"{LOG}\n" * number)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (gzip.compress(b""), "is empty: nothing is packed in it"),
        (gzip.compress(b"") * 3, "is empty: nothing is packed in it"),
        (gzip.compress(b" \n\t\n"), "holds blank lines only"),
        (b"", "is empty"),
        (gzip.compress(LOG.encode())[:-5], "is cut off: its upload did not end, send it again"),
        (gzip.compress(LOG.encode()) + b"junk", "is damaged: .*send it again"),
        (gzip.compress(LOG.encode())[:-8] + bytes(8), "is damaged: .*send it again"),
        (LOG.encode(), "is damaged: .*send it again"),
        (gzip.compress(bytes(3 * 2**20)), r"unpacks to more than 2 MiB: split it, or raise --max-unpacked-mib"),
    ],
    ids=["nothing", "nothing thrice", "blank", "no bytes", "cut off", "more behind", "another sum", "no gzip file", "too much"],
)
def test_should_refuse_the_same_gzip_file_in_the_same_sentence_everywhere(tmp_path: Path, data: bytes, sentence: str) -> None:
    for name in (f"a{END}.gz", "clicks_2026-01-15.jsonl.gz", "text.gz"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "campaigns.csv").write_text("campaign,channel,cost\n")
    limits = {"max_unpacked_mib": 2}
    with pytest.raises(UserError, match=sentence):
        access_log.check(str(tmp_path), DAY, **limits)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        clickstream.check(str(tmp_path), DAY, **limits)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        wordcount.check(str(tmp_path / "text.gz"), 2 * 2**20)


def test_should_say_what_a_limit_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "many", "-1", "1e3", "9" * 5_000):
        with pytest.raises(UserError, match="argument --max-unpacked-mib: must be a whole number from 1 to 2147483647, not"):
            access_log.main(["--date", "2026-01-15", f"--max-unpacked-mib={text}"])
    with pytest.raises(UserError, match="argument --files-before: must be a whole number from 0 to 7, not 8"):
        access_log.main(["--date", "2026-01-15", "--files-before", "8"])


def _dropped(frame: DataFrame) -> DataFrame:
    return frame.where("value NOT LIKE '%C3%'")


def _publishes(tmp_path: Path) -> dict[str, Callable[[], Any]]:
    """Return what publishes ten rows of a folder, by the application."""
    sales = tmp_path / "sales"
    sales.mkdir()
    rows = [GOOD.replace("C1", f'"C{number}"' if number % 2 else f"C{number}") for number in range(10)]
    (sales / "sales_2026-01-15.csv").write_text("\n".join([",".join(sales_input.COLUMNS), *rows]))
    (tmp_path / f"a{END}").write_text("".join(f"{LOG.replace('/cart', f'/C{number}')}\n" for number in range(10)))
    order = {"customer_id": "", "created_at": "2026-01-15T10:00:00+09:00", "status": "paid", "amount": "10.50", "currency": "KRW"}
    orders = [json.dumps({**order, "order_id": number, "customer_id": f"C{number}"}) for number in range(10)]
    (tmp_path / "orders_2026-01-15.jsonl").write_text("\n".join(orders))
    event = {"session_id": "s", "at": "2026-01-15T10:00:00+09:00", "type": "view", "product_id": "p"}
    events = [json.dumps({**event, "event_id": f"C{number}", "user_id": "u"}) for number in range(10)]
    (tmp_path / "clicks_2026-01-15.jsonl").write_text("\n".join(events))
    (tmp_path / "campaigns.csv").write_text("campaign,channel,cost\n")
    folder, out = str(tmp_path), str(tmp_path / "out")
    return {
        "sales": lambda: sales_etl.run(sales_input.check(str(sales), DAY), DAY, out, 1),
        "access_log": lambda: access_log.run(access_log.check(folder, DAY), DAY, out, 1),
        "api_orders": lambda: api_orders.run(inputs.look(tmp_path / "orders_2026-01-15.jsonl"), DAY, out, 1),
        "clickstream": lambda: clickstream.run(clickstream.check(folder, DAY), DAY, 2, out, 1),
    }


@pytest.mark.parametrize("name", ["sales", "access_log", "api_orders", "clickstream"])
def test_should_publish_nothing_if_the_reader_drops_rows(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = _publishes(tmp_path)[name]
    module, reader = (vectors, "other_lines") if name == "sales" else (frames, "lines")
    read = getattr(module, reader)
    monkeypatch.setattr(module, reader, lambda *arguments: _dropped(read(*arguments)))
    with pytest.raises(RuntimeError, match=r"^the input holds 10 rows and 9 were read, nothing is published: .*"):
        run()
    assert not (tmp_path / "out" / name).exists() and not (tmp_path / "out/quarantine").exists()


def test_should_publish_nothing_if_the_short_way_drops_rows(
    on_shared_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, whole = _publishes(tmp_path)["sales"], sales_etl.plain

    def without_a_row(rows: Any, date: dt.date) -> Any:
        in_order, typed = whole(rows, date)
        return in_order, typed.slice(1)

    cloudpickle.register_pickle_by_value(sales_etl)
    monkeypatch.setattr(sales_etl, "plain", without_a_row)
    with pytest.raises(RuntimeError, match=r"^the input holds 10 rows and 9 were read, nothing is published"):
        run()
    assert not (tmp_path / "out/sales").exists()


def test_should_publish_nothing_if_words_of_lines_are_not_counted(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\rtwo\nthree\r\n\nfour")
    files = wordcount.check(str(tmp_path / "a.txt"))
    found = wordcount.run(spark, None, files, 3, str(tmp_path / "out"), "a")
    assert (found["looked_at_after"], found["words"]) == (4, 4)
    text_file = type(spark.sparkContext).textFile
    monkeypatch.setattr(type(spark.sparkContext), "textFile", lambda *one: text_file(*one).filter(lambda line: line != "four"))
    with pytest.raises(RuntimeError, match="the input holds 4 lines and 3 were read, nothing is published"):
        wordcount.run(spark, None, files, 3, str(tmp_path / "out"), "b")
    assert not (tmp_path / "out/wordcount/name=b").exists()


def test_should_leave_nothing_of_brought_files_behind(tmp_path: Path) -> None:
    (tmp_path / f"a{END}.gz").write_bytes(gzip.compress(LOG.encode()))
    files = access_log.check(str(tmp_path), DAY)
    with batch.staged(batch.Job("a", "date=2026-01-15", str(tmp_path / "out"), files), files) as (path,):
        assert Path(path).read_text() == LOG
    assert list((tmp_path / "out" / publish.STAGING).iterdir()) == []


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("sales_etl --check --date 2026-01-15 --input FILE", "is a file, not a folder"),
        ("api_orders --check --date 2026-01-15 --input FILE", "cannot be read: Not a directory"),
        ("clickstream --check --date 2026-01-15 --input FILE", "cannot be read: Not a directory"),
        ("access_log --check --date 2026-01-15 --input FILE", "is a file, not a folder"),
        ("wordcount --input FILE/x", "cannot be read: Not a directory"),
        ("sales_etl --check --date 2026-01-15 --input LONG", "cannot be read: File name too long"),
        ("access_log --check --date 2026-01-15 --input LONG", "no file|cannot be read"),
        ("api_orders --check --date 2026-01-15 --input LONG", "cannot be read: File name too long"),
        ("wordcount --input LONG", "cannot be read: File name too long"),
        ("wordcount --input ", "the input file  does not exist"),
        ("wordcount --input a**", r"a\*\* is not a pattern of names"),
        ("wordcount --text a --slices 99999999999", "must be a whole number from"),
        ("clickstream --date 2026-01-15 --window-days 1000000", "must be a whole number from"),
        ("access_log --check --date 9999-12-31", "is not one from 1001-01-01 to 9998-12-31"),
        ("sales_etl --check --date 0001-01-01", "is not one from 1001-01-01 to 9998-12-31"),
    ],
)
def test_should_say_a_mistake_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, sentence: str
) -> None:
    (tmp_path / "file").write_text("a")
    name, *arguments = command.split(" ")
    found = [one.replace("FILE", str(tmp_path / "file")).replace("LONG", str(tmp_path / ("x" * 300))) for one in arguments]
    modules = {"sales_etl": sales_etl, "api_orders": api_orders, "clickstream": clickstream, "access_log": access_log}
    assert errors.run(name, modules.get(name, wordcount).main, found) == 2
    said = capsys.readouterr().err
    assert re.search(sentence, said) and said.count("\n") == 1, said


def test_should_say_that_the_output_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^the output folder /proc/x cannot be written: "), publish.staging("/proc/x", "a"):
        pass


def test_should_judge_a_day_whose_offset_has_seconds_by_spark_alone(on_shared_session: SparkSession, tmp_path: Path) -> None:
    day = dt.date(1905, 1, 15)
    lines = [GOOD.replace("2026-01-15T10:00:00+09:00", at) for at in (f"{day}T10:00:00", f"{day}T10:00:00+08:27:52")]
    (tmp_path / f"sales_{day}.csv").write_text("\n".join([",".join(sales_input.COLUMNS), *lines]))
    rows = sales_etl.run(sales_input.check(str(tmp_path), day), day, str(tmp_path / "out"), 1)
    assert (rows.read, rows.written, rows.rejects) == (2, 1, {"wrong_type": 1})
