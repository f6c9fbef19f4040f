"""The Spark Connect server: what global.spark.connect.enabled makes, and what the bootstrap does for it."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rendering import CHARTS, Object, RenderError, env, find, nested, pods, render, task_pod, text

NAME = "airspark-spark-connect"
ON: Object = {"global": {"spark": {"connect": {"enabled": True}}}}
SCRIPT = CHARTS / "spark/files/scripts/bootstrap.py"
ROOTS = "/opt/spark-cluster/grpc-roots.pem"


def _on(**connect: Any) -> list[Object]:
    return render(ON | {"spark": {"connect": connect}})


def _conf(objects: list[Object]) -> dict[str, str]:
    lines = find(objects, "ConfigMap", NAME)["data"]["spark-defaults.conf"].splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def _containers(objects: list[Object]) -> dict[str, Object]:
    return {container["name"]: container for container in pods(objects)["spark-connect"]["spec"]["containers"]}


def _connections(objects: list[Object]) -> Object:
    settings = json.loads(find(objects, "ConfigMap", "airspark-bootstrap-")["data"]["settings.json"])
    return dict(settings["connections"])


def should_be_nowhere_by_default() -> None:
    assert not [item for item in render() if "connect" in item["metadata"]["name"]]
    assert "GRPC_DEFAULT" not in text() and "key: connect-token" not in text()
    assert list(_connections(render())) == ["spark_default"]


@pytest.mark.parametrize("on", [ON, nested("spark.connect.enabled", True)], ids=["global", "chart"])
def should_run_one_server_behind_a_service_if_either_switch_is_on(on: Object) -> None:
    deployment = find(render(on), "Deployment", NAME)["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    service = find(render(on), "Service", NAME)["spec"]
    assert service["ports"] == [{"name": "grpc", "port": 15002, "targetPort": "grpc"}]
    assert service["selector"].items() <= deployment["template"]["metadata"]["labels"].items()


def should_run_it_in_the_spark_chart_alone() -> None:
    objects = render({"connect": {"enabled": True}, "historyServer": {"enabled": False}}, chart="spark")
    assert {"name": "grpc", "containerPort": 15002} in _containers(objects)["tls-proxy"]["ports"]


def should_have_the_connection_in_airflow_with_the_token_by_reference() -> None:
    connection = _connections(render(ON))["spark_connect_default"]
    reference = connection.pop("password")["env"]
    assert connection == {
        "type": "spark_connect",
        "description": "The Spark Connect server of this release",
        "host": NAME,
        "port": 15002,
        "login": "airflow",
    }
    job = find(render(ON), "Job", "airspark-bootstrap-")["spec"]["template"]["spec"]
    found = [env(container).get(reference) for container in job["containers"]]
    assert {"secretKeyRef": {"name": "airspark-spark-auth", "key": "connect-token"}} in found
    find(render(ON), "Service", connection["host"])


def should_leave_the_connection_out_if_the_server_is_for_others() -> None:
    objects = render(nested("spark.connect.enabled", True))
    assert "spark_connect_default" not in _connections(objects)
    assert "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" not in env(task_pod(objects)["spec"]["containers"][0])


def should_take_what_connections_spark_connect_default_says_before_its_own() -> None:
    values = ON | {"airflow": {"connections": {"spark_connect_default": {"host": "connect.example.org", "port": 443}}}}
    connection = _connections(render(values))["spark_connect_default"]
    assert (connection["host"], connection["port"], connection["login"]) == ("connect.example.org", 443, "airflow")


@pytest.mark.parametrize("name", ["pod_template_file", "small", "launcher"])
def should_give_task_pods_the_authority_and_never_the_key_or_the_token(name: str) -> None:
    pod = task_pod(render(ON), name)
    container = pod["spec"]["containers"][0]
    assert env(container)["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] == ROOTS
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["spark-cluster"] == str(Path(ROOTS).parent)
    assert {"name": "airspark-spark-cluster", "optional": True} in [v.get("configMap") for v in pod["spec"]["volumes"]]
    assert "connect-tls" not in json.dumps(pod) and "connect-token" not in json.dumps(pod)


def should_listen_without_tls_at_the_pods_own_loopback_alone() -> None:
    conf = _conf(render(ON))
    assert (conf["spark.connect.grpc.binding.address"], conf["spark.connect.grpc.binding.port"]) == ("127.0.0.1", "15002")
    proxy = find(render(ON), "ConfigMap", NAME)["data"]["haproxy.cfg"]
    assert re.findall(r"^ +bind (.+)$", proxy, re.MULTILINE) == [
        '"${POD_IP}:15002"',
        "abns@tls ssl crt /opt/spark-tls/tls.crt alpn h2",
        "abns@plain proto h2",
    ]
    assert "server spark 127.0.0.1:15002 check" in proxy


def should_move_every_port_with_containerports() -> None:
    ports = {"grpc": 25002, "http": 24040, "driver": 27078, "blockManager": 27079}
    objects = _on(containerPorts=ports)
    conf = _conf(objects)
    assert [conf[f"spark.{key}"] for key in ("connect.grpc.binding.port", "ui.port", "driver.port", "blockManager.port")] == [
        str(port) for port in ports.values()
    ]
    declared = {p["name"]: p["containerPort"] for c in _containers(objects).values() for p in c["ports"]}
    assert declared == {"grpc": 25002, "http": 24040, "driver": 27078, "block-manager": 27079}
    assert find(objects, "Service", NAME)["spec"]["ports"][0]["port"] == 25002
    assert '"${POD_IP}:25002"' in find(objects, "ConfigMap", NAME)["data"]["haproxy.cfg"]
    assert _containers(objects)["tls-proxy"]["readinessProbe"]["exec"]["command"][-1] == "25002"


def should_submit_to_the_charts_master_from_the_pods_address() -> None:
    args = _containers(render(ON))["spark-connect"]["args"]
    assert args == [
        *("/opt/spark/bin/spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--conf", "spark.driver.host=$(POD_IP)"),
    ]
    assert _conf(render(ON))["spark.master"] == "spark://airspark-spark-master:7077"


def should_leave_cores_to_others_and_give_executors_back() -> None:
    conf = _conf(_on(maxCores=4, executor={"cores": 2, "memory": "3g"}, daemonMemoryLimit="2g"))
    assert (conf["spark.cores.max"], conf["spark.executor.cores"], conf["spark.executor.memory"]) == ("4", "2", "3g")
    assert conf["spark.driver.memory"] == "2g"
    assert (conf["spark.dynamicAllocation.enabled"], conf["spark.dynamicAllocation.minExecutors"]) == ("true", "0")
    assert _conf(render(ON))["spark.cores.max"] == "1"


@pytest.mark.parametrize("service", [True, False])
def should_keep_shuffle_files_where_shuffleservice_enabled_says(service: bool) -> None:
    conf = _conf(render(ON | nested("spark.shuffleService.enabled", service)))
    assert conf["spark.shuffle.service.enabled"] == str(service).lower()
    assert conf["spark.dynamicAllocation.shuffleTracking.enabled"] == str(not service).lower()


def should_authenticate_and_encrypt_like_every_other_process() -> None:
    conf = _conf(render(ON))
    assert conf["spark.authenticate"] == conf["spark.network.crypto.enabled"] == conf["spark.io.encryption.enabled"] == "true"
    without = {"global": {"spark": {"connect": {"enabled": True}, "authSecretName": ""}}} | nested(
        "spark.security", {"rpc": {"authenticationEnabled": False}, "storage": {"encryptionEnabled": False}}
    )
    off = _conf(render(without))
    assert "spark.authenticate.secret" not in off
    job = find(render(without), "Job", "airspark-bootstrap-")["spec"]["template"]["spec"]
    token = {"secretKeyRef": {"name": "airspark-spark-auth", "key": "connect-token"}}
    assert token in [value for container in job["containers"] for value in env(container).values()]
    assert env(_containers(render(without))["spark-connect"])["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == token
    assert off["spark.authenticate"] == off["spark.io.encryption.enabled"] == "false"
    server = env(_containers(render(ON))["spark-connect"])
    for variable, key in {
        "_SPARK_AUTH_SECRET": "rpc-authentication-secret",
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": "connect-token",
    }.items():
        assert server[variable] == {"secretKeyRef": {"name": "airspark-spark-auth", "key": key}}


def should_log_events_and_show_its_ui_through_the_master() -> None:
    conf = _conf(render(ON))
    assert (conf["spark.eventLog.enabled"], conf["spark.eventLog.dir"]) == ("true", "file:/opt/spark-events")
    assert (conf["spark.ui.reverseProxy"], conf["spark.ui.killEnabled"]) == ("true", "false")
    url = "https://spark.example.org"
    assert _conf(render(ON | nested("spark.ui.reverseProxy.url", url)))["spark.ui.reverseProxyUrl"] == url
    alone = render({"connect": {"enabled": True}, "historyServer": {"enabled": False}}, chart="spark")
    assert "spark.eventLog.enabled" not in _conf(alone)


def should_mount_the_claims_where_workers_have_them() -> None:
    def mounted(container: Object) -> dict[str, str]:
        return {m["name"]: m["mountPath"] for m in container["volumeMounts"] if m["name"] in ("data", "output")}

    worker = pods(render(ON))["spark-worker"]["spec"]["containers"][0]
    assert mounted(_containers(render(ON))["spark-connect"]) == mounted(worker) != {}


def should_give_the_key_of_the_certificate_to_the_proxy_alone() -> None:
    with_key = [
        f"{component}/{container['name']}"
        for component, pod in pods(render(ON)).items()
        for container in pod["spec"]["containers"]
        if component.startswith("spark-") and "tls" in [mount["name"] for mount in container.get("volumeMounts", [])]
    ]
    assert with_key == ["spark-connect/tls-proxy"]


def should_restart_no_worker_if_its_own_configuration_changes() -> None:
    changed = _on(sparkConf={"spark.sql.shuffle.partitions": 8})
    assert _conf(changed)["spark.sql.shuffle.partitions"] == "8"
    for component in ("spark-master", "spark-worker", "spark-history"):
        assert pods(changed)[component] == pods(render())[component]
    assert (
        pods(changed)["spark-connect"]["metadata"]["annotations"] != pods(render(ON))["spark-connect"]["metadata"]["annotations"]
    )


def should_check_the_context_and_the_tls_port() -> None:
    found = _containers(_on(livenessProbe={"periodSeconds": 7}))
    assert found["spark-connect"]["livenessProbe"]["httpGet"] == {"path": "/api/v1/version", "port": "http"}
    for container in found.values():
        assert container["livenessProbe"]["periodSeconds"] == 7
    # A renewed certificate restarts the proxy; until then the pod goes on serving.
    check = ["sh", "/opt/spark-conf/probe-tls.sh", "15002"]
    assert found["tls-proxy"]["readinessProbe"]["exec"]["command"] == check
    assert found["tls-proxy"]["livenessProbe"]["exec"]["command"] == [*check, "/opt/spark-tls/tls.crt"]
    assert "probe-tls.sh" in find(render(ON), "ConfigMap", NAME)["data"]


@pytest.mark.parametrize(
    ("values", "container", "path", "expected"),
    [
        ({"proxy": {"image": {"repository": "r/p", "tag": "9"}}}, "tls-proxy", "image", "r/p:9"),
        ({"proxy": {"resources": {"limits": {"memory": "1Gi"}}}}, "tls-proxy", "resources.limits.memory", "1Gi"),
        ({"resources": {"limits": {"memory": "3Gi"}}}, "spark-connect", "resources.limits.memory", "3Gi"),
    ],
)
def should_take_image_and_resources_by_value(values: Object, container: str, path: str, expected: str) -> None:
    found: Any = _containers(_on(**values))[container]
    for key in path.split("."):
        found = found[key]
    assert found == expected


def should_take_the_settings_of_every_pod() -> None:
    toleration = {"key": "spot", "operator": "Exists"}
    values = {
        "nodeSelector": {"pool": "spark"},
        "tolerations": [toleration],
        "priorityClassName": "high",
        "podAnnotations": {"a": "b"},
        "terminationGracePeriodSeconds": 90,
        "extraEnvVars": [{"name": "TZ", "value": "Asia/Seoul"}],
        "service": {"annotations": {"c": "d"}},
    }
    objects = _on(**values)
    pod = pods(objects)["spark-connect"]
    spec = pod["spec"]
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"pool": "spark"}, [toleration])
    assert (spec["priorityClassName"], spec["terminationGracePeriodSeconds"]) == ("high", 90)
    assert pod["metadata"]["annotations"]["a"] == "b"
    assert env(_containers(objects)["spark-connect"])["TZ"] == "Asia/Seoul"
    assert find(objects, "Service", NAME)["metadata"]["annotations"] == {"c": "d"}


@pytest.mark.parametrize(
    ("connect", "sentence"),
    [
        ({"executor": {"cores": 3}}, "connect.executor.cores: an executor of 3 cores never starts"),
        ({"sparkConf": {"spark.connect.grpc.binding.address": "0.0.0.0"}}, "Spark's own port has no TLS"),
        ({"sparkConf": {"spark.connect.authenticate.token": "x"}}, "looks like a secret"),
    ],
)
def should_refuse_what_cannot_work_with_a_sentence(connect: Object, sentence: str) -> None:
    with pytest.raises(RenderError, match=re.escape(sentence)):
        _on(**connect)


def should_have_the_bootstrap_make_the_certificate_for_the_services_names_and_read_no_other_secret() -> None:
    job = find(render(ON), "Job", "airspark-spark-bootstrap-")
    variables = env(job["spec"]["template"]["spec"]["containers"][0])
    assert (variables["TLS_SECRET"], variables["TLS_BROUGHT"]) == (f"{NAME}-tls", "0")
    assert variables["TLS_HOSTS"].split(",")[:3] == [NAME, f"{NAME}.airspark", f"{NAME}.airspark.svc"]
    assert variables["KEYS"] == "rpc-authentication-secret connect-token"
    rules = find(render(ON), "Role", "airspark-spark-bootstrap")["rules"]
    assert [rule["resourceNames"] for rule in rules if rule["verbs"] == ["get"]] == [["airspark-spark-auth", f"{NAME}-tls"]]


def should_take_another_certificate_by_connect_tls_secretname() -> None:
    objects = _on(tls={"create": False, "secretName": "{{ .Release.Name }}-mine"})
    volumes = {volume["name"]: volume for volume in pods(objects)["spark-connect"]["spec"]["volumes"]}
    assert volumes["tls"]["secret"]["secretName"] == "airspark-mine"
    variables = env(find(objects, "Job", "airspark-spark-bootstrap-")["spec"]["template"]["spec"]["containers"][0])
    assert (variables["TLS_SECRET"], variables["TLS_BROUGHT"]) == ("airspark-mine", "1")
    names = [find(found, "Job", "airspark-spark-bootstrap-")["metadata"]["name"] for found in (objects, render(ON))]
    assert len(set(names)) == 2, "a new certificate needs a new Job"


def should_make_no_secret_if_all_are_brought() -> None:
    shared = {"spark": {"connect": {"enabled": True}, "authSecretName": "mine"}}
    brought = {"security": {"passwordsSecretName": "mine"}, "connect": {"tls": {"create": False}}}
    values = {"global": shared, "spark": brought}
    rules = find(render(values), "Role", "airspark-spark-bootstrap")["rules"]
    assert {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]} not in rules


class Api:
    """Secrets and ConfigMaps of a namespace, in memory, behind the bootstrap's `call`."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.types: dict[str, str] = {}
        self.published: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Object]:
        """Answer as the Kubernetes API does."""
        kind, _, name = path.partition("/namespaces/airspark/")[2].partition("/")
        if kind == "configmaps":
            self.published = body["data"]
            return 201, {}
        if method == "GET":
            held = self.secrets.get(name)
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in (held or {}).items()}
            return (404, {}) if held is None else (200, {"data": encoded})
        name = body["metadata"]["name"]
        if name in self.secrets:
            return 409, {}
        self.secrets[name], self.types[name] = dict(body["stringData"]), body["type"]
        return 201, {}


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The bootstrap script with the environment that the chart gives it and public roots of its own."""
    spec = importlib.util.spec_from_file_location("spark_bootstrap", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "public.pem").write_text("public roots\n")
    monkeypatch.setattr(module, "PUBLIC_ROOTS", tmp_path / "public.pem")
    job = find(render(ON), "Job", "airspark-spark-bootstrap-")
    for key, value in env(job["spec"]["template"]["spec"]["containers"][0]).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(module, "facts", lambda secret: {"spark": "4", "python": "3", "java": "17", "secret": secret})
    return module


@pytest.fixture
def api(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Api:
    """An empty namespace."""
    made = Api()
    monkeypatch.setattr(bootstrap, "call", made.call)
    return made


def should_make_token_and_certificate_once_and_publish_the_authority_beside_the_public_ones(
    bootstrap: ModuleType, api: Api
) -> None:
    assert bootstrap.main() == 0
    assert api.types[f"{NAME}-tls"] == "kubernetes.io/tls"
    first = json.dumps(api.secrets)
    made = api.secrets[f"{NAME}-tls"]
    assert api.published["grpc-roots.pem"] == made["ca.crt"] + "public roots\n"
    assert "PRIVATE" not in json.dumps(api.published)
    assert bootstrap.main() == 0
    assert json.dumps(api.secrets) == first


def should_make_a_certificate_that_is_for_the_service_signs_no_other_and_lives_ten_years(
    bootstrap: ModuleType, api: Api, tmp_path: Path
) -> None:
    assert bootstrap.main() == 0
    file = tmp_path / "tls.crt"
    file.write_text(api.secrets[f"{NAME}-tls"]["tls.crt"])

    def openssl(*words: str) -> str:
        return subprocess.run(
            ["openssl", "x509", "-in", file, "-noout", *words], capture_output=True, text=True, check=False
        ).stdout

    shown = openssl("-text")
    assert "CA:FALSE" in shown and "TLS Web Server Authentication" in shown and "Public-Key: (256 bit)" in shown
    for host in (NAME, f"{NAME}.airspark.svc.cluster.local", "localhost"):
        assert "does match" in openssl("-checkhost", host)
    assert "does NOT match" in openssl("-checkhost", "example.org")
    assert "will not expire" in openssl("-checkend", str(3649 * 86400))
    assert "will expire" in openssl("-checkend", str(3651 * 86400))


def should_find_the_token_in_a_secret_that_was_made_before_the_server_was_switched_on(
    bootstrap: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setenv("KEYS", "rpc-authentication-secret")
        before.delenv("TLS_SECRET")
        assert bootstrap.main() == 0
    assert list(api.secrets) == ["airspark-spark-auth"]
    assert api.published["grpc-roots.pem"] == ""
    shared = dict(api.secrets["airspark-spark-auth"])
    assert bootstrap.main() == 0
    assert api.secrets["airspark-spark-auth"] == shared
    assert f"{NAME}-tls" in api.secrets


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (None, "the Secret mine is not there, and connect.tls.create says that you make it"),
        ({"tls.crt": "c", "ca.crt": "a"}, "the Secret mine has no key tls.key"),
    ],
)
def should_say_what_a_brought_certificate_lacks(
    bootstrap: ModuleType,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: dict[str, str] | None,
    sentence: str,
) -> None:
    monkeypatch.setenv("TLS_SECRET", "mine")
    monkeypatch.setenv("TLS_BROUGHT", "1")
    monkeypatch.setattr(bootstrap, "STATUS", Path("/dev/null"))
    if held is not None:
        api.secrets["mine"] = held
    assert bootstrap.main() == 1
    assert sentence in capsys.readouterr().err


def should_need_no_authority_of_its_own_if_the_certificate_is_a_public_one(
    bootstrap: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLS_BROUGHT", "1")
    api.secrets[f"{NAME}-tls"] = {"tls.crt": "c", "tls.key": "k"}
    assert bootstrap.main() == 0
    assert api.published["grpc-roots.pem"] == "public roots\n"
