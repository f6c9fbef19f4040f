"""Who may reach whom: the rendered policies, evaluated, against tables and against what each key opens or shuts."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from matrix import NARROW, NEIGHBOUR, OUTSIDE, POD, PROMETHEUS, TARGETS, merged, policies, reached
from reachability import Endpoint, allowed, endpoint, endpoints, pod_templates, selecting
from rendering import NAMESPACE, Object, nested, render, text

HERE = Path(__file__).resolve().parent
EVERYTHING = yaml.safe_load((HERE / "everything-on.yaml").read_text())
OPTIONAL = ("statsd", "pgbouncer", "cleanup", "databaseCleanup", "backup")
EVERY_PART = {"airflow": {part: {"enabled": True} for part in OPTIONAL}}
CASES: list[Object] = yaml.safe_load((HERE / "network-policies.yaml").read_text())

NAMES = {
    "api": "api-server", "sched": "scheduler", "dagp": "dag-processor", "trig": "triggerer", "task": "worker",
    "boot": "bootstrap", "test": "helm-test", "db": "postgresql", "master": "spark-master", "exec": "spark-worker",
    "hist": "spark-history", "sboot": "spark-bootstrap", "stest": "spark-helm-test",
    "oper": "spark-operator", "app": "spark-application", "pod": "pod",
    "out": "outside",
}  # fmt: skip

# A row is a target, a column who connects.
DEFAULTS = """
                        |api |sched | dagp| trig| task| boot| test| db| master| exec| hist|sboot |stest | oper|app |pod |out
api-server:8080         |    |      |     |     |  x  |     |  x  |   |       |     |     |      |      |     |    |    |
triggerer:8794          | x  |      |     |     |     |     |     |   |       |     |     |      |      |     |    |    |
worker:4040             |    |      |     |     |     |     |     |   |   x   |     |     |      |      |     |    |    |
worker:4056             |    |      |     |     |     |     |     |   |   x   |     |     |      |      |     |    |    |
worker:7078             |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
worker:7079             |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
worker:7094             |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
worker:7095             |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
worker:7096             |    |      |     |     |     |     |     |   |       |     |     |      |      |     |    |    |
postgresql:5432         | x  |  x   |  x  |  x  |     |  x  |  x  |   |       |     |     |      |      |     |    |    |
spark-master:6066       |    |      |     |     |     |     |     |   |       |     |     |      |      |     |    |    |
spark-master:7077       |    |      |     |     |  x  |     |     |   |       |  x  |     |      |  x   |     |    |    |
spark-master:8080       |    |      |     |     |  x  |     |     |   |       |     |     |      |  x   |     |    |    |
spark-worker:7078       |    |      |     |     |  x  |     |     |   |   x   |  x  |     |      |  x   |     |    |    |
spark-worker:8081       |    |      |     |     |  x  |     |     |   |   x   |  x  |     |      |  x   |     |    |    |
spark-worker:40000      |    |      |     |     |  x  |     |     |   |       |  x  |     |      |  x   |     |    |    |
spark-history:18080     |    |      |     |     |     |     |     |   |       |     |     |      |  x   |     |    |    |
spark-helm-test:4040    |    |      |     |     |     |     |     |   |   x   |     |     |      |      |     |    |    |
spark-helm-test:7078    |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
spark-helm-test:7079    |    |      |     |     |     |     |     |   |   x   |  x  |     |      |      |     |    |    |
spark-operator:8080     |    |      |     |     |     |     |     |   |       |     |     |      |      |     |    |    |
spark-application:4040  |    |      |     |     |     |     |     |   |       |     |     |      |      |     | x  |    |
spark-application:7078  |    |      |     |     |     |     |     |   |       |     |     |      |      |     | x  |    |
spark-application:7079  |    |      |     |     |     |     |     |   |       |     |     |      |      |     | x  |    |
spark-application:40000 |    |      |     |     |     |     |     |   |       |     |     |      |      |     | x  |    |
DNS:53                  | x  |  x   |  x  |  x  |  x  |  x  |  x  |   |   x   |  x  |  x  |  x   |  x   |  x  | x  |    |
DNS:53/UDP              | x  |  x   |  x  |  x  |  x  |  x  |  x  |   |   x   |  x  |  x  |  x   |  x   |  x  | x  |    |
node's DNS:53/UDP       | x  |  x   |  x  |  x  |  x  |  x  |  x  |   |   x   |  x  |  x  |  x   |  x   |  x  | x  |    |
Kubernetes API:443      | x  |  x   |     |  x  |  x  |  x  |     |   |       |  x  |     |  x   |      |  x  | x  |    |
Kubernetes API:6443     | x  |  x   |     |  x  |  x  |  x  |     |   |       |  x  |     |  x   |      |  x  | x  |    |
database:5432           |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
database:6432           |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
outside:22              |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
outside:443             | x  |  x   |     |  x  |  x  |  x  |     |   |       |  x  |     |  x   |      |  x  | x  |    |
outside:4318            |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
outside:9000            |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
outside:9200            |    |      |     |     |  x  |     |     |   |       |  x  |     |      |      |     | x  |    |
"""


RULES = {
    "the same namespace": ({"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}, ["neighbour:80", "neighbour:81"]),
    "a namespace": (
        {"from": [{"namespaceSelector": {"matchLabels": {"team": "sre"}}}]}, ["prometheus:80", "prometheus:81"]),
    "a pod in a namespace": (
        {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "x"}}}], "ports": [{"port": 80}]},
        ["neighbour:80", "pod:80"]),
    "a port by its name": ({"ports": [{"port": "web"}], "from": [{"podSelector": {}}]}, ["neighbour:80"]),
    "a range of ports": ({"ports": [{"port": 79, "endPort": 80}], "from": [{"podSelector": {}}]}, ["neighbour:80"]),
    "another protocol": ({"ports": [{"port": 80, "protocol": "UDP"}], "from": [{"podSelector": {}}]}, []),
    "a network with a hole": (
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], "ports": [{"port": 80}]}, ["outside:80"]),
    "an expression": (
        {"from": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}],
         "ports": [{"protocol": "TCP"}]}, ["prometheus:80", "prometheus:81"]),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def should_evaluate_a_rule_as_kubernetes_documents_it(case: str) -> None:
    rule, expected = RULES[case]
    shop = Endpoint("shop", "10.244.1.9", NAMESPACE, {"app": "shop"}, {}, {"web": (80, "TCP")})
    spec = {"podSelector": {"matchLabels": {"app": "shop"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    found = [
        f"{other.name}:{port}"
        for other in (NEIGHBOUR, PROMETHEUS, POD, OUTSIDE)
        for port in (80, 81)
        if allowed([{"metadata": {"namespace": NAMESPACE}, "spec": spec}], other, shop, port)
    ]
    assert found == expected
    assert allowed([], POD, shop, 80) and allowed([{"metadata": {"namespace": NAMESPACE}, "spec": spec}], shop, POD, 80)


def should_let_the_parts_of_a_release_reach_each_other_as_in_the_table() -> None:
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in DEFAULTS.strip("\n").splitlines()]
    expected = {f"{NAMES[name]} --> {row[0]}" for row in rows for name, cell in zip(header[1:], row[1:], strict=True) if cell}
    sources = {NAMES[name] for name in header[1:]}
    assert sources >= set(endpoints(render(), NAMESPACE)), "a new component needs a column"
    assert {path for path in reached() if path.split(" --> ")[0] in sources} == expected


def should_let_nobody_else_in() -> None:
    """A pod beside the release's, and one of another namespace, are no better off than an address outside."""
    others = ("neighbour", "prometheus", "pod", "task elsewhere", "outside")
    assert not [path for path in reached() if path.split(" --> ")[0] in others]


def should_cover_every_port_that_a_container_declares() -> None:
    for name, end in endpoints(render({"airflow": EVERYTHING["airflow"]}), NAMESPACE).items():
        declared = {str(port) if protocol == "TCP" else f"{port}/{protocol}" for port, protocol in end.ports.values()}
        assert declared <= set(TARGETS.get(name, [])), name


@pytest.mark.parametrize("values", [{}, EVERYTHING, EVERY_PART], ids=["the defaults", "everything on", "every part"])
def should_give_every_pod_exactly_one_policy(values: Object) -> None:
    objects = render(values)
    chosen = []
    for number, pod in enumerate(pod_templates(objects)):
        holding = selecting(policies(objects), endpoint(pod, NAMESPACE, number))
        assert len(holding) == 1, pod["metadata"]
        chosen += [item["metadata"]["name"] for item in holding]
    for item in policies(objects):
        assert item["spec"]["policyTypes"] == ["Ingress", "Egress"], item["metadata"]["name"]
        assert item["metadata"]["name"] in chosen, f"{item['metadata']['name']} selects no pod"


@pytest.mark.parametrize("values", [{}, EVERYTHING, EVERY_PART], ids=["the defaults", "everything on", "every part"])
def should_carry_an_arrow_comment_for_each_rule(values: Object) -> None:
    documents = [part for part in text(values).split("\n---\n") if "\nkind: NetworkPolicy\n" in part]
    assert len(documents) == len(policies(render(values)))
    for document in documents:
        spec = yaml.safe_load(document)["spec"]
        component = spec["podSelector"]["matchLabels"].get("component", "spark-application")
        for direction, pattern in (("ingress", rf"    # .+ --> {component}"), ("egress", rf"    # {component} --> .+")):
            part = re.search(rf"^  {direction}:.*\n((?:    .*\n?)*)", document, flags=re.MULTILINE)
            lines = part[1].splitlines() if part else []
            starts = [number for number, line in enumerate(lines) if line.startswith("    - ")]
            assert len(starts) == len(spec[direction]), (component, direction)
            for number in starts:
                assert re.fullmatch(pattern, lines[number - 1]), (component, lines[number - 1])


@pytest.mark.long
def should_list_every_path_in_the_documentation() -> None:
    lines = (HERE.parents[1] / "docs" / "network-policies.md").read_text().splitlines()
    table = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in lines if line.count("|") == 6]
    for values in [{}, *(merged(NARROW, {"airflow": case["values"]}) for case in CASES)]:
        for sources, target in re.findall(r"# ([a-z][\w, -]+) --> ([\w -]+)", text(values)):
            for source in sources.split(", "):
                rows = [cell for cell, to in table if to.strip("`") == target]
                # A cell that is no list of components says in words who it is.
                told = any(f"`{source}`" in cell or cell == source or not cell.startswith("`") for cell in rows)
                assert told or {source, target} & {"extraIngress", "ingress.from", "extraEgress"}, f"{source} --> {target}"


def should_make_no_policy_if_networkpolicies_enabled_is_false() -> None:
    charts = {"airflow", "spark", "sparkOperator"}
    for chart in charts:
        documents = text(nested(f"{chart}.networkPolicies.enabled", False)).split("\n---\n")
        of = [re.search(r"# Source: airspark/charts/(\w+)/", part) for part in documents if "\nkind: NetworkPolicy\n" in part]
        assert {found[1] for found in of if found} == charts - {chart}


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def should_make_policies_that_are_valid_for_the_oldest_and_newest_kubernetes(version: str) -> None:
    for item in [*policies(render()), *policies(render(EVERYTHING))]:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def should_open_and_shut_what_a_key_says(case: Object) -> None:
    before, after = reached(NARROW), reached(merged(NARROW, {"airflow": case["values"]}))
    found = {f"+ {path}" for path in after - before} | {f"- {path}" for path in before - after}
    assert {path for path in found if case.get("about", "") in path} == set(case["changes"])


@pytest.mark.parametrize("job", ["worker", "spark-worker", "spark-connect", "spark-application"])
def should_keep_the_metadata_addresses_of_a_cloud_from_jobs_and_let_them_work_on_data(job: str) -> None:
    objects = render({"global": {"spark": {"connect": {"enabled": True}}}, "spark": {"connect": {"enabled": True}}})
    source, rules = endpoints(objects, NAMESPACE)[job], policies(objects)

    def reaches(address: str) -> bool:
        return allowed(rules, source, dataclasses.replace(OUTSIDE, address=address), 80)

    assert not [
        address for address in ("169.254.169.254", "169.254.170.23", "fd00:ec2::254", "fe80::a9fe:a9fe") if reaches(address)
    ]
    assert reaches("203.0.113.7") and reaches("10.9.8.7") and reaches("2001:db8::7") and allowed(rules, source, NEIGHBOUR, 80)
