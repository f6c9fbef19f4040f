"""The main job on a real cluster: CSV to Parquet by Airflow and Spark, its logs, its retries, its bad input."""

from __future__ import annotations

import json
import re
import time

import kube_api
import pytest
from conftest import (
    BAD_DAY,
    DAY,
    EMPTY_DAY,
    FULL_DAY,
    HEADER_DAY,
    MISSING_DAY,
    Run,
    kubectl,
    make,
    on_worker,
    run_day,
)
from spark import wait

from airspark import demo
from airspark.airflow_api import Airflow

OUTPUT = "/opt/airflow/output/sales"


def fingerprints(day: str) -> str:
    """Name and checksum of every Parquet file of a day."""
    return on_worker("sh", "-c", f"cd {OUTPUT}/date={day} && sha256sum *.parquet | sort")


def published(day: str) -> bool:
    """Whether there is anything for a day in the output."""
    return on_worker("sh", "-c", f"ls -d {OUTPUT}/date={day} 2>/dev/null || true") != ""


def leftovers() -> str:
    """Staging folders that nobody works on any more."""
    return on_worker("sh", "-c", "ls -A /opt/airflow/output/.staging 2>/dev/null || true")


def test_should_account_for_every_row_if_the_demo_ran(demo_run: Run) -> None:
    manifest = demo.result(DAY)["manifest"]
    assert manifest["rows_read"] == 20000
    assert manifest["rows_read"] == manifest["rows_written"] + manifest["rows_rejected"] + manifest["rows_duplicate"]
    assert manifest["rows_rejected"] > 0 and manifest["rows_duplicate"] > 0
    for task in demo.TASKS:
        assert re.search(rf"✓ etl_daily\.{task}: success .*\d s", demo_run.err), demo_run.err
    assert f"{manifest['rows_written']:,}" in demo_run.out and ".parquet" in demo_run.out


def test_should_say_where_to_look_next_and_keep_the_budgets_in_view(demo_run: Run) -> None:
    assert "make ui" in demo_run.out and "budget" in demo_run.out and "GiB" in demo_run.out


def test_should_keep_rejected_rows_with_their_reason(demo_run: Run) -> None:
    manifest = demo.result(DAY)["manifest"]
    text = on_worker("sh", "-c", f"cat /opt/airflow/output/quarantine/sales/date={DAY}/part-* | wc -l")
    assert int(text) == manifest["rows_rejected"]
    assert sum(manifest["rejects_by_reason"].values()) == manifest["rows_rejected"]


def test_should_show_a_task_log_after_its_pod_is_gone(demo_run: Run, airflow: Airflow) -> None:
    deadline = time.monotonic() + 180
    while kubectl("get", "pods", "--selector", "dag_id=etl_daily", "--output", "name"):
        assert time.monotonic() < deadline, "the task pods are still there after 180 s"
        time.sleep(1)
    shown = make("logs", "T=etl_daily.transform")
    assert shown.returncode == 0 and "spark-submit" in shown.stdout, shown.stdout + shown.stderr


def test_should_publish_an_asset_if_the_run_succeeded(demo_run: Run, airflow: Airflow) -> None:
    events = airflow.call("GET", "/assets/events", params={"order_by": "-timestamp"})["asset_events"]
    mine = [event for event in events if event["extra"].get("partition") == f"date={DAY}"]
    assert mine and mine[0]["extra"]["rows_written"] > 0


@pytest.mark.long
def test_should_write_the_same_bytes_if_a_day_runs_twice(demo_run: Run, airflow: Airflow) -> None:
    before = fingerprints(DAY)
    assert demo.follow(airflow, demo.trigger(airflow, {"date": DAY})) == "success"
    assert fingerprints(DAY) == before
    assert leftovers() == ""


def test_should_run_task_pods_without_credentials(airflow: Airflow) -> None:
    run_id = demo.trigger(airflow, {"date": MISSING_DAY})
    chosen = f"dag_id=etl_daily,run_id={run_id}"
    pod = wait("a task pod", lambda: next(iter(kube_api.pods("airspark", chosen)), None), 120)
    assert demo.follow(airflow, run_id) == "failed"
    spec = pod["spec"]
    text = json.dumps(spec)
    assert spec["automountServiceAccountToken"] is False
    assert "SQL_ALCHEMY" not in text and "FERNET" not in text and "JWT_SECRET" not in text
    assert "secretKeyRef" not in text and "secretRef" not in text


@pytest.mark.long
def test_should_retry_and_leave_nothing_if_the_spark_application_fails(demo_run: Run, airflow: Airflow) -> None:
    demo.generate(BAD_DAY, 2000, seed=3)
    run_id, state = run_day(airflow, BAD_DAY, max_reject_share=0)
    assert state == "failed"
    task, why = demo.failure_reason(airflow, run_id)
    assert task == "transform" and "reject" in why.lower(), why
    tries = airflow.call("GET", f"/dags/etl_daily/dagRuns/{run_id}/taskInstances/transform")["try_number"]
    assert tries > 1
    assert not published(BAD_DAY) and leftovers() == ""
    _, state = run_day(airflow, BAD_DAY)
    assert state == "success" and published(BAD_DAY)


@pytest.mark.parametrize(
    ("day", "content", "words"),
    [
        (MISSING_DAY, None, MISSING_DAY),
        (EMPTY_DAY, "", "empty"),
        (HEADER_DAY, "a,b,c\n1,2,3\n", "header"),
    ],
    ids=["missing", "empty", "wrong header"],
)
def test_should_fail_at_once_in_one_sentence_if_the_input_is(airflow: Airflow, day: str, content: str | None, words: str) -> None:
    if content is not None:
        file = f"/opt/airflow/data/sales/sales_{day}.csv"
        on_worker("sh", "-c", f"mkdir -p /opt/airflow/data/sales && printf '%s' '{content}' > {file}")
    run_id, state = run_day(airflow, day)
    assert state == "failed"
    task, why = demo.failure_reason(airflow, run_id)
    assert task == "check_input" and words in why, why
    instance = airflow.call("GET", f"/dags/etl_daily/dagRuns/{run_id}/taskInstances/check_input")
    assert instance["try_number"] == 1
    assert not published(day)


def test_should_refuse_a_date_that_is_none_in_the_request(airflow: Airflow) -> None:
    from airspark.project import Failure

    with pytest.raises(Failure, match=r"Airflow answered 4\d\d"):
        demo.trigger(airflow, {"date": "2026-02-30"})


def test_should_refuse_a_pod_that_is_not_restricted(up: None) -> None:
    import subprocess

    with pytest.raises(subprocess.CalledProcessError) as caught:
        kubectl("run", "bad", "--image", "airspark/base:0.1.0", "--privileged")
    assert "restricted" in caught.value.stderr


@pytest.mark.long
def test_should_end_in_a_sentence_if_the_output_claim_is_full(demo_run: Run, airflow: Airflow) -> None:
    # the claim is a folder of the node; a tiny file system mounted over the staging folder is full for real
    from airspark import cluster
    from airspark.console import output

    node = cluster.node_names()[0]
    claim = json.loads(cluster.kubectl("--namespace", "airspark", "get", "pvc", "airspark-output", "--output", "json"))
    volume = json.loads(cluster.kubectl("get", "pv", claim["spec"]["volumeName"], "--output", "json"))["spec"]
    folder = (volume.get("hostPath") or volume.get("local"))["path"] + "/.staging"
    demo.generate(FULL_DAY, 20000, seed=5)
    output(["docker", "exec", node, "sh", "-c", f"mkdir -p {folder}; mount -t tmpfs -o size=16k,mode=2775 tmpfs {folder}"])
    workers = ["delete", "pod", "--selector", "component=spark-worker", "--wait=true"]
    kubectl(*workers)
    kubectl("rollout", "status", "statefulset/airspark-spark-worker", "--timeout=120s", timeout=150)
    try:
        run_id, state = run_day(airflow, FULL_DAY)
        assert state == "failed"
        _, why = demo.failure_reason(airflow, run_id)
        assert "full" in why or "space" in why, why
        assert not published(FULL_DAY)
    finally:
        kubectl(*workers)
        output(["docker", "exec", node, "umount", folder])
        kubectl("rollout", "status", "statefulset/airspark-spark-worker", "--timeout=120s", timeout=150)
    assert leftovers() == ""
    _, state = run_day(airflow, FULL_DAY)
    assert state == "success" and published(FULL_DAY)
