"""The standalone Spark cluster in trouble: what goes on running, what is refused, and what people read about it."""

from __future__ import annotations

import base64
import contextlib
import subprocess
import time
from collections.abc import Iterator

import httpx
import kube_api
import pytest
from conftest import Run, kubectl
from spark import alive_workers, driver, process, state, trouble, wait

from airspark import cluster
from airspark.forward import Forward

#: Holds one executor on each worker, shuffles, says so, and reads the shuffle again when the file `go` is there.
SHUFFLE = """
import pathlib, time, uuid
from pyspark.sql import SparkSession

folder = pathlib.Path("/opt/airflow/output/.live") / "{name}"
session = SparkSession.builder.getOrCreate()

def compute(part, rows):
    (folder / f"{{part}}-{{uuid.uuid4().hex}}").touch()
    return ((row % 1000, "x" * 200) for row in rows)

folder.mkdir(parents=True, exist_ok=True)
rows = session.sparkContext.parallelize(range({rows}), {parts})
shuffled = rows.mapPartitionsWithIndex(compute).groupByKey({parts})
print("SHUFFLED", shuffled.count(), flush=True)
deadline = time.monotonic() + 180
while not (folder / "go").exists() and time.monotonic() < deadline:
    time.sleep(0.5)
total = shuffled.mapPartitions(lambda pairs: (time.sleep({pause}), [sum(len(list(rows)) for _, rows in pairs)])[1]).sum()
computed = [path.name.split("-")[0] for path in folder.iterdir() if path.name != "go"]
print("TOTAL", total, "COMPUTED", len(computed), "OF", len(set(computed)), flush=True)
"""
SMALL = """
from pyspark.sql import SparkSession

print("SUM", SparkSession.builder.getOrCreate().range(1000).selectExpr("sum(id)").first()[0], flush=True)
"""
#: Prints every event log, decompressed.
READ_EVENTS = """
import pathlib, pyarrow

for path in pathlib.Path("/opt/spark-events").rglob("events_*.zstd"):
    print(pyarrow.input_stream(str(path), compression="zstd").read().decode(errors="replace"))
"""
EXECUTOR = ("--executor-memory", "600m", "--executor-cores", "1", "--driver-memory", "500m")


@pytest.fixture(scope="module")
def master_ui(up: None) -> Iterator[str]:
    """Address of the master's user interface, over a forward that survives the master."""
    with Forward("svc/airspark-spark-master", 8080) as forward:
        yield forward.url


@pytest.fixture(scope="module")
def history_ui(up: None) -> Iterator[str]:
    """Address of the history server."""
    with Forward("svc/airspark-spark-history", 18080) as forward:
        yield forward.url


def on_worker(*words: str) -> str:
    """Run a command on the first worker."""
    return kubectl("exec", "airspark-spark-worker-0", "--", *words)


def shuffle(name: str, rows: int = 4000, parts: int = 8, pause: float = 0.0) -> str:
    """The application above, after what an earlier one of its name left is gone."""
    on_worker("rm", "-rf", f"/opt/airflow/output/.live/{name}")
    return SHUFFLE.format(name=name, rows=rows, parts=parts, pause=pause)


def go(name: str) -> None:
    """Let a waiting application read its shuffle."""
    on_worker("touch", f"/opt/airflow/output/.live/{name}/go")


def scale(workers: int) -> None:
    """Set the number of workers."""
    kubectl("scale", "statefulset/airspark-spark-worker", f"--replicas={workers}")


def shared_secret() -> str:
    """What every Spark process shares."""
    encoded = kubectl("get", "secret", "airspark-spark-auth", "--output", "jsonpath={.data.rpc-authentication-secret}")
    return base64.b64decode(encoded).decode()


@pytest.mark.long
def test_should_end_right_and_take_new_applications_if_the_master_is_killed(master_ui: str) -> None:
    wait("two workers", lambda: alive_workers(master_ui) == 2, 180)
    with driver("live-master-killed", shuffle("live-master-killed", pause=5), *EXECUTOR) as running:
        running.wait_for("SHUFFLED")
        before = kubectl("get", "pod", "airspark-spark-master-0", "--output", "jsonpath={.metadata.uid}")
        kubectl("delete", "pod", "airspark-spark-master-0", "--grace-period=0", "--force")
        killed = time.monotonic()
        go("live-master-killed")
        with driver("live-master-back", SMALL, *EXECUTOR, "--total-executor-cores", "1") as fresh:
            accepted = "live-master-back"
            found = lambda: [app["name"] for key in ("activeapps", "completedapps") for app in state(master_ui).get(key, [])]  # noqa: E731
            wait("the new application is accepted within 120 s", lambda: accepted in found(), 120)
            print(f"accepted {time.monotonic() - killed:.0f} s after the master was killed")
            assert "live-master-killed" in found(), "the master forgot the application that was running"
            wait("both workers are back", lambda: alive_workers(master_ui) == 2, 180)
            phase, log = running.end()
            assert phase == "Succeeded" and "TOTAL 4000 COMPUTED 8 OF 8" in log, trouble(log)
            phase, log = fresh.end()
            assert phase == "Succeeded" and "SUM 499500" in log, trouble(log)
    assert kubectl("get", "pod", "airspark-spark-master-0", "--output", "jsonpath={.metadata.uid}") != before


@pytest.mark.long
def test_should_lose_and_recompute_nothing_if_workers_are_scaled_in(master_ui: str) -> None:
    scale(3)
    try:
        wait("three workers", lambda: alive_workers(master_ui) == 3, 180)
        arguments = (*EXECUTOR, "--total-executor-cores", "3")
        with driver("live-scale-in", shuffle("live-scale-in", rows=60_000, parts=12), *arguments) as running:
            running.wait_for("SHUFFLED")
            scale(1)
            gone = ("wait", "pod/airspark-spark-worker-1", "pod/airspark-spark-worker-2", "--for=delete", "--timeout=150s")
            kubectl(*gone, timeout=180)
            go("live-scale-in")
            phase, log = running.end()
        assert phase == "Succeeded" and "TOTAL 60000 COMPUTED 12 OF 12" in log, trouble(log)
        assert "FetchFailed" not in log and "ExecutorLostFailure" not in log
    finally:
        scale(2)
        wait("two workers", lambda: alive_workers(master_ui) == 2, 180)


@pytest.mark.long
def test_should_end_right_if_a_worker_is_killed(master_ui: str) -> None:
    with driver("live-worker-killed", shuffle("live-worker-killed", pause=3), *EXECUTOR) as running:
        running.wait_for("SHUFFLED")
        worker = str(process("airspark-spark-worker-1", "worker.Worker"))
        # the container goes down with its main process, and may take this command's answer with it
        with contextlib.suppress(subprocess.CalledProcessError):
            kubectl("exec", "airspark-spark-worker-1", "--", "kill", "-9", worker)
        go("live-worker-killed")
        phase, log = running.end()
        assert phase == "Succeeded" and "TOTAL 4000 " in log, trouble(log)
    wait("the worker is back", lambda: alive_workers(master_ui) == 2, 180)


@pytest.mark.long
def test_should_say_why_and_keep_its_workers_if_an_executor_runs_out_of_memory(master_ui: str) -> None:
    greedy = """
from pyspark.sql import SparkSession

context = SparkSession.builder.getOrCreate().sparkContext
context.parallelize([0], 1).map(lambda _: len(bytearray(b"1") * (3 << 30))).collect()
"""
    with driver("live-out-of-memory", greedy, *EXECUTOR, "--conf", "spark.task.maxFailures=1") as running:
        phase, log = running.end()
    assert phase == "Failed"
    assert "worker exited unexpectedly" in log or "exit code 137" in log or "MemoryError" in log, trouble(log)
    wait("both workers serve", lambda: alive_workers(master_ui) == 2, 180)
    with driver("live-after-memory", SMALL, *EXECUTOR) as after:
        assert after.end()[0] == "Succeeded"


@pytest.fixture(scope="module")
def refused(master_ui: str) -> dict[tuple[str, str], tuple[str, str]]:
    """How drivers with a wrong secret and with none end, by the images' spark-submit and by Spark's own, side by side."""
    commands = {"checked": "spark-submit", "raw": "/opt/spark/bin/spark-submit"}
    with contextlib.ExitStack() as stack:
        running = {
            (which, how): stack.enter_context(
                driver(f"live-secret-{which}-{how}", SMALL, *EXECUTOR, submit=command, secret=secret)
            )
            for which, secret in (("wrong", "not-the-secret"), ("none", None))
            for how, command in commands.items()
        }
        return {key: one.end() for key, one in running.items()}


@pytest.mark.long
@pytest.mark.parametrize(("which", "words"), [("wrong", "not the cluster's"), ("none", "has none")])
def test_should_say_in_a_sentence_that_the_secret_is(
    refused: dict[tuple[str, str], tuple[str, str]], which: str, words: str
) -> None:
    phase, log = refused[which, "checked"]
    assert phase == "Failed" and words in log and "Traceback" not in log, trouble(log)


@pytest.mark.long
@pytest.mark.parametrize("which", ["wrong", "none"])
def test_should_refuse_a_client_whose_secret_is(
    refused: dict[tuple[str, str], tuple[str, str]], master_ui: str, which: str
) -> None:
    phase, log = refused[which, "raw"]
    assert phase == "Failed" and "SUM 499500" not in log
    applications = [app["name"] for key in ("activeapps", "completedapps") for app in state(master_ui)[key]]
    assert not [name for name in applications if name.startswith("live-secret-")]


def test_should_hold_no_secret_in_configuration_arguments_or_logs(master_ui: str) -> None:
    secret = shared_secret()
    with driver("live-no-secret", shuffle("live-no-secret"), *EXECUTOR) as running:
        running.wait_for("SHUFFLED")
        arguments = [
            kubectl("exec", pod, "--", "bash", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
            for pod in ("airspark-spark-master-0", "airspark-spark-worker-0", "live-no-secret")
        ]
        assert "CoarseGrainedExecutorBackend" in arguments[1], "no executor runs, so its arguments were not looked at"
        pages = [
            httpx.get(f"{master_ui}{path}", follow_redirects=True, timeout=20).text for path in ("/", "/json/", "/environment/")
        ]
        go("live-no-secret")
        log = running.end()[1]
    objects = kubectl("get", "configmaps,pods,statefulsets,deployments,jobs,events", "--output", "json")
    logs = [kubectl("logs", pod, "--tail=-1") for pod in ("airspark-spark-master-0", "airspark-spark-worker-0")]
    executors = on_worker("bash", "-c", "cat /opt/spark-work/apps/*/*/std* 2>/dev/null; true")
    events = kubectl("exec", "deployment/airspark-spark-history", "--", "python", "-c", READ_EVENTS, timeout=120)
    assert "SparkListenerApplicationEnd" in events, "the application's event log was not read"
    for where, text in {
        "arguments": "".join(arguments), "pages": "".join(pages), "driver's log": log, "objects": objects,
        "logs": "".join(logs), "executors' logs": executors, "event logs": events,
    }.items():  # fmt: skip
        assert text and secret not in text, f"the shared secret stands in the {where}"


def test_should_say_at_once_that_no_worker_has_that_much_memory(master_ui: str) -> None:
    began = time.monotonic()
    with driver("live-too-large", SMALL, "--executor-memory", "64g") as running:
        phase, log = running.end(180)
    assert phase == "Failed" and "65536 MiB" in log and "executor_memory" in log, log[-2000:]
    assert time.monotonic() - began < 120 and "Traceback" not in log


def test_should_list_finished_applications_and_skip_a_damaged_log(demo_run: Run, history_ui: str) -> None:
    damaged = "/opt/spark-events/live-damaged-0001"
    kubectl("exec", "deployment/airspark-spark-history", "--", "sh", "-c", f"echo '{{not json' > {damaged}")
    try:
        with driver("live-history", SMALL, *EXECUTOR) as running:
            assert running.end()[0] == "Succeeded"

        def names() -> set[str]:
            applications = httpx.get(f"{history_ui}/api/v1/applications", timeout=30).json()
            return {app["name"] for app in applications if app["attempts"][0]["completed"]}

        wait("the history server lists it", lambda: "live-history" in names(), 180)
        assert "etl_daily.transform" in names(), "the demo's application is not there"
        assert kubectl("get", "pods", "--selector", "component=spark-history", "--output",
                       "jsonpath={.items[0].status.containerStatuses[0].restartCount}") == "0"  # fmt: skip
    finally:
        kubectl("exec", "deployment/airspark-spark-history", "--", "rm", "-f", damaged)


def test_should_show_workers_and_running_applications_behind_the_masters_address(master_ui: str) -> None:
    with driver("live-proxied", shuffle("live-proxied"), *EXECUTOR) as running:
        running.wait_for("SHUFFLED")
        now = state(master_ui)
        alive = next(worker["id"] for worker in now["workers"] if worker["state"] == "ALIVE")
        worker = httpx.get(f"{master_ui}/proxy/{alive}/", follow_redirects=True, timeout=20)
        assert worker.status_code == 200 and "Spark Worker" in worker.text
        application = next(app["id"] for app in now["activeapps"] if app["name"] == "live-proxied")
        jobs = httpx.get(f"{master_ui}/proxy/{application}/jobs/", follow_redirects=True, timeout=20)
        assert jobs.status_code == 200 and "live-proxied" in jobs.text
        go("live-proxied")
        assert running.end()[0] == "Succeeded"
    page = httpx.get(f"{master_ui}/app/?appId={application}", timeout=20).text
    assert f"http://localhost:18080/history/{application}" in page, "the master does not link to the history server"


def test_should_run_each_spark_pod_restricted_with_an_own_uid(master_ui: str) -> None:
    pods = kube_api.pods("airspark", "tier=spark,component!=spark-operator")
    assert {pod["metadata"]["labels"]["component"] for pod in pods} >= {"spark-master", "spark-worker", "spark-history"}
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsUser"] == 185
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    node = cluster.node_names()[0]
    assert node, "there is no node"
