"""Fixtures of the Spark applications' tests: one local Spark session for all of them."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The zone that the umbrella chart sets by default, and that the tests' rows are of.
os.environ["AIRSPARK_TIME_ZONE"] = "Asia/Seoul"
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "spark-apps")]

from sales_cases import DAY, SHORT_LIVED  # noqa: E402  (the line above makes it importable)

if TYPE_CHECKING:
    from batch import Rows
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A Spark session on two local cores, with the application's own settings."""
    import batch
    from pyspark.sql import SparkSession

    os.umask(0o002)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    own = {
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for key, value in {**own, **batch.CONF}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def on_shared_session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> SparkSession:
    """Have the applications run on the shared session, whose settings are theirs."""
    import batch

    monkeypatch.setattr(batch, "session", lambda conf=None: contextlib.nullcontext(spark))
    return spark


@pytest.fixture
def etl(on_shared_session: SparkSession) -> Callable[..., Rows]:
    """Run the application's own run() on the shared session: etl(input_folder, output, max_reject_share)."""
    import sales_etl
    import sales_input

    def run(folder: Path, output: Path, max_reject_share: float = 0.10, date: dt.date = DAY) -> Rows:
        return sales_etl.run(sales_input.check(str(folder), date), date, str(output), max_reject_share)

    return run


@pytest.fixture
def sales(tmp_path: Path) -> Callable[..., Path]:
    """Write one day's file from lines: sales(line, …) returns its folder."""
    import sales_input

    def write(*lines: str | bytes, header: str | None = ",".join(sales_input.COLUMNS)) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        encoded = [line if isinstance(line, bytes) else line.encode() for line in ([header] if header else [])]
        encoded += [line if isinstance(line, bytes) else line.encode() for line in lines]
        (folder / "sales_2026-01-15.csv").write_bytes(b"".join(line + b"\n" for line in encoded))
        return folder

    return write
