"""The chart of the SparkApplication controller: what it tells the controller, whom it gives which rights, what it refuses."""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

import pytest
import yaml
from batches import Paths, over, values
from rendering import CHARTS, Object, RenderError, find, nested, pods, render, text

from airspark_operator.settings import from_object

KINDS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount", "NetworkPolicy")
REFUSED = yaml.safe_load((CHARTS / "spark-operator/files/refused-keys.yaml").read_text())


def rendered(paths: Paths | None = None) -> list[Object]:
    """Render the chart alone."""
    return render(values(paths or {}), chart="spark-operator")


def settings(paths: Paths | None = None) -> Any:
    """Return what the controller reads."""
    return from_object(json.loads(find(rendered(paths), "ConfigMap", "airspark-spark-operator")["data"]["settings.json"]))


def rights(paths: Paths | None = None) -> set[tuple[str, str, str]]:
    """Return kind, namespace and name of every object about rights."""
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
        for item in rendered(paths)
        if item["kind"] in KINDS[:4] and not item["metadata"]["name"].endswith("-lease")
    }


@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("controller.workers", 3, lambda told: told.workers == 3),
        ("controller.resyncSeconds", 7, lambda told: told.resync == 7),
        ("controller.containerPort", 9000, lambda told: told.port == 9000),
        ("controller.maxTrackedExecutorPerApp", 5, lambda told: told.max_tracked_executors == 5),
        ("controller.missedRunDeadlineSeconds", 60, lambda told: told.missed_run_deadline == 60),
        ("controller.logLevel", "debug", lambda told: told.log_level == "debug"),
        ("controller.logEncoder", "console", lambda told: told.log_format == "plain"),
        ("controller.logEncoder", "json", lambda told: told.log_format == "json"),
        ("controller.leaderElection.enable", False, lambda told: not told.election.enabled),
        ("controller.leaderElection.leaseDurationSeconds", 60, lambda told: told.election.lease_duration == 60),
        ("controller.leaderElection.renewDeadlineSeconds", 12, lambda told: told.election.renew_deadline == 12),
        ("controller.leaderElection.retryPeriodSeconds", 3, lambda told: told.election.retry_period == 3),
        ("controller.uiService.enable", False, lambda told: not told.defaults.ui_service),
        ("controller.uiIngress", {"enable": False, "urlFormat": "x.y"}, lambda told: told.defaults.ingress_url_format == ""),
        ("controller.uiIngress", {"enable": True, "urlFormat": "x.y"}, lambda told: told.defaults.ingress_url_format == "x.y"),
        ("controller.uiIngress.ingressClassName", "nginx", lambda told: told.defaults.ingress_class == "nginx"),
        ("spark.defaults.image", "own:1", lambda told: told.defaults.image == "own:1"),
        ("spark.defaults.image", "", lambda told: told.defaults.image == "airspark/spark:0.1.0"),
        ("spark.defaults.sparkConf", {"a": "b"}, lambda told: told.defaults.spark_conf["a"] == "b"),
        ("spark.defaults.clusterDomain", "corp", lambda told: told.defaults.cluster_domain == "corp"),
        ("spark.serviceAccount.name", "mine", lambda told: told.defaults.service_account == "mine"),
        ("spark.serviceAccount.create", False, lambda told: told.defaults.service_account == "default"),
        ("spark.defaults.podSecurityContext.runAsUser", 7, lambda told: told.defaults.pod_security_context["runAsUser"] == 7),
        (
            "spark.defaults.containerSecurityContext.readOnlyRootFilesystem",
            True,
            lambda told: told.defaults.container_security_context["readOnlyRootFilesystem"] is True,
        ),
        ("spark.jobNamespaces", [], lambda told: told.namespaces == ("airspark",)),
        ("spark.jobNamespaces", ["a", "b"], lambda told: told.namespaces == ("a", "b")),
        ("spark.jobNamespaces", ["", "a"], lambda told: told.namespaces == ()),
    ],
)
def should_tell_the_controller_what_a_value_says(path: str, value: Any, seen: Any) -> None:
    assert seen(settings({path: value}))


def should_restart_the_controller_if_what_it_reads_changes() -> None:
    def checksum(paths: Paths) -> str:
        return str(pods(rendered(paths))["spark-operator"]["metadata"]["annotations"]["checksum/settings"])

    assert checksum({}) == checksum({"controller.podLabels": {"a": "b"}})
    assert checksum({}) != checksum({"controller.workers": 3})


def should_have_pods_of_applications_pass_pod_security_restricted() -> None:
    told = settings().defaults
    assert (told.pod_security_context["runAsNonRoot"], told.pod_security_context["runAsUser"]) == (True, 185)
    assert (told.pod_security_context["fsGroup"], told.pod_security_context["runAsGroup"]) == (0, 0)
    assert told.pod_security_context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert told.container_security_context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


NAMES = ("airspark-spark-operator", "airspark-spark-operator-driver")


def should_give_rights_in_its_own_namespace_alone_by_default() -> None:
    assert rights() == {(kind, "airspark", name) for kind in ("Role", "RoleBinding") for name in NAMES}


def should_give_rights_in_each_namespace_that_is_named() -> None:
    found = rights({"spark.jobNamespaces": ["a", "b"]})
    assert found == {(kind, space, name) for kind in ("Role", "RoleBinding") for space in "ab" for name in NAMES}
    objects = rendered({"spark.jobNamespaces": ["a", "b"]})
    accounts = {(i["metadata"].get("namespace"), i["metadata"]["name"]) for i in objects if i["kind"] == "ServiceAccount"}
    assert accounts == {("a", NAMES[1]), ("b", NAMES[1]), (None, NAMES[0])}
    binding = next(i for i in objects if i["kind"] == "RoleBinding" and i["metadata"]["name"] == NAMES[0])
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAMES[0], "namespace": "airspark"}]
    policies = {i["metadata"].get("namespace") for i in objects if i["metadata"]["name"] == "airspark-spark-applications-policy"}
    assert policies == {"a", "b"}


def should_give_the_controller_a_clusterrole_and_drivers_a_role_if_every_namespace_is_meant() -> None:
    found = rights({"spark.jobNamespaces": [""]})
    cluster = {(kind, "", "airspark-airspark-spark-operator") for kind in ("ClusterRole", "ClusterRoleBinding")}
    assert found == cluster | {(kind, "airspark", NAMES[1]) for kind in ("Role", "RoleBinding")}


def should_make_no_rights_and_accounts_that_somebody_else_makes() -> None:
    assert rights({"controller.rbac.create": False, "spark.rbac.create": False}) == set()
    own = {"controller.serviceAccount.create": False, "spark.serviceAccount.create": False}
    assert not [item for item in rendered(own) if item["kind"] == "ServiceAccount"]
    named = {**own, "controller.serviceAccount.name": "boss", "spark.serviceAccount.name": "worker"}
    assert pods(rendered(named))["spark-operator"]["spec"]["serviceAccountName"] == "boss"
    assert settings(named).defaults.service_account == "worker"


def should_let_nobody_list_or_read_secrets() -> None:
    for item in rendered({"spark.jobNamespaces": [""]}):
        for rule in item.get("rules") or []:
            assert "secrets" not in rule["resources"] and "*" not in [*rule["resources"], *rule["verbs"]]


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1), (3, 1)])
def should_protect_a_leader_from_evictions_if_another_can_take_over(replicas: int, budgets: int) -> None:
    objects = rendered({"controller.replicas": replicas})
    assert len([item for item in objects if item["kind"] == "PodDisruptionBudget"]) == budgets


def should_show_applications_to_nobody_by_default_and_to_viewers_or_behind_an_ingress() -> None:
    def ports(paths: Paths) -> list[int]:
        policy = find(rendered(paths), "NetworkPolicy", "airspark-spark-applications-policy")
        return [port["port"] for rule in policy["spec"]["ingress"] for port in rule.get("ports", [])]

    assert ports({}) == []
    assert ports({"networkPolicies.viewers": [{"podSelector": {}}]}) == [4040]
    assert ports({"controller.uiIngress": {"enable": True, "urlFormat": "{{$appName}}.example.com"}}) == [4040]
    assert ports({"networkPolicies.scrapers": [{"podSelector": {}}]}) == [4040, 8090]


class Check(NamedTuple):
    """Values that are refused, what is said, and values over them that mend it."""

    wrong: dict[str, Any]
    said: str
    mended: dict[str, Any]


CHECKS = {
    "two controllers without an election": Check(
        {"controller.replicas": 2, "controller.leaderElection.enable": False},
        "controller.replicas: 2 controllers without an election would each submit every application",
        {"controller.replicas": 1},
    ),
    "a lease that ends before its leader gives up": Check(
        {"controller.leaderElection.leaseDurationSeconds": 10},
        "controller.leaderElection: a leader must give up before another takes over",
        {"controller.leaderElection.leaseDurationSeconds": 11},
    ),
    "an Ingress without an address": Check(
        {"controller.uiIngress.enable": True},
        "controller.uiIngress.urlFormat: names no address; set it, for example {{$appName}}.example.com",
        {"controller.uiIngress.urlFormat": "{{$appName}}.example.com"},
    ),
    "an Ingress without a Service": Check(
        {"controller.uiIngress": {"enable": True, "urlFormat": "x.y"}, "controller.uiService.enable": False},
        "controller.uiIngress.enable: an Ingress needs the Service behind it",
        {"controller.uiService.enable": True},
    ),
    "a secret in a ConfigMap": Check(
        {"spark.defaults.sparkConf": {"spark.hadoop.fs.s3a.secret.key": "x"}},
        "spark.defaults.sparkConf: spark.hadoop.fs.s3a.secret.key looks like a secret",
        {"spark.defaults.sparkConf": {}},
    ),
    "a property of the controller": Check(
        {"spark.defaults.sparkConf": {"spark.master": "local"}},
        "spark.defaults.sparkConf: spark.master is the controller's to set",
        {"spark.defaults.sparkConf": {"spark.sql.shuffle.partitions": "8"}},
    ),
}


@pytest.mark.parametrize("case", CHECKS)
def should_refuse_what_cannot_work_with_a_sentence(case: str) -> None:
    check = CHECKS[case]
    with pytest.raises(RenderError) as refusal:
        text(values(check.wrong), chart="spark-operator")
    assert check.said in str(refusal.value)
    text(values(over(check.wrong, check.mended)), chart="spark-operator")


EXAMPLES: dict[str, Any] = {
    "webhook": {"enable": True, "port": 9443},
    "certManager": {"enable": True},
    "hook": {"upgradeCrd": True},
    "prometheus": {"metrics": {"enable": True, "port": 8080}},
    "commonLabels": {"a": "b"},
    "image.pullSecrets": [{"name": "a"}],
    "controller.labels": {"a": "b"},
    "controller.annotations": {"a": "b"},
    "controller.rbac.annotations": {"a": "b"},
    "spark.rbac.annotations": {"a": "b"},
    "controller.podSecurityContext": {"fsGroup": 7},
    "controller.securityContext": {"runAsUser": 7},
    "controller.batchScheduler": {"enable": True},
    "controller.workqueueRateLimiter": {"bucketQPS": 50},
    "controller.pprof": {"enable": True},
    "controller.driverPodDisruptionBudget": {"enable": True},
}
KEYS = {key: group["say"] for group in REFUSED for key in group["keys"]}


@functools.cache
def _said() -> str:
    with pytest.raises(RenderError) as refusal:
        text(values({key: EXAMPLES.get(key, "mine") for key in KEYS}), chart="spark-operator")
    return str(refusal.value)


@pytest.mark.parametrize("key", KEYS)
def should_say_what_to_do_instead_of_a_key_of_kubeflows_chart(key: str) -> None:
    assert any(line.endswith(f": {KEYS[key]}") and key in line.split(": ")[0].split(", ") for line in _said().splitlines())


def should_let_a_kubeflow_values_file_pass_whose_parts_are_switched_off() -> None:
    copied = {"webhook": {"enable": False, "enabled": False}, "image": {"registry": "ghcr.io"}, "commonLabels": {}}
    text(copied, chart="spark-operator")


def should_be_left_out_of_the_platform_for_kubeflows_operator() -> None:
    objects = render(nested("sparkOperator.enabled", False))
    assert not [item for item in objects if "spark-operator" in item["metadata"]["name"]]
    rules = find(objects, "Role", "airspark-launcher-role")["rules"]
    assert any("sparkapplications" in rule["resources"] for rule in rules), "Airflow still submits"
