"""Keys with nothing after them, as a file has them whose lines below are comments: Helm takes that for null."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from rendering import CHARTS, RenderError, nested, text

NAMES = ["airflow", "spark", "spark-operator", "airspark"]
BELOW = {"airflow": "airflow", "spark": "spark", "spark-operator": "sparkOperator"}


def _default(chart: str, path: str) -> Any:
    value = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    for name in path.split("."):
        value = value[name]
    return value


def _merged(paths: list[str]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in paths:
        part = merged
        *above, last = path.split(".")
        for name in above:
            part = part.setdefault(name, {})
        part[last] = None
    return merged


def _defaults(chart: str) -> dict[str, list[str]]:
    return dict(yaml.safe_load((CHARTS / chart / "files/defaults.yaml").read_text()))


def _said(values: dict[str, Any], chart: str) -> list[str]:
    with pytest.raises(RenderError) as problem:
        text(values, chart=chart)
    assert "executing" not in str(problem.value), problem.value
    return [line.partition(":")[0] for line in str(problem.value).splitlines() if "the key is empty" in line]


@pytest.mark.parametrize("chart", NAMES)
def should_name_each_empty_key_that_would_remove_defaults(chart: str) -> None:
    filled = [
        path for path in _defaults(chart)["filled"] if chart != "airspark" or path not in {"airflow", "spark", "sparkOperator"}
    ]
    assert filled
    inner = [path for path in filled if not any(other.startswith(f"{path}.") for other in filled)]
    assert sorted(_said(_merged(inner), chart)) == sorted(inner)
    top = [path for path in filled if "." not in path]
    assert sorted(_said(_merged(top), chart)) == sorted(top)


@pytest.mark.parametrize(
    ("chart", "path"),
    [("airflow", "scheduler"), ("airflow", "dags.gitSync"), ("spark", "master"), ("spark-operator", "controller")],
)
def should_name_an_empty_key_below_the_umbrella_and_show_what_helps(chart: str, path: str) -> None:
    assert _said({BELOW[chart]: nested(path, None)}, "airspark") == [path]
    assert text({BELOW[chart]: nested(path, {})}) == text()


@pytest.mark.parametrize("chart", NAMES)
def should_take_an_empty_key_for_the_empty_map_or_list_that_is_its_default(chart: str) -> None:
    defaults = _defaults(chart)
    empty = defaults["maps"] + defaults["lists"]
    assert all(_default(chart, path) in ({}, []) for path in empty)
    assert text(_merged(empty), chart=chart) == text(chart=chart)


def should_let_null_remove_what_a_user_names_and_resources() -> None:
    objects = text(
        {"workers": {"kubernetes": {"podTemplates": {"small": None}}}, "apiServer": {"resources": None}}, chart="airflow"
    )
    assert "small.yaml" not in objects and "large.yaml" in objects
