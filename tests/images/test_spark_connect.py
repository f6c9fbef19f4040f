"""The Connect server as the chart renders it, with master, worker and proxy in containers: who gets in and who does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airspark import tools

from .conftest import ROOT, beside, docker, tag, wait_until

sys.path.insert(0, str(ROOT / "tests/charts"))

from rendering import NAMESPACE, find, nested, pods, render

SERVICE = "airspark-spark-connect"
PORT = 15002
# No output may hold one.
SECRETS = {key: f"hidden-{key}-{uuid.uuid4().hex}" for key in ("rpc-authentication-secret", "connect-token")}
TOKEN = SECRETS["connect-token"]
REMOTE = f"sc://{SERVICE}:{PORT}/;token={TOKEN}"
CERTIFICATE = """
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/scripts")
import bootstrap
print(json.dumps(bootstrap.new_certificate(sys.argv[1].split(","))))
"""
# PySpark reads the address from SPARK_REMOTE.
QUERY = """
import os
from pyspark.sql import SparkSession
try:
    spark = SparkSession.builder.getOrCreate()
    query = spark.sql(os.environ.get("QUERY", "SELECT 6 * 7"))
    print("asked", flush=True)
    print("answer", query.collect()[0][0])
    spark.stop()
except Exception as problem:
    print(problem)
"""
SLOW = "SELECT concat('slept ', reflect('java.lang.Thread', 'sleep', 8000L))"
TASK = """
import connect_check
from airflow.sdk.execution_time.context import set_current_context
context = {"params": {"rows": 1000}}
with set_current_context(context):
    print("answer", connect_check.dag.get_task("count_by_last_digit").execute(context))
"""
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
    print("open")
except ConnectionRefusedError:
    print("refused")
"""


def chart() -> list[dict[str, Any]]:
    """Return the objects of a release with a Connect server."""
    return render(nested("global.spark.connect.enabled", True))


def certificate(hosts: str) -> dict[str, str]:
    """Return what the bootstrap Job would put into the certificate's Secret."""
    mount = ("--volume", f"{ROOT}/charts/airspark/charts/spark/files/scripts:/scripts:ro")
    options = ("--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", *mount)
    made: dict[str, str] = json.loads(docker("run", *options, tag("spark"), "python", "-c", CERTIFICATE, hosts).stdout)
    return made


def write(folder: Path, data: dict[str, str]) -> None:
    """Make a folder what Kubernetes mounts of a ConfigMap or Secret."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, text in data.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)


class Cluster:
    """Pods of the release as containers on a network of their own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"airspark-connect-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.objects = chart()
        self.containers: list[str] = []
        self.certificate = certificate(f"{SERVICE},{SERVICE}.{NAMESPACE}.svc")

    def start(self) -> None:
        """Start master, worker, server and proxy, and wait until the server answers."""
        docker("network", "create", "--internal", self.name)
        write(self.folder / "tls", self.certificate)
        roots = docker("run", "--rm", tag("spark"), "cat", "/etc/ssl/certs/ca-certificates.crt").stdout
        write(self.folder / "client", {"grpc-roots.pem": self.certificate["ca.crt"] + roots})
        for name in ("airspark-spark-config", SERVICE):
            write(self.folder / name, find(self.objects, "ConfigMap", name)["data"])
        for component in ("spark-master", "spark-worker", "spark-connect"):
            self.run(component)
        self.proxy = self.run("spark-connect", 1)
        wait_until(lambda: self.probe().returncode == 0, self.containers[2], seconds=180)

    def run(self, component: str, index: int = 0) -> str:
        """Start one container of a pod; the second one of a pod is in the network of the first. Return its name."""
        spec = pods(self.objects)[component]["spec"]
        container = spec["containers"][index]
        name = f"{self.name}-{container['name']}"
        network = ["--network", f"container:{self.containers[-1]}"] if index else ["--network", self.name]
        alias = SERVICE if component == "spark-connect" else f"airspark-{component}"
        options = [] if index else ["--hostname", alias, "--network-alias", alias]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            volume = volumes.get(mount["name"], {})
            if "configMap" in volume or "secret" in volume:
                source = self.folder / (volume["configMap"]["name"] if "configMap" in volume else "tls")
                options += ["--volume", f"{source}:{mount['mountPath']}:ro"]
            else:
                options += ["--tmpfs", f"{mount['mountPath']}:exec,mode=1777"]
        for item in container["env"]:
            source = item.get("valueFrom", {})
            if "secretKeyRef" in source:
                options += ["--env", f"{item['name']}={SECRETS[source['secretKeyRef']['key']]}"]
            elif "resourceFieldRef" in source:
                options += ["--env", f"{item['name']}=1792"]
            elif item.get("value", "$(POD_IP)") != "$(POD_IP)":
                options += ["--env", f"{item['name']}={item['value']}"]
        # The engine gives the address away with the start alone.
        words = " ".join(f'"{word}"' for word in container["args"]).replace("$(POD_IP)", "$POD_IP")
        script = f"export POD_IP=$(hostname -i); exec {words}"
        docker(
            *("run", "--detach", "--name", name, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", "185:0", *network, *options, container["image"], "sh", "-c", script),
        )
        self.containers.append(name)
        return name

    def probe(self, kind: str = "readinessProbe") -> Any:
        """Run one of the proxy's probes."""
        command = pods(self.objects)["spark-connect"]["spec"]["containers"][1][kind]["exec"]["command"]
        script = f"POD_IP=$(hostname -i) {' '.join(command)}"
        return docker("exec", self.proxy, "sh", "-c", script, check=False)

    def client(self, code: str, *arguments: str, **env: str) -> list[str]:
        """Return the command that runs Python as a task pod of the release, on another container of the network."""
        pod = pods(self.objects)["worker"]["spec"]["containers"][0]["env"]
        trust = {item["name"]: item["value"] for item in pod if item["name"].startswith("GRPC")}
        settings = {"AIRFLOW_HOME": "/tmp", "PYTHONPATH": "/opt/airflow/dags", **trust, **env}
        return [
            *("run", "--rm", "--network", self.name, "--read-only", "--tmpfs", "/tmp", "--user", "50000:0"),
            *("--volume", f"{self.folder}/client:/opt/spark-cluster:ro"),
            *(word for key, value in settings.items() for word in ("--env", f"{key}={value}")),
            *(tag("airflow"), "python", "-c", code, *arguments),
        ]

    def said(self, code: str, *arguments: str, **env: str) -> str:
        """Run such a command; return all that it printed."""
        done = docker(*self.client(code, *arguments, **env), check=False)
        return done.stdout + done.stderr

    def logs(self) -> str:
        """Return what all containers have written."""
        return "".join(done.stdout + done.stderr for done in (docker("logs", name) for name in self.containers))

    def stop(self) -> None:
        """Remove everything."""
        for name in reversed(self.containers):
            docker("rm", "--force", "--volumes", name, check=False)
        docker("network", "rm", self.name, check=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster with a Connect server."""
    os.environ.setdefault("AIRSPARK_HELM", str(tools.ensure("helm")))
    folder = tmp_path_factory.mktemp("connect")
    folder.chmod(0o755)
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_dag_runs_its_query_on_executors_with_the_token_over_tls(cluster: Cluster) -> None:
    connection = {"conn_type": "spark_connect", "host": SERVICE, "port": PORT, "login": "airflow", "password": TOKEN}
    said = cluster.said(TASK, AIRFLOW_CONN_SPARK_CONNECT_DEFAULT=json.dumps(connection))
    assert f"answer { ({str(digit): 100 for digit in range(10)}) }" in said, said
    assert "Launching executor" in cluster.logs()
    assert not [secret for secret in SECRETS.values() if secret in said + cluster.logs()]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("/;use_ssl=true", "No authentication token provided"),
        ("/;token=wrong", "Invalid authentication token"),
        (
            "",
            "this server wants TLS and a token: connect to sc://<host>:15002/;use_ssl=true "
            "with the token in SPARK_CONNECT_AUTHENTICATE_TOKEN",
        ),
    ],
    ids=["no token", "wrong token", "no TLS"],
)
def test_whoever_lacks_what_it_takes_is_refused_at_once_and_told_why(cluster: Cluster, parameters: str, message: str) -> None:
    said = cluster.said(QUERY, SPARK_REMOTE=f"sc://{SERVICE}:{PORT}{parameters}")
    assert message in said
    assert "answer" not in said


def test_a_port_forward_needs_the_token_and_no_certificate(cluster: Cluster) -> None:
    # `kubectl port-forward` connects to localhost in the pod's network, as this client does.
    for token, message in ((TOKEN, "answer 42"), ("wrong", "Invalid authentication token")):
        env = {"SPARK_REMOTE": f"sc://localhost:{PORT}", "SPARK_CONNECT_AUTHENTICATE_TOKEN": token}
        said = beside(cluster.containers[2], QUERY, "airflow", **env)
        assert message in said


def test_sparks_own_port_without_tls_is_closed_to_other_pods(cluster: Cluster) -> None:
    assert cluster.said(REACH, SERVICE, str(PORT)).strip() == "open"
    docker("stop", "--time", "1", cluster.proxy)
    try:
        assert cluster.said(REACH, SERVICE, str(PORT)).strip() == "refused"
        inside = docker("exec", cluster.containers[2], "python", "-c", REACH, "127.0.0.1", str(PORT)).stdout.strip()
        assert inside == "open"
    finally:
        docker("start", cluster.proxy)
        wait_until(lambda: cluster.probe().returncode == 0, cluster.proxy)


def test_a_running_query_outlives_a_restart_of_the_proxy(cluster: Cluster) -> None:
    command = ["docker", *cluster.client(QUERY, SPARK_REMOTE=REMOTE, QUERY=SLOW)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as query:
        assert query.stdout is not None
        assert query.stdout.readline().strip() == "asked"
        docker("restart", "--time", "1", cluster.proxy)
        assert query.communicate(timeout=120)[0].strip() == "answer slept null"


def test_a_renewed_certificate_has_the_proxy_restarted_and_served(cluster: Cluster) -> None:
    renewed = certificate(SERVICE)
    write(cluster.folder / "tls", renewed)
    assert cluster.probe().returncode == 0
    found = cluster.probe("livenessProbe")
    renewal = f"port {PORT} serves another certificate than /opt/spark-tls/tls.crt: it was renewed"
    assert (found.returncode, found.stdout.strip()) == (1, renewal)
    docker("restart", "--time", "1", cluster.proxy)
    wait_until(lambda: cluster.probe("livenessProbe").returncode == 0, cluster.proxy)
    write(cluster.folder / "client", {"grpc-roots.pem": renewed["ca.crt"]})
    said = cluster.said(QUERY, SPARK_REMOTE=REMOTE)
    assert re.search(r"^answer 42$", said, re.MULTILINE), said
