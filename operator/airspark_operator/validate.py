"""What admission cannot check, or not with the culprit's name: each problem is one sentence that names field and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from airspark_operator import beside, kinds, placeholders, pods, spec, syntax, volumes
from airspark_operator import conf as properties
from airspark_operator.kinds import Object

NAMESPACE = "spark.kubernetes.namespace"
#: Volumes that every driver pod has.
RESERVED = ("spark-conf-volume-driver", "spark-conf-volume-exec", "pod-template-volume", "metrics-conf")
#: The id of some Spark application, as long as every other.
EXAMPLE = f"spark-{0:032x}"
#: What a text is, who checks it, and the properties by the prefix that says what it is.
LABELS, ANNOTATIONS, VARIABLES = "label", "annotation", "variable"
CHECKS: dict[str, Callable[[Mapping[str, str]], str | None]] = {
    LABELS: syntax.wrong_labels,
    ANNOTATIONS: syntax.wrong_annotations,
    VARIABLES: syntax.wrong_variables,
}
#: Fields and properties in which nobody fills placeholders in.
LITERAL = ("nodeSelector", "node.selector", "serviceLabels", "service.label")
PREFIXES = {
    kinds.DRIVER: {
        "spark.kubernetes.driver.label.": LABELS,
        "spark.kubernetes.driver.annotation.": ANNOTATIONS,
        "spark.kubernetes.driver.service.label.": LABELS,
        "spark.kubernetes.driver.service.annotation.": ANNOTATIONS,
        "spark.kubernetes.driver.node.selector.": LABELS,
        "spark.kubernetes.node.selector.": LABELS,
        "spark.kubernetes.driverEnv.": VARIABLES,
        "spark.kubernetes.driver.secretKeyRef.": VARIABLES,
    },
    kinds.EXECUTOR: {
        "spark.kubernetes.executor.label.": LABELS,
        "spark.kubernetes.executor.annotation.": ANNOTATIONS,
        "spark.kubernetes.executor.service.label.": LABELS,
        "spark.kubernetes.executor.service.annotation.": ANNOTATIONS,
        "spark.kubernetes.executor.node.selector.": LABELS,
        "spark.executorEnv.": VARIABLES,
        "spark.kubernetes.executor.secretKeyRef.": VARIABLES,
    },
}


def problem(app: Object) -> str | None:
    """Return what is wrong with an application in one sentence, or nothing.

    Args:
        app: the SparkApplication, which the CustomResourceDefinition has accepted.
    """
    try:
        with spec.read(app):
            return _problem(app)
    except spec.Invalid as invalid:
        return str(invalid)


def _problem(app: Object) -> str | None:
    return next((each for each in _problems(app) if each), None)


def _problems(app: Object) -> Iterator[str | None]:
    """Look at one thing after another: a later check relies on what an earlier one has found to be there."""
    yield _namespace(app)
    yield _executors(app)
    yield _further_labels(app)
    for role in (kinds.DRIVER, kinds.EXECUTOR):
        for check in (_template, _mounts, _paths, _texts, _containers):
            yield check(app, role)
    yield _names(app)


def _namespace(app: Object) -> str | None:
    said, own = (app["spec"].get("sparkConf") or {}).get(NAMESPACE), app["metadata"]["namespace"]
    if said and said != own:
        return f"sparkConf.{NAMESPACE} is {said!r}, but the application is in the namespace {own!r}; remove the property"
    return None


def _of_properties(app: Object, role: str) -> list[tuple[Object, Object]]:
    """Return volumes and mounts of `sparkConf`; one that cannot be read is reported when the pods are built."""
    try:
        return volumes.of_properties(app["spec"].get("sparkConf") or {}, role)
    except spec.Invalid:
        return []


def _template(app: Object, role: str) -> str | None:
    """Parts of a template that a pod's need and a template's need not have, because fields may add them."""
    given, where = spec.template(app, role), f"{role}.template.spec"
    lists: list[tuple[str, list[Object], tuple[str, ...]]] = [("volumes", given.get("volumes") or [], ("name",))]
    for field in ("containers", "initContainers"):
        entries: list[Object] = given.get(field) or []
        # Spark's own container gets its name
        lists += [(field, entries, ("name",))] if field == "initContainers" or len(entries) > 1 else []
        for number, container in enumerate(entries):
            lists.append((f"{field}[{number}].volumeMounts", container.get("volumeMounts") or [], ("name", "mountPath")))
            lists.append((f"{field}[{number}].env", container.get("env") or [], ("name",)))
    for field, entries, keys in lists:
        for number, entry in enumerate(entries):
            missing = next((key for key in keys if not entry.get(key)), None)
            if missing and not (field == "containers" and entry is pods.spark_container(entries, role)):
                return f"{where}.{field}[{number}] has no {missing}; add it"
    return None


def _mounts(app: Object, role: str) -> str | None:
    own, said = spec.of(app, role), [volume for volume, _ in _of_properties(app, role)]
    listed = [*(app["spec"].get("volumes") or ()), *(spec.template(app, role).get("volumes") or ()), *said]
    known = {volume.get("name") for volume in listed}
    for mount in own.get("volumeMounts") or ():
        if mount["name"] not in known and not mount["name"].startswith(volumes.LOCAL_DIR):
            return f"{role}.volumeMounts: there is no volume {mount['name']!r}; add it to volumes or correct the name"
    return None


def _paths(app: Object, role: str) -> str | None:
    """Two mounts at one path are refused by the API server for the driver, and fail without a word in an executor."""
    own = spec.of(app, role)
    mounts = [(mount["mountPath"], mount["name"]) for mount in own.get("volumeMounts") or ()]
    # a property and a field may say the same
    said = [(mount["mountPath"], mount["name"]) for _, mount in _of_properties(app, role)]
    fields = (
        (f"{role}.volumeMounts", [path for path, _ in mounts]),
        (f"{role}.configMaps", [entry["path"] for entry in own.get("configMaps") or ()]),
        (f"{role}.secrets", [entry["path"] for entry in own.get("secrets") or ()]),
        ("volumes of sparkConf", [path for path, name in said if (path, name) not in mounts]),
    )
    seen = {properties.CONF_DIR: "Spark itself"}
    if role == kinds.DRIVER:
        seen[properties.TEMPLATE_DIR] = "the controller"
    for field, paths in fields:
        for path in paths:
            normal = path.rstrip("/") or "/"
            if normal in seen:
                return f"{field}: the path {path} is mounted twice (also by {seen[normal]}); use another path"
            seen[normal] = field
    return None


def _texts(app: Object, role: str) -> str | None:
    """Labels, annotations and variables that the API server refuses, each with the field that has it."""
    for field, kind, entries in _fields(app, role):
        raw = field.endswith(LITERAL)
        filled = entries if raw else placeholders.filled(entries, EXAMPLE, "" if role == kinds.DRIVER else "1")
        found = CHECKS[kind](filled)
        if found:
            return f"{field}: {found}"
    return None


def _fields(app: Object, role: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Give what a role's pods and Services get as texts: the field, what it is, and its entries."""
    own, wanted = spec.of(app, role), app["spec"]
    given = own.get("template") or {}
    metadata = given.get("metadata") or {}
    yield f"{role}.labels", LABELS, own.get("labels") or {}
    yield f"{role}.annotations", ANNOTATIONS, own.get("annotations") or {}
    yield f"{role}.template.metadata.labels", LABELS, metadata.get("labels") or {}
    yield f"{role}.template.metadata.annotations", ANNOTATIONS, metadata.get("annotations") or {}
    yield "nodeSelector", LABELS, wanted.get("nodeSelector") or {}
    yield f"{role}.nodeSelector", LABELS, own.get("nodeSelector") or {}
    yield f"{role}.template.spec.nodeSelector", LABELS, spec.template(app, role).get("nodeSelector") or {}
    yield f"{role}.serviceLabels", LABELS, own.get("serviceLabels") or {}
    yield f"{role}.serviceAnnotations", ANNOTATIONS, own.get("serviceAnnotations") or {}
    for field in ("envVars", "envSecretKeyRefs"):
        yield f"{role}.{field}", VARIABLES, dict.fromkeys(own.get(field) or {}, "")
    yield f"{role}.env", VARIABLES, {entry["name"]: "" for entry in own.get("env") or ()}
    for container in pods.containers(app, role):
        names = {entry.get("name", ""): "" for entry in container.get("env") or ()}
        yield f"{role}: container {container.get('name', 'of the template')}", VARIABLES, names
    for prefix, kind in PREFIXES[role].items():
        entries = properties.prefixed(wanted.get("sparkConf") or {}, prefix)
        yield f"sparkConf: {prefix.rstrip('.')}", kind, dict.fromkeys(entries, "") if kind == VARIABLES else entries


def _further_labels(app: Object) -> str | None:
    """Labels of no one role: of Services for people, and the queue of a batch scheduler."""
    wanted = app["spec"]
    places = {"sparkUIOptions.serviceLabels": (wanted.get("sparkUIOptions") or {}).get("serviceLabels") or {}}
    for number, options in enumerate(wanted.get("driverIngressOptions") or ()):
        places[f"driverIngressOptions[{number}].serviceLabels"] = options.get("serviceLabels") or {}
    places["batchSchedulerOptions.queue"] = beside.queue(app)
    found = ((field, syntax.wrong_labels(entries)) for field, entries in places.items())
    return next((f"{field}: {problem}" for field, problem in found if problem), None)


def _containers(app: Object, role: str) -> str | None:
    """Containers beside Spark's: each has a name of its own."""
    own, spark = spec.of(app, role), pods.CONTAINER_NAMES[role]
    for field in ("sidecars", "initContainers"):
        if any(one["name"] == spark for one in own.get(field) or ()):
            return f"{role}.{field}: the name {spark!r} is that of Spark's own container; rename the container"
    init = {one.get("name") for one in pods.init_containers(app, role)}
    _, *beside = pods.containers(app, role)
    twice = next((one["name"] for one in beside if one.get("name") in init), None)
    if twice:
        return f"{role}: a container and an init container have the name {twice!r}; rename one of them"
    return None


def _executors(app: Object) -> str | None:
    """The number of executors at the start, which Spark refuses above the greatest (SchedulerBackendUtils)."""
    found = properties.allocation(app["spec"], app["spec"].get("sparkConf") or {})
    said = (app["spec"].get("sparkConf") or {}) | found
    if said.get("spark.dynamicAllocation.enabled", "").strip().lower() != "true":
        return None
    keys = ("spark.executor.instances", *(f"spark.dynamicAllocation.{word}Executors" for word in ("initial", "min", "max")))
    numbers = {key: number for key in keys if (number := properties.whole(said.get(key, ""))) is not None}
    greatest = numbers.pop(keys[-1], None)
    if greatest is None or max(numbers.values(), default=0) <= greatest:
        return None
    key = max(numbers, key=lambda name: numbers[name])
    # a property is named as it stands, unless a field says it
    field, most = (properties.FIELDS[name] if name in found else f"sparkConf.{name}" for name in (key, keys[-1]))
    return f"{field} is {numbers[key]}, above the {greatest} of {most}; lower it or raise {most.rpartition('.')[2]}"


def _names(app: Object) -> str | None:
    for volume in app["spec"].get("volumes") or ():
        if volume["name"] in RESERVED:
            return f"volumes: the name {volume['name']!r} is used by the controller; rename the volume"
    return None
