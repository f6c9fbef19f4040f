"""What `make dev` looks at before it has the platform read the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from airspark import cluster, dev
from airspark.project import ROOT, Failure

MOUNTS = [{"Destination": f"/airspark/{name}", "Source": str(ROOT / name)} for name in ("dags", "spark-apps")]


def test_should_mount_the_folders_of_the_checkout_read_only_in_every_node() -> None:
    for node in cluster.kind_config(2, cgroup_v1=False)["nodes"]:
        assert {(mount["hostPath"], mount["containerPath"]) for mount in node["extraMounts"]} == {
            (mount["Source"], mount["Destination"]) for mount in MOUNTS
        }
        assert all(mount["readOnly"] for mount in node["extraMounts"])


def test_should_take_a_node_that_mounts_this_checkout() -> None:
    dev.check_mounts("node", MOUNTS)


def test_should_say_how_to_go_on_if_the_cluster_is_older_than_the_mounts() -> None:
    with pytest.raises(Failure, match="was created before its nodes mounted the checkout") as refusal:
        dev.check_mounts("node", [{"Destination": "/var", "Source": "/var/lib/docker/volumes/1"}])
    assert "make down, make dev" in refusal.value.hint and "make backup" in refusal.value.hint


def test_should_name_the_other_checkout_if_the_cluster_mounts_that() -> None:
    other = [{"Destination": mount["Destination"], "Source": mount["Source"].replace(str(ROOT), "/other")} for mount in MOUNTS]
    with pytest.raises(Failure, match="mount /other/dags, not this checkout's folder") as refusal:
        dev.check_mounts("node", other)
    assert "call make dev in /other" in refusal.value.hint


@pytest.mark.parametrize("sees", [True, False])
def test_should_say_so_if_the_engine_does_not_see_the_checkout(monkeypatch: pytest.MonkeyPatch, sees: bool) -> None:
    asked = []
    monkeypatch.setattr(dev, "succeeds", lambda command: asked.append(command[-1]) or sees)
    if sees:
        dev.check_visible("node")
        assert [path.rpartition("/")[0] for path in asked] == ["/airspark/dags", "/airspark/spark-apps"]
        return
    with pytest.raises(Failure, match="the node node does not see the files of .*dags: the Docker engine runs on another"):
        dev.check_visible("node")


def test_should_name_a_file_that_pods_cannot_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in dev.CODE:
        (tmp_path / folder).mkdir(mode=0o755)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "readable", lambda path: path.stat().st_mode & 0o044 != 0)
    for name in ("mine.py", ".mine.py.swp", ".airflowignore"):
        (tmp_path / "dags" / name).touch(mode=0o600)
    assert [path.name for path in dev.unreadable()] == [".airflowignore", "mine.py"]


@pytest.mark.parametrize(
    ("mode", "group", "expected"), [(0o644, 1000, True), (0o640, 1000, False), (0o640, 0, True), (0o600, 0, False)]
)
def test_should_know_whether_the_users_of_the_pods_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, group: int, expected: bool
) -> None:
    class Status:
        st_mode = 0o100000 | mode
        st_gid = group

    monkeypatch.setattr(Path, "stat", lambda path: Status)
    assert dev.readable(tmp_path / "a.py") is expected


def test_should_take_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert dev.readable(tmp_path / "gone")


def test_should_name_the_keys_of_the_users_that_do_not_count() -> None:
    preset = dev.read(dev.VALUES)
    mine = {
        "airflow": {
            "dags": {"gitSync": {"enabled": True, "repo": "https://git.example.com/dags.git"}},
            "config": {"dag_processor": {"min_file_process_interval": "30", "parsing_processes": "4"}},
        }
    }
    assert dev.overruled(mine, preset) == [
        "airflow.config.dag_processor.min_file_process_interval",
        "airflow.dags.gitSync.enabled",
    ]


@pytest.mark.parametrize("text", ["a: [", "- a", "", "\ufeffjust a text"])
def test_should_leave_a_values_file_that_is_none_to_helm(tmp_path: Path, text: str) -> None:
    (tmp_path / "values.yaml").write_text(text)
    assert dev.read(tmp_path / "values.yaml") == {}


def test_should_give_the_pods_of_commands_the_applications_of_the_checkout() -> None:
    pod = {"spec": {"containers": [{"name": "generate", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}], "volumes": []}}
    spec = dev.with_applications(pod)["spec"]
    assert spec["containers"][0]["volumeMounts"][1] == {
        "name": "applications", "mountPath": "/opt/airflow/spark-apps", "readOnly": True}  # fmt: skip
    assert spec["volumes"] == [{"name": "applications", "persistentVolumeClaim": {"claimName": "checkout-applications"}}]
    assert pod["spec"]["volumes"] == [], "the pod that was given is another one"
