"""Notes on layers whose result depends on the order of their entries, or on what lies in the layers below.

A regular layer, whose tree is a plain grouping of its columns, has none of this and is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from imagepeel.evidence import text
from imagepeel.formats.tar.header import DIRECTORY, HARDLINK, PAX_GLOBAL, SYMLINK
from imagepeel.formats.tar.table import WHITEOUT, EntryTable
from imagepeel.rootfs.changes import OPAQUE, LayerEntries, go_clean
from imagepeel.rootfs.lint import Notes, members, whiteout_entries


def order_notes(layer: LayerEntries, lower: Sequence[LayerEntries], notes: Notes) -> None:
    """Add DUP, ORDER, XLINK and DOTDOT (through links) of an irregular layer."""
    table = layer.table
    _duplicates(table, notes)
    _order(layer, notes)
    _lower_links(table, lower, notes)
    _climbing_links(table, notes)


def _duplicates(table: EntryTable, notes: Notes) -> None:
    directories, metas, _, ends, names = table.columns()
    is_global = [meta.type == PAX_GLOBAL for meta in table.metas]
    seen: dict[tuple[int, bytes], int] = {}
    start = 0
    for i, end in enumerate(ends):
        key = (directories[i], names[start:end])
        start = end
        if is_global[metas[i]] or not (key[1] or key[0]):
            continue
        first = seen.setdefault(key, i)
        if first != i:
            notes.add(
                "DUP",
                f"the layer has this path twice, as entries {first} and {i}: the last wins in engines, the first "
                "in some tools",
                i,
            )


def _order(layer: LayerEntries, notes: Notes) -> None:
    """Play whiteouts and what they name in order: ORDER where the place of a whiteout among the entries matters."""
    table = layer.table
    targets: dict[bytes, None] = {}
    for i in whiteout_entries(table):
        name = table.basename(i)
        if name != OPAQUE and name[4:] not in (b"", b".", b".."):
            targets[_hidden(table, i)] = None
    if not targets:
        return
    near = {path.rpartition(b"/")[0] for path in targets}
    wanted = [path in near or _under(path, targets) for path in table.dirs]
    marks: set[bytes] = set()
    there: set[bytes] = set()
    for i in members(table.columns()[0], wanted):
        kind = table.meta(i).type
        if kind == PAX_GLOBAL:
            continue
        path = table.path(i)
        for above in _ancestors(path):
            if above in marks:
                notes.add(
                    "ORDER",
                    f"stands below /{text(above)}, which the layer whites out before: containerd and Docker refuse it",
                    i,
                    ("spec", "sequential"),
                    touches=(b"/" + above,),
                )
                break
            if above in targets:
                there.add(above)
        if table.flags(i) & WHITEOUT and table.basename(i) != OPAQUE:
            hidden = _hidden(table, i)
            if hidden in marks or hidden in there:
                after = "a second whiteout of the same path" if hidden in marks else "the layer brings the path before"
                notes.add(
                    "ORDER",
                    f"{after}: containerd, Docker and podman refuse the layer, rootless engines delete the new file, "
                    "the image-spec keeps it",
                    i,
                    ("runtime", "docker", "podman", "sequential") if layer.index else ("docker", "podman"),
                )
            else:
                marks.add(hidden)
        elif path in targets:
            marks.discard(path)
            there.add(path)


def _hidden(table: EntryTable, i: int) -> bytes:
    directory, name = table.dirs[table.dir_id(i)], table.basename(i)[4:]
    return directory + b"/" + name if directory else name


def _ancestors(path: bytes) -> list[bytes]:
    out = []
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        out.append(path)
    return out


def _under(path: bytes, targets: dict[bytes, None]) -> bool:
    return path in targets or any(above in targets for above in _ancestors(path))


class Paths:
    """Which paths a layer has entries for, found by directory."""

    def __init__(self, table: EntryTable) -> None:
        self.table = table

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        return {path: i for i, path in enumerate(self.table.dirs)}

    def first(self, path: bytes) -> int | None:
        """Return the first entry with a path, None without one."""
        directory, _, name = path.rpartition(b"/")
        number = self._ids.get(directory)
        if number is None:
            return None
        column = self.table.columns()[0]
        at = 0
        while True:
            try:
                at = column.index(number, at)
            except ValueError:
                return None
            if self.table.basename(at) == name and self.table.meta(at).type != PAX_GLOBAL:
                return at
            at += 1


def _lower_links(table: EntryTable, lower: Sequence[LayerEntries], notes: Notes) -> None:
    hard = [i for i in sorted(table.links) if table.meta(i).type == HARDLINK]
    if not hard or not lower:
        return
    own = Paths(table)
    below = [Paths(layer.table) for layer in lower]
    known: dict[bytes, int | None] = {}
    for i in hard:
        path = b"/".join(go_clean(b"/" + table.links[i]))
        if path not in known:
            known[path] = own.first(path)
        first = known[path]
        if first is not None and first < i:
            continue
        where = next((p for p in reversed(below) if p.first(path) is not None), None)
        if where is None:
            continue
        layer = lower[below.index(where)].index
        directory, _, name = path.rpartition(b"/")
        hidden = directory + b"/.wh." + name if directory else b".wh." + name
        mark = own.first(hidden)
        effect = (
            "the layer whites it out before, so both names vanish with containerd, Docker and podman"
            if mark is not None and mark < i
            else "containerd, Docker and podman refuse the layer, engines without overlayfs link to it"
        )
        notes.add(
            "XLINK",
            f"a hardlink to /{text(path)}, which only layer L{layer + 1} has: {effect}",
            i,
            ("runtime", "docker", "podman"),
        )


def _climbing_links(table: EntryTable, notes: Notes) -> None:
    """DOTDOT: a member stands behind a link of the same layer whose `..` climbs over the root."""
    climbing = {}
    for i, target in table.links.items():
        if table.meta(i).type == SYMLINK and b".." in target and not target.startswith(b"/"):
            depth = table.path(i).count(b"/")
            for part in target.split(b"/"):
                depth += -1 if part == b".." else 0 if part in (b"", b".") else 1
                if depth < 0:
                    climbing[table.path(i)] = i
                    break
    if not climbing:
        return
    for number, directory in enumerate(table.dirs):
        for path in (directory, *_ancestors(directory)):
            if path in climbing and number in table.columns()[0]:
                i = table.columns()[0].index(number)
                if table.meta(climbing[path]).type == DIRECTORY or i < climbing[path]:
                    continue
                notes.add(
                    "DOTDOT",
                    f"stands behind the link /{text(path)} -> {text(table.links[climbing[path]])}, which climbs over "
                    "the root: containerd clamps it there, Docker refuses the layer",
                    i,
                    ("docker",),
                )
                break
