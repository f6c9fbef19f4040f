"""Pods that Spark's own Kubernetes client makes of properties, and those of the controller, as flat maps to compare.

A JVM on the image's jars calls `KubernetesDriverBuilder` and `KubernetesExecutorBuilder`; nothing reaches an API server.
Executors of the controller are made as its driver makes them: by Spark, from the controller's properties and template.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "operator"))

from airspark_operator import build, conf
from airspark_operator.policy import Table
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission

Object = dict[str, Any]
Flat = dict[str, str]
NAMESPACE, NAME, APP_ID = "data", "job", f"spark-{1:032x}"
SUBMISSION = Submission("00000000-0000-4000-8000-000000000001", APP_ID)
IMAGE, ACCOUNT, EXECUTOR = "example/spark:1", "drivers", "7"
#: What names an entry of a list; without one it has its number.
NAMES = ("mountPath", "name")
#: What is another in every pod, or in every JVM.
CHANGING = (
    (re.compile(r"/var/data/spark-[0-9a-f-]{36}"), "/var/data/spark"),
    (re.compile(rf"\b{NAME}-[0-9a-f]{{16}}\b"), NAME),
    (re.compile(r"\bspark-(exec|drv)-[0-9a-f]{16}-conf-map\b"), r"spark-\1-conf-map"),
)


def flat(thing: Any, path: str = "") -> Flat:
    """Return every leaf of an object by its path; entries of a list have their name, or their number."""
    if isinstance(thing, dict):
        return {key: value for name, part in thing.items() for key, value in flat(part, f"{path}.{name}").items()}
    if isinstance(thing, list):
        found: Flat = {}
        for number, part in enumerate(thing):
            name = next((part[key] for key in NAMES if isinstance(part, dict) and part.get(key)), number)
            found |= flat(part, f"{path}[{name}]")
        return found
    text = json.dumps(thing) if isinstance(thing, bool) else str(thing)
    # an empty text says as much as none, and so does a mount that is not read-only
    silent = thing in (None, "") or (thing is False and path.endswith(".readOnly"))
    return {} if silent else {_steady(path.lstrip(".")): _steady(text)}


def _steady(text: str) -> str:
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


def changed(base: Flat, found: Flat) -> Flat:
    """Return what is in one map and not in the other, or otherwise."""
    return {key: found.get(key, "(none)") for key in sorted({*base, *found}) if base.get(key) != found.get(key)}


class Made:
    """What one side makes: the driver's pod, an executor's, the driver's Service, and the properties of the driver.

    `kinds` are those of all objects beside the pods.
    """

    def __init__(
        self, driver: Object, executor: Object, service: Object, properties: Mapping[str, str], kinds: Iterable[str]
    ) -> None:
        self.kinds = sorted(kinds)
        self.driver, self.executor, self.service = flat(driver), flat(executor), flat(service)
        self.properties = {key: _steady(value) for key, value in properties.items()}

    def flat(self) -> Flat:
        """All of it in one map, by `part: path`."""
        parts = {"driver": self.driver, "executor": self.executor, "service": self.service, "properties": self.properties}
        return {f"{part}: {key}": value for part, found in parts.items() for key, value in found.items()}


class Spark:
    """Spark's Kubernetes client in a JVM."""

    def __init__(self, gateway: Any, folder: Path) -> None:
        self.gateway, self.jvm, self.folder = gateway, gateway.jvm, folder
        self.configs, self.none = self.module("org.apache.spark.deploy.k8s.KubernetesConf"), self.module("scala.Option").empty()
        self.profiles = self.module("org.apache.spark.resource.ResourceProfile")
        self.json = self.jvm.io.fabric8.kubernetes.client.utils.Serialization
        self.client = self.jvm.io.fabric8.kubernetes.client.KubernetesClientBuilder().build()

    def module(self, name: str) -> Any:
        """Return the only instance of a Scala object."""
        return self.jvm.java.lang.Class.forName(f"{name}$").getField("MODULE$").get(None)

    def entries(self) -> Flat:
        """Return the properties of Spark's Kubernetes page, or prefixes that end in a dot, with their defaults as text."""
        config, nothing = self.module("org.apache.spark.deploy.k8s.Config"), self.gateway.new_array(self.jvm.java.lang.Object, 0)
        found = {}
        for method in config.getClass().getDeclaredMethods():
            kind = method.getReturnType().getName()
            if method.getParameterCount() == 0 and "ConfigEntry" in kind:
                entry = method.invoke(config, nothing)
                found[entry.key()] = entry.defaultValueString()
            elif method.getName().startswith("KUBERNETES_") and kind == "java.lang.String":
                text = getattr(config, method.getName())()
                if text.startswith("spark.") and text.endswith("."):
                    found[text] = "<prefix>"
        return found

    def _conf(self, properties: Mapping[str, str]) -> Any:
        found = self.jvm.org.apache.spark.SparkConf(False)
        for key, value in properties.items():
            found.set(key, value)
        return found

    def _pod(self, made: Any) -> Object:
        pod: Object = json.loads(self.json.asJson(made.pod()))
        container = json.loads(self.json.asJson(made.container()))
        pod["spec"]["containers"] = [container, *pod["spec"].get("containers", [])]
        return pod

    def executor(self, properties: Mapping[str, str]) -> Object:
        """Return the executor that a driver with these properties makes."""
        conf = self._conf(properties)
        manager = self.module("org.apache.spark.SecurityManager")
        no_types, nothing = (
            self.gateway.new_array(self.jvm.java.lang.Class, 0),
            self.gateway.new_array(self.jvm.java.lang.Object, 0),
        )
        secret_file = manager.getClass().getMethod("$lessinit$greater$default$3", no_types).invoke(manager, nothing)
        security = self.jvm.org.apache.spark.SecurityManager(conf, self.none, secret_file)
        wanted = self.configs.createExecutorConf(conf, EXECUTOR, APP_ID, self.none, 0)
        self.profiles.clearDefaultProfile()
        profile = self.profiles.getOrCreateDefaultProfile(conf)
        builder = self.jvm.org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBuilder()
        return self._pod(builder.buildFromFeatures(wanted, security, self.client, profile).pod())

    def made(self, properties: Mapping[str, str], program: Object | None = None) -> Made:
        """Return what `spark-submit` and its driver make of properties.

        Args:
            properties: as `--conf` has them.
            program: the fields of an application that `spark-submit` has as arguments: type, mainClass, mainApplicationFile,
                arguments and proxyUser.
        """
        about = {"type": "Python", "mainApplicationFile": "local:///main.py", "arguments": []} | (program or {})
        own = {
            "spark.master": "k8s://https://kubernetes.default.svc", "spark.app.name": NAME, "spark.submit.deployMode": "cluster",
            "spark.kubernetes.namespace": NAMESPACE, "spark.kubernetes.driver.pod.name": f"{NAME}-driver",
            "spark.kubernetes.container.image": IMAGE, "spark.kubernetes.authenticate.driver.serviceAccountName": ACCOUNT,
            "spark.executor.instances": "1",
        }  # fmt: skip
        conf = self._conf(own | dict(properties))
        resources = self.jvm.org.apache.spark.deploy.k8s.submit
        option, file = self.module("scala.Option"), about["mainApplicationFile"]
        runners = {"Python": resources.PythonMainAppResource, "R": resources.RMainAppResource}
        if about["type"] in runners:
            main, resource = f"org.apache.spark.deploy.{about['type']}Runner", runners[about["type"]](file)
        else:
            main, resource = about["mainClass"], resources.JavaMainAppResource(option.apply(file))
        arguments = self.gateway.new_array(self.jvm.java.lang.String, len(about["arguments"]))
        for number, argument in enumerate(about["arguments"]):
            arguments[number] = argument
        user = option.apply(about["proxyUser"]) if "proxyUser" in about else self.none
        wanted = self.configs.createDriverConf(conf, APP_ID, resource, main, arguments, user)
        made = resources.KubernetesDriverBuilder().buildFromFeatures(wanted, self.client)
        found = dict(made.getSystemPropertiesAsJavaMap())
        others = [json.loads(self.json.asJson(thing)) for thing in made.getDriverKubernetesResourcesAsJavaList()]
        (service,) = [thing for thing in others if thing["kind"] == "Service"]
        return Made(self._pod(made.pod()), self.executor(found), service, found, (thing["kind"] for thing in others))

    def controller(self, spec: Object, metadata: Object | None = None, defaults: Defaults | None = None) -> Made:
        """Return what the controller and its driver make of an application."""
        base = {"type": "Python", "sparkVersion": str(self.jvm.org.apache.spark.package.SPARK_VERSION()), "image": IMAGE}
        base |= {"mainApplicationFile": "local:///main.py"}
        about = {"name": NAME, "namespace": NAMESPACE, "uid": "1"} | (metadata or {})
        app = {"metadata": about, "spec": base | {"driver": {}, "executor": {}} | spec}
        objects = build.objects(app, SUBMISSION, defaults or Defaults(service_account=ACCOUNT, policy=Table(volumes=("*",))))
        (config,) = [thing["data"] for thing in objects if thing["kind"] == "ConfigMap"]
        (service,) = [thing for thing in objects if thing["metadata"]["name"] == f"{NAME}-driver-svc"]
        properties = read(config[conf.PROPERTIES_FILE])
        template = self.folder / conf.TEMPLATE_FILE
        template.write_text(config[conf.TEMPLATE_FILE])
        executor = self.executor(properties | {"spark.kubernetes.executor.podTemplateFile": str(template)})
        return Made(objects[-1], executor, service, properties, (thing["kind"] for thing in objects[:-1]))


def read(text: str) -> dict[str, str]:
    """Return the properties of a file that has none with a line break or a backslash in it."""
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {key.replace("\\", ""): value.replace("\\", "") for key, value in pairs}


@contextmanager
def spark(folder: Path) -> Iterator[Spark]:
    """Start a JVM on PySpark's jars.

    Args:
        folder: for the executors' template.
    """
    from pyspark.java_gateway import launch_gateway

    gateway = launch_gateway()
    try:
        yield Spark(gateway, folder)
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()  # which ends the JVM
        gateway.proc.wait(30)
