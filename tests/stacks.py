"""Layer trees for tests: random ones, writing them to disk, and the merge of a plain model."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from imagepeel.rootfs.tree.inode import Inode, Tree
from imagepeel.rootfs.tree.overlay import Merged

NAMES = (b"a", b"b", b"c", b"Etc", b"x y", b"\xff\xfe")


def random_tree(rng: random.Random, *, base: bool, depth: int = 3) -> Tree:
    """One layer's own tree: every kind of node, hardlinks, and above the base whiteouts and opaque directories."""
    tree = Tree()
    files: list[Inode] = []

    def fill(node: Inode, level: int) -> None:
        for name in rng.sample(NAMES, rng.randint(0, 4)):
            assert node.children is not None
            what = rng.random()
            if what < 0.35 and level < depth:
                child = Inode(
                    "dir", rng.choice((0o755, 0o700, 0o1777)), rng.choice((0, 7)), 0, mtime=(rng.randint(1, 99), 0)
                )
                child.opaque = not base and rng.random() < 0.3
                fill(child, level + 1)
            elif what < 0.5 and not base:
                child = Inode("char", 0, device=(0, 0))
            elif what < 0.6:
                child = Inode("symlink", 0o777, target=rng.choice((b"a", b"../b", b"/c", b"nowhere")))
            elif what < 0.66:
                child = Inode("fifo", 0o640)
            elif what < 0.7:
                child = Inode("char", 0o600, device=(1, 3))
            elif what < 0.8 and files:
                child = rng.choice(files)
                child.nlink += 1
            else:
                child = Inode(
                    "file", rng.choice((0o644, 0o4755)), 0, rng.choice((0, 9)), size=1, mtime=(rng.randint(1, 99), 5)
                )
                child.layer, child.entry = rng.randrange(1 << 30), 0
                if rng.random() < 0.2:
                    child.xattrs = {b"user.k": b"v%d" % rng.randrange(9)}
                files.append(child)
            node.children[name] = child

    fill(tree.root, 0)
    tree.root.opaque = not base and rng.random() < 0.2
    return tree


def identity(node: Inode) -> bytes:
    """What stands for the content of a file: the member it comes from."""
    return b"%d:%d" % (-1 if node.layer is None else node.layer, -1 if node.entry is None else node.entry)


def write_tree(tree: Tree, folder: Path) -> None:
    """Write a layer's tree as root: nodes, owners, modes, times, attributes, and overlayfs marks."""
    made: dict[int, bytes] = {}
    later: list[tuple[bytes, Inode]] = []
    root = os.fsencode(folder)
    os.mkdir(root)
    for parts, node in tree.walk(tree.root, ()):
        path = os.path.join(root, *parts)
        if id(node) in made and node.kind != "dir":
            os.link(made[id(node)], path, follow_symlinks=False)
            continue
        made[id(node)] = path
        if node.kind == "dir":
            if parts:
                os.mkdir(path)
            later.append((path, node))
            if node.opaque:
                os.setxattr(path, "trusted.overlay.opaque", b"y")
            for key, value in node.xattrs.items():
                os.setxattr(path, key, value)
            continue
        if node.kind == "file":
            with open(path, "xb") as file:
                if node.size:
                    file.write(identity(node))
        elif node.kind == "symlink":
            os.symlink(node.target, path)
        elif node.kind == "fifo":
            os.mkfifo(path)
        else:
            kind = 0o20000 if node.kind == "char" else 0o60000
            os.mknod(path, kind | 0o600, os.makedev(*(node.device or (0, 0))))
        os.chown(path, node.uid, node.gid, follow_symlinks=False)
        for key, value in node.xattrs.items():
            os.setxattr(path, key, value, follow_symlinks=False)
        if node.kind != "symlink":
            os.chmod(path, node.mode)
        _times(path, node)
    for path, node in reversed(later):
        os.chown(path, node.uid, node.gid)
        os.chmod(path, node.mode)
        _times(path, node)


def _times(path: bytes, node: Inode) -> None:
    if node.mtime is not None:
        ns = node.mtime[0] * 1_000_000_000 + node.mtime[1]
        os.utime(path, ns=(ns, ns), follow_symlinks=False)


def listing(root: Merged) -> dict[bytes, dict[str, Any]]:
    """A merged tree as plain facts, in the words of `mounted.py`."""
    out: dict[bytes, dict[str, Any]] = {}
    names: dict[int, list[bytes]] = {}
    stack: list[tuple[bytes, Merged]] = [(b"", root)]
    while stack:
        prefix, directory = stack.pop()
        for name, child in sorted(directory.children.items()):
            path = prefix + b"/" + name
            node = child.top if isinstance(child, Merged) else child
            if node.kind == "ghost":
                out[path] = {"kind": "ghost"}
                continue
            out[path] = {
                "kind": node.kind,
                "mode": 0o777 if node.kind == "symlink" else node.mode,
                "owner": [node.uid, node.gid],
                "target": node.target.hex(),
                "device": list(node.device) if node.device is not None else None,
                "content": identity(node).decode() if node.kind == "file" and node.size else "",
                "xattrs": {key.decode(): value.hex() for key, value in node.xattrs.items()},
                "mtime": None if node.mtime is None else node.mtime[0] * 1_000_000_000 + node.mtime[1],
                "same": None,
            }
            if isinstance(child, Merged):
                stack.append((path, child))
            else:
                names.setdefault(id(node), []).append(path)
    for group in names.values():
        for path in group:
            out[path]["same"] = min(group).hex()
    return out
