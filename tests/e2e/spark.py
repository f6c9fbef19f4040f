"""Spark drivers for live tests: pods made of the platform's own task-pod template, and what the master says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import kube_api
import yaml
from conftest import kubectl
from servers import apply

MASTER_URL = "spark://airspark-spark-master:7077"


def wait(what: str, condition: Callable[[], Any], seconds: float, interval: float = 0.5) -> Any:
    """Wait until a condition holds.

    Args:
        what: what is waited for, for the message.
        condition: called again and again; a true value ends the wait.
        seconds: how long.
        interval: seconds between two calls.

    Returns:
        The condition's value.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(interval)


def trouble(log: str) -> str:
    """Return what a driver's log says of lost executors, failed stages and errors, and its end."""
    words = ("ERROR", "WARN", "Lost ", "lost", "Executor added", "Executor updated", "FetchFailed", "Resubmit")
    lines = [line for line in log.splitlines() if any(word in line for word in words)]
    return "\n".join([*lines[-60:], "…", log[-1500:]])


@dataclass(frozen=True)
class Driver:
    """A pod that runs an application in client mode."""

    name: str

    def phase(self) -> str:
        """The pod's phase."""
        return str(kube_api.read(f"/api/v1/namespaces/airspark/pods/{self.name}")["status"]["phase"])

    def log(self) -> str:
        """What it printed so far; nothing before it runs."""
        return kube_api.log("airspark", self.name)

    def wait_for(self, words: str, seconds: float = 240) -> None:
        """Wait until a line holds these words; the end of the pod without them fails at once."""

        def said() -> bool:
            ended = self.phase() in ("Succeeded", "Failed")
            log = self.log()
            assert words in log or not ended, f"{self.name} ended without '{words}':\n{log[-4000:]}"
            return words in log

        wait(f"{self.name} says '{words}'", said, seconds)

    def end(self, seconds: float = 420) -> tuple[str, str]:
        """Wait for the end of the pod.

        Returns:
            Its phase, Succeeded or Failed, and its log.
        """
        phase = wait(f"{self.name} ends", lambda: next((p for p in [self.phase()] if p in ("Succeeded", "Failed")), ""), seconds)
        return phase, self.log()


@contextmanager
def driver(
    name: str, application: str, *arguments: str, submit: str = "spark-submit", secret: str | None = "", **environment: str
) -> Iterator[Driver]:
    """Run an application in a pod like that of a task with the template `spark`, and remove the pod afterwards.

    Args:
        name: of pod and application.
        application: Python source.
        arguments: of spark-submit, before the application.
        submit: the command; `/opt/spark/bin/spark-submit` is Spark's own, which looks at nothing first.
        secret: the shared secret that the pod has: "" takes the cluster's, None is none.
        environment: further variables of the pod.
    """
    config = json.loads(kubectl("get", "configmap", "airspark-pod-templates", "--output", "json"))
    pod = yaml.safe_load(config["data"]["spark.yaml"])
    container = pod["spec"]["containers"][0]
    words = " ".join(["--master", MASTER_URL, "--name", name, *arguments])
    run = f'printf %s "$APPLICATION" >/tmp/application.py && exec {submit} {words} /tmp/application.py'
    container |= {"args": ["bash", "-c", run]}
    container["env"] += [{"name": key, "value": value} for key, value in {"APPLICATION": application, **environment}.items()]
    if secret != "":
        container["env"] = [item for item in container["env"] if item["name"] != "_SPARK_AUTH_SECRET"]
        container["env"] += [{"name": "_SPARK_AUTH_SECRET", "value": secret}] if secret else []
    pod["metadata"] |= {"name": name, "namespace": "airspark"}
    kubectl("delete", "pod", name, "--ignore-not-found", "--wait")
    apply(pod)
    try:
        yield Driver(name)
    finally:
        kubectl("delete", "pod", name, "--grace-period", "1", "--ignore-not-found")


def state(url: str) -> dict[str, Any]:
    """What the master says of itself under a forwarded address, or nothing while it does not answer."""
    try:
        return dict(httpx.get(f"{url}/json/", timeout=10).json())
    except (httpx.HTTPError, json.JSONDecodeError):
        return {}


def alive_workers(url: str) -> int:
    """Number of workers that the master calls alive."""
    return sum(worker["state"] == "ALIVE" for worker in state(url).get("workers", []))


def process(pod: str, pattern: str) -> int:
    """The id of the Java process of a pod whose command holds a word."""
    look = (
        "for folder in /proc/[0-9]*; do"
        ' [[ $(readlink "$folder/exe") == */java ]] && tr "\\0" " " <"$folder/cmdline" | grep -q -e "$1" && basename "$folder";'
        " done; true"
    )
    found = kubectl("exec", pod, "--", "bash", "-c", look, "look", pattern).split()
    assert found, f"no Java process of {pod} holds '{pattern}'"
    return int(found[0])
