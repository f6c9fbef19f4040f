"""Whole submissions: no field is lost without a word, and whatever is built is accepted by Kubernetes."""

from __future__ import annotations

import dataclasses
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from builders import DEFAULTS, app, objects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airspark_operator import build, conf, submission, unsupported, validate
from airspark_operator.spec import Invalid

Object = dict[str, Any]
KUBERNETES = "1.34"
EVERY_FIELD = next(iter(yaml.safe_load_all((Path(__file__).parent / "every-field.yaml").read_text())))
#: Fields that say how long an application lives and not what is built; tests of the life cycle have them. Airflow writes
#: `labels`, which kubeflow's API does not know.
LIFE = ("suspend", "restartPolicy", "timeToLiveSeconds", "labels", "type", "sparkVersion", "mode", "pythonVersion")


WITH_INGRESS = dataclasses.replace(DEFAULTS, ingress_url_format="{{$appName}}.example.com")


def every_field() -> Object:
    """An application with every field of the API."""
    found: Object = deepcopy(EVERY_FIELD)
    found["metadata"] |= {"namespace": "data", "uid": "11111111-2222-3333-4444-555555555555"}
    found["spec"]["volumes"] = [volume for volume in found["spec"]["volumes"] if volume["name"] != "unused"]
    return found


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where the leaves of an object are; lists and objects of free keys count as one."""
    free = ("template", "affinity", "lifecycle", "securityContext", "podSecurityContext", "dnsConfig", "labels", "annotations")
    if isinstance(value, dict) and value and not (at and (at[-1] in free or at[-1].endswith(("Labels", "Annotations", "Conf")))):
        return [path for key, part in value.items() for path in paths(part, (*at, key))]
    return [at]


def built(application: Object) -> str:
    """Everything of one submission as text; its id, a hash of the spec, aside."""
    attempt = submission.Submission("00000000-0000-5000-8000-000000000000", "spark-0")
    return json.dumps(build.objects(application, attempt, WITH_INGRESS), sort_keys=True)


FIELDS = [path for path in paths(EVERY_FIELD["spec"]) if path[0] not in LIFE]
#: Fields that win over another one, which is only seen without them.
WINNING = {
    ("image",): ("driver", "image"),
    ("batchScheduler",): ("driver", "schedulerName"),
    ("monitoring", "metricsProperties"): ("monitoring", "metricsPropertiesFile"),
    ("monitoring", "prometheus", "configuration"): ("monitoring", "prometheus", "configFile"),
}


def parent(spec: Object, path: tuple[str, ...]) -> Object:
    """The object that a field is in."""
    for key in path[:-1]:
        spec = spec[key]
    return spec


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return value | ({"spec": {"nodeName": "other"}} if "spec" in value else {"other": "1"})
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            return [*value, "other"]
        return value[1:] or ([] if value else [{"name": "other"}])
    return value + 1 if isinstance(value, int) else f"{value}1"


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def should_lose_no_field_without_saying_so(path: tuple[str, ...]) -> None:
    application = every_field()
    spec = application["spec"]
    if path in WINNING:
        del parent(spec, WINNING[path])[WINNING[path][-1]]
    if path == ("mainClass",):
        spec["type"] = "Java"
    before, field = built(application), parent(spec, path)
    field[path[-1]] = other(field[path[-1]])
    try:
        after = built(application)
    except Invalid:
        return  # looked at, and told
    assert after != before or ".".join(path) in unsupported.ignored(spec, WITH_INGRESS)


VOLUME_NAMES = ("data", "scratch", "logs")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
KEY = st.from_regex(r"\A[a-z][a-z0-9]{0,10}\Z")
VARIABLE = st.from_regex(r"\A[A-Z][A-Z0-9_]{0,10}\Z")
MEMORY = st.builds(lambda n, unit: f"{n}{unit}", st.integers(1, 4096), st.sampled_from(["m", "g", "k", ""]))
ROLE = st.fixed_dictionaries(
    {},
    optional={
        "cores": st.integers(1, 64),
        "coreRequest": st.sampled_from(["100m", "0.5", "2"]),
        "coreLimit": st.sampled_from(["2", "4000m"]),
        "memory": MEMORY,
        "memoryOverhead": MEMORY,
        "labels": st.dictionaries(KEY, KEY, max_size=3),
        "annotations": st.dictionaries(KEY, TEXT, max_size=3),
        "env": st.lists(st.builds(lambda name, value: {"name": name, "value": value}, VARIABLE, TEXT), max_size=4),
        "envVars": st.dictionaries(VARIABLE, TEXT, max_size=3),
        "envSecretKeyRefs": st.dictionaries(VARIABLE, st.just({"name": "keys", "key": "k"}), max_size=2),
        "volumeMounts": st.lists(
            st.builds(
                lambda name: {"name": name, "mountPath": f"/{name}"}, st.sampled_from((*VOLUME_NAMES, "spark-local-dir-1"))
            ),
            max_size=4,
            unique_by=lambda mount: mount["mountPath"],
        ),
        "configMaps": st.lists(
            st.builds(lambda name: {"name": name, "path": f"/etc/{name}"}, KEY), max_size=2, unique_by=lambda one: one["name"]
        ),
        "secrets": st.lists(
            st.builds(
                lambda name, kind: {"name": name, "path": f"/secret/{name}", "secretType": kind},
                KEY,
                st.sampled_from(["Generic", "GCPServiceAccount", "HadoopDelegationToken", "Other"]),
            ),
            max_size=2,
            unique_by=lambda one: one["name"],
        ),
        "nodeSelector": st.dictionaries(KEY, KEY, max_size=2),
        "tolerations": st.just([{"operator": "Exists"}]),
        "sidecars": st.just([{"name": "sidecar", "image": "s", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]}]),
        "initContainers": st.just([{"name": "init", "image": "i"}]),
        "javaOptions": TEXT,
        "gpu": st.builds(lambda n: {"name": "nvidia.com/gpu", "quantity": n}, st.integers(1, 8)),
        "hostNetwork": st.booleans(),
        "serviceAccount": KEY,
        "terminationGracePeriodSeconds": st.integers(0, 300),
        "podSecurityContext": st.just({"runAsUser": 1000}),
        "template": st.sampled_from(
            [
                {},
                {"spec": {"containers": [{"name": "main"}]}},
                {"metadata": {"labels": {"a": "b"}}, "spec": {"volumes": [{"name": "extra", "emptyDir": {}}]}},
            ]
        ),
    },
)
SPEC = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Java", "Python", "Scala", "R"]),
        "driver": ROLE,
        "executor": ROLE,
        "volumes": st.just([{"name": name, "emptyDir": {}} for name in VOLUME_NAMES]),
    },
    optional={
        "image": KEY,
        "arguments": st.lists(TEXT, max_size=4),
        "mainClass": KEY,
        "sparkConf": st.dictionaries(st.from_regex(r"\Aspark\.sql\.[a-z]{1,10}\Z"), TEXT, max_size=4),
        "hadoopConf": st.dictionaries(KEY, TEXT, max_size=3),
        "sparkConfigMap": KEY,
        "hadoopConfigMap": KEY,
        "deps": st.fixed_dictionaries({}, optional={field: st.lists(KEY, max_size=3) for field in conf.DEPENDENCIES}),
        "dynamicAllocation": st.fixed_dictionaries(
            {"enabled": st.booleans()}, optional={"minExecutors": st.integers(0, 3), "maxExecutors": st.integers(3, 9)}
        ),
        "batchScheduler": st.sampled_from(["volcano", "yunikorn", "kube-scheduler", "other"]),
        "imagePullSecrets": st.lists(KEY, max_size=2, unique=True),
        "driverPodDisruptionBudget": st.booleans(),
        "monitoring": st.fixed_dictionaries(
            {"exposeDriverMetrics": st.booleans(), "exposeExecutorMetrics": st.booleans()},
            optional={"prometheus": st.just({"jmxExporterJar": "/jmx.jar"}), "metricsProperties": TEXT},
        ),
        "sparkUIOptions": st.fixed_dictionaries(
            {}, optional={"servicePort": st.integers(1, 65535), "serviceType": st.just("NodePort")}
        ),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SPEC)
def should_build_what_kubernetes_accepts_of_any_spec_or_say_why_not(spec: Object) -> None:
    given = dict(spec)
    application = app(given.pop("driver"), given.pop("executor"), **given)
    if validate.problem(application):
        return
    try:
        made = objects(application)
    except Invalid as invalid:
        assert str(invalid)
        return
    again = objects(deepcopy(application))
    assert made == again, "the same spec builds the same"
    assert [thing["kind"] for thing in made][-1] == "Pod"
    for thing in made:
        if thing["kind"] != "PodGroup":
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    template = json.loads(made[0]["data"][conf.TEMPLATE_FILE])
    for container in template["spec"]["containers"][:1]:  # Spark gives its container an image
        container["image"] = "spark"
    kubernetes_validate.validate(template | {"metadata": template["metadata"] | {"name": "t"}}, KUBERNETES, strict=True)
    for pod in (made[-1], template):
        volumes = [volume["name"] for volume in pod["spec"].get("volumes", [])]
        assert len(volumes) == len(set(volumes))
        for container in pod["spec"]["containers"]:
            mounts = container.get("volumeMounts", [])
            assert {mount["name"] for mount in mounts} <= set(volumes)
            assert len({mount["mountPath"] for mount in mounts}) == len(mounts)
            assert len({entry["name"] for entry in container.get("env", [])}) == len(container.get("env", []))


def should_give_every_attempt_an_id_of_its_own_and_the_same_one_again() -> None:
    application = app()
    ids = [submission.submission(application, run, attempt).id for run in (0, 1) for attempt in (1, 2, 3)]
    assert len(set(ids)) == 6
    assert submission.submission(deepcopy(application), 0, 1).id == ids[0]
