"""The state of a process between two programs that it runs."""

from __future__ import annotations

import msgspec

from imagepeel.process.spec.access import Actor
from imagepeel.process.spec.values import Credentials


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the process when a program starts: who, with which variables, where.

    `first` is False once the program is a child of process 1.
    """

    credentials: Credentials
    env: dict[str, str]
    cwd: str
    after: Actor
    first: bool = True
    certain: bool = True
    changed: int = 0
    """What programs before may have made: 0 nothing, 1 directories and data, 2 programs too."""
    hidden: frozenset[str] = frozenset()
    """Variables whose values nothing in the image tells; what `env` has of them does not count."""
