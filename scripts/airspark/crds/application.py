"""Fields of a SparkApplication's spec: the thirty-three of kubeflow's v1beta2, and the labels that Airflow's provider sets."""

from __future__ import annotations

from airspark.crds import pods, rules
from airspark.crds.kubernetes_types import QUANTITY, kubernetes
from airspark.crds.types import Schema, array, checked, flag, integer, mapping, merged_by, struct, text

REQUIRED = ("type", "sparkVersion", "mainApplicationFile", "driver", "executor")


def spec(about: str) -> Schema:
    """Return the schema of a SparkApplication's spec, which is also the template of a scheduled one.

    Args:
        about: its description.
    """
    fields = _program() | _pods() | _life() | _access()
    return checked(struct(fields, about, required=REQUIRED), rules.application())


def _program() -> dict[str, Schema]:
    """Return the fields that say what runs."""
    share = text("Memory beside the heap as a share of it, by default 0.1, and 0.4 for Python and R", maxLength=rules.TEXT_LENGTH)
    factor = checked(share, rules.factor("memoryOverheadFactor"))
    conf = checked(mapping(about="Spark properties; fields of this spec win over them"), rules.spark_conf())
    lists = {
        "jars": "Jars on the class path of driver and executors",
        "files": "Files in the working directory of each executor",
        "pyFiles": "Python files and archives on the module path",
        "packages": "Maven coordinates of jars, with what they depend on",
        "excludePackages": "Coordinates, group:artifact, left out of what packages depend on",
        "repositories": "Further repositories for packages",
        "archives": "Archives unpacked in the working directory of each executor",
    }
    return {
        "type": text("Language of the application", enum=["Java", "Python", "Scala", "R"]),
        "sparkVersion": text("Version of Spark in the image"),
        "mode": text("Where the driver runs; every application's runs in a pod of its own", enum=["cluster", "client"]),
        "proxyUser": text("User that the application impersonates"),
        "image": text("Image of driver and executors"),
        "imagePullPolicy": text("When the image is pulled"),
        "imagePullSecrets": array(text(), "Secrets for the image's registry"),
        "mainClass": text("Class with the main method, for Java and Scala"),
        "mainApplicationFile": text("Jar, Python or R file of the application, as a URL; local:// is in the image"),
        "arguments": array(text(), "Arguments of the application"),
        "pythonVersion": text("Major version of Python; images here have Python 3", enum=["2", "3"]),
        "sparkConf": conf,
        "hadoopConf": mapping(about="Hadoop properties, without the prefix spark.hadoop"),
        "sparkConfigMap": text("ConfigMap with Spark's configuration files"),
        "hadoopConfigMap": text("ConfigMap with Hadoop's configuration files"),
        "deps": struct(
            {field: array(text(), about) for field, about in lists.items()}, "What the application needs beside its file"
        ),
        "memoryOverheadFactor": factor,
    }


def _pods() -> dict[str, Schema]:
    """Return the fields that say where it runs."""
    bounds = {
        "enabled": flag("Whether Spark decides how many executors run"),
        "initialExecutors": integer(
            "Executors at the start; Spark takes the greatest of this, the minimum and executor.instances"
        ),
        "minExecutors": integer("Least number of executors; may be 0"),
        "maxExecutors": integer("Greatest number of executors"),
        "shuffleTrackingEnabled": flag("Whether executors with shuffle data are kept, by default true"),
        "shuffleTrackingTimeout": integer("Milliseconds after which an executor with shuffle data may go", bits=64),
    }
    scheduling = {
        "queue": text("Queue of the batch scheduler"),
        "priorityClassName": text("PriorityClass of the group of pods"),
        "resources": mapping(kubernetes(QUANTITY), "Resources that the group needs to start"),
    }
    return {
        "driver": pods.driver(),
        "executor": pods.executor(),
        "volumes": pods.volumes("Volumes that driver and executors mount"),
        "labels": mapping(about="Labels that Airflow's provider writes here; pods take theirs from driver and executor"),
        "nodeSelector": mapping(about="Labels of the nodes that may run driver and executors"),
        "dynamicAllocation": checked(struct(bounds, "Executors as many as the work needs"), rules.dynamic_allocation()),
        "batchScheduler": text("Scheduler that places all pods of the application at once"),
        "batchSchedulerOptions": struct(scheduling, "Settings of the batch scheduler"),
        "driverPodDisruptionBudget": flag("Whether the driver's pod is protected from voluntary evictions"),
    }


def _life() -> dict[str, Schema]:
    """Return the fields that say how long it lives."""
    policy = {
        "type": text("When an application that ended begins again", enum=["Never", "Always", "OnFailure"]),
        "onFailureRetries": integer("How often a failed run is repeated", minimum=0),
        "onFailureRetryInterval": integer("Seconds before a run is repeated, times the attempts so far", bits=64, minimum=1),
        "onSubmissionFailureRetries": integer("How often a failed submission is repeated", minimum=0),
        "onSubmissionFailureRetryInterval": integer(
            "Seconds before a submission is repeated, times the attempts so far", bits=64, minimum=1
        ),
    }
    return {
        "suspend": flag("Whether the application is stopped, and its pods deleted, until this is false again"),
        "restartPolicy": struct(policy, "What happens after the end"),
        "failureRetries": integer("Older name of restartPolicy.onFailureRetries"),
        "retryInterval": integer("Older name of restartPolicy.onFailureRetryInterval, in seconds", bits=64),
        "timeToLiveSeconds": integer("Seconds after the end at which the object is deleted", bits=64),
    }


def _access() -> dict[str, Schema]:
    """Return the fields of metrics and of the user interface."""
    exporter = {
        "jmxExporterJar": text("Path of the JMX exporter's jar in the image"),
        "port": integer("Port of the metrics, by default 8090", minimum=1024, maximum=49151),
        "portName": text("Name of that port, by default jmx-exporter"),
        "configFile": text("Path of the exporter's configuration in the image; wins over configuration"),
        "configuration": text("The exporter's configuration"),
    }
    monitoring = {
        "exposeDriverMetrics": flag("Whether the driver has metrics"),
        "exposeExecutorMetrics": flag("Whether executors have metrics"),
        "metricsProperties": text("Content of metrics.properties"),
        "metricsPropertiesFile": text("Path of a metrics.properties in the image"),
        "prometheus": struct(exporter, "The JMX exporter for Prometheus", required=("jmxExporterJar",)),
    }
    address = text(
        "Host and path of the Ingress, with {{$appName}}, {{$appNamespace}} and {{$appId}}", maxLength=rules.ADDRESS_LENGTH
    )
    ingress = struct(_service() | {"ingressURLFormat": address}, required=("servicePort", "servicePortName"))
    return {
        "monitoring": struct(monitoring, "Metrics of the pods", required=("exposeDriverMetrics", "exposeExecutorMetrics")),
        "sparkUIOptions": struct(_service(), "Service and Ingress of the application's user interface"),
        "driverIngressOptions": checked(
            array(
                ingress,
                "Services and Ingresses of further ports of the driver",
                maxItems=rules.MOST_PORTS,
                **merged_by("servicePort"),
            ),
            rules.driver_ingresses(),
        ),
    }


def _service() -> dict[str, Schema]:
    """Return the fields of a Service with an Ingress."""
    return {
        "servicePort": integer("Port of the Service"),
        "servicePortName": text("Name of that port"),
        "serviceType": text("Type of the Service, by default ClusterIP"),
        "serviceAnnotations": mapping(about="Annotations of the Service"),
        "serviceLabels": mapping(about="Labels of the Service"),
        "ingressAnnotations": mapping(about="Annotations of the Ingress"),
        "ingressTLS": array(kubernetes(pods.INGRESS_TLS), "Certificates of the Ingress"),
    }
