"""Fields that are accepted and not acted on: each is named in the object's status, in a condition and in an Event."""

from __future__ import annotations

from airspark_operator import beside, conf, kinds, monitoring, pods, spec
from airspark_operator.batch import COSCHEDULING, VOLCANO, YUNIKORN
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults

#: Why, by field: the table of docs/sparkapplications.md.
REASONS = {
    "mode: client": "The driver always runs in its own pod, as with `cluster`",
    'pythonVersion: "2"': "No supported Spark runs on Python 2; the image's Python 3 is used",
    "imagePullPolicy: Always, with an image airspark/…": "The image is loaded into the nodes: its name has no registry, and"
    " nobody owns it in a public one",
    "executor.ports": "Spark replaces the ports of its own container in executor pods; they are open without being declared",
    "executor.memoryLimit": "Spark sets the memory limit of executors to their request; raise `executor.memoryOverhead` instead",
    "executor.lifecycle and the template's, with spark.decommission.enabled": "Spark puts its own hook there, which hands"
    " the executor's blocks over before it ends",
    "schedulerName of driver or executor, with batchScheduler": "The batch scheduler has to place all pods, as with"
    " kubeflow's operator",
    "monitoring.metricsProperties, monitoring.prometheus.configuration": "The file in the image wins"
    " (`metricsPropertiesFile`, `configFile`)",
    "monitoring.prometheus, with both expose flags false": "No pod has the exporter",
    "failureRetries, retryInterval": "kubeflow's operator does not act on them either; use `restartPolicy`",
    "batchScheduler, other than volcano, yunikorn or kube-scheduler": "It becomes the scheduler of the pods, no more",
    "labels[queue] of driver or executor, with batchSchedulerOptions.queue": "The option is the queue of all pods, as with"
    " kubeflow's operator",
    "batchSchedulerOptions.*": "Each scheduler knows only some of them, and without `batchScheduler` none applies",
    "secrets[].secretType, other than Generic, GCPServiceAccount or HadoopDelegationToken": "Mounted, without a variable",
    "volumes[] that no container mounts": "A volume without a mount is not attached to the pod",
    "sparkUIOptions.ingressAnnotations, sparkUIOptions.ingressTLS": "Without `spark.uiIngress.urlFormat` there is no Ingress",
    "sparkConf: what a field says too": "The field wins: `spark.metrics.conf` beside `monitoring`,"
    " `spark.kubernetes.hadoop.configMapName` beside `hadoopConfigMap`, schedulers beside `batchScheduler`, labels, annotations,"
    " node selectors and variables beside those of fields and templates",
    "sparkConf: properties of the controller": "Decided by the controller: " + ", ".join(f"`{key}`" for key in conf.OWNED),
    "sparkConf: properties of Spark's submission client": ", ".join(f"`{key}`" for key in conf.SUBMISSION_ONLY),
}
#: Options of each batch scheduler.
OPTIONS = {VOLCANO: ("queue", "priorityClassName", "resources"), YUNIKORN: ("queue",), COSCHEDULING: ("resources",)}
KNOWN_SECRETS = ("Generic", "GCPServiceAccount", "HadoopDelegationToken")


def ignored(wanted: Object, defaults: Defaults) -> list[str]:
    """Return the paths of fields that are set and not acted on.

    Args:
        wanted: the spec of a SparkApplication.
        defaults: what the chart says about user interfaces.
    """
    found = ["mode"] if wanted.get("mode") == "client" else []
    found += ["pythonVersion"] if wanted.get("pythonVersion") == "2" else []
    found += ["imagePullPolicy"] if wanted.get("imagePullPolicy") == "Always" and _loaded(wanted, defaults) else []
    executor = wanted.get("executor") or {}
    found += [f"executor.{field}" for field in ("ports", "memoryLimit") if executor.get(field)]
    found += [field for field in ("failureRetries", "retryInterval") if wanted.get(field) is not None]
    found += _monitoring(wanted.get("monitoring") or {})
    found += (
        _lifecycle(wanted, defaults)
        + _scheduling(wanted)
        + _secrets(wanted)
        + _volumes(wanted)
        + _user_interface(wanted, defaults)
    )
    said = wanted.get("sparkConf") or {}
    overruled = (*_beside_fields(wanted, said), *beside.ignored({"spec": wanted}, said))
    return found + [f"sparkConf.{key}" for key in (*conf.ignored(said), *overruled)]


def _loaded(wanted: Object, defaults: Defaults) -> bool:
    """Whether driver or executors have an image that is never pulled."""
    roles = [wanted.get(role) or {} for role in (kinds.DRIVER, kinds.EXECUTOR)]
    return any((role.get("image") or wanted.get("image") or defaults.image).startswith(conf.LOADED) for role in roles)


def _monitoring(about: Object) -> list[str]:
    exporter = about.get("prometheus") or {}
    shown = about.get("exposeDriverMetrics") or about.get("exposeExecutorMetrics")
    found = {
        "monitoring.metricsProperties": about.get("metricsProperties") and about.get("metricsPropertiesFile"),
        "monitoring.prometheus": exporter and not shown,
        "monitoring.prometheus.configuration": exporter.get("configuration") and exporter.get("configFile"),
    }
    return [field for field, unused in found.items() if unused]


def _lifecycle(wanted: Object, defaults: Defaults) -> list[str]:
    said = defaults.spark_conf | (wanted.get("sparkConf") or {})
    if said.get("spark.decommission.enabled", "").strip().lower() != "true":
        return []
    app: Object = {"spec": wanted}
    own = ["executor.lifecycle"] if spec.of(app, kinds.EXECUTOR).get("lifecycle") else []
    spark = pods.containers(app, kinds.EXECUTOR)[0]
    return own + (["executor.template.spec.containers[].lifecycle"] if spark.get("lifecycle") else [])


def _beside_fields(wanted: Object, said: Object) -> list[str]:
    """Return the properties that a field stands for and wins over."""
    about = wanted.get("monitoring") or {}
    fields = {
        monitoring.CONF: about.get("metricsPropertiesFile") or about.get("metricsProperties"),
        conf.HADOOP_CONFIG_MAP: wanted.get("hadoopConfigMap"),
        "spark.kubernetes.scheduler.name": wanted.get("batchScheduler"),
        "spark.kubernetes.driver.scheduler.name": wanted.get("batchScheduler"),
        "spark.kubernetes.executor.scheduler.name": wanted.get("batchScheduler"),
    }
    return [key for key, field in fields.items() if field and said.get(key, field) != field]


def _scheduling(wanted: Object) -> list[str]:
    scheduler = wanted.get("batchScheduler")
    known = OPTIONS.get(scheduler or "", ())
    unknown = ["batchScheduler"] if scheduler and scheduler not in OPTIONS else []
    options = wanted.get("batchSchedulerOptions") or {}
    roles = [(role, spec.of({"spec": wanted}, role).get("schedulerName")) for role in (kinds.DRIVER, kinds.EXECUTOR)]
    own = [f"{role}.schedulerName" for role, name in roles if scheduler and name and name != scheduler]
    queue = beside.queue({"spec": wanted})
    labels = [(role, beside.texts({"spec": wanted}, role, "labels")) for role, _ in roles]
    own += [f"{role}.labels[{key}]" for role, said in labels for key in queue if said.get(key, queue[key]) != queue[key]]
    return unknown + own + [f"batchSchedulerOptions.{field}" for field in options if field not in known]


def _user_interface(wanted: Object, defaults: Defaults) -> list[str]:
    options = wanted.get("sparkUIOptions") or {}
    if not defaults.ui_service:
        return ["sparkUIOptions"] if options else []
    ingress = [] if defaults.ingress_url_format else ["ingressAnnotations", "ingressTLS"]
    return [f"sparkUIOptions.{field}" for field in ingress if options.get(field)]


def _secrets(wanted: Object) -> list[str]:
    return [
        f"{role}.secrets[{secret['name']}].secretType"
        for role in (kinds.DRIVER, kinds.EXECUTOR)
        for secret in (wanted.get(role) or {}).get("secrets") or ()
        if secret["secretType"] not in KNOWN_SECRETS
    ]


def _volumes(wanted: Object) -> list[str]:
    app = {"spec": wanted}
    mounted = {volume["name"] for role in (kinds.DRIVER, kinds.EXECUTOR) for volume in spec.volumes(app, role)}
    return [f"volumes[{volume['name']}]" for volume in wanted.get("volumes") or () if volume["name"] not in mounted]
