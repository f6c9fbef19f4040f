"""What a submission costs: applications at once whose drivers fit nowhere, and applications that run, beside spark-submit.

    make bench-operator                    # both parts; needs `make up`
    make bench-operator REPEAT=5 N=200     # runs of the first part, and applications of each
    make bench-operator PARTS=memory       # the controller's memory at 1,000 objects

`burst` makes N applications as fast as they can be made and waits until each has its driver pod; no node takes those pods, so
what is measured is the controller and the API server. `idle` makes them one by one. `run` really runs
applications, then the same as often by `spark-submit --deploy-mode cluster` from a pod of the same image.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient
from report import figure, percentile, write

from airspark import demo, engine
from airspark.cluster import answers, kubectl
from airspark.console import step
from airspark.forward import Forward
from airspark.images import IMAGES
from airspark.project import NAMESPACE, RELEASE, Failure, kubeconfig, versions
from airspark_operator import kinds
from airspark_operator.api import Api, Refused, path

LABEL = "airspark.io/bench"
PARTS = ("burst", "run", "memory")
GOALS = {
    "burst: applications a minute": {"op": ">=", "value": 300},
    "idle: create to driver pod p50": {"op": "<=", "value": 0.5},
    "submission: wall / spark-submit": {"op": "<=", "value": 0.2},
    "submission: CPU / spark-submit": {"op": "<=", "value": 0.2},
    "controller memory at 1,000 objects / 200 MiB": {"op": "<=", "value": 1.0},
}
OBJECTS = 1000
SUBMITTER = "bench-spark-submit"
SMALL = {"cores": 1, "coreRequest": "100m", "memory": "512m"}
FILES = Path(__file__).resolve().parent / "operator"
#: The same application for both: PySpark, one executor, a second of work.
PROGRAM = "local:///bench/job.py"
MOUNT = {"name": "bench", "mountPath": "/bench"}
VOLUME = {"name": "bench", "configMap": {"name": SUBMITTER}}


def application(name: str, **spec: Any) -> dict[str, Any]:
    """Return an application that ends by itself."""
    base: dict[str, Any] = {
        "type": "Python",
        "mode": "cluster",
        "sparkVersion": versions()["SPARK_VERSION"],
        "image": IMAGES["spark"].tag,
        "imagePullPolicy": "IfNotPresent",
        "mainApplicationFile": PROGRAM,
        "volumes": [VOLUME],
        "driver": {**SMALL, "labels": {LABEL: "true"}, "volumeMounts": [MOUNT]},
        "executor": {**SMALL, "instances": 1},
    }
    return {
        "apiVersion": kinds.API_VERSION,
        "kind": kinds.APPLICATION,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {LABEL: "true"}},
        "spec": base | spec,
    }


def nowhere(name: str, **spec: Any) -> dict[str, Any]:
    """Return an application whose driver fits on no node."""
    return application(name, nodeSelector={LABEL: "nowhere"}, **spec)


class Pods:
    """Times at which driver pods were first seen, by name; read from a watch of one's own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.seen: dict[str, float] = {}
        self.running: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.changed = asyncio.Event()

    async def watch(self, selector: str) -> None:
        """Follow pods until cancelled."""
        _, version = await self.api.items("v1", "Pod", NAMESPACE, selector)
        query = {"watch": "true", "labelSelector": selector, "resourceVersion": str(version)}
        response = await self.api.client.call_api(
            path("v1", "Pod", NAMESPACE), "GET", query_params=list(query.items()), auth_settings=["BearerToken"],
            header_params={"Accept": "application/json"}, _preload_content=False, _request_timeout=3600,
        )  # fmt: skip
        async for line in response.content:
            pod = json.loads(line)["object"]
            name, phase, now = pod["metadata"]["name"], pod.get("status", {}).get("phase"), time.monotonic()
            self.seen.setdefault(name, now)
            if phase in ("Running", "Succeeded", "Failed"):
                self.running.setdefault(name, now)
            if phase in ("Succeeded", "Failed"):
                self.ended.setdefault(name, now)
            self.changed.set()

    async def all(self, names: list[str], where: dict[str, float], seconds: float) -> None:
        """Wait until every name has a time.

        Raises:
            Failure: if one has none in time.
        """
        deadline = time.monotonic() + seconds
        while missing := [name for name in names if name not in where]:
            if time.monotonic() > deadline:
                raise Failure(
                    f"{len(missing)} of {len(names)} pods are missing after {seconds:.0f} s: {missing[0]}",
                    "make logs C=spark-operator",
                )
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), 1.0)
            except TimeoutError:
                continue


async def create(api: Api, wanted: list[dict[str, Any]]) -> dict[str, float]:
    """Create applications, many at a time; returns when each was asked for, by its driver's name."""
    asked: dict[str, float] = {}
    limit = asyncio.Semaphore(20)

    async def one(app: dict[str, Any]) -> None:
        async with limit:
            asked[f"{app['metadata']['name']}-driver"] = time.monotonic()
            await api.create(app)

    await asyncio.gather(*(one(app) for app in wanted))
    return asked


async def remove(api: Api) -> None:
    """Delete the bench's applications and wait until nothing of them is left."""
    await api.call("DELETE", path(kinds.API_VERSION, kinds.APPLICATION, NAMESPACE), query={"labelSelector": f"{LABEL}=true"})
    deadline = time.monotonic() + 600
    while (await api.items("v1", "Pod", NAMESPACE, f"{kinds.LABEL_ROLE}=driver,{LABEL}=true"))[0]:
        if time.monotonic() > deadline:
            raise Failure("the bench's driver pods are still there after 600 s", "make status")
        await asyncio.sleep(1)


async def burst(api: Api, pods: Pods, count: int) -> tuple[list[float], float]:
    """Create applications at once; returns the seconds of each to its driver pod, and applications a minute."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    asked = await create(api, [nowhere(f"{name}-{number}") for number in range(count)])
    await pods.all(list(asked), pods.seen, 600)
    seconds = [pods.seen[driver] - since for driver, since in asked.items()]
    whole = max(pods.seen[driver] for driver in asked) - min(asked.values())
    await remove(api)
    return seconds, 60 * count / whole


async def idle(api: Api, pods: Pods, count: int) -> list[float]:
    """Create applications one by one; returns the seconds of each to its driver pod."""
    seconds = []
    for _ in range(count):
        asked = await create(api, [nowhere(f"bench-{uuid.uuid4().hex[:8]}")])
        ((driver, since),) = asked.items()
        await pods.all([driver], pods.seen, 60)
        seconds.append(pods.seen[driver] - since)
        await asyncio.sleep(0.5)  # until the last one's status is written: idle is what is measured
    await remove(api)
    return seconds


async def run_applications(api: Api, pods: Pods, count: int) -> dict[str, list[float]]:
    """Run applications one by one; returns seconds to the driver pod, until it runs, and until it has ended."""
    found: dict[str, list[float]] = {"exists": [], "running": [], "completed": []}
    for _ in range(count):
        asked = await create(api, [application(f"bench-{uuid.uuid4().hex[:8]}")])
        ((driver, since),) = asked.items()
        await pods.all([driver], pods.ended, 300)
        for key, times in (("exists", pods.seen), ("running", pods.running), ("completed", pods.ended)):
            found[key].append(times[driver] - since)
    await remove(api)
    return found


def submitter(count: int) -> dict[str, Any]:
    """Return a pod that submits the same application with spark-submit, again and again, and prints wall and CPU of each."""
    conf = {
        "spark.kubernetes.namespace": NAMESPACE,
        "spark.kubernetes.container.image": IMAGES["spark"].tag,
        "spark.kubernetes.authenticate.driver.serviceAccountName": f"{RELEASE}-spark-operator-driver",
        # What the account may make, by the admission policy of the chart.
        "spark.kubernetes.executor.label.sparkoperator.k8s.io/launched-by-spark-operator": "true",
        "spark.kubernetes.submission.waitAppCompletion": "false",
        "spark.kubernetes.driver.podTemplateFile": "/bench/template.yaml",
        "spark.kubernetes.executor.podTemplateFile": "/bench/template.yaml",
        f"spark.kubernetes.driver.label.{LABEL}": "true",
        "spark.executor.instances": "1",
        "spark.kubernetes.driver.request.cores": SMALL["coreRequest"],
        "spark.kubernetes.executor.request.cores": SMALL["coreRequest"],
        "spark.driver.memory": SMALL["memory"],
        "spark.executor.memory": SMALL["memory"],
    }
    words = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
    command = [
        "/opt/spark/bin/spark-submit",
        "--master",
        "k8s://https://kubernetes.default.svc",
        "--deploy-mode",
        "cluster",
        *words,
    ]
    plan = {"command": [*command, "--name", "bench", PROGRAM], "count": count}
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{SUBMITTER}-{uuid.uuid4().hex[:6]}", "namespace": NAMESPACE, "labels": {LABEL: "true"}},
        "spec": {
            "serviceAccountName": SUBMITTER,
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 185,
                "runAsGroup": 0,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "submit",
                    "image": IMAGES["spark"].tag,
                    "args": ["python", "/bench/submit.py", json.dumps(plan)],
                    "securityContext": restricted,
                    "volumeMounts": [MOUNT],
                }
            ],
            "volumes": [VOLUME],
        },
    }


@contextmanager
def submitting_account() -> Iterator[None]:
    """An account that may do what spark-submit does, and the files of the pod that calls it."""
    common = ("--namespace", NAMESPACE)
    names = (("serviceaccount", SUBMITTER), ("role", SUBMITTER), ("rolebinding", SUBMITTER), ("configmap", SUBMITTER))
    for kind, name in names:
        kubectl("delete", kind, name, *common, "--ignore-not-found")
    kubectl("create", "serviceaccount", SUBMITTER, *common)
    verbs = "create,get,list,watch,patch,delete"
    kubectl(
        "create",
        "role",
        SUBMITTER,
        f"--verb={verbs}",
        "--resource=pods,services,configmaps,networkpolicies.networking.k8s.io",
        *common,
    )
    kubectl("create", "rolebinding", SUBMITTER, f"--role={SUBMITTER}", f"--serviceaccount={NAMESPACE}:{SUBMITTER}", *common)
    kubectl("create", "configmap", SUBMITTER, f"--from-file={FILES}", *common)
    try:
        yield
    finally:
        for kind, name in names:
            kubectl("delete", kind, name, *common, "--ignore-not-found")
        for kind in ("pods", "services", "configmaps"):
            kubectl("delete", kind, *common, "--selector", f"{LABEL}=true")


def controller(forward: Forward) -> dict[str, float]:
    """Return what the leading controller says of itself: CPU seconds and bytes of memory."""
    text = httpx.get(f"{forward.url}/metrics", timeout=10).text
    values = {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line and not line.startswith("#")}
    return {"cpu": values["process_cpu_seconds_total"], "memory": values["process_resident_memory_bytes"]}


async def memory_at(api: Api, forward: Forward, count: int) -> float:
    """Return the controller's resident memory in MiB with so many applications, each with its driver pod."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    pods = Pods(api)
    watching = asyncio.create_task(pods.watch(f"{LABEL}=true"))
    asked = await create(api, [nowhere(f"{name}-{number}") for number in range(count)])
    await pods.all(list(asked), pods.seen, 1200)
    watching.cancel()
    found = (await asyncio.to_thread(controller, forward))["memory"] / 2**20
    await remove(api)
    return found


async def measure(repeat: int, count: int, parts: list[str], figures: dict[str, Any], ratios: dict[str, float]) -> None:
    """Measure the parts."""
    await config.load_kube_config(config_file=str(kubeconfig()))
    async with ApiClient() as client:
        api = Api(client)
        try:
            await remove(api)  # what a run that was broken off left
        except Refused as refusal:
            raise Failure(f"applications cannot be made: {refusal}", "make up") from refusal
        pods = Pods(api)
        watching = asyncio.create_task(pods.watch(f"{LABEL}=true,{kinds.LABEL_ROLE}=driver"))
        await asyncio.sleep(1)
        with Forward(f"deploy/{RELEASE}-spark-operator", 8080) as forward:
            if "burst" in parts:
                await measure_burst(api, pods, forward, repeat, count, figures, ratios)
            if "run" in parts:
                await measure_run(api, pods, forward, repeat, figures, ratios)
            if "memory" in parts:
                with step("bench", f"{OBJECTS} applications, each with its driver pod"):
                    memory = await memory_at(api, forward, OBJECTS)
                figures["controller memory at 1,000 objects"] = figure([memory], "MiB")
                ratios["controller memory at 1,000 objects / 200 MiB"] = memory / 200
        watching.cancel()


async def measure_burst(
    api: Api, pods: Pods, forward: Forward, repeat: int, count: int, figures: dict[str, Any], ratios: dict[str, float]
) -> None:
    """Applications at once, and one by one."""
    await burst(api, pods, 20)  # to warm up
    halves, tails, rates, costs = [], [], [], []
    for number in range(repeat):
        with step("bench", f"{count} applications at once, {number + 1} of {repeat}"):
            before = (await asyncio.to_thread(controller, forward))["cpu"]
            seconds, rate = await burst(api, pods, count)
            costs.append(((await asyncio.to_thread(controller, forward))["cpu"] - before) / count)
        halves.append(percentile(seconds, 0.5))
        tails.append(percentile(seconds, 0.95))
        rates.append(rate)
    with step("bench", "20 applications one by one"):
        alone = await idle(api, pods, 20)
    figures[f"burst of {count}: create to driver pod p50"] = figure(halves)
    figures[f"burst of {count}: create to driver pod p95"] = figure(tails)
    figures["burst: applications a minute"] = figure(rates, "a minute")
    figures["burst: controller CPU an application, deletion included"] = figure(costs)
    figures["idle: create to driver pod"] = figure(alone)
    ratios["burst: applications a minute"] = percentile(rates, 0.5)
    ratios["idle: create to driver pod p50"] = percentile(alone, 0.5)


async def measure_run(
    api: Api, pods: Pods, forward: Forward, repeat: int, figures: dict[str, Any], ratios: dict[str, float]
) -> None:
    """Applications that run, beside the same by spark-submit."""
    count = max(10, repeat)
    with submitting_account():
        with step("bench", f"{count} applications that run"):
            await run_applications(api, pods, 1)
            before = (await asyncio.to_thread(controller, forward))["cpu"]
            ours = await run_applications(api, pods, count)
            cpu = ((await asyncio.to_thread(controller, forward))["cpu"] - before) / count
        with step("bench", f"{count} by spark-submit --deploy-mode cluster") as current:
            text = await asyncio.to_thread(demo.run_pod, submitter(count), 1200, current.write)
    theirs = [json.loads(line) for line in text.splitlines() if line.startswith("{")][1:]
    for key, values in ours.items():
        figures[f"run: create to driver pod {key}" if key == "exists" else f"run: create to {key}"] = figure(values)
    figures["run: controller CPU an application, its whole life"] = figure([cpu])
    for key, text in (
        ("wall", "submit to driver pod exists"),
        ("cpu", "CPU of the submission"),
        ("completed", "submit to completed"),
    ):
        figures[f"spark-submit: {text}"] = figure([entry[key] for entry in theirs])
    half = {key: percentile([entry[key] for entry in theirs], 0.5) for key in ("wall", "cpu", "completed")}
    ratios["submission: wall / spark-submit"] = percentile(ours["exists"], 0.5) / half["wall"]
    ratios["submission: CPU / spark-submit"] = cpu / half["cpu"]
    ratios["create to completed / spark-submit"] = percentile(ours["completed"], 0.5) / half["completed"]


def main(repeat: int, count: int, parts: list[str]) -> int:
    """Measure and write the report."""
    engine.find()
    if not answers():
        raise Failure("no platform is running", "make up")
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    asyncio.run(measure(repeat, count, parts, figures, ratios))
    write("operator", repeat, figures, ratios, GOALS, ("Spark", "Java", "Python", "Kubernetes"))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "repeat", nargs="?", type=int, default=5, help="runs of `burst` after one to warm up; `run` has ten or more"
    )
    parser.add_argument("--count", type=int, default=200, help="applications of each burst")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}; by commas")
    arguments = parser.parse_args()
    chosen = arguments.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    try:
        sys.exit(main(arguments.repeat, arguments.count, chosen))
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        sys.exit(1)
