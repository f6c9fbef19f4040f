"""The statsd exporter, and the servers that other tests need: each runs as any uid on a read-only root and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airspark import images
from airspark.project import ROOT, versions

from .conftest import beside, docker, inspect, serving, tag, wait_listening

pytestmark = pytest.mark.long

MAPPINGS = """
mappings:
  - match: "airflow.dag.*.*.duration"
    name: airflow_task_duration
    labels: {dag_id: "$1", task_id: "$2"}
"""
SEND = """
import socket, time, urllib.request
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
deadline = time.monotonic() + 30
while True:
    sender.sendto(b"airflow.dag.etl.load.duration:250|ms\\nairflow.heartbeat:1|c|#component:scheduler", ("127.0.0.1", 9125))
    text = urllib.request.urlopen("http://127.0.0.1:9102/metrics", timeout=20).read().decode()
    if "airflow_heartbeat" in text or time.monotonic() > deadline:
        break
print(text)
"""
BUCKET = """
import boto3
where = {"endpoint_url": "http://127.0.0.1:9000", "region_name": "us-east-1"}
s3 = boto3.client("s3", **where)
s3.create_bucket(Bucket="logs")
s3.put_object(Bucket="logs", Key="dag/task/1.log", Body=b"kept")
print(s3.get_object(Bucket="logs", Key="dag/task/1.log")["Body"].read().decode())
try:
    boto3.client("s3", **where, aws_access_key_id="airspark", aws_secret_access_key="wrong-secret").list_buckets()
except Exception as problem:
    print(problem)
"""
SCRAPE = """
global: {scrape_interval: 100ms}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ["127.0.0.1:9090"]}]
rule_files: [/etc/prometheus/rules.yml]
"""
RULES = """
groups:
  - name: test
    interval: 100ms
    rules:
      - {alert: Scraped, expr: up == 1}
"""
ALERT = """
import json, time, urllib.request
deadline = time.monotonic() + 60
while True:
    answer = json.load(urllib.request.urlopen("http://127.0.0.1:9090/api/v1/alerts", timeout=20))
    names = [alert["labels"]["alertname"] for alert in answer["data"]["alerts"]]
    if names or time.monotonic() > deadline:
        break
    time.sleep(0.1)
print(json.dumps(names))
"""
BUNDLE = """
import sys
from airflow.providers.git.bundles.git import GitDagBundle
repository = {"tracking_ref": "main", "repo_url": "http://127.0.0.1:8080/git/dags.git"}
bundle = GitDagBundle(name="dags", version=sys.stdin.read().strip() or None, **repository)
bundle.initialize()
files = sorted(str(path.relative_to(bundle.path)) for path in bundle.path.rglob("*.py"))
print(bundle.get_current_version().version, ",".join(files))
"""
STATUS = """
import http.client
def status(path):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=20)
    connection.request("GET", path)
    return connection.getresponse().status
print(status("/git/dags.git/HEAD"), status("/etc/passwd"), status("/git/../../etc/passwd"))
"""
SERVERS = {"statsd-exporter": images.STATSD_EXPORTER, "minio": images.MINIO, "prometheus": images.PROMETHEUS}


@pytest.fixture
def compiled(request: pytest.FixtureRequest) -> str:
    """Have the image of one binary that the test names; return its name."""
    name = str(request.param)
    images.ensure_built([SERVERS[name]])
    return name


@pytest.mark.parametrize("compiled", SERVERS, indirect=True)
def test_image_of_one_binary_holds_nothing_else_and_names_its_version(compiled: str) -> None:
    found = inspect(compiled)
    assert found["Config"]["User"] == "65534:0"
    assert len(found["RootFS"]["Layers"]) <= 2
    command = SERVERS[compiled].go
    assert command is not None
    assert found["Config"]["Labels"][f"io.airspark.{compiled}.version"] == versions()[command.version]
    said = docker("run", "--rm", "--network", "none", "--read-only", "--user", "123456:0", tag(compiled), "--version")
    if compiled != "minio":  # a build from its module does not know its release
        assert versions()[command.version] in said.stdout + said.stderr


def test_module_files_require_the_versions_of_versions_mk() -> None:
    text = (ROOT / "images/prometheus/go.mod").read_text()
    assert re.findall(r"^require github.com/prometheus/prometheus v(\S+)$", text, re.MULTILINE) == [
        versions()["PROMETHEUS_VERSION"]
    ]


@pytest.mark.parametrize("compiled", ["statsd-exporter"], indirect=True)
def test_statsd_exporter_turns_packets_into_metrics_with_the_labels_of_the_mapping(compiled: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "mappings.yml").write_text(MAPPINGS)
    mount = ("--volume", f"{tmp_path}:/etc/statsd-exporter:ro")
    with serving(compiled, "--statsd.mapping-config=/etc/statsd-exporter/mappings.yml", options=mount) as container:
        wait_listening(container, 9102)
        text = beside(container, SEND)
    assert re.search(r'^airflow_task_duration_sum\{dag_id="etl",task_id="load"\} \d', text, re.MULTILINE), text
    assert re.search(r'^airflow_heartbeat\{component="scheduler"\} \d', text, re.MULTILINE), text


@pytest.mark.parametrize("compiled", ["minio"], indirect=True)
def test_minio_keeps_an_object_for_the_right_keys_only(compiled: str) -> None:
    keys = {"MINIO_ROOT_USER": "airspark", "MINIO_ROOT_PASSWORD": "airspark-secret"}
    options = ("--tmpfs", "/data:mode=0777", *(word for key, value in keys.items() for word in ("--env", f"{key}={value}")))
    with serving(compiled, options=options) as container:
        wait_listening(container, 9000)
        said = beside(container, BUCKET, "airflow", AWS_ACCESS_KEY_ID="airspark", AWS_SECRET_ACCESS_KEY="airspark-secret")
    kept, refused = said.splitlines()
    assert kept == "kept"
    assert "SignatureDoesNotMatch" in refused


@pytest.mark.parametrize("compiled", ["prometheus"], indirect=True)
def test_prometheus_scrapes_and_evaluates_rules(compiled: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "prometheus.yml").write_text(SCRAPE)
    (tmp_path / "rules.yml").write_text(RULES)
    options = ("--volume", f"{tmp_path}:/etc/prometheus:ro", "--tmpfs", "/prometheus:mode=0777")
    with serving(compiled, options=options) as container:
        wait_listening(container, 9090)
        assert json.loads(beside(container, ALERT)) == ["Scraped"]


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Git server whose repository begins with one DAG."""
    seed = tmp_path_factory.mktemp("seed")
    seed.chmod(0o755)
    (seed / "first.py").write_text("first = 1\n")
    with serving("git-server", options=("--volume", f"{seed}:/seed:ro")) as container:
        wait_listening(container, 8080)
        yield container


def bundle(git_server: str, version: str = "") -> str:
    """Return the version and the files of Airflow's bundle of the repository; what it logs comes before."""
    return beside(git_server, BUNDLE, "airflow", stdin=version).splitlines()[-1]


def test_git_bundle_of_the_airflow_image_follows_the_branch_and_keeps_a_version(git_server: str) -> None:
    before, files = bundle(git_server).split()
    assert files == "first.py"
    after = docker("exec", "--interactive", git_server, "git-server-commit", "sub/second.py", stdin="second = 2\n").stdout.strip()
    assert after != before
    assert bundle(git_server) == f"{after} first.py,sub/second.py"
    assert bundle(git_server, before) == f"{before} first.py"


def test_git_server_accepts_no_push_and_serves_nothing_else(git_server: str) -> None:
    clone = "git clone -q http://127.0.0.1:8080/git/dags.git /tmp/clone && cd /tmp/clone"
    pushed = docker("exec", git_server, "bash", "-c", f"{clone} && git commit -q --allow-empty -m x && git push", check=False)
    assert pushed.returncode == 128 and "403" in pushed.stderr
    assert beside(git_server, STATUS) == "200 404 404"
