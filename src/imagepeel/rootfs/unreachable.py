"""What upper layers take away and what they ship again, in one walk over the directories that layers share.

Most names are a plain file in each layer that has them, or its whiteout: their columns tell everything, and no node
is made.  Directories that one layer alone has are passed over as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

import msgspec

from imagepeel.rootfs.engines.indexed import IMPLIED, IndexedDirectory
from imagepeel.rootfs.engines.regular import IndexedLayer
from imagepeel.rootfs.layer_diff import changed_fields, has_uppers, same_bytes, same_content
from imagepeel.rootfs.layer_events import Event, all_children, events
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.metadata import owner
from imagepeel.rootfs.tree.overlay import cut_between

if TYPE_CHECKING:
    from imagepeel.formats.tar.metas import Meta
    from imagepeel.rootfs.view import Rootfs


class Removed(msgspec.Struct, frozen=True):
    """A regular file that is not empty and of which layer `by` took the last name away."""

    by: int
    layer: int
    entry: int


class RemovedFiles(Sequence[Removed]):
    """Removed files in the order in which they were found; 12 bytes each, since they may be most of an image."""

    def __init__(self) -> None:
        self._numbers = array("I")

    def add(self, by: int, layer: int, entry: int) -> None:
        self._numbers.extend((by, layer, entry))

    def __len__(self) -> int:
        return len(self._numbers) // 3

    @overload
    def __getitem__(self, index: int) -> Removed: ...
    @overload
    def __getitem__(self, index: slice) -> list[Removed]: ...
    def __getitem__(self, index: int | slice) -> Removed | list[Removed]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = 3 * range(len(self))[index]
        return Removed(*self._numbers[at : at + 3])


class Repeat(msgspec.Struct, frozen=True):
    """A file that `layer` ships as `entry` although the tree below it holds the same content.

    `before` and `copied` are layer and entry of that; `fields` the names of the metadata that differ, the time left
    out.
    """

    layer: int
    entry: int
    before: int
    copied: int
    fields: tuple[str, ...]


class Losses(msgspec.Struct, frozen=True):
    """What upper layers remove and repeat; each stored file once.

    `marks` has a byte an entry of each layer, 1 at a whiteout that took something away as far as columns tell, and
    `whiteouts` are (layer, path) of the others.  `buried` is what a directory took the place of: (layer, path, what was
    there).
    """

    removed: RemovedFiles
    repeated: list[Repeat]
    marks: list[bytearray]
    whiteouts: set[tuple[int, bytes]]
    buried: list[tuple[int, bytes, Inode]]

    def took_away(self, layer: int, entry: int, path: bytes) -> bool:
        """Say whether the whiteout `entry` of a layer took away what was at the absolute `path`."""
        return bool(self.marks[layer][entry]) or (layer, path) in self.whiteouts


def losses(rootfs: Rootfs) -> Losses:
    """Return what the upper layers remove and repeat; nothing for a view that keeps no layer trees.

    Linear in the entries of the directories that more than one layer has, and of those that are removed.
    """
    return rootfs.derived(_find_losses)


def _find_losses(rootfs: Rootfs) -> Losses:
    return _Walk(rootfs).run()


class _Column(msgspec.Struct, frozen=True):
    """One layer's part of a directory, and the columns of the layer that tell about it."""

    indexed: IndexedLayer
    listing: dict[bytes, int]
    metas: Sequence[int]
    sizes: Sequence[int]

    @classmethod
    def of(cls, directory: IndexedDirectory) -> _Column:
        table = directory.indexed.table
        return cls(directory.indexed, directory.listing(), table.meta_ids, table.sizes)


class _Walk:
    """One walk over the directories that layers share; `run` returns what it found.

    Where `layer_events.events` would look at the nodes of a directory, `_untold` looks at the columns first.  A name
    that only one layer has, and that no layer hides, is nobody's loss and is left out.  A name that is a plain file or
    a whiteout in every layer is told from the columns (`_tell`).  Nodes are made of the names that are left (`_take`).
    """

    def __init__(self, rootfs: Rootfs) -> None:
        self._rootfs = rootfs
        self._layers = rootfs.layers
        self._lost = Losses(RemovedFiles(), [], [bytearray(len(layer.table)) for layer in rootfs.layers], set(), [])
        self._names: dict[tuple[int, int], tuple[int, int]] = {}
        """How many names a hardlinked file has lost so far, and the highest layer that took one."""
        self._shipped: set[tuple[int, int]] = set()
        self._fields: dict[tuple[int, int, int, int], tuple[str, ...]] = {}
        """What differs between two headers, each given as its layer and the number of its `Meta`."""

    def run(self) -> Losses:
        if has_uppers(self._rootfs) and len(self._layers) > 1:
            for event in events(
                self._rootfs, lambda indexed, entries: None, hidden=self._remove_all, children_of=self._untold
            ):
                if event.before is not None and event.what != "kept":
                    self._take(event, event.before)
        return self._lost

    def _remove(self, by: int, layer: int, entry: int, names: int) -> None:
        if names > 1:
            lost, highest = self._names.get((layer, entry), (0, by))
            by = max(by, highest)
            self._names[layer, entry] = lost + 1, by
            if lost + 1 < names:
                return
        self._lost.removed.add(by, layer, entry)

    def _take(self, event: Event, before: Inode) -> None:
        """Note what an event says of a path whose versions are nodes; `before` is what the layer takes away."""
        layer, path, after = event.layer, event.path, event.after
        if after is None and not event.hidden:
            self._lost.whiteouts.add((layer, path))
        if after is None or after.kind != before.kind:
            if before.kind == "file" and before.size and before.layer is not None and before.entry is not None:
                self._remove(layer, before.layer, before.entry, before.nlink)
            if after is not None and not before.is_dir and after.is_dir:
                self._lost.buried.append((layer, path, before))
        elif before.kind == "file" and after.size == before.size and after.size and after.layer == layer:
            if same_content(before, after, self._layers) is not True:
                return
            assert before.layer is not None and before.entry is not None and after.entry is not None
            # One stored file under several names is shipped once.
            if (layer, after.entry) not in self._shipped:
                self._shipped.add((layer, after.entry))
                fields = tuple(name for name in changed_fields(before, after, self._layers) if name != "mtime")
                self._lost.repeated.append(Repeat(layer, after.entry, before.layer, before.entry, fields))

    def _remove_all(self, indexed: IndexedLayer, entries: Iterable[int], by: int) -> None:
        """Note all files below a directory that one layer alone has and the layer `by` hides."""
        metas, sizes, plain = indexed.table.meta_ids, indexed.table.sizes, indexed.is_regular
        for i in entries:
            if i < 0:
                continue
            origin = indexed.links.get(i, i)
            if plain[metas[origin]] and sizes[origin]:
                self._remove(by, indexed.index, origin, 1 + indexed.link_count.get(origin, 0))

    def _untold(
        self, path: bytes, dirs: list[tuple[int, Inode]], cuts: list[int]
    ) -> Iterator[tuple[int, Mapping[bytes, Inode]]]:
        """Yield the children that only nodes can tell about; what the columns tell of the others is noted here."""
        columns = [_Column.of(directory) for _, directory in dirs if isinstance(directory, IndexedDirectory)]
        if len(columns) < len(dirs):
            yield from all_children(path, dirs, cuts)
            return
        rest = self._tell(_fated(columns, cuts), columns, cuts)
        for (layer, directory), column in zip(dirs, columns, strict=True) if rest else ():
            assert isinstance(directory, IndexedDirectory)
            listing = column.listing
            yield layer, {name: directory.node(name, listing[name], bare=True) for name in rest if name in listing}

    def _tell(self, names: list[bytes], columns: list[_Column], cuts: list[int]) -> list[bytes]:
        """Tell about the names that are nothing but plain files and whiteouts, and return the others."""
        rest: list[bytes] = []
        for name in names:
            versions = _plain_versions(name, columns)
            if versions is None:
                rest.append(name)
            else:
                self._play(versions, cuts)
        return rest

    def _play(self, versions: list[_Version], cuts: list[int]) -> None:
        """Note what happens to a name, layer by layer as `layer_events.events` plays it."""
        removed, fields = self._lost.removed, self._fields
        highest = cuts[-1] if cuts else -1  # above it there is nothing to ask
        old, at, was, header = versions[0]
        for new, i, size, meta in versions[1:]:
            if highest > old.index and was >= 0:
                by = cut_between(cuts, old.index, new.index, brings=size >= 0)
                if by is not None:
                    if was:
                        removed.add(by, old.index, at)
                    was = -1
            if size < 0 <= was:
                self._lost.marks[new.index][~i] = 1
                if was:
                    removed.add(new.index, old.index, at)
            elif size == was > 0 and same_bytes(old.table, at, new.table, i):
                key = (old.index, header, new.index, meta)
                if key not in fields:
                    fields[key] = _changed(old.table.metas[header], new.table.metas[meta])
                self._lost.repeated.append(Repeat(new.index, i, old.index, at, fields[key]))
            old, at, was, header = new, i, size, meta
        if highest > old.index and was > 0 and (by := cut_between(cuts, old.index)) is not None:
            removed.add(by, old.index, at)


def _fated(columns: list[_Column], cuts: list[int]) -> list[bytes]:
    """Return the names that something may have happened to, sorted."""
    every: set[bytes] = set()
    told: set[bytes] = set()
    for column in columns:
        names = column.listing.keys()
        if cuts and column.indexed.index < cuts[-1]:
            # A name of one layer alone has something to tell when a higher layer hides it.
            told.update(names)
        else:
            told.update(name for name in names if name in every)
        every |= names
    return sorted(told)


_Version = tuple[IndexedLayer, int, int, int]
"""What one layer has of a name: (layer, entry, size, number of the header); of a whiteout (layer, ~entry, -1, -1)."""


def _plain_versions(name: bytes, columns: list[_Column]) -> list[_Version] | None:
    """Return what each layer that has the name brings, base first, None unless all are plain files and whiteouts.

    A plain file has one name and a header without extensions, so that size and checksum in the columns tell all.
    """
    out: list[_Version] = []
    for column in columns:
        indexed = column.indexed
        i = column.listing.get(name)
        if i is None:
            continue
        if i == IMPLIED:
            return None
        if i < 0:
            out.append((indexed, i, -1, -1))
            continue
        meta = column.metas[i]
        if not indexed.is_regular[meta] or i in indexed.last_link or i in indexed.extras:
            return None
        out.append((indexed, i, column.sizes[i], meta))
    return out


def _changed(before: Meta, after: Meta) -> tuple[str, ...]:
    """The fields of metadata in which two headers differ."""
    pairs = (
        ("mode", before.mode & 0o7777, after.mode & 0o7777),
        ("uid", owner(before.uid, 0), owner(after.uid, 0)),
        ("gid", owner(before.gid, 0), owner(after.gid, 0)),
    )
    return tuple(name for name, first, second in pairs if first != second)
