"""Names that stand twice in values: merged, the last of the values wins; a name that a chart needs for itself is refused.

Server-side apply, by which Helm 4 installs, refuses a list with a merge key that holds a name twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cases import Rendered
from merge_keys import UniqueKeys, container_names, sound, twice
from rendering import CHARTS, LOADER, Object, RenderError, env, find, nested, text

HERE = Path(__file__).resolve().parent
EVERYTHING: Object = yaml.load((HERE / "everything-on.yaml").read_text(), Loader=LOADER)
COPIES = ("_admission.tpl", "_admission_pods.tpl", "_common.tpl", "_reserved.tpl", "_secret_texts.tpl")


def _below(given: Object, parent: str) -> tuple[Object, str]:
    """Return values and the chart they are for: the Airflow chart alone, or the parent with `airflow:` around them."""
    return ({parent: given}, "airspark") if parent else (given, "airflow")


def should_hold_the_same_copy_of_the_shared_helpers_in_every_chart() -> None:
    for name in COPIES:
        copies = {path.read_text() for path in (CHARTS / "airspark").rglob(f"templates/{name}")}
        assert len(copies) == 1, name
    assert len(list((CHARTS / "airspark").rglob("templates/_common.tpl"))) == 4


def should_find_a_name_that_stands_twice() -> None:
    """The checks of this file would fail: a map's key, an item's merge key, a port's name, a container's name."""
    with pytest.raises(ValueError, match="a twice in a map"):
        yaml.load("x: {a: 1, b: 2, a: 3}", Loader=UniqueKeys)
    container = {
        "name": "c",
        "env": [{"name": "A"}, {"name": "A"}],
        "volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "w", "mountPath": "/a"}],
        "ports": [
            {"containerPort": 1},
            {"containerPort": 1, "protocol": "TCP"},
            {"name": "p", "containerPort": 2},
            {"name": "p", "containerPort": 3},
        ],
    }
    spec = {"containers": [container], "volumes": [{"name": "v"}, {"name": "v"}], "initContainers": [{"name": "c"}]}
    item = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d"}, "spec": {"template": {"spec": spec}}}
    found = [line.rpartition(".")[2] for line in twice(item)]
    assert sorted(found) == ["env: A", "ports: 1 TCP", "ports: p", "volumeMounts: /a", "volumes: v"]
    assert container_names(item) == ["c"]


@pytest.mark.parametrize("chart", ["airspark", "airflow", "spark", "spark-operator"])
def should_hold_no_name_twice_by_default(chart: str) -> None:
    sound(None, chart)


def should_hold_no_name_twice_if_everything_is_on() -> None:
    sound(EVERYTHING, "airspark")
    sound(EVERYTHING["airflow"], "airflow")


class Case(NamedTuple):
    """Values as people have them, and how their effect shows."""

    effect: str
    given: Object
    shows: Any


def _container(found: Rendered, component: str, name: str) -> Object:
    spec = found.pods[component]["spec"]
    return next(item for item in spec.get("initContainers", []) + spec["containers"] if item["name"] == name)


def _volume(found: Rendered, component: str, path: str) -> Object:
    """Return the volume that is mounted at a path."""
    mounts = {mount["mountPath"]: mount["name"] for mount in found.main(component)["volumeMounts"]}
    return next(volume for volume in found.pods[component]["spec"]["volumes"] if volume["name"] == mounts[path])


OWN = ("config", "logs", "dags", "scripts", "secrets")
CASES = [
    Case(
        "take the logging level for every container",
        {"cleanup": {"enabled": True}, "env": [{"name": "AIRFLOW__LOGGING__LOGGING_LEVEL", "value": "DEBUG"}]},
        lambda found: (
            {env(found.main(name))["AIRFLOW__LOGGING__LOGGING_LEVEL"] for name in ("cleanup", "bootstrap", "scheduler", "worker")}
            == {"DEBUG"}
        ),
    ),
    Case(
        "keep the chart's extension of the executor if the executor is said again by env",
        {"env": [{"name": "AIRFLOW__CORE__EXECUTOR", "value": "KubernetesExecutor"}]},
        lambda found: (
            env(found.main("scheduler"))["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor:airspark_executor.KubernetesExecutor"
        ),
    ),
    Case(
        "keep the chart's extension of the executor if the executor is said again by extraEnv",
        {"extraEnv": "- name: AIRFLOW__CORE__EXECUTOR\n  value: '{{ .Values.executor }}'"},
        lambda found: (
            env(found.main("scheduler"))["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor:airspark_executor.KubernetesExecutor"
        ),
    ),
    Case(
        "take a built-in variable from a Secret of `secret`",
        {
            "enableBuiltInSecretEnvVars": {"AIRFLOW__CORE__FERNET_KEY": False},
            "secret": [{"envName": "AIRFLOW__CORE__FERNET_KEY", "secretName": "my-keys", "secretKey": "fernet"}],
        },
        lambda found: (
            env(found.main("scheduler"))["AIRFLOW__CORE__FERNET_KEY"] == {"secretKeyRef": {"name": "my-keys", "key": "fernet"}}
            and env(found.main("bootstrap"))["AIRFLOW__CORE__FERNET_KEY"]["secretKeyRef"]["name"] == "my-keys"
        ),
    ),
    Case(
        "not watch a built-in variable's Secret if the values bring the variable, or the probe would fail for ever",
        {"secret": [{"envName": "AIRFLOW__CORE__FERNET_KEY", "secretName": "my-keys", "secretKey": "fernet"}]},
        lambda found: (
            "FERNET" not in env(found.main("scheduler"))["AIRSPARK_SECRETS"]
            and "SQL_ALCHEMY_CONN" in env(found.main("scheduler"))["AIRSPARK_SECRETS"]
        ),
    ),
    Case(
        "take a name of the traces from env beside otelCollector",
        {
            "otelCollector": {"metricsEnabled": True, "endpoint": "http://collector:4318"},
            "env": [{"name": "OTEL_SERVICE_NAME", "value": "flows"}],
        },
        lambda found: env(found.main("scheduler"))["OTEL_SERVICE_NAME"] == "flows",
    ),
    Case(
        "take a task's variable before the one for all",
        {"env": [{"name": "LOG_MODE", "value": "a"}], "workers": {"env": [{"name": "LOG_MODE", "value": "b"}]}},
        lambda found: env(found.main("worker"))["LOG_MODE"] == "b" and env(found.main("scheduler"))["LOG_MODE"] == "a",
    ),
    Case(
        "take a component's variable before the one of extraEnv",
        {"extraEnv": "- {name: MODE, value: a}", "scheduler": {"env": [{"name": "MODE", "value": "b"}]}},
        lambda found: env(found.main("scheduler"))["MODE"] == "b" and env(found.main("triggerer"))["MODE"] == "a",
    ),
    Case(
        "put a variable that refers to others after them",
        {"env": [{"name": "ROOT", "value": "/x"}, {"name": "SPARK_LOCAL_HOSTNAME", "value": "$(ROOT).example"}]},
        lambda found: (
            [item["name"] for item in found.main("worker")["env"] if item["name"] in ("ROOT", "SPARK_LOCAL_HOSTNAME")]
            == ["ROOT", "SPARK_LOCAL_HOSTNAME"]
        ),
    ),
    Case(
        "mount a worker's own volume called data beside the chart's claims",
        {
            "mounts": {"data": {"claim": "lake"}},
            "workers": {
                "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "team-data"}}],
                "extraVolumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
        },
        lambda found: (
            _volume(found, "worker", "/data") == {"name": "data", "persistentVolumeClaim": {"claimName": "team-data"}}
            and _volume(found, "worker", "/opt/airflow/data")["persistentVolumeClaim"]["claimName"] == "lake"
        ),
    ),
    Case(
        "mount an emptyDir of one's own at /tmp",
        {
            "scheduler": {
                "extraVolumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}],
                "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        },
        lambda found: _volume(found, "scheduler", "/tmp") == {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
    ),
    Case(
        "take /tmp/ for /tmp",
        {"volumes": [{"name": "big", "emptyDir": {}}], "volumeMounts": [{"name": "big", "mountPath": "/tmp/"}]},
        lambda found: (
            [mount["name"] for mount in found.main("scheduler")["volumeMounts"] if mount["mountPath"].startswith("/tmp")]
            == ["big"]
        ),
    ),
    Case(
        "mount volumes of one's own beside the chart's of the same names",
        {
            **dict.fromkeys(
                ("workers", "scheduler", "dagProcessor", "bootstrap"),
                {
                    "extraVolumes": [{"name": name, "configMap": {"name": f"my-{name}"}} for name in OWN],
                    "extraVolumeMounts": [{"name": name, "mountPath": f"/mine/{name}"} for name in OWN],
                },
            ),
            "dags": {"persistence": {"enabled": True}},
            "logs": {"persistence": {"enabled": True}},
        },
        lambda found: all(
            _volume(found, pod, f"/mine/{name}") == {"name": name, "configMap": {"name": f"my-{name}"}}
            and _volume(found, pod, "/opt/airflow/airflow.cfg")["configMap"]["name"] == "airspark-config"
            and "configMap" not in _volume(found, pod, "/opt/airflow/logs")
            for pod in ("worker", "scheduler", "dag-processor", "bootstrap")
            for name in OWN
        ),
    ),
    Case(
        "leave the chart's volumes their names for mounts of the values",
        {"scheduler": {"extraVolumeMounts": [{"name": "config", "mountPath": "/etc/cfg", "subPath": "airflow.cfg"}]}},
        lambda found: _volume(found, "scheduler", "/etc/cfg")["configMap"]["name"] == "airspark-config",
    ),
    Case(
        "take a component's volume before the one for all",
        {
            "volumes": [{"name": "cache", "emptyDir": {}}],
            "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
            "triggerer": {"extraVolumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "mine"}}]},
        },
        lambda found: (
            "persistentVolumeClaim" in _volume(found, "triggerer", "/cache")
            and "emptyDir" in _volume(found, "scheduler", "/cache")
        ),
    ),
    Case(
        "replace a label that the chart gives, once per object",
        {"labels": {"app.kubernetes.io/name": "flows"}, "scheduler": {"labels": {"app.kubernetes.io/name": "mine"}}},
        lambda found: (
            found.pods["scheduler"]["metadata"]["labels"]["app.kubernetes.io/name"] == "mine"
            and found.find("Deployment", "airspark-scheduler")["metadata"]["labels"]["app.kubernetes.io/name"] == "mine"
            and {
                item["metadata"]["labels"]["app.kubernetes.io/name"]
                for item in found.objects
                if item["metadata"]["labels"].get("component") in ("api-server", "worker", "config")
                and item["metadata"]["labels"].get("tier") == "airflow"
            }
            == {"flows"}
        ),
    ),
    Case(
        "put hosts of one address together",
        {"scheduler": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "10.0.0.1", "hostnames": ["b", "a"]}]}},
        lambda found: found.pods["scheduler"]["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}],
    ),
    Case(
        "merge what a sidecar of one's own says twice",
        {
            "scheduler": {
                "extraContainers": [
                    {
                        "name": "proxy",
                        "image": "proxy:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
                        "ports": [{"name": "p", "containerPort": 1}, {"name": "q", "containerPort": 1}],
                    }
                ]
            }
        },
        lambda found: (
            _container(found, "scheduler", "proxy")["env"] == [{"name": "A", "value": "2"}]
            and _container(found, "scheduler", "proxy")["ports"] == [{"name": "q", "containerPort": 1}]
        ),
    ),
]


@pytest.mark.parametrize("parent", ["", "airflow"])
@pytest.mark.parametrize("case", CASES, ids=[case.effect for case in CASES])
def should_merge_by_name_as_the_values_say_last(case: Case, parent: str) -> None:
    """Should do what the case says, in the Airflow chart alone and below `airflow:`, and hold no name twice."""
    values, chart = _below(case.given, parent)
    objects = sound(values, chart)
    assert case.shows(Rendered([item for item in objects if item["kind"] != "Pod"]))


REFUSED = {
    "env: AIRFLOW__CORE__EXECUTOR asks for another executor": {
        "env": [{"name": "AIRFLOW__CORE__EXECUTOR", "value": "LocalExecutor"}]
    },
    "extraEnv: AIRFLOW__CORE__EXECUTOR asks": {
        "extraEnv": "- {name: AIRFLOW__CORE__EXECUTOR, value: '{{ \"Celery\" }}Executor'}"
    },
    "config.core.executor: this chart runs the KubernetesExecutor": nested("config.core.executor", "LocalExecutor"),
    "secret: AIRFLOW__CORE__EXECUTOR asks": {
        "secret": [{"envName": "AIRFLOW__CORE__EXECUTOR", "secretName": "a", "secretKey": "b"}]
    },
    "scheduler.env: AIRSPARK_SECRETS is a variable that the chart sets": nested(
        "scheduler.env", [{"name": "AIRSPARK_SECRETS", "value": "a"}]
    ),
    "scheduler.extraContainers: scheduler is the name of the chart's own": nested(
        "scheduler.extraContainers", [{"name": "scheduler"}]
    ),
    "scheduler.extraInitContainers: wait-for-airflow-migrations is": nested(
        "scheduler.extraInitContainers", [{"name": "wait-for-airflow-migrations"}]
    ),
    "workers.kubernetes.extraContainers: base is the name": nested("workers.kubernetes.extraContainers", [{"name": "base"}]),
    "workers.kubernetes.podTemplates.big.extraContainers: base is": nested(
        "workers.kubernetes.podTemplates.big.extraContainers", [{"name": "base"}]
    ),
    "bootstrap.extraContainers: bootstrap is": nested("bootstrap.extraContainers", [{"name": "bootstrap"}]),
    "statsd.extraContainers: statsd is": nested("statsd.extraContainers", [{"name": "statsd"}]),
    "apiServer.extraContainers: x is also a name in `apiServer.extraInitContainers`": nested(
        "apiServer", {"extraContainers": [{"name": "x"}], "extraInitContainers": [{"name": "x"}]}
    ),
    "volumeMounts: /opt/airflow/airflow.cfg is the chart's own; write lines": {
        "volumeMounts": [{"name": "x", "mountPath": "{{ .Values.airflowHome }}/airflow.cfg"}]
    },
    "workers.extraVolumeMounts: /opt/spark-conf is": nested(
        "workers.extraVolumeMounts", [{"name": "x", "mountPath": "/opt/spark-conf/"}]
    ),
    "triggerer.extraVolumes: logs is the volume of `triggerer.persistence`": nested(
        "triggerer", {"persistence": {"enabled": True}, "extraVolumes": [{"name": "logs", "emptyDir": {}}]}
    ),
    "labels: the chart selects its pods by the label tier, so it cannot be web": nested("labels.tier", "web"),
    "labels: the chart selects its pods by the label component": nested("labels.component", "web"),
    "workers.labels: the chart selects its pods by the label release": nested("workers.labels.release", "web"),
    "extraEnv: it is not a YAML list": {"extraEnv": "TZ: Asia/Seoul"},
    "extraEnvFrom: it is not a YAML list": {"extraEnvFrom": "- ] ["},
}


@pytest.mark.parametrize("parent", ["", "airflow"])
@pytest.mark.parametrize("sentence", REFUSED)
def should_refuse_a_name_that_the_airflow_chart_needs_for_itself(sentence: str, parent: str) -> None:
    with pytest.raises(RenderError, match="execution error") as refused:
        text(*_below(REFUSED[sentence], parent))
    assert f"\n{sentence}" in str(refused.value), refused.value


REFUSED_ELSEWHERE = {
    "master.extraEnvVars: SPARK_CONF_DIR is": (
        "spark",
        nested("master.extraEnvVars", [{"name": "SPARK_CONF_DIR", "value": "/x"}]),
    ),
    "worker.sidecars: spark-worker is": ("spark", nested("worker.sidecars", [{"name": "spark-worker"}])),
    "workers.groups.big.extraVolumeMounts: /opt/spark-conf is": (
        "spark",
        nested("workers.groups.big.extraVolumeMounts", [{"name": "x", "mountPath": "/opt/spark-conf"}]),
    ),
    "master.extraVolumes: recovery is the volume of `master.persistence`": (
        "spark",
        nested("master.extraVolumes", [{"name": "recovery"}]),
    ),
    "labels: the chart selects its pods by the label tier": ("spark", nested("labels.tier", "x")),
    "worker.podLabels: the chart selects its pods by the label airspark.io/worker-group": (
        "spark",
        nested("worker.podLabels", {"airspark.io/worker-group": "x"}),
    ),
    "controller.env: POD_NAME is": ("spark-operator", nested("controller.env", [{"name": "POD_NAME", "value": "x"}])),
    "controller.sidecars: spark-operator is": ("spark-operator", nested("controller.sidecars", [{"name": "spark-operator"}])),
    "controller.podLabels: the chart selects its pods by the label component": (
        "spark-operator",
        nested("controller.podLabels.component", "x"),
    ),
    "labels: the label component tells the parts": ("airspark", nested("labels.component", "x")),
}


@pytest.mark.parametrize("sentence", REFUSED_ELSEWHERE)
def should_refuse_a_name_that_the_other_charts_need_for_themselves(sentence: str) -> None:
    chart, values = REFUSED_ELSEWHERE[sentence]
    with pytest.raises(RenderError) as refused:
        text(values, chart)
    assert f"\n{sentence}" in str(refused.value), refused.value


def should_let_sparks_variables_volumes_and_labels_win_over_the_charts() -> None:
    volumes = [
        {"name": "data", "emptyDir": {}},
        {"name": "config", "configMap": {"name": "mine"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "config", "mountPath": "/etc/mine"},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    memory = [{"name": "SPARK_DAEMON_MEMORY", "value": "7g"}, {"name": "SPARK_WORKER_OPTS", "value": "-Dx=1"}]
    part = {
        "extraVolumes": volumes,
        "extraVolumeMounts": mounts,
        "extraEnvVars": memory,
        "podLabels": {"app.kubernetes.io/name": "mine"},
    }
    given: Object = {
        "labels": {"app.kubernetes.io/name": "all"},
        "mounts": {name: {"claim": f"my-{name}"} for name in ("data", "output", "events")},
        **dict.fromkeys(("master", "historyServer"), part),
        "worker": {**part, "configOptions": "-Dy=2"},
        "connect": {**part, "enabled": True},
    }
    for values, chart in ((given, "spark"), ({"spark": given}, "airspark")):
        objects = sound(values, chart)
        for kind, name in (
            ("StatefulSet", "master"),
            ("StatefulSet", "worker"),
            ("Deployment", "history"),
            ("Deployment", "connect"),
        ):
            pod = find(objects, kind, f"airspark-spark-{name}")["spec"]["template"]
            main = pod["spec"]["containers"][0]
            assert env(main)["SPARK_DAEMON_MEMORY"] == "7g" and env(main)["SPARK_WORKER_OPTS"] == "-Dx=1", name
            assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "mine", name
            at = {mount["mountPath"]: mount["name"] for mount in main["volumeMounts"]}
            volume = {item["name"]: item for item in pod["spec"]["volumes"]}
            assert volume[at["/etc/mine"]]["configMap"]["name"] == "mine" and volume[at["/tmp"]]["emptyDir"] == {
                "sizeLimit": "1Gi"
            }, name
            assert "emptyDir" in volume[at["/data"]] and volume[at["/opt/spark-conf"]]["configMap"]["name"].startswith(
                "airspark-"
            ), name
        worker = find(objects, "StatefulSet", "airspark-spark-worker")["spec"]["template"]["spec"]
        at = {mount["mountPath"]: mount["name"] for mount in worker["containers"][0]["volumeMounts"]}
        assert {"name": at["/opt/airflow/data"], "persistentVolumeClaim": {"claimName": "my-data"}} in worker["volumes"]


@pytest.mark.parametrize("chart", ["airspark", "airflow", "spark", "spark-operator"])
def should_never_pull_an_image_whose_name_has_no_registry_and_no_owner(chart: str) -> None:
    """The next owner of the name airspark in a public registry would be given every Secret."""
    rendered = text(None, chart=chart)
    ours = [line.strip() for line in rendered.splitlines() if line.strip().startswith("image: airspark/")]
    assert ours and "imagePullPolicy: IfNotPresent" not in rendered and rendered.count("imagePullPolicy: Never") >= len(ours)


def should_refuse_to_pull_such_an_image_always_and_pull_one_of_a_registry_as_the_values_say() -> None:
    with pytest.raises(
        RenderError, match="airspark/spark:[^ ]+ is loaded into the nodes and never pulled, because its name has no"
    ):
        text({"image": {"pullPolicy": "Always"}}, chart="spark")
    mine = text({"image": {"repository": "registry.example/airspark/spark", "pullPolicy": "Always"}}, chart="spark")
    assert "imagePullPolicy: Always" in mine
