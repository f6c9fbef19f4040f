"""How the Spark image starts drivers and executors in pods of their own, as Spark's Kubernetes backend asks for it."""

from __future__ import annotations

import pytest

from .conftest import docker, tag

DRIVER = """
mkdir -p /tmp/conf && cd "$1"
printf 'spark.master=local[1]\\n%s\\n' "$2" >/tmp/conf/spark.properties
export SPARK_CONF_DIR=/tmp/conf SPARK_DRIVER_BIND_ADDRESS=127.0.0.1 SPARK_LOCAL_DIRS=/tmp SPARK_LOCAL_IP=127.0.0.1
exec driver --properties-file /tmp/conf/spark.properties --class org.apache.spark.deploy.PythonRunner \
  --conf spark.driver.extraJavaOptions=-XX:+PrintCommandLineFlags local:///opt/airflow/spark-apps/pi.py --steps 1000
"""


def spark(script: str, *arguments: str) -> str:
    """Run a shell script in the Spark image, as a pod of an application does; returns all it prints."""
    done = docker(
        *("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "185:0"),
        *(tag("spark"), "bash", "-c", script, "bash", *arguments),
        check=False,
    )
    return done.stdout + done.stderr


def should_run_a_driver_from_its_properties() -> None:
    said = spark(DRIVER, "/tmp", "spark.app.name=a")
    assert "Pi is roughly 3.14159" in said, said[-3000:]


def should_run_a_driver_where_it_may_not_write_to_its_folder() -> None:
    said = spark(DRIVER, "/opt/airflow", "spark.files=/opt/airflow/spark-apps/errors.py")
    assert "Pi is roughly 3.14159" in said, said[-3000:]


@pytest.mark.parametrize(("line", "first"), [("", "/opt/spark/spark.jar"), ("spark.driver.extraClassPath=/mine", "/mine")])
def should_put_the_archives_jar_first_unless_the_properties_name_another(line: str, first: str) -> None:
    show = DRIVER.replace("exec driver", "export SPARK_PRINT_LAUNCH_COMMAND=1\nexec driver")
    said = spark(show, "/tmp", line)
    command = next(text for text in said.splitlines() if text.startswith("Spark Command: "))
    assert command.split(" -cp ")[1].startswith(f"{first}:"), command


def should_start_an_executor_from_its_environment_with_options_in_order() -> None:
    settings = {
        "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@127.0.0.1:7078", "SPARK_EXECUTOR_ID": "1",
        "SPARK_EXECUTOR_CORES": "1", "SPARK_APPLICATION_ID": "spark-0", "SPARK_EXECUTOR_POD_IP": "127.0.0.1",
        "SPARK_RESOURCE_PROFILE_ID": "0", "SPARK_EXECUTOR_POD_NAME": "e", "SPARK_EXECUTOR_MEMORY": "256m",
        **{f"SPARK_JAVA_OPT_{number}": f"-Dorder={number}" for number in range(12)},
    }  # fmt: skip
    exports = "".join(f"export {name}='{value}'\n" for name, value in settings.items())
    # a java that only says how it was called
    script = f"mkdir /tmp/bin && printf '#!/bin/sh\\necho \"$@\"\\n' >/tmp/bin/java && chmod +x /tmp/bin/java\n{exports}"
    said = spark(f"{script}PATH=/tmp/bin:$PATH exec executor")
    options = [word for word in said.split() if word.startswith("-Dorder=")]
    assert options == [f"-Dorder={number}" for number in range(12)]
    assert "-Xms256m -Xmx256m -cp /opt/spark/spark.jar:" in said
    assert "KubernetesExecutorBackend --driver-url spark://CoarseGrainedScheduler@127.0.0.1:7078 --executor-id 1" in said


def should_name_the_variable_that_an_executor_lacks() -> None:
    assert "SPARK_EXECUTOR_MEMORY: unbound variable" in spark("exec executor")


def should_wait_until_a_decommissioned_executor_has_ended() -> None:
    script = """
cat >/tmp/Backend.py <<'PY'
import signal, sys, time
signal.signal(signal.SIGPWR, lambda *_: (time.sleep(1), print("handed over", flush=True), sys.exit(0)))
time.sleep(60)
PY
(exec -a java python /tmp/Backend.py KubernetesExecutorBackend) &
sleep 1
/opt/decom.sh
echo "stopped after"
wait
"""
    assert spark(script).split("\n")[:2] == ["handed over", "stopped after"]
