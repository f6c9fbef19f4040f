"""`make submit`: what it reads, and what it says of a refusal. tests/e2e submits for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from airspark import submit
from airspark.project import Failure

APP = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\nspec: {}\n"


def write(folder: Path, text: str) -> str:
    """A manifest with a text."""
    file = folder / "app.yaml"
    file.write_text(text)
    return str(file)


def test_should_find_the_application_among_what_else_is_in_the_file(tmp_path: Path) -> None:
    others, manifest = submit.read(write(tmp_path, f"kind: ConfigMap\nmetadata: {{name: c}}\n---\n{APP}"))
    assert manifest["metadata"]["name"] == "a" and [thing["kind"] for thing in others] == ["ConfigMap"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold one SparkApplication or ScheduledSparkApplication, and holds nothing"),
        ("kind: Pod\n", "and holds Pod"),
        ("just a text\n", "and holds a text"),
        (f"{APP}---\n{APP}", "and holds SparkApplication, SparkApplication"),
        ("a: [1\nb: 2\n", "is no YAML: "),
        ("kind: SparkApplication\nspec: {}\n", "metadata.name is missing"),
        ("kind: SparkApplication\nmetadata: [a]\n", "metadata.name is missing"),
    ],
)
def test_should_say_in_a_sentence_what_is_wrong_with_a_manifest(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Failure) as failure:
        submit.read(write(tmp_path, text))
    assert said in str(failure.value) and failure.value.hint


@pytest.mark.parametrize(
    ("name", "said"), [("", "F= names no manifest"), ("no-such.yaml", "no-such.yaml cannot be read: No such file")]
)
def test_should_name_an_example_if_there_is_no_manifest(name: str, said: str) -> None:
    with pytest.raises(Failure, match=said) as failure:
        submit.read(name)
    assert failure.value.hint == "make submit F=manifests/examples/python-pi.yaml"


def test_should_refuse_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="cannot be read: it is no text"):
        submit.read(str(file))


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        (
            'The SparkApplication "a" is invalid: \n* spec.driver: Invalid value: "object": driver.cores must be 1\n'
            '* spec.type: Unsupported value: "Go"\n',
            'spec.driver: Invalid value: "object": driver.cores must be 1; spec.type: Unsupported value: "Go"',
        ),
        ('Error from server (BadRequest): unknown field "spec.drivr"\n', '(BadRequest): unknown field "spec.drivr"'),
        (
            'error: resource mapping not found for name: "a": no matches for kind "SparkApplication"\n',
            "this cluster does not know",
        ),
        ("", "the API server refuses it without a word"),
    ],
)
def test_should_say_what_the_api_server_says_in_one_sentence(stderr: str, sentence: str) -> None:
    assert sentence in str(submit.refusal(stderr)) and "\n" not in str(submit.refusal(stderr))
