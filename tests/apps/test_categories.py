"""The smallest application, as it is submitted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
from sales_cases import APPS, SHORT_LIVED


def test_should_count_the_rows_of_each_category(tmp_path: Path) -> None:
    source, target = tmp_path / "sales_2026-01-15.csv", tmp_path / "categories"
    source.write_text("order_id,category\n1,food\n2,food\n3,toys\n")
    own = {"MASTER": "local[1]", "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    own["PYSPARK_SUBMIT_ARGS"] = f"--driver-java-options '{SHORT_LIVED}' pyspark-shell"
    command = [sys.executable, str(APPS / "categories.py"), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own}, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = pyarrow.dataset.dataset(target, exclude_invalid_files=True).to_table().to_pylist()
    assert {row["category"]: row["rows"] for row in rows} == {"food": 2, "toys": 1}
