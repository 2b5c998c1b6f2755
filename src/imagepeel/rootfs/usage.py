"""Where the bytes of a filesystem are: by directory, by layer, the largest files, in one walk.

Bytes are those that the layers' tars store: a hardlinked file counts once, under the first of its names in walk order;
holes of a sparse file count only in `logical`.  Directories, links and devices have no content and count no bytes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import Name
from imagepeel.formats.tar.header import DIRECTORY
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.engines.subtrees import Below
from imagepeel.rootfs.tree.metadata import KIND
from imagepeel.rootfs.tree.overlay import Merged

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode, NodeKind
    from imagepeel.rootfs.view import Rootfs


class DirUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A directory and everything below it.

    stored, logical: bytes of regular files, without and with the holes of sparse files.  own: the stored bytes of
    files directly in it, so that stored = own + the sum of `stored` of its directories.  files: regular files, each
    counted once; links: further names of files counted elsewhere or before; paths: all names below.  depth counts
    from the directory that was asked for, which has 0.
    """

    path: bytes
    depth: int
    stored: int
    logical: int
    own: int
    files: int
    links: int
    paths: int


class FileUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One regular file, under the name that it was counted at; `layer` and `entry` say whose bytes they are."""

    path: bytes
    stored: int
    logical: int
    links: int
    layer: int | None
    entry: int | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one walk.

    directories: in walk order, to the depth that was asked for, `total` (the top itself) not among them.  by_layer:
    stored bytes by the 0-based layer that they come from, which add up to `total.stored`.  largest: by stored bytes,
    descending, then by path.
    """

    top: bytes
    total: DirUsage
    directories: tuple[DirUsage, ...]
    by_layer: dict[int, int]
    largest: tuple[FileUsage, ...]


class _Sums:
    """The sums of `DirUsage` of one directory while they are counted."""

    __slots__ = ("files", "links", "logical", "own", "paths", "stored")

    def __init__(self) -> None:
        self.files = self.links = self.logical = self.own = self.paths = self.stored = 0

    def add(self, below: _Sums) -> None:
        """Add what a directory in this one sums up to."""
        self.files += below.files
        self.links += below.links
        self.logical += below.logical
        self.paths += below.paths
        self.stored += below.stored

    def done(self, path: bytes, depth: int) -> DirUsage:
        sums = {name: getattr(self, name) for name in self.__slots__}
        return DirUsage(path=path, depth=depth, **sums)


def stored_size(rootfs: Rootfs, node: Inode) -> int:
    """Return the bytes of content that the layer's tar really has for a file."""
    if node.layer is None or node.entry is None:
        return node.size
    table = rootfs.layers[node.layer].table
    return table[node.entry].stored_size if node.entry in table.extras else node.size


def usage(rootfs: Rootfs, top: Name = b"/", *, depth: int | None = 1, largest: int = 10) -> Usage:
    """Sum up what lies at `top` and below it.

    `depth` is how many levels of directories to tell apart (None: all); `largest` how many files to name.
    NotFound when `top` does not exist.
    """
    walk = rootfs.walk(top)
    base, node = next(walk)
    order: list[tuple[bytes, int, _Sums]] = [(base, 0, _Sums())]
    # The directories from the top to the present one, each with the prefix that paths below it have.
    open_: list[tuple[bytes, _Sums]] = [(base if base.endswith(b"/") else base + b"/", order[0][2])]
    # One byte a member: a name of what was counted already is a hardlink, or the target of an overlayfs redirect.
    seen = [bytearray(len(layer.table)) for layer in rootfs.layers]
    by_layer: dict[int, int] = {}
    heap: list[tuple[int, _Reversed, FileUsage]] = []

    def close() -> None:
        row = open_.pop()[1]
        open_[-1][1].add(row)

    def count(path: bytes, node: Inode, row: _Sums) -> None:
        if node.layer is not None and node.entry is not None:
            if seen[node.layer][node.entry]:
                row.links += 1
                return
            seen[node.layer][node.entry] = 1
        stored = stored_size(rootfs, node)
        row.files += 1
        row.stored += stored
        row.logical += node.size
        row.own += stored
        if node.layer is not None:
            by_layer[node.layer] = by_layer.get(node.layer, 0) + stored
        if largest and (
            len(heap) < largest or stored > heap[0][0] or (stored == heap[0][0] and path < heap[0][1].path)
        ):
            found = FileUsage(
                path=path, stored=stored, logical=node.size, links=node.nlink, layer=node.layer, entry=node.entry
            )
            (heapq.heappush if len(heap) < largest else heapq.heapreplace)(heap, (stored, _Reversed(path), found))

    if node.kind == "file":
        count(base, node, order[0][2])
    for path, node in walk:
        while not path.startswith(open_[-1][0]):
            close()
        row = open_[-1][1]
        row.paths += 1
        if node.kind == "dir":
            mine = _Sums()
            level = len(open_)
            if depth is None or level <= depth:
                order.append((path, level, mine))
            open_.append((path + b"/", mine))
        elif node.kind == "file":
            count(path, node, row)
    while len(open_) > 1:
        close()
    rows = [row.done(path, level) for path, level, row in order]
    found = sorted((item for _, _, item in heap), key=lambda item: (-item.stored, item.path))
    return Usage(
        top=base,
        total=rows[0],
        directories=tuple(rows[1:]),
        by_layer=dict(sorted(by_layer.items())),
        largest=tuple(found),
    )


class _Reversed:
    """Orders paths backwards, so that of equal sizes the heap gives up the last name first."""

    __slots__ = ("path",)

    def __init__(self, path: bytes) -> None:
        self.path = path

    def __lt__(self, other: _Reversed) -> bool:
        return self.path > other.path


def kinds(rootfs: Rootfs) -> Counter[NodeKind]:
    """Count the paths of a filesystem by kind, the root among them.

    What lies below a directory of one layer alone is counted from the columns, without making a node.
    """
    count: Counter[NodeKind] = Counter()
    types_of: dict[int, list[bytes]] = {}
    stack = [rootfs.root]
    while stack:
        here = stack.pop()
        count["dir"] += 1
        packed = here.stack[0] if len(here.stack) == 1 else None
        if isinstance(packed, IndexedDirectory) and not packed.touched and not packed.shows_whiteouts:
            indexed = packed.indexed
            table, links = indexed.table, indexed.links
            below = packed.below()
            types = types_of.get(indexed.index)
            if types is None:
                types = types_of[indexed.index] = list(table.types())
            found: Counter[bytes] = Counter()
            if isinstance(below, Below) and not links:
                found[DIRECTORY] = below.implied
                for run in below.ranges():
                    found.update(table.types_in(run, types))
            else:
                found.update(types[table.meta_ids[links.get(i, i)]] if i >= 0 else DIRECTORY for i in below)
            for kind, number in found.items():
                count[KIND[kind]] += number
            continue
        for _, child in here.in_order():
            if isinstance(child, Merged):
                stack.append(child)
            else:
                count[child.kind] += 1
    return count
