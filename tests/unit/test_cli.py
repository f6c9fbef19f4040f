"""The command line: failures end in one sentence, the next command and a non-zero exit."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from airspark import cli, cluster, console, engine, look
from airspark.project import Failure


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command in this process and return its exit code and what it said."""
    monkeypatch.setattr(sys, "argv", ["airspark", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0), capsys.readouterr().err


def raising(problem: BaseException) -> object:
    """A function that raises."""

    def function(*_: object, **__: object) -> None:
        raise problem

    return function


def test_should_say_make_up_if_no_engine_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engine, "find", lambda: None)
    code, said = run(monkeypatch, capsys, "status")
    assert code == 1 and said.splitlines() == ["✗ no Docker engine is running", "  → make up"]


def test_should_name_the_engine_if_it_dies_under_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "find", lambda: "26.1")
    monkeypatch.setattr(engine, "server_version", lambda: None)
    monkeypatch.setattr(look, "status", raising(subprocess.CalledProcessError(1, "docker")))
    code, said = run(monkeypatch, capsys, "status")
    assert code == 1 and "the Docker engine ended or does not answer" in said and "Traceback" not in said


def test_should_name_the_disk_if_it_is_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engine, "find", lambda: "26.1")
    monkeypatch.setattr(look, "status", raising(OSError(errno.ENOSPC, "No space left on device")))
    code, said = run(monkeypatch, capsys, "status")
    assert code == 1 and "✗ the disk is full" in said and "free some space" in said


def test_should_offer_the_same_command_if_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "ensure", raising(KeyboardInterrupt()))
    code, said = run(monkeypatch, capsys, "up")
    assert code == 130 and "Interrupted. To go on: make up" in said


def test_should_name_the_file_if_values_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(monkeypatch, capsys, "up", "--values", "nowhere.yaml")
    assert code == 1 and "✗ the values file nowhere.yaml does not exist" in said
    assert said.splitlines()[-1] == "  → for example: make up VALUES=my-values.yaml"


def test_should_name_both_sizes_if_a_cluster_of_another_size_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "node_names", lambda: ["airspark-control-plane"])
    with pytest.raises(Failure, match="has 1 node.* and NODES=2 was asked for") as caught:
        cluster.ensure(2)
    assert "make down" in caught.value.hint


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((0, 0), "✓ Network policies are enforced, by kube-network-policies on each node"),
        ((2, 2), "✓ Network policies are left to the agent of kindest/node"),
        ((0, 1), "→ Network policies are not enforced; why: kubectl -n kube-system logs daemonset/airspark-cni -c policies"),
    ],
    ids=["an agent that listens on each", "another image", "one without"],
)
def test_should_say_whether_nodes_enforce_policies(monkeypatch: pytest.MonkeyPatch, answers: tuple[int, int], said: str) -> None:
    codes = iter(answers)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, next(codes)))
    assert cluster.policies(["one", "two"], seconds=0).startswith(said)


def test_should_make_a_cluster_anew_if_its_creation_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(cluster, "node_names", lambda: ["airspark-control-plane"])
    monkeypatch.setattr(cluster, "running", lambda names: True)
    monkeypatch.setattr(cluster, "complete", lambda names: False)
    monkeypatch.setattr(console.Step, "run", lambda *_, **__: None)
    monkeypatch.setattr(cluster, "delete", lambda: calls.append("delete"))
    monkeypatch.setattr(cluster, "create", lambda nodes: calls.append(f"create {nodes}"))
    monkeypatch.setattr(cluster, "policies", lambda names: "")
    cluster.ensure(1)
    assert calls == ["delete", "create 1"]
