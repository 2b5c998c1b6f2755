"""The merge that the kernel's overlayfs makes of layers that were unpacked alone.

Linux fs/overlayfs (namei.c, readdir.c; Documentation/filesystems/overlayfs.rst): for each path component take
layers from the top; a whiteout or anything that is no directory ends the search, directories pile up until an
opaque one; attributes are those of the topmost.  A directory that only one layer has is read raw, so whiteouts in
it show up as names that cannot be stat'ed.  An opaque mark on a layer's root is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagepeel.rootfs.tree.inode import Inode

Listing = Callable[[Inode], Mapping[bytes, Inode]]
"""How the children of one layer's directory are taken: kept for later, or made for one look."""


class Merged:
    """One directory of the merged tree: the stack of layer directories behind it, topmost first."""

    __slots__ = ("_children", "_some", "ino", "stack")

    def __init__(self, stack: Sequence[Inode]) -> None:
        self.stack = tuple(stack)
        self._children: dict[bytes, Merged | Inode] | None = None
        self._some: dict[bytes, Merged | Inode] = {}
        """Children that were asked for by name before anybody wanted all of them."""
        self.ino = 0

    @property
    def top(self) -> Inode:
        """The inode whose attributes the directory has."""
        return self.stack[0]

    @property
    def children(self) -> dict[bytes, Merged | Inode]:
        """Name -> what is there; merged on first use and kept."""
        if self._children is None:
            self._children, self._some = self._read(_kept) | self._some, {}
        return self._children

    def child(self, name: bytes) -> Merged | Inode | None:
        """Return what is under one name, without making what is under the others."""
        if self._children is not None:
            return self._children.get(name)
        known = self._some.get(name)
        if known is None:
            known = self._find(name)
            if known is not None:
                self._some[name] = known
        return known

    def _find(self, name: bytes) -> Merged | Inode | None:
        piled: list[Inode] = []
        for layer in self.stack:
            child = layer.child(name)
            if child is None:
                continue
            if child.kind != "dir":
                if len(self.stack) == 1:
                    return _alone(child)
                return child if not piled and not child.is_whiteout else Merged(piled) if piled else None
            piled.append(child)
            if child.opaque:
                break
        return Merged(piled) if piled else None

    def peek(self) -> dict[bytes, Merged | Inode]:
        """Return the children for one look: merged anew unless somebody keeps them, and not kept."""
        return self._children if self._children is not None else self._read(_fresh) | self._some

    def _read(self, listing: Listing) -> dict[bytes, Merged | Inode]:
        return _merge(self.stack, listing)


class Plain(Merged):
    """A directory of one finished tree (sequential and spec views): what is there is what it says."""

    __slots__ = ()

    def _read(self, listing: Listing) -> dict[bytes, Merged | Inode]:
        children = self.stack[0].children or {}
        return {name: Plain((child,)) if child.kind == "dir" else child for name, child in children.items()}

    def _find(self, name: bytes) -> Merged | Inode | None:
        child = self.stack[0].child(name)
        return Plain((child,)) if child is not None and child.kind == "dir" else child


_GHOST = "ghost"


def _kept(node: Inode) -> Mapping[bytes, Inode]:
    return node.children or {}


def _fresh(node: Inode) -> Mapping[bytes, Inode]:
    return node.peek()


def _alone(child: Inode) -> Inode:
    """What a directory shows that does not merge: the kernel lists its whiteouts, and they cannot be opened."""
    return Inode(_GHOST, child.mode, layer=child.layer, entry=child.entry) if child.is_whiteout else child


def _merge(stack: tuple[Inode, ...], listing: Listing) -> dict[bytes, Merged | Inode]:
    out: dict[bytes, Merged | Inode] = {}
    if len(stack) == 1:
        for name, child in listing(stack[0]).items():
            out[name] = Merged((child,)) if child.kind == "dir" else _alone(child)
        return out
    open_: dict[bytes, list[Inode]] = {}  # directories whose search goes on below
    closed: set[bytes] = set()
    for layer in stack:
        for name, child in listing(layer).items():
            if name in closed:
                continue
            piled = open_.get(name)
            if child.kind != "dir":
                closed.add(name)
                if piled is None and not child.is_whiteout:
                    out[name] = child
                continue
            if piled is None:
                open_[name] = piled = []
            piled.append(child)
            if child.opaque:
                closed.add(name)
    for name, piled in open_.items():
        out[name] = Merged(piled)
    return out


def merge(uppers: Sequence[Inode]) -> Merged:
    """Return the merged root of layers that were unpacked alone, base first.

    The container's own writable layer, still empty, lies on top: that is why the root always merges and why a
    whiteout at the root never shows.
    """
    for upper in uppers:
        upper.opaque = False
    return Merged((Inode("dir"), *reversed(uppers)))
