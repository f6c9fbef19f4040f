"""The pod of a task."""

from __future__ import annotations

import re

from rendering import cfg, env, find, nested, render, task_pod

POD = task_pod(render())
BASE = POD["spec"]["containers"][0]


def should_hold_one_container_named_base_and_no_init_container() -> None:
    assert [container["name"] for container in POD["spec"]["containers"]] == ["base"]
    assert "initContainers" not in POD["spec"]
    assert POD["spec"]["restartPolicy"] == "Never"


def should_hold_no_database_url_no_key_and_no_token() -> None:
    found = env(BASE)
    assert not [name for name in found if re.search("SQL_ALCHEMY|FERNET|JWT|SECRET|PASSWORD", name)]
    assert not [value for value in found.values() if isinstance(value, dict) and "secretKeyRef" in value]
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert not [volume for volume in POD["spec"]["volumes"] if "secret" in volume or "projected" in volume]


def should_hold_no_secret_in_the_configuration_that_is_mounted_in_it() -> None:
    for name in ("sql_alchemy_conn", "fernet_key", "jwt_secret", "secret_key", "password"):
        assert name not in cfg(render())


def should_make_the_pods_address_the_spark_drivers_host() -> None:
    found = env(BASE)
    assert found["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert found["SPARK_LOCAL_IP"] == found["SPARK_LOCAL_HOSTNAME"] == "$(POD_IP)"
    assert [item["name"] for item in BASE["env"]].index("POD_IP") == 0, "$(POD_IP) is known to later entries only"


def should_fix_the_drivers_ports_and_declare_them() -> None:
    declared = {port["name"]: port["containerPort"] for port in BASE["ports"]}
    assert declared == {"driver": 7078, "block-manager": 7079, "spark-ui": 4040}
    conf = find(render(), "ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"]
    lines = dict(line.split(" ", 1) for line in conf.splitlines())
    assert lines["spark.driver.bindAddress"] == "0.0.0.0"
    assert (lines["spark.driver.port"], lines["spark.blockManager.port"], lines["spark.ui.port"]) == (
        "7078",
        "7079",
        "4040",
    )
    assert lines["spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version"] == "1"
    assert lines["spark.hadoop.fs.permissions.umask-mode"] == "002"


def should_mount_the_spark_configuration_where_spark_conf_dir_points() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in BASE["volumeMounts"]}
    assert mounts["spark-conf"] == env(BASE)["SPARK_CONF_DIR"]


def should_write_its_logs_to_the_claim() -> None:
    volumes = {volume["name"]: volume for volume in POD["spec"]["volumes"]}
    assert volumes["logs"]["persistentVolumeClaim"]["claimName"] == "airspark-logs"
    assert {"name": "logs", "mountPath": "/opt/airflow/logs"} in BASE["volumeMounts"]


def should_lose_its_logs_with_the_pod_if_logs_persistence_is_off() -> None:
    objects = render({"airflow": {"logs": {"persistence": {"enabled": False}, "emptyDirConfig": {"sizeLimit": "1Gi"}}}})
    assert {"name": "logs", "emptyDir": {"sizeLimit": "1Gi"}} in task_pod(objects)["spec"]["volumes"]
    assert "airspark-logs" not in {item["metadata"]["name"] for item in objects}


def should_reach_the_execution_api_by_a_name_with_its_namespace() -> None:
    line = "execution_api_server_url = http://airspark-api-server.airspark.svc:8080/execution/"
    assert line in cfg(render())


def should_repeat_the_path_of_base_url_in_the_execution_apis_url() -> None:
    config = cfg(render(nested("airflow.config.api.base_url", "https://example.com/airflow")))
    assert "airspark-api-server.airspark.svc:8080/airflow/execution/" in config


def should_keep_an_execution_api_url_that_is_given() -> None:
    config = cfg(render(nested("airflow.config.core.execution_api_server_url", "http://elsewhere/execution/")))
    assert "execution_api_server_url = http://elsewhere/execution/" in config


def should_run_the_image_of_pod_template_if_it_is_set() -> None:
    objects = render({"airflow": {"images": {"pod_template": {"repository": "mine", "tag": "7"}}}})
    assert task_pod(objects)["spec"]["containers"][0]["image"] == "mine:7"
    assert "worker_container_repository = mine" in cfg(objects)
    assert "worker_container_tag = 7" in cfg(objects)


def should_be_deleted_when_done_and_fail_fast_on_a_bad_image() -> None:
    config = cfg(render())
    assert "delete_worker_pods = True" in config
    assert "delete_worker_pods_on_failure = True" in config
    assert re.search(r"worker_pod_pending_fatal_container_state_reasons = .*ErrImagePull", config)


def should_be_made_many_at_a_time() -> None:
    config = cfg(render())
    assert "worker_pods_creation_batch_size = 16" in config
    assert "async_pod_creation = True" in config


def should_be_reached_by_the_scheduler_at_the_path_in_airflow_cfg() -> None:
    path = "/opt/airflow/pod_templates/pod_template_file.yaml"
    assert f"pod_template_file = {path}" in cfg(render())
    scheduler = find(render(), "Deployment", "airspark-scheduler")["spec"]["template"]["spec"]["containers"][0]
    folders = {mount["mountPath"]: mount["name"] for mount in scheduler["volumeMounts"]}
    assert folders["/opt/airflow/pod_templates"] == "pod-templates"
    assert "pod_template_file.yaml" in find(render(), "ConfigMap", "airspark-pod-templates")["data"]


def should_get_the_environment_of_env_and_of_workers_kubernetes() -> None:
    values = {
        "airflow": {
            "env": [{"name": "TZ", "value": "Asia/Seoul"}],
            "workers": {"kubernetes": {"env": [{"name": "ONLY", "value": "here"}]}},
        }
    }
    objects = render(values)
    found = env(task_pod(objects)["spec"]["containers"][0])
    assert (found["TZ"], found["ONLY"]) == ("Asia/Seoul", "here")
    scheduler = find(objects, "Deployment", "airspark-scheduler")["spec"]["template"]["spec"]["containers"][0]
    assert "ONLY" not in env(scheduler)
