"""Run Airflow's example DAGs inside its image, each in a process of its own; the last line is JSON: what became of them.

python example_runs.py <wheels> [dag id …]     serves the wheels as package index; all DAGs, or those
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import package_index

#: A DAG that has not ended by then is said to be running. Those of WAITS get no longer than they need to begin to wait.
SECONDS = 600
WAITS = {"example_external_task": 90, "example_retry_policy": 90, "example_sensors": 120}
#: What others wait for or read goes first.
FIRST = ("example_external_task_marker_parent", "child_dag")
#: What the form of a DAG asks for, or the command in its documentation gives.
CONF = {
    "example_params_ui_tutorial": {"required_field": "some text that is asked for"},
    "example_passing_params_via_test_command": {"foo": "bar"},
}


def load() -> dict[str, Any]:
    """Return the DAGs of every bundle that `load_examples` adds, those of FIRST before the others."""
    from airflow.dag_processing import dagbag
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    found: dict[str, Any] = {}
    for bundle in manager.get_all_dag_bundles():
        if "example" in bundle.name:
            bag = dagbag.DagBag(str(bundle.path), bundle_path=bundle.path, bundle_name=bundle.name)
            assert not bag.import_errors, bag.import_errors
            dagbag.sync_bag_to_db(bag, bundle.name, bundle.version)
            found |= bag.dags
    # Each test of a DAG would parse its bundle and store it again: half of the time.
    dagbag.BundleDagBag = lambda **_: None
    dagbag.sync_bag_to_db = lambda *_: None
    return {dag_id: found[dag_id] for dag_id in FIRST} | found


def answer() -> None:
    """Be the human that tasks wait for: take the first option of each question, as the REST API stores an answer."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    while True:
        with create_session() as session:
            for question in session.query(HITLDetail).filter(HITLDetail.responded_at.is_(None)):
                if question.task_instance.state != TaskInstanceState.AWAITING_INPUT:
                    continue
                question.chosen_options = question.options[:1]
                question.params_input = dict.fromkeys(question.params, "an answer")
                question.responded_at, question.responded_by = datetime.now(UTC), {"id": "1", "name": "airflow"}
                event = TriggerEvent(question.as_resume_event_payload())
                handle_event_submit(event, task_instance=question.task_instance, session=session)
        time.sleep(2)


def run(dag: Any, at: datetime) -> dict[str, str]:
    """Run a DAG and return the states of the run and of its tasks."""
    if "HITL" in dag.tags:
        threading.Thread(target=answer, daemon=True).start()
    result = dag.test(logical_date=at, run_conf=CONF.get(dag.dag_id))
    states = {"run": str(result.state)}
    for one in result.get_task_instances():
        states[f"{one.task_id}[{one.map_index}]" if one.map_index >= 0 else one.task_id] = str(one.state)
    return states


def in_a_process(dag: Any, at: datetime) -> dict[str, str]:
    """Run a DAG in a child process; what it prints stands between its name and its states."""
    from airflow import settings

    reader, writer = os.pipe()
    print(f"--- {dag.dag_id}", flush=True)
    settings.dispose_orm(do_log=False)
    if not (child := os.fork()):
        os.close(reader)
        os.setpgid(0, 0)
        settings.configure_orm()
        try:
            states = run(dag, at)
        except BaseException as error:
            states = {"run": f"{type(error).__name__}: {error}"[:300]}
        os.write(writer, json.dumps(states).encode())
        os._exit(0)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(WAITS.get(dag.dag_id, SECONDS))
    with os.fdopen(reader) as stream:
        text = stream.read()
    signal.alarm(0)
    os.waitpid(child, 0)
    settings.configure_orm()
    return json.loads(text) if text else {"run": "running"}


def main(wheels: str, *wanted: str) -> None:
    """Make the database, run the DAGs and print their states."""
    from airflow.utils.db import initdb

    os.environ["UV_DEFAULT_INDEX"], asked = package_index.serve(Path(wheels))
    initdb()
    at, states = datetime.now(UTC), {}
    for dag_id, dag in load().items():
        if not wanted or dag_id in wanted:
            began = time.monotonic()
            states[dag_id] = in_a_process(dag, at)
            print(f"=== {time.monotonic() - began:.0f} s {dag_id} {states[dag_id]}", flush=True)
    print(json.dumps({"states": states, "asked": asked}))


if __name__ == "__main__":
    main(*sys.argv[1:])
