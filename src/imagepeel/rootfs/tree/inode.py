"""The inode-like value of the merged tree, and the few system calls that extractors make on it, in memory.

An `Inode` is a `Node` for readers.  Hardlinks are one inode under several names, bound when the layer is read, so
that later layers cannot redirect them.  Errors carry the errno that Linux would give.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeVar

from imagepeel.errors import LimitExceeded
from imagepeel.evidence import Location
from imagepeel.tables import ERRNO_GO, ErrnoName
from imagepeel.text import plural

NAME_MAX = 255
PATH_MAX = 4096
MANY = 50_000
"""Names from which on a directory is read in parts, or without a text of each; below, texts cost little."""
NodeKind = Literal["file", "dir", "symlink", "char", "block", "fifo", "ghost"]
"""What an inode is; overlayfs lists the name of a ghost, and stat fails on it."""

_NO_XATTRS: Mapping[bytes, bytes] = {}

RefusalCause = Literal["link", "whiteout", "below-link", "path-twice", "damaged", "entry"]
"""Why an extractor stops.

link: a hardlink cannot be made.  whiteout: its device cannot.  below-link: an entry lies below a link that leads
nowhere.  path-twice: tar-split takes each path once.  damaged: the stream itself.  entry: anything else of an entry.
"""


class Errno(Exception):
    """A system call would fail: `name` is the errno, `call` the call and its path, or the call on the path `at`.

    `cause` and the call's own `paths` are for those who word the same failure in their own way, `error` is the errno in
    Go's words.
    """

    def __init__(
        self,
        name: ErrnoName,
        call: str = "",
        *,
        at: tuple[bytes, ...] | None = None,
        cause: RefusalCause = "entry",
        paths: tuple[str, ...] = (),
    ) -> None:
        self.error: str = ERRNO_GO[name]
        if at is not None:
            paths = (show(at),)
            call = f"{call} {paths[0]}"
        super().__init__(f"{call}: {self.error}" if call else self.error)
        self.name = name
        self.cause: RefusalCause = cause
        self.paths = paths


class Inode:
    """One file of a tree; the same object under two names is a hardlink.

    mtime: (seconds, nanoseconds), None for "the moment of unpacking".
    layer, entry: which tar member gave type and content; None for a directory that no header describes.
    """

    __slots__ = (
        "children",
        "device",
        "entry",
        "gid",
        "implied",
        "ino",
        "kind",
        "layer",
        "mode",
        "mtime",
        "nlink",
        "opaque",
        "size",
        "target",
        "uid",
        "xattrs",
    )

    def __init__(
        self,
        kind: NodeKind,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        *,
        size: int = 0,
        mtime: tuple[int, int] | None = None,
        target: bytes = b"",
        device: tuple[int, int] | None = None,
        layer: int | None = None,
        entry: int | None = None,
        implied: bool = False,
    ) -> None:
        self.kind = kind
        self.mode: int = mode
        self.uid: int = uid
        self.gid: int = gid
        self.size: int = size
        self.mtime: tuple[int, int] | None = mtime
        self.target: bytes = target
        self.device: tuple[int, int] | None = device
        self.layer: int | None = layer
        self.entry: int | None = entry
        self.implied: bool = implied
        self.nlink: int = 1
        self.ino: int = 0
        self.opaque: bool = False
        self.xattrs: Mapping[bytes, bytes] = _NO_XATTRS
        self.children: dict[bytes, Inode] | None = {} if kind == "dir" else None

    def __repr__(self) -> str:
        return f"<Node {self.kind} {self.mode:04o} {self.uid}:{self.gid} {plural(self.size, 'byte')}>"

    def child(self, name: bytes) -> Inode | None:
        """Return the child of that name, None without one."""
        return self.children.get(name) if self.children else None

    def peek(self) -> Mapping[bytes, Inode]:
        """Return the children for a walk.

        A directory that reads its children on demand does not keep those that it reads for this call.
        """
        return self.children or {}

    def one_by_one(self) -> Mapping[bytes, Inode]:
        """Return what `peek` does, for a walk that asks for each name once: a child may be made no sooner."""
        return self.peek()

    @property
    def unmade(self) -> int:
        """How many children a look would make; 0 where all are there anyway."""
        return 0

    def some_names(self, count: int) -> list[bytes]:
        """Return names of `count` children drawn at random, or of all."""
        return draw(list(self.children or ()), count)

    def split(
        self, bounds: Sequence[bytes], wanted: Callable[[bytes], object] | None
    ) -> Iterator[Mapping[bytes, Inode]]:
        """Yield the children below the first of ascending names, those from it up to the next one, and so on.

        What is made for one part is not kept.  Children that are no directories and not `wanted` may be left out.
        """
        children = self.children or {}
        names = sorted(children)
        for start, stop in pairwise([0, *(bisect_left(names, bound) for bound in bounds), len(names)]):
            yield {name: children[name] for name in names[start:stop]}

    def peek_some(self, wanted: Callable[[bytes], object]) -> Mapping[bytes, Inode]:
        """Return the children whose names are `wanted`, and the directories that lead to such, for a walk.

        Those may have no attributes, where their own names are not.
        """
        return {name: child for name, child in self.peek().items() if child.kind == "dir" or wanted(name)}

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"

    @property
    def is_file(self) -> bool:
        return self.kind == "file"

    @property
    def is_symlink(self) -> bool:
        return self.kind == "symlink"

    @property
    def is_whiteout(self) -> bool:
        """Whether overlayfs takes it for a whiteout: a character device 0:0, whoever made it."""
        return self.kind == "char" and self.device == (0, 0)

    def set_xattr(self, name: bytes, value: bytes) -> None:
        """Set an extended attribute, leaving other holders of the shared empty mapping alone."""
        self.xattrs = {**self.xattrs, name: value}


Node = Inode
"""The public name of what readers get."""


T = TypeVar("T")


def draw(some: Sequence[T], count: int) -> list[T]:
    """Return `count` of some values at random, or all: nobody who makes an archive can foresee which."""
    from random import Random  # start time

    return Random().sample(some, min(count, len(some)))


class Tree:
    """A directory tree under one root with the system calls that extractors make, confined to that root.

    Paths are tuples of components, already clean.  Creating or removing a name sets the mtime of its directory to
    "now", as a kernel does.
    """

    def __init__(self, root: Inode | None = None, *, implied: int = 250_000) -> None:
        self.root: Inode = root or Inode("dir")
        self._implied_left = implied

    def lstat(self, path: tuple[bytes, ...]) -> Inode | None:
        """Return the inode without following any link, None for ENOENT.  Errno ENOTDIR, ENAMETOOLONG."""
        node = self.root
        for i, part in enumerate(path):
            if len(part) > NAME_MAX:
                raise Errno("ENAMETOOLONG", "lstat", at=path)
            if node.children is None:
                raise Errno("ENOTDIR", "lstat", at=path[: i + 1])
            child = node.children.get(part)
            if child is None:
                return None
            node = child
        return node

    def exists_dir(self, path: tuple[bytes, ...]) -> Inode | None:
        """Return the directory at `path`, None when there is none of whatever reason."""
        try:
            node = self.lstat(path)
        except Errno:
            return None
        return node if node is not None and node.kind == "dir" else None

    def resolve(self, path: tuple[bytes, ...], most: int = 255) -> tuple[bytes, ...]:
        """Return `path` with every symlink followed inside the root, the last component too; the rest of a path
        that does not exist is kept as it is.  Errno ELOOP past `most` links, ENOTDIR never (a later call says it).
        """
        todo = list(reversed(path))
        done: list[bytes] = []
        nodes: list[Inode | None] = [self.root]
        links = 0
        while todo:
            part = todo.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if done:
                    done.pop()
                    nodes.pop()
                continue
            here = nodes[-1]
            child = here.children.get(part) if here is not None and here.children is not None else None
            if child is not None and child.kind == "symlink":
                links += 1
                if links > most:
                    raise Errno("ELOOP", f"{show(path)}")
                if child.target.startswith(b"/"):
                    done.clear()
                    del nodes[1:]
                todo.extend(reversed(child.target.split(b"/")))
                continue
            done.append(part)
            nodes.append(child)
        return tuple(done)

    def _parent(self, path: tuple[bytes, ...], call: str) -> dict[bytes, Inode]:
        if len(path[-1]) > NAME_MAX or sum(map(len, path)) + len(path) >= PATH_MAX:
            raise Errno("ENAMETOOLONG", f"{call}", at=path)
        parent = self.lstat(path[:-1])
        if parent is None:
            raise Errno("ENOENT", f"{call}", at=path)
        if parent.children is None:
            raise Errno("ENOTDIR", f"{call}", at=path)
        parent.mtime = None
        return parent.children

    def add(self, path: tuple[bytes, ...], node: Inode, call: str) -> None:
        """Give `node` a name.  Errno EEXIST, ENOENT or ENOTDIR of the parent, ENAMETOOLONG."""
        children = self._parent(path, call)
        if path[-1] in children:
            raise Errno("EEXIST", f"{call}", at=path)
        children[path[-1]] = node

    def make_dirs(self, path: tuple[bytes, ...], *, replace: bool = False) -> list[tuple[tuple[bytes, ...], Inode]]:
        """Create the directories of `path` that are missing and return them with their paths, outermost first.

        Something that is no directory on the way is Errno ENOTDIR, or goes when `replace`.  LimitExceeded when a
        tree implies more directories than any real image: few bytes of a tar name thousands of them.
        """
        made: list[tuple[tuple[bytes, ...], Inode]] = []
        node = self.root
        for depth, part in enumerate(path, 1):
            children = node.children
            assert children is not None
            child = children.get(part)
            if child is not None and child.kind != "dir":
                if not replace:
                    raise Errno("ENOTDIR", "mkparent", at=path[:depth])
                self.remove_all(path[:depth])
                child = None
            if child is None:
                if len(part) > NAME_MAX:
                    raise Errno("ENAMETOOLONG", "mkdir", at=path[:depth])
                self._implied_left -= 1
                if self._implied_left < 0:
                    raise LimitExceeded(
                        "the names of the layers imply too many directories",
                        Location(path=show(path[:depth])),
                        "the image is a bomb: do not unpack it",
                    )
                child = children[part] = Inode("dir", implied=True)
                node.mtime = None
                made.append((path[:depth], child))
            node = child
        return made

    def link(self, target: tuple[bytes, ...], path: tuple[bytes, ...]) -> Inode:
        """Give the inode at `target` another name and return it.  Errno ENOENT, EPERM for a directory."""
        paths = (show(target), show(path))
        call = f"link {' '.join(paths)}"
        try:
            node = self.lstat(target) if target else self.root
            if node is None:
                raise Errno("ENOENT")
            if node.kind == "dir":
                raise Errno("EPERM")
            self.add(path, node, "link")
        except Errno as error:
            raise Errno(error.name, call, cause="link", paths=paths) from error
        node.nlink += 1
        return node

    def remove_all(self, path: tuple[bytes, ...]) -> None:
        """Remove whatever is at `path`; nothing there is no error.  Names inside keep their inodes' link counts."""
        parent = self.lstat(path[:-1])
        if parent is None or parent.children is None:
            return
        node = parent.children.pop(path[-1], None)
        if node is not None:
            parent.mtime = None
            _unlink(node)

    def walk(self, node: Inode, path: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], Inode]]:
        """Yield (path, inode) of `node` and all below it, parents first; children may be removed meanwhile."""
        stack = [(path, node)]
        while stack:
            here, current = stack.pop()
            yield here, current
            if current.children:
                stack.extend(((*here, name), child) for name, child in sorted(current.children.items(), reverse=True))


def _unlink(node: Inode) -> None:
    stack = [node]
    while stack:
        current = stack.pop()
        if current.children is None:
            current.nlink -= 1
        else:
            stack.extend(current.children.values())


def show(path: tuple[bytes, ...]) -> str:
    """Return a path for a message."""
    return "/" + b"/".join(path).decode("utf-8", "surrogateescape")
