"""Fields of v1beta2 by what kubeflow's operator makes of each: a property for `spark-submit`, or a change of the pod."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
ROLES = ("driver", "executor")
CONTAINERS = {role: f"spark-kubernetes-{role}" for role in ROLES}


@dataclass(frozen=True)
class Case:
    """A field with a value.

    Args:
        name: path of the field.
        spec: what the application says.
        properties: what kubeflow's operator gives to `spark-submit` for it.
        pods: what its webhook puts into the pods besides, by role.
        program: arguments of `spark-submit`, if the field is one of them.
        meant: differences with their reasons, by patterns of `part: path`.
        metadata: of the application.
    """

    name: str
    spec: Object
    properties: dict[str, str] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)
    program: Object | None = None
    meant: dict[str, str] = field(default_factory=dict)
    metadata: Object | None = None


#: Fields that no pod is made by, and where their tests are.
ELSEWHERE = {
    "suspend": "tests/operator/test_transitions.py",
    "restartPolicy": "tests/operator/test_transitions.py",
    "timeToLiveSeconds": "tests/operator/test_transitions.py",
    "sparkUIOptions": "tests/operator/test_services.py",
    "driverIngressOptions": "tests/operator/test_services.py",
    "driverPodDisruptionBudget": "tests/operator/test_pods.py",
    "batchSchedulerOptions": "tests/operator/test_reports.py",
    "sparkConf": "tests/apps/test_kubernetes_properties.py",
}
#: Fields that are accepted and not acted on.
IGNORED = ("mode", "pythonVersion", "failureRetries", "retryInterval", "executor.ports", "executor.memoryLimit")
TOKEN = {r"executor: spec\.automountServiceAccountToken": "an account that is named for executors brings its token"}
OF_TEMPLATE = "the role's container keeps Spark's name"
READ_ONLY = {r".*\.readOnly": "no pod can write to a ConfigMap or Secret"}
CONTEXT = {"runAsNonRoot": True, "runAsUser": 185}
AFFINITY = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}}
HOOK = {"preStop": {"exec": {"command": ["true"]}}}
MONITORING = {"exposeDriverMetrics": True, "exposeExecutorMetrics": True, "prometheus": {"jmxExporterJar": "/x.jar"}}
AGENT = "-javaagent:/x.jar=8090:/etc/metrics/conf/prometheus.yaml"
SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8090", "prometheus.io/path": "/metrics"}


def in_container(role: str, **fields: Any) -> Object:
    """Return a change of Spark's container in a role's pod."""
    return {"spec": {"containers": [{"name": CONTAINERS[role], **fields}]}}


def cases() -> Iterator[Case]:
    """Give every field of an application."""
    yield from _program()
    yield from _pods()
    for role in ROLES:
        yield from _resources(role)
        yield from _of_pod(role)
        yield from _of_container(role)
    yield from _of_one_role()


def _program() -> Iterator[Case]:
    java = {"type": "Java", "mainClass": "a.Main"}
    yield Case("type", java, program=java)
    yield Case("mainClass", java | {"mainClass": "b.Main"}, program=java | {"mainClass": "b.Main"})
    yield Case("mainApplicationFile", {"mainApplicationFile": "s3a://b/c.py"}, program={"mainApplicationFile": "s3a://b/c.py"})
    yield Case("arguments", {"arguments": ["--day", "a b", ""]}, program={"arguments": ["--day", "a b", ""]})
    user = {r"driver: .*\[SPARK_USER\]\.value": "Spark says who runs spark-submit; here it is who the application runs for"}
    yield Case("proxyUser", {"proxyUser": "me"}, program={"proxyUser": "me"}, meant=user)
    label = {r"driver: metadata\.labels\.spark-version": "Spark has the version that runs spark-submit; here it is the field's"}
    yield Case("sparkVersion", {"sparkVersion": "4.2.0"}, meant=label)
    yield Case(
        "image",
        {"image": "x:2"},
        {f"spark.kubernetes.{role}container.image": "x:2" for role in ("", "driver.", "executor.")},
        meant=_image(),
    )
    yield Case("imagePullPolicy", {"imagePullPolicy": "Always"}, {"spark.kubernetes.container.image.pullPolicy": "Always"})
    yield Case("imagePullSecrets", {"imagePullSecrets": ["a", "b"]}, {"spark.kubernetes.container.image.pullSecrets": "a,b"})
    yield Case("hadoopConf", {"hadoopConf": {"a.b": "c"}}, {"spark.hadoop.a.b": "c"})
    lists = {
        "jars": "spark.jars", "files": "spark.files", "pyFiles": "spark.submit.pyFiles", "archives": "spark.archives",
        "packages": "spark.jars.packages", "excludePackages": "spark.jars.excludes", "repositories": "spark.jars.repositories",
    }  # fmt: skip
    ivy = {r"properties: spark\.jars\.ivy": "the home folder of an image is often read-only"}
    deps = {name: ["local:///a", "local:///b"] for name in lists}
    yield Case("deps", {"deps": deps}, dict.fromkeys(lists.values(), "local:///a,local:///b"), meant=ivy)
    yield Case("memoryOverheadFactor", {"memoryOverheadFactor": "0.3"}, {"spark.kubernetes.memoryOverheadFactor": "0.3"})


def _pods() -> Iterator[Case]:
    files = {"name": "spark-configmap-volume", "configMap": {"name": "c"}}
    mount = {"name": "spark-configmap-volume", "mountPath": "/etc/spark/conf", "readOnly": True}
    env = {"name": "SPARK_CONF_DIR", "value": "/etc/spark/conf"}
    pods = {
        role: {"spec": {"volumes": [files], "containers": [{"name": CONTAINERS[role], "volumeMounts": [mount]}]}}
        for role in ROLES
    }
    pods["driver"]["spec"]["containers"][0]["env"] = [env]
    spark_files = {
        r"driver: .*\[SPARK_CONF_DIR\]\.name": "it is there already",
        r"executor: .*\[SPARK_CONF_DIR\].*": "executors read Spark's own ConfigMap, which the driver fills from these files",
    }
    yield Case("sparkConfigMap", {"sparkConfigMap": "c"}, pods=pods, meant=spark_files)
    files, mount = ({"name": "hadoop-configmap-volume", "configMap": {"name": "c"}}, mount | {"name": "hadoop-configmap-volume"})
    mount["mountPath"] = "/etc/hadoop/conf"
    env = {"name": "HADOOP_CONF_DIR", "value": "/etc/hadoop/conf"}
    container = {role: {"name": CONTAINERS[role], "volumeMounts": [mount], "env": [env]} for role in ROLES}
    hadoop = {role: {"spec": {"volumes": [files], "containers": [container[role]]}} for role in ROLES}
    yield Case("hadoopConfigMap", {"hadoopConfigMap": "c"}, pods=hadoop)
    yield Case("nodeSelector", {"nodeSelector": {"a": "b"}}, {"spark.kubernetes.node.selector.a": "b"}, meant=_own("node"))
    bounds = {"enabled": True, "initialExecutors": 2, "minExecutors": 1, "maxExecutors": 3, "shuffleTrackingTimeout": 7}
    prefix = "spark.dynamicAllocation."
    said = {
        f"{prefix}enabled": "true", f"{prefix}initialExecutors": "2", f"{prefix}minExecutors": "1", f"{prefix}maxExecutors": "3",
        f"{prefix}shuffleTracking.enabled": "true", f"{prefix}shuffleTracking.timeout": "7",
    }  # fmt: skip
    meant = {
        r"properties: spark\.dynamicAllocation\.shuffleTracking\.timeout": "with its unit",
        r"properties: spark\.executor\.instances": "Spark's default beside dynamic allocation is none",
    }
    yield Case("dynamicAllocation", {"dynamicAllocation": bounds}, said, meant=meant)
    agents = {f"spark.{role}.extraJavaOptions": AGENT for role in ROLES}
    said = {"spark.metrics.namespace": "data.job", "spark.metrics.conf": "/etc/metrics/conf/metrics.properties"}
    volume = {r".*\[(/etc/metrics/conf|metrics-conf|job-prom-conf-vol)\].*": "the files are in the ConfigMap of the submission"}
    port = {r"executor: .*\.ports\[jmx-exporter\].*": "Spark replaces the ports of its container; the port is open all the same"}
    scraped: dict[str, Object] = {role: {"metadata": {"annotations": SCRAPED}} for role in ROLES}
    opened = {"name": "jmx-exporter", "containerPort": 8090, "protocol": "TCP"}
    scraped = {role: part | in_container(role, ports=[opened]) for role, part in scraped.items()}
    yield Case("monitoring", {"monitoring": MONITORING}, agents | said, scraped, meant=volume | port)
    group = {role: {"metadata": {"annotations": {"scheduling.k8s.io/group-name": "spark-job-pg"}}} for role in ROLES}
    placed = {role: part | {"spec": {"schedulerName": "volcano"}} for role, part in group.items()}
    yield Case("batchScheduler", {"batchScheduler": "volcano"}, pods=placed, meant=_own("scheduler"))
    labels = {f"spark.kubernetes.{role}.label.team": "x" for role in ROLES}
    yield Case(
        "metadata.labels",
        {},
        labels,
        metadata={"labels": {"team": "x", "kueue.x-k8s.io/queue-name": "q"}},
        meant=SELECTED | _own("label"),
    )
    volume = {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}
    mounts = [{"name": "v", "mountPath": "/v", "subPath": "s"}]
    mounted = {
        role: {"spec": {"volumes": [volume], "containers": [{"name": CONTAINERS[role], "volumeMounts": mounts}]}}
        for role in ROLES
    }
    yield Case(
        "volumes", {"volumes": [volume], "driver": {"volumeMounts": mounts}, "executor": {"volumeMounts": mounts}}, pods=mounted
    )


#: The driver's Service selects by what is the same at each attempt.
SELECTED = {r"service: spec\.selector\..*": "the Service selects by what is the same at each attempt"}


def _own(word: str) -> dict[str, str]:
    """Return that the controller puts something into pods itself, and needs no property for it."""
    return {rf"properties: spark\.kubernetes\..*{word}.*": "the controller puts it into the pods, by template or property"}


def _image() -> dict[str, str]:
    return {r"properties: spark\.kubernetes\.container\.image": "one for each role says the same"}


def _resources(role: str) -> Iterator[Case]:
    def one(name: str, value: Any, key: str, **more: Any) -> Case:
        return Case(f"{role}.{name}", {role: {name: value}}, {key: str(value)}, **more)

    yield one("cores", 2, f"spark.{role}.cores")
    yield one("coreRequest", "500m", f"spark.kubernetes.{role}.request.cores")
    yield one("coreLimit", "2", f"spark.kubernetes.{role}.limit.cores")
    yield one("memory", "2g", f"spark.{role}.memory")
    yield one("memoryOverhead", "1g", f"spark.{role}.memoryOverhead")
    yield one("javaOptions", "-Da=b -Dc=d", f"spark.{role}.extraJavaOptions")
    yield one("image", "x:2", f"spark.kubernetes.{role}.container.image")
    account = f"spark.kubernetes.authenticate.{role}.serviceAccountName"
    yield one(
        "serviceAccount", "me", account, meant=TOKEN if role == "executor" else {r"driver: spec\.serviceAccount": "its old name"}
    )
    limits = {"limits": {"nvidia.com/gpu": "2"}}
    gpu = {"gpu": {"name": "nvidia.com/gpu", "quantity": 2}}
    yield Case(f"{role}.gpu", {role: gpu}, pods={role: in_container(role, resources=limits)})


def _of_pod(role: str) -> Iterator[Case]:
    same: Object = {
        "affinity": AFFINITY, "dnsConfig": {"nameservers": ["10.0.0.2"]}, "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
        "nodeSelector": {"a": "b"}, "priorityClassName": "high", "schedulerName": "mine", "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 90, "tolerations": [{"key": "a", "operator": "Exists"}],
        "initContainers": [{"name": "i", "image": "i"}],
    }  # fmt: skip
    meant = _own("scheduler") | {r"properties: .*terminationGracePeriodSeconds": "Spark replaces the template's"}
    for name, value in same.items():
        yield Case(f"{role}.{name}", {role: {name: value}}, pods={role: {"spec": {name: value}}}, meant=meant)
    yield Case(
        f"{role}.podSecurityContext", {role: {"podSecurityContext": CONTEXT}}, pods={role: {"spec": {"securityContext": CONTEXT}}}
    )
    yield Case(f"{role}.hostNetwork", {role: {"hostNetwork": False}}, pods={role: {"spec": {"hostNetwork": False}}})
    sidecar = {"name": "s", "image": "s"}
    yield Case(f"{role}.sidecars", {role: {"sidecars": [sidecar]}}, pods={role: {"spec": {"containers": [sidecar]}}})
    labels = {"labels": {"a": "{{APP_ID}}"}}
    key, filled = f"spark.kubernetes.{role}.label.a", _own("label") | SELECTED
    yield Case(f"{role}.labels", {role: labels}, {key: "{{APP_ID}}"}, meant=filled)
    key, text = f"spark.kubernetes.{role}.annotation.a", "{{APP_ID}} {{EXECUTOR_ID}}"
    yield Case(f"{role}.annotations", {role: {"annotations": {"a": text}}}, {key: text}, meant=_own("annotation"))
    pod = {"metadata": {"annotations": {"c": "d"}}, "spec": {"runtimeClassName": "g", "containers": [{"workingDir": "/w"}]}}
    template = {"metadata": pod["metadata"], "spec": {"runtimeClassName": "g"} | in_container(role, workingDir="/w")["spec"]}
    yield Case(f"{role}.template", {role: {"template": pod}}, pods={role: template})


def _of_container(role: str) -> Iterator[Case]:
    env = [{"name": "A", "value": "1"}]
    for name, value in (
        ("env", env),
        ("envFrom", [{"secretRef": {"name": "s"}}]),
        ("lifecycle", HOOK),
        ("securityContext", CONTEXT),
    ):
        yield Case(f"{role}.{name}", {role: {name: value}}, pods={role: in_container(role, **{name: value})})
    prefix = "spark.kubernetes.driverEnv." if role == "driver" else "spark.executorEnv."
    yield Case(f"{role}.envVars", {role: {"envVars": {"A": "1"}}}, {f"{prefix}A": "1"}, meant=_own_variables())
    reference = {"envSecretKeyRefs": {"A": {"name": "s", "key": "k"}}}
    yield Case(
        f"{role}.envSecretKeyRefs",
        {role: reference},
        {f"spark.kubernetes.{role}.secretKeyRef.A": "s:k"},
        meant=_own("secretKeyRef"),
    )
    secrets = {"secrets": [{"name": "s", "path": "/s", "secretType": "GCPServiceAccount"}]}
    said = {f"spark.kubernetes.{role}.secrets.s": "/s", f"{prefix}GOOGLE_APPLICATION_CREDENTIALS": "/s/key.json"}
    yield Case(f"{role}.secrets", {role: secrets}, said, meant=_own("secrets") | _own_variables() | READ_ONLY)
    volume, mount = {"name": "c-vol", "configMap": {"name": "c"}}, {"name": "c-vol", "mountPath": "/c", "readOnly": True}
    mounted = {"spec": {"volumes": [volume]} | in_container(role, volumeMounts=[mount])["spec"]}
    yield Case(f"{role}.configMaps", {role: {"configMaps": [{"name": "c", "path": "/c"}]}}, pods={role: mounted})
    mount = {"name": "v", "mountPath": "/v", "readOnly": True}
    mounted = {
        "spec": {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]} | in_container(role, volumeMounts=[mount])["spec"]
    }
    spec = {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}], role: {"volumeMounts": [mount]}}
    yield Case(f"{role}.volumeMounts", spec, pods={role: mounted})


def _own_variables() -> dict[str, str]:
    return {r"properties: spark\.(kubernetes\.driverEnv|executorEnv)\..*": "the controller puts it into the pods itself"}


def _of_one_role() -> Iterator[Case]:
    yield Case("driver.podName", {"driver": {"podName": "mine"}}, {"spark.kubernetes.driver.pod.name": "mine"})
    master = {r"properties: spark\.master": "kubeflow's says it beside the submission's own master"}
    key = "spark.kubernetes.driver.master"
    yield Case("driver.kubernetesMaster", {"driver": {"kubernetesMaster": "https://a"}}, {key: "https://a"}, meant=master)
    for word in ("Label", "Annotation"):
        key = f"spark.kubernetes.driver.service.{word.lower()}.a"
        yield Case(f"driver.service{word}s", {"driver": {f"service{word}s": {"a": "b"}}}, {key: "b"}, meant=_own("service"))
    limit = in_container("driver", resources={"limits": {"memory": "3072Mi"}})
    yield Case("driver.memoryLimit", {"driver": {"memoryLimit": "3g"}}, pods={"driver": limit})
    port = {"name": "extra", "containerPort": 9999, "protocol": "TCP"}
    yield Case("driver.ports", {"driver": {"ports": [port]}}, pods={"driver": in_container("driver", ports=[port])})
    yield Case("executor.instances", {"executor": {"instances": 3}}, {"spark.executor.instances": "3"})
    key = "spark.kubernetes.executor.deleteOnTermination"
    yield Case("executor.deleteOnTermination", {"executor": {"deleteOnTermination": False}}, {key: "false"})
