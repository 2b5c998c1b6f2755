"""Tests that start daemons take turns, also between the processes of one test run."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other test of this machine starts engines: they share runc's state and podman's locks."""
    with open(Path(tempfile.gettempdir()) / "imagepeel-engines.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
