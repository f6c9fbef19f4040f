"""One upgrade with a run in flight that turns on what production needs; then every part of it is used.

DAGs from Git, logs in an object store, connections, variables, pools and users as values, pod templates by name.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import httpx
import pytest
from conftest import Configured, end_of, kubectl, make, secrets, tasks_of
from servers import ACCESS_KEY, BUCKET, SECRET_KEY, git_commit
from servers import NAMESPACE as SERVERS
from spark import driver

from airspark import platform
from airspark.airflow_api import Airflow
from airspark.forward import Forward
from airspark.project import Failure

# An upgrade that turns on all of it takes minutes; that an upgrade keeps what runs is test_trouble's in `make test`.
pytestmark = pytest.mark.long
STAGE = 2
ROOT_OF_BUNDLE = "live_tasks.py"


def run(client: Airflow, dag_id: str, within: int = 240, **params: Any) -> str:
    """Run a DAG of the bundle and wait for its end.

    Returns:
        The run's id; its state is asked for by `state`.
    """
    run_id = start(client, dag_id, **params)
    deadline = time.monotonic() + within
    while (found := state(client, dag_id, run_id)) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{dag_id} is {found} after {within} s"
        time.sleep(1)
    return run_id


def start(client: Airflow, dag_id: str, **params: Any) -> str:
    """Unpause and trigger a DAG, and return the run's id."""
    client.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
    return str(client.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": params})["dag_run_id"])


def state(client: Airflow, dag_id: str, run_id: str) -> str:
    """The state of a run."""
    return str(client.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])


def result(client: Airflow, dag_id: str, run_id: str, task_id: str) -> Any:
    """What a task returned."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
    return client.call("GET", path, params={"deserialize": True})["value"]


def log(client: Airflow, dag_id: str, run_id: str, task_id: str) -> str:
    """A task's log, or why there is none yet."""
    try:
        return client.task_log(dag_id, run_id, task_id, 1)
    except Failure as problem:
        return str(problem)


def log_until(client: Airflow, dag_id: str, run_id: str, task_id: str, words: str, seconds: int = 60) -> str:
    """A task's log once it holds some words."""
    deadline = time.monotonic() + seconds
    while not re.search(words, text := log(client, dag_id, run_id, task_id)):
        assert time.monotonic() < deadline, f"{words!r} is not in the log of {dag_id}.{task_id} after {seconds} s: {text}"
        time.sleep(1)
    return text


def test_should_keep_a_running_task_on_its_first_try_if_the_release_is_upgraded(configured: Configured) -> None:
    assert end_of(configured.airflow, configured.run_in_flight) == "success"
    assert [task["try_number"] for task in tasks_of(configured.airflow, configured.run_in_flight)] == [1]


def test_should_change_no_secret_if_the_release_is_upgraded(configured: Configured) -> None:
    assert configured.secrets_after == configured.secrets_before


def test_should_still_let_the_admin_in_after_an_upgrade(configured: Configured) -> None:
    configured.airflow.login()


def test_should_read_dags_from_git_and_follow_a_commit(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_sleep", seconds=1)
    assert "revision first" in log_until(configured.airflow, "live_sleep", run_id, "sleep", "slept")
    git_commit(ROOT_OF_BUNDLE, 'REVISION = "first"', 'REVISION = "second"')
    before = configured.airflow.call("GET", "/dags/live_sleep")["bundle_version"]
    deadline = time.monotonic() + 120
    while configured.airflow.call("GET", "/dags/live_sleep")["bundle_version"] == before:
        assert time.monotonic() < deadline, "the commit was not seen within 120 s"
        time.sleep(1)
    run_id = run(configured.airflow, "live_sleep", seconds=1)
    assert "revision second" in log_until(configured.airflow, "live_sleep", run_id, "sleep", "slept")


def test_should_query_spark_through_the_connect_server(configured: Configured) -> None:
    run_id = run(configured.airflow, "connect_check", rows=50_000)
    assert state(configured.airflow, "connect_check", run_id) == "success", log(
        configured.airflow, "connect_check", run_id, "count_by_last_digit"
    )
    counts = result(configured.airflow, "connect_check", run_id, "count_by_last_digit")
    assert counts == {str(digit): 5000 for digit in range(10)}
    with Forward("svc/airspark-spark-history", 18080) as forward:
        applications = httpx.get(f"{forward.url}/api/v1/applications", timeout=60).json()
    assert "Spark Connect server" in {application["name"] for application in applications}


def test_should_keep_a_delta_table_in_an_object_store(configured: Configured) -> None:
    table = f"s3a://{BUCKET}/tables/live"
    application = f"""
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
for start, mode in ((0, "overwrite"), (500, "append")):
    session.range(start, start + 500, numPartitions=2).write.format("delta").mode(mode).save("{table}")
first = session.read.format("delta").option("versionAsOf", 0).load("{table}")
print("ROWS", first.count(), session.read.format("delta").load("{table}").count(), flush=True)
"""
    settings = {
        "spark.hadoop.fs.s3a.endpoint": f"http://minio.{SERVERS}.svc:9000",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.executor.memory": "600m",
    }
    words = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    with driver("live-delta", application, *words, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY) as running:
        phase, said = running.end()
    assert phase == "Succeeded" and "ROWS 500 1000" in said, said[-3000:]


def test_should_confine_a_task_pod(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_confined")
    assert result(configured.airflow, "live_confined", run_id, "look") == {
        "uid": 50000,
        "writable": False,
        "secrets": [],
        "token": False,
    }


def test_should_let_a_task_with_the_launchers_template_see_pods_and_no_secrets(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_launcher")
    assert result(configured.airflow, "live_launcher", run_id, "launch") == "1 pods, secrets 403"


def test_should_refuse_a_partly_allowed_override_whole_and_run_its_neighbour(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_override")
    text = log_until(configured.airflow, "live_override", run_id, "greedy", "is not allowed")
    field = "spec.containers[0].envFrom[0].secretRef.name"
    assert (
        f"The pod that this task asks for is not allowed: {field}: the Secret airspark-fernet-key is the platform's own" in text
    )
    assert result(configured.airflow, "live_override", run_id, "honest") == "ran"
    assert state(configured.airflow, "live_override", run_id) == "failed"


def test_should_show_connections_variables_and_pools_of_values_to_a_task(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_uses")
    assert result(configured.airflow, "live_uses", run_id, "read") == "api.example.com from-a-secret of-values"
    pool = configured.airflow.call("GET", "/pools/live-pool")
    assert (pool["slots"], pool["description"]) == (3, "For live tests")


def test_should_make_a_user_of_values_with_a_password_of_its_own(configured: Configured) -> None:
    password = platform.secret("airspark-user-reader", "password")
    reader = Airflow(configured.airflow.url, "reader", password)
    reader.login()
    assert reader.call("GET", "/dags")["total_entries"] > 0
    with pytest.raises(Failure, match="403"):
        reader.call("DELETE", "/variables/live_variable")


def test_should_fail_within_two_minutes_with_the_reason_in_the_log_if_an_image_is_not_there(configured: Configured) -> None:
    began = time.monotonic()
    run_id = run(configured.airflow, "live_bad_image", within=120)
    assert state(configured.airflow, "live_bad_image", run_id) == "failed"
    text = log_until(configured.airflow, "live_bad_image", run_id, "never", "airspark/none:0", 20)
    assert re.search(r"ErrImage(Pull|NeverPull)", text), text
    assert time.monotonic() - began < 120


def test_should_say_in_the_log_why_no_node_takes_a_task(configured: Configured) -> None:
    run_id = start(configured.airflow, "live_too_large")
    text = log_until(configured.airflow, "live_too_large", run_id, "never", "no node takes it", 90)
    assert "Insufficient cpu" in text
    configured.airflow.call("PATCH", f"/dags/live_too_large/dagRuns/{run_id}", json={"state": "failed"})
    kubectl("delete", "pod", "--selector", "dag_id=live_too_large", "--wait=false")


def test_should_say_in_the_log_that_a_task_was_killed_for_its_memory(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_out_of_memory")
    assert state(configured.airflow, "live_out_of_memory", run_id) == "failed"
    log_until(configured.airflow, "live_out_of_memory", run_id, "grow", "OOMKilled|SIGKILL|out of memory|OOM")


def test_should_show_the_log_of_a_deferred_task(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_deferred")
    assert state(configured.airflow, "live_deferred", run_id) == "success"
    text = log_until(configured.airflow, "live_deferred", run_id, "wait", "resumed after the trigger")
    assert "TimeDeltaTrigger" in text or "trigger" in text.lower(), text


def test_should_keep_logs_in_the_object_store_and_read_them_there(configured: Configured) -> None:
    run_id = run(configured.airflow, "live_confined")
    listing = (
        "import boto3; s3 = boto3.client('s3', endpoint_url='http://minio.airspark-servers.svc:9000', "
        f"region_name='us-east-1', aws_access_key_id='{ACCESS_KEY}', aws_secret_access_key='{SECRET_KEY}'); "
        f"print([o['Key'] for o in s3.list_objects_v2(Bucket='{BUCKET}').get('Contents', [])])"
    )
    list_store = ("exec", "deployment/airspark-scheduler", "--container", "scheduler", "--", "python", "-c", listing)
    deadline = time.monotonic() + 30
    # a task sends its log after it told its state
    while f"run_id={run_id}" not in kubectl(*list_store):
        assert time.monotonic() < deadline, f"the log of {run_id} is not in the store after 30 s"
    # nothing of it is left on the claim: what the API server shows comes from the store
    kubectl("exec", "deployment/airspark-scheduler", "--container", "scheduler", "--", "rm", "-rf",
            "/opt/airflow/logs/dag_id=live_confined")  # fmt: skip
    assert configured.airflow.task_log("live_confined", run_id, "look", 1)


def test_should_have_the_metrics_exporter_see_airflow(configured: Configured) -> None:
    # Not from a pod of the platform: policies let these send metrics, and Prometheus read them.
    with Forward("svc/airspark-statsd", 9102) as forward:
        assert "airflow_scheduler_heartbeat" in httpx.get(f"{forward.url}/metrics", timeout=60).text


def test_should_do_nothing_if_the_rendered_objects_are_applied_twice(configured: Configured) -> None:
    """What Argo CD and `helm template | kubectl apply` do: no hook is run, no Job is made anew, nothing restarts."""
    rendered = subprocess.run(
        [str(word) for word in configured.template_command], capture_output=True, text=True, check=True
    ).stdout
    before = kubectl("get", "pods", "--selector", "component!=worker", "--output", "jsonpath={.items[*].metadata.uid}")
    for _ in range(2):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(platform.kubeconfig()), "apply", "--server-side", "--field-manager=helm",
             "--force-conflicts",
             "--namespace", "airspark", "--filename", "-"],
            input=rendered, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert kubectl("get", "pods", "--selector", "component!=worker", "--output", "jsonpath={.items[*].metadata.uid}") == before
    assert {name: secrets()[name] for name in configured.secrets_before} == configured.secrets_before


def test_should_print_a_table_without_trouble_after_the_upgrade(configured: Configured) -> None:
    shown = make("status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "airspark-statsd" in shown.stdout or "statsd" in shown.stdout


def test_should_know_what_each_account_may_not_do(configured: Configured) -> None:
    def may(account: str, verb: str, resource: str) -> bool:
        kind, _, part = resource.partition("/")
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(platform.kubeconfig()), "auth", "can-i", verb, kind, "--subresource", part,
             "--namespace", "airspark", "--as", f"system:serviceaccount:airspark:airspark-{account}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip() == "yes"

    forbidden = {
        "airflow-worker": ["get pods", "create pods", "get secrets", "list secrets", "get configmaps"],
        "airflow-api-server": ["create pods", "delete pods", "get secrets", "list secrets", "create pods/exec"],
        "airflow-scheduler": ["get secrets", "list secrets", "create secrets", "create pods/exec", "create deployments"],
        "airflow-dag-processor": ["get pods", "get secrets", "list configmaps"],
        "airflow-triggerer": ["get secrets", "list secrets", "create jobs", "create roles"],
        "airflow-launcher": ["get secrets", "list secrets", "create secrets", "create jobs", "create roles"],
        "airflow-bootstrap": ["list secrets", "delete secrets", "get pods", "get secrets"],
        "spark-operator": ["get secrets", "list secrets", "create pods/exec", "create deployments", "create roles"],
        "spark-operator-driver": ["get secrets", "list secrets", "create pods/exec", "create jobs", "get sparkapplications"],
    }
    for account, words in forbidden.items():
        for word in words:
            assert not may(account, *word.split()), f"{account} may {word}"
    allowed = {
        "airflow-scheduler": "create pods",
        "airflow-api-server": "get pods/log",
        "airflow-launcher": "create sparkapplications",
        "airflow-triggerer": "delete pods",
        "airflow-bootstrap": "create secrets",
        "spark-operator": "create pods",
        "spark-operator-driver": "deletecollection pods",
    }
    for account, word in allowed.items():
        assert may(account, *word.split()), f"{account} may not {word}"


def test_should_restart_what_uses_a_secret_and_change_only_that_if_it_is_rotated(rotated: dict[str, Any]) -> None:
    before, after, changed = rotated["before"], rotated["after"], rotated["changed"]
    assert {name for name in before if before[name] != after[name]} == changed
    fernet = after["airspark-fernet-key"]["fernet-key"].split(",")
    assert fernet[1:] == before["airspark-fernet-key"]["fernet-key"].split(","), "old keys must stay readable"


def test_should_work_with_every_secret_rotated(rotated: dict[str, Any]) -> None:
    client = rotated["airflow"]
    run_id = run(client, "live_uses")
    assert result(client, "live_uses", run_id, "read") == "api.example.com from-a-secret of-values"


def test_should_refuse_the_old_password_after_a_rotation(rotated: dict[str, Any]) -> None:
    old = Airflow(rotated["airflow"].url, "admin", rotated["before"]["airspark-admin"]["password"])
    with pytest.raises(Failure, match="refused the login"):
        old.login()


def test_should_keep_secrets_and_lose_no_task_if_the_release_is_rolled_back(rolled_back: dict[str, Any]) -> None:
    assert rolled_back["state"] == "success" and rolled_back["tries"] == [1]
    assert rolled_back["secrets_after"] == rolled_back["secrets_before"]
    rolled_back["airflow"].login()


def test_should_remove_what_values_made_and_keep_what_a_user_made_after_a_rollback(rolled_back: dict[str, Any]) -> None:
    client = rolled_back["airflow"]
    for path in ("/connections/live_api", "/variables/live_variable", "/pools/live-pool"):
        with pytest.raises(Failure, match="404"):
            client.call("GET", path)
    assert client.call("GET", "/variables/made_by_hand")["value"] == "stays"
    assert json.loads(json.dumps(client.call("GET", "/connections/spark_default")))["conn_type"] == "spark"
