"""Make the Secrets of a release: once, and anew only when the values ask for it.

Usage: create_secrets.py secrets.json [<Secret>/<key>=<file> …]

The file lists Secrets as {"name", "brought", "keys": {key: recipe}, "generation", "annotations"}; the recipes are in
create_secrets_recipes.py. A Secret that somebody brings is only checked, and waited for, because it may be applied in the
same breath as the release. One that this script made is changed in four cases: it lacks a key, a key is made from other
values and these changed, its certificate ends within a year, or its generation is one that it never had. A rollback to an
earlier generation therefore changes nothing.

At the end, the keys that are asked for are copied into files: what runs next in the same pod cannot mount a Secret that
was not there when the pod started.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bootstrap_jobs import remove_older
from create_secrets_recipes import DERIVED, FROM_KEYS, Read, is_stale, make_value, unfit

WAIT_SECONDS = 120.0
MANAGER = "airspark-bootstrap"
GENERATION = "airspark.io/generation"
PAST_GENERATIONS = "airspark.io/past-generations"
RECIPE = "airspark.io/recipe"


class SecretError(Exception):
    """A Secret that cannot be used; the message is for the operator of the release."""


@dataclass(frozen=True)
class Secret:
    """A Secret as it is in the cluster."""

    data: dict[str, str]
    annotations: dict[str, str]
    ours: bool
    version: str


class Store:
    """The Secrets of one namespace, as far as this Job may touch them."""

    def __init__(self, api: Any, namespace: str, release: str) -> None:
        self.api = api
        self.namespace = namespace
        self.release = release

    def get(self, name: str) -> Secret | None:
        """Return a Secret, or None if there is no such Secret."""
        from kubernetes.client import ApiException

        try:
            found = self.api.read_namespaced_secret(name, self.namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return Secret(
            data={key: base64.b64decode(value).decode(errors="replace") for key, value in (found.data or {}).items()},
            annotations=found.metadata.annotations or {},
            ours=(found.metadata.labels or {}).get("app.kubernetes.io/managed-by") == MANAGER,
            version=found.metadata.resource_version,
        )

    def create(self, name: str, data: dict[str, str], annotations: dict[str, str]) -> bool:
        """Create a Secret; return False if somebody was faster."""
        # No app.kubernetes.io/instance: tools that reconcile by it would take the Secret for a stray and prune it.
        labels = {"release": self.release, "tier": "airflow", "app.kubernetes.io/managed-by": MANAGER}
        metadata = {"name": name, "labels": labels, "annotations": annotations}
        body = {"metadata": metadata, "type": "Opaque", "stringData": data}
        return self._done(lambda: self.api.create_namespaced_secret(self.namespace, body))

    def patch(self, name: str, data: dict[str, str], annotations: dict[str, str], version: str) -> bool:
        """Change a Secret; return False if somebody was faster."""
        body = {"metadata": {"annotations": annotations, "resourceVersion": version}, "stringData": data}
        return self._done(lambda: self.api.patch_namespaced_secret(name, self.namespace, body))

    def _done(self, call: Any) -> bool:
        from kubernetes.client import ApiException

        try:
            call()
        except ApiException as error:
            if error.status == 409:
                return False
            raise
        return True


def make(spec: dict[str, Any], wanted: list[str], found: Secret | None, read: Read, renew: bool) -> dict[str, str]:
    """Return the texts of some keys of a Secret.

    Args:
        spec: one entry of secrets.json.
        wanted: the keys to make.
        found: the Secret as it is.
        read: returns the text of (Secret, key) of any other Secret.
        renew: whether the former text of a key counts, as it does in a rotation.
    """
    former = found.data if found else {}
    made: dict[str, str] = {}

    def read_here(name: str, key: str) -> str:
        own = former | made
        return own[key] if name == spec["name"] and key in own else read(name, key)

    # What is made from other keys of the same Secret comes after these.
    for key in sorted(wanted, key=lambda key: _rank(spec["keys"][key]["kind"])):
        made[key] = make_value(spec["keys"][key], read_here, former.get(key, "") if renew else "")
    return made


def _rank(kind: str) -> int:
    return 2 if kind in DERIVED else int(kind in FROM_KEYS)


def digests(spec: dict[str, Any], data: dict[str, str]) -> dict[str, str]:
    """Return the SHA-256 of each key that is made from other values."""
    derived = [key for key, how in spec["keys"].items() if how["kind"] in DERIVED]
    return {key: hashlib.sha256(data[key].encode()).hexdigest() for key in derived if key in data}


def recipe(found: dict[str, str]) -> dict[str, str]:
    """Return the annotation that holds such digests, or none without any."""
    return {RECIPE: json.dumps(found, sort_keys=True)} if found else {}


def rotation(spec: dict[str, Any], found: Secret) -> dict[str, str]:
    """Return the annotations of a Secret's next generation, or none if it is not to be rotated."""
    generation, current = spec.get("generation"), found.annotations.get(GENERATION)
    past = json.loads(found.annotations.get(PAST_GENERATIONS, "[]"))
    if not generation or generation == current or generation in past:
        return {}
    return {GENERATION: generation, PAST_GENERATIONS: json.dumps([*past, *([current] if current else [])])}


def plan(spec: dict[str, Any], found: Secret, read: Read) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return what is to change in a Secret that this script made: in words, its data and its annotations.

    Args:
        spec: one entry of secrets.json.
        found: the Secret as it is.
        read: returns the text of (Secret, key) of any other Secret.
    """
    annotations = {key: value for key, value in spec.get("annotations", {}).items() if found.annotations.get(key) != value}
    words = ["annotated"] if annotations else []
    have = {key: text for key, text in found.data.items() if text}
    # A Secret from before the annotation was written is judged by its text.
    before = digests(spec, have) | json.loads(found.annotations.get(RECIPE, "{}"))
    if renewed := rotation(spec, found):
        data = make(spec, list(spec["keys"]), found, read, renew=True)
        words.append(f"rotated to generation {spec['generation']}")
    else:
        missing = sorted(set(spec["keys"]) - set(have))
        stale = sorted(key for key, text in have.items() if key in spec["keys"] and is_stale(spec["keys"][key], text))
        data = make(spec, [*missing, *stale], found, read, renew=False)
        words += [f"added {', '.join(missing)}"] if missing else []
        words += [f"renewed {', '.join(stale)}, which ends soon or lacks a name"] if stale else []
        now = replace(found, data=found.data | data)
        fresh = make(spec, list(digests(spec, have)), now, read, renew=False)
        if changed := sorted(key for key, digest in digests(spec, fresh).items() if digest != before[key]):
            data |= {key: fresh[key] for key in changed}
            words.append(f"rewrote {', '.join(changed)}, because what it is made from changed")
    return "; ".join(words), data, annotations | renewed | recipe(before | digests(spec, data))


def ensure(store: Store, spec: dict[str, Any], wait_seconds: float = WAIT_SECONDS) -> str:
    """Make sure that one Secret exists with all its keys.

    Args:
        store: the namespace's Secrets.
        spec: one entry of secrets.json.
        wait_seconds: how long to wait for a Secret that is brought.

    Returns:
        One line that says what was done.

    Raises:
        SecretError: if a brought Secret does not come, a Secret lacks a key, or a certificate in a brought one has expired.
    """

    def read(name: str, key: str) -> str:
        found = store.get(name)
        if found is None or not found.data.get(key):
            raise SecretError(f"Secret {name} lacks the key {key}, which Secret {spec['name']} is made from")
        return found.data[key]

    name, keys = spec["name"], spec["keys"]
    found = store.get(name)
    deadline = time.monotonic() + wait_seconds
    while found is None and spec["brought"]:
        if time.monotonic() > deadline:
            raise SecretError(f"Secret {name} is named in the values, and does not exist")
        time.sleep(2)
        found = store.get(name)
    while True:
        if found is None:
            data = make(spec, list(keys), None, read, renew=False)
            generation = {GENERATION: spec["generation"]} if spec.get("generation") else {}
            if store.create(name, data, spec.get("annotations", {}) | generation | recipe(digests(spec, data))):
                return f"Secret {name}: created"
        elif spec["brought"] or not found.ours:
            if missing := sorted(key for key in keys if not found.data.get(key)):
                raise SecretError(f"Secret {name} exists and lacks the key {', '.join(missing)}; add it or delete the Secret")
            for key, how in keys.items():
                if why := unfit(how, found.data[key]):
                    raise SecretError(f"{key} of Secret {name} {why}; put a valid one into it, and this Job goes on by itself")
            return f"Secret {name}: kept"
        else:
            words, data, annotations = plan(spec, found, read)
            if not words:
                return f"Secret {name}: kept"
            if store.patch(name, data, annotations, found.version):
                return f"Secret {name}: {words}"
        # Another bootstrap was faster: what is to do depends on what it did.
        found = store.get(name)


def refusal(error: Any) -> str:
    """Return the sentence about an answer of the Kubernetes API that is no success."""
    try:
        message = json.loads(error.body or "{}").get("message")
    except ValueError:
        message = None
    hint = "; its account needs get, create and patch on Secrets" if error.status == 403 else ""
    return f"the Kubernetes API refused: {message or error.reason}{hint}"


def copy(store: Store, wanted: str) -> None:
    """Write a key of a Secret into a file.

    Args:
        store: the namespace's Secrets.
        wanted: `<Secret>/<key>=<file>`.

    Raises:
        SecretError: if the key does not exist.
    """
    source, _, file = wanted.partition("=")
    name, _, key = source.partition("/")
    found = store.get(name)
    if found is None or not found.data.get(key):
        raise SecretError(f"Secret {name} lacks the key {key}, with which the database's certificate is checked")
    Path(file).write_text(found.data[key])


def main(path: str, *copies: str) -> int:
    """Remove older bootstraps, work through the list, copy keys into files and return the exit code."""
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    config.load_incluster_config()
    namespace, release = os.environ["NAMESPACE"], os.environ["RELEASE"]
    store = Store(client.CoreV1Api(), namespace, release)
    try:
        for line in remove_older(client.BatchV1Api(), namespace, release, os.environ["JOB_NAME"]):
            print(line, flush=True)
        for spec in json.loads(Path(path).read_text()):
            print(ensure(store, spec), flush=True)
        for wanted in copies:
            copy(store, wanted)
    except SecretError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except client.ApiException as error:
        print(f"bootstrap: {refusal(error)}", file=sys.stderr)
        return 1
    except HTTPError as error:
        print(f"bootstrap: the Kubernetes API does not answer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
