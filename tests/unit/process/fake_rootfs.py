"""A small tree in memory with the methods of a rootfs, built from forge entries: later entries replace earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from imagepeel.errors import NotFound
from imagepeel.evidence import Location, raw, text
from imagepeel.forge import Entry


class FakeNode:
    def __init__(self, entry: Entry | None, path: bytes, index: int | None) -> None:
        self.kind = "dir" if entry is None else entry.kind
        self.mode = 0o755 if entry is None else entry.mode
        self.uid = 0 if entry is None else entry.uid
        self.gid = 0 if entry is None else entry.gid
        self.data = b"" if entry is None else entry.data
        self.size = len(self.data)
        self.target = b"" if entry is None else entry.target
        self.xattrs = {} if entry is None else dict(entry.xattrs)
        self.mtime = None
        self.device = None
        self.nlink = 1
        self.ino = id(self)
        self.layer = None if entry is None else 0
        self.entry = index
        self.implied = entry is None

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"

    @property
    def is_file(self) -> bool:
        return self.kind == "file"

    @property
    def is_symlink(self) -> bool:
        return self.kind == "symlink"


class FakeHop:
    def __init__(self, path: bytes, target: bytes) -> None:
        self.path = path
        self.target = target


class FakeResolution:
    def __init__(self, path, node, errno, missing, hops) -> None:  # type: ignore[no-untyped-def]
        self.path = path
        self.node = node
        self.errno = errno
        self.missing = missing
        self.hops = tuple(hops)


class FakeRootfs:
    view = "runtime"
    refusal = None
    complete = True

    def derived(self, owner: Any) -> Any:
        return owner(self)  # nothing is kept

    def common(self, owner: Any) -> Any:
        """As in an image: predictions made of one tree share what its files say, those of two trees nothing."""
        if owner not in self.kin:
            self.kin[owner] = owner()
        return self.kin[owner]

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.kin: dict[Any, Any] = {}
        self.nodes: dict[bytes, FakeNode] = {b"/": FakeNode(None, b"/", None)}
        for index, entry in enumerate(entries):
            path = b"/" + entry.path.strip(b"/")
            if path == b"/":
                self.nodes[b"/"] = FakeNode(entry, path, index)
                continue
            parent = path.rpartition(b"/")[0]
            while parent and parent not in self.nodes:
                self.nodes[parent] = FakeNode(None, parent, None)
                parent = parent.rpartition(b"/")[0]
            if entry.kind == "hardlink":
                self.nodes[path] = self.nodes[b"/" + entry.target.strip(b"/")]
            else:
                self.nodes[path] = FakeNode(entry, path, index)

    covers: frozenset[bytes] = frozenset()

    def covered(self, places: dict[bytes, Any]) -> FakeRootfs:
        found = FakeRootfs()
        found.__dict__ |= self.__dict__
        found.nodes = {
            path: node
            for path, node in self.nodes.items()
            if not any(path == place or path.startswith(place + b"/") for place in places)
        }
        todo = list(places.items())
        while todo:
            path, inode = todo.pop()
            node = FakeNode(None, path, None)
            node.kind, node.mode, node.target, node.device = inode.kind, inode.mode, inode.target, inode.device
            node.uid, node.gid = inode.uid, inode.gid
            found.nodes[path] = node
            todo += [(path + b"/" + name, child) for name, child in (inode.children or {}).items()]
        return found

    def resolve(self, path: bytes | str, *, cwd: bytes | str = b"/", follow: bool = True) -> FakeResolution:
        name = raw(path)
        if not name:
            return FakeResolution(name, None, "ENOENT", name, ())
        if len(name) >= 4096:
            return FakeResolution(name, None, "ENAMETOOLONG", b"", ())
        pending = name.split(b"/")
        at = b"/" if name.startswith(b"/") else (raw(cwd) or b"/")
        hops: list[FakeHop] = []
        trailing = name.endswith(b"/")
        while pending:
            part = pending.pop(0)
            if part in (b"", b"."):
                if at in self.nodes and self.nodes[at].kind != "dir":
                    return FakeResolution(at, None, "ENOTDIR", b"", hops)
                continue
            if at not in self.nodes:
                return FakeResolution(at, None, "ENOENT", at, hops)
            if self.nodes[at].kind != "dir":
                return FakeResolution(at, None, "ENOTDIR", b"", hops)
            if part == b"..":
                at = at.rpartition(b"/")[0] or b"/"
                continue
            if len(part) > 255:
                return FakeResolution(at, None, "ENAMETOOLONG", b"", hops)
            child = (at.rstrip(b"/")) + b"/" + part
            node = self.nodes.get(child)
            if node is None:
                rest = [p for p in pending if p]
                full = child + (b"/" + b"/".join(rest) if rest else b"")
                return FakeResolution(full, None, "ENOENT", child, hops)
            last = not any(p not in (b"", b".") for p in pending)
            if node.is_symlink and (follow or not last or trailing):
                if len(hops) >= 40:
                    return FakeResolution(child, None, "ELOOP", b"", hops)
                hops.append(FakeHop(child, node.target))
                if node.target.startswith(b"/"):
                    at = b"/"
                pending = node.target.split(b"/") + pending
                continue
            at = child
        if at not in self.nodes:  # a directory that is not there, and nothing of the path was looked up in it
            return FakeResolution(at, None, "ENOENT", at, hops)
        if trailing and self.nodes[at].kind != "dir":
            return FakeResolution(at, None, "ENOTDIR", b"", hops)
        return FakeResolution(at, self.nodes[at], "", b"", hops)

    def lookup(self, path: bytes | str, *, follow: bool = True) -> FakeNode:
        found = self.resolve(path, follow=follow)
        if found.node is None:
            raise NotFound(f"{text(found.path)} does not exist")
        return found.node

    def listdir(self, path: bytes | str) -> list[bytes]:
        found = self.resolve(path)
        if found.node is None or not found.node.is_dir:
            raise NotFound(text(found.path))
        prefix = found.path.rstrip(b"/") + b"/"
        return sorted(
            name[len(prefix) :]
            for name in self.nodes
            if name != b"/" and name.startswith(prefix) and b"/" not in name[len(prefix) :]
        )

    def names(self, path: bytes | str) -> Iterator[bytes]:
        return iter(self.listdir(path))

    def read(self, node_or_path, offset: int = 0, count: int = -1) -> bytes:  # type: ignore[no-untyped-def]
        node = node_or_path if isinstance(node_or_path, FakeNode) else self.lookup(node_or_path)
        return node.data[offset:] if count < 0 else node.data[offset : offset + count]

    def walk(self, top: bytes = b"/") -> Iterator[tuple[bytes, FakeNode]]:
        prefix = top.rstrip(b"/") + b"/"
        for path in sorted(self.nodes):
            if path != b"/" and path.startswith(prefix):
                yield path, self.nodes[path]

    def location(self, path_or_node: bytes | str) -> Location:
        found = self.resolve(path_or_node, follow=False)
        if found.node is None:
            raise NotFound(text(found.path))
        return Location(layer=0, entry=found.node.entry, path=text(found.path))
