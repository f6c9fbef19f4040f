"""What users of kubeflow's operator have reported: each report is a manifest and what has to come of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from builders import DEFAULTS, app, container, driver, objects, one, properties, template, variables

from airspark_operator import unsupported, validate
from airspark_operator.spec import Invalid

Object = dict[str, Any]
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])
#: Names of volumes as the API server takes them.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def pod(role: str, own: Object | None = None, **spec: Any) -> Object:
    """The pod, or the template, of a role whose fields are `own`."""
    application = app(**{role: own}, **spec)
    return driver(application) if role == "driver" else template(application)


def mounted(made: Object) -> dict[str, Object]:
    """The volumes of a pod by the path that Spark's container mounts them at; every name is valid and stands once."""
    names = [volume["name"] for volume in made["spec"].get("volumes", [])]
    assert len(names) == len(set(names)) and all(LABEL.fullmatch(name) for name in names), names
    volumes = {volume["name"]: volume for volume in made["spec"]["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container(made)["volumeMounts"]}


# Names


@ROLES
@pytest.mark.parametrize("name", ["spark.application.conf", "a" * 63, "a" * 253, "a-" * 40 + "z", "a.b"])
def should_mount_a_configmap_and_a_secret_whatever_their_names(role: str, name: str) -> None:
    own = {
        "configMaps": [{"name": name, "path": "/etc/app"}],
        "secrets": [{"name": name, "path": "/etc/key", "secretType": "Generic"}],
    }
    found = mounted(pod(role, own))
    assert found["/etc/app"]["configMap"] == {"name": name}
    assert found["/etc/key"]["secret"] == {"secretName": name}


def should_give_a_configmap_the_same_volume_on_driver_and_executors() -> None:
    own = {"configMaps": [{"name": "spark.application.conf", "path": "/etc/app"}]}
    application = app(driver=own, executor=own)
    assert mounted(driver(application))["/etc/app"] == mounted(template(application))["/etc/app"]


@ROLES
def should_keep_two_configmaps_apart_that_differ_in_a_dot(role: str) -> None:
    own = {"configMaps": [{"name": "a.b", "path": "/one"}, {"name": "a-b", "path": "/two"}]}
    found = mounted(pod(role, own))
    assert (found["/one"]["configMap"]["name"], found["/two"]["configMap"]["name"]) == ("a.b", "a-b")


@ROLES
def should_mount_a_configmap_at_two_paths_by_one_volume(role: str) -> None:
    own = {"configMaps": [{"name": "a", "path": "/one"}, {"name": "a", "path": "/two"}]}
    found = mounted(pod(role, own))
    assert found["/one"] == found["/two"]


def should_mount_a_secret_with_dots_that_a_property_names_into_executors() -> None:
    application = app(
        sparkConf={"spark.kubernetes.executor.secrets.my.key": "/etc/key", "spark.kubernetes.executor.secrets.a": "/a"}
    )
    assert mounted(template(application))["/etc/key"]["secret"] == {"secretName": "my.key"}
    said = properties(application)
    assert said["spark.kubernetes.executor.secrets.a"] == "/a"
    assert "spark.kubernetes.executor.secrets.my.key" not in said, "Spark would name the volume my.key-volume"


@ROLES
def should_refuse_a_volume_that_has_the_name_of_a_configmaps(role: str) -> None:
    own = {"configMaps": [{"name": "a", "path": "/one"}], "volumeMounts": [{"name": "a-vol", "mountPath": "/two"}]}
    with pytest.raises(Invalid, match=rf"{role}: two volumes have the name 'a-vol'; rename the one in volumes"):
        objects(app(**{role: own}, volumes=[{"name": "a-vol", "emptyDir": {}}]))


@ROLES
def should_keep_labels_of_kueue_on_the_object(role: str) -> None:
    labels = {"kueue.x-k8s.io/queue-name": "q", "kueue.x-k8s.io/priority-class": "p", "team": "x"}
    made = pod(role, metadata={"labels": labels})["metadata"]["labels"]
    assert made["team"] == "x" and not [key for key in made if key.startswith("kueue.x-k8s.io/")]


# Placeholders


def should_fill_in_the_id_of_the_application_on_driver_and_executors_alike() -> None:
    own = {"annotations": {"yunikorn.apache.org/app-id": "{{APP_ID}}"}, "labels": {"run": "{{APP_ID}}"}}
    application = app(driver=own, executor=own)
    app_id = properties(application)["spark.app.id"]
    for made in (driver(application), template(application)):
        assert made["metadata"]["labels"]["run"] == app_id
        assert made["metadata"]["annotations"]["yunikorn.apache.org/app-id"] == app_id


def should_leave_the_number_of_an_executor_to_spark() -> None:
    own = {"labels": {"a": "x{{EXECUTOR_ID}}", "b": "c"}, "annotations": {"n": "{{APP_ID}}/{{EXECUTOR_ID}}"}}
    application = app(driver=own, executor=own)
    said, made = properties(application), template(application)["metadata"]
    assert said["spark.kubernetes.executor.label.a"] == "x{{EXECUTOR_ID}}"
    assert said["spark.kubernetes.executor.annotation.n"] == "{{APP_ID}}/{{EXECUTOR_ID}}"
    assert "a" not in made["labels"] and made["labels"]["b"] == "c" and "annotations" not in made
    assert driver(application)["metadata"]["labels"]["a"] == "x", "a driver has no number"


def should_fill_in_properties_of_the_driver_too() -> None:
    conf = {"spark.kubernetes.driver.label.a": "{{APP_ID}}", "spark.kubernetes.driver.annotation.b": "{{APP_ID}}"}
    made = driver(app(sparkConf=conf))["metadata"]
    assert made["labels"]["a"] == made["annotations"]["b"] == made["labels"]["spark-app-selector"]


@pytest.mark.parametrize("form", ["{{$appId}}", "{{ $appId }}", "{{  $appId}}"])
def should_fill_in_the_id_of_the_application_in_an_address(form: str) -> None:
    option = {"servicePort": 8080, "servicePortName": "x", "ingressURLFormat": f"{form}.example.com/{{{{ $appName }}}}"}
    application = app(driverIngressOptions=[option])
    (rule,) = one(application, "Ingress")["spec"]["rules"]
    assert rule["host"] == f"{properties(application)['spark.app.id']}.example.com"
    assert rule["http"]["paths"][0]["path"] == "/job(/|$)(.*)"


def should_name_a_placeholder_of_an_address_that_is_not_known() -> None:
    option = {"servicePort": 8080, "servicePortName": "x", "ingressURLFormat": "{{$appUid}}.example.com"}
    with pytest.raises(Invalid, match=r"holds {{\$appUid}}; use one of {{\$appName}}, {{\$appNamespace}}, {{\$appId}}"):
        objects(app(driverIngressOptions=[option]))


# What the API server refuses


@ROLES
@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"labels": {"team": "data platform"}}, "{role}.labels: team is 'data platform', which is not a valid value of a label"),
        ({"labels": {"team": "a" * 64}}, "{role}.labels: team is"),
        ({"labels": {"-team": "a"}}, "{role}.labels: '-team' is not a valid key"),
        ({"labels": {"Example.com/team": "a"}}, "{role}.labels: the part before the slash"),
        ({"labels": {"run": "{{APP_ID}}-" + "a" * 30}}, "{role}.labels: run is"),
        ({"annotations": {"a b": "any text at all"}}, "{role}.annotations: 'a b' is not a valid key"),
        ({"annotations": {"a": "x" * 262144}}, "{role}.annotations: they are longer than 256 KiB"),
        ({"nodeSelector": {"disk": "s s d"}}, "{role}.nodeSelector: disk is 's s d'"),
        ({"envVars": {"A B": "1"}}, "{role}.envVars: 'A B' is not a valid name of a variable"),
        ({"env": [{"name": "1A", "value": "1"}]}, "{role}.env: '1A' is not a valid name of a variable"),
        ({"env": [{"name": "A=B"}]}, "{role}.env: 'A=B' is not a valid name"),
        ({"envSecretKeyRefs": {"": {"name": "s", "key": "k"}}}, "{role}.envSecretKeyRefs: '' is not a valid name"),
        ({"template": {"metadata": {"labels": {"a": "b c"}}}}, "{role}.template.metadata.labels: a is 'b c'"),
        ({"template": {"spec": {"containers": [{"name": "m", "env": [{"name": "A B"}]}]}}}, "{role}: container m: 'A B' is not"),
        ({"sidecars": [{"name": "s", "env": [{"name": "A B"}]}]}, "{role}: container s: 'A B' is not a valid name"),
        ({"sidecars": [{"name": "x"}], "initContainers": [{"name": "x"}]}, "{role}: a container and an init container have"),
        ({"sidecars": [{"name": "spark-kubernetes-{role}"}]}, "{role}.sidecars: the name 'spark-kubernetes-{role}' is that of"),
    ],
)
def should_say_at_once_what_the_api_server_would_refuse(role: str, own: Object, said: str) -> None:
    problem = validate.problem(app(**{role: json.loads(json.dumps(own).replace("{role}", role))}))
    assert problem and problem.startswith(said.replace("{role}", role)), problem
    assert "; " in problem


@pytest.mark.parametrize(
    "key", ["spark.kubernetes.executor.label.team", "spark.kubernetes.driver.label.team", "spark.kubernetes.node.selector.team"]
)
def should_say_it_of_properties_too(key: str) -> None:
    problem = validate.problem(app(sparkConf={key: "data platform"}))
    assert problem and problem.startswith(f"sparkConf: {key.removesuffix('.team')}: team is 'data platform'")


@pytest.mark.parametrize(
    "key", ["spark.executorEnv.A B", "spark.kubernetes.driverEnv.A B", "spark.kubernetes.driver.secretKeyRef.A B"]
)
def should_say_it_of_variables_of_properties_too(key: str) -> None:
    problem = validate.problem(app(sparkConf={key: "s:k"}))
    assert problem and "'A B' is not a valid name of a variable" in problem


@ROLES
@pytest.mark.parametrize(
    "own",
    [
        {"labels": {"a": "", "example.com/b": "X_1.y", "run": "{{APP_ID}}", "n": "e{{EXECUTOR_ID}}z"}},
        {"annotations": {"example.com/a": "any text: at all", "b": ""}},
        {"envVars": {"_A": "", "a.b-c": "", "A1": ""}},
    ],
)
def should_accept_what_the_api_server_accepts(role: str, own: Object) -> None:
    assert validate.problem(app(**{role: own})) is None


# Accounts


def account(made: Object) -> tuple[Any, Any, Any]:
    """Account and token of a pod, and the old name of the account, which the API server would read too."""
    wanted = made["spec"]
    return wanted.get("serviceAccountName"), wanted.get("automountServiceAccountToken"), wanted.get("serviceAccount")


@pytest.mark.parametrize("name", ["serviceAccountName", "serviceAccount"])
def should_give_executors_the_account_of_their_template(name: str) -> None:
    application = app(driver={"serviceAccount": "sa"}, executor={"template": {"spec": {name: "exec-sa"}}})
    assert account(template(application)) == ("exec-sa", None, None)
    # without the property Spark gives them the driver's
    assert properties(application)["spark.kubernetes.authenticate.executor.serviceAccountName"] == "exec-sa"


@pytest.mark.parametrize("given", [{}, {"containers": [{"name": "a"}]}, {"automountServiceAccountToken": True}])
def should_give_executors_no_token_if_no_account_is_named_for_them(given: Object) -> None:
    application = app(driver={"serviceAccount": "sa"}, executor={"template": {"spec": given}})
    assert account(template(application)) == (None, False, None)
    assert "spark.kubernetes.authenticate.executor.serviceAccountName" not in properties(application)


def should_let_a_template_refuse_the_token_of_an_account_of_its_own() -> None:
    given = {"serviceAccountName": "exec-sa", "automountServiceAccountToken": False}
    assert account(template(app(executor={"template": {"spec": given}}))) == ("exec-sa", False, None)


@pytest.mark.parametrize("name", ["serviceAccountName", "serviceAccount"])
def should_let_executors_follow_the_account_of_the_drivers_template_without_its_token(name: str) -> None:
    application = app(driver={"template": {"spec": {name: "my-sa"}}})
    assert account(driver(application)) == ("my-sa", True, None)
    # Spark puts this account into executors' pods
    assert properties(application)["spark.kubernetes.authenticate.driver.serviceAccountName"] == "my-sa"
    assert account(template(application)) == (None, False, None)


def should_prefer_the_field_over_the_template() -> None:
    own = {"serviceAccount": "field", "template": {"spec": {"serviceAccountName": "template"}}}
    application = app(driver=own, executor=own)
    assert account(driver(application))[0] == account(template(application))[0] == "field"


# Gang scheduling


@pytest.mark.parametrize("scheduler", ["volcano", "kube-scheduler"])
def should_ask_for_room_for_driver_and_executors(scheduler: str) -> None:
    executor = {"instances": 4, "cores": 2, "memory": "4g"}
    group = one(app(driver={"cores": 1, "memory": "1g"}, executor=executor, batchScheduler=scheduler), "PodGroup")
    # 1 + 4 × 2 cores; 1024 + 409 and 4 × (4096 + 1638) MiB: Python's overhead is 40 %
    assert group["spec"] == {"minMember": 1, "minResources": {"cpu": "9", "memory": "24369Mi"}}


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        ({"type": "Java", "executor": {"instances": 2}}, {"cpu": "3", "memory": f"{3 * 1408}Mi"}),
        ({"executor": {"coreRequest": "300m"}}, {"cpu": "1300m", "memory": f"{2 * 1433}Mi"}),
        ({"driver": {"coreRequest": "0.5"}, "executor": {"coreRequest": "500m"}}, {"cpu": "1", "memory": f"{2 * 1433}Mi"}),
        ({"executor": {"memoryOverhead": "1g"}}, {"cpu": "2", "memory": f"{1433 + 2048}Mi"}),
        ({"memoryOverheadFactor": "0.5"}, {"cpu": "2", "memory": f"{2 * 1536}Mi"}),
        ({"sparkConf": {"spark.executor.pyspark.memory": "1g"}}, {"cpu": "2", "memory": f"{1433 + 1433 + 1024}Mi"}),
        (
            {"sparkConf": {"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g"}},
            {"cpu": "2", "memory": f"{1433 + 1433 + 1024}Mi"},
        ),
        (
            {"dynamicAllocation": {"enabled": True, "minExecutors": 2, "initialExecutors": 3, "maxExecutors": 9}},
            {"cpu": "4", "memory": f"{4 * 1433}Mi"},
        ),
        ({"dynamicAllocation": {"enabled": True, "minExecutors": 0}}, {"cpu": "1", "memory": "1433Mi"}),
        (
            {"executor": {"instances": 2, "gpu": {"name": "nvidia.com/gpu", "quantity": 2}}},
            {"cpu": "3", "memory": f"{3 * 1433}Mi", "nvidia.com/gpu": "4"},
        ),
        (
            {
                "sparkConf": {"spark.executor.resource.gpu.amount": "1", "spark.executor.resource.gpu.vendor": "nvidia.com"},
                "executor": {"instances": 3},
            },
            {"cpu": "4", "memory": f"{4 * 1433}Mi", "nvidia.com/gpu": "3"},
        ),
        (
            {
                "executor": {
                    "sidecars": [
                        {"name": "s", "image": "s", "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}}}
                    ]
                }
            },
            {"cpu": "2250m", "memory": f"{2 * 1433 + 1024}Mi"},
        ),
        (
            {
                "driver": {
                    "initContainers": [{"name": "i", "image": "i", "resources": {"requests": {"cpu": "3", "memory": "100Mi"}}}]
                }
            },
            {"cpu": "4", "memory": f"{2 * 1433}Mi"},
        ),
        (
            {
                "executor": {
                    "template": {"spec": {"containers": [{"name": "m", "resources": {"requests": {"ephemeral-storage": "1Gi"}}}]}}
                }
            },
            {"cpu": "2", "memory": f"{2 * 1433}Mi", "ephemeral-storage": str(1 << 30)},
        ),
    ],
)
def should_count_what_the_scheduler_counts(spec: Object, needed: Object) -> None:
    group = one(app(batchScheduler="volcano", **spec), "PodGroup")
    assert group["spec"]["minResources"] == needed


def should_leave_a_group_that_the_application_brings() -> None:
    application = app(driver={"annotations": {"scheduling.k8s.io/group-name": "mine"}}, batchScheduler="volcano")
    assert not [thing for thing in objects(application) if thing["kind"] == "PodGroup"]
    assert driver(application)["metadata"]["annotations"]["scheduling.k8s.io/group-name"] == "mine"


def should_tell_yunikorn_where_each_gang_may_run() -> None:
    own = {
        "affinity": {"nodeAffinity": {}}, "tolerations": [{"key": "field"}], "labels": {"team": "data", "run": "{{APP_ID}}"},
        "template": {"spec": {"tolerations": [{"key": "template"}], "nodeSelector": {"zone": "a"}}},
    }  # fmt: skip
    application = app(
        driver=own, executor=own, batchScheduler="yunikorn", sparkConf={"spark.kubernetes.node.selector.disk": "ssd"}
    )
    made = driver(application)["metadata"]
    for group in json.loads(made["annotations"]["yunikorn.apache.org/task-groups"]):
        assert group["affinity"] == {"nodeAffinity": {}}
        assert group["tolerations"] == [{"key": "template"}, {"key": "field"}]
        assert group["labels"] == {"team": "data", "run": made["labels"]["spark-app-selector"]}
        assert group["nodeSelector"] == {"disk": "ssd", "zone": "a"}


def should_make_no_group_of_executors_if_none_starts() -> None:
    made = driver(app(batchScheduler="yunikorn", dynamicAllocation={"enabled": True, "minExecutors": 0}))
    groups = json.loads(made["metadata"]["annotations"]["yunikorn.apache.org/task-groups"])
    assert [group["name"] for group in groups] == ["spark-driver"]


@ROLES
def should_let_the_batch_scheduler_place_a_pod_that_names_another_and_say_so(role: str) -> None:
    application = app(
        **{role: {"schedulerName": "mine"}}, batchScheduler="volcano", sparkConf={"spark.kubernetes.scheduler.name": "x"}
    )
    made = driver(application) if role == "driver" else template(application)
    assert made["spec"]["schedulerName"] == "volcano"
    assert properties(application)[f"spark.kubernetes.{role}.scheduler.name"] == "volcano"
    assert unsupported.ignored(application["spec"], DEFAULTS) == [
        f"{role}.schedulerName", "sparkConf.spark.kubernetes.scheduler.name"
    ]  # fmt: skip


# Metrics

MONITORING = {"exposeDriverMetrics": True, "exposeExecutorMetrics": True, "prometheus": {"jmxExporterJar": "/x.jar"}}


def should_name_metrics_alike_at_each_submission() -> None:
    assert properties(app(monitoring=MONITORING))["spark.metrics.namespace"] == "data.job"


@pytest.mark.parametrize(
    ("spec", "key", "value"),
    [
        ({"monitoring": MONITORING, "sparkConf": {"spark.metrics.namespace": "mine"}}, "spark.metrics.namespace", "mine"),
        ({"monitoring": MONITORING, "sparkConf": {"spark.metrics.conf": "/mine"}}, "spark.metrics.conf", "/mine"),
        (
            {"monitoring": MONITORING | {"metricsPropertiesFile": "/field"}, "sparkConf": {"spark.metrics.conf": "/mine"}},
            "spark.metrics.conf",
            "/field",
        ),
        (
            {"monitoring": MONITORING | {"metricsProperties": "a=b"}, "sparkConf": {"spark.metrics.conf": "/mine"}},
            "spark.metrics.conf",
            "/etc/metrics/conf/metrics.properties",
        ),
    ],
)
def should_let_what_the_spec_says_about_metrics_have_its_effect(spec: Object, key: str, value: str) -> None:
    application = app(**spec)
    assert properties(application)[key] == value
    said = application["spec"]["sparkConf"].get(key)
    assert (f"sparkConf.{key}" in unsupported.ignored(application["spec"], DEFAULTS)) is (said != value)


@pytest.mark.parametrize(
    ("bean", "name", "labels"),
    [
        (
            "data.my.job.driver.BlockManager.memory.maxMem_MB, type=gauges><>Value",
            "spark_driver_BlockManager_memory.maxMem_MB", {"app_namespace": "data.my", "app_id": "job"},
        ),
        (
            "data.job.1.executor.threadpool.activeTasks, type=gauges><>Value",
            "spark_executor_threadpool.activeTasks", {"app_namespace": "data", "app_id": "job", "executor_id": "1"},
        ),
        (
            "data.job.driver.spark.streaming.orders.inputRate-total, type=gauges><>Value",
            "spark_structured_streaming_driver_inputRate-total",
            {"app_namespace": "data", "app_id": "job", "query_name": "orders"},
        ),
        (
            "data.job.driver.DAGScheduler.messageProcessingTime, type=timers><>Count",
            "spark_driver_DAGScheduler_messageProcessingTime, type=timers_count", {"app_namespace": "data", "app_id": "job"},
        ),
    ],
)  # fmt: skip
def should_give_metrics_the_names_of_kubeflows_rules(bean: str, name: str, labels: Object) -> None:
    rules = yaml.safe_load(one(app(monitoring=MONITORING), "ConfigMap")["data"]["prometheus.yaml"])["rules"]
    for rule in rules:
        match = re.fullmatch(f".*(?:{rule['pattern']}).*", f"metrics<name={bean}")
        if match:

            def filled(text: str, found: re.Match[str] = match) -> str:
                return re.sub(r"\$(\d)", lambda group: found.group(int(group.group(1))), text)

            assert filled(rule["name"]) == name
            assert {key: filled(value) for key, value in rule["labels"].items()} == labels
            return
    pytest.fail(f"no rule fits {bean}")


# Nothing lost in silence


def should_mount_hadoops_configuration_that_a_property_names() -> None:
    application = app(sparkConf={"spark.kubernetes.hadoop.configMapName": "hcm"})
    assert mounted(driver(application))["/opt/hadoop/conf"]["configMap"] == {"name": "hcm"}
    assert variables(driver(application))["HADOOP_CONF_DIR"] == "/opt/hadoop/conf"
    # by this one Spark mounts it into executors
    assert properties(application)["spark.kubernetes.executor.hadoopConfigMapName"] == "hcm"
    assert unsupported.ignored(application["spec"], DEFAULTS) == []


def should_say_that_the_field_wins_over_the_property_of_hadoop() -> None:
    application = app(hadoopConfigMap="field", sparkConf={"spark.kubernetes.hadoop.configMapName": "hcm"})
    assert variables(driver(application))["HADOOP_CONF_DIR"] == "/etc/hadoop/conf"
    assert "spark.kubernetes.executor.hadoopConfigMapName" not in properties(application)
    assert unsupported.ignored(application["spec"], DEFAULTS) == ["sparkConf.spark.kubernetes.hadoop.configMapName"]


def should_mount_what_kerberos_needs() -> None:
    prefix = "spark.kubernetes.kerberos."
    conf = {f"{prefix}krb5.configMapName": "krb", f"{prefix}tokenSecret.name": "tokens", f"{prefix}tokenSecret.itemKey": "t"}
    made = driver(app(sparkConf=conf))
    assert mounted(made)["/etc/krb5.conf"]["configMap"] == {"name": "krb"}
    assert variables(made)["HADOOP_TOKEN_FILE_LOCATION"] == "/mnt/secrets/hadoop-credentials/t"
    with pytest.raises(Invalid, match=r"tokenSecret\.name and .*tokenSecret\.itemKey belong together; set both"):
        driver(app(sparkConf={f"{prefix}tokenSecret.name": "tokens"}))


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"lifecycle": {"preStop": {}}}, "executor.lifecycle"),
        (
            {"template": {"spec": {"containers": [{"lifecycle": {"preStop": {}}}]}}},
            "executor.template.spec.containers[].lifecycle",
        ),
    ],
)
def should_say_that_decommissioning_puts_its_own_hook(own: Object, field: str) -> None:
    assert unsupported.ignored(app(executor=own)["spec"], DEFAULTS) == []
    said = app(executor=own, sparkConf={"spark.decommission.enabled": "true"})["spec"]
    assert unsupported.ignored(said, DEFAULTS) == [field]


@ROLES
def should_attach_a_sidecar_once_that_the_template_has_too(role: str) -> None:
    both = {"name": "logs", "image": "logs:2"}
    given = {"containers": [{"name": f"spark-kubernetes-{role}"}, {"name": "logs", "image": "logs:1"}], "initContainers": [both]}
    made = pod(role, {"sidecars": [both], "initContainers": [both | {"image": "i:2"}], "template": {"spec": given}})
    assert [(one["name"], one.get("image")) for one in made["spec"]["containers"][1:]] == [("logs", "logs:2")]
    assert [(one["name"], one["image"]) for one in made["spec"]["initContainers"]] == [("logs", "i:2")]


def should_name_a_pull_secret_once() -> None:
    conf = {"spark.kubernetes.container.image.pullSecrets": "b, c"}
    given = {"spec": {"imagePullSecrets": [{"name": "c"}, {"name": "d"}]}}
    application = app(imagePullSecrets=["a", "a", "b"], sparkConf=conf, driver={"template": given}, executor={"template": given})
    names = [entry["name"] for entry in driver(application)["spec"]["imagePullSecrets"]]
    assert sorted(names) == ["a", "b", "c", "d"]
    # Spark adds those of the property to the template's
    said = properties(application)["spark.kubernetes.container.image.pullSecrets"].split(",")
    left = [entry["name"] for entry in template(application)["spec"]["imagePullSecrets"]]
    assert sorted(said + left) == ["a", "b", "c", "d"]


# As strict as kubeflow's operator


@pytest.mark.parametrize("port", ["0", "7100"])
def should_take_any_port_for_the_executors_block_manager(port: str) -> None:
    said = properties(app(sparkConf={"spark.blockManager.port": port}))
    assert (said["spark.blockManager.port"], said["spark.driver.blockManager.port"]) == (port, "7079")


@ROLES
def should_accept_a_mount_whose_volume_comes_from_properties(role: str) -> None:
    prefix = f"spark.kubernetes.{role}.volumes.nfs.v"
    conf = {f"{prefix}.mount.path": "/one", f"{prefix}.options.path": "/share", f"{prefix}.options.server": "nfs"}
    application = app(**{role: {"volumeMounts": [{"name": "v", "mountPath": "/two"}]}}, sparkConf=conf)
    assert validate.problem(application) is None
    made = driver(application) if role == "driver" else template(application)
    assert "/two" in [mount["mountPath"] for mount in container(made)["volumeMounts"]]
    if role == "driver":
        assert mounted(made)["/one"] == mounted(made)["/two"] == {"name": "v", "nfs": {"server": "nfs", "path": "/share"}}


@ROLES
def should_name_two_mounts_at_one_path_of_field_and_properties(role: str) -> None:
    prefix = f"spark.kubernetes.{role}.volumes.emptyDir.v"
    own = {"volumeMounts": [{"name": "data", "mountPath": "/d"}]}
    application = app(**{role: own}, volumes=[{"name": "data", "emptyDir": {}}], sparkConf={f"{prefix}.mount.path": "/d/"})
    problem = validate.problem(application)
    assert problem == f"volumes of sparkConf: the path /d/ is mounted twice (also by {role}.volumeMounts); use another path"


@ROLES
@pytest.mark.parametrize("field", ["configMaps", "volumeMounts"])
def should_name_a_mount_where_spark_has_its_own(role: str, field: str) -> None:
    entry = {
        "configMaps": {"name": "a", "path": "/opt/spark/conf/"},
        "volumeMounts": {"name": "a", "mountPath": "/opt/spark/conf"},
    }
    problem = validate.problem(app(**{role: {field: [entry[field]]}}, volumes=[{"name": "a", "emptyDir": {}}]))
    assert problem and problem.startswith(f"{role}.{field}: the path /opt/spark/conf")
    assert problem.endswith("is mounted twice (also by Spark itself); use another path")


@ROLES
def should_refuse_a_mount_where_another_field_puts_its_files(role: str) -> None:
    own = {"volumeMounts": [{"name": "a", "mountPath": "/etc/hadoop/conf"}]}
    with pytest.raises(Invalid, match=rf"{role}: the path /etc/hadoop/conf is mounted twice; use another path in volumeMounts"):
        objects(app(**{role: own}, volumes=[{"name": "a", "emptyDir": {}}], hadoopConfigMap="h"))


@ROLES
def should_let_a_mount_replace_the_templates_at_its_path(role: str) -> None:
    given = {
        "containers": [{"volumeMounts": [{"name": "old", "mountPath": "/d/"}]}],
        "volumes": [{"name": "old", "emptyDir": {}}],
    }
    own = {"template": {"spec": given}, "volumeMounts": [{"name": "new", "mountPath": "/d"}]}
    made = pod(role, own, volumes=[{"name": "new", "emptyDir": {}}])
    assert [mount["name"] for mount in container(made)["volumeMounts"] if mount["mountPath"].startswith("/d")] == ["new"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"dynamicAllocation": {"enabled": True, "maxExecutors": 3}, "executor": {"instances": 5}},
            "executor.instances is 5, above the 3 of dynamicAllocation.maxExecutors; lower it or raise maxExecutors",
        ),
        (
            {
                "dynamicAllocation": {"enabled": True, "maxExecutors": 3},
                "sparkConf": {"spark.dynamicAllocation.initialExecutors": "5"},
            },
            "sparkConf.spark.dynamicAllocation.initialExecutors is 5, above the 3 of dynamicAllocation.maxExecutors; lower it",
        ),
        ({"dynamicAllocation": {"enabled": True, "initialExecutors": 3, "maxExecutors": 3}}, None),
        ({"dynamicAllocation": {"enabled": False, "maxExecutors": 3}, "executor": {"instances": 5}}, None),
    ],
)
def should_say_before_spark_does_that_more_executors_start_than_may_run(spec: Object, said: str | None) -> None:
    problem = validate.problem(app(**spec))
    assert problem is None if said is None else problem and problem.startswith(said)
