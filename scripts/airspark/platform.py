"""The charts on the cluster: one `helm upgrade --install`, skipped when nothing changed."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airspark import cluster, console, images, revisions, tools
from airspark.cluster import node_names
from airspark.console import done, output, step
from airspark.hashing import content_hash
from airspark.project import BUILD, NAMESPACE, RELEASE, ROOT, Failure, cluster_name, kubeconfig
from airspark.retry import kubectl

CHARTS = ROOT / "charts"
VALUES = CHARTS / "airspark/presets/kind.yaml"
HASH_LABEL = "airspark-content"
#: Values of `make dev`, after those of the user, and the label that tells a release with them: true or false.
CHECKOUT_VALUES = CHARTS / "airspark/presets/dev.yaml"
CHECKOUT_LABEL = "airspark-checkout"
#: The ConfigMap of Airflow's configuration, and the key of the time zone in it.
CONFIG, TIME_ZONE_KEY = f"{RELEASE}-config", "time-zone"
#: How long an installed platform may take to become ready again.
READY_SECONDS = 300
#: Seconds after which no operation of Helm is still at work: hooks and objects have 10 minutes each.
LONGEST_OPERATION = 1800


def time_zone() -> str:
    """The platform's time zone, in which its days begin and end, as its ConfigMap tells it; UTC if it has none."""
    asked = ("get", "configmap", CONFIG, "--namespace", NAMESPACE, "--ignore-not-found")
    return kubectl(*asked, "--output", f"jsonpath={{.data.{TIME_ZONE_KEY}}}").strip() or "UTC"


def wanted_hash(*values: Path) -> str:
    """Hash of everything an installation depends on: charts, images and values files."""
    return content_hash([CHARTS], *revisions.helm_settings(revisions.revisions()), *(file.read_text() for file in values))


def installed(label: str = HASH_LABEL) -> str | None:
    """A label of the deployed release, by default the hash of what it was made of, or None if there is none."""
    secrets = json.loads(kubectl("get", "secrets", "--namespace", NAMESPACE, "--output", "json", "--selector",
                                 f"owner=helm,name={RELEASE},status=deployed"))["items"]  # fmt: skip
    found = [secret["metadata"]["labels"].get(label) for secret in secrets]
    return found[-1] if found else None


def ensure(*values: Path) -> bool:
    """Install or upgrade the platform if charts, values or images changed, and wait until it is ready.

    Args:
        values: values files over those for kind.

    Returns:
        Whether anything was done.

    Raises:
        Failure: if Helm refuses the values, or the platform does not become ready; the sentence names the pods that are not.
    """
    wanted, there = wanted_hash(*values), installed()
    if there and (files := " ".join(left_out(values))):
        again = f'{console.next_command} VALUES="{files}"'
        console.say(f"The platform had the values of {files}, and goes on without them. To have them again: {again}")
    if there == wanted:
        remember(values)
        if not not_ready():
            done("Platform", f"release {RELEASE} in namespace {NAMESPACE}")
            return False
        wait_ready(READY_SECONDS)
        return True
    load_images(*values)
    forget_interrupted()
    try:
        with step("platform", "Install the platform with Helm") as current:
            # hashed again: the images that values ask for are there by now
            current.run(helm_upgrade(wanted_hash(*values), *values))
    except Failure as problem:
        waiting = not_ready()
        if waiting:
            raise Failure(
                f"{problem}: {'; '.join(waiting)}", f"make doctor collects the details; to go on: {console.next_command}"
            ) from problem
        raise
    remember(values)
    return True


def _remembered() -> Path:
    return BUILD / f"values-{cluster_name()}"


def remember(values: Sequence[Path]) -> None:
    """Write down which values files the platform has, for those who call the next command without them.

    Args:
        values: values files over those for kind; those of `make dev` do not count.
    """
    _remembered().write_text("".join(f"{file.resolve()}\n" for file in values if file != CHECKOUT_VALUES))


def left_out(values: Sequence[Path]) -> list[str]:
    """Return the values files that the platform has had so far, if none are given now.

    Args:
        values: as for `remember`.
    """
    if any(file != CHECKOUT_VALUES for file in values) or not _remembered().is_file():
        return []
    return _remembered().read_text().splitlines()


def forget_interrupted() -> None:
    """Remove the record of an installation that was killed, which would have Helm refuse every other one.

    Helm keeps the record of an operation as a Secret with the status `pending-…` until it ends, and never asks whether
    anybody still works on it: https://github.com/helm/helm/issues/8987
    """
    unended = f"owner=helm,name={RELEASE},status in (pending-install,pending-upgrade,pending-rollback)"
    pending = json.loads(kubectl("get", "secrets", "--namespace", NAMESPACE, "--output", "json", "--selector", unended))
    for name in interrupted(pending["items"], node_start(), datetime.now(UTC)):
        kubectl("delete", "secret", "--namespace", NAMESPACE, name, "--ignore-not-found")
        done("Interrupted installation", f"forgotten: {name}")


def interrupted(pending: list[dict[str, Any]], node_start: str, now: datetime) -> list[str]:
    """Names of the records nobody can be at work on any more.

    Args:
        pending: Helm's Secrets of operations without an end.
        node_start: when the first node was started, RFC 3339; what began before it has ended with it.
        now: the present.

    Raises:
        Failure: if an operation may still be at work, with what to do if it is not.
    """
    found = []
    for secret in pending:
        name, begun = secret["metadata"]["name"], secret["metadata"]["creationTimestamp"]
        age = (now - datetime.fromisoformat(begun)).total_seconds()
        if begun[:19] >= node_start[:19] and age < LONGEST_OPERATION:
            raise Failure(f"Helm has worked on the release {RELEASE} for {age:.0f} s",
                          f"wait for its end; if it was killed: kubectl --kubeconfig {kubeconfig()} "
                          f"--namespace {NAMESPACE} delete secret {name}, then: make up")  # fmt: skip
        found.append(name)
    return found


def node_start() -> str:
    """When the first node of the cluster was started, RFC 3339 in UTC."""
    return min(output(["docker", "inspect", "--format", "{{.State.StartedAt}}", *node_names()]).split())


def helm_upgrade(content: str, *values: Path) -> list[str | Path]:
    """The command that installs or upgrades the platform and waits for it.

    Args:
        content: what the release is labelled with; `ensure` does nothing while it is `wanted_hash()`.
        values: values files over those for kind.
    """
    labels = f"{HASH_LABEL}={content},{CHECKOUT_LABEL}={str(CHECKOUT_VALUES in values).lower()}"
    flags: list[str | Path] = ["--install", "--kubeconfig", kubeconfig(), "--labels", labels, "--wait", "--timeout", "10m"]
    return [tools.ensure("helm"), "upgrade", *chart(*values), *flags]


def helm_template(*values: Path) -> list[str | Path]:
    """The command that renders what `helm_upgrade` installs."""
    return [tools.ensure("helm"), "template", *chart(*values), "--skip-tests"]


def chart(*values: Path) -> list[str | Path]:
    """Release, chart, namespace and values, as every command of Helm takes them."""
    files = [word for file in (VALUES, *values) for word in ("--values", file)]
    return [RELEASE, CHARTS / "airspark", "--namespace", NAMESPACE, *files, *revisions.helm_settings(revisions.revisions())]


def load_images(*values: Path) -> None:
    """Build and load the images that values files ask for beyond those that every installation runs.

    Raises:
        Failure: if Helm refuses the values, with its sentence.
    """
    if not values:
        return
    said = subprocess.run([str(word) for word in helm_template(*values)], capture_output=True, text=True, check=False)
    if said.returncode:
        raise Failure(
            said.stderr.strip().removeprefix("Error: "), f"correct {', '.join(map(str, values))}, then call make up again"
        )
    if wanted := images.on_request(said.stdout):
        images.ensure_loaded(node_names(), wanted)


def wait_ready(seconds: int) -> None:
    """Wait until every pod of an installed platform is ready, for example after its node was started again.

    Raises:
        Failure: if some are not, with their names and reasons.
    """
    with step("platform-ready", "Wait until the platform is ready") as current:
        deadline = time.monotonic() + seconds
        while waiting := not_ready():
            current.write(f"{time.strftime('%X')} {'; '.join(waiting)}\n")
            if time.monotonic() > deadline:
                raise Failure(f"not ready after {seconds} s: {'; '.join(waiting)}", "make doctor")
            time.sleep(1)


def not_ready() -> list[str]:
    """One phrase for each pod of the platform that is not ready: its name and why.

    A container that is older than its node's present start is not ready, whatever its last status says.
    """
    try:
        pods = json.loads(cluster.kubectl("get", "pods", "--namespace", NAMESPACE, "--output", "json", "--selector",
                                  f"release={RELEASE},component!=worker"))["items"]  # fmt: skip
        started = node_start()
    except subprocess.SubprocessError:
        return ["the cluster does not answer"]
    found = []
    for pod in pods:
        status = pod["status"]
        if status.get("phase") == "Succeeded":
            continue
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        starts = [c["state"].get("running", {}).get("startedAt", "") for c in status.get("containerStatuses", [])]
        if not ready or any(start[:19] < started[:19] for start in starts):
            found.append(f"{pod['metadata']['name']} {pod_reason(pod)}")
    return found


def pod_reason(pod: dict[str, Any]) -> str:
    """Why a pod is not ready, in the words Kubernetes has for it."""
    status = pod["status"]
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"({waiting['reason']}: {waiting.get('message', '')[:160]})"
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"({condition.get('reason', 'Unschedulable')}: {condition.get('message', '')[:160]})"
    return f"({status.get('reason') or status.get('phase')})"


def secret(name: str, key: str) -> str:
    """A value out of a Secret of the platform.

    Raises:
        Failure: if the Secret or the key is not there.
    """
    try:
        data = kubectl("get", "secret", name, "--namespace", NAMESPACE, "--output", f"jsonpath={{.data.{key}}}")
    except subprocess.CalledProcessError as problem:
        raise Failure(f"the Secret {name} is not there", "make up") from problem
    if not data:
        raise Failure(f"the Secret {name} has no key {key}", "make doctor")
    return base64.b64decode(data).decode()
