"""`make submit`: apply a SparkApplication, follow its states and its driver's log, and end as it ends.

An ended application of the same name goes only when everything that can refuse the new one has accepted it, and what it leaves,
its object and its driver's log, is kept in a file.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape

from airspark import logs, retry, tools
from airspark.cluster import kubectl_command
from airspark.console import err, out, say
from airspark.project import BUILD, NAMESPACE, ROOT, Failure, kubeconfig
from airspark.retry import kubectl

Object = dict[str, Any]
GROUP = "sparkoperator.k8s.io"
VERSION = f"{GROUP}/v1beta2"
APPLICATION, SCHEDULED = "SparkApplication", "ScheduledSparkApplication"
ENDED = ("COMPLETED", "FAILED")
COLOURS = {"COMPLETED": "green", "FAILED": "red", "RUNNING": "cyan"}
CONTAINER = "spark-kubernetes-driver"
EXAMPLE = "make submit F=manifests/examples/python-pi.yaml"
#: Seconds that a driver's log may take to arrive whole after its end.
LOG_SECONDS = 30
#: Seconds after which an application that no controller has looked at is worth a line.
UNSEEN_SECONDS = 10
#: Where ended applications are kept that a new one takes the name of.
KEPT = BUILD / "applications"
#: How many runs of an application are kept.
MOST_KEPT = 10
#: The labels of a controller's Deployment: that of the platform, and kubeflow's.
CONTROLLERS = ("component=spark-operator", "app.kubernetes.io/name=spark-operator")
SETTINGS = "/etc/spark-operator/settings.json"
#: What the platform's controller says of an application before it submits it, by its own code.
LOOK = """
import json, sys
from pathlib import Path
from airspark_operator import build, settings, spec, submission, validate
app, found = json.load(sys.stdin), settings.from_file(Path(sys.argv[1]))
problem = validate.problem(app)
try:
    problem or build.objects(app, submission.submission(app, 0, 1), found.defaults)
except spec.Invalid as invalid:
    problem = str(invalid)
print(json.dumps({"problem": problem, "namespaces": found.namespaces}))
"""


def read(name: str) -> tuple[list[Object], Object]:
    """Read a manifest: whatever else is in it, and its one SparkApplication or ScheduledSparkApplication.

    Args:
        name: path of the file.

    Raises:
        Failure: if the file does not exist, is not valid YAML, or does not hold exactly one of these.
    """
    if not name:
        raise Failure("F= names no manifest", EXAMPLE)
    try:
        found = [thing for thing in yaml.safe_load_all(Path(name).read_text()) if thing]
    except (OSError, UnicodeDecodeError) as problem:
        raise Failure(f"{name} cannot be read: {getattr(problem, 'strerror', None) or 'it is not text'}", EXAMPLE) from None
    except yaml.YAMLError as problem:
        where = getattr(problem, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise Failure(f"{name} is not valid YAML: {getattr(problem, 'problem', None) or problem}{line}", "correct it") from None
    wanted = [thing for thing in found if isinstance(thing, dict) and thing.get("kind") in (APPLICATION, SCHEDULED)]
    if len(wanted) != 1 or not all(isinstance(thing, dict) for thing in found):
        kinds = ", ".join(str(thing.get("kind")) if isinstance(thing, dict) else "a text" for thing in found) or "nothing"
        raise Failure(f"{name} must hold one {APPLICATION} or {SCHEDULED}, and holds {kinds}", EXAMPLE)
    version = wanted[0].get("apiVersion")
    if version != VERSION:
        raise Failure(f"{name}: apiVersion is {version or 'missing'}, and must be {VERSION}", "correct it")
    metadata = wanted[0].get("metadata") or {}
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise Failure(f"{name}: metadata.name is missing", "give the application a name")
    return [thing for thing in found if thing is not wanted[0]], wanted[0]


def refusal(said: str) -> Failure:
    """Return what kubectl's error says, in one sentence.

    Args:
        said: its standard error.
    """
    if re.search("no matches for kind|the server could not find the requested resource|doesn't have a resource type", said):
        return Failure("this cluster does not know SparkApplications", "make up, or kubectl apply -f charts/spark-operator/crds")
    if missing := re.search(r'namespaces "([^"]+)" not found', said):
        return Failure(
            f"there is no namespace {missing[1]}", f"correct metadata.namespace, or: kubectl create namespace {missing[1]}"
        )
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    sentences = [line.removeprefix("* ") for line in lines if not line.endswith(":")] or lines
    text = "; ".join(dict.fromkeys(sentences)).removeprefix("error: ").removeprefix("Error from server ")
    return Failure(text or "the API server refuses it without a word", "correct the manifest and submit it again")


def send(manifest: Object, namespace: str, *words: str) -> Object:
    """Apply, create or replace an object, through an outage of the API server.

    Args:
        manifest: the object; one that is created has a name, so that it is created once.
        namespace: where it goes if it does not say so.
        words: the verb and its flags.

    Returns:
        The object as it is in the cluster.

    Raises:
        Taken: if an object of that name is there already.
        Failure: with the API server's sentence if it refuses.
    """
    command = kubectl_command("--namespace", namespace, *words, "--validate=strict", "--output", "json", "--filename", "-")
    done = retry.send(command, json.dumps(manifest))
    if done.returncode:
        raise Taken(done.stderr) if "(AlreadyExists)" in done.stderr else refusal(done.stderr)
    made: Object = json.loads(done.stdout)
    return made


class Taken(Exception):
    """An object of that name is there already; everything else about the new one is right."""


def get(kind: str, namespace: str, name: str) -> Object:
    """Return an object, empty if there is none.

    Raises:
        Failure: if the cluster does not know such objects.
    """
    try:
        plural = f"{kind.lower()}s.{GROUP}"
        text = kubectl("--namespace", namespace, "get", plural, name, "--ignore-not-found", "--output", "json")
    except subprocess.CalledProcessError as problem:
        raise refusal(problem.stderr) from problem
    found: Object = json.loads(text) if text.strip() else {}
    return found


def state_of(app: Object) -> str:
    """Return an application's published state, empty if there is none yet."""
    return str(((app.get("status") or {}).get("applicationState") or {}).get("state") or "")


def submit(name: str) -> None:
    """Apply a manifest; follow the application to its end.

    One of its name that runs is followed as it is. An ended one stays as long as anything refuses the new one.

    Raises:
        Failure: if the manifest is refused, or the application fails.
    """
    others, manifest = read(name)
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace") or NAMESPACE
    if manifest["kind"] == SCHEDULED:
        _check(others, manifest, namespace, "apply")
        _apply(others, namespace)
        schedule = send(manifest, namespace, "apply")["metadata"]["name"]
        out.print(f"{schedule} is scheduled. Its runs: {_kubectl(namespace, 'get sparkapp')}")
        return
    if not metadata.get("name"):
        metadata["name"] = f"{metadata.pop('generateName')}{secrets.token_hex(3)}"
    made = _begin(others, manifest, namespace)
    try:
        _follow(made["metadata"]["name"], namespace)
    except KeyboardInterrupt:
        err.print(f"\n{made['metadata']['name']} goes on. To end it: "
                  f"{_kubectl(namespace, 'delete sparkapp ' + made['metadata']['name'])}")  # fmt: skip
        raise


def _apply(others: list[Object], namespace: str, *flags: str) -> None:
    for thing in others:
        send(thing, (thing.get("metadata") or {}).get("namespace") or namespace, "apply", *flags)


def _check(others: list[Object], manifest: Object, namespace: str, verb: str) -> Object:
    """Have the API server look at everything of a file without changing anything.

    Returns:
        The application with the API server's defaults.

    Raises:
        Failure: with the API server's sentence if it refuses something.
    """
    if any(thing.get("kind") == "Namespace" and thing["metadata"]["name"] == namespace for thing in others):
        return manifest  # into a namespace that is not there yet: it replaces nothing, and cannot be looked at
    _apply(others, namespace, "--dry-run=server")
    try:
        return send(manifest, namespace, verb, "--dry-run=server")
    except Taken:
        return send(manifest, namespace, "replace", "--dry-run=server")


def _begin(others: list[Object], manifest: Object, namespace: str) -> Object:
    """Create the application, or find the one that runs."""
    given = manifest["metadata"]["name"]
    there = get(APPLICATION, namespace, given)
    if there and state_of(there) not in ENDED:
        err.print(f"{given} runs already; this is it:")
        return there
    accepted(_check(others, manifest, namespace, "create"), namespace, there)
    _apply(others, namespace)
    if there:
        keep(there, namespace)
        kubectl("--namespace", namespace, "delete", f"sparkapplications.{GROUP}", given, "--ignore-not-found", "--timeout=120s",
                timeout=130)  # fmt: skip
    try:
        return send(manifest, namespace, "create")
    except Taken:  # the answer to an earlier try got lost
        return get(APPLICATION, namespace, given)


def accepted(manifest: Object, namespace: str, there: Object) -> None:
    """Ask the platform's controller, by its own code, whether it would submit an application.

    Another controller, such as kubeflow's, has no way to ask; it says what it says once the application is there.

    Args:
        manifest: the application.
        namespace: its namespace.
        there: the ended application of that name, empty if there is none.

    Raises:
        Failure: if it would not, or if there is an old application and no controller for the new one.
    """
    controller = retry.until_answered("the controller of SparkApplications", _controller)
    if not controller:
        if there:
            raise Failure(f"no controller of SparkApplications is installed, so that the {state_of(there)} application "
                          f"{there['metadata']['name']} stays as it is",
                          "sparkOperator.enabled: true in the values, then: make up")  # fmt: skip
        return
    own = controller["metadata"]
    words = ("exec", "--stdin", f"deployment/{own['name']}", "--", "python", "-c", LOOK, SETTINGS)
    command = kubectl_command("--namespace", own["namespace"], *words)
    app = manifest | {"metadata": {"uid": "0"} | manifest["metadata"] | {"namespace": namespace}}
    done = retry.send(command, json.dumps(app))
    if done.returncode:
        if there:
            say(f"The controller {own['name']} cannot be asked beforehand: {retry.brief(done.stderr)}")
        return
    found = json.loads(done.stdout)
    if found["namespaces"] and namespace not in found["namespaces"]:
        others = ", ".join(found["namespaces"])
        raise Failure(f"the controller runs no applications of the namespace {namespace}, only of {others}",
                      "add it to sparkOperator.spark.jobNamespaces, then: make up")  # fmt: skip
    if found["problem"]:
        raise Failure(f"the controller refuses {manifest['metadata']['name']}: {found['problem']}",
                      "correct the manifest and submit it again")  # fmt: skip


def _controller() -> Object:
    """Return the Deployment of a controller that is ready, empty if none is installed.

    Raises:
        retry.Unavailable: if there is one, and it is not ready.
    """
    for label in CONTROLLERS:
        found = json.loads(kubectl("get", "deployments", "--all-namespaces", "--selector", label, "--output", "json"))["items"]
        for deployment in found:
            if (deployment.get("status") or {}).get("readyReplicas"):
                ready: Object = deployment
                return ready
        if found:
            raise retry.Unavailable(f"the deployment {found[0]['metadata']['name']} has no ready pod")
    return {}


def keep(app: Object, namespace: str) -> None:
    """Write an ended application and its driver's log into files, and say where.

    Args:
        app: the application.
        namespace: its namespace.
    """
    name, status = app["metadata"]["name"], app.get("status") or {}
    folder = KEPT / namespace / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)[: -2 * (MOST_KEPT - 1)]:
        old.unlink()
    stem = status.get("terminationTime") or app["metadata"]["creationTimestamp"]
    manifest, log = (folder / f"{stem.replace(':', '')}.{ending}" for ending in ("yaml", "log"))
    manifest.write_text(yaml.safe_dump(app, sort_keys=False))
    pod = (status.get("driverInfo") or {}).get("podName")
    where = str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder)
    text = ""
    if pod:
        with contextlib.suppress(subprocess.CalledProcessError):
            text = kubectl("--namespace", namespace, "logs", pod, "--container", CONTAINER, timeout=120) + "\n"
    log.write_text(text)
    note = "" if text else "; the log of its driver was gone already"
    say(f"The last run of {name} ({state_of(app)}) is kept: {where}/{manifest.stem}.yaml and .log{note}")


def _follow(name: str, namespace: str) -> None:
    """Print states as they change, and the driver's log, until the end.

    Raises:
        Failure: if the application fails or is deleted, or no controller looks at it.
    """
    began, told, log, of, unseen = time.monotonic(), "", None, "", False
    while True:
        app = get(APPLICATION, namespace, name)
        if not app:
            raise Failure(f"{name} was deleted", EXAMPLE)
        status, state, waited = app.get("status") or {}, state_of(app), time.monotonic() - began
        if not status and waited > retry.PATIENCE:
            raise Failure(f"no controller has looked at {name} for {waited:.0f} s", _unseen(namespace, name))
        if not status and waited > UNSEEN_SECONDS and not unseen:
            unseen = True
            say(f"No controller has looked at {name} for {waited:.0f} s: waiting for one.\n  → {_unseen(namespace, name)}")
        news = f"{state or 'NEW'} {status.get('reason', '')}".strip()
        if news != told:
            colour, sentence = COLOURS.get(state, "default"), status.get("applicationState", {}).get("errorMessage", "")
            note = f": {sentence}" if sentence and state not in ENDED else ""
            err.print(f"[{colour}]{time.monotonic() - began:6.1f} s  {escape(news + note)}[/]")
            told = news
        submission, driver = str(status.get("submissionID") or ""), status.get("driverInfo") or {}
        if state in ("RUNNING", *ENDED) and submission and submission != of and driver.get("podName"):
            pod = logs.Container(namespace, driver["podName"], CONTAINER, str(driver.get("podUID") or ""))
            log, of = logs.Following(pod), submission
        if state in ENDED:
            break
        time.sleep(0.5)
    if log:
        log.join(LOG_SECONDS)
    attempts = status.get("executionAttempts", 0)
    if state == "FAILED":
        sentence = status.get("applicationState", {}).get("errorMessage") or "no reason is given"
        raise Failure(f"{name} has failed: {sentence}", _kubectl(namespace, f"describe sparkapp {name}"))
    out.print(f"{name} has completed in {time.monotonic() - began:.0f} s, attempts: {attempts}. "
              f"To remove it: {_kubectl(namespace, 'delete sparkapp ' + name)}")  # fmt: skip


def _unseen(namespace: str, name: str) -> str:
    """Where to look if no controller takes an application up."""
    return (f"make status shows whether one runs, sparkOperator.spark.jobNamespaces must hold {namespace}; "
            f"to remove {name}: {_kubectl(namespace, 'delete sparkapp ' + name)}")  # fmt: skip


def _kubectl(namespace: str, words: str) -> str:
    """Return a command that works in this folder as it stands."""
    program, config = (Path(path).resolve() for path in (tools.ensure("kubectl"), kubeconfig()))
    short = [str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path) for path in (program, config)]
    return f"{short[0]} --kubeconfig {short[1]} -n {namespace} {words}"
