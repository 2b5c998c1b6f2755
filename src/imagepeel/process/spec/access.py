"""Who may do what with a file: the kernel's permission rules for one actor, directories on the way included."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import raw
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.process.spec.values import Credentials
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.tree.resolve import Resolution
    from imagepeel.rootfs.view import Rootfs

READ, WRITE, EXECUTE = 4, 2, 1


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Identity for permission checks: effective ids and capabilities (names without `CAP_`)."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    capabilities: frozenset[str] = frozenset()

    @property
    def override(self) -> bool:
        """File modes do not stop it."""
        return "DAC_OVERRIDE" in self.capabilities

    @property
    def search(self) -> bool:
        """It may read every file and search every directory."""
        return self.override or "DAC_READ_SEARCH" in self.capabilities

    @classmethod
    def of(cls, user: Credentials, effective: Iterable[str]) -> Actor:
        """The actor for these credentials with exactly the given effective capabilities."""
        return cls(uid=user.uid, gid=user.gid, groups=frozenset(user.groups), capabilities=frozenset(effective))


ROOT = Actor(uid=0, gid=0, capabilities=frozenset(("DAC_OVERRIDE", "DAC_READ_SEARCH")))


def permits(node: Node, actor: Actor, wanted: int) -> bool:
    """Whether the mode bits (or a capability) grant `wanted`, a sum of READ, WRITE and EXECUTE.

    CAP_DAC_OVERRIDE gives everything but executing a file that has no x bit at all (`generic_permission`).
    """
    if actor.uid == node.uid:
        granted = node.mode >> 6
    elif actor.gid == node.gid or node.gid in actor.groups:
        granted = node.mode >> 3
    else:
        granted = node.mode
    if granted & wanted == wanted:
        return True
    if node.is_dir:
        return actor.override or (actor.search and not wanted & WRITE)
    if actor.override:
        return not wanted & EXECUTE or bool(node.mode & 0o111)
    return actor.search and wanted == READ


def _parents(path: bytes) -> Iterable[bytes]:
    yield b"/"
    start = 1
    while (slash := path.find(b"/", start)) >= 0:
        yield path[:slash]
        start = slash + 1


def closed_directory(rootfs: Rootfs, resolution: Resolution, actor: Actor) -> bytes | None:
    """The first directory on the way (links included) that the actor may not search; None when all are open."""
    if actor.search:
        return None
    seen: set[bytes] = set()
    for path in (*(hop.path for hop in resolution.hops), resolution.path):
        for parent in _parents(path):
            if parent in seen:
                continue
            seen.add(parent)
            node = rootfs.resolve(parent, follow=False).node
            if node is not None and node.is_dir and not permits(node, actor, EXECUTE):
                return parent
    return None


class PathAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A path as one actor meets it: `errno` of `stat`, the node where there is one, what stood in the way."""

    path: bytes
    errno: ErrnoName
    resolution: Resolution
    node: Node | None
    blocker: bytes = b""


def check_access(rootfs: Rootfs, path: bytes | str, actor: Actor, cwd: bytes | str = b"/") -> PathAccess:
    """`stat` as the actor would do it: `errno` is empty, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG or EACCES."""
    name = raw(path)
    if not name:
        empty = rootfs.resolve(b"/")
        return PathAccess(path=name, errno="ENOENT", resolution=empty, node=None)
    if b"\0" in name:  # no system call can carry it
        return PathAccess(path=name, errno="EINVAL", resolution=rootfs.resolve(b"/"), node=None)
    directory = raw(cwd)
    if not name.startswith(b"/") and directory != b"/" and rootfs.resolve(directory).node is None:
        # The engine makes the working directory; its path is canonical, so joining the words is right.
        name, directory = posixpath.normpath(directory + b"/" + name), b"/"
    found = rootfs.resolve(name, cwd=directory)
    blocker = closed_directory(rootfs, found, actor)
    if blocker is not None and found.errno != "ENAMETOOLONG":
        return PathAccess(path=name, errno="EACCES", resolution=found, node=None, blocker=blocker)
    node = found.node
    errno = found.errno
    if node is not None and node.kind == "ghost":
        errno, node = "ENOENT", None
    return PathAccess(path=name, errno=errno, resolution=found, node=node if not errno else None)
