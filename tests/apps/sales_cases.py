"""What the tests of the Spark applications share besides fixtures."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

APPS = Path(__file__).resolve().parents[2] / "spark-apps"
DAY = dt.date(2026, 1, 15)
GOOD = "1,2026-01-15T10:00:00+09:00,C1,P1,books,2,100.50,서울,web"
# Shares that give every kind of bad row a few rows in a small file.
SHARES = {
    "wrong_type": 0.02,
    "wrong_columns": 0.015,
    "out_of_range": 0.01,
    "not_utf8": 0.005,
    "duplicate": 0.02,
}
# Half the CPU time for a JVM that lives for seconds (30 s to 14 s for 30,000 rows, 2026-11-22).
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
