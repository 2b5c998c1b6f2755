"""The forms of package databases that are known: one line a family."""

from __future__ import annotations

from imagepeel.packages import apk, dpkg, npm, pip, rpm
from imagepeel.packages.record import DatabaseKind

KINDS: tuple[DatabaseKind, ...] = (dpkg.KIND, apk.KIND, rpm.KIND, pip.KIND, npm.KIND)
"""In the order in which they are shown: those of systems first, which also own what those of languages record."""
SYSTEMS = ("dpkg", "apk", "rpm")
"""The families whose packages bring whole files of the system."""
