"""What kube-score and checkov think of the rendered charts: no finding, but those with a reason."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import pytest
import yaml
from batches import Paths, over, values
from leaves import ON
from rendering import text

from airspark.project import ROOT
from airspark.tools import ensure

CRITICAL = 1
#: Why a finding is meant, by the check and by a pattern of the objects it may be about.
Reasons = dict[tuple[str, str], str]
#: Critical findings of kube-score that are meant, by check and by the objects they may be about.
MEANT: Reasons = {
    (
        "container-ephemeral-storage-request-and-limit",
        ".*",
    ): "a default cannot know logs and spills; set `limits`",
    ("container-image-pull-policy", ".*"): "tags are versions that never change, and a kind node has nothing to pull from",
    ("container-security-context-user-group-id", ".*"): "group 0 shares the claims between Airflow's user and Spark's, design 3",
    ("networkpolicy-targets-pod", ".*-(worker|spark-applications)-policy"): "executor and controller make these pods at run time",
    ("pod-probes", ".*-triggerer"): "its Service only gives running triggers' logs an address, ready or not",
    ("pod-probes-identical", ".*-pgbouncer"): "its exporter answers or does not, there is nothing in between",
    ("pod-probes-identical", ".*-spark-history"): "its page answers or does not, there is nothing in between",
    ("statefulset-has-servicename", ".*-postgresql"): "one pod, reached by the Service's own address and never by its own name",
}
#: Findings of checkov that are meant, by check and by the objects they may be about.
ACCEPTED: Reasons = {
    (
        "CKV_K8S_8",
        "Deployment/.*-(dag-processor|scheduler)|StatefulSet/.*-triggerer",
    ): "the sidecar that removes old logs has no probe",
    ("CKV_K8S_8", "Pod/.*-helm-test"): "it runs once and ends",
    ("CKV_K8S_9", "Deployment/.*-(dag-processor|scheduler|triggerer)|StatefulSet/.*-triggerer"): "no Service waits for them",
    ("CKV_K8S_9", "Pod/.*-helm-test"): "it runs once and ends",
    ("CKV_K8S_11", ".*"): "a CPU limit throttles a start-up that is all CPU; the shares of CPU follow the requests",
    ("CKV_K8S_15", ".*"): "tags are versions that never change, and a kind node has nothing to pull from",
    ("CKV_K8S_35", ".*"): "Airflow, Spark and PostgreSQL read these from the environment; a file has the same readers",
    (
        "CKV_K8S_38",
        ".*-(api-server|cleanup|scheduler|triggerer|spark-operator)|Job/.*-bootstrap-.*",
    ): "they call the Kubernetes API",
    ("CKV_K8S_40", ".*-(postgresql|backup)"): "999 is PostgreSQL's user in its image, and the owner of its claim",
    ("CKV_K8S_40", ".*-spark-.*"): "185 is Spark's user in its images; `uid` is another",
    (
        "CKV_K8S_43",
        ".*",
    ): "no chart knows the digest of an image that is built later; `tag: 0.1.0@sha256:…` is one",
}
#: Spark finished: claims, its history server, a second group of workers, and every way in.
SPARK: Paths = {
    "mounts.events.claim": "events",
    "mounts.output.claim": "output",
    "historyServer.enabled": True,
    "historyServer.ingress.enabled": True,
    "ingress.enabled": True,
    "master.rest.enabled": True,
    "worker.autoscaling.enabled": True,
    "worker.autoscaling.minReplicas": 2,
    "workers.groups.big.replicaCount": 3,
}
CASES: dict[str, Paths] = {
    "the defaults": {},
    "the whole": {},
    "several pods of each": {
        **{f"{part}.replicas": 2 for part in ("apiServer", "dagProcessor", "scheduler", "triggerer")},
        "logs.persistence.accessMode": "ReadWriteMany",
    },
    "every part": over(ON, {"apiServer.hpa.minReplicaCount": 2}),
    "Spark": SPARK,
}


@functools.cache
def _rendered(case: str) -> str:
    """Return the objects of a case as an installation makes them: each in its namespace."""
    chart = {"Spark": "spark", "the whole": "airspark"}.get(case, "airflow")
    objects = [item for item in yaml.safe_load_all(text(values(CASES[case]), chart=chart)) if item]
    for item in objects:
        item["metadata"].setdefault("namespace", "airspark")
    return str(yaml.safe_dump_all(objects))


@functools.cache
def _kube_score(case: str) -> list[tuple[str, str, str]]:
    """Return (check, object, what is said) of every critical finding."""
    command = [str(ensure("kube-score")), "score", "--output-format", "json", "--kubernetes-version", "v1.30"]
    # A CPU limit throttles a start-up that is all CPU; the shares of CPU follow the requests.
    command += ["--ignore-container-cpu-limit", "-"]
    done = subprocess.run(command, input=_rendered(case), capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return list(_critical(done.stdout))


def _critical(report: str) -> Iterator[tuple[str, str, str]]:
    for item in json.loads(report):
        for check in item["checks"] or []:
            if not check["skipped"] and check["grade"] <= CRITICAL:
                said = "; ".join(f"{comment['path']}: {comment['summary']}" for comment in check["comments"] or [])
                yield check["check"]["id"], item["object_meta"]["name"], said


@functools.cache
def _checkov(case: str) -> list[tuple[str, str, str]]:
    """Return (check, kind and name of the object, what is said) of every finding."""
    venv, lock = ROOT / ".build/scan", ROOT / "requirements/scan.txt"
    ready = venv / ".ready"
    if not ready.exists() or ready.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([ROOT / "scripts/venv.sh", sys.executable, venv, "scan"], check=True, cwd=ROOT)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as manifest:
        manifest.write(_rendered(case))
        manifest.flush()
        # Without the download of explanations from its vendor.
        options = ["--framework", "kubernetes", "--skip-download", "--output", "json", "--file", manifest.name]
        done = subprocess.run([venv / "bin/checkov", *options], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 0 and report["summary"]["parsing_errors"] == 0, done.stderr
    found = report["results"]["failed_checks"]
    return [(item["check_id"], item["resource"].replace(".airspark.", "/", 1), item["check_name"]) for item in found]


def _meant(finding: tuple[str, str, str], reasons: Reasons) -> bool:
    return any(finding[0] == check and re.fullmatch(objects, finding[1]) for check, objects in reasons)


SCANNERS: dict[str, tuple[Callable[[str], list[tuple[str, str, str]]], Reasons]] = {
    "checkov": (_checkov, ACCEPTED),
    "kube-score": (_kube_score, MEANT),
}


@pytest.mark.parametrize("scanner", sorted(SCANNERS))
@pytest.mark.parametrize("case", sorted(CASES))
def should_have_no_finding_without_a_reason(case: str, scanner: str) -> None:
    findings, reasons = SCANNERS[scanner]
    assert [finding for finding in findings(case) if not _meant(finding, reasons)] == []


@pytest.mark.parametrize("scanner", sorted(SCANNERS))
def should_need_every_reason(scanner: str) -> None:
    findings, reasons = SCANNERS[scanner]
    found = [finding for case in CASES for finding in findings(case)]
    unneeded = [reason for reason in reasons if not any(_meant(finding, {reason: ""}) for finding in found)]
    assert unneeded == [], "they are no findings any more"
