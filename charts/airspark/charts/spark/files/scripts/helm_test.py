"""Check a Spark cluster as `helm test` does: workers, an application, its pages and event log, and what it writes.

Usage: helm_test.py          # the checks, as Spark's user
       helm_test.py reader   # beside them, as Airflow's user: reads and removes what the application wrote

What to check stands in the environment, where the chart puts it. Every step prints a line; the first that fails says
in one sentence what is wrong and which command looks further, and ends the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOB = Path(__file__).with_name("helm_test_job.py")
#: Where the two containers of the test speak with each other.
EXCHANGE = Path("/exchange")
TAIL = 25


class CheckError(Exception):
    """What is wrong, and the command that looks further."""

    def __init__(self, sentence: str, command: str) -> None:
        super().__init__(sentence)
        self.command = command


class Skipped(Exception):
    """Why a step does not apply to this installation."""


class Cluster:
    """What the chart says of the cluster under test, and what the steps find out.

    Args:
        environment: variables of the test's container.
        exchange: the folder shared with the reader.
    """

    def __init__(self, environment: dict[str, str], exchange: Path = EXCHANGE) -> None:
        self.env = environment
        self.exchange = exchange
        self.deadline = time.monotonic() + float(environment["CHECK_SECONDS"])
        #: What the application said of itself.
        self.said: dict[str, Any] = {}
        self.output = Path(environment.get("CHECK_OUTPUT", "")) / f".helm-test-{time.time_ns()}"

    def kubectl(self, command: str) -> str:
        """Return a kubectl command for the release's namespace."""
        return f"kubectl -n {self.env['CHECK_NAMESPACE']} {command}"

    def logs(self, component: str) -> str:
        """Return the command that shows a component's log."""
        return self.kubectl(f"logs -l release={self.env['CHECK_RELEASE']},component={component} --tail=50")

    def left(self) -> float:
        """Return the seconds until the test must have ended, at least one."""
        return max(1.0, self.deadline - time.monotonic())

    def wait(self, wanted: Callable[[], str], command: str) -> None:
        """Wait until nothing is missing.

        Args:
            wanted: returns what is still missing, as a sentence, or an empty text.
            command: looks further if it stays missing.

        Raises:
            CheckError: if the test's time is over.
        """
        while sentence := wanted():
            if time.monotonic() > self.deadline:
                raise CheckError(f"{sentence}, {self.env['CHECK_SECONDS']} s after the test began", command)
            time.sleep(0.5)


def ask(url: str) -> Any:
    """Return the decoded JSON that an address answers with; raises OSError or ValueError if there is none."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def check_workers(found: Cluster) -> str:
    """Wait until the master leads and as many workers as the chart installs have registered."""
    wanted_workers = int(found.env["CHECK_WORKERS"])
    alive: list[dict[str, Any]] = []

    def wanted() -> str:
        try:
            state = ask(f"{found.env['CHECK_MASTER_UI']}/json/")
        except (OSError, ValueError) as error:
            return f"the master does not answer at {found.env['CHECK_MASTER_UI']} ({error})"
        alive[:] = [worker for worker in state["workers"] if worker["state"] == "ALIVE"]
        if state["status"] != "ALIVE":
            return f"the master is {state['status']}"
        return "" if len(alive) >= wanted_workers else f"{len(alive)} of {wanted_workers} workers have registered"

    found.wait(wanted, found.kubectl(f"get pods -l release={found.env['CHECK_RELEASE']},tier=spark"))
    cores, memory = sum(worker["cores"] for worker in alive), sum(worker["memory"] for worker in alive)
    return f"the master is ALIVE, {len(alive)} registered with {cores} cores and {memory} MiB"


def submission(found: Cluster) -> list[str]:
    """Return the command that runs the application, whose secret stands in the environment alone."""
    env = found.env
    conf = {
        "spark.driver.host": env["POD_IP"],
        "spark.driver.bindAddress": "0.0.0.0",
        "spark.driver.port": "7078",
        "spark.driver.blockManager.port": "7079",
        "spark.ui.port": "4040",
        # Little work, so little compilation.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.hadoop.fs.permissions.umask-mode": "002",
    }
    if "_SPARK_AUTH_SECRET" in env:
        # A driver wants the property to be there, and then takes the variable; Spark does not expand this text.
        conf["spark.authenticate.secret"] = "${env:_SPARK_AUTH_SECRET}"
    if "CHECK_EVENTS" in env:
        conf |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file:{env['CHECK_EVENTS']}"}
    options = ["--master", env["CHECK_MASTER"], "--total-executor-cores", "1", "--executor-cores", "1"]
    options += ["--driver-memory", "512m", "--executor-memory", "512m"]
    options += [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
    output = str(found.output) if "CHECK_OUTPUT" in env else ""
    proxy = env["CHECK_MASTER_UI"] if env["CHECK_PROXY"] == "yes" else ""
    return ["spark-submit", *options, str(JOB), str(found.exchange / "said.json"), output, proxy]


def reason(log: str) -> str:
    """Return the line of a failed submission's log that says most: the image's own check, an error of Spark, the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    own = [line.removeprefix("spark-submit: ") for line in lines if line.startswith("spark-submit: ")]
    errors = [line.partition(" ERROR ")[2] for line in lines if " ERROR " in line]
    return (own[-1:] or errors[:1] or lines[-1:] or ["it printed nothing"])[0]


def busy(found: Cluster) -> str:
    """Return why an application may still wait, out of the master's own account."""
    try:
        state = ask(f"{found.env['CHECK_MASTER_UI']}/json/")
    except (OSError, ValueError) as error:
        return f"and the master no longer answers ({error})"
    return f"{state['coresused']} of {state['cores']} cores of the cluster are in use by {len(state['activeapps'])} applications"


def check_application(found: Cluster) -> str:
    """Run the application to its end, in this pod's driver and one executor."""
    log = ""
    try:
        done = subprocess.run(
            submission(found), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=found.left()
        )
        log = done.stdout
        if done.returncode == 0:
            found.said = json.loads((found.exchange / "said.json").read_text())
    except subprocess.TimeoutExpired as error:
        said = f"the application has not ended {found.env['CHECK_SECONDS']} s after the test began: {busy(found)}"
        raise CheckError(said, found.logs("spark-worker")) from error
    if not found.said:
        told = [line for line in log.splitlines() if not line.startswith("\tat ")]
        print("\n".join(f"  | {line}" for line in told[-TAIL:]), flush=True)
        raise CheckError(f"the application ended with {done.returncode}: {reason(log)}", found.logs("spark-worker"))
    return f"{found.said['id']} added up {found.said['rows']} numbers on {found.said['host']} in {found.said['seconds']} s"


def check_pages(found: Cluster) -> str:
    """See that the running application was found behind the master's address."""
    if found.env["CHECK_PROXY"] != "yes":
        raise Skipped("ui.reverseProxy.enabled is false")
    if found.said["page"]:
        said = f"the master does not pass requests on to the application's page: {found.said['page']}"
        raise CheckError(said, found.kubectl("get networkpolicies"))
    return f"{found.env['CHECK_MASTER_UI']} showed the application while it ran"


def check_event_log(found: Cluster) -> str:
    """See that the application's log is on the claim and finished."""
    if "CHECK_EVENTS" not in found.env:
        raise Skipped("there is no claim for event logs (mounts.events)")
    folder = Path(found.env["CHECK_EVENTS"])
    logs = [path for path in folder.iterdir() if found.said["id"] in path.name]
    status = [path.name for log in logs if log.is_dir() for path in log.glob("appstatus_*")]
    if not logs or any(name.endswith(".inprogress") for name in [*status, *(log.name for log in logs)]):
        state = "is not finished" if logs else "is not there"
        command = found.kubectl(f"describe pod -l release={found.env['CHECK_RELEASE']},component=spark-helm-test")
        raise CheckError(f"the log of {found.said['id']} {state} in {folder}", command)
    return f"{logs[0].name} is in {folder}"


def check_history(found: Cluster) -> str:
    """Wait until the history server has read the log."""
    if "CHECK_HISTORY" not in found.env:
        raise Skipped("historyServer.enabled is false")
    if "CHECK_EVENTS" not in found.env:
        raise Skipped("there is no claim for event logs (mounts.events)")
    url = f"{found.env['CHECK_HISTORY']}/api/v1/applications/{found.said['id']}"

    def wanted() -> str:
        try:
            attempts = ask(url)["attempts"]
        except urllib.error.HTTPError as error:
            return f"the history server answers {error.code} to {url}"
        except (OSError, ValueError) as error:
            return f"the history server does not answer at {url} ({error})"
        return "" if all(attempt["completed"] for attempt in attempts) else "the history server calls the application unfinished"

    found.wait(wanted, found.logs("spark-history"))
    return "it lists the application as finished"


def check_output(found: Cluster) -> str:
    """Have Airflow's user read and remove what an executor wrote as Spark's user."""
    if "CHECK_OUTPUT" not in found.env:
        raise Skipped("there is no claim for results (mounts.output)")
    answer = found.exchange / "answer.json"
    tell(found.exchange / "question.json", {"folder": str(found.output)})
    describe = found.kubectl(f"describe pod -l release={found.env['CHECK_RELEASE']},component=spark-helm-test")
    found.wait(lambda: "" if answer.exists() else "the container `reader` says nothing", describe)
    said = json.loads(answer.read_text())
    owners = {str(path): path.stat() for path in [found.output, *found.output.rglob("*")]} if found.output.exists() else {}
    shutil.rmtree(found.output, ignore_errors=True)
    if said["problem"]:
        modes = ", ".join(f"{path} {state.st_uid}:{state.st_gid} {state.st_mode & 0o7777:o}" for path, state in owners.items())
        raise CheckError(f"uid {said['uid']} cannot use what Spark wrote: {said['problem']} ({modes})", describe)
    if said["lines"] != found.said["rows_written"]:
        wrong = f"uid {said['uid']} read {said['lines']} lines of {found.said['rows_written']} that an executor wrote"
        raise CheckError(wrong, describe)
    return f"what an executor wrote as uid {said['writer']}, uid {said['uid']} read and removed"


def tell(path: Path, content: dict[str, Any]) -> None:
    """Write a file that the other container finds whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.rename(path)


def read(exchange: Path = EXCHANGE) -> None:
    """Wait for the name of a folder, read its files, remove it, and say how that went; once, as a sidecar is started again."""
    question, answer = exchange / "question.json", exchange / "answer.json"
    if answer.exists():
        return
    while not question.exists():
        time.sleep(0.2)
    folder = Path(json.loads(question.read_text())["folder"])
    said: dict[str, Any] = {"uid": os.getuid(), "problem": "", "lines": 0, "writer": -1}
    try:
        files = sorted(folder.glob("part-*"))
        said["lines"] = sum(len(path.read_text().splitlines()) for path in files)
        said["writer"] = files[0].stat().st_uid if files else -1
        shutil.rmtree(folder)
    except OSError as error:
        said["problem"] = str(error)
    tell(answer, said)


STEPS: dict[str, Callable[[Cluster], str]] = {
    "workers": check_workers,
    "application": check_application,
    "pages": check_pages,
    "event log": check_event_log,
    "history server": check_history,
    "output": check_output,
}


def main(found: Cluster) -> int:
    """Run the steps in order and return the exit code."""
    for name, check in STEPS.items():
        started = time.monotonic()
        try:
            print(f"✓ {name}: {check(found)} ({time.monotonic() - started:.1f} s)", flush=True)
        except Skipped as reason:
            print(f"- {name}: skipped: {reason}", flush=True)
        except CheckError as error:
            print(f"✗ {name}: {error}\n  next: {error.command}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["reader"]:
        read()
    else:
        sys.exit(main(Cluster(dict(os.environ))))
