"""`make submit`: what it reads, and what it says of a refusal. tests/e2e submits for real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from airspark import retry, submit
from airspark.project import ROOT, Failure

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
        ("a: [1\nb: 2\n", "is not valid YAML: "),
        (APP.replace("metadata: {name: a}", "metadata: {}"), "metadata.name is missing"),
        (APP.replace("metadata: {name: a}", "metadata: [a]"), "metadata.name is missing"),
        (
            APP.replace("v1beta2", "v1beta1"),
            "apiVersion is sparkoperator.k8s.io/v1beta1, and must be sparkoperator.k8s.io/v1beta2",
        ),
        ("kind: SparkApplication\nmetadata: {name: a}\n", "apiVersion is missing, and must be sparkoperator.k8s.io/v1beta2"),
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


def test_should_refuse_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="cannot be read: it is not text"):
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
        ('Error from server (NotFound): error when creating "STDIN": namespaces "no" not found\n', "there is no namespace no"),
        ("", "the API server refuses it without a word"),
    ],
)
def test_should_say_what_the_api_server_says_in_one_sentence(stderr: str, sentence: str) -> None:
    assert sentence in str(submit.refusal(stderr)) and "\n" not in str(submit.refusal(stderr))


OPERATOR = {"metadata": {"name": "airspark-spark-operator", "namespace": "airspark"}, "status": {"readyReplicas": 1}}


class Cluster:
    """What `submit` sends, in order, and what it gets back; `there` is the application of that name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, there: Any, refuses: str = "", problem: str = "") -> None:
        self.there, self.refuses, self.problem, self.sent = there, refuses, problem, []  # type: tuple[Any, str, str, list[str]]
        self.controllers, self.namespaces = [OPERATOR], ["airspark"]
        monkeypatch.setattr(submit, "kubectl", self.kubectl)
        monkeypatch.setattr(retry, "send", self.send)
        monkeypatch.setattr(submit, "KEPT", folder / "kept")
        monkeypatch.setattr(submit, "kubectl_command", lambda *words: list(words))

    def kubectl(self, *words: str, timeout: float = 0) -> str:
        if "deployments" in words:
            return json.dumps({"items": self.controllers})
        if "logs" in words:
            return "Pi is roughly 3.14"
        self.sent.append(" ".join(word for word in words if word in ("get", "delete")))
        if "delete" in words:
            self.there = {}
        return json.dumps(self.there) if self.there else ""

    def send(self, command: list[str], text: str, timeout: float = 0) -> subprocess.CompletedProcess[str]:
        manifest, dry = json.loads(text), "--dry-run=server" in command
        verb = next(word for word in command if word in ("apply", "create", "replace", "exec"))
        self.sent.append(f"{verb} {manifest['kind']}{' dry' if dry else ''}")
        if verb == "exec":
            return subprocess.CompletedProcess([], 0, json.dumps({"problem": self.problem, "namespaces": self.namespaces}), "")
        if self.refuses and manifest["kind"] == "SparkApplication":
            return subprocess.CompletedProcess([], 1, "", self.refuses)
        if verb == "create" and self.there:
            return subprocess.CompletedProcess(
                [], 1, "", 'Error from server (AlreadyExists): sparkapplications "a" already exists'
            )
        return subprocess.CompletedProcess([], 0, text, "")


def ended(state: str = "COMPLETED") -> dict[str, Any]:
    """An application that has ended."""
    (found,) = yaml.safe_load_all(APP)
    status = {
        "applicationState": {"state": state},
        "terminationTime": "2026-01-01T00:00:00Z",
        "driverInfo": {"podName": "a-driver"},
    }
    return {**found, "status": status}


def begin(text: str = APP) -> Any:
    """Submit a manifest without following it."""
    others, manifest = [], yaml.safe_load(text)  # type: list[Any], Any
    return submit._begin(others, manifest, "airspark")


def test_should_replace_an_ended_application_only_after_everything_has_accepted_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(monkeypatch, tmp_path, ended())
    begin()
    assert cluster.sent == ["get", "create SparkApplication dry", "replace SparkApplication dry", "exec SparkApplication",
                            "delete", "create SparkApplication"]  # fmt: skip
    kept = {file.suffix: file.read_text() for file in (tmp_path / "kept/airspark/a").iterdir()}
    assert (
        kept[".log"] == "Pi is roughly 3.14\n" and yaml.safe_load(kept[".yaml"])["status"]["driverInfo"]["podName"] == "a-driver"
    )
    assert "The last run of a (COMPLETED) is kept: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("refuses", "problem", "namespaces", "sentence"),
    [
        ('Error from server (BadRequest): unknown field "spec.drivr"', "", ["airspark"], 'unknown field "spec.drivr"'),
        (
            "",
            "volumes: the name 'a' is used by the controller; rename the volume",
            ["airspark"],
            "the controller refuses a: volumes: ",
        ),
        ("", "", ["jobs", "team"], "runs no applications of the namespace airspark, only of jobs, team"),
    ],
)
def test_should_leave_an_ended_application_as_it_is_if_the_new_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: str, problem: str, namespaces: list[str], sentence: str
) -> None:
    cluster = Cluster(monkeypatch, tmp_path, ended("FAILED"), refuses, problem)
    cluster.namespaces = namespaces
    with pytest.raises(Failure) as caught:
        begin()
    assert sentence in str(caught.value) and caught.value.hint
    assert "delete" not in cluster.sent and all("dry" in line for line in cluster.sent if line.startswith(("create", "replace")))


def test_should_leave_an_ended_application_as_it_is_if_there_is_no_controller_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch, tmp_path, ended())
    cluster.controllers = []
    with pytest.raises(
        Failure, match="^no controller of SparkApplications is installed, so that the COMPLETED application a stays"
    ):
        begin()
    assert "delete" not in cluster.sent


def test_should_wait_for_a_controller_that_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE", 0.3)
    cluster = Cluster(monkeypatch, tmp_path, ended())
    cluster.controllers = [{**OPERATOR, "status": {}}]
    with pytest.raises(
        Failure, match="the controller of SparkApplications has not answered for 0 s: the deployment airspark-spark-op"
    ):
        begin()
    assert "delete" not in cluster.sent


def test_should_follow_an_application_that_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, tmp_path, ended("RUNNING"))
    assert begin() == ended("RUNNING") and cluster.sent == ["get"]


def test_should_keep_the_last_runs_of_an_application_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, tmp_path, {})
    for day in range(1, 15):
        app = ended()
        app["status"]["terminationTime"] = f"2026-01-{day:02d}T00:00:00Z"
        submit.keep(app, "airspark")
    kept = sorted(file.name for file in (tmp_path / "kept/airspark/a").iterdir())
    assert len(kept) == 2 * submit.MOST_KEPT and kept[-1].startswith("2026-01-14") and kept[0].startswith("2026-01-05")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, None),
        ({"driver": {"volumeMounts": [{"name": "nope", "mountPath": "/a"}]}}, "driver.volumeMounts: there is no volume 'nope'"),
        ({"sparkConf": {"spark.kubernetes.namespace": "other"}}, "sparkConf.spark.kubernetes.namespace is 'other'"),
    ],
)
def test_should_ask_the_code_of_the_controller_itself(tmp_path: Path, spec: dict[str, Any], problem: str | None) -> None:
    """Runs what `make submit` runs in the controller's pod, on the operator of this checkout."""
    (app,) = yaml.safe_load_all((ROOT / "manifests/examples/python-pi.yaml").read_text())
    app["metadata"] |= {"namespace": "airspark", "uid": "0"}
    app["spec"] |= {key: app["spec"].get(key, {}) | value for key, value in spec.items()}
    settings = tmp_path / "settings.json"
    settings.write_text('{"namespaces": ["airspark"]}')
    done = subprocess.run(
        [sys.executable, "-c", submit.LOOK, str(settings)],
        input=json.dumps(app), text=True, capture_output=True, env={"PYTHONPATH": str(ROOT / "operator")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["namespaces"] == ["airspark"]
    assert found["problem"] is None if problem is None else str(found["problem"]).startswith(problem)
