"""What cannot work is said where one looks first, the old pods go on serving, and the next `helm upgrade` mends it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kube_api
import pytest
import yaml
from conftest import end_of, kubectl, run_in_flight, wait_for_bootstrap
from servers import apply

from airspark import airflow_api, cluster, platform, tools
from airspark.airflow_api import Airflow
from airspark.project import kubeconfig

# After everything that wants the installation whole.
STAGE = 3
SPACE = "airspark-trouble"
CHART = str(platform.CHARTS / "airspark/charts/airflow")
SERVING = "tier=airflow,component in (api-server, scheduler, dag-processor, triggerer, postgresql)"


def serving() -> set[str]:
    """Uids of the pods that are ready."""
    pods = kube_api.pods("airspark", SERVING)
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    conditions = {pod["metadata"]["uid"]: pod["status"].get("conditions", []) for pod in staying}
    return {uid for uid, found in conditions.items() if any(c["type"] == "Ready" and c["status"] == "True" for c in found)}


def secret(name: str, data: dict[str, str], namespace: str = "airspark") -> None:
    """Bring a Secret."""
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": data})


def say_until(words: str, seconds: int = 120) -> str:
    """What the newest bootstrap Job says, once it holds some words."""
    deadline = time.monotonic() + seconds
    while True:
        jobs = json.loads(kubectl("get", "jobs", "--selector", "component=bootstrap", "--output", "json"))["items"]
        newest = max(jobs, key=lambda job: job["metadata"]["creationTimestamp"])["metadata"]["name"]
        try:
            said = kubectl("logs", f"job/{newest}", "--all-containers")
        except subprocess.CalledProcessError as problem:
            # containers that have not started yet fail the command after what the others said
            said = f"{problem.stdout}\n{problem.stderr}"
        if re.search(words, said):
            return said
        assert time.monotonic() < deadline, f"job/{newest} does not say {words!r} after {seconds} s: {said}"
        time.sleep(1)


def upgrade(values: dict[str, Any], folder: Path) -> None:
    """Upgrade the platform without waiting for it."""
    file = folder / "trouble.yaml"
    file.write_text(yaml.safe_dump({"airflow": values}))
    command = [str(word) for word in platform.helm_upgrade("trouble", file) if word != "--wait"]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def client(airflow: Airflow) -> Iterator[Airflow]:
    """A client that logged in now: passwords and keys may have been rotated since the first."""
    with airflow_api.connect() as found:
        yield found


@pytest.fixture(scope="module")
def before(client: Airflow) -> Iterator[set[str]]:
    """The pods that serve before any trouble, and the Secrets that somebody brought."""
    found = serving()
    url = platform.secret("airspark-metadata", "connection")
    good, _, query = url.partition("?")
    joined = f"{query}&" if query else ""
    secret("trouble-down", {"connection": "postgresql://airflow:x@no-such-database:5432/airflow"})
    secret("trouble-password", {"connection": re.sub(r"://([^:]+):[^@]+@", r"://\1:wrong@", url)})
    secret("trouble-read-only", {"connection": f"{good}?{joined}options=-c%20default_transaction_read_only%3Don"})
    secret("trouble-key", {"another": "text"})
    yield found
    # The last of the tests does the same; where it is deselected, the next module finds a whole release, too.
    subprocess.run([str(word) for word in platform.helm_upgrade("whole")], capture_output=True, check=True)
    kubectl("delete", "secret", "trouble-down", "trouble-password", "trouble-read-only", "trouble-key", "--ignore-not-found")


TROUBLES: dict[str, tuple[dict[str, Any], str]] = {
    "the database is down": (
        {"data": {"metadataSecretName": "trouble-down"}, "bootstrap": {"databaseDeadlineSeconds": 5}},
        r"bootstrap: the database at no-such-database:5432/airflow does not answer after 5 s: .*no-such-database",
    ),
    "the password of the database is wrong": (
        {"data": {"metadataSecretName": "trouble-password"}, "bootstrap": {"databaseDeadlineSeconds": 5}},
        r"bootstrap: the database at \S+ refuses the login after 5 s: .*password authentication failed",
    ),
    "the database is read-only": (
        {"data": {"metadataSecretName": "trouble-read-only"}},
        r"bootstrap: the database airflow is read-only for airflow",
    ),
    "a Secret lacks its key": (
        {"fernetKeySecretName": "trouble-key"},
        r"bootstrap: Secret trouble-key exists and lacks the key fernet-key; add it or delete the Secret",
    ),
}


#: The others are part of `make test-long`: they take the same way.
QUICK = "a Secret lacks its key"


@pytest.mark.parametrize("trouble", [pytest.param(name, marks=() if name == QUICK else pytest.mark.long) for name in TROUBLES])
def test_should_say_what_is_wrong_and_go_on_serving_if(trouble: str, client: Airflow, before: set[str], tmp_path: Path) -> None:
    values, sentence = TROUBLES[trouble]
    upgrade(values, tmp_path)
    said = say_until(sentence)
    assert "Traceback" not in said, said
    assert before <= serving()
    assert client.call("GET", "/monitor/health")["scheduler"]["status"] == "healthy"


@pytest.mark.long
def test_should_name_what_does_not_become_ready_if_an_image_is_not_there(before: set[str], tmp_path: Path) -> None:
    file = tmp_path / "image.yaml"
    file.write_text(yaml.safe_dump({"airflow": {"images": {"airflow": {"repository": "airspark/none", "tag": "0"}}}}))
    command = [str(word) for word in platform.helm_upgrade("trouble", file)]
    command[command.index("--timeout") + 1] = "20s"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "airspark-api-server" in done.stderr, done.stderr
    assert any(re.search(r"ErrImage|ImagePullBackOff", phrase) for phrase in platform.not_ready()), platform.not_ready()
    assert before <= serving()


def test_should_be_whole_again_after_the_next_upgrade(client: Airflow, before: set[str]) -> None:
    done = subprocess.run([str(word) for word in platform.helm_upgrade("whole")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{'; '.join(platform.not_ready())}"
    assert before <= serving(), "pods that were right all the time were replaced"
    # Helm forgets what a failed upgrade made: the newest bootstrap removes the Job whose image is not there
    wait_for_bootstrap()
    with run_in_flight(client, 1) as run_id:
        assert end_of(client, run_id) == "success"


def trouble_helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Helm in a namespace of its own, whatever it exits with."""
    command = [str(tools.ensure("helm")), *words, "--namespace", SPACE, "--kubeconfig", str(kubeconfig())]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def space() -> Iterator[None]:
    """A namespace of its own, as strict as the platform's."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}})
    yield
    cluster.kubectl("delete", "namespace", SPACE, timeout=180)


@pytest.mark.long
def test_should_leave_a_first_installation_that_the_next_one_mends(up: None, space: None, tmp_path: Path) -> None:
    """An image that does not exist and rollback on failure, then claims that no storage class binds, then all is right."""
    right = tmp_path / "right.yaml"
    small = {"size": "256Mi"}
    right.write_text(yaml.safe_dump({"postgresql": {"persistence": small}, "logs": {"persistence": small}}))
    install = ("upgrade", "--install", "trouble", CHART, "--values", str(right), "--wait")
    done = trouble_helm(*install, "--set", "images.airflow.repository=airspark/airflow,images.airflow.tag=none",
                        "--rollback-on-failure", "--timeout", "60s")  # fmt: skip
    assert done.returncode != 0 and "trouble-api-server" in done.stderr, done.stderr
    assert json.loads(trouble_helm("list", "--output", "json").stdout) == []
    cluster.kubectl("delete", "pvc", "--all", "--namespace", SPACE, timeout=120)

    nowhere = ("--set", "postgresql.persistence.storageClassName=nowhere,logs.persistence.storageClassName=nowhere")
    done = trouble_helm(*install, *nowhere, "--timeout", "45s")
    assert done.returncode != 0 and "trouble-postgresql" in done.stderr, done.stderr
    described = cluster.kubectl("describe", "pvc", "trouble-logs", "--namespace", SPACE)
    assert 'storageclass.storage.k8s.io "nowhere" not found' in described
    # the commands of docs/upgrade.md
    cluster.kubectl("delete", "statefulset", "trouble-postgresql", "--namespace", SPACE)
    cluster.kubectl("delete", "pvc", "data-trouble-postgresql-0", "trouble-logs", "--namespace", SPACE, "--wait=false")
    # under a sub-path, which API server, probes, tasks and the test must agree on
    path = ("--set", "config.api.base_url=http://airflow.example.com/etl")
    done = trouble_helm(*install, *path, "--rollback-on-failure", "--timeout", "8m")
    assert done.returncode == 0, done.stderr
    assert health("/etl/api/v2/monitor/health")["metadatabase"]["status"] == "healthy"
    done = trouble_helm("test", "trouble", "--logs", "--timeout", "6m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ task: a task ran" in done.stdout, done.stdout


@pytest.mark.long
def test_should_install_by_kubectl_apply_and_do_nothing_the_second_time(up: None, space: None, tmp_path: Path) -> None:
    """What Argo CD does with `helm template`: no hook, no order, and a second time that changes nothing."""
    small = ("--set", "postgresql.persistence.size=256Mi,logs.persistence.size=256Mi")
    done = trouble_helm("template", "trouble", CHART, "--skip-tests", *small)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "rendered.yaml"
    file.write_text(done.stdout)
    cluster.kubectl("apply", "--server-side", "--namespace", SPACE, "--filename", str(file), timeout=120)
    cluster.kubectl(
        "wait", "--namespace", SPACE, "deployment", "--all", "--for=condition=Available", "--timeout=480s", timeout=500
    )
    cluster.kubectl("wait", "--namespace", SPACE, "job", "--all", "--for=condition=Complete", "--timeout=60s", timeout=90)
    kinds = "pods,jobs,secrets"
    before = cluster.kubectl("get", kinds, "--namespace", SPACE, "--output", "jsonpath={.items[*].metadata.uid}")
    said = cluster.kubectl("apply", "--server-side", "--namespace", SPACE, "--filename", str(file), timeout=120)
    assert "serverside-applied" in said
    assert cluster.kubectl("get", kinds, "--namespace", SPACE, "--output", "jsonpath={.items[*].metadata.uid}") == before
    assert health("/api/v2/monitor/health")["scheduler"]["status"] == "healthy"


def health(path: str) -> dict[str, Any]:
    """What the API server in the namespace of its own says of its parts."""
    code = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080{path}').read().decode())"
    words = ("exec", "deployment/trouble-api-server", "--container", "api-server", "--namespace", SPACE, "--")
    return dict(json.loads(cluster.kubectl(*words, "python", "-c", code)))
