"""Run every form of a task with a Python of its own inside the image; the last line is JSON: what became of each.

python virtualenv_runs.py <wheels>     serves the wheels as package index
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import package_index
from airflow.providers.standard.operators.python import (
    BranchPythonVirtualenvOperator,
    ExternalPythonOperator,
    PythonVirtualenvOperator,
)
from airflow.sdk import DAG

CACHE = "/tmp/venvs"
COLORAMA = ["colorama==0.4.0"]
AWAY = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}


def versions() -> dict[str, object]:
    """Say which Python runs, and whether it has these packages."""
    import importlib.util
    import sys

    found = {name: importlib.util.find_spec(name) is not None for name in ("airflow", "colorama", "pip", "pyspark")}
    return {**found, "prefix": sys.prefix}


def colour() -> str:
    """Return what only the installed package knows."""
    import colorama

    return colorama.__version__


def branch() -> str:
    """Choose a task by what only the installed package knows."""
    import colorama

    return f"v{colorama.__version__.replace('.', '_')}"


def never() -> None:
    """Not be called: its environment cannot be made."""
    raise AssertionError("called")


def silent() -> str:
    """Listen, and never answer: return the index's address."""
    server = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept() -> None:
        while True:
            kept.append(server.accept())

    threading.Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/simple"


class Runs:
    """A DAG of one task a case, and what became of each.

    Args:
        wheels: the folder of the index's wheels.
    """

    def __init__(self, wheels: Path) -> None:
        self.index, self.asked = package_index.serve(wheels)
        self.found: dict[str, dict[str, Any]] = {}
        self.lines: list[str] = []
        self.given: set[str] = set()
        self.before = {**os.environ, "UV_DEFAULT_INDEX": self.index}
        self.dag = DAG("own_python", schedule=None, default_args={"retries": 0, "execution_timeout": timedelta(minutes=5)})
        log = logging.getLogger("airflow.providers.standard.utils.python_virtualenv")
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]
        log.setLevel(logging.INFO)
        log.addHandler(handler)

    def add(
        self, name: str, call: Any, env: dict[str, str] | None = None, kind: Any = PythonVirtualenvOperator, **more: Any
    ) -> Any:
        """Add a task with variables of its own."""
        began: list[float] = []

        def begin(_: Any) -> None:
            for key in self.given - set(self.before):
                os.environ.pop(key, None)
            os.environ.update(self.before | (env or {}))
            self.given = set(env or {})
            self.lines.clear()
            self.asked.clear()
            began.append(time.monotonic())

        def end(**result: Any) -> None:
            seconds = round(time.monotonic() - began[-1], 1)
            self.found[name] = {**result, "log": list(self.lines), "seconds": seconds, "asked": len(self.asked)}

        return kind(
            task_id=name,
            dag=self.dag,
            python_callable=call,
            trigger_rule="all_done",
            pre_execute=begin,
            post_execute=lambda _, result: end(returned=result),
            on_failure_callback=lambda context: end(error=str(context["exception"])),
            **more,
        )

    def run(self) -> dict[str, dict[str, Any]]:
        """Run the tasks in their order."""
        from airflow.dag_processing import dagbag
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.utils.db import initdb

        initdb()
        DagBundlesManager().sync_bundles_to_db()
        bag = dagbag.DagBag(os.devnull)
        bag.bag_dag(self.dag)
        dagbag.sync_bag_to_db(bag, "dags-folder", None)
        dagbag.BundleDagBag, dagbag.sync_bag_to_db = (lambda **_: None), (lambda *_: None)
        self.dag.test()
        return self.found


def main(wheels: str) -> None:
    """Run every case, and print what became of it."""
    runs = Runs(Path(wheels))
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels}
    tasks = [
        runs.add("requirements", colour, requirements=COLORAMA, system_site_packages=False),
        runs.add("pips_variable", colour, {"UV_DEFAULT_INDEX": "", "PIP_INDEX_URL": runs.index}, requirements=COLORAMA),
        runs.add("argument", colour, AWAY, requirements=COLORAMA, index_urls=[runs.index]),
        runs.add("links", colour, AWAY | links, requirements=COLORAMA),
        runs.add("alone", versions, AWAY, system_site_packages=False),
        runs.add("system_site", versions, AWAY),
        runs.add("cached", versions, requirements=COLORAMA, venv_cache_path=CACHE),
        runs.add("cached_again", versions, AWAY, requirements=COLORAMA, venv_cache_path=CACHE),
        runs.add("pip", versions, {"AIRFLOW__STANDARD__VENV_INSTALL_METHOD": "pip"}, system_site_packages=False),
        runs.add("external", versions, kind=ExternalPythonOperator, python="/opt/venv/bin/python"),
        runs.add("away", never, AWAY, requirements=COLORAMA),
        runs.add("silent", never, {"UV_DEFAULT_INDEX": silent(), "UV_HTTP_TIMEOUT": "1"}, requirements=COLORAMA),
        runs.add("no_package", never, requirements=["no-such-package"]),
        runs.add("other_python", never, python_version="3.12"),
        runs.add("branch", branch, kind=BranchPythonVirtualenvOperator, requirements=COLORAMA),
    ]
    for earlier, later in zip(tasks, tasks[1:], strict=False):
        earlier >> later
    tasks[-1] >> [runs.add(name, versions, AWAY, system_site_packages=False) for name in ("v0_4_0", "v9")]
    for one in runs.dag.get_task("branch").downstream_list:
        one.trigger_rule = "none_failed"
    print(json.dumps(runs.run()))


if __name__ == "__main__":
    main(sys.argv[1])
