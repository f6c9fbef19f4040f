"""The doctor's archive: what a report of a fault needs, without secrets."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airspark import redaction, tools
from airspark.console import output, step
from airspark.project import BUILD, LOGS, NAMESPACE, RELEASE, kubeconfig

#: How many lines of a log are collected.
LINES = 2000


def collect() -> Path:
    """Collect describe, events, logs and values into one archive, secrets removed.

    Returns:
        The archive, which only its owner may read.
    """
    target = BUILD / f"doctor-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz"
    with step("doctor", "Collect describe, events, logs and values") as current:
        parts = {"engine.txt": _try("docker", "info"), "nodes-docker.txt": _try("docker", "ps", "--all")}
        secrets: list[dict[str, Any]] = []
        if kubeconfig().exists():
            kubectl = (str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--request-timeout", "20s")
            secrets = _secrets(kubectl)
            parts |= _cluster(kubectl)
        for file in LOGS.glob("*.log"):
            if file != current.log_path:
                parts[f"steps/{file.name}"] = file.read_text(errors="replace")
        write(target, parts, secrets)
        current.note = f"{len(parts)} files"
    return target


def _cluster(kubectl: tuple[str, ...]) -> dict[str, str]:
    """Return what the cluster says: objects, events, values of the release, logs of all pods."""
    where = ("--namespace", NAMESPACE, "--kubeconfig", str(kubeconfig()))
    parts = {
        "nodes.txt": _try(*kubectl, "describe", "nodes"),
        "objects.txt": _try(*kubectl, "get", "all,pvc,configmap,event", "--all-namespaces", "--output", "wide"),
        "describe.txt": _try(*kubectl, "describe", "pods,pvc,jobs,statefulsets", "--namespace", NAMESPACE),
        "events.txt": _try(*kubectl, "get", "events", "--all-namespaces", "--sort-by", ".metadata.creationTimestamp"),
        "values.yaml": redaction.of_values(_try(str(tools.ensure("helm")), "get", "values", RELEASE, "--all", *where)),
    }
    columns = "custom-columns=:.metadata.namespace,:.metadata.name"
    for line in _try(*kubectl, "get", "pods", "--all-namespaces", "--no-headers", "--output", columns).splitlines():
        namespace, _, pod = line.partition(" ")
        for suffix, extra in (("log", ()), ("previous.log", ("--previous",))):
            words = ("--namespace", namespace, pod.strip(), "--all-containers", "--tail", str(LINES))
            text = _try(*kubectl, "logs", *words, *extra) if pod else ""
            if text and "previous terminated container" not in text:
                parts[f"logs/{namespace}.{pod.strip()}.{suffix}"] = text
    return parts


def _secrets(kubectl: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        found = output([*kubectl, "get", "secrets", "--all-namespaces", "--output", "json"], timeout=60)
        items: list[dict[str, Any]] = json.loads(found)["items"]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    return items


def write(target: Path, parts: Mapping[str, str], secrets: list[dict[str, Any]]) -> None:
    """Write an archive that only its owner may read, without what is secret in its parts.

    Args:
        target: the archive.
        parts: texts by their names.
        secrets: objects of the kind Secret, whose values are removed wherever they stand.
    """
    clean = redaction.cleaner(secrets)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        os.fchmod(descriptor, 0o600)
        for name, text in parts.items():
            data = clean(text).encode()
            info = tarfile.TarInfo(f"airspark-doctor/{name}")
            info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
            archive.addfile(info, io.BytesIO(data))


def _try(*command: str) -> str:
    """Return the output of a command, or what went wrong."""
    try:
        return output(command, timeout=60)
    except subprocess.CalledProcessError as problem:
        return f"{problem.stdout}\n{problem.stderr}"
    except (OSError, subprocess.SubprocessError) as problem:
        return str(problem)
