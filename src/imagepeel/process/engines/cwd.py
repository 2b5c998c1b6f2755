"""The working directory: who makes it, whether it can be entered."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.workdir import Made, Workdir, WorkdirState, WorkdirTrouble
from imagepeel.process.spec.access import EXECUTE, ROOT, WRITE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure

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


def choose(rootfs: Rootfs, asked: WorkdirRequest, engine: Engine, runtime: Runtime, actor: Actor) -> Workdir:
    """Decide the working directory by the engine's and the runtime's rules.

    Some engines make a missing directory before the start; whatever they leave, the runtime makes or refuses.
    """
    path, how = asked.path or "/", asked.origin
    if not path.startswith("/"):
        refused = runtime.relative_workdir(path)
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
    if made is None and trouble.state == "missing":
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
    part = lexical
    while part != "/":
        node = rootfs.resolve(part, follow=False).node
        if node is not None:
            target = rootfs.resolve(part).node
            return part, node.kind if target is None else target.kind
        part = posixpath.dirname(part)
    return "/", "dir"
