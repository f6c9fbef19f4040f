"""Logs that are followed through outages, by the real kubectl against a server that gives logs as the kubelet does."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback import reset

from airspark import cluster, logs, retry, tools
from airspark.logs import Bookmark, Container

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DISCOVERY: dict[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}],
    },
}


class Kubelet:
    """An API server with one pod, whose log has `lines`: seconds since BEGAN and a text. It ends a stream as `breaks` says.

    Attributes:
        breaks: after how many lines of the log a stream breaks off, and how: `reset`, `clean`, `half` a line, or `away` for 4 s.
        away: whether every request gets 503.
    """

    def __init__(self, lines: list[tuple[float, str]]) -> None:
        self.lines, self.given = lines, 0
        self.state: dict[str, Any] = {"running": {}}
        self.uid = "1"
        self.breaks: list[tuple[int, str]] = []
        self.away = False
        self.asked: list[dict[str, list[str]]] = []
        kubelet = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if kubelet.away:
                    return self.send_error(503)
                if url.path.endswith("/log"):
                    return kubelet.log(self, parse_qs(url.query))
                found = DISCOVERY.get(url.path) or kubelet.pod()
                text = logs.json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def pod(self) -> dict[str, Any]:
        container = {"name": "main", "state": self.state, "containerID": "containerd://1"}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "driver", "namespace": "jobs", "uid": self.uid},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]},
                "status": {"phase": "Running", "containerStatuses": [container]}}  # fmt: skip

    def log(self, request: BaseHTTPRequestHandler, asked: dict[str, list[str]]) -> None:
        self.asked.append(asked)
        since = datetime.fromisoformat(asked["sinceTime"][0]) if "sinceTime" in asked else BEGAN
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        follows, number = "follow" in asked, 0
        while True:
            for seconds, text in self.lines[number:]:
                moment = BEGAN + timedelta(seconds=seconds)
                if moment >= since:
                    line = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond * 1000:09d}Z {text}\n".encode()
                    if follows and self.breaks and number == self.breaks[0][0]:
                        _, how = self.breaks.pop(0)
                        request.wfile.write(line[:-3] if how == "half" else b"")
                        request.wfile.flush()
                        time.sleep(0.1)  # a reset takes what has not been read yet with it
                        if how == "away":
                            self.away = True
                            self.lines.append((9.0, "written meanwhile"))
                            threading.Timer(4, setattr, args=(self, "away", False)).start()
                        return None if how in ("clean", "half") else reset(request)
                    request.wfile.write(line)
                    request.wfile.flush()
                number += 1
            if not follows or "terminated" in self.state:
                return
            time.sleep(0.02)


LINES = [(0.1, "a"), (0.5, "b"), (0.5, "b"), (0.5, "c"), (1.0, "d"), (1.2, "e"), (7.9, "f"), (8.0, "g h")]
WHOLE = [text for _, text in LINES]
DRIVER = Container("jobs", "driver", "main", "1")


@pytest.fixture
def kubelet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubelet]:
    program = tools.locate("kubectl") or shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not built yet: make up builds it")
    found = Kubelet(list(LINES))
    config = tmp_path / "kubeconfig"
    url = f"http://127.0.0.1:{found.http.server_address[1]}"
    config.write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: a, cluster: {{server: '{url}'}}}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n"
    )
    monkeypatch.setattr(cluster, "kubeconfig", lambda: config)
    monkeypatch.setattr(tools, "ensure", lambda name: Path(program))
    monkeypatch.setenv("HOME", str(tmp_path))  # where kubectl keeps what it has discovered
    yield found
    found.http.shutdown()


def followed(kubelet: Kubelet, seconds: float = 1) -> list[str]:
    """What is shown of a log whose container ends some seconds after the stream has broken off for the last time."""
    shown: list[bytes] = []

    def end() -> None:
        deadline = time.monotonic() + 60
        while kubelet.breaks and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(seconds)
        kubelet.state["terminated"] = {}

    threading.Thread(target=end, daemon=True).start()
    logs.follow(DRIVER, shown.append)
    return b"".join(shown).decode().splitlines()


@pytest.mark.parametrize("how", ["reset", "clean", "half"])
@pytest.mark.parametrize("number", [1, 3, 6])
def test_should_lose_and_repeat_no_line_if_the_stream_breaks_off(kubelet: Kubelet, number: int, how: str) -> None:
    kubelet.breaks = [(number, how), (number, how), (7, "reset")]
    assert followed(kubelet) == WHOLE
    assert any("sinceTime" in asked for asked in kubelet.asked)


def test_should_show_what_is_written_while_nobody_answers(kubelet: Kubelet, capsys: pytest.CaptureFixture[str]) -> None:
    kubelet.breaks = [(4, "away")]
    assert followed(kubelet) == [*WHOLE, "written meanwhile"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0].startswith("the Kubernetes API server does not answer (") and "again" in said[1]


def test_should_show_the_whole_log_of_a_container_that_has_ended(kubelet: Kubelet) -> None:
    kubelet.state = {"terminated": {}}
    shown: list[bytes] = []
    logs.follow(DRIVER, shown.append)
    assert b"".join(shown).decode().splitlines() == WHOLE and len(kubelet.asked) == 1


def test_should_end_without_a_line_if_another_pod_has_the_name_now(kubelet: Kubelet) -> None:
    kubelet.uid = "2"
    shown: list[bytes] = []
    logs.follow(DRIVER, shown.append)
    assert shown == [] and kubelet.asked == []


def test_should_say_it_if_the_log_stays_unreadable(
    kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retry, "PATIENCE", 1.0)
    kubelet.state = {"terminated": {}}
    monkeypatch.setattr(kubelet, "log", lambda request, asked: request.send_error(400, "no log"))
    logs.Following(DRIVER).join(30)
    assert "the log of driver cannot be read: " in capsys.readouterr().err


def test_should_know_lines_of_the_same_moment_by_their_number() -> None:
    bookmark = Bookmark()
    assert [bookmark.new(moment) for moment in (b"1", b"2", b"2")] == [True, True, True]
    bookmark.resume()
    assert [bookmark.new(moment) for moment in (b"1", b"2", b"2", b"2", b"3")] == [False, False, False, True, True]
