"""Images: what decides a rebuild, and which layers travel to a node."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from airspark import images
from airspark.hashing import content_hash


def archive(names: dict[str, bytes]) -> io.BytesIO:
    """A tar archive in memory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            writer.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    return buffer


def test_should_name_the_first_snapshot_like_its_layer_and_chain_the_others() -> None:
    expected = "sha256:" + hashlib.sha256(b"sha256:aa sha256:bb").hexdigest()
    assert images.chain_ids(["sha256:aa", "sha256:bb"]) == ["sha256:aa", expected]


def test_should_leave_out_only_the_layers_that_the_node_has() -> None:
    target = io.BytesIO()
    source = archive({"blobs/sha256/aa": b"x" * 100, "blobs/sha256/bb": b"y" * 10, "index.json": b"{}"})
    seen, copied = images.filter_archive(source, target, {"aa"})
    target.seek(0)
    with tarfile.open(fileobj=target) as reader:
        assert reader.getnames() == ["blobs/sha256/bb", "index.json"]
        assert reader.extractfile("blobs/sha256/bb").read() == b"y" * 10  # type: ignore[union-attr]
    assert (seen, copied) == (112, 12)


def test_should_send_a_layer_that_the_node_has_in_another_place_only() -> None:
    empty, base, own = "sha256:ee", "sha256:aa", "sha256:bb"
    there = set(images.chain_ids([base, empty]))
    assert images.unneeded([[base, empty]], there) == {"aa", "ee"}
    assert images.unneeded([[base, empty, own, empty]], there) == {"aa"}
    assert images.unneeded([[base, empty], [base, own]], there) == {"aa", "ee"}


def test_should_build_children_anew_if_a_parent_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in images.IMAGES:
        (tmp_path / images.IMAGES[name].source).mkdir(parents=True, exist_ok=True)
        (tmp_path / images.IMAGES[name].source / "Dockerfile").write_text("FROM parent")
    for name in ("dags", "spark-apps"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(images, "ROOT", tmp_path)
    before = {name: images.image_hash(image) for name, image in images.IMAGES.items()}
    (tmp_path / "images/spark/Dockerfile").write_text("FROM another")
    after = {name: images.image_hash(image) for name, image in images.IMAGES.items()}
    assert {name for name in before if before[name] != after[name]} == {"spark-runtime", "spark", "airflow"}


def test_should_change_the_hash_if_a_file_is_renamed_but_not_for_bytecode(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    first = content_hash([folder])
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/a.pyc").write_text("cached")
    assert content_hash([folder]) == first
    (folder / "a.py").rename(folder / "b.py")
    assert content_hash([folder]) != first


def test_should_take_the_site_bundle_first_and_survive_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "site.pem"
    bundle.write_text("certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert images.ca_bundle() == bundle
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(images, "SYSTEM_BUNDLES", ())
    assert images.ca_bundle() is None
