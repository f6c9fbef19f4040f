"""What a real API server says to manifests of SparkApplications: accepted and kept, or refused with a sentence."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airspark import tools
from airspark.charts import crds
from airspark.project import NAMESPACE, ROOT, kubeconfig

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "admission.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((ROOT / "tests/operator/every-field.yaml").read_text()))
ACCEPTED, REFUSED = (
    [
        pytest.param(kind, case, id=f"{kind}: {case['title']}")
        for kind, cases in TABLE.items()
        for case in cases
        if ("say" in case) is refused
    ]
    for refused in (False, True)
)

#: What is required and nothing more, by kind.
APPLICATION = {"type": "Python", "sparkVersion": "4.2.1", "mainApplicationFile": "local:///a.py", "driver": {}, "executor": {}}
SPECS: dict[str, Any] = {
    "SparkApplication": APPLICATION,
    "ScheduledSparkApplication": {"schedule": "@hourly", "template": APPLICATION},
}


def run(*words: str, manifest: Any = None) -> subprocess.CompletedProcess[str]:
    """Call kubectl in the platform's namespace, whatever it exits with."""
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE, *words]
    text = "" if manifest is None else json.dumps(manifest)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)


def ok(*words: str, manifest: Any = None) -> str:
    """Call kubectl and return what it prints."""
    done = run(*words, manifest=manifest)
    assert done.returncode == 0, done.stderr
    return done.stdout


def laid_over(below: Any, above: Any) -> Any:
    """Return one value laid over another, key by key; a null of a required field takes it away."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = below | {key: laid_over(below.get(key), value) for key, value in above.items()}
    return {key: value for key, value in merged.items() if not (value is None and below.get(key) is not None)}


def manifest(kind: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a case."""
    metadata = {"name": "admission"} | case.get("metadata", {})
    spec = laid_over(SPECS[kind], case.get("spec", {}))
    return {"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": kind, "metadata": metadata, "spec": spec}


def at(node: Any, path: str) -> Any:
    """Return what is at a dotted path, None where there is nothing."""
    for key in path.split("."):
        node = node[int(key)] if isinstance(node, list) else (node or {}).get(key)
    return node


@pytest.fixture(scope="module")
def served(up: None) -> Iterator[None]:
    """The definitions of this working tree, served by the API server."""
    ok("apply", "--server-side", "--force-conflicts", "--filename", str(crds.FOLDER))
    names = ["sparkapplications", "scheduledsparkapplications"]
    ok("wait", "--for=condition=Established", *(f"crd/{name}.{crds.GROUP}" for name in names), "--timeout=30s")
    yield


def dry_run(document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Create an object as far as the API server would store it."""
    words = ("create", "--dry-run=server", "--validate=false", "--filename", "-", "--output", "json")
    return run(*words, manifest=document)


@pytest.mark.parametrize(("kind", "case"), ACCEPTED)
def should_be_accepted_if_it_can_run(served: None, kind: str, case: dict[str, Any]) -> None:
    done = dry_run(manifest(kind, case))
    assert done.returncode == 0, done.stderr
    stored = json.loads(done.stdout)
    assert {path: at(stored, path) for path in case.get("keep", {})} == case.get("keep", {})
    assert [path for path in case.get("gone", []) if at(stored, path) is not None] == []


@pytest.mark.parametrize(("kind", "case"), REFUSED)
def should_be_refused_with_a_sentence_if_it_cannot_run(served: None, kind: str, case: dict[str, Any]) -> None:
    done = dry_run(manifest(kind, case))
    assert done.returncode != 0, "accepted"
    assert case["say"] in done.stderr


def should_be_accepted_if_it_has_far_more_volumes_and_ports_than_people_use(served: None) -> None:
    names = [f"volume-{n}" for n in range(200)]
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in names]
    ports = [{"servicePort": n, "servicePortName": f"p{n}", "ingressURLFormat": f"p{n}.example.com"} for n in range(1, 51)]
    spec = {
        "volumes": [{"name": name, "emptyDir": {}} for name in names],
        "driver": {"volumeMounts": mounts},
        "executor": {"volumeMounts": mounts},
        "driverIngressOptions": ports,
        "sparkConf": {f"spark.example.{n}": "x" * 200 for n in range(1000)},
    }
    done = dry_run(manifest("SparkApplication", {"spec": spec}))
    assert done.returncode == 0, done.stderr


def should_merge_lists_if_two_apply_a_part_each(served: None) -> None:
    # where no controller looks after it
    elsewhere = ("--namespace", "default")

    def apply(manager: str, name: str) -> dict[str, Any]:
        volume, mount = {"name": name, "emptyDir": {}}, {"name": name, "mountPath": f"/{name}"}
        driver = {"env": [{"name": name.upper(), "value": manager}], "volumeMounts": [mount]}
        spec = {"suspend": True, "volumes": [volume], "driver": driver}
        document = manifest("SparkApplication", {"metadata": {"name": "admission-merged"}, "spec": spec})
        words = ("apply", *elsewhere, "--server-side", f"--field-manager={manager}", "--filename", "-", "--output", "json")
        stored: dict[str, Any] = json.loads(ok(*words, manifest=document))
        return stored

    ok("delete", *elsewhere, "sparkapp", "admission-merged", "--ignore-not-found")
    try:
        apply("one", "a")
        spec = apply("two", "b")["spec"]
        assert [volume["name"] for volume in spec["volumes"]] == ["a", "b"]
        assert {entry["name"]: entry["value"] for entry in spec["driver"]["env"]} == {"A": "one", "B": "two"}
        assert [mount["mountPath"] for mount in spec["driver"]["volumeMounts"]] == ["/a", "/b"]
    finally:
        ok("delete", *elsewhere, "sparkapp", "admission-merged", "--ignore-not-found")


def should_be_applied_by_a_plain_apply_if_nobody_thinks_of_the_server_side(served: None) -> None:
    # without --server-side the whole definition has to fit into an annotation
    assert "configured (server dry run)" in ok("apply", "--dry-run=server", "--filename", str(crds.FOLDER))


@pytest.mark.parametrize("document", MANIFESTS, ids=lambda document: document["metadata"]["name"])
def should_keep_every_field_if_a_manifest_uses_them_all(served: None, document: dict[str, Any]) -> None:
    stored = json.loads(
        ok("create", "--dry-run=server", "--validate=strict", "--filename", "-", "--output", "json", manifest=document)
    )
    assert stored["spec"] == document["spec"]


def should_tell_state_attempts_reason_and_age_if_applications_are_listed(served: None) -> None:
    # where no controller looks after it
    elsewhere = ("--namespace", "default")
    document = manifest("SparkApplication", {"metadata": {"name": "admission-listed"}, "spec": {"suspend": True}})
    ok("delete", *elsewhere, "sparkapp", "admission-listed", "--ignore-not-found")
    ok("create", *elsewhere, "--filename", "-", manifest=document)
    try:
        status = {
            "applicationState": {"state": "FAILED", "errorMessage": "The driver ran out of memory"},
            "executionAttempts": 3,
            "reason": "OOMKilled",
            "lastSubmissionAttemptTime": "2026-02-01T02:00:00Z",
            "specHash": "abc",
            "executorCounts": {"RUNNING": 2},
            "conditions": [{"type": "Ready", "status": "False", "reason": "OOMKilled", "message": "it did"}],
        }
        ok(
            "patch",
            *elsewhere,
            "sparkapp",
            "admission-listed",
            "--subresource=status",
            "--type=merge",
            "--patch",
            json.dumps({"status": status}),
        )
        heads, values = ok("get", *elsewhere, "sparkapp", "admission-listed").splitlines()
        assert heads.split() == ["NAME", "STATE", "ATTEMPTS", "REASON", "START", "FINISH", "AGE"]
        assert values.split()[:5] == ["admission-listed", "FAILED", "3", "OOMKilled", "2026-02-01T02:00:00Z"]
        wide = ok("get", *elsewhere, "sparkapp", "admission-listed", "--output", "wide")
        assert "SUSPEND" in wide and "The driver ran out of memory" in wide
        stored = json.loads(ok("get", *elsewhere, "sparkapp", "admission-listed", "--output", "json"))["status"]
        assert stored == status
    finally:
        ok("delete", *elsewhere, "sparkapp", "admission-listed")


def should_leave_the_status_alone_if_the_object_itself_is_patched(served: None) -> None:
    document = manifest("SparkApplication", {"metadata": {"name": "admission-status"}, "spec": {"suspend": True}})
    ok("delete", "sparkapp", "admission-status", "--ignore-not-found")
    ok("create", "--filename", "-", manifest=document | {"status": {"reason": "Forged"}})
    try:
        stored = json.loads(ok("get", "sparkapp", "admission-status", "--output", "json"))
        assert stored.get("status", {}).get("reason") != "Forged"
    finally:
        ok("delete", "sparkapp", "admission-status")
