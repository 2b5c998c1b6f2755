"""A directory of this machine as a comparable value: what every name is, byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

LATEST = 1 << 33
"""Times from 1970 up to here (2242) survive every tool and filesystem in the judges' chain."""


class Seen(NamedTuple):
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: bytes
    device: int
    sha256: str
    xattrs: tuple[tuple[str, bytes], ...]
    mtime: int
    links: bytes
    """The first path of the same inode, its own when there is no other."""


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}


def read_tree(root: str | Path) -> dict[bytes, Seen]:
    """Everything below `root` by relative path, the root itself left out."""
    top = os.fsencode(str(root))
    out: dict[bytes, Seen] = {}
    todo = [b""]
    while todo:
        here = todo.pop()
        for name in sorted(os.listdir(top + b"/" + here if here else top)):
            path = here + b"/" + name if here else name
            out[path] = _one(top + b"/" + path, path)
            if out[path].kind == "dir":
                todo.append(path)
    return _name_links(top, out)


def _one(full: bytes, path: bytes) -> Seen:
    found = os.lstat(full)
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    digest = ""
    if kind == "file":
        with open(full, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    names = os.listxattr(full, follow_symlinks=False)
    return Seen(
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        size=0 if kind == "dir" else found.st_size,
        target=os.readlink(full) if kind == "symlink" else b"",
        device=found.st_rdev if kind in ("char", "block") else 0,
        sha256=digest,
        xattrs=tuple(sorted((name, os.getxattr(full, name, follow_symlinks=False)) for name in names)),
        mtime=found.st_mtime_ns // 1_000_000_000,
        links=path,
    )


def _name_links(top: bytes, tree: dict[bytes, Seen]) -> dict[bytes, Seen]:
    first: dict[tuple[int, int], bytes] = {}
    out = {}
    for path in sorted(tree):
        seen = tree[path]
        if seen.kind != "dir":
            found = os.lstat(top + b"/" + path)
            seen = seen._replace(links=first.setdefault((found.st_dev, found.st_ino), path))
        out[path] = seen
    return out


def differences(
    ours: dict[bytes, Seen], theirs: dict[bytes, Seen], *, unknown_time: frozenset[bytes] = frozenset()
) -> list[str]:
    """Say where two trees differ; times of `unknown_time` are those of unpacking and mean nothing."""
    out = [f"only ours: {path!r}" for path in sorted(ours.keys() - theirs.keys())]
    out += [f"only theirs: {path!r}" for path in sorted(theirs.keys() - ours.keys())]
    for path in sorted(ours.keys() & theirs.keys()):
        one, other = ours[path], theirs[path]
        for field, left, right in zip(Seen._fields, one, other, strict=True):
            if left == right:
                continue
            if field == "mtime" and (path in unknown_time or not 0 <= left < LATEST):
                continue
            out.append(f"{path!r} {field}: ours {left!r}, theirs {right!r}")
    return out
