"""Specs that the CustomResourceDefinition accepts and nobody can build: each gets one sentence with the place, and no retry."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from builders import DEFAULTS, app, objects
from machine import START, application

from airspark_operator import batch, build, lifecycle, memory, needs, services, syntax, times, validate
from airspark_operator.controller import Applications
from airspark_operator.look import LONGEST
from airspark_operator.settings import Settings
from airspark_operator.spec import Invalid
from airspark_operator.state import Step
from airspark_operator.store import Store

Object = dict[str, Any]


def refusal(spec: Object) -> str:
    """What the controller says about a spec."""
    wanted = app(**spec)
    problem = validate.problem(wanted)
    if problem is None:
        with pytest.raises(Invalid) as refused:
            objects(wanted)
        problem = str(refused.value)
    assert "cannot read this spec" not in problem, "it is for what nobody thought of"
    return problem


def of_template(role: str, **fields: Any) -> Object:
    return {role: {"template": {"spec": fields}}}


@pytest.mark.parametrize("role", ["driver", "executor"])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"volumes": [{"emptyDir": {}}]}, "volumes[0] has no name; add it"),
        ({"volumes": [{"name": "a", "emptyDir": {}}, {}]}, "volumes[1] has no name; add it"),
        (
            {"containers": [{"name": "x", "volumeMounts": [{"mountPath": "/a"}]}]},
            "containers[0].volumeMounts[0] has no name; add it",
        ),
        ({"containers": [{"volumeMounts": [{"name": "a"}]}]}, "containers[0].volumeMounts[0] has no mountPath; add it"),
        ({"containers": [{"env": [{"value": "a"}]}]}, "containers[0].env[0] has no name; add it"),
        ({"containers": [{}, {"image": "x"}]}, "containers[1] has no name; add it"),
        ({"initContainers": [{"image": "x"}]}, "initContainers[0] has no name; add it"),
        (
            {"initContainers": [{"name": "x", "volumeMounts": [{"name": "a"}]}]},
            "initContainers[0].volumeMounts[0] has no mountPath; add it",
        ),
    ],
)
def should_name_the_part_of_a_template_that_lacks_a_key(role: str, fields: Object, said: str) -> None:
    assert refusal(of_template(role, **fields)) == f"{role}.template.spec.{said}"


def should_say_it_too_if_the_application_has_volumes() -> None:
    spec = of_template("driver", containers=[{"volumeMounts": [{"mountPath": "/a"}]}]) | {"volumes": [{"name": "v"}]}
    assert refusal(spec).startswith("driver.template.spec.containers[0].volumeMounts[0] has no name")


@pytest.mark.parametrize(
    "containers", [[{}], [{"image": "x"}], [{"name": "side", "image": "x"}, {"name": "spark-kubernetes-driver"}]]
)
def should_accept_sparks_own_container_without_a_name(containers: list[Object]) -> None:
    assert validate.problem(app(**of_template("driver", containers=containers))) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("[x", "cannot be read"),
        ("exa℀mple.com", "cannot be read"),
        ("{{$appName}.x", "holds a placeholder that is not one of"),
        ("{{.Name}}.x", "holds a placeholder that is not one of"),
        ("a b.example.com", "has the host 'a b.example.com', which is not a DNS name"),
        ("a_b.example.com", "has the host 'a_b.example.com', which is not a DNS name"),
        ("x" * 254, "which is not a DNS name"),
    ],
)
def should_say_which_address_cannot_be_read(url: str, said: str) -> None:
    spec = {"driverIngressOptions": [{"servicePort": 1, "servicePortName": "a", "ingressURLFormat": url}]}
    assert said in refusal(spec) and url in refusal(spec)


@pytest.mark.parametrize("url", [" {{$appName}}.example.com ", "\t{{ $appName }}.example.com/\n"])
def should_take_no_blanks_around_an_address_into_its_host(url: str) -> None:
    assert services.address(app(), url, "spark-1").host == "job.example.com"


def should_take_an_address_for_all_hosts_of_a_domain() -> None:
    assert services.address(app(), "*.example.com", "spark-1").host == "*.example.com"


@pytest.mark.parametrize(
    "factor", ["1e999999", "1e9999", "1001", "1e99999999999999999999", "²", "١", "-1", "NaN", "0." + "1" * 999]
)
@pytest.mark.parametrize("key", ["spark.kubernetes.memoryOverheadFactor", "spark.driver.memoryOverheadFactor"])
def should_bound_the_factor_of_memory(factor: str, key: str) -> None:
    said = refusal({"sparkConf": {key: factor}})
    assert "which is not a number from 0 to 1000; write it like 0.1" in said and len(said) < 200


@pytest.mark.parametrize(
    ("factor", "found"), [("0.1", "0.1"), (" +1.5e1 ", "15"), (".5", "0.5"), ("1000", "1000"), ("1e-999", "0")]
)
def should_read_every_factor_that_makes_sense(factor: str, found: str) -> None:
    assert float(memory.factor(factor, "f")) == float(found)


@pytest.mark.parametrize("text", ["1e999", "9Ei", "10E", "9223372036854775809"])
def should_refuse_more_than_kubernetes_can_count(text: str) -> None:
    with pytest.raises(Invalid, match="more than Kubernetes can count"):
        needs.amount(text, "f")


def should_write_the_sum_of_very_many_executors() -> None:
    one = {name: needs.amount(text, "f") for name, text in (("cpu", "8E"), ("memory", "7Ei"), ("x", "1.5"))}
    found = needs.text(needs.times(one, 2**31 - 1))
    assert found == {"cpu": str((2**31 - 1) * 8 * 10**18), "memory": f"{(2**31 - 1) * 7 * 2**40}Mi", "x": "3221225471"}


@pytest.mark.parametrize("interval", [10**12, 2**63 - 1])
def should_hold_the_end_of_a_pause_however_long_the_interval(interval: int) -> None:
    policy = {"type": "Always", "onFailureRetryInterval": interval, "onSubmissionFailureRetryInterval": interval}
    step = lifecycle.not_submitted(application(restartPolicy=policy), {}, "Refused", "no", START)
    assert step.wait == LONGEST and step.status["nextAttemptTime"] == times.text(START + timedelta(seconds=LONGEST))


@pytest.mark.parametrize("text", ["²", "١", "9" * 5000, "-1"])
@pytest.mark.parametrize("key", ["spark.driver.port", "spark.ui.port", "spark.blockManager.port"])
def should_say_that_a_port_is_not_one(key: str, text: str) -> None:
    assert refusal({"sparkConf": {key: text}}).startswith(f"sparkConf: {key} is ")


@pytest.mark.parametrize("text", ["²", "9" * 5000])
def should_leave_a_number_of_executors_to_spark_that_only_spark_can_refuse(text: str) -> None:
    spec = {
        "sparkConf": {"spark.executor.instances": text, "spark.dynamicAllocation.enabled": "true"},
        "batchScheduler": "yunikorn",
    }
    assert validate.problem(app(**spec)) is None and objects(app(**spec))
    assert batch.instances(spec["sparkConf"]) == 0


class Api:
    """An API server that only takes a status."""

    async def put_status(self, changed: Object) -> Object:
        return changed | {"metadata": changed["metadata"] | {"resourceVersion": "2"}}

    async def create(self, wanted: Object) -> Object:
        return wanted


@pytest.mark.parametrize("place", ["validate._problem", "build._objects"])
def should_fail_an_application_once_if_its_spec_breaks_the_controller(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    module, name = {"validate": validate, "build": build}[place.partition(".")[0]], place.partition(".")[2]

    def broken(*_: Any) -> None:
        raise KeyError("name")

    monkeypatch.setattr(module, name, broken)
    wanted, store = app(metadata={"resourceVersion": "1", "creationTimestamp": "2026-03-01T12:00:00Z"}), Store()
    store.put(wanted)
    controller = Applications(Api(), store, Settings(defaults=DEFAULTS), now=lambda: START)  # type: ignore[arg-type]
    wait = asyncio.run(controller._submit(wanted, Step({})))
    status = next(iter(store.applications.values()))["status"]
    assert wait is None and status["applicationState"]["state"] == "FAILED" and status["reason"] == "InvalidSpec"
    assert "The controller cannot read this spec (KeyError: 'name')" in status["applicationState"]["errorMessage"]


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (syntax.wrong_labels, "data\n"),
        (syntax.wrong_labels, "\n"),
        (syntax.wrong_variables, "A\n"),
        (syntax.wrong_annotations, "a\n"),
    ],
)
def should_take_no_line_end_for_the_end_of_a_text(check: Any, text: str) -> None:
    assert check({"key": text} if check is syntax.wrong_labels else {text: ""})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"executor": {"nodeSelector": {"x": "{{APP_ID}}"}}}, "executor.nodeSelector"),
        ({"driver": {"nodeSelector": {"x": "{{APP_ID}}"}}}, "driver.nodeSelector"),
        ({"nodeSelector": {"x": "{{APP_ID}}"}}, "nodeSelector"),
        (of_template("executor", nodeSelector={"x": "{{APP_ID}}"}), "executor.template.spec.nodeSelector"),
        ({"driver": {"serviceLabels": {"x": "{{APP_ID}}"}}}, "driver.serviceLabels"),
        (
            {"sparkConf": {"spark.kubernetes.driver.service.label.x": "{{APP_ID}}"}},
            "sparkConf: spark.kubernetes.driver.service.label",
        ),
        ({"sparkConf": {"spark.kubernetes.node.selector.x": "{{APP_ID}}"}}, "sparkConf: spark.kubernetes.node.selector"),
        (
            {"sparkConf": {"spark.kubernetes.executor.node.selector.x": "{{APP_ID}}"}},
            "sparkConf: spark.kubernetes.executor.node.selector",
        ),
    ],
)
def should_refuse_a_placeholder_where_nobody_fills_it_in(spec: Object, field: str) -> None:
    assert refusal(spec).startswith(f"{field}: x is '{{{{APP_ID}}}}', which is not a valid value of a label")


def should_give_yunikorns_gang_of_executors_labels_that_are_valid() -> None:
    labels = {"x": "e-{{EXECUTOR_ID}}"}
    driver = objects(app(executor={"labels": labels}, batchScheduler="yunikorn"))[-1]
    groups = json.loads(driver["metadata"]["annotations"]["yunikorn.apache.org/task-groups"])
    assert [group["labels"] for group in groups if group["name"] == "spark-executor"] == [{"x": "e-0"}]


def should_take_over_a_refused_submission_with_a_very_long_interval() -> None:
    policy = {"type": "Always", "onSubmissionFailureRetryInterval": 10**12}
    status = {"applicationState": {"state": "SUBMISSION_FAILED"}, "submissionAttempts": 3}
    step = lifecycle.step(application(restartPolicy=policy) | {"status": status}, None, (), START)
    assert step.wait == LONGEST
