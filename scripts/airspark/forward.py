"""Port-forwards that survive the end of the pod behind them, and of the API server between."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import threading
import time
from types import TracebackType

import httpx

from airspark import console, retry
from airspark.check import port_free
from airspark.cluster import kubectl_command
from airspark.console import say
from airspark.project import NAMESPACE, Failure
from airspark.retry import Unavailable

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
#: Requests that change nothing: they may be sent again if nothing was answered.
_SAFE = (b"GET ", b"HEAD ", b"OPTIONS ")
#: A longer request is not kept to be sent again, in bytes.
_LONGEST_KEPT = 65536
_PAUSE, _LOOK = 0.25, 1.0
#: What kubectl may take to begin on a busy machine, in seconds.
_START = 10.0


def free_port(preferred: int | None = None) -> int:
    """A local port: the preferred one if nobody has it, else any free one."""
    if preferred and port_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Forward:
    """A local port forwarded to a port of a Service or pod, taken up again whenever it breaks off.

    `kubectl port-forward` ends when its pod does, and a connection that it takes meanwhile fails; so it forwards a port that
    nobody else knows, a thread starts it again, and the port that people use stays open in this process.

    Args:
        target: `svc/<name>` or `pod/<name>` in the platform's namespace.
        port: the port there.
        local: the local port, any free one by default.
        patient: whether a connection waits until the target is back, and a request that changes nothing is sent again if it
            got no answer; a line says so. Otherwise the connection ends, for a client that asks again by itself.
        health: a path that answers 200 once the server is ready. A server may listen before it knows its own pages: Spark's
            master answers 404 then. By default a server that listens counts as ready.
    """

    def __init__(
        self, target: str, port: int, local: int | None = None, patient: bool = False, health: str | None = None
    ) -> None:
        self.target, self.port, self.patient, self.health = target, port, patient, health
        self.failure: Failure | None = None
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", local or 0))
        self.local = int(self._listener.getsockname()[1])
        self._stop, self._up = threading.Event(), threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._behind = 0
        self._last_words = ""
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def url(self) -> str:
        """Where the port answers on this machine."""
        return f"http://127.0.0.1:{self.local}"

    def command(self) -> list[str]:
        """Return the command that forwards a free port."""
        words = ("port-forward", "--address", "127.0.0.1", self.target, f":{self.port}")
        return kubectl_command("--namespace", NAMESPACE, *words)

    def __enter__(self) -> Forward:
        self._listener.listen(64)
        self._keeper.start()
        try:
            retry.until_answered(f"the port-forward to {self.target}", self._begun)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _begun(self) -> None:
        until = time.monotonic() + _START
        while not self._up.wait(_PAUSE):
            if "(NotFound)" in self._last_words:
                raise Failure(f"no port-forward to {self.target}: {retry.brief(self._last_words)}", "make status")
            if time.monotonic() > until:
                raise Unavailable(retry.brief(self._last_words))

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        _end(self._listener, socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._keeper.join(timeout=5)

    def wait(self, seconds: float) -> bool:
        """Wait until the forward is up (again).

        Returns:
            Whether it came up in time.
        """
        return self._up.wait(seconds)

    def _keep(self) -> None:
        """Run kubectl again and again until the context is left; say it if connections wait for it."""
        since, said, pause, first = time.monotonic(), False, _PAUSE, True

        def begins(process: subprocess.Popen[str], port: int) -> None:
            nonlocal said, pause, first
            while process.poll() is None and not self._stop.is_set():
                if self._healthy(port):
                    if said:
                        say(f"{self.target} can be reached again after {time.monotonic() - since:.0f} s.")
                    said, pause, first, self._behind = False, _PAUSE, False, port
                    self._up.set()
                    return
                self._stop.wait(_PAUSE)

        while not self._stop.is_set():
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if match := _FORWARDING.match(line):
                    threading.Thread(target=begins, args=(self._process, int(match[1])), daemon=True).start()
                elif not line.startswith(("Forwarding from", "Handling connection")):
                    self._last_words = line.strip()
                if "lost connection to pod" in line:
                    self._process.terminate()
            self._process.wait()
            if self._up.is_set():
                self._up.clear()
                since = time.monotonic()
            down = time.monotonic() - since
            if self.patient and not first and not said and down > retry.NOTABLE:
                said = True
                say(f"{self.target} cannot be reached ({retry.brief(self._last_words)}): waiting for it.")
            if self.patient and not first and down > retry.PATIENCE:
                self.failure = Failure(f"{self.target} could not be reached for {down:.0f} s: {retry.brief(self._last_words)}",
                                       f"make status; to go on: {console.next_command}")  # fmt: skip
                return
            self._stop.wait(pause)
            pause = min(2 * pause, 2.0)

    def _healthy(self, port: int) -> bool:
        """Whether the server behind a port of kubectl says that it is ready."""
        if self.health is None:
            return True
        try:
            return httpx.get(f"http://127.0.0.1:{port}{self.health}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Pass a connection on; if the other side is lost before it has answered a request, ask it again."""
        pending: bytes = b""
        patience = retry.PATIENCE if self.patient else 0.0
        until = time.monotonic() + patience
        with client:
            while (behind := self._connect(client, until)) is not None:
                with behind:
                    lost, answered, pending = self._pass_on(client, behind, pending)
                if self.patient and lost and not pending and select.select([client], [], [], _PAUSE)[0]:
                    pending = _received(client)  # sent while the connection still looked alive
                if not (self.patient and lost and pending.startswith(_SAFE)):
                    return
                until = time.monotonic() + patience if answered else until
                self._stop.wait(_PAUSE)

    def _connect(self, client: socket.socket, until: float) -> socket.socket | None:
        """Connect to kubectl's port, once it has one; None if the client is gone or time is over."""
        while not self._stop.is_set():
            if self._up.is_set():
                try:
                    return socket.create_connection(("127.0.0.1", self._behind), timeout=5)
                except OSError:
                    pass
            if time.monotonic() > until or _gone(client):
                return None
            self._up.wait(_LOOK)
            self._stop.wait(_PAUSE)
        return None

    def _pass_on(self, client: socket.socket, behind: socket.socket, pending: bytes) -> tuple[bool, bool, bytes]:
        """Pass bytes both ways until one side ends.

        Returns:
            Whether it was the other side that ended first; whether it answered anything; and what it was sent since its last
            answer, empty if that is more than is kept.
        """
        for side in (client, behind):
            side.settimeout(retry.PATIENCE)
        answered, watched = False, [client, behind]
        try:
            behind.sendall(pending)
            while not self._stop.is_set():
                ready, _, _ = select.select(watched, [], [], _LOOK)
                if behind in ready:
                    answer = _received(behind)
                    if not answer:
                        return client in watched, answered, pending
                    answered, pending = True, b""
                    if not _sent(client, answer):
                        break
                if client in ready:
                    asked = _received(client)
                    if asked:
                        pending = pending + asked if len(pending) + len(asked) <= _LONGEST_KEPT else b""
                        behind.sendall(asked)
                    else:
                        watched.remove(client)
                        _end(behind)
        except OSError:
            return True, answered, pending
        return False, answered, b""


def _sent(side: socket.socket, data: bytes) -> bool:
    """Whether a side has taken some bytes."""
    try:
        side.sendall(data)
    except OSError:
        return False
    return True


def _received(side: socket.socket) -> bytes:
    """What has arrived; empty for the end, however it came."""
    try:
        return side.recv(65536)
    except OSError:
        return b""


def _end(side: socket.socket, how: int = socket.SHUT_WR) -> None:
    """Tell a side that nothing more comes."""
    try:
        side.shutdown(how)
    except OSError:
        return


def _gone(client: socket.socket) -> bool:
    """Whether a client has closed its connection."""
    ready, _, _ = select.select([client], [], [], 0)
    if not ready:
        return False
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def wait_forever(*forwards: Forward) -> None:
    """Keep the process alive until it is interrupted.

    Raises:
        Failure: if one of the forwards was away for too long.
    """
    while True:
        time.sleep(_LOOK)
        for forward in forwards:
            if forward.failure:
                raise forward.failure
