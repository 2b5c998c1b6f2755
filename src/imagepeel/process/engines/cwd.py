"""S5: the working directory: who makes it, whether it can be entered."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.process.engines.messages import MOUNT
from imagepeel.process.spec.access import EXECUTE, ROOT, Actor, check_access, permits
from imagepeel.process.spec.profiles import Engine, Runtime

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


class Workdir(msgspec.Struct, frozen=True, kw_only=True):
    """The directory the process starts in, or why it cannot.

    `path` is what the program sees, `canonical` the place in the rootfs.  On failure `judge`, `errno`, `message`
    (without any prefix), `kind` of the message (`engine`, `init`, `bare`, `plain`), `id`, `why` and `fix` are set.
    """

    path: str
    canonical: str
    how: str
    created: bool = False
    notes: tuple[str, ...] = ()
    judge: str = ""
    errno: str = ""
    message: str = ""
    kind: str = ""
    id: str = ""
    why: str = ""
    fix: str = ""


BY_OPTION = "an option of this call"
"""The origin of a directory that the caller asked for, not the image."""


def choose(rootfs: Rootfs, wanted: str, origin: str, engine: Engine, runtime: Runtime, actor: Actor) -> Workdir:
    """Decide the working directory by the engine's and the runtime's rules.

    `wanted` is the string of the config or option ("" means /).  docker follows links inside the rootfs and makes
    what is missing as root; runc does the same at start; podman also gives it to the user.
    """
    path = wanted or "/"
    how = f"{origin}" if wanted else "no WorkingDir: /"
    if not path.startswith("/"):
        if runtime.family == "runc":
            return Workdir(
                path=path,
                canonical=path,
                how=how,
                judge="J2",
                errno="EINVAL",
                kind="bare",
                id="W28",
                message="Cwd must be an absolute path",
                why=f"WorkingDir {path!r} is relative",
                fix=f"write /{path}",
            )
        path = "/" + path
    lexical = posixpath.normpath(path)
    lexical = "/" + lexical.lstrip("/")
    seen = check_access(rootfs, path, ROOT)
    node = seen.node
    if node is not None and node.is_dir:
        notes: list[str] = []
        if not permits(node, actor, EXECUTE):
            notes.append(f"{path} is closed to this user (mode {node.mode:04o}); chdir happens while still root")
        elif actor.uid and node.uid != actor.uid and not permits(node, actor, 2):
            notes.append(f"{path} belongs to {node.uid}:{node.gid}: uid {actor.uid} cannot write there")
        canonical = text(seen.resolution.path)
        return Workdir(path=canonical, canonical=canonical, how=how, notes=tuple(notes))
    prefix, kind = _deepest(rootfs, lexical)
    dangling = seen.errno == "ENOENT" and kind == "symlink"
    if seen.errno == "ENOENT" and node is None and engine.workdir == "create-chown" and origin == BY_OPTION:
        return _fail(
            path,
            how,
            "ENOENT",
            f'workdir "{path}" does not exist on container <container-id>',
            "engine",
            "F15",
            f"podman makes the image's WORKDIR, not one that --workdir names, and {path} is not in the image",
        )
    if node is None and seen.errno == "ENOENT" and not dangling:
        maker = "the engine" if engine.workdir != "runtime" else "the runtime"
        owner = "owned by the user" if engine.workdir == "create-chown" else "owned by root, mode 0755"
        note = f"{path} is not in the image: {maker} makes it, {owner}"
        place = text(seen.resolution.path) or lexical
        return Workdir(path=place, canonical=place, how=how, created=True, notes=(note,))
    if dangling:
        target = text(seen.resolution.path)
        if engine.workdir == "create":
            note = f"{path} is a dangling link: the engine makes its target {target}"
            return Workdir(path=target, canonical=target, how=how, created=True, notes=(note,))
        if runtime.family == "crun":
            return _fail(
                path,
                how,
                "ENOENT",
                f"chdir `{path}`: No such file or directory",
                "plain",
                "F16",
                f"{path} is a dangling link to {target}",
            )
        return _fail(
            path, how, "EEXIST", f"mkdir {prefix}: file exists", "init", "F16", f"{path} is a dangling link to {target}"
        )
    if seen.errno == "ELOOP":
        why = f"the links behind {path} lead in a circle"
    elif node is not None:
        why = f"{path} is a {node.kind}, not a directory"
    else:
        why = f"a part of {path} is no directory"
    if engine.workdir == "create":
        message = f"Cannot mkdir: {path} is not a directory"
        if node is None:
            message = f"lstat {MOUNT}{lexical}: not a directory"
        return _fail(path, how, "ENOTDIR", message, "engine", "F15", why)
    if engine.workdir == "create-chown":
        message = f'workdir "{path}" exists on container <container-id>, but is not a directory'
        if node is None:
            message = f"creating container <container-id> workdir: mkdir {MOUNT}{prefix}: not a directory"
            if origin == BY_OPTION:
                found = f"stat {MOUNT}{lexical}: not a directory"
                message = f'detecting workdir "{path}" on container <container-id>: {found}'
        return _fail(path, how, "ENOTDIR", message, "engine", "F15", why)
    if runtime.family == "crun":
        words = "Too many levels of symbolic links" if seen.errno == "ELOOP" else "Not a directory"
        return _fail(path, how, seen.errno or "ENOTDIR", f"chdir `{path}`: {words}", "plain", "F15", why)
    return _fail(path, how, "ENOTDIR", f"mkdir {prefix}: not a directory", "init", "F15", why)


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


def _fail(path: str, how: str, errno: str, message: str, kind: str, row: str, why: str) -> Workdir:
    judge = "J1" if kind == "engine" else "J2"
    return Workdir(
        path=path,
        canonical=path,
        how=how,
        judge=judge,
        errno=errno,
        message=message,
        kind=kind,
        id=row,
        why=why,
        fix="let WORKDIR name a directory",
    )
