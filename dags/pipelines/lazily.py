"""Import a provider's module when something in it is used, not when a DAG is parsed."""

from __future__ import annotations

import importlib
import importlib.util
import sys


def defer(name: str) -> None:
    """Have a submodule in the place of which an empty one stands until an attribute of it is asked for.

    For modules that other ones bind whole (`from package import submodule`): taking a name out of it would import it at once.

    Args:
        name: the submodule; where it is not installed, or already imported, nothing happens.
    """
    package, _, last = name.rpartition(".")
    try:
        parent = importlib.import_module(package)
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # Found here, `from package import submodule` does not look into the module, which would import it.
    setattr(parent, last, module)
