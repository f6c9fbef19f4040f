"""DAGs of the live tests, read from a Git repository: one purpose each."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, dag, get_current_context, task
from kubernetes.client import models as k8s

REVISION = "first"


def pod(**container: object) -> dict[str, object]:
    """Return the executor_config that changes the task's container."""
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", **container)]))}


def template(name: str) -> dict[str, object]:
    """Return the executor_config that asks for a named pod template."""
    return {"pod_template_file": f"/opt/airflow/pod_templates/{name}.yaml"}


class Deferred(BaseOperator):
    """Waits in the triggerer, without a pod."""

    def execute(self, context: object) -> None:
        """Hand over to the triggerer."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=5)), method_name="resume")

    def resume(self, context: object, event: object = None) -> None:
        """Say that it came back."""
        print("resumed after the trigger")


@dag(schedule=None, params={"seconds": 30})
def live_sleep() -> None:
    """A run that is in flight for a while."""

    @task
    def sleep() -> None:
        import time

        time.sleep(get_current_context()["params"]["seconds"])
        print(f"slept, revision {REVISION}")

    sleep()


@dag(schedule=None)
def live_confined() -> None:
    """What a task pod can see and do."""

    @task
    def look() -> dict[str, object]:
        import os
        from pathlib import Path

        writable = os.access("/opt/airflow", os.W_OK) or os.access("/usr", os.W_OK)
        words = ("SQL_ALCHEMY", "FERNET", "JWT", "SECRET_KEY")
        # the task runner itself sets an address that leads nowhere
        secrets = [
            name
            for name, value in os.environ.items()
            if any(word in name for word in words) and not value.startswith("airflow-db-not-allowed")
        ]
        token = Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()
        return {"uid": os.getuid(), "writable": writable, "secrets": secrets, "token": token}

    look()


@dag(schedule=None)
def live_launcher() -> None:
    """A task that makes a pod of its own."""

    @task(executor_config=template("launcher"))
    def launch() -> str:
        from pathlib import Path

        from kubernetes import client, config

        config.load_incluster_config()
        namespace = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text()
        pods = client.CoreV1Api().list_namespaced_pod(namespace, label_selector="component=scheduler")
        try:
            client.CoreV1Api().list_namespaced_secret(namespace)
        except client.ApiException as error:
            return f"{len(pods.items)} pods, secrets {error.status}"
        return "secrets can be read"

    launch()


def reads(name: str) -> list[k8s.V1EnvFromSource]:
    """Return the environment that a container takes from a Secret, if there is one."""
    return [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=name, optional=True))]


@dag(schedule=None)
def live_override() -> None:
    """A task that asks for a Secret of the platform beside what it may have, and one that asks for its own."""
    more = k8s.V1ResourceRequirements(requests={"cpu": "20m", "memory": "300Mi"})

    @task(executor_config=pod(resources=more, env_from=reads("airspark-fernet-key")), retries=0)
    def greedy() -> None:
        raise AssertionError("this must not run")

    @task(executor_config=pod(resources=more, env_from=reads("team-login")), retries=0)
    def honest() -> str:
        return "ran"

    greedy()
    honest()


@dag(schedule=None)
def live_bad_image() -> None:
    """A task whose image is not there."""

    @task(executor_config=pod(image="airspark/none:0"), retries=0)
    def never() -> None:
        raise AssertionError("this must not run")

    never()


@dag(schedule=None)
def live_too_large() -> None:
    """A task that no node can take."""

    @task(executor_config=pod(resources=k8s.V1ResourceRequirements(requests={"cpu": "100"})), retries=0)
    def never() -> None:
        raise AssertionError("this must not run")

    never()


@dag(schedule=None)
def live_out_of_memory() -> None:
    """A task that takes more memory than its pod may."""

    @task(executor_config=template("small"), retries=0)
    def grow() -> int:
        kept = [bytearray(64 * 1024 * 1024) for _ in range(64)]
        return len(kept)

    grow()


@dag(schedule=None)
def live_deferred() -> None:
    """A task that waits in the triggerer."""
    Deferred(task_id="wait")


@dag(schedule=None)
def live_uses() -> None:
    """What values put into Airflow, as a task sees it."""

    @task(pool="live-pool")
    def read() -> str:
        from airflow.sdk import BaseHook, Variable

        connection = BaseHook.get_connection("live_api")
        return f"{connection.host} {connection.password} {Variable.get('live_variable')}"

    read()


@dag(schedule=None, params={"date": "", "output": ""})
def live_over_connect() -> None:
    """The application of etl_daily against the Connect server."""

    @task
    def submit() -> str:
        from pipelines import spark

        params = get_current_context()["params"]
        return spark.over_connect("sales_etl", ["--date", params["date"], "--output", params["output"]])

    submit()


live_sleep()
live_confined()
live_launcher()
live_override()
live_bad_image()
live_too_large()
live_out_of_memory()
live_deferred()
live_uses()
live_over_connect()
