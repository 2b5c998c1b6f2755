"""A directory of this machine behind the interface of a rootfs, for comparisons with real loaders.

Only for trees that the tests own or trust: it opens files of the host.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "fifo",
}


class HostNode(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    ino: int
    target: bytes
    path: bytes
    xattrs: Mapping[bytes, bytes] = {}
    layer: int | None = 0
    entry: int | None = None

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"

    @property
    def is_file(self) -> bool:
        return self.kind == "file"

    @property
    def is_symlink(self) -> bool:
        return self.kind == "symlink"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    path: bytes
    node: HostNode | None
    errno: str = ""
    missing: bytes = b""
    hops: tuple[()] = ()


class DirRootfs:
    """`root` is the directory that plays `/`; links are resolved inside it."""

    view = "runtime"
    refusal = None

    def once(self, key: object, make: Any) -> Any:
        return make()

    def __init__(self, root: str | Path) -> None:
        self._root = os.fsencode(str(root)).rstrip(b"/")
        self._stats: dict[bytes, os.stat_result | None] = {}

    def _lstat(self, path: bytes) -> os.stat_result | None:
        if path not in self._stats:
            try:
                self._stats[path] = os.lstat(self._root + path)
            except OSError:
                self._stats[path] = None
        return self._stats[path]

    def resolve(self, path: bytes | str, *, cwd: bytes | str = b"/", follow: bool = True) -> Found:
        path, cwd = os.fsencode(path), os.fsencode(cwd)
        todo = (path if path.startswith(b"/") else cwd + b"/" + path).split(b"/")[::-1]
        here = b""
        hops = 0
        while todo:
            part = todo.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                here = here.rpartition(b"/")[0]
                continue
            parent = self._lstat(here or b"/")
            if parent is None or not stat.S_ISDIR(parent.st_mode):
                return Found(path=here + b"/" + part, node=None, errno="ENOTDIR", missing=here)
            entry = self._lstat(here + b"/" + part)
            if entry is None:
                return Found(path=here + b"/" + part, node=None, errno="ENOENT", missing=here + b"/" + part)
            if stat.S_ISLNK(entry.st_mode) and (follow or any(rest not in (b"", b".") for rest in todo)):
                hops += 1
                if hops > 40:
                    return Found(path=here, node=None, errno="ELOOP", missing=here)
                target = os.readlink(self._root + here + b"/" + part)
                if target.startswith(b"/"):
                    here = b""
                todo.extend(target.split(b"/")[::-1])
                continue
            here = here + b"/" + part
        found = self._lstat(here or b"/")
        assert found is not None
        node = HostNode(
            kind=KINDS[stat.S_IFMT(found.st_mode)],
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            size=found.st_size,
            ino=found.st_ino,
            target=b"",
            path=here or b"/",
        )
        return Found(path=here or b"/", node=node)

    def listdir(self, path: bytes | str) -> list[bytes]:
        return sorted(os.listdir(self._root + os.fsencode(path)))

    def names(self, path: bytes | str) -> Iterator[bytes]:
        return iter(self.listdir(path))

    def read(self, node: HostNode, offset: int = 0, count: int = -1) -> bytes:
        with open(self._root + node.path, "rb") as file:
            file.seek(offset)
            return file.read(count)
