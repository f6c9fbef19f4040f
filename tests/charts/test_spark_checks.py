"""Values of charts/spark that fit the schema and still cannot work: each is refused with one sentence that names the key."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from batches import Paths, over, values
from rendering import RenderError, nested, text

BASE: Paths = {"historyServer.enabled": True, "mounts.events.claim": "events"}


class Check(NamedTuple):
    """A check: values that are refused, what is said, and values over them that mend it."""

    wrong: dict[str, Any]
    said: str
    mended: dict[str, Any]


GROUP = "workers.groups.spot"
HPA = {"worker.autoscaling.enabled": True}
BEARER = "-Dspark.authenticate.secret=x"
CHECKS = {
    "an open submission server beside a secret": Check(
        {"master.rest.enabled": True, "master.rest.jws.enabled": False},
        "master.rest.enabled: Spark's submission server does not ask for the secret of spark.authenticate, so anybody who reaches"
        " port 6066 could run code in the cluster; leave `master.rest.jws.enabled` on",
        {"master.rest.jws.enabled": True},
    ),
    "an open submission server without a secret": Check(
        {"master.rest.enabled": True, "master.rest.jws.enabled": False, "security.rpc.authenticationEnabled": False},
        "master.rest.enabled: anybody who reaches port 6066 could run code in the cluster",
        {"master.rest.enabled": False},
    ),
    "a recovery mode beside the chart's": Check(
        {"sparkConf": {"spark.deploy.recoveryMode": "ZOOKEEPER"}},
        "sparkConf: spark.deploy.recoveryMode is the chart's to set; use `master.recoveryMode`",
        {"sparkConf": {"spark.deploy.recoveryTimeout": "9s"}},
    ),
    "a recovery folder beside the chart's": Check(
        {"sparkConf": {"spark.deploy.recoveryDirectory": "/x"}},
        "sparkConf: spark.deploy.recoveryDirectory is the chart's to set; use `master.recoveryMode`",
        {"sparkConf": {}},
    ),
    "a secret in a ConfigMap": Check(
        {"sparkConf": {"spark.authenticate.secret": "x"}},
        "sparkConf: spark.authenticate.secret looks like a secret, and everybody who may read ConfigMaps would read it; bring it",
        {"sparkConf": {"spark.authenticate": "true"}},
    ),
    "a password in the history server's ConfigMap": Check(
        {"historyServer.sparkConf": {"spark.ssl.keyPassword": "x"}},
        "historyServer.sparkConf: spark.ssl.keyPassword looks like a secret",
        {"historyServer.sparkConf": {}},
    ),
    **{
        f"a secret in {key}": Check(
            {key: f"-Da=b {BEARER}"}, f"{key}: it holds what looks like a secret, and everybody who may read pods", {key: "-Da=b"}
        )
        for key in ("master.configOptions", "worker.configOptions", "worker.javaOptions", f"{GROUP}.javaOptions")
    },
    "cores of a limit that is not there": Check(
        {"worker.coreLimit": ""},
        "worker.coreLimit: empty takes the container's CPU limit, and `worker.resources.limits.cpu` is not set, so a worker would"
        " offer every core of its node; set one of the two",
        {"worker.resources.limits.cpu": "2"},
    ),
    "a group's cores of a limit that is not there": Check(
        {f"{GROUP}.coreLimit": ""},
        f"{GROUP}.coreLimit: empty takes the container's CPU limit",
        {f"{GROUP}.resources.limits.cpu": "2"},
    ),
    "memory of a limit that is not there": Check(
        {"worker.resources.limits.memory": None},
        "worker.memoryLimit: empty takes a part of the container's memory limit, and `worker.resources.limits.memory` is not set",
        {"worker.memoryLimit": "1g"},
    ),
    "fewest above most": Check(
        {**HPA, "worker.autoscaling.minReplicas": 6},
        "worker.autoscaling: minReplicas 6 is more than maxReplicas 5",
        {"worker.autoscaling.maxReplicas": 6},
    ),
    "nothing to scale by": Check(
        {**HPA, "worker.autoscaling.targetCPU": ""},
        "worker.autoscaling: there is nothing to scale by; set `targetCPU`, `targetMemory` or both",
        {"worker.autoscaling.targetMemory": 70},
    ),
    "a group's name that is no name": Check(
        {"workers.groups": {"Spot_1": {}}},
        "workers.groups.Spot_1: the name becomes part of names and a label; use lower-case letters, digits and dashes",
        {"workers.groups": {"Spot_1": None, "spot-1": {}}},
    ),
    "a group that would be `worker`": Check(
        {"workers.groups": {"default": {}}},
        "workers.groups.default: the name becomes part of names and a label; use lower-case letters, digits and dashes, and not",
        {"workers.groups": {"default": None}},
    ),
    "a name without room for pods": Check(
        {"fullnameOverride": "a" * 40},
        f"worker: the name {'a' * 40}-spark-worker- leaves no room for the names of pods; use a shorter release name or group",
        {"fullnameOverride": "a" * 38},
    ),
    "a group's name without room for pods": Check(
        {"workers.groups": {"a" * 40: {}}},
        f"workers.groups.{'a' * 40}: the name airspark-spark-worker-{'a' * 40} leaves no room for the names of pods",
        {"workers.groups": {"a" * 40: None, "a" * 20: {}}},
    ),
}


def _refusal(paths: Paths) -> str:
    """Return what is said about values, or nothing if they are accepted."""
    try:
        text(values(over(BASE, paths)), chart="spark")
    except RenderError as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("name", CHECKS)
def should_refuse_with_a_sentence_and_pass_if_it_is_mended(name: str) -> None:
    check = CHECKS[name]
    refusal = _refusal(check.wrong)
    assert "validate.yaml" in refusal, refusal or "accepted"
    assert [line for line in refusal.splitlines() if line.startswith(check.said)], refusal
    assert not _refusal(over(check.wrong, check.mended))


def should_say_everything_that_is_wrong_at_once() -> None:
    wrong = {"sparkConf": {"a.password": "x"}, "worker.coreLimit": "", "service.type": "LoadBalancer"}
    refusal = _refusal(wrong)
    assert [line.split(":")[0] for line in refusal.splitlines() if ": " in line][1:] == [
        "service",
        "sparkConf",
        "worker.coreLimit",
    ]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("workers.groups.spot.replicas", 3, "at '/workers/groups/spot': additional properties 'replicas' not allowed"),
        ("workers.groups.spot.memoryLimit", "lots", "at '/workers/groups/spot/memoryLimit'"),
        ("master.recoveryMode", "ZOOKEEPER", "at '/master/recoveryMode': value must be one of 'ROCKSDB', 'FILESYSTEM'"),
        ("worker.podManagementPolicy", "Random", "at '/worker/podManagementPolicy': value must be one of"),
        ("worker.autoscaling.targetCPU", 101, "at '/worker/autoscaling/targetCPU'"),
        ("worker.scratch.size", "much", "at '/worker/scratch/size'"),
        ("historyServer.updateInterval", "often", "at '/historyServer/updateInterval': 'often' does not match pattern"),
        ("master.containerPorts.http", 70000, "at '/master/containerPorts/http': maximum"),
    ],
)
def should_name_the_key_of_a_value_that_has_the_wrong_form(path: str, value: Any, said: str) -> None:
    with pytest.raises(RenderError) as refusal:
        text(nested(path, value), chart="spark")
    assert said in str(refusal.value)
