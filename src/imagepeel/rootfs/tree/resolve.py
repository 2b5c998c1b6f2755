"""Path resolution inside a merged tree, as the kernel does it inside a container.

path_resolution(7): links are followed relative to where they stand, absolute targets start at the image's root,
`..` at the root stays there, 40 links end in ELOOP.  Nothing of the host is ever looked at.
"""

from __future__ import annotations

import msgspec

from imagepeel.evidence import Name, raw
from imagepeel.rootfs.tree.inode import NAME_MAX, PATH_MAX, Inode
from imagepeel.rootfs.tree.overlay import Merged


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
    errno: str = ""
    missing: bytes = b""
    hops: tuple[Hop, ...] = ()


def resolve(root: Merged, path: Name, cwd: Name, *, follow: bool, most: int) -> tuple[Resolution, Merged | None]:
    """Resolve `path` (relative to `cwd`); return where it leads and, for a directory, its merged directory.

    `follow=False` leaves a symlink in the last component alone, unless a slash follows it.
    """
    wanted = raw(path)
    if not wanted:
        return Resolution(path=b"", node=None, errno="ENOENT", missing=b""), None
    if len(wanted) >= PATH_MAX:
        return Resolution(path=wanted, node=None, errno="ENAMETOOLONG", missing=wanted), None
    if not wanted.startswith(b"/"):
        wanted = raw(cwd).rstrip(b"/") + b"/" + wanted
    must_be_dir = wanted.endswith((b"/", b"/."))
    follow = follow or must_be_dir
    todo = list(reversed(wanted.split(b"/")))
    stack: list[tuple[bytes, Merged]] = [(b"", root)]
    hops: list[Hop] = []

    def here() -> bytes:
        return b"/".join(name for name, _ in stack) or b"/"

    def below(name: bytes) -> bytes:
        return b"/".join([*(part for part, _ in stack), name])

    def fail(errno: str, missing: bytes) -> tuple[Resolution, None]:
        rest = b"/".join(part for part in reversed(todo) if part not in (b"", b"."))
        full = missing + b"/" + rest if rest else missing
        return Resolution(path=full, node=None, errno=errno, missing=missing, hops=tuple(hops)), None

    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if len(stack) > 1:
                stack.pop()
            continue
        if len(part) > NAME_MAX:
            return fail("ENAMETOOLONG", below(part))
        child = stack[-1][1].child(part)
        if child is None or (isinstance(child, Inode) and child.kind == "ghost"):
            return fail("ENOENT", below(part))
        if isinstance(child, Merged):
            stack.append((part, child))
            continue
        last = not any(rest not in (b"", b".") for rest in todo)
        if child.kind == "symlink" and (not last or follow):
            full = below(part)
            hops.append(Hop(path=full, target=child.target))
            if len(hops) > most:
                return fail("ELOOP", full)
            if child.target.startswith(b"/"):
                del stack[1:]
            # The trailing slash of the last link asks for a directory; of one before it, the rest of the path does.
            todo.extend(reversed(child.target.split(b"/")))
            must_be_dir = must_be_dir or (last and child.target.endswith((b"/", b"/.")))
            continue
        if not last or must_be_dir:
            return fail("ENOTDIR", below(part))
        return Resolution(path=below(part), node=child, hops=tuple(hops)), None
    merged = stack[-1][1]
    return Resolution(path=here(), node=merged.top, hops=tuple(hops)), merged
