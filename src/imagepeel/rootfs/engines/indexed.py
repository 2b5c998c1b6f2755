"""The unpacked tree of one layer, read from the columns of its table wherever somebody looks.

Theory of operation.  An extractor plays the entries of a layer one after the other, because in general their order
decides what comes out.  Nearly every real layer is *regular*, and then it does not:

- no path comes twice, and nothing stands below a path that is a link or a file;
- an entry for the root, if any, is a directory;
- no whiteout names what the same layer brings;
- a hardlink points at an earlier member of the same layer;
- no name climbs over the root, is too long, or belongs to a type that engines refuse.

The tree of such a layer is a plain grouping of its entries by directory, and the table is already close to that: every
entry carries the number of its directory (`EntryTable.dir_ids`).  `DirectoryRuns` sorts the runs of equal numbers once.
`indexed_upper` has the conditions checked (`regular`) and returns None for every other layer, which an extractor then
plays.  An `IndexedDirectory` makes a child when it is asked for it, and keeps nothing that was made for one look
(`peek`); so a walk over a million files needs memory for one directory, and of a large one for a part (`split`).

Three numbers stand for entries.  In a listing, a name maps to i >= 0 for entry i, to ~i for the whiteout at entry i
(~i is -i - 1, so it is negative for every i), and to IMPLIED for a directory that only the paths of entries imply.  Of
the entries 4 `d/a`, 5 `d/.wh.b` and 6 `d/c/x`, the listing of `d` is {a: 4, b: -6, c: IMPLIED}.

A property test and all conformance cases hold this module and the play-through equal.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from imagepeel.formats.tar.table import WHITEOUT, Entry
from imagepeel.formats.tar.whiteouts import OPAQUE, PREFIX, hidden_path
from imagepeel.layers.names import LayerNames
from imagepeel.rootfs.engines.directory_runs import TooMany, find
from imagepeel.rootfs.engines.regular import IndexedLayer, is_regular
from imagepeel.rootfs.engines.subtrees import Subtrees
from imagepeel.rootfs.tree.changes import LayerEntries
from imagepeel.rootfs.tree.inode import MANY, Errno, Inode, Tree, draw
from imagepeel.rootfs.tree.metadata import apply_metadata
from imagepeel.rootfs.tree.name_pattern import NamePattern

_LOOKS = 1_000
"""Finds in the names of a large directory until they are listed."""
IMPLIED = -(1 << 40)
"""In a listing: a directory that no entry describes.  It is below ~i for every entry i."""


class IndexedDirectory(Inode):
    """A directory whose children are made from the columns on first use."""

    __slots__ = ("_listing", "_looks", "_made", "_some", "indexed", "path")

    def __init__(self, indexed: IndexedLayer, path: bytes, entry: int | None, *, bare: bool = False) -> None:
        super().__init__("dir", layer=indexed.index if entry is not None else None, entry=entry, implied=entry is None)
        self.indexed: IndexedLayer = indexed
        self.path: bytes = path
        self._made: dict[bytes, Inode] | None = None
        self._listing: dict[bytes, int] | None = None
        self._looks: int = _LOOKS
        self._some: dict[bytes, Inode] = {}
        """Children that were asked for by name before anybody wanted all of them."""
        self.opaque: bool = path in indexed.opaque_dirs
        if bare:
            return
        if entry is not None:
            self.ino: int = indexed.first_ino + entry
            apply_metadata(self, Entry(indexed.table, entry))
        elif path:
            self._inherit()

    def _inherit(self) -> None:
        """Take the attributes that containerd copies to an implied directory from the layers below."""
        parts = tuple(self.path.split(b"/"))
        for lower in self.indexed.parents:
            try:
                like = lower.lstat(lower.resolve(parts))
            except Errno:
                continue
            if like is not None:
                if like.kind == "dir":
                    self.mode: int = like.mode
                    self.uid: int = like.uid
                    self.gid: int = like.gid
                    self.xattrs: Mapping[bytes, bytes] = like.xattrs
                    self.layer: int | None = like.layer
                    self.entry: int | None = like.entry
                    if not self._filled():
                        self.mtime: tuple[int, int] | None = like.mtime
                return

    def _filled(self) -> bool:
        """Whether anything is created inside, which moves the time of an implied directory to "now"."""
        indexed = self.indexed
        if self.path in indexed.implied_dirs:
            return True
        directory = indexed.id_of_dir.get(self.path)
        return directory is not None and any(indexed.runs.name(i) != OPAQUE for i in indexed.runs.indexes(directory))

    @property
    def children(self) -> dict[bytes, Inode]:
        if self._made is None:
            self._made = self.make() | self._some
            self._listing, self._some = None, {}
        return self._made

    @children.setter
    def children(self, value: dict[bytes, Inode] | None) -> None:
        """Accept what Inode.__init__ assigns; the real children are made on demand."""

    @property
    def touched(self) -> bool:
        """Whether its children were made and kept, so that something may have changed them."""
        return self._made is not None

    @property
    def shows_whiteouts(self) -> bool:
        """Whether the layer has what overlayfs shows as a name that cannot be opened, where no other layer is below."""
        return self.indexed.has_whiteouts or self.indexed.has_device_whiteouts

    def peek(self) -> dict[bytes, Inode]:
        return self._made if self._made is not None else self.make() | self._some

    def one_by_one(self) -> Mapping[bytes, Inode]:
        return self._made if self._made is not None else OneByOne(self, self._some)

    def peek_some(self, wanted: Callable[[bytes], object]) -> Mapping[bytes, Inode]:
        if self._made is not None or self._some:
            return super().peek_some(wanted)
        if not isinstance(wanted, NamePattern) or self.indexed.has_whiteouts:
            return self._make(self.listing(), wanted)
        chosen, on_the_way = self.indexed.chosen(wanted)
        made = {name: self.node(name, IMPLIED) for name in self.indexed.implied_dirs.get(self.path, ()) if wanted(name)}
        name_of, metas, is_dir = self.indexed.runs.name, self.indexed.table.meta_ids, self.indexed.is_dir
        for run in self._runs():
            first = bisect_left(chosen, run.start)
            for i in chosen[first : bisect_left(chosen, run.stop, first)]:
                name = name_of(i)
                if name:  # without one it is the root's own entry
                    made[name] = self.node(name, i) if is_dir[metas[i]] else self.indexed.found(i)
        for name in on_the_way.get(self.path, ()):
            if name not in made:
                made[name] = self.node(name, IMPLIED, bare=True)
        return made

    def listing(self) -> dict[bytes, int]:
        """Return the names that the directory has or whites out, without making a node; `node` makes the node of one.

        A name maps to its entry i >= 0, to ~i when entry i is its whiteout, or to IMPLIED.  In a directory with entry 4
        `a`, entry 5 `.wh.b` and a `c` that only paths imply, the listing is {a: 4, b: ~5 = -6, c: IMPLIED}.
        Nobody changes it: it may be the one that the directory keeps.
        """
        if self._listing is not None:
            return self._listing
        indexed = self.indexed
        directory = indexed.id_of_dir.get(self.path)
        if indexed.has_whiteouts:
            out = dict(self._named(chain.from_iterable(self._runs())))
        else:
            out = indexed.runs.entries_in(directory) if directory is not None else {}
            out.pop(b"", None)  # the root's own entry
        for name in indexed.implied_dirs.get(self.path, ()):
            out[name] = IMPLIED
        return out

    @property
    def unmade(self) -> int:
        return 0 if self._made is not None else sum(map(len, self._runs()))

    def some_names(self, count: int) -> list[bytes]:
        if self._made is not None:
            return super().some_names(count)
        found = [i for run in self._runs() for i in draw(run, count)]
        return [name for name, _ in self._named(draw(found, count))]

    def split(
        self, bounds: Sequence[bytes], wanted: Callable[[bytes], object] | None
    ) -> Iterator[Mapping[bytes, Inode]]:
        if self._made is not None:
            yield from super().split(bounds, wanted)
            return
        # A number of 8 bytes stands for each name until its part is made.
        parts = [array("q") for _ in range(len(bounds) + 1)]
        for name, i in self._named(chain.from_iterable(self._runs())):
            parts[bisect_right(bounds, name)].append(i)
        implied = sorted(self.indexed.implied_dirs.get(self.path, ()))
        edges = [0, *(bisect_left(implied, bound) for bound in bounds), len(implied)]
        for part, (start, stop) in zip(parts, pairwise(edges), strict=True):
            listing = dict(self._named(max(i, ~i) for i in part)) | dict.fromkeys(implied[start:stop], IMPLIED)
            made = self._make(listing, wanted)
            yield made | {name: child for name, child in self._some.items() if name in made}

    def _runs(self) -> list[range]:
        directory = self.indexed.id_of_dir.get(self.path)
        return self.indexed.runs.of(directory) if directory is not None else []

    def _named(self, entries: Iterable[int]) -> Iterator[tuple[bytes, int]]:
        """Yield what `listing` has of entries in this directory."""
        name_of, has_whiteouts = self.indexed.runs.name, self.indexed.has_whiteouts
        for i in entries:
            name = name_of(i)
            if has_whiteouts and name.startswith(PREFIX):
                if name != OPAQUE:
                    yield hidden_path(name), ~i
            elif name:  # without one it is the root's own entry
                yield name, i

    def child(self, name: bytes) -> Inode | None:
        """Return the child of one name without making the others; None without one."""
        if self._made is not None:
            return self._made.get(name)
        known = self._some.get(name)
        if known is not None:
            return known
        i = self._place(name)
        if i is None:
            return None
        child = self._some[name] = self.node(name, i)
        return child

    def _place(self, name: bytes) -> int | None:
        """Return what the listing has of one name; of a large directory the first few names need no listing."""
        if self._listing is None and self._looks > 0:
            runs = self._runs()
            if sum(map(len, runs)) >= MANY:
                try:
                    return self._search(runs, name)
                except TooMany:
                    self._looks = 0
        if self._listing is None:
            self._listing = self.listing()
        return self._listing.get(name)

    def _search(self, runs: list[range], name: bytes) -> int | None:
        if name in self.indexed.implied_dirs.get(self.path, ()):
            return IMPLIED
        marked = PREFIX + name if self.indexed.has_whiteouts else b""
        for wanted in (b"" if marked and name.startswith(PREFIX) else name, b"" if marked == OPAQUE else marked):
            for run in runs if wanted else ():
                self._looks -= 1
                i = find(self.indexed.table, run, wanted, self._looks)
                if i is not None:
                    return ~i if wanted is marked else i
        return None

    def node(self, name: bytes, i: int, *, bare: bool = False) -> Inode:
        """Return a new node for one name of `listing`; a `bare` directory has no attributes, only children."""
        indexed = self.indexed
        if i < 0 and i != IMPLIED:
            return Inode("char", 0, device=(0, 0), layer=indexed.index, entry=~i)
        if i != IMPLIED and not indexed.is_dir[indexed.table.meta_ids[i]]:
            return indexed.inode(i)
        path = self.path + b"/" + name if self.path else name
        return IndexedDirectory(indexed, path, None if i == IMPLIED else i, bare=bare)

    def below(self) -> Iterable[int]:
        """Return the entry of each path below, -1 for a directory without one; `Below` where the layer hides nothing.

        No node is made.  Whiteouts, and devices that overlayfs takes for one, are left out.
        """
        indexed = self.indexed
        if self.shows_whiteouts:
            return self._below()
        if indexed.subtrees is None:
            indexed.subtrees = Subtrees(indexed.runs, indexed.implied_dirs, indexed.root_entry)
        return indexed.subtrees.below(self.path, indexed.id_of_dir.get(self.path))

    def _below(self) -> Iterator[int]:
        indexed = self.indexed
        table = indexed.table
        metas, flags = table.meta_ids, table.flag_bits
        is_device_whiteout = indexed.is_device_whiteout
        stack = [self.path]
        while stack:
            path = stack.pop()
            prefix = path + b"/" if path else b""
            number = indexed.id_of_dir.get(path)
            for i in indexed.runs.indexes(number) if number is not None else ():
                meta = metas[i]
                if indexed.is_dir[meta]:
                    name = indexed.runs.name(i)
                    if not name:
                        continue  # the root's own entry
                    stack.append(prefix + name)
                elif flags[i] & WHITEOUT or is_device_whiteout[meta]:
                    continue
                yield i
            for name in indexed.implied_dirs.get(path, ()):
                stack.append(prefix + name)
                yield -1

    def make(self) -> dict[bytes, Inode]:
        """Return the children without keeping them."""
        return self._make(self.listing(), None)

    def _make(self, listing: Mapping[bytes, int], wanted: Callable[[bytes], object] | None) -> dict[bytes, Inode]:
        """Return the nodes of a listing; of names that are not `wanted`, the directories alone."""
        node, is_dir, metas = self.node, self.indexed.is_dir, self.indexed.table.meta_ids
        return {
            name: node(name, i)
            for name, i in listing.items()
            if wanted is None or i == IMPLIED or (i >= 0 and is_dir[metas[i]]) or wanted(name)
        }


class OneByOne(Mapping[bytes, Inode]):
    """The children of a directory, of which none is kept but those that were: each look makes the node anew."""

    def __init__(self, directory: IndexedDirectory, kept: Mapping[bytes, Inode]) -> None:
        self._directory = directory
        self._kept = kept
        self._listing = directory.listing()

    @property
    def indexed(self) -> IndexedLayer:
        """The layer that the directory is of."""
        return self._directory.indexed

    def members(self) -> Iterator[tuple[bytes, int]]:
        """Yield name and entry of each child that the columns tell all about: no directory, no whiteout, none kept.

        Names of hardlinked files are left out: which of them comes first may matter.
        """
        indexed = self.indexed
        metas, is_dir, is_device_whiteout = indexed.table.meta_ids, indexed.is_dir, indexed.is_device_whiteout
        links, last_link, kept = indexed.links, indexed.last_link, self._kept
        for name, i in self._listing.items():
            if i < 0 or is_dir[metas[i]] or is_device_whiteout[metas[i]]:
                continue
            if i not in links and i not in last_link and name not in kept:
                yield name, i

    def __getitem__(self, name: bytes) -> Inode:
        return self._kept.get(name) or self._directory.node(name, self._listing[name])

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._listing)

    def __len__(self) -> int:
        return len(self._listing)


def indexed_upper(layer: LayerEntries, parents: Sequence[Tree], first_ino: int = 1) -> Tree | None:
    """Return the unpacked tree of a regular layer, or None when the order of its entries matters.

    `first_ino` is the inode number of its first entry; the next layer's starts behind the last one.
    """
    return RegularLayers().upper(layer, parents, first_ino)


class RegularLayers:
    """The columns of an image's regular layers: read once for all views."""

    def __init__(self, looked: LayerNames | None = None) -> None:
        self._looked = looked or LayerNames()
        self._known: dict[tuple[int, bool], IndexedLayer | None] = {}
        self._kin: dict[tuple[int, ...], dict[Any, Any]] = {}

    def upper(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> Tree | None:
        """Return a tree of its own of one layer; see `indexed_upper`.  `parents` may be () or all lower layers."""
        if layer.error is not None:
            return None
        indexed = self._indexed(layer, (), first_ino)
        if indexed is not None and parents and indexed.implied_dirs:
            indexed = self._indexed(layer, parents, first_ino)
        return Tree(IndexedDirectory(indexed, b"", None)) if indexed is not None else None

    def _indexed(self, layer: LayerEntries, parents: Sequence[Tree], first_ino: int) -> IndexedLayer | None:
        key = (layer.index, bool(parents))
        if key not in self._known:
            indexed = IndexedLayer(layer, parents, first_ino)
            self._known[key] = indexed if is_regular(indexed, self._looked) else None
        return self._known[key]

    def kin(self, uppers: Sequence[Tree]) -> dict[Any, Any]:
        """Return the place for what all filesystems with these very files find out about them.

        They may differ in what is known of directories that no entry describes, `/` among them.  A layer that was
        played has no such kin.
        """
        roots = [upper.root for upper in uppers if isinstance(upper.root, IndexedDirectory)]
        columns = tuple(id(self._known[root.indexed.index, False]) for root in roots)
        return self._kin.setdefault(columns, {}) if len(roots) == len(uppers) else {}
