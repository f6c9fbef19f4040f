"""A package index on the loopback address, of the wheels of a folder; imported by scripts that run inside an image."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path


def serve(folder: Path) -> tuple[str, list[str]]:
    """Serve the wheels of a folder in a thread.

    Returns:
        The index's address, and a list to which every path that was asked for is added.
    """
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            name = self.path.strip("/").rpartition("/")[2]
            wheels = sorted(file.name for file in folder.glob("*.whl"))
            links = [f'<a href="/files/{file}">{file}</a>' for file in wheels if file.lower().startswith(f"{name}-")]
            if name in wheels:
                self.answer((folder / name).read_bytes(), "application/octet-stream")
            elif links:
                self.answer("".join(links).encode(), "text/html")
            else:
                self.send_error(404)

        do_HEAD = do_GET

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the standard output is the tasks' log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/simple", asked
