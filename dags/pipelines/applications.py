"""The modules of the Spark applications, for tasks that need a function of theirs and no Spark."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from pipelines import defaults


def load(name: str) -> ModuleType:
    """Import a module of spark-apps.

    Args:
        name: the module, such as publish; it must import no Spark at its top level.
    """
    if defaults.APPLICATIONS not in sys.path:
        sys.path.append(defaults.APPLICATIONS)
    return importlib.import_module(name)
