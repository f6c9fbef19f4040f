"""Revisions of images: what counts as a change of a pod's image, and what does not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airspark import images, revisions
from airspark.project import ROOT

AIRFLOW = images.IMAGES["airflow"]


def known(layers: list[str], env: list[str] | None = None, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """What `docker image inspect` says of an image."""
    return {"RootFS": {"Layers": layers}, "Config": {"Env": env or ["PATH=/bin"], "Labels": labels or {}, "User": "50000:0"}}


def revision(layers: list[str], **more: Any) -> str:
    return revisions.runtime(AIRFLOW, known(layers, **more))


def test_should_stay_if_only_applications_or_dags_changed() -> None:
    assert revision(["base", "python", "apps", "dags"]) == revision(["base", "python", "other apps", "other dags"])


def test_should_change_if_a_layer_below_them_changed() -> None:
    assert revision(["base", "python", "apps", "dags"]) != revision(["base", "other python", "apps", "dags"])


def test_should_change_with_the_environment_and_not_with_the_commit_or_labels() -> None:
    layers = ["base", "python", "apps", "dags"]
    first = revision(layers, env=["PATH=/bin", "AIRSPARK_REVISION=1"], labels={"a": "b"})
    assert revision(layers, env=["PATH=/bin", "AIRSPARK_REVISION=2"], labels={"a": "c"}) == first
    assert revision(layers, env=["PATH=/usr/bin", "AIRSPARK_REVISION=1"]) != first


def test_should_give_dags_a_revision_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(dags: str, apps: str) -> dict[str, str]:
        labels = {"io.airspark.dags-hash": dags, "io.airspark.spark-apps-hash": apps}
        answers = {image.tag: known(["base", apps, dags], labels=labels) for image in images.LOADED}
        monkeypatch.setattr(revisions, "inspect", lambda image: answers.get(image.tag))
        return revisions.revisions()

    before = found("d1", "a1")
    assert set(before) == {"airflow", "dags", "operator", "postgresql", "spark"}
    changed = {name for name, text in found("d2", "a1").items() if text != before[name]}
    # Two images of this fake have no code: all of their layers count.
    assert changed == {"dags", "operator", "postgresql"}


def test_should_hand_revisions_over_as_texts() -> None:
    assert list(revisions.helm_settings({"spark": "00120000"})) == ["--set-string", "global.imageRevisions.spark=00120000"]


@pytest.mark.parametrize("name", [name for name, image in images.IMAGES.items() if image.code])
def test_should_find_code_in_the_last_layers_of_the_dockerfile(name: str) -> None:
    image = images.IMAGES[name]
    stage = (ROOT / image.source / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    layers = re.findall(r"^(?:RUN|COPY|ADD|WORKDIR) .*", stage, re.MULTILINE)
    folders = [re.fullmatch(r"COPY --from=code /code/(\S+)/ /opt/airflow/\1/", line) for line in layers[-len(image.code) :]]
    assert [match and match[1] for match in folders] == list(image.code)
    assert not any("/code/" in line for line in layers[: -len(image.code)])


def test_should_not_build_again_for_code_alone_if_the_checkout_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = images.labels(AIRFLOW) | {images.LABEL: "older", "io.airspark.dags-hash": "older"}
    monkeypatch.setattr(images, "image_label", lambda tag, label: labels.get(label))
    assert not images.is_built(AIRFLOW)
    assert images.is_built(AIRFLOW, code=False)
    labels[images.RUNTIME_LABEL] = "older"
    assert not images.is_built(AIRFLOW, code=False)
