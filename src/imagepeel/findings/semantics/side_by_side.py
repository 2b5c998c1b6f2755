"""Several views of one image walked side by side: the paths that they do not show alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from imagepeel.evidence import text
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.tree.inode import Inode, NodeKind
from imagepeel.rootfs.tree.overlay import Merged, Plain
from imagepeel.rootfs.view import Rootfs


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one view shows at a path, as far as views can differ: no time of directories, no link count."""

    kind: NodeKind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, str], ...] = ()
    mtime: tuple[int, int] | None = None
    layer: int | None = None
    entry: int | None = None


def side_by_side(views: Sequence[Rootfs]) -> Iterator[tuple[bytes, tuple[Facts | None, ...]]]:
    """Yield every path that the views do not show alike, depth first, names sorted.

    Everything below a directory that only some have is yielded too.  The mode of the root itself is not compared
    where it is the engine's own default (0555 with podman).
    """
    roots: list[Merged | Inode | None] = [view.root for view in views]
    top = tuple(_facts(root, whole=False) for root in roots)
    defaults = {"podman": 0o555}
    plain = [
        msgspec.structs.replace(f, mode=0o755) if f is not None and defaults.get(v.view) == f.mode else f
        for f, v in zip(top, views, strict=True)
    ]
    if any(facts != plain[0] for facts in plain):
        yield b"/", top
    stack: list[tuple[bytes, list[Merged | Inode | None]]] = [(b"", roots)]
    while stack:
        path, here = stack.pop()
        children = [node.peek() if isinstance(node, Merged) else {} for node in here]
        names: set[bytes] = set().union(*children)
        below: list[tuple[bytes, list[Merged | Inode | None]]] = []
        for name in sorted(names):
            full = path + b"/" + name
            nodes = [each.get(name) for each in children]
            first = nodes[0]
            if not all(_equal(first, other) for other in nodes[1:]):
                yield full, tuple(_facts(node) for node in nodes)
            if any(isinstance(node, Merged) for node in nodes) and not _as_packed(nodes):
                below.append((full, nodes))
        stack.extend(reversed(below))


def _as_packed(nodes: Sequence[Merged | Inode | None]) -> bool:
    """Whether all views show a directory just as one layer packed it: then all below it is alike."""
    packed: set[tuple[int, bytes]] = set()
    for node in nodes:
        directory = node.stack[0] if isinstance(node, Merged) and len(node.stack) == 1 else None
        if not isinstance(directory, IndexedDirectory) or directory.shows_whiteouts:
            return False
        if directory.indexed.parents:  # directories without an entry borrow their attributes with some engines only
            return False
        if isinstance(node, Plain) and directory.touched:
            return False
        packed.add((directory.indexed.index, directory.path))
    return len(packed) == 1


def _equal(one: Merged | Inode | None, two: Merged | Inode | None) -> bool:
    if one is two:
        return True
    if one is None or two is None or isinstance(one, Merged) != isinstance(two, Merged):
        return False
    a, b = (one.top if isinstance(one, Merged) else one), (two.top if isinstance(two, Merged) else two)
    if a.kind != b.kind or a.kind == "ghost":
        return a.kind == b.kind
    if (a.mode, a.uid, a.gid, a.target, a.device) != (b.mode, b.uid, b.gid, b.target, b.device) or a.xattrs != b.xattrs:
        return False
    return a.kind == "dir" or (a.mtime == b.mtime and (a.layer, a.entry) == (b.layer, b.entry))


def _facts(found: Merged | Inode | None, *, whole: bool = True) -> Facts | None:
    if found is None:
        return None
    node = found.top if isinstance(found, Merged) else found
    if node.kind == "ghost":
        return Facts(kind="ghost")
    return Facts(
        kind=node.kind,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        size=node.size if node.kind == "file" else 0,
        target=text(node.target),
        device=node.device,
        xattrs=tuple(sorted((text(key), value.hex()) for key, value in node.xattrs.items())),
        mtime=None if node.kind == "dir" else node.mtime,
        layer=node.layer if whole else None,
        entry=node.entry if whole else None,
    )
