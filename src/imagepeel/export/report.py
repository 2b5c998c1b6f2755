"""What writing a rootfs did and what it left out, as values."""

from __future__ import annotations

from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.rootfs.engines.names import ViewName


class Omission(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Something of the image that did not reach the disk: `what` it is, how often, and one path as example."""

    what: str
    count: int
    example: str


class EscapingLink(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A symbolic link that leads out of the directory on this machine, and what it says."""

    path: str
    target: str


class ExtractReport(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What `materialize` wrote.

    Counts are of names (`hardlinks` are further names of counted files); `bytes` were written, `hole_bytes` are
    holes of sparse files that take no space.  `omissions` says what the image has and the directory has not;
    `escaping` lists the first symbolic links that lead out of the directory, `escaping_links` how many there are.
    """

    directory: str
    view: Literal[ViewName, ""]
    preserve: bool
    best_effort: bool
    directories: int = 0
    files: int = 0
    hardlinks: int = 0
    symlinks: int = 0
    devices: int = 0
    fifos: int = 0
    bytes: int = 0
    hole_bytes: int = 0
    omissions: tuple[Omission, ...] = ()
    escaping_links: int = 0
    escaping: tuple[EscapingLink, ...] = ()

    @property
    def entries(self) -> int:
        """All names that were created below the directory."""
        return self.directories + self.files + self.hardlinks + self.symlinks + self.devices + self.fifos


class Omissions:
    """Counts what is left out while the writing goes on."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def add(self, what: str, path: str) -> None:
        """Count one thing of the kind `what`; the first path stays as example."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self._examples.setdefault(what, path)

    def result(self) -> tuple[Omission, ...]:
        """Return what was counted, in the order of first sight."""
        return tuple(Omission(what=w, count=n, example=self._examples[w]) for w, n in self._counts.items())
