"""What etl_daily's application takes for 1 GB and 4 GB of CSV on two cores, beside a plain script, local[2], DuckDB and pandas.

    make bench-etl                        # needs `make up`; leaves nothing behind
    make bench-etl REPEAT=3 SIZES=1000    # only 1 GB
    make bench-etl SIZES=1000 LEVERS=1    # with other collectors, shuffle partitions and compression

Everything runs in turn from one pod made from the platform's template of task pods: the plain script that one would write
first (dropDuplicates, default settings) on local[2]; our application on local[2], without cluster and Airflow; our application
on the standalone cluster, as etl_daily submits it, and once more with its executors' memory watched; DuckDB; pandas, where
3.3 times the file fit into the pod's memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from report import figure, write

from airspark import demo, engine, tools
from airspark.cluster import answers, kubectl
from airspark.console import step
from airspark.project import BUILD, NAMESPACE, RELEASE, ROOT, Failure, kubeconfig

SCRIPTS = Path(__file__).resolve().parent / "etl"
CONFIGMAP = "bench-etl"
APPLICATION = "/opt/airflow/spark-apps/sales_etl.py"
MEMORY_GIB, PANDAS_TIMES = 6, 3.3
SITE, WORKER = f"{demo.OUTPUT}/bench-etl-site", f"{RELEASE}-spark-worker-0"
#: By name, settings that the cluster's set-up may have besides.
LEVERS = {
    "ParallelGC": ("spark.executor.extraJavaOptions=-XX:+UseParallelGC",),
    "G1GC": ("spark.executor.extraJavaOptions=-XX:+UseG1GC",),
    "second compiler later": (
        "spark.executor.extraJavaOptions=-XX:+UseSerialGC -XX:Tier4InvocationThreshold=50000 "
        "-XX:Tier4MinInvocationThreshold=6000 -XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000",
    ),
    "first compiler only": ("spark.executor.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",),
    "8 shuffle partitions": ("spark.sql.shuffle.partitions=8",),
    "zstd": ("spark.io.compression.codec=zstd",),
    "3 of 4 of the heap for work": ("spark.memory.fraction=0.75",),
}

#: The cluster, with the memory of executors looked at twice a second.
WATCHED = "cluster, watched"
DAY, HEAP = "2026-01-15", "2g"
GOALS = {
    "1000 MB: cluster / plain": {"op": "<=", "value": round(1 / 1.5, 3)},
    "1000 MB: cluster / local[2]": {"op": "<=", "value": 1.15},
    "4000 MB: cluster / plain": {"op": "<=", "value": round(1 / 1.5, 3)},
    "4000 MB: cluster / local[2]": {"op": "<=", "value": 1.15},
    "executors' peak memory: 4000 MB / 1000 MB": {"op": "<=", "value": 1.10},
}


def commands(megabytes: int, levers: bool = False) -> dict[str, list[str]]:
    """The command of each set-up.

    Args:
        megabytes: of CSV.
        levers: whether to add the cluster with each of LEVERS.
    """
    folder, target = f"{demo.DATA}/bench-etl-{megabytes}", f"{demo.OUTPUT}/bench-etl"
    file = f"{folder}/sales_{DAY}.csv"
    ours = [APPLICATION, "--date", DAY, "--input", folder, "--output", f"{target}/ours"]
    local = ["spark-submit", "--master", "local[2]", "--driver-memory", HEAP, "--conf", "spark.eventLog.enabled=false"]
    # The work is in the driver here: it compiles as executors do, not as the platform's short-lived drivers.
    working = ["--conf", "spark.driver.extraJavaOptions="]
    cluster = [
        *("spark-submit", "--master", f"spark://{RELEASE}-spark-master:7077", "--driver-memory", "600m"),
        *("--executor-memory", "700m", "--executor-cores", "1", "--total-executor-cores", "2"),
        *("--conf", "spark.executor.memoryOverhead=256m", "--conf", "spark.executor.extraJavaOptions=-XX:+UseSerialGC"),
    ]
    # Apart, because an executor looks at its processes by starting several others each time. measure_etl.py reads the log.
    watched = [
        *cluster,
        *("--conf", "spark.executor.processTreeMetrics.enabled=true", "--conf", "spark.executor.metrics.pollingInterval=500"),
        *("--conf", "spark.eventLog.logStageExecutorMetrics=true", "--conf", "spark.eventLog.compress=false"),
    ]
    found = {
        "plain": [*local, *working, "/bench/etl_job.py", "plain", file, f"{target}/plain"],
        "local[2]": [*local, *working, *ours],
        "cluster": [*cluster, *ours],
        WATCHED: [*watched, *ours],
        "duckdb": ["env", f"PYTHONPATH={SITE}", "python", "/bench/etl_job.py", "duckdb", file, f"{target}/duckdb.parquet"],
    }
    if levers:
        for name, settings in LEVERS.items():
            found[f"cluster, {name}"] = [*cluster, *(part for one in settings for part in ("--conf", one)), *ours]
    if megabytes * PANDAS_TIMES < MEMORY_GIB * 1000:
        found["pandas"] = ["python", "/bench/etl_job.py", "pandas", file, f"{target}/pandas.parquet"]
    return found


def pod(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a pod that runs measure_etl.py, made from the platform's template of task pods."""
    listed = json.loads(kubectl("get", "configmap", f"{RELEASE}-pod-templates", "--namespace", NAMESPACE, "--output", "json"))
    body: dict[str, Any] = yaml.safe_load(listed["data"]["pod_template_file.yaml"])
    body["metadata"] |= {"name": f"bench-etl-{uuid.uuid4().hex[:8]}", "namespace": NAMESPACE}
    (container,) = body["spec"]["containers"]
    container["args"] = ["python", "/bench/measure_etl.py", json.dumps(plan)]
    container["resources"] = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": f"{MEMORY_GIB}Gi"}}
    container["volumeMounts"].append({"name": "bench", "mountPath": "/bench"})
    body["spec"]["volumes"].append({"name": "bench", "configMap": {"name": CONFIGMAP}})
    return body


def bring_duckdb() -> None:
    """Put DuckDB, which no image has, where the bench's pod finds it: the output claim, by way of a worker.

    Raises:
        Failure: if it cannot be fetched, or no worker takes it.
    """
    site = BUILD / "bench-site"
    lock = ROOT / "requirements" / "bench.txt"
    with step("bench", "Bring DuckDB to the output claim"):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--upgrade"]
        if subprocess.run([*pip, "--target", str(site), "--requirement", str(lock)], check=False).returncode:
            raise Failure("DuckDB could not be fetched from the package index", "make bench-etl again once it answers")
        with tempfile.TemporaryFile() as archive:
            subprocess.run(["tar", "--create", "--directory", str(site), "."], stdout=archive, check=True)
            archive.seek(0)
            command = [str(tools.ensure("kubectl")), "--kubeconfig", str(kubeconfig()), "exec", "--namespace", NAMESPACE]
            unpack = f"mkdir -p {SITE} && tar --extract --no-same-owner --directory {SITE}"
            if subprocess.run([*command, "--stdin", WORKER, "--", "bash", "-c", unpack], stdin=archive, check=False).returncode:
                raise Failure(f"{WORKER} did not take DuckDB", "make status")


def measure(megabytes: int, repeat: int, levers: bool) -> dict[str, dict[str, list[float]]]:
    """Measure every set-up at one size.

    Args:
        megabytes: of CSV.
        repeat: runs of each.
        levers: whether to measure LEVERS too.

    Returns:
        By the set-up's name, the samples: wall in s; speed in MB/s; rows in rows/s; peak and executors in MB.

    Raises:
        Failure: if a run fails.
    """
    folder = f"{demo.DATA}/bench-etl-{megabytes}"
    file = f"{folder}/sales_{DAY}.csv"
    make = ["python", "/bench/etl_job.py", "make", file, str(megabytes)]
    plan = {"repeat": repeat, "file": file, "prepare": [make], "setups": commands(megabytes, levers)}
    found: dict[str, dict[str, list[float]]] = {}
    try:
        with step("bench", f"CSV → Parquet, {megabytes} MB, {', '.join(plan['setups'])}, {repeat} times") as current:
            text = demo.run_pod(pod(plan), 900 + (4 if levers else 3) * megabytes * repeat, current.write)
        said = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        (rows,) = [one["rows"] for one in said if "rows" in one]
        for run in said:
            if name := run.pop("setup", ""):
                run |= {"speed": megabytes / run["wall"], "rows": rows / run["wall"]}
                for kind, value in run.items():
                    found.setdefault(name, {}).setdefault(kind, []).append(value)
    finally:
        cleaner = pod({})
        cleaner["spec"]["containers"][0]["args"] = ["rm", "-rf", folder, f"{demo.OUTPUT}/bench-etl"]
        with step("bench", "Remove the bench's files"):
            demo.run_pod(cleaner, 300, lambda _: None)
    return found


def megabytes_of(text: str) -> list[int]:
    """Read sizes from the command line, by commas."""
    sizes = [int(one) for one in text.split(",") if one.isdecimal() and one != "0"]
    if len(sizes) != text.count(",") + 1:
        raise argparse.ArgumentTypeError(f"'{text}' are no megabytes, such as 1000,4000")
    return sizes


def main(repeat: int, sizes: list[int], levers: bool) -> int:
    """Measure the sizes and write the report."""
    engine.find()
    if not answers():
        raise Failure("no platform is running", "make up")
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    peaks: dict[int, float] = {}
    kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE, "--ignore-not-found")
    kubectl("create", "configmap", CONFIGMAP, "--namespace", NAMESPACE, f"--from-file={SCRIPTS}")
    try:
        bring_duckdb()
        for size in sizes:
            found = measure(size, repeat, levers)
            for name, kinds in found.items():
                figures[f"{size} MB, {name}: wall"] = figure(kinds["wall"])
                figures[f"{size} MB, {name}: speed"] = figure(kinds["speed"], "MB/s")
                figures[f"{size} MB, {name}: rows"] = figure([one / 1000 for one in kinds["rows"]], "thousand rows/s")
                figures[f"{size} MB, {name}: peak of the driver or process"] = figure(kinds["peak"], "MB")
            peaks[size] = median(found[WATCHED]["executors"])
            figures[f"{size} MB, cluster: peak of an executor"] = figure(found[WATCHED]["executors"], "MB")
            for base in ("plain", "local[2]", "duckdb", "pandas"):
                if base in found:
                    ratios[f"{size} MB: cluster / {base}"] = median(found["cluster"]["wall"]) / median(found[base]["wall"])
            for name in [f"cluster, {lever}" for lever in LEVERS if levers]:
                ratios[f"{size} MB: {name} / cluster"] = median(found[name]["wall"]) / median(found["cluster"]["wall"])
    finally:
        kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE)
        kubectl("exec", "--namespace", NAMESPACE, WORKER, "--", "rm", "-rf", SITE)
    if {1000, 4000} <= set(peaks):
        ratios["executors' peak memory: 4000 MB / 1000 MB"] = peaks[4000] / peaks[1000]
    write("etl", repeat, figures, ratios, GOALS, ("Spark", "Java", "Python", "Kubernetes"))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeat", nargs="?", type=int, default=5, help="runs of each set-up")
    parser.add_argument("--sizes", type=megabytes_of, default="1000,4000", help="megabytes of CSV, by commas")
    parser.add_argument("--levers", action="store_true", help="the cluster with other settings too")
    arguments = parser.parse_args()
    try:
        sys.exit(main(arguments.repeat, arguments.sizes, arguments.levers))
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        sys.exit(1)
