"""The working directory: who makes it, whether it can be entered."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.mounted import is_live, is_magic, touches
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.workdir import Made, Workdir, WorkdirState, WorkdirTrouble
from imagepeel.process.spec.access import EXECUTE, ROOT, WRITE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, Judge, Phase
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs


class WorkdirRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The directory that is asked for ("" means /), and whether the caller asks or the image does."""

    path: str
    by_option: bool = False

    @property
    def origin(self) -> str:
        """Who asks, in words."""
        if not self.path:
            return "no WorkingDir: /"
        return "an option of this call" if self.by_option else "WorkingDir of the image"


def choose(
    rootfs: Rootfs, asked: WorkdirRequest, engine: Engine, runtime: Runtime, actor: Actor, *, inside: Rootfs
) -> Workdir:
    """Decide the working directory by the engine's and the runtime's rules.

    Some engines make a missing directory before the start; whatever they leave, the runtime makes or refuses.  It does
    so `inside`, where its mounts lie over what the image and the engine have there.
    """
    if engine.cleans_workdir and asked.path:
        clean = "/" + posixpath.normpath(asked.path).lstrip("/")
        asked = msgspec.structs.replace(asked, path=clean if asked.path.startswith("/") else clean[1:])
    chosen = _before_mounts(rootfs, asked, engine, runtime, actor)
    decided = chosen.failure is not None and (
        chosen.failure.judge is Judge.ENGINE or chosen.failure.phase is Phase.BARE
    )
    if decided or not touches(inside.resolve(_absolute(asked)), engine):
        return chosen
    return _in_mount(inside, asked, runtime)


def _absolute(asked: WorkdirRequest) -> str:
    return asked.path if asked.path.startswith("/") else f"/{asked.path}"


def _in_mount(inside: Rootfs, asked: WorkdirRequest, runtime: Runtime) -> Workdir:
    """A directory that lies below a mount, or behind a link into one."""
    path, how = _absolute(asked), asked.origin
    if runtime.kernel.own:
        early = inside.resolve(path)
        passed = [hop for hop in (early.path, *(hop.path for hop in early.hops)) if hop.startswith(b"/proc/")]
        if any(hop.split(b"/")[2] == b"self" for hop in passed):
            # So it says of every directory on whose way this link stands.
            trouble = _trouble(inside, path, check_access(inside, path, ROOT), asked.by_option)
            return Workdir(path=path, canonical=path, how=how, failure=runtime.enter_mounted_workdir(trouble, "EINVAL"))
        reason = (
            f"{path} lies below a mount, and {runtime.name} has a kernel of its own: what is there was not measured"
        )
        return Workdir(path=path, canonical=path, how=how, unproved=reason)
    seen = check_access(inside, path, ROOT)
    canonical = text(seen.resolution.path)
    if seen.node is not None and seen.node.is_dir:
        note = "what the image has there is hidden by a mount of the runtime"
        return Workdir(path=canonical, canonical=canonical, how=how, notes=(note,))
    trouble = _trouble(inside, path, seen, asked.by_option)
    first = path if seen.node is not None else _first_missing(inside, path)
    trouble = msgspec.structs.replace(trouble, deepest=first)
    missing = inside.resolve(first)
    errno: ErrnoName = next((errno for top, errno in _UNMAKABLE if missing.path.startswith(top)), "")
    if seen.node is not None or (missing.errno and missing.errno != "ENOENT"):
        errno = missing.errno or "ENOTDIR"
    elif errno != "ENOTDIR" and (is_live(missing.path) or is_magic(missing)):
        reason = f"{path} leads to {text(missing.path)}, and the kernel of the host decides what is there"
        return Workdir(path=canonical, canonical=canonical, how=how, unproved=reason)
    if not errno:
        note = f"{path} is made in a mount of the runtime: it is gone after the start"
        return Workdir(path=canonical, canonical=canonical, how=how, created=True, notes=(note,))
    return Workdir(path=path, canonical=path, how=how, failure=runtime.enter_mounted_workdir(trouble, errno))


_UNMAKABLE: tuple[tuple[bytes, ErrnoName], ...] = (
    (b"/proc/1/fd/", "ENOTDIR"),  # the runtime's own descriptors: open while it makes the directory, and no directory
    (b"/proc/", "ENOENT"),
    (b"/sys/", "EROFS"),
    (b"/dev/pts/", "EPERM"),
    (b"/dev/mqueue/", "EPERM"),
)
"""What mkdir(2) says in the filesystems of the kernel."""


def _first_missing(rootfs: Rootfs, path: str) -> str:
    """The shortest leading part of a path, as it is written, that is not there."""
    parts = path.split("/")
    for end in range(2, len(parts)):
        part = "/".join(parts[:end])
        if rootfs.resolve(part).node is None:
            return part
    return path


def _before_mounts(rootfs: Rootfs, asked: WorkdirRequest, engine: Engine, runtime: Runtime, actor: Actor) -> Workdir:
    """The directory as engine and runtime find it in the image."""
    path, how = asked.path or "/", asked.origin
    if not path.startswith("/"):
        refused = (engine.relative_workdir(path) if asked.by_option else None) or runtime.relative_workdir(path)
        if refused is not None:
            return Workdir(path=path, canonical=path, how=how, failure=refused)
        path = "/" + path
    seen = check_access(rootfs, path, ROOT)
    node = seen.node
    if node is not None and node.is_dir:
        canonical = text(seen.resolution.path)
        return Workdir(path=canonical, canonical=canonical, how=how, notes=_closed(path, node, actor))
    trouble = _trouble(rootfs, path, seen, asked.by_option)
    made = engine.make_workdir(trouble)
    if made is None and (trouble.state == "missing" or runtime.makes_target(trouble)):
        made = engine.made(trouble)
    if isinstance(made, Made):
        return Workdir(path=made.path, canonical=made.path, how=how, created=True, notes=(made.note,))
    failure: Failure = made if made is not None else runtime.enter_workdir(trouble)
    return Workdir(path=path, canonical=path, how=how, failure=failure)


def _closed(path: str, node: Node, actor: Actor) -> tuple[str, ...]:
    if not permits(node, actor, EXECUTE):
        return (f"{path} is closed to this user (mode {node.mode:04o}); chdir happens while still root",)
    if actor.uid and node.uid != actor.uid and not permits(node, actor, WRITE):
        return (f"{path} belongs to {node.uid}:{node.gid}: uid {actor.uid} cannot write there",)
    return ()


def _trouble(rootfs: Rootfs, path: str, seen: PathAccess, by_option: bool) -> WorkdirTrouble:
    lexical = "/" + posixpath.normpath(path).lstrip("/")
    deepest, kind = _deepest(rootfs, lexical)
    target = text(seen.resolution.path)
    state: WorkdirState
    if seen.errno == "ENOENT" and kind == "symlink":
        state, why = "dangling", f"{path} is a dangling link to {target}"
    elif seen.errno == "ENOENT" and seen.node is None:
        state, why = "missing", f"{path} is not in the image"
    elif seen.errno == "ELOOP":
        state, why = "loop", f"the links behind {path} lead in a circle"
    elif seen.node is not None:
        state, why = "node", f"{path} is a {seen.node.kind}, not a directory"
    else:
        state, why = "through", f"a part of {path} is no directory"
    return WorkdirTrouble(
        path=path,
        lexical=lexical,
        target=target,
        state=state,
        deepest=deepest,
        by_option=by_option,
        errno=seen.errno,
        why=why,
    )


def _deepest(rootfs: Rootfs, lexical: str) -> tuple[str, str]:
    """The longest leading part of a lexical path that has a node of its own, and that node's kind:
    `symlink` only when the link leads nowhere."""
    names = lexical.strip("/").split("/")

    def leading(count: int) -> str:
        return "/" + "/".join(names[:count])

    # What leads nowhere leads nowhere with more names behind it: half of the names each time, not one.
    count = bisect_left(
        range(1, len(names) + 1), True, key=lambda some: rootfs.resolve(leading(some), follow=False).node is None
    )
    if count == 0:
        return "/", "dir"
    part = leading(count)
    node, target = rootfs.resolve(part, follow=False).node, rootfs.resolve(part).node
    assert node is not None
    return part, node.kind if target is None else target.kind
