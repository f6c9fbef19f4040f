"""Who reaches whom on a real cluster; what is shut is tried where the cluster's pod network enforces policies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from applications import Application, application

from airspark import cluster, images
from airspark.project import NAMESPACE

sys.path.append(str(Path(__file__).resolve().parents[1] / "charts"))
from reachability import Endpoint, Object, allowed, endpoint

PROBE = "network-probe"
TASK = "network-task"
#: What listens in a running installation, by component; the task's pod listens on a driver's ports and on its page's.
LISTENING = {
    "api-server": [8080],
    "triggerer": [8794],
    "postgresql": [5432],
    "spark-master": [7077, 8080],
    "spark-worker": [7078, 8081],
    "spark-history": [18080],
    "worker": [7078, 7079, 4040],
}
SOURCES = ["api-server", "scheduler", "dag-processor", "triggerer", "worker", "client"]
SOURCES += ["spark-master", "spark-worker", "spark-history"]

LISTEN = """
import socket, sys, signal
listeners = [socket.create_server(("", int(port)), backlog=100) for port in sys.argv[1:]]
signal.sigwait([signal.SIGTERM])
"""
CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def connects(target):
    try:
        socket.create_connection(target, timeout=3).close()
    except OSError:
        return False
    return True

targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(list(pool.map(connects, map(tuple, targets)))))
"""


def get(what: str, namespace: str) -> list[Object]:
    """Return objects of a kind."""
    return list(json.loads(cluster.kubectl("--namespace", namespace, "get", what, "--output", "json"))["items"])


def connects(pod: str, namespace: str, targets: list[tuple[str, int]]) -> list[bool]:
    """Try to connect from a pod to addresses, all at once."""
    code = ("python3", "-c", CONNECT, json.dumps(targets))
    return list(json.loads(cluster.kubectl("--namespace", namespace, "exec", pod, "--", *code)))


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return met


def listener(name: str, ports: list[int], template: Object) -> Object:
    """Return a pod that listens on ports and does nothing else.

    Args:
        name: its name.
        ports: where it listens.
        template: the pod it is made of; its first container gets a program of its own.
    """
    pod = {**template, "metadata": {**template["metadata"], "name": name}}
    pod["spec"]["containers"][0]["args"] = ["python3", "-c", LISTEN, *map(str, ports)]
    return pod


def task_template() -> Object:
    """Return the pod template of ordinary tasks."""
    data = json.loads(cluster.kubectl("--namespace", NAMESPACE, "get", "configmap", "airspark-pod-templates", "--output", "json"))
    return dict(yaml.safe_load(data["data"]["pod_template_file.yaml"]))


def plain_template(name: str) -> Object:
    """Return a pod of the Airflow image that Pod Security `restricted` takes."""
    container = {
        "name": "main",
        "image": images.IMAGES["airflow"].tag,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"automountServiceAccountToken": False, "securityContext": security, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"component": name}}, "spec": spec}


def apply(objects: list[Object], namespace: str, folder: Path) -> None:
    """Create objects, and wait until the pods among them run."""
    for number, item in enumerate(objects):
        file = folder / f"{number}.json"
        file.write_text(json.dumps(item))
        cluster.kubectl("--namespace", namespace, "apply", "--filename", str(file))
    for name in [item["metadata"]["name"] for item in objects if item["kind"] == "Pod"]:
        words = ("wait", f"pod/{name}", "--for", "condition=Ready", "--timeout", "120s")
        cluster.kubectl("--namespace", namespace, *words, timeout=150)


@pytest.fixture(scope="module")
def probe(up: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A namespace of its own with the pods `client` and `server`."""
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": PROBE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    pods = [listener(name, [8080], plain_template(name)) for name in ("client", "server")]
    try:
        apply([space], PROBE, tmp_path_factory.mktemp("namespace"))
        apply(pods, PROBE, tmp_path_factory.mktemp("pods"))
        yield
    finally:
        cluster.kubectl("delete", "namespace", PROBE, "--ignore-not-found", timeout=120)


@pytest.fixture(scope="module")
def enforced(probe: None, tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Whether a policy that shuts a pod does so, tried on two pods that reach each other without it."""
    server = next(pod for pod in get("pods", PROBE) if pod["metadata"]["name"] == "server")
    target = (server["status"]["podIP"], 8080)
    assert wait_until(lambda: connects("client", PROBE, [target]) == [True], 90), "two pods do not reach each other"
    shut = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "shut"},
        "spec": {"podSelector": {"matchLabels": {"component": "server"}}, "policyTypes": ["Ingress"]},
    }
    apply([shut], PROBE, tmp_path_factory.mktemp("policy"))
    return wait_until(lambda: connects("client", PROBE, [target]) == [False], 20)


@pytest.fixture(scope="module")
def task(up: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A pod of the template that the executor makes task pods from."""
    try:
        apply([listener(TASK, LISTENING["worker"], task_template())], NAMESPACE, tmp_path_factory.mktemp("task"))
        wait_until(lambda: connects(TASK, NAMESPACE, [("127.0.0.1", LISTENING["worker"][-1])]) == [True], 90)
        yield
    finally:
        cluster.kubectl("--namespace", NAMESPACE, "delete", "pod", TASK, "--ignore-not-found", timeout=120)


def running() -> dict[str, tuple[Endpoint, str]]:
    """Return end and name of one running pod for each component of the release, and of the client."""
    found: dict[str, tuple[Endpoint, str]] = {}
    for space in (NAMESPACE, PROBE):
        for number, pod in enumerate(get("pods", space)):
            ready = any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))
            end = endpoint(pod, space, number)
            name = pod["metadata"]["name"]
            # A task of another test listens on nothing.
            if ready and end.name in {*SOURCES, *LISTENING} and (end.name != "worker" or name == TASK):
                found[end.name] = (replace(end, address=pod["status"]["podIP"]), name)
    assert {*SOURCES, *LISTENING} <= set(found), "a component has no ready pod"
    return found


Paths = dict[tuple[str, str, int], bool]


def expected() -> Paths:
    """Return what the installed policies let through, by source, target and port."""
    ends = running()
    policies = get("networkpolicies", NAMESPACE)
    return {
        (source, target, port): allowed(policies, ends[source][0], ends[target][0], port)
        for source in SOURCES
        for target, ports in LISTENING.items()
        for port in ports
        if source != target
    }


def tried(wanted: Paths) -> Paths:
    """Return what can be reached, by source, target and port."""
    ends = running()

    def of(source: str) -> Paths:
        paths = [path for path in wanted if path[0] == source]
        end, name = ends[source]
        answers = connects(name, end.namespace, [(ends[target][0].address, port) for _, target, port in paths])
        return dict(zip(paths, answers, strict=True))

    # A refused connection is one that times out: all sources wait at once.
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        return {path: answer for found in pool.map(of, SOURCES) for path, answer in found.items()}


def test_should_reach_everything_that_the_policies_let_through(probe: None, task: None) -> None:
    wanted = {path for path, open_ in expected().items() if open_}
    assert {("scheduler", "postgresql", 5432), ("worker", "api-server", 8080), ("spark-worker", "worker", 7078)} <= wanted
    assert {("spark-master", "worker", 4040), ("worker", "spark-master", 8080), ("spark-master", "spark-worker", 8081)} <= wanted
    refused: Any = None

    def all_reached() -> bool:
        nonlocal refused
        refused = [path for path, reached in tried(expected()).items() if path in wanted and not reached]
        return not refused

    assert wait_until(all_reached, 120), refused


def test_should_reach_nothing_that_the_policies_shut(enforced: bool, task: None) -> None:
    if not enforced:
        pytest.skip("this cluster's pod network does not enforce network policies: `make up` says why")
    shut = {path for path, open_ in expected().items() if not open_}
    assert {("worker", "postgresql", 5432), ("client", "postgresql", 5432), ("client", "api-server", 8080)} <= shut
    assert {("client", "spark-master", 7077), ("client", "spark-worker", 8081), ("spark-worker", "spark-history", 18080)} <= shut
    reached: Any = None

    def none_reached() -> bool:
        nonlocal reached
        reached = [path for path, found in tried(expected()).items() if path in shut and found]
        return not reached

    assert wait_until(none_reached, 120), reached


def test_should_reach_the_kubernetes_api_with_a_token_only(enforced: bool, task: None) -> None:
    if not enforced:
        pytest.skip("this cluster's pod network does not enforce network policies: `make up` says why")
    address = get("services", "default")[0]["spec"]["clusterIP"]
    ends = running()
    found = {
        source: connects(ends[source][1], NAMESPACE, [(address, 443)]) == [True]
        for source in ("scheduler", "api-server", "dag-processor", "triggerer")
    }
    assert found == {"scheduler": True, "api-server": True, "dag-processor": False, "triggerer": True}


#: Where clouds answer with the credentials of a node; here a node of our own listens.
METADATA = "169.254.169.254"
#: Stays until it is removed, with an executor that has connected.
STAYS = """
import time
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
print("SUM", session.range(10).selectExpr("sum(id)").first()[0], flush=True)
time.sleep(600)
"""


@contextmanager
def metadata_server() -> Iterator[None]:
    """A server on the node at the address of a cloud's metadata, which accepts every connection."""
    node = cluster.node_names()[0]
    added = ["docker", "exec", node, "ip", "address", "add", f"{METADATA}/32", "dev", "lo"]
    subprocess.run(added, check=False, capture_output=True)
    serve = ["docker", "exec", node, "timeout", "120", "socat", f"TCP-LISTEN:80,bind={METADATA},fork,reuseaddr", "EXEC:true"]
    with subprocess.Popen(serve) as server:
        try:
            yield
        finally:
            stop = [
                "docker",
                "exec",
                node,
                "sh",
                "-c",
                f"pkill -f 'TCP-LISTEN:80,bind={METADATA}'; ip address del {METADATA}/32 dev lo",
            ]
            subprocess.run(stop, check=False, capture_output=True)
            server.wait(30)


def test_should_keep_tasks_and_executors_from_the_credentials_of_their_node(enforced: bool, task: None) -> None:
    if not enforced:
        pytest.skip("this cluster's pod network does not enforce network policies: `make up` says why")
    ends = running()
    with metadata_server():
        assert wait_until(lambda: connects("client", PROBE, [(METADATA, 80)]) == [True], 30), "no policy keeps this pod from it"
        for source in ("worker", "spark-worker"):
            assert connects(ends[source][1], NAMESPACE, [(METADATA, 80)]) == [False], source


def test_should_keep_applications_from_each_other_and_let_the_parts_of_one_talk(enforced: bool, task: None) -> None:
    if not enforced:
        pytest.skip("this cluster's pod network does not enforce network policies: `make up` says why")
    with ExitStack() as stack:
        one, other = (stack.enter_context(application(f"live-apart-{name}", STAYS)) for name in ("one", "other"))
        for app in (one, other):
            assert wait_until(lambda app=app: "SUM 45" in app.log(), 300), app.log()  # type: ignore[misc]
        driver = address(one, "driver")
        ports = [(driver, 7078), (driver, 7079), (driver, 4040)]
        executor, strangers = name_of(one, "executor"), [name_of(other, "executor"), name_of(other, "driver"), TASK]
        assert connects(executor, NAMESPACE, ports)[:2] == [True, True], "its own executor reaches its driver"
        for stranger in strangers:
            assert connects(stranger, NAMESPACE, ports) == [False] * len(ports), stranger
        assert connects("client", PROBE, ports) == [False] * len(ports)


def address(app: Application, role: str) -> str:
    """Address of the pod of a role."""
    return str(app.pods(role)[0]["status"]["podIP"])


def name_of(app: Application, role: str) -> str:
    """Name of the pod of a role."""
    return str(app.pods(role)[0]["metadata"]["name"])
