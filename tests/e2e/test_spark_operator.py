"""SparkApplications on the platform's controller: what runs, what fails with which words, what is left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from applications import PLATFORM, Application, application, kubectl, remove, send, spec
from spark import wait

from airspark.forward import Forward
from airspark.project import versions

Object = dict[str, Any]
#: Fails the first time and ends well the second: the first leaves a file on the output claim.
ONCE = """
import pathlib, sys

mark = pathlib.Path("/opt/airflow/output/.live-{name}")
if not mark.exists():
    mark.touch()
    sys.exit(3)
mark.unlink()
print("SECOND", flush=True)
"""
OOM = """
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
block = []
while True:
    block.append(bytearray(50_000_000))
"""
#: Executors whose heap alone fills their limit, and is touched at once.
TOO_SMALL = {"memory": "512m", "memoryOverhead": "1m", "javaOptions": "-XX:+AlwaysPreTouch"}
LONG = """
import time
from pyspark.sql import SparkSession

session = SparkSession.builder.getOrCreate()
print("SUM", session.range(0, 1000, 1, 2).selectExpr("sum(id)").first()[0], flush=True)
time.sleep(600)
"""
OUTPUT = {"name": "output", "persistentVolumeClaim": {"claimName": "airspark-output"}}
OUTPUT_MOUNT = {"name": "output", "mountPath": "/opt/airflow/output"}


@pytest.fixture(scope="module", autouse=True)
def nothing_left(up: None) -> Iterator[None]:
    """A run that was broken off leaves its applications."""
    for name in kubectl(PLATFORM, "get", "sparkapplications", "--output", "name").split():
        if "/live-" in name:
            remove(name.rsplit("/", 1)[1], PLATFORM)
    yield


@pytest.fixture(scope="module")
def plain(up: None) -> Iterator[Application]:
    """A small application that has completed."""
    with application("live-plain") as app:
        app.reach("COMPLETED")
        yield app


def test_should_run_a_pyspark_application_and_say_so_everywhere(plain: Application) -> None:
    status = plain.status()
    assert "SUM 499500" in plain.log()
    assert status["executionAttempts"] == status["submissionAttempts"] == 1
    assert plain.condition("Complete")["status"] == "True" and plain.condition("Failed")["status"] == "False"
    assert status["observedGeneration"] == plain.object()["metadata"]["generation"]
    assert set(status["executorState"].values()) == {"COMPLETED"}
    assert {"SparkApplicationSubmitted", "SparkDriverRunning", "SparkDriverCompleted", "SparkApplicationCompleted"} <= set(
        plain.events()
    )
    table = kubectl(PLATFORM, "get", "sparkapp", "live-plain")
    assert re.search(r"live-plain\s+COMPLETED\s+1\s+Completed", table), table


def test_should_give_the_driver_the_name_container_and_labels_that_airflow_reads(plain: Application) -> None:
    (driver,) = plain.pods("driver")
    assert driver["metadata"]["name"] == "live-plain-driver"
    assert driver["status"]["containerStatuses"][0]["name"] == "spark-kubernetes-driver"
    labels = driver["metadata"]["labels"]
    assert labels["spark-role"] == "driver" and labels["sparkoperator.k8s.io/app-name"] == "live-plain"
    assert labels["spark-app-selector"] == plain.status()["sparkApplicationId"]
    assert labels["sparkoperator.k8s.io/submission-id"] == plain.status()["submissionID"]


def test_should_keep_the_driver_for_its_log_and_nothing_else_running_if_the_application_has_completed(plain: Application) -> None:
    wait("the services are gone", lambda: not kubectl(PLATFORM, "get", "services", "--selector",
         "sparkoperator.k8s.io/app-name=live-plain", "--output", "name").split(), 120)  # fmt: skip
    wait("the executors are gone", lambda: not plain.pods("executor"), 180)
    assert len(plain.pods("driver")) == 1


def test_should_forbid_the_driver_nothing_that_it_needs(plain: Application) -> None:
    log = plain.log()
    assert "Forbidden" not in log and "forbidden" not in log, log[-3000:]


@pytest.mark.long
def test_should_begin_anew_if_the_spec_changes_after_the_end(plain: Application) -> None:
    before = plain.status()["submissionID"]
    plain.patch(sparkConf={"spark.app.changed": "yes"})
    wait("another submission", lambda: plain.status().get("submissionID") != before, 180)
    status = plain.reach("COMPLETED")
    assert status["runNumber"] == 1 and status["executionAttempts"] == 1
    assert len(plain.pods("driver")) == 1


@pytest.mark.long
def test_should_run_a_scala_application_from_the_image() -> None:
    changes: dict[str, Any] = {
        "type": "Scala",
        "mainClass": "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver",
        "mainApplicationFile": "local:///opt/spark/jars/spark-hive-thriftserver_2.13-" + versions()["SPARK_VERSION"] + ".jar",
        "arguments": ["-e", "select 40 + 2 as answer"],
        "sparkConf": {"spark.sql.catalogImplementation": "in-memory"},
    }
    with application("live-scala", **changes) as app:
        app.reach("COMPLETED")
        assert re.search(r"^42$", app.log(), re.MULTILINE), app.log()[-2000:]


@pytest.mark.long
def test_should_try_again_if_the_policy_says_so() -> None:
    policy = {"type": "OnFailure", "onFailureRetries": 2, "onFailureRetryInterval": 1}
    mounts = {"volumes": [OUTPUT], "driver": {"volumeMounts": [OUTPUT_MOUNT]}}
    with application("live-retry", ONCE.format(name="retry"), restartPolicy=policy, **mounts) as app:
        status = app.reach("COMPLETED")
        assert status["executionAttempts"] == 2 and "SECOND" in app.log()
        assert {"SparkDriverFailed", "SparkApplicationPendingRerun"} <= set(app.events())


def test_should_fail_with_the_exit_code_and_the_last_error_if_the_driver_fails() -> None:
    with application("live-fails", "raise ValueError('no such day')") as app:
        status = app.reach("FAILED")
        told = status["applicationState"]["errorMessage"]
        assert "exit code 1" in told and "no such day" in told
        assert app.condition("Failed")["status"] == "True" and len(app.pods("driver")) == 1


@pytest.mark.long
def test_should_name_the_role_and_the_remedy_if_the_driver_runs_out_of_memory() -> None:
    with application("live-oom", OOM, driver={"memory": "512m", "memoryOverhead": "384m"}) as app:
        status = app.reach("FAILED")
        assert status["reason"] == "OOMKilled"
        told = status["applicationState"]["errorMessage"]
        assert "driver" in told and "spec.driver.memoryOverhead" in told


@pytest.mark.long
def test_should_count_executors_and_name_the_role_if_they_run_out_of_memory() -> None:
    with application("live-executor-oom", executor=TOO_SMALL) as app:
        status = app.reach("FAILED", seconds=240)
        assert status["executorFailures"] >= 1
        healthy = app.condition("ExecutorsHealthy")
        assert healthy["status"] == "False" and healthy["reason"] == "OOMKilled" and "spec.executor.memory" in healthy["message"]
        assert "SparkExecutorFailed" in app.events()


def test_should_say_what_the_registry_says_if_the_image_cannot_be_pulled() -> None:
    with application("live-image", image="localhost/no-such-image:1") as app:
        wait("the reason", lambda: app.status().get("reason") in ("ErrImagePull", "ImagePullBackOff"), 180)
        assert app.state() == "SUBMITTED"
        assert "no-such-image" in app.status()["applicationState"]["errorMessage"]


def test_should_say_the_schedulers_sentence_if_the_driver_fits_nowhere() -> None:
    with application("live-nowhere", nodeSelector={"airspark.io/no-such": "node"}) as app:
        wait("the reason", lambda: app.status().get("reason") == "Unschedulable", 120)
        assert "0/1 nodes are available" in app.status()["applicationState"]["errorMessage"]
        assert app.state() == "SUBMITTED" and "SparkDriverPending" in app.events()


def test_should_fail_with_a_sentence_within_ten_seconds_if_the_spec_cannot_run() -> None:
    began = time.monotonic()
    with application(
        "live-invalid", sparkConf={"spark.kubernetes.driver.volumes.nosuchkind.x.mount.path": "/x"}, type="Java"
    ) as app:
        status = app.reach("FAILED", seconds=15)
        assert time.monotonic() - began < 12
        assert status["reason"] == "InvalidSpec" and status["applicationState"]["errorMessage"].startswith("sparkConf: ")
        assert "SparkApplicationFailed" in app.events() and not app.pods()


def test_should_delete_driver_and_executors_if_suspended_and_begin_anew_if_resumed() -> None:
    with application("live-suspend", LONG) as app:
        app.reach("RUNNING")
        wait("an executor", lambda: app.pods("executor"), 180)
        app.patch(suspend=True)
        app.reach("SUSPENDED", seconds=90)
        wait("driver and executors are gone", lambda: not app.pods(), 180)
        app.patch(suspend=False)
        status = app.reach("RUNNING")
        assert status["runNumber"] == 1


@pytest.mark.long
def test_should_wait_without_a_state_if_created_suspended() -> None:
    with application("live-asleep", suspend=True) as app:
        wait("it is looked at", lambda: app.status().get("reason") == "Suspended", 60)
        assert app.state() == "" and not app.pods()
        app.patch(suspend=False)
        app.reach("COMPLETED")


def test_should_fail_if_the_driver_is_deleted_by_hand() -> None:
    with application("live-deleted", LONG) as app:
        app.reach("RUNNING")
        kubectl(PLATFORM, "delete", "pod", app.driver, "--grace-period=1")
        status = app.reach("FAILED", seconds=60)
        assert status["reason"] in ("DriverDeleted", "Terminated"), status
        wait("the executors are gone", lambda: not app.pods("executor"), 180)


def test_should_leave_nothing_if_deleted_while_it_runs() -> None:
    with application("live-cascade", LONG) as app:
        app.reach("RUNNING")
        wait("an executor", lambda: app.pods("executor"), 180)
        kubectl(PLATFORM, "delete", "sparkapplication", app.name)
        wait("nothing is left", lambda: not app.left(), 180)


@pytest.mark.long
def test_should_leave_nothing_if_deleted_while_it_is_submitted() -> None:
    for number in range(5):
        with application(f"live-gone-{number}", nodeSelector={"airspark.io/no-such": "node"}) as app:
            kubectl(PLATFORM, "delete", "sparkapplication", app.name, "--wait=false")
            wait("nothing is left", lambda app=app: not app.left(), 180)  # type: ignore[misc]


def test_should_delete_the_application_if_its_time_to_live_has_passed() -> None:
    with application("live-ttl", "print('done')", timeToLiveSeconds=5) as app:
        wait("it is deleted", lambda: not app.object(), 180)
        wait("nothing is left", lambda: not app.left(), 180)


@pytest.mark.long
def test_should_run_with_zero_executors_at_first_if_dynamic_allocation_begins_at_zero() -> None:
    allocation = {"enabled": True, "initialExecutors": 0, "minExecutors": 0, "maxExecutors": 2}
    with application("live-dynamic", dynamicAllocation=allocation) as app:
        app.reach("COMPLETED")
        assert "SUM 499500" in app.log()


FEATURES = """
import json, os, pathlib
from pyspark.sql import SparkSession

def look(_):
    return [{
        "plain": os.environ.get("PLAIN"),
        "config": pathlib.Path("/etc/live/key").read_text(),
        "claim": os.access("/opt/airflow/output", os.W_OK),
        "uid": os.getuid(),
        "token": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    }]

session = SparkSession.builder.getOrCreate()
found = {
    "driver": look(0)[0],
    "executor": session.sparkContext.parallelize([0], 1).mapPartitions(look).first(),
    "secret": pathlib.Path("/etc/secret/word").read_text(),
    "from": os.environ.get("WORD"),
    "init": pathlib.Path("/scratch/hello").read_text(),
    "hadoop": session.sparkContext._jsc.hadoopConfiguration().get("live.hadoop"),
    "dependency": __import__("helper").ANSWER,
}
print("FOUND", json.dumps(found), flush=True)
"""


def test_should_give_driver_and_executors_what_the_spec_says() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "live-config", "namespace": PLATFORM},
              "data": {"key": "of the map", "helper.py": "ANSWER = 42"}}  # fmt: skip
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "live-secret", "namespace": PLATFORM},
        "stringData": {"word": "hush"},
    }
    send(config)
    send(secret)
    both = {"env": [{"name": "PLAIN", "value": "yes"}], "configMaps": [{"name": "live-config", "path": "/etc/live"}]}
    scratch = {"name": "scratch", "mountPath": "/scratch"}
    init = {
        "name": "hello",
        "image": spec()["image"],
        "command": ["sh", "-c", "echo hello > /scratch/hello"],
        "volumeMounts": [scratch],
    }
    sidecar = {"name": "beside", "image": spec()["image"], "command": ["sleep", "3600"]}
    driver = {
        **both,
        "volumeMounts": [scratch, OUTPUT_MOUNT],
        "initContainers": [init],
        "sidecars": [sidecar],
        "secrets": [{"name": "live-secret", "path": "/etc/secret", "secretType": "Generic"}],
        "envSecretKeyRefs": {"WORD": {"name": "live-secret", "key": "word"}},
        "annotations": {"airspark.io/live": "driver"},
    }
    executor = {**both, "volumeMounts": [OUTPUT_MOUNT], "annotations": {"airspark.io/live": "executor"}}
    changes = {
        "volumes": [{"name": "scratch", "emptyDir": {}}, OUTPUT],
        "driver": driver,
        "executor": executor,
        "hadoopConf": {"live.hadoop": "yes"},
        "deps": {"pyFiles": ["local:///etc/live/helper.py"]},
    }
    with application("live-features", FEATURES, **changes) as app:
        app.reach("COMPLETED")
        found = json.loads(re.search(r"^FOUND (.*)$", app.log(), re.MULTILINE).group(1))  # type: ignore[union-attr]
        alike = {"plain": "yes", "config": "of the map", "claim": True, "uid": 185}
        assert found["driver"] == alike | {"token": True} and found["executor"] == alike | {"token": False}
        assert found["secret"] == found["from"] == "hush" and found["init"].strip() == "hello"
        assert found["hadoop"] == "yes" and found["dependency"] == 42
        (pod,) = app.pods("driver")
        assert pod["metadata"]["annotations"]["airspark.io/live"] == "driver"
        assert "hush" not in json.dumps(app.object()) and "hush" not in kubectl(
            PLATFORM, "get", "pod", app.driver, "--output", "json"
        )
    kubectl(PLATFORM, "delete", "configmap/live-config", "secret/live-secret")


#: Who a pod is to the API server: the subject of the token that is mounted, or nothing without one.
ACCOUNTS = """
import base64, json, pathlib
from pyspark.sql import SparkSession

def who(_=0):
    token = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    if not token.exists():
        return [None]
    claims = token.read_text().split(".")[1]
    return [json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]]

session = SparkSession.builder.getOrCreate()
executor = session.sparkContext.parallelize([0], 1).mapPartitions(who).first()
print("FOUND", json.dumps([who()[0], executor]), flush=True)
"""
DRIVERS = "airspark-spark-operator-driver"


@pytest.fixture(scope="module")
def accounts(up: None) -> Iterator[None]:
    """Two accounts: `live-driver` may do what drivers may, `live-executor` nothing."""
    made = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": PLATFORM}}
        for name in ("live-driver", "live-executor")
    ]
    subject = {"kind": "ServiceAccount", "name": "live-driver", "namespace": PLATFORM}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": DRIVERS}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "roleRef": role, "subjects": [subject]}
    for thing in [*made, binding | {"metadata": {"name": "live-driver", "namespace": PLATFORM}}]:
        send(thing)
    yield
    kubectl(PLATFORM, "delete", "rolebinding/live-driver", "serviceaccount/live-driver", "serviceaccount/live-executor")


@pytest.mark.parametrize(
    ("name", "driver", "executor", "expected", "account"),
    [
        pytest.param("live-account-none", {}, {}, [DRIVERS, None], DRIVERS, marks=pytest.mark.long),
        pytest.param(
            "live-account-field",
            {},
            {"serviceAccount": "live-executor"},
            [DRIVERS, "live-executor"],
            "live-executor",
            marks=pytest.mark.long,
        ),
        (
            "live-account-executors-template",
            {},
            {"template": {"spec": {"serviceAccountName": "live-executor"}}},
            [DRIVERS, "live-executor"],
            "live-executor",
        ),
        pytest.param(
            "live-account-drivers-template",
            {"template": {"spec": {"serviceAccountName": "live-driver"}}},
            {},
            ["live-driver", None],
            "live-driver",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "live-account-template-with-token",
            {},
            {"template": {"spec": {"automountServiceAccountToken": True}}},
            [DRIVERS, None],
            DRIVERS,
            marks=pytest.mark.long,
        ),
    ],
)
def test_should_mount_the_token_of_an_account_of_their_own_into_executors_or_none(
    accounts: None, name: str, driver: Object, executor: Object, expected: list[str | None], account: str
) -> None:
    with application(name, ACCOUNTS, driver=driver, executor=executor) as app:
        (pod, *_) = wait("an executor is there", lambda: app.pods("executor"), 180)
        assert pod["spec"]["serviceAccountName"] == account
        app.reach("COMPLETED")
        found = json.loads(re.search(r"^FOUND (.*)$", app.log(), re.MULTILINE).group(1))  # type: ignore[union-attr]
        assert found == [each and f"system:serviceaccount:{PLATFORM}:{each}" for each in expected]


def test_should_say_at_once_what_the_api_server_would_refuse_of_executors() -> None:
    with application("live-label", executor={"labels": {"team": "data platform"}}) as app:
        status = app.reach("FAILED", seconds=20)
        assert status["reason"] == "InvalidSpec"
        assert (
            "executor.labels: team is 'data platform', which is not a valid value of a label"
            in (status["applicationState"]["errorMessage"])
        )


def test_should_mount_a_configmap_with_dots_and_fill_in_the_ids() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "live.settings.conf", "namespace": PLATFORM}}
    send(config | {"data": {"key": "dots"}})
    own = {
        "configMaps": [{"name": "live.settings.conf", "path": "/etc/live"}],
        "labels": {"run": "{{APP_ID}}"},
        "annotations": {"airspark.io/number": "{{APP_ID}}/{{EXECUTOR_ID}}"},
    }
    program = LONG.replace("time.sleep(600)", "print(open('/etc/live/key').read(), flush=True)\ntime.sleep(600)")
    with application("live-names", program, driver=own, executor=own) as app:
        app.reach("RUNNING")
        wait("the sum is printed", lambda: "SUM 499500" in app.log() and "dots" in app.log(), 300)
        app_id = app.status()["sparkApplicationId"]
        (pod,) = app.pods("executor")
        number = pod["metadata"]["labels"]["spark-exec-id"]
        assert pod["metadata"]["labels"]["run"] == app.pods("driver")[0]["metadata"]["labels"]["run"] == app_id
        assert pod["metadata"]["annotations"]["airspark.io/number"] == f"{app_id}/{number}"
    kubectl(PLATFORM, "delete", "configmap/live.settings.conf")


def test_should_serve_the_drivers_page_and_its_metrics_by_a_service() -> None:
    changes = {"sparkConf": {"spark.ui.prometheus.enabled": "true"}}
    with application("live-ui", LONG, **changes) as app:
        info = app.reach("RUNNING")["driverInfo"]
        wait("the sum", lambda: "SUM" in app.log(), 300)
        with Forward(f"svc/{info['webUIServiceName']}", int(info["webUIPort"])) as forward:
            page = httpx.get(f"{forward.url}/jobs/", timeout=30, follow_redirects=True)
            assert page.status_code == 200 and "Spark Jobs" in page.text
            assert "metrics_executor" in httpx.get(f"{forward.url}/metrics/executors/prometheus", timeout=30).text


def test_should_handle_others_if_one_object_is_broken() -> None:
    with ExitStack() as stack:
        broken = stack.enter_context(application("live-broken", mainApplicationFile="local:///program/none.py"))
        fine = stack.enter_context(application("live-beside-broken", "print('fine')"))
        fine.reach("COMPLETED")
        assert broken.reach("FAILED")["applicationState"]["errorMessage"]


def test_should_tell_prometheus_and_the_probes(plain: Application) -> None:
    with Forward("deploy/airspark-spark-operator", 8080) as forward:
        assert httpx.get(f"{forward.url}/readyz", timeout=10).text == "ok\n"
        assert httpx.get(f"{forward.url}/healthz", timeout=10).text == "ok\n"
        text = httpx.get(f"{forward.url}/metrics", timeout=10).text
    assert re.search(r'^spark_application_submissions_total\{namespace="airspark"\} [1-9]', text, re.MULTILINE)
    assert re.search(r'^spark_applications\{namespace="airspark",state="COMPLETED"\} [1-9]', text, re.MULTILINE)
    assert "spark_operator_leader 1.0" in text


def test_should_log_one_json_line_an_event_with_the_applications_name(plain: Application) -> None:
    lines = kubectl(PLATFORM, "logs", "deploy/airspark-spark-operator", "--tail=-1").splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(entries) == len([line for line in lines if line])
    assert any(entry.get("application") == "live-plain" and "RUNNING" in entry["message"] for entry in entries)


@pytest.mark.long
def test_should_run_a_schedule_and_keep_as_many_runs_as_it_says() -> None:
    template = {**spec(mainApplicationFile="local:///opt/airflow/spark-apps/generate_sales.py"), "arguments": ["--help"]}
    manifest = {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "ScheduledSparkApplication",
        "metadata": {"name": "live-schedule", "namespace": PLATFORM},
        "spec": {"schedule": "@every 15s", "concurrencyPolicy": "Forbid", "successfulRunHistoryLimit": 1, "template": template},
    }
    kubectl(PLATFORM, "delete", "scheduledsparkapplication", "live-schedule", "--ignore-not-found")
    assert "created" in send(manifest, "create")

    def status() -> dict[str, Any]:
        text = kubectl(PLATFORM, "get", "scheduledsparkapplication", "live-schedule", "--output", "json")
        found: dict[str, Any] = json.loads(text).get("status", {})
        return found

    try:
        wait("a first run", lambda: status().get("pastSuccessfulRunNames"), 300)
        first = status()["pastSuccessfulRunNames"]
        wait("another run", lambda: status().get("pastSuccessfulRunNames") not in (None, first), 300)
        chosen = ("--selector", "sparkoperator.k8s.io/scheduled-app-name=live-schedule", "--output", "json")
        runs = json.loads(kubectl(PLATFORM, "get", "sparkapplications", *chosen))["items"]
        done = [run for run in runs if run.get("status", {}).get("applicationState", {}).get("state") == "COMPLETED"]
        active = [run for run in runs if run not in done]
        assert len(done) <= 2 and len(active) <= 1 and status()["scheduleState"] == "Scheduled"
    finally:
        kubectl(PLATFORM, "delete", "scheduledsparkapplication", "live-schedule")
    wait(
        "its runs are gone", lambda: "live-schedule" not in kubectl(PLATFORM, "get", "sparkapplications", "--output", "name"), 90
    )


def test_should_say_so_if_a_schedule_cannot_be_read() -> None:
    manifest = {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "ScheduledSparkApplication",
        "metadata": {"name": "live-zone", "namespace": PLATFORM},
        "spec": {"schedule": "0 2 * * *", "timeZone": "Asia/Nowhere", "template": spec()},
    }
    send(manifest)
    try:
        read = ("get", "scheduledsparkapplication", "live-zone", "--output", "jsonpath={.status.scheduleState} {.status.reason}")
        wait("the reason", lambda: "FailedValidation spec.timeZone" in kubectl(PLATFORM, *read), 60)
    finally:
        kubectl(PLATFORM, "delete", "scheduledsparkapplication", "live-zone")
