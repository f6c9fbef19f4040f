"""Every pipeline on the real cluster, on generated input of two days: what it leaves where its users look for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from conftest import cluster, kubectl, make, on_worker
from dag_runs import end, log_of, manifest_of, runs_since, start, why
from spark import wait

from airspark import sources
from airspark.airflow_api import Airflow

DAYS = ("2026-03-01", "2026-03-02")
DAY, ROWS = DAYS[-1], 2_000
OUTPUT = "/opt/airflow/output"
#: The DAGs that run for that day, at the same time: one that loads a warehouse, one that reads a database, one that
#: fills a search index. The others are long; each of them runs in its image in tests/dags, too.
RUNS = ("etl_daily", "db_extract", "access_log_daily")
MORE = ("csv_transform", "csv_bash", "classic_pipeline", "taskflow_pipeline", "api_ingest", "parallel_batches",
        "clickstream_behaviour")  # fmt: skip


def _sql(server: str, database: str, query: str) -> str:
    command = ["psql", "--host", "/tmp", "--no-align", "--tuples-only", database, "--command", query]
    return cluster.kubectl("--namespace", sources.SOURCES, "exec", f"deployment/{server}", "--", *command).strip()


@pytest.fixture(scope="module")
def airflow_with_sources(airflow: Airflow) -> Airflow:
    """Airflow, connected to a warehouse, a database, an API and an index, with input of those days."""
    for words in (("sources",), ("data", f"FROM={DAYS[0]}", f"TO={DAYS[-1]}", f"ROWS={ROWS}")):
        done = make(*words)
        assert done.returncode == 0, done.stderr
    return airflow


def _ended(airflow: Airflow, dags: Sequence[str]) -> Iterator[dict[str, str]]:
    """The id of one run of each DAG for DAY, ended well; DAGs that are off by default are off again afterwards."""
    try:
        started = {dag: start(airflow, dag, {"date": DAY}) for dag in dags}
        for dag, run_id in started.items():
            assert end(airflow, dag, run_id) == "success", f"{dag}: {why(airflow, dag, run_id)}"
        yield started
    finally:
        for dag in set(dags) - {"etl_daily"}:
            airflow.call("PATCH", f"/dags/{dag}", json={"is_paused": True})


@pytest.fixture(scope="module")
def runs(airflow_with_sources: Airflow) -> Iterator[dict[str, str]]:
    """The id of one run of each of RUNS."""
    yield from _ended(airflow_with_sources, RUNS)


@pytest.fixture(scope="module")
def more(airflow_with_sources: Airflow, runs: dict[str, str]) -> Iterator[dict[str, str]]:
    """The id of one run of each of MORE."""
    yield from _ended(airflow_with_sources, MORE)


def test_should_have_every_good_sale_in_the_warehouse_and_its_sum_in_the_mart(runs: Any) -> None:
    written = manifest_of(f"sales/date={DAY}")["rows_written"]
    query = f"SELECT count(*), sum(amount) FROM sales.fact_sales JOIN sales.dim_date USING (date_key) WHERE date = '{DAY}'"
    rows, revenue = _sql("warehouse", "warehouse", query).split("|")
    assert int(rows) == written > 0
    assert _sql("warehouse", "warehouse", f"SELECT sum(revenue) FROM mart.daily_sales WHERE date = '{DAY}'") == revenue


def test_should_have_the_sessions_of_the_logs_in_the_search_index(runs: Any) -> None:
    manifest = manifest_of(f"access_log/date={DAY}")
    sessions = sum(file["rows"] for file in manifest["files"] if file["name"].startswith("sessions/"))
    script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    # By the alias that readers ask, and of this day alone.
    address = f"http://search.{sources.SOURCES}:9200/access_log-sessions/_count?q=date:{DAY}"
    answer = json.loads(on_worker("python", "-c", script, address))
    assert answer["count"] == sessions > 0
    assert manifest["rows_read"] == ROWS == manifest["rows_written"] + manifest["rows_rejected"]


@pytest.mark.long
def test_should_read_every_click_of_the_day(more: Any) -> None:
    """Days in their order, with the history of those before, are test_many_days's."""
    assert manifest_of(f"clickstream/date={DAY}")["rows_read"] == ROWS


@pytest.mark.long
def test_should_have_every_order_of_the_api(more: Any) -> None:
    assert manifest_of(f"api_orders/date={DAY}")["rows_written"] == 1_000


def test_should_have_every_order_of_the_database(runs: Any) -> None:
    extracted = manifest_of(f"db_orders/date={DAY}")
    assert extracted["rows_written"] == extracted["fingerprint"]["rows"] == ROWS


def test_should_show_no_password_of_a_source_in_any_log(airflow_with_sources: Airflow, runs: dict[str, str]) -> None:
    _shows_no_password(airflow_with_sources, {dag: runs[dag] for dag in ("etl_daily", "db_extract")})


@pytest.mark.long
def test_should_show_no_password_of_the_api_in_any_log(airflow_with_sources: Airflow, more: dict[str, str]) -> None:
    _shows_no_password(airflow_with_sources, {"api_ingest": more["api_ingest"]})


def _shows_no_password(airflow: Airflow, runs: dict[str, str]) -> None:
    passwords = sources.ensure_passwords().values()
    for dag, run_id in runs.items():
        for one in airflow.call("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]:
            text = json.dumps(one) + log_of(airflow, dag, run_id, one["task_id"])
            assert not [word for word in passwords if word in text], f"{dag}.{one['task_id']} shows a password"


@pytest.mark.long
def test_should_have_cleaned_the_file_with_pandas_and_with_a_shell(more: Any) -> None:
    counts = {name: manifest_of(f"{name}/date={DAY}") for name in ("csv_transform", "csv_bash")}
    for name, manifest in counts.items():
        total = manifest["rows_written"] + manifest["rows_rejected"] + manifest["rows_duplicate"]
        assert manifest["rows_read"] == total == ROWS, name
    sales = manifest_of(f"sales/date={DAY}")
    for name, manifest in counts.items():
        for count in ("rows_read", "rows_written", "rows_rejected", "rows_duplicate", "rejects_by_reason"):
            assert manifest[count] == sales[count], f"{name}: {count}"
    hashes = {on_worker("sha256sum", f"{OUTPUT}/{name}/date={DAY}/sales_{DAY}.csv").split()[0] for name in counts}
    assert len(hashes) == 1
    # Every user of the group may change what another one wrote, nobody else may.
    modes = on_worker("find", "-L", f"{OUTPUT}/csv_transform/date={DAY}", "-type", "f", "-printf", "%m %G\n")
    assert set(modes.split("\n")) == {"664 0", ""} or set(modes.split("\n")) == {"664 0"}


@pytest.mark.long
def test_should_give_the_same_totals_classically_and_with_decorators(more: Any) -> None:
    paths = [f"{OUTPUT}/{name}/date={DAY}/totals.csv" for name in ("classic_pipeline", "taskflow_pipeline")]
    classic, taskflow = (on_worker("cat", path) for path in paths)
    assert classic == taskflow and len(classic.splitlines()) > 2


@pytest.mark.long
def test_should_compare_many_tasks_with_one(airflow_with_sources: Airflow, more: dict[str, str]) -> None:
    run_id = more["parallel_batches"]
    tasks = airflow_with_sources.call("GET", f"/dags/parallel_batches/dagRuns/{run_id}/taskInstances")["task_instances"]
    mapped = [one for one in tasks if one["task_id"] == "total"]
    assert len(mapped) == len(DAYS) and {one["pool"] for one in mapped} == {"batches"}
    assert "in mapped tasks: " in log_of(airflow_with_sources, "parallel_batches", run_id, "compare")


@pytest.mark.long
def test_should_count_words_and_add_up_pi_with_what_was_asked_for(airflow_with_sources: Airflow) -> None:
    airflow = airflow_with_sources
    words = start(airflow, "rdd_wordcount", {"text": "to be or not to be", "name": "test"})
    pi = start(airflow, "spark_submit", {"steps": 100_000})
    assert end(airflow, "rdd_wordcount", words) == "success", why(airflow, "rdd_wordcount", words)
    log = log_of(airflow, "rdd_wordcount", words, "count")
    assert "lines looked at before the action: 0" in log and "PythonRDD" in log
    assert "to,2" in on_worker("cat", f"{OUTPUT}/wordcount/name=test/words.csv")
    assert end(airflow, "spark_submit", pi) == "success", why(airflow, "spark_submit", pi)
    assert "Pi is roughly 3.14159265" in log_of(airflow, "spark_submit", pi, "submit")


def test_should_leave_one_readable_summary_if_a_task_fails_for_good(airflow_with_sources: Airflow) -> None:
    airflow = airflow_with_sources
    run_id = start(airflow, "csv_transform", {"date": "2026-03-31"})
    assert end(airflow, "csv_transform", run_id) == "failed"
    text = on_worker("cat", f"{OUTPUT}/failures/csv_transform/{run_id}/transform.txt")
    assert text.startswith("✗ csv_transform.transform failed at try 1\n")
    assert "why:  the input file /opt/airflow/data/sales/sales_2026-03-31.csv does not exist" in text
    assert f"run:  {run_id}" in text and "make logs T=csv_transform.transform" in text
    pods = ("get", "pods", "--selector", "dag_id=csv_transform", "--output", "name")
    wait("the end of the failed task's pod", lambda: not kubectl(*pods), 180)


def test_should_start_by_itself_if_a_file_is_uploaded_and_handle_it_once(airflow_with_sources: Airflow) -> None:
    airflow = airflow_with_sources
    before = {run["dag_run_id"] for run in runs_since(airflow, "file_arrival", set())}
    airflow.call("PATCH", "/dags/file_arrival", json={"is_paused": False})
    try:
        inbox, header = (
            "/opt/airflow/data/inbox",
            "order_id,ordered_at,customer_id,product_id,category,quantity,unit_price,region,channel",
        )
        good = f"{header}\n1,2026-04-01T10:00:00+09:00,C1,P1,books,2,100.50,seoul,web\n"
        uploads = {"sales_2026-04-01.csv": good, "sales_2026-04-02.csv": good.replace(",", ";")}
        for name, text in uploads.items():
            # As a user would: under a name that nobody takes up, then renamed.
            script = 'umask 0002 && mkdir -p "$1" && printf %s "$3" >"$1/$2.part" && mv "$1/$2.part" "$1/$2"'
            on_worker("sh", "-c", script, "upload", inbox, name, text)
        deadline = time.monotonic() + 300
        while on_worker("sh", "-c", f"ls {inbox} | grep sales_2026-04 || true").strip():
            runs = runs_since(airflow, "file_arrival", before)
            assert time.monotonic() < deadline, f"the uploads still wait after 300 s; runs: {[run['state'] for run in runs]}"
            time.sleep(2)
        for run in runs_since(airflow, "file_arrival", before):
            assert end(airflow, "file_arrival", run["dag_run_id"]) == "success", why(airflow, "file_arrival", run["dag_run_id"])
        assert on_worker("cat", "/opt/airflow/data/sales/sales_2026-04-01.csv") == good.rstrip("\n")
        quarantined = on_worker("sh", "-c", "cat /opt/airflow/data/quarantine/2026-04-02/*.reason.txt")
        assert "header" in quarantined
        assert not on_worker("sh", "-c", "ls /opt/airflow/data/sales | grep 2026-04-02 || true").strip()
    finally:
        airflow.call("PATCH", "/dags/file_arrival", json={"is_paused": True})


def test_should_backfill_days_in_one_command_and_say_which_is_missing(airflow_with_sources: Airflow) -> None:
    done = make("backfill", "DAG=csv_bash", f"FROM={DAYS[0]}", f"TO={DAYS[1]}", "PARALLEL=2", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for day in DAYS[:2]:
        assert day in done.stdout
        assert manifest_of(f"csv_bash/date={day}")["rows_read"] == ROWS
    for words, sentence in (
        (("DAG=nothing", f"FROM={DAY}", f"TO={DAY}"), "nothing"),
        (("DAG=csv_bash", f"FROM={DAY}", f"TO={DAYS[0]}"), "FROM"),
        (("DAG=spark_submit", f"FROM={DAY}", f"TO={DAY}"), "schedule"),
    ):
        refused = make("backfill", *words)
        assert refused.returncode != 0 and sentence in refused.stderr and "Traceback" not in refused.stderr, refused.stderr
