"""The standalone Spark cluster."""

from __future__ import annotations

from rendering import env, find, nested, pods, render

MASTER, WORKER = "airspark-spark-master", "airspark-spark-worker"


def _conf(**values: object) -> dict[str, str]:
    data = find(render({"spark": values} if values else None), "ConfigMap", "airspark-spark-config")["data"]
    return dict(line.split(" ", 1) for line in data["spark-defaults.conf"].splitlines())


def should_run_one_master_that_remembers_its_state_on_a_claim() -> None:
    master = find(render(), "StatefulSet", MASTER)
    assert master["spec"]["replicas"] == 1
    assert [claim["metadata"]["name"] for claim in master["spec"]["volumeClaimTemplates"]] == ["recovery"]
    assert _conf()["spark.deploy.recoveryMode"] == "ROCKSDB"
    container = pods(render())["spark-master"]["spec"]["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["recovery"] == _conf()["spark.deploy.recoveryDirectory"]


def should_forget_the_masters_state_if_persistence_is_off() -> None:
    master = find(render(nested("spark.master.persistence.enabled", False)), "StatefulSet", MASTER)
    assert "volumeClaimTemplates" not in master["spec"]
    assert "spark.deploy.recoveryMode" not in _conf(master={"persistence": {"enabled": False}})


def should_publish_the_masters_own_address_before_it_is_ready() -> None:
    service = find(render(), "Service", MASTER)["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    assert {port["name"]: port["port"] for port in service["ports"]} == {"cluster": 7077, "http": 8080}
    assert find(render(), "StatefulSet", MASTER)["spec"]["serviceName"] == MASTER


def should_serve_no_rest_submission_and_kill_nothing_from_the_ui() -> None:
    assert _conf()["spark.master.rest.enabled"] == "false"
    assert _conf()["spark.ui.killEnabled"] == "false"
    assert _conf()["spark.master.ui.decommission.allow.mode"] == "DENY"


def should_leave_cores_for_a_second_application() -> None:
    assert _conf()["spark.deploy.defaultCores"] == "2"


def should_start_workers_side_by_side_at_fixed_ports() -> None:
    worker = find(render(), "StatefulSet", WORKER)["spec"]
    assert (worker["replicas"], worker["podManagementPolicy"]) == (2, "Parallel")
    container = worker["template"]["spec"]["containers"][0]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"cluster": 7078, "http": 8081}
    assert "--port 7078 --webui-port 8081" in container["args"][2]
    assert f"spark://{MASTER}:7077" in container["args"][2]


def should_offer_what_corelimit_and_memorylimit_say() -> None:
    values = {"spark": {"worker": {"coreLimit": 4, "memoryLimit": "6g", "replicaCount": 3}}}
    found = env(pods(render(values))["spark-worker"]["spec"]["containers"][0])
    assert (found["SPARK_WORKER_CORES"], found["SPARK_WORKER_MEMORY"]) == ("4", "6g")
    assert find(render(values), "StatefulSet", WORKER)["spec"]["replicas"] == 3


def should_offer_what_the_containers_limits_allow_if_corelimit_and_memorylimit_are_empty() -> None:
    found = env(pods(render(nested("spark.worker.coreLimit", "")))["spark-worker"]["spec"]["containers"][0])
    assert found["SPARK_WORKER_CORES"] == {"resourceFieldRef": {"resource": "limits.cpu"}}
    assert found["MEMORY_LIMIT_MIB"] == {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    assert "SPARK_WORKER_MEMORY" not in found


def should_write_executors_files_to_an_emptydir() -> None:
    container = pods(render())["spark-worker"]["spec"]["containers"][0]
    for variable in ("SPARK_WORKER_DIR", "SPARK_LOCAL_DIRS"):
        assert env(container)[variable].startswith("/opt/spark-work/")
    assert {"name": "work", "mountPath": "/opt/spark-work"} in container["volumeMounts"]
    assert {"name": "work", "emptyDir": {}} in pods(render())["spark-worker"]["spec"]["volumes"]


def should_be_what_the_connection_spark_default_points_at() -> None:
    settings = find(render(), "ConfigMap", "airspark-bootstrap-")["data"]["settings.json"]
    assert f'"host": "spark://{MASTER}"' in settings
    assert '"port": 7077' in settings
    find(render(), "Service", MASTER)


def should_add_lines_of_sparkconf_and_of_the_environment() -> None:
    assert _conf(sparkConf={"spark.worker.timeout": 30})["spark.worker.timeout"] == "30"
    for part in ("master", "worker"):
        values = nested(f"spark.{part}.extraEnvVars", [{"name": "TZ", "value": "Asia/Seoul"}])
        assert env(pods(render(values))[f"spark-{part}"]["spec"]["containers"][0])["TZ"] == "Asia/Seoul"
