"""The exporter's mappings in the real exporter, fed with what Airflow sends."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from batches import Paths, values
from rendering import CHARTS, find, render
from test_metrics import dashboard, rules

from airspark import images
from airspark.console import step
from airspark.forward import free_port

SENT = Path(__file__).with_name("airflow.statsd").read_text().splitlines()[1:]
Samples = dict[tuple[str, str], float]
Send = Callable[[list[str]], Samples]
METRIC = re.compile(r"\bairflow_\w+")


@pytest.fixture(scope="session")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exporter that the image holds."""
    folder = tmp_path_factory.mktemp("exporter")
    with step("statsd-exporter", "Compile the statsd exporter") as current:
        images.compile_go(images.STATSD_EXPORTER, folder, current)
    return folder / "statsd_exporter"


def read(port: int) -> Samples:
    """Return what the exporter shows, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    found: Samples = {}
    for line in lines:
        if match := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
            found[match[1], match[2] or ""] = float(match[3])
    return found


def run(exporter: Path, folder: Path, sent: list[str], changes: Paths | None = None) -> Samples:
    """Start the exporter with the chart's mappings, send lines over UDP, and return what it then shows."""
    objects = render(values({"statsd.enabled": True, **(changes or {})}), chart="airflow")
    mappings = folder / "mappings.yml"
    mappings.write_text(find(objects, "ConfigMap", "airspark-statsd")["data"]["mappings.yml"])
    scrape, ingest = free_port(), free_port()
    process = subprocess.Popen(
        [exporter, f"--statsd.mapping-config={mappings}", f"--web.listen-address=127.0.0.1:{scrape}",
         f"--statsd.listen-udp=127.0.0.1:{ingest}", "--statsd.listen-tcp=", "--statsd.event-flush-interval=10ms"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait(lambda: read(scrape) is not None, process)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in sent:
                sender.sendto(line.encode(), ("127.0.0.1", ingest))
        wait(lambda: handled(read(scrape)) >= len(sent), process)
        return read(scrape)
    finally:
        process.terminate()
        process.communicate()


def handled(samples: Samples) -> float:
    """Return how many events the exporter has mapped, dropped or refused."""
    names = ("statsd_exporter_events_actions_total", "statsd_exporter_events_unmapped_total")
    return sum(value for (name, _), value in samples.items() if name in names)


def wait(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds of a running exporter."""
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1] if process.poll() else "30 s"
        try:
            if holds():
                return
        except urllib.error.URLError:
            pass  # it does not listen yet
        time.sleep(0.02)


@pytest.fixture(scope="module")
def shown(exporter: Path, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """What the exporter shows of all that Airflow sends."""
    return run(exporter, tmp_path_factory.mktemp("mappings"), SENT)


def names(samples: Samples) -> set[str]:
    """Return the names of Airflow's metrics."""
    return {name for name, _ in samples if name.startswith("airflow_")}


def should_make_every_metric_that_alerts_dashboard_and_documentation_name(shown: Samples) -> None:
    asked = [rule["expr"] for rule in rules().values()]
    histograms = {name.removesuffix("_sum") for name in names(shown) if name.endswith("_sum")}
    documented = set(METRIC.findall((CHARTS.parent / "docs/observability.md").read_text()))
    assert documented <= names(shown) | histograms, sorted(documented - names(shown) - histograms)
    asked += [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    wanted = {name for text in asked for name in METRIC.findall(text) if f":{name}" not in text}
    assert len(wanted) > 30
    assert wanted <= names(shown), sorted(wanted - names(shown))


def should_turn_every_tag_into_a_label_and_keep_dots(shown: Samples) -> None:
    assert shown["airflow_ti_finish_total", 'dag_id="probe.dag",state="success",task_id="wait"'] == 1
    assert shown["airflow_pool_open_slots", 'pool_name="default_pool"'] == 126
    assert shown["airflow_dagrun_duration_seconds_sum", 'dag_id="probe.dag",run_type="scheduled",state="success"'] == 3.5211


def should_name_units_as_prometheus_does(shown: Samples) -> None:
    kinds: dict[str, set[str]] = {"g": set(), "c": set(), "ms": set()}
    for line in SENT:
        kinds[line.rpartition("|")[2]].add(re.split(r"[,:]", line)[0].replace(".", "_").replace("-", "_"))
    dropped = {"airflow_dag_processing_processes", "airflow_dagrun_probe_dag_first_task_scheduling_delay"}
    assert {f"{name}_total" for name in kinds["c"] - dropped} <= names(shown)
    timers = {re.sub("_(success|failed)$", "", name) for name in kinds["ms"] - dropped}
    assert {f"{name}_seconds_bucket" for name in timers} <= names(shown)
    gauges = {re.sub("parse_time$", "parse_time_seconds", name) for name in kinds["g"]}
    assert gauges <= names(shown)
    assert not {name for name in names(shown) if any(name.startswith(gone) for gone in dropped)}


def should_count_milliseconds_as_seconds_and_seconds_as_they_are(shown: Samples) -> None:
    assert shown["airflow_task_duration_seconds_sum", 'dag_id="probe.dag",task_id="bad"'] == pytest.approx(0.34455)
    last = ("airflow_dag_processing_last_duration_seconds_sum", 'bundle_name="dags-folder",file_name="probe"')
    assert shown[last] == pytest.approx(0.264565)


def should_leave_nothing_unmapped_and_refuse_nothing(shown: Samples) -> None:
    assert shown["statsd_exporter_events_unmapped_total", ""] == 0
    assert not [key for key in shown if key[0] in ("statsd_exporter_events_error_total", "statsd_exporter_events_conflict_total")]


LEGACY = [
    "airflow.ti.finish.a_dag.a_task.success:1|c",
    "airflow.dag.a_dag.a_task.duration:7|ms",
    "airflow.pool.open_slots.a_pool:3|g",
    "airflow.dagrun.duration.success.a_dag:7|ms",
    "airflow.operator_failures_BashOperator:1|c",
    "airflow.dag_processing.last_duration.bundle.file:7|ms",
]


def should_drop_names_with_dag_and_task_in_them_unless_statsd_extramappings_take_them(exporter: Path, tmp_path: Path) -> None:
    mapping = {
        "match": "airflow.ti.finish.*.*.*",
        "name": "mine_total",
        "labels": {"dag_id": "$1", "task_id": "$2", "state": "$3"},
    }
    found = run(exporter, tmp_path, [*LEGACY, "airflow.dag.callback_exceptions:1|c"], {"statsd.extraMappings": [mapping]})
    assert found["mine_total", 'dag_id="a_dag",state="success",task_id="a_task"'] == 1
    assert names(found) == {"airflow_dag_callback_exceptions_total"}


def should_do_what_it_is_told_alone_if_statsd_overridemappings_is_set(exporter: Path, tmp_path: Path) -> None:
    mapping = {"match": "airflow.pool.open_slots.*", "name": "open", "labels": {"pool": "$1"}}
    found = run(exporter, tmp_path, LEGACY[2:4], {"statsd.overrideMappings": [mapping]})
    assert found["open", 'pool="a_pool"'] == 3
    assert "airflow_dagrun_duration_success_a_dag_count" in names(found)


def should_map_another_prefix_to_the_same_names_if_config_metrics_statsd_prefix_is_set(exporter: Path, tmp_path: Path) -> None:
    sent = ["etl.team.scheduler_heartbeat:1|c", "etl.team.dag_processing.processes,action=start:1|c"]
    assert names(run(exporter, tmp_path, sent, {"config.metrics.statsd_prefix": "etl.team"})) == {
        "airflow_scheduler_heartbeat_total"
    }
