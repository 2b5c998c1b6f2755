"""Tests of hostile input share what asks an archive everything with the fuzzing kit, and its changes with the soak."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("fuzz", "soak"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
