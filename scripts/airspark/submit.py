"""`make submit`: apply a SparkApplication, follow its states and its driver's log, and end as it ends."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape

from airspark import tools
from airspark.cluster import kubectl
from airspark.console import err, out
from airspark.project import NAMESPACE, ROOT, Failure, kubeconfig

Object = dict[str, Any]
GROUP = "sparkoperator.k8s.io"
APPLICATION, SCHEDULED = "SparkApplication", "ScheduledSparkApplication"
ENDED = ("COMPLETED", "FAILED")
COLOURS = {"COMPLETED": "green", "FAILED": "red", "RUNNING": "cyan"}
CONTAINER = "spark-kubernetes-driver"
EXAMPLE = "make submit F=manifests/examples/python-pi.yaml"
#: Seconds that a driver's log may take to arrive whole after its end.
LOG_SECONDS = 30


def read(name: str) -> tuple[list[Object], Object]:
    """Read a manifest: whatever else is in it, and its one SparkApplication or ScheduledSparkApplication.

    Args:
        name: path of the file.

    Raises:
        Failure: if there is no such file, it is no YAML, or it does not hold exactly one of these.
    """
    if not name:
        raise Failure("F= names no manifest", EXAMPLE)
    try:
        found = [thing for thing in yaml.safe_load_all(Path(name).read_text()) if thing]
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"{name} cannot be read: {getattr(problem, 'strerror', None) or 'it is no text'}", EXAMPLE) from None
    except yaml.YAMLError as problem:
        where = getattr(problem, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise Failure(f"{name} is no YAML: {getattr(problem, 'problem', None) or problem}{line}", "correct it") from None
    wanted = [thing for thing in found if isinstance(thing, dict) and thing.get("kind") in (APPLICATION, SCHEDULED)]
    if len(wanted) != 1 or not all(isinstance(thing, dict) for thing in found):
        kinds = ", ".join(str(thing.get("kind")) if isinstance(thing, dict) else "a text" for thing in found) or "nothing"
        raise Failure(f"{name} must hold one {APPLICATION} or {SCHEDULED}, and holds {kinds}", EXAMPLE)
    metadata = wanted[0].get("metadata") or {}
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise Failure(f"{name}: metadata.name is missing", "give the application a name")
    return [thing for thing in found if thing is not wanted[0]], wanted[0]


def refusal(said: str) -> Failure:
    """Return what kubectl's error says, in one sentence.

    Args:
        said: its standard error.
    """
    if "no matches for kind" in said or "the server could not find the requested resource" in said:
        return Failure("this cluster does not know SparkApplications", "make up, or kubectl apply -f charts/spark-operator/crds")
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    sentences = [line.removeprefix("* ") for line in lines if not line.endswith(":")] or lines
    text = "; ".join(dict.fromkeys(sentences)).removeprefix("error: ").removeprefix("Error from server ")
    return Failure(text or "the API server refuses it without a word", "correct the manifest and submit it again")


def send(manifest: Object, namespace: str, verb: str) -> Object:
    """Apply or create an object.

    Returns:
        The object as it is in the cluster.

    Raises:
        Failure: with the API server's sentence if it refuses.
    """
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", namespace, verb]
    command += ["--validate=strict", "--output", "json", "--filename", "-"]
    done = subprocess.run(command, input=json.dumps(manifest), text=True, capture_output=True, check=False)
    if done.returncode:
        raise refusal(done.stderr)
    made: Object = json.loads(done.stdout)
    return made


def get(kind: str, namespace: str, name: str) -> Object:
    """Return an object, empty if there is none."""
    text = kubectl("--namespace", namespace, "get", f"{kind.lower()}s.{GROUP}", name, "--ignore-not-found", "--output", "json")
    found: Object = json.loads(text) if text.strip() else {}
    return found


def state_of(app: Object) -> str:
    """Return an application's published state, empty if there is none yet."""
    return str(((app.get("status") or {}).get("applicationState") or {}).get("state") or "")


def submit(name: str) -> None:
    """Apply a manifest; follow the application to its end.

    An ended application of the name is deleted first, one that runs is followed as it is.

    Raises:
        Failure: if the manifest is refused, or the application fails.
    """
    others, manifest = read(name)
    namespace = manifest["metadata"].get("namespace") or NAMESPACE
    for thing in others:
        send(thing, thing.get("metadata", {}).get("namespace") or namespace, "apply")
    if manifest["kind"] == SCHEDULED:
        schedule = send(manifest, namespace, "apply")["metadata"]["name"]
        out.print(f"{schedule} is scheduled. Its runs: {_kubectl(namespace, 'get sparkapp')}")
        return
    made = _begin(manifest, namespace)
    try:
        _follow(made["metadata"]["name"], namespace)
    except KeyboardInterrupt:
        err.print(f"\n{made['metadata']['name']} goes on. To end it: "
                  f"{_kubectl(namespace, 'delete sparkapp ' + made['metadata']['name'])}")  # fmt: skip
        raise


def _begin(manifest: Object, namespace: str) -> Object:
    """Create the application, or find the one that runs."""
    given = manifest["metadata"].get("name")
    there = get(APPLICATION, namespace, given) if given else {}
    if there and state_of(there) not in ENDED:
        err.print(f"{given} runs already; this is it:")
        return there
    if there:
        kubectl("--namespace", namespace, "delete", f"sparkapplications.{GROUP}", given, "--timeout=120s", timeout=130)
    return send(manifest, namespace, "create")


def _follow(name: str, namespace: str) -> None:
    """Print states as they change, and the driver's log, until the end.

    Raises:
        Failure: if the application fails or is deleted.
    """
    began, told, logs, of = time.monotonic(), "", None, ""
    while True:
        app = get(APPLICATION, namespace, name)
        if not app:
            raise Failure(f"{name} was deleted", EXAMPLE)
        status, state = app.get("status") or {}, state_of(app)
        news = f"{state or 'NEW'} {status.get('reason', '')}".strip()
        if news != told:
            colour, sentence = COLOURS.get(state, "default"), status.get("applicationState", {}).get("errorMessage", "")
            note = f": {sentence}" if sentence and state not in ENDED else ""
            err.print(f"[{colour}]{time.monotonic() - began:6.1f} s  {escape(news + note)}[/]")
            told = news
        submission = str(status.get("submissionID") or "")
        if state in ("RUNNING", *ENDED) and submission and submission != of:
            logs, of = _driver_log(status, namespace), submission
        if state in ENDED:
            break
        time.sleep(0.5)
    if logs:
        try:
            logs.wait(LOG_SECONDS)
        except subprocess.TimeoutExpired:
            logs.terminate()
    attempts = status.get("executionAttempts", 0)
    if state == "FAILED":
        sentence = status.get("applicationState", {}).get("errorMessage") or "no reason is given"
        raise Failure(f"{name} has failed: {sentence}", _kubectl(namespace, f"describe sparkapp {name}"))
    out.print(f"{name} has completed in {time.monotonic() - began:.0f} s, attempts: {attempts}. "
              f"To remove it: {_kubectl(namespace, 'delete sparkapp ' + name)}")  # fmt: skip


def _driver_log(status: Object, namespace: str) -> subprocess.Popen[bytes] | None:
    """Follow the log of the present driver, onto standard output."""
    pod = (status.get("driverInfo") or {}).get("podName")
    if not pod:
        return None
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", namespace]
    return subprocess.Popen([*command, "logs", "--follow", pod, "--container", CONTAINER])


def _kubectl(namespace: str, words: str) -> str:
    """Return a command that works in this folder as it stands."""
    program, config = (Path(path).resolve() for path in (tools.ensure("kubectl"), kubeconfig()))
    short = [str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path) for path in (program, config)]
    return f"{short[0]} --kubeconfig {short[1]} -n {namespace} {words}"
