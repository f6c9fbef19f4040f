"""The zone of schedules and days: the one value of the chart, and days of 23 and 25 hours."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from pipelines import arrivals, defaults, retention

DAGS = Path(defaults.__file__).parents[1]
#: Zones, and the first day of eight in which the clock changes, if it does.
WEEKS = [
    ("Asia/Seoul", "2026-03-04"),
    ("UTC", "2026-03-04"),
    ("America/New_York", "2026-03-04"),
    ("America/New_York", "2026-10-28"),
    # at midnight, which one day then does not have
    ("America/Santiago", "2026-09-02"),
]


def in_zone(name: str | None, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside the DAGs with a zone in the environment."""
    environment = {key: value for key, value in os.environ.items() if key != "AIRSPARK_TIME_ZONE"}
    environment |= {"PYTHONPATH": str(DAGS)} | ({} if name is None else {"AIRSPARK_TIME_ZONE": name})
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (0, 15), (4, 0), (23, 59)])
@pytest.mark.parametrize(("zone", "first"), WEEKS)
def test_should_run_each_day_once_on_the_day_after_it(
    monkeypatch: pytest.MonkeyPatch, zone: str, first: str, hour: int, minute: int
) -> None:
    monkeypatch.setattr(defaults, "TIME_ZONE", zone)
    dag = DagSerialization.from_dict(DagSerialization.to_dict(DAG(dag_id="any", schedule=defaults.daily(hour, minute))))
    begin = pendulum.parse(first, tz=zone)
    restriction = TimeRestriction(begin.add(days=1), None, catchup=True)
    runs, last = [], None
    for _ in range(8):
        run = dag.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        runs.append(run)
        last = run.data_interval
    contexts = [
        {"params": {"date": None}, "data_interval_start": run.data_interval.start, "data_interval_end": run.data_interval.end}
        for run in runs
    ]
    wanted = [begin.add(days=number).to_date_string() for number in range(8)]
    assert [defaults.day_of(context) for context in contexts] == wanted
    due = [pendulum.instance(run.run_after).in_timezone(zone) for run in runs]
    assert [moment.to_date_string() for moment in due] == [begin.add(days=number + 1).to_date_string() for number in range(8)]
    assert all((moment.hour, moment.minute) in ((hour, minute), (hour + 1, minute), (1, 0)) for moment in due)


def test_should_schedule_every_dag_in_the_zone_of_the_environment() -> None:
    code = """
import json, os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["PYTHONPATH"])
assert not bag.import_errors, bag.import_errors
zones = {dag_id: getattr(dag.timetable, "timezone", None) for dag_id, dag in bag.dags.items()}
print(json.dumps({dag_id: str(getattr(zone, "name", zone)) for dag_id, zone in zones.items() if zone is not None}))
"""
    done = in_zone("America/New_York", code)
    assert done.returncode == 0, done.stderr[-2000:]
    zones = json.loads(done.stdout.splitlines()[-1])
    assert {"etl_daily", "access_log_daily", "maintenance", "clickstream_behaviour"} <= set(zones)
    assert set(zones.values()) == {"America/New_York"}


@pytest.mark.parametrize("name", [None, ""])
def test_should_take_days_for_those_of_utc_if_the_environment_names_no_zone(name: str | None) -> None:
    assert in_zone(name, "from pipelines import defaults; print(defaults.TIME_ZONE)").stdout == "UTC\n"


@pytest.mark.parametrize("name", ["Asia/Seul", "+09:00", "../../etc/passwd"])
def test_should_say_in_a_sentence_that_a_zone_is_misspelt(name: str) -> None:
    done = in_zone(name, "from pipelines import defaults")
    assert done.returncode and done.stderr.splitlines()[-1] == (
        f"ValueError: AIRSPARK_TIME_ZONE in the environment says {name!r}, which is not a time zone: set `global.timeZone` in "
        "the values to a name of the IANA time zone database, such as Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("zone", "day"), [("Asia/Seoul", "2026-03-09"), ("UTC", "2026-03-08"), ("America/New_York", "2026-03-08")]
)
def test_should_give_files_the_day_of_the_zone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, zone: str, day: str) -> None:
    moment = dt.datetime(2026, 3, 8, 23, 30, tzinfo=dt.UTC).timestamp()
    file = tmp_path / "file"
    file.touch()
    os.utime(file, (moment, moment))
    for module in (arrivals, retention):
        monkeypatch.setattr(module, "TIME_ZONE", zone)
    upload = SimpleNamespace(modified_ns=file.stat().st_mtime_ns)
    assert arrivals._written(upload) == day and retention._written(file).isoformat() == day


def test_should_tell_a_spark_application_its_zone_whichever_controller_runs_it() -> None:
    import spark_kubernetes

    assert spark_kubernetes.application()["spec"]["sparkConf"] == {
        "spark.sql.session.timeZone": "Asia/Seoul",
        "spark.kubernetes.driverEnv.AIRSPARK_TIME_ZONE": "Asia/Seoul",
        "spark.executorEnv.AIRSPARK_TIME_ZONE": "Asia/Seoul",
    }
