"""The DAGs spark_submit, spark_connect and rdd_wordcount: what they hand to Spark, and what they say where it is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import rdd_wordcount
import spark_connect
import spark_submit
from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowTaskTimeout, ParamValidationError
from pipelines import spark

TOKEN = "hidden token"
ADDRESS = f"sc://server:15002/;token={quote(TOKEN)}"


def _instead_of_pi(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the task's function, with a program in the place of pi.py and a connection with a token."""
    (folder / "pi.py").write_text(program)
    connection = Connection(conn_id="spark_connect_default", conn_type="spark_connect", host="server", port=15002, password=TOKEN)
    monkeypatch.setattr(spark, "APPLICATIONS", str(folder))
    monkeypatch.setattr(spark_connect, "get_current_context", lambda: {"params": {"steps": 9}})
    monkeypatch.setattr(spark.BaseHook, "get_connection", lambda name: connection)
    monkeypatch.setattr(SparkConnectHook, "get_connection", lambda self, name: connection)
    task: Any = spark_connect.dag.get_task("submit")
    return task.python_callable


def test_should_set_every_main_parameter_of_the_operator() -> None:
    task: Any = spark_submit.dag.get_task("submit")
    assert (task._conn_id, task.name, task.application) == ("spark_default", "spark_submit.pi", "/opt/airflow/spark-apps/pi.py")
    assert (task._driver_memory, task._executor_memory, task._executor_cores, task._total_executor_cores) == (
        "600m",
        "700m",
        1,
        2,
    )
    assert task.application_args == ["--steps", "{{ params.steps }}", "--slices", "4"]


def test_should_run_the_same_application_over_spark_connect_with_the_token_in_its_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # In the place of pi.py, a program that tells how it was called.
    program = (
        "import os, sys\nprint(sys.argv[1:], len(os.environ['SPARK_REMOTE']))\nprint(os.environ['SPARK_REMOTE'])\nprint('last')\n"
    )
    submit = _instead_of_pi(program, tmp_path, monkeypatch)
    assert submit() == "last"
    said = capfd.readouterr()
    assert f"['--steps', '9'] {len(ADDRESS)}\n" in said.out
    assert "sc://server:15002/;token=***\n" in said.out
    assert "hidden" not in said.out + said.err
    assert not [name for name, value in os.environ.items() if "hidden" in value]


def test_should_fail_with_the_last_line_if_the_application_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = _instead_of_pi("import os, sys\nsys.exit(os.environ['SPARK_REMOTE'])\n", tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match=r"pi.py ended with 1: sc://server:15002/;token=\*\*\*$"):
        submit()


def test_should_fail_for_good_with_its_sentence_if_the_application_refuses_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = _instead_of_pi("import sys\nprint('pi: error: no such day')\nsys.exit(2)\n", tmp_path, monkeypatch)
    with pytest.raises(AirflowFailException, match="^no such day$"):
        submit()


def test_should_end_the_application_with_the_task_if_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    submit = _instead_of_pi(program, tmp_path, monkeypatch)

    def over(*_: Any) -> None:
        raise AirflowTaskTimeout("over")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 3)
    started = time.monotonic()
    try:
        with pytest.raises(AirflowTaskTimeout):
            submit()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_should_say_how_to_get_a_server_if_there_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise AirflowNotFoundException(name)

    monkeypatch.setattr(spark_connect, "get_current_context", lambda: {"params": {"steps": 9}})
    monkeypatch.setattr(spark.BaseHook, "get_connection", missing)
    task: Any = spark_connect.dag.get_task("submit")
    with pytest.raises(AirflowFailException, match="install the charts with global.spark.connect.enabled=true"):
        task.python_callable()


@pytest.mark.parametrize("name", ["../up", "a b", "", "x" * 81])
def test_should_refuse_a_name_that_is_no_folder_of_the_result(name: str) -> None:
    with pytest.raises(ParamValidationError):
        rdd_wordcount.dag.params.get_param("name").resolve(name)


LAZY = """
import sys
sys.path.insert(0, sys.argv[1])
from pipelines import spark
print("kubernetes" in sys.modules)
operator = sys.modules["airflow.providers.apache.spark.operators.spark_submit"]
print(operator.kube_client.ApiException.__name__, "kubernetes" in sys.modules)
"""


def test_should_import_the_kubernetes_clients_only_when_a_kubernetes_master_needs_them() -> None:
    command = [sys.executable, "-c", LAZY, str(Path(spark_submit.__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["False", "ApiException True"]
