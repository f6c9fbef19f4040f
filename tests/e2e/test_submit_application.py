"""`make submit` as a user calls it: an application that completes, one that fails, and manifests that are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from applications import PLATFORM, Application, load, remove
from conftest import ROOT, kubectl, make

EXAMPLE = ROOT / "manifests/examples/python-pi.yaml"

#: What the API server refuses.
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"drivr": {}}, 'unknown field "spec.drivr"'),
    ({"type": "Go"}, 'spec.type: Unsupported value: "Go"'),
    ({"driver": {"memory": "1.5g"}}, "driver.memory must be a whole number with a unit of Spark"),
)


def changed(folder: Path, name: str, **spec: object) -> str:
    """The example under another name, with a changed spec."""
    (manifest,) = load(EXAMPLE)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= spec
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(manifest))
    return str(file)


def test_should_show_states_and_the_drivers_log_and_run_an_ended_application_again(up: None, tmp_path: Path) -> None:
    file = changed(tmp_path, "submit-pi")
    for again in (False, True):
        done = make("submit", f"F={file}")
        assert done.returncode == 0, done.stderr
        assert "Pi is roughly 3.14159265" in done.stdout and "submit-pi has completed in " in done.stdout
        states = [line.split()[2] for line in done.stderr.splitlines() if " s  " in line]
        assert states[-1] == "COMPLETED" and "RUNNING" in states
        kept = re.search(r"The last run of submit-pi \(COMPLETED\) is kept: (\S+)\.yaml and \.log", done.stderr)
        assert bool(kept) is again
        if kept:
            assert "Pi is roughly 3.14159265" in (ROOT / f"{kept[1]}.log").read_text()
    for spec, said in (*REFUSED, ({"sparkConf": {"spark.kubernetes.namespace": "other"}}, "the controller refuses submit-pi: ")):
        done = make("submit", f"F={changed(tmp_path, 'submit-pi', **spec)}")
        assert done.returncode != 0 and said in done.stderr, done.stderr
    there = Application("submit-pi")
    assert there.object()["status"]["applicationState"]["state"] == "COMPLETED"
    assert "Pi is roughly 3.14159265" in kubectl("logs", "submit-pi-driver", "--container", "spark-kubernetes-driver")
    remove("submit-pi", PLATFORM)


def test_should_end_with_the_reason_if_the_application_fails(up: None, tmp_path: Path) -> None:
    done = make("submit", f"F={changed(tmp_path, 'submit-fails', arguments=['--steps', '0'])}")
    assert done.returncode != 0
    assert "✗ submit-fails has failed: The driver failed with exit code 2: " in done.stderr
    assert "must hold" in done.stderr and "describe sparkapp submit-fails" in done.stderr
    assert "Traceback" not in done.stderr
    remove("submit-fails", PLATFORM)


@pytest.mark.parametrize(("spec", "said"), REFUSED)
def test_should_say_what_the_api_server_says_if_it_refuses_a_manifest(
    up: None, tmp_path: Path, spec: dict[str, object], said: str
) -> None:
    done = make("submit", f"F={changed(tmp_path, 'submit-refused', **spec)}")
    assert done.returncode != 0 and said in done.stderr, done.stderr
    assert not Application("submit-refused").object()


def test_should_name_an_example_if_the_file_is_not_there(up: None) -> None:
    done = make("submit", "F=no-such.yaml")
    assert done.returncode != 0
    assert "✗ no-such.yaml cannot be read: No such file or directory" in done.stderr and "make submit F=" in done.stderr
