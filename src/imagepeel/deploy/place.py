"""Places in the text of a deployment, and the one error about it."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import LimitExceeded, Malformed

MOST_BYTES = 1024 * 1024
"""Bytes of one file: the cap of etcd for an object is 1.5 MiB."""


class Place(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where something stands in the text of a deployment."""

    file: str = ""
    """Name of the file as it was given, "" for a command line."""
    pointer: str = ""
    """JSON pointer (RFC 6901) into its document; of a quadlet `Section/Key`, of a command line the option."""
    line: int = 0
    """From 1; 0 for a command line."""
    column: int = 0
    """From 1 in characters; on a command line the number of the word."""

    @property
    def parent(self) -> Place:
        """The same place, named by what holds it."""
        return msgspec.structs.replace(self, pointer=self.pointer.rpartition("/")[0])

    def __str__(self) -> str:
        if not self.line:
            return f"word {self.column} of the command line" if self.column else self.pointer
        at = f" at {self.pointer}" if self.pointer else ""
        return f"{self.file}: line {self.line}, column {self.column}{at}"


def malformed(where: Place, what: str, hint: str = "") -> Malformed:
    """The error about a text that cannot be read, with its line and column."""
    return Malformed(f"{where}: {what}", None, hint or _HINT)


def too_much(where: Place, what: str) -> LimitExceeded:
    """The error about a text that would cost too much, with its line and column."""
    return LimitExceeded(f"{where}: {what}", None, "split the file")


_HINT = "correct the file at that place"
