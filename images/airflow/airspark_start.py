"""Start task processes with the garbage collector off, until the supervisor forks the task.

Imported by `airspark_start.pth` in every Python of the image, and does nothing but in a task pod's first process.
A task's process imports some 2,500 modules, and the collector, which finds nothing there, takes a third of that time.
What was made until the fork is then set aside for good, so that no later collection of the task looks at it either.
"""

from __future__ import annotations

import gc
import os
import sys

#: The module that the KubernetesExecutor has a task pod run.
ENTRY = "airflow.sdk.execution_time.execute_workload"


def collect_again() -> None:
    """Switch the collector on, without the objects that are there by now."""
    gc.freeze()
    gc.enable()


if ENTRY in sys.orig_argv:
    gc.disable()
    os.register_at_fork(before=collect_again)
