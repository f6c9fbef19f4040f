"""`make dev`: the platform reads DAGs and Spark applications from this checkout, as they are when they are saved."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from airspark import platform, tools
from airspark.cluster import CHECKOUT, CODE
from airspark.console import done, output, say, succeeds
from airspark.project import ROOT, Failure, cluster_name, kubeconfig

VALUES = platform.CHECKOUT_VALUES
CLAIMS = ROOT / "manifests/dev/checkout.yaml"
AGAIN = "make backup saves the metadata database; then: make down, make dev"


def ensure(nodes: Sequence[str], values: Sequence[Path] = ()) -> bool:
    """Have the platform read DAGs and applications from this checkout.

    Args:
        nodes: names of the nodes.
        values: values files over those for kind.

    Returns:
        Whether anything had to be done.

    Raises:
        Failure: if the nodes or the pods cannot see the checkout, or Helm refuses the values.
    """
    for node in nodes:
        check_mounts(node, json.loads(output(["docker", "inspect", "--format", "{{json .Mounts}}", node])))
        check_visible(node)
    if hidden := unreadable():
        raise Failure(f"{hidden[0].relative_to(ROOT)} cannot be read by the pods' users ({len(hidden)} of its kind)",
                      f"chmod -R a+rX {' '.join(CODE)}, then: make dev")  # fmt: skip
    for file in values:
        for path in overruled(read(file), read(VALUES)):
            say(f"  {path} of {file} does not count: make dev reads this checkout.")
    apply_claims()
    return platform.ensure(*values, VALUES)


def is_on() -> bool:
    """Whether the installed platform reads this checkout."""
    return platform.installed(platform.CHECKOUT_LABEL) == "true"


def with_applications(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod whose first container reads the applications of the checkout in place of those of its image."""
    spec = pod["spec"]
    first, *others = spec["containers"]
    mount = {"name": "applications", "mountPath": "/opt/airflow/spark-apps", "readOnly": True}
    volume = {"name": "applications", "persistentVolumeClaim": {"claimName": "checkout-applications"}}
    changed = first | {"volumeMounts": [*first.get("volumeMounts", []), mount]}
    return pod | {"spec": spec | {"containers": [changed, *others], "volumes": [*spec.get("volumes", []), volume]}}


def check_mounts(node: str, mounts: list[dict[str, Any]]) -> None:
    """Check that a node mounts the folders of this checkout.

    Args:
        node: its name.
        mounts: `.Mounts` of `docker inspect`.

    Raises:
        Failure: if it was created without them, or with those of another checkout.
    """
    sources = {mount["Destination"]: mount["Source"] for mount in mounts}
    for folder in CODE:
        source = sources.get(f"{CHECKOUT}/{folder}")
        if source is None:
            raise Failure(f"the cluster '{cluster_name()}' was created before its nodes mounted the checkout", AGAIN)
        if Path(source) != ROOT / folder:
            raise Failure(f"the nodes of the cluster '{cluster_name()}' mount {source}, not this checkout's folder",
                          f"call make dev in {Path(source).parent}; or, for this one: {AGAIN}")  # fmt: skip


def check_visible(node: str) -> None:
    """Check that a node sees this checkout's files where it mounts them.

    An engine on another machine, or in a virtual machine that shares no such folder, mounts an empty one. A folder that was
    removed and made again is another one.

    Raises:
        Failure: if it does not.
    """
    for folder in CODE:
        names = sorted(path.name for path in (ROOT / folder).iterdir())
        if names and not succeeds(["docker", "exec", node, "test", "-e", f"{CHECKOUT}/{folder}/{names[0]}"]):
            raise Failure(
                f"the node {node} does not see the files of {ROOT / folder}: the Docker engine runs on another machine, "
                "shares no such folder with it, or the folder was made again since the node was started",
                f"share the folder with the engine, then docker restart {node} and make dev; make up ships edits without it",
            )


def unreadable() -> list[Path]:
    """Files and folders of the checkout that the pods' users, which are in group 0, may not read."""
    found = (path for folder in CODE for path in (ROOT / folder, *(ROOT / folder).rglob("*")))
    # Editors keep hidden files of their own, for the owner alone.
    wanted = (path for path in found if not path.name.startswith(".") or path.name == ".airflowignore")
    return sorted(path for path in wanted if not readable(path))


def readable(path: Path) -> bool:
    """Whether a user other than the owner, in group 0, may read a file or enter and list a folder."""
    try:
        status = path.stat()
    except FileNotFoundError:
        # A link to nowhere, or an editor's file that is gone by now.
        return True
    wanted = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
    granted = status.st_mode >> 3 if status.st_gid == 0 else status.st_mode
    return granted & wanted == wanted


def read(file: Path) -> dict[str, Any]:
    """What a values file holds; nothing if it cannot be read, about which Helm has a sentence."""
    try:
        found = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def overruled(values: dict[str, Any], preset: dict[str, Any]) -> list[str]:
    """Paths of the keys that a values file sets otherwise than the preset, which comes after it."""
    ours = dict(leaves(preset))
    return sorted(path for path, value in leaves(values) if path in ours and ours[path] != value)


def leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and value of each key that is not a map."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def apply_claims() -> None:
    """Have the claims on the nodes' folders, in the platform's namespace."""
    command = [tools.ensure("kubectl"), "--kubeconfig", kubeconfig(), "apply", "--filename", CLAIMS]
    said = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
    if any(not line.endswith(" unchanged") for line in said.splitlines()):
        done("Claims on the checkout's folders", ", ".join(CODE))
