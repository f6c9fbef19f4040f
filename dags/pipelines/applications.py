"""The modules of the Spark applications, for tasks that need a function of theirs and no Spark."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

from airflow.sdk.exceptions import AirflowFailException

from pipelines import defaults


def load(name: str) -> ModuleType:
    """Import a module of spark-apps.

    Args:
        name: the module, such as publish; it must import no Spark at its top level.
    """
    if defaults.APPLICATIONS not in sys.path:
        sys.path.append(defaults.APPLICATIONS)
    return importlib.import_module(name)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what a module of spark-apps refuses into a failure of the task: a retry alone would not mend that.

    Raises:
        AirflowFailException: with the sentence of the UserError.
    """
    try:
        yield
    except load("errors").UserError as error:
        raise AirflowFailException(str(error)) from None
