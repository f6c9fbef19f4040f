"""Dumps of the metadata database: written and read back, and restored in one transaction while Airflow stands still."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO, Any

import yaml

from airspark import airflow_api, console, look, platform, tools
from airspark.cluster import kubectl
from airspark.console import Step, out, step
from airspark.project import BUILD, NAMESPACE, RELEASE, Failure, kubeconfig

FOLDER = BUILD / "backups"
DATABASE = f"statefulset/{RELEASE}-postgresql"
#: Parts that hold no state of a run in memory, so that they stay up.
STAYING = ("postgresql", "pgbouncer", "statsd")
#: On a workload that stands still; it survives a restore that was killed.
REPLICAS = "airspark.io/replicas-before-restore"
READY_SECONDS = 300
BOOTSTRAP_SECONDS = 900

#: Where a dump is in the server's pod while it is written or read. A stream into the pod breaks when it pauses for a
#: minute (kubectl 1.37), so the server's work never waits for one.
REMOTE = "/tmp/airspark.dump"
CONNECT = "export PGHOST=127.0.0.1 PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB PGPASSWORD=$POSTGRES_PASSWORD; "
#: Reads a whole dump, data included.
READ = f"pg_restore --file=/dev/null {REMOTE}"
DUMP = (
    f"{CONNECT} set -e; umask 0077; trap 'rm -f {REMOTE}' EXIT; "
    f"pg_dump --format=custom --no-owner --no-acl --file={REMOTE}; {READ}; sha256sum <{REMOTE} >&2; cat {REMOTE}"
)
UPLOAD = f"umask 0077; cat >{REMOTE} && sha256sum <{REMOTE}"
LIST = f"pg_restore --list {REMOTE}"
SECRETS_IN_DUMP = f"pg_restore --data-only --table=connection --table=variable --file=- {REMOTE}"
#: What comes to its end commits; whatever ends before leaves the old data. Dropped is all, also what a newer Airflow made.
RESTORE = (
    f"{CONNECT} set -o pipefail; {{ echo \"BEGIN; SET LOCAL lock_timeout = '60s'; DROP OWNED BY CURRENT_USER;\"; "
    f"pg_restore --no-owner --no-acl --file=- {REMOTE} && echo 'COMMIT; SET client_min_messages = error; ANALYZE;'; }} "
    "| psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --output=/dev/null"
)
TOKEN = re.compile(rb"gAAAAA[\w-]{60,}={0,2}")


def _in_database(script: str, current: Step | None = None, **streams: IO[bytes]) -> tuple[bytes, str]:
    """Run a shell script beside the database server.

    Args:
        script: for bash.
        current: the step whose log takes what the script says.
        streams: `stdin` that the script reads, `stdout` for its output.

    Returns:
        Its output, empty if `stdout` took it, and what it said.

    Raises:
        subprocess.CalledProcessError: if it exits non-zero.
    """
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE, "exec",
               *(["--stdin"] if "stdin" in streams else []), DATABASE, "--container", "postgresql", "--", "bash", "-c",
               script]  # fmt: skip
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | streams
    done = subprocess.run(command, stderr=subprocess.PIPE, **given)
    said = done.stderr.decode(errors="replace")
    if current:
        current.write(said)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, stderr=said)
    return done.stdout or b"", said


def _first_line(problem: subprocess.CalledProcessError) -> str:
    """What a script said first when it failed."""
    return str((problem.stderr.strip().splitlines() or ["the connection broke"])[0])


def _digest(file: BufferedReader | BufferedRandom) -> str:
    """SHA-256 of a file from its beginning."""
    file.seek(0)
    return str(hashlib.file_digest(file, "sha256").hexdigest())


def _require_database() -> None:
    """Refuse to go on without a database server of the chart that answers.

    Raises:
        Failure: if the release uses another database, or its server does not answer.
    """
    look.require_cluster()
    if not kubectl("get", DATABASE, "--namespace", NAMESPACE, "--ignore-not-found", "--output", "name"):
        raise Failure("the release has no PostgreSQL of its own: its database is backed up where it runs", "see docs/backup.md")
    try:
        _in_database(CONNECT + "pg_isready --quiet")
    except subprocess.CalledProcessError as problem:
        raise Failure("the database does not answer", "make logs C=postgresql") from problem


def fernet_secret() -> tuple[str, str]:
    """Name and key of the Secret with the Fernet key, as the scheduler has it."""
    found = kubectl("get", f"deployment/{RELEASE}-scheduler", "--namespace", NAMESPACE, "--output",
                    "jsonpath={range .spec.template.spec.containers[0].env[?(@.name=='AIRFLOW__CORE__FERNET_KEY')]}"
                    "{.valueFrom.secretKeyRef.name} {.valueFrom.secretKeyRef.key}{end}")  # fmt: skip
    name, _, key = found.partition(" ")
    return name, key


def backup(file: str, secrets: bool) -> Path:
    """Write a dump, and read it back before it gets its name.

    Args:
        file: where to; empty takes a name with the time below .build/backups.
        secrets: whether to write the Fernet key's Secret beside it.

    Returns:
        The dump.

    Raises:
        Failure: if there is such a file, or the dump cannot be made.
    """
    path = Path(file) if file else FOLDER / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.dump"
    if path.exists():
        raise Failure(f"{path} is there already", "make backup FILE=<another name>")
    _require_database()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with step("backup", f"Dump the metadata database to {path}") as current:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600), "w+b") as target:
                _, said = _in_database(DUMP, current, stdout=target)
                if _digest(target) not in said:
                    raise Failure("the dump changed on its way out of the cluster", console.next_command)
                os.fsync(target.fileno())
            current.note = f"{part.stat().st_size / 1e6:.1f} MB"
            part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    if secrets:
        out.print(f"The key that opens its connections: {_save_secret(path)}, which nobody else may read.")
    return path


def secrets_file(dump: Path) -> Path:
    """Where the Secret of a dump is kept."""
    return dump.with_name(f"{dump.name}.secrets.yaml")


def _save_secret(dump: Path) -> Path:
    """Write the Fernet key's Secret beside a dump, as `kubectl apply` takes it."""
    name, _ = fernet_secret()
    found = json.loads(kubectl("get", "secret", name, "--namespace", NAMESPACE, "--output", "json"))
    metadata = {key: value for key, value in found["metadata"].items() if key in ("name", "labels", "annotations")}
    kept = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": found["type"], "data": found["data"]}
    path = secrets_file(dump)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as target:
        yaml.safe_dump(kept, target, sort_keys=False)
    return path


def signed_by(token: bytes, key: str) -> bool:
    """Whether a Fernet key made a token: its last 32 bytes are the HMAC of the others with the key's first half."""
    raw, signing = base64.urlsafe_b64decode(token), base64.urlsafe_b64decode(key)[:16]
    return hmac.compare_digest(hmac.digest(signing, raw[:-32], "sha256"), raw[-32:])


@contextmanager
def _uploaded(path: Path) -> Iterator[None]:
    """Have a file beside the database server while the block runs, as REMOTE."""
    try:
        with step("restore-upload", f"Bring {path} to the database server") as current, path.open("rb") as dump:
            told, _ = _in_database(UPLOAD, current, stdin=dump)
            if _digest(dump) not in told.decode():
                raise Failure(f"{path} changed on its way into the cluster", f"make restore FILE={path}")
        yield
    finally:
        with suppress(subprocess.SubprocessError):
            _in_database(f"rm -f {REMOTE}")


def _check(path: Path) -> None:
    """Refuse an uploaded dump that cannot be restored here, before anything is touched.

    Raises:
        Failure: if it is no dump of an Airflow database, damaged, or encrypted with another Fernet key.
    """
    with step("restore-check", f"Read {path}") as current:
        try:
            listing, _ = _in_database(LIST, current)
            _in_database(READ, current)
        except subprocess.CalledProcessError as problem:
            raise Failure(f"{path} is no whole dump: {_first_line(problem)}", "make restore FILE=<another dump>") from problem
        if b"TABLE DATA public alembic_version " not in listing:
            raise Failure(f"{path} is a dump of something else than Airflow's database", "make restore FILE=<another dump>")
        content, _ = _in_database(SECRETS_IN_DUMP, current)
        keys = platform.secret(*fernet_secret()).split(",")
        foreign = sum(not any(signed_by(token, key.strip()) for key in keys) for token in set(TOKEN.findall(content)))
        if foreign:
            saved = secrets_file(path) if secrets_file(path).exists() else "<the saved Secret>"
            raise Failure(
                f"{path} has {foreign} passwords that the Fernet key of this installation does not open",
                f"kubectl --kubeconfig {kubeconfig()} --namespace {NAMESPACE} apply -f {saved}, then: make restore FILE={path}",
            )


def _require_no_tasks(path: Path) -> None:
    """Refuse to go on while tasks run.

    Raises:
        Failure: if some do.
    """
    labels = f"component=worker,release={RELEASE}"
    running = kubectl("get", "pods", "--namespace", NAMESPACE, "--output", "name", "--selector", labels,
                      "--field-selector", "status.phase!=Succeeded,status.phase!=Failed").split()  # fmt: skip
    if running:
        raise Failure(
            f"{len(running)} tasks are running, which the restored database would know nothing of",
            f"wait for their end, or: kubectl --kubeconfig {kubeconfig()} --namespace {NAMESPACE} delete pods"
            f" --selector {labels}; then: make restore FILE={path}",
        )


def _workloads() -> dict[str, tuple[str, int]]:
    """Component and number of pods of each part of Airflow when nothing is restored, by kind and name."""
    items = json.loads(kubectl("get", "deployments,statefulsets", "--namespace", NAMESPACE, "--output", "json", "--selector",
                               f"tier=airflow,release={RELEASE},component notin ({','.join(STAYING)})"))["items"]  # fmt: skip
    found = {}
    for item in items:
        before = item["metadata"].get("annotations", {}).get(REPLICAS, item["spec"]["replicas"])
        found[f"{item['kind'].lower()}/{item['metadata']['name']}"] = (item["metadata"]["labels"]["component"], int(before))
    return found


@contextmanager
def _standing_still() -> Iterator[None]:
    """Have no pod of Airflow while the block runs, and as many as before after it; wait for them if the block succeeds."""
    parts, here = _workloads(), ("--namespace", NAMESPACE)
    try:
        with step("restore-stop", "Stop Airflow"):
            for name, (_, replicas) in parts.items():
                kubectl("annotate", name, *here, "--overwrite", f"{REPLICAS}={replicas}")
            kubectl("scale", *parts, *here, "--replicas=0")
            components = ",".join(component for component, _ in parts.values())
            kubectl("wait", "pods", *here, "--for=delete", "--timeout=180s", "--selector",
                    f"tier=airflow,release={RELEASE},component in ({components})", timeout=200)  # fmt: skip
        yield
    finally:
        for name, (_, replicas) in parts.items():
            kubectl("scale", name, *here, f"--replicas={replicas}")
            kubectl("annotate", name, *here, f"{REPLICAS}-")
    with step("restore-start", "Start Airflow"):
        for name, (_, replicas) in parts.items():
            if replicas:
                kubectl("rollout", "status", name, *here, f"--timeout={READY_SECONDS}s", timeout=READY_SECONDS + 30)


def _bootstrap_again() -> None:
    """Run the bootstrap Job anew: it migrates an older dump, and puts users and connections of the values into it.

    Raises:
        Failure: if it fails.
    """
    jobs = json.loads(kubectl("get", "jobs", "--namespace", NAMESPACE, "--output", "json", "--selector",
                              f"component=bootstrap,release={RELEASE}"))["items"]  # fmt: skip
    if not jobs:
        raise Failure("the release has no bootstrap Job", "make up")
    job = max(jobs, key=lambda item: item["metadata"]["creationTimestamp"])
    name = job["metadata"]["name"]
    with step("restore-bootstrap", "Run the bootstrap Job again") as current:
        command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE,
                   "replace", "--force", "--filename", "-"]  # fmt: skip
        subprocess.run(command, input=json.dumps(fresh_job(job)), text=True, check=True, stdout=current.log, stderr=current.log)
        deadline = time.monotonic() + BOOTSTRAP_SECONDS
        while True:
            status = json.loads(kubectl("get", "job", name, "--namespace", NAMESPACE, "--output", "json"))["status"]
            states = [condition["type"] for condition in status.get("conditions", []) if condition["status"] == "True"]
            if "Complete" in states:
                return
            if "Failed" in states or time.monotonic() > deadline:
                raise Failure("the data is restored, and the bootstrap Job failed on it", "make logs C=bootstrap")
            time.sleep(1)


def fresh_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return a Job as it was created, from how the cluster has it."""
    marks = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")

    def unmarked(labels: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in labels.items() if key not in marks}

    metadata, spec = job["metadata"], dict(job["spec"])
    spec.pop("selector", None)
    pod = spec["template"]
    spec["template"] = pod | {"metadata": pod["metadata"] | {"labels": unmarked(pod["metadata"].get("labels", {}))}}
    kept = {
        "name": metadata["name"],
        "labels": unmarked(metadata.get("labels", {})),
        "annotations": metadata.get("annotations", {}),
    }
    return {"apiVersion": job["apiVersion"], "kind": "Job", "metadata": kept, "spec": spec}


def restore(file: str) -> None:
    """Put a dump in the place of the metadata database.

    Args:
        file: a dump that `backup` wrote.

    Raises:
        Failure: if the file cannot be restored, tasks are running, or Airflow does not come back.
    """
    if not file:
        dumps = sorted(FOLDER.glob("*.dump"))
        raise Failure("no dump was named", f"make restore FILE={dumps[-1] if dumps else '<a dump that make backup wrote>'}")
    path = Path(file)
    if not path.is_file() or not path.stat().st_size:
        raise Failure(
            f"{path} is {'empty' if path.is_file() else 'no file'}", "make restore FILE=<a dump that make backup wrote>"
        )
    _require_database()
    with _uploaded(path):
        _check(path)
        _require_no_tasks(path)
        with _standing_still():
            with step("restore", f"Restore {path}") as current:
                try:
                    _in_database(RESTORE, current)
                except subprocess.CalledProcessError as problem:
                    said = f"the restore failed and changed nothing: {_first_line(problem)}"
                    raise Failure(said, f"make restore FILE={path}") from problem
            _bootstrap_again()
    with airflow_api.connect():
        pass
