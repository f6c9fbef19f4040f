"""The controller is killed, doubled, cut off and kept away: nothing is lost, nothing is doubled.

The controller is a process of these tests, in a namespace of its own, so that it can be killed at any moment; the code, the
API server, the drivers and what they write are real. `SEED` in the environment repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml
from applications import OWN, Application, Controller, application, kubectl, own_namespace, remove, send, spec
from spark import wait

from airspark import tools
from airspark.project import BUILD, kubeconfig

CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "live-output", "namespace": OWN},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
}
VOLUME = {"name": "live-output", "persistentVolumeClaim": {"claimName": "live-output"}}
MOUNT = {"name": "live-output", "mountPath": "/output"}
#: Writes one line an execution, and ends as it is told to: `fail` the first time, then well.
PROGRAM = """
import os, pathlib, sys, time

file = pathlib.Path("/output") / "{name}"
with file.open("a") as lines:
    print(os.environ["SPARK_APPLICATION_ID"], file=lines)
time.sleep({seconds})
sys.exit(3 if "{end}" == "fail" and len(file.read_text().splitlines()) == 1 else 0)
"""
RETRY = {"type": "OnFailure", "onFailureRetries": 3, "onFailureRetryInterval": 1}
KILLS = 20
FEW_KILLS = 4


@pytest.fixture(scope="module")
def ground(up: None) -> Iterator[random.Random]:
    """The namespace, its claim and an empty folder; nothing of a run before; a seed that is printed."""
    own_namespace()
    for name in kubectl(OWN, "get", "sparkapplications", "--output", "name").split():
        remove(name.rsplit("/", 1)[1], OWN)
    kubectl(OWN, "delete", "scheduledsparkapplications,pods,configmaps,resourcequotas", "--all", "--ignore-not-found")
    send(CLAIM)
    read("rm -f /output/*")
    seed = int(os.environ.get("SEED", time.time_ns() % 100_000))
    print(f"SEED={seed}")
    yield random.Random(seed)
    kubectl(OWN, "delete", "namespace", OWN, "--wait=false")


def read(command: str) -> str:
    """Run a shell command in a pod that mounts the output."""
    image = spec()["image"]
    name = f"live-reader-{time.time_ns()}"
    context = {
        "runAsNonRoot": True,
        "runAsUser": 185,
        "runAsGroup": 0,
        "fsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "read", "image": image, "args": ["sh", "-c", command], "volumeMounts": [MOUNT],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": OWN},
        "spec": {"restartPolicy": "Never", "securityContext": context, "containers": [container], "volumes": [VOLUME]},
    }  # fmt: skip
    assert "created" in send(pod, "create")
    kubectl(OWN, "wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    text = kubectl(OWN, "logs", name)
    kubectl(OWN, "delete", "pod", name, "--wait=false")
    return text


def output(name: str) -> list[str]:
    """The lines that executions of an application have written: one each."""
    return read(f"cat /output/{name} 2>/dev/null || true").split()


class Drivers:
    """Every driver pod there ever was in the namespace, by its application: read from a watch of one's own."""

    def __enter__(self) -> Drivers:
        command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", OWN, "get", "pods", "--watch",
                   "--selector", "spark-role=driver", "--output", "jsonpath={.metadata.name} {.metadata.uid}{'\\n'}"]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.found: dict[str, set[str]] = {}
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            name, uid = line.split()
            self.found.setdefault(name.removesuffix("-driver"), set()).add(uid)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def own(name: str, end: str = "well", seconds: float = 0, **changes: Any) -> Any:
    """An application that writes a line, on the tests' own controller."""
    program = PROGRAM.format(name=name, end=end, seconds=seconds)
    driver = {"volumeMounts": [MOUNT], **changes.pop("driver", {})}
    return application(name, program, OWN, volumes=[VOLUME], driver=driver, **changes)


def killed(dice: random.Random, kills: int) -> None:
    """Make applications while the controller is killed again and again, and count what comes of them."""
    controller = Controller(OWN)
    with Drivers() as drivers, ExitStack() as stack:
        applications: dict[str, tuple[Application, int]] = {}
        for number in range(kills):
            controller.start(ready=False)
            end = "fail" if number % 3 == 0 else "well"
            name = f"kill-{number}-{end}"
            time.sleep(dice.uniform(0, 1.5))
            applications[name] = (stack.enter_context(own(name, end, restartPolicy=RETRY)), 2 if end == "fail" else 1)
            time.sleep(dice.uniform(0, 2.5))
            controller.kill()
        with controller:
            for app, _ in applications.values():
                app.reach("COMPLETED", seconds=600)
        for name, (app, wanted) in applications.items():
            assert app.status()["executionAttempts"] == wanted, (name, app.status())
            assert len(drivers.found[name]) == wanted, f"{name} had {len(drivers.found[name])} drivers and not {wanted}"
        lines = dict(line.split(" ", 1)[::-1] for line in read("cd /output && wc -l kill-* | sed 's/^ *//'").splitlines())
        assert {name: int(lines[name]) for name in applications} == {name: wanted for name, (_, wanted) in applications.items()}


@pytest.mark.long
def test_should_start_each_driver_once_if_the_controller_is_killed_some_times(ground: random.Random) -> None:
    killed(ground, FEW_KILLS)


@pytest.mark.long
def test_should_start_each_driver_once_if_the_controller_is_killed_twenty_times(ground: random.Random) -> None:
    read("rm -f /output/*")
    killed(ground, KILLS)


@pytest.mark.long
def test_should_leave_nothing_if_deleted_at_any_moment_of_a_submission_that_the_controller_does_not_survive(
    ground: random.Random,
) -> None:
    controller = Controller(OWN)
    with ExitStack() as stack:
        applications = []
        for number in range(KILLS):
            controller.start(ready=True)
            app = stack.enter_context(own(f"vanish-{number}"))
            applications.append(app)
            time.sleep(ground.uniform(0, 0.4))
            kubectl(OWN, "delete", "sparkapplication", app.name, "--wait=false")
            time.sleep(ground.uniform(0, 0.1))
            controller.kill()
        with controller:
            for app in applications:
                wait(f"nothing of {app.name} is left", lambda app=app: not app.left(), 120)  # type: ignore[misc]


def test_should_record_the_true_end_if_drivers_end_while_no_controller_looks(ground: random.Random) -> None:
    controller = Controller(OWN)
    controller.start()
    with own("short-well", seconds=3) as well, own("short-fails", "fail", seconds=3) as fails:
        wait("both drivers", lambda: well.pods("driver") and fails.pods("driver"), 120)
        controller.kill()
        for app, phase in ((well, "Succeeded"), (fails, "Failed")):
            kubectl(OWN, "wait", f"pod/{app.driver}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=120s", timeout=150)
        with controller:
            well.reach("COMPLETED", seconds=20)
            status = fails.reach("FAILED", seconds=20)
            assert "exit code 3" in status["applicationState"]["errorMessage"]
            assert well.status()["executionAttempts"] == status["executionAttempts"] == 1


@pytest.mark.long
def test_should_see_a_failure_if_a_driver_is_deleted_while_no_controller_looks(ground: random.Random) -> None:
    controller = Controller(OWN)
    controller.start()
    with own("gone-meanwhile", seconds=600) as app:
        wait("the driver", lambda: app.pods("driver"), 120)
        controller.kill()
        kubectl(OWN, "delete", "pod", app.driver, "--grace-period=0", "--force")
        with controller:
            assert app.reach("FAILED", seconds=30)["reason"] == "DriverDeleted"


@pytest.mark.long
def test_should_take_over_within_the_lease_if_the_leader_is_killed(ground: random.Random) -> None:
    election = {
        "enabled": True,
        "leaseName": "live-election",
        "leaseDurationSeconds": 5,
        "renewDeadlineSeconds": 3,
        "retryPeriodSeconds": 1,
    }
    environment = os.environ.copy()
    first, second = Controller(OWN, leaderElection=election), Controller(OWN, leaderElection=election)
    try:
        os.environ["POD_NAME"] = "first"
        first.start()
        os.environ["POD_NAME"] = "second"
        second.start()
        leading = "spark_operator_leader 1.0"
        assert leading in first.metrics() and leading not in second.metrics()
        with Drivers() as drivers, own("election-one") as one:
            wait("the driver", lambda: one.pods("driver"), 120)
            first.kill()
            with own("election-two") as two:
                wait("the other leads", lambda: leading in second.metrics(), 15)
                one.reach("COMPLETED")
                two.reach("COMPLETED")
                assert len(drivers.found["election-one"]) == len(drivers.found["election-two"]) == 1
        os.environ["POD_NAME"] = "first"
        first.start()
        second.kill(signal.SIGTERM)
        wait("the lease that was given up is taken at once", lambda: leading in first.metrics(), 5)
    finally:
        os.environ.clear()
        os.environ.update(environment)
        first.kill(signal.SIGTERM)
        second.kill(signal.SIGTERM)


class Cable:
    """A connection to the API server that can be pulled: a TCP relay on loopback, and a kubeconfig that uses it."""

    def __init__(self) -> None:
        self.config = yaml.safe_load(kubeconfig().read_text())
        address = self.config["clusters"][0]["cluster"]["server"].removeprefix("https://")
        host, port = address.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.plugged = True
        self.open: list[socket.socket] = []
        self.config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.file = BUILD / "logs" / "kubeconfig-cable"
        self.file.touch(mode=0o600)
        self.file.write_text(yaml.safe_dump(self.config))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            if not self.plugged:
                here.close()
                continue
            there = socket.create_connection(self.target)
            self.open += [here, there]
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()

    def pull(self) -> None:
        """Break every connection, and refuse new ones."""
        self.plugged = False
        for end in self.open:
            end.close()
        self.open.clear()

    def plug(self) -> None:
        """Let new connections through."""
        self.plugged = True

    def close(self) -> None:
        """Stop for good."""
        self.pull()
        self.listener.close()
        self.file.unlink()


@pytest.mark.long
def test_should_only_lose_time_if_the_api_server_is_away_for_a_minute(
    ground: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable = Cable()
    controller = Controller(OWN)
    real = kubeconfig()
    monkeypatch.setattr("applications.kubeconfig", lambda: cable.file)
    controller.start()
    monkeypatch.setattr("applications.kubeconfig", lambda: real)
    try:
        with Drivers() as drivers, own("away-before", seconds=20) as before:
            wait("the driver", lambda: before.pods("driver"), 120)
            cable.pull()
            pulled = time.monotonic()
            with own("away-meanwhile") as meanwhile:
                wait("a minute without the API server", lambda: time.monotonic() - pulled > 60, 70)
                assert not meanwhile.pods("driver") and not controller.ready()
                cable.plug()
                before.reach("COMPLETED", seconds=90)
                meanwhile.reach("COMPLETED", seconds=120)
                assert len(drivers.found["away-before"]) == len(drivers.found["away-meanwhile"]) == 1
        assert controller.process and controller.process.poll() is None, "the controller did not survive"
    finally:
        controller.kill(signal.SIGTERM)
        cable.close()


def quota(pods: int) -> dict[str, Any]:
    """A quota for pods."""
    metadata = {"name": "live-quota", "namespace": OWN}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": str(pods)}}}


def test_should_name_the_quota_and_submit_again_if_one_is_exceeded(ground: random.Random) -> None:
    send(quota(0))
    wait(
        "the quota is counted",
        lambda: kubectl(OWN, "get", "resourcequota", "live-quota", "--output", "jsonpath={.status.hard.pods}"),
        30,
    )
    policy = {"type": "Never", "onSubmissionFailureRetries": 30, "onSubmissionFailureRetryInterval": 1}
    try:
        with Controller(OWN), own("quota-once") as once, own("quota-again", restartPolicy=policy) as again:
            status = once.reach("FAILED", seconds=20)
            assert (
                status["reason"] == "QuotaExceeded" and "exceeded quota: live-quota" in status["applicationState"]["errorMessage"]
            )
            wait("a failed attempt", lambda: again.status().get("submissionAttempts"), 20)
            assert again.state() == "SUBMITTED" and not again.pods()
            kubectl(OWN, "delete", "resourcequota", "live-quota")
            again.reach("COMPLETED")
            assert again.status()["executionAttempts"] == 1
    finally:
        kubectl(OWN, "delete", "resourcequota", "live-quota", "--ignore-not-found")


@pytest.mark.long
def test_should_make_up_for_the_latest_time_alone_if_no_controller_looked(ground: random.Random) -> None:
    template = spec(
        mainApplicationFile="local:///opt/airflow/spark-apps/generate_sales.py", arguments=["--help"], nodeSelector={"no": "node"}
    )
    body = {"schedule": "@every 10s", "concurrencyPolicy": "Allow", "template": template}
    manifest = {
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "ScheduledSparkApplication",
        "metadata": {"name": "missed", "namespace": OWN}, "spec": body,
    }  # fmt: skip

    def runs() -> list[str]:
        return sorted(name for name in kubectl(OWN, "get", "sparkapplications", "--output", "name").split() if "/missed-" in name)

    controller = Controller(OWN)
    controller.start()
    assert "created" in send(manifest, "create")
    try:
        wait("a run", runs, 30)
        controller.kill()
        before, killed_at = runs(), time.monotonic()
        wait("three times have passed", lambda: time.monotonic() - killed_at > 32, 40)
        controller.start()
        wait("one run more", lambda: len(runs()) > len(before), 20)
        assert len(runs()) == len(before) + 1
        missed = json.loads(kubectl(OWN, "get", "scheduledsparkapplication", "missed", "--output", "json"))["status"][
            "missedRuns"
        ]
        assert missed >= 2
    finally:
        controller.kill(signal.SIGTERM)
        kubectl(OWN, "delete", "scheduledsparkapplication", "missed")
