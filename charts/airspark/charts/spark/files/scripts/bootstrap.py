"""Make the secret that every Spark process shares, once, and publish what the cluster is for its clients.

The Secret is never changed: another secret is one of another name. The ConfigMap `cluster.json` says which Spark,
Python and Java the cluster runs, so that a client of another version is told before it starts; `spark-submit` of the
images reads it. For a Connect server, its certificate is made the same way, and `grpc-roots.pem` in the ConfigMap holds
what a gRPC client trusts: the certificate's authority beside the public ones, which that file would replace otherwise.

Environment: NAMESPACE, SECRET, KEYS (names of the Secret's keys), BROUGHT (1 if somebody else makes the Secret),
CONFIG_MAP, MASTER_UI (its address), DEFAULT_CORES (of an application), AUTHENTICATION (true or false), LABELS (JSON); for
a Connect server TLS_SECRET, TLS_BROUGHT (1 if somebody else makes it) and TLS_HOSTS (names for a new one, by commas).
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
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
STATUS = Path("/dev/termination-log")
PUBLIC_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
# What a Secret of our own making holds, asked for or not: what is switched on later must not need a new one.
KEYS = ("rpc-authentication-secret", "rest-jws-key", "connect-token")
CERTIFICATE_DAYS = 3650


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


def new_secret(key: str) -> str:
    """A secret of 256 bits, in letters that its key may have: a JWS key is base64, and a token may stand in an address as it is.

    Args:
        key: of the Secret.
    """
    return secrets.token_hex(32) if key == "connect-token" else base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def fingerprint(secret: str) -> str:
    """Four hex digits that tell a wrong secret from the right one and give nothing away about it."""
    return hashlib.sha256(b"airspark:" + secret.encode()).hexdigest()[:4]


def new_certificate(hosts: list[str]) -> dict[str, str]:
    """A self-signed certificate that can sign no other, and its key, as the data of a Secret; its authority is itself.

    Args:
        hosts: names that it is for.

    Raises:
        Problem: if openssl fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key"), Path(folder, "certificate")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-batch",
                   "-days", str(CERTIFICATE_DAYS), "-subj", "/CN=spark-connect",
                   "-addext", f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}",
                   "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
                   "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"openssl makes no certificate for {', '.join(hosts)}: {done.stderr.strip()}")
        public = certificate.read_text()
        return {"tls.crt": public, "tls.key": key.read_text(), "ca.crt": public}


def ensure_secret(
    name: str, keys: list[str], new: dict[str, Any] | None, value: str, metadata: dict[str, Any], optional: str = ""
) -> dict[str, str]:
    """Have a Secret with these keys.

    Args:
        name: of the Secret.
        keys: what it must hold.
        new: type and stringData if it is not there; None if only somebody else may make it.
        value: the chart's value that says who makes it.
        metadata: of a new one.
        optional: what it may hold too.

    Returns:
        Its values by key.

    Raises:
        Problem: if it lacks a key, is not there though it is brought, or cannot be made.
    """
    base = f"/api/v1/namespaces/{os.environ['NAMESPACE']}/secrets"
    if new is not None:
        status, answer = call("POST", base, {"metadata": metadata | {"name": name}, **new})
        if status not in (201, 409):
            raise Problem(f"the Secret {name} cannot be made: {answer.get('message', status)}")
        print(f"Secret {name}: {'made' if status == 201 else 'there already, left alone'}")
    status, answer = call("GET", f"{base}/{name}")
    if status == 404:
        raise Problem(f"the Secret {name} is not there, and {value} says that you make it: "
                      f"kubectl create secret generic {name} --from-literal={keys[0]}=…")  # fmt: skip
    if status != 200:
        raise Problem(f"the Secret {name} cannot be read: {answer.get('message', status)}")
    data = answer.get("data") or {}
    try:
        held = {key: base64.b64decode(text).decode() for key, text in data.items() if key in (*keys, optional)}
    except UnicodeDecodeError:
        raise Problem(f"the Secret {name} holds bytes that are no text: write it as letters, for example base64") from None
    if missing := [key for key in keys if not held.get(key)]:
        raise Problem(
            f"the Secret {name} has no key {' and no key '.join(missing)}: add it, or delete the Secret to have it made"
        )
    return held


def ensure_shared_secret(metadata: dict[str, Any]) -> dict[str, str]:
    """Have the Secret that every Spark process shares, as the environment names it; values by key, none if it is not needed."""
    keys = os.environ["KEYS"].split()
    if not keys:
        return {}
    brought = os.environ["BROUGHT"] == "1"
    new = None if brought else {"type": "Opaque", "stringData": {key: new_secret(key) for key in KEYS}}
    held = ensure_secret(os.environ["SECRET"], keys, new, "security.passwordsSecretName", metadata)
    if "/" in held.get("connect-token", ""):
        print(f"Secret {os.environ['SECRET']}: its connect-token has a /, which Airflow's connection puts into an address that "
              "PySpark refuses; use letters and digits, for example of openssl rand -hex 32", file=sys.stderr)  # fmt: skip
    return held


def grpc_roots(metadata: dict[str, Any]) -> str | None:
    """Have the Connect server's certificate, and return the certificates that its clients trust; None without a server."""
    name = os.environ.get("TLS_SECRET")
    if not name:
        return None
    brought = os.environ["TLS_BROUGHT"] == "1"
    new = None if brought else {"type": "kubernetes.io/tls", "stringData": new_certificate(os.environ["TLS_HOSTS"].split(","))}
    held = ensure_secret(name, ["tls.crt", "tls.key"], new, "connect.tls.create", metadata, "ca.crt")
    return held.get("ca.crt", "") + PUBLIC_ROOTS.read_text()


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


def publish(name: str, content: dict[str, Any], roots: str | None, metadata: dict[str, Any]) -> None:
    """Have a ConfigMap whose cluster.json and grpc-roots.pem say this; raises Problem if Kubernetes refuses."""
    base = f"/api/v1/namespaces/{os.environ['NAMESPACE']}/configmaps"
    data = {"cluster.json": json.dumps(content, indent=2) + "\n", "grpc-roots.pem": roots or ""}
    status, answer = call("POST", base, {"metadata": metadata | {"name": name}, "data": data})
    if status == 409:
        status, answer = call("PATCH", f"{base}/{name}", {"metadata": metadata, "data": data})
    if status not in (200, 201):
        raise Problem(f"the ConfigMap {name} cannot be written: {answer.get('message', status)}")
    print(f"ConfigMap {name}: Spark {content['spark']}, Python {content['python']}, Java {content['java']}")


def main() -> int:
    """Do all of it, and return the exit code."""
    metadata = {"labels": json.loads(os.environ["LABELS"])}
    try:
        held = ensure_shared_secret(metadata)
        roots = grpc_roots(metadata)
        authenticated = os.environ["AUTHENTICATION"] == "true"
        content = facts(held["rpc-authentication-secret"] if authenticated else None)
        publish(os.environ["CONFIG_MAP"], content, roots, metadata)
    except (Problem, OSError) as problem:
        print(f"bootstrap: {problem}", file=sys.stderr)
        STATUS.write_text(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
