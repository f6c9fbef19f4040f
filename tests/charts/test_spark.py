"""The standalone Spark cluster as it is by default, and what may never be seen of its secret."""

from __future__ import annotations

import json
import re

import pytest
from cases import Rendered
from rendering import Object, env, find, pods, render, task_pod
from spark_rendered import MASTER, WORKER, WORKLOADS, conf, env_of, main, opened, service_ports, spec, work

DEFAULT = Rendered(render())
EVERYTHING: Object = {
    "historyServer": {"enabled": True},
    "mounts": {"events": {"claim": "events"}},
    "master": {"rest": {"enabled": True}},
    "shuffleService": {"enabled": True},
    "workers": {"groups": {"spot": {"autoscaling": {"enabled": True}}}},
}
ALL = Rendered(render(EVERYTHING, chart="spark"))
SECRET = re.compile("secret|password|token|key", re.IGNORECASE)


def _pods(found: Rendered) -> dict[str, Object]:
    """Return the specs of every Spark pod by the name of what makes it."""
    makers = [item for item in found.objects if item["kind"] in ("StatefulSet", "Deployment", "Job")]
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in makers
        if item["metadata"]["labels"]["component"].startswith("spark-")
    }


def should_run_one_master_that_remembers_its_state_on_a_claim() -> None:
    master = DEFAULT.find(*WORKLOADS["master"])["spec"]
    assert master["replicas"] == 1
    assert [claim["metadata"]["name"] for claim in master["volumeClaimTemplates"]] == ["recovery"]
    variables = env_of(DEFAULT, "master")
    mounts = {mount["name"]: mount["mountPath"] for mount in main(DEFAULT, "master")["volumeMounts"]}
    assert (variables["RECOVERY_MODE"], variables["RECOVERY_DIRECTORY"]) == ("ROCKSDB", mounts["recovery"])


def should_publish_the_masters_own_address_before_it_is_ready() -> None:
    service = DEFAULT.find("Service", MASTER)["spec"]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"] is True
    assert service_ports(DEFAULT, MASTER) == {"cluster": 7077, "http": 8080}
    assert DEFAULT.find(*WORKLOADS["master"])["spec"]["serviceName"] == MASTER


def should_serve_no_rest_submission_and_stop_nothing_from_the_pages() -> None:
    lines = conf(DEFAULT)
    assert lines["spark.master.rest.enabled"] == lines["spark.ui.killEnabled"] == "false"
    assert lines["spark.master.ui.decommission.allow.mode"] == "DENY"


def should_leave_cores_for_a_second_application_and_folders_for_an_hour() -> None:
    lines = conf(DEFAULT)
    assert lines["spark.deploy.defaultCores"] == "2"
    assert (lines["spark.worker.cleanup.enabled"], lines["spark.worker.cleanup.appDataTtl"]) == ("true", "3600")


def should_authenticate_and_encrypt_and_decommission_without_being_asked() -> None:
    assert {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.network.crypto.cipher": "AES/GCM/NoPadding",
        "spark.network.crypto.saslFallback": "false",
        "spark.acls.enable": "true",
        "spark.decommission.enabled": "true",
    }.items() <= conf(DEFAULT).items()


def should_start_workers_side_by_side_at_fixed_ports() -> None:
    workers = DEFAULT.find(*WORKLOADS["worker"])["spec"]
    assert (workers["replicas"], workers["podManagementPolicy"]) == (2, "Parallel")
    assert opened(DEFAULT, "worker") == {"cluster": 7078, "http": 8081}
    assert main(DEFAULT, "worker")["args"][2:] == ["--port", "7078", "--webui-port", "8081", f"spark://{MASTER}:7077"]


def should_offer_one_core_and_memory_by_the_limit() -> None:
    variables = env_of(DEFAULT, "worker")
    assert variables["SPARK_WORKER_CORES"] == "1" and "SPARK_WORKER_MEMORY" not in variables
    assert variables["MEMORY_LIMIT_MIB"] == {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}


def should_write_executors_files_to_an_emptydir() -> None:
    variables = env_of(DEFAULT, "worker")
    assert all(variables[name].startswith("/opt/spark-work/") for name in ("SPARK_WORKER_DIR", "SPARK_LOCAL_DIRS"))
    assert {"name": "work", "mountPath": "/opt/spark-work"} in main(DEFAULT, "worker")["volumeMounts"]
    assert work(DEFAULT) == {"name": "work", "emptyDir": {}}


def should_guard_workers_against_drains_one_at_a_time() -> None:
    assert DEFAULT.find("PodDisruptionBudget", WORKER)["spec"]["maxUnavailable"] == 1


def should_read_finished_applications_out_of_the_logs_that_drivers_write() -> None:
    history = conf(DEFAULT, "history.conf")
    client = dict(
        line.split(" ", 1)
        for line in DEFAULT.find("ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"].splitlines()
    )
    assert history["spark.history.fs.logDirectory"] == client["spark.eventLog.dir"] == "file:/opt/spark-events"
    assert (client["spark.eventLog.enabled"], history["spark.history.fs.cleaner.enabled"]) == ("true", "true")
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in (spec(DEFAULT, "historyServer"), pods(DEFAULT.objects)["worker"]["spec"])
        for volume in pod["volumes"]
        if volume["name"] == "events"
    }
    assert claims == {"airspark-events"}


def should_be_what_the_connection_spark_default_points_at() -> None:
    settings = find(DEFAULT.objects, "ConfigMap", "airspark-bootstrap-")["data"]["settings.json"]
    assert f'"host": "spark://{MASTER}"' in settings and '"port": 7077' in settings
    assert DEFAULT.find("Service", MASTER)


@pytest.mark.parametrize("name", sorted(_pods(ALL)))
def should_run_every_pod_as_restricted_wants_it(name: str) -> None:
    pod = _pods(ALL)[name]
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (185, 0, 0)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    assert pod["automountServiceAccountToken"] is ("-bootstrap-" in name), "only the bootstrap Job asks Kubernetes"


def _held(container: Object) -> dict[str, tuple[str, str]]:
    """Return what a container reads out of Secrets, as (Secret, key) by variable."""
    references = {name: value["secretKeyRef"] for name, value in env(container).items() if "secretKeyRef" in (value or {})}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def should_hand_the_shared_secret_to_master_and_workers_and_the_key_of_signatures_to_the_master_alone() -> None:
    shared = ("airspark-spark-auth", "rpc-authentication-secret")
    held = {re.sub("-[0-9a-f]{8}$", "", name): _held(pod["containers"][0]) for name, pod in _pods(ALL).items()}
    assert held == {
        MASTER: {"_SPARK_AUTH_SECRET": shared, "REST_JWS_KEY": ("airspark-spark-auth", "rest-jws-key")},
        WORKER: {"_SPARK_AUTH_SECRET": shared},
        f"{WORKER}-spot": {"_SPARK_AUTH_SECRET": shared},
        "airspark-spark-history": {},
        "airspark-spark-bootstrap": {},
    }


def should_put_no_secret_into_a_configmap_an_argument_or_a_variable() -> None:
    assert not [item["metadata"]["name"] for item in ALL.objects if item["kind"] == "Secret"]
    for file in ("spark-defaults.conf", "history.conf"):
        assert not [line for line in conf(ALL, file) if SECRET.search(line)]
    names = {"airspark-spark-auth", "rpc-authentication-secret rest-jws-key"}
    for name, pod in _pods(ALL).items():
        container = pod["containers"][0]
        assert not SECRET.search(json.dumps(container["args"])), name
        written = {key: value for key, value in env(container).items() if SECRET.search(key) and isinstance(value, str)}
        assert set(written.values()) <= names, f"{name}: names of Secrets and keys, and no content"


@pytest.mark.parametrize("name", ["airspark-spark-auth", "second"])
def should_know_one_secret_on_both_sides_of_a_release(name: str) -> None:
    found = Rendered(render({"global": {"spark": {"authSecretName": name}}}))
    sides = [task_pod(found.objects, "spark")["spec"]["containers"][0], main(found, "master"), main(found, "worker")]
    assert [_held(side)["_SPARK_AUTH_SECRET"] for side in sides] == [(name, "rpc-authentication-secret")] * 3
