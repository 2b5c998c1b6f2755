"""Path resolution inside a merged tree, as the kernel does it inside a container.

path_resolution(7): links are followed relative to where they stand, absolute targets start at the image's root,
`..` at the root stays there, 40 links end in ELOOP.  Nothing of the host is ever looked at.
"""

from __future__ import annotations

import msgspec

from imagepeel.evidence import Name, raw
from imagepeel.rootfs.tree.inode import NAME_MAX, PATH_MAX, Inode
from imagepeel.rootfs.tree.overlay import Merged
from imagepeel.tables import ErrnoName


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One symlink that was followed: its own path and its raw target."""

    path: bytes
    target: bytes


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """Where a path leads.

    `path` is the canonical absolute path reached; for a path that leads nowhere, what was reached plus the rest.
    `node` is None then, `errno` says why (ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG) and `missing` is the path of the
    first component that is not there (or is no directory).  `hops` lists the links followed, in order.
    """

    path: bytes
    node: Inode | None
    errno: ErrnoName = ""
    missing: bytes = b""
    hops: tuple[Hop, ...] = ()


def resolve(root: Merged, path: Name, cwd: Name, *, follow: bool, most: int) -> tuple[Resolution, Merged | None]:
    """Resolve `path` (relative to `cwd`); return where it leads and, for a directory, its merged directory.

    `follow=False` leaves a symlink in the last component alone, unless a slash follows it.
    """
    wanted = raw(path)
    if not wanted or len(wanted) >= PATH_MAX:
        errno: ErrnoName = "ENAMETOOLONG" if wanted else "ENOENT"
        return Resolution(path=wanted, node=None, errno=errno, missing=wanted), None
    if not wanted.startswith(b"/"):
        wanted = raw(cwd).rstrip(b"/") + b"/" + wanted
    must_be_dir = wanted.endswith((b"/", b"/."))
    follow = follow or must_be_dir
    walk = _Walk(root, wanted)
    todo, stack = walk.todo, walk.stack
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if len(stack) > 1:
                stack.pop()
            continue
        if len(part) > NAME_MAX:
            return walk.fail("ENAMETOOLONG", part)
        child = stack[-1][1].child(part)
        if isinstance(child, Merged):
            stack.append((part, child))
            continue
        if child is None or child.kind == "ghost":
            return walk.fail("ENOENT", part)
        last = walk.at_end()
        if child.kind == "symlink" and (not last or follow):
            if not walk.enter(part, child.target, most):
                return walk.fail("ELOOP", part)
            # The trailing slash of the last link asks for a directory; of one before it, the rest of the path does.
            must_be_dir = must_be_dir or (last and child.target.endswith((b"/", b"/.")))
            continue
        if not last or must_be_dir:
            return walk.fail("ENOTDIR", part)
        return Resolution(path=walk.path(part), node=child, hops=tuple(walk.hops)), None
    merged = stack[-1][1]
    return Resolution(path=walk.path() or b"/", node=merged.top, hops=tuple(walk.hops)), merged


class _Walk:
    """How far a path was followed.

    stack: the directories from the root to where the walk stands, each with its name.  todo: the components that are
    left, the next one last.  hops: the links that were followed.
    """

    def __init__(self, root: Merged, path: bytes) -> None:
        self.stack: list[tuple[bytes, Merged]] = [(b"", root)]
        self.todo = path.split(b"/")[::-1]
        self.hops: list[Hop] = []

    def path(self, *names: bytes) -> bytes:
        """Return the path of the directory where the walk stands, or of a name in it."""
        return b"/".join([*(name for name, _ in self.stack), *names])

    def at_end(self) -> bool:
        """Say whether no component is left that names anything."""
        return not any(part not in (b"", b".") for part in self.todo)

    def enter(self, name: bytes, target: bytes, most: int) -> bool:
        """Go on at the target of a link; False when it is one link more than `most`."""
        self.hops.append(Hop(path=self.path(name), target=target))
        if len(self.hops) > most:
            return False
        if target.startswith(b"/"):
            del self.stack[1:]
        self.todo.extend(target.split(b"/")[::-1])
        return True

    def fail(self, errno: ErrnoName, name: bytes) -> tuple[Resolution, None]:
        """Return that the walk ends at a name, with the rest of the path behind it."""
        missing = self.path(name)
        rest = b"/".join(part for part in reversed(self.todo) if part not in (b"", b"."))
        full = missing + b"/" + rest if rest else missing
        return Resolution(path=full, node=None, errno=errno, missing=missing, hops=tuple(self.hops)), None
