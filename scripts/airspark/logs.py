"""Logs of containers, followed through outages: no line is lost, and none is shown twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airspark import console, retry
from airspark.cluster import kubectl_command
from airspark.console import say
from airspark.project import Failure

LIVE, ENDED, GONE = "live", "ended", "gone"
Show = Callable[[bytes], None]
_PAUSE = 0.5
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\S+$")
_write = threading.Lock()


@dataclass(frozen=True)
class Container:
    """A container of a pod.

    Attributes:
        namespace: the pod's.
        pod: its name.
        name: the container's.
        uid: the pod's, so that another pod of the name is another container; empty for whichever has the name.
    """

    namespace: str
    pod: str
    name: str
    uid: str = ""


class Bookmark:
    """How far a log has been shown: the time of the last line, and how many lines of that time.

    The kubelet gives lines from a whole second on, so that a log that is taken up again begins with lines seen before.
    """

    def __init__(self) -> None:
        self.moment, self._shown = b"", 0
        self._again = 0

    def resume(self) -> None:
        """Begin to read from the last line's second again."""
        self._again = 0

    def new(self, moment: bytes) -> bool:
        """Whether the next line, of a time as the kubelet writes it, has not been shown; it counts as shown then."""
        if moment < self.moment:
            return False
        if moment > self.moment:
            self.moment, self._shown, self._again = moment, 1, 1
            return True
        self._again += 1
        if self._again <= self._shown:
            return False
        self._shown = self._again
        return True


def write(line: bytes) -> None:
    """Put a line on standard output."""
    with _write:
        sys.stdout.flush()
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def follow(container: Container, show: Show = write, tail: int | None = None) -> None:
    """Show a container's log until its end, through restarts of the API server; return when the container is gone or ended.

    Args:
        container: whose log.
        show: takes each line with its line end.
        tail: how many lines of what is there already; all by default.

    Raises:
        Failure: if the log cannot be read for as long as `retry` waits.
    """
    bookmark, silent_since = Bookmark(), time.monotonic()
    while True:
        # Before the log is read: what has ended then has no line that comes later.
        state = state_of(container)
        if state == GONE:
            return
        complaint = _read(container, show, bookmark, tail, live=state == LIVE)
        if state == ENDED and not complaint:
            return
        if not complaint:
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since > retry.PATIENCE:
            raise Failure(f"the log of {container.pod} cannot be read: {complaint}",
                          f"make status; to go on: {console.next_command}")  # fmt: skip
        time.sleep(_PAUSE)


def _read(container: Container, show: Show, bookmark: Bookmark, tail: int | None, *, live: bool) -> str:
    """Read a log from the bookmark on until it ends or breaks off, and return what kubectl complains of."""
    words = ("logs", container.pod, "--container", container.name, "--timestamps")
    command = kubectl_command("--namespace", container.namespace, *words)
    if live:
        command.append("--follow")
    if bookmark.moment:
        command += ["--since-time", bookmark.moment.decode()]
    elif tail is not None:
        command += ["--tail", str(tail)]
    bookmark.resume()
    said = ""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    try:
        for line in process.stdout:
            moment, _, text = line.partition(b" ")
            whole = line.endswith(b"\n") or not live
            if not _MOMENT.match(moment):
                said = line.decode(errors="replace")  # by the kubelet, not by the container
            # A line that broke off comes again as a whole.
            elif whole and bookmark.new(moment):
                show(text if text.endswith(b"\n") else text + b"\n")
        complaint = process.stderr.read().decode(errors="replace")
    finally:
        process.terminate()
        code = process.wait()
    return retry.brief(complaint or said) if code or said else ""


def state_of(container: Container) -> str:
    """Return whether a container may write more (LIVE), has ended for good (ENDED), or has no pod any more (GONE)."""
    where = ("--namespace", container.namespace, "--ignore-not-found", "--output", "json")
    text = retry.kubectl("get", "pod", container.pod, *where)
    pod: dict[str, Any] = json.loads(text) if text.strip() else {}
    if not pod or (container.uid and pod["metadata"]["uid"] != container.uid):
        return GONE
    status = pod.get("status") or {}
    first, main = (status.get(key) or () for key in ("initContainerStatuses", "containerStatuses"))
    states = [state.get("state") or {} for state in (*first, *main) if state["name"] == container.name]
    again = any(state["name"] == container.name for state in main) and pod["spec"].get("restartPolicy") != "Never"
    over = any("terminated" in state for state in states) and not again
    return ENDED if over or status.get("phase") in ("Succeeded", "Failed") else LIVE


class Following(threading.Thread):
    """A log that is followed beside something else; what goes wrong is said, and ends nothing.

    Args:
        container: whose log.
        show: takes each line.
        tail: how many lines of what is there already.
    """

    def __init__(self, container: Container, show: Show = write, tail: int | None = None) -> None:
        super().__init__(daemon=True)
        self._arguments = (container, show, tail)
        self.start()

    def run(self) -> None:
        """Follow to the end."""
        try:
            follow(*self._arguments)
        except Failure as problem:
            say(f"{problem}; {problem.hint}")
        except subprocess.CalledProcessError as problem:
            say(f"The log of {self._arguments[0].pod} cannot be read: {retry.brief(str(problem.stderr or problem))}")


def containers(namespace: str, selector: str) -> list[Container]:
    """Return the containers of all pods that a selector finds, those of init containers too, which have begun."""
    listed = json.loads(retry.kubectl("--namespace", namespace, "get", "pods", "--selector", selector, "--output", "json"))
    found = []
    for pod in listed["items"]:
        status, metadata = pod.get("status") or {}, pod["metadata"]
        for state in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            if state.get("containerID"):
                found.append(Container(namespace, metadata["name"], state["name"], metadata["uid"]))
    return found


def follow_all(namespace: str, selector: str, tail: int, seconds: float = 2.0) -> None:
    """Follow the logs of all pods that a selector finds, also of those that come later, until interrupted.

    Args:
        namespace: where the pods are.
        selector: a label selector.
        tail: how many lines of those that are there already.
        seconds: how often new pods are looked for.

    Raises:
        Failure: if the API server does not answer for as long as `retry` waits.
    """
    following: dict[Container, Following] = {}
    while True:
        first = not following
        for container in containers(namespace, selector):
            if container not in following:
                prefix = f"[pod/{container.pod}/{container.name}] ".encode()
                show = lambda line, prefix=prefix: write(prefix + line)  # noqa: E731  each has its own
                following[container] = Following(container, show, tail if first else None)
        time.sleep(seconds)
