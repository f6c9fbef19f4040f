"""What an API server refuses of a finished pod: of a driver it says so, of executors nobody does, because they never come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from airspark_operator import conf as properties
from airspark_operator import kinds, pods, spec, syntax, volumes
from airspark_operator.kinds import Object

#: Longest name of a port of a container.
PORT_NAME_LENGTH = 15


def check(app: Object, role: str, pod: Object, conf: Mapping[str, str], local_dirs: str = "") -> None:
    """Look through a pod.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        pod: the spec of the driver's pod, or of the executors' template.
        conf: Spark's properties.
        local_dirs: the scratch directories of the driver, which executors have too.

    Raises:
        spec.Invalid: if a container, volume, mount, variable or port is one that no API server takes.
    """
    added = list(_of_spark(app, pod, conf, local_dirs)) if role == kinds.EXECUTOR else []
    problem = next(_problems(role, pod, [volume for volume, _ in added], [mount for _, mount in added]), None)
    if problem:
        raise spec.Invalid(problem)


def _of_spark(app: Object, pod: Object, conf: Mapping[str, str], local_dirs: str) -> Iterator[tuple[Object, Object]]:
    """Give what Spark adds to the executors' template (BasicExecutorFeatureStep, LocalDirsFeatureStep and others)."""
    yield _added("spark-conf-volume-exec", properties.CONF_DIR)
    said = volumes.of_properties(conf, kinds.EXECUTOR)
    yield from said
    yield from (_added(volume["name"], path) for volume, path in volumes.left_secrets(app, conf))
    if conf.get("spark.kubernetes.executor.hadoopConfigMapName"):
        yield _added("hadoop-properties", volumes.HADOOP_FILES_OF_SPARK)
    own = [*(pod["containers"][0].get("volumeMounts") or ()), *(mount for _, mount in said)]
    if not any(mount["name"].startswith(volumes.LOCAL_DIR) for mount in own):
        yield from (_added(f"{volumes.LOCAL_DIR}{n}", path) for n, path in enumerate(local_dirs.split(","), start=1))


def _added(name: str, path: str) -> tuple[Object, Object]:
    return {"name": name}, {"name": name, "mountPath": path}


def _problems(role: str, pod: Object, more_volumes: list[Object], more_mounts: list[Object]) -> Iterator[str]:
    names = [volume["name"] for volume in [*(pod.get("volumes") or ()), *more_volumes]]
    for name in _twice(names):
        yield f"{role}: two volumes have the name {name!r}, which the controller or Spark may use too; rename yours"
    for name in names:
        if not syntax.dns_label(name):
            yield f"{role}: the volume {name!r} has a name that is not valid; {syntax.LABEL_REMEDY}"
    spark, *beside = pod["containers"]
    complete = spark | {"volumeMounts": [*(spark.get("volumeMounts") or ()), *more_mounts]}
    others = [*beside, *(pod.get("initContainers") or ())]
    for container in [complete, *others]:
        yield from _of_container(role, container, set(names))
    for container in others:
        if not container.get("image"):
            yield f"{role}: the container {container['name']!r} has no image; add it"
    yield from _ports(role, spark)


def _of_container(role: str, container: Object, names: set[str]) -> Iterator[str]:
    where = f"{role}: the container {container['name']!r}"
    if not syntax.dns_label(container["name"]):
        yield f"{where} has a name that is not valid; {syntax.LABEL_REMEDY}"
    mounts = container.get("volumeMounts") or []
    for mount in mounts:
        if mount["name"] not in names:
            yield f"{where} mounts the volume {mount['name']!r}, which is not there; add it to volumes or correct the name"
    for path in _twice(mount["mountPath"].rstrip("/") or "/" for mount in mounts):
        yield f"{where} mounts two volumes at {path}, where Spark may have its own; use another path"
    wrong = syntax.wrong_variables(entry["name"] for entry in container.get("env") or ())
    if wrong:
        yield f"{where}: {wrong}"


def _ports(role: str, spark: Object) -> Iterator[str]:
    """Look at the ports of Spark's container; those of executors are Spark's."""
    named = [port["name"] for port in spark.get("ports") or () if port.get("name")] if role == kinds.DRIVER else []
    for name in _twice(named):
        yield f"driver.ports: two ports have the name {name!r}, which the controller may use too; rename yours"
    for name in named:
        if not syntax.dns_label(name) or len(name) > PORT_NAME_LENGTH:
            yield (
                f"driver: the port {name!r} (of driver.ports or monitoring.prometheus.portName) has a name that is not valid; "
                f"write at most {PORT_NAME_LENGTH} small letters, digits and dashes"
            )


def _twice(texts: Iterable[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def check_names(app: Object, role: str) -> None:
    """Look for containers of one list of a template with one name, of which the builder would take the last.

    Raises:
        spec.Invalid: if there are two, or an init container has the name of Spark's own.
    """
    given, spark = spec.template(app, role), pods.CONTAINER_NAMES[role]
    for field in ("containers", "initContainers"):
        listed = [one["name"] for one in given.get(field) or () if one.get("name")]
        twice = next(iter(_twice(listed)), None)
        if twice:
            raise spec.Invalid(f"{role}.template.spec.{field}: two have the name {twice!r}; rename one of them")
        if field == "initContainers" and spark in listed:
            raise spec.Invalid(f"{role}.template.spec.{field}: the name {spark!r} is that of Spark's own container; rename it")
