"""The images' spark-submit: what it reads, what it refuses, and with which sentence."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images/spark/submit"))

import airspark_submission as submission
import airspark_submit as submit

MASTER = "spark://airspark-spark-master:7077"
CLIENT = submit.Client(spark="4.2.1", python="3.11", java="17", authenticate=True, secret="right")
FACTS = {
    "spark": "4.2.1",
    "python": "3.11",
    "java": "17",
    "authentication": True,
    "secretFingerprint": submit.fingerprint("right"),
}
REFERENCE = {"spark.authenticate.secret": "${env:_SPARK_AUTH_SECRET}"}
WORKERS = [submit.Worker(cores=1, memory=2048), submit.Worker(cores=4, memory=1024)]


def properties(*arguments: str, files: tuple[str, ...] = (), **environment: str) -> dict[str, str]:
    """What Spark would see of a command line, of the texts of properties files and of environment variables."""
    parsed = submission.parse([*arguments, "app.py"])
    assert parsed is not None
    return submission.effective(parsed, [submission.parse_properties(text) for text in files], environment)


def refusal(check: object, *arguments: object) -> str:
    """The sentence with which a check refuses; fails if it does not."""
    assert callable(check)
    with pytest.raises(submit.Refusal) as caught:
        check(*arguments)
    assert caught.value.code == submit.CONFIG
    return str(caught.value)


def test_should_read_the_command_line_that_airflow_makes() -> None:
    parsed = submission.parse(
        [
            *("--master", MASTER, "--conf", "spark.executor.memoryOverhead=256m", "--total-executor-cores", "2"),
            *("--executor-cores", "1", "--executor-memory", "700m", "--driver-memory", "600m", "--name", "etl_daily.transform"),
            *("--verbose", "--queue", "", "--deploy-mode", "client", "/opt/app.py", "--date", "2026-01-15", "--master", "x"),
        ]
    )
    assert parsed is not None
    assert parsed.application == "/opt/app.py"
    assert parsed.options["--master"] == MASTER
    assert parsed.conf == {"spark.executor.memoryOverhead": "256m"}


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "--status driver-1",
        "--master",
        f"--master {MASTER}",
        "--master= app.py",
        "--wrong app.py",
        "--conf key app.py",
    ],
)
def test_should_leave_to_spark_submit_what_submits_nothing_or_is_wrong(line: str) -> None:
    assert submission.parse(line.split()) is None


@pytest.mark.parametrize(
    ("arguments", "files", "environment", "expected"),
    [
        (("--executor-memory", "6g", "--conf", "spark.executor.memory=5g"), ("spark.executor.memory 4g",), "3g", "6g"),
        (("--conf", "spark.executor.memory=5g"), ("spark.executor.memory 4g",), "3g", "5g"),
        (("--conf=spark.executor.memory=5g", "-c", "spark.executor.memory=2g"), (), "3g", "2g"),
        ((), ("spark.executor.memory 4g", "spark.executor.memory 2g"), "3g", "4g"),
        ((), ("spark.other 4g",), "3g", "3g"),
    ],
)
def test_should_take_option_then_conf_then_file_then_variable(
    arguments: tuple[str, ...], files: tuple[str, ...], environment: str, expected: str
) -> None:
    assert properties(*arguments, files=files, SPARK_EXECUTOR_MEMORY=environment)["spark.executor.memory"] == expected


def test_should_read_the_defaults_beside_a_named_file_only_if_asked(tmp_path: Path) -> None:
    defaults = tmp_path / "spark-defaults.conf"
    defaults.touch()
    environment = {"SPARK_HOME": "/opt/spark", "SPARK_CONF_DIR": str(tmp_path)}

    def files(*arguments: str) -> list[str]:
        parsed = submission.parse([*arguments, "app.py"])
        assert parsed is not None
        return submission.property_files(parsed, environment)

    assert files() == [str(defaults)]
    assert files("--properties-file", "mine") == ["mine"]
    assert files("--properties-file", "mine", "--extra-properties-file", "more") == ["more", "mine"]
    assert files("--properties-file", "mine", "--load-spark-defaults") == ["mine", str(defaults)]


def test_should_read_every_way_to_write_a_property() -> None:
    text = "# comment \\\na 1\nb=2\n  c : 3 \nd\\:e=4\nf=five \\\n   six\ng\n! h=7\ni=a\\tb\\u0041\\\\\nj==8\n"
    expected = {"a": "1", "b": "2", "c": "3", "d:e": "4", "f": "five six", "g": "", "i": "a\tbA\\", "j": "=8"}
    assert submission.parse_properties(text) == expected


@pytest.mark.parametrize(
    ("application", "path"),
    [
        ("app.py", "app.py"),
        ("/a:b/app.py", "/a:b/app.py"),
        ("file:/a%20b/app.py", "/a b/app.py"),
        ("file:///app.py", "/app.py"),
        ("local:/app.jar", "/app.jar"),
        ("s3a://bucket/app.py", ""),
        ("pyspark-shell", ""),
    ],
)
def test_should_look_only_for_an_application_on_this_machine(application: str, path: str) -> None:
    assert submission.local_path(application) == path


def test_should_say_that_the_application_is_missing_or_a_folder(tmp_path: Path) -> None:
    missing = refusal(submit.check_application, str(tmp_path / "app.py"))
    assert f"the application {tmp_path}/app.py is not in this container" in missing
    assert f"`ls -l {tmp_path}`" in missing
    assert f"{tmp_path} is a folder" in refusal(submit.check_application, str(tmp_path))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"spark": "4.2.0"}, "Spark is 4.2.1 in this container and 4.2.0 in the cluster spark://"),
        ({"python": "3.12"}, "Python is 3.11 in this container and 3.12 in the cluster spark://"),
        ({"java": "21"}, "Java is 17 in this container and 21 in the cluster spark://"),
    ],
)
def test_should_name_both_sides_of_a_mismatch_and_what_to_change(changed: dict[str, str], words: str) -> None:
    sentence = refusal(submit.check_versions, FACTS | changed, CLIENT, MASTER)
    assert words in sentence
    assert "airflow.images.airflow.tag and spark.image.tag" in sentence


def test_should_compare_no_version_that_one_side_does_not_know() -> None:
    submit.check_versions({"spark": "4.2.1"}, CLIENT, MASTER)
    submit.check_versions(FACTS, CLIENT._replace(python=""), MASTER)


@pytest.mark.parametrize(
    ("client", "given", "words"),
    [
        (CLIENT._replace(secret=""), REFERENCE, '"pod_template_file": "/opt/airflow/pod_templates/spark.yaml"'),
        (CLIENT._replace(secret="wrong"), REFERENCE, "the secret of this pod is not the cluster's"),
        (CLIENT._replace(authenticate=False), REFERENCE, "spark.authenticate is not true here"),
        (CLIENT, {}, "add `spark.authenticate.secret: ${env:_SPARK_AUTH_SECRET}`"),
    ],
)
def test_should_refuse_a_client_that_the_cluster_would_refuse(client: submit.Client, given: dict[str, str], words: str) -> None:
    sentence = refusal(submit.check_secret, FACTS, client, given, MASTER)
    assert words in sentence
    assert "wrong" not in sentence


def test_should_take_the_right_secret_and_ask_for_none_where_the_cluster_asks_for_none() -> None:
    submit.check_secret(FACTS, CLIENT, REFERENCE, MASTER)
    submit.check_secret(FACTS | {"authentication": False}, CLIENT._replace(secret=""), {}, MASTER)


def test_should_take_the_variable_before_the_property_and_the_reference_for_no_secret() -> None:
    def secret(value: str, **environment: str) -> str:
        parsed = submission.Submission("app.jar", {}, {})
        client = submit.this_client(parsed, {"spark.authenticate.secret": value}, {"SPARK_HOME": "/nowhere", **environment})
        return client.secret

    assert secret("property", _SPARK_AUTH_SECRET="variable") == "variable"
    assert secret("property") == "property"
    assert secret(submit.SECRET_REFERENCE) == ""


def test_should_give_four_hex_digits_of_a_secret() -> None:
    assert submit.fingerprint("right") == "64ca"
    assert submit.fingerprint("right") != submit.fingerprint("wrong")


@pytest.mark.parametrize(
    ("text", "mib"),
    [("700m", 700), ("1g", 1024), ("2048k", 2), ("1t", 2**20), ("1GB", 1024), ("512", 512), ("1.5g", None), ("much", None)],
)
def test_should_read_a_memory_string_as_spark_does(text: str, mib: int | None) -> None:
    assert submit.memory_mib(text) == mib


@pytest.mark.parametrize(
    ("url", "pairs"),
    [("spark://a:7077", [("a", 7077)]), ("spark://a:1,b.c:2", [("a", 1), ("b.c", 2)]), ("spark://[::1]:7077", [("::1", 7077)])],
)
def test_should_find_every_master_of_an_address(url: str, pairs: list[tuple[str, int]]) -> None:
    assert submit.masters(url) == pairs


@pytest.mark.parametrize("url", ["spark://host", "spark://host:port", "spark://host:70770", "spark://", "spark://spark://host:1"])
def test_should_say_how_a_master_is_addressed(url: str) -> None:
    assert f"{url} is no address of a master; write spark://host:7077" in refusal(submit.masters, url)


class Net:
    """A network whose master answers after so many tries, and a clock that only sleeping moves."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.now = 0.0

    def connect(self, host: str, port: int, timeout: float) -> str:
        """Answer like `submit.connect`."""
        self.failures -= 1
        return f"{host}:{port}: connection refused" if self.failures >= 0 else ""

    def wait(self, url: str, deadline: float) -> None:
        """Wait for the master in this network."""
        submit.wait_for_master(url, deadline, self.connect, lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds


def test_should_wait_for_a_master_that_is_restarting_and_say_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    net = Net(failures=5)
    net.wait(MASTER, 60)
    assert net.now == 5
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"spark-submit: waiting up to 60 s for the master {MASTER} (airspark-spark-master:7077: connection refused)"]


def test_should_say_nothing_if_one_of_two_masters_answers_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Net(failures=1).wait("spark://a:7077,b:7077", 60)
    assert capsys.readouterr().err == ""


def test_should_give_up_at_the_deadline_with_what_went_wrong() -> None:
    net = Net(failures=1000)
    with pytest.raises(submit.Refusal) as caught:
        net.wait(MASTER, 60)
    assert net.now == 60
    assert caught.value.code == submit.UNAVAILABLE
    assert f"no master answered at {MASTER} within 60 s (airspark-spark-master:7077: connection refused)" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--executor-memory", "3g"),
            "3072 MiB in one executor and the largest worker of spark://airspark-spark-master:7077 has 2048",
        ),
        (("--executor-cores", "5"), "5 cores in one executor and the largest worker of spark://airspark-spark-master:7077 has 4"),
        (("--executor-cores", "2", "--executor-memory", "2g"), "2048 MiB and 2 cores in one executor, and no worker"),
    ],
)
def test_should_say_what_is_asked_and_what_the_largest_worker_has(arguments: tuple[str, ...], words: str) -> None:
    sentence = refusal(submit.check_fit, properties(*arguments), WORKERS, MASTER)
    assert words in sentence
    assert "lower executor_" in sentence


@pytest.mark.parametrize("arguments", [(), ("--executor-memory", "2g"), ("--executor-cores", "4"), ("--executor-memory", "x")])
def test_should_let_through_what_fits_a_worker_or_spark_itself_refuses(arguments: tuple[str, ...]) -> None:
    submit.check_fit(properties(*arguments), WORKERS, MASTER)


def test_should_count_alive_workers_of_a_master_that_leads() -> None:
    workers = [{"cores": 2, "memory": 1024, "state": state} for state in ("ALIVE", "DEAD", "DECOMMISSIONED", "UNKNOWN")]
    assert submit.alive_workers({"status": "ALIVE", "workers": workers}) == [submit.Worker(2, 1024)]
    assert submit.alive_workers({"status": "RECOVERING", "workers": workers}) is None
    assert submit.alive_workers({}) is None


def test_should_say_that_a_job_may_use_too_few_cores_for_one_executor() -> None:
    given = properties("--executor-cores", "3", "--total-executor-cores", "2")
    assert "executors of 3 cores and may use 2 in all" in refusal(submit.check_cores, given, "")
    assert "executors of 3 cores and may use 2 in all" in refusal(submit.check_cores, properties("--executor-cores", "3"), "2")
    submit.check_cores(properties("--executor-cores", "3"), "")
    submit.check_cores(properties("--executor-cores", "2"), "2")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--master", "local[2]"),
        ("--master", "k8s://https://host"),
        ("--master", MASTER, "--deploy-mode", "cluster"),
        ("--remote", "sc://host"),
        (),
    ],
)
def test_should_check_nothing_but_standalone_client_mode(arguments: tuple[str, ...]) -> None:
    submit.check([*arguments, "/nowhere/app.py"], {"SPARK_HOME": "/nowhere"})


@pytest.mark.parametrize("source", ["option", "conf", "file", "defaults", "variable"])
def test_should_find_a_standalone_master_wherever_it_is_written(source: str, tmp_path: Path) -> None:
    environment = {"SPARK_HOME": "/nowhere", "SPARK_CONF_DIR": str(tmp_path)}
    (tmp_path / "mine.conf").write_text(f"spark.master={MASTER}\n")
    if source == "defaults":
        (tmp_path / "mine.conf").rename(tmp_path / "spark-defaults.conf")
    arguments = {
        "option": ["--master", MASTER],
        "conf": ["--conf", f"spark.master={MASTER}"],
        "file": ["--properties-file", str(tmp_path / "mine.conf")],
    }.get(source, [])
    if source == "variable":
        environment["MASTER"] = MASTER
    assert "is not in this container" in refusal(submit.check, [*arguments, "/nowhere/app.py"], environment)


def test_should_name_a_deadline_that_is_no_number() -> None:
    assert "AIRSPARK_MASTER_DEADLINE is 'soon'" in refusal(submit.deadline, "soon")


def test_should_go_on_without_facts_or_with_those_of_another_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cluster.json"
    assert submit.cluster_facts(str(file), ["ours"]) == {}
    file.write_text('{"masterUi": "http://ours:8080"}')
    assert submit.cluster_facts(str(file), ["other", "theirs.ours.svc"]) == {}
    assert submit.cluster_facts(str(file), ["other", "ours.namespace.svc"]) == {"masterUi": "http://ours:8080"}
    assert capsys.readouterr().err == ""
    file.write_text('{"spark": ')
    assert submit.cluster_facts(str(file), ["ours"]) == {}
    assert "cluster.json is no JSON object" in capsys.readouterr().err


class Page(http.server.BaseHTTPRequestHandler):
    """The master's page; the path and the text come from the test."""

    answers: dict[str, str] = {}

    def do_GET(self) -> None:
        """Answer with the text of the path."""
        text = self.answers.get(self.path)
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a page that a thread serves, host:port."""
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def submit_to(page: str, tmp_path: Path) -> None:
    """Check a submission to a master that listens where the page is served."""
    (tmp_path / "cluster.json").write_text(json.dumps({"masterUi": f"http://{page}/proxy/"}))
    environment = {"SPARK_HOME": "/nowhere", "AIRSPARK_SPARK_CLUSTER": str(tmp_path / "cluster.json")}
    submit.check(["--master", f"spark://{page}", "s3a://bucket/app.py"], environment)


def test_should_ask_the_master_for_its_workers(page: str, tmp_path: Path) -> None:
    small = {"cores": 1, "memory": 512, "state": "ALIVE"}
    Page.answers = {"/proxy/json/": json.dumps({"status": "ALIVE", "workers": [small]})}
    with pytest.raises(submit.Refusal, match="asks for 1024 MiB in one executor and the largest worker of .* has 512 MiB"):
        submit_to(page, tmp_path)


def test_should_warn_and_go_on_if_no_worker_is_alive(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Page.answers = {"/proxy/json/": json.dumps({"status": "ALIVE", "workers": []})}
    submit_to(page, tmp_path)
    assert capsys.readouterr().err == f"spark-submit: warning: no worker of spark://{page} is alive; the job waits until one is\n"


@pytest.mark.parametrize("text", ["", "no JSON", "[]", json.dumps({"status": "RECOVERING", "workers": []})])
def test_should_go_on_if_the_page_does_not_tell(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    Page.answers = {"/proxy/json/": text}
    submit_to(page, tmp_path)
    assert capsys.readouterr().err == ""


def test_should_ask_the_python_that_runs_the_driver_for_its_version(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9\n")
    other.chmod(0o755)
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert submit.driver_python({}, {"PYSPARK_PYTHON": sys.executable}) == ours
    assert submit.driver_python({}, {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": str(other)}) == "3.9"
    assert submit.driver_python({"spark.pyspark.python": str(other)}, {"PYSPARK_PYTHON": sys.executable}) == "3.9"
    assert submit.driver_python({}, {"PYSPARK_PYTHON": "/nowhere/python"}) == ""
