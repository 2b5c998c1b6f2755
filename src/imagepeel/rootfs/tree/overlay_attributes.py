"""Attributes of overlayfs that a layer brings itself (trusted.overlay.*), and the effect that the kernel gives them.

Linux Documentation/filesystems/overlayfs.rst.  containerd never sets them; Docker's and podman's extractors do.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.overlay import Merged, merge

PREFIX = b"trusted.overlay."


class RedirectedDirectory(Inode):
    """A directory whose lower part lies elsewhere, as trusted.overlay.redirect says; merged where somebody looks."""

    __slots__ = ("_made", "_merged")

    def __init__(self, like: Inode, merged: Merged) -> None:
        super().__init__("dir", like.mode, like.uid, like.gid, layer=like.layer, entry=like.entry, implied=like.implied)
        self.mtime: tuple[int, int] | None = like.mtime
        self.xattrs: Mapping[bytes, bytes] = like.xattrs
        # What lies lower under its own name is hidden: the merge below replaces it.
        self.opaque = True
        self._merged = merged
        self._made: dict[bytes, Inode] | None = None

    @property
    def children(self) -> dict[bytes, Inode]:
        if self._made is None:
            self._made = {
                name: RedirectedDirectory(child.top, child) if isinstance(child, Merged) else child
                for name, child in self._merged.children.items()
            }
        return self._made

    @children.setter
    def children(self, value: dict[bytes, Inode] | None) -> None:
        """Accept what Inode.__init__ assigns; the real children are made on demand."""


def obey_overlay_attributes(upper: Tree, lower: list[Tree]) -> None:
    """Give the overlay attributes in an unpacked layer the effect that the kernel's overlayfs gives them.

    opaque=y hides what lies lower.  An empty file with `whiteout` becomes a name that cannot be opened.  `redirect`
    shows another lower directory.  `metacopy` makes a file unreadable, so it becomes such a name, too.  The mount hides
    the attributes themselves.  `lower`: the trees of the layers below, base first.
    """
    walk = upper.walk(upper.root, ())
    for path, node in [(path, node) for path, node in walk if any(key.startswith(PREFIX) for key in node.xattrs)]:
        marks = {key[len(PREFIX) :]: value for key, value in node.xattrs.items() if key.startswith(PREFIX)}
        node.xattrs = {key: value for key, value in node.xattrs.items() if not key.startswith(PREFIX)}
        if node.kind == "dir" and path:
            if marks.get(b"opaque") == b"y":
                node.opaque = True
            elif b"redirect" in marks and not node.opaque:
                _redirect(upper, path, node, marks[b"redirect"], lower)
        elif node.kind == "file" and ((b"whiteout" in marks and not node.size) or b"metacopy" in marks):
            node.kind = "ghost"


def _redirect(upper: Tree, path: tuple[bytes, ...], node: Inode, value: bytes, lower: list[Tree]) -> None:
    """Put a directory in the place of `node` that merges with what `value`, absolute or a sibling's name, leads to."""
    target = tuple(value.strip(b"/").split(b"/")) if value.startswith(b"/") else (*path[:-1], value)
    here: Merged | Inode | None = merge([tree.root for tree in lower])
    for part in target:
        here = here.children.get(part) if isinstance(here, Merged) else None
    stack = here.stack if isinstance(here, Merged) else ()
    parent = upper.lstat(path[:-1])
    if parent is not None and parent.children is not None:
        parent.children[path[-1]] = RedirectedDirectory(node, Merged((node, *stack)))
