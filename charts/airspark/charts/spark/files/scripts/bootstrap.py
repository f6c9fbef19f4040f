"""Make the secret that every Spark process shares, once, and publish what the cluster is for its clients.

The Secret is never changed: another secret is one of another name. The ConfigMap `cluster.json` says which Spark,
Python and Java the cluster runs, so that a client of another version is told before it starts; `spark-submit` of the
images reads it.

Environment: NAMESPACE, SECRET, KEYS (names of the Secret's keys), BROUGHT (1 if somebody else makes the Secret),
CONFIG_MAP, MASTER_UI (its address), DEFAULT_CORES (of an application), AUTHENTICATION (true or false), LABELS (JSON).
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import sys
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
STATUS = Path("/dev/termination-log")
# What a Secret of our own making holds, asked for or not: what is switched on later must not need a new one.
KEYS = ("rpc-authentication-secret", "rest-jws-key")


class Problem(Exception):
    """What a person has to mend, in one sentence."""


def call(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Ask the Kubernetes API.

    Args:
        method: of HTTP.
        path: of the resource.
        body: of the request, as JSON; a PATCH merges it.

    Returns:
        The status and the answer.

    Raises:
        Problem: if there is no answer.
    """
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=context)
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}", "Content-Type": kind}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Problem(f"the Kubernetes API at {host}:{port} does not answer, and the Job tries again: {error}") from None
    try:
        return answer.status, json.loads(text or "{}")
    except ValueError:
        return answer.status, {"message": f"{answer.status} {answer.reason}, {text[:200]}"}


def new_secret() -> str:
    """A secret of 256 bits, in the letters that a JWS key may have."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def fingerprint(secret: str) -> str:
    """Four hex digits that tell a wrong secret from the right one and give nothing away about it."""
    return hashlib.sha256(b"airspark:" + secret.encode()).hexdigest()[:4]


def ensure_secret(name: str, keys: list[str], brought: bool, metadata: dict[str, Any]) -> dict[str, str]:
    """Have a Secret with these keys.

    Args:
        name: of the Secret.
        keys: what it must hold.
        brought: whether only somebody else may make it.
        metadata: of a new one.

    Returns:
        Its values by key.

    Raises:
        Problem: if it lacks a key, is not there though it is brought, or cannot be made.
    """
    base = f"/api/v1/namespaces/{os.environ['NAMESPACE']}/secrets"
    if not brought:
        body = {
            "metadata": metadata | {"name": name},
            "type": "Opaque",
            "stringData": {key: new_secret() for key in {*KEYS, *keys}},
        }
        status, answer = call("POST", base, body)
        if status not in (201, 409):
            raise Problem(f"the Secret {name} cannot be made: {answer.get('message', status)}")
        print(f"Secret {name}: {'made' if status == 201 else 'there already, left alone'}")
    status, answer = call("GET", f"{base}/{name}")
    if status == 404:
        raise Problem(f"the Secret {name} is not there, and security.passwordsSecretName says that you make it: "
                      f"kubectl create secret generic {name} --from-literal={keys[0]}=…")  # fmt: skip
    if status != 200:
        raise Problem(f"the Secret {name} cannot be read: {answer.get('message', status)}")
    try:
        held = {key: base64.b64decode(text).decode() for key, text in (answer.get("data") or {}).items() if key in keys}
    except UnicodeDecodeError:
        raise Problem(f"the Secret {name} holds bytes that are no text: write it as letters, for example base64") from None
    if missing := [key for key in keys if not held.get(key)]:
        raise Problem(
            f"the Secret {name} has no key {' and no key '.join(missing)}: add it, or delete the Secret to have it made"
        )
    return held


def facts(secret: str | None) -> dict[str, Any]:
    """What a client compares itself with: versions of this image, and the secret's fingerprint."""
    core = next(Path(os.environ["SPARK_HOME"], "jars").glob("spark-core_*.jar")).stem
    release = Path(os.environ["JAVA_HOME"], "release").read_text()
    java = re.search(r'JAVA_VERSION="(\d+)', release)
    return {
        "spark": core.rpartition("-")[2],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "java": java[1] if java else "",
        "masterUi": os.environ["MASTER_UI"],
        "defaultCores": int(os.environ["DEFAULT_CORES"]) if os.environ["DEFAULT_CORES"] else None,
        "authentication": secret is not None,
        "secretFingerprint": fingerprint(secret) if secret else "",
    }


def publish(name: str, content: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Have a ConfigMap whose cluster.json says this; raises Problem if Kubernetes refuses."""
    base = f"/api/v1/namespaces/{os.environ['NAMESPACE']}/configmaps"
    data = {"cluster.json": json.dumps(content, indent=2) + "\n"}
    status, answer = call("POST", base, {"metadata": metadata | {"name": name}, "data": data})
    if status == 409:
        status, answer = call("PATCH", f"{base}/{name}", {"metadata": metadata, "data": data})
    if status not in (200, 201):
        raise Problem(f"the ConfigMap {name} cannot be written: {answer.get('message', status)}")
    print(f"ConfigMap {name}: Spark {content['spark']}, Python {content['python']}, Java {content['java']}")


def main() -> int:
    """Do both, and return the exit code."""
    metadata = {"labels": json.loads(os.environ["LABELS"])}
    keys = os.environ["KEYS"].split()
    try:
        held = ensure_secret(os.environ["SECRET"], keys, os.environ["BROUGHT"] == "1", metadata) if keys else {}
        authenticated = os.environ["AUTHENTICATION"] == "true"
        publish(os.environ["CONFIG_MAP"], facts(held["rpc-authentication-secret"] if authenticated else None), metadata)
    except (Problem, OSError) as problem:
        print(f"bootstrap: {problem}", file=sys.stderr)
        STATUS.write_text(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
