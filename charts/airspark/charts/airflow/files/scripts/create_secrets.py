"""Create each missing Secret of a release once; never change one that exists.

Usage: create_secrets.py secrets.json

The file lists Secrets as {"name", "brought", "keys": {key: how to make it}}. A Secret that somebody brings is
only checked, and waited for, because it may be applied in the same breath as the release.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

WAIT_SECONDS = 120.0


class SecretError(Exception):
    """A Secret that cannot be used; the message is for the operator of the release."""


def make_value(how: dict[str, Any], read: Callable[[str, str], str]) -> str:
    """Return the text of one key.

    Args:
        how: the recipe: kind `token`, `fernet`, `text` (with value) or `url` (with the parts of a database URL).
        read: returns the text of (Secret, key), for the password inside a URL.

    Raises:
        SecretError: if the kind is unknown.
    """
    kind = how["kind"]
    if kind == "token":
        return secrets.token_urlsafe(32)
    if kind == "fernet":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if kind == "text":
        return str(how["value"])
    if kind == "url":
        password = quote(read(how["passwordFrom"], "password"), safe="")
        return (
            f"{how['protocol']}://{quote(how['user'], safe='')}:{password}@{how['host']}:{how['port']}"
            f"/{how['database']}?sslmode={how['sslmode']}"
        )
    raise SecretError(f"unknown kind of value: {kind}")


class Store:
    """The Secrets of one namespace, as far as this Job may touch them."""

    def __init__(self, api: Any, namespace: str, release: str) -> None:
        self.api = api
        self.namespace = namespace
        self.release = release

    def get(self, name: str) -> dict[str, str] | None:
        """Return a Secret's decoded data, or None if there is no such Secret."""
        from kubernetes.client import ApiException

        try:
            found = self.api.read_namespaced_secret(name, self.namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return {key: base64.b64decode(value).decode() for key, value in (found.data or {}).items()}

    def create(self, name: str, data: dict[str, str]) -> bool:
        """Create a Secret; return False if somebody was faster."""
        from kubernetes.client import ApiException

        # No app.kubernetes.io/instance: tools that reconcile by it would take the Secret for a stray and prune it.
        labels = {"release": self.release, "tier": "airflow", "app.kubernetes.io/managed-by": "airspark-bootstrap"}
        body = {"metadata": {"name": name, "labels": labels}, "type": "Opaque", "stringData": data}
        try:
            self.api.create_namespaced_secret(self.namespace, body)
        except ApiException as error:
            if error.status == 409:
                return False
            raise
        return True


def ensure(store: Store, spec: dict[str, Any], wait_seconds: float = WAIT_SECONDS) -> str:
    """Make sure that one Secret exists with all its keys.

    Args:
        store: the namespace's Secrets.
        spec: one entry of secrets.json.
        wait_seconds: how long to wait for a Secret that is brought.

    Returns:
        One line that says what was done.

    Raises:
        SecretError: if a brought Secret does not come, or a Secret lacks a key.
    """

    def read(name: str, key: str) -> str:
        found = store.get(name)
        if found is None or key not in found:
            raise SecretError(f"Secret {name} lacks the key {key}, which Secret {spec['name']} is made from")
        return found[key]

    name, keys = spec["name"], spec["keys"]
    found = store.get(name)
    deadline = time.monotonic() + wait_seconds
    while found is None and spec["brought"]:
        if time.monotonic() > deadline:
            raise SecretError(f"Secret {name} is named in the values, and does not exist")
        time.sleep(2)
        found = store.get(name)
    if found is None:
        if store.create(name, {key: make_value(how, read) for key, how in keys.items()}):
            return f"Secret {name}: created"
        found = store.get(name) or {}
    missing = sorted(set(keys) - set(found))
    if missing:
        raise SecretError(f"Secret {name} exists and lacks the key {', '.join(missing)}; add it or delete the Secret")
    return f"Secret {name}: kept"


def main(path: str) -> int:
    """Work through the list and return the exit code."""
    from kubernetes import client, config

    config.load_incluster_config()
    store = Store(client.CoreV1Api(), os.environ["NAMESPACE"], os.environ["RELEASE"])
    try:
        for spec in json.loads(Path(path).read_text()):
            print(ensure(store, spec), flush=True)
    except SecretError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except client.ApiException as error:
        reason = json.loads(error.body or "{}").get("message", error.reason)
        print(f"bootstrap: the Kubernetes API refused: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
