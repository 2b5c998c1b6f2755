"""The whole corpus: importing it collects every scenario, in order."""

from __future__ import annotations

import demands  # noqa: F401
import early  # noqa: F401
import entrypoints  # noqa: F401
import execline  # noqa: F401
import hooks  # noqa: F401
import kernel  # noqa: F401
import made  # noqa: F401
import mounts  # noqa: F401
import openings  # noqa: F401
import shapes  # noqa: F401
import shells  # noqa: F401
import splits  # noqa: F401
import start  # noqa: F401
import switchers  # noqa: F401
import userland  # noqa: F401
import users  # noqa: F401
import waits  # noqa: F401
import wellknown  # noqa: F401
from model import ALL, Scenario

SCENARIOS: tuple[Scenario, ...] = tuple(ALL)
