"""One walk over all layers at once: what each layer adds, changes and removes, and which shipped bytes are reachable.

Theory of operation.  The walk goes down the directories of all layers together.  For one directory it holds

- `dirs`: what the layers have of it, as (layer, directory), base first;
- `cuts`: the layers, ascending, that hide what lower layers have in it: an opaque mark on it, or a whiteout or a file
  in its place or in the place of a directory above it (`tree/overlay.py` has the rule).

The names in `dirs` are looked at one after the other.  For each name the layers that have it are played from the base
up, with one state: what the layers so far show of the path.  A layer that has the name makes an event; a cut that lies
between two such layers makes one, too, because it hides the state.  For example, layers 0 and 2 have `d/f`, and layer 1
has an opaque mark in `d`, so the cuts of `d` are [1]: `d/f` is added by 0, removed by 1 and added by 2.  Directories of
the name go on the stack, with the cuts that are new for them.

Each directory of each layer is looked at once and let go again, so the sums cost one pass and little memory however
many layers repeat a path.  A directory that one layer alone has is not walked at all: everything below it shares its
fate, so the walk hands it over whole, and the columns of its layer tell the rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Literal, overload

import msgspec

from imagepeel.formats.tar.header import GNU_SPARSE, REGULAR
from imagepeel.formats.tar.table import WHITEOUT
from imagepeel.rootfs.engines.indexed import IndexedDirectory, OneByOne
from imagepeel.rootfs.engines.regular import IndexedLayer
from imagepeel.rootfs.engines.subtrees import Below
from imagepeel.rootfs.layer_diff import changed_fields, has_uppers, need_uppers
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import cut_between, cuts_below

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import Entry
    from imagepeel.rootfs.view import Rootfs


class LayerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer does to the tree below it: numbers of paths, and bytes of regular files (each inode once).

    changed: paths with any difference, and directories whose lower content is hidden; `same`: written again without
    one.  bytes_added, bytes_changed: sizes of files that the layer adds or replaces by other content; bytes_repeated:
    sizes of files that it ships although the layer below has the same content (a chmod or chown copies the file);
    bytes_removed: sizes of files that it takes away, by whiteout, opaque mark or a replaced parent.
    """

    layer: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    bytes_added: int = 0
    bytes_changed: int = 0
    bytes_repeated: int = 0
    bytes_removed: int = 0


class LayerBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file content of one layer went, in bytes that its tar stores (holes of sparse files not counted).

    shipped = visible + shadowed + removed + overwritten.  shadowed: a higher layer has the same path; removed: a
    higher layer takes the path away; overwritten: a later entry of the same layer does either.  A hardlinked file
    counts once and is visible when any of its names is.
    """

    layer: int
    shipped: int
    visible: int
    shadowed: int
    removed: int
    overwritten: int

    @property
    def unreachable(self) -> int:
        """Bytes that every pull carries and no process can see."""
        return self.shipped - self.visible


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of a whole image; `exact` is False where the view keeps no layer trees.

    Then everything unreachable stands under `shadowed`, since nobody can tell how it was lost.
    """

    layers: tuple[LayerBytes, ...]
    exact: bool

    @property
    def shipped(self) -> int:
        return sum(layer.shipped for layer in self.layers)

    @property
    def visible(self) -> int:
        return sum(layer.visible for layer in self.layers)

    @property
    def shadowed(self) -> int:
        return sum(layer.shadowed for layer in self.layers)

    @property
    def removed(self) -> int:
        return sum(layer.removed for layer in self.layers)

    @property
    def overwritten(self) -> int:
        return sum(layer.overwritten for layer in self.layers)

    @property
    def unreachable(self) -> int:
        return self.shipped - self.visible


Happening = Literal["added", "replaced", "removed", "kept"]


class Event(msgspec.Struct, frozen=True):
    """One step in the life of a path, in layer order."""

    what: Happening
    """The layer adds the path, replaces it, or removes it.

    "added": the layers below show nothing at the path.  "replaced": they show something there; a directory that merges
    with theirs counts too.  "removed": the layer takes it away.  "kept": the merged tree shows the path in the end;
    this event comes after all others of the path.
    """
    layer: int
    """Index from 0 of the layer that does it; of "kept" that of the last layer."""
    path: bytes
    """Absolute path, raw bytes."""
    before: Inode | None
    """What the layers below show at the path; None for "added"."""
    after: Inode | None
    """What the path shows after the event; None for "removed"."""
    hidden: bool = False
    """Whether more than this path is hidden.

    Of a replaced directory it says that the layer hides the whole lower content of the directory.  Of a removed path it
    says that the layer hides or removes a directory above the path and has no whiteout of the path itself.
    """


Dirs = list[tuple[int, Inode]]
"""The layers that have one directory, base first: (index of the layer from 0, the directory in that layer)."""

ChildrenOf = Callable[[bytes, Dirs, list[int]], Iterable[tuple[int, Mapping[bytes, Inode]]]]
Visible = Callable[[IndexedLayer, Iterable[int]], None]
Hidden = Callable[[IndexedLayer, Iterable[int], int], None]


def all_children(path: bytes, dirs: Dirs, cuts: list[int]) -> Iterator[tuple[int, Mapping[bytes, Inode]]]:
    """Yield the children of each layer's directory."""
    for layer, directory in dirs:
        yield layer, directory.one_by_one()


class _Piles:
    """Which layers have a name, as a number: names that the same layers have share it, so that a name costs little."""

    def __init__(self) -> None:
        self._cells: list[tuple[int, int]] = []
        """Of each pile the one below it (-1: none) and the place of the layer that comes on top."""
        self._known: dict[tuple[int, int], int] = {}

    def with_layer(self, pile: int, at: int) -> int:
        """Return a pile with one more layer on top."""
        number = self._known.setdefault((pile, at), len(self._cells))
        if number == len(self._cells):
            self._cells.append((pile, at))
        return number

    def layers(self, pile: int) -> list[int]:
        """Return the places of its layers, base first."""
        out: list[int] = []
        while pile >= 0:
            pile, at = self._cells[pile]
            out.append(at)
        return out[::-1]


def events(
    rootfs: Rootfs,
    visible: Visible | None = None,
    *,
    hidden: Hidden | None = None,
    children_of: ChildrenOf = all_children,
) -> Iterator[Event]:
    """Yield every event of every path; the events of one path follow each other, parents come before children.

    `visible(indexed, entries)` is called with entries of paths that one layer alone has and no layer hides, -1 for a
    directory without one; these paths have no events then, since all of them are added by that layer and kept.
    `hidden(indexed, entries, layer)` is called with those of a directory that one layer alone has and the higher
    `layer` hides; they have no events then, since all of them are added by the one and removed by the other.
    `children_of(path, dirs, cuts)` chooses what is looked at in a directory: it returns (layer, children) from the
    base, and a name that it leaves out has no events.
    UsageError when the view keeps no layer trees.
    """
    need_uppers(rootfs)
    last = len(rootfs.uppers) - 1
    stack: list[tuple[bytes, Dirs, list[int]]] = []
    if rootfs.uppers:
        stack.append((b"", [(i, upper.root) for i, upper in enumerate(rootfs.uppers)], []))
    while stack:
        path, dirs, cuts = stack.pop()
        if len(dirs) == 1 and _hand_over(dirs[0], cuts, visible, hidden):
            continue
        listed = list(children_of(path, dirs, cuts))
        piles, by_name = _Piles(), dict[bytes, int]()
        for at, (_, children) in enumerate(listed):
            for name in children:
                by_name[name] = piles.with_layer(by_name.get(name, -1), at)
        if visible is not None and not cuts:
            _hand_over_lone(listed, piles, by_name, visible)
        below = []
        for name, pile in by_name.items():
            full = path + b"/" + name
            versions = [(listed[at][0], listed[at][1][name]) for at in piles.layers(pile)]
            layer, node = versions[0]
            kind = node.kind
            if not cuts and len(versions) == 1 and kind != "char":  # which may be a whiteout; others are simply there
                yield Event("added", layer, full, None, node)
                yield Event("kept", last, full, node, node)
                piled = versions if kind == "dir" else None
            else:
                yield from _life(full, versions, cuts, last)
                piled = [version for version in versions if version[1].kind == "dir"]
            if piled:
                below.append((full, piled, cuts_below(versions, cuts)))
        stack.extend(reversed(below))


def _hand_over(only: tuple[int, Inode], cuts: list[int], visible: Visible | None, hidden: Hidden | None) -> bool:
    """Give a directory that one layer alone has to the function that asked for such; say whether one did."""
    layer, directory = only
    if not isinstance(directory, IndexedDirectory):
        return False
    by = cut_between(cuts, layer)
    if by is None:
        if visible is None:
            return False
        visible(directory.indexed, directory.below())
        return True
    if hidden is None:
        return False
    hidden(directory.indexed, directory.below(), by)
    return True


def _hand_over_lone(
    listed: list[tuple[int, Mapping[bytes, Inode]]], piles: _Piles, by_name: dict[bytes, int], visible: Visible
) -> None:
    """Give the files that one layer alone has to the function that asked for such; their names leave `by_name`."""
    for at, (_, children) in enumerate(listed):
        if isinstance(children, OneByOne):
            pile = piles.with_layer(-1, at)
            lone = {name: i for name, i in children.members() if by_name[name] == pile}
            if lone:
                visible(children.indexed, lone.values())
                for name in lone:
                    del by_name[name]


def _life(path: bytes, versions: Dirs, cuts: list[int], last: int) -> list[Event]:
    """Return the events of one path, of which `versions` are what the layers have, in layer order."""
    out: list[Event] = []
    state: Inode | None = None
    shown = 0  # the layer that has put the state there
    for layer, node in versions:
        cut = state is not None and bool(cuts) and cuts[-1] > shown  # else there is nothing to ask
        by = cut_between(cuts, shown, layer, brings=not node.is_whiteout) if cut else None
        if by is not None:
            out.append(Event("removed", by, path, state, None, True))
            state = None
        if node.is_whiteout:
            if state is not None:
                out.append(Event("removed", layer, path, state, None))
                state = None
            continue
        if state is None:
            out.append(Event("added", layer, path, None, node))
        else:
            merge = node.kind == "dir" == state.kind
            hidden = merge and (node.opaque or (cut and cut_between(cuts, layer - 1, layer) is not None))
            out.append(Event("replaced", layer, path, state, node, hidden))
        state, shown = node, layer
    if state is not None:
        by = cut_between(cuts, shown)
        if by is not None:
            out.append(Event("removed", by, path, state, None, True))
        else:
            out.append(Event("kept", last, path, state, state))
    return out


class _Counts:
    """The fields of `LayerCounts` of one layer while they are counted."""

    __slots__ = (
        "added",
        "bytes_added",
        "bytes_changed",
        "bytes_removed",
        "bytes_repeated",
        "changed",
        "removed",
        "same",
    )

    def __init__(self) -> None:
        self.added = self.changed = self.removed = self.same = 0
        self.bytes_added = self.bytes_changed = self.bytes_repeated = self.bytes_removed = 0

    def done(self, layer: int) -> LayerCounts:
        return LayerCounts(layer=layer, **{name: getattr(self, name) for name in self.__slots__})


Inodes = set[tuple[int, int]]
"""Hardlinked files that were counted, each as (layer, entry that brought its content)."""


def layer_counts(rootfs: Rootfs) -> list[LayerCounts]:
    """Return what each layer adds, changes and removes, base first.  UsageError without layer trees."""
    counts = [_Counts() for _ in rootfs.uppers]
    brought: Inodes = set()
    lost: Inodes = set()

    def add_all(indexed: IndexedLayer, entries: Iterable[int]) -> None:
        paths, size = _count(indexed, entries, brought)
        row = counts[indexed.index]
        row.added += paths
        row.bytes_added += size

    def remove_all(indexed: IndexedLayer, entries: Iterable[int], by: int) -> None:
        known = list(entries)
        add_all(indexed, known)
        paths, size = _count(indexed, known, lost)
        row = counts[by]
        row.removed += paths
        row.bytes_removed += size

    for event in events(rootfs, add_all, hidden=remove_all):
        if event.what == "kept":
            continue
        before, after = event.before, event.after
        row = counts[event.layer]
        if before is None:
            row.added += 1
            if after is not None and after.kind == "file":
                row.bytes_added += count_hardlinked_bytes(after, brought)
        elif after is None:
            row.removed += 1
            if before.kind == "file":
                row.bytes_removed += count_hardlinked_bytes(before, lost)
        else:
            fields = changed_fields(before, after, rootfs.layers)
            if fields or event.hidden:
                row.changed += 1
            elif not after.implied:
                row.same += 1
            if after.kind == "file":
                size = count_hardlinked_bytes(after, brought)
                if "type" in fields or "content" in fields or "content?" in fields:
                    row.bytes_changed += size
                else:
                    row.bytes_repeated += size
            elif before.kind == "file":
                row.bytes_removed += count_hardlinked_bytes(before, lost)
    return [row.done(layer) for layer, row in enumerate(counts)]


def _count(indexed: IndexedLayer, entries: Iterable[int], counted: Inodes) -> tuple[int, int]:
    """Return the number of paths, and the bytes of those files that were not counted before."""
    metas, sizes = indexed.table.meta_ids, indexed.table.sizes
    paths = total = 0
    if isinstance(entries, Below) and not indexed.links:
        for run in entries.ranges():
            paths += len(run)
            total += _file_bytes(sizes[run.start : run.stop], metas[run.start : run.stop], indexed.is_regular)
        return paths + entries.implied, total
    for i in entries:
        paths += 1
        origin = indexed.links.get(i, i)
        if origin < 0 or not indexed.is_regular[metas[origin]]:
            continue
        if origin in indexed.last_link:
            if (indexed.index, origin) in counted:
                continue
            counted.add((indexed.index, origin))
        total += sizes[origin]
    return paths, total


def _file_bytes(sizes: array[int], metas: array[int], regular: Sequence[int]) -> int:
    """Return the sum of the sizes of regular files; `regular` says it of each header."""
    # What is empty is passed over first.
    return sum(compress(filter(None, sizes), map(regular.__getitem__, compress(metas, sizes))))


def count_hardlinked_bytes(node: Inode, counted: Inodes) -> int:
    """Return the size of a file the first time one of its names comes by, 0 later; `counted` remembers."""
    if node.nlink < 2 or node.layer is None or node.entry is None:
        return node.size
    if (node.layer, node.entry) in counted:
        return 0
    counted.add((node.layer, node.entry))
    return node.size


Fate = Literal["overwritten", "removed", "shadowed", "visible"]


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file that a layer ships and the merged tree does not show under any name.

    fate: "shadowed" or "removed", both by layer `by`; "overwritten" inside its own layer, where `by` is that layer.
    size: bytes that the tar stores for it.  path: absolute.
    """

    path: bytes
    layer: int
    entry: int
    size: int
    fate: Fate
    by: int


_OVERWRITTEN, _REMOVED, _SHADOWED, _VISIBLE = 0, 1, 2, 3
"""Fates as one byte an entry.  Of the names of a hardlinked file the one with the highest number decides."""
_FATES: tuple[Fate, ...] = ("overwritten", "removed", "shadowed", "visible")
_IS_LOST = bytes(fate != _VISIBLE for fate in range(256))


class Fates:
    """What became of each entry of each layer: `rootfs.derived(Fates)` is the one of a filesystem.

    of_entries: for each layer a byte an entry, an index in _FATES.  taken_by: for each layer and entry of a lost file
    the layer that took it away, its own where that is not known.
    """

    def __init__(self, rootfs: Rootfs) -> None:
        self.of_entries: list[bytearray] = [bytearray(len(layer.table)) for layer in rootfs.layers]
        self.taken_by: list[array[int]] = [array("I", [layer.index]) * len(layer.table) for layer in rootfs.layers]
        self._tables = [layer.table for layer in rootfs.layers]
        self._paths: dict[tuple[int, int], bytes] = {}
        """Paths of lost files under another name than that of their own entry."""
        for event in events(rootfs, self._keep_all, hidden=self._remove_all):
            what, before = event.what, event.before
            if before is None or before.kind != "file" or before.layer is None or before.entry is None:
                continue
            fate = _VISIBLE if what == "kept" else _SHADOWED if what == "replaced" else _REMOVED
            row = self.of_entries[before.layer]
            if fate > row[before.entry]:
                row[before.entry] = fate
                if fate != _VISIBLE:
                    self._lose(before.layer, before.entry, event.path, event.layer)

    def path(self, layer: int, entry: int) -> bytes:
        """Return the absolute path that a lost file had."""
        return self._paths.get((layer, entry)) or b"/" + self._tables[layer].path(entry)

    def lost(self, layer: int, entry: int) -> Lost:
        """Return what became of a file that the tree does not show."""
        fate, by = _FATES[self.of_entries[layer][entry]], self.taken_by[layer][entry]
        size = self._tables[layer].stored_size(entry)
        return Lost(path=self.path(layer, entry), layer=layer, entry=entry, size=size, fate=fate, by=by)

    def _lose(self, layer: int, entry: int, path: bytes, by: int) -> None:
        self.taken_by[layer][entry] = by
        self._paths.pop((layer, entry), None)
        if path != self.path(layer, entry):
            self._paths[layer, entry] = path

    def _keep_all(self, indexed: IndexedLayer, entries: Iterable[int]) -> None:
        layer, links = indexed.index, indexed.links
        row = self.of_entries[layer]
        if isinstance(entries, Below) and not links:
            for run in entries.ranges():
                row[run.start : run.stop] = bytes([_VISIBLE]) * len(run)
            return
        for i in entries:
            origin = links.get(i, i)
            if origin >= 0:
                row[origin] = _VISIBLE

    def _remove_all(self, indexed: IndexedLayer, entries: Iterable[int], by: int) -> None:
        row, metas = self.of_entries[indexed.index], indexed.table.meta_ids
        for i in entries:
            origin = indexed.links.get(i, i)
            if origin >= 0 and indexed.is_regular[metas[origin]] and row[origin] < _REMOVED:
                row[origin] = _REMOVED
                self._lose(indexed.index, origin, b"/" + indexed.table.path(i), by)


def shipped(rootfs: Rootfs) -> Shipped:
    """Return for each layer how many of its content bytes are visible, shadowed, removed or overwritten.

    The sums are exact: shipped = visible + unreachable, each inode once.  For a view without layer trees see
    `Shipped.exact`.
    """
    exact = has_uppers(rootfs)
    if exact:
        fates = rootfs.derived(Fates).of_entries
    else:
        fates = _seen(rootfs)
    out = []
    for layer, row in zip(rootfs.layers, fates, strict=True):
        table = layer.table
        metas = table.meta_ids
        regular = [kind in (REGULAR, GNU_SPARSE) for kind in table.types()]
        sums = [0, 0, 0, _file_bytes(table.sizes, metas, regular)]
        sums[_VISIBLE] += sum(table.stored_size(i) - table.sizes[i] for i in table.extras if regular[metas[i]])
        for i, fate in _invisible(row):
            if regular[metas[i]]:
                sums[_VISIBLE] -= table.stored_size(i)
                sums[fate] += table.stored_size(i)
        out.append(
            LayerBytes(
                layer=layer.index,
                shipped=sum(sums),
                visible=sums[_VISIBLE],
                shadowed=sums[_SHADOWED],
                removed=sums[_REMOVED],
                overwritten=sums[_OVERWRITTEN],
            )
        )
    return Shipped(layers=tuple(out), exact=exact)


def _invisible(row: bytearray) -> Iterator[tuple[int, int]]:
    """Yield entry and fate of what is not visible: nearly all is, in nearly every layer."""
    lost = row.translate(_IS_LOST)
    at = lost.find(1)
    while at >= 0:
        yield at, row[at]
        at = lost.find(1, at + 1)


def _seen(rootfs: Rootfs) -> list[bytearray]:
    """Return for each layer a byte an entry: whether the tree shows its file; for views without layer trees."""
    fates = [bytearray([_SHADOWED]) * len(layer.table) for layer in rootfs.layers]
    for _, node in rootfs.walk():
        if node.kind == "file" and node.layer is not None and node.entry is not None:
            fates[node.layer][node.entry] = _VISIBLE
    return fates


def unseen_files(rootfs: Rootfs) -> Iterator[tuple[int, Entry]]:
    """Yield (layer, entry) of each regular file that the tree does not show, in layer order; 0-based.

    For views without layer trees: it is not told what took the file away.
    """
    for layer, row in zip(rootfs.layers, _seen(rootfs), strict=True):
        table = layer.table
        for i, _ in _invisible(row):
            if table.meta(i).type in (REGULAR, GNU_SPARSE) and not table[i].is_whiteout:
                yield layer.index, table[i]


class LostFiles(Sequence[Lost]):
    """Lost files, each made when it is asked for: they may be most of an image."""

    def __init__(self, fates: Fates, layers: array[int], entries: array[int]) -> None:
        self._fates = fates
        self._layers = layers
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Lost: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Lost]: ...
    def __getitem__(self, index: int | slice) -> Lost | Sequence[Lost]:
        if isinstance(index, slice):
            return LostFiles(self._fates, self._layers[index], self._entries[index])
        return self._fates.lost(self._layers[index], self._entries[index])


def lost_files(rootfs: Rootfs, *, least: int = 1) -> Sequence[Lost]:
    """Return the unreachable regular files of at least `least` stored bytes, largest first.

    UsageError when the view keeps no layer trees.
    """
    need_uppers(rootfs)
    fates = rootfs.derived(Fates)
    layers, entries, sizes = array("I"), array("I"), array("q")
    for layer, row in zip(rootfs.layers, fates.of_entries, strict=True):
        table = layer.table
        for i, _ in _invisible(row):
            if table.meta(i).type != REGULAR or table.flags(i) & WHITEOUT or table.stored_size(i) < least:
                continue
            layers.append(layer.index)
            entries.append(i)
            sizes.append(-table.stored_size(i))
    order = sorted(range(len(sizes)), key=sizes.__getitem__)  # of equal ones the first stays first
    return LostFiles(fates, array("I", map(layers.__getitem__, order)), array("I", map(entries.__getitem__, order)))
