"""What the pods of the controller are compared by: properties and fields with values, and the differences that are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Properties = dict[str, str]
LOCAL_DIRS = "org.apache.spark.deploy.k8s.features.LocalDirsFeatureStep"
KERBEROS = "spark.kubernetes.kerberos."

#: Values for properties whose default does not say what another value looks like, by the property or prefix.
VALUES: dict[str, str | Properties] = {
    "spark.kubernetes.allocation.pods.allocator": "statefulset",
    "spark.kubernetes.allocation.recoveryMode.enabled": "true",
    "spark.kubernetes.container.image.pullPolicy": "Always",
    "spark.kubernetes.container.image.pullSecrets": "a, b",
    "spark.kubernetes.decommission.script": {"spark.decommission.enabled": "true", "spark.kubernetes.decommission.script": "/x"},
    "spark.kubernetes.driver.limit.cores": "2",
    "spark.kubernetes.driver.request.cores": "500m",
    "spark.kubernetes.driver.pod.excludedFeatureSteps": LOCAL_DIRS,
    "spark.kubernetes.driver.service.ipFamilies": "IPv6",
    "spark.kubernetes.driver.service.ipFamilyPolicy": "PreferDualStack",
    "spark.kubernetes.executor.limit.cores": "2",
    "spark.kubernetes.executor.request.cores": "500m",
    "spark.kubernetes.executor.pod.excludedFeatureSteps": LOCAL_DIRS,
    "spark.kubernetes.executor.pod.featureSteps": "",
    "spark.kubernetes.executor.podDeletionCost": "1",
    "spark.kubernetes.executor.terminationGracePeriodSeconds": "90s",
    "spark.kubernetes.memoryOverheadFactor": "0.3",
    f"{KERBEROS}tokenSecret.name": {f"{KERBEROS}tokenSecret.name": "t", f"{KERBEROS}tokenSecret.itemKey": "k"},
    f"{KERBEROS}tokenSecret.itemKey": {f"{KERBEROS}tokenSecret.name": "t", f"{KERBEROS}tokenSecret.itemKey": "k"},
    "spark.kubernetes.driverEnv.": {"spark.kubernetes.driverEnv.A": "{{APP_ID}}"},
    "spark.kubernetes.node.selector.": {"spark.kubernetes.node.selector.a": "b"},
    "spark.kubernetes.driver.volumes.": {},  # `VOLUMES` has them
    "spark.kubernetes.executor.volumes.": {},
    "spark.kubernetes.driver.service.label.": {"spark.kubernetes.driver.service.label.a": "b"},
    "spark.kubernetes.driver.service.annotation.": {"spark.kubernetes.driver.service.annotation.a": "b"},
}
for _role in ("driver", "executor"):
    _prefix = f"spark.kubernetes.{_role}."
    VALUES |= {
        f"{_prefix}label.": {f"{_prefix}label.a": "{{APP_ID}}-{{EXECUTOR_ID}}x", f"{_prefix}label.example.com/b": ""},
        f"{_prefix}annotation.": {f"{_prefix}annotation.a": "{{APP_ID}} {{EXECUTOR_ID}}"},
        f"{_prefix}secrets.": {f"{_prefix}secrets.s": "/s"},
        f"{_prefix}secretKeyRef.": {f"{_prefix}secretKeyRef.A": "s:k"},
        f"{_prefix}node.selector.": {f"{_prefix}node.selector.a": "b"},
    }

#: Volumes of properties, behind `spark.kubernetes.<role>.volumes.`, but for `hostPath`, which is refused.
VOLUMES: dict[str, Properties] = {
    "emptyDir": {"mount.path": "/v"},
    "emptyDir, all": {"mount.path": "/v", "options.medium": "Memory", "options.sizeLimit": "1Gi", "mount.subPathExpr": "$(A)"},
    "nfs": {"mount.path": "/v", "options.path": "/h", "options.server": "s"},
    "persistentVolumeClaim": {"mount.path": "/v", "options.claimName": "c"},
    "persistentVolumeClaim, all": {
        "mount.path": "/v", "options.claimName": "c", "mount.readOnly": "true", "mount.subPath": "x",
    },
    "persistentVolumeClaim, made": {
        "mount.path": "/v", "options.claimName": "OnDemand", "options.sizeLimit": "1Gi", "options.storageClass": "fast",
        "label.a": "b", "annotation.a": "b",
    },
}  # fmt: skip

#: Properties of Spark beside those of its Kubernetes page that its pods depend on.
FURTHER: dict[str, Properties] = {
    "cores": {"spark.driver.cores": "2", "spark.executor.cores": "3"},
    "memory": {"spark.driver.memory": "2g", "spark.executor.memory": "3g"},
    "overhead": {"spark.driver.memoryOverhead": "1g", "spark.executor.memoryOverhead": "2g"},
    "factors": {"spark.driver.memoryOverheadFactor": "0.5", "spark.executor.memoryOverheadFactor": "0.6"},
    "least": {"spark.driver.minMemoryOverhead": "600m", "spark.executor.minMemoryOverhead": "700m"},
    "python": {"spark.executor.pyspark.memory": "1g"},
    "off heap": {"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g"},
    "devices": {
        f"spark.{role}.resource.gpu.{field}": value
        for role in ("driver", "executor")
        for field, value in (("amount", "1"), ("vendor", "nvidia.com"))
    },
    "variables": {"spark.executorEnv.A": "{{APP_ID}}"},
    "ports": {
        "spark.driver.port": "7000", "spark.driver.blockManager.port": "7001", "spark.blockManager.port": "7002",
        "spark.ui.port": "4050",
    },
    "any port": {"spark.blockManager.port": "0", "spark.driver.blockManager.port": "7079"},
    "executors' port": {"spark.blockManager.port": "7002"},
    "no page": {"spark.ui.enabled": "false"},
    "connect": {"spark.connect.grpc.binding.port": "15100"},
    "folder": {"spark.local.dir": "/a"},
    "scratch": {
        f"spark.kubernetes.{role}.volumes.emptyDir.spark-local-dir-1.{field}": value
        for role in ("driver", "executor")
        for field, value in (("mount.path", "/v"), ("options.sizeLimit", "1Gi"))
    },
    "class path": {"spark.driver.extraClassPath": "/x", "spark.executor.extraClassPath": "/y"},
    "options": {"spark.driver.extraJavaOptions": "-Da=b", "spark.executor.extraJavaOptions": "-Da={{APP_ID}}-{{EXECUTOR_ID}}"},
    "secret": {"spark.authenticate": "true", "spark.authenticate.secret": "s"},
    "interpreters": {"spark.pyspark.python": "/p", "spark.pyspark.driver.python": "/q"},
    "files": {
        "spark.jars": "local:///a.jar", "spark.files": "local:///b", "spark.submit.pyFiles": "local:///c.py",
        "spark.archives": "local:///d.zip",
    },
    "name": {"spark.app.name": "-My  long Job_1! "},
    "host": {"spark.driver.host": "h"},
    "credentials": {"spark.kubernetes.authenticate.driver.mounted.caCertFile": "/c"},
    "decommission": {"spark.decommission.enabled": "true"},
}  # fmt: skip

#: Differences of every pod, by the path of `part: path`.
ALWAYS = {
    r".*: metadata\.labels\.sparkoperator\.k8s\.io/.+": "kubeflow's labels, which the controller finds its pods by",
    r"(driver|service): metadata\.(namespace|ownerReferences.*)": "Spark's client adds them as it creates objects",
    r"executor: (metadata\.name|spec\.hostname)": "a prefix with the submission's id",
    r"driver: spec\.automountServiceAccountToken": "whatever the account says, a driver needs its token",
    r"executor: spec\.automountServiceAccountToken": "executors get no token, unless an account is named for them",
    r"driver: spec\.serviceAccount": "the old name of serviceAccountName, which the API server fills in",
    r"driver: spec\.containers\[.+\]\.env\[SPARK_CONF_DIR\]\..*": "Spark's client adds it as it creates the pod",
    r"driver: spec\.containers\[.+\]\.env\[SPARK_DRIVER_BIND_ADDRESS\]\.valueFrom\.fieldRef\.apiVersion": "v1 is the default",
    r"driver: spec\.containers\[.+\]\.env\[SPARK_USER\]\.value": "Spark has the user that runs spark-submit",
    r"(driver|service): spec\..*ports\[spark-connect\]\..*": "the Service is headless: a port needs no entry to be reached",
    r".*: spec\.containers\[.+\]\.terminationMessagePolicy": "the end of the log becomes the reason of a failure",
    r"driver: spec\..*\[(/opt/spark/conf|/opt/spark/pod-template|spark-conf-volume-driver|pod-template-volume)\]\..*": (
        "the controller's ConfigMap; Spark's client adds its own as it creates the pod"
    ),
    r"properties: spark\.kubernetes\.(driver\.|executor\.)?container\.image": "one for each role, as kubeflow's operator",
    r"properties: spark\.kubernetes\.driver\.master": "the master without its scheme",
    r"properties: spark\.kubernetes\.executor\.(podNamePrefix|podTemplate(File|ContainerName))": "the executors' template",
    r"service: metadata\.labels\.spark-app-selector": "a driver that ends must not delete the Service of its next attempt",
    r"service: spec\.(ipFamilies\[0\]|ipFamilyPolicy)": "the API server's default fits clusters of IPv6 too",
    r"service: spec\.ports\[.+\]\.protocol": "TCP is the default",
    r"service: spec\.publishNotReadyAddresses": "executors may call a driver whose sidecar is not ready yet",
    r"service: spec\.selector\..+": "by what is the same at each attempt",
}
#: Further differences of every pod of a language.
LANGUAGES: dict[str, dict[str, str]] = {}
DENIED = "refused when it is applied: the sentence names the field to use"
OWNED = "the controller decides; named in status.ignoredFields"
CLIENT = "only Spark's submission client acts on it; named in status.ignoredFields"
READ_ONLY = "no pod can write to a ConfigMap or Secret"
#: Differences by the name of a case and the path of `part: path`, with the reason.
MEANT: dict[str, dict[str, str]] = {
    "spark.kubernetes.authenticate.driver.serviceAccountName": {".*": DENIED},
    "spark.kubernetes.authenticate.executor.serviceAccountName": {".*": DENIED},
    "spark.kubernetes.container.image": {".*": DENIED},
    "spark.kubernetes.driver.container.image": {".*": DENIED},
    "spark.kubernetes.executor.container.image": {".*": DENIED},
    "spark.kubernetes.driver.master": {".*": DENIED},
    "spark.kubernetes.namespace": {".*": "refused, if it is not the application's own"},
    "spark.kubernetes.driver.pod.name": {".*": OWNED},
    "spark.kubernetes.executor.podNamePrefix": {".*": OWNED},
    "spark.kubernetes.executor.podTemplateContainerName": {".*": OWNED},
    "spark.kubernetes.executor.podTemplateFile": {".*": OWNED},
    "host": {".*": OWNED},
    "spark.kubernetes.driver.pod.excludedFeatureSteps": {".*": CLIENT},
    "spark.kubernetes.driver.pod.featureSteps": {".*": CLIENT},
    "spark.kubernetes.driver.podTemplateFile": {".*": CLIENT},
    "spark.kubernetes.driver.resourceNamePrefix": {".*": CLIENT},
    "spark.kubernetes.kerberos.krb5.path": {".*": CLIENT},
    "spark.kubernetes.driver.label.": {r"service: spec\.selector\..+": "the Service selects by what is the same at each attempt"},
    "spark.kubernetes.driver.secrets.": {r"driver: .*\.readOnly": READ_ONLY},
    "spark.kubernetes.hadoop.configMapName": {r"driver: .*\.readOnly": READ_ONLY},
    f"{KERBEROS}tokenSecret.name": {r"driver: .*\.readOnly": READ_ONLY},
    f"{KERBEROS}tokenSecret.itemKey": {r"driver: .*\.readOnly": READ_ONLY},
    "driver: persistentVolumeClaim, made": {
        r"driver: spec\.volumes\[v\]\..*": "an ephemeral volume of the pod, with the claim's labels: it goes with the driver",
    },
    "executor: persistentVolumeClaim, made": {
        r"executor: spec\.volumes\[v\]\.persistentVolumeClaim\.claimName": "made of the executor's name",
    },
    "executors' port": {
        r"driver: .*\.ports\[blockmanager\]\.containerPort": "Spark declares the executors' port and binds 7079",
    },
    "no page": {r".*ports\[spark-ui\]\..*": "there is nothing behind the port"},
    "connect": {r".*ports\[spark-connect\]\..*": "the Service is headless: a port needs no entry to be reached"},
    "name": {
        r"(properties: spark\.driver\.host|executor: .*\[SPARK_DRIVER_URL\]\.value|service: metadata\.name)": (
            "names come from the object's, not from spark.app.name"
        ),
        r"(executor: (metadata\.name|spec\.hostname)|service: spec\.selector\.spark-app-name)": "names come from the object's",
    },
}  # fmt: skip


def of_property(key: str, default: str) -> Properties | None:
    """Return properties that give a property another value than its default; nothing for a prefix without a value."""
    value = VALUES.get(key)
    if isinstance(value, dict):
        return value
    return None if key.endswith(".") else {key: _other(default) if value is None else value}


def _other(default: str) -> str:
    if default in ("true", "false"):
        return "false" if default == "true" else "true"
    time = re.fullmatch(r"[0-9]+(ms|s|m)", default)
    if time:
        return f"7{time.group(1)}"
    return "3" if default.isdigit() else "0.3" if re.fullmatch(r"[0-9]+\.[0-9]+", default) else "x"


def volumes() -> Iterator[tuple[str, Properties]]:
    """Give every volume of every role with the name of its case."""
    for role in ("driver", "executor"):
        for title, fields in VOLUMES.items():
            prefix = f"spark.kubernetes.{role}.volumes.{title.partition(',')[0]}.v."
            yield f"{role}: {title}", {prefix + field: value for field, value in fields.items()}
