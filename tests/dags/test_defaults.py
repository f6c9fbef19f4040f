"""Params that a site sets once for every run, in the environment of Airflow's pods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pipelines import defaults, spark

sys.path.append(str(Path(__file__).parents[2] / "spark-apps"))

import inputs


def test_should_take_the_limits_of_the_applications_if_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRSPARK_FILES_BEFORE", "AIRSPARK_FILES_AFTER", "AIRSPARK_MAX_UNPACKED_MIB"):
        monkeypatch.delenv(name, raising=False)
    found = {name: param.value for name, param in defaults.neighbour_params().items()}
    assert found == {"files_before": 1, "files_after": 0}
    assert defaults.unpacked_param().value == inputs.MAX_UNPACKED_MIB


def test_should_take_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRSPARK_FILES_BEFORE", "0")
    monkeypatch.setenv("AIRSPARK_FILES_AFTER", "2")
    monkeypatch.setenv("AIRSPARK_MAX_UNPACKED_MIB", "512")
    assert {name: param.value for name, param in defaults.neighbour_params().items()} == {"files_before": 0, "files_after": 2}
    assert defaults.unpacked_param().value == 512


@pytest.mark.parametrize("text", ["", "two", "-1", "1.5", "１", "9" * 5_000, "0"])
def test_should_say_which_variable_is_wrong(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AIRSPARK_MAX_UNPACKED_MIB", text)
    with pytest.raises(
        ValueError, match=r"^AIRSPARK_MAX_UNPACKED_MIB in the environment must be a whole number of at least 1, not "
    ):
        defaults.unpacked_param()


@pytest.mark.parametrize("name", ["access_log_daily", "clickstream_behaviour"])
def test_should_hand_every_param_of_the_input_to_the_application(name: str) -> None:
    dag: Any = getattr(__import__(name), "dag")  # noqa: B009  one name for two modules
    wanted = [
        "--max-unpacked-mib={{ params.max_unpacked_mib }}",
        "--files-before={{ params.files_before }}",
        "--files-after={{ params.files_after }}",
    ]
    arguments = dag.get_task("transform").application_args
    assert [one for one in arguments if str(one).startswith(("--max-u", "--files"))] == wanted == spark.reading()
    assert {"max_unpacked_mib", "files_before", "files_after"} <= set(dag.params)
    assert spark.reading({"files_before": 0, "other": 1}) == ["--files-before=0"]
