"""The controller and the scripts are importable without an installation."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

for folder in ("operator", "scripts"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / folder))

# A busy machine makes an example slow, not wrong.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
