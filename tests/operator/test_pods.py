"""Driver pod and executors' template."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from builders import DEFAULTS, app, container, driver, objects, one, template, variables

from airspark_operator import kinds, settings
from airspark_operator.spec import Invalid

Object = dict[str, Any]
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])


def pod(role: str, own: Object | None = None, **spec: Any) -> Object:
    """The pod, or the template, of a role whose fields are `own`."""
    application = app(**{role: own}, **spec)
    return driver(application) if role == "driver" else template(application)


def should_name_driver_and_container_as_airflow_looks_for_them() -> None:
    made = driver(app())
    assert made["metadata"]["name"] == "job-driver"
    assert container(made)["name"] == "spark-kubernetes-driver"


def should_create_the_driver_after_everything_that_it_needs() -> None:
    kinds_made = [thing["kind"] for thing in objects(app())]
    assert kinds_made == ["ConfigMap", "Service", "Service", "Pod"]


def should_delete_everything_with_the_application() -> None:
    for thing in objects(app(driverPodDisruptionBudget=True, batchScheduler="volcano")):
        (owner,) = thing["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("SparkApplication", app()["metadata"]["uid"], True)
        assert thing["metadata"]["namespace"] == "data"


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        ({}, ["--class", "org.apache.spark.deploy.PythonRunner", "local:///main.py"]),
        ({"type": "R"}, ["--class", "org.apache.spark.deploy.RRunner", "local:///main.py"]),
        ({"type": "Java", "mainClass": "a.Main"}, ["--class", "a.Main", "local:///main.py"]),
        ({"type": "Scala", "mainClass": "a.Main"}, ["--class", "a.Main", "local:///main.py"]),
        ({"type": "Java"}, ["local:///main.py"]),
        (
            {"arguments": ["--date", "a b"]},
            ["--class", "org.apache.spark.deploy.PythonRunner", "local:///main.py", "--date", "a b"],
        ),
    ],
)
def should_give_the_driver_the_arguments_that_spark_submit_gives(spec: Object, arguments: list[str]) -> None:
    assert container(driver(app(**spec)))["args"] == [
        "driver",
        "--properties-file",
        "/opt/spark/conf/spark.properties",
        *arguments,
    ]


def should_name_the_proxy_user_first_as_spark_submit_does() -> None:
    assert container(driver(app(proxyUser="reporter")))["args"][:4] == ["driver", "--proxy-user", "reporter", "--properties-file"]


def should_tell_the_driver_what_an_entry_point_needs() -> None:
    told = variables(driver(app()))
    assert told["SPARK_DRIVER_BIND_ADDRESS"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert told["SPARK_APPLICATION_ID"] == driver(app())["metadata"]["labels"]["spark-app-selector"]
    assert told["SPARK_CONF_DIR"] == "/opt/spark/conf"
    assert told["SPARK_USER"] == "spark"
    assert told["SPARK_LOCAL_DIRS"] == "/var/data/spark"


def should_never_restart_a_drivers_container() -> None:
    assert driver(app())["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("own", "resources"),
    [
        ({}, {"requests": {"cpu": "1", "memory": "1433Mi"}, "limits": {"memory": "1433Mi"}}),
        ({"cores": 2}, {"requests": {"cpu": "2", "memory": "1433Mi"}, "limits": {"memory": "1433Mi"}}),
        ({"cores": 2, "coreRequest": "100m"}, {"requests": {"cpu": "100m", "memory": "1433Mi"}, "limits": {"memory": "1433Mi"}}),
        ({"coreLimit": "1200m"}, {"requests": {"cpu": "1", "memory": "1433Mi"}, "limits": {"memory": "1433Mi", "cpu": "1200m"}}),
        ({"memory": "512m"}, {"requests": {"cpu": "1", "memory": "896Mi"}, "limits": {"memory": "896Mi"}}),
        ({"memory": "512m", "memoryLimit": "2g"}, {"requests": {"cpu": "1", "memory": "896Mi"}, "limits": {"memory": "2048Mi"}}),
        (
            {"gpu": {"name": "nvidia.com/gpu", "quantity": 2}},
            {"requests": {"cpu": "1", "memory": "1433Mi"}, "limits": {"memory": "1433Mi", "nvidia.com/gpu": "2"}},
        ),
    ],
)
def should_size_the_driver(own: Object, resources: Object) -> None:
    assert container(driver(app(driver=own)))["resources"] == resources


def should_refuse_a_memory_limit_below_what_the_driver_needs() -> None:
    with pytest.raises(Invalid, match=r"driver\.memoryLimit \(600Mi\) is below what the driver needs \(896Mi"):
        driver(app(driver={"memory": "512m", "memoryLimit": "600Mi"}))


def should_ask_for_devices_that_properties_name() -> None:
    conf = {"spark.driver.resource.gpu.amount": "1", "spark.driver.resource.gpu.vendor": "nvidia.com"}
    assert container(driver(app(sparkConf=conf)))["resources"]["limits"]["nvidia.com/gpu"] == "1"
    with pytest.raises(Invalid, match="needs spark.driver.resource.gpu.vendor"):
        driver(app(sparkConf={"spark.driver.resource.gpu.amount": "1"}))


def should_give_executors_devices_by_their_template() -> None:
    made = template(app(executor={"gpu": {"name": "amd.com/gpu", "quantity": 1}}))
    assert container(made)["resources"] == {"limits": {"amd.com/gpu": "1"}}


def should_say_what_is_missing_if_there_is_no_image() -> None:
    with pytest.raises(Invalid, match="spec.image is not set and the controller has no default image"):
        driver(app(), settings.Defaults())


@ROLES
def should_pass_pod_security_restricted_by_default(role: str) -> None:
    made = pod(role, {"sidecars": [{"name": "s", "image": "s"}], "initContainers": [{"name": "i", "image": "i"}]})
    assert made["spec"]["securityContext"] == DEFAULTS.pod_security_context
    for each in [*made["spec"]["containers"], *made["spec"]["initContainers"]]:
        assert each["securityContext"] == DEFAULTS.container_security_context


@ROLES
def should_change_a_default_of_the_security_context_key_by_key(role: str) -> None:
    made = pod(role, {"podSecurityContext": {"runAsUser": 1000}, "securityContext": {"readOnlyRootFilesystem": True}})
    assert made["spec"]["securityContext"] == DEFAULTS.pod_security_context | {"runAsUser": 1000}
    assert container(made)["securityContext"] == DEFAULTS.container_security_context | {"readOnlyRootFilesystem": True}


@ROLES
def should_leave_the_security_context_of_a_sidecar_that_has_one(role: str) -> None:
    made = pod(role, {"sidecars": [{"name": "s", "image": "s", "securityContext": {"runAsUser": 7}}]})
    assert made["spec"]["containers"][1]["securityContext"] == {"runAsUser": 7}


def should_give_the_driver_the_charts_account_and_executors_no_token() -> None:
    assert driver(app())["spec"]["serviceAccountName"] == "spark-driver"
    made = template(app())
    assert made["spec"]["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in made["spec"]


@ROLES
def should_take_the_account_that_the_spec_names(role: str) -> None:
    made = pod(role, {"serviceAccount": "mine"})
    assert made["spec"]["serviceAccountName"] == "mine"
    assert made["spec"].get("automountServiceAccountToken", True)


@ROLES
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("affinity", {"nodeAffinity": {}}),
        ("dnsConfig", {"nameservers": ["10.0.0.2"]}),
        ("priorityClassName", "high"),
        ("schedulerName", "mine"),
        ("shareProcessNamespace", True),
        ("terminationGracePeriodSeconds", 0),
        ("tolerations", [{"operator": "Exists"}]),
        ("hostAliases", [{"ip": "10.0.0.1", "hostnames": ["db"]}]),
        ("nodeSelector", {"disk": "ssd"}),
    ],
)
def should_put_a_field_of_the_pod_into_the_pod(role: str, field: str, value: Any) -> None:
    assert pod(role, {field: value})["spec"][field] == value


@ROLES
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("envFrom", [{"secretRef": {"name": "keys"}}]),
        ("lifecycle", {"preStop": {"exec": {"command": ["true"]}}}),
    ],
)
def should_put_a_field_of_the_container_into_sparks(role: str, field: str, value: Any) -> None:
    assert container(pod(role, {field: value}))[field] == value


@ROLES
def should_copy_labels_and_annotations_to_the_pod(role: str) -> None:
    made = pod(role, {"labels": {"dag_id": "etl"}, "annotations": {"note": "x"}}, metadata={"labels": {"team": "data"}})
    assert made["metadata"]["labels"].items() >= {"dag_id": "etl", "team": "data", "spark-role": role}.items()
    assert made["metadata"]["annotations"] == {"note": "x"}


@ROLES
def should_not_let_a_spec_change_the_labels_that_others_look_for(role: str) -> None:
    reserved = {
        "spark-role": "x", kinds.LABEL_APP_NAME: "x", kinds.LABEL_SUBMISSION_ID: "x", kinds.LABEL_LAUNCHED: "x"
    }  # fmt: skip
    made = pod(role, {"labels": reserved})["metadata"]["labels"]
    assert made[kinds.LABEL_APP_NAME] == "job"
    assert made["spark-role"] == role
    assert made[kinds.LABEL_LAUNCHED] == "true"
    assert len(made[kinds.LABEL_SUBMISSION_ID]) == 36


@ROLES
def should_know_variables_from_every_place_and_prefer_env(role: str) -> None:
    own = {
        "envVars": {"A": "1", "B": "1"},
        "envSecretKeyRefs": {"C": {"name": "keys", "key": "c"}},
        "env": [{"name": "B", "value": "2"}, {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    told = variables(pod(role, own))
    assert (told["A"], told["B"]) == ("1", "2")
    assert told["C"] == {"secretKeyRef": {"name": "keys", "key": "c"}}
    assert told["D"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@ROLES
def should_mount_only_the_volumes_that_a_role_mounts(role: str) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "other", "emptyDir": {}}]
    made = pod(role, {"volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "in"}]}, volumes=volumes)
    names = [volume["name"] for volume in made["spec"]["volumes"]]
    assert "data" in names and "other" not in names
    assert {"name": "data", "mountPath": "/data", "subPath": "in"} in container(made)["volumeMounts"]


@ROLES
def should_attach_a_volume_that_a_sidecar_mounts(role: str) -> None:
    sidecar = {"name": "s", "image": "s", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]}
    made = pod(role, {"sidecars": [sidecar]}, volumes=[{"name": "logs", "emptyDir": {}}])
    assert {"name": "logs", "emptyDir": {}} in made["spec"]["volumes"]


@ROLES
@pytest.mark.parametrize(
    "source",
    [
        {"persistentVolumeClaim": {"claimName": "c"}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        {"nfs": {"server": "nfs", "path": "/data"}},
        {"configMap": {"name": "c"}},
        {"secret": {"secretName": "s"}},
        {"csi": {"driver": "d"}},
        {"projected": {"sources": []}},
        {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
        {"image": {"reference": "data:1"}},
    ],
)
def should_attach_volumes_of_every_kind_as_they_are(role: str, source: Object) -> None:
    made = pod(role, {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", **source}])
    assert {"name": "v", **source} in made["spec"]["volumes"]


@ROLES
def should_mount_secrets_and_configmaps_where_the_spec_says(role: str) -> None:
    own = {
        "configMaps": [{"name": "settings", "path": "/etc/settings"}],
        "secrets": [{"name": "gcp", "path": "/etc/gcp/", "secretType": "GCPServiceAccount"}],
    }
    made = pod(role, own)
    paths = {mount["mountPath"]: mount["name"] for mount in container(made)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in made["spec"]["volumes"]}
    assert volumes[paths["/etc/settings"]]["configMap"] == {"name": "settings"}
    assert volumes[paths["/etc/gcp/"]]["secret"] == {"secretName": "gcp"}
    assert variables(made)["GOOGLE_APPLICATION_CREDENTIALS"] == "/etc/gcp/key.json"


def should_name_the_token_file_of_hadoop() -> None:
    own = {"secrets": [{"name": "t", "path": "/etc/t", "secretType": "HadoopDelegationToken"}]}
    assert variables(driver(app(driver=own)))["HADOOP_TOKEN_FILE_LOCATION"] == "/etc/t/hadoop.token"


def should_mount_configuration_files_and_tell_spark_where_they_are() -> None:
    made = driver(app(sparkConfigMap="spark", hadoopConfigMap="hadoop"))
    assert (variables(made)["SPARK_CONF_DIR"], variables(made)["HADOOP_CONF_DIR"]) == ("/etc/spark/conf", "/etc/hadoop/conf")
    mounted = {mount["mountPath"] for mount in container(made)["volumeMounts"]}
    assert mounted >= {"/etc/spark/conf", "/etc/hadoop/conf", "/opt/spark/conf"}
    assert variables(template(app(hadoopConfigMap="hadoop")))["HADOOP_CONF_DIR"] == "/etc/hadoop/conf"


@pytest.mark.parametrize(
    ("mounts", "conf", "dirs"),
    [
        ([], {}, "/var/data/spark"),
        ([], {"spark.local.dir": "/a,/b"}, "/a,/b"),
        ([{"name": "spark-local-dir-1", "mountPath": "/scratch"}], {}, "/scratch"),
        (
            [{"name": "spark-local-dir-1", "mountPath": "/one"}, {"name": "spark-local-dir-2", "mountPath": "/two"}],
            {"spark.local.dir": "/a"},
            "/one,/two",
        ),
    ],
)
def should_give_the_driver_scratch_directories(mounts: list[Object], conf: dict[str, str], dirs: str) -> None:
    made = driver(app(driver={"volumeMounts": mounts}, sparkConf=conf))
    assert variables(made)["SPARK_LOCAL_DIRS"] == dirs
    mounted = {mount["mountPath"]: mount["name"] for mount in container(made)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in made["spec"]["volumes"]}
    assert all(volumes[mounted[path]]["emptyDir"] == {} for path in dirs.split(","))


def should_keep_scratch_in_memory_if_a_property_says_so() -> None:
    made = driver(app(sparkConf={"spark.kubernetes.local.dirs.tmpfs": "true"}))
    assert {"name": "spark-local-dir-1", "emptyDir": {"medium": "Memory"}} in made["spec"]["volumes"]


@pytest.mark.parametrize(
    ("conf", "volume"),
    [
        ({"emptyDir.v.mount.path": "/v", "emptyDir.v.options.sizeLimit": "1Gi"}, {"emptyDir": {"sizeLimit": "1Gi"}}),
        (
            {"nfs.v.mount.path": "/v", "nfs.v.options.server": "s", "nfs.v.options.path": "/p"},
            {"nfs": {"server": "s", "path": "/p"}},
        ),
        (
            {"persistentVolumeClaim.v.mount.path": "/v", "persistentVolumeClaim.v.options.claimName": "c"},
            {"persistentVolumeClaim": {"claimName": "c"}},
        ),
        (
            {
                "persistentVolumeClaim.v.mount.path": "/v",
                "persistentVolumeClaim.v.options.claimName": "OnDemand",
                "persistentVolumeClaim.v.options.sizeLimit": "5Gi",
                "persistentVolumeClaim.v.options.storageClass": "fast",
            },
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "5Gi"}},
                            "storageClassName": "fast",
                        }
                    }
                }
            },
        ),
    ],
)
def should_act_on_volumes_of_properties_as_spark_submit_would(conf: dict[str, str], volume: Object) -> None:
    made = driver(app(sparkConf={f"spark.kubernetes.driver.volumes.{key}": value for key, value in conf.items()}))
    assert {"name": "v", **volume} in made["spec"]["volumes"]
    assert {"name": "v", "mountPath": "/v", "readOnly": False} in container(made)["volumeMounts"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("cloud.v.mount.path", "names no volume"),
        ("emptyDir.v", "names no volume"),
        ("emptyDir.v.options.sizeLimit", "has no mount.path"),
    ],
)
def should_refuse_a_volume_of_properties_that_is_none(key: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        driver(app(sparkConf={f"spark.kubernetes.driver.volumes.{key}": "/v"}))


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("spark.kubernetes.driver.label.a", "b", lambda made: made["metadata"]["labels"]["a"] == "b"),
        ("spark.kubernetes.driver.annotation.a", "b", lambda made: made["metadata"]["annotations"]["a"] == "b"),
        ("spark.kubernetes.node.selector.a", "b", lambda made: made["spec"]["nodeSelector"]["a"] == "b"),
        ("spark.kubernetes.driver.node.selector.a", "b", lambda made: made["spec"]["nodeSelector"]["a"] == "b"),
        ("spark.kubernetes.driverEnv.A", "b", lambda made: variables(made)["A"] == "b"),
        (
            "spark.kubernetes.driver.secretKeyRef.A",
            "s:k",
            lambda made: variables(made)["A"] == {"secretKeyRef": {"name": "s", "key": "k"}},
        ),
        (
            "spark.kubernetes.driver.secrets.s",
            "/etc/s",
            lambda made: {"name": "s-volume", "secret": {"secretName": "s"}} in made["spec"]["volumes"],
        ),
        ("spark.kubernetes.driver.scheduler.name", "mine", lambda made: made["spec"]["schedulerName"] == "mine"),
        ("spark.kubernetes.scheduler.name", "mine", lambda made: made["spec"]["schedulerName"] == "mine"),
        ("spark.kubernetes.container.image.pullPolicy", "Always", lambda made: container(made)["imagePullPolicy"] == "Always"),
        (
            "spark.kubernetes.container.image.pullSecrets",
            "a,b",
            lambda made: made["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}],
        ),
        ("spark.driver.memory", "2g", lambda made: container(made)["resources"]["limits"]["memory"] == "2867Mi"),
        ("spark.driver.cores", "3", lambda made: container(made)["resources"]["requests"]["cpu"] == "3"),
        ("spark.ui.port", "4050", lambda made: 4050 in [port["containerPort"] for port in container(made)["ports"]]),
        ("spark.ui.enabled", "false", lambda made: "spark-ui" not in [port["name"] for port in container(made)["ports"]]),
    ],
)
def should_act_on_a_property_of_the_driver_as_spark_submit_would(key: str, value: str, seen: Any) -> None:
    assert seen(driver(app(sparkConf={key: value})))


def should_refuse_a_reference_to_a_secret_without_a_key() -> None:
    with pytest.raises(Invalid, match="write it as the Secret's name, a colon and the key"):
        driver(app(sparkConf={"spark.kubernetes.driver.secretKeyRef.A": "keys"}))


@ROLES
def should_build_upon_a_template_and_win_over_it(role: str) -> None:
    name = f"spark-kubernetes-{role}"
    given = {
        "metadata": {"labels": {"a": "template", "b": "template"}, "annotations": {"c": "template"}},
        "spec": {
            "containers": [
                {"name": "helper", "image": "h"},
                {"name": name, "env": [{"name": "A", "value": "template"}], "workingDir": "/w"},
            ],
            "volumes": [{"name": "extra", "emptyDir": {}}],
            "tolerations": [{"key": "t"}],
            "runtimeClassName": "gvisor",
            "nodeSelector": {"disk": "hdd", "zone": "a"},
        },
    }
    made = pod(role, {"template": given, "labels": {"b": "spec"}, "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "s"}]})
    assert [each["name"] for each in made["spec"]["containers"]] == [name, "helper"]
    assert container(made)["workingDir"] == "/w"
    assert variables(made)["A"] == "template"
    assert made["metadata"]["labels"].items() >= {"a": "template", "b": "spec"}.items()
    assert made["metadata"]["annotations"] == {"c": "template"}
    assert made["spec"]["runtimeClassName"] == "gvisor"
    assert made["spec"]["nodeSelector"] == {"disk": "ssd", "zone": "a"}
    assert made["spec"]["tolerations"] == [{"key": "t"}, {"key": "s"}]
    assert {"name": "extra", "emptyDir": {}} in made["spec"]["volumes"]


@ROLES
def should_take_the_first_container_of_a_template_for_sparks_if_none_has_its_name(role: str) -> None:
    made = pod(role, {"template": {"spec": {"containers": [{"name": "main", "workingDir": "/w"}]}}})
    assert (container(made)["name"], container(made)["workingDir"]) == (f"spark-kubernetes-{role}", "/w")


def should_not_change_the_template_that_it_was_given() -> None:
    given = {"spec": {"containers": [{"name": "main"}], "volumes": []}}
    driver(app(driver={"template": given}))
    assert given == {"spec": {"containers": [{"name": "main"}], "volumes": []}}


def should_protect_the_driver_from_evictions_if_the_spec_wants_that() -> None:
    budget = one(app(driverPodDisruptionBudget=True), "PodDisruptionBudget")
    chosen = budget["spec"]["selector"]["matchLabels"]
    assert budget["spec"]["minAvailable"] == 1
    assert driver(app())["metadata"]["labels"].items() >= chosen.items()


@pytest.mark.parametrize(
    ("monitoring", "role", "option"),
    [
        (
            {"exposeDriverMetrics": True, "exposeExecutorMetrics": False, "prometheus": {"jmxExporterJar": "/j.jar"}},
            "driver",
            "-javaagent:/j.jar=8090:/etc/metrics/conf/prometheus.yaml",
        ),
        (
            {
                "exposeDriverMetrics": False,
                "exposeExecutorMetrics": True,
                "prometheus": {"jmxExporterJar": "/j.jar", "port": 9000},
            },
            "executor",
            "-javaagent:/j.jar=9000:/etc/metrics/conf/prometheus.yaml",
        ),
        (
            {
                "exposeDriverMetrics": True,
                "exposeExecutorMetrics": False,
                "prometheus": {"jmxExporterJar": "/j", "configFile": "/c"},
            },
            "driver",
            "-javaagent:/j=8090:/c",
        ),
    ],
)
def should_start_the_exporter_where_metrics_are_wanted(monitoring: Object, role: str, option: str) -> None:
    from builders import properties

    application = app(monitoring=monitoring, **{role: {"javaOptions": "-Da=b"}})
    assert properties(application)[f"spark.{role}.extraJavaOptions"] == f"-Da=b {option}"
    other = {"driver": "executor", "executor": "driver"}[role]
    assert f"spark.{other}.extraJavaOptions" not in properties(application)
    made = pod(role, None, monitoring=monitoring)
    assert made["metadata"]["annotations"]["prometheus.io/scrape"] == "true"


def should_write_the_files_of_metrics_and_mount_them() -> None:
    monitoring = {
        "exposeDriverMetrics": True, "exposeExecutorMetrics": True, "metricsProperties": "*.sink.x=y",
        "prometheus": {"jmxExporterJar": "/j", "configuration": "rules: []"},
    }  # fmt: skip
    application = app(monitoring=monitoring)
    data = one(application, "ConfigMap")["data"]
    assert (data["metrics.properties"], data["prometheus.yaml"]) == ("*.sink.x=y", "rules: []")
    for made in (driver(application), template(application)):
        assert "/etc/metrics/conf" in [mount["mountPath"] for mount in container(made)["volumeMounts"]]


@pytest.mark.parametrize(
    ("scheduler", "seen"),
    [
        ("volcano", lambda made: made["metadata"]["annotations"]["scheduling.k8s.io/group-name"] == "spark-job-pg"),
        ("yunikorn", lambda made: made["metadata"]["labels"]["queue"] == "night"),
        ("kube-scheduler", lambda made: made["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == "spark-job-pg"),
        ("other", lambda made: made["spec"]["schedulerName"] == "other"),
    ],
)
@ROLES
def should_pass_on_to_a_batch_scheduler_what_it_looks_for(role: str, scheduler: str, seen: Any) -> None:
    made = pod(role, None, batchScheduler=scheduler, batchSchedulerOptions={"queue": "night"})
    assert made["spec"]["schedulerName"] == scheduler
    assert seen(made)


def should_make_volcanos_group_with_all_options() -> None:
    options = {"queue": "night", "priorityClassName": "low", "resources": {"cpu": 2, "memory": "4Gi"}}
    group = one(app(batchScheduler="volcano", batchSchedulerOptions=options), "PodGroup")
    assert group["apiVersion"] == "scheduling.volcano.sh/v1beta1"
    assert group["spec"] == {
        "minMember": 1, "minResources": {"cpu": 2, "memory": "4Gi"}, "queue": "night", "priorityClassName": "low"
    }  # fmt: skip


def should_tell_yunikorn_how_large_both_gangs_are() -> None:
    import json

    made = driver(app(batchScheduler="yunikorn", executor={"instances": 3, "memory": "2g", "coreRequest": "500m"}))
    groups = json.loads(made["metadata"]["annotations"]["yunikorn.apache.org/task-groups"])
    assert [(group["name"], group["minMember"]) for group in groups] == [("spark-driver", 1), ("spark-executor", 3)]
    assert groups[1]["minResource"] == {"cpu": "500m", "memory": "2867Mi"}


def should_leave_out_security_defaults_that_the_chart_does_not_give() -> None:
    made = driver(
        app(driver={"sidecars": [{"name": "s", "image": "s"}]}), dataclasses.replace(DEFAULTS, container_security_context={})
    )
    assert "securityContext" not in made["spec"]["containers"][1]
