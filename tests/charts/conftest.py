"""Makes the helpers of this folder and the project's own modules importable."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1] / "scripts", HERE.parents[1] / "operator"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
