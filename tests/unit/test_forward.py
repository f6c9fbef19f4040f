"""A port-forward through a restart of what is behind it: a pod that is killed, and a kubectl that ends as the real one does."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airspark import check, retry
from airspark.forward import Forward, free_port, wait_forever
from airspark.project import ROOT, Failure

POD = """
    import sys, time
    from http.server import BaseHTTPRequestHandler, HTTPServer
    began = time.monotonic()
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            with open(sys.argv[2], "a") as log:
                log.write(self.command + chr(10))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/die":
                import os; os._exit(1)
            if sys.argv[3] == "starting" and time.monotonic() - began < 2:
                self.send_error(404); return
            text = body or sys.argv[3].encode()
            self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers()
            self.wfile.write(text)
        do_POST = do_GET
        def log_message(self, *_): pass
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# As kubectl 1.37: takes a connection before it knows whether the pod is there, and ends once one could not be passed on.
KUBECTL = """
    import os, socket, sys, threading
    pod, listener = int(sys.argv[1]), socket.create_server(("127.0.0.1", 0))
    if len(sys.argv) > 2 and os.path.exists(sys.argv[2]):
        print("error: unable to forward port because pod is not running. Current status=Pending", flush=True); sys.exit(1)
    print(f"Forwarding from 127.0.0.1:{listener.getsockname()[1]} -> {pod}", flush=True)
    def copy(a, b):
        try:
            while data := a.recv(65536): b.sendall(data)
        except OSError: pass
        for end in (a, b):
            try: end.shutdown(socket.SHUT_RDWR)
            except OSError: pass
    while True:
        client, _ = listener.accept()
        print("Handling connection for 1", flush=True)
        try: upstream = socket.create_connection(("127.0.0.1", pod))
        except OSError:
            client.recv(65536); print("E1129 portforward.go: connection refused", flush=True)
            print("error: lost connection to pod", flush=True); client.close(); os._exit(1)
        for pair in ((client, upstream), (upstream, client)): threading.Thread(target=copy, args=pair, daemon=True).start()
"""


class Pod:
    """A server that can be killed and begun again at the same port; `asked` are the requests it has seen."""

    def __init__(self, folder: Path) -> None:
        self.port, self.log = free_port(), folder / "asked"
        self.log.touch()
        self.begin("first")

    def begin(self, text: str) -> None:
        command = [sys.executable, "-c", textwrap.dedent(POD), str(self.port), str(self.log), text]
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 20
        while check.port_free(self.port):
            assert time.monotonic() < until
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    found = Pod(tmp_path)
    words = [sys.executable, "-c", textwrap.dedent(KUBECTL), str(found.port), str(tmp_path / "pending")]
    monkeypatch.setattr(Forward, "command", lambda self: words)
    yield found
    found.kill()


def test_should_answer_the_first_request_after_a_restart(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    with Forward("svc/a", 8080, patient=True) as forward:
        assert httpx.get(forward.url).text == "first"
        pod.kill()
        threading.Timer(4, pod.begin, args=("second",)).start()
        assert httpx.get(forward.url, timeout=30).text == "second"
        assert httpx.get(forward.url).text == "second"
    said = capsys.readouterr().err.splitlines()
    assert said == [] or (len(said) == 2 and "cannot be reached" in said[0] and "can be reached again" in said[1])


def test_should_wait_until_the_server_knows_its_own_pages_if_it_listens_before(pod: Pod) -> None:
    with Forward("svc/a", 8080, patient=True, health="/") as forward:
        assert httpx.get(forward.url).text == "first"
        pod.kill()
        threading.Timer(1, pod.begin, args=("starting",)).start()
        answer = httpx.get(forward.url, timeout=30)
        assert (answer.status_code, answer.text) == (200, "starting")


def test_should_answer_on_a_connection_that_was_open_before_the_restart(pod: Pod) -> None:
    with Forward("svc/a", 8080, patient=True) as forward, httpx.Client(base_url=forward.url, timeout=30) as client:
        assert client.get("/").text == "first"
        pod.kill()
        threading.Timer(1, pod.begin, args=("second",)).start()
        assert client.get("/").text == "second"


def test_should_wait_and_say_so_once_if_the_new_pod_is_not_running_yet(
    pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Forward("svc/a", 8080, patient=True) as forward:
        (tmp_path / "pending").touch()
        pod.kill()
        threading.Timer(1, pod.begin, args=("second",)).start()
        threading.Timer(5, (tmp_path / "pending").unlink).start()
        assert httpx.get(forward.url, timeout=30).text == "second"
    waits, back = capsys.readouterr().err.splitlines()
    assert waits.startswith("svc/a cannot be reached (unable to forward port because pod is not running")
    assert back.startswith("svc/a can be reached again after ")


def test_should_not_send_a_request_again_that_may_have_changed_something(pod: Pod) -> None:
    with Forward("svc/a", 8080, patient=True) as forward:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{forward.url}/die", timeout=20)
        pod.begin("second")
        assert httpx.post(forward.url, content=b"x" * 3_000_000, timeout=20).content == b"x" * 3_000_000
    assert pod.asked == ["POST", "POST"]


def test_should_end_a_connection_at_once_if_its_client_asks_again_by_itself(pod: Pod) -> None:
    with Forward("svc/a", 8080) as forward:
        pod.kill()
        began = time.monotonic()
        with pytest.raises(httpx.TransportError):
            httpx.get(forward.url, timeout=20)
        assert time.monotonic() - began < 5
        pod.begin("second")
        assert forward.wait(20) and httpx.get(forward.url, timeout=20).text == "second"


def test_should_end_in_a_sentence_if_what_is_behind_stays_away(pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE", 2.5)
    with Forward("svc/a", 8080, patient=True) as forward:
        (tmp_path / "pending").touch()
        pod.kill()
        with pytest.raises(httpx.TransportError):
            httpx.get(forward.url, timeout=20)
        with pytest.raises(Failure, match=r"^svc/a could not be reached for \d+ s: unable to forward port") as caught:
            wait_forever(forward)
    assert caught.value.hint.startswith("make status; to go on: ")


def test_should_fail_at_once_if_there_is_no_such_service(monkeypatch: pytest.MonkeyPatch) -> None:
    said = """print('Error from server (NotFound): services "a" not found'); import sys; sys.exit(1)"""
    monkeypatch.setattr(Forward, "command", lambda self: [sys.executable, "-c", said])
    began = time.monotonic()
    with pytest.raises(Failure, match='^no port-forward to svc/a: .*services "a" not found$'), Forward("svc/a", 8080):
        pass
    assert time.monotonic() - began < 10


def test_should_free_the_port_at_the_end(pod: Pod) -> None:
    with Forward("svc/a", 8080) as forward:
        assert not check.port_free(forward.local)
    assert check.port_free(forward.local)


def test_should_know_who_has_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert check.listener(port) is not None and "(process " in check.holder(port)
    assert check.listener(port) is None and check.holder(port) == ""


def test_should_find_nothing_wrong_with_a_port_that_make_ui_of_this_checkout_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "airspark"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import socket, time\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\ntime.sleep(60)\n"
    )
    for folder, ok, found in ((ROOT, True, "open by make ui (process "), (tmp_path, False, f"taken by make ui of {tmp_path} (")):
        process = subprocess.Popen(
            [sys.executable, "-m", "airspark", "ui"],
            cwd=folder,
            env={"PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            monkeypatch.setattr(check, "PORTS", {port: "Airflow UI"})
            (finding,) = check.port_findings()
            assert finding.ok is ok and finding.found.startswith(found), finding
        finally:
            process.kill()
            process.wait()
