"""The same application, submitted in every way, leaves the same bytes."""

from __future__ import annotations

import pytest
from applications import PLATFORM, Application, load, remove, send
from conftest import ROOT, WAYS_DAY, Configured, checksums, run_day
from test_configured import log, run, state

from airspark.demo import generate

pytestmark = pytest.mark.long
STAGE = 2
OUTPUT = "/opt/airflow/output"


@pytest.fixture(scope="module")
def submitted(configured: Configured) -> str:
    """What etl_daily leaves, whose task calls spark-submit on the standalone cluster."""
    # Not by `make demo`, which takes the release back to the user's values.
    generate(WAYS_DAY, 20_000, seed=7)
    assert run_day(configured.airflow, WAYS_DAY)[1] == "success"
    return checksums(WAYS_DAY)


def test_should_leave_the_same_bytes_over_spark_connect(configured: Configured, submitted: str) -> None:
    run_id = run(configured.airflow, "live_over_connect", date=WAYS_DAY, output=f"{OUTPUT}/over-connect")
    said = log(configured.airflow, "live_over_connect", run_id, "submit")
    assert state(configured.airflow, "live_over_connect", run_id) == "success", said[-3000:]
    assert checksums(WAYS_DAY, f"{OUTPUT}/over-connect") == submitted


def test_should_leave_the_same_bytes_as_a_spark_application(up: None, submitted: str) -> None:
    (manifest,) = load(ROOT / "manifests/examples/sales-etl.yaml")
    manifest["spec"]["arguments"] = ["--date", WAYS_DAY, "--output", f"{OUTPUT}/as-application"]
    app = Application(manifest["metadata"]["name"])
    remove(app.name, PLATFORM)
    said = send(manifest, "apply", "--namespace", PLATFORM)
    assert "created" in said, said
    app.reach("COMPLETED", seconds=420)
    assert checksums(WAYS_DAY, f"{OUTPUT}/as-application") == submitted
    remove(app.name, PLATFORM)


def test_should_run_pi_over_spark_connect(configured: Configured) -> None:
    run_id = run(configured.airflow, "spark_connect")
    assert state(configured.airflow, "spark_connect", run_id) == "success"
    assert "Pi is roughly 3.14159265" in log(configured.airflow, "spark_connect", run_id, "submit")
