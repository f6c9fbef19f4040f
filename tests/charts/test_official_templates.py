"""Templates that values files of the official Airflow chart hold: its helpers, files and quotes; and checks before them."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from cases import Rendered
from rendering import CHARTS, Object, RenderError, env, find, nested, render, task_pod, text

BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


def _below(given: Object, parent: str) -> tuple[Object, str]:
    """Return values and the chart they are for: the Airflow chart alone, or the parent with `airflow:` around them."""
    return ({parent: given}, "airspark") if parent else (given, "airflow")


def _rendered(given: Object, parent: str) -> Rendered:
    return Rendered(render(*_below(given, parent)))


both = pytest.mark.parametrize("parent", ["", "airflow"])


@both
def should_render_the_templates_of_the_official_config(parent: str) -> None:
    """Should fill airflow.cfg as the official values do if `config` names the official helpers."""
    given = {
        "config": {
            "core": {"dags_folder": '{{ include "airflow_dags" . }}', "executor": "{{ .Values.executor }}"},
            "dag_processor": {"dag_bundle_config_list": '{{ include "dag_bundle_config_list" . }}'},
            "kubernetes_executor": {
                "namespace": "{{ .Release.Namespace }}",
                "pod_template_file": '{{ include "airflow_pod_template_file" . }}/pod_template_file.yaml',
                "worker_container_repository": "{{ .Values.images.airflow.tag | default .Values.defaultAirflowRepository }}",
                "multi_namespace_mode": '{{ ternary "True" "False" .Values.multiNamespaceMode }}',
            },
            "metrics": {
                "statsd_on": '{{ ternary "True" "False" .Values.statsd.enabled }}',
                "statsd_host": '{{ printf "%s-statsd" (include "airflow.fullname" .) }}',
            },
            "scheduler": {"parsing_processes": '{{ include "cpu_count" . }}'},
        },
        "scheduler": {"resources": {"limits": {"cpu": "1500m"}}},
    }
    cfg = _rendered(given, parent).cfg
    for line in (
        "dags_folder = /opt/airflow/dags",
        "executor = KubernetesExecutor",
        f'dag_bundle_config_list = [{{"classpath":"{BUNDLE}","kwargs":{{}},"name":"dags-folder"}}]',
        "namespace = airspark",
        "pod_template_file = /opt/airflow/pod_templates/pod_template_file.yaml",
        "worker_container_repository = airspark/airflow",
        "multi_namespace_mode = False",
        "statsd_on = False",
        "statsd_host = airspark-statsd",
        "parsing_processes = 2",
    ):
        assert f"\n{line}\n" in cfg, line


#: What each helper of the official chart gives with the values of `HELPED`.
HELPERS = {
    "airflow.fullname": "airspark",
    "airflow_dags": "/usr/dags",
    "airflow_dags_mount_path": "/usr/dags",
    "airflow_dags_mount": "- mountPath: /usr/dags\n  name: dags\n  readOnly: true",
    "airflow_dags_volume_claim": "my-dags",
    "airflow_logs": "/opt/airflow/logs",
    "airflow_logs_no_quote": "/opt/airflow/logs",
    "airflow_logs_volume_claim": "my-logs",
    "airflow_logs_volume_name": "logs",
    "airflow_config": "airspark-config",
    "airflow_config_path": "/opt/airflow/airflow.cfg",
    "airflow_webserver_config_path": "/opt/airflow/webserver_config.py",
    "airflow_webserver_config_configmap_name": "airspark-config",
    "airflow_api_server_config_path": "/opt/airflow/webserver_config.py",
    "airflow_api_server_config_configmap_name": "airspark-config",
    "airflow_local_setting_path": "/opt/airflow/config/airflow_local_settings.py",
    "airflow_config_mount": "- mountPath: /opt/airflow/airflow.cfg\n  name: config\n  readOnly: true\n  subPath: airflow.cfg",
    "airflow_pod_template_file": "/opt/airflow/pod_templates",
    "dag_bundle_config_list": json.dumps([{"classpath": BUNDLE, "kwargs": {}, "name": "dags-folder"}], separators=(",", ":")),
    "triggerer.capacity": "2000000",
    "cpu_count": "4",
    "airflow_image": "mine/airflow:9",
    "default_airflow_image": "mine/airflow:9",
    "airflow_image_for_migrations": "mine/airflow:9",
    "pod_template_image": "mine/task:8",
    "statsd_image": "airspark/statsd-exporter:7",
    "pgbouncer_image": "airspark/pgbouncer:7",
    "pgbouncer_exporter_image": "exporter:7",
    "fernet_key_secret": "my-fernet",
    "api_secret_key_secret": "airspark-api-secret-key",
    "webserver_secret_key_secret": "airspark-api-secret-key",
    "jwt_secret": "airspark-jwt-secret",
    "airflow_metadata_secret": "airspark-metadata",
    "pgbouncer_config_secret": "airspark-pgbouncer-config",
    "pgbouncer_stats_secret": "airspark-pgbouncer-stats",
    "registry_secret": "pull",
    "elasticsearch_secret": "",
    "opensearch_secret": "",
    "custom_airflow_environment": '\n  - name: WHO\n    value: me\n  - name: MORE\n    value: "1"',
    "custom_airflow_environment_from": "\n  - configMapRef: {name: more}",
    "standard_airflow_environment": None,
    "airflowPodSecurityContext": None,
    "containerSecurityContext": None,
    **{
        f"{part}.serviceAccountName": f"airspark-airflow-{name}"
        for part, name in {
            "apiServer": "api-server", "scheduler": "scheduler", "dagProcessor": "dag-processor", "triggerer": "triggerer",
            "worker": "worker", "worker.kubernetes": "worker", "statsd": "statsd", "pgbouncer": "pgbouncer", "cleanup": "cleanup",
            "databaseCleanup": "database-cleanup", "createUserJob": "bootstrap", "migrateDatabaseJob": "bootstrap",
        }.items()
    },
}  # fmt: skip
HELPED: Object = {
    "dags": {"mountPath": "/usr/dags", "persistence": {"enabled": True, "existingClaim": "my-dags"}},
    "logs": {"persistence": {"enabled": True, "existingClaim": "my-logs"}},
    "config": {"triggerer": {"capacity": 2000000}},
    "scheduler": {"resources": {"limits": {"cpu": 4}}},
    "defaultAirflowRepository": "mine/airflow",
    "defaultAirflowTag": "9",
    "images": {
        "pod_template": {"repository": "mine/task", "tag": "8"},
        "pgbouncerExporter": {"repository": "exporter", "tag": "7"},
        "statsd": {"tag": "7"},
        "pgbouncer": {"tag": "7"},
    },
    "fernetKeySecretName": "my-fernet",
    "registry": {"secretName": "pull"},
    "env": [{"name": "WHO", "value": "me"}],
    "extraEnv": '- {name: MORE, value: "1"}',
    "extraEnvFrom": "- configMapRef: {name: more}",
}


@both
def should_know_every_helper_of_the_official_chart_with_the_same_meaning(parent: str) -> None:
    contexts = ("airflowPodSecurityContext", "containerSecurityContext")
    calls = {name: "(list . .Values.scheduler)" if name in contexts else "." for name in HELPERS}
    data = {f"k{number}": f'{{{{ include "{name}" {calls[name]} }}}}' for number, name in enumerate(HELPERS)}
    objects = render(*_below({**HELPED, "extraConfigMaps": {"mine": {"data": data}}}, parent))
    given = {name: find(objects, "ConfigMap", "mine")["data"][f"k{number}"] for number, name in enumerate(HELPERS)}
    assert (
        "runAsUser: 50000" in given["airflowPodSecurityContext"] and "readOnlyRootFilesystem" in given["containerSecurityContext"]
    )
    assert given["standard_airflow_environment"].startswith("\n  - name: AIRFLOW_HOME\n    value: /opt/airflow")
    assert {name: value for name, value in given.items() if HELPERS[name] is not None} == {
        name: value for name, value in HELPERS.items() if value is not None
    }


#: The way in which pod templates made from the official chart's file call the helpers of the environment.
CALLED_BY_INDENT = """\
apiVersion: v1
kind: Pod
metadata:
  name: placeholder-name
spec:
  containers:
    - name: base
      image: {{ template "pod_template_image" . }}
      envFrom: {{- include "custom_airflow_environment_from" . | default "\\n  []" | indent 6 }}
      env:
        - name: AIRFLOW__CORE__EXECUTOR
          value: LocalExecutor
        {{- include "standard_airflow_environment" . | indent 6}}
        {{- include "custom_airflow_environment" . | indent 6 }}
      securityContext: {{- include "containerSecurityContext" (list . .Values.workers) | nindent 8 }}
  securityContext: {{- include "airflowPodSecurityContext" (list . .Values.workers) | nindent 4 }}
"""


@both
@pytest.mark.parametrize("more", [True, False])
def should_make_task_pods_by_a_pod_template_that_calls_the_environments_by_indent(parent: str, more: bool) -> None:
    given = {"env": [{"name": "WHO", "value": "me"}], "extraEnvFrom": "- configMapRef: {name: more}"} if more else {}
    (container,) = task_pod(render(*_below({"podTemplate": CALLED_BY_INDENT, **given}, parent)))["spec"]["containers"]
    assert container.get("envFrom", []) == ([{"configMapRef": {"name": "more"}}] if more else [])
    found = {item["name"]: item.get("value") for item in container["env"]}
    assert found["AIRFLOW_HOME"] == "/opt/airflow" and found.get("WHO") == ("me" if more else None)


def should_test_every_helper_of_the_official_chart_that_is_here() -> None:
    source = (CHARTS / "airflow/templates/_official.tpl").read_text()
    assert set(re.findall(r'define "([^"]+)"', source)) <= set(HELPERS)


@both
def should_mount_and_read_dags_at_dags_mountpath(parent: str) -> None:
    """Should read DAGs where `dags.mountPath` mounts their claim."""
    found = _rendered(HELPED, parent)
    assert "\ndags_folder = /usr/dags\n" in found.cfg
    assert "/usr/dags" in [mount["mountPath"] for mount in found.main("dag-processor")["volumeMounts"]]


FILES = (
    "/configmaps/configmap.yaml",
    "/configmaps/extra-configmaps.yaml",
    "/configmaps/statsd-configmap.yaml",
    "/secrets/extra-secrets.yaml",
)


@both
def should_sum_the_files_that_the_official_chart_sums(parent: str) -> None:
    """Should give a checksum that changes with what the file makes if a pod annotation includes a template by its path."""
    annotations = {
        f"checksum/x{number}": f'{{{{ include (print $.Template.BasePath "{file}") . | sha256sum }}}}'
        for number, file in enumerate(FILES)
    }
    given: Object = {
        "statsd": {"enabled": True},
        "scheduler": {"podAnnotations": annotations},
        "extraConfigMaps": {"listener": {"data": "listener.py: x = 1\n"}},
        "extraSecrets": {"more": {"stringData": {"a": "b"}}},
    }
    changed = {
        **given,
        "extraConfigMaps": {"listener": {"data": "listener.py: x = 2\n"}},
        "extraSecrets": {"more": {"stringData": {"a": "c"}}},
        "config": {"core": {"parallelism": 7}},
        "statsd": {"enabled": True, "extraMappings": [{"match": "a", "name": "b"}]},
    }
    before, after = (
        {
            key: value
            for key, value in _rendered(values, parent).pods["scheduler"]["metadata"]["annotations"].items()
            if "/x" in key
        }
        for values in (given, changed)
    )
    assert len(set(before.values())) == len(FILES) and all(re.fullmatch("[0-9a-f]{64}", value) for value in before.values())
    assert not set(before.items()) & set(after.items())


ABSENT = {
    'include (print $.Template.BasePath "/secrets/metadata-connection-secret.yaml") . | sha256sum': (
        "this chart has no template /secrets/metadata-connection-secret.yaml, because the bootstrap Job makes the Secrets"
    ),
    'include (print $.Template.BasePath "/configmaps/webserver-configmap.yaml") . | sha256sum': (
        "this chart has no template /configmaps/webserver-configmap.yaml; remove it"
    ),
    'include "redis_password_secret" .': "this chart has no helper redis_password_secret, because it has no part of that kind",
    'include "git_sync_container" .': "this chart has no helper git_sync_container",
}


@both
@pytest.mark.parametrize("call", ABSENT)
def should_say_which_template_of_the_official_chart_is_not_here(call: str, parent: str) -> None:
    given = nested("triggerer.podAnnotations.sum", f"{{{{ {call} }}}}")
    with pytest.raises(RenderError) as refused:
        text(*_below(given, parent))
    assert f"\ntriggerer.podAnnotations.sum: {ABSENT[call]}" in str(refused.value), refused.value


def _named(items: list[Object], name: str) -> Object:
    return next(item for item in items if item["name"] == name)


QUOTED = '{{ .Values.labels.team | default "da\'ta" }} {{ "a: b # \\"c\\"" }}'
SAID = 'da\'ta a: b # "c"'
SCHEDULER_FIELDS: dict[str, tuple[Any, Any]] = {
    "scheduler.podAnnotations": ({"team": QUOTED}, lambda found: found.pods["scheduler"]["metadata"]["annotations"]["team"]),
    "scheduler.annotations": (
        {"team": QUOTED}, lambda found: found.find("Deployment", "airspark-scheduler")["metadata"]["annotations"]["team"]
    ),
    "airflowPodAnnotations": ({"team": QUOTED}, lambda found: found.pods["worker"]["metadata"]["annotations"]["team"]),
    "scheduler.command": (["sh", QUOTED], lambda found: found.main("scheduler")["command"][1]),
    "scheduler.args": ([QUOTED], lambda found: found.main("scheduler")["args"][0]),
    "workers.command": ([QUOTED], lambda found: found.main("worker")["command"][0]),
    "scheduler.containerLifecycleHooks": (
        {"preStop": {"exec": {"command": [QUOTED]}}},
        lambda found: found.main("scheduler")["lifecycle"]["preStop"]["exec"]["command"][0],
    ),
    "scheduler.logGroomerSidecar.args": ([QUOTED], lambda found: found.pods["scheduler"]["spec"]["containers"][1]["args"][0]),
    "scheduler.extraContainers": (
        [{"name": "x", "args": [QUOTED]}],
        lambda found: _named(found.pods["scheduler"]["spec"]["containers"], "x")["args"][0],
    ),
    "scheduler.extraInitContainers": (
        [{"name": "y", "env": [{"name": "A", "value": QUOTED}]}],
        lambda found: env(_named(found.pods["scheduler"]["spec"]["initContainers"], "y"))["A"],
    ),
    "scheduler.extraVolumes": (
        [{"name": "v", "configMap": {"name": QUOTED}}],
        lambda found: _named(found.pods["scheduler"]["spec"]["volumes"], "v")["configMap"]["name"],
    ),
    "volumeMounts": (
        [{"name": "v", "mountPath": QUOTED}],
        lambda found: _named(found.main("worker")["volumeMounts"], "v")["mountPath"],
    ),
    "scheduler.affinity": (
        {"podAffinity": {"x": QUOTED}}, lambda found: found.pods["scheduler"]["spec"]["affinity"]["podAffinity"]["x"]
    ),
    "dagProcessor.dagBundleConfigList": (
        [{"name": "a", "classpath": "b", "kwargs": {"url": QUOTED}}],
        lambda found: json.loads(found.cfg.partition("dag_bundle_config_list = ")[2].partition("\n")[0])[0]["kwargs"]["url"],
    ),
    "connections": ({"a": {"type": "http", "host": QUOTED}}, lambda found: found.settings["connections"]["a"]["host"]),
    "extraConfigMaps": ({"m": {"data": {"k": QUOTED}}}, lambda found: found.find("ConfigMap", "m")["data"]["k"]),
    "extraObjects": (
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o", "labels": {"tier": "x"}}, "data": {"k": QUOTED}}],
        lambda found: found.find("ConfigMap", "o")["data"]["k"],
    ),
    "apiServer.serviceAccount.annotations": (
        {"k": QUOTED}, lambda found: found.find("ServiceAccount", "airspark-airflow-api-server")["metadata"]["annotations"]["k"]
    ),
    "fernetKeySecretAnnotations": ({"k": QUOTED}, lambda found: found.secrets["airspark-fernet-key"]["annotations"]["k"]),
}  # fmt: skip


@both
def should_keep_quotes_inside_templates_wherever_a_key_takes_one(parent: str) -> None:
    given: Object = {"volumes": [{"name": "v", "emptyDir": {}}]}  # for task pods, which mount v
    for path, (value, _) in SCHEDULER_FIELDS.items():
        here = given
        *parents, last = path.split(".")
        for name in parents:
            here = here.setdefault(name, {})
        here[last] = value
    found = _rendered(given, parent)
    assert {path: shows(found) for path, (_, shows) in SCHEDULER_FIELDS.items()} == dict.fromkeys(SCHEDULER_FIELDS, SAID)


@pytest.mark.parametrize("parent", ["", "spark"])
def should_keep_quotes_inside_templates_of_the_spark_chart(parent: str) -> None:
    part = {
        "sidecars": [{"name": "x", "args": [QUOTED]}],
        "extraVolumes": [{"name": "v", "configMap": {"name": QUOTED}}],
        "podAnnotations": {"team": QUOTED},
        "livenessProbe": {"command": [QUOTED]},
    }
    given = {"master": part, "worker": part}
    objects = render({parent: given} if parent else given, "airspark" if parent else "spark")
    for name in ("master", "worker"):
        pod = find(objects, "StatefulSet", f"airspark-spark-{name}")["spec"]["template"]
        spec = pod["spec"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert (
            volumes["v"]["configMap"]["name"]
            == spec["containers"][1]["args"][0]
            == pod["metadata"]["annotations"]["team"]
            == SAID
        )
        assert spec["containers"][0]["livenessProbe"]["exec"]["command"] == [SAID]


def should_render_values_as_templates_by_one_helper_that_walks_them() -> None:
    """A template of a whole list or map as text breaks on quotes."""
    for path in sorted((CHARTS / "airspark").rglob("templates/**/*")):
        if path.is_file():
            assert not re.search(r"tpl \(to(Json|Yaml|PrettyJson)|to(Json|Yaml) [^|{}]*\| *tpl|tpl \(kindIs", path.read_text()), (
                path
            )


BROKEN = '{{ include "nothing" . }}'
WRONG = {"executor": "LocalExecutor"}
CHECKED: dict[str, tuple[str, Object, str]] = {
    "airflow": ("airflow", {**WRONG, "scheduler": {"podAnnotations": {"x": BROKEN}}}, "executor: this chart runs"),
    "airflow's triggerer": ("airflow", {**WRONG, "triggerer": {"args": [BROKEN]}}, "executor: this chart runs"),
    "airflow's workers": ("airflow", {**WRONG, "workers": {"command": [BROKEN]}}, "executor: this chart runs"),
    "spark": (
        "spark",
        {"labels": {"tier": "x"}, "worker": {"sidecars": [{"name": "x", "args": [BROKEN]}]}},
        "labels: the chart selects its pods by the label tier",
    ),
    "spark-operator": (
        "spark-operator",
        {"labels": {"tier": "x"}, "controller": {"sidecars": [{"name": "x", "args": [BROKEN]}]}},
        "labels: the chart selects its pods by the label tier",
    ),
    "airspark": (
        "airspark",
        {"spark": {"security": {"rpc": {"authenticationEnabled": False}}}, "airflow": {"workers": {"command": [BROKEN]}}},
        "spark.security.rpc.authenticationEnabled: it is off",
    ),
    "airflow below airspark": (
        "airspark", {"airflow": {**WRONG, "workers": {"command": [BROKEN]}}}, "executor: this chart runs"
    ),
    "spark below airspark": (
        "airspark",
        {"spark": {"labels": {"tier": "x"}}, "airflow": {"workers": {"command": [BROKEN]}}},
        "labels: the chart selects its pods by the label tier",
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", CHECKED)
def should_say_its_sentences_before_an_error_in_a_template_of_the_values(where: str) -> None:
    chart, values, sentence = CHECKED[where]
    with pytest.raises(RenderError) as refused:
        text(values, chart)
    assert f"\n{sentence}" in str(refused.value) and "nothing" not in str(refused.value), refused.value


MODES = {"ReadOnly": True, "ReadWrite": None}


@pytest.mark.parametrize(("mode", "name"), list(itertools.product(MODES, ("data", "output", "events"))))
def should_mount_a_claim_in_a_component_as_its_mounts_say(mode: str, name: str) -> None:
    """Should mount the claim of `mounts.<name>` in each component's pod if `<component>.mounts.<name>` says how."""
    parts = {"apiServer": "api-server", "scheduler": "scheduler", "dagProcessor": "dag-processor", "triggerer": "triggerer"}
    given: Object = {
        "mounts": {name: {"claim": "{{ .Release.Name }}-lake"}},
        **{part: {"mounts": {name: mode}} for part in parts},
    }
    found = Rendered(render(given, "airflow"))
    for component in parts.values():
        volumes = {volume["name"]: volume for volume in found.pods[component]["spec"]["volumes"]}
        mount = next(item for item in found.main(component)["volumeMounts"] if item["name"] == name)
        assert mount.get("readOnly") == MODES[mode], component
        assert volumes[name]["persistentVolumeClaim"]["claimName"] == "airspark-lake", component
    bare = Rendered(render({part: {"mounts": {name: mode}} for part in parts}, "airflow"))
    assert not [volume for pod in bare.airflow.values() for volume in pod["spec"]["volumes"] if volume["name"] == name]


def should_keep_the_claims_of_triggerer_and_dag_processor_if_the_user_adds_volumes() -> None:
    """Should mount data and output beside `extraVolumes` and `extraVolumeMounts` of the values."""
    own = {"extraVolumes": [{"name": "output", "emptyDir": {}}], "extraVolumeMounts": [{"name": "output", "mountPath": "/mine"}]}
    found = Rendered(render({"airflow": {"triggerer": own, "dagProcessor": own}}))
    for component, path, claim in (
        ("triggerer", "/opt/airflow/data", "airspark-data"), ("dag-processor", "/opt/airflow/output", "airspark-output")
    ):  # fmt: skip
        names = {mount["mountPath"]: mount["name"] for mount in found.main(component)["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in found.pods[component]["spec"]["volumes"]}
        assert volumes[names[path]]["persistentVolumeClaim"]["claimName"] == claim
        assert volumes[names["/mine"]] == {"name": "output", "emptyDir": {}}
    mounts = {mount["mountPath"]: mount for mount in found.main("triggerer")["volumeMounts"]}
    assert mounts["/opt/airflow/data"]["readOnly"] is True
