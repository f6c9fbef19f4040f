"""Properties beside fields that say the same, and groups of pods that an application has already."""

from __future__ import annotations

from typing import Any

import pytest
from builders import DEFAULTS, app, container, driver, objects, properties, template, variables

from airspark_operator import conf, unsupported

Object = dict[str, Any]
GROUP, LABEL = "scheduling.k8s.io/group-name", "scheduling.x-k8s.io/pod-group"
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])
#: What a role's pod has, as Spark reads the property.
PROPERTIES = {
    "labels": "spark.kubernetes.{role}.label.l",
    "annotations": "spark.kubernetes.{role}.annotation.l",
    "nodeSelector": "spark.kubernetes.{role}.node.selector.l",
}
ENVIRONMENT = {"driver": "spark.kubernetes.driverEnv.l", "executor": "spark.executorEnv.l"}


def final(role: str, application: Object) -> Object:
    """A role's pod; of executors as Spark makes it, which puts properties over the template."""
    if role == "driver":
        return driver(application)
    made, said = template(application), properties(application)
    places = {
        "spark.kubernetes.executor.label.": made["metadata"].setdefault("labels", {}),
        "spark.kubernetes.executor.annotation.": made["metadata"].setdefault("annotations", {}),
        "spark.kubernetes.executor.node.selector.": made["spec"].setdefault("nodeSelector", {}),
        "spark.kubernetes.node.selector.": made["spec"]["nodeSelector"],
    }
    for prefix, place in places.items():
        place |= conf.prefixed(said, prefix)
    spark = container(made)
    plain = conf.prefixed(said, "spark.executorEnv.")
    references = conf.prefixed(said, "spark.kubernetes.executor.secretKeyRef.")
    spark["env"] = [*spark.get("env", []), *({"name": name, "value": value} for name, value in plain.items())]
    spark["env"] += [{"name": name, "valueFrom": value} for name, value in references.items()]
    return made


@ROLES
@pytest.mark.parametrize("field", PROPERTIES)
@pytest.mark.parametrize("of_template", [False, True])
def should_let_a_field_or_template_win_over_a_property_and_say_so(role: str, field: str, of_template: bool) -> None:
    entries = {"l": "field", "other": "field"}
    part = {"spec": {field: entries}} if field == "nodeSelector" else {"metadata": {field: entries}}
    key = PROPERTIES[field].format(role=role)
    own = {"template": part} if of_template else {field: entries}
    application = app(**{role: own}, sparkConf={key: "conf", f"{key}2": "conf"})
    made = final(role, application)
    found = made["spec"]["nodeSelector"] if field == "nodeSelector" else made["metadata"][field]
    assert (found["l"], found["l2"], found["other"]) == ("field", "conf", "field")
    assert unsupported.ignored(application["spec"], DEFAULTS) == [f"sparkConf.{key}"]


@ROLES
@pytest.mark.parametrize(
    "own",
    [
        {"envVars": {"l": "field"}},
        {"env": [{"name": "l", "value": "field"}]},
        {"template": {"spec": {"containers": [{"env": [{"name": "l", "value": "field"}]}]}}},
    ],
)
def should_let_a_variable_of_a_field_win_over_a_property(role: str, own: Object) -> None:
    key, secret = ENVIRONMENT[role], f"spark.kubernetes.{role}.secretKeyRef.l"
    application = app(**{role: own}, sparkConf={key: "conf", secret: "s:k", f"{key}2": "conf"})
    told = variables(final(role, application))
    assert (told["l"], told["l2"]) == ("field", "conf")
    assert unsupported.ignored(application["spec"], DEFAULTS) == [f"sparkConf.{key}", f"sparkConf.{secret}"]


@ROLES
def should_let_a_variable_from_a_secret_win_over_a_property(role: str) -> None:
    own = {"envSecretKeyRefs": {"l": {"name": "s", "key": "k"}}}
    application = app(**{role: own}, sparkConf={ENVIRONMENT[role]: "conf", f"spark.kubernetes.{role}.secretKeyRef.l": "s:k"})
    assert variables(final(role, application))["l"] == {"secretKeyRef": {"name": "s", "key": "k"}}
    assert unsupported.ignored(application["spec"], DEFAULTS) == [f"sparkConf.{ENVIRONMENT[role]}"], "the reference is the same"


def should_let_the_selector_of_the_application_win_over_a_property_of_both_roles() -> None:
    application = app(nodeSelector={"l": "field"}, sparkConf={"spark.kubernetes.node.selector.l": "conf"})
    assert [final(role, application)["spec"]["nodeSelector"]["l"] for role in ("driver", "executor")] == ["field", "field"]
    assert unsupported.ignored(application["spec"], DEFAULTS) == ["sparkConf.spark.kubernetes.node.selector.l"]


@ROLES
def should_not_list_a_property_that_says_the_same_as_a_field(role: str) -> None:
    application = app(**{role: {"labels": {"l": "x"}}}, sparkConf={f"spark.kubernetes.{role}.label.l": "x"})
    assert unsupported.ignored(application["spec"], DEFAULTS) == []


def should_keep_the_labels_that_executors_are_found_by() -> None:
    application = app(sparkConf={"spark.kubernetes.executor.label.sparkoperator.k8s.io/app-name": "other"})
    assert final("executor", application)["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == "job"


def should_let_spark_fill_in_the_number_of_an_executor_in_a_field_that_a_property_has_too() -> None:
    application = app(executor={"labels": {"l": "e-{{EXECUTOR_ID}}"}}, sparkConf={"spark.kubernetes.executor.label.l": "conf"})
    assert final("executor", application)["metadata"]["labels"]["l"] == "e-{{EXECUTOR_ID}}"


@pytest.mark.parametrize("path", ["/etc/s", "/etc/other"])
def should_mount_a_secret_of_field_and_property_by_one_volume(path: str) -> None:
    secret = {"name": "s", "path": "/etc/s", "secretType": "Generic"}
    application = app(executor={"secrets": [secret]}, sparkConf={"spark.kubernetes.executor.secrets.s": path})
    made = template(application)
    assert [volume["name"] for volume in made["spec"]["volumes"]].count("s-volume") == 1
    assert {mount["mountPath"] for mount in container(made)["volumeMounts"]} == {"/etc/s", path}
    assert "spark.kubernetes.executor.secrets.s" not in properties(application), "Spark would add the volume again"


# Groups


def of_place(role: str, place: str, field: str, key: str) -> Object:
    """A spec that names a group for a role: in a field, a template or a property."""
    if place == "property":
        return {"sparkConf": {f"spark.kubernetes.{role}.{field.removesuffix('s')}.{key}": "mine"}}
    return {role: {field: {key: "mine"}} if place == "field" else {"template": {"metadata": {field: {key: "mine"}}}}}


@pytest.mark.parametrize("place", ["field", "template", "property"])
@pytest.mark.parametrize(("scheduler", "field", "key"), [("volcano", "annotations", GROUP), ("kube-scheduler", "labels", LABEL)])
def should_put_executors_into_the_group_that_the_driver_names(scheduler: str, field: str, key: str, place: str) -> None:
    application = app(batchScheduler=scheduler, **of_place("driver", place, field, key))
    assert not [thing for thing in objects(application) if thing["kind"] == "PodGroup"]
    assert [final(role, application)["metadata"][field][key] for role in ("driver", "executor")] == ["mine", "mine"]
    assert unsupported.ignored(application["spec"], DEFAULTS) == []


@pytest.mark.parametrize("place", ["field", "template", "property"])
@pytest.mark.parametrize(("scheduler", "field", "key"), [("volcano", "annotations", GROUP), ("kube-scheduler", "labels", LABEL)])
def should_let_executors_have_another_group_than_the_driver(scheduler: str, field: str, key: str, place: str) -> None:
    application = app(batchScheduler=scheduler, **of_place("executor", place, field, key))
    assert [thing["metadata"]["name"] for thing in objects(application) if thing["kind"] == "PodGroup"] == ["spark-job-pg"]
    assert [final(role, application)["metadata"][field][key] for role in ("driver", "executor")] == ["spark-job-pg", "mine"]


@ROLES
@pytest.mark.parametrize("place", ["field", "template", "property"])
def should_queue_all_pods_where_the_option_says(role: str, place: str) -> None:
    options = {"batchScheduler": "yunikorn", "batchSchedulerOptions": {"queue": "root.a"}}
    application = app(**of_place(role, place, "labels", "queue"), **options)
    assert {final(each, application)["metadata"]["labels"]["queue"] for each in ("driver", "executor")} == {"root.a"}
    field = f"sparkConf.spark.kubernetes.{role}.label.queue" if place == "property" else f"{role}.labels[queue]"
    assert unsupported.ignored(application["spec"], DEFAULTS) == [field]
