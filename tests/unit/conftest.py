"""The scripts are importable without an installation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from airspark import cluster


@pytest.fixture(autouse=True)
def without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a cluster that happens to run on this machine: it would fail where there is none."""
    monkeypatch.setattr(cluster, "kubeconfig", lambda: tmp_path / "no-cluster")
