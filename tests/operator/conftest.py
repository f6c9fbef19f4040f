"""The controller and the scripts are importable without an installation."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("operator", "scripts"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / folder))
