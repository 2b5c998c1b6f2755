"""Layers merged into one plain tar, as `docker export` gives it: the rootfs without its config."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.errors import UsageError
from imagepeel.forge.entry import Entry, directory, file, hardlink
from imagepeel.forge.image import LayerSpec


def flatten(layers: Sequence[LayerSpec]) -> list[Entry]:
    """The entries of all layers applied onto each other by the rules of image-spec layer.md, sorted by path.

    Hardlinks stay links to the first of their names.  Raises `UsageError` for layers given as tar bytes, for
    raw entries and for a hardlink without a target.
    """
    tree: dict[bytes, Entry] = {}
    inode: dict[bytes, int] = {}
    count = 0
    for layer in layers:
        if layer.tar is not None:
            raise UsageError("a layer given as tar bytes cannot be flattened")
        lower = set(tree)
        plain: list[tuple[bytes, Entry]] = []
        for entry in layer.entries:
            path = _clean(entry.path)
            parent, _, name = path.rpartition(b"/")
            if entry.kind in ("raw", "pax-global"):
                raise UsageError(f"a {entry.kind} entry cannot be flattened")
            if name == b".wh..wh..opq":
                _drop(tree, [each for each in lower if each.startswith(parent + b"/") or not parent])
            elif name.startswith(b".wh."):
                victim = (parent + b"/" if parent else b"") + name[4:]
                _drop(tree, [each for each in lower if each == victim or each.startswith(victim + b"/")])
            elif path:
                plain.append((path, entry))
        for path, entry in plain:
            old = tree.get(path)
            if old is not None and not (old.kind == "dir" and entry.kind == "dir"):
                _drop(tree, [each for each in tree if each == path or each.startswith(path + b"/")])
            if entry.kind == "hardlink":
                target = _clean(entry.target)
                if target not in tree:
                    raise UsageError(f"the hardlink {path!r} has no target {target!r}")
                tree[path], inode[path] = tree[target], inode[target]
                continue
            count += 1
            tree[path], inode[path] = entry, count
    return _emit(tree, inode)


def export(layers: Sequence[LayerSpec]) -> list[Entry]:
    """What `docker export` of a fresh container gives: the rootfs and the files that the engine puts there."""
    merged = flatten(layers)
    have = {_clean(entry.path) for entry in merged}
    extra: list[Entry] = [file(".dockerenv", mode=0o755)]
    for name in ("dev", "etc", "proc", "sys"):
        if name.encode() not in have:
            extra.append(directory(name))
    extra += [file(f"etc/{name}", mode=0o755) for name in ("hostname", "hosts", "resolv.conf")]
    return sorted(
        [*merged, *(entry for entry in extra if _clean(entry.path) not in have)], key=lambda e: _clean(e.path)
    )


def _emit(tree: dict[bytes, Entry], inode: dict[bytes, int]) -> list[Entry]:
    first: dict[int, bytes] = {}
    out: list[Entry] = []
    for path in sorted(tree):
        entry, number = tree[path], inode[path]
        if number in first:
            out.append(hardlink(path, first[number], entry.mode, entry.uid, entry.gid, mtime=entry.mtime))
        else:
            first[number] = path
            out.append(msgspec.structs.replace(entry, path=path))
    return out


def _drop(tree: dict[bytes, Entry], paths: Sequence[bytes]) -> None:
    for path in paths:
        tree.pop(path, None)


def _clean(path: bytes) -> bytes:
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            parts[-1:] = []
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)
