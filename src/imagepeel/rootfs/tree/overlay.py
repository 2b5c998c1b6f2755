"""The merge that the kernel's overlayfs makes of layers that were unpacked alone.

Linux fs/overlayfs (namei.c, readdir.c; Documentation/filesystems/overlayfs.rst).  To find a name, the kernel asks the
layers from the top:

- a whiteout, or anything that is no directory, ends the search;
- directories pile up until an opaque one, and the attributes are those of the topmost;
- a directory that only one layer has is read raw, so a whiteout in it shows up as a name that cannot be opened;
- an opaque mark at the root of a layer has no effect, because the kernel asks the children of the roots and never a
  root itself.

`pile` is this rule for one name, `Merged` the tree that it makes.  How a tar spells whiteouts and opaque marks stands
in `formats/tar/whiteouts.py`; here they are a device and an attribute of an inode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagepeel.rootfs.tree.inode import Inode

Listing = Callable[[Inode], Mapping[bytes, Inode]]
"""How the children of one layer's directory are taken: kept for later, or made for one look."""

Pile = tuple[tuple[int, Inode], ...]
"""What a path is in a stack of layers, as (layer, inode) from the top: () for nothing, one inode that is no directory,
or the directories that merge."""


def pile(listings: Sequence[tuple[int, Mapping[bytes, Inode]]], name: bytes) -> Pile:
    """Return what a name is in a stack of directories, given as (layer, children) from the top."""
    piled: list[tuple[int, Inode]] = []
    for layer, children in listings:
        child = children.get(name)
        if child is None:
            continue
        if child.kind != "dir":
            if not piled and not child.is_whiteout:
                piled.append((layer, child))
            break
        piled.append((layer, child))
        if child.opaque:
            break
    return tuple(piled)


def ghost(whiteout: Inode) -> Inode:
    """Return what a directory that does not merge shows of a whiteout: a name that is listed and cannot be opened."""
    return Inode("ghost", whiteout.mode, layer=whiteout.layer, entry=whiteout.entry)


class Merged:
    """One directory of the merged tree: the stack of layer directories behind it, topmost first."""

    __slots__ = ("_children", "_some", "ino", "stack")

    def __init__(self, stack: Sequence[Inode]) -> None:
        self.stack: tuple[Inode, ...] = tuple(stack)
        self._children: dict[bytes, Merged | Inode] | None = None
        self._some: dict[bytes, Merged | Inode] = {}
        """Children that were asked for by name before anybody wanted all of them."""
        self.ino: int = 0

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
        if len(self.stack) == 1:
            child = self.stack[0].child(name)
            return _alone(child) if child is not None else None
        # The rule of `pile`, without making the other children of a directory.
        piled: list[Inode] = []
        for layer in self.stack:
            child = layer.child(name)
            if child is None:
                continue
            if child.kind != "dir":
                return child if not piled and not child.is_whiteout else Merged(piled) if piled else None
            piled.append(child)
            if child.opaque:
                break
        return Merged(piled) if piled else None

    def peek(self) -> dict[bytes, Merged | Inode]:
        """Return the children for a walk.

        If nobody has asked for `children` yet, they are merged for this call and not kept.  A walk over the whole tree
        then needs memory for one directory.
        """
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


def _kept(node: Inode) -> Mapping[bytes, Inode]:
    return node.children or {}


def _fresh(node: Inode) -> Mapping[bytes, Inode]:
    return node.peek()


def _alone(child: Inode) -> Merged | Inode:
    """Return what a directory that one layer alone has shows of a child."""
    if child.kind == "dir":
        return Merged((child,))
    return ghost(child) if child.is_whiteout else child


def _merge(stack: tuple[Inode, ...], listing: Listing) -> dict[bytes, Merged | Inode]:
    """Return what `pile` says of every name at once, looking at each layer's directory only once."""
    if len(stack) == 1:
        return {name: _alone(child) for name, child in listing(stack[0]).items()}
    out: dict[bytes, Merged | Inode] = {}
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

    The container's own writable layer, still empty, lies on top.  So the root always merges, and a whiteout at the root
    never shows.
    """
    return Merged((Inode("dir"), *reversed(uppers)))
