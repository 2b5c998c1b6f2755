"""A path in a merged filesystem that reads like `pathlib` and `importlib.resources`, and never like a host path."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import NotFound
from imagepeel.evidence import Location, Name, raw, text

if TYPE_CHECKING:
    from imagepeel.layers.content import EntryFile
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.tree.resolve import Resolution


class Filesystem(Protocol):
    """What a path asks its filesystem; `Rootfs` answers."""

    def resolve(self, path: Name, *, cwd: Name = ..., follow: bool = ...) -> Resolution: ...
    def lookup(self, path: Name, *, follow: bool = ...) -> Inode: ...
    def location(self, what: Name | Inode) -> Location: ...
    def open(self, what: Name | Inode) -> EntryFile: ...
    def read(self, what: Name | Inode, offset: int = ..., count: int = ...) -> bytes: ...
    def listdir(self, path: Name) -> list[bytes]: ...
    def scandir(self, path: Name) -> list[tuple[bytes, Inode]]: ...
    def walk(self, top: Name = ...) -> Iterator[tuple[bytes, Inode]]: ...


class Stat(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What stat(2) tells, and where it comes from; `mtime` is (seconds, nanoseconds), None for "at unpacking"."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: tuple[int, int] | None
    nlink: int
    ino: int
    device: tuple[int, int] | None
    xattrs: dict[bytes, bytes]
    where: Location


class RootfsPath(Shown):
    """A path inside an image.  `/` joins; reading verbs are those of pathlib; it has no `__fspath__` on purpose.

    Paths are `str` with surrogate escapes for bytes that are not UTF-8, so every name survives a round trip.
    """

    __slots__ = ("_path", "_rootfs")

    def __init__(self, rootfs: Filesystem, path: Name = "/") -> None:
        self._rootfs = rootfs
        self._path = "/" + text(raw(path)).strip("/")

    def __repr__(self) -> str:
        return f"RootfsPath({self._path!r})"

    @property
    def rootfs(self) -> Filesystem:
        """The filesystem that it is a path of."""
        return self._rootfs

    def __str__(self) -> str:
        return self._path

    def __hash__(self) -> int:
        return hash((id(self._rootfs), self._path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RootfsPath) and other._rootfs is self._rootfs and other._path == self._path

    def __lt__(self, other: RootfsPath) -> bool:
        return raw(self._path) < raw(other._path)

    def __truediv__(self, name: Name) -> RootfsPath:
        part = text(raw(name))
        # As in pathlib, an absolute part starts anew; here it starts at the image's root.
        return RootfsPath(self._rootfs, part if part.startswith("/") else f"{self._path.rstrip('/')}/{part}")

    def joinpath(self, *names: Name) -> RootfsPath:
        """Return the path with more parts."""
        path = self
        for name in names:
            path = path / name
        return path

    @property
    def name(self) -> str:
        """The last part, "" for the root."""
        return self._path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The last extension with its dot, "" without one."""
        stem, dot, end = self.name.rpartition(".")
        return dot + end if stem and end else ""

    @property
    def stem(self) -> str:
        """The last part without its extension."""
        return self.name[: len(self.name) - len(self.suffix)]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts, the root first."""
        return ("/", *(part for part in self._path.split("/") if part))

    @property
    def parent(self) -> RootfsPath:
        """The path without its last part; the root's parent is the root."""
        return RootfsPath(self._rootfs, self._path.rpartition("/")[0] or "/")

    @property
    def parents(self) -> list[RootfsPath]:
        """All ancestors, nearest first."""
        out: list[RootfsPath] = []
        here = self
        while here._path != "/":
            here = here.parent
            out.append(here)
        return out

    # ---- asking -------------------------------------------------------------------------------------------

    def _node(self, follow: bool = True) -> Inode | None:
        return self._rootfs.resolve(self._path, follow=follow).node

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Say whether there is something, behind links unless told otherwise."""
        return self._node(follow_symlinks) is not None

    def is_dir(self) -> bool:
        node = self._node()
        return node is not None and node.kind == "dir"

    def is_file(self) -> bool:
        node = self._node()
        return node is not None and node.kind == "file"

    def is_symlink(self) -> bool:
        node = self._node(False)
        return node is not None and node.kind == "symlink"

    def stat(self, *, follow_symlinks: bool = True) -> Stat:
        """Return type, metadata and origin.  NotFound when there is nothing."""
        node = self._rootfs.lookup(self._path, follow=follow_symlinks)
        found = self._rootfs.resolve(self._path, follow=follow_symlinks)
        return Stat(
            kind=node.kind,
            mode=node.mode,
            uid=node.uid,
            gid=node.gid,
            size=node.size,
            mtime=node.mtime,
            nlink=node.nlink,
            ino=node.ino,
            device=node.device,
            xattrs=dict(node.xattrs),
            where=self._rootfs.location(found.path),
        )

    def lstat(self) -> Stat:
        """Return the stat of a link itself."""
        return self.stat(follow_symlinks=False)

    def readlink(self) -> str:
        """Return the raw target of a symlink.  NotFound when it is none."""
        node = self._rootfs.lookup(self._path, follow=False)
        if node.kind != "symlink":
            raise NotFound(f"{self._path} is not a symbolic link", Location(path=self._path), "it has no target")
        return text(node.target)

    def resolve(self) -> RootfsPath:
        """Return the canonical path with every link followed inside the image.  NotFound when it leads nowhere."""
        self._rootfs.lookup(self._path)
        return RootfsPath(self._rootfs, self._rootfs.resolve(self._path).path)

    # ---- reading ------------------------------------------------------------------------------------------

    def open(self, mode: str = "r", *, encoding: str = "utf-8", errors: str = "replace") -> IO[Any]:
        """Open a regular file for reading, `r` for text or `rb` for bytes.  NotFound when it is none."""
        if mode not in ("r", "rt", "rb"):
            raise NotFound(f"mode {mode!r} is not possible: an image is read-only", hint="use 'r' or 'rb'")
        stream = io.BufferedReader(_Raw(self._rootfs.open(self._path)))
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding=encoding, errors=errors)

    def read_bytes(self) -> bytes:
        """Return the whole content, at most `Limits.file_bytes` (LimitExceeded beyond)."""
        return self._rootfs.read(self._path)

    def read_text(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """Return the whole content as text; bytes that do not decode become U+FFFD unless told otherwise."""
        return self.read_bytes().decode(encoding, errors)

    # ---- walking ------------------------------------------------------------------------------------------

    def iterdir(self) -> Iterator[RootfsPath]:
        """Yield the members of a directory, sorted by bytes.  NotFound when it is none."""
        for name in self._rootfs.listdir(self._path):
            yield self / text(name)

    def walk(self) -> Iterator[tuple[RootfsPath, list[str], list[str]]]:
        """Yield (directory, names of directories, other names) from here down, links not followed."""
        todo = [self]
        while todo:
            here = todo.pop()
            dirs: list[str] = []
            files: list[str] = []
            for name, node in self._rootfs.scandir(str(here)):
                (dirs if node.kind == "dir" else files).append(text(name))
            yield here, dirs, files
            todo.extend(here / name for name in reversed(dirs))

    def glob(self, pattern: str) -> Iterator[RootfsPath]:
        """Yield paths below this one that match a shell pattern, `**` for any depth; links are not followed."""
        matches = compile_glob(pattern)
        base = self._rootfs.resolve(self._path).path
        skip = 0 if base == b"/" else len(base)
        for path, _ in self._rootfs.walk(base):
            relative = path[skip:].lstrip(b"/")
            if relative and matches(text(relative)):
                yield RootfsPath(self._rootfs, path)

    def rglob(self, pattern: str) -> Iterator[RootfsPath]:
        """Yield paths at any depth below this one that match."""
        return self.glob(f"**/{pattern}")

    def match(self, pattern: str) -> bool:
        """Say whether the path matches a shell pattern, from the right unless the pattern starts with a slash."""
        if pattern.startswith("/"):
            return bool(compile_glob(pattern.lstrip("/"))(self._path.lstrip("/")))
        return bool(compile_glob("**/" + pattern)(self._path.lstrip("/")))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one plain dictionary per member of this directory, for pandas and polars."""
        return [
            {
                "path": f"{self._path.rstrip('/')}/{text(name)}",
                "kind": node.kind,
                "mode": node.mode,
                "uid": node.uid,
                "gid": node.gid,
                "size": node.size,
                "mtime": node.mtime[0] if node.mtime is not None else None,
                "target": text(node.target),
                "layer": node.layer,
            }
            for name, node in self._rootfs.scandir(self._path)
        ]

    def _ipython_key_completions_(self) -> list[str]:
        return [text(name) for name in self._rootfs.listdir(self._path)] if self.is_dir() else []

    __getitem__ = __truediv__


class _Raw(io.RawIOBase):
    """The file interface that io's buffering wants."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def compile_glob(pattern: str) -> Any:
    """Return a function that matches a relative path: `*` and `?` stay inside a part, `**` spans parts."""
    out = []
    parts = [part for part in pattern.strip("/").split("/") if part]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(".*" if last else "(?:.*/)?")
            continue
        out.append(_part(part) + ("" if last else "/"))
    return re.compile("".join(out), re.DOTALL).fullmatch


def _part(part: str) -> str:
    out, at = [], 0
    while at < len(part):
        char = part[at]
        if char == "*":
            # Runs of stars mean one: several in a row would make matching quadratic.
            while part[at + 1 : at + 2] == "*":
                at += 1
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and "]" in part[at + 2 :]:
            end = part.index("]", at + 2)
            inside = part[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inside[1:] if inside[:1] in "!^" else inside) + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)
