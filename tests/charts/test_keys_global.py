"""What the keys do that concern every component."""

from __future__ import annotations

from typing import Any

import pytest
from cases import Case, Cases, Rendered
from rendering import env

WHO = "{{ .Release.Name }}"


def _specs(found: Rendered) -> list[Any]:
    return [pod["spec"] for pod in found.pods.values()]


def _labelled(found: Rendered, key: str, value: str) -> bool:
    objects = [item["metadata"]["labels"].get(key) for item in found.objects if item["metadata"]["name"] != "given"]
    return {*objects, *(pod["metadata"]["labels"].get(key) for pod in found.pods.values())} == {value}


def _airflow(found: Rendered) -> list[Any]:
    return [pod["spec"]["containers"][0] for pod in found.airflow.values()]


def _mounted(container: Any, path: str) -> bool:
    return path in [mount["mountPath"] for mount in container["volumeMounts"]]


CASES = [
    Case("name the application in labels", {"nameOverride": "flow"}, lambda f: _labelled(f, "app.kubernetes.io/name", "flow")),
    Case("label every object and pod", {"labels": {"team": "data"}}, lambda f: _labelled(f, "team", "data")),
    Case(
        "annotate every Airflow pod, as a template",
        {"airflowPodAnnotations": {"example.org/a": WHO}},
        lambda f: all(pod["metadata"]["annotations"]["example.org/a"] == "airspark" for pod in f.airflow.values()),
    ),
    Case(
        "annotate the ConfigMap with airflow.cfg",
        {"airflowConfigAnnotations": {"example.org/a": WHO}},
        lambda f: f.find("ConfigMap", "airspark-config")["metadata"]["annotations"]["example.org/a"] == "airspark",
    ),
    Case(
        "annotate the ConfigMap with webserver_config.py",
        {"apiServer.configMapAnnotations": {"example.org/b": WHO}},
        lambda f: f.find("ConfigMap", "airspark-config")["metadata"]["annotations"]["example.org/b"] == "airspark",
    ),
    Case(
        "mount airflow_local_settings.py in Airflow's containers and task pods",
        {"airflowLocalSettings": f"RELEASE = '{WHO}'"},
        lambda f: (
            "RELEASE = 'airspark'" in f.find("ConfigMap", "airspark-config")["data"]["airflow_local_settings.py"]
            and all(
                _mounted(f.main(name), "/opt/airflow/config/airflow_local_settings.py")
                for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "small.yaml")
            )
        ),
    ),
    Case(
        "select every pod's nodes",
        {"nodeSelector": {"arch": "arm"}},
        lambda f: all(spec["nodeSelector"] == {"arch": "arm"} for spec in _specs(f)),
    ),
    Case(
        "let every pod tolerate a taint",
        {"tolerations": [{"key": "batch"}]},
        lambda f: all(spec["tolerations"] == [{"key": "batch"}] for spec in _specs(f)),
    ),
    Case(
        "give every pod an affinity, as a template",
        {"affinity": {"podAffinity": {"x": WHO}}},
        lambda f: all(spec["affinity"] == {"podAffinity": {"x": "airspark"}} for spec in _specs(f)),
    ),
    Case(
        "spread every component's pods",
        {"topologySpreadConstraints": [{"topologyKey": "zone"}]},
        lambda f: all(spec["topologySpreadConstraints"] == [{"topologyKey": "zone"}] for spec in _specs(f)),
    ),
    Case(
        "have every pod placed by another scheduler",
        {"schedulerName": "packer"},
        lambda f: all(spec["schedulerName"] == "packer" for spec in _specs(f)),
    ),
    Case(
        "keep as many old ReplicaSets",
        {"revisionHistoryLimit": 0},
        lambda f: {item["spec"]["revisionHistoryLimit"] for item in f.objects if item["kind"] == "Deployment"} == {0},
    ),
    Case(
        "give every pod variables of the namespace's Services",
        {"enableServiceLinks": True},
        lambda f: all(spec["enableServiceLinks"] for spec in _specs(f)),
    ),
    Case(
        "hook into every Airflow container's life, as a template",
        {"containerLifecycleHooks": {"preStop": {"exec": {"command": [WHO]}}}},
        lambda f: all(item["lifecycle"]["preStop"]["exec"]["command"] == ["airspark"] for item in _airflow(f)),
    ),
    Case(
        "make priority classes",
        {"priorityClasses": [{"name": "high", "value": 1000, "preemptionPolicy": "Never"}, {"name": "low", "value": 1}]},
        lambda f: (
            f.find("PriorityClass", "airspark-high")["value"] == 1000
            and f.find("PriorityClass", "airspark-high")["preemptionPolicy"] == "Never"
            and f.find("PriorityClass", "airspark-low")["preemptionPolicy"] == "PreemptLowerPriority"
        ),
    ),
    Case(
        "make a ResourceQuota",
        {"quotas": {"pods": "10"}},
        lambda f: f.find("ResourceQuota", "airspark-resource-quota")["spec"]["hard"] == {"pods": "10"},
    ),
    Case(
        "make a LimitRange",
        {"limits": [{"type": "Container"}]},
        lambda f: f.find("LimitRange", "airspark-limit-range")["spec"]["limits"] == [{"type": "Container"}],
    ),
    Case(
        "change every pod's security context",
        {"securityContexts.pod": {"supplementalGroups": [7]}},
        lambda f: all(spec["securityContext"]["supplementalGroups"] == [7] for spec in _specs(f)),
    ),
    Case(
        "change every pod's security context, under the older name",
        {"securityContext": {"fsGroupChangePolicy": "Always"}},
        lambda f: all(spec["securityContext"]["fsGroupChangePolicy"] == "Always" for spec in _specs(f)),
    ),
    Case(
        "change every container's security context, and keep the rest",
        {"securityContexts.containers": {"readOnlyRootFilesystem": False, "capabilities": {"add": ["NET_BIND_SERVICE"]}}},
        lambda f: all(
            container["securityContext"]["readOnlyRootFilesystem"] is False
            and container["securityContext"]["allowPrivilegeEscalation"] is False
            and container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
            for _, container in f.containers
        ),
    ),
    Case(
        "add to the environment of every Airflow container and task pod",
        {"env": [{"name": "TZ", "value": "Asia/Seoul"}]},
        lambda f: all(env(item).get("TZ") == "Asia/Seoul" for item in _airflow(f)),
    ),
    Case(
        "take environment out of Secrets",
        {"secret": [{"envName": "TOKEN", "secretName": "crm", "secretKey": "token"}]},
        lambda f: all(
            env(f.main(name))["TOKEN"] == {"secretKeyRef": {"name": "crm", "key": "token"}}
            for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "bootstrap")
        ),
    ),
    Case(
        "add environment as a template",
        {"extraEnv": f"- name: WHO\n  value: '{WHO}'\n"},
        lambda f: all(env(f.main(name))["WHO"] == "airspark" for name in ("api-server", "scheduler", "worker", "bootstrap")),
    ),
    Case(
        "add environment from ConfigMaps and Secrets, as a template",
        {"extraEnvFrom": f"- configMapRef:\n    name: '{WHO}-more'\n"},
        lambda f: all(
            f.main(name)["envFrom"] == [{"configMapRef": {"name": "airspark-more"}}]
            for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "bootstrap")
        ),
    ),
    Case(
        "make Secrets of maps and of texts, as templates",
        {
            "extraSecrets": {
                f"{WHO}-a": {"type": "example.org/x", "labels": {"kind": "a"}, "annotations": {"b": WHO}, "data": {"k": "dg=="}},
                "b": {"stringData": f"who: {WHO}"},
            }
        },
        lambda f: (
            f.find("Secret", "airspark-a")["data"] == {"k": "dg=="}
            and f.find("Secret", "airspark-a")["type"] == "example.org/x"
            and f.find("Secret", "airspark-a")["metadata"]["annotations"] == {"b": "airspark"}
            and f.find("Secret", "airspark-a")["metadata"]["labels"]["kind"] == "a"
            and f.find("Secret", "b")["stringData"] == {"who": "airspark"}
        ),
    ),
    Case(
        "make ConfigMaps, as templates",
        {"extraConfigMaps": {f"{WHO}-c": {"annotations": {"b": WHO}, "data": f"who: {WHO}"}}},
        lambda f: (
            f.find("ConfigMap", "airspark-c")["data"] == {"who": "airspark"}
            and f.find("ConfigMap", "airspark-c")["metadata"]["annotations"] == {"b": "airspark"}
        ),
    ),
    Case(
        "make any object, of a map or of a text",
        {
            "extraObjects": [
                {"kind": "Given", "metadata": {"name": "given", "labels": {"who": WHO}}},
                f"kind: Text\nmetadata: {{name: given, labels: {{who: '{WHO}'}}}}",
            ]
        },
        lambda f: all(f.find(kind, "given")["metadata"]["labels"] == {"who": "airspark"} for kind in ("Given", "Text")),
    ),
    Case(
        "add volumes and mounts to every Airflow pod and task pod",
        {
            "volumes": [{"name": "reference", "configMap": {"name": f"{WHO}-reference"}}],
            "volumeMounts": [{"name": "reference", "mountPath": f"/{WHO}"}],
        },
        lambda f: all(
            {"name": "reference", "configMap": {"name": "airspark-reference"}} in f.pods[name]["spec"]["volumes"]
            and _mounted(f.main(name), "/airspark")
            for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "bootstrap")
        ),
    ),
    Case(
        "pull images with a Secret, named in either way",
        {"imagePullSecrets": [{"name": "a"}, "b"], "registry.secretName": "c"},
        lambda f: all(spec["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}, {"name": "c"}] for spec in _specs(f)),
    ),
    Case(
        "run Airflow as another user and group",
        {"uid": 1234, "gid": 5678},
        lambda f: all(
            (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1234, 5678, 5678)
            for context in (pod["spec"]["securityContext"] for pod in f.airflow.values())
        ),
    ),
    Case(
        "choose the IP families of every Service",
        {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
        lambda f: all(
            (item["spec"]["ipFamilyPolicy"], item["spec"]["ipFamilies"]) == ("RequireDualStack", ["IPv6", "IPv4"])
            for item in f.objects
            if item["kind"] == "Service"
        ),
    ),
    Case(
        "listen on other ports",
        {"ports.apiServer": 8088, "ports.triggererLogs": 8795},
        lambda f: (
            f.main("api-server")["ports"] == [{"name": "api-server", "containerPort": 8088}]
            and f.find("Service", "airspark-api-server")["spec"]["ports"][0]["port"] == 8088
            and f.find("Service", "airspark-triggerer")["spec"]["ports"][0]["port"] == 8795
            and "trigger_log_server_port = 8795" in f.cfg
            and "execution_api_server_url = http://airspark-api-server.airspark.svc:8088/execution/" in f.cfg
        ),
    ),
    Case("write any line of airflow.cfg, as a template", {"config": {"mine": {"who": WHO, "gone": None}}},
         lambda f: "[mine]\nwho = airspark\n" in f.cfg and "gone" not in f.cfg),
    Case("write a number into airflow.cfg", {"config.core.parallelism": 7}, lambda f: "parallelism = 7\n" in f.cfg),
]  # fmt: skip
TOGETHER = Cases(CASES)


@pytest.mark.parametrize("title", sorted(TOGETHER.by_title))
def should_do_what_its_description_says(title: str) -> None:
    TOGETHER.check(title)
