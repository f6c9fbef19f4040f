"""Port-forwards that survive the end of the pod behind them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from types import TracebackType

from airspark import tools
from airspark.check import port_free
from airspark.project import NAMESPACE, Failure, kubeconfig


def free_port(preferred: int | None = None) -> int:
    """A local port: the preferred one if nobody has it, else any free one."""
    if preferred and port_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Forward:
    """A local port forwarded to a port of a Service or pod, taken up again whenever it breaks off.

    `kubectl port-forward` ends when its pod does; a thread starts it again until the context is left.

    Args:
        target: `svc/<name>` or `pod/<name>` in the platform's namespace.
        port: the port there.
        local: the local port, any free one by default.
    """

    def __init__(self, target: str, port: int, local: int | None = None) -> None:
        self.target, self.port = target, port
        self.local = local or free_port()
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._up = threading.Event()
        self._last_words = ""
        self._thread = threading.Thread(target=self._keep, daemon=True)

    @property
    def url(self) -> str:
        """Where the port answers on this machine."""
        return f"http://127.0.0.1:{self.local}"

    def _keep(self) -> None:
        command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE,
                   "port-forward", "--address", "127.0.0.1", self.target, f"{self.local}:{self.port}"]  # fmt: skip
        while not self._stop.is_set():
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if line.startswith("Forwarding from"):
                    self._up.set()
                else:
                    self._last_words = line.strip()
                if "lost connection to pod" in line:
                    self._process.terminate()
            self._process.wait()
            self._up.clear()
            self._stop.wait(0.5)

    def __enter__(self) -> Forward:
        self._thread.start()
        if not self._up.wait(20):
            self.__exit__(None, None, None)
            raise Failure(f"no port-forward to {self.target}: {self._last_words or 'no answer'}", "make status")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._thread.join(timeout=5)

    def wait(self, seconds: float) -> bool:
        """Wait until the forward is up (again).

        Returns:
            Whether it came up in time.
        """
        return self._up.wait(seconds)


def wait_forever() -> None:
    """Keep the process alive until it is interrupted."""
    while True:
        time.sleep(3600)
