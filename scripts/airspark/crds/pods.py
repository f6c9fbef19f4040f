"""Fields of `spec.driver` and `spec.executor`: forty and thirty-eight."""

from __future__ import annotations

from airspark.crds import rules
from airspark.crds.kubernetes_types import CORE, kubernetes
from airspark.crds.types import NAME_LENGTH, Schema, array, checked, described, flag, integer, mapping, merged_by, struct, text


def volumes(about: str) -> Schema:
    """Return the schema of volumes, each of another name."""
    volume = kubernetes("Volume")
    volume["properties"]["name"]["maxLength"] = NAME_LENGTH
    return array(volume, about, maxItems=rules.MOST_VOLUMES, **merged_by("name"))


def driver() -> Schema:
    """Return the schema of the driver."""
    own = {
        "podName": text("Name of the driver's pod, by default the application's with -driver"),
        "kubernetesMaster": text("URL of the API server for the driver, by default the cluster's own"),
        "serviceAnnotations": mapping(about="Annotations of the Service that executors reach the driver by"),
        "serviceLabels": mapping(about="Labels of the Service that executors reach the driver by"),
    }
    return checked(struct(_shared("driver") | own, "The pod that runs the driver"), rules.role("driver"))


def executor() -> Schema:
    """Return the schema of the executors."""
    own = {
        "instances": integer("How many executors run, without dynamic allocation", minimum=1),
        "deleteOnTermination": flag("Whether executors' pods are deleted when they end"),
    }
    return checked(struct(_shared("executor") | own, "The pods that run executors"), rules.role("executor"))


def _template(role: str) -> Schema:
    """Return the schema of a pod template, of which any part may be left out and nothing is pruned."""
    template = kubernetes("PodTemplateSpec", loose=True)
    listed = template["properties"]["spec"]["properties"]["volumes"]
    listed["maxItems"] = rules.MOST_VOLUMES
    listed["items"]["properties"]["name"]["maxLength"] = NAME_LENGTH
    about = f"Pod that the {role}'s is made from; other fields of the {role} win over it"
    return described(template, about)


def _mounts(role: str) -> Schema:
    """Return the schema of a role's mounts."""
    mount = kubernetes("VolumeMount")
    mount["properties"]["name"]["maxLength"] = NAME_LENGTH
    about = f"Where volumes of the application appear in the {role}'s container"
    return array(mount, about, maxItems=rules.MOST_VOLUMES, **merged_by("mountPath"))


def _bounded(about: str, checks: list[rules.Rule]) -> Schema:
    """Return the schema of a short text with rules."""
    return checked(text(about, maxLength=rules.TEXT_LENGTH), checks)


def _pairs(about: str, *fields: str) -> Schema:
    """Return the schema of a list of files with their paths: objects whose fields are all texts that must be there."""
    return array(struct({field: text() for field in fields}, required=fields), about, **merged_by("path"))


def _resources(role: str) -> dict[str, Schema]:
    """Return the fields of cores, memory and devices."""
    return {
        "cores": integer(f"Cores as Spark counts them (spark.{role}.cores)", minimum=1),
        "coreRequest": _bounded(
            "CPU request of the container, by default cores", rules.quantity(f"{role}.coreRequest", zero=True)
        ),
        "coreLimit": _bounded("CPU limit of the container, by default none", rules.quantity(f"{role}.coreLimit", zero=False)),
        "memory": _bounded(f"Heap of the JVM (spark.{role}.memory)", rules.size(f"{role}.memory")),
        "memoryOverhead": _bounded("Memory beside the heap, in MiB if no unit is given", rules.size(f"{role}.memoryOverhead")),
        "memoryLimit": _bounded("Memory limit of the container, by default its request", rules.limit_size(f"{role}.memoryLimit")),
        "gpu": struct(
            {"name": text("Resource name, such as nvidia.com/gpu"), "quantity": integer("How many", bits=64)},
            "Devices of the container",
            required=("name", "quantity"),
        ),
    }


def _shared(role: str) -> dict[str, Schema]:
    """Return the fields that driver and executor share."""
    reference = struct({"name": text(), "key": text()}, required=("name", "key"))
    return _resources(role) | {
        "affinity": described(kubernetes("Affinity"), "Affinity of the pod"),
        "annotations": mapping(about="Annotations of the pod"),
        "configMaps": _pairs("ConfigMaps mounted into the container", "name", "path"),
        "dnsConfig": described(kubernetes("PodDNSConfig"), "DNS settings of the pod"),
        "env": array(kubernetes("EnvVar"), "Environment of the container", **merged_by("name")),
        "envFrom": array(kubernetes("EnvFromSource"), "ConfigMaps and Secrets whose keys become environment variables"),
        "envSecretKeyRefs": mapping(reference, "Environment variables from keys of Secrets; env does the same"),
        "envVars": mapping(about="Environment variables by name; env does the same"),
        "hostAliases": array(kubernetes("HostAlias"), "Entries of the pod's hosts file", **merged_by("ip")),
        "hostNetwork": flag("Whether the pod uses the node's network"),
        "image": text("Image, if it differs from the application's"),
        "initContainers": array(kubernetes("Container"), "Containers that end before Spark's starts", **merged_by("name")),
        "javaOptions": text(f"Options of the JVM (spark.{role}.extraJavaOptions)"),
        "labels": mapping(about="Labels of the pod"),
        "lifecycle": described(kubernetes("Lifecycle"), "Hooks of the container"),
        "nodeSelector": mapping(about="Labels of the nodes that may run the pod; not together with the application's"),
        "podSecurityContext": described(kubernetes("PodSecurityContext"), "Security context of the pod"),
        "ports": array(
            struct(
                {"name": text(), "protocol": text(), "containerPort": integer()}, required=("name", "protocol", "containerPort")
            ),
            "Further ports of the container",
            **merged_by("containerPort", "protocol"),
        ),
        "priorityClassName": text("PriorityClass of the pod"),
        "schedulerName": text("Scheduler of the pod"),
        "secrets": _pairs("Secrets mounted into the container, by kind", "name", "path", "secretType"),
        "securityContext": described(kubernetes("SecurityContext"), "Security context of the container"),
        "serviceAccount": text("ServiceAccount of the pod"),
        "shareProcessNamespace": flag("Whether the pod's containers see each other's processes"),
        "sidecars": array(kubernetes("Container"), "Containers beside Spark's", **merged_by("name")),
        "template": _template(role),
        "terminationGracePeriodSeconds": integer("Seconds between the signal to end and the kill", bits=64),
        "tolerations": array(kubernetes("Toleration"), "Taints that the pod tolerates"),
        "volumeMounts": _mounts(role),
    }


#: Full name of the type that Ingresses use for their certificates, which is in a group of its own.
INGRESS_TLS = CORE.replace("core.v1", "networking.v1") + "IngressTLS"
