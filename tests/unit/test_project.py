"""Versions, tools, cluster configuration and the check."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from airspark import check, cluster, demo, engine, project, tools
from airspark.project import ROOT, Failure, version_tuple


def test_should_read_every_version_of_the_file() -> None:
    found = project.versions()
    assert found["SPARK_VERSION"] and found["KUBERNETES_VERSION"]
    assert all(re.search(r"\d|trixie|bookworm", value) for value in found.values())


def test_should_name_the_line_if_a_version_is_malformed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "versions.mk").write_text("# fine\nSPARK_VERSION = 4\n")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    project.versions.cache_clear()
    with pytest.raises(Failure, match="line 2"):
        project.versions()
    project.versions.cache_clear()


@pytest.mark.parametrize(("text", "numbers"), [("v1.37.2", (1, 37, 2)), ("go1.26.8", (1, 26, 8)), ("26.1.5+dfsg1", (26, 1, 5))])
def test_should_compare_versions_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers


@pytest.mark.parametrize(
    ("name", "version", "good"),
    [
        ("helm", (3, 19, 0), True), ("helm", (4, 3, 1), True), ("helm", (3, 18, 9), False),
        ("kubectl", (1, 36, 0), True), ("kubectl", (1, 32, 4), False), ("kubectl", (1, 38, 0), True),
        ("kind", (0, 33, 9), True), ("kind", (0, 29, 0), False),
    ],
)  # fmt: skip
def test_should_use_a_tool_of_the_machine_if_its_version_is_good(name: str, version: tuple[int, ...], good: bool) -> None:
    assert tools.tools()[name].good(version) is good


def test_should_find_a_good_tool_on_the_path_before_building_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "helm"
    binary.write_text("#!/bin/sh\necho v3.19.4+g1234\n")
    binary.chmod(0o755)
    monkeypatch.setattr(tools, "BIN", tmp_path / "none")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert tools.locate("helm") == binary
    binary.write_text("#!/bin/sh\necho v3.2.0\n")
    assert tools.locate("helm") is None


def test_should_tell_kubelet_about_old_cgroups_only_where_they_are() -> None:
    assert "kubeadmConfigPatches" not in cluster.kind_config(1, cgroup_v1=False)
    patch = yaml.safe_load(cluster.kind_config(1, cgroup_v1=True)["kubeadmConfigPatches"][0])
    assert patch["failCgroupV1"] is False and patch["cgroupDriver"] == "cgroupfs"


def test_should_add_workers_if_several_nodes_are_asked_for() -> None:
    roles = [node["role"] for node in cluster.kind_config(3, cgroup_v1=False)["nodes"]]
    assert roles == ["control-plane", "worker", "worker"]


def test_should_fail_the_check_only_for_what_the_user_must_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = check.Finding("kind", False, "none", "will be built")
    monkeypatch.setattr(check, "findings", lambda: [built])
    assert check.report() == 0
    monkeypatch.setattr(check, "findings", lambda: [built, check.Finding("disk", False, "1 GB", "free 15 GB", fatal=True)])
    assert check.report() == 1
    assert "disk (free 15 GB)" in capsys.readouterr().out


def test_should_call_too_little_disk_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 3e9

    monkeypatch.setattr(check.shutil, "disk_usage", lambda _: Usage)
    finding = check.disk_finding()
    assert finding.fatal and not finding.ok and "3 GB" in finding.found


def test_should_see_a_taken_port_and_choose_another() -> None:
    import socket

    from airspark.forward import free_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not check.port_free(port)
        assert free_port(port) != port


def test_should_say_what_to_install_if_this_user_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "can_install", lambda: False)
    with pytest.raises(Failure, match="may not install one") as caught:
        engine.ensure()
    assert "Docker 23 or newer" in caught.value.hint


def test_should_refuse_an_engine_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "server_version", lambda: "20.10.24")
    with pytest.raises(Failure, match=r"20\.10\.24"):
        engine.find()


def test_should_tell_why_a_pod_waits() -> None:
    from airspark.platform import pod_reason

    waiting = {"status": {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}]}}
    assert pod_reason(waiting) == "(ErrImagePull: no such host)"
    unbound = {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "x"}]}}
    assert pod_reason(unbound) == "(Unschedulable: x)"


@pytest.mark.parametrize("text", ["2026-2-1", "2026-02-30", "20260101", "", "today"])
def test_should_refuse_what_is_not_a_date(text: str) -> None:
    with pytest.raises(Failure, match="is not a date"):
        demo.parse_date(text)


def test_should_restrict_the_pod_that_generates_data() -> None:
    spec = demo.generator_pod("x", ["true"])["spec"]
    assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"]
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_should_explain_every_target_in_the_help() -> None:
    text = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for target in ("demo", "test", "check", "up", "ui", "status", "logs", "down", "doctor", "test-fast"):
        assert re.search(rf"make {target} +\S", text), target


def test_should_name_the_time_zone_in_the_chart_alone() -> None:
    """Examples name other zones, and the rule for sales files has its examples in a zone of its own."""
    named = re.compile(r"Asia/Seoul|\+09:00|\bKST\b")
    folders = ("charts", "dags", "images", "manifests", "operator", "scripts", "spark-apps")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file() and not file.is_symlink()]
    texts = {file: file.read_text(encoding="utf-8") for file in files if file.suffix not in (".pyc", ".lock")}
    found = {
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file, text in texts.items()
        if file.name not in ("sales_format.py", "sales_page.py") and "__pycache__" not in file.parts
        for line in text.splitlines()
        if named.search(line) and "for example" not in line
    }
    assert found == {"charts/airspark/values.yaml: timeZone: Asia/Seoul"}


def test_should_name_each_action_of_a_workflow_by_its_commit() -> None:
    used = [
        line.split("uses:")[1].strip()
        for path in (ROOT / ".github/workflows").glob("*.yaml")
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+(\.\d+)+", action), f"{action}: a tag may be moved to another commit"
