"""The pod that tests Spark: what it holds, and what its script says of a cluster that is well and of one that is not."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
from rendering import CHARTS, Object, env, find, render

NAME = "airspark-spark-helm-test"
SCRIPT = CHARTS / "spark/files/scripts/helm_test.py"
APPLICATION = "app-20261126000000-0001"
#: Stands for the image's spark-submit: says what the application would, and writes as an executor would.
SUBMIT = """#!/bin/sh
for word; do before=$said said=$output output=$proxy proxy=$word; done
case "$proxy" in http*) ;; *) [ -z "$proxy" ] || exit 9 ;; esac
{fails}
mkdir "$output" && printf '1\\n2\\n' >"$output/part-00000" && mkdir -p "$EVENTS/eventlog_v2_{id}"
: >"$EVENTS/eventlog_v2_{id}/appstatus_{id}{unfinished}"
echo '{{"id": "{id}", "rows": 9, "rows_written": {rows}, "host": "worker-0", "seconds": 2.0, "page": "{page}"}}' >"$said"
echo "$@" >"$EVENTS/../arguments"
"""


def spark(**values: Any) -> list[Object]:
    """Return the objects of the Spark chart alone, with claims for results and event logs."""
    claims: Object = {name: {"claim": name} for name in ("output", "events")}
    return render({"historyServer": {"enabled": True}, "mounts": claims, **values}, chart="spark")


def pod(**values: Any) -> Object:
    """Return the pod of the test."""
    return find(spark(**values), "Pod", NAME)


def told(**values: Any) -> dict[str, Any]:
    """Return the environment of the container with the driver."""
    return env(pod(**values)["spec"]["containers"][0])


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def should_make_a_restricted_pod_without_a_token_if_helmtest_enabled_is_set(version: str) -> None:
    found = pod()
    kubernetes_validate.validate(found, version, strict=True)
    spec = found["spec"]
    assert found["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert (spec["automountServiceAccountToken"], spec["restartPolicy"], spec["enableServiceLinks"]) == (False, "Never", False)
    context = spec["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 185, 0)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*spec["containers"], *spec["initContainers"]]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}


def should_read_as_airflows_user_beside_one_container_whose_log_helm_shows() -> None:
    spec = pod()["spec"]
    assert [container["name"] for container in spec["containers"]] == ["spark-helm-test"]
    (reader,) = spec["initContainers"]
    assert (reader["name"], reader["restartPolicy"]) == ("reader", "Always")
    assert (reader["securityContext"]["runAsUser"], reader["securityContext"]["runAsGroup"]) == (50000, 0)
    assert "env" not in reader
    mounts = {mount["mountPath"] for mount in reader["volumeMounts"]}
    assert {"/opt/airflow/output", "/exchange"} <= mounts and "/opt/spark-events" not in mounts


def should_make_nothing_if_helmtest_enabled_is_false() -> None:
    assert not [item for item in spark(helmTest={"enabled": False}) if "helm-test" in item["metadata"]["name"]]


def should_hold_the_shared_secret_and_no_other() -> None:
    secrets = {
        name: value["secretKeyRef"] for name, value in told().items() if isinstance(value, dict) and "secretKeyRef" in value
    }
    assert secrets == {"_SPARK_AUTH_SECRET": {"name": "airspark-spark-auth", "key": "rpc-authentication-secret"}}
    off = told(security={"rpc": {"authenticationEnabled": False}})
    assert not [value for value in off.values() if isinstance(value, dict) and "secretKeyRef" in value]


@pytest.mark.parametrize(
    ("values", "workers"),
    [
        ({}, "2"),
        ({"worker": {"replicaCount": 4}, "workers": {"groups": {"big": {"replicaCount": 3}}}}, "7"),
        ({"worker": {"autoscaling": {"enabled": True, "minReplicas": 1}}}, "1"),
    ],
    ids=["default", "groups", "autoscaling"],
)
def should_wait_for_as_many_workers_as_are_installed(values: Object, workers: str) -> None:
    assert told(**values)["CHECK_WORKERS"] == workers


def should_ask_where_master_and_history_server_listen() -> None:
    objects = spark(fullnameOverride="batch", master={"containerPorts": {"http": 8180, "cluster": 7177}})
    found = env(find(objects, "Pod", "batch-spark-helm-test")["spec"]["containers"][0])
    assert found["CHECK_MASTER"] == "spark://batch-spark-master:7177"
    assert found["CHECK_MASTER_UI"] == "http://batch-spark-master:8180"
    assert found["CHECK_HISTORY"] == "http://batch-spark-history:18080"


def should_leave_out_what_is_not_installed() -> None:
    found = env(find(render({"historyServer": {"enabled": False}}, chart="spark"), "Pod", NAME)["spec"]["containers"][0])
    assert not {"CHECK_HISTORY", "CHECK_EVENTS", "CHECK_OUTPUT"} & set(found)
    assert told(ui={"reverseProxy": {"enabled": False}})["CHECK_PROXY"] == "no"


def should_end_before_helm_gives_up_and_later_if_helmtest_deadlineseconds_is_set() -> None:
    assert (told()["CHECK_SECONDS"], pod()["spec"]["activeDeadlineSeconds"]) == ("240", 300)
    values: Object = {"helmTest": {"deadlineSeconds": 900}}
    assert (told(**values)["CHECK_SECONDS"], pod(**values)["spec"]["activeDeadlineSeconds"]) == ("900", 960)


@pytest.mark.parametrize("key", ["nodeSelector", "tolerations", "affinity", "resources"])
def should_run_where_helmtest_says(key: str) -> None:
    wanted: Any = {
        "nodeSelector": {"pool": "batch"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}},
    }[key]
    spec = pod(helmTest={key: wanted})["spec"]
    found = spec["containers"][0]["resources"]["limits"]["memory"] if key == "resources" else spec[key]
    assert found == ("2Gi" if key == "resources" else wanted)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return helm_test.py as a module."""
    spec = importlib.util.spec_from_file_location("spark_helm_test", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Servers:
    """A master and a history server that answer what they are told to."""

    def __init__(self) -> None:
        worker = {"state": "ALIVE", "cores": 1, "memory": 1024}
        self.master: Object = {"status": "ALIVE", "workers": [worker, worker], "cores": 2, "coresused": 2, "activeapps": [{}]}
        self.history: Object | None = {"attempts": [{"completed": True}]}
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = servers.master if self.path == "/json/" else servers.history
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: object) -> None: ...

        return Handler


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Servers of a cluster that is well."""
    found = Servers()
    threading.Thread(target=found.http.serve_forever, daemon=True).start()
    yield found
    found.http.shutdown()
    found.http.server_close()


class Run:
    """The script's environment, its folders and a spark-submit.

    Args:
        script: helm_test.py.
        servers: who answers.
        folder: an empty one.
    """

    def __init__(self, script: ModuleType, servers: Servers, folder: Path) -> None:
        self.script, self.folder, self.answers = script, folder, True
        for name in ("bin", "exchange", "events", "output"):
            (folder / name).mkdir()
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "EVENTS": str(folder / "events"),
            "CHECK_NAMESPACE": "prod",
            "CHECK_RELEASE": "airspark",
            "CHECK_SECONDS": "20",
            "CHECK_WORKERS": "2",
            "CHECK_MASTER": "spark://airspark-spark-master:7077",
            "CHECK_MASTER_UI": servers.url,
            "CHECK_PROXY": "yes",
            "CHECK_HISTORY": servers.url,
            "CHECK_EVENTS": str(folder / "events"),
            "CHECK_OUTPUT": str(folder / "output"),
            "POD_IP": "10.0.0.9",
            "_SPARK_AUTH_SECRET": "very-secret",
        }
        self.submit()

    def submit(self, fails: str = "", unfinished: str = "", rows: int = 2, page: str = "") -> None:
        """Have spark-submit end in some way."""
        file = self.folder / "bin" / "spark-submit"
        file.write_text(SUBMIT.format(fails=fails, unfinished=unfinished, rows=rows, page=page, id=APPLICATION))
        file.chmod(0o755)

    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> int:
        """Run the checks, and the reader beside them, and return the exit code."""
        for name in ("PATH", "EVENTS"):
            monkeypatch.setenv(name, self.env[name])
        exchange = self.folder / "exchange"
        if self.answers:
            threading.Thread(target=self.script.read, args=(exchange,), daemon=True).start()
        return int(self.script.main(self.script.Cluster(self.env, exchange)))


@pytest.fixture
def run(script: ModuleType, servers: Servers, tmp_path: Path) -> Run:
    """A run on a cluster that is well."""
    return Run(script, servers, tmp_path)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was printed, without seconds."""
    return [line.rsplit(" (", 1)[0] if line.startswith("✓") else line for line in capsys.readouterr().out.splitlines()]


def should_say_a_line_for_each_step_and_leave_nothing_behind(run: Run, monkeypatch: Any, capsys: Any) -> None:
    assert run(monkeypatch) == 0
    said = lines(capsys)
    assert [line.split(":")[0] for line in said] == [f"✓ {name}" for name in run.script.STEPS]
    assert said[0] == "✓ workers: the master is ALIVE, 2 registered with 2 cores and 2048 MiB"
    assert f"{APPLICATION} added up 9 numbers on worker-0 in 2.0 s" in said[1]
    assert not list((run.folder / "output").iterdir())


def should_put_the_secret_into_no_argument_and_no_line(run: Run, monkeypatch: Any, capsys: Any) -> None:
    assert run(monkeypatch) == 0
    arguments = (run.folder / "arguments").read_text()
    assert "very-secret" not in arguments + capsys.readouterr().out
    assert "spark.authenticate.secret=${env:_SPARK_AUTH_SECRET}" in arguments
    for setting in ("spark.driver.host=10.0.0.9", "spark.driver.port=7078", "spark.driver.blockManager.port=7079"):
        assert setting in arguments


def should_skip_with_a_reason_what_is_not_installed(run: Run, monkeypatch: Any, capsys: Any) -> None:
    for name in ("CHECK_HISTORY", "CHECK_EVENTS", "CHECK_OUTPUT"):
        del run.env[name]
    run.env["CHECK_PROXY"] = "no"
    (run.folder / "bin" / "spark-submit").write_text(
        "#!/bin/sh\nfor word; do said=$output output=$proxy proxy=$word; done\n"
        '[ -z "$output$proxy" ] || exit 9\n'
        f'echo \'{{"id": "{APPLICATION}", "rows": 9, "host": "w", "seconds": 2.0, "page": ""}}\' >"$said"\n'
    )
    assert run(monkeypatch) == 0
    assert [line for line in lines(capsys) if line.startswith("-")] == [
        "- pages: skipped: ui.reverseProxy.enabled is false",
        "- event log: skipped: there is no claim for event logs (mounts.events)",
        "- history server: skipped: historyServer.enabled is false",
        "- output: skipped: there is no claim for results (mounts.output)",
    ]


def _worker_missing(run: Run, servers: Servers) -> None:
    servers.master["workers"].pop()
    run.env["CHECK_SECONDS"] = "1"


def _recovering(run: Run, servers: Servers) -> None:
    servers.master["status"] = "RECOVERING"
    run.env["CHECK_SECONDS"] = "1"


def _unread(run: Run, servers: Servers) -> None:
    servers.history = None
    run.env["CHECK_SECONDS"] = "2"


def _busy(run: Run, _: Servers) -> None:
    run.submit(fails="exec sleep 30")
    run.env["CHECK_SECONDS"] = "2"


def _silent(run: Run, _: Servers) -> None:
    run.answers = False
    run.env["CHECK_SECONDS"] = "2"


TROUBLE: dict[str, tuple[Any, str, str]] = {
    "a worker is missing": (
        _worker_missing,
        "✗ workers: 1 of 2 workers have registered",
        "get pods -l release=airspark,tier=spark",
    ),
    "the master recovers": (_recovering, "✗ workers: the master is RECOVERING", "get pods"),
    "spark-submit refuses": (
        lambda run, _: run.submit(fails="echo 'spark-submit: no worker has 512 MiB' >&2; echo later; exit 78"),
        "✗ application: the application ended with 78: no worker has 512 MiB",
        "component=spark-worker",
    ),
    "Spark fails": (
        lambda run, _: run.submit(fails="echo '26/11/26 00:00:00 ERROR Backend: All masters are unresponsive'; exit 1"),
        "✗ application: the application ended with 1: Backend: All masters are unresponsive",
        "component=spark-worker",
    ),
    "no core is free": (_busy, "2 of 2 cores of the cluster are in use by 1 applications", "component=spark-worker"),
    "the proxy does not reach the driver": (
        lambda run, _: run.submit(page="http://m/proxy/x: timed out"),
        "✗ pages: the master does not pass requests on to the application's page: http://m/proxy/x: timed out",
        "get networkpolicies",
    ),
    "the event log is unfinished": (
        lambda run, _: run.submit(unfinished=".inprogress"),
        f"✗ event log: the log of {APPLICATION} is not finished",
        "describe pod",
    ),
    "the history server lacks it": (_unread, "✗ history server: the history server answers 404", "component=spark-history"),
    "the reader sees fewer lines": (
        lambda run, _: run.submit(rows=3),
        f"✗ output: uid {os.getuid()} read 2 lines of 3 that an executor wrote",
        "describe pod",
    ),
    "the reader is silent": (_silent, "✗ output: the container `reader` says nothing", "describe pod"),
}


@pytest.mark.parametrize("case", TROUBLE)
def should_say_what_is_wrong_and_which_command_looks_further(
    case: str, run: Run, servers: Servers, monkeypatch: Any, capsys: Any
) -> None:
    prepare, sentence, command = TROUBLE[case]
    prepare(run, servers)
    assert run(monkeypatch) == 1
    *before, failed, then = lines(capsys)
    assert sentence in failed and failed.startswith("✗")
    assert then.startswith("  next: kubectl -n prod ") and command in then
    assert not [line for line in before if "Traceback" in line or line.startswith("✗")]


def should_tell_what_the_reader_may_not_do(script: ModuleType, tmp_path: Path) -> None:
    script.tell(tmp_path / "question.json", {"folder": str(tmp_path / "missing")})
    script.read(tmp_path)
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert "missing" in answer["problem"] and answer["lines"] == 0


def should_keep_the_answer_if_the_sidecar_is_started_again(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "part-0").write_text("a\nb\n")
    script.tell(tmp_path / "question.json", {"folder": str(tmp_path / "result")})
    for _ in range(2):
        script.read(tmp_path)
        answer = json.loads((tmp_path / "answer.json").read_text())
        assert (answer["problem"], answer["lines"]) == ("", 2)
