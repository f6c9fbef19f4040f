"""manifests/examples: each is valid, builds, says whether it runs, and together they show every field."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it brings no stubs
import pytest
import yaml
from builders import DEFAULTS
from test_crds import DEFINITIONS, FIELDS, root, strict

from airspark.project import ROOT, versions
from airspark_operator import build, submission, unsupported, validate

FOLDER = ROOT / "manifests/examples"
FILES = sorted(FOLDER.glob("*.yaml"))
DOCUMENTS = {path: yaml.safe_load(path.read_text()) for path in FILES}
#: Fields that no example shows, and why.
NOT_SHOWN = {
    "spec.proxyUser": "wants Hadoop's impersonation",
    "spec.labels": "Airflow writes it",
    "spec.failureRetries": "not acted on",
    "spec.retryInterval": "not acted on",
    "driver.podName": "Airflow finds no driver by another name",
    "driver.kubernetesMaster": "the cluster's own address is right",
    "driver.image": "executor.image is shown",
    "driver.affinity": "executor.affinity is shown",
    "driver.tolerations": "executor.tolerations is shown",
    "executor.serviceAccount": "executors need none",
    "driver.hostNetwork": "refused: a job shares nothing of its node",
    "executor.hostNetwork": "refused: a job shares nothing of its node",
    "executor.memoryLimit": "not acted on",
    "executor.ports": "not acted on",
}

pytestmark = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@cache
def validator(kind: str) -> Any:
    """A validator of a kind's spec."""
    return jsonschema.Draft202012Validator(strict(root(kind)["properties"]["spec"]))


def spec(path: Path) -> dict[str, Any]:
    """The SparkApplication's spec, of a schedule its template."""
    found: dict[str, Any] = DOCUMENTS[path]["spec"]
    template: dict[str, Any] = found.get("template", found)
    return template


def test_should_be_valid_without_a_field_that_the_api_does_not_know(path: Path) -> None:
    document = DOCUMENTS[path]
    validator(document["kind"]).validate(document["spec"])
    assert document["kind"] in DEFINITIONS


def test_should_be_built_with_every_field_acted_on(path: Path) -> None:
    metadata = {"name": DOCUMENTS[path]["metadata"]["name"], "namespace": "airspark", "uid": "u"}
    app = {"metadata": metadata | {"labels": DOCUMENTS[path]["metadata"].get("labels", {})}, "spec": spec(path)}
    assert validate.problem(app) is None
    assert build.objects(app, submission.submission(app, 0, 1), DEFAULTS)[-1]["kind"] == "Pod"
    assert unsupported.ignored(spec(path), DEFAULTS) == []


def test_should_say_first_whether_it_runs_here_and_then_what_it_shows(path: Path) -> None:
    first, second, *_ = path.read_text().splitlines()
    assert re.fullmatch(r"# run: (live|scheduled|validated, because .+)", first)
    assert re.match(r"# [A-Z].{20,}", second)


def test_should_use_the_versions_of_the_platform(path: Path) -> None:
    assert spec(path)["sparkVersion"] == versions()["SPARK_VERSION"]
    if "registry.example.org" not in spec(path)["image"]:
        assert spec(path)["image"] == f"airspark/spark:{versions()['AIRSPARK_VERSION']}"


def test_should_show_every_field_in_some_example(path: Path) -> None:
    if path != FILES[0]:
        return
    wanted = {f"spec.{name}" for name in FIELDS["spec"]}
    wanted |= {f"{role}.{name}" for role in ("driver", "executor") for name in [*FIELDS["shared"], *FIELDS[role]]}
    shown = {f"spec.{name}" for file in FILES for name in spec(file)}
    shown |= {f"{role}.{name}" for file in FILES for role in ("driver", "executor") for name in spec(file)[role]}
    assert wanted - shown == set(NOT_SHOWN) - {"spec.labels"}
    assert len([file for file in FILES if file.read_text().startswith("# run: live")]) >= 8
