"""Batch schedulers, which place all pods of an application at once: Volcano, YuniKorn, the scheduler plugins' coscheduling."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airspark_operator import kinds, memory, names, spec
from airspark_operator.kinds import Object

VOLCANO, YUNIKORN, COSCHEDULING = "volcano", "yunikorn", "kube-scheduler"
DRIVER_GROUP, EXECUTOR_GROUP = "spark-driver", "spark-executor"


def options(app: Object) -> Object:
    """Return `spec.batchSchedulerOptions`."""
    found: Object = app["spec"].get("batchSchedulerOptions") or {}
    return found


def pod_labels(app: Object) -> dict[str, str]:
    """Return labels of all pods of an application."""
    scheduler, queue = app["spec"].get("batchScheduler"), options(app).get("queue")
    if scheduler == YUNIKORN and queue:
        return {"queue": queue}
    if scheduler == COSCHEDULING:
        return {"scheduling.x-k8s.io/pod-group": names.pod_group_name(app)}
    return {}


def pod_annotations(app: Object, role: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Return annotations of a role's pods."""
    scheduler = app["spec"].get("batchScheduler")
    if scheduler == VOLCANO:
        return {"scheduling.k8s.io/group-name": names.pod_group_name(app)}
    if scheduler != YUNIKORN:
        return {}
    found = {"yunikorn.apache.org/task-group-name": DRIVER_GROUP if role == kinds.DRIVER else EXECUTOR_GROUP}
    if role == kinds.DRIVER:
        found["yunikorn.apache.org/task-groups"] = json.dumps(_task_groups(app, conf))
    return found


def _task_groups(app: Object, conf: Mapping[str, str]) -> list[Object]:
    """Return YuniKorn's gangs: the driver, and the executors that start."""
    groups = []
    for role, name, count in ((kinds.DRIVER, DRIVER_GROUP, 1), (kinds.EXECUTOR, EXECUTOR_GROUP, _instances(conf))):
        own = spec.of(app, role)
        group: Object = {"name": name, "minMember": count, "minResource": _needs(app, role, conf)}
        nodes = (app["spec"].get("nodeSelector") or {}) | (own.get("nodeSelector") or {})
        group |= {key: value for key, value in (("nodeSelector", nodes), ("tolerations", own.get("tolerations"))) if value}
        if count:
            groups.append(group)
    return groups


def _instances(conf: Mapping[str, str]) -> int:
    """Return how many executors there are at the start (Spark's SchedulerBackendUtils)."""
    keys = ["spark.executor.instances"]
    if conf.get("spark.dynamicAllocation.enabled", "").lower() == "true":
        keys += ["spark.dynamicAllocation.initialExecutors", "spark.dynamicAllocation.minExecutors"]
    return max((int(conf[key]) for key in keys if conf.get(key, "").isdigit()), default=0)


def _needs(app: Object, role: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Return what one pod of a role needs."""
    cpu = conf.get(f"spark.kubernetes.{role}.request.cores") or conf.get(f"spark.{role}.cores", "1")
    return {"cpu": cpu, "memory": f"{memory.of(role, conf, spec.language(app))}Mi"}


def objects(app: Object, submission_id: str) -> list[Object]:
    """Return the group of pods, for the schedulers that want one as an object."""
    scheduler, chosen = app["spec"].get("batchScheduler"), options(app)
    wanted: Object = {"minMember": 1}
    if chosen.get("resources"):
        wanted["minResources"] = chosen["resources"]
    if scheduler == VOLCANO:
        wanted |= {key: chosen[key] for key in ("queue", "priorityClassName") if chosen.get(key)}
        version = "scheduling.volcano.sh/v1beta1"
    elif scheduler == COSCHEDULING:
        version = "scheduling.x-k8s.io/v1alpha1"
    else:
        return []
    metadata = spec.metadata(app, names.pod_group_name(app), submission_id)
    return [{"apiVersion": version, "kind": "PodGroup", "metadata": metadata, "spec": wanted}]
