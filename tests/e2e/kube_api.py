"""Reads of the Kubernetes API over one kept connection.

A wait that starts kubectl twice a second takes a third of a core from the cluster it waits for.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from airspark.project import kubeconfig

APPLICATIONS = "/apis/sparkoperator.k8s.io/v1beta2"


@lru_cache(maxsize=1)
def _client(config: Path, changed: int) -> httpx.Client:
    """A client of the cluster that a kubeconfig names; `changed` (nanoseconds) makes another one for a recreated cluster."""
    found = yaml.safe_load(config.read_text())
    server, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as file:
        for key in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(user[key]))
        file.flush()
        context.load_cert_chain(file.name)
    return httpx.Client(base_url=server["server"], verify=context, timeout=60)


def _answer(path: str, **params: str) -> httpx.Response | None:
    config = kubeconfig()
    client = _client(config, config.stat().st_mtime_ns)
    try:
        answer = client.get(path, params=params)
    except httpx.RemoteProtocolError:  # The server closed a connection that was not in use.
        answer = client.get(path, params=params)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer


def read(path: str, **params: str) -> dict[str, Any]:
    """Return an object, or a list's response with its `items`.

    Args:
        path: of the API, such as `/api/v1/namespaces/airspark/pods`.
        params: of the request, such as `labelSelector`.

    Returns:
        What the API server has under the path; empty if there is no such object.

    Raises:
        httpx.HTTPError: if it does not answer, or refuses.
    """
    answer = _answer(path, **params)
    return dict(answer.json()) if answer else {}


def pods(namespace: str, selector: str) -> list[dict[str, Any]]:
    """Return the pods of a namespace that a label selector matches."""
    return list(read(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)["items"])


def log(namespace: str, pod: str, container: str = "") -> str:
    """Return what a container printed so far; nothing if the pod is not there or the container has not started."""
    params = {"container": container} if container else {}
    try:
        answer = _answer(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", **params)
    except httpx.HTTPStatusError as problem:
        if problem.response.status_code == 400:
            return ""
        raise
    return answer.text if answer else ""
