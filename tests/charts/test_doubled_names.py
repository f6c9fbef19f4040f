"""Names and numbers that stand twice where one of the two would be lost, and settings that get two sentences."""

from __future__ import annotations

from typing import Any

import pytest
from batches import values
from rendering import RenderError, nested, text

TWICE = [{"name": "a", "image": "a:1"}, {"name": "a", "image": "a:2"}]
VOLUMES = [{"name": "v", "emptyDir": {}}, {"name": "v", "configMap": {"name": "c"}}]
MOUNTS = [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/v/"}]
LISTS = {
    "airflow": {
        "scheduler.extraContainers": TWICE,
        "dagProcessor.extraInitContainers": TWICE,
        "workers.kubernetes.podTemplates.big.extraContainers": TWICE,
        "volumes": VOLUMES,
        "volumeMounts": MOUNTS,
        "triggerer.extraVolumes": VOLUMES,
        "workers.extraVolumeMounts": MOUNTS,
    },
    "spark": {
        "master.sidecars": TWICE,
        "worker.initContainers": TWICE,
        "historyServer.extraVolumes": VOLUMES,
        "connect.extraVolumeMounts": MOUNTS,
    },
    "spark-operator": {"controller.sidecars": TWICE, "controller.volumes": VOLUMES, "controller.volumeMounts": MOUNTS},
}


def _said(values: dict[str, Any], chart: str = "airflow") -> list[str]:
    with pytest.raises(RenderError) as problem:
        text(values, chart=chart)
    assert "executing" not in str(problem.value), problem.value
    return [line for line in str(problem.value).splitlines() if ": " in line and not line.startswith("Error")]


@pytest.mark.parametrize("chart", list(LISTS))
def should_refuse_a_name_that_stands_twice_in_one_list(chart: str) -> None:
    said = _said(values(LISTS[chart]), chart)
    assert sorted(line.partition(":")[0] for line in said) == sorted(LISTS[chart])
    assert all("of two entries, and one of them would be lost" in line for line in said)


def should_take_two_entries_that_are_the_same_for_one() -> None:
    same = {"extraContainers": TWICE[:1] * 2, "extraVolumes": VOLUMES[:1] * 2, "extraVolumeMounts": MOUNTS[:1] * 2}
    rendered = text({"scheduler": same}, chart="airflow")
    assert rendered.count("image: a:1") == rendered.count("mountPath: /v\n") == 1


def should_let_a_later_level_replace_a_name() -> None:
    values = {"volumes": VOLUMES[:1], "scheduler": {"extraVolumes": VOLUMES[1:], "extraContainers": TWICE[:1]}}
    assert "image: a:1" in text(values, chart="airflow")


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([("web", 80), ("web", 81)], "apiServer.service.ports[1].name: web is the name of another port of the list"),
        ([("web", 80), ("more", 80)], "apiServer.service.ports[1].port: 80 TCP is the number of another port of the list"),
        ([("my_web", 80)], 'apiServer.service.ports[0].name: "my_web" is not a name of a port'),
        ([("Web", 80)], 'apiServer.service.ports[0].name: "Web" is not a name of a port'),
        ([("web", 80), (None, 81)], "apiServer.service.ports[1].name: missing, and a Service with several ports needs"),
        ([("web", 70000)], "apiServer.service.ports[0].port: 70000 is not a port"),
    ],
)
def should_refuse_ports_of_the_service_that_kubernetes_refuses(ports: list[tuple[str | None, int]], said: str) -> None:
    given = [{"port": port, "targetPort": "api-server", **({"name": name} if name else {})} for name, port in ports]
    lines = _said(nested("apiServer.service.ports", given))
    assert len(lines) == 1 and lines[0].startswith(said), lines


def should_take_one_number_for_two_protocols() -> None:
    ports = [
        {"name": "web", "port": 80, "targetPort": "api-server"},
        {"name": "quic", "port": 80, "protocol": "UDP", "targetPort": 8443},
    ]
    assert "name: quic" in text(nested("apiServer.service.ports", ports), chart="airflow")


@pytest.mark.parametrize(
    "values",
    [
        {"env": [{"name": "AIRFLOW__CORE__EXECUTOR", "value": "LocalExecutor"}]},
        nested("scheduler.env", [{"name": "AIRFLOW__CORE__EXECUTOR", "value": "LocalExecutor"}]),
        {"extraEnv": "- {name: AIRFLOW__CORE__EXECUTOR, value: LocalExecutor}"},
        nested("config.core.executor", "LocalExecutor"),
        nested("config.core.executor", "{{ `LocalExecutor` }}"),
        {
            "extraConfigMaps": {"mine": {"data": "AIRFLOW__CORE__EXECUTOR: LocalExecutor"}},
            "extraEnvFrom": "- configMapRef: {name: mine}",
        },
    ],
)
def should_say_one_sentence_of_another_executor(values: dict[str, Any]) -> None:
    said = _said(values)
    assert len(said) == 1 and "KubernetesExecutor" in said[0], said


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"podTemplate": '{{ include "redis_password_secret" . }}'}, "podTemplate"),
        ({"extraEnv": "- {name: AIRFLOW__CORE__EXECUTOR, value: '{{ include \"flower_image\" . }}'}"}, "extraEnv"),
        (nested("config.logging.remote_logging", '{{ include "git_sync_container" . }}'), "config.logging.remote_logging"),
        ({"extraEnvFrom": "- {secretRef: {name: '{{ template \"webserver_x\" . }}'}}"}, "extraEnvFrom"),
    ],
)
def should_name_the_key_that_asks_for_a_helper_that_is_not_here(values: dict[str, Any], where: str) -> None:
    said = _said({**values, "executor": "CeleryExecutor"})
    assert [line.partition(":")[0] for line in said] == ["executor", where]
