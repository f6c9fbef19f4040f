"""The JVM's archive of classes: every process of Spark uses it, wherever its configuration is, and silently goes without."""

from __future__ import annotations

import re

import pytest

from .conftest import ANY_UID, docker, run, tag, versions

JAR = "/opt/spark/spark.jar"
JOB = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.range(100).selectExpr("id % 3 AS k").groupBy("k").count().write.mode("overwrite").parquet("file:///tmp/result")
print("RESULT", spark.read.parquet("file:///tmp/result").count())
"""
#: Standalone, as in the chart: a configuration folder of its own, first on Spark's class path but for the archive's jar.
CLUSTER = """
mkdir /tmp/conf /tmp/log && cat >/tmp/job.py
cat >/tmp/conf/spark-defaults.conf <<'EOF'
spark.driver.extraClassPath /opt/spark/spark.jar
spark.executor.extraClassPath /opt/spark/spark.jar
spark.driver.extraJavaOptions -Xlog:class+load:file=/tmp/log/driver
spark.executor.extraJavaOptions -Xlog:class+load:file=/tmp/log/executor
spark.executor.memory 600m
EOF
export SPARK_CONF_DIR=/tmp/conf SPARK_LOCAL_IP=127.0.0.1 SPARK_WORKER_DIR=/tmp/work
export SPARK_MASTER_OPTS=-Xlog:class+load:file=/tmp/log/master SPARK_WORKER_OPTS=-Xlog:class+load:file=/tmp/log/worker
export SPARK_LAUNCHER_OPTS="$SPARK_LAUNCHER_OPTS -Xlog:class+load:file=/tmp/log/launcher-%p"
spark-class org.apache.spark.deploy.master.Master --host 127.0.0.1 --port 7077 2>/tmp/master.err &
spark-class org.apache.spark.deploy.worker.Worker --cores 1 --memory 700m spark://127.0.0.1:7077 2>/tmp/worker.err &
spark-submit --master spark://127.0.0.1:7077 /tmp/job.py 2>/tmp/driver.err || cat /tmp/*.err >&2
for log in driver executor master worker launcher; do cat /tmp/log/$log* | count $log; done
"""
COUNT = """
count() { awk -v name=$1 '/shared objects file/ {a++} /source: (file|jrt):/ {f++} END {print "CLASSES", name, a + 0, f + 0}'; }
"""
LOCAL = """
mkdir /tmp/conf && cat >/tmp/job.py && echo "spark.driver.extraClassPath $1" >/tmp/conf/spark-defaults.conf
export SPARK_CONF_DIR=/tmp/conf SPARK_LOCAL_IP=127.0.0.1
spark-submit --master 'local[1]' --driver-java-options -Xlog:class+load:file=/tmp/driver /tmp/job.py
count driver </tmp/driver
"""


def counts(output: str) -> dict[str, tuple[int, int]]:
    """Return how many classes came from the archive and from files, by process."""
    return {name: (int(a), int(f)) for name, a, f in re.findall(r"^CLASSES (\S+) (\d+) (\d+)$", output, re.MULTILINE)}


def test_every_process_of_a_cluster_takes_its_classes_from_the_archive_under_another_configuration_folder() -> None:
    done = run("spark", "bash", "-c", COUNT + CLUSTER, stdin=JOB)
    assert "RESULT 3" in done.stdout, done.stderr[-3000:]
    found = counts(done.stdout)
    assert found.keys() == {"driver", "executor", "master", "worker", "launcher"}
    for name, (archived, filed) in found.items():
        assert archived > 500 and archived > 20 * filed, f"{name}: {archived} classes from the archive, {filed} from files"
    assert found["driver"][0] > 10_000 and found["executor"][0] > 5_000


@pytest.mark.parametrize("image", ["spark", "airflow"])
def test_archive_is_used_on_another_file_system(image: str) -> None:
    """A volume starts as a copy of the image's folder: the same files in another order, on the file system of the host."""
    folder = f"/opt/venv/lib/python{versions()['PYTHON_VERSION']}/site-packages/pyspark"
    done = docker(
        *("run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "--user", ANY_UID),
        *("--volume", folder, tag(image), "bash", "-c", COUNT + LOCAL, "bash", JAR),
        stdin=JOB,
    )
    assert "RESULT 3" in done.stdout
    archived, filed = counts(done.stdout)["driver"]
    assert archived > 10_000 and archived > 20 * filed, f"{archived} classes from the archive, {filed} from files"


def test_another_class_path_goes_without_the_archive_and_says_nothing() -> None:
    done = run("spark", "bash", "-c", COUNT + LOCAL, "bash", f"/tmp/conf:{JAR}", stdin=JOB)
    assert "RESULT 3" in done.stdout
    assert counts(done.stdout)["driver"][0] == 0
    assert not re.search(r"\[(warning|error)\]|Picked up|shared class|CDS", done.stdout + done.stderr)


def test_java_itself_prints_no_word_of_an_archive_or_an_option() -> None:
    done = run("spark", "java", "-cp", "/tmp", "-version")
    assert re.fullmatch(r"(openjdk version|OpenJDK Runtime|OpenJDK 64-Bit Server VM).*", done.stderr.splitlines()[0])
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 3)


def test_scala_shell_says_that_it_is_not_there() -> None:
    done = run("spark", "spark-shell", check=False)
    assert done.returncode == 1 and "the Scala shell is not in this image" in done.stderr
