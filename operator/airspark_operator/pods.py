"""What driver and executor pods have in common: a template, the fields of the role over it, defaults under both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy

from airspark_operator import conf as properties
from airspark_operator import kinds, monitoring, names, needs, placeholders, spec, volumes
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults

#: Fields of a role that are fields of the pod's spec under the same name.
POD_FIELDS = (
    "affinity", "dnsConfig", "hostNetwork", "priorityClassName", "schedulerName", "shareProcessNamespace",
    "terminationGracePeriodSeconds",
)  # fmt: skip
#: What a kind of secret is for: the variable that names a file in it (kubeflow's secretType).
SECRET_FILES = {
    "GCPServiceAccount": ("GOOGLE_APPLICATION_CREDENTIALS", "key.json"),
    "HadoopDelegationToken": ("HADOOP_TOKEN_FILE_LOCATION", "hadoop.token"),
}
CONTAINER_NAMES = {kinds.DRIVER: kinds.DRIVER_CONTAINER, kinds.EXECUTOR: kinds.EXECUTOR_CONTAINER}


def template(app: Object, role: str, conf: Mapping[str, str], config_map: str, defaults: Defaults) -> Object:
    """Return the pod of a role without what is particular to driver or executors; Spark's container is its first.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        conf: Spark's properties.
        config_map: the ConfigMap of the submission.
        defaults: what applies where the spec is silent.

    Returns:
        `metadata` and `spec`.
    """
    own, wanted = spec.of(app, role), app["spec"]
    given: Object = deepcopy(own.get("template") or {})
    metadata, pod = dict(given.get("metadata") or {}), dict(given.get("spec") or {})
    number = "" if role == kinds.DRIVER else None  # only Spark knows the executor's
    texts = {
        "labels": _merged(metadata.get("labels"), labels(app, role)),
        "annotations": _merged(metadata.get("annotations"), monitoring.pod_annotations(app, role), own.get("annotations")),
    }
    metadata |= {field: placeholders.filled(entries, conf["spark.app.id"], number) for field, entries in texts.items()}
    pod |= {field: own[field] for field in POD_FIELDS if own.get(field) is not None}
    if wanted.get("batchScheduler"):
        pod["schedulerName"] = wanted["batchScheduler"]
    pod["securityContext"] = _merged(defaults.pod_security_context, pod.get("securityContext"), own.get("podSecurityContext"))
    pod["nodeSelector"] = _merged(pod.get("nodeSelector"), wanted.get("nodeSelector"), own.get("nodeSelector"))
    for field in ("tolerations", "hostAliases"):
        pod[field] = [*(pod.get(field) or []), *(own.get(field) or [])]
    secrets = [{"name": name} for name in wanted.get("imagePullSecrets") or ()]
    pod["imagePullSecrets"] = unique([*(pod.get("imagePullSecrets") or []), *secrets])
    spark, *beside = containers(app, role)
    pod["containers"] = [_container(app, role, spark, conf, defaults), *(_restricted(one, defaults) for one in beside)]
    pod["initContainers"] = [_restricted(one, defaults) for one in init_containers(app, role)]
    volumes.attach(pod, app, role, conf, config_map)
    return {"metadata": _filled(metadata), "spec": _filled(pod)}


def containers(app: Object, role: str) -> list[Object]:
    """Return the containers of a role: Spark's as the template has it, the template's others, and sidecars.

    A sidecar replaces a container of the template of the same name, as kubeflow's operator attaches it once.
    """
    container, others = _split(deepcopy(spec.template(app, role).get("containers") or []), CONTAINER_NAMES[role])
    return [container, *unique([*others, *(spec.of(app, role).get("sidecars") or ())])]


def init_containers(app: Object, role: str) -> list[Object]:
    """Return the init containers of a role; one of its fields replaces one of the template of the same name."""
    given: list[Object] = deepcopy(spec.template(app, role).get("initContainers") or [])
    return unique([*given, *(spec.of(app, role).get("initContainers") or ())])


def nodes(app: Object, role: str, conf: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of the nodes that may run a role: of properties, under the template's, under those of fields."""
    own = spec.of(app, role)
    return _merged(
        properties.prefixed(conf, "spark.kubernetes.node.selector."),
        properties.prefixed(conf, f"spark.kubernetes.{role}.node.selector."),
        spec.template(app, role).get("nodeSelector"),
        app["spec"].get("nodeSelector"),
        own.get("nodeSelector"),
    )


def labels(app: Object, role: str) -> dict[str, str]:
    """Return the labels of a role's pods: the application's, under the role's, under those that name what it is."""
    fixed = {
        kinds.LABEL_APP_NAME: names.label_value(app["metadata"]["name"]),
        kinds.LABEL_LAUNCHED: "true",
        kinds.LABEL_ROLE: role,
    }
    return spec.inherited_labels(app) | (spec.of(app, role).get("labels") or {}) | fixed


def _split(containers: list[Object], name: str) -> tuple[Object, list[Object]]:
    """Return Spark's container of a template, the first if none has its name, and the others."""
    spark = _spark(containers, name)
    return spark or {}, [one for one in containers if one is not spark]


def _spark(containers: list[Object], name: str) -> Object | None:
    return next((one for one in containers if one.get("name") == name), containers[0] if containers else None)


def spark_container(containers: list[Object], role: str) -> Object | None:
    """Return Spark's container of a template; None if the template has no containers."""
    return _spark(containers, CONTAINER_NAMES[role])


def _container(app: Object, role: str, given: Object, conf: Mapping[str, str], defaults: Defaults) -> Object:
    """Return Spark's container."""
    own = spec.of(app, role)
    needs.check_cores(app, role, conf, given)
    found = given | {"name": CONTAINER_NAMES[role]}
    # the end of the log becomes the pod's message, and so the reason of a failure
    found.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    context = (defaults.container_security_context, given.get("securityContext"), own.get("securityContext"))
    found["securityContext"] = _merged(*context)
    found["env"] = environment(app, role, given.get("env") or [], conf)
    found["envFrom"] = [*(given.get("envFrom") or []), *(own.get("envFrom") or ())]
    found["ports"] = [*(given.get("ports") or []), *(own.get("ports") or ()), *monitoring.container_port(app, role)]
    if own.get("lifecycle"):
        found["lifecycle"] = own["lifecycle"]
    if own.get("gpu"):
        resources = dict(found.get("resources") or {})
        resources["limits"] = (resources.get("limits") or {}) | {own["gpu"]["name"]: str(own["gpu"]["quantity"])}
        found["resources"] = resources
    return _filled(found)


def environment(app: Object, role: str, given: Iterable[Object], conf: Mapping[str, str]) -> list[Object]:
    """Return the variables of Spark's container: of properties, of the template, of files, of fields.

    A later one of a name replaces an earlier one, as it does in a container.
    """
    own = spec.of(app, role)
    found = [*(_of_properties(conf) if role == kinds.DRIVER else ()), *given]  # those of executors are Spark's to act on
    if app["spec"].get("sparkConfigMap") and role == kinds.DRIVER:  # which hands the files on to executors
        found.append({"name": "SPARK_CONF_DIR", "value": volumes.SPARK_FILES})
    if app["spec"].get("hadoopConfigMap"):
        found.append({"name": "HADOOP_CONF_DIR", "value": volumes.HADOOP_FILES})
    elif role == kinds.DRIVER:
        found += volumes.hadoop_variables(conf)
    for secret in own.get("secrets") or ():
        variable, file = SECRET_FILES.get(secret["secretType"], ("", ""))
        if variable:
            found.append({"name": variable, "value": f"{secret['path'].rstrip('/')}/{file}"})
    found += [{"name": name, "value": value} for name, value in (own.get("envVars") or {}).items()]
    found += [_from_secret(name, ref["name"], ref["key"]) for name, ref in (own.get("envSecretKeyRefs") or {}).items()]
    return unique([*found, *(own.get("env") or ())])


def _of_properties(conf: Mapping[str, str]) -> list[Object]:
    """Return the driver's variables of properties."""
    plain = properties.prefixed(conf, "spark.kubernetes.driverEnv.")
    references = properties.prefixed(conf, "spark.kubernetes.driver.secretKeyRef.")
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *(_from_secret(name, *_reference(name, text)) for name, text in references.items()),
    ]


def _from_secret(name: str, secret: str, key: str) -> Object:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _reference(name: str, text: str) -> tuple[str, str]:
    secret, colon, key = text.partition(":")
    if not colon or not secret or not key:
        where = f"sparkConf: spark.kubernetes.driver.secretKeyRef.{name}"
        raise spec.Invalid(f"{where} is {text!r}; write it as the Secret's name, a colon and the key")
    return secret, key


def _restricted(container: Object, defaults: Defaults) -> Object:
    """Return a container beside Spark's with the default security context, if it has none of its own."""
    if container.get("securityContext") or not defaults.container_security_context:
        return container
    return container | {"securityContext": defaults.container_security_context}


def _merged(*parts: Object | None) -> Object:
    """Return one object of several; later ones win, key by key."""
    return {key: value for part in parts for key, value in (part or {}).items()}


def unique(things: Iterable[Object]) -> list[Object]:
    """Return things without those that a later one of the same name replaces; what has no name stays."""
    return list({one.get("name") or f"unnamed/{number}": one for number, one in enumerate(things)}.values())


def _filled(thing: Object) -> Object:
    """Return an object without fields that say nothing."""
    return {key: value for key, value in thing.items() if value not in (None, {}, [], "")}
