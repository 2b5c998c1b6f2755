"""Notes on layers whose result depends on the order of their entries, or on what lies in the layers below.

A regular layer, whose tree is a plain grouping of its columns, has none of this and is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagepeel.evidence import layer_label, text
from imagepeel.findings.semantics.codes import Degree
from imagepeel.findings.semantics.entries import Notes, members, whiteout_entries
from imagepeel.formats.tar.header import HARDLINK, PAX_GLOBAL, SYMLINK
from imagepeel.formats.tar.table import WHITEOUT, Entry, EntryTable
from imagepeel.formats.tar.whiteouts import OPAQUE, Mark, hidden_path, parse, whiteout_of
from imagepeel.rootfs.engines.tar_split import spelled
from imagepeel.rootfs.tree.changes import LayerEntries, go_clean


def order_notes(layer: LayerEntries, lower: Sequence[LayerEntries], notes: Notes) -> None:
    """Add DUP, ORDER, XLINK and DOTDOT (through links) of an irregular layer."""
    table = layer.table
    _duplicates(table, notes)
    _order(layer, notes)
    _lower_links(table, lower, notes)
    _climbing_links(table, notes)


def _duplicates(table: EntryTable, notes: Notes) -> None:
    directories, metas, ends, names = table.dir_ids, table.meta_ids, table.name_ends, table.names
    types = list(table.types())
    seen: dict[tuple[int, bytes], int] = {}
    start = 0
    for i, end in enumerate(ends):
        key = (directories[i], names[start:end])
        start = end
        first = seen.setdefault(key, i)
        if first == i:
            continue
        same = spelled(Entry(table, first).raw_name) == spelled(Entry(table, i).raw_name)
        if same:
            # Of a second whiteout ORDER says what containerd does.
            wins = "" if table.flags(i) & WHITEOUT else ", containerd lets the last entry win, some tools the first"
            notes.add(
                "DUP",
                f"the layer has this path twice, as entries {first} and {i}: Docker's own store and podman refuse the "
                f"layer{wins}",
                i,
                ("docker", "podman"),
            )
        elif types[metas[i]] != PAX_GLOBAL and (key[1] or key[0]):
            notes.add(
                "DUP",
                f"the layer has this path twice, as entries {first} and {i}: the last wins in engines, the first "
                "in some tools",
                i,
                degree=Degree.SPELLED_APART,
            )


def _order(layer: LayerEntries, notes: Notes) -> None:
    """Play whiteouts and what they name in order: ORDER where the place of a whiteout among the entries matters."""
    table = layer.table
    targets: dict[bytes, None] = {}
    for i in whiteout_entries(table):
        whiteout = parse(table.basename(i))
        if whiteout is not None and whiteout.mark in (Mark.WHITEOUT, Mark.AUFS):
            targets[hidden_path(table.path(i))] = None
    if not targets:
        return
    # Below the first layer lies nothing, so that containerd unpacks it without overlayfs: a whiteout deletes there.
    above_another = layer.index > 0
    near = {path.rpartition(b"/")[0] for path in targets}
    above_of: dict[bytes, tuple[bytes, ...]] = {b"": ()}
    wanted = [bool(_targets_above(path, targets, above_of)) or path in near for path in table.dirs]
    marks: set[bytes] = set()
    there: set[bytes] = set()
    for i in members(table.dir_ids, wanted):
        kind = table.meta(i).type
        if kind == PAX_GLOBAL:
            continue
        path = table.path(i)
        for above in above_of[table.dirs[table.dir_id(i)]]:
            if above in marks:
                notes.add(
                    "ORDER",
                    f"stands below /{text(above)}, which the layer whites out before: "
                    + ("containerd, Docker and podman refuse it" if above_another else "Docker and podman refuse it"),
                    i,
                    ("spec", "sequential") if above_another else ("docker", "podman"),
                    touches=(b"/" + above,),
                )
                break
            there.add(above)
        if table.flags(i) & WHITEOUT and table.basename(i) != OPAQUE:
            hidden = hidden_path(path)
            if hidden in marks or hidden in there:
                what = _refused_whiteout(again=hidden in marks, above_another=above_another)
                notes.add(
                    "ORDER",
                    what,
                    i,
                    ("runtime", "docker", "podman", "sequential") if above_another else ("docker", "podman"),
                )
            else:
                marks.add(hidden)
        elif path in targets:
            marks.discard(path)
            there.add(path)


def _refused_whiteout(*, again: bool, above_another: bool) -> str:
    refusing = "containerd, Docker and podman" if above_another else "Docker and podman"
    if again:
        return f"a second whiteout of the same path: {refusing} refuse the layer, to the others it is as one"
    deleting = "rootless engines" if above_another else "containerd and rootless engines"
    return (
        f"the layer brings the path before: {refusing} refuse the layer, {deleting} delete the new file, "
        "the image-spec keeps it"
    )


def _targets_above(
    directory: bytes, targets: Mapping[bytes, object], known: dict[bytes, tuple[bytes, ...]]
) -> tuple[bytes, ...]:
    """Return which targets are a directory or stand above it, nearest first; each directory is worked out once."""
    todo = []
    while directory not in known:
        todo.append(directory)
        directory = directory.rpartition(b"/")[0]
    found = known[directory]
    for path in reversed(todo):
        found = known[path] = (path, *found) if path in targets else found
    return found


def _first_entries(table: EntryTable, wanted: set[bytes]) -> dict[bytes, int]:
    """Return the first entry of each wanted path that has one, in one pass over the directories they stand in."""
    directories = {path.rpartition(b"/")[0] for path in wanted}
    out: dict[bytes, int] = {}
    for i in members(table.dir_ids, [path in directories for path in table.dirs]):
        path = table.path(i)
        if path in wanted and path not in out and table.meta(i).type != PAX_GLOBAL:
            out[path] = i
    return out


def _lower_links(table: EntryTable, lower: Sequence[LayerEntries], notes: Notes) -> None:
    # A whiteout is taken out before anybody looks at it as a link.
    hard = [i for i in sorted(table.links) if table.meta(i).type == HARDLINK and parse(table.basename(i)) is None]
    if not hard or not lower:
        return
    targets = {i: b"/".join(go_clean(b"/" + table.links[i])) for i in hard}
    marks = {path: whiteout_of(path) for path in set(targets.values())}
    own = _first_entries(table, {*marks, *marks.values()})
    open_ = {path for i, path in targets.items() if own.get(path, i) >= i}
    owners: dict[bytes, int] = {}
    for layer in reversed(lower) if open_ else ():
        for path in _first_entries(layer.table, open_ - owners.keys()):
            owners[path] = layer.index
    for i, path in targets.items():
        if own.get(path, i) < i or path not in owners:
            continue
        mark = own.get(marks[path])
        vanish = mark is not None and mark < i
        effect = (
            "the layer whites it out before, so both names vanish with containerd, Docker and podman"
            if vanish
            else "containerd, Docker and podman refuse the layer, engines without overlayfs link to it"
        )
        notes.add(
            "XLINK",
            f"a hardlink to /{text(path)}, which only layer {layer_label(owners[path])} has: {effect}",
            i,
            ("runtime", "docker", "podman"),
            degree=Degree.LINK_VANISHES if vanish else Degree.PLAIN,
        )


def _climbing_links(table: EntryTable, notes: Notes) -> None:
    """DOTDOT: a member stands behind a link of the same layer whose `..` climbs over the root."""
    climbing: dict[bytes, int] = {}
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
    above_of: dict[bytes, tuple[bytes, ...]] = {b"": ()}
    behind = [_targets_above(path, climbing, above_of) for path in table.dirs]
    told: set[int] = set()
    for i in members(table.dir_ids, [bool(links) for links in behind]):
        number = table.dir_id(i)
        path = next((path for path in behind[number] if climbing[path] < i), None)
        if path is None or number in told:
            continue
        told.add(number)
        notes.add(
            "DOTDOT",
            f"stands behind the link /{text(path)} -> {text(table.links[climbing[path]])}, which climbs over "
            "the root: containerd clamps it there, Docker refuses the layer",
            i,
            ("docker",),
        )
