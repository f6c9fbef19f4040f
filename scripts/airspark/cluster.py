"""The kind cluster: created with the node image, started again after a reboot, kept apart from the user's contexts."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from airspark import node_image, tools
from airspark.console import Step, done, output, say, step, succeeds
from airspark.project import BUILD, NAMESPACE, ROOT, Failure, cluster_name, kubeconfig

#: In the first node once a cluster is complete.
READY_MARK = "/kind/airspark-ready"
#: Asks a node of the built image whether its agent listens at the queue; $1 is how many tenths of a second to wait.
LISTENS = r"""
test -x /usr/local/bin/network-policies || exit 2
for _ in $(seq "$1"); do
  grep -q '^ *98 ' /proc/net/netfilter/nfnetlink_queue 2>/dev/null && exit 0
  sleep 0.1
done
exit 1
"""
#: Where each node sees these folders of the checkout, for `make dev`; kind mounts folders only when it creates a node.
CHECKOUT = "/airspark"
CODE = ("dags", "spark-apps")


def kind_config(nodes: int, cgroup_v1: bool) -> dict[str, Any]:
    """The kind configuration of a cluster.

    Args:
        nodes: control plane and workers together, at least 1.
        cgroup_v1: whether the engine's host has the old cgroups, which kubelet 1.35 and later must be told to accept.

    Returns:
        A `kind.x-k8s.io/v1alpha4` Cluster.
    """
    mounts = [{"hostPath": str(ROOT / name), "containerPath": f"{CHECKOUT}/{name}", "readOnly": True} for name in CODE]
    roles = ["control-plane"] + ["worker"] * (nodes - 1)
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": role, "extraMounts": mounts} for role in roles],
    }
    if cgroup_v1:
        kubelet = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
                   "failCgroupV1": False, "cgroupDriver": "cgroupfs", "cgroupRoot": "/kubelet"}  # fmt: skip
        config["kubeadmConfigPatches"] = [yaml.safe_dump(kubelet)]
    return config


def host_has_cgroup_v1() -> bool:
    """Whether the engine's host runs cgroup v1."""
    return output(["docker", "info", "--format", "{{.CgroupVersion}}"]) == "1"


def node_names() -> list[str]:
    """Containers of the cluster, running or not, control plane first."""
    listing = output(["docker", "ps", "--all", "--filter", f"label=io.x-k8s.kind.cluster={cluster_name()}",
                      "--format", "{{.Names}}"])  # fmt: skip
    return sorted(listing.split())


def running(names: list[str]) -> bool:
    """Whether there are containers, and every one of these runs."""
    if not names:
        return False
    states = output(["docker", "inspect", "--format", "{{.State.Running}}", *names]).split()
    return all(state == "true" for state in states)


def kubectl_command(*arguments: str) -> list[str]:
    """Return the command that runs kubectl against the project's cluster."""
    return [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), *arguments]


def kubectl(*arguments: str, timeout: float = 60) -> str:
    """Run kubectl against the project's cluster and return its output.

    Raises:
        subprocess.CalledProcessError: if it exits non-zero.
    """
    return output(kubectl_command(*arguments), timeout=timeout)


def answers() -> bool:
    """Whether the API server answers and every node is Ready."""
    if not kubeconfig().exists():
        return False
    try:
        nodes = json.loads(kubectl("get", "nodes", "--output", "json", "--request-timeout", "10s"))["items"]
    except (subprocess.SubprocessError, ValueError):
        return False
    ready = [c["status"] for n in nodes for c in n["status"]["conditions"] if c["type"] == "Ready"]
    return bool(ready) and all(status == "True" for status in ready)


def ensure(nodes: int) -> list[str]:
    """Have a cluster with that many nodes, and the namespace with Pod Security `restricted`.

    Args:
        nodes: 1 for a control plane that runs everything, more for workers beside it.

    Returns:
        The node containers' names.

    Raises:
        Failure: if it cannot be created, or one of another size is there.
    """
    names = _ensure(nodes)
    say(policies(names))
    return names


def policies(names: list[str], seconds: int = 20) -> str:
    """Say in one line whether the nodes enforce NetworkPolicies, and by what.

    Args:
        names: the node containers.
        seconds: how long to wait for the agent of a node that has just started.
    """
    answers = {
        subprocess.run(["docker", "exec", name, "sh", "-c", LISTENS, "sh", str(seconds * 10)], capture_output=True).returncode
        for name in names
    }
    if answers == {0}:
        return "✓ Network policies are enforced, by kube-network-policies on each node"
    if answers == {2}:
        return "✓ Network policies are left to the agent of kindest/node: kubectl -n kube-system logs daemonset/kindnet"
    return "→ Network policies are not enforced; why: kubectl -n kube-system logs daemonset/airspark-cni -c policies"


def _ensure(nodes: int) -> list[str]:
    """As `ensure`, without a word about network policies."""
    there = node_names()
    if there and len(there) != nodes:
        raise Failure(f"the cluster '{cluster_name()}' has {len(there)} node(s) and NODES={nodes} was asked for",
                      f"make down, then: make up NODES={nodes}")  # fmt: skip
    if there and running(there) and complete(there) and answers():
        done(f"Cluster {cluster_name()}", f"{len(there)} node(s)")
        return there
    if there and revive(there):
        return there
    if there:
        delete()
    create(nodes)
    return node_names()


def complete(names: list[str]) -> bool:
    """Whether a running cluster was created to its end, which an interrupt may have prevented."""
    return succeeds(["docker", "exec", names[0], "test", "-f", READY_MARK])


def revive(names: list[str]) -> bool:
    """Start the stopped containers of a cluster and wait for it.

    Returns:
        Whether it answers again; False for a cluster that has to be made anew.
    """
    try:
        with step("cluster-start", f"Start the stopped cluster {cluster_name()}") as current:
            current.run(["docker", "start", *names])
            if not complete(names):
                raise Failure(f"the cluster {cluster_name()} was never finished")
            export_kubeconfig(current)
            _wait(current, 90)
    except Failure as problem:
        say(f"  {problem}: it is made anew.")
        return False
    return True


def _wait(current: Step, seconds: int) -> None:
    """Wait until the API server answers and every node is Ready."""
    script = (
        f"until kubectl get --raw /readyz; do sleep 1; done; kubectl wait --for=condition=Ready node --all --timeout={seconds}s"
    )
    environment = {"KUBECONFIG": str(kubeconfig()), "PATH": f"{tools.ensure('kubectl').parent}:{os.environ['PATH']}"}
    current.run(["timeout", str(seconds), "sh", "-c", script], env=environment)


def export_kubeconfig(current: Step) -> None:
    """Write the cluster's kubeconfig file, which holds the API server's present port."""
    current.run([tools.ensure("kind"), "export", "kubeconfig", "--name", cluster_name(), "--kubeconfig", kubeconfig()])


def create(nodes: int) -> None:
    """Create the cluster; what an interrupt leaves lacks the mark and is made anew by the next call."""
    image = node_image.ensure()
    kind, kubectl_path = tools.ensure("kind"), tools.ensure("kubectl")
    with step("cluster", f"Create the kind cluster {cluster_name()} with {nodes} node(s)") as current:
        config = BUILD / f"kind-{cluster_name()}.yaml"
        config.write_text(yaml.safe_dump(kind_config(nodes, host_has_cgroup_v1()), sort_keys=False))
        current.run([kind, "create", "cluster", "--name", cluster_name(), "--image", image, "--config", config,
                     "--kubeconfig", kubeconfig(), "--wait", "150s"])  # fmt: skip
        base: list[str | Path] = [kubectl_path, "--kubeconfig", kubeconfig()]
        if nodes > 1:
            # everything must find room on two small nodes
            plane = "node-role.kubernetes.io/control-plane"
            current.run([*base, "taint", "nodes", "--selector", plane, f"{plane}-"])
        current.run([*base, "create", "namespace", NAMESPACE])
        current.run([*base, "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"])
        _wait(current, 90)
        current.run(["docker", "exec", node_names()[0], "touch", READY_MARK])


def delete() -> bool:
    """Remove the cluster and its kubeconfig file.

    Returns:
        Whether there was one.
    """
    there = node_names()
    if there:
        with step("cluster-delete", f"Remove the cluster {cluster_name()}") as current:
            current.run(["docker", "rm", "--force", "--volumes", *there])
    kubeconfig().unlink(missing_ok=True)
    return bool(there)
