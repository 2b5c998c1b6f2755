"""Notes on what the layers do to each other: found in the layers' own trees and their merge.

They stand on the runtime view.  Where containerd refuses the image there are no such trees, and these notes are left
out; the entries alone (`lint`, `order`) then say why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.findings.semantics.entries import Notes, members, whiteout_entries
from imagepeel.formats.tar.header import DIRECTORY, SYMLINK
from imagepeel.formats.tar.whiteouts import OPAQUE, hidden_path
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.layer_events import lost_files
from imagepeel.rootfs.provenance import effect_of_layer
from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.overlay import Merged

if TYPE_CHECKING:
    from imagepeel.formats.tar.table import EntryTable
    from imagepeel.rootfs.view import Rootfs

_USRMERGE = frozenset((b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"))
NotesOf = Callable[[int], Notes]


def stack_notes(rootfs: Rootfs, notes: NotesOf) -> None:
    """Add RESURRECT, GHOST, LINKSHADOW, IMPLIEDATTR, CASE and DELETEDBYTES of a view that keeps its layers' trees."""
    links: dict[bytes, None] = {}
    for layer, upper in zip(rootfs.layers, rootfs.uppers, strict=True):
        hidden = _removals(layer.table)
        if layer.index:
            _resurrected(rootfs, layer.index, upper, hidden, notes(layer.index))
            _shadowed_links(rootfs, layer.index, upper, links, hidden, notes(layer.index))
            _implied(rootfs, layer.index, upper, notes(layer.index))
        _ghosts(rootfs, hidden, notes(layer.index))
        table = layer.table
        for i in table.links:
            if table.meta(i).type == SYMLINK:
                links[table.path(i)] = None
    _case(rootfs, notes)
    for lost in lost_files(rootfs):
        if lost.fate == "removed":
            notes(lost.layer).add(
                "DELETEDBYTES",
                f"layer L{lost.by + 1} removes this file, layer L{lost.layer + 1} still carries its {lost.size} bytes",
                lost.entry,
                path=lost.path,
            )


def _removals(table: EntryTable) -> dict[bytes, int]:
    """Return path -> whiteout entry of what whiteouts name, the last one of each path."""
    return {hidden_path(table.path(i)): i for i in whiteout_entries(table) if table.basename(i) != OPAQUE}


def before(rootfs: Rootfs, layer: int, path: bytes) -> Inode | None:
    """Return what the layers below `layer` show at a path without following links, None for nothing."""
    parts = tuple(path.split(b"/"))
    for i in reversed(range(layer)):
        hidden, node = effect_of_layer(rootfs.uppers[i].root, parts)
        if node is not None:
            return None if node.is_whiteout else node
        if hidden is not None:
            return None
    return None


def _resurrected(rootfs: Rootfs, layer: int, upper: Tree, hidden: dict[bytes, int], notes: Notes) -> None:
    for path, i in hidden.items():
        node = upper.exists_dir(tuple(path.split(b"/"))) if path else None
        if node is None or node.opaque:
            continue
        merged = _at(rootfs.root, path)
        old = before(rootfs, layer, path)
        if old is None or old.kind != "dir" or not old.children:
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
        here = here.children.get(part) if isinstance(here, Merged) else None
    return here


def _ghosts(rootfs: Rootfs, hidden: dict[bytes, int], notes: Notes) -> None:
    for path, i in hidden.items():
        found = _at(rootfs.root, path) if path else None
        if isinstance(found, Inode) and found.kind == "ghost":
            notes.add(
                "GHOST",
                f"a whiteout of /{text(path)} in a directory that no lower layer has: with overlayfs the directory "
                "lists the name and stat says it does not exist",
                i,
                ("spec", "sequential"),
            )


def _shadowed_links(
    rootfs: Rootfs, layer: int, upper: Tree, links: dict[bytes, None], hidden: dict[bytes, int], notes: Notes
) -> None:
    if not links:
        return
    table = rootfs.layers[layer].table
    explicit = {table.path(i): i for i in members(table.meta_ids, [m.type == DIRECTORY for m in table.metas])}
    paths = set(explicit)
    for path in table.dirs:
        while path and path not in paths:
            paths.add(path)
            path = path.rpartition(b"/")[0]
    for path in sorted(paths & links.keys()):
        node = upper.exists_dir(tuple(path.split(b"/")))
        old = before(rootfs, layer, path)
        if node is None or old is None or old.kind != "symlink" or path in hidden:
            continue
        merges_usr = path in _USRMERGE and old.target.strip(b"/").startswith(b"usr/")
        if path in explicit and not merges_usr:
            continue  # the layer says that it wants a directory there
        target = old.target if old.target.startswith(b"/") else path.rpartition(b"/")[0] + b"/" + old.target
        how = "has an entry for it" if path in explicit else "only has entries below it"
        notes.add(
            "LINKSHADOW",
            f"/{text(path)} was a link to {text(old.target)}; the layer {how}, so with overlayfs it becomes a "
            "directory with the new names alone, and engines that unpack onto the merged tree "
            + ("replace the link too" if path in explicit else "write through the link"),
            explicit.get(path),
            () if path in explicit else ("spec", "sequential"),
            path=b"/" + path,
            touches=(b"/" + target.strip(b"/"),),
        )


def _implied(rootfs: Rootfs, layer: int, upper: Tree, notes: Notes) -> None:
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
    spellings: dict[bytes, set[bytes]] = {}
    for layer in rootfs.layers:
        for path in layer.table.dirs:
            spellings.setdefault(path.lower(), set()).add(path)
    folded = {path for group in spellings.values() if len(group) > 1 for path in group}
    for path in sorted(_case_candidates(rootfs) | {p for p in folded if p}):
        directory, _, name = path.rpartition(b"/")
        merged = _at(rootfs.root, directory)
        if not isinstance(merged, Merged) or name not in merged.children:
            continue
        twin = next((n for n in sorted(merged.children) if n != name and n.lower() == name.lower()), None)
        if twin is None or twin > name:
            continue  # each pair is told once, at the later name
        split = tuple(path.split(b"/"))
        layers = [i for i, upper in enumerate(rootfs.uppers) if effect_of_layer(upper.root, split)[1] is not None]
        notes(layers[-1] if layers else 0).add(
            "CASE",
            f"{text(name)} and {text(twin)} are two names here and one on macOS and Windows, where one overwrites the "
            "other",
            None,
            path=b"/" + path,
        )


def _case_candidates(rootfs: Rootfs) -> set[bytes]:
    """Return paths whose directory, in any layer, has another spelling of the same name (ASCII letters).

    One of two such names has a capital, so only directories with capitals are looked at twice.
    """
    capitals: dict[bytes, dict[bytes, bytes]] = {}
    for layer in rootfs.layers:
        table = layer.table
        directories, ends, names = table.dir_ids, table.name_ends, table.names
        if names.lower() == names:
            continue
        start = 0
        for i, end in enumerate(ends):
            name = names[start:end]
            start = end
            low = name.lower()
            if low != name:
                capitals.setdefault(table.dirs[directories[i]].lower(), {}).setdefault(low, name)
    out: set[bytes] = set()
    for layer in rootfs.layers if capitals else ():
        table = layer.table
        known = [capitals.get(path.lower()) for path in table.dirs]
        for i in members(table.dir_ids, [spelled is not None for spelled in known]):
            name, directory = table.basename(i), table.dirs[table.dir_id(i)]
            first = (known[table.dir_id(i)] or {}).get(name.lower(), name)
            if first != name:
                prefix = directory + b"/" if directory else b""
                out.update((prefix + name, prefix + first))
    return out
