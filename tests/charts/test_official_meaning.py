"""Keys of the official Airflow chart mean here what they mean there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from cases import Rendered
from either_chart import BOTH, egress, made, notes, refusal
from rendering import LOADER, Object, env

GIT: Object = {"enabled": True, "repo": "https://git.example.com/team/dags.git"}
BOTH_SECRETS: Object = {
    "postgresql": {"enabled": False},
    "data": {"metadataSecretName": "airflow-config"},
    "pgbouncer": {"enabled": True, "configSecretName": "pgbouncer-config"},
}
POD = """
apiVersion: v1
kind: Pod
metadata: {name: placeholder, labels: {team: data, component: mine}}
spec:
  containers:
    - name: base
      image: registry.example.com/team/airflow:3.3.2
"""


def _bundles(found: Rendered) -> Any:
    line = next(line for line in found.cfg.splitlines() if line.startswith("dag_bundle_config_list"))
    return json.loads(line.split(" = ", 1)[1])


@BOTH
@pytest.mark.parametrize(
    ("keys", "followed"),
    [
        ({"branch": "develop", "rev": "HEAD"}, "develop"),
        ({"branch": "develop", "rev": "HEAD", "ref": "v3-2-stable"}, "develop"),
        ({"branch": "develop", "rev": "0a1b2c3"}, "0a1b2c3"),
        ({"rev": "HEAD", "ref": "v1.2"}, "v1.2"),
        ({"ref": "v1.2"}, "v1.2"),
        ({"rev": "HEAD"}, "main"),
        ({}, "main"),
    ],
)
def should_follow_what_git_sync_4_follows_if_dags_git_sync_is_set(chart: str, keys: Object, followed: str) -> None:
    (bundle,) = _bundles(made(chart, {"dags": {"gitSync": GIT | keys}}))
    assert bundle["kwargs"]["tracking_ref"] == followed


@BOTH
@pytest.mark.parametrize(
    ("keys", "mode"),
    [
        ({"enabled": True, "storageClassName": "nfs", "size": "5Gi"}, "ReadWriteMany"),
        ({"enabled": True, "accessMode": "ReadWriteOnce"}, "ReadWriteOnce"),
        ({}, "ReadWriteOnce"),
    ],
)
def should_make_a_log_claim_for_several_nodes_if_one_is_asked_for(chart: str, keys: Object, mode: str) -> None:
    claim = made(chart, {"logs": {"persistence": keys}}).find("PersistentVolumeClaim", "airspark-logs")
    assert claim["spec"]["accessModes"] == [mode]


@BOTH
def should_read_dags_where_they_are_mounted_if_dags_mount_path_is_set(chart: str) -> None:
    found = made(chart, {"dags": {"mountPath": "/srv/dags", "persistence": {"enabled": True}}})
    assert "dags_folder = /srv/dags" in found.cfg
    assert "/srv/dags" in [mount["mountPath"] for mount in found.main("dag-processor")["volumeMounts"]]


@BOTH
@pytest.mark.parametrize("road", ["config", "env"])
def should_start_as_many_processes_if_config_api_workers_is_set(chart: str, road: str) -> None:
    """Should leave the number to Airflow, whose command line would go before the setting."""
    values: Object = {"config": {"api": {"workers": "4"}}}
    if road == "env":
        values = {"env": [{"name": "AIRFLOW__API__WORKERS", "value": "4"}]}
    found = made(chart, values)
    assert "--workers" not in found.main("api-server")["args"]
    if road == "config":
        assert "workers = 4" in found.cfg
    else:
        assert env(found.main("api-server"))["AIRFLOW__API__WORKERS"] == "4"
    assert "workers = 1" in made(chart).cfg


@BOTH
def should_set_airflow_home_in_every_airflow_container_if_airflow_home_is_set(chart: str) -> None:
    jobs = {"cleanup": {"enabled": True}, "databaseCleanup": {"enabled": True}}
    found = made(chart, {"airflowHome": "/usr/local/airflow", **jobs})
    reads = {
        name: container
        for name, container in found.containers
        if any(mount["mountPath"].endswith("/airflow.cfg") for mount in container.get("volumeMounts", []))
    }
    assert {name.split("/")[0] for name in reads} >= {"api-server", "scheduler", "worker", "bootstrap", "cleanup"}
    for name, container in reads.items():
        assert env(container)["AIRFLOW_HOME"] == "/usr/local/airflow", name
        assert "/usr/local/airflow/airflow.cfg" in [mount["mountPath"] for mount in container["volumeMounts"]]
    said = refusal(chart, {"env": [{"name": "AIRFLOW_HOME", "value": "/srv"}]})
    assert 'env: AIRFLOW_HOME is "/srv"' in said and "set `airflowHome`" in said


def _listener(text: str) -> Object:
    mount = {"name": "l", "mountPath": "/opt/airflow/plugins/listener.py", "subPath": "listener.py"}
    volumes = {"extraVolumes": [{"name": "l", "configMap": {"name": "listener"}}], "extraVolumeMounts": [mount]}
    return {"extraConfigMaps": {"listener": {"data": f"listener.py: {text}\n"}}, "scheduler": volumes}


@BOTH
def should_restart_the_pods_that_use_it_if_an_extra_configmap_changes(chart: str) -> None:
    one, two = made(chart, _listener("x = 1")), made(chart, _listener("x = 2"))
    changed = {part for part in one.pods if one.pods[part]["metadata"] != two.pods[part]["metadata"]}
    assert changed == {"scheduler"}


@BOTH
@pytest.mark.parametrize(
    "values",
    [
        {"extraSecrets": {"keys": {"stringData": "a: b"}}, "secret": [{"envName": "A", "secretName": "keys", "secretKey": "a"}]},
        {"extraConfigMaps": {"vars": {"data": "A: b"}}, "extraEnvFrom": "- configMapRef: {name: vars}"},
        {
            "extraConfigMaps": {"{{ .Release.Name }}-vars": {"data": "A: b"}},
            "extraEnvFrom": "- configMapRef: {name: '{{ .Release.Name }}-vars'}",
        },
    ],
)
def should_restart_every_airflow_pod_if_what_all_use_changes(chart: str, values: Object) -> None:
    later = json.loads(json.dumps(values).replace("a: b", "a: c").replace("A: b", "A: c"))
    one, two = made(chart, values), made(chart, later)
    parts = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    assert {part for part in parts if one.pods[part]["metadata"] != two.pods[part]["metadata"]} == parts
    assert one.names("Job") != two.names("Job"), "the bootstrap Job uses it, too"


@BOTH
def should_leave_the_checksum_of_the_users_if_an_annotation_has_its_name(chart: str) -> None:
    values = _listener("x = 1")
    values["scheduler"]["podAnnotations"] = {"checksum/extra-configmaps": "mine"}
    assert made(chart, values).pods["scheduler"]["metadata"]["annotations"]["checksum/extra-configmaps"] == "mine"


@BOTH
@pytest.mark.parametrize("key", ["args", "command"])
def should_give_the_clean_up_of_pods_the_database_if_its_command_is_the_users(chart: str, key: str) -> None:
    own = ["bash", "-c", "exec airflow db clean --clean-before-timestamp 2026-01-01 --yes"]
    found = made(chart, {"cleanup": {"enabled": True, key: own}})
    given = env(found.main("cleanup"))
    assert {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__FERNET_KEY"} <= set(given)
    for component, direction, side in (("cleanup", "egress", "to"), ("postgresql", "ingress", "from")):
        policy = found.find("NetworkPolicy", f"airspark-{component}-policy")
        rules = [rule for rule in policy["spec"][direction] if 5432 in [port["port"] for port in rule["ports"]]]
        assert [json.dumps(rule[side]) for rule in rules if ("cleanup" if side == "from" else "postgresql") in json.dumps(rule)]
    plain = made(chart, {"cleanup": {"enabled": True}})
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in env(plain.main("cleanup"))
    assert "postgresql" not in json.dumps(plain.find("NetworkPolicy", "airspark-cleanup-policy"))


@BOTH
def should_send_a_service_port_to_its_own_number_if_it_names_no_target(chart: str) -> None:
    ports = [{"name": "api-server", "port": "{{ .Values.ports.apiServer }}"}, {"name": "proxy", "port": 4180}]
    found = made(chart, {"apiServer": {"service": {"ports": ports}}})
    assert found.find("Service", "airspark-api-server")["spec"]["ports"] == [
        {"name": "api-server", "port": 8080},
        {"name": "proxy", "port": 4180},
    ]
    first = [{"name": "proxy", "port": 80, "targetPort": 4180}, {"name": "web", "port": 8000, "targetPort": "api-server"}]
    found = made(chart, {"apiServer": {"service": {"ports": first}}})
    assert "execution_api_server_url = http://airspark-api-server.airspark.svc:8000/execution/" in found.cfg


@BOTH
def should_refuse_a_service_that_leads_nowhere_if_its_ports_are_set(chart: str) -> None:
    said = refusal(chart, {"apiServer": {"service": {"ports": [{"name": "api-server", "port": 80}]}}})
    assert "apiServer.service.ports: no port leads to the API server" in said and "targetPort: api-server" in said
    said = refusal(chart, {"apiServer": {"service": {"ports": [{"name": "web", "port": "http", "targetPort": "api-server"}]}}})
    assert 'apiServer.service.ports[0].port: "http" is not a number' in said


@BOTH
def should_go_through_pgbouncer_alone_if_both_its_secrets_are_the_users(chart: str) -> None:
    found = made(chart, BOTH_SECRETS)
    given = env(found.main("bootstrap"))
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]["secretKeyRef"] == {"name": "airflow-config", "key": "connection"}
    assert given["AIRSPARK_DIRECT_CONNECTION"]["secretKeyRef"] == {"name": "airflow-config", "key": "direct", "optional": True}
    assert list(found.secrets["airflow-config"]["keys"]) == ["connection"], "no key that the official chart does not ask for"
    assert {"pgbouncer", "api-server"} <= set(found.pods)
    assert "pgbouncer" in json.dumps(found.find("NetworkPolicy", "airspark-bootstrap-policy")["spec"]["egress"])


@BOTH
def should_let_keda_read_the_official_key_if_the_secret_is_the_users(chart: str) -> None:
    found = made(chart, BOTH_SECRETS | {"triggerer": {"keda": {"enabled": True}}})
    assert env(found.main("triggerer"))["AIRSPARK_KEDA_CONNECTION"]["secretKeyRef"]["key"] == "kedaConnection"


@BOTH
def should_let_task_pods_reach_the_api_server_if_pod_template_has_no_labels(chart: str) -> None:
    found = made(chart, {"podTemplate": POD})
    templates = found.find("ConfigMap", "airspark-pod-templates")["data"]
    pod = yaml.load(templates["pod_template_file.yaml"], Loader=LOADER)
    ours = {"tier": "airflow", "component": "worker", "release": "airspark"}
    assert pod["metadata"] == {"name": "placeholder", "labels": {"team": "data", **ours}}
    assert pod["spec"]["containers"] == [{"name": "base", "image": "registry.example.com/team/airflow:3.3.2"}]
    policy = found.find("NetworkPolicy", "airspark-worker-policy")["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= pod["metadata"]["labels"].items()


@BOTH
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("kind: [", "podTemplate: it is not YAML"),
        ("kind: Job", "podTemplate: it is not a Pod but Job"),
        (POD.replace("name: base", "name: main"), "podTemplate: its first container is named main"),
    ],
)
def should_refuse_it_if_pod_template_is_no_pod_of_the_executors(chart: str, template: str, said: str) -> None:
    assert said in refusal(chart, {"podTemplate": template})


@BOTH
def should_tell_which_labels_pods_need_if_their_template_is_in_the_image(chart: str) -> None:
    said = notes(chart, {"config": {"kubernetes_executor": {"pod_template_file": "/srv/pod.yaml"}}})
    assert "The pod template /srv/pod.yaml is not of this chart" in said and "`release: airspark`" in said
    assert "is not of this chart" not in notes(chart, {})


@BOTH
def should_let_nothing_out_that_the_defaults_do_not_need(chart: str) -> None:
    """Should fail if the look-up of open ports found nothing at all."""
    for component in ("api-server", "dag-processor", "triggerer", "scheduler"):
        assert egress(made(chart), component) == set(), component
