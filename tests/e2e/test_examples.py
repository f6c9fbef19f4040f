"""manifests/examples: those marked `# run: live` run on the platform as they are, the others pass admission."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from applications import PLATFORM, Application, kubectl, load, remove
from conftest import ROOT

from airspark import tools
from airspark.project import kubeconfig

FILES = sorted((ROOT / "manifests/examples").glob("*.yaml"))
SECONDS = 420


def apply(file: Path, *words: str) -> str:
    """Apply a manifest as the comments in it say; returns what kubectl says."""
    command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "--namespace", PLATFORM, "apply", *words]
    done = subprocess.run([*command, "--filename", str(file)], text=True, capture_output=True, check=False)
    return done.stdout + done.stderr


def run(file: Path) -> str:
    """Run an example to its end; returns what is wrong, if anything."""
    (manifest,) = load(file)
    app = Application(manifest["metadata"]["name"])
    remove(app.name, PLATFORM)
    said = apply(file)
    if "created" not in said:
        return f"{file.name}: {said}"
    try:
        status = app.reach("COMPLETED", seconds=SECONDS)
    except AssertionError as problem:
        return f"{file.name}: {problem}"
    if "ignoredFields" in status:
        return f"{file.name}: {status['ignoredFields']} are not acted on"
    wanted = "42" if app.name == "scala-sql" else "Pi is roughly 3.14159"
    if wanted not in app.log():
        return f"{file.name}: its log has no {wanted!r}"
    remove(app.name, PLATFORM)
    return ""


@pytest.mark.long
def test_should_run_as_they_are(up: None) -> None:
    live = [file for file in FILES if file.read_text().startswith("# run: live")]
    # one after the other: beside the platform, a small node has room for one driver and its executors
    problems = [problem for problem in map(run, live) if problem]
    assert len(live) >= 8 and not problems, "\n".join(problems)


def test_should_pass_admission_without_a_warning(up: None) -> None:
    for file in FILES:
        said = apply(file, "--dry-run=server", "--validate=strict")
        assert said.rstrip().endswith("(server dry run)") and "Warning" not in said, f"{file.name}: {said}"


def test_should_tell_when_the_schedule_runs_next(up: None) -> None:
    file = ROOT / "manifests/examples/scheduled.yaml"
    try:
        assert "created" in apply(file) or "configured" in apply(file)
        kubectl(PLATFORM, "wait", "scheduledsparkapplication/nightly", "--for=jsonpath={.status.scheduleState}=Scheduled")
        told = kubectl(PLATFORM, "get", "scheduledsparkapplication", "nightly", "--output", "jsonpath={.status.nextRun}")
        assert told.endswith(("T01:00:00Z", "T00:00:00Z")), f"two in Berlin is {told}"
    finally:
        kubectl(PLATFORM, "delete", "scheduledsparkapplication", "nightly", "--ignore-not-found")
