"""Clusters of their own: two nodes, the connected path over a registry, a cluster removed behind our back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from airspark import cluster, engine, images, node_image, tools
from airspark.forward import free_port


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of the scripts in a process of its own, with another cluster or engine."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=900,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), **environment})  # fmt: skip


@pytest.mark.long
def test_should_route_between_pods_of_two_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "airspark-two")
    engine.ensure()
    tools.ensure("kind")
    try:
        names = cluster.ensure(2)
        assert len(names) == 2
        image = cluster.kubectl("get", "daemonset", "airspark-cni", "--namespace", "kube-system", "--output",
                                "jsonpath={.spec.template.spec.containers[0].image}")  # fmt: skip
        for node in names:
            overrides = json.dumps({"spec": {"nodeName": node, "terminationGracePeriodSeconds": 0}})
            cluster.kubectl("run", f"on-{node}", "--namespace", "default", "--image", image, "--image-pull-policy", "Never",
                            "--overrides", overrides, "--command", "--", "sleep", "600")  # fmt: skip
        cluster.kubectl("wait", "--namespace", "default", "--for=condition=Ready", "pod", "--all", "--timeout=60s", timeout=90)
        worker = f"on-{next(name for name in names if name.endswith('worker'))}"
        dns = json.loads(cluster.kubectl("get", "pods", "--namespace", "kube-system", "--selector", "k8s-app=kube-dns",
                                         "--output", "json"))["items"]  # fmt: skip
        plane = [pod for pod in dns if pod["spec"]["nodeName"].endswith("control-plane")]
        assert plane, "CoreDNS is not on the control plane, so nothing would cross the nodes"
        address = plane[0]["status"]["podIP"]
        said = cluster.kubectl("exec", worker, "--namespace", "default", "--", "bash", "-c",
                               f"exec 3<>/dev/tcp/{address}/53 && echo crossed")  # fmt: skip
        assert said == "crossed"
        # CoreDNS answers a new cluster's names once it has read them, and kube-proxy may still write the way to it
        asks = "until getent hosts kubernetes.default.svc.cluster.local; do sleep 0.5; done"
        found = cluster.kubectl("exec", worker, "--namespace", "default", "--", "timeout", "60", "bash", "-c", asks, timeout=90)
        assert "kubernetes.default" in found
    finally:
        cluster.delete()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A registry (distribution, from its Go module) that serves node and base image under their public names."""
    engine.ensure()
    registry = tools.ensure("registry")
    node_image.ensure()
    images.ensure_base()
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path}/registry\n"
                      f"http:\n  addr: 127.0.0.1:{port}\nlog:\n  level: error\n")  # fmt: skip
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen([registry, "serve", config], stdout=log, stderr=log)
    address = f"127.0.0.1:{port}"
    try:
        wanted = {node_image.built_name(): f"{address}/{node_image.pulled_name()}",
                  images.reach.base_image(): f"{address}/library/{images.reach.base_image()}"}  # fmt: skip
        for name, public in wanted.items():
            subprocess.run(["docker", "tag", name, public], check=True)
            for _ in range(20):
                pushed = subprocess.run(["docker", "push", "--quiet", public], capture_output=True, text=True)
                if pushed.returncode == 0 or "connection refused" not in pushed.stderr:
                    break
                time.sleep(0.3)
            assert pushed.returncode == 0, pushed.stderr
            subprocess.run(["docker", "rmi", public], check=True, capture_output=True)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def connected_engine(mirror: str, tmp_path: Path) -> Iterator[str]:
    """A second, empty engine with that registry as its mirror."""
    if not engine.can_install():
        pytest.skip("a second engine needs root on Debian, which this machine does not offer")
    if not (engine.PREFIX / "usr/sbin/dockerd").exists():
        engine.install()
    run = Path("/run/airspark-connected")
    run.mkdir(exist_ok=True)
    (run / "docker.pid").unlink(missing_ok=True)
    # no --bridge=none here: it would remove docker0, which is the other engine's too
    arguments = ["--registry-mirror", mirror, "--iptables=false", "--ip6tables=false"]
    arguments += ["--default-address-pool", "base=172.31.240.0/20,size=24"]
    process = engine.launch(run, tmp_path / "docker", tmp_path / "engine.log", arguments)
    socket = f"unix://{run}/docker.sock"
    deadline = time.monotonic() + 60
    while subprocess.run(["docker", "--host", socket, "version"], capture_output=True).returncode != 0:
        assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "engine.log").read_text()[-3000:]
        time.sleep(0.3)
    try:
        yield socket
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.long
def test_should_pull_node_and_base_image_if_a_registry_answers(connected_engine: str) -> None:
    code = """
from airspark import cluster, engine, images, reach
engine.find()
assert reach.registry()
images.ensure_base()
try:
    print(cluster.ensure(1))
    print(cluster.kubectl("get", "nodes", "--output", "wide"))
    print(cluster.kubectl("get", "storageclass"))
finally:
    cluster.delete()
"""
    done = python(code, DOCKER_HOST=connected_engine, CLUSTER="airspark-connected")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "A container registry answers" in done.stderr
    assert f"Pull {node_image.pulled_name()}" in done.stderr
    assert "airspark-connected-control-plane   Ready" in done.stdout and "standard (default)" in done.stdout


@pytest.mark.long
def test_should_say_that_there_is_no_cluster_if_it_was_removed_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "airspark-gone")
    from airspark.project import kubeconfig

    kubeconfig().write_text("apiVersion: v1\nkind: Config\nclusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n"
                            "contexts: [{name: x, context: {cluster: x}}]\ncurrent-context: x\n")  # fmt: skip
    try:
        done = subprocess.run(["make", "--no-print-directory", "status"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode != 0
        assert "the cluster does not answer: it was removed or its engine ended" in done.stderr
        assert "→ make up" in done.stderr and "Traceback" not in done.stderr
    finally:
        kubeconfig().unlink()
