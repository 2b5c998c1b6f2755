"""One walk over all layers at once: what each layer adds, changes and removes, and which shipped bytes are reachable.

Each directory of each layer is looked at once and let go again, so the sums cost one pass and little memory however
many layers repeat a path.  The order of events of a path is that of the layers, as the kernel's merge sees them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from imagepeel.formats.tar.header import GNU_SPARSE, REGULAR
from imagepeel.rootfs.engines.indexed import LazyDir
from imagepeel.rootfs.layer_diff import changed_fields, has_uppers, need_uppers, same_content
from imagepeel.rootfs.tree.inode import Inode

if TYPE_CHECKING:
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


class Event(NamedTuple):
    """One step in the life of a path, in layer order.

    what: "added"; "replaced" by something of the same path (a directory that merges too); "removed"; "kept" for
    what the merged tree shows in the end, after all other events of the path.
    layer: the layer that does it, for "kept" the last layer.
    """

    what: str
    layer: int
    path: bytes
    before: Inode | None
    after: Inode | None
    hidden: bool = False
    """Of a replaced directory: whether its lower content is hidden as a whole; of what is removed: whether a directory
    above it was hidden or removed, and not the path itself."""


Dirs = list[tuple[int, Inode]]
"""What layers have of one directory: (layer, its directory), base first."""

Look = Callable[[bytes, Dirs, list[int]], Iterable[tuple[int, Mapping[bytes, Inode]]]]


def all_children(path: bytes, dirs: Dirs, cuts: list[int]) -> Iterator[tuple[int, Mapping[bytes, Inode]]]:
    """Yield the children of each layer's directory."""
    for layer, directory in dirs:
        yield layer, directory.peek()


def events(
    rootfs: Rootfs,
    whole: Callable[[LazyDir], None] | None = None,
    *,
    gone: Callable[[LazyDir, int], None] | None = None,
    look: Look = all_children,
) -> Iterator[Event]:
    """Yield every event of every path; the events of one path follow each other, parents come before children.

    With `whole`, a directory that one layer alone has and nothing hides is handed to it instead: all below is simply
    there.  With `gone`, one that a higher layer hides is handed to it, with that layer: all below was added and is
    removed.  `look` chooses the children of a directory, (layer, children) from the base, given its path, its `Dirs`
    and the layers that hide what lower ones have in it; names that it leaves out have no events.
    UsageError when the view keeps no layer trees.
    """
    need_uppers(rootfs)
    last = len(rootfs.uppers) - 1
    stack: list[tuple[bytes, list[tuple[int, Inode]], list[int]]] = []
    if rootfs.uppers:
        stack.append((b"", [(i, upper.root) for i, upper in enumerate(rootfs.uppers)], []))
    while stack:
        path, dirs, cuts = stack.pop()
        alone = dirs[0][1] if len(dirs) == 1 else None
        if isinstance(alone, LazyDir):
            above = bisect_right(cuts, dirs[0][0])
            if above == len(cuts):
                if whole is not None:
                    whole(alone)
                    continue
            elif gone is not None:
                gone(alone, cuts[above])
                continue
        found: dict[bytes, list[tuple[int, Inode]]] = {}
        for layer, children in look(path, dirs, cuts):
            for name, node in children.items():
                known = found.get(name)
                if known is None:
                    found[name] = [(layer, node)]
                else:
                    known.append((layer, node))
        below = []
        for name, seen in found.items():
            full = path + b"/" + name
            state: Inode | None = None
            own: list[int] = []
            piled: list[tuple[int, Inode]] = []
            at = 0
            for layer, node in seen:
                end = bisect_right(cuts, layer, at)
                # What the same layer brings again under a hidden parent is a replacement.
                if state is not None and at < end and (cuts[at] < layer or node.is_whiteout):
                    yield Event("removed", cuts[at], full, state, None, True)
                    state = None
                hidden = at < end
                at = end
                if node.kind != "dir":
                    own.append(layer)
                    if node.is_whiteout:
                        if state is not None:
                            yield Event("removed", layer, full, state, None)
                            state = None
                        continue
                else:
                    if node.opaque:
                        own.append(layer)
                    piled.append((layer, node))
                if state is None:
                    yield Event("added", layer, full, None, node)
                else:
                    hidden = (hidden or node.opaque) and node.kind == "dir" == state.kind
                    yield Event("replaced", layer, full, state, node, hidden)
                state = node
            if state is not None:
                if at < len(cuts):
                    yield Event("removed", cuts[at], full, state, None, True)
                else:
                    yield Event("kept", last, full, state, state)
            if piled:
                since = bisect_right(cuts, piled[0][0])
                below.append((full, piled, sorted({*own, *cuts[since:]}) if own else cuts[since:]))
        stack.extend(reversed(below))


def layer_counts(rootfs: Rootfs) -> list[LayerCounts]:
    """Return what each layer adds, changes and removes, base first.  UsageError without layer trees."""
    numbers = [[0] * 8 for _ in rootfs.uppers]
    once: set[tuple[int, int]] = set()

    def tally(directory: LazyDir, sign: int) -> tuple[int, int]:
        """Paths below a directory, and bytes of the files that were not counted before."""
        lazy = directory.lazy
        metas, sizes = lazy.table.meta_ids, lazy.table.sizes
        paths = total = 0
        for i in directory.below():
            paths += 1
            origin = lazy.links.get(i, i)
            if origin < 0 or not lazy.plain[metas[origin]]:
                continue
            if origin in lazy.last_link:
                key = (sign * (lazy.index + 1), origin)
                if key in once:
                    continue
                once.add(key)
            total += sizes[origin]
        return paths, total

    def added(directory: LazyDir) -> None:
        row = numbers[directory.lazy.index]
        paths, total = tally(directory, 1)
        row[0], row[4] = row[0] + paths, row[4] + total

    def removed(directory: LazyDir, by: int) -> None:
        added(directory)
        row = numbers[by]
        paths, total = tally(directory, -1)
        row[2], row[7] = row[2] + paths, row[7] + total

    for what, layer, _, before, after, hidden in events(rootfs, added, gone=removed):
        if what == "kept":
            continue
        row = numbers[layer]
        if what == "removed" and before is not None:
            row[2] += 1
            if before.kind == "file":
                row[7] += _once(before, once, -1)
        elif after is not None and before is None:
            row[0] += 1
            if after.kind == "file":
                row[4] += _once(after, once)
        elif after is not None and before is not None:
            fields = changed_fields(before, after, rootfs.layers)
            if fields or hidden:
                row[1] += 1
            elif not after.implied:
                row[3] += 1
            if after.kind == "file":
                repeated = before.kind == "file" and same_content(before, after, rootfs.layers) is True
                row[6 if repeated else 5] += _once(after, once)
            elif before.kind == "file":
                row[7] += _once(before, once, -1)
    return [
        LayerCounts(
            layer=i,
            added=row[0],
            changed=row[1],
            removed=row[2],
            same=row[3],
            bytes_added=row[4],
            bytes_changed=row[5],
            bytes_repeated=row[6],
            bytes_removed=row[7],
        )
        for i, row in enumerate(numbers)
    ]


def _once(node: Inode, seen: set[tuple[int, int]], sign: int = 1) -> int:
    """Return the size of a file the first time one of its names comes by, 0 later."""
    if node.nlink < 2 or node.layer is None or node.entry is None:
        return node.size
    key = (sign * (node.layer + 1), node.entry)
    if key in seen:
        return 0
    seen.add(key)
    return node.size


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file that a layer ships and the merged tree does not show under any name.

    fate: "shadowed" or "removed", both by layer `by`; "overwritten" inside its own layer, where `by` is that layer.
    size: bytes that the tar stores for it.  path: absolute.
    """

    path: bytes
    layer: int
    entry: int
    size: int
    fate: str
    by: int


_OVERWRITTEN, _REMOVED, _SHADOWED, _VISIBLE = 0, 1, 2, 3
_FATES = ("overwritten", "removed", "shadowed", "visible")


Fates = tuple[list[bytearray], dict[tuple[int, int], tuple[bytes, int]]]


def _fates(rootfs: Rootfs) -> Fates:
    """Return the fate of each entry of each layer, and path and layer of the loss of those that are lost."""
    return rootfs.once("fates", lambda: _read_fates(rootfs))


def _read_fates(rootfs: Rootfs) -> Fates:
    fates = [bytearray(len(layer.table)) for layer in rootfs.layers]
    lost: dict[tuple[int, int], tuple[bytes, int]] = {}

    def visible(directory: LazyDir) -> None:
        lazy = directory.lazy
        row = fates[lazy.index]
        for i in directory.below():
            origin = lazy.links.get(i, i)
            if origin >= 0:
                row[origin] = _VISIBLE
                lost.pop((lazy.index, origin), None)

    def removed(directory: LazyDir, by: int) -> None:
        lazy = directory.lazy
        row, metas = fates[lazy.index], lazy.table.meta_ids
        for i in directory.below():
            origin = lazy.links.get(i, i)
            if origin >= 0 and lazy.plain[metas[origin]] and row[origin] < _REMOVED:
                row[origin] = _REMOVED
                lost[lazy.index, origin] = (b"/" + lazy.table.path(i), by)

    for what, layer, path, before, *_ in events(rootfs, visible, gone=removed):
        if before is None or before.kind != "file" or before.layer is None or before.entry is None:
            continue
        fate = _VISIBLE if what == "kept" else _SHADOWED if what == "replaced" else _REMOVED
        row = fates[before.layer]
        if fate > row[before.entry]:
            row[before.entry] = fate
            if fate == _VISIBLE:
                lost.pop((before.layer, before.entry), None)
            else:
                lost[before.layer, before.entry] = (path, layer)
    return fates, lost


def shipped(rootfs: Rootfs) -> Shipped:
    """Return for each layer how many of its content bytes are visible, shadowed, removed or overwritten.

    The sums are exact: shipped = visible + unreachable, each inode once.  For a view without layer trees see
    `Shipped.exact`.
    """
    exact = has_uppers(rootfs)
    if exact:
        fates = _fates(rootfs)[0]
    else:
        fates = [bytearray([_SHADOWED]) * len(layer.table) for layer in rootfs.layers]
        for _, node in rootfs.walk():
            if node.kind == "file" and node.layer is not None and node.entry is not None:
                fates[node.layer][node.entry] = _VISIBLE
    out = []
    for layer, row in zip(rootfs.layers, fates, strict=True):
        table = layer.table
        metas = table.meta_ids
        regular = [meta.type == REGULAR or meta.type == GNU_SPARSE for meta in table.metas]
        sums = [0, 0, 0, 0]
        extras = table.extras
        for i, fate in enumerate(row):
            if regular[metas[i]]:
                sums[fate] += table.size(i) if i not in extras else table[i].stored_size
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


def lost_files(rootfs: Rootfs, *, least: int = 1) -> list[Lost]:
    """Return the unreachable regular files of at least `least` stored bytes, largest first.

    UsageError when the view keeps no layer trees.
    """
    need_uppers(rootfs)
    fates, lost = _fates(rootfs)
    out = []
    for layer, row in zip(rootfs.layers, fates, strict=True):
        table = layer.table
        for i, fate in enumerate(row):
            if fate == _VISIBLE or table.meta(i).type != REGULAR:
                continue
            entry = table[i]
            if entry.is_whiteout or entry.stored_size < least:
                continue
            path, by = lost.get((layer.index, i), (entry.path, layer.index))
            out.append(Lost(path=path, layer=layer.index, entry=i, size=entry.stored_size, fate=_FATES[fate], by=by))
    out.sort(key=lambda item: (-item.size, item.layer, item.entry))
    return out
