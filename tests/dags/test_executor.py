"""What the chart's executor does if the Kubernetes API server cannot take a pod: the real executor, without a cluster."""

from __future__ import annotations

import asyncio
import importlib.util
import queue
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import urllib3
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_types import KubernetesJob
from kubernetes.client.rest import ApiException
from kubernetes_asyncio.client.exceptions import ApiException as AsyncApiException

SCRIPT = Path(__file__).resolve().parents[2] / "charts/airspark/charts/airflow/files/scripts/airspark_executor.py"
JOB = KubernetesJob(key=TaskInstanceKey("etl", "load", "run", 1, -1), command=["airflow"], kube_executor_config=None,
                    pod_template_file=None)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Any:
    """The chart's extension of the executor, on the image's Airflow."""
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
