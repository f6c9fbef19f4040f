"""spark-submit of the images, at a real master and worker that ask for a secret."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import docker, run, serving, versions, wait_until

MASTER = "spark://localhost:7077"
FACTS = {
    "spark": versions()["SPARK_VERSION"],
    "python": versions()["PYTHON_VERSION"],
    "java": versions()["JAVA_VERSION"],
    "authentication": True,
    # of the secret "right"
    "secretFingerprint": "64ca",
    "defaultCores": 1,
    "masterUi": "http://localhost:8080",
}
DEFAULTS = """\
spark.authenticate true
spark.authenticate.secret ${env:_SPARK_AUTH_SECRET}
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.master.rest.enabled false
spark.network.crypto.enabled true
spark.network.crypto.cipher AES/GCM/NoPadding
spark.ui.enabled false
"""
JOB = "from pyspark.sql import SparkSession; print('rows:', SparkSession.builder.getOrCreate().range(10).count())"
#: Master and worker in one container.
START = f"""\
mkdir /tmp/conf
printf '%s' "$DEFAULTS" > /tmp/conf/spark-defaults.conf
printf '%s' "$JOB" > /tmp/job.py
spark-class org.apache.spark.deploy.master.Master --host localhost --port 7077 --webui-port 8080 &
exec spark-class org.apache.spark.deploy.worker.Worker --cores 1 --memory 768m --work-dir /tmp/work {MASTER}
"""
ENVIRONMENT = {
    "AIRSPARK_SPARK_CLUSTER": "/tmp/cluster.json",
    "DEFAULTS": DEFAULTS,
    "JOB": JOB,
    "SPARK_CONF_DIR": "/tmp/conf",
    "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "SPARK_DAEMON_MEMORY": "192m",
    "SPARK_LOCAL_HOSTNAME": "localhost",
    "SPARK_LOCAL_IP": "127.0.0.1",
    "_SPARK_AUTH_SECRET": "right",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A container with a master and a worker of 1 core and 768 MiB; its name."""
    options = [part for name, value in ENVIRONMENT.items() for part in ("--env", f"{name}={value}")]
    with serving("spark", "bash", "-c", START, options=tuple(options)) as container:
        wait_until(lambda: "Successfully registered with master" in docker("logs", container).stderr, container)
        yield container


def submit(
    container: str, *arguments: str, facts: dict[str, Any] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Submit with changed facts or environment variables, as a task pod would."""
    docker(
        *("exec", "--interactive", container, "sh", "-c", "cat > /tmp/cluster.json"),
        stdin=json.dumps(FACTS | (facts or {})),
    )
    variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
    return docker("exec", *variables, container, "entrypoint", "spark-submit", "--master", MASTER, *arguments, check=False)


def test_should_run_a_job_that_passes_every_check(cluster: str) -> None:
    done = submit(cluster, "--executor-memory", "512m", "/tmp/job.py")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "rows: 10" in done.stdout
    assert "spark-submit:" not in done.stderr


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"spark": "4.2.0"}, f"Spark is {FACTS['spark']} in this container and 4.2.0 in the cluster {MASTER}"),
        ({"python": "3.12"}, f"Python is {FACTS['python']} in this container and 3.12 in the cluster {MASTER}"),
        ({"java": "21"}, f"Java is {FACTS['java']} in this container and 21 in the cluster {MASTER}"),
    ],
)
def test_should_name_another_version_of_the_cluster(cluster: str, facts: dict[str, str], words: str) -> None:
    assert words in refused(submit(cluster, "/tmp/job.py", facts=facts))


@pytest.mark.parametrize(
    ("secret", "words"),
    [("", "asks for a secret and this pod has none"), ("wrong", "the secret of this pod is not the cluster's")],
)
def test_should_name_a_missing_and_a_wrong_secret(cluster: str, secret: str, words: str) -> None:
    assert words in refused(submit(cluster, "/tmp/job.py", _SPARK_AUTH_SECRET=secret))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--executor-memory", "2g"), f"asks for 2048 MiB in one executor and the largest worker of {MASTER} has 768 MiB"),
        ((), f"asks for 1024 MiB in one executor and the largest worker of {MASTER} has 768 MiB"),
        (("--executor-cores", "2"), "executors of 2 cores and may use 1 in all"),
        (
            ("--executor-memory", "512m", "--executor-cores", "2", "--total-executor-cores", "2"),
            f"asks for 2 cores in one executor and the largest worker of {MASTER} has 1",
        ),
    ],
)
def test_should_name_what_no_worker_has(cluster: str, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(submit(cluster, *arguments, "/tmp/job.py"))


def test_should_name_an_application_that_cannot_be_read(cluster: str) -> None:
    docker("exec", "--user", "0:1", cluster, "sh", "-c", "umask 077; echo > /tmp/private.py")
    assert "/tmp/private.py cannot be read by uid 123456 and gid 0" in refused(submit(cluster, "/tmp/private.py"))
    assert "/tmp/absent.py is not in this container" in refused(submit(cluster, "/tmp/absent.py"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("spark://localhost:7000", "localhost:7000: connection refused"),
        ("spark://elsewhere:7077", "elsewhere is no known name"),
    ],
)
def test_should_name_a_master_that_does_not_answer(cluster: str, address: str, words: str) -> None:
    begun = time.monotonic()
    done = submit(cluster, "--master", address, "/tmp/job.py", AIRSPARK_MASTER_DEADLINE="2")
    assert time.monotonic() - begun < 20
    assert done.returncode == 69
    waiting, sentence = done.stderr.splitlines()
    assert waiting == f"spark-submit: waiting up to 2 s for the master {address} ({words})"
    assert sentence.startswith(f"spark-submit: no master answered at {address} within 2 s ({words});")


def test_should_check_in_the_airflow_image_too() -> None:
    assert "/tmp/absent.py is not in this container" in refused(
        run("airflow", "spark-submit", "--master", MASTER, "/tmp/absent.py", check=False)
    )


def test_should_leave_everything_else_to_spark_submit() -> None:
    done = run("spark", "env", "SPARK_LOCAL_IP=127.0.0.1", "spark-submit", "--version")
    assert f"version {FACTS['spark']}" in done.stderr


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of a submission that ended with 78 before a JVM started."""
    assert done.returncode == 78, done.stderr[-2000:]
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("spark-submit: ")
    return sentence
