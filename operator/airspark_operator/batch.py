"""Batch schedulers, which place all pods of an application at once: Volcano, YuniKorn, the scheduler plugins' coscheduling."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airspark_operator import beside, kinds, names, needs, placeholders, pods, spec
from airspark_operator import conf as properties
from airspark_operator.kinds import Object

VOLCANO, YUNIKORN, COSCHEDULING = "volcano", beside.YUNIKORN, "kube-scheduler"
DRIVER_GROUP, EXECUTOR_GROUP = "spark-driver", "spark-executor"
#: What says to which group of Volcano a pod belongs.
VOLCANO_GROUP = "scheduling.k8s.io/group-name"
POD_GROUP_LABEL = "scheduling.x-k8s.io/pod-group"
#: Where a pod names its group, by the schedulers that have groups as objects.
GROUPS = {VOLCANO: ("annotations", VOLCANO_GROUP), COSCHEDULING: ("labels", POD_GROUP_LABEL)}


def options(app: Object) -> Object:
    """Return `spec.batchSchedulerOptions`."""
    found: Object = app["spec"].get("batchSchedulerOptions") or {}
    return found


def group(app: Object, role: str, conf: Mapping[str, str]) -> str:
    """Return the group of pods that a role's belong to: one of the application's own, which the driver leads, or the made one.

    Args:
        app: the SparkApplication, with a batch scheduler of `GROUPS`.
        role: `driver` or `executor`.
        conf: Spark's properties.
    """
    return _own_group(app, role, conf) or _own_group(app, kinds.DRIVER, conf) or names.pod_group_name(app)


def _own_group(app: Object, role: str, conf: Mapping[str, str]) -> str:
    """Return the group that a role's fields, template or properties name; empty for none."""
    field, key = GROUPS[app["spec"]["batchScheduler"]]
    of_conf = properties.prefixed(conf, f"spark.kubernetes.{role}.{field.removesuffix('s')}.")
    found = of_conf | beside.texts(app, role, field)
    return placeholders.filled({key: found.get(key, "")}, conf["spark.app.id"])[key]


def pod_labels(app: Object, role: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Return labels of a role's pods, which go before those of fields."""
    scheduler = app["spec"].get("batchScheduler")
    return {POD_GROUP_LABEL: group(app, role, conf)} if scheduler == COSCHEDULING else beside.queue(app)


def pod_annotations(app: Object, role: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Return annotations of a role's pods.

    Raises:
        spec.Invalid: if an amount that a pod needs cannot be read.
    """
    scheduler = app["spec"].get("batchScheduler")
    if scheduler == VOLCANO:
        return {VOLCANO_GROUP: group(app, role, conf)}
    if scheduler != YUNIKORN:
        return {}
    found = {"yunikorn.apache.org/task-group-name": DRIVER_GROUP if role == kinds.DRIVER else EXECUTOR_GROUP}
    if role == kinds.DRIVER:
        found["yunikorn.apache.org/task-groups"] = json.dumps(_task_groups(app, conf))
    return found


def _task_groups(app: Object, conf: Mapping[str, str]) -> list[Object]:
    """Return YuniKorn's gangs: the driver, and the executors that start.

    A placeholder is put where the pod itself may run, and counts against the same quotas by its labels.
    """
    groups = []
    for role, name, count in ((kinds.DRIVER, DRIVER_GROUP, 1), (kinds.EXECUTOR, EXECUTOR_GROUP, instances(conf))):
        own, given = spec.of(app, role), spec.template(app, role)
        places = {
            "nodeSelector": pods.nodes(app, role, conf),
            "tolerations": [*(given.get("tolerations") or []), *(own.get("tolerations") or [])],
            "affinity": own.get("affinity") or given.get("affinity"),
            # a placeholder stands for every executor, so any number will do
            "labels": placeholders.filled(own.get("labels") or {}, conf["spark.app.id"], "" if role == kinds.DRIVER else "0"),
        }
        group: Object = {"name": name, "minMember": count, "minResource": needs.text(_needs(app, role, conf))}
        if count:
            groups.append(group | {key: value for key, value in places.items() if value})
    return groups


def instances(conf: Mapping[str, str]) -> int:
    """Return how many executors there are at the start (Spark's SchedulerBackendUtils)."""
    keys = ["spark.executor.instances"]
    if conf.get("spark.dynamicAllocation.enabled", "").strip().lower() == "true":
        keys += ["spark.dynamicAllocation.initialExecutors", "spark.dynamicAllocation.minExecutors"]
    numbers = (properties.whole(conf.get(key, "")) for key in keys)
    return max((number for number in numbers if number is not None), default=0)


def _needs(app: Object, role: str, conf: Mapping[str, str]) -> needs.Amounts:
    """Return what one pod of a role needs."""
    return needs.of_pod(app, role, conf, pods.containers(app, role), pods.init_containers(app, role))


def least(app: Object, conf: Mapping[str, str]) -> dict[str, str]:
    """Return what the driver and the executors that start need together.

    Raises:
        spec.Invalid: if an amount cannot be read.
    """
    executors = needs.times(_needs(app, kinds.EXECUTOR, conf), instances(conf))
    return needs.text(needs.summed([_needs(app, kinds.DRIVER, conf), executors]))


def objects(app: Object, submission_id: str, conf: Mapping[str, str]) -> list[Object]:
    """Return the group of pods, for the schedulers that want one as an object.

    It begins with one member, the driver, which makes the others; its resources are those of all, so that no driver is
    placed whose executors have no room.

    Raises:
        spec.Invalid: if an amount that a pod needs cannot be read.
    """
    scheduler, chosen = app["spec"].get("batchScheduler"), options(app)
    wanted: Object = {"minMember": 1}
    if scheduler in GROUPS and _own_group(app, kinds.DRIVER, conf):
        return []  # the application has a group of its own
    if scheduler == VOLCANO:
        wanted |= {key: chosen[key] for key in ("queue", "priorityClassName") if chosen.get(key)}
        version = "scheduling.volcano.sh/v1beta1"
    elif scheduler == COSCHEDULING:
        version = "scheduling.x-k8s.io/v1alpha1"
    else:
        return []
    wanted["minResources"] = chosen.get("resources") or least(app, conf)
    metadata = spec.metadata(app, names.pod_group_name(app), submission_id)
    return [{"apiVersion": version, "kind": "PodGroup", "metadata": metadata, "spec": wanted}]
