"""How long a small Spark job takes with and without what the image does about it, what the cluster costs, the image's size.

    make bench-spark                      # all parts; `convert` needs `make up` and leaves nothing behind
    make bench-spark REPEAT=9 LEVERS=1    # each lever by itself, and some that were not taken
    make bench-spark PARTS=small,size     # without a cluster
    make bench-spark PARTS=convert SIZE=100

`small` runs the same job on local[2] in one container of the Spark image, in turn with Java's own archive, class path and
compiler thresholds (the plain image) and as the image is. `convert` runs CSV → Parquet in a pod made from the platform's
template of task pods, in turn on the standalone cluster, with the security its charts switch on, and on local[2].
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from report import figure, write

from airspark import demo, engine, images
from airspark.cluster import answers, kubectl
from airspark.console import step
from airspark.images import IMAGES
from airspark.project import NAMESPACE, RELEASE, Failure

SCRIPTS = Path(__file__).resolve().parent / "spark"
CONFIGMAP = "bench-spark"
PARTS = ("small", "convert", "size")
OWN = "/tmp/java.jsa"
JAR = "/opt/spark/spark.jar"
#: The archive that comes with Java, and where HotSpot maps an archive and begins its second compiler by default.
JAVA_ARCHIVE = f"-XX:SharedArchiveFile={OWN}"
MAPPED_ANYWHERE = "-XX:ArchiveRelocationMode=1"
EARLY_C2 = (
    "-XX:Tier4InvocationThreshold=5000 -XX:Tier4MinInvocationThreshold=600 "
    "-XX:Tier4CompileThreshold=15000 -XX:Tier4BackEdgeThreshold=40000"
)
GOALS = {
    "small job: wall / plain": {"op": "<=", "value": 0.6},
    "convert: cluster / local[2]": {"op": "<=", "value": 1.25},
    "image / 1 GB": {"op": "<=", "value": 1.0},
}


@dataclass(frozen=True)
class Setup:
    """One way to run the small job in the same image.

    Args:
        options: Java options of the driver, which override those of the image.
        launcher: Java options of the launcher; None leaves the image's.
        class_path: first on the driver's class path.
    """

    options: str = ""
    launcher: str | None = None
    class_path: str = JAR

    def plan(self) -> dict[str, Any]:
        """The set-up as measure.py wants it."""
        conf = {"spark.driver.extraJavaOptions": self.options, "spark.driver.extraClassPath": self.class_path}
        words = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
        env = {} if self.launcher is None else {"SPARK_LAUNCHER_OPTS": self.launcher}
        return {"command": ["spark-submit", "--master", "local[2]", *words, "/bench/small_job.py"], "env": env}


PLAIN = Setup(f"{JAVA_ARCHIVE} {MAPPED_ANYWHERE} {EARLY_C2}", JAVA_ARCHIVE, "")
AIRSPARK = Setup()
#: From the plain image to ours, each with one lever more; then what was not taken.
LEVERS = {
    "+ archive": Setup(f"{MAPPED_ANYWHERE} {EARLY_C2}", JAVA_ARCHIVE),
    "+ archive, mapped in its place": Setup(EARLY_C2, JAVA_ARCHIVE),
    "+ archive, launcher": Setup(EARLY_C2),
    "airspark, first compiler only": Setup("-XX:TieredStopAtLevel=1"),
    "airspark, SerialGC": Setup("-XX:+UseSerialGC"),
    "airspark, ParallelGC": Setup("-XX:+UseParallelGC"),
}


def samples(text: str) -> dict[str, dict[str, list[float]]]:
    """Return the seconds that measure.py printed, by set-up and by `wall`, `cpu` and `session`."""
    found: dict[str, dict[str, list[float]]] = {}
    for line in text.splitlines():
        if line.startswith("{"):
            run = json.loads(line)
            kinds = found.setdefault(run.pop("setup"), {})
            for kind, value in run.items():
                kinds.setdefault(kind, []).append(value)
    return found


def measure_small(setups: dict[str, Setup], repeat: int) -> dict[str, dict[str, list[float]]]:
    """Run the small job in every set-up, in turn, in one restricted container of the Spark image.

    Raises:
        Failure: if a run fails.
    """
    java_archive = ["java", "-Xshare:dump", "-XX:+UseG1GC", JAVA_ARCHIVE]
    plan = {"repeat": repeat, "prepare": [java_archive], "setups": {name: setup.plan() for name, setup in setups.items()}}
    command = [
        *("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "--hostname", "localhost"),
        *("--cap-drop", "ALL", "--volume", f"{SCRIPTS}:/bench:ro", "--env", "SPARK_LOCAL_IP=127.0.0.1"),
        *(IMAGES["spark"].tag, "python", "/bench/measure.py", json.dumps(plan)),
    ]
    with step("bench", f"Small job, {len(setups)} set-ups, {repeat} times after a warm-up") as current:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        current.write(done.stdout + done.stderr)
    if done.returncode:
        raise Failure(f"the small job failed: {done.stderr.strip()[-1000:]}", "make check")
    return samples(done.stdout)


def pod(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a pod that runs measure.py, made from the platform's template of task pods.

    So it has the client's configuration, secret, claims and labels for network policies, whatever the values say.
    """
    data = json.loads(kubectl("get", "configmap", f"{RELEASE}-pod-templates", "--namespace", NAMESPACE, "--output", "json"))[
        "data"
    ]
    body: dict[str, Any] = yaml.safe_load(data["pod_template_file.yaml"])
    body["metadata"] |= {"name": f"bench-spark-{uuid.uuid4().hex[:8]}", "namespace": NAMESPACE}
    (container,) = body["spec"]["containers"]
    container["args"] = ["python", "/bench/measure.py", json.dumps(plan)]
    container["resources"] = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "4Gi"}}
    container["volumeMounts"].append({"name": "bench", "mountPath": "/bench"})
    body["spec"]["volumes"].append({"name": "bench", "configMap": {"name": CONFIGMAP}})
    return body


def measure_convert(repeat: int, megabytes: int) -> dict[str, dict[str, list[float]]]:
    """Convert CSV on the cluster and on local[2], in turn, from one pod.

    Args:
        repeat: runs of each after one to warm up.
        megabytes: of CSV.

    Raises:
        Failure: if no platform runs, or a run fails.
    """
    if not answers():
        raise Failure("no platform is running, and the part `convert` runs on one", "make up, or PARTS=small,size")
    source, target = f"{demo.DATA}/bench-{megabytes}", f"{demo.OUTPUT}/bench"
    common = ["spark-submit", "--conf", "spark.hadoop.fs.permissions.umask-mode=002", "--conf", "spark.eventLog.enabled=false"]
    # the work is in the driver here: it compiles as executors do, not as the platform's short-lived drivers
    compilers = "spark.driver.extraJavaOptions=-XX:+UseG1GC"
    local = [*common, "--master", "local[2]", "--driver-memory", "1800m", "--conf", compilers]
    executors = ["--total-executor-cores", "2", "--executor-cores", "1", "--executor-memory", "900m", "--driver-memory", "600m"]
    cluster = [*common, "--master", f"spark://{RELEASE}-spark-master:7077", *executors]
    job = ["/bench/convert_job.py", "convert", source, target]
    plan = {
        "repeat": repeat,
        "prepare": [[*local, "/bench/convert_job.py", "make", source, str(megabytes)]],
        "setups": {
            "cluster": {"command": [*cluster, *job], "env": {}},
            "local[2]": {"command": [*local, *job], "env": {}},
        },
    }
    # a run that was broken off leaves its own
    kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE, "--ignore-not-found")
    kubectl("create", "configmap", CONFIGMAP, "--namespace", NAMESPACE, f"--from-file={SCRIPTS}")
    try:
        with step("bench", f"CSV → Parquet, {megabytes} MB, on the cluster and on local[2], {repeat} times") as current:
            return samples(demo.run_pod(pod(plan), 600 + megabytes * (repeat + 1), current.write))
    finally:
        with step("bench", "Remove the bench's files"):
            demo.run_pod(cleaner(source, target), 300, lambda _: None)
            kubectl("delete", "configmap", CONFIGMAP, "--namespace", NAMESPACE)


def cleaner(*folders: str) -> dict[str, Any]:
    """Return a pod that removes folders from the claims."""
    body = pod({})
    body["spec"]["containers"][0]["args"] = ["rm", "-rf", *folders]
    return body


def main(repeat: int, parts: list[str], levers: bool, megabytes: int) -> int:
    """Measure the parts and write the report."""
    engine.find()
    images.ensure_built([IMAGES["spark"]])
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    if "small" in parts:
        setups = {"plain": PLAIN, **(LEVERS if levers else {}), "airspark": AIRSPARK}
        found = measure_small(setups, repeat)
        for name, kinds in found.items():
            figures[f"small job, {name}: to the session"] = figure(kinds["session"])
            figures[f"small job, {name}: wall"] = figure(kinds["wall"])
            figures[f"small job, {name}: CPU"] = figure(kinds["cpu"])
        for name in (*LEVERS, "airspark"):
            if name in found:
                shown = "small job" if name == "airspark" else f"small job, {name}"
                for kind in ("wall", "cpu", "session"):
                    ratios[f"{shown}: {kind} / plain"] = median(found[name][kind]) / median(found["plain"][kind])
    if "convert" in parts:
        found = measure_convert(repeat, megabytes)
        for name, kinds in found.items():
            figures[f"convert {megabytes} MB, {name}: wall"] = figure(kinds["wall"])
        ratios["convert: cluster / local[2]"] = median(found["cluster"]["wall"]) / median(found["local[2]"]["wall"])
    if "size" in parts:
        size = images.size(IMAGES["spark"])
        figures["image"] = figure([size / 1e6], "MB")
        ratios["image / 1 GB"] = size / 1e9
    write("spark", repeat, figures, ratios, GOALS, ("Spark", "Java", "Python", "Kubernetes"))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeat", nargs="?", type=int, default=5, help="runs of each set-up after one to warm up")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}; by commas")
    parser.add_argument("--levers", action="store_true", help="the steps from the plain image to ours, and some not taken")
    parser.add_argument("--megabytes", type=int, default=1000, help="of CSV for `convert`")
    arguments = parser.parse_args()
    chosen = arguments.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    try:
        sys.exit(main(arguments.repeat, chosen, arguments.levers, arguments.megabytes))
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        sys.exit(1)
