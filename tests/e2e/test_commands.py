"""The commands people use beside the demo, on the running platform."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from applications import send
from conftest import ROOT, Run, kubectl, make

from airspark import airflow_api, check, cluster, images, redaction
from airspark.airflow_api import Airflow


def test_should_do_nothing_and_say_so_if_everything_is_up(up: None) -> None:
    started = time.monotonic()
    done = make("up")
    assert done.returncode == 0, done.stderr
    assert "Everything is up, nothing to do" in done.stdout
    print(f"second make up: {time.monotonic() - started:.1f} s")


def test_should_show_every_part_in_one_table(demo_run: Run) -> None:
    shown = make("status").stdout
    for component in (
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "postgresql",
        "spark-master",
        "spark-worker",
        "spark-operator",
    ):
        row = next(line for line in shown.splitlines() if line.startswith(component))
        assert re.search(r"(\d)/\1 +\d+ +\d+[smhd]", row), row


def test_should_show_the_logs_of_a_component_and_name_the_choices_if_it_is_unknown(up: None) -> None:
    assert "airspark-scheduler" in make("logs", "C=scheduler").stdout
    wrong = make("logs", "C=schedular")
    assert wrong.returncode != 0 and "there is no component 'schedular'" in wrong.stderr and "spark-master" in wrong.stderr


#: Lines that a task prints; %s is a secret which no Secret of the cluster holds.
LEAKS = (
    "password=%s", "curl -H 'Authorization: Bearer %s' https://x", "https://user:%s@host/x", "--token %s", '{"apiKey": "%s"}',
    "-----BEGIN PRIVATE KEY-----\\n%s\\n-----END PRIVATE KEY-----",
)  # fmt: skip


@pytest.fixture
def canaries(up: None) -> Iterator[dict[str, str]]:
    """Secrets, by where they are: in a Secret, printed by a pod as it is and in base64; in lines of telling shape; in Airflow."""
    found = {place: f"{place}-{secrets.token_hex(12)}" for place in ("secret", "line", "variable", "connection")}
    lines = (f"echo {shlex.quote(line % found['line'])}" for line in LEAKS)
    script = "; ".join(["echo said $CANARY once", "printf %s $CANARY | base64", *lines])
    container = {
        "name": "main", "image": images.IMAGES["spark"].tag, "command": ["bash", "-c", script],
        "env": [{"name": "CANARY", "valueFrom": {"secretKeyRef": {"name": "doctor-canary", "key": "value"}}}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    metadata = {"name": "doctor-canary", "namespace": "airspark"}
    objects = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": found["secret"]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
         "spec": {"restartPolicy": "Never", "securityContext": security, "containers": [container]}},
    ]  # fmt: skip
    with airflow_api.connect() as airflow:
        airflow.call("POST", "/variables", json={"key": "doctor_canary", "value": found["variable"]})
        connection = {"connection_id": "doctor_canary", "conn_type": "http", "password": found["connection"]}
        airflow.call("POST", "/connections", json=connection)
        try:
            for item in objects:
                assert "created" in send(item, "create")
            kubectl("wait", "pod/doctor-canary", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s")
            yield found
        finally:
            for kind in ("pod", "secret"):
                kubectl("delete", kind, "doctor-canary", "--ignore-not-found")
            airflow.call("DELETE", "/variables/doctor_canary")
            airflow.call("DELETE", "/connections/doctor_canary")


def test_should_collect_everything_but_secrets(demo_run: Run, canaries: dict[str, str]) -> None:
    path = Path(make("doctor").stdout.strip().splitlines()[-1])
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        texts = {member.name: archive.extractfile(member).read().decode(errors="replace") for member in archive}  # type: ignore[union-attr]
    assert any("events" in name for name in texts) and any("logs/airspark.airspark-scheduler" in name for name in texts)
    assert any("values" in name for name in texts)
    (said,) = [text for name, text in texts.items() if "logs/airspark.doctor-canary" in name]
    assert "said [removed] once" in said and said.count("[removed]") >= len(LEAKS)
    everything = json.loads(kubectl("get", "secrets", "--output", "json"))["items"]
    known = {form for secret in everything for value in redaction.values(secret) for form in redaction.forms(value)}
    assert len(known) > 50
    leaks = [(name, value) for name, text in texts.items() for value in (*known, *canaries.values()) if value in text]
    assert not leaks, [name for name, _ in leaks]


@pytest.mark.long
def test_should_follow_a_backfill_through_restarts_of_both_api_servers(airflow: Airflow) -> None:
    """Takes as long as a new pod of Airflow's API server needs: some 30 s."""
    days = ("FROM=2025-05-01", "TO=2025-05-01")
    made = make("data", *days, "ROWS=500")
    assert made.returncode == 0, made.stderr
    node = cluster.node_names()[0]
    process = subprocess.Popen(
        ["make", "--no-print-directory", "backfill", "DAG=csv_transform", *days, "RERUN=1"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        said = next(line for line in process.stderr if "days of csv_transform" in line)
        kubectl("delete", "pod", "--selector", "component=api-server", "--wait=false")
        kill = 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = kube-apiserver ] && kill ${p#/proc/}; done; true'
        subprocess.run(["docker", "exec", node, "sh", "-c", kill], check=True, capture_output=True)
        out, rest = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 0, said + rest
    assert "✓ csv_transform 2025-05-01: success" in rest and "Every day from 2025-05-01 to 2025-05-01 has ended well" in out
    assert "Traceback" not in rest
    assert "the Airflow API server does not answer (" in rest
    assert rest.count("does not answer (") == rest.count("answers again after ") <= 4, rest


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        (("logs", "T=nope.nope"), "there is no DAG nope", "DAGs: .*etl_daily"),
        (("logs", "T=etl_dayly.transform"), r"there is no DAG etl_dayly; did you mean etl_daily\?", "DAGs: .*etl_daily"),
        (("logs", "T=etl_daily.nope"), "the DAG etl_daily has no task nope", "its tasks: .*transform"),
        (("backfill", "DAG=nope", "FROM=2026-01-01", "TO=2026-01-02"), "there is no DAG nope", "can be backfilled: .*etl_daily"),
        (("backfill", "DAG=nope", "STOP=1"), "there is no DAG nope", "can be backfilled: .*etl_daily"),
    ],
)
def test_should_say_what_exists_if_a_name_is_wrong(airflow: Airflow, words: tuple[str, ...], sentence: str, hint: str) -> None:
    done = make(*words)
    assert done.returncode != 0
    wrong, how = done.stderr.strip().splitlines()[:2]
    assert re.fullmatch(f"✗ {sentence}", wrong) and re.search(hint, how), done.stderr


MASTER_UI = check.PORTS[8083]


def test_should_forward_to_the_user_interfaces_and_follow_a_restarted_pod(demo_run: Run) -> None:
    taken = None
    if check.port_free(8083):
        import socket

        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 8083))
        taken.listen()
    process = subprocess.Popen(
        ["make", "--no-print-directory", "ui"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        urls: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            match = re.match(rf"({'|'.join(check.PORTS.values())})\s+(http://\S+)", line)
            if match:
                urls[match[1]] = match[2]
            if "Ctrl-C" in line:
                break
        assert set(urls) == {"Airflow UI", MASTER_UI, "Spark history server"}
        assert not urls[MASTER_UI].endswith(":8083")
        assert "Airflow" in httpx.get(urls["Airflow UI"], follow_redirects=True).text
        assert "Spark Master" in httpx.get(urls[MASTER_UI]).text
        assert "History Server" in httpx.get(urls["Spark history server"], follow_redirects=True).text
        if urls["Airflow UI"].endswith(":8080"):
            assert re.search(r"port 8080 +open by make ui \(process \d+\): Airflow UI", make("check").stdout)
        kubectl("delete", "pod", "airspark-spark-master-0", "--wait=true")
        # The first request waits for the new pod; it does not fail.
        assert "Spark Master" in httpx.get(urls[MASTER_UI], timeout=150).text
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
        if taken:
            taken.close()


def test_should_install_by_the_documented_helm_command_alone(up: None) -> None:
    shown = kubectl("get", "statefulsets,deployments,jobs,pvc", "--output", "name")
    for name in ("statefulset.apps/airspark-postgresql", "statefulset.apps/airspark-spark-master",
                 "statefulset.apps/airspark-spark-worker", "deployment.apps/airspark-api-server",
                 "deployment.apps/airspark-scheduler", "deployment.apps/airspark-dag-processor",
                 "persistentvolumeclaim/airspark-data", "persistentvolumeclaim/airspark-output",
                 "persistentvolumeclaim/airspark-logs"):  # fmt: skip
        assert name in shown, f"{name} is missing in\n{shown}"


def test_should_say_helms_sentence_and_change_nothing_if_values_has_a_typo(up: None, tmp_path: Path) -> None:
    file = tmp_path / "typo.yaml"
    file.write_text("airflow: {schedulr: {replicas: 2}}\n")
    stay = ("get", "pods", "--selector", "component!=worker", "--output", "jsonpath={.items[*].metadata.uid}")
    before = kubectl(*stay)
    wrong = make("up", f"VALUES={file}")
    assert wrong.returncode != 0 and "schedulr" in wrong.stderr and "Traceback" not in wrong.stderr, wrong.stderr
    assert f'correct it, then: make up VALUES="{file}"' in wrong.stderr
    assert kubectl(*stay) == before
