"""What each key of the Spark chart's network policies opens and shuts, and the chart installed without Airflow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from matrix import NARROW, PROMETHEUS, merged, policies, reached
from reachability import Endpoint, Object, allowed, endpoints
from rendering import NAMESPACE, RenderError, render

SRE = {"namespaceSelector": {"matchLabels": {"team": "sre"}}}
BESIDE = {"podSelector": {"matchLabels": {"app": "x"}}}


def changed(**values: Any) -> set[str]:
    """Return what values of the Spark chart open (+) and shut (-), where executors reach nothing of their own."""
    before, after = reached(NARROW), reached(merged(NARROW, {"spark": values}))
    return {f"+ {path}" for path in after - before} | {f"- {path}" for path in before - after}


def policies_of(**values: Any) -> dict[str, Object]:
    """Return the policies of the Spark chart, installed without Airflow, by the component they hold for."""
    whole: Object = {"historyServer": {"enabled": True}, "mounts": {"events": {"claim": "events"}}, **values}
    found = policies(render(whole, chart="spark"))
    return {item["spec"]["podSelector"]["matchLabels"]["component"]: item for item in found}


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        (
            {"networkPolicies": {"clients": [BESIDE]}},
            {
                "+ neighbour --> spark-master:7077",
                "+ neighbour --> spark-master:8080",
                "+ neighbour --> spark-worker:7078",
                "+ neighbour --> spark-worker:8081",
                "+ neighbour --> spark-worker:40000",
            },
        ),
        (
            {"networkPolicies": {"viewers": [SRE]}},
            {"+ prometheus --> spark-master:8080", "+ prometheus --> spark-history:18080"},
        ),
        (
            {"networkPolicies": {"scrapers": [SRE]}},
            {"+ prometheus --> spark-master:8080", "+ prometheus --> spark-worker:8081"},
        ),
        (
            {"networkPolicies": {"worker": {"extraEgress": [{"ports": [{"port": 9000}]}]}}},
            {"+ spark-worker --> outside:9000"},
        ),
        (
            {"networkPolicies": {"historyServer": {"extraEgress": [{"ports": [{"port": 443}]}]}}},
            {"+ spark-history --> outside:443", "+ spark-history --> Kubernetes API:443"},
        ),
        (
            {"networkPolicies": {"master": {"extraIngress": [{"from": [BESIDE], "ports": [{"port": 8080}]}]}}},
            {"+ neighbour --> spark-master:8080"},
        ),
        (
            {"networkPolicies": {"kubernetesApi": {"cidrs": ["172.18.0.2/32"], "ports": [6443]}}},
            {"- spark-bootstrap --> Kubernetes API:443", "- spark-bootstrap --> outside:443"},
        ),
        ({"helmTest": {"enabled": False}}, {"gone: spark-helm-test"}),
        ({"historyServer": {"enabled": False}}, {"gone: spark-history"}),
    ],
    ids=["clients", "viewers", "scrapers", "worker", "historyServer", "master", "kubernetesApi", "helmTest", "no history"],
)
def should_open_and_shut_what_a_key_says(values: Object, changes: set[str]) -> None:
    found = changed(**values)
    if gone := {change.removeprefix("gone: ") for change in changes if change.startswith("gone: ")}:
        assert found and all(change.startswith("- ") and any(part in change for part in gone) for change in found)
    else:
        assert found == changes


@pytest.mark.parametrize("port", ["DNS:53/UDP", "DNS:53"])
def should_ask_dns_on_no_other_port_if_networkpolicies_dns_ports_is_set(port: str) -> None:
    parts = ("master", "worker", "history", "bootstrap", "helm-test")
    assert {f"- spark-{part} --> {port}" for part in parts} <= changed(networkPolicies={"dns": {"ports": [5353]}})


def should_open_the_submission_server_to_tasks_if_master_rest_enabled_is_set() -> None:
    # A driver that the master starts runs in a worker, at ports of its own. Airflow's end is a value of its chart.
    assert changed(master={"rest": {"enabled": True}}) == {"+ spark-master --> spark-worker:40000"}
    both: Object = {
        "spark": {"master": {"rest": {"enabled": True}}},
        "airflow": {"networkPolicies": {"sparkMaster": {"ports": [7077, 6066]}}},
    }
    assert "worker --> spark-master:6066" in reached(merged(NARROW, both))


@pytest.mark.parametrize("ways", [["ingress"], ["httpRoute"], ["ingress", "httpRoute"]], ids=" and ".join)
@pytest.mark.parametrize(("component", "key"), [("spark-master:8080", ""), ("spark-history:18080", "historyServer")])
def should_open_a_page_to_everybody_if_an_ingress_or_a_route_leads_to_it(component: str, key: str, ways: list[str]) -> None:
    values: Object = {way: {"enabled": True, **({"parentRefs": [{"name": "web"}]} if way == "httpRoute" else {})} for way in ways}
    found = changed(**({key: values} if key else values))
    assert {"+ outside --> " + component, "+ pod --> " + component, "+ prometheus --> " + component} <= found
    assert {change.split(" --> ")[1] for change in found} == {component}


def should_open_a_page_to_nobody_but_viewers_if_they_are_named() -> None:
    found = changed(ingress={"enabled": True}, networkPolicies={"viewers": [SRE]})
    assert found == {"+ prometheus --> spark-master:8080", "+ prometheus --> spark-history:18080"}


def should_reach_workers_of_every_group_at_their_own_ports() -> None:
    groups = {"big": {"containerPorts": {"http": 8091, "cluster": 7088}}}
    rules = policies_of(workers={"groups": groups})["spark-worker"]["spec"]["ingress"]
    (proxy,) = [rule for rule in rules if _component(rule["from"]) == "spark-master"]
    assert {port["port"] for port in proxy["ports"]} == {7078, 8081, 7088, 8091}


def _component(peers: list[Object]) -> str:
    return ", ".join(peer["podSelector"]["matchLabels"].get("component", "several") for peer in peers)


def should_follow_the_ports_of_the_containers() -> None:
    ports = {"master": {"containerPorts": {"cluster": 7177, "http": 8180}}, "worker": {"containerPorts": {"http": 8181}}}
    said = str(policies_of(**ports))
    assert {"7177", "8180", "8181"} <= set(re.findall(r"\d{4,5}", said))
    assert not {"7077", "8080", "8081"} & set(re.findall(r"\d{4,5}", said))


def should_let_nobody_submit_without_airflow_but_the_named_clients_and_be_called_back() -> None:
    client = Endpoint("client", "10.244.9.9", "jobs", {"app": "notebook"}, {"kubernetes.io/metadata.name": "jobs"})
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "jobs"}}}
    for clients, open_ in (([], False), ([peer], True)):
        objects = render({"networkPolicies": {"clients": clients}, "historyServer": {"enabled": False}}, chart="spark")
        ends = endpoints(objects, NAMESPACE)
        found = policies(objects)
        for port in (7077, 8080):
            assert allowed(found, client, ends["spark-master"], port) is open_
        assert allowed(found, client, ends["spark-worker"], 41234) is open_
        assert allowed(found, ends["spark-master"], client, 7078) is open_
        assert allowed(found, ends["spark-worker"], client, 7078)
        assert not allowed(found, PROMETHEUS, ends["spark-master"], 7077)


def should_give_every_pod_a_policy_of_both_directions_without_airflow() -> None:
    found = policies_of()
    assert set(found) == {"spark-master", "spark-worker", "spark-history", "spark-bootstrap", "spark-helm-test"}
    assert {tuple(item["spec"]["policyTypes"]) for item in found.values()} == {("Ingress", "Egress")}


def should_let_tasks_in_to_the_connect_server_and_its_driver_out_as_any_driver() -> None:
    values = merged(NARROW, {"global": {"spark": {"connect": {"enabled": True}}}})
    assert {path for path in reached(values) if "spark-connect" in path} == {
        "worker --> spark-connect:15002",
        "spark-master --> spark-connect:4040",
        "spark-master --> spark-connect:7078",
        "spark-master --> spark-connect:7079",
        "spark-worker --> spark-connect:7078",
        "spark-worker --> spark-connect:7079",
        "spark-connect --> spark-master:7077",
        "spark-connect --> spark-master:8080",
        "spark-connect --> spark-worker:7078",
        "spark-connect --> spark-worker:8081",
        "spark-connect --> spark-worker:40000",
        "spark-connect --> DNS:53",
        "spark-connect --> DNS:53/UDP",
        "spark-connect --> node's DNS:53/UDP",
    }
    named = merged(values, {"spark": {"networkPolicies": {"clients": [BESIDE], "scrapers": [SRE]}}})
    assert {path for path in reached(named) - reached(values) if "spark-connect" in path} == {
        "neighbour --> spark-connect:15002",
        "prometheus --> spark-connect:4040",
    }


def should_refuse_a_rule_under_a_key_that_is_no_component() -> None:
    with pytest.raises(RenderError) as refusal:
        render({"networkPolicies": {"executor": {}}}, chart="spark")
    assert "additional properties 'executor' not allowed" in str(refusal.value)


def budgets(**values: Any) -> dict[str, Object]:
    """Return the budgets of the Spark chart by name."""
    found = render({"mounts": {"events": {"claim": "events"}}, **values}, chart="spark")
    return {item["metadata"]["name"]: item["spec"] for item in found if item["kind"] == "PodDisruptionBudget"}


def should_budget_each_group_of_workers_and_never_the_only_master() -> None:
    """A budget of one pod blocks every drain of its node; a master that is moved remembers its state."""
    found = budgets(workers={"groups": {"big": {"pdb": {"minAvailable": 2}}, "spot": {"pdb": {"create": False}}}})
    assert {name: spec.get("maxUnavailable", spec.get("minAvailable")) for name, spec in found.items()} == {
        "airspark-spark-worker": 1,
        "airspark-spark-worker-big": 2,
    }
    selected = {spec["selector"]["matchLabels"]["airspark.io/worker-group"] for spec in found.values()}
    assert selected == {"default", "big"}
