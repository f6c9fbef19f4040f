"""Airflow's home for the DAG tests: a new folder, no examples, no database."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME
# The zone that the umbrella chart sets by default, and that the tests' rows are of.
os.environ["AIRSPARK_TIME_ZONE"] = "Asia/Seoul"
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{_HOME}/airflow.db"
DAGS = Path(__file__).resolve().parents[2] / "dags"
sys.path.insert(0, str(DAGS))
# In the image they are where pipelines.defaults says.
sys.path.append(str(DAGS.parent / "spark-apps"))
