"""What the keys of task pods, Spark drivers and the bootstrap Job do."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from cases import Case, Cases, Rendered
from rendering import env

WHO = "{{ .Release.Name }}"
PASSWORD = {"valueFrom": {"secretKeyRef": {"name": "crm", "key": "password"}}}
TEMPLATES = ("pod_template_file.yaml", "small.yaml", "large.yaml", "spark.yaml", "spark-driver.yaml", "launcher.yaml")
SHARED = "_SPARK_AUTH_SECRET"
SPARK = {"global.spark.authSecretName": "shared"}


def _limit(found: Rendered, template: str, resource: str = "memory") -> Any:
    return found.main(template)["resources"]["limits"].get(resource)


def _sharing(found: Rendered) -> list[str]:
    """Return the pod templates that have the secret of the Spark cluster."""
    return [name for name in TEMPLATES if SHARED in env(found.main(name))]


def _referred(found: Rendered, value: Any) -> Any:
    """Return the Secret's key that a text of the settings comes from."""
    return env(found.main("bootstrap"))[value["env"]]["secretKeyRef"]


def _job(found: Rendered) -> Any:
    return next(item for item in found.objects if item["kind"] == "Job")


def _namespaces(found: Rendered, name: str) -> list[str]:
    """Return the namespaces of the objects of a name."""
    return [item["metadata"].get("namespace", "") for item in found.objects if item["metadata"]["name"] == name]


def _available(component: str, found: Rendered) -> bool:
    """Whether one pod of a component may be away at a time, and its pods spread over nodes."""
    budget = found.find("PodDisruptionBudget", f"airspark-{component}-pdb")["spec"]["maxUnavailable"]
    spread = found.pods[component]["spec"]["topologySpreadConstraints"][0]["topologyKey"]
    return bool((budget, spread) == (1, "kubernetes.io/hostname"))


CASES = [
    Case("give every task pod resources, but those of named templates",
         {"workers.resources": {"limits": {"memory": "7Gi"}}},
         lambda f: [_limit(f, name) for name in TEMPLATES[:3]] == ["7Gi", "768Mi", "4Gi"]),
    Case("go before the same key of `workers`",
         {"workers.priorityClassName": "low", "workers.kubernetes.priorityClassName": "high"},
         lambda f: {f.pods[name]["spec"]["priorityClassName"] for name in TEMPLATES} == {"high"}),
    Case("leave the key of `workers` in force",
         {"workers.schedulerName": "packer", "workers.kubernetes.schedulerName": None},
         lambda f: {f.pods[name]["spec"]["schedulerName"] for name in TEMPLATES} == {"packer"}),
    Case("change one named template only", {"workers.kubernetes.podTemplates.large.resources.limits.cpu": "9"},
         lambda f: [_limit(f, name, "cpu") for name in TEMPLATES] == [None, None, "9", None, None, None]
         and _limit(f, "large.yaml") == "4Gi"),
    Case("make a named template of what differs", {"workers.kubernetes.podTemplates.gpu": {"nodeSelector": {"gpu": "yes"}}},
         lambda f: f.pods["gpu.yaml"]["spec"]["nodeSelector"] == {"gpu": "yes"}
         and _limit(f, "gpu.yaml") == _limit(f, TEMPLATES[0])),
    Case("hand the secret of the Spark cluster to every task", {"workers.sparkSecret": True, **SPARK},
         lambda f: _sharing(f) == [*TEMPLATES]),
    Case("hand the secret of the Spark cluster to every task but those of a template",
         {"workers.kubernetes.sparkSecret": True, "workers.kubernetes.podTemplates.small.sparkSecret": False, **SPARK},
         lambda f: _sharing(f) == [name for name in TEMPLATES if name != "small.yaml"]),
    Case("hand the secret of the Spark cluster to those templates alone", SPARK,
         lambda f: _sharing(f) == ["spark.yaml", "spark-driver.yaml"]),
    Case("hand the secret of the Spark cluster to no task", {"workers.kubernetes.podTemplates": {
         "spark": {"sparkSecret": False}, "spark-driver": {"sparkSecret": None}}, **SPARK}, lambda f: _sharing(f) == []),
    Case("leave a named template out", {"workers.kubernetes.podTemplates.spark-driver": None},
         lambda f: "spark-driver.yaml" not in f.pods),
    Case("hand the launcher's account and a token to a named template",
         {"workers.kubernetes.podTemplates.submit": {"launcher": True}},
         lambda f: (spec := f.pods["submit.yaml"]["spec"])["serviceAccountName"] == "airspark-airflow-launcher"
         and spec["automountServiceAccountToken"] is True),
    Case("name and annotate the launcher's account",
         {"workers.kubernetes.launcher": {"name": "rocket", "annotations": {"a": "{{ .Release.Name }}"}}},
         lambda f: f.find("ServiceAccount", "rocket")["metadata"]["annotations"] == {"a": "airspark"}
         and f.pods["launcher.yaml"]["spec"]["serviceAccountName"] == "rocket"
         and f.find("RoleBinding", "airspark-launcher-rolebinding")["subjects"][0]["name"] == "rocket"),
    Case("let the launcher make pods in other namespaces alone", {"workers.kubernetes.launcher.namespaces": ["a", "b"]},
         lambda f: _namespaces(f, "airspark-launcher-role") == _namespaces(f, "airspark-launcher-rolebinding") == ["a", "b"]),
    Case("make no account for the launcher", {"workers.kubernetes.launcher.create": False},
         lambda f: "airspark-airflow-launcher" not in f.names("ServiceAccount")),
    Case("let an autoscaler evict a task", {"workers.safeToEvict": True},
         lambda f: f.pods["worker"]["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"),
    Case("keep an autoscaler from evicting a task", {"workers.safeToEvict": True, "workers.kubernetes.safeToEvict": False},
         lambda f: f.pods["worker"]["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"),
    Case("be the pod template, as a template",
         {"podTemplate": f"kind: Pod\nmetadata: {{name: '{WHO}-task', labels: {{component: worker}}}}\n"
                         "spec: {containers: [{name: base, image: mine}]}"},
         lambda f: f.pods["pod_template_file.yaml"]["metadata"]["name"] == "airspark-task"
         and f.main("small.yaml")["image"] != "mine"),
    Case("fix other ports of the Spark driver", {"sparkClient.ports": {"driver": 7178, "blockManager": 7179, "ui": 4140}},
         lambda f: {port["containerPort"] for port in f.main("worker")["ports"]} == {7178, 7179, 4140}
         and {"spark.driver.port 7178", "spark.blockManager.port 7179", "spark.ui.port 4140"}
         <= set(f.find("ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"].splitlines())),
    Case("write lines of spark-defaults.conf, as templates", {"sparkClient.conf": {"spark.x": WHO, "spark.y": 7}},
         lambda f: {"spark.x airspark", "spark.y 7"}
         <= set(f.find("ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"].splitlines())),
    Case("make a connection, with texts out of Secrets",
         {"connections": {"crm": {"type": "http", "host": f"{WHO}-crm", "login": "ada", "password": PASSWORD, "port": 8080,
                                  "extra": {"token": PASSWORD, "retries": 3}}}},
         lambda f: (crm := f.settings["connections"]["crm"])["host"] == "airspark-crm"
         and (crm["login"], crm["port"], crm["extra"]["retries"]) == ("ada", 8080, 3)
         and _referred(f, crm["password"]) == _referred(f, crm["extra"]["token"]) == {"name": "crm", "key": "password"}),
    Case("make variables of texts, of maps and of Secrets",
         {"variables": {"a": WHO, "b": {"value": {"x": [1]}, "description": "why"}, "c": PASSWORD, "d": None}},
         lambda f: (found := f.settings["variables"])["a"] == {"value": "airspark"}
         and found["b"] == {"value": {"x": [1]}, "description": "why"}
         and _referred(f, found["c"]["value"]) == {"name": "crm", "key": "password"} and "d" not in found),
    Case("make pools", {"pools": {"db": {"slots": 3, "includeDeferred": True}, "gone": None}},
         lambda f: f.settings["pools"] == {"db": {"slots": 3, "includeDeferred": True}}),
    Case("make roles", {"roles": {"Reader": [{"action": "can_read", "resource": "DAGs"}]}},
         lambda f: f.settings["roles"] == {"Reader": [{"action": "can_read", "resource": "DAGs"}]}),
    Case("make users, with passwords out of Secrets",
         {"users": {"ada": {"roles": ["Viewer"], "email": "a@b", "firstName": "Ada", "lastName": "L", "password": PASSWORD},
                    "bob": None}},
         lambda f: (ada := f.settings["users"]["ada"])["roles"] == ["Viewer"]
         and (ada["firstName"], ada["lastName"]) == ("Ada", "L")
         and _referred(f, ada["password"]) == {"name": "crm", "key": "password"} and "bob" not in f.settings["users"]),
    Case("say who the first user is",
         {"createUserJob.defaultUser": {"role": "Op", "username": "ada", "email": "a@b", "firstName": "Ada", "lastName": "L"}},
         lambda f: {**f.settings["user"]} == {"role": "Op", "email": "a@b", "firstName": "Ada", "lastName": "L"}
         and f.secrets["airspark-admin"]["keys"]["username"] == {"kind": "text", "value": "ada"}),
    Case("make no first user", {"createUserJob.enabled": False},
         lambda f: f.settings["user"] is None and "airspark-admin" not in f.secrets
         and "ADMIN_PASSWORD" not in env(f.main("bootstrap"))),
    Case("leave the migration to somebody else", {"migrateDatabaseJob.enabled": False}, lambda f: f.settings["migrate"] is False),
    Case("annotate the bootstrap Job", {"migrateDatabaseJob.jobAnnotations": {"argocd.argoproj.io/hook": "Sync"}},
         lambda f: _job(f)["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "Sync"),
    Case("annotate the bootstrap Job", {"createUserJob.jobAnnotations": {"example.org/a": "b"}},
         lambda f: _job(f)["metadata"]["annotations"]["example.org/a"] == "b"),
    Case("not start the bootstrap Job's containers again", {"migrateDatabaseJob.restartPolicy": "Never"},
         lambda f: f.pods["bootstrap"]["spec"]["restartPolicy"] == "Never"),
    Case("keep given environment out of the bootstrap Job",
         {"migrateDatabaseJob.applyCustomEnv": False, "extraEnv": "- name: MINE\n  value: x"},
         lambda f: "MINE" not in env(f.main("bootstrap")) and "MINE" in env(f.main("scheduler"))),
    Case("wait as long as told",
         {"bootstrap.databaseDeadlineSeconds": 71, "bootstrap.lockDeadlineSeconds": 72, "bootstrap.backoffLimit": 7},
         lambda f: (f.settings["databaseDeadlineSeconds"], f.settings["lockDeadlineSeconds"]) == (71, 72)
         and _job(f)["spec"]["backoffLimit"] == 7),
    Case("restart the scheduler for a stuck task as soon as told", {"scheduler.stuckTaskSeconds": 77},
         lambda f: env(f.main("scheduler"))["AIRSPARK_STUCK_SECONDS"] == "77"),
    Case("bring no triggerer", {"triggerer.enabled": False},
         lambda f: "triggerer" not in f.pods and "airspark-triggerer" not in f.names("Service")
         and "airspark-airflow-triggerer" not in f.names("ServiceAccount")),
    Case("write webserver_config.py, as a template", {"apiServer.apiServerConfig": "WHO = '{{ .Release.Name }}'"},
         lambda f: f.find("ConfigMap", "airspark-config")["data"]["webserver_config.py"] == "WHO = 'airspark'\n"),
    Case("mount a webserver_config.py that is there", {"apiServer.apiServerConfigConfigMapName": f"{WHO}-login"},
         lambda f: {"name": "webserver-config", "configMap": {"name": "airspark-login"}}
         in f.pods["api-server"]["spec"]["volumes"]),
    Case("scale the API server",
         {"apiServer.hpa": {"enabled": True, "minReplicaCount": 2, "maxReplicaCount": 4, "metrics": [{"type": "x"}],
                            "behavior": {"y": {}}}},
         lambda f: (spec := f.find("HorizontalPodAutoscaler", "airspark-api-server")["spec"])["metrics"] == [{"type": "x"}]
         and (spec["minReplicas"], spec["maxReplicas"], spec["behavior"]) == (2, 4, {"y": {}})
         and "replicas" not in f.find("Deployment", "airspark-api-server")["spec"]),
    *(
        Case(f"keep {component} available", {f"{part}.replicas": 2}, functools.partial(_available, component))
        for part, component in (("dagProcessor", "dag-processor"), ("scheduler", "scheduler"), ("triggerer", "triggerer"))
    ),
    Case("say how many API servers may be away",
         {"apiServer.replicas": 3, "apiServer.podDisruptionBudget.config": {"minAvailable": "50%", "maxUnavailable": None}},
         lambda f: {k: v for k, v in f.find("PodDisruptionBudget", "airspark-api-server-pdb")["spec"].items() if k != "selector"}
         == {"minAvailable": "50%"}),
    Case("make no disruption budget", {"scheduler.replicas": 2, "scheduler.podDisruptionBudget.enabled": False},
         lambda f: "airspark-scheduler-pdb" not in f.names("PodDisruptionBudget")),
]  # fmt: skip
TOPICS = {
    "safeToEvict": ("workers.safeToEvict",),
    "secret": ("workers.sparkSecret",),
    "launcher": ("workers.kubernetes.launcher", "workers.kubernetes.podTemplates.submit"),
    "scheduler": ("scheduler",),
    "users": ("createUserJob.defaultUser", "createUserJob.enabled"),
    "api-server": ("apiServer.hpa", "apiServer.replicas"),
    "config": ("apiServer.apiServerConfig", "apiServer.apiServerConfigConfigMapName"),
    "triggerer": ("triggerer",),
    "spark": ("sparkClient",),
    "templates": ("podTemplate", "workers.resources", "workers.kubernetes.podTemplates.spark-driver"),
}
TOGETHER = Cases(CASES, TOPICS)


@pytest.mark.parametrize("title", sorted(TOGETHER.by_title))
def should_do_what_its_description_says(title: str) -> None:
    TOGETHER.check(title)
