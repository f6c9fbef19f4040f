"""Make the JVM's archive of loaded classes (AppCDS) from what a small Spark cluster and its job load.

Run once by the image build, after everything else is in its place: `python archive.py`. A master, a worker, its executors
and a driver run with the security that the charts switch on, each writes down what it loads, and one archive of all of it
takes the place of Java's own, so that no process needs an option to use it. The history and Connect servers use what they
have in common with these: their own classes would add 25 MB. A process uses the archive if `spark.jar`, the class path in a
fixed order that slim.py makes, is the first on its class path, and starts silently without it otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

CLASS_PATH = "/opt/spark/spark.jar"
MASTER = "spark://127.0.0.1:7077"
SECURITY = {
    "spark.authenticate": "true",
    "spark.authenticate.secret": "only-for-the-build",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.cipher": "AES/GCM/NoPadding",
    "spark.io.encryption.enabled": "true",
    "spark.master.rest.enabled": "false",
}
#: Main classes whose processes must have left a list.
PROCESSES = (
    "deploy/SparkSubmit",
    "deploy/master/Master",
    "deploy/worker/Worker",
    "executor/CoarseGrainedExecutorBackend",
    "launcher/Main",
)
WAIT_SECONDS = 300


def job(folder: str) -> None:
    """Read CSV, drop, derive, join and aggregate rows, call Python with and without Arrow, write and read Parquet and JSON."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = SparkSession.builder.appName("archive").getOrCreate()
    rows = spark.range(2000).select("id", (F.col("id") % 7).cast("string").alias("shop"), F.lit("2026-01-15").alias("date"))
    rows.write.csv(f"{folder}/csv", header=True)
    read = spark.read.csv(f"{folder}/csv", header=True, schema="id LONG, shop STRING, date DATE, broken STRING")
    shops = spark.createDataFrame([(str(number), f"shop {number}") for number in range(7)], "shop STRING, name STRING")
    clean = read.dropDuplicates(["id"]).filter(F.col("id") > 3).withColumn("month", F.date_trunc("month", "date"))
    joined = clean.join(shops, on="shop", how="left").withColumn("half", F.udf(lambda number: number // 2, "long")("id"))
    joined.write.partitionBy("shop").parquet(f"{folder}/parquet")
    joined.filter("id > 1990").write.json(f"{folder}/json")
    lines = spark.read.text(f"{folder}/csv").select(F.from_csv("value", "id LONG, shop STRING").alias("row"))
    lines.select("row.*").mapInArrow(lambda batches: batches, "id LONG, shop STRING").groupBy("shop").applyInArrow(
        lambda table: table, "id LONG, shop STRING"
    ).agg(F.min("id"), F.collect_list("shop")).collect()
    spark.read.parquet(f"{folder}/parquet").cache().createOrReplaceTempView("sales")
    print(spark.sql("SELECT name, count(*), sum(half) FROM sales GROUP BY name ORDER BY name").collect())
    spark.stop()


def wait_for_worker(page: str) -> None:
    """Wait until a master's page counts a worker.

    Raises:
        SystemExit: it does not in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(page, timeout=60) as response:
            if json.load(response)["aliveworkers"]:
                return
        time.sleep(0.5)
    raise SystemExit(f"archive.py: {page} counts no worker after {WAIT_SECONDS} s")


@contextlib.contextmanager
def daemon(environment: dict[str, str], *arguments: str) -> Iterator[None]:
    """Run a class of Spark in the background."""
    process = subprocess.Popen(["/opt/spark/bin/spark-class", *arguments], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def run_cluster(work: Path) -> None:
    """Run every kind of process once; each leaves its list of classes in `work`/classes."""
    conf, events = work / "conf", work / "events"
    for folder in (conf, events, work / "classes"):
        folder.mkdir()
    settings = SECURITY | {
        "spark.driver.extraClassPath": CLASS_PATH,
        "spark.executor.extraClassPath": CLASS_PATH,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{events}",
        "spark.master": MASTER,
    }
    (conf / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    environment = os.environ | {
        "JAVA_TOOL_OPTIONS": f"-XX:DumpLoadedClassList={work}/classes/%p",
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(work / "worker"),
    }
    master = ("org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", "7077", "--webui-port", "18090")
    worker = ("org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "2", "--memory", "1g", MASTER)
    with daemon(environment, *master), daemon(environment, *worker):
        wait_for_worker("http://127.0.0.1:18090/json/")
        subprocess.run(
            ["/opt/spark/bin/spark-submit", "--executor-memory", "900m", __file__, str(work)], env=environment, check=True
        )


def merge(lists: Iterable[str]) -> str:
    """Merge lists of loaded classes: one of each, in order.

    Numbers, which are unlike from list to list, go. Classes of other loaders, which have a source, cannot be archived.
    """
    lines = (line for text in lists for line in text.splitlines() if not line.startswith("#") and " source: " not in line)
    names = (line if line.startswith("@") else line.partition(" id:")[0] for line in lines)
    return "\n".join(dict.fromkeys(names)) + "\n"


def main() -> None:
    """Run the cluster and put the archive in the place of Java's own.

    Raises:
        SystemExit: what ran did not load what it should, or the archive was not made.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run_cluster(work)
        found = [file.read_text() for file in sorted((work / "classes").iterdir())]
        for name in PROCESSES:
            if not any(f"/{name}\n" in text or f"/{name} " in text for text in found):
                raise SystemExit(f"archive.py: no process loaded {name}")
        names = work / "classes.txt"
        names.write_text(merge(found))
        archive = Path(os.environ["JAVA_HOME"], "lib/server/classes.jsa")
        done = subprocess.run(
            ["java", "-Xshare:dump", "-XX:+UseG1GC", f"-XX:SharedClassListFile={names}", f"-XX:SharedArchiveFile={archive}",
             "-cp", CLASS_PATH], capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode or not archive.is_file():
            raise SystemExit(f"archive.py: java -Xshare:dump ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
        archive.chmod(0o644)


if __name__ == "__main__":
    job(sys.argv[1]) if len(sys.argv) > 1 else main()
