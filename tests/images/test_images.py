"""The images keep what the charts rely on: users, paths, versions, bytecode, shared layers and no secret inside."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from airspark import images

from .conftest import ANY_UID, IMAGES, docker, inspect, run, tag, versions

USERS = {
    "base": "65534:0",
    "spark": "185:0",
    "airflow": "50000:0",
    "postgres": "999:0",
    "operator": "65534:0",
    "pgbouncer": "65534:0",
    "tls-proxy": "65534:0",
    "git-server": "65534:0",
}
# Git DAG bundles call git, over https or ssh; PythonVirtualenvOperator calls uv.
TOOLS = {"airflow": ["uv", "git", "ssh"], "git-server": ["git"]}

# Runs inside an image and prints one JSON object.
PROBE = """
import getpass, hashlib, importlib.metadata as md, importlib.util as iu, json, os, shutil, sys, tempfile, zipfile
uncompiled = [
    os.path.join(folder, name)
    for root in ("/opt/venv/lib", "/usr/lib/python3.11")
    for folder, _, names in os.walk(root)
    for name in names
    if name.endswith(".py") and not os.path.exists(iu.cache_from_source(os.path.join(folder, name)))
]
old = os.umask(0); os.umask(old)
zips = "/opt/spark/python/lib"
members = {
    name: zipfile.ZipFile(os.path.join(zips, name)).namelist()
    for name in (os.listdir(zips) if os.path.isdir(zips) else [])
}
apps = [os.path.join("/opt/airflow", f) for f in ("spark-apps", "dags") if os.path.isdir(os.path.join("/opt/airflow", f))]
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "user": getpass.getuser(), "umask": oct(old),
    "home_writable": os.access(os.environ["HOME"], os.W_OK),
    "python": "%d.%d" % sys.version_info[:2],
    "distributions": {d.metadata["Name"].lower(): d.version for d in md.distributions()},
    "described": [d.metadata["Name"] for d in md.distributions() if (d.metadata.get_payload() or "").strip()],
    "uncompiled": uncompiled,
    "zip_uncompiled": [m for ms in members.values() for m in ms if m.endswith(".py") and m + "c" not in ms],
    "zips": len(members),
    "java_home": os.path.isfile(os.path.join(os.environ.get("JAVA_HOME", "/nowhere"), "bin/java")),
    "tools": [t for t in ("uv", "pip", "gcc", "cc", "make", "go", "curl", "wget", "git", "ssh") if shutil.which(t)],
    "ca": hashlib.sha256(open("/etc/ssl/certs/ca-certificates.crt", "rb").read()).hexdigest(),
    "unreadable": [
        os.path.join(folder, name)
        for app in apps for folder, _, names in os.walk(app) for name in names
        if not os.access(os.path.join(folder, name), os.R_OK)
    ],
    "writable": [p for p in ("/opt", "/opt/venv", "/opt/airflow", "/opt/airflow/dags", "/usr/local/bin")
                 if os.path.isdir(p) and os.stat(p).st_mode & 0o022],
    "claims": {p: oct(os.stat(p).st_mode & 0o7777) for p in
               ("/opt/airflow/data", "/opt/airflow/output", "/opt/airflow/logs") if os.path.isdir(p)},
}))
"""

JOB = """
import sys
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
where = F.udf(lambda _: sys.modules["pyspark"].__file__)
total, module = spark.range(0, 100, 1, 1).select(F.sum("id"), F.first(where("id"))).first()
spark._jvm.org.rocksdb.RocksDB.loadLibrary()
print("RESULT", total, spark.version, spark.sparkContext.sparkUser(), module)
"""

# Finds which of the certificates on stdin (a JSON list of base64 DER) are in files of the image.
SEARCH = """
import base64, hashlib, importlib.metadata as md, json, os, sys
certificates = json.load(sys.stdin)
known = open("/etc/ssl/certs/ca-certificates.crt").read()
# Public roots that a package carries, if they are still the file it came with.
for file in (file for package in md.distributions() for file in package.files or [] if file.name == "cacert.pem"):
    data = file.read_binary()
    if base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=") == file.hash.value:
        known += data.decode()
known = known.replace("\\n", "")
site = [c for c in certificates if c not in known]
# The signature, at the end, is what tells a certificate from an older one for the same key.
needles = [(c[-64:-4].encode(), base64.b64decode(c)[-48:]) for c in site]
found = []
for folder, folders, names in os.walk("/"):
    if folder == "/":
        folders[:] = [f for f in folders if f not in ("proc", "sys", "dev")]
    for name in names:
        path = os.path.join(folder, name)
        # libnssckbi.so is Mozilla's own store, as packaged: it holds public roots that Debian does not trust.
        if name.endswith((".py", ".pyc", "libnssckbi.so")) or os.path.islink(path) or not os.path.isfile(path):
            continue
        if os.path.getsize(path) > 4_000_000:
            continue
        data = open(path, "rb").read()
        lines = data.replace(b"\\n", b"") if b"BEGIN CERTIFICATE" in data else b""
        if any(der in data or text in lines for text, der in needles):
            found.append(path)
print(json.dumps({"site": len(site), "found": found}))
"""


@functools.cache
def probe(name: str, user: str = ANY_UID) -> dict[str, Any]:
    """Return what PROBE finds in an image when it runs as `user`."""
    found: dict[str, Any] = json.loads(run(name, "python", "-", user=user, stdin=PROBE).stdout)
    return found


def layers(name: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first."""
    return list(inspect(name)["RootFS"]["Layers"])


@pytest.mark.parametrize("name", IMAGES)
def test_image_names_its_version_and_revision(name: str) -> None:
    labels = inspect(name)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == f"airspark/{name}"
    assert labels["org.opencontainers.image.version"] == versions()["AIRSPARK_VERSION"]
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?|unknown", labels["org.opencontainers.image.revision"])


@pytest.mark.parametrize("name", ["spark", "airflow"])
def test_image_names_its_spark_version(name: str) -> None:
    assert inspect(name)["Config"]["Labels"]["io.airspark.spark.version"] == versions()["SPARK_VERSION"]


@pytest.mark.parametrize("name", IMAGES)
def test_image_runs_as_its_own_numeric_user_in_group_0(name: str) -> None:
    assert inspect(name)["Config"]["User"] == USERS[name]


@pytest.mark.parametrize("name", IMAGES)
def test_any_uid_gets_a_name_a_home_and_a_group_writable_umask_on_a_read_only_root(name: str) -> None:
    found = probe(name)
    assert (found["uid"], found["gid"], found["umask"], found["home_writable"]) == (123456, 0, "0o2", True)
    assert found["user"] == {"base": "default"}.get(name, name)


@pytest.mark.parametrize("name", IMAGES)
def test_signals_reach_the_process_through_an_init(name: str) -> None:
    script = "import os; print(open('/proc/1/comm').read().strip(), os.getppid())"
    assert run(name, "python", "-c", script).stdout.split() == ["tini", "1"]


@pytest.mark.parametrize("name", IMAGES)
def test_no_program_folder_is_writable_for_the_group(name: str) -> None:
    assert probe(name)["writable"] == []


@pytest.mark.parametrize("name", ["spark", "airflow"])
def test_claims_are_mounted_where_both_users_may_write_through_group_0(name: str) -> None:
    assert probe(name)["claims"] == {f"/opt/airflow/{claim}": "0o2775" for claim in ("data", "output", "logs")}


@pytest.mark.parametrize("name", ["spark", "airflow"])
def test_dags_and_applications_are_readable_for_any_uid(name: str) -> None:
    assert probe(name)["unreadable"] == []


@pytest.mark.parametrize("name", IMAGES)
def test_every_module_has_bytecode(name: str) -> None:
    found = probe(name)
    assert found["uncompiled"] == []
    assert found["zip_uncompiled"] == []


@pytest.mark.parametrize("name", IMAGES)
def test_no_build_tool_stays_behind(name: str) -> None:
    assert probe(name)["tools"] == TOOLS.get(name, [])


def test_packages_have_the_versions_of_versions_mk() -> None:
    spark, airflow = probe("spark"), probe("airflow")
    assert spark["distributions"]["pyspark"] == versions()["SPARK_VERSION"]
    assert airflow["distributions"]["pyspark"] == versions()["SPARK_VERSION"]
    assert airflow["distributions"]["apache-airflow"] == versions()["AIRFLOW_VERSION"]
    assert airflow["python"] == spark["python"] == versions()["PYTHON_VERSION"]
    assert spark["java_home"] and airflow["java_home"]


def test_airflow_changes_no_package_of_the_spark_layer() -> None:
    spark, airflow = probe("spark")["distributions"], probe("airflow")["distributions"]
    assert {name: airflow.get(name) for name in spark} == spark
    assert "pyspark-client" not in airflow, "its files overwrite the full PySpark"


def test_metadata_that_airflow_parses_at_every_start_holds_no_descriptions() -> None:
    assert probe("airflow")["described"] == []


def test_images_share_all_layers_but_their_own() -> None:
    base, spark, airflow = layers("base"), layers("spark"), layers("airflow")
    assert spark[: len(base)] == base
    for name in ("postgres", "operator", "pgbouncer", "tls-proxy", "git-server"):
        assert layers(name)[: len(base)] == base
    # The last four layers of the Spark image are how drivers and executors start in pods, which Airflow has no use for, and the
    # applications, of which it has its own copy after its packages.
    assert airflow[: len(spark) - 4] == spark[:-4]


@pytest.mark.parametrize("name", ["spark", "airflow"])
def test_spark_submit_runs_a_python_job_with_compiled_worker_modules(name: str) -> None:
    submit = "spark-submit --master 'local[1]' --driver-java-options -XX:TieredStopAtLevel=1 /tmp/job.py"
    script = f"cat >/tmp/job.py && SPARK_LOCAL_IP=127.0.0.1 exec {submit}"
    done = run(name, "bash", "-c", script, stdin=JOB)
    result = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    assert result, done.stderr[-2000:]
    total, version, user, module = result[1].split()
    assert (total, version, user) == ("4950", versions()["SPARK_VERSION"], name)
    assert module.endswith("pyspark.zip/pyspark/__init__.pyc")


def test_a_task_starts_with_the_collector_off_until_it_forks_and_nothing_else_does() -> None:
    look = (
        "import gc, os, sys; before = gc.isenabled(); child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "print(before, gc.isenabled(), gc.get_freeze_count() > 0, flush=True)"
    )
    task = run("airflow", "python", "-c", look, "airflow.sdk.execution_time.execute_workload").stdout.splitlines()
    assert task == ["False True True"] * 2
    assert run("airflow", "python", "-c", look).stdout.splitlines() == ["True True False"] * 2


def test_airflow_prints_its_version_and_nothing_else() -> None:
    done = run("airflow", "airflow", "version")
    assert (done.stdout.strip(), done.stderr) == (versions()["AIRFLOW_VERSION"], "")


@pytest.mark.parametrize(
    "module",
    [
        "airflow.sdk.execution_time.task_runner, airflow.api_fastapi.app, airflow.utils.dot_renderer",
        # what the chart's values can switch on: logs, metrics, logins, the server's type
        "airflow.providers.amazon.aws.log.s3_task_handler, airflow.providers.amazon.aws.log.cloudwatch_task_handler",
        "airflow.providers.elasticsearch.log.es_task_handler, airflow.providers.opensearch.log.os_task_handler",
        "statsd, opentelemetry.exporter.otlp.proto.http.metric_exporter, opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
        "authlib.integrations.flask_client",
        "airflow.api_fastapi.gunicorn_app",
        "pyspark.sql.connect.session",
    ],
)
def test_what_the_values_can_switch_on_imports_without_a_warning(module: str) -> None:
    done = run("airflow", "python", "-c", f"import {module}")
    assert (done.stdout, done.stderr) == ("", "")


def test_cloud_image_adds_providers_and_moves_no_package_of_the_spark_layer() -> None:
    if not images.is_built(images.AIRFLOW_CLOUD):
        pytest.skip("airflow-cloud is built on request only")
    spark, cloud = probe("spark")["distributions"], probe("airflow-cloud")["distributions"]
    assert {name: cloud.get(name) for name in spark} == spark
    assert cloud["apache-airflow"] == versions()["AIRFLOW_VERSION"]
    assert probe("airflow-cloud")["uncompiled"] == []
    assert layers("airflow-cloud")[: len(layers("airflow")) - 4] == layers("airflow")[:-4]
    handlers = "airflow.providers.google.cloud.log.gcs_task_handler, airflow.providers.microsoft.azure.log.wasb_task_handler"
    assert run("airflow-cloud", "python", "-W", "ignore", "-c", f"import {handlers}").stdout == ""


@pytest.mark.parametrize("name", IMAGES)
def test_certificates_are_those_of_the_base_image(name: str) -> None:
    assert probe(name)["ca"] == probe("base")["ca"]


@pytest.mark.parametrize("name", ["airflow", "postgres"])
def test_the_certificates_of_the_site_are_in_no_file(name: str) -> None:
    bundle = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "/nowhere")
    if not bundle.is_file():
        pytest.skip("this machine has no certificate bundle")
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END", bundle.read_text(errors="replace"), re.DOTALL)
    certificates = [base64.b64encode(base64.b64decode(block)).decode() for block in blocks]
    found = json.loads(run(name, "python", "-c", SEARCH, user="0:0", stdin=json.dumps(certificates)).stdout)
    if not found["site"]:
        pytest.skip("this machine trusts no certificate that the image does not know")
    assert found["found"] == [], f"{found['site']} certificates looked for"
    history = docker("history", "--no-trunc", tag(name)).stdout
    assert "BEGIN CERTIFICATE" not in history
