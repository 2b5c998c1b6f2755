"""A path in a merged filesystem that reads like `pathlib` and `importlib.resources`, and never like a host path."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.errors import NotFound, UsageError
from imagepeel.evidence import Location, Name, layer_label, raw, text
from imagepeel.rootfs.tree.inode import NodeKind

if TYPE_CHECKING:
    from pathlib import PurePosixPath

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
    def names(self, path: Name) -> Iterator[bytes]: ...
    def scandir(self, path: Name) -> list[tuple[bytes, Inode]]: ...
    def walk(self, top: Name = ...) -> Iterator[tuple[bytes, Inode]]: ...


_FORMAT = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}
"""Kind of an inode -> the type bits of st_mode (inode(7)); a ghost has none."""


class Stat(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What stat(2) tells of a path, and where it comes from.

    `kind` is file, dir, symlink, char, block, fifo, or ghost (listed, but it cannot be opened).  `mode` holds the
    permission bits alone, `size` is bytes of content, `mtime` (seconds, nanoseconds) since 1970, None for "when it is
    unpacked", `device` (major, minor), `where` the layer, entry and offset of the tar member.  The same values under
    the names of `os.stat_result` begin with `st_`; access and change times are not part of an image.
    """

    kind: NodeKind
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

    @property
    def st_mode(self) -> int:
        """Type and permission bits, as the functions of `stat` take them."""
        return _FORMAT.get(self.kind, 0) | self.mode

    @property
    def st_ino(self) -> int:
        """Inode number: two names of one file have the same, within one view."""
        return self.ino

    @property
    def st_dev(self) -> int:
        """0: a view is one filesystem, so that `os.path.samestat` compares inodes of one view."""
        return 0

    @property
    def st_nlink(self) -> int:
        """Number of names."""
        return self.nlink

    @property
    def st_uid(self) -> int:
        """Owner, as a number."""
        return self.uid

    @property
    def st_gid(self) -> int:
        """Group, as a number."""
        return self.gid

    @property
    def st_size(self) -> int:
        """Bytes of content; of a symlink, of its target."""
        return self.size

    @property
    def st_mtime(self) -> float | None:
        """Seconds since 1970, None for "when it is unpacked"."""
        return None if self.mtime is None else self.mtime[0] + self.mtime[1] / 1e9

    @property
    def st_mtime_ns(self) -> int | None:
        """Nanoseconds since 1970, None for "when it is unpacked"."""
        return None if self.mtime is None else self.mtime[0] * 10**9 + self.mtime[1]

    @property
    def st_rdev(self) -> int:
        """What a device node stands for, as `os.major` and `os.minor` take it apart; 0 for anything else."""
        return os.makedev(*self.device) if self.device is not None else 0


Joinable: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes] | RootfsPath"
"""What can be joined to a path of an image: a name, a `PurePosixPath` such as `relative_to` returns, or a path."""


def _text(part: Joinable) -> str:
    return str(part) if isinstance(part, RootfsPath) else text(os.fspath(part))


class RootfsPath(Shown):
    """An absolute path inside an image.

    `/` joins, and verbs and properties are those of `pathlib.Path` for reading: `read_text`, `iterdir`, `glob`, `stat`.
    It has no `__fspath__` on purpose, so that no function opens it on this machine.  Paths are `str` with surrogate
    escapes for bytes that are not UTF-8, so every name survives a round trip.  As in pathlib, repeated slashes and `.`
    vanish and `..` stays, since it may lead elsewhere behind a link.

    Errors: PathNotFound (also a FileNotFoundError) where there is nothing, NotADirectory and IsADirectory likewise.
    """

    __slots__ = ("_path", "_rootfs")

    def __init__(self, rootfs: Filesystem, path: Name = "/") -> None:
        self._rootfs = rootfs
        self._path = "/" + "/".join(part for part in text(path).split("/") if part and part != ".")

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

    def __truediv__(self, name: Joinable) -> RootfsPath:
        part = _text(name)
        # As in pathlib, an absolute part starts anew; here it starts at the image's root.
        return RootfsPath(self._rootfs, part if part.startswith("/") else f"{self._path}/{part}")

    def joinpath(self, *names: Joinable) -> RootfsPath:
        """Return the path with more parts; one that is absolute starts anew at the image's root."""
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
        return self._pure().suffix

    @property
    def suffixes(self) -> list[str]:
        """All extensions, each with its dot: `[".tar", ".gz"]`."""
        return self._pure().suffixes

    @property
    def stem(self) -> str:
        """The last part without its last extension."""
        return self._pure().stem

    def _pure(self) -> PurePosixPath:
        """The words alone: what an extension is differs between versions of Python, and this is a path of this one."""
        from pathlib import PurePosixPath  # start time

        return PurePosixPath(self._path)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts, the root first."""
        return ("/", *(part for part in self._path.split("/") if part))

    @property
    def parent(self) -> RootfsPath:
        """The path without its last part; the root's parent is the root."""
        return RootfsPath(self._rootfs, self._path.rpartition("/")[0] or "/")

    @property
    def parents(self) -> tuple[RootfsPath, ...]:
        """All ancestors, nearest first."""
        out: list[RootfsPath] = []
        here = self
        while here._path != "/":
            here = here.parent
            out.append(here)
        return tuple(out)

    def as_posix(self) -> str:
        """Return the path as `str`, which has slashes on every machine."""
        return self._path

    def is_absolute(self) -> bool:
        """Every path of an image is absolute."""
        return True

    def with_name(self, name: str) -> RootfsPath:
        """Return the path with another last part.  ValueError for the root, and for what is no single name."""
        if not self.name:
            raise ValueError(f"{self!r} has no name")
        if not name or "/" in name or name == ".":
            raise ValueError(f"{name!r} is no name of a file")
        return self.parent / name

    def with_stem(self, stem: str) -> RootfsPath:
        """Return the path with another last part before its last extension.  ValueError as in `with_name`."""
        return self.with_name(self._pure().with_stem(stem).name)

    def with_suffix(self, suffix: str) -> RootfsPath:
        """Return the path with another last extension, `""` for none.  ValueError unless it begins with a dot."""
        return self.with_name(self._pure().with_suffix(suffix).name)

    def relative_to(self, other: Joinable) -> PurePosixPath:
        """Return the way from an ancestor to this path, which `/` joins again.  ValueError when it is no ancestor."""
        from pathlib import PurePosixPath  # start time

        base = self.__class__(self._rootfs, _text(other))
        if not self.is_relative_to(base):
            raise ValueError(f"{self._path!r} is not below {str(base)!r}")
        return PurePosixPath(*self.parts[len(base.parts) :])

    def is_relative_to(self, other: Joinable) -> bool:
        """Say whether a path is this one or an ancestor of it, by their parts alone."""
        base = RootfsPath(self._rootfs, _text(other)).parts
        return self.parts[: len(base)] == base

    # ---- asking -------------------------------------------------------------------------------------------

    def _node(self, follow: bool = True) -> Inode | None:
        return self._rootfs.resolve(self._path, follow=follow).node

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Say whether there is something, behind links unless told otherwise."""
        return self._node(follow_symlinks) is not None

    def is_dir(self) -> bool:
        """Say whether it is a directory, or a link to one."""
        return self._is("dir")

    def is_file(self) -> bool:
        """Say whether it is a regular file, or a link to one."""
        return self._is("file")

    def is_fifo(self) -> bool:
        """Say whether it is a named pipe, or a link to one."""
        return self._is("fifo")

    def is_char_device(self) -> bool:
        """Say whether it is a character device, or a link to one."""
        return self._is("char")

    def is_block_device(self) -> bool:
        """Say whether it is a block device, or a link to one."""
        return self._is("block")

    def is_symlink(self) -> bool:
        """Say whether it is a symbolic link, wherever it leads."""
        return self._is("symlink", follow=False)

    def _is(self, kind: str, *, follow: bool = True) -> bool:
        node = self._node(follow)
        return node is not None and node.kind == kind

    def samefile(self, other: Joinable) -> bool:
        """Say whether both paths lead to the same file of this filesystem.  PathNotFound when one leads nowhere."""
        return self.stat().ino == RootfsPath(self._rootfs, _text(other)).stat().ino

    def stat(self, *, follow_symlinks: bool = True) -> Stat:
        """Return type, metadata and origin, of what a link leads to unless told otherwise.

        PathNotFound when there is nothing.
        """
        node = self._rootfs.lookup(self._path, follow=follow_symlinks)
        found = self._rootfs.resolve(self._path, follow=follow_symlinks)
        return Stat(
            kind=node.kind,
            mode=node.mode,
            uid=node.uid,
            gid=node.gid,
            size=len(node.target) if node.kind == "symlink" else node.size,
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
        """Return the target of a symlink as it is stored.  PathNotFound for nothing, NotFound for what is no link."""
        node = self._rootfs.lookup(self._path, follow=False)
        if node.kind != "symlink":
            raise NotFound(f"{self._path} is not a symbolic link", Location(path=self._path), "it has no target")
        return text(node.target)

    def resolve(self) -> RootfsPath:
        """Return the canonical path with every link followed inside the image.  PathNotFound when it leads nowhere."""
        self._rootfs.lookup(self._path)
        return RootfsPath(self._rootfs, self._rootfs.resolve(self._path).path)

    # ---- reading ------------------------------------------------------------------------------------------

    def open(self, mode: str = "r", *, encoding: str = "utf-8", errors: str = "replace") -> IO[Any]:
        """Open a regular file for reading, `r` for text or `rb` for bytes; the file can seek.

        PathNotFound when there is nothing, IsADirectory or NotFound when it is no regular file, MissingBlob when its
        layer is not in the archive, UsageError for another mode.
        """
        if mode not in ("r", "rt", "rb"):
            raise UsageError(f"mode {mode!r} is not possible: an image is read-only", hint="use 'r' or 'rb'")
        stream = io.BufferedReader(_Raw(self._rootfs.open(self._path)))
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding=encoding, errors=errors)

    def read_bytes(self) -> bytes:
        """Return the whole content, at most `Limits.file_bytes` (LimitExceeded beyond); other errors as in `open`."""
        return self._rootfs.read(self._path)

    def read_text(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """Return the whole content as text; bytes that do not decode become U+FFFD unless told otherwise."""
        return self.read_bytes().decode(encoding, errors)

    # ---- walking ------------------------------------------------------------------------------------------

    def iterdir(self) -> Iterator[RootfsPath]:
        """Yield the members of a directory, sorted by bytes.  PathNotFound for nothing, NotADirectory for a file."""
        for name in self._rootfs.names(self._path):
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
        """Yield the paths below this one that match a shell pattern, in walk order: names sorted by bytes.

        `*`, `?` and `[...]` stay within a part, `**` spans any number of parts.  Links are followed in the parts before
        the first wildcard, as pathlib does it, and nowhere else.  Nothing is yielded where there is no directory.
        """
        parts = [part for part in pattern.split("/") if part]
        plain = next((i for i, part in enumerate(parts) if _WILD.search(part)), len(parts))
        top = self.joinpath(*parts[:plain])
        if plain == len(parts):
            if parts and top.exists(follow_symlinks=False):
                yield top
            return
        found = self._rootfs.resolve(str(top))
        if found.node is None or found.node.kind != "dir":
            return
        matches = compile_glob("/".join(parts[plain:]))
        skip = 1 if found.path == b"/" else len(found.path) + 1
        for path, _ in self._rootfs.walk(found.path):
            relative = text(path[skip:])
            if relative and matches(relative):
                yield top / relative

    def rglob(self, pattern: str) -> Iterator[RootfsPath]:
        """Yield the paths at any depth below this one that match, as `glob("**/" + pattern)`."""
        return self.glob(f"**/{pattern}")

    def match(self, pattern: str) -> bool:
        """Say whether the path matches a shell pattern, from the right unless the pattern starts with a slash."""
        if pattern.startswith("/"):
            return bool(compile_glob(pattern.lstrip("/"))(self._path.lstrip("/")))
        return bool(compile_glob("**/" + pattern)(self._path.lstrip("/")))

    def to_dicts(self, *, recursive: bool = False) -> list[dict[str, Any]]:
        """Return one flat dictionary a member of this directory, for pandas and polars; sorted by bytes.

        With `recursive`, one for everything below, parents first.  `mode` is octal text ("0755"), `size` bytes, `mtime`
        a `datetime` in UTC (None for "when it is unpacked", and past the year 9999), `layer` the 0-based layer and
        `label` its name for people ("L1"), both of the tar member that a runtime takes it from (None and "" where no
        member describes a directory).  Links are not followed.  Errors as in `iterdir`.
        """
        top = self._path.rstrip("/")
        if not recursive:
            return [_row(f"{top}/{text(name)}", node) for name, node in self._rootfs.scandir(self._path)]
        here = self._rootfs.resolve(self._path).path
        skip = 0 if here == b"/" else len(here)
        self._rootfs.listdir(self._path)  # raises for what is no directory
        return [_row(top + text(path[skip:]), node) for path, node in self._rootfs.walk(here) if path != here]

    def _ipython_key_completions_(self) -> list[str]:
        return [text(name) for name in self._rootfs.listdir(self._path)] if self.is_dir() else []

    __getitem__ = __truediv__


def _row(path: str, node: Inode) -> dict[str, Any]:
    return {
        "path": path,
        "kind": node.kind,
        "mode": f"{node.mode & 0o7777:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "size": node.size,
        "mtime": _moment(node.mtime),
        "target": text(node.target),
        "layer": node.layer,
        "label": "" if node.layer is None else layer_label(node.layer),
    }


def _moment(mtime: tuple[int, int] | None) -> datetime | None:
    if mtime is None:
        return None
    try:
        return datetime.fromtimestamp(mtime[0], UTC).replace(microsecond=mtime[1] // 1000)
    except (OverflowError, ValueError, OSError):
        return None


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


_WILD = late(r"[*?\[]")


def compile_glob(pattern: str) -> Callable[[str], re.Match[str] | None]:
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


def compile_name(pattern: str) -> re.Pattern[bytes] | None:
    """Return what matches one part of a path whole, or None where bytes and characters differ.

    It decides as `compile_glob` does, and a million names need not become text for it.
    """
    if not pattern.isascii() or "?" in pattern or "[" in pattern:
        return None
    return re.compile(_part(pattern).encode(), re.DOTALL)


def fixed_letters(pattern: str) -> bytes:
    """Return the longest run of bytes that is in every name that `compile_name` of the pattern matches."""
    return max(pattern.split("*"), key=len).encode()


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
