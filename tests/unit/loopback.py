"""A server on the loopback address that has trouble for a while: errors, resets, silence, and nobody at the port."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]


class Server:
    """Answers requests by a function, and has trouble when it is asked to.

    Args:
        answer: gives status and body for method, path and body of a request; it may call `reset`.
        port: where it listens, any free port by default.
    """

    def __init__(self, answer: Callable[[str, str, Any], Answer], port: int = 0) -> None:
        self.answer = answer
        self.trouble, self.seconds, self.until = "", 0.0, 0.0
        self.requests: list[str] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", port), self.handler())
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def fail(self, trouble: str, seconds: float) -> None:
        """Have trouble for some seconds: an HTTP status as a text, `reset`, `hang` or `refuse`.

        The seconds begin with the first request, however long its sender takes to start; with `refuse` they begin now.
        """
        self.trouble, self.seconds, self.until = trouble, seconds, 0.0
        if trouble == "refuse":
            self.until = time.monotonic() + seconds
            self.close()
            threading.Timer(seconds, self.begin).start()

    def in_trouble(self) -> bool:
        """Whether a request that arrives now meets the trouble."""
        if self.trouble and not self.until:
            self.until = time.monotonic() + self.seconds
        return time.monotonic() < self.until

    def begin(self) -> None:
        """Listen again at the same port."""
        self.__init__(self.answer, self.port)  # type: ignore[misc]

    def close(self) -> None:
        """Listen no more."""
        self.http.shutdown()
        self.http.server_close()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """The handler of one request."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.requests.append(f"{self.command} {self.path}")
                trouble = server.trouble if server.in_trouble() else ""
                if trouble in ("reset", "refuse"):  # connections of a server that has ended are gone, too
                    return reset(self)
                if trouble == "hang":
                    time.sleep(max(0.0, server.until - time.monotonic()))
                    return reset(self)
                try:
                    given = json.loads(body) if body else None
                    status, found = (int(trouble), "in trouble") if trouble else server.answer(self.command, self.path, given)
                except Lost:
                    return reset(self)
                text = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_PUT = handle_one

            def log_message(self, *_: Any) -> None:
                return

        return Handler


class Lost(Exception):
    """The request has had its effect, and its answer gets lost."""


def reset(handler: BaseHTTPRequestHandler) -> None:
    """End a connection as a killed process does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


@contextlib.contextmanager
def serving(answer: Callable[[str, str, Any], Answer]) -> Iterator[Server]:
    """A server until the block ends."""
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()
