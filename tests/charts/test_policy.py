"""What kube-score thinks of the rendered charts: no critical finding, but those with a reason."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from batches import Paths, over, values
from leaves import ON
from rendering import text

from airspark.tools import ensure

CRITICAL = 1
#: Findings that are meant, by check and by the objects they may be about.
MEANT = {
    (
        "container-ephemeral-storage-request-and-limit",
        ".*",
    ): "a default cannot know logs and spills; set `limits`",
    ("container-image-pull-policy", ".*"): "tags are versions that never change, and a kind node has nothing to pull from",
    ("container-security-context-user-group-id", ".*"): "group 0 shares the claims between Airflow's user and Spark's, design 3",
    ("networkpolicy-targets-pod", ".*-worker-policy"): "the executor makes these pods at run time",
    ("pod-probes", ".*-triggerer"): "its Service only gives running triggers' logs an address, ready or not",
    ("pod-probes-identical", ".*-pgbouncer"): "its exporter answers or does not, there is nothing in between",
    ("pod-probes-identical", ".*-spark-history"): "its page answers or does not, there is nothing in between",
    ("statefulset-has-servicename", ".*-postgresql"): "one pod, reached by the Service's own address and never by its own name",
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
    "several pods of each": {
        **{f"{part}.replicas": 2 for part in ("apiServer", "dagProcessor", "scheduler", "triggerer")},
        "logs.persistence.accessMode": "ReadWriteMany",
    },
    "every part": over(ON, {"apiServer.hpa.minReplicaCount": 2}),
    "Spark": SPARK,
}


@functools.cache
def _findings(case: str) -> list[tuple[str, str, str]]:
    """Return (check, object, what is said) of every critical finding."""
    command = [str(ensure("kube-score")), "score", "--output-format", "json", "--kubernetes-version", "v1.30"]
    # A CPU limit throttles a start-up that is all CPU; the shares of CPU follow the requests.
    command += ["--ignore-container-cpu-limit", "-"]
    rendered = text(values(CASES[case]), chart="spark" if case == "Spark" else "airflow")
    done = subprocess.run(command, input=rendered, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return list(_critical(done.stdout))


def _critical(report: str) -> Iterator[tuple[str, str, str]]:
    for item in json.loads(report):
        for check in item["checks"] or []:
            if not check["skipped"] and check["grade"] <= CRITICAL:
                said = "; ".join(f"{comment['path']}: {comment['summary']}" for comment in check["comments"] or [])
                yield check["check"]["id"], item["object_meta"]["name"], said


@pytest.mark.parametrize("case", sorted(CASES))
def should_have_no_critical_finding_without_a_reason(case: str) -> None:
    unmeant = [
        finding
        for finding in _findings(case)
        if not any(finding[0] == check and re.fullmatch(objects, finding[1]) for check, objects in MEANT)
    ]
    assert not unmeant


def should_need_every_reason() -> None:
    found = [finding for case in CASES for finding in _findings(case)]
    for check, objects in MEANT:
        assert any(finding[0] == check and re.fullmatch(objects, finding[1]) for finding in found), (
            f"{check} is no finding any more"
        )
