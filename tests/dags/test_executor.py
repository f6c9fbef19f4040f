"""What the chart's executor does if the Kubernetes API server cannot take a pod: the real executor, without a cluster."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import queue
import socket
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import kubernetes.client
import pytest
import urllib3
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.cncf.kubernetes.exceptions import PodMutationHookException
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_types import KubernetesJob
from kubernetes.client.rest import ApiException
from kubernetes_asyncio.client.exceptions import ApiException as AsyncApiException

SCRIPT = Path(__file__).resolve().parents[2] / "charts/airspark/charts/airflow/files/scripts/airspark_executor.py"
JOB = KubernetesJob(key=TaskInstanceKey("etl", "load", "run", 1, -1), command=["airflow"], kube_executor_config=None,
                    pod_template_file=None)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Any:
    """The chart's extension of the executor, on the image's Airflow."""
    # Beside the executor in Airflow's folder config, from which it imports.
    sys.path.insert(0, str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("airspark_executor", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def said(script: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the task's log gets."""
    lines: list[str] = []
    monkeypatch.setattr(script, "append", lambda _, text: lines.append(text))
    return lines


@pytest.fixture
def executor(script: Any) -> Any:
    """An executor with the queue that `start` would give it."""
    made = script.KubernetesExecutor()
    made.task_queue = queue.Queue()
    return made


def refused_connection() -> Exception:
    """What the asynchronous client raises if nobody listens at the API server's port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def ask() -> Exception:
        async with aiohttp.ClientSession() as session:
            try:
                await session.post(f"http://127.0.0.1:{port}/api/v1/namespaces/a/pods")
            except aiohttp.ClientError as problem:
                return problem
        raise AssertionError("somebody listens")

    return asyncio.run(ask())


OUTAGES = {
    "nobody listens": refused_connection,
    "the connection breaks": aiohttp.ServerDisconnectedError,
    "it does not answer in time": TimeoutError,
    "the synchronous client loses it": lambda: urllib3.exceptions.ProtocolError("Connection aborted."),
    "it restarts": lambda: AsyncApiException(status=503, reason="Service Unavailable"),
    "it is overloaded": lambda: ApiException(status=429, reason="Too Many Requests"),
    "its database is away": lambda: AsyncApiException(status=500, reason="etcdserver: leader changed"),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_should_ask_again_for_the_pod_if(outage: str, script: Any, executor: Any, said: list[str]) -> None:
    for _ in range(3):
        assert executor._handle_pod_publish_error(JOB, OUTAGES[outage]()), "no more pods are created in this round"
        assert executor.task_queue.get_nowait() is JOB
        assert timedelta(0) < executor.create_pods_after - datetime.now() <= script.PAUSE
    assert not executor.event_buffer
    assert len(said) == 1 and said[0].startswith("The Kubernetes API server cannot take the pod of this task at the moment")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AsyncApiException(status=422, reason="Unprocessable Entity"), "Unprocessable Entity"),
        (ApiException(status=403, reason="Forbidden"), "Forbidden"),
    ],
)
def test_should_fail_the_task_at_once_if_the_pod_is_refused(
    error: Exception, reason: str, executor: Any, said: list[str]
) -> None:
    executor._handle_pod_publish_error(JOB, error)
    assert executor.task_queue.empty() and JOB.key in executor.event_buffer
    assert len(said) == 1 and said[0].startswith("The Kubernetes API refused the pod of this task: ") and reason in said[0]


def test_should_fail_the_task_if_the_outage_lasts_too_long(
    script: Any, executor: Any, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    executor._handle_pod_publish_error(JOB, refused_connection())
    executor.task_queue.get_nowait()
    monkeypatch.setattr(script, "PATIENCE", timedelta(0))
    executor._handle_pod_publish_error(JOB, refused_connection())
    assert executor.task_queue.empty() and JOB.key in executor.event_buffer
    assert len(said) == 2 and "Cannot connect to host 127.0.0.1" in said[1]


TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"tier": "airflow", "component": "worker", "release": "airspark"}},
    "spec": {
        "serviceAccountName": "airspark-airflow-worker",
        "containers": [
            {"name": "base", "env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "airspark-spark-auth", "key": "k"}}}]}
        ],
        "volumes": [{"name": "logs", "persistentVolumeClaim": {"claimName": "airspark-logs"}}],
    },
}
POLICY = {
    "allowed": {"serviceAccounts": ["team-*"], "secrets": ["team-*"], "claims": ["*"], "priorityClasses": ["*"]},
    "platform": {
        "secrets": ["airspark-*"],
        "serviceAccounts": ["airspark-airflow-scheduler"],
        "claims": ["data-airspark-postgresql-*"],
    },
}


@pytest.fixture
def walled(script: Any, executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An executor that has started, with the chart's template and policy, and builds pods without a cluster."""
    from airflow.providers.cncf.kubernetes.executors import kubernetes_executor
    from airflow.providers.cncf.kubernetes.kube_config import KubeConfig

    template = tmp_path / "pod_template_file.yaml"
    template.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", **TEMPLATE}))
    monkeypatch.setenv("AIRSPARK_POD_POLICY", json.dumps(POLICY))

    def start(self: Any) -> None:
        self.kube_client = kubernetes.client.CoreV1Api()
        self.built = lambda task: "built"
        self.kube_scheduler = SimpleNamespace(_build_pod_request=lambda task: self.built(task))

    monkeypatch.setattr(kubernetes_executor.KubernetesExecutor, "start", start)
    executor.kube_config = KubeConfig()
    executor.kube_config.pod_template_file, executor.kube_config.kube_namespace = str(template), "airspark"
    executor.start()
    return executor


def _job(spec: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None, file: str | None = None) -> Any:
    """A task that asks for a pod, as its DAG's author writes it."""
    override = None
    if spec is not None or metadata is not None:
        spec = {"containers": [{"name": "base"}], **(spec or {})}
        client = kubernetes.client.ApiClient()
        data = json.dumps({"metadata": metadata or {}, "spec": spec})
        override = client.deserialize(SimpleNamespace(data=data), "V1Pod")
    return JOB._replace(kube_executor_config=override, pod_template_file=file)


def _reads(name: str) -> dict[str, Any]:
    return {"containers": [{"name": "base", "envFrom": [{"secretRef": {"name": name}}]}]}


def _copy(kind: str, name: str) -> dict[str, Any]:
    """A volume that is made as a copy."""
    claim = {"accessModes": ["ReadWriteOnce"], "dataSource": {"kind": kind, "name": name}}
    return {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}]}


@pytest.mark.parametrize(
    ("spec", "metadata", "why"),
    [
        (_reads("airspark-fernet-key"), None, "containers[0].envFrom[0].secretRef.name: the Secret airspark-fernet-key"),
        (_reads("other"), None, "the Secret other is not allowed; ask the platform's administrator to add it to `workers.kube"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "airspark-metadata"}}]}, None, "the Secret airspark-metadata is"),
        ({"serviceAccountName": "airspark-airflow-scheduler"}, None, "airspark-airflow-scheduler is an account of"),
        ({"serviceAccountName": "default"}, None, "the account default is not allowed; ask the platform's administrator to add"),
        ({"hostNetwork": True}, None, "spec.hostNetwork: a job does not share the network of its node; remove it"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, None, "a job mounts nothing of its node, here /"),
        ({"containers": [{"name": "base", "securityContext": {"privileged": True}}]}, None, "the container base of a job never"),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data-airspark-postgresql-0"}}]}, None,
            "the claim data-airspark-postgresql-0 is the platform's own",
        ),
        (
            _copy("PersistentVolumeClaim", "data-airspark-postgresql-0"), None,
            "dataSource.name: the claim data-airspark-postgresql-0 is the platform's own",
        ),
        (_copy("VolumeSnapshot", "nightly"), None, "a job's volume is a copy of a claim alone, not of a VolumeSnapshot"),
        (None, {"labels": {"component": "scheduler"}}, "metadata.labels: tier, component, release are how the platform"),
        (None, {"namespace": "kube-system"}, "metadata.namespace: task pods run in airspark; remove it"),
    ],
)  # fmt: skip
def test_should_refuse_a_pod_that_takes_what_is_the_platforms_and_say_so_in_the_tasks_log(
    walled: Any, said: list[str], spec: Any, metadata: Any, why: str
) -> None:
    task = _job(spec, metadata)
    with pytest.raises(PodMutationHookException) as refusal:
        walled.kube_scheduler._build_pod_request(task)
    assert walled._handle_pod_publish_error(task, refusal.value) is False
    (line,) = said
    assert line.startswith("The pod that this task asks for is not allowed: ") and why in line
    assert walled.event_buffer[task.key][0] == "failed" and walled.task_queue.empty(), "it is not tried again"


@pytest.mark.parametrize(
    ("spec", "metadata"),
    [
        (None, None),
        ({"containers": [{"name": "base", "image": "mine:1", "resources": {"requests": {"memory": "2Gi"}}}]}, None),
        (_reads("team-login"), {"labels": {"team": "data"}, "annotations": {"a": "b"}}),
        (
            {
                "serviceAccountName": "team-etl",
                "volumes": [{"name": "logs", "persistentVolumeClaim": {"claimName": "airspark-logs"}}],
            },
            None,
        ),
        (_reads("airspark-spark-auth"), None),
        ({"volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {"pool": "big"}}, None),
    ],
    ids=["nothing", "image and resources", "a Secret of its own", "an account of its own", "what its template has", "a volume"],
)
def test_should_build_a_pod_that_takes_what_is_the_jobs(walled: Any, spec: Any, metadata: Any) -> None:
    assert walled.kube_scheduler._build_pod_request(_job(spec, metadata)) == "built"


def test_should_hold_a_template_of_the_authors_own_to_the_same(walled: Any, tmp_path: Path) -> None:
    mine = tmp_path / "elsewhere/mine.yaml"
    mine.parent.mkdir()
    mine.write_text(json.dumps({"kind": "Pod", "metadata": TEMPLATE["metadata"], "spec": _reads("airspark-jwt-secret")}))
    with pytest.raises(PodMutationHookException, match="the Secret airspark-jwt-secret is the platform's own"):
        walled.kube_scheduler._build_pod_request(_job(file=str(mine)))


def test_should_build_the_template_that_it_looked_at_if_the_file_changes_meanwhile(walled: Any, tmp_path: Path) -> None:
    mine = tmp_path / "elsewhere/mine.yaml"
    mine.parent.mkdir()
    allowed, greedy = (
        json.dumps({"kind": "Pod", "metadata": TEMPLATE["metadata"], "spec": spec})
        for spec in ({"containers": [{"name": "base"}]}, _reads("airspark-jwt-secret"))
    )
    mine.write_text(allowed)
    built: list[str] = []

    def build(task: Any) -> str:
        built.append(Path(task.pod_template_file).read_text())
        return "built"

    check = walled._check

    def change_then_check(task: Any) -> None:
        mine.write_text(greedy)
        check(task)

    walled._check = change_then_check
    walled.built = build
    walled.kube_scheduler._build_pod_request(_job(file=str(mine)))
    assert built == [allowed]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file|is a directory"),
        (lambda path: None, "cannot be read: no such file or directory"),
        (lambda path: path.write_bytes(b"a: " + b"x" * 2_000_000), "is larger than a pod may be"),
        (lambda path: path.write_text("the key of somebody"), "is not a pod in YAML, with a spec"),
        (lambda path: path.write_text("{"), "is not a pod in YAML, with a spec"),
        (lambda path: path.write_text("[" * 5000), "is not a pod in YAML, with a spec"),
    ],
    ids=["a pipe without a writer", "a folder", "no file", "a large file", "a key", "no YAML", "deep brackets"],
)
def test_should_say_what_is_wrong_with_a_template_and_nothing_of_its_contents(
    walled: Any, tmp_path: Path, make: Any, why: str
) -> None:
    mine = tmp_path / "elsewhere/mine.yaml"
    mine.parent.mkdir()
    make(mine)
    with pytest.raises(PodMutationHookException, match=why) as refusal:
        walled.kube_scheduler._build_pod_request(_job(file=str(mine)))
    assert "key of somebody" not in str(refusal.value)


def test_should_append_to_a_log_and_to_nothing_that_a_link_leads_to(script: Any, tmp_path: Path) -> None:
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("kept")
    with script.open_log(logs, logs / "dag_id=a/attempt=1.log") as log:
        log.write("one\n")
    with script.open_log(logs, logs / "dag_id=a/attempt=1.log") as log:
        log.write("two\n")
    assert (logs / "dag_id=a/attempt=1.log").read_text() == "one\ntwo\n"
    (logs / "dag_id=a/attempt=2.log").symlink_to(outside / "secret")
    (logs / "dag_id=b").symlink_to(outside)
    for path in ("dag_id=a/attempt=2.log", "dag_id=b/secret"):
        with pytest.raises(OSError, match="link|symbolic"):
            script.open_log(logs, logs / path)
    assert (outside / "secret").read_text() == "kept"
