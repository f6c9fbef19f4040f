"""Faults of the installed Airflow: mended once, or the build ends in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images/airflow"))

from mend import FAULTS, Fault, mend

ONE = (Fault("airflow/x.py", "old()", "new()", "apache/airflow#1"),)


def _install(root: Path, text: str) -> Path:
    (root / "airflow").mkdir()
    (root / "airflow/x.py").write_text(text)
    return root


def test_should_mend_the_text_and_compile_the_file(tmp_path: Path) -> None:
    mend(_install(tmp_path, "a = 1\nold()\n"), ONE)
    assert (tmp_path / "airflow/x.py").read_text() == "a = 1\nnew()\n"
    assert list((tmp_path / "airflow/__pycache__").glob("x.*.pyc"))


@pytest.mark.parametrize(("text", "times"), [("nothing\n", 0), ("old()\nold()\n", 2)])
def test_should_end_the_build_if_the_text_is_not_there_once(tmp_path: Path, text: str, times: int) -> None:
    with pytest.raises(SystemExit, match=f"airflow/x.py has {times} times the text of apache/airflow#1 instead of once"):
        mend(_install(tmp_path, text), ONE)
    assert (tmp_path / "airflow/x.py").read_text() == text


def test_should_say_where_each_fault_is_known() -> None:
    assert all(fault.known.startswith("apache/airflow#") and fault.text != fault.mended for fault in FAULTS)
