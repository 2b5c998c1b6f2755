"""Notes on what the layers do to each other: found in the layers' own trees and their merge.

They stand on the runtime view.  Where containerd refuses the image there are no such trees, and these notes are left
out; the entries alone (`entries`, `order`) then say why.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import layer_label, text
from imagepeel.findings.semantics.codes import MOST, Degree
from imagepeel.findings.semantics.entries import Notes, members, whiteout_entries
from imagepeel.formats.tar.header import DIRECTORY
from imagepeel.formats.tar.table import EntryTable
from imagepeel.formats.tar.whiteouts import OPAQUE, hidden_path
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.provenance import effect_of_layer
from imagepeel.rootfs.tree.changes import go_clean
from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.overlay import Merged
from imagepeel.rootfs.unreachable import Removed, losses
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

_USRMERGE = frozenset((b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"))
_CAPITAL = late(rb"[A-Z]")
_IN_DETAIL = 49
"""Shadowed links whose targets are looked at; a hostile image has more, and each costs the size of its target."""
NotesOf = Callable[[int], Notes]


def stack_notes(rootfs: Rootfs, notes: NotesOf) -> None:
    """Add what layers do to lower ones, of a view that keeps its layers' trees.

    RESURRECT, GHOST, LINKSHADOW, FILETODIR, IMPLIEDATTR, CASE and DELETEDBYTES.
    """
    lost = losses(rootfs)
    described: dict[int, dict[bytes, int]] = {}
    for layer, upper in zip(rootfs.layers, rootfs.uppers, strict=True):
        removes = any(True for _ in _removals(layer.table))
        if removes or any(index == layer.index for index, _, _ in lost.buried):
            described[layer.index] = explicit(layer.table)
        if layer.index:
            made = _parents(layer.table) | described[layer.index].keys() if removes else frozenset()
            again = {path: i for path, i in _removals(layer.table) if path in made}
            _resurrected(rootfs, layer.index, upper, again, notes(layer.index))
            _implied(rootfs, upper, notes(layer.index))
        # A whiteout that took something away stands in a directory that a lower layer shares.
        if rootfs.complete:  # else a missing layer may have the directory
            idle = {path: i for path, i in _removals(layer.table) if not lost.took_away(layer.index, i, b"/" + path)}
            _ghosts(rootfs, idle, notes(layer.index))
    _buried(rootfs, lost.buried, described, notes)
    _case(rootfs, notes)
    _deleted(rootfs, lost.removed, notes)


def explicit(table: EntryTable) -> dict[bytes, int]:
    """Return the directories that have an entry of their own in a layer, with the last such entry."""
    return {table.path(i): i for i in members(table.meta_ids, [kind == DIRECTORY for kind in table.types()])}


def _parents(table: EntryTable) -> set[bytes]:
    """Return the directories that have something inside in a layer."""
    paths: set[bytes] = set()
    for path in table.dirs:
        while path and path not in paths:
            paths.add(path)
            path = path.rpartition(b"/")[0]
    return paths


def _removals(table: EntryTable) -> Iterator[tuple[bytes, int]]:
    """Yield what whiteouts name, each with the entry of its whiteout."""
    return ((hidden_path(table.path(i)), i) for i in whiteout_entries(table) if table.basename(i) != OPAQUE)


def before(rootfs: Rootfs, layer: int, path: bytes) -> Inode | None:
    """Return what the layers below `layer` show at a path without following links, None for nothing."""
    found = _at(rootfs.below(layer), path)
    return found.top if isinstance(found, Merged) else found


def _resurrected(rootfs: Rootfs, layer: int, upper: Tree, hidden: dict[bytes, int], notes: Notes) -> None:
    for path, i in hidden.items():
        node = upper.exists_dir(tuple(path.split(b"/")))
        if node is None or node.opaque:
            continue
        merged = _at(rootfs.root, path)
        old = _at(rootfs.below(layer), path)
        if not isinstance(old, Merged) or not old.children:
            continue
        back = sorted(set(merged.children) - set(node.children or {})) if isinstance(merged, Merged) else []
        such = f", such as {text(back[0])}" if back else ""
        notes.add(
            "RESURRECT",
            f"the layer removes /{text(path)} and makes the directory anew: with overlayfs its old content comes back"
            f"{such}; rootless engines show only the new",
            i,
            ("spec", "sequential"),
        )


def _at(root: Merged, path: bytes) -> Merged | Inode | None:
    here: Merged | Inode | None = root
    for part in path.split(b"/") if path else ():
        here = here.child(part) if isinstance(here, Merged) else None
    return here


def _ghosts(rootfs: Rootfs, hidden: dict[bytes, int], notes: Notes) -> None:
    for path, i in hidden.items():
        found = _at(rootfs.root, path)
        if isinstance(found, Inode) and found.kind == "ghost":
            notes.add(
                "GHOST",
                f"a whiteout of /{text(path)} in a directory that no lower layer has: with overlayfs the directory "
                "lists the name and stat says it does not exist",
                i,
                ("spec", "sequential"),
            )


def _buried(
    rootfs: Rootfs,
    buried: list[tuple[int, bytes, Inode]],
    described: dict[int, dict[bytes, int]],
    notes: NotesOf,
) -> None:
    """LINKSHADOW and FILETODIR: what a directory of a higher layer took the place of."""
    looked = 0
    listings: dict[bytes, set[bytes]] = {}
    for layer, full, old in buried:
        path = full[1:]
        entry = described[layer].get(path)
        if old.kind != "symlink":
            if entry is None:
                notes(layer).add(
                    "FILETODIR",
                    f"{text(full)} is a {old.kind} in {layer_label(old.layer or 0)} "
                    f"and a directory from {layer_label(layer)} on: "
                    "rootless engines refuse the layer",
                    None,
                    ("spec", "sequential"),
                    path=full,
                )
            continue
        looked += 1
        gone = bool(names_behind(rootfs, full, old, listings)) if looked <= _IN_DETAIL else False
        merges_usr = path in _USRMERGE and old.target.strip(b"/").startswith(b"usr/")
        # A directory that has an entry is wanted: it is told where it hides names or undoes a merged /usr.
        if entry is not None and not merges_usr and not gone:
            continue
        how = "has an entry for it" if entry is not None else "only has entries below it"
        notes(layer).add(
            "LINKSHADOW",
            f"{text(full)} was a link to {text(old.target)}; the layer {how}, so with overlayfs it becomes a "
            "directory with the new names alone, and engines that unpack onto the merged tree "
            + ("replace the link too" if entry is not None else "write through the link"),
            entry,
            () if entry is not None else ("spec", "sequential"),
            path=full,
            touches=(b"/" + b"/".join(go_clean(_target(full, old))),),
            degree=Degree.PLAIN if gone else Degree.NOTHING_LOST,
        )


def _target(path: bytes, link: Inode) -> bytes:
    return link.target if link.target.startswith(b"/") else path.rpartition(b"/")[0] + b"/" + link.target


def names_behind(
    rootfs: Rootfs, path: bytes, link: Inode, listings: dict[bytes, set[bytes]] | None = None
) -> list[bytes]:
    """Return the names that a link led to and that the directory in its place does not have, sorted.

    path: of both, absolute.  listings: targets that were listed before, to be used again.
    """

    def listed(directory: bytes) -> set[bytes]:
        try:
            return set(rootfs.listdir(directory))
        except ImagepeelError:
            return set()

    target = _target(path, link)
    known = listings if listings is not None else {}
    if target not in known:
        known[target] = listed(target)
    return sorted(known[target] - listed(path)) if known[target] else []


def _implied(rootfs: Rootfs, upper: Tree, notes: Notes) -> None:
    for path, node in _implied_dirs(upper):
        if (node.mode, node.uid, node.gid) == (0o755, 0, 0) and not node.xattrs:
            continue
        merged = _at(rootfs.root, path)
        if not isinstance(merged, Merged) or merged.top is not node:
            continue
        xattrs = " and its attributes" if node.xattrs else ""
        notes.add(
            "IMPLIEDATTR",
            f"the layer has entries below this directory and none for it: containerd keeps {node.mode:04o} "
            f"{node.uid}:{node.gid}{xattrs} of the layer below, Docker's own store and podman make it 0755 0:0",
            None,
            ("docker", "podman"),
            path=b"/" + path,
        )


def _implied_dirs(upper: Tree) -> Iterator[tuple[bytes, Inode]]:
    root = upper.root
    if isinstance(root, IndexedDirectory):
        for parent, names in root.indexed.implied_dirs.items():
            for name in names:
                path = parent + b"/" + name if parent else name
                node = upper.exists_dir(tuple(path.split(b"/")))
                if node is not None:
                    yield path, node
        return
    for parts, node in upper.walk(root, ()):
        if parts and node.implied and node.kind == "dir":
            yield b"/".join(parts), node


def _case(rootfs: Rootfs, notes: NotesOf) -> None:
    """Compare the names of each directory over all layers without regard to case."""
    for directory, names in sorted(_case_candidates(rootfs).items()):
        merged = _at(rootfs.root, directory)
        if not isinstance(merged, Merged):
            continue
        wanted = {name.lower() for name in names}
        first: dict[bytes, bytes] = {}
        for name in sorted(merged.children):
            low = name.lower()
            # Each pair is told once, at the later name.
            if low not in wanted or first.setdefault(low, name) == name:
                continue
            path = directory + b"/" + name if directory else name
            split = tuple(path.split(b"/"))
            layers = [i for i, upper in enumerate(rootfs.uppers) if effect_of_layer(upper.root, split)[1] is not None]
            notes(layers[-1] if layers else 0).add(
                "CASE",
                f"{text(name)} and {text(first[low])} are two names here and one on macOS and Windows, where one "
                "overwrites the other",
                None,
                path=b"/" + path,
            )


def _case_candidates(rootfs: Rootfs) -> dict[bytes, set[bytes]]:
    """Return by directory the names of which it, in any layer and spelling, has another spelling (ASCII letters).

    One of two such names has a capital, so only directories with capitals are looked at twice.
    """
    tables = [layer.table for layer in rootfs.layers]
    if all(table.names.islower() and not any(map(_CAPITAL.search, table.dirs)) for table in tables):
        return {}  # no capital in any name, which two quick looks tell
    capitals: dict[bytes, dict[bytes, bytes]] = {}
    made = [_parents(layer.table) for layer in rootfs.layers]
    for layer, paths in zip(rootfs.layers, made, strict=True):
        table = layer.table
        names, ends = table.names, table.name_ends
        at = 0
        while (capital := _CAPITAL.search(names, at)) is not None:
            i = bisect_right(ends, capital.start())
            at = ends[i]
            name = table.basename(i)
            capitals.setdefault(table.dirs[table.dir_id(i)].lower(), {}).setdefault(name.lower(), name)
        for path in paths:  # directories without an entry
            directory, _, name = path.rpartition(b"/")
            if _CAPITAL.search(name) is not None:
                capitals.setdefault(directory.lower(), {}).setdefault(name.lower(), name)
    out: dict[bytes, set[bytes]] = {}

    for layer, paths in zip(rootfs.layers, made, strict=True) if capitals else ():
        table = layer.table
        numbers, basename = table.dir_ids, table.basename
        known = [capitals.get(path.lower(), {}) for path in table.dirs]
        for i in members(numbers, list(map(bool, known))):
            name, number = basename(i), numbers[i]
            first = known[number].get(name.lower(), name)
            if first != name:
                out.setdefault(table.dirs[number], set()).update((name, first))
        for path in paths:
            directory, _, name = path.rpartition(b"/")
            first = capitals.get(directory.lower(), {}).get(name.lower(), name)
            if first != name:
                out.setdefault(directory, set()).update((name, first))
    return out


def _deleted(rootfs: Rootfs, removed: Sequence[Removed], notes: NotesOf) -> None:
    """DELETEDBYTES: the largest removed files of each layer, the others counted."""
    by_layer: dict[int, array[int]] = {}
    for i, item in enumerate(removed):
        by_layer.setdefault(item.layer, array("I")).append(i)
    for layer, places in by_layer.items():
        table = rootfs.layers[layer].table
        items = map(removed.__getitem__, places)
        for size, entry, by in nsmallest(
            MOST, ((-table.stored_size(item.entry), item.entry, item.by) for item in items)
        ):
            notes(layer).add(
                "DELETEDBYTES",
                f"layer {layer_label(by)} removes this file, "
                f"layer {layer_label(layer)} still carries its {plural(-size, 'byte')}",
                entry,
            )
        notes(layer).leave_out("DELETEDBYTES", max(0, len(places) - MOST))
