"""Spark's properties of a submission: what `spark-submit` in the driver reads, and through it every executor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from airspark_operator import accounts, kinds, memory, monitoring, names, placeholders, spec
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission

#: Where Spark's own submission client puts things (Kubernetes' Constants).
CONF_DIR = "/opt/spark/conf"
PROPERTIES_FILE = "spark.properties"
TEMPLATE_DIR = "/opt/spark/pod-template"
TEMPLATE_FILE = "pod-spec-template.yml"
DRIVER_PORT, BLOCK_MANAGER_PORT, UI_PORT = 7078, 7079, 4040
MASTER = "https://kubernetes.default.svc"
PULL_SECRETS = "spark.kubernetes.container.image.pullSecrets"
#: Properties about encryption of what is sent, which needs spark.authenticate.
CRYPTO = "spark.network.crypto."
PULL_POLICY = "spark.kubernetes.container.image.pullPolicy"
#: Images that are loaded into nodes: nobody owns this name in a public registry, so its next owner would run every job.
LOADED = "airspark/"
#: What Spark's submission client mounts into the driver, and by another property into executors (HadoopConfDriverFeatureStep).
HADOOP_CONFIG_MAP = "spark.kubernetes.hadoop.configMapName"
#: Where Ivy keeps packages: home directories of images are often read-only for user 185.
IVY_DIR = "/tmp/.ivy2"

#: Properties that belong to the controller, by what to use instead. A spec that sets one is told so.
OWNED = {
    "spark.app.id": "status.sparkApplicationId tells it",
    "spark.submit.deployMode": "the driver always runs in its own pod",
    "spark.kubernetes.submitInDriver": "the driver always runs in its own pod",
    "spark.kubernetes.resource.type": "use type",
    "spark.driver.host": "the driver's Service is its host",
    "spark.driver.bindAddress": "the driver binds the address of its pod",
    "spark.kubernetes.driver.pod.name": "use driver.podName",
    "spark.kubernetes.executor.podNamePrefix": "names of executors come from the application's",
    "spark.kubernetes.executor.podTemplateFile": "use executor.template",
    "spark.kubernetes.executor.podTemplateContainerName": "use executor.template",
}
#: Properties that only Spark's own submission client acts on, and that nothing here stands for.
SUBMISSION_ONLY = (
    "spark.kubernetes.driver.podTemplateFile",
    "spark.kubernetes.driver.podTemplateContainerName",
    "spark.kubernetes.driver.pod.featureSteps",
    "spark.kubernetes.driver.pod.excludedFeatureSteps",
    "spark.kubernetes.driver.service.deleteOnTermination",
    "spark.kubernetes.driver.resourceNamePrefix",
    "spark.kubernetes.scheduler.volcano.podGroupTemplateFile",
    "spark.kubernetes.file.upload.path",
    "spark.kubernetes.kerberos.krb5.path",
    "spark.kubernetes.context",
    "spark.kubernetes.authenticate.driver.caCertFile",
    "spark.kubernetes.authenticate.driver.clientCertFile",
    "spark.kubernetes.authenticate.driver.clientKeyFile",
    "spark.kubernetes.submission.connectionTimeout",
    "spark.kubernetes.submission.requestTimeout",
    "spark.kubernetes.submission.waitAppCompletion",
    "spark.kubernetes.report.interval",
    "spark.kubernetes.appKillPodDeletionGracePeriod",
)

#: Fields of `deps` by the property that each is.
DEPENDENCIES = {
    "jars": "spark.jars",
    "files": "spark.files",
    "pyFiles": "spark.submit.pyFiles",
    "packages": "spark.jars.packages",
    "excludePackages": "spark.jars.excludes",
    "repositories": "spark.jars.repositories",
    "archives": "spark.archives",
}
#: Fields of `dynamicAllocation` by the property that each is.
ALLOCATION = {
    "initialExecutors": "spark.dynamicAllocation.initialExecutors",
    "minExecutors": "spark.dynamicAllocation.minExecutors",
    "maxExecutors": "spark.dynamicAllocation.maxExecutors",
}
#: Digits of the greatest whole number of Java.
LONGEST_NUMBER = 10
#: Fields by the property that each is, for messages.
FIELDS = {key: f"dynamicAllocation.{field}" for field, key in ALLOCATION.items()} | {
    "spark.executor.instances": "executor.instances"
}


def properties(app: Object, submission: Submission, defaults: Defaults) -> dict[str, str]:
    """Return all properties: the chart's, under the spec's, under its fields, under what the controller decides."""
    given = _given(app, defaults)
    conf = given | _program(app, given) | allocation(app["spec"], given)
    conf |= _role(app, kinds.DRIVER, defaults) | _role(app, kinds.EXECUTOR, defaults)
    conf |= monitoring.properties(app, conf)
    return conf | _decided(app, submission, conf, defaults)


def _given(app: Object, defaults: Defaults) -> dict[str, str]:
    """Return what is given as properties, those of Hadoop among it."""
    wanted = app["spec"]
    hadoop = {f"spark.hadoop.{key}": value for key, value in (wanted.get("hadoopConf") or {}).items()}
    said = wanted.get("sparkConf") or {}
    left = _without_encryption(wanted, said)
    ours = {key: value for key, value in defaults.spark_conf.items() if not key.startswith(left)}
    return ours | said | hadoop


def _without_encryption(wanted: Object, said: Mapping[str, str]) -> tuple[str, ...]:
    """Return how defaults begin that an application cannot have.

    Spark does not start if it is to encrypt without authentication, and knows AES-GCM since 4.0 (SPARK-47172).
    """
    if said.get("spark.authenticate", "").strip().lower() == "false":
        return (CRYPTO,)
    return (f"{CRYPTO}cipher",) if str(wanted.get("sparkVersion", "")).startswith(("2.", "3.")) else ()


def _program(app: Object, given: Mapping[str, str]) -> dict[str, str]:
    """Return what the fields about the program say; lists join those that properties give."""
    wanted, found = app["spec"], {"spark.app.name": given.get("spark.app.name") or app["metadata"]["name"]}
    for field, key in DEPENDENCIES.items():
        values = (wanted.get("deps") or {}).get(field)
        if values:
            found[key] = ",".join(dict.fromkeys([*items(given.get(key)), *values]))
    if "spark.jars.packages" in {*found, *given}:
        found["spark.jars.ivy"] = given.get("spark.jars.ivy", IVY_DIR)
    if wanted.get("memoryOverheadFactor"):
        found["spark.kubernetes.memoryOverheadFactor"] = wanted["memoryOverheadFactor"]
    if wanted.get("imagePullPolicy"):
        found[PULL_POLICY] = wanted["imagePullPolicy"]
    if wanted.get("imagePullSecrets"):
        found[PULL_SECRETS] = ",".join(dict.fromkeys([*items(given.get(PULL_SECRETS)), *wanted["imagePullSecrets"]]))
    return found


def items(text: str | None) -> list[str]:
    """Return the entries of a list that a property gives, without blanks around them."""
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def allocation(wanted: Object, given: Mapping[str, str]) -> dict[str, str]:
    """Return how many executors run: a fixed number, one by default, or as many as the work needs.

    Args:
        wanted: the spec of a SparkApplication.
        given: what is given as properties.
    """
    bounds = wanted.get("dynamicAllocation") or {}
    instances = (wanted.get("executor") or {}).get("instances")
    dynamic = bounds.get("enabled") or given.get("spark.dynamicAllocation.enabled", "").strip().lower() == "true"
    found = {"spark.executor.instances": str(instances)} if instances is not None else {}
    if not dynamic and "spark.executor.instances" not in {*found, *given}:
        found["spark.executor.instances"] = "1"
    if not bounds.get("enabled"):
        return found
    found["spark.dynamicAllocation.enabled"] = "true"
    found |= {key: str(bounds[field]) for field, key in ALLOCATION.items() if bounds.get(field) is not None}
    tracked = bounds.get("shuffleTrackingEnabled")
    found["spark.dynamicAllocation.shuffleTracking.enabled"] = "false" if tracked is False else "true"
    if bounds.get("shuffleTrackingTimeout") is not None:
        found["spark.dynamicAllocation.shuffleTracking.timeout"] = f"{bounds['shuffleTrackingTimeout']}ms"
    return found


def _role(app: Object, role: str, defaults: Defaults) -> dict[str, str]:
    """Return what the fields of driver or executor say that Spark itself has to know."""
    wanted, own = app["spec"], spec.of(app, role)
    image = own.get("image") or wanted.get("image") or defaults.image
    fields = {
        f"spark.{role}.cores": own.get("cores"),
        f"spark.kubernetes.{role}.request.cores": own.get("coreRequest"),
        f"spark.kubernetes.{role}.limit.cores": own.get("coreLimit"),
        f"spark.{role}.memory": own.get("memory"),
        f"spark.{role}.memoryOverhead": own.get("memoryOverhead"),
        f"spark.{role}.extraJavaOptions": own.get("javaOptions"),
        f"spark.kubernetes.{role}.container.image": image,
        f"spark.kubernetes.{role}.scheduler.name": wanted.get("batchScheduler") or own.get("schedulerName"),
        "spark.kubernetes.executor.deleteOnTermination": own.get("deleteOnTermination"),  # only executors have it
        "spark.kubernetes.executor.terminationGracePeriodSeconds": _seconds(own) if role == kinds.EXECUTOR else None,
    }
    return {key: _text(value) for key, value in fields.items() if value not in (None, "")}


def _seconds(own: Object) -> str | None:
    seconds = own.get("terminationGracePeriodSeconds")
    return None if seconds is None else f"{seconds}s"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decided(app: Object, submission: Submission, conf: Mapping[str, str], defaults: Defaults) -> dict[str, str]:
    """Return what the controller decides, as Spark's submission client does (DriverServiceFeatureStep and others)."""
    namespace, driver = app["metadata"]["namespace"], spec.of(app, kinds.DRIVER)
    master = driver.get("kubernetesMaster") or MASTER
    domain = f".{defaults.cluster_domain}" if defaults.cluster_domain else ""
    found = {
        "spark.app.id": submission.app_id,
        "spark.master": f"k8s://{master}",
        "spark.kubernetes.driver.master": master,
        "spark.submit.deployMode": "cluster",
        "spark.kubernetes.submitInDriver": "true",
        "spark.kubernetes.namespace": namespace,
        "spark.kubernetes.resource.type": spec.language(app),
        "spark.kubernetes.memoryOverheadFactor": memory.shared_factor(conf, spec.language(app)),
        accounts.PROPERTIES[kinds.DRIVER]: accounts.driver(app, defaults),
        "spark.kubernetes.driver.pod.name": names.driver_name(app),
        "spark.kubernetes.executor.podNamePrefix": names.executor_prefix(app, submission),
        "spark.kubernetes.executor.podTemplateFile": f"{TEMPLATE_DIR}/{TEMPLATE_FILE}",
        "spark.kubernetes.executor.podTemplateContainerName": kinds.EXECUTOR_CONTAINER,
        "spark.driver.host": f"{names.driver_service_name(app)}.{namespace}.svc{domain}",
        "spark.driver.port": str(port(conf, "spark.driver.port", DRIVER_PORT)),
        "spark.driver.blockManager.port": str(block_manager_port(conf)),
    }
    port(conf, "spark.blockManager.port", BLOCK_MANAGER_PORT, any_port=True)
    if conf.get("spark.kubernetes.executor.container.image", "").startswith(LOADED):
        found[PULL_POLICY] = "Never"
    if accounts.executor(app, defaults):
        found[accounts.PROPERTIES[kinds.EXECUTOR]] = accounts.executor(app, defaults)
    if conf.get(HADOOP_CONFIG_MAP) and not app["spec"].get("hadoopConfigMap"):
        found["spark.kubernetes.executor.hadoopConfigMapName"] = conf[HADOOP_CONFIG_MAP]
    return found | placeholders.of_executors(app)


def pull_policy(image: str, said: str | None) -> str:
    """Return when the kubelet pulls an image.

    Args:
        image: its reference.
        said: what the spec says; nothing is IfNotPresent.
    """
    return "Never" if image.startswith(LOADED) else said or "IfNotPresent"


def port(conf: Mapping[str, str], key: str, otherwise: int, any_port: bool = False) -> int:
    """Return a port.

    Args:
        conf: Spark's properties.
        key: the property.
        otherwise: the port without it.
        any_port: whether 0 may stand for any free port, as it may where nobody has to know it beforehand.

    Raises:
        spec.Invalid: if it is not a port.
    """
    text = conf.get(key, "").strip()
    if not text:
        return otherwise
    number = whole(text)
    if number is None or not (1024 <= number <= 65535 or (any_port and number == 0)):
        free = ", 0 for any free one," if any_port else ","
        raise spec.Invalid(f"sparkConf: {key} is {text!r}; it must be a port from 1024 to 65535{free} or left out")
    return number


def whole(text: str) -> int | None:
    """Return a whole number as Spark reads it, of ten digits at most; None for any other text."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


def block_manager_port(conf: Mapping[str, str]) -> int:
    """Return the port of the driver's block manager (BasicDriverFeatureStep): `spark.blockManager.port` is the executors'."""
    return port(conf, "spark.driver.blockManager.port", BLOCK_MANAGER_PORT)


def ui_port(conf: Mapping[str, str]) -> int | None:
    """Return the port of the user interface, or nothing if it is switched off."""
    if conf.get("spark.ui.enabled", "true").strip().lower() == "false":
        return None
    return port(conf, "spark.ui.port", UI_PORT)


def text(conf: Mapping[str, str]) -> str:
    """Return properties as a file that java.util.Properties reads (its escapes; the file is UTF-8)."""
    return "".join(f"{_escaped(key, '=: ')}={_escaped(value)}\n" for key, value in sorted(conf.items()))


def _escaped(value: str, also: str = "") -> str:
    r"""Return a key or value with Java's escapes: a blank at the beginning would be lost, `#` and `!` begin a comment."""
    found = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\f", "\\f")
    found = re.sub(f"([#!{also}])" if also else r"\A([ #!])", r"\\\1", found)
    return found


def prefixed(conf: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the properties behind a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in conf.items() if key.startswith(prefix) and len(key) > len(prefix)}


def ignored(given: Mapping[str, str]) -> Iterable[str]:
    """Return the properties of a spec that nothing acts on."""
    return (key for key in given if key in OWNED or key in SUBMISSION_ONLY)
