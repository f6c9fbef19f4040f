"""The smallest run there is: one task that says where it ran. `helm test` triggers it, and so may anybody.

airflow dags trigger airspark_check
airflow dags trigger airspark_check --conf '{"seconds": 60}'    # takes that long, to watch an upgrade or a drain
"""

from __future__ import annotations

import socket
import time
from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task

with DAG(
    dag_id="airspark_check",
    description="One task that returns at once: shows that tasks run",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2,
        # Above the most seconds that a run may ask for.
        "execution_timeout": timedelta(minutes=65),
    },
    params={"seconds": Param(0, type="integer", minimum=0, maximum=3600, description="How long the task takes")},
    tags=["check"],
) as dag:
    # START task
    @task
    def answer() -> str:
        """Return the name of the pod, after as long as the run was asked to take."""
        time.sleep(get_current_context()["params"]["seconds"])
        return socket.gethostname()

    # END task

    answer()
