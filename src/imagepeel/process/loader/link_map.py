"""The link map of glibc's loader: one for the program and one for each library (`include/link.h`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagepeel.formats.elf.file import ElfFacts
    from imagepeel.rootfs.tree.inode import Node


class LinkMap:
    """One loaded object, as glibc's loader keeps it; `path` is b"" for the program, as in the loader itself."""

    def __init__(self, path: bytes, real: bytes, ino: int, facts: ElfFacts | None, loader: LinkMap | None) -> None:
        self.path = path
        self.real = real
        self.ino = ino
        self.facts = facts
        self.loader = loader
        self.names: set[bytes] = set()
        self.node: Node | None = None

    def answers(self, name: bytes) -> bool:
        """The loader takes this object for `name`: known name, path or soname."""
        if name in self.names or name == self.path:
            return True
        return self.facts is not None and self.facts.soname is not None and self.facts.soname.value == name
