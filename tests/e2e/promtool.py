"""Prometheus' tool for rules, with which the charts' alerts are tried on made-up series."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import ROOT

from airspark import images
from airspark.console import step

sys.path.append(str(ROOT / "tests/charts"))
from rendering import find, render


class Case(NamedTuple):
    """What goes wrong after the first hour, how long it takes to be told, and by which alerts."""

    changes: dict[str, str | None]
    after: str
    alerts: set[str]


@dataclass(frozen=True)
class Promtool:
    """The tool in a folder with a chart's rules.json."""

    folder: Path

    @classmethod
    def with_rules(cls, folders: pytest.TempPathFactory, chart: str, values: dict[str, Any], name: str) -> Promtool:
        """Compile the tool of the server's version, from the same module, and render the PrometheusRule of a chart.

        Args:
            folders: makes the folder.
            chart: a folder of charts/.
            values: values of that chart.
            name: the PrometheusRule's name.
        """
        folder = folders.mktemp("rules")
        assert images.PROMETHEUS.go is not None
        package = "github.com/prometheus/prometheus/cmd/promtool"
        tool = replace(images.PROMETHEUS, go=replace(images.PROMETHEUS.go, package=package))
        with step("promtool", "Compile promtool") as current:
            images.compile_go(tool, folder, current)
        rule = find(render(values, chart=chart), "PrometheusRule", name)
        (folder / "rules.json").write_text(json.dumps(rule["spec"]))
        return cls(folder)

    def run(self, *words: str) -> None:
        """Run it, and fail with what it says if it does."""
        done = subprocess.run([self.folder / "promtool", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def check(self) -> None:
        """Fail if the tool finds fault with the rules."""
        self.run("check", "rules", "--lint=all", "--lint-fatal", "rules.json")

    def try_case(self, well: dict[str, str], mine: str, case: Case) -> None:
        """Fail unless exactly the alerts of a case fire, so long after the first hour.

        Args:
            well: samples by series of what works, one each half minute.
            mine: labels of this release, which a series without a namespace gets.
            case: what is different, and what is told.
        """
        samples = {name: text for name, text in {**well, **case.changes}.items() if text is not None}
        minutes = 60 + int(case.after.removesuffix("m"))
        expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(case.alerts)]
        firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
        scenario = {
            "interval": "30s",
            "input_series": [_series(name, text, mine) for name, text in samples.items()],
            "promql_expr_test": [{"expr": firing, "eval_time": f"{minutes}m", "exp_samples": expected}],
        }
        whole = {"evaluation_interval": "30s", "rule_files": ["rules.json"], "tests": [scenario]}
        (self.folder / "test.json").write_text(json.dumps(whole))
        self.run("test", "rules", "test.json")


def _series(name: str, samples: str, mine: str) -> dict[str, str]:
    metric, _, labels = name.removesuffix("}").partition("{")
    whole = labels if "namespace=" in labels else ",".join(filter(None, (mine, labels)))
    return {"series": f"{metric}{{{whole}}}", "values": samples}
