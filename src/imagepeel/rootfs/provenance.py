"""The life of a path: which layer added, changed, hid or removed it, through every link on the way.

A query looks names up in the trees that the layers already have; no layer is read or scanned again.
`layer_delta`, `layer_counts` and `shipped` answer for a whole layer or image (`layer_diff`, `layer_events`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.evidence import Location, Name
from imagepeel.formats.tar.whiteouts import hidden_path, marks_that_hide, opaque_mark_of, whiteout_of
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.layer_diff import Change, changed_fields, delta, has_uppers, layer_delta
from imagepeel.rootfs.layer_events import LayerBytes, LayerCounts, Lost, Shipped, layer_counts, lost_files, shipped
from imagepeel.rootfs.tree.inode import Inode
from imagepeel.rootfs.tree.overlay import hides_lower, is_shown
from imagepeel.rootfs.tree.resolve import Hop, Resolution

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.rootfs.view import Rootfs


PathEventKind = Literal["added", "changed", "same", "implied", "opaque", "removed"]
Removal = Literal["whiteout", "opaque", "replaced", ""]


class PathEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer does to one path.

    kind: "added"; "changed" (see `fields`); "same" (written again without a difference); "implied" (the layer has
    no entry for this directory, but entries below it); "opaque" (a directory whose lower content is hidden);
    "removed".
    by: how it was removed or hidden: "whiteout", "opaque" (a parent's lower content is hidden), "replaced" (a parent
    became something that is no directory); "" otherwise.  by_path: the path of that whiteout or parent.
    where: layer, entry, offset of the header in the decompressed layer, history step, of the entry that does it.
    node: what the layer puts there, None for "removed".  hidden_by: the later layer that shadows or removes it, None
    when it is what the view shows (directories merge and stay visible unless a layer hides them).
    """

    kind: PathEventKind
    layer: int
    path: bytes
    where: Location
    node: Inode | None = None
    fields: tuple[str, ...] = ()
    by: Removal = ""
    by_path: bytes = b""
    hidden_by: int | None = None


class PathLife(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one canonical path, base layer first.

    present: whether the view shows it in the end.  target: where it points when it is a followed link.
    """

    path: bytes
    events: tuple[PathEvent, ...]
    present: bool
    target: bytes | None = None


class PathHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Where a path leads and how each link on the way, and the end, came to be.

    links: one life for each symlink followed, in order.  life: that of the path reached; of a path that leads
    nowhere, of what it would be.  exact: False where the view keeps no layer trees; then the events are the entries
    that name the path, by the words of the image-spec, and `note` says why.
    """

    asked: bytes
    view: ViewName | Literal[""]
    resolution: Resolution
    links: tuple[PathLife, ...]
    life: PathLife
    exact: bool = True
    note: str = ""

    @property
    def lives(self) -> tuple[PathLife, ...]:
        """All lives, in the order in which the path runs through them."""
        return (*self.links, self.life)


def history_of(rootfs: Rootfs, path: Name, *, follow: bool = True) -> PathHistory:
    """Return the life of a path in this view, links followed hop by hop.

    `follow=False` stops at a link in the last component.  Never raises for a path that no layer has: its life is
    then empty.
    """
    resolution = rootfs.resolve(path, follow=follow)
    exact = has_uppers(rootfs)
    live = _life if exact else _life_of_entries
    links = tuple(live(rootfs, hop.path, hop) for hop in resolution.hops)
    life = live(rootfs, resolution.path, None)
    if not exact:
        life = msgspec.structs.replace(life, present=resolution.node is not None)
    return PathHistory(
        asked=resolution.path if isinstance(path, bytes) and not path else _raw(path),
        view=rootfs.view,
        resolution=resolution,
        links=links,
        life=life,
        exact=exact,
        note="" if exact else _why(rootfs),
    )


def _raw(path: Name) -> bytes:
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")


def _why(rootfs: Rootfs) -> str:
    if rootfs.refusal is not None:
        return f"the runtime refuses this image ({rootfs.refusal.reason}): these are the entries that name the path"
    return f"the {rootfs.name} view keeps no tree of a single layer: these are the entries that name the path"


# ---- from the trees of the layers -------------------------------------------------------------------------------


def _life(rootfs: Rootfs, path: bytes, hop: Hop | None) -> PathLife:
    parts = tuple(part for part in path.split(b"/") if part)
    events: list[PathEvent] = []
    state: Inode | None = None
    if not parts:
        top = rootfs.root.top
        return PathLife(path=b"/", events=(), present=True, target=None if top.kind == "dir" else b"")
    for layer, upper in enumerate(rootfs.uppers):
        hider, node = effect_of_layer(upper.root, parts)
        if node is None and hider is None:
            continue
        if node is None or not is_shown(node, piled=False):
            if state is not None:
                events.append(_removed(rootfs, layer, path, hider, node))
                state = None
            continue
        events.append(_event(rootfs, layer, path, (state, node), hider is not None or hides_lower(node)))
        state = node
    return PathLife(
        path=path,
        events=_with_hiders(events),
        present=state is not None,
        target=hop.target if hop is not None else None,
    )


class Hider(msgspec.Struct, frozen=True):
    """What hides the lower versions of a path without being at the path itself.

    `node` stands above the path, at the first `depth` components of it: an opaque directory, a whiteout, or something
    else that is no directory.
    """

    depth: int
    node: Inode


def effect_of_layer(root: Inode, parts: tuple[bytes, ...]) -> tuple[Hider | None, Inode | None]:
    """Return what one layer does to a path: what hides the lower versions of it, and what the layer puts there.

    `root` is the layer's own tree, `parts` the components of the path, at least one.  Either is None where there is no
    such thing; a whiteout of the path itself is what the layer puts there.
    """
    hider: Hider | None = None
    node = root
    for depth, part in enumerate(parts, 1):
        child = node.child(part)
        if child is None or depth == len(parts):
            return hider, child
        if hides_lower(child) and (hider is None or child.kind != "dir"):
            hider = Hider(depth, child)
        node = child
    return hider, node


def _event(rootfs: Rootfs, layer: int, path: bytes, states: tuple[Inode | None, Inode], hides: bool) -> PathEvent:
    """Say what a layer does that puts a node at a path.

    `states`: what was there, and the node.  `hides`: the lower content of a directory is hidden as a whole.
    """
    before, node = states
    fields = changed_fields(before, node, rootfs.layers) if before is not None else ()
    kind: PathEventKind
    if before is None:
        kind = "implied" if node.implied else "added"
    elif node.kind == "dir" and before.kind == "dir" and hides:
        kind = "opaque"
    elif fields:
        kind = "changed"
    else:
        kind = "implied" if node.implied else "same"
    return PathEvent(
        kind=kind,
        layer=layer,
        path=path,
        where=rootfs.entry_location(layer, None if node.implied else node.entry, path),
        node=node,
        fields=fields,
    )


def _removed(rootfs: Rootfs, layer: int, path: bytes, hider: Hider | None, whiteout: Inode | None) -> PathEvent:
    """Say what a layer does that removes a path, by a whiteout of it or by something above it."""
    by: Removal
    if whiteout is not None:
        by, by_path, entry = "whiteout", path, whiteout.entry
    else:
        hider = hider or Hider(0, rootfs.uppers[layer].root)
        node = hider.node
        by_path = b"/".join(path.split(b"/")[: hider.depth + 1]) or b"/"
        if node.kind == "dir":
            by, entry = "opaque", _opaque_entry(rootfs, layer, node, by_path)
        else:
            by, entry = "whiteout" if node.is_whiteout else "replaced", node.entry
    where = rootfs.entry_location(layer, entry, by_path)
    return PathEvent(kind="removed", layer=layer, path=path, where=where, by=by, by_path=by_path)


def _opaque_entry(rootfs: Rootfs, layer: int, node: Inode, path: bytes) -> int | None:
    """Return the entry that marks a directory opaque, None when it is not found under the directory's own path."""
    table = rootfs.layers[layer].table
    mark = opaque_mark_of(path)
    if isinstance(node, IndexedDirectory):
        directory = node.indexed.id_of_dir.get(path.lstrip(b"/"))
        indexes = node.indexed.runs.indexes(directory) if directory is not None else []
        return next((i for i in indexes if b"/" + table.path(i) == mark), None)
    return next(iter(_entries_named(table, _numbers(table), mark)), None)


def _with_hiders(events: list[PathEvent]) -> tuple[PathEvent, ...]:
    """Say of each version which later layer hides it; directories of the same path merge instead."""
    out: list[PathEvent] = []
    for i, event in enumerate(events):
        hider = None
        if event.node is not None:
            for later in events[i + 1 :]:
                below_stays = event.node.kind == "dir" and later.node is not None and not hides_lower(later.node)
                if not below_stays or later.kind == "opaque":
                    hider = later.layer
                    break
        out.append(msgspec.structs.replace(event, hidden_by=hider) if hider is not None else event)
    return tuple(out)


# ---- from the entries alone -------------------------------------------------------------------------------------


def _numbers(table: EntryTable) -> dict[bytes, int]:
    """Return the directories of a table with their numbers."""
    return {name: i for i, name in enumerate(table.dirs)}


def _entries_named(table: EntryTable, numbers: dict[bytes, int], path: bytes) -> list[int]:
    """Return the entries with an absolute path, in stream order, by searches of a column at C speed."""
    directory, _, name = path[1:].rpartition(b"/")
    out: list[int] = []
    at = -1
    if directory not in numbers:
        return out
    try:
        while True:
            at = table.dir_ids.index(numbers[directory], at + 1)
            if table.basename(at) == name:
                out.append(at)
    except ValueError:
        return out


def _life_of_entries(rootfs: Rootfs, path: bytes, hop: Hop | None) -> PathLife:
    """Read the entries that name a path or hide one of its parents, as the image-spec's words say."""
    # Without overlayfs the mark counts at the root too.  The one nearest to the root is what people look for first.
    marks = [*marks_that_hide(path, overlay=False)][::-1]
    events: list[PathEvent] = []
    there = False
    for layer in rootfs.layers:
        table, numbers = layer.table, _numbers(layer.table)
        own = _entries_named(table, numbers, path) if path != b"/" else []
        hiding = next(((mark, i) for mark in marks for i in _entries_named(table, numbers, mark)), None)
        if hiding is not None and there and not own:
            mark, i = hiding
            by_path = hidden_path(mark)
            by: Removal = "whiteout" if whiteout_of(by_path) == mark else "opaque"
            where = rootfs.entry_location(layer.index, i, by_path)
            events.append(PathEvent(kind="removed", layer=layer.index, path=path, where=where, by=by, by_path=by_path))
            there = False
        for i in own:
            where = rootfs.entry_location(layer.index, i, path)
            events.append(PathEvent(kind="changed" if there else "added", layer=layer.index, path=path, where=where))
            there = True
    target = hop.target if hop is not None else None
    return PathLife(path=path, events=tuple(events), present=there, target=target)


__all__ = [
    "Change",
    "LayerBytes",
    "LayerCounts",
    "Lost",
    "PathEvent",
    "PathHistory",
    "PathLife",
    "Shipped",
    "changed_fields",
    "delta",
    "has_uppers",
    "history_of",
    "layer_counts",
    "layer_delta",
    "lost_files",
    "shipped",
]
