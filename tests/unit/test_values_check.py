"""Values files are checked before anything is built: every problem at once, in sentences, without a value of a secret."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from airspark import cli, engine
from airspark.project import Failure
from airspark.values import check, rendered, shape
from airspark.values.reading import parse, read

HELM = Path(os.environ.get("AIRSPARK_HELM") or shutil.which("helm") or "helm")
REFERENCE = "{valueFrom: {secretKeyRef: {name: my-secret, key: password}}}"


def said(text: str) -> list[str]:
    """What is said of a values file."""
    return check.problems({"my-values.yaml": parse(text, "my-values.yaml")}, HELM)


def one(text: str) -> str:
    """The one thing that is said of a values file."""
    found = said(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("webserver: {replicas: 2}", "webserver: it belongs under `airflow:`, whose chart has it; write `airflow.webserver`"),
        (
            "airflow: {webserver: {replicas: 2}}",
            "airflow.webserver: Airflow 3 has no webserver, the API server serves the UI; write its keys under "
            "`airflow.apiServer`, `webserverConfig` as `airflow.apiServer.apiServerConfig`",
        ),
        ("airflow: {schedulr: {}}", "airflow.schedulr: it is not a value of this chart; did you mean `airflow.scheduler`?"),
        (
            "airflow: {connections: {x: {type: http, password: hunter2}}}",
            f"airflow.connections.x.password: a password is never a value; write a reference to a Secret: {REFERENCE}",
        ),
        (
            "airflow: {scheduler: {replcas: 2}}",
            "airflow.scheduler.replcas: it is not a value of this chart; did you mean `replicas`?",
        ),
        (
            "spark: {worker: {replicas: 2}}",
            "spark.worker.replicas: it is not a value of this chart; did you mean `replicaCount`?",
        ),
        ("data: {metadataSecretName: a}", "data.metadataSecretName: it belongs under `airflow:`; write `airflow.data."),
        ("data: {size: 10}", 'data.size: it is a whole number, and a text is expected, for example "10Gi"'),
        (
            "airflow: {scheduler: {replicas: two}}",
            "airflow.scheduler.replicas: it is a text, and a whole number is expected, for",
        ),
        ("airflow: {env: {A: b}}", "airflow.env: it is a map, and a list is expected"),
        ("airflow: {statsd: {enabled: 'yes'}}", "airflow.statsd.enabled: it is a text, and true or false is expected"),
        ("airflow: {scheduler: {replicas: -1}}", "airflow.scheduler.replicas: it must be 0 at least"),
        ("airflow: {images: {airflow: {pullPolicy: Now}}}", "it must be one of Always, IfNotPresent, Never"),
        ("airflow: {logs: {persistence: {size: many}}}", 'it does not have the form that is expected, for example "5Gi"'),
        ("airflow: {secret: [{envName: A}]}", "airflow.secret[0]: it lacks `secretName`, `secretKey`"),
        (
            "airflow: {imagePullSecrets: [4]}",
            "airflow.imagePullSecrets[0]: it is a whole number, and a map or a text is expected",
        ),
        ("airflow: {dags: {gitSync: {enabled: true, repo: ''}}}", "airflow.dags.gitSync.repo: names no repository"),
        (
            "airflow: {config: {core: {parallelism: '{{ nofunc }}'}}}",
            "airflow.config.core.parallelism: its template does not work",
        ),
        ("airflow: scheduler", "airflow: it is a text, and a map is expected"),
    ],
)
def test_should_say_one_sentence_that_names_the_key_and_what_to_write(text: str, sentence: str) -> None:
    assert sentence in one(text)


@pytest.mark.parametrize("off", ["", "airflow", "spark", "sparkOperator"])
def test_should_name_a_key_that_every_chart_refuses_once_and_as_it_is_written(off: str) -> None:
    switched = f"\n{off}: {{enabled: false}}" if off else ""
    sentence = one(f"global: {{timeZone: America/New_Yrok}}{switched}")
    assert sentence.startswith('global.timeZone: "America/New_Yrok" is not a time zone'), sentence


def test_should_say_everything_at_once_over_schema_charts_and_templates() -> None:
    found = said(
        "webserver: {}\nairflow:\n  executor: CeleryExecutor\n  scheduler: {replcas: 2}\n  fernetKey: hunter2\n"
        "  config: {core: {parallelism: '{{ nofunc }}'}}\nspark: {worker: {replicas: 3}}\n"
    )
    keys = {line.split(": ")[0] for line in found}
    expected = {"executor", "scheduler.replcas", "fernetKey", "config.core.parallelism"}
    assert keys == {"webserver", "spark.worker.replicas", *(f"airflow.{key}" for key in expected)}
    assert "hunter2" not in str(found)


def test_should_leave_out_helms_own_words() -> None:
    for noise in ("--debug", "execution error", "INSTALLATION FAILED", "Error:", "validate.yaml", "at '"):
        assert noise not in str(said("webserver: {}\nairflow: {executor: CeleryExecutor, scheduler: {replcas: 2}}"))


def test_should_name_the_file_that_sets_a_key_if_there_are_several() -> None:
    first = parse("airflow: {executor: CeleryExecutor, scheduler: {replicas: two}}", "a.yaml")
    found = check.problems({"a.yaml": first, "b.yaml": parse("airflow: {fernetKey: x}", "b.yaml")}, HELM)
    assert [line.split(": ")[:2] for line in found] == [
        ["a.yaml", "airflow.scheduler.replicas"],
        ["a.yaml", "airflow.executor"],
        ["b.yaml", "airflow.fernetKey"],
    ]


def test_should_say_nothing_of_values_that_install() -> None:
    assert (
        said("x-mine: &r {requests: {cpu: 50m}}\nairflow: {scheduler: {resources: *r, replicas: 2}}\nspark: {enabled: null}")
        == []
    )
    assert said("") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "my.yaml, line 1, column 6 is not YAML"),
        ("a: 1\n\tb: 2\n", "my.yaml, line 2, column 1 is not YAML"),
        ("a: 1\na: 2\n", "my.yaml, line 2, column 1 is not YAML: the key a stands twice"),
        ("- a\n", "my.yaml is a list where a map of values is expected"),
        ("just words", "my.yaml is a text where a map of values is expected"),
        ("a: 1\n---\nb: 2\n", "my.yaml has 2 documents"),
    ],
)
def test_should_say_where_a_file_is_not_a_values_file(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(Failure) as problem:
        parse(text, "my.yaml")
    assert str(problem.value).startswith(sentence) and problem.value.hint


def test_should_read_a_file_as_helm_does() -> None:
    assert parse("day: 2026-01-02\non: 1\nbase: &b {a: 1}\nmore: {<<: *b, c: 2}", "a") == {
        "day": "2026-01-02",
        "true": 1,
        "base": {"a": 1},
        "more": {"a": 1, "c": 2},
    }


def test_should_name_the_yaml_files_that_are_there_if_the_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "my-values.yaml").write_text("a: 1")
    with pytest.raises(Failure, match=r"my-value\.yaml does not exist; YAML files there: my-values\.yaml"):
        read(tmp_path / "my-value.yaml")
    with pytest.raises(Failure, match="is a folder"):
        read(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="UTF-8"):
        read(tmp_path / "binary")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_should_check_values_before_the_engine_is_started(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my-values.yaml"
    file.write_text("airflow: {scheduler: {replcas: 2}, executor: CeleryExecutor}")

    def started() -> None:
        raise AssertionError("the engine was asked for")

    monkeypatch.setattr(engine, "ensure", started)
    monkeypatch.setattr(engine, "find", started)
    monkeypatch.setattr(check.tools, "locate", lambda name: HELM)
    monkeypatch.setattr(sys, "argv", ["airspark", command, "--values", str(file)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    lines = capsys.readouterr().err.splitlines()
    assert caught.value.code == 1 and lines[0] == f"✗ {file}: 2 problems, nothing was built or changed"
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["airflow.scheduler.replcas", "airflow.executor"]
    assert lines[3] == f'  → correct it, then: make {command} VALUES="{file}"'


def test_should_say_what_the_schema_sees_before_helm_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my-values.yaml"
    file.write_text("airflow: {scheduler: {replcas: 2}}")
    monkeypatch.setattr(check.tools, "locate", lambda name: None)
    monkeypatch.setattr(check.tools, "ensure", lambda name: pytest.fail("Helm would be built"))
    with pytest.raises(Failure, match="did you mean `replicas`"):
        check.require([file])
    built: list[str] = []
    monkeypatch.setattr(check.tools, "ensure", lambda name: built.append(name) or HELM)
    file.write_text("airflow: {executor: CeleryExecutor}")
    with pytest.raises(Failure, match="not CeleryExecutor"):
        check.require([file])
    assert built == ["helm"]


def test_should_put_keys_in_a_charts_sentence_where_the_file_has_them() -> None:
    line = "dags.gitSync.repo, uid: set `dags.gitSync.enabled` or `fab`, for example `{a: b}`"
    assert rendered.qualified(line, "airflow") == (
        "airflow.dags.gitSync.repo, airflow.uid: set `airflow.dags.gitSync.enabled` or `fab`, for example `{a: b}`"
    )
    assert rendered.qualified(line, "") == line


def test_should_print_no_value_that_is_given() -> None:
    given = "airflow: {scheduler: {replicas: hunter2}, images: {airflow: {pullPolicy: hunter2}}, secret: [hunter2], uid: hunter2}"
    assert len(shape.problems(parse(given, "a"))) == 4 and "hunter2" not in str(said(given))
