"""@task.virtualenv, PythonVirtualenvOperator and @task.external_python under the restrictions of a task pod."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import ANY_UID, ROOT, packages, tag

HERE = Path(__file__).parent
SET = "in `workers.env` of the values, see docs/write-a-dag.md"


@functools.cache
def wheels() -> Path:
    """Return a folder with the packages that the tasks install."""
    folder = ROOT / ".build/example-wheels"
    return packages(ROOT / "requirements/examples.txt", folder, "download", f"--dest={folder}")


def in_task_pod(script: str, *arguments: str, user: str = ANY_UID, seconds: float = 1_800, **env: str) -> list[str]:
    """Run a script of this folder as a task pod would: read-only, without capabilities and network; return what it printed."""
    settings = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/tmp/logs",
        "PYTHONDONTWRITEBYTECODE": "1",
        **env,
    }
    command = [
        *("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "--user", user),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--volume", f"{HERE}:/tests:ro", "--volume", f"{wheels()}:/wheels:ro"),
        *(part for key, value in settings.items() for part in ("--env", f"{key}={value}")),
        *(tag("airflow"), "python", f"/tests/{script}", "/wheels", *arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.splitlines()


@pytest.fixture(scope="module", params=["50000:0", ANY_UID])
def runs(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What became of every case of virtualenv_runs, as the image's own user and as any other."""
    found: dict[str, dict[str, Any]] = json.loads(in_task_pod("virtualenv_runs.py", user=request.param)[-1])
    return found


@pytest.mark.parametrize("name", ["requirements", "pips_variable", "argument", "links"])
def test_should_install_what_a_task_requires_from_the_index_that_is_named(runs: dict[str, dict[str, Any]], name: str) -> None:
    assert runs[name].get("returned") == "0.4.0", runs[name]
    assert bool(runs[name]["asked"]) == (name != "links")


@pytest.mark.parametrize("name", ["alone", "pip"])
def test_should_need_no_index_without_requirements(runs: dict[str, dict[str, Any]], name: str) -> None:
    found = runs[name].get("returned") or {}
    assert (found.get("pip"), found.get("airflow"), found.get("colorama")) == (True, False, False), runs[name]
    assert found["prefix"].startswith("/tmp/") and not runs[name]["asked"]


def test_should_see_airflow_and_the_images_packages_with_system_site_packages(runs: dict[str, dict[str, Any]]) -> None:
    found = runs["system_site"].get("returned") or {}
    assert (found.get("airflow"), found.get("pyspark")) == (True, True), runs["system_site"]
    assert found["prefix"].startswith("/tmp/")


def test_should_keep_an_environment_in_its_cache(runs: dict[str, dict[str, Any]]) -> None:
    first, second = (runs[name].get("returned") for name in ("cached", "cached_again"))
    assert first and first == second and first["prefix"].startswith("/tmp/venvs/venv-")
    assert runs["cached"]["asked"] and not runs["cached_again"]["asked"]


def test_should_run_in_a_python_that_is_there(runs: dict[str, dict[str, Any]]) -> None:
    found = runs["external"].get("returned") or {}
    assert (found.get("prefix"), found.get("airflow")) == ("/opt/venv", True), runs["external"]


def test_should_choose_a_branch_in_an_environment_of_its_own(runs: dict[str, dict[str, Any]]) -> None:
    assert "returned" in runs["v0_4_0"] and "v9" not in runs


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        (
            "away",
            "uv: the package index http://127.0.0.1:9/simple does not answer (Connection refused",
            f"): set UV_DEFAULT_INDEX to an index that task pods reach {SET}",
        ),
        (
            "silent",
            "uv: the package index http://127.0.0.1:",
            f"/simple does not answer (operation timed out): set UV_DEFAULT_INDEX to an index that task pods reach {SET}",
        ),
        (
            "other_python",
            "uv: the image has no such Python, and https://",
            f"): leave `python_version` out, or set UV_PYTHON_INSTALL_MIRROR {SET}",
        ),
    ],
)
def test_should_end_in_a_sentence_if_an_index_does_not_answer(
    runs: dict[str, dict[str, Any]], name: str, begin: str, end: str
) -> None:
    last = runs[name]["log"][-1]
    assert last.startswith(begin) and last.endswith(end), runs[name]
    assert "error" in runs[name] and not [line for line in runs[name]["log"] if "cause:" in line]
    assert runs[name]["seconds"] < 60


def test_should_leave_a_package_that_does_not_exist_in_uvs_words(runs: dict[str, dict[str, Any]]) -> None:
    assert "no-such-package was not found in the package registry" in "\n".join(runs["no_package"]["log"])
