"""The driver pod (Spark's BasicDriverFeatureStep, DriverCommandFeatureStep and what the spec adds)."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import accounts, admission, batch, kinds, memory, names, needs, placeholders, pods, spec, volumes
from airspark_operator import conf as properties
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission

#: Classes that run programs that are no Java (SparkApplication.mainClass in Spark's submission client).
RUNNERS = {"python": "org.apache.spark.deploy.PythonRunner", "r": "org.apache.spark.deploy.RRunner"}
#: User name that Spark gives the application.
USER = "spark"


def pod(app: Object, submission: Submission, conf: Mapping[str, str], defaults: Defaults) -> Object:
    """Return the driver pod of a submission.

    Raises:
        spec.Invalid: if there is no image, or a property cannot be read.
    """
    config_map = names.config_name(app, submission)
    made = pods.template(app, kinds.DRIVER, conf, config_map, defaults)
    wanted, container = made["spec"], made["spec"]["containers"][0]
    _configure(wanted, container, config_map)
    _container(app, container, submission, conf)
    own = [*_environment(app, submission, volumes.local_dirs(wanted, conf)), *_interpreters(app, conf)]
    container["env"] = pods.unique([*own, *(container.get("env") or [])])
    wanted["restartPolicy"] = "Never"
    accounts.put(wanted, accounts.driver(app, defaults))
    wanted["automountServiceAccountToken"] = True
    nodes = pods.nodes(app, kinds.DRIVER, conf)
    if nodes:
        wanted["nodeSelector"] = nodes
    scheduler = conf.get("spark.kubernetes.driver.scheduler.name") or conf.get("spark.kubernetes.scheduler.name")
    if scheduler:
        wanted["schedulerName"] = scheduler
    said = properties.items(conf.get(properties.PULL_SECRETS))
    secrets = pods.unique([*(wanted.get("imagePullSecrets") or []), *({"name": name} for name in said)])
    if secrets:
        wanted["imagePullSecrets"] = secrets
    admission.check(app, kinds.DRIVER, wanted, conf)
    metadata = spec.metadata(app, names.driver_name(app), submission.id, _labels(app, made, submission, conf))
    annotations = (
        placeholders.filled(properties.prefixed(conf, "spark.kubernetes.driver.annotation."), submission.app_id)
        | (made["metadata"].get("annotations") or {})
        | batch.pod_annotations(app, kinds.DRIVER, conf)
    )
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted}


def _labels(app: Object, made: Object, submission: Submission, conf: Mapping[str, str]) -> dict[str, str]:
    """Return the driver's labels; those that are looked for by others win."""
    given: dict[str, str] = made["metadata"]["labels"]
    return (
        placeholders.filled(properties.prefixed(conf, "spark.kubernetes.driver.label."), submission.app_id)
        | given
        | batch.pod_labels(app, kinds.DRIVER, conf)
        | {
            kinds.LABEL_APP_SELECTOR: submission.app_id,
            kinds.LABEL_SPARK_APP_NAME: names.spark_app_name(conf["spark.app.name"]),
            kinds.LABEL_SPARK_VERSION: names.label_value(app["spec"].get("sparkVersion", "")),
        }
    )


def _configure(wanted: Object, container: Object, config_map: str) -> None:
    """Mount the properties and the executors' template where Spark's own submission client puts them."""
    places = (
        ("spark-conf-volume-driver", properties.PROPERTIES_FILE, properties.CONF_DIR),
        ("pod-template-volume", properties.TEMPLATE_FILE, properties.TEMPLATE_DIR),
    )
    for name, file, path in places:
        volume = {"name": name, "configMap": {"name": config_map, "items": [{"key": file, "path": file}]}}
        wanted.setdefault("volumes", []).append(volume)
        container.setdefault("volumeMounts", []).append({"name": name, "mountPath": path})


def _container(app: Object, container: Object, submission: Submission, conf: Mapping[str, str]) -> None:
    """Fill in image, arguments, resources and ports."""
    image = conf.get("spark.kubernetes.driver.container.image")
    if not image:
        raise spec.Invalid("spec.image is not set and the controller has no default image; set spec.image to an image with Spark")
    container["image"] = image
    said = app["spec"].get("imagePullPolicy") or (app["spec"].get("sparkConf") or {}).get(properties.PULL_POLICY)
    container["imagePullPolicy"] = properties.pull_policy(image, said)
    container["args"] = arguments(app)
    container["ports"] = [*_ports(conf), *(container.get("ports") or [])]
    container["resources"] = resources(app, container.get("resources") or {}, conf)


def arguments(app: Object) -> list[str]:
    """Return the arguments of the driver's container, as Spark's submission client gives them to an image's entry point."""
    wanted = app["spec"]
    main = RUNNERS.get(spec.language(app)) or wanted.get("mainClass")
    found = ["driver", *(["--proxy-user", wanted["proxyUser"]] if wanted.get("proxyUser") else [])]
    found += ["--properties-file", f"{properties.CONF_DIR}/{properties.PROPERTIES_FILE}"]
    found += ["--class", main] if main else []
    return [*found, wanted["mainApplicationFile"], *(wanted.get("arguments") or ())]


def resources(app: Object, given: Object, conf: Mapping[str, str]) -> Object:
    """Return the resources of the driver's container, over those of a template.

    Raises:
        spec.Invalid: if an amount cannot be read.
    """
    own = spec.of(app, kinds.DRIVER)
    amount = f"{memory.of(kinds.DRIVER, conf, spec.language(app))}Mi"
    requests: Object = (given.get("requests") or {}) | {"memory": amount}
    requests["cpu"] = conf.get("spark.kubernetes.driver.request.cores") or conf.get("spark.driver.cores", "1")
    limits: Object = (given.get("limits") or {}) | {"memory": amount}
    if own.get("memoryLimit"):
        limits["memory"] = memory.limit(own["memoryLimit"], "driver.memoryLimit")
        if memory.quantity_mebibytes(limits["memory"]) < memory.quantity_mebibytes(amount):
            raise spec.Invalid(
                f"driver.memoryLimit ({own['memoryLimit']}) is below what the driver needs ({amount}: memory and overhead); "
                "raise it or lower driver.memory"
            )
    if conf.get("spark.kubernetes.driver.limit.cores"):
        limits["cpu"] = conf["spark.kubernetes.driver.limit.cores"]
    return given | {"requests": requests, "limits": limits | needs.devices(kinds.DRIVER, conf)}


def _ports(conf: Mapping[str, str]) -> list[Object]:
    found = [
        ("driver-rpc-port", properties.port(conf, "spark.driver.port", properties.DRIVER_PORT)),
        ("blockmanager", properties.block_manager_port(conf)),
        ("spark-ui", properties.ui_port(conf)),
    ]
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in found if port]


def _environment(app: Object, submission: Submission, local_dirs: str) -> list[Object]:
    """Return the variables that an image's entry point and Spark read."""
    bind = {"name": "SPARK_DRIVER_BIND_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    return [
        {"name": "SPARK_USER", "value": app["spec"].get("proxyUser") or USER},
        {"name": "SPARK_APPLICATION_ID", "value": submission.app_id},
        bind,
        {"name": "SPARK_CONF_DIR", "value": properties.CONF_DIR},
        {"name": "SPARK_LOCAL_DIRS", "value": local_dirs},
    ]


def _interpreters(app: Object, conf: Mapping[str, str]) -> list[Object]:
    """Return the variables that name the Python of properties (DriverCommandFeatureStep)."""
    if spec.language(app) != "python":
        return []
    said = (("PYSPARK_PYTHON", "spark.pyspark.python"), ("PYSPARK_DRIVER_PYTHON", "spark.pyspark.driver.python"))
    return [{"name": name, "value": conf[key]} for name, key in said if conf.get(key)]
