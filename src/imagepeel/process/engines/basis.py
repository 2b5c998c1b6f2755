"""What the rules of a profile rest on: a start that was watched, or source that was read, each with its version."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Area(StrEnum):
    """The rules of an engine or a runtime, in groups that are measured together."""

    COMMAND = "command"
    USER = "user and groups"
    ENVIRONMENT = "environment"
    DIRECTORY = "directory"
    MOUNTS = "mounts"
    CAPABILITIES = "capabilities"
    VOLUMES = "volumes"
    LOOKUP = "lookup"
    TEXTS = "texts and exit codes"
    STOP = "stop"


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rules of one profile come from.

    `started` is the version that was started, empty where none was, and `measured` are the areas that were compared
    then.  All other areas were read, in the source of version `read`.  `texts` names the start whose texts a profile
    uses that was not started itself; empty: they were read, too.
    """

    read: str
    started: str = ""
    measured: frozenset[Area] = frozenset()
    texts: str = ""

    def caution(self, label: str) -> str:
        """A sentence about texts that nobody saw this version write; empty where they were measured."""
        if Area.TEXTS in self.measured:
            return ""
        borrowed = f", and its texts are those of {self.texts}" if self.texts else ", its texts, too"
        return f"no start of {label} was watched: its rules were read ({self.read}){borrowed}"


EVERYTHING = frozenset(Area)
"""All areas."""
