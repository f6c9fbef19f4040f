"""Render values of the Airflow chart with that chart alone and below `airflow:` of the umbrella."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from typing import Any

import pytest
from cases import Rendered
from rendering import CHARTS, Object, RenderError, render

#: The two ways to install the Airflow chart.
BOTH = pytest.mark.parametrize("chart", ["airflow", "airspark"])


def below(chart: str, values: Object) -> Object:
    """Return values of the Airflow chart as a chart takes them."""
    return {"airflow": values} if chart == "airspark" else values


def made(chart: str, values: Object | None = None) -> Rendered:
    """Return what is rendered from values of the Airflow chart."""
    return Rendered(render(below(chart, values or {}), chart))


def refusal(chart: str, values: Object) -> str:
    """Return the lines of Helm's refusal, or nothing if it renders.

    Raises:
        AssertionError: if Helm fails for another reason than a sentence of the chart's.
    """
    try:
        render(below(chart, values), chart)
    except RenderError as error:
        assert "validate.yaml" in str(error), error
        return str(error)
    return ""


def notes(chart: str, values: Object) -> str:
    """Return what Helm says after an installation."""
    return _notes(chart, json.dumps(below(chart, values)))


@functools.cache
def _notes(chart: str, values: str) -> str:
    command = [os.environ.get("AIRSPARK_HELM", "helm"), "install", "airspark", str(CHARTS / chart), "--values", "-"]
    command += ["--namespace", "prod", "--dry-run=client"]
    done = subprocess.run(
        command,
        input=values,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": "/dev/null"},
    )
    if "cluster unreachable" in done.stderr:
        pytest.skip("Helm 3 asks a cluster even for a client's dry run")
    assert not done.returncode, done.stderr
    said = done.stdout.split("\nNOTES:\n")[1]
    for odd in ("<no value>", "%!", "map[", "<nil>"):
        assert odd not in said, said
    return said


def egress(found: Rendered, component: str) -> set[tuple[int, str]]:
    """Return (port, protocol) that a component may reach at any address, DNS and the Kubernetes API aside."""
    policy = found.find("NetworkPolicy", f"airspark-{component}-policy")
    open_rules = [rule for rule in policy["spec"]["egress"] if not rule.get("to") and rule.get("ports")]
    ports = {(port["port"], port["protocol"]) for rule in open_rules for port in rule["ports"]}
    return {item for item in ports if item[0] not in (53, 6443)} - _kubernetes(open_rules)


def _kubernetes(rules: list[Any]) -> set[tuple[int, str]]:
    """Port 443, unless a rule other than that of the Kubernetes API opens it."""
    alone = [rule for rule in rules if [port["port"] for port in rule["ports"]] != [443, 6443]]
    return {(443, "TCP")} if not any(port["port"] == 443 for rule in alone for port in rule["ports"]) else set()
