"""What the keys do that every component has, component by component."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import yaml
from batches import Paths, over, values
from leaves import LEAVES, ON
from rendering import LOADER, Object, env, render


class Part(NamedTuple):
    """A part of the values and the objects that it makes."""

    path: str
    component: str
    kind: str
    container: str


class Found(NamedTuple):
    """What a part's values made."""

    workload: Object
    pod: Object
    container: Object
    account: Object


PARTS = [
    Part("apiServer", "api-server", "Deployment", "api-server"),
    Part("scheduler", "scheduler", "Deployment", "scheduler"),
    Part("dagProcessor", "dag-processor", "Deployment", "dag-processor"),
    Part("triggerer", "triggerer", "StatefulSet", "triggerer"),
    Part("statsd", "statsd", "Deployment", "statsd"),
    Part("pgbouncer", "pgbouncer", "Deployment", "pgbouncer"),
    Part("cleanup", "cleanup", "CronJob", "airflow-cleanup-pods"),
    Part("databaseCleanup", "database-cleanup", "CronJob", "database-cleanup"),
    Part("backup", "backup", "CronJob", "backup"),
    Part("bootstrap", "bootstrap", "Job", "bootstrap"),
    Part("workers.kubernetes", "worker", "pod_template_file", "base"),
    Part("workers.kubernetes.podTemplates.mine", "worker", "mine", "base"),
    # These share their objects with one above, and so need renders of their own.
    Part("workers", "worker", "pod_template_file", "base"),
    Part("createUserJob", "bootstrap", "Job", "bootstrap"),
    Part("migrateDatabaseJob", "bootstrap", "Job", "bootstrap"),
]
ROUNDS = {"workers": 1, "createUserJob": 1, "migrateDatabaseJob": 2}
NAMED = "workers.kubernetes.podTemplates.mine"


class Key(NamedTuple):
    """A key that many parts have: its value for a part, what it does, and how that is found."""

    name: str
    value: Callable[[str], Any]
    effect: str
    shows: Callable[[Found, str], Any]


def _item(items: list[Object] | None, name: str) -> Object:
    """Return the item of a list with this name, or nothing."""
    return next((item for item in items or [] if item.get("name") == name), {})


def _annotations(item: Object) -> Object:
    return dict(item["metadata"].get("annotations", {}))


def _waits(found: Found) -> Object:
    return _item(found.pod["spec"]["initContainers"], "wait-for-airflow-migrations")


WHO = "{{ .Release.Name }}"
KEYS = [
    Key("annotations", lambda p: {"example.org/a": f"{p}-{WHO}"}, "annotate the workload, as a template",
        lambda f, p: _annotations(f.workload)["example.org/a"] == f"{p}-airspark"),
    Key("podAnnotations", lambda p: {"example.org/b": f"{p}-{WHO}"}, "annotate the pod, as a template",
        lambda f, p: _annotations(f.pod)["example.org/b"] == f"{p}-airspark"),
    Key("labels", lambda p: {"team": p}, "label workload and pod",
        lambda f, p: f.workload["metadata"]["labels"]["team"] == f.pod["metadata"]["labels"]["team"] == p),
    Key("safeToEvict", lambda p: True, "say whether an autoscaler may evict the pod",
        lambda f, p: _annotations(f.pod)["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"),
    Key("nodeSelector", lambda p: {"pool": p}, "select the pod's nodes beside the global selector",
        lambda f, p: f.pod["spec"]["nodeSelector"] == {"arch": "all", "pool": p}),
    Key("affinity", lambda p: {"podAffinity": {"x": p}}, "take the place of the global affinity",
        lambda f, p: f.pod["spec"]["affinity"] == {"podAffinity": {"x": p}}),
    Key("tolerations", lambda p: [{"key": p, "operator": "Exists"}], "take the place of the global tolerations",
        lambda f, p: f.pod["spec"]["tolerations"] == [{"key": p, "operator": "Exists"}]),
    Key("topologySpreadConstraints", lambda p: [{"topologyKey": p}], "spread the pods",
        lambda f, p: f.pod["spec"]["topologySpreadConstraints"] == [{"topologyKey": p}]),
    Key("schedulerName", lambda p: f"by-{p}", "have the pod placed by another scheduler",
        lambda f, p: f.pod["spec"]["schedulerName"] == f"by-{p}"),
    Key("priorityClassName", lambda p: f"class-{p}", "give the pod a priority class",
        lambda f, p: f.pod["spec"]["priorityClassName"] == f"class-{p}"),
    Key("runtimeClassName", lambda p: f"runtime-{p}", "run the pod in a runtime class",
        lambda f, p: f.pod["spec"]["runtimeClassName"] == f"runtime-{p}"),
    Key("hostAliases", lambda p: [{"ip": "10.0.0.1", "hostnames": [p]}], "write entries into the pod's /etc/hosts",
        lambda f, p: f.pod["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": [p]}]),
    Key("terminationGracePeriodSeconds", lambda p: 77, "give the pod time to stop",
        lambda f, p: f.pod["spec"]["terminationGracePeriodSeconds"] == 77),
    Key("securityContext", lambda p: {"fsGroup": 4711}, "change the pod's security context, under the older name",
        lambda f, p: f.pod["spec"]["securityContext"]["fsGroup"] == 4711 and f.pod["spec"]["securityContext"]["runAsNonRoot"]),
    Key("securityContexts.pod", lambda p: {"supplementalGroups": [4712]}, "be merged over the pod's security context",
        lambda f, p: f.pod["spec"]["securityContext"]["supplementalGroups"] == [4712]),
    Key("securityContexts.container", lambda p: {"capabilities": {"add": [p]}}, "be merged over the container's security context",
        lambda f, p: f.container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": [p]}),
    Key("containerLifecycleHooks", lambda p: {"preStop": {"exec": {"command": [f"{p}-{WHO}"]}}}, "hook into the container's life",
        lambda f, p: f.container["lifecycle"] == {"preStop": {"exec": {"command": [f"{p}-airspark"]}}}),
    Key("command", lambda p: [f"{p}-{WHO}"], "take the place of the image's entrypoint, as a template",
        lambda f, p: f.container["command"] == [f"{p}-airspark"]),
    Key("args", lambda p: [f"{p}-{WHO}"], "take the place of the arguments, as a template",
        lambda f, p: f.container["args"] == [f"{p}-airspark"]),
    Key("env", lambda p: [{"name": "ONLY", "value": p}], "add to the container's environment",
        lambda f, p: env(f.container)["ONLY"] == p),
    Key("resources", lambda p: {"requests": {"memory": "77Mi"}, "limits": {"cpu": "7"}}, "change the container's resources",
        lambda f, p: [f.container["resources"][k][v] for k, v in (("requests", "memory"), ("limits", "cpu"))] == ["77Mi", "7"]),
    Key("extraContainers", lambda p: [{"name": f"more-{p}-{WHO}"}], "add containers after the main one, as templates",
        lambda f, p: bool(_item(f.pod["spec"]["containers"][1:], f"more-{p}-airspark"))),
    Key("extraInitContainers", lambda p: [{"name": f"init-{p}-{WHO}"}], "add init containers after the chart's own",
        lambda f, p: f.pod["spec"]["initContainers"][-1]["name"] == f"init-{p}-airspark"),
    Key("extraVolumes", lambda p: [{"name": f"volume-{WHO}", "emptyDir": {"sizeLimit": "7Mi"}}], "add volumes, as templates",
        lambda f, p: _item(f.pod["spec"]["volumes"], "volume-airspark")["emptyDir"] == {"sizeLimit": "7Mi"}),
    Key("extraVolumeMounts", lambda p: [{"name": f"volume-{WHO}", "mountPath": f"/{p}"}], "add mounts, as templates",
        lambda f, p: _item(f.container["volumeMounts"], "volume-airspark")["mountPath"] == f"/{p}"),
    Key("serviceAccount.name", lambda p: f"account-{p}".lower().replace(".", "-"), "name the account of the pod",
        lambda f, p: f.pod["spec"]["serviceAccountName"] == f"account-{p}".lower().replace(".", "-")),
    Key("serviceAccount.annotations", lambda p: {"example.org/role": f"{p}-{WHO}"}, "annotate the account, as a template",
        lambda f, p: _annotations(f.account)["example.org/role"] == f"{p}-airspark"),
    Key("replicas", lambda p: 3, "say how many pods there are", lambda f, p: f.workload["spec"]["replicas"] == 3),
    Key("revisionHistoryLimit", lambda p: 7, "say how many old ReplicaSets are kept",
        lambda f, p: f.workload["spec"]["revisionHistoryLimit"] == 7),
    Key("strategy", lambda p: {"type": "Recreate"}, "say how a Deployment replaces its pods",
        lambda f, p: f.workload["spec"]["strategy"] == {"type": "Recreate"}),
    Key("updateStrategy", lambda p: {"type": "OnDelete"}, "say how a StatefulSet replaces its pods",
        lambda f, p: f.workload["spec"]["updateStrategy"] == {"type": "OnDelete"}),
    *(
        Key(f"{probe}.{key}", lambda p, value=value: value, f"set {key} of the probe",  # type: ignore[misc]
            lambda f, p, probe=probe, key=key, value=value: f.container[probe][key] == value)  # type: ignore[misc]
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for key, value in (("periodSeconds", 17), ("timeoutSeconds", 18), ("failureThreshold", 19), ("initialDelaySeconds", 21))
    ),
    *(
        Key(f"{probe}.command", lambda p: [p], "take the place of the check",
            lambda f, p, probe=probe: f.container[probe]["exec"]["command"] == [p])  # type: ignore[misc]
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    ),
    Key("waitForMigrations.env", lambda p: [{"name": "ONLY", "value": p}], "add to the environment of the container that waits",
        lambda f, p: env(_waits(f))["ONLY"] == p),
    Key("waitForMigrations.resources", lambda p: {"limits": {"memory": "77Mi"}}, "set the resources of the container that waits",
        lambda f, p: _waits(f)["resources"]["limits"]["memory"] == "77Mi"),
    Key("waitForMigrations.securityContexts.container", lambda p: {"runAsUser": 4713}, "change the waiting container's context",
        lambda f, p: _waits(f)["securityContext"]["runAsUser"] == 4713),
    Key("schedule", lambda p: "7 7 * * *", "say when the job runs", lambda f, p: f.workload["spec"]["schedule"] == "7 7 * * *"),
    Key("failedJobsHistoryLimit", lambda p: 7, "say how many failed Jobs are kept",
        lambda f, p: f.workload["spec"]["failedJobsHistoryLimit"] == 7),
    Key("successfulJobsHistoryLimit", lambda p: 0, "say how many finished Jobs are kept, none too",
        lambda f, p: f.workload["spec"]["successfulJobsHistoryLimit"] == 0),
]  # fmt: skip


def _groomer(found: Found, part: str) -> Object:
    return _item(found.pod["spec"]["containers"], f"{found.pod['metadata']['labels']['component']}-log-groomer")


KEYS += [
    Key(f"logGroomerSidecar.{key}", lambda p, value=value: value, f"set {variable} of the sidecar that removes old logs",  # type: ignore[misc]
        lambda f, p, variable=variable, value=value: env(_groomer(f, p))[variable] == str(value))  # type: ignore[misc]
    for key, variable, value in (
        ("retentionDays", "GROOM_DAYS", 71),
        ("retentionMinutes", "GROOM_MINUTES", 72),
        ("frequencyMinutes", "GROOM_EVERY_MINUTES", 73),
        ("maxSizeBytes", "GROOM_MAX_BYTES", 7_400_000_000),
        ("maxSizePercent", "GROOM_MAX_PERCENT", 75),
    )
]  # fmt: skip
KEYS += [
    Key("logGroomerSidecar.command", lambda p: [p], "take the place of the sidecar's entrypoint",
        lambda f, p: _groomer(f, p)["command"] == [p]),
    Key("logGroomerSidecar.args", lambda p: [p], "take the place of the sidecar's arguments",
        lambda f, p: _groomer(f, p)["args"] == [p]),
    Key("logGroomerSidecar.env", lambda p: [{"name": "ONLY", "value": p}], "add to the sidecar's environment",
        lambda f, p: env(_groomer(f, p))["ONLY"] == p),
    Key("logGroomerSidecar.resources", lambda p: {"limits": {"memory": "77Mi"}}, "set the sidecar's resources",
        lambda f, p: _groomer(f, p)["resources"]["limits"]["memory"] == "77Mi"),
    Key("logGroomerSidecar.securityContexts.container", lambda p: {"runAsUser": 4713}, "change the sidecar's security context",
        lambda f, p: _groomer(f, p)["securityContext"]["runAsUser"] == 4713),
    Key("logGroomerSidecar.containerLifecycleHooks", lambda p: {"postStart": {"x": p}}, "hook into the sidecar's life",
        lambda f, p: _groomer(f, p)["lifecycle"] == {"postStart": {"x": p}}),
]  # fmt: skip
# Not of every part that has the key: what is different there, other tests say.
LEFT_OUT = {
    "apiServer.replicas": "autoscaling is on",
    "triggerer.strategy": "a StatefulSet",
    "triggerer.revisionHistoryLimit": "a StatefulSet",
    "scheduler.updateStrategy": "a Deployment",
    **{f"{path}.serviceAccount.annotations": "the account of all task pods" for path in ("workers", NAMED)},
    **{f"{path}.labels": "the executor makes the workload" for path in ("workers", "workers.kubernetes", NAMED)},
    f"{NAMED}.serviceAccount.name": "an account that is there",
}
CASES = [
    (part, key)
    for part in PARTS
    for key in KEYS
    if f"{part.path.replace(NAMED, 'workers.kubernetes')}.{key.name}" in LEAVES
    and f"{part.path}.{key.name}" not in LEFT_OUT
    and "without effect" not in LEAVES[f"{part.path.replace(NAMED, 'workers.kubernetes')}.{key.name}"]["description"]
]


@functools.cache
def _objects(number: int) -> list[Object]:
    given: dict[str, Any] = {"nodeSelector": {"arch": "all"}, "affinity": {"nodeAffinity": {}}, "tolerations": [{"key": "all"}]}
    for part, key in CASES:
        if ROUNDS.get(part.path, 0) == number:
            given[f"{part.path}.{key.name}"] = key.value(part.path)
    on: Paths = over(ON, given)
    return render(values(on), chart="airflow")


def _found(part: Part) -> Found:
    objects = _objects(ROUNDS.get(part.path, 0))
    accounts = {item["metadata"]["name"]: item for item in objects if item["kind"] == "ServiceAccount"}
    if part.component == "worker":
        config = next(item for item in objects if item["metadata"]["name"] == "airspark-pod-templates")
        workload = pod = yaml.load(config["data"][f"{part.kind}.yaml"], Loader=LOADER)
    else:
        workload = next(
            item for item in objects if item["kind"] == part.kind and item["metadata"]["labels"]["component"] == part.component
        )
        spec = workload["spec"]["jobTemplate"]["spec"] if part.kind == "CronJob" else workload["spec"]
        pod = spec["template"]
    container = _item(pod["spec"]["containers"], part.container)
    return Found(workload, pod, container, accounts.get(pod["spec"].get("serviceAccountName"), {}))


@pytest.mark.parametrize(
    ("part", "key"), CASES, ids=[f"should {key.effect} if {part.path}.{key.name} is set" for part, key in CASES]
)
def should_do_what_is_said_in_its_own_part(part: Part, key: Key) -> None:
    """Every part is given values of its own at once, so that a value which leaks into another part is seen too."""
    assert key.shows(_found(part), part.path)
