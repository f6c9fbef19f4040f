"""The RDD application: words, laziness that can be seen, and where there are no RDDs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import inputs
import pytest
import wordcount
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st
from sales_cases import APPS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TEXT = "To be or not to be. That's the question. 밤이 깊다."


def _words(folder: Path) -> dict[str, int]:
    with open(folder / "words.csv", encoding="utf-8", newline="") as file:
        return {row["word"]: int(row["count"]) for row in csv.DictReader(file)}


def test_should_look_at_nothing_before_the_action_and_at_every_line_after(spark: SparkSession, tmp_path: Path) -> None:
    result = wordcount.run(spark, TEXT, (), 2, str(tmp_path), "demo")
    assert (result["looked_at_before"], result["looked_at_after"]) == (0, 4)
    folder = tmp_path / "wordcount" / "name=demo"
    assert _words(folder) == {"to": 2, "be": 2, "or": 1, "not": 1, "that's": 1, "the": 1, "question": 1, "밤이": 1, "깊다": 1}
    lineage = (folder / "lineage.txt").read_text()
    # From the result back to its source: what was reduced, the shuffle before it, the lines.
    order = [lineage.index(rdd) for rdd in ("PythonRDD", "ShuffledRDD", "ParallelCollectionRDD")]
    assert order == sorted(order)
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert (manifest["name"], manifest["partition"], manifest["words"], manifest["inputs"]) == ("wordcount", "name=demo", 11, [])
    assert (manifest["rows_read"], manifest["rows_written"], manifest["rows_rejected"], manifest["rows_duplicate"]) == (
        4,
        4,
        0,
        0,
    )
    assert {file["name"] for file in manifest["files"]} == {"words.csv", "lineage.txt"}
    assert manifest["bytes"] == sum((folder / name).stat().st_size for name in ("words.csv", "lineage.txt"))
    assert manifest["seconds"] >= 0 and set(manifest["versions"]) == {"airspark", "revision", "spark"}


def test_should_load_files_and_give_the_same_bytes_on_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"{TEXT}\n" * (number + 1), encoding="utf-8")
    files, found = inputs.find(str(tmp_path), "*.txt"), []
    for slices in (1, 5):
        wordcount.run(spark, None, files, slices, str(tmp_path / "out"), "files")
        found.append((tmp_path / "out/wordcount/name=files/words.csv").read_bytes())
    assert found[0] == found[1]
    assert _words(tmp_path / "out/wordcount/name=files")["be"] == 12
    manifest = json.loads((tmp_path / "out/wordcount/name=files/_manifest.json").read_text())
    assert (manifest["rows_read"], manifest["inputs"]) == (6, [file.described() for file in files])


def test_should_publish_nothing_if_a_file_was_changed_since_it_was_looked_at(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    file = inputs.look(path)
    path.write_text(TEXT * 2, encoding="utf-8")
    with pytest.raises(UserError, match="was changed while it was being read: run again"):
        wordcount.run(spark, None, (file,), 1, str(tmp_path / "out"), "changed")
    assert not (tmp_path / "out/wordcount").exists()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text("ab c'.", max_size=20), max_size=8))
def test_should_count_as_plain_python_does(spark: SparkSession, lines: list[str]) -> None:
    expected = Counter(word for line in lines for word in wordcount.WORD.findall(line.lower()))
    assert dict(wordcount.words(spark.sparkContext.parallelize(lines, 2)).collect()) == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "one of the arguments --text --input is required"),
        (["--text", "a", "--name", "../up"], "letters, digits, dots and dashes only"),
        (["--text", "a", "--slices", "0"], "at least one"),
        (["--input", "/nowhere.txt"], "does not exist"),
        (["--input", "/nowhere/*.txt"], r"no file \*.txt in /nowhere: there is no such folder"),
    ],
)
def test_should_refuse_what_makes_no_sense_in_a_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        wordcount.main(arguments)


def test_should_say_that_there_are_no_rdds_over_spark_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://nowhere")
    with pytest.raises(UserError, match="there are no RDDs over Spark Connect: submit to a master, or use a DataFrame"):
        wordcount.main(["--text", "a"])


def test_should_explain_itself_without_importing_spark() -> None:
    command = [sys.executable, str(APPS / "wordcount.py"), "--help"]
    assert "--slices" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_should_publish_what_it_is_submitted_with_even_if_the_text_begins_with_a_dash(tmp_path: Path) -> None:
    command = [sys.executable, str(APPS / "wordcount.py"), "--text=-to be or not", "--name=a", "--output", str(tmp_path)]
    environment = {**os.environ, "MASTER": "local[1]", "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "lines looked at before the action: 0\nlines looked at after the action: 1;" in done.stdout
    assert _words(tmp_path / "wordcount/name=a") == {"to": 1, "be": 1, "or": 1, "not": 1}
