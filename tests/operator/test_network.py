"""The pods of one application reach each other and, by the chart's policy alone, nobody else reaches them."""

from __future__ import annotations

import dataclasses
import json

import kubernetes_validate
import pytest
from builders import DEFAULTS, app, objects, one

ON = dataclasses.replace(DEFAULTS, network_policy=True)


def should_make_no_policy_where_the_chart_makes_none() -> None:
    assert not [thing for thing in objects(app()) if thing["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize("name", ["job", "a" * 80, "with.dots"])
def should_let_driver_and_executors_of_one_application_reach_each_other_and_no_other(name: str) -> None:
    mine, other = app(metadata={"name": name}), app(metadata={"name": f"{name}-other"})
    policy = one(mine, "NetworkPolicy", defaults=ON)
    chosen = policy["spec"]["podSelector"]["matchLabels"].items()
    made, beside = objects(mine, ON), objects(other, ON)
    executor = json.loads(made[0]["data"]["pod-spec-template.yml"])
    assert chosen <= made[-1]["metadata"]["labels"].items()
    assert chosen <= executor["metadata"]["labels"].items()
    assert not chosen <= beside[-1]["metadata"]["labels"].items()
    peers = [{"podSelector": policy["spec"]["podSelector"]}]
    assert policy["spec"]["ingress"] == [{"from": peers}] and policy["spec"]["egress"] == [{"to": peers}]
    assert policy["metadata"]["ownerReferences"][0]["name"] == name
    kubernetes_validate.validate(policy, "1.37", strict=True)


def should_not_join_the_pods_of_another_application_by_a_label() -> None:
    own = {"labels": {"sparkoperator.k8s.io/app-name": "other"}}
    made = objects(app(own, own), ON)
    executor = json.loads(made[0]["data"]["pod-spec-template.yml"])
    for pod in (made[-1], executor):
        assert pod["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == "job"
