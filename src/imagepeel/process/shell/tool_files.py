"""What a tool meets in the image that a shell starts."""

from __future__ import annotations

from typing import Protocol

from imagepeel.process.shell.made import Made
from imagepeel.process.spec.access import Actor, PathAccess
from imagepeel.tables import ErrnoName


class Files(Protocol):
    """What a tool meets in the image; each answer is None where it cannot be told."""

    actor: Actor
    umask: int
    """What files that are made do not get of their mode."""
    own_kernel: bool
    """The kernel is gVisor's, which asks for the right to remove before it looks what is there."""

    def take(self, made: Made) -> Made:
        """Go on with what a call made; the same by path without links."""

    def look(self, path: str) -> PathAccess | None:
        """The path as `stat` finds it."""

    def create(self, path: str) -> ErrnoName | None:
        """The errno of opening a file for writing, which makes one that is not there."""

    def enter_name(self, path: str) -> ErrnoName | None:
        """The errno of making or removing an entry in the directory of the path."""

    def names(self, path: str) -> list[str] | None:
        """The names in a directory."""

    def text(self, path: str) -> str | None:
        """What a file holds."""

    def is_new(self, path: str) -> bool:
        """Whether the script itself made what stands there, and not the image."""

    def id_of(self, name: str, *, group: bool) -> int | None:
        """The number of a user or a group; None where the image has none of that name, -1 where that is not told."""
