"""YAML between `make import-values` and Helm: each side reads what the other one wrote."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airspark.importing import report
from airspark.importing.translate import translate
from airspark.project import Failure
from airspark.values import check, helm_yaml, rendered
from airspark.values.reading import parse

HELM = Path(os.environ.get("AIRSPARK_HELM") or shutil.which("helm") or "helm")
#: Texts that one reader of YAML or another takes for something else.
WORDS = """
    y Y n N yes No ON off true False null Null NULL ~ = << - ? : | > .nan .Inf +.inf -.INF
    012345678901 1e3 +1e2 1.e3 0o17 0O17 017 09 089123 0b11 -0b11 0B1 0x1F 0X_1f 1_000 1__0 _1 0_8 1:30 190:20:30
    1. .5 -.5 +.5 ._5 .5_0 .5e1_0 1e400 .5e400 1e 1.5.2 + 0x 0b 0b2 infinity +inf 1_000.5 1_e3 00.5 685_230.15 0x1p-2
    2020-01-01 2001-12-14t21:59:43.10-05:00 9223372036854775808 18446744073709551616 +18446744073709551615
    0xFFFFFFFFFFFFFFFF 0xFFFFFFFFFFFFFFFFF -9223372036854775809 12e4567 nULL tRUE 00 -017 +0o17 0777 0800 -0 1e22
"""
PLAIN = tuple(WORDS.split())
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBERS = st.text("0123456789_+-.eExXoObB:yYnN~ ", max_size=8)
LINES = st.text("a \n\t\"'{}#:-|\u2028\u0085\r", max_size=20)


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart that says which values it got."""
    folder = tmp_path_factory.mktemp("chart")
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: c, version: 0.1.0}")
    (folder / "templates").mkdir()
    (folder / "templates/a.yaml").write_text("got: {{ toJson .Values.given | b64enc }}\n")
    return folder


def helm(chart: Path, text: str) -> Any:
    """What Helm reads in the text of a values file, under `given`."""
    done = subprocess.run(
        [str(HELM), "template", str(chart), "--values", "-"], input=text, capture_output=True, check=True, encoding="utf-8"
    )
    found = re.search(r"got: (\S+)", done.stdout)
    assert found
    return json.loads(base64.b64decode(found[1]))


def test_should_read_a_scalar_without_quotes_as_helm_does(chart: Path) -> None:
    # Not finite numbers are for neither; a lone sign of YAML's grammar is no scalar.
    words = [
        word for word in PLAIN if word not in ("-", "?", ":", "|", ">") and not re.fullmatch(r"[-+]?\.(nan|inf)", word.lower())
    ]
    text = "given:\n" + "".join(f"- {word}\n" for word in words)
    read = parse(text, "a.yaml")["given"]
    for word, mine, theirs in zip(words, read, helm(chart, text), strict=True):
        assert mine == theirs or (float(mine) == float(theirs) and not isinstance(mine, bool | str)), word


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.from_regex(r"[0-9+.][0-9_+.eExXoObB-]{0,7}", fullmatch=True), min_size=30, max_size=300))
def test_should_read_any_scalar_that_may_be_a_number_as_helm_does(chart: Path, words: list[str]) -> None:
    text = "given:\n" + "".join(f"- {word}\n" for word in words)
    for word, mine, theirs in zip(words, parse(text, "a.yaml")["given"], helm(chart, text), strict=True):
        assert mine == theirs or (not isinstance(mine, bool | str) and float(mine) == float(theirs)), word


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.large_base_example])
@given(st.lists(st.one_of(ANY, NUMBERS, LINES, st.sampled_from(PLAIN)), min_size=20, max_size=200))
def test_should_write_any_text_so_that_helm_reads_that_text(chart: Path, texts: list[str]) -> None:
    values = {"given": {"list": texts, "maps": [{"name": "A", "value": text, "deep": {"a": [text]}} for text in texts]}}
    written = helm_yaml.dump(values)
    for form in (written, helm_yaml.compact(values)):
        assert helm(chart, form) == values["given"]
    assert parse(written, "a.yaml") == yaml.safe_load(written) == values


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.sets(st.one_of(ANY, NUMBERS, LINES, st.sampled_from(PLAIN)), min_size=20, max_size=100))
def test_should_write_any_key_so_that_helm_reads_that_key(chart: Path, texts: set[str]) -> None:
    values = {"given": {"keys": dict.fromkeys(sorted(texts), 1)}}
    for form in (helm_yaml.dump(values), helm_yaml.compact(values)):
        assert helm(chart, form) == values["given"]


def test_should_leave_texts_texts_if_they_look_like_numbers_in_the_official_file() -> None:
    given = (
        "executor: KubernetesExecutor\nenv: [{name: A, value: '012345678901'}, {name: B, value: 'y'}, {name: C, value: n}]\n"
        "labels: {flag: 'y'}\nimages: {statsd: {repository: r.example.org/a, tag: '1e3'}}\n"
        "config: {core: {x: '1e3', z: 1e3}}\nsecret: [{envName: X, secretName: 'y', secretKey: 'off'}]\n"
    )
    done = translate(parse(given, "a.yaml"))
    text = report.document(done.values, "a.yaml")
    assert parse(text, "b.yaml") == done.values
    for line in (
        "value: '012345678901'",
        "value: 'y'",
        "value: false",
        "tag: '1e3'",
        "flag: 'y'",
        "x: '1e3'",
        "secretKey: 'off'",
    ):
        assert line in text
    assert done.values["airflow"]["config"]["core"]["z"] == 1000


@pytest.mark.parametrize("text", ["a: .inf", "a: [.nan]", "~: 1", "1.5: 1", "a: !!int x"])
def test_should_refuse_with_a_sentence_what_helm_does_not_read(text: str) -> None:
    with pytest.raises(Failure, match="mine.yaml, line 1, column .* is not YAML: the "):
        parse(text, "mine.yaml")


def test_should_read_a_value_under_a_tag_of_ones_own_as_helm_does(chart: Path) -> None:
    text = "given: [!own a, !own {a: 1}, !own [1], !!binary aGFsbG8=, !!timestamp 2020-01-01, !!float 5, !!int '5', !!str 5]"
    assert parse(text, "a.yaml")["given"] == helm(chart, text)


@pytest.mark.parametrize("name", ["Prod 🚀", "a\xa0b"])
def test_should_check_values_with_any_character(name: str) -> None:
    values = {"airflow": {"config": {"api": {"instance_name": name}}}}
    assert check.problems({"mine.yaml": values}, HELM) == []


@pytest.mark.parametrize("mark", ["🚀", "\x07"])
def test_should_name_a_template_that_does_not_work_if_any_character_stands_beside_it(mark: str) -> None:
    values = {"airflow": {"extraEnv": f"- {{name: A, value: '{mark} {{{{ .Values.x '}}"}}
    (line,) = rendered.problems(HELM, values)
    assert line.startswith("airflow.extraEnv: its template does not work")


def test_should_write_one_line_of_comment_if_the_files_name_has_several() -> None:
    text = report.document({"airflow": {}}, "my\nfile.yaml")
    assert text.splitlines()[1] == "airflow: {}" and "'my file.yaml'" in text
