"""The merge that the kernel's overlayfs makes of layers that were unpacked alone.

Linux fs/overlayfs (namei.c, readdir.c; Documentation/filesystems/overlayfs.rst).  To find a name, the kernel asks the
layers from the top:

- a whiteout, or anything that is no directory, ends the search;
- directories pile up until an opaque one, and the attributes are those of the topmost;
- a directory that only one layer has is read raw, so a whiteout in it shows up as a name that cannot be opened;
- an opaque mark at the root of a layer has no effect, because the kernel asks the children of the roots and never a
  root itself.

How a tar spells whiteouts and opaque marks stands in `formats/tar/whiteouts.py`; here they are a device and an
attribute of an inode.

Theory of operation.  Two questions about a node of one layer are the whole rule where directories merge: `hides_lower`,
what does it do to what lies below, and `is_shown`, does it show under what lies above.  `shown_raw` is the third, for
a directory that only one layer has.  Everything else asks them:

- `pile` looks one name up in listings, `Merged.child` in directories that are read on demand, and `_merge` does all
  names of a directory at once;
- a walk over all layers together (`layer_events`, `unreachable`) holds for each directory its *cuts*, the layers that
  hide what lower layers have in it: `cuts_below` makes them and `cut_between` reads them.  For example, layers 0 and 2
  have `d/f`, and layer 1 has an opaque mark in `d`: the cuts of `d` are [1], so layer 1 takes the `d/f` of 0 away;
- the life of one path (`provenance`) asks each layer what it does to the path and to the directories above it.

Whoever wants a tree as it was below a layer merges fewer layers (`Rootfs.below`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from imagepeel.rootfs.tree.inode import MANY, Inode

PART = 10_000
"""Names that are made together, about."""
_DRAWN = 16
"""Names that are drawn for each part, so that parts are alike in size."""

Listing = Callable[[Inode], Mapping[bytes, Inode]]
"""How the children of one layer's directory are taken: kept for later, or made for one look."""

Pile = tuple[tuple[int, Inode], ...]
"""What a path is in a stack of layers, as (layer, inode) from the top: () for nothing, one inode that is no directory,
or the directories that merge."""


def hides_lower(node: Inode) -> bool:
    """Say whether a layer's node hides all that lower layers have at its path and below it.

    Everything does, a whiteout too, but a directory without an opaque mark: it shows, and merges with lower ones.
    """
    return node.kind != "dir" or node.opaque


def is_shown(node: Inode, piled: bool) -> bool:
    """Say whether a layer's node shows where no higher layer hides it.

    `piled`: higher layers have directories at the path; only a directory merges with them.  A whiteout never shows.
    """
    kind = node.kind
    return kind == "dir" or (not piled and (kind != "char" or not node.is_whiteout))


def cuts_below(versions: Sequence[tuple[int, Inode]], cuts: list[int]) -> list[int]:
    """Return the cuts of a directory: the layers, ascending, that hide what lower layers have in it.

    `versions` are what the layers have at its path, as (layer, node) from the base, at least one of them a directory;
    `cuts` are those of the directory above.  They count from the first layer on that has the directory.
    """
    own = [layer for layer, node in versions if hides_lower(node)]
    first = next(layer for layer, node in versions if node.kind == "dir")
    since = cuts[bisect_right(cuts, first) :]
    return sorted({*own, *since}) if own else since


def cut_between(cuts: list[int], layer: int, upper: int | None = None, *, brings: bool = False) -> int | None:
    """Return the layer that takes away what `layer` has in a directory with these cuts, None when it stays.

    `upper`: only layers up to this one count.  `brings`: that layer has the path itself; where it also hides the
    directory, it replaces the path and does not take it away.
    """
    at = bisect_right(cuts, layer)
    if at == len(cuts):
        return None
    cut = cuts[at]
    return cut if upper is None or cut < upper or (cut == upper and not brings) else None


def pile(listings: Sequence[tuple[int, Mapping[bytes, Inode]]], name: bytes) -> Pile:
    """Return what a name is in a stack of directories, given as (layer, children) from the top."""
    piled: list[tuple[int, Inode]] = []
    for layer, children in listings:
        child = children.get(name)
        if child is None:
            continue
        if hides_lower(child):
            if is_shown(child, bool(piled)):
                piled.append((layer, child))
            break
        piled.append((layer, child))
    return tuple(piled)


def shown_raw(child: Inode) -> Inode:
    """Return what a directory that one layer alone has shows of a child: overlayfs reads it raw.

    A whiteout in it becomes a ghost, a name that is listed and cannot be opened; all else is what it is.
    """
    return Inode("ghost", child.mode, layer=child.layer, entry=child.entry) if child.is_whiteout else child


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
        # As `pile`, without making the other children of a directory.
        piled: list[Inode] = []
        for layer in self.stack:
            child = layer.child(name)
            if child is None:
                continue
            if hides_lower(child):
                if is_shown(child, bool(piled)):
                    piled.append(child)
                break
            piled.append(child)
        return _merged(piled) if piled else None

    def peek(self) -> dict[bytes, Merged | Inode]:
        """Return the children for a walk.

        If nobody has asked for `children` yet, they are merged for this call and not kept.  A walk over the whole tree
        then needs memory for one directory.
        """
        if self._children is not None:
            return self._children
        return self._read(_fresh if len(self.stack) == 1 else _one_by_one) | self._some

    def peek_some(self, wanted: Callable[[bytes], object]) -> dict[bytes, Merged | Inode]:
        """As `peek`; where one layer alone has the directory, without what is no directory and not `wanted`."""
        if self._children is not None or self._some or len(self.stack) > 1:
            return self.peek()
        return self._read(lambda node: node.peek_some(wanted))

    def in_order(self, wanted: Callable[[bytes], object] | None = None) -> Iterator[tuple[bytes, Merged | Inode]]:
        """Yield the children by name, in the order of bytes, for a walk; what `peek_some` leaves out may be left out.

        Of very many, those next to each other are made together, so that memory stays flat.
        """
        for part in self._parts(wanted):
            yield from sorted(part.items())

    def _parts(self, wanted: Callable[[bytes], object] | None) -> Iterator[dict[bytes, Merged | Inode]]:
        count = 0 if self._children is not None else sum(node.unmade for node in self.stack)
        if count < MANY:
            yield self.peek() if wanted is None else self.peek_some(wanted)
            return
        # What hides lower layers counts too, also where nobody wants to see it.
        wanted = wanted if len(self.stack) == 1 else None
        drawn = sorted(name for node in self.stack for name in node.some_names(_DRAWN * count // PART))
        bounds = drawn[_DRAWN::_DRAWN]
        for parts in zip(*(node.split(bounds, wanted) for node in self.stack), strict=True):
            made = dict(zip(self.stack, parts, strict=True))
            merged = _merge(self.stack, made.__getitem__)
            yield merged | {name: child for name, child in self._some.items() if name in merged}

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


def _one_by_one(node: Inode) -> Mapping[bytes, Inode]:
    return node.one_by_one()


def _alone(child: Inode) -> Merged | Inode:
    """Return what a directory that one layer alone has shows of a child."""
    return Merged((child,)) if child.kind == "dir" else shown_raw(child)


def _merge(stack: tuple[Inode, ...], listing: Listing) -> dict[bytes, Merged | Inode]:
    """Return what `pile` says of every name at once, looking at each layer's directory only once."""
    if len(stack) == 1:
        return {
            name: child if child.kind == "file" else _alone(child)  # most are files, and this is a call less
            for name, child in listing(stack[0]).items()
        }
    out: dict[bytes, Merged | Inode] = {}
    piles: dict[bytes, list[Inode]] = {}
    closed: set[bytes] = set()
    for layer in stack:
        for name, child in listing(layer).items():
            if name in closed:
                continue
            piled = piles.get(name)
            if hides_lower(child):
                closed.add(name)
                if child.kind != "dir":
                    if is_shown(child, piled is not None):
                        out[name] = child
                    continue
            if piled is None:
                piles[name] = [child]
            else:
                piled.append(child)
    for name, piled in piles.items():
        out[name] = Merged(piled)
    return out


def _merged(piled: list[Inode]) -> Merged | Inode:
    return Merged(piled) if piled[0].kind == "dir" else piled[0]


def merge(uppers: Sequence[Inode]) -> Merged:
    """Return the merged root of layers that were unpacked alone, base first.

    The container's own writable layer, still empty, lies on top.  So the root always merges, and a whiteout at the root
    never shows.
    """
    return Merged((Inode("dir"), *reversed(uppers)))
