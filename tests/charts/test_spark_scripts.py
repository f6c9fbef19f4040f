"""The scripts of charts/spark that start and stop its processes, run as in a pod but for Spark itself."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from rendering import CHARTS

SCRIPTS = CHARTS / "spark/files/scripts"
# In place of Spark: tells how it was called, and with which configuration.
SPARK_CLASS = """#!/bin/sh
echo "called: $*"
while [ $# -gt 0 ]; do [ "$1" = --properties-file ] && sed 's/^/conf: /' "$2" && stat -c 'mode: %a' "$2"; shift; done
env | sed -n 's/^\\(SPARK_WORKER_MEMORY=\\|REST_JWS_KEY=\\)/env: \\1/p'
"""


class Done(NamedTuple):
    """What a script did."""

    code: int
    printed: list[str]
    said: str
    status: str


class Pod:
    """A pod's folders and environment, for scripts."""

    def __init__(self, folder: Path) -> None:
        self.claim = folder / "claim"
        self._status = folder / "status"
        for name in ("claim", "conf", "bin", "home/jars", "tmp"):
            (folder / name).mkdir(parents=True)
        for script in SCRIPTS.glob("*.sh"):
            shutil.copy(script, folder / "conf")
        (folder / "conf/spark-defaults.conf").write_text("spark.authenticate true\n")
        self.version(folder / "home", "4.2.1")
        self.home = folder / "home"
        spark_class = folder / "bin/spark-class"
        spark_class.write_text(SPARK_CLASS)
        spark_class.chmod(0o755)
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "SPARK_CONF_DIR": str(folder / "conf"),
            "SPARK_HOME": str(folder / "home"),
            "TERMINATION_LOG": str(self._status),
            "TMPDIR": str(folder / "tmp"),
            "POD_IP": "127.0.0.1",
            "RECOVERY_DIRECTORY": str(self.claim),
        }

    @staticmethod
    def version(home: Path, version: str) -> None:
        """Let the image have a version of Spark."""
        for jar in (home / "jars").iterdir():
            jar.unlink()
        (home / f"jars/spark-core_2.13-{version}.jar").touch()

    def run(self, script: str, *arguments: str, limit: str = "", shell: str = "sh", **env: str) -> Done:
        """Run a script; `limit` is a command of the shell before it."""
        command = [shell, "-c", f'{limit} exec {shell} "$SPARK_CONF_DIR/{script}" "$@"', script, *arguments]
        done = subprocess.run(command, env=self.env | env, capture_output=True, text=True, check=False, timeout=30)
        status = self._status.read_text() if self._status.is_file() else ""
        return Done(done.returncode, done.stdout.splitlines(), done.stderr, status)

    def master(self, mode: str = "ROCKSDB", limit: str = "", **env: str) -> Done:
        """Start a master."""
        return self.run("start-master.sh", "--port", "7077", limit=limit, RECOVERY_MODE=mode, **env)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def _recovery(done: Done) -> list[str]:
    return [line.removeprefix("conf: spark.deploy.") for line in done.printed if "spark.deploy.recovery" in line]


def should_start_a_master_that_remembers_in_a_folder_of_a_fresh_claim(pod: Pod) -> None:
    (pod.claim / "lost+found").mkdir()
    done = pod.master()
    assert done.code == 0 and not done.said
    assert done.printed[0].startswith("called: org.apache.spark.deploy.master.Master --properties-file ")
    assert " --host " in done.printed[0] and done.printed[0].endswith(" --port 7077")
    assert "conf: spark.authenticate true" in done.printed, "the chart's lines stay"
    assert _recovery(done) == ["recoveryMode ROCKSDB", f"recoveryDirectory {pod.claim}/state"]
    assert (pod.claim / "made-by").read_text() == "ROCKSDB 4.2\n"
    assert sorted(path.name for path in pod.claim.iterdir()) == ["lost+found", "made-by", "state"], "and no probe is left"


def should_keep_what_the_master_remembers_over_a_restart_and_a_patch_release(pod: Pod) -> None:
    pod.master()
    (pod.claim / "state/app").write_text("running")
    pod.version(pod.home, "4.2.2")
    done = pod.master()
    assert done.code == 0 and not done.said
    assert (pod.claim / "state/app").read_text() == "running"


def should_refuse_a_claim_of_another_mode_and_say_how_to_go_on(pod: Pod) -> None:
    pod.master()
    (pod.claim / "state/app").write_text("running")
    done = pod.master(mode="FILESYSTEM")
    assert done.code == 78 and not done.printed, "Spark is not started"
    sentence = "the recovery claim holds state of mode ROCKSDB and master.recoveryMode is FILESYSTEM, which cannot read it: "
    assert done.status.startswith(sentence) and sentence in done.said
    assert "delete the claim and this pod to begin anew" in done.status
    assert (pod.claim / "state/app").read_text() == "running", "nothing is lost"
    assert pod.master().code == 0


def should_begin_anew_if_the_claim_is_of_another_version_of_spark_and_say_so(pod: Pod) -> None:
    pod.master()
    (pod.claim / "state/app").write_text("running")
    pod.version(pod.home, "4.3.0")
    done = pod.master()
    assert done.code == 0 and "holds state of Spark 4.2, which Spark 4.3.0 does not read: it is removed" in done.said
    assert not (pod.claim / "state/app").exists() and (pod.claim / "made-by").read_text() == "ROCKSDB 4.3\n"
    assert _recovery(done), "and goes on with the claim"


def should_start_without_a_full_claim_and_say_which_value_makes_it_larger(pod: Pod) -> None:
    # A file may have 1 MiB, which stands for a file system without room for 4.
    done = pod.master(limit="ulimit -f 2048; trap '' XFSZ;")
    assert done.code == 0 and not _recovery(done)
    assert "the recovery claim cannot take 4 MiB (File too large): this master starts without it" in done.said
    assert "make the claim larger (master.persistence.size) or writable, then delete this pod" in done.said
    assert not (pod.claim / "probe").exists() and not (pod.claim / "made-by").exists()
    assert not done.status, "the master runs, so its status says nothing"


def should_leave_the_claim_alone_if_nothing_is_to_be_remembered(pod: Pod) -> None:
    done = pod.master(mode="NONE", RECOVERY_DIRECTORY="/nowhere")
    assert done.code == 0 and not done.said and not _recovery(done)


def should_hand_the_key_of_signed_requests_over_in_a_file_of_its_own_alone(pod: Pod) -> None:
    done = pod.master(REST_JWS_KEY="c2VjcmV0")
    assert "conf: spark.org.apache.spark.ui.JWSFilter.param.secretKey c2VjcmV0" in done.printed
    assert "mode: 600" in done.printed
    assert not [line for line in done.printed if line.startswith("env: REST_JWS_KEY")], "not in the environment, nor in arguments"
    assert "c2VjcmV0" not in done.printed[0] + done.said


@pytest.mark.parametrize(("limit", "offered"), [("1792", "1075m"), ("4096", "2688m"), ("988", "512m")])
def should_offer_seven_tenths_of_what_the_workers_own_process_leaves(pod: Pod, limit: str, offered: str) -> None:
    done = pod.run("start-worker.sh", "--port", "7078", "spark://m:7077", MEMORY_LIMIT_MIB=limit)
    assert done.printed[0] == "called: org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --port 7078 spark://m:7077"
    assert f"env: SPARK_WORKER_MEMORY={offered}" in done.printed


def should_offer_the_memory_that_is_asked_for(pod: Pod) -> None:
    done = pod.run("start-worker.sh", "spark://m:7077", SPARK_WORKER_MEMORY="3g")
    assert "env: SPARK_WORKER_MEMORY=3g" in done.printed


def should_refuse_a_limit_that_no_executor_fits_into(pod: Pod) -> None:
    done = pod.run("start-worker.sh", "spark://m:7077", MEMORY_LIMIT_MIB="640")
    assert done.code == 78 and not done.printed
    assert done.status == (
        "a memory limit of 640 MiB leaves 268 MiB for executors, and the smallest needs 512: "
        "raise worker.resources.limits.memory\n"
    )


def _json(executors: int) -> str:
    """Return a worker's page /json/, as Spark lays it out."""
    running = [{"id": n, "appid": "app-1", "appdesc": {"command": "Command(List(a[0]))"}} for n in range(executors)]
    page = {"masterurl": "spark://m:7077", "executors": running, "finishedexecutors": [{"id": 9, "appid": "app-0"}]}
    return json.dumps(page, indent=2, separators=(",", " : "))


@contextmanager
def _worker(*answers: int) -> Iterator[str]:
    """Serve a worker's page with these numbers of executors, one an answer, the last one from then on; yield the port."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = _json(left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200 if self.path == "/json/" else 404)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield str(server.server_port)
    finally:
        server.shutdown()


def _decommission(pod: Pod, tmp_path: Path, port: str, seconds: str) -> list[str]:
    """Run the hook with a `kill` that only notes whom it was to reach, and return all that it says."""
    log = tmp_path / "log"
    kill = f"() {{ echo kill $* >>{log}; }}"
    done = pod.run("decommission-worker.sh", port, seconds, shell="bash", WORKER_LOG=str(log), **{"BASH_FUNC_kill%%": kill})
    assert done.code == 0, done.said
    return [line.removeprefix(f"{socket.gethostname()}: ") for line in log.read_text().splitlines()]


def should_tell_the_worker_and_wait_until_its_executors_are_gone(pod: Pod, tmp_path: Path) -> None:
    with _worker(2, 2, 1, 0) as port:
        said = _decommission(pod, tmp_path, port, "20")
    assert said[:2] == ["kill -s PWR 1", "leaving, with 2 executors"]
    assert said[2].startswith("ends with 0 executors after ")


@pytest.mark.parametrize("seconds", ["0", "1"])
def should_not_wait_for_executors_longer_than_the_pod_has_and_say_how_many_are_left(
    pod: Pod, tmp_path: Path, seconds: str
) -> None:
    with _worker(1) as port:
        said = _decommission(pod, tmp_path, port, seconds)
    assert said[1] == "leaving, with 1 executors" and said[2].startswith("ends with 1 executors after ") and len(said) == 3


def should_end_at_once_if_the_worker_is_gone_already(pod: Pod, tmp_path: Path) -> None:
    said = _decommission(pod, tmp_path, "1", "20")
    assert said[1] == "leaving, with 0 executors" and said[2].startswith("ends with 0 executors after ") and len(said) == 3


@pytest.mark.parametrize(("wanted", "code"), [('"masterurl" : "spark://', 0), ('"status" : "ALIVE"', 1)])
def should_be_ready_if_the_page_says_what_makes_the_process_useful(pod: Pod, wanted: str, code: int) -> None:
    with _worker(0) as port:
        done = pod.run("ready.sh", port, wanted, shell="bash")
    assert done.code == code
    assert done.printed == ([f"the answer of port {port} does not hold {wanted}"] if code else [])


def should_not_be_ready_if_nothing_answers(pod: Pod) -> None:
    done = pod.run("ready.sh", "1", "x", shell="bash")
    assert (done.code, done.printed) == (1, ["the answer of port 1 does not hold x"])
